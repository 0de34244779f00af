// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf heaps of DMA API memory, for tests: the two kinds of buffers
 */

#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-api-heap.h"

/* A mapping that an importer holds */
struct buffer_map {
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
	struct list_head node;
};

/*
 * DMA_ATTR_SKIP_CPU_SYNC, because the exporter's device has the pages mapped
 * all the time: handing over the content is left to the caller.
 */
static struct sg_table *map_pages(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	struct dma_api_buffer *buf = attach->dmabuf->priv;
	struct scatterlist *from, *to;
	struct buffer_map *map;
	int i, ret;

	map = kzalloc_obj(*map);
	if (!map)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table(&map->sgt, buf->sgt->orig_nents, GFP_KERNEL);
	if (ret)
		goto err_free;

	to = map->sgt.sgl;
	for_each_sgtable_sg(buf->sgt, from, i) {
		sg_set_page(to, sg_page(from), from->length, from->offset);
		to = sg_next(to);
	}

	ret = dma_map_sgtable(attach->dev, &map->sgt, dir,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_table;

	map->dev = attach->dev;
	map->dir = dir;
	list_add(&map->node, &buf->maps);
	return &map->sgt;

err_table:
	sg_free_table(&map->sgt);
err_free:
	kfree(map);
	return ERR_PTR(ret);
}

static void unmap_pages(struct dma_buf_attachment *attach,
			struct sg_table *sgt, enum dma_data_direction dir)
{
	struct buffer_map *map = container_of(sgt, struct buffer_map, sgt);

	list_del(&map->node);
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(map);
}

/* Coherent memory: nobody has to be told of what others write */

static int coherent_alloc(struct dma_api_buffer *buf)
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

static void coherent_free(struct dma_api_buffer *buf)
{
	sg_free_table(buf->sgt);
	kfree(buf->sgt);
	dma_free_coherent(buf->dev, buf->size, buf->vaddr, buf->dma_addr);
}

static int coherent_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	/* Or, behind an IOMMU, the DMA API maps pages */
	vm_flags_set(vma, VM_PFNMAP);

	return dma_mmap_coherent(buf->dev, vma, buf->vaddr, buf->dma_addr,
				 buf->size);
}

static int coherent_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	iosys_map_set_vaddr(map, buf->vaddr);
	return 0;
}

static const struct dma_buf_ops coherent_ops = {
	.map_dma_buf = map_pages,
	.unmap_dma_buf = unmap_pages,
	.mmap = coherent_mmap,
	.vmap = coherent_vmap,
	.release = dma_api_buffer_release,
};

const struct dma_api_kind dma_api_coherent = {
	.ops = &coherent_ops,
	.alloc = coherent_alloc,
	.free = coherent_free,
};

/* Noncontiguous memory: cached, and handed over between CPU and devices */

static int noncontiguous_alloc(struct dma_api_buffer *buf)
{
	/* dma_alloc_coherent() clears the memory without being told. */
	buf->sgt = dma_alloc_noncontiguous(buf->dev, buf->size,
					   DMA_BIDIRECTIONAL, GFP_KERNEL |
					   __GFP_ZERO | __GFP_NOWARN, 0);
	return buf->sgt ? 0 : -ENOMEM;
}

static void noncontiguous_free(struct dma_api_buffer *buf)
{
	dma_free_noncontiguous(buf->dev, buf->size, buf->sgt,
			       DMA_BIDIRECTIONAL);
}

static struct sg_table *noncontiguous_map(struct dma_buf_attachment *attach,
					  enum dma_data_direction dir)
{
	struct sg_table *sgt = map_pages(attach, dir);

	if (!IS_ERR(sgt))
		dma_sync_sgtable_for_device(attach->dev, sgt, dir);
	return sgt;
}

static void noncontiguous_unmap(struct dma_buf_attachment *attach,
				struct sg_table *sgt,
				enum dma_data_direction dir)
{
	dma_sync_sgtable_for_cpu(attach->dev, sgt, dir);
	unmap_pages(attach, sgt, dir);
}

/* A mapping is synced in its own direction, as it may not have the CPU's. */
static int noncontiguous_begin_cpu_access(struct dma_buf *dmabuf,
					  enum dma_data_direction dir)
{
	struct dma_api_buffer *buf = dmabuf->priv;
	struct buffer_map *map;

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(map, &buf->maps, node)
		dma_sync_sgtable_for_cpu(map->dev, &map->sgt, map->dir);
	if (buf->vaddr)
		invalidate_kernel_vmap_range(buf->vaddr, buf->size);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int noncontiguous_end_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction dir)
{
	struct dma_api_buffer *buf = dmabuf->priv;
	struct buffer_map *map;

	dma_resv_lock(dmabuf->resv, NULL);
	if (buf->vaddr)
		flush_kernel_vmap_range(buf->vaddr, buf->size);
	list_for_each_entry(map, &buf->maps, node)
		dma_sync_sgtable_for_device(map->dev, &map->sgt, map->dir);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int noncontiguous_mmap(struct dma_buf *dmabuf,
			      struct vm_area_struct *vma)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	/* Or, behind an IOMMU, the DMA API maps pages */
	vm_flags_set(vma, VM_PFNMAP);

	return dma_mmap_noncontiguous(buf->dev, vma, buf->size, buf->sgt);
}

static int noncontiguous_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	buf->vaddr = dma_vmap_noncontiguous(buf->dev, buf->size, buf->sgt);
	if (!buf->vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, buf->vaddr);
	return 0;
}

static void noncontiguous_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	dma_vunmap_noncontiguous(buf->dev, buf->vaddr);
	buf->vaddr = NULL;
}

static const struct dma_buf_ops noncontiguous_ops = {
	.map_dma_buf = noncontiguous_map,
	.unmap_dma_buf = noncontiguous_unmap,
	.begin_cpu_access = noncontiguous_begin_cpu_access,
	.end_cpu_access = noncontiguous_end_cpu_access,
	.mmap = noncontiguous_mmap,
	.vmap = noncontiguous_vmap,
	.vunmap = noncontiguous_vunmap,
	.release = dma_api_buffer_release,
};

const struct dma_api_kind dma_api_noncontiguous = {
	.ops = &noncontiguous_ops,
	.alloc = noncontiguous_alloc,
	.free = noncontiguous_free,
};
