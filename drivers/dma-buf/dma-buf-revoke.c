// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revoke and unrevoke: an exporter takes access to a buffer away, and gives it
 * back
 */

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/mmap_lock.h>
#include <linux/poll.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/ww_mutex.h>

#include "dma-buf-internal.h"

/**
 * DOC: revoke
 *
 * Memory of a device goes away when the device is reset, put to sleep or unbound,
 * whoever has imported it. The exporter takes it away before, in one call, and
 * gives it back in another::
 *
 *	ret = dma_buf_revoke(dmabuf);
 *	if (ret)
 *		return ret;
 *	reset_the_device();
 *	ret = dma_buf_unrevoke(dmabuf);
 *
 * A buffer that can be revoked offers %DMA_BUF_MODE_REVOCABLE. If it offers
 * nothing else, all importers have accepted that, and a revoke doesn't fail. If
 * it offers other modes, too, an importer may have been given one of them, and
 * the revoke fails with -EBUSY until it detaches. The same goes for a vmap.
 *
 * When dma_buf_revoke() returns, no device and no CPU has access by anything that
 * dma-buf knows of:
 *
 * - importers were told by &dma_buf_attach_ops.invalidate_mappings, their fences
 *   have signalled, and they have unmapped,
 * - CPU mappings that the core has made (%DMA_BUF_CPU_MMAP) are empty, and access
 *   by them ends with SIGBUS.
 *
 * Until dma_buf_unrevoke(), who attaches, maps, pins or vmaps the buffer, opens a
 * PFN mapping or begins CPU access gets -ENODEV. poll() returns EPOLLERR. After
 * it, an importer maps again when it needs the buffer, or out of
 * &dma_buf_attach_ops.restored, and CPU mappings work as before.
 *
 * An importer unmaps in invalidate_mappings, or soon after from a worker that
 * takes no lock but the reservation lock. It must not need a process for that:
 * the exporter may hold locks that processes wait for, with the mmap_lock held.
 */

#ifdef CONFIG_LOCKDEP
/*
 * Held while a revoke waits for importers. The reservation lock nests inside, and
 * so do the locks that importers take under it, see
 * dma_buf_importer_might_lock(). What the exporter holds is outside.
 */
struct lockdep_map dma_buf_revoke_lockdep_map =
	STATIC_LOCKDEP_MAP_INIT("dma_buf_revoke", &dma_buf_revoke_lockdep_map);
#endif

/**
 * dma_buf_revoke_state - has access to a buffer been taken away?
 * @dmabuf:	the buffer
 *
 * Context: Any. Without the reservation lock the answer may be out of date as
 * soon as it is given.
 * Return: one of DMA_BUF_REVOKED_*; %DMA_BUF_REVOKED_NO is 0.
 */
u32 dma_buf_revoke_state(const struct dma_buf *dmabuf)
{
	return READ_ONCE(dmabuf->revoked);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke_state, "DMA_BUF");

/**
 * dma_buf_revoke_check_vmap - may the kernel map a buffer for itself?
 * @dmabuf:	the buffer
 *
 * A vmap lasts until its user gives it up. So there is none of a buffer that
 * offers %DMA_BUF_MODE_REVOCABLE alone, whose revoke must not fail.
 *
 * Context: Holds the reservation lock.
 * Return: 0, -ENODEV while the buffer is revoked, or -EOPNOTSUPP.
 */
int dma_buf_revoke_check_vmap(const struct dma_buf *dmabuf)
{
	dma_resv_assert_held(dmabuf->resv);

	if (dmabuf->revoked)
		return -ENODEV;
	if (dma_buf_offered_modes(dmabuf) == DMA_BUF_MODE_REVOCABLE)
		return -EOPNOTSUPP;
	return 0;
}

/* Has anybody been promised that the buffer stays accessible? */
static bool is_promised(const struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (attach->mode != DMA_BUF_MODE_REVOCABLE && !attach->retired)
			return true;
	return dmabuf->vmapping_counter;
}

/* With a ticket: importers lock objects of their own in the callbacks. */
static void lock_with_ticket(struct dma_buf *dmabuf,
			     struct ww_acquire_ctx *ticket)
{
	ww_acquire_init(ticket, &reservation_ww_class);
	/* With no other lock held, this is CONFIG_DEBUG_WW_MUTEX_SLOWPATH. */
	if (dma_resv_lock(dmabuf->resv, ticket) == -EDEADLK)
		dma_resv_lock_slow(dmabuf->resv, ticket);
}

static void unlock_with_ticket(struct dma_buf *dmabuf,
			       struct ww_acquire_ctx *ticket)
{
	dma_resv_unlock(dmabuf->resv);
	ww_acquire_fini(ticket);
}

