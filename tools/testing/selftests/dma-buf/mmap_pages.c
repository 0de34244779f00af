// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody gets at the pages behind a CPU mapping of a dma-buf.
 *
 * The exporter owns the memory and may move it, so a mapping consists of
 * special page table entries (VM_PFNMAP) that get_user_pages() finds nothing
 * in. Whatever wants to hold on to a page is refused, with the errno of the
 * function that the comment names. Every refusal is shown three times: the same
 * attempt works on ordinary memory, and is refused on a mapping that was never
 * touched as well as on one whose page table entries are there (the fast GUP
 * path looks only at those). None leaves a trace: content, target and address
 * space are as before.
 *
 * What makes a copy needs no page. The copies of ptrace and /proc/pid/mem are
 * with the exporter's consent: where it has vm_ops->access, they work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>

#include "../../../../mm/gup_test.h"
#include "mmap_fixture.h"

#define FOLL_WRITE		0x01	/* include/linux/mm_types.h */

#define GUP_TEST		"/sys/kernel/debug/gup_test"
#define RAMDISK			"/dev/ram0"
#define THP			"/sys/kernel/mm/transparent_hugepage"

/* An attempt is made on so many pages at either end of the buffer. */
#define WINDOW_PAGES		4
#define WINDOW_MAX		(WINDOW_PAGES * 65536)

static alignas(65536) char scratch[WINDOW_MAX];
static alignas(65536) char saved[WINDOW_MAX];

/* What an attempt comes to, if it is not a negative errno */
enum {
	NOTHING = 0,
	ALL = 1,
	PART = 2,
};

struct window {
	char *addr;
	ssize_t len;
	size_t page;		/* of the buffer, at @addr */
};

struct attempt {
	const char *name;
	const char *result;	/* to report, or else the errno's name */
	long (*make)(struct __test_metadata *_metadata,
		     const struct window *window, unsigned long arg);
	unsigned long arg;
	long on_memory;		/* outcome on ordinary memory */
	long on_dmabuf;		/* outcome on a dma-buf */
};

static long outcome(ssize_t ret, ssize_t len)
{
	if (ret < 0)
		return -errno;
	if (!ret)
		return NOTHING;
	return ret == len ? ALL : PART;
}

/* Without it, a refusal might just mean that the attempt makes no sense. */
static void attempt_on_memory(struct __test_metadata *_metadata,
			      struct context *ctx,
			      const struct attempt *attempt)
{
	struct window window = { .len = WINDOW_PAGES * ctx->page_size };

	window.addr = mmap(NULL, window.len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, window.addr);
	fill(window.addr, 0, WINDOW_PAGES, SEED);
	ASSERT_EQ(attempt->on_memory,
		  attempt->make(_metadata, &window, attempt->arg)) {
		TH_LOG("%s on ordinary memory", attempt->name);
	}
	unmap(_metadata, window.addr, window.len);
}

static void attempt_on_window(struct __test_metadata *_metadata,
			      struct context *ctx,
			      const struct attempt *attempt,
			      char *map, size_t first, const char *state)
{
	struct window window = {
		.addr = map + first * ctx->page_size,
		.len = WINDOW_PAGES * ctx->page_size,
		.page = first,
	};
	__u64 before = address_space();

	ASSERT_EQ(attempt->on_dmabuf,
		  attempt->make(_metadata, &window, attempt->arg)) {
		TH_LOG("%s from page %zu, %s", attempt->name, first, state);
	}
	ASSERT_EQ(before, address_space());
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
}

static void check_attempt(struct __test_metadata *_metadata,
			  struct context *ctx, const struct attempt *attempt)
{
	size_t last = ctx->pages - WINDOW_PAGES;
	char *map;

	attempt_on_memory(_metadata, ctx, attempt);

	map = map_buffer(_metadata, ctx, false);
	attempt_on_window(_metadata, ctx, attempt, map, 0, "untouched");
	attempt_on_window(_metadata, ctx, attempt, map, last, "untouched");

	touch(map, ctx->buf.size);
	ASSERT_EQ(0, faults_of_touch(map, ctx->buf.size));
	attempt_on_window(_metadata, ctx, attempt, map, 0, "present");
	attempt_on_window(_metadata, ctx, attempt, map, last, "present");
	ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	unmap(_metadata, map, ctx->buf.size);

