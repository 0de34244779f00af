// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: device-exclusive access, each rule of it, and a model of ranges and page
 * tables against random calls
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmap_lock.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "pfn-model.h"
#include "pfn-mock.h"

#define MAP_AT		SZ_1G
#define NR		16	/* pages of the buffer */

/* How a device stops */
enum stops {
	AT_ONCE,	/* no fence */
	SIGNALED,	/* a fence that has signaled before anybody looks */
	LATE,		/* soon after it was told */
	WHEN_TOLD,	/* when the test says so */
};

struct device_fence {
	struct dma_fence base;	/* first, as dma-fence frees it */
	struct delayed_work work;
};

/* An importer that takes ranges, and what it was told */
struct taker {
	struct kunit *test;
	struct dma_buf_attachment *attach;
	struct dma_buf_pfn_mapping mapping;
	enum stops stops;
	struct dma_fence *fence;	/* the last one */
	unsigned int lost;
	pgoff_t first;
	unsigned long nr;
	/* Dropped in the callback, if there is any */
	unsigned long drops;
	pgoff_t drops_first;
	/* Tries to take a page in the callback */
	bool takes;
	int taken;
};

static const char *fence_name(struct dma_fence *fence)
{
	return "exclusive-test";
}

static bool fence_enable(struct dma_fence *fence)
{
	return true;
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
	.enable_signaling = fence_enable,
};

static void stop_late(struct work_struct *work)
{
	struct device_fence *fence = container_of(to_delayed_work(work),
						  struct device_fence, work);

	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

static struct dma_fence *taker_lost(struct dma_buf_attachment *attach,
				    pgoff_t first, unsigned long nr)
{
	struct taker *t = attach->importer_priv;
	struct device_fence *fence;

	KUNIT_EXPECT_TRUE(t->test, dma_resv_is_locked(attach->dmabuf->resv));
	t->lost++;
	t->first = first;
	t->nr = nr;
	if (t->drops)
		dma_buf_drop_exclusive(attach, t->drops_first, t->drops);
	if (t->takes)
		t->taken = dma_buf_take_exclusive(attach, 0, 1);
	if (t->stops == AT_ONCE)
		return NULL;

	fence = kzalloc_obj(*fence);
	KUNIT_EXPECT_NOT_NULL(t->test, fence);
	if (!fence)
		return NULL;
	dma_fence_init(&fence->base, &fence_ops, NULL, dma_fence_context_alloc(1), 1);
	INIT_DELAYED_WORK(&fence->work, stop_late);
	dma_fence_put(t->fence);
	t->fence = dma_fence_get(&fence->base);
	if (t->stops == SIGNALED)
		dma_fence_signal(&fence->base);
	if (t->stops == LATE) {
		dma_fence_get(&fence->base);
		schedule_delayed_work(&fence->work, HZ / 20);
	}
	return &fence->base;
}

static void taker_invalidate(struct dma_buf_attachment *attach)
{
	struct taker *t = attach->importer_priv;

	if (t->mapping.attach)
		dma_buf_pfn_close(&t->mapping);
}

static const struct dma_buf_attach_ops taker_ops = {
	.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE,
	.invalidate_mappings = taker_invalidate,
	.exclusive_lost = taker_lost,
};

static void taker_open(struct taker *t)
{
	struct dma_resv *resv = t->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(t->test, 0, dma_buf_pfn_open(t->attach, &t->mapping, true));
	dma_resv_unlock(resv);
}

static void taker_end(void *data)
{
	struct taker *t = data;
	struct dma_buf *dmabuf = t->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_drop_exclusive(t->attach, 0, NR);
	taker_invalidate(t->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, t->attach);
	if (t->fence)
		dma_fence_signal(t->fence);
	dma_fence_put(t->fence);
}

/* Attached and mapped; it ends with the test. */
static struct taker *taker_create(struct kunit *test, struct model *m)
{
	struct taker *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	t->attach = dma_buf_pfn_attach(m->dmabuf, "exclusive-test", &taker_ops, t);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->attach);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, taker_end, t));
	taker_open(t);
	return t;
}

