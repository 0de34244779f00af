// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU mapping of a dma-buf as the memory of a virtual machine.
 *
 * KVM gets no page of it, as nobody does: hva_to_pfn_remapped() takes what is
 * in the page table, and has the page fault handled first where need be. The
 * guest may do what the process may do with the mapping, no less and no more.
 *
 * What the guest must not write to is MMIO for it. KVM then emulates the
 * instruction, and might get it done by a copy to the mapping: copies that are
 * not even tried, those that fail, and the stores that the emulator doesn't
 * know tell the cases apart. So the guest stores in two ways.
 */
#define _GNU_SOURCE
#if defined(__x86_64__) || defined(__i386__)

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "mmap_fixture.h"
#include "testdev.h"

#define KVM		"/dev/kvm"

/* Physical addresses of the guest, within what real mode reaches */
#define CODE_ADDR	0x0000
#define BUFFER_ADDR	0x10000

/* The last pages of the buffer are the guest's. */
#define GUEST_PAGES	MIN_PAGES

/* Where the word that tells pages and contents apart is in a page */
#define MARK		4

#define NO_EXIT		(-1)	/* KVM_RUN returned an error */

enum {
	CODE_LOAD = 0x00,
	CODE_STORE = 0x10,	/* the emulator knows it */
	CODE_STORE_FPU = 0x20,	/* it does not */
	CODE_OPERAND = 0x40,
};

struct vm {
	int fd;
	int vcpu;
	struct kvm_run *run;
	size_t run_size;
	char *code;
	char *map;		/* of the whole buffer */
	size_t first;		/* page of the buffer that the guest's begin at */
};

/* If not, the test is a skip. */
static bool has_kvm(struct __test_metadata *_metadata)
{
	int kvm = open(KVM, O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		SKIP(return false, "no " KVM);
	close(kvm);
	return true;
}

static void write_code(char *code)
{
	static const struct {
		int at;
		const char *bytes;
		size_t len;
	} parts[] = {
		/* mov (%bx), %eax; hlt */
		{ CODE_LOAD, "\x66\x8b\x07\xf4", 4 },
		/* mov %eax, (%bx); hlt */
		{ CODE_STORE, "\x66\x89\x07\xf4", 4 },
		/* fninit; fildl %cs:(%si); fistpl (%bx); fwait; hlt */
		{ CODE_STORE_FPU, "\xdb\xe3\x2e\xdb\x04\xdb\x1f\x9b\xf4", 9 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		memcpy(code + parts[i].at, parts[i].bytes, parts[i].len);
}

static int set_slot(int vm, int slot, __u64 gpa, void *mem, size_t size,
		    unsigned int flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (unsigned long)mem,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* A machine of one CPU in real mode, that has the end of @map as memory */
static void vm_setup(struct __test_metadata *_metadata, struct context *ctx,
		     struct vm *vm, char *map, unsigned int flags)
{
	struct kvm_sregs sregs;
	int kvm, size;

	vm->map = map;
	vm->first = ctx->pages - GUEST_PAGES;

	kvm = open(KVM, O_RDWR | O_CLOEXEC);
	ASSERT_GE(kvm, 0);
	ASSERT_EQ(KVM_API_VERSION, ioctl(kvm, KVM_GET_API_VERSION, 0));
	vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_GE(vm->fd, 0);
	/* Intel's need it for real mode. */
	ASSERT_EQ(0, ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000UL));

	vm->code = mmap(NULL, ctx->page_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, vm->code);
	write_code(vm->code);
	ASSERT_EQ(0, set_slot(vm->fd, 0, CODE_ADDR, vm->code, ctx->page_size,
			      0));
	ASSERT_EQ(0, set_slot(vm->fd, 1, BUFFER_ADDR,
			      map + vm->first * ctx->page_size,
			      GUEST_PAGES * ctx->page_size, flags));

	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	ASSERT_GE(vm->vcpu, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	ASSERT_GE(size, (int)sizeof(*vm->run));
	vm->run_size = size;
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       vm->vcpu, 0);
	ASSERT_NE(MAP_FAILED, vm->run);

	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = CODE_ADDR;
	sregs.cs.selector = CODE_ADDR >> 4;
	sregs.ds.base = BUFFER_ADDR;
	sregs.ds.selector = BUFFER_ADDR >> 4;
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_SET_SREGS, &sregs));
	close(kvm);
}

static void vm_teardown(struct __test_metadata *_metadata, struct context *ctx,
			struct vm *vm)
{
	unmap(_metadata, (char *)vm->run, vm->run_size);
	close(vm->vcpu);
	close(vm->fd);
	unmap(_metadata, vm->code, ctx->page_size);
}

/*
 * The guest runs @code on the mark of page @page of its own, with @value in
 * *@value to store or to be loaded: how that ended, a KVM_EXIT_ or NO_EXIT.
 */
static int guest_run(struct __test_metadata *_metadata, struct context *ctx,
		     struct vm *vm, int code, size_t page, __u32 *value)
{
	struct kvm_regs regs = {
		.rip = code,
		.rflags = 2,
		.rax = *value,
		.rbx = page * ctx->page_size + MARK,
		.rsi = CODE_OPERAND,
	};

	memcpy(vm->code + CODE_OPERAND, value, sizeof(*value));
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_SET_REGS, &regs));
	if (ioctl(vm->vcpu, KVM_RUN, 0))
		return NO_EXIT;
	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_GET_REGS, &regs));
	*value = regs.rax;
	return vm->run->exit_reason;
}

