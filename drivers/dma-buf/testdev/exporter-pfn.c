// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: where its buffers are
 */

#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pci-p2pdma.h>
#include <linux/pfn.h>

#include "test-device.h"

/* For answers that are wrong, so that nobody gets to use it */
static struct p2pdma_provider no_provider;

/* Changes @range, which is right. Return: what the op returns. */
static int lie_about(u32 lie, unsigned long nr_pages, pgoff_t index,
		     struct dma_buf_pfn_range *range)
{
	switch (lie) {
	case DMA_BUF_TEST_LIE_EMPTY:
		range->nr = 0;
		break;
	case DMA_BUF_TEST_LIE_BEYOND:
		range->nr = nr_pages - range->first + 1;
		break;
	case DMA_BUF_TEST_LIE_WRAPS:
		range->first = index;
		range->nr = ULONG_MAX - index + 1;
		break;
	case DMA_BUF_TEST_LIE_OTHER:
		range->first = index ? index - 1 : 1;
		range->nr = 1;
		break;
	case DMA_BUF_TEST_LIE_PFN_WRAPS:
		range->pfn = ULONG_MAX;
		break;
	case DMA_BUF_TEST_LIE_PFN_HIGH:
		range->pfn = PHYS_PFN(PHYS_ADDR_MAX) + 1;
		break;
	case DMA_BUF_TEST_LIE_FLAGS:
		range->flags |= BIT(31);
		break;
	case DMA_BUF_TEST_LIE_CACHING:
		range->caching = DMA_BUF_UNCACHED + 1;
		break;
	case DMA_BUF_TEST_LIE_RAM_PROVIDER:
		range->flags |= DMA_BUF_PFN_PAGES;
		range->provider = &no_provider;
		break;
	case DMA_BUF_TEST_LIE_NO_PAGES:
		range->flags |= DMA_BUF_PFN_PAGES;
		range->provider = NULL;
		range->pfn = PHYS_PFN(PHYS_ADDR_MAX) - nr_pages;
		break;
	case DMA_BUF_TEST_LIE_NO_PROVIDER:
		range->flags &= ~DMA_BUF_PFN_PAGES;
		range->provider = NULL;
		break;
	case DMA_BUF_TEST_LIE_DECRYPTED:
		range->flags &= ~DMA_BUF_PFN_PAGES;
		range->flags |= DMA_BUF_PFN_DECRYPTED;
		range->provider = &no_provider;
		break;
	case DMA_BUF_TEST_LIE_POSITIVE:
		return 1;
	case DMA_BUF_TEST_LIE_ERROR:
		return -ENOSPC;
	}
	return 0;
}

/* From the last page to the first, one by one */
static void turn_round(const struct dbt_backing *backing, pgoff_t index,
		       struct dma_buf_pfn_range *range)
{
	range->first = index;
	range->nr = 1;
	range->pfn = page_to_pfn(backing->pages[backing->nr_pages - 1 - index]);
}

/**
 * dbt_buffer_pfn_range - the pfn_range op
 * @dmabuf:	a buffer of ours
 * @index:	page index in the buffer
 * @range:	the range of the backing that the page is in
 *
 * Context: Holds the reservation lock.
 * Return: 0, -ENODEV if it was memory of a PCI device that is gone, or what
 * %DMA_BUF_TEST_LIE has asked for.
 */
int dbt_buffer_pfn_range(struct dma_buf *dmabuf, pgoff_t index,
			 struct dma_buf_pfn_range *range)
{
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	atomic_inc(&buf->counts.asks);
	ret = dbt_backing_range(buf->backing, index, range);
	if (ret || !buf->lie)
		return ret;

	/* Most lies are about PFNs. */
	if (range->pages) {
		range->pages = NULL;
		range->first = index;
		range->nr = 1;
		range->pfn = page_to_pfn(buf->backing->pages[index]);
	}
	if (index < buf->lie_first) {
		range->nr = min(range->nr, buf->lie_first - range->first);
		return 0;
	}
	if (buf->lie != DMA_BUF_TEST_LIE_CHANGES)
		return lie_about(buf->lie, buf->backing->nr_pages, index, range);
	if (!index)
		buf->turned = !buf->turned;
	if (buf->turned)
		turn_round(buf->backing, index, range);
	return 0;
}

long dbt_ioctl_lie(struct dbt_file *file, union dbt_arg *arg)
{
	u32 lie = arg->lie.lie;
	struct dma_buf *dmabuf;
	struct dbt_buffer *buf;
	long ret = -EINVAL;

	if (lie > DMA_BUF_TEST_LIE_CHANGES)
		return -EINVAL;
	if (lie == DMA_BUF_TEST_LIE_CHANGES && arg->lie.first)
		return -EINVAL;
	dmabuf = dbt_buffer_get(arg->lie.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	buf = dmabuf->priv;
	if (lie == DMA_BUF_TEST_LIE_CHANGES && dbt_is_mmio(buf->kind))
		goto out;
	if (lie == DMA_BUF_TEST_LIE_OTHER && dmabuf->size == PAGE_SIZE)
		goto out;
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto out;
	buf->lie = lie;
	buf->lie_first = min(arg->lie.first, dmabuf->size >> PAGE_SHIFT);
	dma_resv_unlock(dmabuf->resv);
out:
	dma_buf_put(dmabuf);
	return ret;
}