	report(ctx, attempt->name,
	       attempt->result ?: error_name(-attempt->on_dmabuf));
}

/* process_vm_rw_single_vec(): -EFAULT when nothing was pinned */
static long try_process_vm_readv(struct __test_metadata *_metadata,
				 const struct window *window, unsigned long arg)
{
	struct iovec local = { .iov_base = scratch, .iov_len = window->len };
	struct iovec remote = {
		.iov_base = window->addr,
		.iov_len = window->len,
	};
	ssize_t ret;
	long result;

	(void)arg;
	memset(scratch, 0x5a, window->len);
	ret = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	result = outcome(ret, window->len);
	ASSERT_TRUE(result == ALL ?
		    !memcmp(scratch, window->addr, window->len) :
		    all_bytes(scratch, window->len, 0x5a));
	return result;
}

TEST_F(mapping, process_vm_readv)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "process_vm_readv",
		.make = try_process_vm_readv,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

static long try_process_vm_writev(struct __test_metadata *_metadata,
				  const struct window *window,
				  unsigned long arg)
{
	struct iovec local = { .iov_base = scratch, .iov_len = window->len };
	struct iovec remote = {
		.iov_base = window->addr,
		.iov_len = window->len,
	};
	ssize_t ret;
	long result;

	(void)arg;
	memset(scratch, 0x5a, window->len);
	ret = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	result = outcome(ret, window->len);
	if (result == ALL)
		ASSERT_TRUE(all_bytes(window->addr, window->len, 0x5a));
	return result;
}

TEST_F(mapping, process_vm_writev)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "process_vm_writev",
		.make = try_process_vm_writev,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

/*
 * process_vm_rw_core() returns what it copied before an error: the ordinary
 * page in front of the window, and that the window follows is never seen.
 */
static long try_partial_readv(struct __test_metadata *_metadata,
			      const struct window *window, unsigned long arg)
{
	ssize_t page_size = getpagesize();
	struct iovec local = { .iov_base = scratch, .iov_len = 2 * page_size };
	struct iovec remote[] = {
		{ .iov_base = saved, .iov_len = page_size },
		{ .iov_base = window->addr, .iov_len = page_size },
	};
	ssize_t ret;

	(void)arg;
	memset(saved, 0x11, page_size);
	memset(scratch, 0x5a, 2 * page_size);
	ret = process_vm_readv(getpid(), &local, 1, remote, 2, 0);
	ASSERT_TRUE(all_bytes(scratch, page_size, 0x11));
	if (ret == page_size)
		ASSERT_TRUE(all_bytes(scratch + page_size, page_size, 0x5a));
	return outcome(ret, 2 * page_size);
}

TEST_F(mapping, process_vm_readv_stops_in_front)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "process_vm_readv, 2 iov",
		.result = "stops in front",
		.make = try_partial_readv,
		.on_memory = ALL,
		.on_dmabuf = PART,
	});
}

/*
 * O_DIRECT on a ramdisk is no shortcut: blkdev_direct_IO() pins the user pages
 * into a bio (bio_iov_iter_get_pages()), and brd_rw_bvec() copies from or to
 * those pages. What was on the disk is put back.
 */
static int ramdisk_open(struct __test_metadata *_metadata, ssize_t len)
{
	int disk = open(RAMDISK, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);

	ASSERT_GE(disk, 0);
	ASSERT_EQ(len, pread(disk, saved, len, 0));
	memset(scratch, 0x5a, len);
	ASSERT_EQ(len, pwrite(disk, scratch, len, 0));
	return disk;
}

static void ramdisk_close(struct __test_metadata *_metadata, int disk,
			  ssize_t len)
{
	ASSERT_EQ(len, pwrite(disk, saved, len, 0));
	close(disk);
}

static long try_direct_read(struct __test_metadata *_metadata,
			    const struct window *window, unsigned long arg)
{
	int disk = ramdisk_open(_metadata, window->len);
	long result;

	(void)arg;
	result = outcome(pread(disk, window->addr, window->len, 0),
			 window->len);
	if (result == ALL)
		ASSERT_TRUE(all_bytes(window->addr, window->len, 0x5a));
	ramdisk_close(_metadata, disk, window->len);
	return result;
}

