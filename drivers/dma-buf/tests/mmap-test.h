/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DMA_BUF_MMAP_TEST_H
#define _DMA_BUF_MMAP_TEST_H

struct dma_buf;

/* mmap-example.c */
struct dma_buf *example_export(unsigned long nr_pages);

#endif /* _DMA_BUF_MMAP_TEST_H */
