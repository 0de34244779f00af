// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: an mmap op that breaks the rules
 */

#include <linux/dma-resv.h>
#include <linux/mm.h>

#include "test-device.h"

/**
 * dbt_buffer_mmap - the mmap op of buffers with %DMA_BUF_TEST_MMAP_INSERT_PAGE
 * @dmabuf:	a buffer of ours
 * @vma:	VMA to map it in
 *
 * Does what dma-bufs must not do: the page is within reach of
 * get_user_pages(). The core refuses the mapping.
 *
 * Context: Process context, holds the mmap_lock for writing.
 * Return: 0 or an error.
 */
int dbt_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = vm_insert_page(vma, vma->vm_start,
			     buf->backing->pages[vma->vm_pgoff]);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}
