// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revoked dma-bufs: the state
 */

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>

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
 * dma_buf_mark_revoked - record that access is taken away, or given back
 * @dmabuf:	the buffer
 * @revoked:	one of DMA_BUF_REVOKED_*
 *
 * For exporters that take access away by themselves. Mappings stay until the
 * exporter calls dma_buf_invalidate_mappings(), under the same hold of the
 * lock, and waits as described there. While the buffer is revoked,
 * dma_buf_dynamic_attach() and dma_buf_pin() fail with -ENODEV.
 *
 * %DMA_BUF_REVOKED_PERMANENT is final.
 *
 * Context: Process context. Holds the reservation lock.
 */
void dma_buf_mark_revoked(struct dma_buf *dmabuf, u32 revoked)
{
	dma_resv_assert_held(dmabuf->resv);

	if (WARN_ON_ONCE(revoked > DMA_BUF_REVOKED_PERMANENT))
		return;
	if (WARN_ON_ONCE(dmabuf->revoked == DMA_BUF_REVOKED_PERMANENT &&
			 revoked != DMA_BUF_REVOKED_PERMANENT))
		return;

	WRITE_ONCE(dmabuf->revoked, revoked);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mark_revoked, "DMA_BUF");
