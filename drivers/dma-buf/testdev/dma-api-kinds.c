// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: the two kinds of DMA API memory
 */

#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-api.h"

static int coherent_alloc(struct dbt_dma_buffer *buf)
{
	int ret;

	buf->sgt = kzalloc_obj(*buf->sgt);
	if (!buf->sgt)
		return -ENOMEM;

	ret = -ENOMEM;
	buf->vaddr = dma_alloc_coherent(buf->dev, buf->size, &buf->dma_addr,
					GFP_KERNEL | __GFP_NOWARN);
	if (!buf->vaddr)
		goto err_sgt;

	ret = dma_get_sgtable(buf->dev, buf->sgt, buf->vaddr, buf->dma_addr,
			      buf->size);
	if (ret)
		goto err_memory;
	return 0;

err_memory:
	dma_free_coherent(buf->dev, buf->size, buf->vaddr, buf->dma_addr);
err_sgt:
	kfree(buf->sgt);
	return ret;
}

static void coherent_free(struct dbt_dma_buffer *buf)
{
	sg_free_table(buf->sgt);
	kfree(buf->sgt);
	dma_free_coherent(buf->dev, buf->size, buf->vaddr, buf->dma_addr);
}

static int coherent_mmap(struct dbt_dma_buffer *buf, struct vm_area_struct *vma)
{
	return dma_mmap_coherent(buf->dev, vma, buf->vaddr, buf->dma_addr,
				 buf->size);
}

static int coherent_vmap(struct dbt_dma_buffer *buf)
{
	return 0;
}

const struct dbt_dma_kind dbt_dma_coherent = {
	.alloc	= coherent_alloc,
	.free	= coherent_free,
	.mmap	= coherent_mmap,
	.vmap	= coherent_vmap,
};

static int noncontiguous_alloc(struct dbt_dma_buffer *buf)
{
	/* dma_alloc_coherent() clears the memory without being told. */
	buf->sgt = dma_alloc_noncontiguous(buf->dev, buf->size,
					   DMA_BIDIRECTIONAL, GFP_KERNEL |
					   __GFP_ZERO | __GFP_NOWARN, 0);
	return buf->sgt ? 0 : -ENOMEM;
}

static void noncontiguous_free(struct dbt_dma_buffer *buf)
{
	dma_free_noncontiguous(buf->dev, buf->size, buf->sgt,
			       DMA_BIDIRECTIONAL);
}

static int noncontiguous_mmap(struct dbt_dma_buffer *buf,
			      struct vm_area_struct *vma)
{
	return dma_mmap_noncontiguous(buf->dev, vma, buf->size, buf->sgt);
}

static int noncontiguous_vmap(struct dbt_dma_buffer *buf)
{
	buf->vaddr = dma_vmap_noncontiguous(buf->dev, buf->size, buf->sgt);
	return buf->vaddr ? 0 : -ENOMEM;
}

static void noncontiguous_vunmap(struct dbt_dma_buffer *buf)
{
	dma_vunmap_noncontiguous(buf->dev, buf->vaddr);
}

const struct dbt_dma_kind dbt_dma_noncontiguous = {
	.cached	= true,
	.alloc	= noncontiguous_alloc,
	.free	= noncontiguous_free,
	.mmap	= noncontiguous_mmap,
	.vmap	= noncontiguous_vmap,
	.vunmap	= noncontiguous_vunmap,
};
