// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a CPU mapping of a dma-buf is: shared memory, that loads and stores and
 * copies by the kernel work on, that takes what is done to mappings (fork,
 * mprotect, mremap, munmap of a part), and that stays when the fd goes. It is
 * never private, never more than the fd allows, and accounts for no page.
 * mmap_pages.c shows what can't be done with it.
 *
 * Comments name the function that an errno is from, where it is not obvious.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/mman.h>

#include "mmap_fixture.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

#define MAP_UNKNOWN	0x01000000	/* no flag, on any architecture */
#define PM_SOFT_DIRTY	0x0080000000000000ULL	/* fs/proc/task_mmu.c */

/* What a page table covers where pages are 4K; elsewhere just an alignment */
#define PAGE_TABLE	(2UL << 20)

#define COPY_PAGES	4

static char scratch[COPY_PAGES * 65536];

/* Content */

TEST_F(mapping, second_mapping_has_the_content)
{
	struct context *ctx = &self->ctx;
	char *map = map_buffer(_metadata, ctx, false);

	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	fill(map, 0, ctx->pages, OTHER_SEED);
	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, OTHER_SEED));

	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "second mmap", "works");
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

/* Knows nothing of the buffer but the fd that it is sent; 0 is success. */
static int receiver(struct context *ctx, int sock)
{
	size_t size = ctx->buf.size;
	char *map;
	int fd;

	if (munmap(ctx->view, size) || close(ctx->buf.fd))
		return 1;
	fd = receive_fd(sock);
	if (fd < 0)
		return 2;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 3;
	if (dmabuf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW))
		return 4;
	if (wrong_page(map, 0, ctx->pages, SEED) != -1)
		return 5;
	fill(map, 0, ctx->pages, OTHER_SEED);
	if (dmabuf_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW))
		return 6;
	return 0;
}

TEST_F(mapping, other_process_has_the_content)
{
	struct context *ctx = &self->ctx;
	int socks[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks));
	pid = fork();
	if (!pid)
		_exit(receiver(ctx, socks[1]));
	ASSERT_EQ(0, send_fd(socks[0], ctx->buf.fd));
	ASSERT_EQ(0, exit_code(pid));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, OTHER_SEED));

	close(socks[0]);
	close(socks[1]);
	report(ctx, "SCM_RIGHTS and mmap", "works");
}

/*
 * An exporter may take VM_MAYWRITE away from what is inaccessible: it is never
 * a copy-on-write mapping then. amdgpu is known to do so.
 */
static void check_never_writable(struct __test_metadata *_metadata, char *map,
				 size_t len)
{
	ASSERT_EQ(-1, mprotect(map, len, PROT_READ | PROT_WRITE));
	ASSERT_EQ(EACCES, errno);
	unmap(_metadata, map, len);
}

/*
 * A private mapping would be a copy-on-write one, which the exporter's pages
 * can't be in. Parts of the buffer, too: remap_pfn_range() has no objection to
 * COW as long as one call covers the VMA (get_remap_pgoff()), as it does for a
 * single page and may for a chunk.
 */
static void check_private(struct __test_metadata *_metadata,
			  struct context *ctx, int prot, const char *attempt)
{
	size_t chunk = ctx->pages < CHUNK_PAGES ? 2 : CHUNK_PAGES;
	size_t last = ctx->buf.size - ctx->page_size;
	const struct {
		size_t offset;
		size_t len;
	} parts[] = {
		{ 0, ctx->buf.size },
		{ 0, ctx->page_size },
		{ last, ctx->page_size },
		{ 0, chunk * ctx->page_size },
	};
	bool may_be_unwritable = prot == PROT_NONE && ctx->exporter->unknown;
	__u64 before = address_space();
	const char *result = "EINVAL";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		char *map = mmap(NULL, parts[i].len, prot, MAP_PRIVATE,
				 ctx->buf.fd, parts[i].offset);

		if (map != MAP_FAILED && may_be_unwritable) {
			check_never_writable(_metadata, map, parts[i].len);
			result = "never writable";
			continue;
		}
		ASSERT_EQ(MAP_FAILED, map) {
			TH_LOG("%s of %zu bytes at %zu", attempt, parts[i].len,
			       parts[i].offset);
		}
		ASSERT_EQ(EINVAL, errno);
		ASSERT_EQ(before, address_space());
	}
	report(ctx, attempt, result);
}

TEST_F(mapping, private_writable)
{
	check_private(_metadata, &self->ctx, PROT_READ | PROT_WRITE,
		      "MAP_PRIVATE rw");
}

TEST_F(mapping, private_readable)
{
	check_private(_metadata, &self->ctx, PROT_READ, "MAP_PRIVATE ro");
}

TEST_F(mapping, private_inaccessible)
{
	check_private(_metadata, &self->ctx, PROT_NONE, "MAP_PRIVATE none");
}

