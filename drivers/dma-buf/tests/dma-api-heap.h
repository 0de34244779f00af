/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf heaps of DMA API memory, for tests
 */
#ifndef _DMA_API_HEAP_H
#define _DMA_API_HEAP_H

#include <linux/list.h>
#include <linux/types.h>

struct device;
struct dma_buf;
struct dma_buf_ops;
struct sg_table;

/**
 * struct dma_api_buffer - what a dma-buf of the heaps is made of
 * @kind:	how the memory was allocated
 * @dev:	the device that it was allocated for
 * @size:	in bytes, whole pages
 * @sgt:	the pages
 * @dma_addr:	address for @dev; only if coherent
 * @vaddr:	address for the kernel; if noncontiguous only while there is a
 *		vmap, and then under the reservation lock
 * @maps:	mappings of importers, under the reservation lock
 */
struct dma_api_buffer {
	const struct dma_api_kind *kind;
	struct device *dev;
	size_t size;
	struct sg_table *sgt;
	dma_addr_t dma_addr;
	void *vaddr;
	struct list_head maps;
};

/**
 * struct dma_api_kind - a kind of memory that the DMA API has
 * @ops:	of its dma-bufs
 * @alloc:	allocates memory for @dev and @size of the buffer
 * @free:	undoes @alloc
 */
struct dma_api_kind {
	const struct dma_buf_ops *ops;
	int (*alloc)(struct dma_api_buffer *buf);
	void (*free)(struct dma_api_buffer *buf);
};

/* dma-api-buffer.c */
extern const struct dma_api_kind dma_api_coherent;
extern const struct dma_api_kind dma_api_noncontiguous;

/* dma-api-heap.c */
void dma_api_buffer_release(struct dma_buf *dmabuf);

#endif /* _DMA_API_HEAP_H */