static int take(struct taker *t, pgoff_t first, unsigned long nr)
{
	struct dma_resv *resv = t->attach->dmabuf->resv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = dma_buf_take_exclusive(t->attach, first, nr);
	dma_resv_unlock(resv);
	return ret;
}

static void drop(struct taker *t, pgoff_t first, unsigned long nr)
{
	struct dma_resv *resv = t->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_drop_exclusive(t->attach, first, nr);
	dma_resv_unlock(resv);
}

#define CPU_EXCLUSIVE	(DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP | DMA_BUF_CPU_EXCLUSIVE)

static struct model *exclusive_model(struct kunit *test, u32 modes)
{
	struct model *m = model_create(test, 1);

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	model_alloc(m, NR);
	m->modes = modes;
	model_add_pin_ops(m);
	model_export(m, CPU_EXCLUSIVE);
	model_write_marks(m);
	return m;
}

static unsigned long map(struct kunit *test, struct model *m)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, NR * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, MAP_AT);
	return addr;
}

/* By the test itself: who cleans up after it has another mm. */
static void unmap(struct kunit *test, unsigned long addr)
{
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, NR * PAGE_SIZE));
}

static bool has_entry(unsigned long addr, pgoff_t index)
{
	struct follow_pfnmap_args args;

	guard(mmap_read_lock)(current->mm);
	args = (struct follow_pfnmap_args) {
		.vma = find_vma(current->mm, addr),
		.address = addr + index * PAGE_SIZE,
	};
	if (follow_pfnmap_start(&args))
		return false;
	follow_pfnmap_end(&args);
	return true;
}

/* The pages that the page table has entries of */
static u32 entries(unsigned long addr)
{
	u32 mask = 0;

	for (pgoff_t i = 0; i < NR; i++)
		if (has_entry(addr, i))
			mask |= BIT(i);
	return mask;
}

#define ALL		((1U << NR) - 1)

static u32 pages(pgoff_t first, unsigned long nr)
{
	return ((1U << nr) - 1) << first;
}

static void expect_read(struct kunit *test, unsigned long addr, pgoff_t index)
{
	u32 value;

	KUNIT_EXPECT_EQ(test, 0, get_user(value, (u32 __user *)(addr + index * PAGE_SIZE)));
	KUNIT_EXPECT_EQ(test, value, model_mark(index));
}

static void expect_lost(struct taker *t, unsigned int times, pgoff_t first,
			unsigned long nr)
{
	KUNIT_EXPECT_EQ(t->test, t->lost, times);
	KUNIT_EXPECT_EQ(t->test, t->first, first);
	KUNIT_EXPECT_EQ(t->test, t->nr, nr);
}

static void taken_range_is_empty_until_a_cpu_wants_it(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	expect_read(test, addr, 0);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	KUNIT_EXPECT_EQ(test, entries(addr), ALL & ~pages(3, 4));

	/* What is beside it is nobody's business. */
	expect_read(test, addr, 2);
	expect_read(test, addr, 7);
	KUNIT_EXPECT_EQ(test, t->lost, 0);

	expect_read(test, addr, 5);
	expect_lost(t, 1, 3, 4);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

static void empty_slots_beside_a_taken_range_stay_so(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	/* Also a mapping that is made later. */
	KUNIT_EXPECT_EQ(test, 0, take(t, 4, 3));
	expect_read(test, addr, 9);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(7, NR - 7));
	expect_read(test, addr, 0);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL & ~pages(4, 3));
	KUNIT_EXPECT_EQ(test, t->lost, 0);
	unmap(test, addr);
}