/* copy_from_user() and copy_to_user() need no page. */
TEST_F(mapping, kernel_copies)
{
	struct context *ctx = &self->ctx;
	ssize_t len = COPY_PAGES * ctx->page_size;
	char *map = map_buffer(_metadata, ctx, false);
	int pipefd[2];

	ASSERT_EQ(0, pipe2(pipefd, O_CLOEXEC));
	ASSERT_LE(len, fcntl(pipefd[1], F_SETPIPE_SZ, (int)len));

	ASSERT_EQ(len, write(pipefd[1], map, len));
	ASSERT_EQ(len, read(pipefd[0], scratch, len));
	ASSERT_EQ(-1, wrong_page(scratch, 0, COPY_PAGES, SEED));
	report(ctx, "write(2) from it", "works");

	fill(scratch, 0, COPY_PAGES, OTHER_SEED);
	ASSERT_EQ(len, write(pipefd[1], scratch, len));
	unmap(_metadata, map, ctx->buf.size);
	map = map_buffer(_metadata, ctx, false);
	ASSERT_EQ(len, read(pipefd[0], map, len));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, COPY_PAGES, OTHER_SEED));
	ASSERT_EQ(-1, wrong_page(ctx->view + len, COPY_PAGES,
				 ctx->pages - COPY_PAGES, SEED));
	report(ctx, "read(2) into it", "works");

	close(pipefd[0]);
	close(pipefd[1]);
	unmap(_metadata, map, ctx->buf.size);
}

/* vm_normal_page() is NULL for every page, so that nothing is accounted. */
TEST_F(mapping, smaps)
{
	struct context *ctx = &self->ctx;
	char *map = map_buffer(_metadata, ctx, true);
	struct smaps smaps;

	ASSERT_TRUE(read_smaps(map, &smaps));
	EXPECT_TRUE(has_flag(&smaps, "pf"));
	EXPECT_FALSE(has_flag(&smaps, "mm"));
	EXPECT_TRUE(has_flag(&smaps, "sh"));
	EXPECT_TRUE(has_flag(&smaps, "de"));
	ASSERT_EQ(0, smaps.rss);
	ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	report(ctx, "smaps", "pf, Rss 0");
	unmap(_metadata, map, ctx->buf.size);
}

/* walk_page_test() makes a hole of VM_PFNMAP. */
TEST_F(mapping, pagemap)
{
	struct context *ctx = &self->ctx;
	ssize_t entry = sizeof(__u64), len = ctx->pages * entry;
	char *map = map_buffer(_metadata, ctx, true);
	__u64 *entries = calloc(1, len);
	size_t i;
	off_t pos;
	int fd;

	ASSERT_NE(NULL, entries);
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);

	pos = (unsigned long)scratch / ctx->page_size * entry;
	scratch[0] = 1;
	ASSERT_EQ(entry, pread(fd, entries, entry, pos));
	ASSERT_NE(0U, entries[0] & ~PM_SOFT_DIRTY);

	pos = (unsigned long)map / ctx->page_size * entry;
	ASSERT_EQ(len, pread(fd, entries, len, pos));
	for (i = 0; i < ctx->pages; i++)
		ASSERT_EQ(0U, entries[i] & ~PM_SOFT_DIRTY);

	free(entries);
	close(fd);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "pagemap", "0 pages");
}

/* What a mapping survives */

static int forked(struct context *ctx, char *map)
{
	if (wrong_page(map, 0, ctx->pages, SEED) != -1)
		return 1;
	fill(map, 0, ctx->pages, OTHER_SEED);
	return 0;
}

TEST_F(mapping, fork_shares)
{
	struct context *ctx = &self->ctx;
	pid_t pid;
	char *map;
	int i;

	for (i = 0; i < 2; i++) {
		fill(ctx->view, 0, ctx->pages, SEED);
		map = map_buffer(_metadata, ctx, i);
		pid = fork();
		if (!pid)
			_exit(forked(ctx, map));
		ASSERT_EQ(0, exit_code(pid));
		ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, OTHER_SEED));
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, "fork", "works");
}

TEST_F(mapping, dontfork)
{
	struct context *ctx = &self->ctx;
	char *map = map_buffer(_metadata, ctx, true);
	pid_t pid;

	ASSERT_EQ(0, madvise(map, ctx->buf.size, MADV_DONTFORK));
	pid = fork();
	if (!pid)
		_exit(access_fault(map, false) == SEGV_MAPERR ? 0 : 1);
	ASSERT_EQ(0, exit_code(pid));
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "MADV_DONTFORK", "works");
}