/* While the buffer is revoked, there are no new ones. */
static size_t count_mappings(const struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	size_t nr = dmabuf->nr_pfn_mappings;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		nr += dma_buf_attach_nr_mappings(attach);
	return nr;
}

/* Change the state and tell everybody. */
static int take_away(struct dma_buf *dmabuf, u32 state)
{
	u32 before = dmabuf->revoked;

	if (!(dma_buf_offered_modes(dmabuf) & DMA_BUF_MODE_REVOCABLE))
		return -EINVAL;
	if (!before && is_promised(dmabuf))
		return -EBUSY;

	/* What is permanent stays so. */
	static_assert(DMA_BUF_REVOKED_PERMANENT > DMA_BUF_REVOKED_NOW);
	if (state > before)
		WRITE_ONCE(dmabuf->revoked, state);
	if (!before) {
		dmabuf->revoke_is_idle = false;
		dmabuf->nr_revoked_mappings = count_mappings(dmabuf);
		dma_buf_invalidate_mappings(dmabuf);
	}
	if (state > before)
		wake_up_poll(&dmabuf->poll, EPOLLERR | EPOLLHUP);
	return 0;
}

/*
 * The rest of @timeout, or 0. Not by the wait op of the fence's driver, which may
 * fail: radeon's does when the GPU is to be reset.
 */
static long wait_for_fence(struct dma_fence *fence, long timeout)
{
	if (timeout <= 0)
		return 0;
	dma_fence_enable_signaling(fence);
	return dma_fence_default_wait(fence, false, timeout);
}

/* Fences that a revoke waits for, without the reservation lock */
struct fence_list {
	struct dma_fence **fences;
	unsigned int nr;
};

/*
 * Take those that are there now: userspace may add others, for ever. Without
 * memory for a list of them, wait here, where nobody can add one. Return: the
 * rest of @timeout, or 0.
 */
static long take_fences(struct dma_buf *dmabuf, struct fence_list *list,
			long timeout)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	/* A revoke before this one has waited. What came later, came later. */
	if (dmabuf->revoke_is_idle)
		return timeout;
	if (!dma_resv_get_fences(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				 &list->nr, &list->fences))
		return timeout;
	dma_resv_for_each_fence(&cursor, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				fence)
		timeout = wait_for_fence(fence, timeout);
	return timeout;
}

static long wait_for_fences(struct fence_list *list, long timeout)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++) {
		timeout = wait_for_fence(list->fences[i], timeout);
		dma_fence_put(list->fences[i]);
	}
	kfree(list->fences);
	return timeout;
}

/* Userspace has made a revoke fail: a message, and no WARN */
static void tell_who_is_late(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	if (!dmabuf->revoke_is_idle)
		pr_warn("dma-buf: revoke of a buffer of %s: a fence has not signalled\n",
			dmabuf->exp_name);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (attach->mappings || !hlist_empty(&attach->pfn_mappings))
			pr_warn("dma-buf: revoke of a buffer of %s: importer %s (%s) has not unmapped\n",
				dmabuf->exp_name, dma_buf_attach_driver(attach),
				dma_buf_attachment_name(attach));
}

static int revoke(struct dma_buf *dmabuf, u32 state, long timeout)
{
	struct fence_list fences = {};
	struct ww_acquire_ctx ticket;
	int ret;

	might_sleep();
	if (current->mm)
		lockdep_assert_not_held(&current->mm->mmap_lock);

	lock_with_ticket(dmabuf, &ticket);
	ret = take_away(dmabuf, state);
	if (ret) {
		unlock_with_ticket(dmabuf, &ticket);
		return ret;
	}
	dmabuf->nr_revokes++;
	timeout = take_fences(dmabuf, &fences, timeout);
	unlock_with_ticket(dmabuf, &ticket);

	lock_map_acquire(&dma_buf_revoke_lockdep_map);
	timeout = wait_for_fences(&fences, timeout);
	if (timeout > 0)
		wait_event_timeout(dmabuf->unmapped,
				   !READ_ONCE(dmabuf->nr_revoked_mappings),
				   timeout);

	dma_resv_lock(dmabuf->resv, NULL);
	if (timeout > 0)
		dmabuf->revoke_is_idle = true;
	dmabuf->nr_revokes--;
	if (!dmabuf->revoke_is_idle || dmabuf->nr_revoked_mappings) {
		tell_who_is_late(dmabuf);
		ret = -ETIMEDOUT;
	}
	dma_resv_unlock(dmabuf->resv);
	lock_map_release(&dma_buf_revoke_lockdep_map);
	return ret;
}