static void first_and_last_page_can_be_taken(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	KUNIT_EXPECT_EQ(test, 0, take(t, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, take(t, NR - 1, 1));
	expect_read(test, addr, 1);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(1, NR - 2));
	expect_read(test, addr, 0);
	expect_lost(t, 1, 0, 1);
	expect_read(test, addr, NR - 1);
	expect_lost(t, 2, NR - 1, 1);

	KUNIT_EXPECT_EQ(test, 0, take(t, 0, NR));
	KUNIT_EXPECT_EQ(test, entries(addr), 0);
	expect_read(test, addr, 8);
	expect_lost(t, 3, 0, NR);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

static void cpu_waits_for_the_fence(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	t->stops = LATE;
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	expect_read(test, addr, 4);
	KUNIT_ASSERT_NOT_NULL(test, t->fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(t->fence));
	expect_lost(t, 1, 3, 4);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);

	t->stops = SIGNALED;
	KUNIT_EXPECT_EQ(test, 0, take(t, 8, 2));
	expect_read(test, addr, 8);
	expect_lost(t, 2, 8, 2);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

#define RETRY	((__force unsigned int)VM_FAULT_RETRY)
#define NOPAGE	((__force unsigned int)VM_FAULT_NOPAGE)

static unsigned int fault_without_wait(struct kunit *test, unsigned long addr)
{
	const unsigned int flags = FAULT_FLAG_ALLOW_RETRY |
				   FAULT_FLAG_RETRY_NOWAIT;
	unsigned int ret;

	mmap_read_lock(current->mm);
	ret = (__force unsigned int)handle_mm_fault(find_vma(current->mm, addr),
						    addr, flags, NULL);
	mmap_assert_locked(current->mm);
	mmap_read_unlock(current->mm);
	return ret;
}

/* It has the device stop all the same. */
static void fault_that_must_not_wait_does_not(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	t->stops = WHEN_TOLD;
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	KUNIT_EXPECT_EQ(test, fault_without_wait(test, addr + 3 * PAGE_SIZE), RETRY);
	expect_lost(t, 1, 3, 4);
	KUNIT_EXPECT_EQ(test, fault_without_wait(test, addr + 6 * PAGE_SIZE), RETRY);
	KUNIT_EXPECT_EQ(test, fault_without_wait(test, addr + 7 * PAGE_SIZE), NOPAGE);
	expect_lost(t, 1, 3, 4);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(7, NR - 7));

	/* Nobody waits, so a device may have it when the other has stopped. */
	KUNIT_EXPECT_EQ(test, take(t, 2, 2), -EAGAIN);
	dma_fence_signal(t->fence);
	KUNIT_EXPECT_EQ(test, 0, take(t, 2, 2));
	KUNIT_EXPECT_EQ(test, fault_without_wait(test, addr + 6 * PAGE_SIZE), NOPAGE);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(4, NR - 4));
	unmap(test, addr);
}

/* A CPU that faults beside the test */
struct reader {
	struct mm_struct *mm;
	unsigned long addr;
	u32 value;
	int error;
	struct completion done;
};

static int read_page(void *data)
{
	struct reader *reader = data;

	kthread_use_mm(reader->mm);
	reader->error = get_user(reader->value, (u32 __user *)reader->addr);
	kthread_unuse_mm(reader->mm);
	kthread_complete_and_exit(&reader->done, 0);
}

/* Not on the stack: a test that fails leaves it. */
static struct reader *reader_create(struct kunit *test, unsigned long addr)
{
	struct reader *reader = kunit_kzalloc(test, sizeof(*reader), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, reader);
	init_completion(&reader->done);
	reader->mm = current->mm;
	reader->addr = addr;
	return reader;
}

static void start_reader(struct kunit *test, struct reader *reader)
{
	struct task_struct *task;

	task = kthread_run(read_page, reader, "exclusive-reader");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
}

/* Until the importer was told, and a CPU waits */
static void wait_for_loss(struct taker *t, unsigned int times)
{
	struct dma_resv *resv = t->attach->dmabuf->resv;
	unsigned long end = jiffies + 10 * HZ;
	bool lost = false;

	while (!lost && time_before(jiffies, end)) {
		schedule_timeout_uninterruptible(1);
		dma_resv_lock(resv, NULL);
		lost = t->lost == times;
		dma_resv_unlock(resv);
	}
	KUNIT_ASSERT_TRUE(t->test, lost);
}

