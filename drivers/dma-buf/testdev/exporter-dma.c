// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: its buffers, mapped by importers
 */

#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "test-device.h"

/* A dma-buf may be mapped by many, so cachelines overlap. */
#define DBT_MAP_ATTRS	DMA_ATTR_DEBUGGING_IGNORE_CACHELINES

/*
 * The DMA API warns about a page that the device can't reach and that can't be
 * bounced. Bounce buffers are below 4 GiB, and where is not for us to know.
 */
static bool in_reach(struct device *dev, struct page **pages,
		     unsigned long nr_pages)
{
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	unsigned long i;

	if (!dbt_device_is_direct(dev) || !dma_addressing_limited(dev))
		return true;
	if (limit >= DMA_BIT_MASK(32) && dma_max_mapping_size(dev) != SIZE_MAX)
		return true;

	for (i = 0; i < nr_pages; i++)
		if (phys_to_dma(dev, page_to_phys(pages[i])) +
		    PAGE_SIZE - 1 > limit)
			return false;
	return true;
}

/**
 * dbt_mapping_create - map pages for an importer
 * @attach:	its attachment
 * @pages:	the pages
 * @nr_pages:	how many of them
 * @dir:	direction of the DMA
 * @attrs:	DMA_ATTR_* of dma_map_sgtable()
 *
 * Context: Process context, may sleep.
 * Return: the mapping, on no list yet, or ERR_PTR: -EIO if the device can't
 * reach the pages, -ENOMEM, or what dma_map_sgtable() says.
 */
struct dbt_mapping *dbt_mapping_create(struct dma_buf_attachment *attach,
				       struct page **pages,
				       unsigned long nr_pages,
				       enum dma_data_direction dir,
				       unsigned long attrs)
{
	struct device *dev = attach->dev;
	size_t segment = min3(dma_max_mapping_size(dev),
			      (size_t)dma_get_max_seg_size(dev),
			      (size_t)UINT_MAX);
	struct dbt_mapping *map;
	int ret;

	if (!in_reach(dev, pages, nr_pages))
		return ERR_PTR(-EIO);

	map = kzalloc_obj(*map);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->attach = attach;
	map->dir = dir;

	ret = sg_alloc_table_from_pages_segment(&map->sgt, pages, nr_pages, 0,
						nr_pages << PAGE_SHIFT,
						max(segment, PAGE_SIZE),
						GFP_KERNEL);
	if (ret)
		goto err_free;
	/* Bounce buffers run out if userspace maps too much, which is no bug. */
	ret = dma_map_sgtable(dev, &map->sgt, dir, attrs | DMA_ATTR_NO_WARN);
	if (ret)
		goto err_table;
	return map;

err_table:
	sg_free_table(&map->sgt);
err_free:
	kfree(map);
	return ERR_PTR(ret);
}

/**
 * dbt_mapping_destroy - undo dbt_mapping_create()
 * @map:	the mapping, on no list any more
 * @attrs:	DMA_ATTR_* of dma_unmap_sgtable()
 *
 * Context: Process context, may sleep.
 */
void dbt_mapping_destroy(struct dbt_mapping *map, unsigned long attrs)
{
	dma_unmap_sgtable(map->attach->dev, &map->sgt, map->dir, attrs);
	sg_free_table(&map->sgt);
	kfree(map);
}

/**
 * dbt_sync_for_cpu - let the CPU see what devices have written
 * @mappings:	list of &struct dbt_mapping; stale ones are left out
 *
 * Each is synced in the direction that it was mapped for, or the DMA API
 * complains.
 *
 * Context: Process context. Holds the reservation lock.
 */
void dbt_sync_for_cpu(struct list_head *mappings)
{
	struct dbt_mapping *map;

	list_for_each_entry(map, mappings, node)
		if (!map->stale)
			dma_sync_sgtable_for_cpu(map->attach->dev, &map->sgt,
						 map->dir);
}

/**
 * dbt_sync_for_device - let devices see what the CPU has written
 * @mappings:	list of &struct dbt_mapping; stale ones are left out
 *
 * Context: Process context. Holds the reservation lock.
 */
void dbt_sync_for_device(struct list_head *mappings)
{
	struct dbt_mapping *map;

	list_for_each_entry(map, mappings, node)
		if (!map->stale)
			dma_sync_sgtable_for_device(map->attach->dev, &map->sgt,
						    map->dir);
}

/**
 * dbt_buffer_map - the map_dma_buf op
 * @attach:	attachment to a buffer of ours
 * @dir:	direction of the DMA
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: the mapping or ERR_PTR: -EIO if the device can't reach the buffer or
 * %DMA_BUF_TEST_FAIL_MAP says so, -ENOMEM.
 */
struct sg_table *dbt_buffer_map(struct dma_buf_attachment *attach,
				enum dma_data_direction dir)
{
	struct dbt_buffer *buf = attach->dmabuf->priv;
	struct dbt_backing *backing = buf->backing;
	struct dbt_mapping *map;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (buf->flags & DMA_BUF_TEST_FAIL_MAP)
		return ERR_PTR(-EIO);

	map = dbt_mapping_create(attach, backing->pages, backing->nr_pages, dir,
				 DBT_MAP_ATTRS);
	if (IS_ERR(map))
		return ERR_CAST(map);

	map->backing = dbt_backing_get(backing);
	list_add(&map->node, &buf->mappings);
	atomic_inc(&buf->counts.mappings);
	atomic_inc(&buf->counts.map_calls);
	return &map->sgt;
}

/**
 * dbt_buffer_unmap - the unmap_dma_buf op
 * @attach:	attachment to a buffer of ours
 * @sgt:	what dbt_buffer_map() has returned
 * @dir:	direction of the DMA
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dbt_buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir)
{
	struct dbt_mapping *map = container_of(sgt, struct dbt_mapping, sgt);
	struct dbt_buffer *buf = attach->dmabuf->priv;
	struct dbt_backing *backing = map->backing;
	unsigned long attrs = DBT_MAP_ATTRS;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* What is in its bounce buffer must not overwrite newer content. */
	if (map->stale)
		attrs |= DMA_ATTR_SKIP_CPU_SYNC;
	list_del(&map->node);
	dbt_mapping_destroy(map, attrs);
	dbt_backing_put(backing);

	atomic_dec(&buf->counts.mappings);
	atomic_inc(&buf->counts.unmap_calls);
}

/**
 * dbt_buffer_begin_cpu_access - the begin_cpu_access op
 * @dmabuf:	a buffer of ours
 * @dir:	direction of the access; all that is mapped is synced
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 * Return: 0, -ENODEV while the buffer is revoked, or -EINTR.
 */
int dbt_buffer_begin_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir)
{
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	if (dma_buf_revoke_state(dmabuf))
		ret = -ENODEV;
	else
		dbt_sync_for_cpu(&buf->mappings);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dbt_buffer_end_cpu_access - the end_cpu_access op
 * @dmabuf:	a buffer of ours
 * @dir:	direction of the access
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 * Return: 0 or -EINTR.
 */
int dbt_buffer_end_cpu_access(struct dma_buf *dmabuf,
			      enum dma_data_direction dir)
{
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	dbt_sync_for_device(&buf->mappings);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}