TEST_F(mapping, mprotect)
{
	struct context *ctx = &self->ctx;
	size_t size = ctx->buf.size;
	char *map;
	int i;

	for (i = 0; i < 2; i++) {
		fill(ctx->view, 0, ctx->pages, SEED);
		map = map_buffer(_metadata, ctx, i);

		ASSERT_EQ(0, mprotect(map, size, PROT_READ));
		ASSERT_EQ(SEGV_ACCERR, access_fault(map, true));
		ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));

		ASSERT_EQ(0, mprotect(map, size, PROT_NONE));
		ASSERT_EQ(SEGV_ACCERR, access_fault(map, false));

		ASSERT_EQ(0, mprotect(map, size, PROT_READ | PROT_WRITE));
		ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
		fill(map, 0, ctx->pages, OTHER_SEED);
		ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, OTHER_SEED));
		unmap(_metadata, map, size);
	}
	report(ctx, "mprotect", "works");
}

/* The file system of dma-bufs is noexec (init_pseudo()): no VM_MAYEXEC. */
TEST_F(mapping, mprotect_exec)
{
	struct context *ctx = &self->ctx;
	char *map = map_buffer(_metadata, ctx, true);
	__u64 before = address_space();

	ASSERT_EQ(-1, mprotect(map, ctx->buf.size, PROT_READ | PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(before, address_space());
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "mprotect exec", "EACCES");
}

/* A part of a mapping: page @first of the buffer and the @nr - 1 that follow */
static void check_part(struct __test_metadata *_metadata, struct context *ctx,
		       char *addr, size_t first, size_t nr)
{
	char *view = ctx->view + first * ctx->page_size;

	ASSERT_EQ(-1, wrong_page(addr, first, nr, SEED));
	fill(addr, first, nr, OTHER_SEED);
	ASSERT_EQ(-1, wrong_page(view, first, nr, OTHER_SEED));
	fill(view, first, nr, SEED);
	ASSERT_EQ(-1, wrong_page(addr, first, nr, SEED));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
}

/* Read-only in the middle, which makes three VMAs of one */
static void check_mprotect_part(struct __test_metadata *_metadata,
				struct context *ctx, bool present)
{
	char *map = map_buffer(_metadata, ctx, present);
	size_t page_size = ctx->page_size;
	size_t middle = ctx->pages / 2;
	char *page = map + middle * page_size;

	ASSERT_EQ(0, mprotect(page, page_size, PROT_READ));
	check_part(_metadata, ctx, map, 0, middle);
	ASSERT_EQ(-1, wrong_page(page, middle, 1, SEED));
	ASSERT_EQ(SEGV_ACCERR, access_fault(page, true));
	check_part(_metadata, ctx, page + page_size, middle + 1,
		   ctx->pages - middle - 1);
	ASSERT_EQ(0, mprotect(page, page_size, PROT_READ | PROT_WRITE));
	check_part(_metadata, ctx, map, 0, ctx->pages);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, present ? "mprotect part, present" : "mprotect part",
	       "works");
}

TEST_F(mapping, mprotect_part)
{
	check_mprotect_part(_metadata, &self->ctx, false);
}

TEST_F(mapping, mprotect_part_present)
{
	check_mprotect_part(_metadata, &self->ctx, true);
}

static void check_cut_head(struct __test_metadata *_metadata,
			   struct context *ctx, bool present)
{
	char *map = map_buffer(_metadata, ctx, present);
	size_t cut = 2 * ctx->page_size;

	unmap(_metadata, map, cut);
	ASSERT_EQ(SEGV_MAPERR, access_fault(map, false));
	check_part(_metadata, ctx, map + cut, 2, ctx->pages - 2);
	unmap(_metadata, map + cut, ctx->buf.size - cut);
	report(ctx, present ? "munmap head, present" : "munmap head", "works");
}

TEST_F(mapping, cut_head)
{
	check_cut_head(_metadata, &self->ctx, false);
}

TEST_F(mapping, cut_head_present)
{
	check_cut_head(_metadata, &self->ctx, true);
}

static void check_cut_middle(struct __test_metadata *_metadata,
			     struct context *ctx, bool present)
{
	char *map = map_buffer(_metadata, ctx, present);
	size_t page_size = ctx->page_size;
	size_t middle = ctx->pages / 2;
	size_t rest = ctx->pages - middle - 1;
	char *page = map + middle * page_size;

	unmap(_metadata, page, page_size);
	ASSERT_EQ(SEGV_MAPERR, access_fault(page, false));
	check_part(_metadata, ctx, map, 0, middle);
	check_part(_metadata, ctx, page + page_size, middle + 1, rest);
	unmap(_metadata, map, middle * page_size);
	unmap(_metadata, page + page_size, rest * page_size);
	report(ctx, present ? "munmap middle, present" : "munmap middle",
	       "works");
}

TEST_F(mapping, cut_middle)
{
	check_cut_middle(_metadata, &self->ctx, false);
}

TEST_F(mapping, cut_middle_present)
{
	check_cut_middle(_metadata, &self->ctx, true);
}