TEST_F(mapping, direct_read)
{
	if (access(RAMDISK, F_OK))
		SKIP(return, "no " RAMDISK);

	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "O_DIRECT read",
		.make = try_direct_read,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

static long try_direct_write(struct __test_metadata *_metadata,
			     const struct window *window, unsigned long arg)
{
	int disk = ramdisk_open(_metadata, window->len);
	long result;

	(void)arg;
	result = outcome(pwrite(disk, window->addr, window->len, 0),
			 window->len);
	ASSERT_EQ(window->len, pread(disk, scratch, window->len, 0));
	ASSERT_TRUE(result == ALL ?
		    !memcmp(scratch, window->addr, window->len) :
		    all_bytes(scratch, window->len, 0x5a));
	ramdisk_close(_metadata, disk, window->len);
	return result;
}

TEST_F(mapping, direct_write)
{
	if (access(RAMDISK, F_OK))
		SKIP(return, "no " RAMDISK);

	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "O_DIRECT write",
		.make = try_direct_write,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

/* io_pin_pages(): pin_user_pages_fast(FOLL_WRITE | FOLL_LONGTERM) */
static long try_io_uring_buffer(struct __test_metadata *_metadata,
				const struct window *window, unsigned long arg)
{
	struct io_uring_params params = { 0 };
	struct iovec iov = {
		.iov_base = window->addr,
		.iov_len = window->len,
	};
	long result = ALL;
	int ring;

	(void)arg;
	ring = syscall(__NR_io_uring_setup, 1, &params);
	ASSERT_GE(ring, 0);
	if (syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		    &iov, 1))
		result = -errno;
	close(ring);
	return result;
}

TEST_F(mapping, io_uring_buffer)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "io_uring buffer",
		.make = try_io_uring_buffer,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

/* iter_to_pipe(): get_user_pages_fast() without FOLL_WRITE */
static long try_vmsplice(struct __test_metadata *_metadata,
			 const struct window *window, unsigned long flags)
{
	struct iovec iov = {
		.iov_base = window->addr,
		.iov_len = window->len,
	};
	int pipefd[2], queued = -1;
	long result;

	ASSERT_EQ(0, pipe2(pipefd, O_CLOEXEC));
	result = outcome(vmsplice(pipefd[1], &iov, 1,
				  flags | SPLICE_F_NONBLOCK), window->len);
	ASSERT_EQ(0, ioctl(pipefd[0], FIONREAD, &queued));
	ASSERT_EQ(result == ALL ? (int)window->len : 0, queued);
	close(pipefd[0]);
	close(pipefd[1]);
	return result;
}

TEST_F(mapping, vmsplice)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "vmsplice",
		.make = try_vmsplice,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

TEST_F(mapping, vmsplice_gift)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "vmsplice gift",
		.make = try_vmsplice,
		.arg = SPLICE_F_GIFT,
		.on_memory = ALL,
		.on_dmabuf = -EFAULT,
	});
}

static size_t gup_bytes(struct __test_metadata *_metadata, int fd,
			unsigned long cmd, char *addr, size_t len,
			unsigned int flags)
{
	struct gup_test gup = {
		.addr = (unsigned long)addr,
		.size = len,
		.nr_pages_per_call = len / getpagesize(),
		.gup_flags = flags,
	};

	ASSERT_EQ(0, ioctl(fd, cmd, &gup));
	return gup.size;
}

/*
 * __gup_test_ioctl() swallows the errno and reports the bytes that it came
 * through: asked for at once, and then page by page.
 */
static long try_gup(struct __test_metadata *_metadata,
		    const struct window *window, unsigned long cmd)
{
	ssize_t page_size = getpagesize();
	ssize_t asked = 0, got = 0;
	unsigned int flags;
	ssize_t off;
	int fd;

	fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	for (flags = 0; flags <= FOLL_WRITE; flags++) {
		got += gup_bytes(_metadata, fd, cmd, window->addr, window->len,
				 flags);
		asked += window->len;
		for (off = 0; off < window->len; off += page_size) {
			got += gup_bytes(_metadata, fd, cmd,
					 window->addr + off, page_size, flags);
			asked += page_size;
		}
	}
	close(fd);
	return outcome(got, asked);
}

