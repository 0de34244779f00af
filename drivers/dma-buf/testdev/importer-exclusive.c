// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: importers that keep CPUs out
 */

#include <linux/dma-buf-pfn.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "test-device.h"

/**
 * DOC: exclusive access of the test device
 *
 * An importer with %DMA_BUF_TEST_EXCLUSIVE takes ranges by
 * %DMA_BUF_TEST_TAKE. When it loses one, its device stops at once; after a delay,
 * with %DMA_BUF_TEST_STOP_LATE; or when the importer is detached, with
 * %DMA_BUF_TEST_STOP_NEVER.
 *
 * %DMA_BUF_TEST_COUNT is a device without atomics: it takes a page, increments a
 * counter in it by a read and a write, and gives the page back. CPUs that
 * increment the same counter with atomic instructions must not lose a count, and
 * have none lost. The device is the process that calls the ioctl, so there can be
 * as many as there are threads.
 */

/* Says when the device has stopped */
struct dbt_stop {
	struct dma_fence fence;	/* first, as dma-fence frees it */
	struct delayed_work work;
	struct list_head node;	/* in &dbt_importer.exclusive.stops */
	bool stop;		/* somebody wants the page that is counted in */
};

static const char *stop_name(struct dma_fence *fence)
{
	return "dma_buf_test";
}

/* No release op: the core may have a fence for longer than the module is there. */
static const struct dma_fence_ops stop_ops = {
	.get_driver_name	= stop_name,
	.get_timeline_name	= stop_name,
};

static void stop_late(struct work_struct *work)
{
	struct dbt_stop *stop = container_of(to_delayed_work(work),
					     struct dbt_stop, work);

	dma_fence_signal(&stop->fence);
}

/**
 * dbt_exclusive_lost - &dma_buf_attach_ops.exclusive_lost
 * @attach:	attachment of an importer with %DMA_BUF_TEST_EXCLUSIVE
 * @first:	page index in the buffer
 * @nr:		pages
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: a fence, or NULL if the device has stopped.
 */
struct dma_fence *dbt_exclusive_lost(struct dma_buf_attachment *attach,
				     pgoff_t first, unsigned long nr)
{
	struct dbt_importer *imp = attach->importer_priv;
	struct dma_fence *counting;
	struct dbt_stop *stop;

	dma_resv_assert_held(attach->dmabuf->resv);

	scoped_guard(mutex, &imp->lock)
		imp->exclusive.lost++;

	/* It looks at that after each increment. */
	counting = imp->exclusive.counting;
	if (counting && imp->exclusive.page == first) {
		imp->exclusive.counting = NULL;
		stop = container_of(counting, struct dbt_stop, fence);
		WRITE_ONCE(stop->stop, true);
		return counting;
	}
	if (!(imp->flags & DBT_STOP_FLAGS))
		return NULL;

	/* Without memory for a fence, the device has to stop at once. */
	stop = kzalloc_obj(*stop);
	if (!stop)
		return NULL;
	dma_fence_init(&stop->fence, &stop_ops, NULL,
		       dma_fence_context_alloc(1), 1);
	INIT_DELAYED_WORK(&stop->work, stop_late);

	guard(mutex)(&imp->lock);
	/* dbt_exclusive_end() waits for nothing that comes after it. */
	if (imp->exclusive.ended) {
		dma_fence_put(&stop->fence);
		return NULL;
	}
	list_add(&stop->node, &imp->exclusive.stops);
	dma_fence_get(&stop->fence);
	if (imp->flags & DMA_BUF_TEST_STOP_LATE)
		queue_delayed_work(system_dfl_wq, &stop->work,
				   msecs_to_jiffies(imp->delay_ms));
	return &stop->fence;
}

/**
 * dbt_exclusive_end - have the device stop, now and from now on
 * @imp:	importer that nobody else uses
 *
 * No work is left when it returns.
 *
 * Context: Process context, may sleep. Without the reservation lock, as those who
 * wait for the device may hold it.
 */
void dbt_exclusive_end(struct dbt_importer *imp)
{
	struct dbt_stop *stop, *next;
	LIST_HEAD(stops);

	scoped_guard(mutex, &imp->lock) {
		imp->exclusive.ended = true;
		list_splice_init(&imp->exclusive.stops, &stops);
	}
	list_for_each_entry_safe(stop, next, &stops, node) {
		list_del(&stop->node);
		cancel_delayed_work_sync(&stop->work);
		dma_fence_signal(&stop->fence);
		dma_fence_put(&stop->fence);
	}
}