static char *reserve(struct __test_metadata *_metadata, size_t len)
{
	char *map = mmap(NULL, len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	return map;
}

TEST_F(mapping, mremap_move)
{
	struct context *ctx = &self->ctx;
	size_t size = ctx->buf.size;
	char *map, *to;
	int i;

	for (i = 0; i < 2; i++) {
		map = map_buffer(_metadata, ctx, i);
		to = reserve(_metadata, size);
		ASSERT_EQ(to, mremap(map, size, size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_EQ(SEGV_MAPERR, access_fault(map, false));
		check_part(_metadata, ctx, to, 0, ctx->pages);
		unmap(_metadata, to, size);
	}
	report(ctx, "mremap move", "works");
}

static void check_mremap_tail(struct __test_metadata *_metadata,
			      struct context *ctx, bool present)
{
	char *map = map_buffer(_metadata, ctx, present);
	size_t head = 2 * ctx->page_size;
	size_t tail = ctx->buf.size - head;
	char *to = reserve(_metadata, tail);

	ASSERT_EQ(to, mremap(map + head, tail, tail,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_EQ(SEGV_MAPERR, access_fault(map + head, false));
	check_part(_metadata, ctx, map, 0, 2);
	check_part(_metadata, ctx, to, 2, ctx->pages - 2);
	unmap(_metadata, map, head);
	unmap(_metadata, to, tail);
	report(ctx, present ? "mremap tail, present" : "mremap tail", "works");
}

TEST_F(mapping, mremap_tail)
{
	check_mremap_tail(_metadata, &self->ctx, false);
}

TEST_F(mapping, mremap_tail_present)
{
	check_mremap_tail(_metadata, &self->ctx, true);
}

TEST_F(mapping, mremap_shrink)
{
	struct context *ctx = &self->ctx;
	size_t size = ctx->buf.size - ctx->page_size;
	char *map = map_buffer(_metadata, ctx, false);

	ASSERT_EQ(map, mremap(map, ctx->buf.size, size, 0));
	ASSERT_EQ(SEGV_MAPERR, access_fault(map + size, false));
	check_part(_metadata, ctx, map, 0, ctx->pages - 1);
	unmap(_metadata, map, size);
	report(ctx, "mremap shrink", "works");
}

/*
 * check_prep_vma(); the mapping lacks the last page, so that growth would fit.
 * The new address is read with MREMAP_DONTUNMAP, and 0 is none.
 */
static void check_mremap_refused(struct __test_metadata *_metadata,
				 struct context *ctx, size_t old_pages,
				 size_t new_pages, int flags, int error,
				 const char *attempt)
{
	size_t len = ctx->buf.size - ctx->page_size;
	size_t old_len = old_pages * ctx->page_size;
	size_t new_len = new_pages * ctx->page_size;
	char *map, *to;
	__u64 before;

	map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	to = mremap(map, old_len, new_len, flags, NULL);
	ASSERT_NE(MAP_FAILED, to) {
		TH_LOG("%s of ordinary memory", attempt);
	}
	unmap(_metadata, to, new_len);
	unmap(_metadata, map, len);

	map = map_pages(_metadata, ctx, 0, ctx->pages - 1);
	before = address_space();
	ASSERT_EQ(MAP_FAILED, mremap(map, old_len, new_len, flags, NULL));
	ASSERT_EQ(error, errno);
	ASSERT_EQ(before, address_space());
	check_part(_metadata, ctx, map, 0, ctx->pages - 1);
	unmap(_metadata, map, len);
	report(ctx, attempt, error_name(error));
}

TEST_F(mapping, mremap_grow)
{
	struct context *ctx = &self->ctx;

	check_mremap_refused(_metadata, ctx, ctx->pages - 1, ctx->pages,
			     MREMAP_MAYMOVE, EFAULT, "mremap grow");
}

TEST_F(mapping, mremap_duplicate)
{
	struct context *ctx = &self->ctx;

	check_mremap_refused(_metadata, ctx, 0, ctx->pages - 1,
			     MREMAP_MAYMOVE, EFAULT, "mremap duplicate");
}

TEST_F(mapping, mremap_dontunmap)
{
	struct context *ctx = &self->ctx;

	check_mremap_refused(_metadata, ctx, ctx->pages - 1, ctx->pages - 1,
			     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, EINVAL,
			     "mremap dontunmap");
}

TEST_F(mapping, offset)
{
	struct context *ctx = &self->ctx;
	const size_t firsts[] = { 1, ctx->pages / 2, ctx->pages - 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(firsts); i++) {
		size_t nr = ctx->pages - firsts[i];
		char *map = map_pages(_metadata, ctx, firsts[i], nr);

		check_part(_metadata, ctx, map, firsts[i], nr);
		unmap(_metadata, map, nr * ctx->page_size);

		map = map_pages(_metadata, ctx, firsts[i], 1);
		check_part(_metadata, ctx, map, firsts[i], 1);
		unmap(_metadata, map, ctx->page_size);
	}
	report(ctx, "mmap at offset", "works");
}

/* What debuggers do, at a word of the mapping: 0, or a negative errno */
static int proc_mem_word(unsigned long *addr, unsigned long *word, bool write)
{
	ssize_t len = sizeof(*word), ret;
	off_t pos = (unsigned long)addr;
	int mem, error = 0;

	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	ret = write ? pwrite(mem, word, len, pos) : pread(mem, word, len, pos);
	if (ret != len)
		error = ret < 0 ? -errno : -EMSGSIZE;
	close(mem);
	return error;
}

/* In a child, which has the same mapping */
static int ptrace_word(unsigned long *addr, unsigned long *word, bool write)
{
	int error = 0;
	pid_t pid;

	pid = traced_child();
	if (pid < 0)
		return pid;

	/* Not by libc, whose PTRACE_PEEKDATA returns the data */
	if (syscall(__NR_ptrace, write ? PTRACE_POKEDATA : PTRACE_PEEKDATA, pid,
		    addr, write ? *word : (unsigned long)word))
		error = -errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return error;
}

static const struct debugger {
	const char *read;
	const char *write;
	int (*word)(unsigned long *addr, unsigned long *word, bool write);
	bool forces;		/* FOLL_FORCE; else the configuration decides */
} debuggers[] = {
	{ "/proc/pid/mem read", "/proc/pid/mem write", proc_mem_word, false },
	{ "ptrace peek", "ptrace poke", ptrace_word, true },
};

/*
 * Private memory is written to (in a copy of the page) and read whatever its
 * protection, if that is by FOLL_FORCE. May the debugger read?
 */
static bool check_private_memory(struct __test_metadata *_metadata,
				 const struct debugger *debugger, int prot)
{
	size_t len = getpagesize();
	unsigned long word = SEED;
	int written, expected;
	char *map;

	map = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	written = debugger->word((unsigned long *)map, &word, true);
	if (debugger->forces || written)
		ASSERT_EQ(debugger->forces ? 0 : -EIO, written);
	expected = prot & PROT_READ ? 0 : written;
	ASSERT_EQ(expected, debugger->word((unsigned long *)map, &word, false));
	unmap(_metadata, map, len);
	return !expected;
}

/*
 * Has the exporter vm_ops->access? Where that isn't known, a look at the view
 * tells, so that all ways to have access, and to all places, have to agree.
 */
static bool has_access(const struct context *ctx)
{
	unsigned long word;

	if (!ctx->exporter->unknown)
		return ctx->exporter->access;
	return !proc_mem_word((unsigned long *)ctx->view, &word, false);
}

/*
 * A word of either end of a mapping, whose content is that of the view: it may
 * be read, where the exporter has vm_ops->access, and not be written to.
 */
static void check_debugger(struct __test_metadata *_metadata,
			   struct context *ctx, const struct debugger *debugger,
			   char *map, bool may_read)
{
	size_t offsets[] = { 0, ctx->buf.size - sizeof(unsigned long) };
	int readable = may_read && has_access(ctx) ? 0 : -EIO;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		unsigned long *addr = (unsigned long *)(map + offsets[i]);
		unsigned long *view = (unsigned long *)(ctx->view + offsets[i]);
		unsigned long before = *view, word = ~before;

		ASSERT_EQ(-EIO, debugger->word(addr, &word, true)) {
			TH_LOG("%s at %zu", debugger->write, offsets[i]);
		}
		ASSERT_EQ(before, *view);
		ASSERT_EQ(readable, debugger->word(addr, &word, false)) {
			TH_LOG("%s at %zu", debugger->read, offsets[i]);
		}
		ASSERT_EQ(readable ? ~before : before, word);
		ASSERT_EQ(before, *view);
	}
}

/*
 * FOLL_FORCE writes to what is read-only only where that makes a private copy
 * (check_vma_flags()), which here is nowhere.
 */
static void check_protected(struct __test_metadata *_metadata,
			    struct context *ctx, int prot, const char *how)
{
	size_t size = ctx->buf.size;
	char attempt[64];
	size_t d;
	char *map;

	for (d = 0; d < ARRAY_SIZE(debuggers); d++) {
		unsigned long word = OTHER_SEED, *addr;
		bool may_read;

		may_read = check_private_memory(_metadata, &debuggers[d], prot);

		map = mmap(NULL, size, prot, MAP_SHARED, ctx->buf.fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		check_debugger(_metadata, ctx, &debuggers[d], map, may_read);
		if (prot & PROT_READ) {
			ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
			check_debugger(_metadata, ctx, &debuggers[d], map,
				       may_read);
		}
		unmap(_metadata, map, size);

		/* Written to once, and then protected */
		map = map_buffer(_metadata, ctx, true);
		ASSERT_EQ(0, mprotect(map, size, prot));
		check_debugger(_metadata, ctx, &debuggers[d], map, may_read);
		ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));

		/* It is for the protection alone. */
		ASSERT_EQ(0, mprotect(map, size, PROT_READ | PROT_WRITE));
		addr = (unsigned long *)map;
		ASSERT_EQ(has_access(ctx) ? 0 : -EIO,
			  debuggers[d].word(addr, &word, true));
		if (has_access(ctx))
			ASSERT_EQ(OTHER_SEED, *addr);
		fill(map, 0, 1, SEED);
		unmap(_metadata, map, size);

		snprintf(attempt, sizeof(attempt), "%s, %s",
			 debuggers[d].write, how);
		report(ctx, attempt, error_name(EIO));
	}
}

TEST_F(mapping, debugger_of_readable)
{
	check_protected(_metadata, &self->ctx, PROT_READ, "ro");
}

TEST_F(mapping, debugger_of_inaccessible)
{
	check_protected(_metadata, &self->ctx, PROT_NONE, "none");
}

/* What can be written to ends where the protected part of a mapping begins. */
TEST_F(mapping, debugger_across_protection)
{
	struct context *ctx = &self->ctx;
	size_t page_size = ctx->page_size;
	ssize_t half = page_size / 2;
	char *map = map_buffer(_metadata, ctx, true);
	off_t pos = (unsigned long)map + half;
	int mem;

	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_GE(mem, 0);
	ASSERT_EQ(0, mprotect(map + page_size, page_size, PROT_READ));
	memset(scratch, 0x5a, page_size);
	errno = 0;
	if (has_access(ctx)) {
		ASSERT_EQ(half, pwrite(mem, scratch, page_size, pos));
		ASSERT_TRUE(all_bytes(map + half, half, 0x5a));
		fill(map, 0, 1, SEED);
	} else {
		ASSERT_EQ(-1, pwrite(mem, scratch, page_size, pos));
		ASSERT_EQ(EIO, errno);
	}
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
	close(mem);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "/proc/pid/mem write, part ro",
	       has_access(ctx) ? "stops in front" : error_name(EIO));
}

/*
 * How much a page fault maps, as the exporter says. At an address where no page
 * table begins within a small buffer, as that may make a difference.
 */
TEST_F(mapping, page_faults)
{
	struct context *ctx = &self->ctx;
	const struct exporter *exporter = ctx->exporter;
	size_t size = ctx->buf.size, least = 0, most = 0;
	char *area = reserve(_metadata, size + PAGE_TABLE);
	unsigned long to = (unsigned long)area + PAGE_TABLE - 1;
	char result[32];
	long faults;
	char *map;

	if (exporter->pages_per_fault) {
		least = 1;
		most = 1 + (ctx->pages - 1) / exporter->pages_per_fault;
	}
	if (exporter->faults_on_write)
		most += ctx->pages;
	/* Nothing, or two of each page, or anything in between */
	if (exporter->unknown)
		most = 2 * ctx->pages;

	map = (char *)(to / PAGE_TABLE * PAGE_TABLE);
	ASSERT_EQ(map, mmap(map, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, ctx->buf.fd, 0));
	faults = faults_of_touch(map, size);
	ASSERT_LE((long)least, faults);
	ASSERT_GE((long)most, faults);
	ASSERT_EQ(0, faults_of_touch(map, size));
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));

	unmap(_metadata, area, size + PAGE_TABLE);
	snprintf(result, sizeof(result), "%ld, %zu pages", faults, ctx->pages);
	report(ctx, "page faults", result);
}