TEST_F(mapping, get_user_pages)
{
	static const struct attempt attempts[] = {
		{ .name = "gup", .arg = GUP_BASIC_TEST },
		{ .name = "gup fast", .arg = GUP_FAST_BENCHMARK },
		{ .name = "pin", .arg = PIN_BASIC_TEST },
		{ .name = "pin fast", .arg = PIN_FAST_BENCHMARK },
		{ .name = "pin longterm", .arg = PIN_LONGTERM_BENCHMARK },
	};
	size_t i;

	if (access(GUP_TEST, F_OK))
		SKIP(return, "no " GUP_TEST);

	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		struct attempt attempt = attempts[i];

		attempt.make = try_gup;
		attempt.on_memory = ALL;
		attempt.on_dmabuf = NOTHING;
		attempt.result = "0 pages";
		check_attempt(_metadata, &self->ctx, &attempt);
	}
}

/* pin_longterm_test_start() has the errno, of check_vma_flags(). */
static long try_longterm(struct __test_metadata *_metadata,
			 const struct window *window, unsigned long flags)
{
	struct pin_longterm_test args = {
		.addr = (unsigned long)window->addr,
		.size = window->len,
		.flags = flags,
	};
	__u64 to = (unsigned long)scratch;
	long result = ALL;
	int fd;

	fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	memset(scratch, 0x5a, window->len);
	if (ioctl(fd, PIN_LONGTERM_TEST_START, &args)) {
		result = -errno;
		ASSERT_EQ(-1, ioctl(fd, PIN_LONGTERM_TEST_READ, &to));
		ASSERT_EQ(EINVAL, errno);
		ASSERT_TRUE(all_bytes(scratch, window->len, 0x5a));
	} else {
		ASSERT_EQ(0, ioctl(fd, PIN_LONGTERM_TEST_READ, &to));
		ASSERT_EQ(0, memcmp(scratch, window->addr, window->len));
	}
	ASSERT_EQ(0, ioctl(fd, PIN_LONGTERM_TEST_STOP));
	close(fd);
	return result;
}

TEST_F(mapping, longterm_pin)
{
	static const struct attempt attempts[] = {
		{
			.name = "longterm pin",
		}, {
			.name = "longterm pin w",
			.arg = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
		}, {
			.name = "longterm pin fast",
			.arg = PIN_LONGTERM_TEST_FLAG_USE_FAST,
		}, {
			.name = "longterm pin fast w",
			.arg = PIN_LONGTERM_TEST_FLAG_USE_FAST |
			       PIN_LONGTERM_TEST_FLAG_USE_WRITE,
		},
	};
	size_t i;

	if (access(GUP_TEST, F_OK))
		SKIP(return, "no " GUP_TEST);

	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		struct attempt attempt = attempts[i];

		attempt.make = try_longterm;
		attempt.on_memory = ALL;
		attempt.on_dmabuf = -EFAULT;
		check_attempt(_metadata, &self->ctx, &attempt);
	}
}

/* What goes by the content, and not by pages */
static void check_access(struct __test_metadata *_metadata,
			 struct context *ctx, const struct attempt *access)
{
	struct attempt attempt = *access;

	if (ctx->exporter->unknown)
		SKIP(return, "%s: has it vm_ops->access? That is not known",
		     ctx->exporter->name);

	attempt.on_memory = ALL;
	attempt.on_dmabuf = -EIO;
	if (ctx->exporter->access) {
		attempt.on_dmabuf = ALL;
		attempt.result = "works";
	}
	check_attempt(_metadata, ctx, &attempt);
}

/*
 * __access_remote_vm() finds neither a page nor vm_ops->access, moves 0 bytes,
 * and generic_ptrace_{peek,poke}data() make -EIO of that. What was poked is put
 * back.
 */
static long try_ptrace(struct __test_metadata *_metadata,
		       const struct window *window, unsigned long request)
{
	unsigned long data = ~0UL, word = page_mark(SEED, window->page);
	unsigned long other = page_mark(OTHER_SEED, window->page);
	bool poke = request == PTRACE_POKEDATA;
	long result = ALL;
	pid_t pid;

	pid = traced_child();
	ASSERT_GT(pid, 0);

	if (poke && ptrace(PTRACE_POKEDATA, pid, window->addr, other))
		result = -errno;
	if (!poke || result == ALL) {
		/* Not by libc, whose PTRACE_PEEKDATA returns the data */
		if (syscall(__NR_ptrace, PTRACE_PEEKDATA, pid, window->addr,
			    &data))
			result = -errno;
		ASSERT_EQ(result != ALL ? ~0UL : poke ? other : word, data);
	}
	if (poke && result == ALL)
		ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, window->addr, word));

	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	return result;
}