static int take_or_drop(struct dbt_importer *imp,
			const struct dma_buf_test_exclusive *arg, bool take)
{
	int ret = 0;

	if (take)
		ret = dma_buf_take_exclusive(imp->attach, arg->first, arg->nr);
	else
		dma_buf_drop_exclusive(imp->attach, arg->first, arg->nr);
	if (take && !ret) {
		guard(mutex)(&imp->lock);
		imp->exclusive.takes++;
	}
	return ret;
}

static long exclusive_ioctl(struct dbt_file *file,
			    const struct dma_buf_test_exclusive *arg, bool take)
{
	struct dma_resv *resv;
	int ret;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, arg->id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);
	if (arg->reserved || arg->rounds || arg->first > ULONG_MAX ||
	    arg->nr > ULONG_MAX)
		return -EINVAL;
	/* The core WARNs about a driver that does it. */
	if (!take && (!arg->nr || arg->first + arg->nr < arg->first))
		return -EINVAL;

	resv = imp->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = take_or_drop(imp, arg, take);
	dma_resv_unlock(resv);
	return ret;
}

long dbt_ioctl_take(struct dbt_file *file, union dbt_arg *arg)
{
	return exclusive_ioctl(file, &arg->exclusive, true);
}

long dbt_ioctl_drop(struct dbt_file *file, union dbt_arg *arg)
{
	return exclusive_ioctl(file, &arg->exclusive, false);
}

/* Have the page, with a fence for the one who wants it. */
static int count_begin(struct dbt_importer *imp, pgoff_t index,
		       struct dma_fence *fence, struct page **page)
{
	struct dma_buf_pfn_range range;
	struct dma_resv *resv = imp->dmabuf->resv;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = -EBUSY;
	if (imp->exclusive.counting)
		goto out;
	ret = -EINVAL;
	if (!imp->pfn.valid)
		goto out;
	ret = dma_buf_pfn_query(&imp->pfn.mapping, index, &range);
	if (ret)
		goto out;
	ret = -EINVAL;
	if (!(range.flags & DMA_BUF_PFN_PAGES))
		goto out;
	*page = pfn_to_page(range.pfn + (index - range.first));

	ret = dma_buf_take_exclusive(imp->attach, index, 1);
	if (ret)
		goto out;
	imp->exclusive.page = index;
	imp->exclusive.counting = dma_fence_get(fence);
	scoped_guard(mutex, &imp->lock)
		imp->exclusive.takes++;
out:
	dma_resv_unlock(resv);
	return ret;
}

/* One increment, which another in between would get lost in */
static void count_one(struct page *page)
{
	u64 *counter = kmap_local_page(page);
	u64 value = READ_ONCE(*counter);

	cpu_relax();
	WRITE_ONCE(*counter, value + 1);
	kunmap_local(counter);
}

/* The device has stopped. */
static void count_end(struct dbt_importer *imp, pgoff_t index,
		      struct dma_fence *fence)
{
	struct dma_resv *resv = imp->dmabuf->resv;

	dma_fence_signal(fence);
	dma_resv_lock(resv, NULL);
	if (imp->exclusive.counting == fence) {
		imp->exclusive.counting = NULL;
		dma_buf_drop_exclusive(imp->attach, index, 1);
		dma_fence_put(fence);
	}
	dma_resv_unlock(resv);
}

/* What the device does before it looks whether somebody wants the page */
#define DBT_BURST	64ULL

static int count_some(struct dbt_importer *imp, pgoff_t index, u64 *rounds)
{
	struct dbt_stop *stop = kzalloc_obj(*stop);
	struct page *page;
	u64 nr;
	int ret;

	if (!stop)
		return -ENOMEM;
	dma_fence_init(&stop->fence, &stop_ops, NULL,
		       dma_fence_context_alloc(1), 1);

	ret = count_begin(imp, index, &stop->fence, &page);
	if (!ret) {
		nr = min(*rounds, DBT_BURST);
		while (nr && !READ_ONCE(stop->stop)) {
			count_one(page);
			(*rounds)--;
			nr--;
		}
		count_end(imp, index, &stop->fence);
	}
	dma_fence_put(&stop->fence);
	return ret;
}

long dbt_ioctl_count(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf_test_exclusive *count = &arg->exclusive;
	int ret = 0;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, count->id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);
	/* Nothing but the fence stops the device, so the buffer must not move. */
	if (count->reserved || count->nr != 1 || imp->flags & DBT_STOP_FLAGS ||
	    dma_buf_attachment_mode(imp->attach) != DMA_BUF_MODE_PINNED)
		return -EINVAL;

	while (count->rounds) {
		if (signal_pending(current))
			return -EINTR;
		ret = count_some(imp, count->first, &count->rounds);
		if (ret && ret != -EAGAIN && ret != -EBUSY)
			return ret;
		if (ret)
			schedule_timeout_interruptible(1);
		cond_resched();
	}
	return 0;
}
