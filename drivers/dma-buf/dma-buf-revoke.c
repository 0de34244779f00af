// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revoked dma-bufs: the state
 */

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "dma-buf-internal.h"

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

/**
 * dma_buf_mark_revoked - record that access is taken away, or given back
 * @dmabuf:	buffer that offers %DMA_BUF_MODE_REVOCABLE
 * @revoked:	one of DMA_BUF_REVOKED_*
 *
 * For exporters that take access away by themselves. Mappings stay until the
 * exporter calls dma_buf_invalidate_mappings(), under the same hold of the
 * lock, and waits as described there. While the buffer is revoked,
 * dma_buf_dynamic_attach(), dma_buf_pin(), dma_buf_map_attachment() and
 * dma_buf_vmap() fail with -ENODEV.
 *
 * %DMA_BUF_REVOKED_PERMANENT is final.
 *
 * A buffer that offers other modes, too, can't be revoked while there is an
 * attachment of another mode, or a vmap. If %DMA_BUF_MODE_REVOCABLE is all that
 * is offered, there are none, and marking the buffer doesn't fail.
 *
 * Context: Process context. Holds the reservation lock.
 * Return: 0, or an error and nothing has changed: -EBUSY if an attachment or a
 * vmap relies on access, -EINVAL if the buffer doesn't offer
 * %DMA_BUF_MODE_REVOCABLE; also -EINVAL, with a WARN, if @revoked is unknown or
 * the buffer was revoked for good.
 */
int dma_buf_mark_revoked(struct dma_buf *dmabuf, u32 revoked)
{
	dma_resv_assert_held(dmabuf->resv);

	if (WARN_ON_ONCE(revoked > DMA_BUF_REVOKED_PERMANENT))
		return -EINVAL;
	if (WARN_ON_ONCE(dmabuf->revoked == DMA_BUF_REVOKED_PERMANENT &&
			 revoked != DMA_BUF_REVOKED_PERMANENT))
		return -EINVAL;

	if (!(dma_buf_offered_modes(dmabuf) & DMA_BUF_MODE_REVOCABLE))
		return -EINVAL;
	if (revoked != DMA_BUF_REVOKED_NO && is_promised(dmabuf))
		return -EBUSY;

	WRITE_ONCE(dmabuf->revoked, revoked);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mark_revoked, "DMA_BUF");

static bool is_mapped(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	bool mapped;

	dma_resv_lock(dmabuf->resv, NULL);
	mapped = dmabuf->nr_pfn_mappings;
	list_for_each_entry(attach, &dmabuf->attachments, node)
		mapped |= !!attach->mappings;
	dma_resv_unlock(dmabuf->resv);
	return mapped;
}

/**
 * dma_buf_wait_unmapped - wait until no importer has a buffer mapped
 * @dmabuf:	buffer that is revoked
 *
 * For exporters that have called dma_buf_mark_revoked() and
 * dma_buf_invalidate_mappings(), so that there are no new mappings. Importers
 * that accept %DMA_BUF_MODE_REVOCABLE unmap in bounded time, and close their PFN
 * mappings. The exporter's unmap op has returned when this function does.
 *
 * Context: Process context, sleeps. The reservation lock is not held, nor a lock
 * that an importer needs to unmap.
 */
void dma_buf_wait_unmapped(struct dma_buf *dmabuf)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	/* Without it, nobody wakes this up. */
	if (WARN_ON_ONCE(!dma_buf_revoke_state(dmabuf)))
		return;

	/* The condition takes a lock that sleeps. */
	add_wait_queue(&dmabuf->unmapped, &wait);
	while (is_mapped(dmabuf))
		wait_woken(&wait, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(&dmabuf->unmapped, &wait);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_wait_unmapped, "DMA_BUF");

/**
 * dma_buf_wake_unmapped - tell dma_buf_wait_unmapped() that a mapping is gone
 * @dmabuf:	the buffer
 *
 * Context: Holds the reservation lock.
 */
void dma_buf_wake_unmapped(struct dma_buf *dmabuf)
{
	dma_resv_assert_held(dmabuf->resv);

	wake_up_all(&dmabuf->unmapped);
}
