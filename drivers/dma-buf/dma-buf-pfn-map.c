// SPDX-License-Identifier: GPL-2.0-only
/*
 * PFN ranges: buffers mapped for devices, and their caches
 */

#include <linux/dma-buf.h>
#include <linux/dma-buf-mapping.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-buf-internal.h"

/*
 * What dma_buf_pfn_map() returns for RAM. Tables of MMIO are made by
 * dma_buf_phys_vec_to_sgt(), and have no pages.
 */
struct ram_table {
	struct sg_table sgt;
	enum dma_data_direction dir;
	unsigned long attrs;
	bool foreign;	/* others use the memory, and don't tell */
};

static struct ram_table *to_ram_table(struct sg_table *sgt)
{
	return container_of(sgt, struct ram_table, sgt);
}

/* The length of an entry is an unsigned int. */
#define MAX_ENTRY_PAGES		(UINT_MAX >> PAGE_SHIFT)

static bool is_ram_table(const struct sg_table *sgt)
{
	return sgt->orig_nents;
}

/*
 * Importers exist that step from page to page within an entry, which needs
 * neighbours in the memory map. Without VMEMMAP it ends with each section.
 */
static unsigned long entry_pages(const struct dma_buf_pfn_range *range)
{
	unsigned long nr = min(range->nr, MAX_ENTRY_PAGES);

#if defined(CONFIG_SPARSEMEM) && !defined(CONFIG_SPARSEMEM_VMEMMAP)
	nr = min(nr, PAGES_PER_SECTION - (range->pfn & ~PAGE_SECTION_MASK));
#endif
	return nr;
}

static void walk_for_device(struct dma_buf_pfn_iter *iter,
			    struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_buf_pfn_walk(iter, dmabuf, 0, dmabuf->size >> PAGE_SHIFT);
	/*
	 * A device that may bounce, or that has memory remapped page by page as
	 * Xen does, can't take every length. Merging could make a piece bounce
	 * that is in reach. An exporter's own range is not cut for that.
	 */
	iter->seg_mask = dma_get_seg_boundary(attach->dev);
	if (dma_max_mapping_size(attach->dev) == SIZE_MAX)
		iter->max_merge = dma_get_max_seg_size(attach->dev) >> PAGE_SHIFT;
	else
		iter->max_merge = 0;
}

/* Number of entries, and in @like the first range: all have its flags in common. */
static int count_entries(struct dma_buf_attachment *attach,
			 struct dma_buf_pfn_range *like)
{
	struct dma_buf_pfn_iter iter;
	struct dma_buf_pfn_range *r = &iter.range;
	unsigned int n = 0;
	int ret;

	walk_for_device(&iter, attach);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		if (!n)
			*like = *r;
		/* One table can't have both, nor two providers. */
		if (r->provider != like->provider || r->flags != like->flags)
			return -EOPNOTSUPP;
		while (r->nr) {
			unsigned long nr = entry_pages(r);

			r->pfn += nr;
			r->nr -= nr;
			if (++n > INT_MAX / 2)
				return -E2BIG;
		}
	}
	return ret ?: n;
}

static int fill_ram_table(struct dma_buf_attachment *attach,
			  struct sg_table *sgt)
{
	struct scatterlist *sg = sgt->sgl;
	struct dma_buf_pfn_iter iter;
	struct dma_buf_pfn_range *r = &iter.range;
	int ret;

	walk_for_device(&iter, attach);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		while (r->nr) {
			unsigned long nr = entry_pages(r);

			/* The second walk should tell what the first has told. */
			if (!sg || !(r->flags & DMA_BUF_PFN_PAGES))
				return -EIO;
			sg_set_page(sg, pfn_to_page(r->pfn), nr << PAGE_SHIFT, 0);
			sg = sg_next(sg);
			r->pfn += nr;
			r->nr -= nr;
		}
	}
	if (!ret && sg)
		return -EIO;
	return ret;
}

static void free_ram_table(struct sg_table *sgt)
{
	sg_free_table(sgt);
	kfree(to_ram_table(sgt));
}