/* The VMA holds the file. Nothing else does, here. */
TEST_F(mapping, outlives_the_fd)
{
	struct context *ctx = &self->ctx;
	size_t size = ctx->buf.size;
	char *map = map_buffer(_metadata, ctx, false);

	unmap(_metadata, ctx->view, size);
	ctx->view = NULL;
	ASSERT_EQ(0, close(ctx->buf.fd));
	ctx->buf.fd = -1;

	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	fill(map, 0, ctx->pages, OTHER_SEED);
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, OTHER_SEED));
	ASSERT_NE(0, dmabuf_alive(ctx->name));
	unmap(_metadata, map, size);
	report(ctx, "fd closed", "works");
}

/* Bad arguments */

TEST_F(mapping, bad_arguments)
{
	struct context *ctx = &self->ctx;
	const unsigned long page = ctx->page_size, size = ctx->buf.size;
	const unsigned long view = (unsigned long)ctx->view;
	const int rw = PROT_READ | PROT_WRITE;
	const struct {
		const char *what;
		unsigned long addr, len;
		int prot, flags;
		unsigned long offset;
		int error;
	} bad[] = {
		/* do_mmap() */
		{ "size 0", 0, 0, rw, MAP_SHARED, 0, EINVAL },
		{ "size wraps", 0, -1UL, rw, MAP_SHARED, 0, ENOMEM },
		/* __get_unmapped_area() */
		{ "size huge", 0, -page, rw, MAP_SHARED, 0, ENOMEM },
		/* dma_buf_mmap_internal() */
		{ "a page too long", 0, size + page, rw, MAP_SHARED, 0,
		  EINVAL },
		{ "from the end", 0, page, rw, MAP_SHARED, size, EINVAL },
		{ "past the end", 0, size, rw, MAP_SHARED, page, EINVAL },
		{ "far away", 0, page, rw, MAP_SHARED, 1UL << 62, EINVAL },
		/* file_mmap_ok() */
		{ "offset overflows", 0, page, rw, MAP_SHARED, -page,
		  EOVERFLOW },
		/* the architecture's mmap */
		{ "offset not aligned", 0, page, rw, MAP_SHARED, 1, EINVAL },
		/* __get_unmapped_area() */
		{ "address not aligned", view + 1, page, rw,
		  MAP_SHARED | MAP_FIXED, 0, EINVAL },
		/* do_mmap() */
		{ "address taken", view, page, rw,
		  MAP_SHARED | MAP_FIXED_NOREPLACE, 0, EEXIST },
		{ "no type", 0, page, rw, 0, 0, EINVAL },
		{ "MAP_DROPPABLE", 0, page, rw, MAP_DROPPABLE, 0, EINVAL },
		{ "MAP_SYNC", 0, page, rw, MAP_SHARED_VALIDATE | MAP_SYNC, 0,
		  EOPNOTSUPP },
		{ "unknown flag", 0, page, rw,
		  MAP_SHARED_VALIDATE | MAP_UNKNOWN, 0, EOPNOTSUPP },
		{ "MAP_GROWSDOWN", 0, page, rw, MAP_SHARED | MAP_GROWSDOWN, 0,
		  EINVAL },
		{ "PROT_EXEC", 0, page, rw | PROT_EXEC, MAP_SHARED, 0, EPERM },
		/* ksys_mmap_pgoff() */
		{ "MAP_HUGETLB", 0, page, rw, MAP_SHARED | MAP_HUGETLB, 0,
		  EINVAL },
	};
	__u64 before = address_space();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* Not by libc, which looks at some arguments itself */
		ASSERT_EQ(-1, syscall(__NR_mmap, bad[i].addr, bad[i].len,
				      bad[i].prot, bad[i].flags, ctx->buf.fd,
				      bad[i].offset)) {
			TH_LOG("%s", bad[i].what);
		}
		ASSERT_EQ(bad[i].error, errno) TH_LOG("%s", bad[i].what);
		ASSERT_EQ(before, address_space());
	}
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
}