/**
 * dma_buf_revoke - take access to a buffer away
 * @dmabuf:	buffer that offers %DMA_BUF_MODE_REVOCABLE
 *
 * Returns when neither a device nor a CPU has access by a mapping that dma-buf
 * knows of, see the overview. If the buffer is revoked already, it waits for
 * that. If nothing but %DMA_BUF_MODE_REVOCABLE is offered, it doesn't fail.
 *
 * The buffer may be one whose file is being released.
 *
 * Context: Process context, sleeps until importers have unmapped. The caller
 * holds no reservation lock, no mmap_lock, and no lock that an importer needs to
 * unmap.
 * Return: 0, or an error and nothing has changed: -EINVAL if the buffer doesn't
 * offer %DMA_BUF_MODE_REVOCABLE, -EBUSY while an attachment of another mode or a
 * vmap relies on access.
 */
int dma_buf_revoke(struct dma_buf *dmabuf)
{
	return revoke(dmabuf, DMA_BUF_REVOKED_NOW, MAX_SCHEDULE_TIMEOUT);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke, "DMA_BUF");

/**
 * dma_buf_revoke_timeout - take access to a buffer away, and don't wait for ever
 * @dmabuf:	buffer that offers %DMA_BUF_MODE_REVOCABLE
 * @timeout:	how long to wait for importers, in jiffies
 *
 * Like dma_buf_revoke(). After -ETIMEDOUT the buffer stays revoked, a device may
 * still have access, and the log names the importer. Call it again to wait
 * again. dma_buf_unrevoke() fails until the last mapping is gone.
 *
 * Context: As dma_buf_revoke().
 * Return: 0, -ETIMEDOUT, or an error and nothing has changed: -EINVAL or -EBUSY as
 * dma_buf_revoke().
 */
int dma_buf_revoke_timeout(struct dma_buf *dmabuf, unsigned long timeout)
{
	/* 0 would not even ask whether all is done. */
	return revoke(dmabuf, DMA_BUF_REVOKED_NOW,
		      clamp(timeout, 1UL, MAX_SCHEDULE_TIMEOUT - 1UL));
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke_timeout, "DMA_BUF");

/**
 * dma_buf_revoke_permanently - take access to a buffer away for good
 * @dmabuf:	buffer that offers %DMA_BUF_MODE_REVOCABLE
 *
 * Like dma_buf_revoke(), when the memory is not coming back: the device is gone,
 * or the buffer is released. dma_buf_unrevoke() fails from now on, and userspace
 * sees EPOLLHUP.
 *
 * Context: As dma_buf_revoke().
 * Return: As dma_buf_revoke().
 */
int dma_buf_revoke_permanently(struct dma_buf *dmabuf)
{
	return revoke(dmabuf, DMA_BUF_REVOKED_PERMANENT, MAX_SCHEDULE_TIMEOUT);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_revoke_permanently, "DMA_BUF");

/**
 * dma_buf_unrevoke - give access to a buffer back
 * @dmabuf:	the buffer
 *
 * The buffer is where it was, or where the exporter says it is now. Calls
 * &dma_buf_attach_ops.restored of the importers. Does nothing if the buffer is
 * not revoked.
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 * Return: 0, -EBUSY while a revoke waits, or while mappings are left that one has
 * not waited for, or -ENODEV if the buffer is revoked for good.
 */
int dma_buf_unrevoke(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct ww_acquire_ctx ticket;
	int ret = 0;

	lock_with_ticket(dmabuf, &ticket);
	if (dmabuf->revoked == DMA_BUF_REVOKED_PERMANENT) {
		ret = -ENODEV;
	} else if (dmabuf->nr_revokes || dmabuf->nr_revoked_mappings) {
		ret = -EBUSY;
	} else if (dmabuf->revoked) {
		/* First: importers may map in the callback. */
		WRITE_ONCE(dmabuf->revoked, DMA_BUF_REVOKED_NO);
		list_for_each_entry(attach, &dmabuf->attachments, node)
			dma_buf_attach_restored(attach);
		wake_up_poll(&dmabuf->poll, EPOLLIN | EPOLLOUT);
	}
	unlock_with_ticket(dmabuf, &ticket);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unrevoke, "DMA_BUF");

/**
 * dma_buf_revoke_unmapped - count a mapping that is gone
 * @dmabuf:	buffer that is revoked
 *
 * Context: Holds the reservation lock.
 */
void dma_buf_revoke_unmapped(struct dma_buf *dmabuf)
{
	dma_resv_assert_held(dmabuf->resv);

	WRITE_ONCE(dmabuf->nr_revoked_mappings, dmabuf->nr_revoked_mappings - 1);
	if (!dmabuf->nr_revoked_mappings)
		wake_up_all(&dmabuf->unmapped);
}