TEST_F(mapping, ptrace_peek)
{
	check_access(_metadata, &self->ctx, &(struct attempt) {
		.name = "ptrace peek",
		.make = try_ptrace,
		.arg = PTRACE_PEEKDATA,
	});
}

TEST_F(mapping, ptrace_poke)
{
	check_access(_metadata, &self->ctx, &(struct attempt) {
		.name = "ptrace poke",
		.make = try_ptrace,
		.arg = PTRACE_POKEDATA,
	});
}

/*
 * mem_rw(): as ptrace, -EIO when access_remote_vm() moved nothing. The content
 * is put back.
 */
static long try_proc_mem(struct __test_metadata *_metadata,
			 const struct window *window, unsigned long write)
{
	off_t pos = (unsigned long)window->addr;
	long result;
	int mem;

	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_GE(mem, 0);
	memset(scratch, 0x5a, window->len);
	if (write) {
		result = outcome(pwrite(mem, scratch, window->len, pos),
				 window->len);
	} else {
		result = outcome(pread(mem, scratch, window->len, pos),
				 window->len);
		if (result != ALL)
			ASSERT_TRUE(all_bytes(scratch, window->len, 0x5a));
	}
	if (result == ALL)
		ASSERT_EQ(0, memcmp(scratch, window->addr, window->len));
	if (result == ALL && write)
		fill(window->addr, window->page, WINDOW_PAGES, SEED);
	close(mem);
	return result;
}

TEST_F(mapping, proc_mem_read)
{
	check_access(_metadata, &self->ctx, &(struct attempt) {
		.name = "/proc/pid/mem read",
		.make = try_proc_mem,
	});
}

TEST_F(mapping, proc_mem_write)
{
	check_access(_metadata, &self->ctx, &(struct attempt) {
		.name = "/proc/pid/mem write",
		.make = try_proc_mem,
		.arg = true,
	});
}

/*
 * get_futex_key() needs the page to tell a shared futex by; a private one is
 * told by its address. A wait that is admitted ends by its timeout.
 */
static long try_futex(struct __test_metadata *_metadata,
		      const struct window *window, unsigned long op)
{
	struct timespec timeout = { .tv_nsec = 1000000 };
	__u64 word = page_mark(SEED, window->page);
	__u32 val;

	memcpy(&val, &word, sizeof(val));
	ASSERT_EQ(-1, syscall(__NR_futex, window->addr, op, val, &timeout,
			      NULL, 0));
	return -errno;
}

TEST_F(mapping, shared_futex)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "shared futex",
		.make = try_futex,
		.arg = FUTEX_WAIT,
		.on_memory = -ETIMEDOUT,
		.on_dmabuf = -EFAULT,
	});
}

TEST_F(mapping, private_futex)
{
	check_attempt(_metadata, &self->ctx, &(struct attempt) {
		.name = "private futex",
		.result = "works",
		.make = try_futex,
		.arg = FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
		.on_memory = -ETIMEDOUT,
		.on_dmabuf = -ETIMEDOUT,
	});
}

/* vma_can_userfault() takes no VM_SPECIAL, in no mode. */
struct uffd_mode {
	const char *attempt;
	__u64 mode;
	__u64 features;
};

static const struct uffd_mode uffd_modes[] = {
	{ "userfaultfd missing", UFFDIO_REGISTER_MODE_MISSING, 0 },
	{ "userfaultfd wp", UFFDIO_REGISTER_MODE_WP,
	  UFFD_FEATURE_PAGEFAULT_FLAG_WP },
	{ "userfaultfd wp async", UFFDIO_REGISTER_MODE_WP,
	  UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_ASYNC },
};