/* Those who have waited get their turn, and one that doesn't come loses it. */
static void cpu_that_has_waited_is_served_first(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);
	struct reader *reader = reader_create(test, addr + 4 * PAGE_SIZE);
	unsigned long end;
	int ret;

	t->stops = WHEN_TOLD;
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	start_reader(test, reader);
	wait_for_loss(t, 1);
	KUNIT_EXPECT_EQ(test, take(t, 3, 4), -EAGAIN);

	/* It can't fault again for now. */
	mmap_write_lock(current->mm);
	dma_fence_signal(t->fence);
	KUNIT_EXPECT_EQ(test, take(t, 3, 4), -EAGAIN);
	end = jiffies + 10 * HZ;
	do {
		schedule_timeout_uninterruptible(1);
		ret = take(t, 3, 4);
	} while (ret == -EAGAIN && time_before(jiffies, end));
	KUNIT_EXPECT_EQ(test, ret, 0);
	mmap_write_unlock(current->mm);

	wait_for_loss(t, 2);
	dma_fence_signal(t->fence);
	KUNIT_ASSERT_GT(test, wait_for_completion_timeout(&reader->done, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, reader->error, 0);
	KUNIT_EXPECT_EQ(test, reader->value, model_mark(4));

	/* When it has got the page, the device may have the range at once. */
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	unmap(test, addr);
}

static void range_is_dropped_as_a_whole(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	KUNIT_EXPECT_EQ(test, 0, take(t, 2, 3));
	KUNIT_EXPECT_EQ(test, 0, take(t, 5, 3));
	KUNIT_EXPECT_EQ(test, 0, take(t, 12, 2));
	/* Both of them, and what is free between */
	drop(t, 0, 8);
	expect_read(test, addr, 3);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(0, 12));

	EXPECT_WARNINGS(test, 1, drop(t, 12, 1));
	expect_read(test, addr, 15);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL & ~pages(12, 2));
	KUNIT_EXPECT_EQ(test, t->lost, 0);

	/* What is lost is not the importer's to drop. */
	expect_read(test, addr, 12);
	drop(t, 0, NR);
	expect_lost(t, 1, 12, 2);
	unmap(test, addr);
}

/* Nobody could wait for those who come again at once. */
static void callback_takes_nothing(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	t->takes = true;
	KUNIT_EXPECT_EQ(test, 0, take(t, 4, 2));
	expect_read(test, addr, 4);
	expect_lost(t, 1, 4, 2);
	KUNIT_EXPECT_EQ(test, t->taken, -EBUSY);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

static void callback_may_drop_other_ranges(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);

	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, 0, take(t, i * 4, 2));
	t->drops_first = 0;
	t->drops = NR;
	expect_read(test, addr, 4);
	expect_lost(t, 1, 4, 2);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);

	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, 0, take(t, i * 4, 2));
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(m->dmabuf);
	dma_resv_unlock(m->dmabuf->resv);
	expect_lost(t, 2, 0, 2);
	expect_read(test, addr, 12);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

static void range_has_one_holder(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *a = taker_create(test, m), *b = taker_create(test, m);
	unsigned long addr = map(test, m);

	KUNIT_EXPECT_EQ(test, 0, take(a, 4, 4));
	KUNIT_EXPECT_EQ(test, take(b, 7, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, take(b, 0, 5), -EBUSY);
	KUNIT_EXPECT_EQ(test, take(b, 0, NR), -EBUSY);
	KUNIT_EXPECT_EQ(test, take(a, 4, 4), -EBUSY);
	KUNIT_EXPECT_EQ(test, 0, take(b, 8, 4));
	KUNIT_EXPECT_EQ(test, 0, take(b, 0, 4));

	/* Nor does one drop what the other has. */
	drop(b, 0, NR);
	expect_read(test, addr, 0);
	expect_read(test, addr, 8);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL & ~pages(4, 4));
	KUNIT_EXPECT_EQ(test, a->lost, 0);
	KUNIT_EXPECT_EQ(test, b->lost, 0);
	unmap(test, addr);
}

