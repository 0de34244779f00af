/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DMA_BUF_PFN_EXAMPLE_H
#define _DMA_BUF_PFN_EXAMPLE_H

#include <linux/types.h>

struct dma_buf;
struct page;

/* @pages of alloc_pages(), given back at release; kept by the caller on an error */
struct dma_buf *pfn_example_export(struct page *pages, size_t size);

#endif /* _DMA_BUF_PFN_EXAMPLE_H */