static long try_userfaultfd(struct __test_metadata *_metadata,
			    const struct window *window, unsigned long index)
{
	const struct uffd_mode *mode = &uffd_modes[index];
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = mode->features,
	};
	struct uffdio_register reg = {
		.range.start = (unsigned long)window->addr,
		.range.len = window->len,
		.mode = mode->mode,
	};
	long result = ALL;
	int uffd;

	uffd = syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		result = -errno;
	close(uffd);
	return result;
}

TEST_F(mapping, userfaultfd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(uffd_modes); i++)
		check_attempt(_metadata, &self->ctx, &(struct attempt) {
			.name = uffd_modes[i].attempt,
			.make = try_userfaultfd,
			.arg = i,
			.on_memory = ALL,
			.on_dmabuf = -EINVAL,
		});
}

struct advice {
	const char *name;
	int advice;
	int error;		/* on a dma-buf; 0: taken, and harmless */
	int on_memory;		/* mmap flags of memory that takes it, or 0 */
};

/* On memory of the kind that takes it, and then on the whole mapping */
static void check_advice(struct __test_metadata *_metadata,
			 struct context *ctx, const struct advice *advice)
{
	size_t len = WINDOW_PAGES * ctx->page_size;
	int error = advice->error;
	bool present;
	char *map;
	int i;

	if (advice->on_memory) {
		map = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   advice->on_memory | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, map);
		touch(map, len);
		ASSERT_EQ(0, madvise(map, len, advice->advice)) {
			TH_LOG("%s on ordinary memory", advice->name);
		}
		unmap(_metadata, map, len);
	}

	for (i = 0; i < 2; i++) {
		__u64 before;
		int ret;

		present = i;
		map = map_buffer(_metadata, ctx, present);
		before = address_space();
		errno = 0;
		ret = madvise(map, ctx->buf.size, advice->advice);
		ASSERT_EQ(error, errno) {
			TH_LOG("%s, %s", advice->name,
			       present ? "present" : "untouched");
		}
		ASSERT_EQ(error ? -1 : 0, ret);
		ASSERT_EQ(before, address_space());
		ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
		ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, advice->name, error ? error_name(error) : "accepted");
}

