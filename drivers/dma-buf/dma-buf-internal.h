/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the dma-buf core share with each other and with no
 * driver.
 */

#ifndef _DMA_BUF_INTERNAL_H
#define _DMA_BUF_INTERNAL_H

#include <linux/types.h>

struct dma_buf;
struct vm_area_struct;

/* dma-buf-mmap.c */
int dma_buf_mmap_exporter(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* dma-buf-offence.c */
bool dma_buf_first_offence(const char *rule, const char *name,
			   const char *owner);

#endif /* _DMA_BUF_INTERNAL_H */
