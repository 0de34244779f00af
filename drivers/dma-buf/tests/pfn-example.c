// SPDX-License-Identifier: GPL-2.0-only
/* A complete exporter: Documentation/driver-api/dma-buf/pfn-ranges.rst */

#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/mm.h>

#include "pfn-example.h"

static int example_pfn_range(struct dma_buf *dmabuf, pgoff_t index,
			     struct dma_buf_pfn_range *range)
{
	struct page *pages = dmabuf->priv;

	range->nr = dmabuf->size >> PAGE_SHIFT;
	range->pfn = page_to_pfn(pages);
	range->flags = DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU;
	return 0;
}

static void example_release(struct dma_buf *dmabuf)
{
	__free_pages(dmabuf->priv, get_order(dmabuf->size));
}

static const struct dma_buf_ops example_ops = {
	.pfn_range = example_pfn_range,
	.release = example_release,
};

struct dma_buf *pfn_example_export(struct page *pages, size_t size)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = &example_ops;
	info.size = size;
	info.flags = O_RDWR;
	info.priv = pages;
	info.cpu_access = DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP;
	return dma_buf_export(&info);
}