TEST_F(mapping, madvise)
{
	static const struct advice advices[] = {
		/* madvise_dontneed_free_valid_vma() */
		{ "MADV_DONTNEED", MADV_DONTNEED, EINVAL, MAP_PRIVATE },
		{ "MADV_FREE", MADV_FREE, EINVAL, MAP_PRIVATE },
		/* can_madv_lru_vma() */
		{ "MADV_COLD", MADV_COLD, EINVAL, MAP_PRIVATE },
		{ "MADV_PAGEOUT", MADV_PAGEOUT, EINVAL, MAP_PRIVATE },
		/* __get_user_pages() with FOLL_MADV_POPULATE */
		{ "MADV_POPULATE_READ", MADV_POPULATE_READ, EINVAL,
		  MAP_PRIVATE },
		{ "MADV_POPULATE_WRITE", MADV_POPULATE_WRITE, EINVAL,
		  MAP_PRIVATE },
		/* vfs_fallocate(): not a regular file, nor a block device */
		{ "MADV_REMOVE", MADV_REMOVE, ENODEV, MAP_SHARED },
		/* is_valid_guard_vma() */
		{ "MADV_GUARD_INSTALL", MADV_GUARD_INSTALL, EINVAL,
		  MAP_PRIVATE },
		{ "MADV_GUARD_REMOVE", MADV_GUARD_REMOVE, EINVAL, MAP_PRIVATE },
		/* madvise_vma_behavior(): VM_SPECIAL, or not anonymous */
		{ "MADV_DOFORK", MADV_DOFORK, EINVAL, MAP_PRIVATE },
		{ "MADV_DODUMP", MADV_DODUMP, EINVAL, MAP_PRIVATE },
		{ "MADV_WIPEONFORK", MADV_WIPEONFORK, EINVAL, MAP_PRIVATE },
		/* madvise_collapse(); on memory it needs 2M that line up */
		{ "MADV_COLLAPSE", MADV_COLLAPSE, EINVAL, 0 },
		/* generic_fadvise(): no backing device */
		{ "MADV_WILLNEED", MADV_WILLNEED, 0, MAP_PRIVATE },
		{ "MADV_DONTDUMP", MADV_DONTDUMP, 0, MAP_PRIVATE },
	};
	/* hugepage_madvise() sets a flag; khugepaged skips VM_NO_KHUGEPAGED. */
	static const struct advice thp[] = {
		{ "MADV_HUGEPAGE", MADV_HUGEPAGE, 0, MAP_PRIVATE },
		{ "MADV_NOHUGEPAGE", MADV_NOHUGEPAGE, 0, MAP_PRIVATE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		check_advice(_metadata, &self->ctx, &advices[i]);
	if (access(THP, F_OK))
		return;		/* madvise_behavior_valid(): not known */
	for (i = 0; i < ARRAY_SIZE(thp); i++)
		check_advice(_metadata, &self->ctx, &thp[i]);
}

/* mlock_fixup(): VMAs that don't support it are passed over, without error. */
static void check_mlock(struct __test_metadata *_metadata, struct context *ctx,
			unsigned int flags, const char *attempt)
{
	size_t len = WINDOW_PAGES * ctx->page_size;
	long before = locked_kb();
	struct smaps smaps;
	char *map;
	int i;

	ASSERT_GE(before, 0);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, syscall(__NR_mlock2, map, len, flags));
	ASSERT_EQ(before + (long)(len >> 10), locked_kb());
	unmap(_metadata, map, len);
	ASSERT_EQ(before, locked_kb());

	for (i = 0; i < 2; i++) {
		map = map_buffer(_metadata, ctx, i);
		ASSERT_EQ(0, syscall(__NR_mlock2, map, ctx->buf.size, flags));
		ASSERT_EQ(before, locked_kb());
		ASSERT_TRUE(read_smaps(map, &smaps));
		ASSERT_EQ(0, smaps.locked);
		ASSERT_FALSE(has_flag(&smaps, "lo"));
		ASSERT_EQ(0, munlock(map, ctx->buf.size));
		ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, attempt, "not locked");
}

TEST_F(mapping, mlock)
{
	check_mlock(_metadata, &self->ctx, 0, "mlock");
}

TEST_F(mapping, mlock_onfault)
{
	check_mlock(_metadata, &self->ctx, MLOCK_ONFAULT, "mlock2 onfault");
}

/* __mmap_complete() takes VM_LOCKED away again. */
TEST_F(mapping, map_locked)
{
	struct context *ctx = &self->ctx;
	long before = locked_kb();
	struct smaps smaps;
	char *map;

	map = mmap(NULL, ctx->page_size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(before + (long)(ctx->page_size >> 10), locked_kb());
	unmap(_metadata, map, ctx->page_size);

	map = mmap(NULL, ctx->buf.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_LOCKED, ctx->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(before, locked_kb());
	ASSERT_TRUE(read_smaps(map, &smaps));
	ASSERT_FALSE(has_flag(&smaps, "lo"));
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "MAP_LOCKED", "not locked");
}

/* __mm_populate() passes VM_PFNMAP over: the page faults are the same. */
TEST_F(mapping, map_populate)
{
	struct context *ctx = &self->ctx;
	size_t len = WINDOW_PAGES * ctx->page_size;
	long faults;
	char *map;

	map = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, faults_of_touch(map, len));
	unmap(_metadata, map, len);

	map = map_buffer(_metadata, ctx, false);
	faults = faults_of_touch(map, ctx->buf.size);
	unmap(_metadata, map, ctx->buf.size);

	map = mmap(NULL, ctx->buf.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, ctx->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(faults, faults_of_touch(map, ctx->buf.size));
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "MAP_POPULATE", "no effect");
}

/* The way to have pages: whoever wants them maps the memfd. */
TEST_F(memfd, gives_pages)
{
	struct context *ctx = &self->ctx;
	struct window window = { .len = WINDOW_PAGES * ctx->page_size };
	char *mem;

	mem = mmap(NULL, ctx->buf.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   ctx->buf.memfd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	window.addr = mem;
	ASSERT_EQ(ALL, try_process_vm_readv(_metadata, &window, 0));
	ASSERT_EQ(ALL, try_io_uring_buffer(_metadata, &window, 0));
	unmap(_metadata, mem, ctx->buf.size);
	report(ctx, "pages of the memfd", "works");
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_mapping_fixture_object, exporters, FOR_MAPPING);
	add_exporters(&_memfd_fixture_object, exporters, FOR_MEMFD);
	return test_harness_run(argc, argv);
}