static void take_is_refused(struct kunit *test)
{
	static struct dma_buf_attach_ops silent_ops = {
		.modes = DMA_BUF_MODE_PINNED,
	};
	struct model *m = exclusive_model(test, DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE);
	struct taker *t = taker_create(test, m);
	struct dma_buf_attachment *silent;
	struct iosys_map vmap;

	KUNIT_EXPECT_EQ(test, take(t, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, take(t, NR, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, take(t, NR - 1, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, take(t, 1, ULONG_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, take(t, ULONG_MAX, 2), -EINVAL);

	/* Not mapped */
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_pfn_close(&t->mapping);
	KUNIT_EXPECT_EQ(test, dma_buf_take_exclusive(t->attach, 0, 1), -EINVAL);
	dma_resv_unlock(m->dmabuf->resv);
	taker_open(t);

	/* The kernel has it mapped, and nobody can take that away. */
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &vmap));
	KUNIT_EXPECT_EQ(test, take(t, 0, 1), -EBUSY);
	dma_buf_vunmap_unlocked(m->dmabuf, &vmap);

	KUNIT_ASSERT_EQ(test, 0, dma_buf_revoke(m->dmabuf));
	KUNIT_EXPECT_EQ(test, take(t, 0, 1), -ENODEV);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_unrevoke(m->dmabuf));
	taker_open(t);
	KUNIT_EXPECT_EQ(test, 0, take(t, 0, 1));
	drop(t, 0, 1);

	/* An importer that couldn't be told */
	silent = dma_buf_pfn_attach(m->dmabuf, "exclusive-test", &silent_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, silent);
	dma_resv_lock(m->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_buf_take_exclusive(silent, 0, 1), -EOPNOTSUPP);
	dma_resv_unlock(m->dmabuf->resv);
	dma_buf_detach(m->dmabuf, silent);
}

static void buffer_has_to_offer_it(struct kunit *test)
{
	struct model *m = model_create(test, 2);
	struct taker *t;

	model_alloc(m, NR);
	model_export(m, DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP);
	t = taker_create(test, m);
	KUNIT_EXPECT_EQ(test, take(t, 0, 1), -EOPNOTSUPP);
}

static int op_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	return -EIO;
}

static void op_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
}

static int op_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return -EIO;
}

/* Nobody can keep CPUs out of what somebody else has mapped. */
static void offer_excludes_ops_of_the_exporter(struct kunit *test)
{
	for (int i = 0; i < 2; i++) {
		struct model *m = model_create(test, 3);
		DEFINE_DMA_BUF_EXPORT_INFO(info);
		char name[32];

		model_alloc(m, 1);
		if (i) {
			m->ops.mmap = op_mmap;
		} else {
			m->ops.vmap = op_vmap;
			m->ops.vunmap = op_vunmap;
		}
		pfn_new_name(name);
		info.exp_name = name;
		info.ops = &m->ops;
		info.size = PAGE_SIZE;
		info.priv = m;
		info.cpu_access = DMA_BUF_CPU_EXCLUSIVE;
		EXPECT_WARNINGS(test, 1,
				KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_export(&info)), -EINVAL));
	}
}

