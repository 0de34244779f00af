// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer that wants to know where a buffer is, as one with an address space
 * of its own does: by PFN ranges, or, on a kernel without these, by the DMA
 * addresses of a mapping.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#if __has_include(<linux/dma-buf-pfn.h>)
#include <linux/dma-buf-pfn.h>
#define HAVE_PFN_RANGES
#endif

#include "bench.h"

/* What a driver would write to its page tables */
struct extents {
	u64 nr;
	u64 pages;
	u64 addresses;
};

static void add_extent(struct extents *to, u64 address, u64 pages)
{
	to->nr++;
	to->pages += pages;
	to->addresses ^= address;
}

#ifdef HAVE_PFN_RANGES

static void invalidate_mappings(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops ops = {
	.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE |
		 DMA_BUF_MODE_MOVABLE,
	.invalidate_mappings = invalidate_mappings,
};

static struct dma_buf_attachment *attach_to(struct dma_buf *dmabuf,
					    struct device *dev)
{
	return dma_buf_pfn_attach(dmabuf, "bench", &ops, NULL);
}

static int walk(struct dma_buf_attachment *attach, struct extents *to)
{
	struct dma_buf_pfn_mapping mapping = {};
	struct dma_buf_pfn_iter iter;
	int ret;

	ret = dma_buf_pfn_open(attach, &mapping, true);
	if (ret)
		return ret;
	ret = dma_buf_pfn_wait(&mapping, true);
	if (ret)
		goto close;
	dma_buf_pfn_iter_init(&iter, &mapping, 0,
			      attach->dmabuf->size >> PAGE_SHIFT);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0)
		add_extent(to, PFN_PHYS(iter.range.pfn), iter.range.nr);
close:
	dma_buf_pfn_close(&mapping);
	return ret;
}

#else

static struct dma_buf_attachment *attach_to(struct dma_buf *dmabuf,
					    struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, &bench_dynamic_ops, NULL);
}

static int walk(struct dma_buf_attachment *attach, struct extents *to)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	int i;

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	for_each_sgtable_dma_sg(sgt, sg, i)
		add_extent(to, sg_dma_address(sg), sg_dma_len(sg) >> PAGE_SHIFT);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	return 0;
}

#endif

/*
 * From attach to detach: on the base with map, walk and unmap, on the series with
 * open, walk and close of a PFN mapping. The attachment itself isn't counted as
 * memory.
 */
int bench_describe(struct dma_buf *dmabuf, struct device *dev,
		   struct dma_buf_bench_describe *arg)
{
	struct dma_buf_attachment *attach;
	struct extents extents = {};
	int ret;

	if (arg->count) {
		ret = bench_count_start();
		if (ret)
			return ret;
	}
	attach = attach_to(dmabuf, dev);
	if (IS_ERR(attach)) {
		ret = PTR_ERR(attach);
		goto stop;
	}
	dma_resv_lock(dmabuf->resv, NULL);
	ret = walk(attach, &extents);
	dma_resv_unlock(dmabuf->resv);
	if (arg->count)
		arg->bytes = bench_count_so_far() - ksize(attach);
	dma_buf_detach(dmabuf, attach);

	arg->extents = extents.nr;
	/* Like a page table, it takes the addresses. */
	barrier_data(&extents);
	if (!ret && extents.pages != dmabuf->size >> PAGE_SHIFT)
		ret = -EIO;
stop:
	if (arg->count)
		bench_count_stop();
	return ret;
}