/* @like is the first range, and what others have in common with it. */
static struct sg_table *new_ram_table(struct dma_buf_attachment *attach,
				      unsigned int nents,
				      const struct dma_buf_pfn_range *like)
{
	struct ram_table *table;
	u32 flags = like->flags;
	int ret;

	/* The table has pages, which such an importer may look at. */
	if (!(flags & DMA_BUF_PFN_CPU) && !attach->peer2peer)
		return ERR_PTR(-EOPNOTSUPP);

	table = kzalloc_obj(*table);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->foreign = flags & DMA_BUF_PFN_FOREIGN;

	/* A dma-buf may be mapped by many at once, so cache lines overlap. */
	table->attrs = DMA_ATTR_DEBUGGING_IGNORE_CACHELINES;
	if (flags & DMA_BUF_PFN_DECRYPTED)
		table->attrs |= DMA_ATTR_CC_SHARED;
	/* Nor may the kernel touch it, to flush or to bounce. */
	if (!(flags & DMA_BUF_PFN_CPU))
		table->attrs |= DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_REQUIRE_COHERENT;

	ret = sg_alloc_table(&table->sgt, nents, GFP_KERNEL);
	if (ret) {
		kfree(table);
		return ERR_PTR(ret);
	}
	if (nents == 1)
		sg_set_page(table->sgt.sgl, pfn_to_page(like->pfn),
			    like->nr << PAGE_SHIFT, 0);
	else
		ret = fill_ram_table(attach, &table->sgt);
	if (ret) {
		free_ram_table(&table->sgt);
		return ERR_PTR(ret);
	}
	return &table->sgt;
}

/* Such a buffer can be described once for all mappings of an attachment. */
static bool never_moves(const struct dma_buf *dmabuf)
{
	return !dmabuf->ops->pin &&
	       dma_buf_offered_modes(dmabuf) == DMA_BUF_MODE_PINNED;
}

/* Keep a table for the next mapping, or free it. */
static void put_ram_table(struct dma_buf_attachment *attach,
			  struct sg_table *sgt)
{
	if (!attach->table && never_moves(attach->dmabuf)) {
		attach->table = sgt;
		attach->has_more = true;
	} else {
		free_ram_table(sgt);
	}
}

/**
 * dma_buf_pfn_free_table - free what is kept for the next mapping
 * @attach:	attachment that is about to be detached
 *
 * Context: Holds the reservation lock.
 */
void dma_buf_pfn_free_table(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->table)
		free_ram_table(attach->table);
	attach->table = NULL;
}

static struct sg_table *map_ram(struct dma_buf_attachment *attach,
				enum dma_data_direction dir,
				struct sg_table *sgt)
{
	struct ram_table *table = to_ram_table(sgt);
	int ret;

	/*
	 * What a CPU writes meanwhile has to get past a device that only writes, to
	 * others. The DMA API would drop it at the next sync.
	 */
	table->dir = dir == DMA_FROM_DEVICE ? DMA_BIDIRECTIONAL : dir;

	/* Userspace can map more than can be bounced, which is no bug. */
	ret = dma_map_sgtable(attach->dev, sgt, table->dir,
			      table->attrs | DMA_ATTR_NO_WARN);
	if (ret) {
		free_ram_table(sgt);
		return ERR_PTR(ret);
	}
	return sgt;
}

static void unmap_ram(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir, bool stale)
{
	struct ram_table *table = to_ram_table(sgt);
	unsigned long attrs = table->attrs;

	/* A bounce buffer must not be copied over what is there by now. */
	if (stale || table->foreign)
		attrs |= DMA_ATTR_SKIP_CPU_SYNC;
	/* Nor are caches invalidated, before somebody asks for that. */
	if (!stale && table->foreign && dir != DMA_TO_DEVICE &&
	    !dev_is_dma_coherent(attach->dev))
		attach->dmabuf->sync_owed = true;
	dma_unmap_sgtable(attach->dev, sgt, table->dir, attrs);
	put_ram_table(attach, sgt);
}

static struct sg_table *map_mmio(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir, unsigned int nents,
				 struct p2pdma_provider *provider)
{
	struct phys_vec *vec __free(kvfree) = NULL;
	struct dma_buf *dmabuf = attach->dmabuf;
	struct dma_buf_pfn_iter iter;
	struct dma_buf_pfn_range *r = &iter.range;
	unsigned int n = 0;
	int ret;

