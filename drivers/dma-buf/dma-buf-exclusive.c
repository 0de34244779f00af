// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device-exclusive access: a device has a range of a buffer to itself, and CPUs
 * wait
 */

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "dma-buf-internal.h"

/**
 * DOC: device-exclusive access
 *
 * A device without coherent atomics may need a part of a buffer that no CPU
 * writes to meanwhile. If the buffer is exported with %DMA_BUF_CPU_EXCLUSIVE, an
 * importer takes a range of pages for its device::
 *
 *	dma_resv_lock(dmabuf->resv, NULL);
 *	ret = dma_buf_take_exclusive(attach, first, nr);
 *	if (!ret)
 *		start_the_device(attach, first, nr);
 *	dma_resv_unlock(dmabuf->resv);
 *
 * From then on CPU mappings of these pages are empty. A CPU that faults on one
 * calls &dma_buf_attach_ops.exclusive_lost of the importer, which stops the
 * device and returns a fence, or NULL if the device has stopped already. The CPU
 * waits for the fence, and the whole range is the CPUs' again. The importer gives
 * a range back by itself with dma_buf_drop_exclusive().
 *
 * The ranges are the buffer's, so all its mappings go by them: those of a child,
 * those of other processes, and those that are made later.
 *
 * It is about CPUs and a device, by mappings that the core makes. Other importers
 * are not kept out, and what a CPU has copied before it keeps.
 */

/*
 * What a device has taken. &dma_buf.exclusive has those that are held, and those
 * that are going: the importer was told, and the fence says when the device has
 * stopped. A page of neither kind is free.
 */
struct dma_buf_hold {
	struct interval_tree_node node;	/* page indices */
	struct kref refs;
	/* NULL when it is going */
	struct dma_buf_attachment *attach;
	/* Set when it is going, and then constant */
	struct dma_fence *fence;
	struct dma_fence_cb cb;
	wait_queue_head_t wait;
	/*
	 * CPUs that wait for the fence, those that have waited and have not
	 * faulted again, and until when it is their turn
	 */
	atomic_t waiters;
	atomic_t owed;
	unsigned long turn;
	/* Waiters are to look at the buffer: it was moved or revoked. */
	bool look_again;
};

/*
 * For how long a CPU that has waited is let in before a device. It comes here
 * again at once, unless it gets a signal.
 */
#define CPU_TURN	max(HZ / 10, 1)

static struct dma_buf_hold *first_hold(struct dma_buf *dmabuf, pgoff_t first,
				       pgoff_t last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&dmabuf->exclusive, first, last);
	return node ? container_of(node, struct dma_buf_hold, node) : NULL;
}

static struct dma_buf_hold *next_hold(struct dma_buf_hold *hold, pgoff_t first,
				      pgoff_t last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_next(&hold->node, first, last);
	return node ? container_of(node, struct dma_buf_hold, node) : NULL;
}

static void hold_free(struct kref *refs)
{
	struct dma_buf_hold *hold = container_of(refs, struct dma_buf_hold, refs);

	dma_fence_put(hold->fence);
	kfree(hold);
}

static void hold_put(struct dma_buf_hold *hold)
{
	kref_put(&hold->refs, hold_free);
}

/* The pages are free then. */
static void hold_remove(struct dma_buf *dmabuf, struct dma_buf_hold *hold)
{
	interval_tree_remove(&hold->node, &dmabuf->exclusive);
	hold_put(hold);
}

/* Must CPUs keep out? They must, too, while the importer is being told. */
static bool is_blocking(const struct dma_buf_hold *hold)
{
	return !hold->fence || !dma_fence_is_signaled(hold->fence);
}

static void fence_signaled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_hold *hold = container_of(cb, struct dma_buf_hold, cb);

	wake_up_all(&hold->wait);
	hold_put(hold);
}