static void move_takes_all_ranges(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *a = taker_create(test, m), *b = taker_create(test, m);
	unsigned long addr = map(test, m);

	b->stops = WHEN_TOLD;
	KUNIT_EXPECT_EQ(test, 0, take(a, 0, 2));
	KUNIT_EXPECT_EQ(test, 0, take(a, 6, 2));
	KUNIT_EXPECT_EQ(test, 0, take(b, 2, 2));
	expect_read(test, addr, 4);

	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(m->dmabuf);
	dma_resv_unlock(m->dmabuf->resv);
	expect_lost(a, 2, 6, 2);
	expect_lost(b, 1, 2, 2);
	KUNIT_EXPECT_EQ(test, entries(addr), 0);

	/* Of those, only one device has not stopped yet. */
	expect_read(test, addr, 7);
	KUNIT_EXPECT_EQ(test, entries(addr), pages(4, NR - 4));
	dma_fence_signal(b->fence);
	expect_read(test, addr, 2);
	KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	unmap(test, addr);
}

static void revoke_wins_over_waiting(struct kunit *test)
{
	struct model *m = exclusive_model(test, DMA_BUF_MODE_REVOCABLE);
	struct taker *t = taker_create(test, m);
	unsigned long addr = map(test, m);
	struct reader *reader = reader_create(test, addr);

	t->stops = WHEN_TOLD;
	KUNIT_EXPECT_EQ(test, 0, take(t, 0, 2));
	/* One that waits already, and one that comes later */
	start_reader(test, reader);
	wait_for_loss(t, 1);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_revoke(m->dmabuf));
	expect_lost(t, 1, 0, 2);
	KUNIT_ASSERT_GT(test, wait_for_completion_timeout(&reader->done, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, reader->error, -EFAULT);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(t->fence));
	KUNIT_EXPECT_NE(test, 0, fault_in_readable((char __user *)addr, 1));

	KUNIT_EXPECT_EQ(test, 0, dma_buf_unrevoke(m->dmabuf));
	KUNIT_EXPECT_EQ(test, fault_without_wait(test, addr), RETRY);
	dma_fence_signal(t->fence);
	expect_read(test, addr, 0);
	unmap(test, addr);
}

static void vmap_waits_for_the_device(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *t = taker_create(test, m);
	struct iosys_map vmap;

	t->stops = LATE;
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &vmap));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(t->fence));
	expect_lost(t, 1, 3, 4);
	KUNIT_EXPECT_EQ(test, take(t, 3, 4), -EBUSY);
	dma_buf_vunmap_unlocked(m->dmabuf, &vmap);
	KUNIT_EXPECT_EQ(test, 0, take(t, 3, 4));
}

static void detach_gives_back_with_a_warning(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct dma_buf_attachment *attach;
	struct taker t = { .test = test };
	unsigned long addr = map(test, m);
	char *name = kunit_kzalloc(test, 32, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, name);
	pfn_new_name(name);
	for (int i = 0; i < 2; i++) {
		attach = dma_buf_pfn_attach(m->dmabuf, name, &taker_ops, &t);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
		t.attach = attach;
		taker_open(&t);
		KUNIT_EXPECT_EQ(test, 0, take(&t, 3, 2));
		KUNIT_EXPECT_EQ(test, 0, take(&t, 7, 2));
		dma_resv_lock(m->dmabuf->resv, NULL);
		dma_buf_pfn_close(&t.mapping);
		dma_resv_unlock(m->dmabuf->resv);
		/* Once for each importing driver */
		EXPECT_WARNINGS(test, !i, dma_buf_detach(m->dmabuf, attach));
		expect_read(test, addr, 3);
		KUNIT_EXPECT_EQ(test, entries(addr), ALL);
	}
	KUNIT_EXPECT_EQ(test, t.lost, 0);
	unmap(test, addr);
}