/* The 32 bits of page_mark() that are not 0, of a page of the guest */
static __u32 guest_mark(const struct vm *vm, __u64 seed, size_t page)
{
	return page_mark(seed, vm->first + page) >> 32;
}

/* All pages are as the buffer has them. */
static void guest_loads(struct __test_metadata *_metadata, struct context *ctx,
			struct vm *vm)
{
	size_t page;

	for (page = 0; page < GUEST_PAGES; page++) {
		__u32 value = ~0U;

		ASSERT_EQ(KVM_EXIT_HLT, guest_run(_metadata, ctx, vm, CODE_LOAD,
						  page, &value)) {
			TH_LOG("load from page %zu", page);
		}
		ASSERT_EQ(guest_mark(vm, SEED, page), value);
	}
}

static char *view_of_guest(struct context *ctx, struct vm *vm, size_t page)
{
	return ctx->view + (vm->first + page) * ctx->page_size;
}

/* What is stored is in the buffer, and nothing else; it is put back. */
static void guest_stores(struct __test_metadata *_metadata, struct context *ctx,
			 struct vm *vm, int code)
{
	size_t page;

	for (page = 0; page < GUEST_PAGES; page++) {
		__u32 value = guest_mark(vm, OTHER_SEED, page);
		__u32 mark = guest_mark(vm, SEED, page);
		char *at = view_of_guest(ctx, vm, page) + MARK;

		ASSERT_EQ(KVM_EXIT_HLT, guest_run(_metadata, ctx, vm, code,
						  page, &value)) {
			TH_LOG("store %#x to page %zu: exit %u", code, page,
			       vm->run->exit_reason);
		}
		value = guest_mark(vm, OTHER_SEED, page);
		ASSERT_EQ(0, memcmp(at, &value, sizeof(value)));
		memcpy(at, &mark, sizeof(mark));
		ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
	}
}

/* Stores are for the VMM to emulate; after that the guest goes on. */
static void guest_store_is_mmio(struct __test_metadata *_metadata,
				struct context *ctx, struct vm *vm, size_t page)
{
	__u32 value = guest_mark(vm, OTHER_SEED, page);
	struct kvm_run *run = vm->run;