/* Tell the importer that CPUs want the range. Return: is it free? */
static bool lose(struct dma_buf *dmabuf, struct dma_buf_hold *hold)
{
	struct dma_buf_attachment *attach = hold->attach;
	bool nested = dmabuf->exclusive_is_lost;
	pgoff_t first = hold->node.start;

	/* First: should the importer drop the range in the callback, it's gone. */
	hold->attach = NULL;
	/* The callback may have the exporter move, and so nest. */
	dmabuf->exclusive_is_lost = true;
	hold->fence = dma_buf_attach_exclusive_lost(attach, first,
						    hold->node.last - first + 1);
	dmabuf->exclusive_is_lost = nested;
	if (hold->fence) {
		kref_get(&hold->refs);
		if (!dma_fence_add_callback(hold->fence, &hold->cb,
					    fence_signaled))
			return false;
		hold_put(hold);
	}
	hold_remove(dmabuf, hold);
	return true;
}

/* Is a device that wants the range to wait for CPUs? */
static bool is_cpus_turn(const struct dma_buf_hold *hold)
{
	unsigned long turn;

	/* Pairs with the release in dma_buf_exclusive_wait(). */
	if (atomic_read_acquire(&hold->waiters))
		return true;
	/* The hold may be here for so long that jiffies wrap. */
	turn = READ_ONCE(hold->turn);
	return atomic_read(&hold->owed) > 0 &&
	       time_in_range(jiffies, turn - CPU_TURN, turn);
}

/* 0 if a range is free; holds that are over are removed on the way. */
static int make_free(struct dma_buf *dmabuf, pgoff_t first, pgoff_t last)
{
	struct dma_buf_hold *hold, *next;

	for (hold = first_hold(dmabuf, first, last); hold; hold = next) {
		next = next_hold(hold, first, last);
		if (hold->attach)
			return -EBUSY;
		if (is_blocking(hold) || is_cpus_turn(hold))
			return -EAGAIN;
		hold_remove(dmabuf, hold);
	}
	return 0;
}

/**
 * dma_buf_take_exclusive - take a range of a buffer for a device
 * @attach:	attachment that is mapped, or has a PFN mapping, and whose importer
 *		has &dma_buf_attach_ops.exclusive_lost
 * @first:	page index in the buffer
 * @nr:		pages, at least 1
 *
 * When it returns, no CPU reaches the range by a userspace mapping, until the
 * importer has given it back with dma_buf_drop_exclusive(), or has been told to,
 * with exclusive_lost, and its device has stopped. The callback may come as soon
 * as the reservation lock is dropped.
 *
 * Other importers are not kept out.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0; -EOPNOTSUPP if the buffer doesn't offer it (%DMA_BUF_CPU_EXCLUSIVE)
 * or the importer has no callback; -EINVAL if the attachment isn't mapped, or the
 * range is empty or not inside the buffer; -ENODEV while the buffer is revoked;
 * -EBUSY while a vmap is open, if part of the range is taken, by this attachment
 * or another, or out of exclusive_lost; -EAGAIN while a device that has lost a
 * part of it hasn't stopped yet, or CPUs have waited for that and are served
 * first; or -ENOMEM.
 */
int dma_buf_take_exclusive(struct dma_buf_attachment *attach, pgoff_t first,
			   unsigned long nr)
{
	const struct dma_buf_attach_ops *ops = attach->importer_ops;
	struct dma_buf *dmabuf = attach->dmabuf;
	unsigned long pages = dmabuf->size >> PAGE_SHIFT;
	struct dma_buf_hold *hold;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (!(dmabuf->cpu_access & DMA_BUF_CPU_EXCLUSIVE) || !ops ||
	    !ops->exclusive_lost)
		return -EOPNOTSUPP;
	if (!nr || first >= pages || nr > pages - first)
		return -EINVAL;
	if (dmabuf->revoked)
		return -ENODEV;
	if (!attach->mappings && hlist_empty(&attach->pfn_mappings))
		return -EINVAL;
	/* A vmap, and one that is being made, which waits for all ranges */
	if (dmabuf->vmapping_counter || dmabuf->exclusive_is_lost)
		return -EBUSY;

	ret = make_free(dmabuf, first, first + nr - 1);
	if (ret)
		return ret;

	hold = kzalloc_obj(*hold);
	if (!hold)
		return -ENOMEM;
	kref_init(&hold->refs);
	init_waitqueue_head(&hold->wait);
	hold->turn = jiffies;
	hold->attach = attach;
	attach->has_more = true;
	hold->node.start = first;
	hold->node.last = first + nr - 1;

	/* The state first: faults find it as soon as an entry is gone. */
	interval_tree_insert(&hold->node, &dmabuf->exclusive);
	if (IS_ENABLED(CONFIG_MMU))
		dma_buf_pfn_zap_pages(dmabuf, first, nr);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_take_exclusive, "DMA_BUF");