	/* Such an importer looks for pages, or can't reach other devices. */
	if (!attach->peer2peer)
		return ERR_PTR(-EOPNOTSUPP);

	vec = kvmalloc_objs(*vec, nents);
	if (!vec)
		return ERR_PTR(-ENOMEM);

	walk_for_device(&iter, attach);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		if (n == nents || r->provider != provider)
			return ERR_PTR(-EIO);
		vec[n].paddr = PFN_PHYS(r->pfn);
		vec[n].len = (size_t)r->nr << PAGE_SHIFT;
		n++;
	}
	if (ret)
		return ERR_PTR(ret);

	return dma_buf_phys_vec_to_sgt(attach, provider, vec, n, dmabuf->size,
				       dir);
}

/**
 * dma_buf_pfn_map - map a buffer for a device, by what the exporter describes
 * @attach:	attachment with a device
 * @dir:	direction of DMA
 *
 * RAM gets a table with pages, in which neighbours are merged. MMIO gets one
 * without, and one entry behind an IOMMU. A buffer that is partly RAM and partly
 * MMIO, or of several providers, can't be mapped.
 *
 * A buffer that is offered as %DMA_BUF_MODE_PINNED only, without a pin op, is
 * where it is for good. Its table is kept until detach, and the next mapping
 * asks the exporter nothing, nor the device what segments it takes.
 *
 * Context: Process context, may sleep: waits for KERNEL fences. Holds the
 * reservation lock.
 * Return: the table, or ERR_PTR: -EOPNOTSUPP, -ENOMEM, -E2BIG, -ERESTARTSYS,
 * -EIO if the exporter's answer makes no sense, or what the DMA API says.
 */
struct sg_table *dma_buf_pfn_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct dma_buf_pfn_range like = {};
	struct sg_table *sgt;
	int nents;
	long ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* Before it is bounced or flushed, the content has to be in place. */
	ret = dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL,
				    true, MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ERR_PTR(ret);

	sgt = attach->table;
	if (sgt) {
		/* A second mapping beside this one needs a table of its own. */
		attach->table = NULL;
		return map_ram(attach, dir, sgt);
	}

	nents = count_entries(attach, &like);
	if (nents < 0)
		return ERR_PTR(nents);
	if (!(like.flags & DMA_BUF_PFN_PAGES))
		return map_mmio(attach, dir, nents, like.provider);

	sgt = new_ram_table(attach, nents, &like);
	return IS_ERR(sgt) ? sgt : map_ram(attach, dir, sgt);
}

/**
 * dma_buf_pfn_unmap - undo dma_buf_pfn_map()
 * @attach:	attachment with a device
 * @sgt:	what dma_buf_pfn_map() has returned
 * @dir:	direction that it was mapped for
 * @stale:	dma_buf_stop_mappings() was called in between
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_pfn_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir, bool stale)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (is_ram_table(sgt))
		unmap_ram(attach, sgt, dir, stale);
	else
		dma_buf_free_sgt(attach, sgt, dir);
}

/* Does the core sync the caches for what it has mapped? */
static bool needs_sync(const struct dma_buf_mapping *mapping)
{
	const struct ram_table *table;

	if (mapping->stale || !is_ram_table(mapping->table))
		return false;
	table = to_ram_table(mapping->table);
	return !(table->attrs & DMA_ATTR_SKIP_CPU_SYNC);
}

/*
 * The DMA API wants the direction that was mapped, unless that was both. Both is
 * more than was asked for: what one thread has written, or a device, would be
 * lost when another thread reads.
 */
static enum dma_data_direction sync_dir(const struct dma_buf_mapping *mapping,
					enum dma_data_direction dir)
{
	const struct ram_table *table = to_ram_table(mapping->table);

	return table->dir == DMA_BIDIRECTIONAL ? dir : table->dir;
}

static void sync_all(struct dma_buf *dmabuf, enum dma_data_direction dir,
		     void (*sync)(struct device *dev, struct sg_table *sgt,
				  enum dma_data_direction dir))
{
	struct dma_buf_attachment *attach;
	struct dma_buf_mapping *m;

	/* The exporter's own tables are no ram_table. */
	if (dmabuf->ops->map_dma_buf)
		return;