	ASSERT_EQ(KVM_EXIT_MMIO, guest_run(_metadata, ctx, vm, CODE_STORE, page,
					   &value)) {
		TH_LOG("store to page %zu", page);
	}
	ASSERT_EQ(1, run->mmio.is_write);
	ASSERT_EQ(BUFFER_ADDR + page * ctx->page_size + MARK,
		  run->mmio.phys_addr);
	ASSERT_EQ(sizeof(value), run->mmio.len);
	ASSERT_EQ(0, memcmp(run->mmio.data, &value, sizeof(value)));
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));

	ASSERT_EQ(0, ioctl(vm->vcpu, KVM_RUN, 0));
	ASSERT_EQ((__u32)KVM_EXIT_HLT, run->exit_reason);
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));

	/* No way to emulate it, as it is not known */
	value = guest_mark(vm, OTHER_SEED, page);
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR,
		  guest_run(_metadata, ctx, vm, CODE_STORE_FPU, page, &value));
	ASSERT_EQ((__u32)KVM_INTERNAL_ERROR_EMULATION,
		  run->internal.suberror);
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
}

/* KVM_RUN itself fails. */
static void guest_store_fails(struct __test_metadata *_metadata,
			      struct context *ctx, struct vm *vm, size_t page)
{
	static const int codes[] = { CODE_STORE, CODE_STORE_FPU };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		__u32 value = guest_mark(vm, OTHER_SEED, page);

		ASSERT_EQ(NO_EXIT, guest_run(_metadata, ctx, vm, codes[i],
					     page, &value));
		ASSERT_EQ(EFAULT, errno);
		ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
	}
}

static void check_stores(struct __test_metadata *_metadata,
			 struct context *ctx, int code, const char *attempt)
{
	struct vm vm;
	char *map;
	int i;

	/* The guest's store is the first access, */
	map = map_buffer(_metadata, ctx, false);
	vm_setup(_metadata, ctx, &vm, map, 0);
	guest_stores(_metadata, ctx, &vm, code);
	guest_loads(_metadata, ctx, &vm);
	vm_teardown(_metadata, ctx, &vm);
	unmap(_metadata, map, ctx->buf.size);

	/* or all has been read, by the process, or by the guest, or both. */
	for (i = 1; i <= 3; i++) {
		map = map_buffer(_metadata, ctx, false);
		vm_setup(_metadata, ctx, &vm, map, 0);
		if (i & 1)
			ASSERT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
		if (i & 2)
			guest_loads(_metadata, ctx, &vm);
		guest_stores(_metadata, ctx, &vm, code);
		guest_loads(_metadata, ctx, &vm);
		vm_teardown(_metadata, ctx, &vm);
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, attempt, "works");
}

static void check_loads(struct __test_metadata *_metadata, struct context *ctx)
{
	struct vm vm;
	char *map;
	int i;

	for (i = 0; i < 2; i++) {
		map = map_buffer(_metadata, ctx, i);
		vm_setup(_metadata, ctx, &vm, map, 0);
		guest_loads(_metadata, ctx, &vm);
		vm_teardown(_metadata, ctx, &vm);
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, "KVM guest loads", "works");
}

TEST_F(mapping, kvm_loads)
{
	if (!has_kvm(_metadata))
		return;
	check_loads(_metadata, &self->ctx);
}

TEST_F(mapping, kvm_stores)
{
	if (!has_kvm(_metadata))
		return;
	check_stores(_metadata, &self->ctx, CODE_STORE, "KVM guest stores");
}

TEST_F(mapping, kvm_stores_by_fpu)
{
	if (!has_kvm(_metadata))
		return;
	check_stores(_metadata, &self->ctx, CODE_STORE_FPU,
		     "KVM guest stores, FPU");
}

/*
 * A memslot that doesn't say KVM_MEM_READONLY, of a mapping that is read-only:
 * KVM_PFN_ERR_RO_FAULT where there is an entry to see that from, while a page
 * fault for the write is refused (vma_permits_fault()).
 */