/**
 * dma_buf_drop_exclusive - give ranges of a buffer back to the CPUs
 * @attach:	the attachment that has taken them
 * @first:	page index in the buffer
 * @nr:		pages
 *
 * Gives back all that the attachment has taken between @first and @first + @nr;
 * each range as a whole, so none may lie there in part. The device has stopped
 * using them. A range that was lost meanwhile is not the importer's any more, and
 * is left alone.
 *
 * Context: Process context. Holds the reservation lock; may be called from
 * &dma_buf_attach_ops.exclusive_lost.
 */
void dma_buf_drop_exclusive(struct dma_buf_attachment *attach, pgoff_t first,
			    unsigned long nr)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct dma_buf_hold *hold, *next;
	pgoff_t last = first + nr - 1;

	dma_resv_assert_held(dmabuf->resv);

	if (WARN_ON_ONCE(!nr || last < first))
		return;
	for (hold = first_hold(dmabuf, first, last); hold; hold = next) {
		next = next_hold(hold, first, last);
		if (hold->attach != attach)
			continue;
		/* The device may be at the rest of it. */
		if (WARN_ON_ONCE(hold->node.start < first ||
				 hold->node.last > last))
			continue;
		hold_remove(dmabuf, hold);
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_drop_exclusive, "DMA_BUF");

/**
 * dma_buf_exclusive_detach - drop what an importer has left taken
 * @attach:	attachment that is being detached
 *
 * Context: Process context. Holds the reservation lock.
 * Return: how many ranges there were; the importer has a bug if there were any.
 */
size_t dma_buf_exclusive_detach(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct dma_buf_hold *hold, *next;
	size_t nr = 0;

	dma_resv_assert_held(dmabuf->resv);

	for (hold = first_hold(dmabuf, 0, ULONG_MAX); hold; hold = next) {
		next = next_hold(hold, 0, ULONG_MAX);
		if (hold->attach != attach)
			continue;
		hold_remove(dmabuf, hold);
		nr++;
	}
	return nr;
}

/**
 * dma_buf_exclusive_lose_all - tell importers that they lose all that they have
 * @dmabuf:	buffer that moves, is revoked, or gets a vmap
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_exclusive_lose_all(struct dma_buf *dmabuf)
{
	struct dma_buf_hold *hold;
	pgoff_t last, first = 0;

	dma_resv_assert_held(dmabuf->resv);

	/* Anew each time: a callback may drop others. None overlaps another. */
	while ((hold = first_hold(dmabuf, first, ULONG_MAX))) {
		last = hold->node.last;
		if (hold->attach) {
			lose(dmabuf, hold);
		} else {
			WRITE_ONCE(hold->look_again, true);
			wake_up_all(&hold->wait);
		}
		first = last + 1;
	}
}

/**
 * dma_buf_exclusive_end - take a buffer away from all devices, and wait for them
 * @dmabuf:	buffer that gets a vmap
 *
 * Context: Process context, sleeps until the devices have stopped. Holds the
 * reservation lock.
 */
void dma_buf_exclusive_end(struct dma_buf *dmabuf)
{
	struct dma_buf_hold *hold;

	dma_buf_exclusive_lose_all(dmabuf);
	for (hold = first_hold(dmabuf, 0, ULONG_MAX); hold;
	     hold = next_hold(hold, 0, ULONG_MAX)) {
		/* Not by the wait op of the fence's driver, which may fail */
		dma_fence_enable_signaling(hold->fence);
		dma_fence_default_wait(hold->fence, false, MAX_SCHEDULE_TIMEOUT);
	}
}

/**
 * dma_buf_exclusive_claim - take a page back for a CPU that faults
 * @dmabuf:	the buffer
 * @index:	index of the page
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: NULL if the page is free, or what to give to dma_buf_exclusive_wait(),
 * without the lock.
 */