	list_for_each_entry(attach, &dmabuf->attachments, node)
		for (m = attach->mappings; m; m = m->next)
			if (needs_sync(m))
				sync(attach->dev, m->table, sync_dir(m, dir));
}

/*
 * Invalidate caches of what devices have written that have been unmapped since.
 * At their unmap, that could have cost others, who use the memory as well, what
 * they had written; now the caller asks for it.
 */
static void sync_what_is_owed(struct dma_buf *dmabuf)
{
	struct dma_buf_pfn_iter iter;
	const struct dma_buf_pfn_range *r = &iter.range;

	if (!dmabuf->sync_owed)
		return;
	dma_buf_pfn_walk(&iter, dmabuf, 0, dmabuf->size >> PAGE_SHIFT);
	while (dma_buf_pfn_iter_next(&iter) > 0)
		arch_sync_dma_for_cpu(PFN_PHYS(r->pfn),
				      (size_t)r->nr << PAGE_SHIFT,
				      DMA_FROM_DEVICE);
	arch_sync_dma_for_cpu_all();
	arch_sync_dma_flush();
	dmabuf->sync_owed = false;
}

/**
 * dma_buf_pfn_begin_cpu_access - let the CPU see what devices have written
 * @dmabuf:	buffer that the core maps
 * @dir:	direction of the access
 *
 * All that is mapped is synced. Fences have been waited for: a bounce buffer
 * is to be copied when the device is done.
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 * Return: 0, or -ENODEV while the buffer is revoked.
 */
int dma_buf_pfn_begin_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir)
{
	int ret = 0;

	/* A SYNC that a signal makes fail would be new to userspace. */
	dma_resv_lock(dmabuf->resv, NULL);
	if (dmabuf->revoked) {
		ret = -ENODEV;
	} else if (dir != DMA_TO_DEVICE) {
		if (dmabuf->vmapping_counter && !dmabuf->vmap_ptr.is_iomem)
			invalidate_kernel_vmap_range(dmabuf->vmap_ptr.vaddr,
						     dmabuf->size);
		sync_all(dmabuf, dir, dma_sync_sgtable_for_cpu);
		sync_what_is_owed(dmabuf);
	}
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dma_buf_pfn_end_cpu_access - let devices see what the CPU has written
 * @dmabuf:	buffer that the core maps
 * @dir:	direction of the access
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 */
void dma_buf_pfn_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir)
{
	/* Few look at an error here, and none can make good for it. */
	dma_resv_lock(dmabuf->resv, NULL);
	if (dmabuf->vmapping_counter && !dmabuf->vmap_ptr.is_iomem)
		flush_kernel_vmap_range(dmabuf->vmap_ptr.vaddr, dmabuf->size);
	sync_all(dmabuf, dir, dma_sync_sgtable_for_device);
	dma_resv_unlock(dmabuf->resv);
}

/**
 * dma_buf_stop_mappings - devices are done with memory that is about to go
 * @dmabuf:	buffer that the core maps
 *
 * For exporters without a map op whose buffers move. They call it after
 * dma_buf_invalidate_mappings(), when they have waited for the fences, and
 * before they copy the content. What devices have written is in the memory
 * then, and importers that unmap later change nothing in it. Where a device
 * bounces, it takes the place of what a CPU has written meanwhile and has not
 * told by dma_buf_end_cpu_access() yet.
 *
 * Mappings of importers that are pinned, and that invalidate_mappings can't tell,
 * go on as they are. A buffer that is offered as %DMA_BUF_MODE_PINNED only, and
 * has no pin op, must not move: it WARNs.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_stop_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct dma_buf_mapping *m;

	dma_resv_assert_held(dmabuf->resv);

	/* Importers may have kept a table. */
	WARN_ON_ONCE(never_moves(dmabuf));
	sync_all(dmabuf, DMA_BIDIRECTIONAL, dma_sync_sgtable_for_cpu);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		/* Without ops, it is pinned while it is mapped. */
		if (!attach->importer_ops)
			continue;
		if (!attach->importer_ops->invalidate_mappings && attach->pins)
			continue;
		for (m = attach->mappings; m; m = m->next)
			m->stale = true;
	}
}
EXPORT_SYMBOL_NS_GPL(dma_buf_stop_mappings, "DMA_BUF");