TEST_F(mapping, kvm_read_only_mapping)
{
	struct context *ctx = &self->ctx;
	struct vm vm;
	size_t page;
	char *map;

	if (!has_kvm(_metadata))
		return;

	map = mmap(NULL, ctx->buf.size, PROT_READ, MAP_SHARED, ctx->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	vm_setup(_metadata, ctx, &vm, map, 0);
	/* Of an exporter that isn't known there may be entries already. */
	if (ctx->exporter->pages_per_fault) {
		for (page = 0; page < GUEST_PAGES; page++)
			guest_store_fails(_metadata, ctx, &vm, page);
	}
	guest_loads(_metadata, ctx, &vm);
	for (page = 0; page < GUEST_PAGES; page++)
		guest_store_is_mmio(_metadata, ctx, &vm, page);
	guest_loads(_metadata, ctx, &vm);
	ASSERT_EQ(SEGV_ACCERR, access_fault(map, true));
	vm_teardown(_metadata, ctx, &vm);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "KVM guest stores, ro mmap", "MMIO");
}

/* KVM_MEM_READONLY, whatever the mapping allows: __gfn_to_hva_many() */
TEST_F(mapping, kvm_read_only_slot)
{
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE };
	struct context *ctx = &self->ctx;
	size_t i, page;
	struct vm vm;
	char *map;

	if (!has_kvm(_metadata))
		return;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		map = mmap(NULL, ctx->buf.size, prots[i], MAP_SHARED,
			   ctx->buf.fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		if (prots[i] & PROT_WRITE)
			touch(map, ctx->buf.size);
		vm_setup(_metadata, ctx, &vm, map, KVM_MEM_READONLY);
		for (page = 0; page < GUEST_PAGES; page++)
			guest_store_is_mmio(_metadata, ctx, &vm, page);
		guest_loads(_metadata, ctx, &vm);
		for (page = 0; page < GUEST_PAGES; page++)
			guest_store_is_mmio(_metadata, ctx, &vm, page);
		vm_teardown(_metadata, ctx, &vm);
		unmap(_metadata, map, ctx->buf.size);
	}
	report(ctx, "KVM guest stores, ro slot", "MMIO");
}

/* What the guest had is taken from it (mmu notifier), and can be had again. */
TEST_F(mapping, kvm_mprotect)
{
	struct context *ctx = &self->ctx;
	struct vm vm;
	size_t page;
	char *map;

	if (!has_kvm(_metadata))
		return;

	map = map_buffer(_metadata, ctx, true);
	vm_setup(_metadata, ctx, &vm, map, 0);
	guest_stores(_metadata, ctx, &vm, CODE_STORE_FPU);

	ASSERT_EQ(0, mprotect(map, ctx->buf.size, PROT_READ));
	for (page = 0; page < GUEST_PAGES; page++)
		guest_store_is_mmio(_metadata, ctx, &vm, page);
	guest_loads(_metadata, ctx, &vm);

	ASSERT_EQ(0, mprotect(map, ctx->buf.size, PROT_READ | PROT_WRITE));
	guest_stores(_metadata, ctx, &vm, CODE_STORE_FPU);

	vm_teardown(_metadata, ctx, &vm);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "KVM guest, mprotect", "works");
}

/* The guest holds on to nothing. */
TEST_F(mapping, kvm_munmap)
{
	struct context *ctx = &self->ctx;
	__u32 value = 0;
	struct vm vm;
	size_t page;
	char *map;

	if (!has_kvm(_metadata))
		return;

	map = map_buffer(_metadata, ctx, true);
	vm_setup(_metadata, ctx, &vm, map, 0);
	guest_stores(_metadata, ctx, &vm, CODE_STORE_FPU);
	unmap(_metadata, map, ctx->buf.size);
	for (page = 0; page < GUEST_PAGES; page++) {
		ASSERT_EQ(NO_EXIT, guest_run(_metadata, ctx, &vm, CODE_LOAD,
					     page, &value));
		ASSERT_EQ(EFAULT, errno);
		guest_store_fails(_metadata, ctx, &vm, page);
	}
	vm_teardown(_metadata, ctx, &vm);
	report(ctx, "KVM guest, munmap", error_name(EFAULT));
}

