/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dma-buf test device: buffers of DMA API memory
 */

#ifndef _DMA_BUF_TEST_DMA_API_H
#define _DMA_BUF_TEST_DMA_API_H

#include <linux/list.h>
#include <linux/types.h>

struct device;
struct page;
struct sg_table;
struct vm_area_struct;

/**
 * struct dbt_dma_buffer - &dma_buf.priv of a buffer of DMA API memory
 * @kind:	how the memory was allocated
 * @dev:	the device that it was allocated for, with a reference
 * @size:	in bytes, whole pages
 * @sgt:	the memory
 * @dma_addr:	address for @dev; only if coherent
 * @vaddr:	address for the kernel; if noncontiguous only while there is a
 *		vmap, and then under the reservation lock
 * @mappings:	&struct dbt_mapping of importers, under the reservation lock
 * @nr_pages:	@size in pages
 * @pages:	the pages of @sgt
 */
struct dbt_dma_buffer {
	const struct dbt_dma_kind *kind;
	struct device *dev;
	size_t size;
	struct sg_table *sgt;
	dma_addr_t dma_addr;
	void *vaddr;
	struct list_head mappings;
	unsigned long nr_pages;
	struct page *pages[] __counted_by(nr_pages);
};

/**
 * struct dbt_dma_kind - a kind of memory that the DMA API has
 * @cached:	content has to be handed over between CPU and devices
 * @alloc:	sets @sgt, and what else the kind has
 * @free:	undoes @alloc
 * @mmap:	maps all of the buffer that the VMA asks for
 * @vmap:	sets @vaddr if it isn't, or returns an error
 * @vunmap:	undoes @vmap, or NULL
 *
 * They are called while the device is there.
 */
struct dbt_dma_kind {
	bool cached;
	int (*alloc)(struct dbt_dma_buffer *buf);
	void (*free)(struct dbt_dma_buffer *buf);
	int (*mmap)(struct dbt_dma_buffer *buf, struct vm_area_struct *vma);
	int (*vmap)(struct dbt_dma_buffer *buf);
	void (*vunmap)(struct dbt_dma_buffer *buf);
};

/* dma-api-kinds.c */
extern const struct dbt_dma_kind dbt_dma_coherent;
extern const struct dbt_dma_kind dbt_dma_noncontiguous;

#endif /* _DMA_BUF_TEST_DMA_API_H */