/* no_open(): the access mode of a dma-buf is for good. */
static void check_reopen(struct __test_metadata *_metadata, struct context *ctx)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ctx->buf.fd);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(-1, open(path, modes[i] | O_CLOEXEC));
		ASSERT_EQ(ENXIO, errno);
	}
}

TEST_F(mapping, reopen)
{
	check_reopen(_metadata, &self->ctx);
	report(&self->ctx, "open /proc/self/fd", "ENXIO");
}

/* What only udmabuf has: the memfd that the memory stays part of */

TEST_F(memfd, pread_has_the_content)
{
	struct context *ctx = &self->ctx;
	ssize_t len = ctx->page_size;
	size_t page;

	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	fill(ctx->view, 0, ctx->pages, OTHER_SEED);
	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	for (page = 0; page < ctx->pages; page++) {
		ASSERT_EQ(len, pread(ctx->buf.memfd, scratch, len,
				     dmabuf_memfd_offset(&ctx->buf, page)));
		ASSERT_EQ(-1, wrong_page(scratch, page, 1, OTHER_SEED));
	}
	report(ctx, "memfd pread", "works");
}

TEST_F(memfd, mmap_has_the_content)
{
	struct context *ctx = &self->ctx;
	char *mem, *at;
	size_t page;

	mem = mmap(NULL, ctx->buf.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   ctx->buf.memfd, 0);
	ASSERT_NE(MAP_FAILED, mem);

	for (page = 0; page < ctx->pages; page++) {
		at = mem + dmabuf_memfd_offset(&ctx->buf, page);
		ASSERT_EQ(-1, wrong_page(at, page, 1, SEED));
		fill(at, page, 1, OTHER_SEED);
	}
	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, OTHER_SEED));
	ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
				 DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	unmap(_metadata, mem, ctx->buf.size);
	report(ctx, "memfd mmap", "works");
}

