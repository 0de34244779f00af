// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete exporter whose buffers move and can be pinned, the one that
 * Documentation/driver-api/dma-buf/attachment-modes.rst shows. The KUnit
 * suite in mode-example-test.c compiles and runs it.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "mode-test.h"

/* Where a buffer is, or has been and some device may still read */
struct example_place {
	struct list_head mappings;
	unsigned long nr_pages;
	struct page *pages[] __counted_by(nr_pages);
};

/* All that changes is protected by the reservation lock. */
struct example_buffer {
	struct example_place *place;
	unsigned int pins;
};

struct example_mapping {
	struct list_head node;
	struct example_place *place;
	struct device *dev;
	enum dma_data_direction dir;
	struct sg_table sgt;
};

static void example_place_free(struct example_place *place)
{
	for (unsigned long i = 0; i < place->nr_pages && place->pages[i]; i++)
		__free_page(place->pages[i]);
	kfree(place);
}

static struct example_place *example_place_alloc(unsigned long nr_pages)
{
	struct example_place *place;

	place = kzalloc_flex(*place, pages, nr_pages);
	if (!place)
		return NULL;
	INIT_LIST_HEAD(&place->mappings);
	place->nr_pages = nr_pages;

	for (unsigned long i = 0; i < nr_pages; i++) {
		place->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!place->pages[i]) {
			example_place_free(place);
			return NULL;
		}
	}
	return place;
}

static int example_pin(struct dma_buf_attachment *attach)
{
	struct example_buffer *buf = attach->dmabuf->priv;

	/* A buffer that can't stay where it is would be moved here. */
	buf->pins++;
	return 0;
}

static void example_unpin(struct dma_buf_attachment *attach)
{
	struct example_buffer *buf = attach->dmabuf->priv;

	buf->pins--;
}

static struct sg_table *example_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	struct example_buffer *buf = attach->dmabuf->priv;
	struct example_place *place = buf->place;
	struct example_mapping *map;
	int ret;

	map = kzalloc_obj(*map);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->place = place;
	map->dev = attach->dev;
	map->dir = dir;

	ret = sg_alloc_table_from_pages(&map->sgt, place->pages,
					place->nr_pages, 0,
					place->nr_pages << PAGE_SHIFT,
					GFP_KERNEL);
	if (ret)
		goto err_free;

	ret = dma_map_sgtable(map->dev, &map->sgt, dir, 0);
	if (ret)
		goto err_table;

	list_add(&map->node, &place->mappings);
	return &map->sgt;

err_table:
	sg_free_table(&map->sgt);
err_free:
	kfree(map);
	return ERR_PTR(ret);
}

static void example_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir)
{
	struct example_buffer *buf = attach->dmabuf->priv;
	struct example_mapping *map;

	map = container_of(sgt, struct example_mapping, sgt);
	dma_unmap_sgtable(map->dev, sgt, dir, 0);
	sg_free_table(sgt);
	list_del(&map->node);

	/* The buffer has left, and so has the last device now. */
	if (map->place != buf->place && list_empty(&map->place->mappings))
		example_place_free(map->place);
	kfree(map);
}

static void example_release(struct dma_buf *dmabuf)
{
	struct example_buffer *buf = dmabuf->priv;

	example_place_free(buf->place);
	kfree(buf);
}

static const struct dma_buf_ops example_ops = {
	.pin = example_pin,
	.unpin = example_unpin,
	.map_dma_buf = example_map,
	.unmap_dma_buf = example_unmap,
	.release = example_release,
};

/* Called by whoever wants the memory back that the buffer is in */
int example_movable_move(struct dma_buf *dmabuf)
{
	struct example_buffer *buf = dmabuf->priv;
	struct example_place *from, *to;
	struct example_mapping *map;

	to = example_place_alloc(dmabuf->size >> PAGE_SHIFT);
	if (!to)
		return -ENOMEM;

	dma_resv_lock(dmabuf->resv, NULL);

	if (buf->pins) {
		dma_resv_unlock(dmabuf->resv);
		example_place_free(to);
		return -EBUSY;
	}

	/* No job starts on the old addresses; those that run have fences. */
	dma_buf_invalidate_mappings(dmabuf);
	/* With an mmap op, unmap_mapping_range() would come here. */
	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);

	from = buf->place;
	/* Importers that unmap later don't write, but they may have written. */
	list_for_each_entry(map, &from->mappings, node)
		dma_sync_sgtable_for_cpu(map->dev, &map->sgt, map->dir);
	for (unsigned long i = 0; i < from->nr_pages; i++)
		copy_highpage(to->pages[i], from->pages[i]);

	buf->place = to;
	if (list_empty(&from->mappings))
		example_place_free(from);

	dma_resv_unlock(dmabuf->resv);
	return 0;
}

struct dma_buf *example_movable_export(unsigned long nr_pages)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct example_buffer *buf;
	struct dma_buf *dmabuf;

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	buf->place = example_place_alloc(nr_pages);
	if (!buf->place) {
		kfree(buf);
		return ERR_PTR(-ENOMEM);
	}

	exp_info.ops = &example_ops;
	exp_info.size = nr_pages << PAGE_SHIFT;
	exp_info.flags = O_RDWR;
	exp_info.priv = buf;
	exp_info.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE;

	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		example_place_free(buf->place);
		kfree(buf);
	}

	return dmabuf;
}
