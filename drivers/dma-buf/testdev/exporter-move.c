// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: buffers that move and that are revoked
 */

#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/ww_mutex.h>

#include "test-device.h"

/*
 * With a ticket, as drivers that evict have one: importers use it to lock
 * objects of their own in invalidate_mappings.
 */
static int lock_with_ticket(struct dma_buf *dmabuf,
			    struct ww_acquire_ctx *ticket)
{
	int ret;

	ww_acquire_init(ticket, &reservation_ww_class);
	ret = dma_resv_lock_interruptible(dmabuf->resv, ticket);
	/* With no other lock held, this is CONFIG_DEBUG_WW_MUTEX_SLOWPATH. */
	if (ret == -EDEADLK)
		ret = dma_resv_lock_slow_interruptible(dmabuf->resv, ticket);
	if (ret)
		ww_acquire_fini(ticket);
	return ret;
}

static void unlock_with_ticket(struct dma_buf *dmabuf,
			       struct ww_acquire_ctx *ticket)
{
	dma_resv_unlock(dmabuf->resv);
	ww_acquire_fini(ticket);
}

static bool is_told(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->invalidate_mappings;
}

/*
 * Take the buffer away from importers and CPUs, to move it. Mappings that are open
 * afterwards may be read by devices and no longer written to. If the wait is
 * interrupted, they are as they were.
 */
static int stop_access(struct dma_buf *dmabuf)
{
	struct dbt_buffer *buf = dmabuf->priv;
	long ret;

	dma_resv_assert_held(dmabuf->resv);

	/* CPUs too: new faults wait for the lock that we hold. */
	dma_buf_invalidate_mappings(dmabuf);

	ret = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	/* It knows of the mappings, and we have none. */
	if (buf->flags & DMA_BUF_TEST_CORE_MAPS) {
		dma_buf_stop_mappings(dmabuf);
		return 0;
	}

	/* The last chance for what devices have written to bounce buffers. */
	dbt_sync_for_cpu(&buf->mappings);
	return 0;
}

/* Is an importer, though told to, not done with the memory from before? */
static bool is_late(const struct dma_buf_attachment *attach)
{
	const struct dma_buf_pfn_mapping *pfn;
	const struct dma_buf_mapping *mapping;

	for (mapping = attach->mappings; mapping; mapping = mapping->next)
		if (mapping->stale)
			return true;
	hlist_for_each_entry(pfn, &attach->pfn_mappings, node)
		if (pfn->stale)
			return true;
	return false;
}

/**
 * dbt_buffer_free_old - give back the memory from before moves
 * @dmabuf:	a buffer of ours; nothing is done while an importer is late
 *
 * Context: Process context. Holds the reservation lock.
 */
void dbt_buffer_free_old(struct dma_buf *dmabuf)
{
	struct dbt_buffer *buf = dmabuf->priv;
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (is_late(attach))
			return;
	dbt_backing_put_all(&buf->old);
}

/*
 * Does anybody have a mapping that the core can't stop? An importer without
 * invalidate_mappings should have pinned.
 */
static bool has_unstoppable(const struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (!is_told(attach) && attach->mappings)
			return true;
	return false;
}

/* On success, *@backing is in use, and NULL afterwards. */
static int move_locked(struct dma_buf *dmabuf, struct dbt_backing **backing)
{
	struct dbt_buffer *buf = dmabuf->priv;
	struct dma_buf_pfn_range range = {};
	struct dbt_mapping *map;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (dma_buf_revoke_state(dmabuf))
		return -ENODEV;
	if (atomic_read(&buf->counts.pins) || dmabuf->vmapping_counter)
		return -EBUSY;
	if (buf->flags & DMA_BUF_TEST_CORE_MAPS && has_unstoppable(dmabuf))
		return -EBUSY;
	/* A PCI device whose memory it is may be gone. */
	ret = dbt_backing_range(buf->backing, 0, &range);
	if (ret)
		return ret;

	ret = stop_access(dmabuf);
	if (ret)
		return ret;

	dbt_backing_copy(*backing, buf->backing);
	list_add(&buf->backing->node, &buf->old);
	buf->backing = no_free_ptr(*backing);
	dbt_buffer_free_old(dmabuf);

	/* Also of importers that mapped without a pin and can't be told. */
	list_for_each_entry(map, &buf->mappings, node)
		map->stale = true;
	atomic_inc(&buf->counts.moves);
	return 0;
}

static long buffer_move(struct dma_buf *dmabuf)
{
	struct dbt_buffer *buf = dmabuf->priv;
	struct ww_acquire_ctx ticket;
	struct dbt_backing *backing;
	int ret;

	if (!(dma_buf_offered_modes(dmabuf) & DMA_BUF_MODE_MOVABLE))
		return -EOPNOTSUPP;

	/* While the old pages are there still, so that these are others. */
	backing = dbt_backing_alloc(buf->kind, dmabuf->size >> PAGE_SHIFT);
	if (IS_ERR(backing))
		return PTR_ERR(backing);

	ret = lock_with_ticket(dmabuf, &ticket);
	if (!ret) {
		ret = move_locked(dmabuf, &backing);
		unlock_with_ticket(dmabuf, &ticket);
	}
	/* The buffer has stayed where it is. */
	if (backing)
		dbt_backing_put(backing);
	return ret;
}

long dbt_ioctl_move(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf *dmabuf;
	long ret;

	dmabuf = dbt_buffer_get(arg->buffer.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = buffer_move(dmabuf);
	dma_buf_put(dmabuf);
	return ret;
}

static int buffer_revoke(struct dma_buf *dmabuf,
			 const struct dma_buf_test_revoke *arg)
{
	unsigned long timeout = msecs_to_jiffies(arg->timeout_ms);
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	switch (arg->revoked) {
	case DMA_BUF_REVOKED_NO:
		if (!mutex_trylock(&buf->revoke_lock))
			return -EBUSY;
		ret = dma_buf_unrevoke(dmabuf);
		break;
	case DMA_BUF_REVOKED_NOW:
		return dma_buf_revoke_timeout(dmabuf, timeout);
	default:
		if (mutex_lock_interruptible(&buf->revoke_lock))
			return -EINTR;
		/*
		 * The second has no timeout, and finds nothing to wait for, as
		 * nobody gives the buffer back in between.
		 */
		ret = dma_buf_revoke_timeout(dmabuf, timeout);
		if (!ret)
			ret = dma_buf_revoke_permanently(dmabuf);
		break;
	}
	mutex_unlock(&buf->revoke_lock);
	return ret;
}

long dbt_ioctl_revoke(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf *dmabuf;
	long ret;

	if (arg->revoke.revoked > DMA_BUF_REVOKED_PERMANENT ||
	    arg->revoke.timeout_ms > DBT_MAX_DELAY_MS || arg->revoke.reserved)
		return -EINVAL;

	dmabuf = dbt_buffer_get(arg->revoke.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = buffer_revoke(dmabuf, &arg->revoke);
	dma_buf_put(dmabuf);
	return ret;
}