/* The udmabuf holds its pages, the VMA holds the udmabuf. */
TEST_F(memfd, mapping_outlives_it)
{
	struct context *ctx = &self->ctx;
	char *map = map_buffer(_metadata, ctx, false);

	unmap(_metadata, ctx->view, ctx->buf.size);
	ctx->view = NULL;
	ASSERT_EQ(0, close(ctx->buf.fd));
	ctx->buf.fd = -1;
	ASSERT_EQ(0, close(ctx->buf.memfd));
	ctx->buf.memfd = -1;

	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	fill(map, 0, ctx->pages, OTHER_SEED);
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, OTHER_SEED));
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "memfd closed", "works");
}

/* A dma-buf that was exported O_RDONLY. udmabuf has none (export_udmabuf()). */

FIXTURE(readonly) {
	struct context ctx;
	char *content;		/* as it was at first; nobody can write to it */
};

FIXTURE_VARIANT(readonly) {
	const struct exporter *exporter;
};

FIXTURE_SETUP(readonly)
{
	const struct exporter *exporter = variant->exporter;
	struct context *ctx = &self->ctx;

	context_setup(_metadata, ctx, exporter, exporter_small(exporter),
		      O_RDONLY);
	if (_metadata->exit_code)
		return;		/* skipped */
	self->content = malloc(ctx->buf.size);
	ASSERT_NE(NULL, self->content);
	memcpy(self->content, ctx->view, ctx->buf.size);
}