struct dma_buf_hold *dma_buf_exclusive_claim(struct dma_buf *dmabuf,
					     pgoff_t index)
{
	struct dma_buf_hold *hold;

	dma_resv_assert_held(dmabuf->resv);

	hold = first_hold(dmabuf, index, index);
	if (!hold)
		return NULL;
	if (hold->attach && lose(dmabuf, hold))
		return NULL;
	if (!is_blocking(hold)) {
		/* One of those that have waited, or another in its place */
		atomic_dec_if_positive(&hold->owed);
		if (!is_cpus_turn(hold))
			hold_remove(dmabuf, hold);
		return NULL;
	}
	WRITE_ONCE(hold->look_again, false);
	kref_get(&hold->refs);
	atomic_inc(&hold->waiters);
	return hold;
}

/* Has the device stopped, or is there something else to see? */
static bool may_go_on(const struct dma_buf_hold *hold)
{
	return !is_blocking(hold) || READ_ONCE(hold->look_again);
}

/**
 * dma_buf_exclusive_wait - wait until a device has stopped or the buffer changes
 * @hold:	what dma_buf_exclusive_claim() has returned, which is used up
 * @wait:	false to give it back without waiting
 * @killable:	return when the process is killed
 *
 * The buffer may be gone meanwhile.
 *
 * Context: Process context, sleeps. Doesn't hold the reservation lock.
 * Return: 0, or -ERESTARTSYS if the process was killed.
 */
int dma_buf_exclusive_wait(struct dma_buf_hold *hold, bool wait, bool killable)
{
	int ret = 0;

	if (wait)
		__dma_fence_might_wait();
	if (wait && killable)
		ret = wait_event_killable(hold->wait, may_go_on(hold));
	else if (wait)
		wait_event(hold->wait, may_go_on(hold));

	if (wait && !ret && !is_blocking(hold)) {
		WRITE_ONCE(hold->turn, jiffies + CPU_TURN);
		atomic_inc(&hold->owed);
	}
	/* Pairs with is_cpus_turn(). */
	atomic_dec_return_release(&hold->waiters);
	hold_put(hold);
	return ret;
}

/**
 * dma_buf_exclusive_is_taken - must CPUs keep out of a part of a range?
 * @dmabuf:	the buffer
 * @first:	page index
 * @nr:		pages
 *
 * Context: Any. Holds the reservation lock.
 * Return: true if so.
 */
bool dma_buf_exclusive_is_taken(struct dma_buf *dmabuf, pgoff_t first,
				unsigned long nr)
{
	pgoff_t last = first + nr - 1;
	struct dma_buf_hold *hold;

	dma_resv_assert_held(dmabuf->resv);

	for (hold = first_hold(dmabuf, first, last); hold;
	     hold = next_hold(hold, first, last))
		if (is_blocking(hold))
			return true;
	return false;
}

/**
 * dma_buf_exclusive_clip - narrow a range to what is free
 * @dmabuf:	the buffer
 * @index:	index of a page that is free
 * @first:	index of a page at or before it; moved up
 * @end:	index behind the range; moved down
 *
 * Context: Any. Holds the reservation lock.
 */
void dma_buf_exclusive_clip(struct dma_buf *dmabuf, pgoff_t index,
			    pgoff_t *first, pgoff_t *end)
{
	struct dma_buf_hold *hold;
	pgoff_t last = *end - 1, from = *first;

	dma_resv_assert_held(dmabuf->resv);

	for (hold = first_hold(dmabuf, from, last); hold;
	     hold = next_hold(hold, from, last)) {
		if (!is_blocking(hold))
			continue;
		if (hold->node.start > index) {
			*end = hold->node.start;
			break;
		}
		*first = hold->node.last + 1;
	}
}

/**
 * dma_buf_exclusive_release - forget all, with the buffer
 * @dmabuf:	buffer without attachments
 *
 * Context: Any.
 */
void dma_buf_exclusive_release(struct dma_buf *dmabuf)
{
	struct dma_buf_hold *hold;

	while ((hold = first_hold(dmabuf, 0, ULONG_MAX)))
		hold_remove(dmabuf, hold);
}