/* Random calls, and after each, all entries compared with a flat array */
static void model_of_ranges(struct kunit *test)
{
	struct model *m = exclusive_model(test, 0);
	struct taker *takers[2] = { taker_create(test, m), taker_create(test, m) };
	unsigned long addr = map(test, m);
	u8 holder[NR] = {};	/* 0, or 1 + the index of the taker */
	u32 range[NR] = {};	/* which of its ranges */
	u32 nr_ranges = 0;
	u32 present = 0;

	for (int round = 0; round < 4000; round++) {
		u32 what = prandom_u32_state(&m->rnd) % 8;
		u32 who = prandom_u32_state(&m->rnd) % 2;
		pgoff_t first = prandom_u32_state(&m->rnd) % NR;
		unsigned long nr = 1 + prandom_u32_state(&m->rnd) % (NR - first);
		unsigned int lost = takers[0]->lost + takers[1]->lost;
		unsigned int expected = 0;

		if (what < 3) {
			bool is_free = true;

			nr = min(nr, 4);
			for (pgoff_t i = first; i < first + nr; i++)
				is_free &= !holder[i];
			KUNIT_ASSERT_EQ(test, take(takers[who], first, nr),
					is_free ? 0 : -EBUSY);
			nr_ranges++;
			for (pgoff_t i = first; is_free && i < first + nr; i++) {
				holder[i] = 1 + who;
				range[i] = nr_ranges;
				present &= ~BIT(i);
			}
		} else if (what < 7) {
			pgoff_t start = first, end = first + 1;
			u32 lost_range = range[first];

			expected = holder[first] != 0;
			for (pgoff_t i = 0; expected && i < NR; i++) {
				if (!holder[i] || range[i] != lost_range)
					continue;
				holder[i] = 0;
			}
			/* A fault maps what is free around it. */
			if (!(present & BIT(first))) {
				while (start && !holder[start - 1])
					start--;
				while (end < NR && !holder[end])
					end++;
				present |= pages(start, end - start);
			}
			expect_read(test, addr, first);
		} else {
			bool in_part = false;

			for (pgoff_t i = 0; i < NR; i++) {
				bool inside = i >= first && i < first + nr;

				for (pgoff_t k = 0; k < NR; k++)
					if (holder[i] == 1 + who && holder[k] == 1 + who &&
					    range[i] == range[k] &&
					    inside != (k >= first && k < first + nr))
						in_part = true;
			}
			if (in_part)
				continue;
			drop(takers[who], first, nr);
			for (pgoff_t i = first; i < first + nr; i++)
				if (holder[i] == 1 + who)
					holder[i] = 0;
		}
		KUNIT_ASSERT_EQ(test, takers[0]->lost + takers[1]->lost - lost, expected);
		KUNIT_ASSERT_EQ(test, entries(addr), present);
	}
	KUNIT_EXPECT_GT(test, takers[0]->lost, 0);
	KUNIT_EXPECT_GT(test, takers[1]->lost, 0);
	unmap(test, addr);
}

static struct kunit_case exclusive_cases[] = {
	KUNIT_CASE(taken_range_is_empty_until_a_cpu_wants_it),
	KUNIT_CASE(empty_slots_beside_a_taken_range_stay_so),
	KUNIT_CASE(first_and_last_page_can_be_taken),
	KUNIT_CASE(cpu_waits_for_the_fence),
	KUNIT_CASE(fault_that_must_not_wait_does_not),
	KUNIT_CASE(cpu_that_has_waited_is_served_first),
	KUNIT_CASE(range_is_dropped_as_a_whole),
	KUNIT_CASE(callback_may_drop_other_ranges),
	KUNIT_CASE(callback_takes_nothing),
	KUNIT_CASE(range_has_one_holder),
	KUNIT_CASE(take_is_refused),
	KUNIT_CASE(buffer_has_to_offer_it),
	KUNIT_CASE(offer_excludes_ops_of_the_exporter),
	KUNIT_CASE(move_takes_all_ranges),
	KUNIT_CASE(revoke_wins_over_waiting),
	KUNIT_CASE(vmap_waits_for_the_device),
	KUNIT_CASE(detach_gives_back_with_a_warning),
	KUNIT_CASE(model_of_ranges),
	{}
};

static struct kunit_suite exclusive_suite = {
	.name = "dma-buf-exclusive",
	.test_cases = exclusive_cases,
};

kunit_test_suite(exclusive_suite);

MODULE_DESCRIPTION("KUnit tests of device-exclusive access to dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