FIXTURE_TEARDOWN(readonly)
{
	context_teardown(_metadata, &self->ctx);
	free(self->content);
}

TEST_F(readonly, can_be_read)
{
	struct context *ctx = &self->ctx;

	/* Graphics drivers need not clear what is their device's. */
	if (!ctx->exporter->unknown)
		ASSERT_TRUE(all_bytes(self->content, ctx->buf.size, 0));
	ASSERT_EQ(SEGV_ACCERR, access_fault(ctx->view, true));
	ASSERT_EQ(0, memcmp(ctx->view, self->content, ctx->buf.size));
	report(ctx, "O_RDONLY fd, mmap ro", "works");
}

/* do_mmap() */
TEST_F(readonly, shared_writable_mapping)
{
	static const int prots[] = { PROT_WRITE, PROT_READ | PROT_WRITE };
	struct context *ctx = &self->ctx;
	__u64 before = address_space();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		ASSERT_EQ(MAP_FAILED, mmap(NULL, ctx->buf.size, prots[i],
					   MAP_SHARED, ctx->buf.fd, 0));
		ASSERT_EQ(EACCES, errno);
		ASSERT_EQ(before, address_space());
	}
	report(ctx, "O_RDONLY fd, mmap rw", "EACCES");
}

/* do_mmap() left VM_MAYWRITE out, do_mprotect_pkey() asks for it. */
TEST_F(readonly, mprotect_writable)
{
	struct context *ctx = &self->ctx;
	__u64 before = address_space();

	ASSERT_EQ(-1, mprotect(ctx->view, ctx->buf.size,
			       PROT_READ | PROT_WRITE));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(before, address_space());
	ASSERT_EQ(SEGV_ACCERR, access_fault(ctx->view, true));
	report(ctx, "O_RDONLY fd, mprotect rw", "EACCES");
}

/* A private mapping has VM_MAYWRITE, whatever the fd: it is COW as well. */
TEST_F(readonly, private_writable)
{
	check_private(_metadata, &self->ctx, PROT_READ | PROT_WRITE,
		      "O_RDONLY fd, PRIVATE rw");
}

TEST_F(readonly, private_readable)
{
	check_private(_metadata, &self->ctx, PROT_READ,
		      "O_RDONLY fd, PRIVATE ro");
}

TEST_F(readonly, private_inaccessible)
{
	check_private(_metadata, &self->ctx, PROT_NONE,
		      "O_RDONLY fd, PRIVATE -");
}

/* No debugger has more rights than the fd gave: there is no VM_MAYWRITE. */
TEST_F(readonly, debugger)
{
	struct context *ctx = &self->ctx;
	char attempt[64];
	size_t d;
	char *map;

	for (d = 0; d < ARRAY_SIZE(debuggers); d++) {
		map = mmap(NULL, ctx->buf.size, PROT_READ, MAP_SHARED,
			   ctx->buf.fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		check_debugger(_metadata, ctx, &debuggers[d], map, true);
		ASSERT_EQ(0, memcmp(map, self->content, ctx->buf.size));
		check_debugger(_metadata, ctx, &debuggers[d], map, true);
		ASSERT_EQ(0, memcmp(ctx->view, self->content, ctx->buf.size));
		unmap(_metadata, map, ctx->buf.size);

		snprintf(attempt, sizeof(attempt), "O_RDONLY fd, %s",
			 debuggers[d].write);
		report(ctx, attempt, error_name(EIO));
	}
}

TEST_F(readonly, reopen)
{
	check_reopen(_metadata, &self->ctx);
	report(&self->ctx, "O_RDONLY fd, reopen", "ENXIO");
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_mapping_fixture_object, exporters, FOR_MAPPING);
	add_exporters(&_memfd_fixture_object, exporters, FOR_MEMFD);
	add_exporters(&_readonly_fixture_object, exporters, FOR_READONLY);
	return test_harness_run(argc, argv);
}