/* Somebody moves the buffer, as often as it can be done. */
struct mover {
	pthread_t thread;
	int dmabuf;
	bool stop;
	int moves;
	int error;
};

static void *move_around(void *arg)
{
	struct mover *m = arg;
	int dev = testdev_open();

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED) && !m->error) {
		m->error = dev < 0 ? dev : testdev_move(dev, m->dmabuf);
		if (!m->error)
			__atomic_add_fetch(&m->moves, 1, __ATOMIC_RELAXED);
	}
	close(dev);
	return NULL;
}

static int moves_of(const struct mover *m)
{
	return __atomic_load_n(&m->moves, __ATOMIC_RELAXED);
}

#define MOVES		20
#define MIN_ROUNDS	20

/*
 * What the guest had is gone with each move, and page faults on its behalf, which
 * KVM has handled, meet the lock that a move holds.
 */
TEST_F(mapping, kvm_while_the_buffer_moves)
{
	struct context *ctx = &self->ctx;
	struct mover m = { .dmabuf = ctx->buf.fd };
	struct vm vm;
	char *map;
	int i;

	/* Nobody moves the buffers of others. */
	if (ctx->exporter->kind != &testdev_exporter)
		return;
	if (!has_kvm(_metadata))
		return;

	map = map_buffer(_metadata, ctx, false);
	vm_setup(_metadata, ctx, &vm, map, 0);
	ASSERT_EQ(0, pthread_create(&m.thread, NULL, move_around, &m));
	for (i = 0; i < MIN_ROUNDS || moves_of(&m) < MOVES; i++) {
		guest_stores(_metadata, ctx, &vm, CODE_STORE_FPU);
		guest_loads(_metadata, ctx, &vm);
		if (__atomic_load_n(&m.error, __ATOMIC_RELAXED))
			break;
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(m.thread, NULL);
	EXPECT_EQ(0, m.error);
	EXPECT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
	vm_teardown(_metadata, ctx, &vm);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "KVM guest, moves", "works");
}

/* The guest stores to the memory that the memfd has. */
TEST_F(memfd, kvm_stores)
{
	struct context *ctx = &self->ctx;
	struct vm vm;
	size_t page;
	char *map;

	if (!has_kvm(_metadata))
		return;

	map = map_buffer(_metadata, ctx, false);
	vm_setup(_metadata, ctx, &vm, map, 0);
	for (page = 0; page < GUEST_PAGES; page++) {
		__u32 value = guest_mark(&vm, OTHER_SEED, page);
		off_t pos = dmabuf_memfd_offset(&ctx->buf, vm.first + page);
		__u64 word;

		ASSERT_EQ(KVM_EXIT_HLT, guest_run(_metadata, ctx, &vm,
						  CODE_STORE_FPU, page,
						  &value));
		ASSERT_EQ((ssize_t)sizeof(word),
			  pread(ctx->buf.memfd, &word, sizeof(word), pos));
		ASSERT_EQ(page_mark(OTHER_SEED, vm.first + page), word);
	}
	vm_teardown(_metadata, ctx, &vm);
	unmap(_metadata, map, ctx->buf.size);
	report(ctx, "KVM guest stores, memfd", "works");
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_mapping_fixture_object, exporters, FOR_MAPPING);
	add_exporters(&_memfd_fixture_object, exporters, FOR_MEMFD);
	return test_harness_run(argc, argv);
}

#else

#include "kselftest_harness.h"

TEST(kvm)
{
	SKIP(return, "the guest's code is x86's");
}

TEST_HARNESS_MAIN

#endif
