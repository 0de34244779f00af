// SPDX-License-Identifier: GPL-2.0-only
/*
 * PFN ranges: buffers mapped into an IOMMU domain
 */

#include <linux/cc_platform.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include "dma-buf-internal.h"

static int range_prot(const struct dma_buf_pfn_range *r, int prot)
{
	/* It wants the encryption bit off, and page tables set it always. */
	if (r->flags & DMA_BUF_PFN_DECRYPTED &&
	    cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return -EOPNOTSUPP;
	/* There is no cache to be coherent with. */
	if (!(r->flags & DMA_BUF_PFN_PAGES))
		return (prot & ~IOMMU_CACHE) | IOMMU_MMIO;
	/* Nor may one side use a cache that the other passes by. */
	return r->caching == DMA_BUF_CACHED ? prot : prot & ~IOMMU_CACHE;
}

/* Map @size bytes in pieces of @max_size. *@done grows by what is mapped. */
static int map_pieces(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t paddr, size_t size, size_t max_size, int prot,
		      gfp_t gfp, size_t *done)
{
	size_t piece;
	int ret;

	for (; size; size -= piece) {
		piece = max_size ? min(size, max_size) : size;
		/* It undoes its own part if it fails. */
		ret = iommu_map(domain, iova, paddr, piece, prot, gfp);
		if (ret)
			return ret;
		iova += piece;
		paddr += piece;
		*done += piece;
	}
	return 0;
}

/**
 * dma_buf_pfn_iommu_map - map a part of a buffer into an IOMMU domain
 * @mapping:	open PFN mapping
 * @domain:	IOMMU domain, of the kind that iommu_map() works with
 * @iova:	where to map it
 * @offset:	offset in the buffer, in bytes
 * @length:	length in bytes
 * @max_size:	map in pieces of so many bytes, whole pages, where more is
 *		contiguous; 0 for no limit. Each piece can be unmapped alone.
 * @prot:	mask of IOMMU_*; IOMMU_CACHE is left out where the buffer is MMIO, or
 *		the CPU doesn't map it cached
 * @gfp:	how to allocate page tables
 *
 * For importers that manage an IOMMU's address space, and don't need to know the
 * addresses. @iova, @offset and @length are multiples of the smallest page that
 * @domain has, which may be smaller than PAGE_SIZE.
 *
 * Undo it by iommu_unmap(), before the PFN mapping is closed.
 *
 * Context: Process context, may sleep: waits for KERNEL fences. Holds the
 * reservation lock.
 * Return: 0, or an error and nothing is mapped: -EINVAL for a bad range, -EACCES
 * if %IOMMU_WRITE is wanted of a mapping that was opened for reading,
 * -EOPNOTSUPP for memory that the domain can't map as it must be, -ERESTARTSYS,
 * what iommu_map() says, or what dma_buf_pfn_query() says.
 */
int dma_buf_pfn_iommu_map(const struct dma_buf_pfn_mapping *mapping,
			  struct iommu_domain *domain, unsigned long iova,
			  size_t offset, size_t length, size_t max_size,
			  int prot, gfp_t gfp)
{
	size_t granule = BIT(__ffs(domain->pgsize_bitmap));
	struct dma_buf_pfn_iter iter;
	const struct dma_buf_pfn_range *r = &iter.range;
	unsigned long last_iova;
	size_t end, done = 0;
	int ret, range;

	ret = dma_buf_pfn_wait(mapping, true);
	if (ret)
		return ret;

	if (!length || !IS_ALIGNED(iova | offset | length, granule))
		return -EINVAL;
	if (check_add_overflow(offset, length, &end) ||
	    end > mapping->attach->dmabuf->size ||
	    check_add_overflow(iova, length - 1, &last_iova))
		return -EINVAL;
	if (prot & IOMMU_WRITE && !mapping->write)
		return -EACCES;

	dma_buf_pfn_iter_init(&iter, mapping, offset >> PAGE_SHIFT,
			      PFN_UP(end) - (offset >> PAGE_SHIFT));
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		/* All of the extent, or its part that was asked for */
		size_t skip = done ? 0 : offset_in_page(offset);
		size_t size = min(((size_t)r->nr << PAGE_SHIFT) - skip,
				  length - done);

		range = range_prot(r, prot);
		/* An IOMMU may have no page as small as the CPU's. */
		if (range >= 0 &&
		    !IS_ALIGNED((PFN_PHYS(r->pfn) + skip) | size, granule))
			range = -EOPNOTSUPP;
		if (range < 0) {
			ret = range;
			break;
		}
		ret = map_pieces(domain, iova + done, PFN_PHYS(r->pfn) + skip,
				 size, max_size, range, gfp, &done);
		if (ret)
			break;
	}
	if (ret && done)
		iommu_unmap(domain, iova, done);
	return ret;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_iommu_map, "iommufd,dmabuf_pfn_kunit");
