// SPDX-License-Identifier: GPL-2.0-only
/*
 * PFN ranges: mappings for the kernel
 */

#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dma-buf-internal.h"

static int vmap_ram(struct dma_buf *dmabuf, const struct dma_buf_pfn_range *like,
		    struct iosys_map *map)
{
	unsigned long i, n = 0, nr = dmabuf->size >> PAGE_SHIFT;
	struct page **pages __free(kvfree) = kvmalloc_objs(*pages, nr);
	struct dma_buf_pfn_iter iter;
	const struct dma_buf_pfn_range *r = &iter.range;
	void *vaddr;
	int ret;

	if (!pages)
		return -ENOMEM;

	dma_buf_pfn_walk(&iter, dmabuf, 0, nr);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		/* One mapping has one protection, and no MMIO. */
		if (r->flags != like->flags || r->caching != like->caching)
			return -EOPNOTSUPP;
		for (i = 0; i < r->nr; i++)
			pages[n++] = pfn_to_page(r->pfn + i);
	}
	if (ret)
		return ret;

	vaddr = vmap(pages, nr, VM_MAP, dma_buf_pfn_pgprot(like, PAGE_KERNEL));
	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static int vmap_mmio(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_pfn_iter iter;
	const struct dma_buf_pfn_range *r = &iter.range;
	void __iomem *vaddr;
	phys_addr_t phys;
	int ret;

	if (!IS_ENABLED(CONFIG_HAS_IOMEM))
		return -EOPNOTSUPP;

	dma_buf_pfn_walk(&iter, dmabuf, 0, dmabuf->size >> PAGE_SHIFT);
	ret = dma_buf_pfn_iter_next(&iter);
	if (ret < 0)
		return ret;
	/* ioremap() takes one range. */
	if (r->nr != dmabuf->size >> PAGE_SHIFT) {
		ret = dma_buf_pfn_iter_next(&iter);
		return ret < 0 ? ret : -EOPNOTSUPP;
	}

	/* ioremap() WARNs about RAM, and the core has looked at both ends only. */
	phys = PFN_PHYS(r->pfn);
	if (region_intersects(phys, dmabuf->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return -EIO;

	if (r->caching == DMA_BUF_CACHED)
		vaddr = (void __iomem *)memremap(phys, dmabuf->size, MEMREMAP_WB);
	else if (r->caching == DMA_BUF_WRITE_COMBINE)
		vaddr = ioremap_wc(phys, dmabuf->size);
	else
		vaddr = ioremap(phys, dmabuf->size);
	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr_iomem(map, vaddr);
	return 0;
}

/**
 * dma_buf_pfn_vmap - the vmap op of buffers that the core maps
 * @dmabuf:	buffer that was exported with %DMA_BUF_CPU_VMAP
 * @map:	the mapping; of I/O memory if the buffer is MMIO
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, -ENOMEM, -EBUSY out of an exclusive_lost callback,
 * -EOPNOTSUPP if the CPU may not map the buffer, if the
 * buffer is partly RAM and partly MMIO, or MMIO in several pieces, or its cache
 * mode isn't the same everywhere; -EIO if the exporter's answer makes no sense;
 * or the exporter's error.
 */
int dma_buf_pfn_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_pfn_range range = {};
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (!IS_ENABLED(CONFIG_MMU))
		return -EOPNOTSUPP;

	/* Out of exclusive_lost, it would wait for what the callback returns. */
	if (dmabuf->exclusive_is_lost)
		return -EBUSY;

	/* Those who vmap expect no signals, and nobody can take it away again. */
	dma_buf_exclusive_end(dmabuf);
	dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL, false,
			      MAX_SCHEDULE_TIMEOUT);

	ret = dma_buf_pfn_ask(dmabuf, 0, &range);
	if (ret)
		return ret;
	if (!(range.flags & DMA_BUF_PFN_CPU))
		return -EOPNOTSUPP;
	if (range.flags & DMA_BUF_PFN_PAGES)
		return vmap_ram(dmabuf, &range, map);
	return vmap_mmio(dmabuf, map);
}

/**
 * dma_buf_pfn_vunmap - undo dma_buf_pfn_vmap()
 * @map:	the mapping
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_pfn_vunmap(struct iosys_map *map)
{
	if (!map->is_iomem)
		vunmap(map->vaddr);
	else if (IS_ENABLED(CONFIG_HAS_IOMEM))
		/* Also right for what ioremap() has returned */
		memunmap((void __force *)map->vaddr_iomem);
}
