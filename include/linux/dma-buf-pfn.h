/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The physical extents of dma-bufs
 */
#ifndef _LINUX_DMA_BUF_PFN_H
#define _LINUX_DMA_BUF_PFN_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attach_ops;
struct dma_buf_attachment;
struct iommu_domain;
struct p2pdma_provider;
struct page;

/**
 * DOC: what an exporter says of a range
 *
 * Flags of &dma_buf_pfn_range.flags:
 *
 * %DMA_BUF_PFN_PAGES
 *   The range is RAM, and each PFN has a &struct page. Without it the range is
 *   MMIO and has a &dma_buf_pfn_range.provider.
 *
 * %DMA_BUF_PFN_CPU
 *   The CPU may map the range. Without it the range is private to devices.
 *
 * %DMA_BUF_PFN_FOREIGN
 *   Others use the memory as well, and don't say when: a memfd has mappings of
 *   its own. Nothing is written to it when a device is unmapped, be it from a
 *   bounce buffer or by invalidating a cache. Only the begin of a CPU access
 *   that reads does that. Needs %DMA_BUF_PFN_PAGES.
 *
 * %DMA_BUF_PFN_DECRYPTED
 *   The memory is shared with the host of a confidential virtual machine. Needs
 *   %DMA_BUF_PFN_PAGES.
 */
#define DMA_BUF_PFN_PAGES	BIT(0)
#define DMA_BUF_PFN_CPU		BIT(1)
#define DMA_BUF_PFN_DECRYPTED	BIT(2)
#define DMA_BUF_PFN_FOREIGN	BIT(3)

/**
 * enum dma_buf_caching - how the CPU maps a range
 * @DMA_BUF_CACHED: write-back
 * @DMA_BUF_WRITE_COMBINE: pgprot_writecombine()
 * @DMA_BUF_UNCACHED: pgprot_noncached()
 *
 * On x86, userspace's mappings have the cache mode of the memory, which the
 * exporter has set for RAM, by set_pages_array_wc() for example, or reserved for
 * MMIO.
 */
enum dma_buf_caching {
	DMA_BUF_CACHED,
	DMA_BUF_WRITE_COMBINE,
	DMA_BUF_UNCACHED,
};

/**
 * struct dma_buf_pfn_range - where pages of a dma-buf are
 * @first: page index in the buffer of the first page
 * @nr: number of pages
 * @pfn: PFN of the first page; not used with @pages
 * @pages: an exporter's array of @nr pages of RAM, in any physical order; or NULL
 *	   if the range is contiguous. The array stays as it is while the
 *	   reservation lock is held. Importers are told contiguous ranges only.
 * @provider: who provides the memory, for MMIO; NULL for RAM
 * @flags: mask of DMA_BUF_PFN_*
 * @caching: how the CPU maps it, one of enum dma_buf_caching
 * @hint: the exporter's own note from its previous answer, 0 at first; of no
 *	  meaning to importers
 */
struct dma_buf_pfn_range {
	pgoff_t first;
	unsigned long nr;
	unsigned long pfn;
	struct page **pages;
	struct p2pdma_provider *provider;
	u32 flags;
	u32 caching;
	u64 hint;
};

/**
 * struct dma_buf_pfn_mapping - an importer's use of physical addresses
 * @attach: attachment that it was opened for; NULL if it is not open
 * @node: entry in &dma_buf_attachment.pfn_mappings
 * @write: the importer may let the memory be written to
 * @stale: invalidate_mappings was called since dma_buf_pfn_open()
 *
 * Zero it before the first dma_buf_pfn_open(). The fields are private to the
 * core. Protected by &dma_buf.resv.
 */
struct dma_buf_pfn_mapping {
	struct dma_buf_attachment *attach;
	struct hlist_node node;
	bool write;
	bool stale;
};

/**
 * struct dma_buf_pfn_iter - a walk over the extents of a dma-buf
 * @range: where the walk is: one extent, as large as neighbours that can be
 *	   merged make it, clipped to what was asked for
 * @dmabuf: the buffer
 * @mapping: open PFN mapping, or NULL inside the core
 * @next: page index that the exporter is asked for next
 * @end: page index behind the last page
 * @max_merge: length in pages that extents are not merged beyond
 * @seg_mask: mask of the address bits that may differ within a merged extent
 * @ahead: what is behind @range, if the exporter has been asked for it
 *
 * All but @range is private.
 */
struct dma_buf_pfn_iter {
	struct dma_buf_pfn_range range;
	struct dma_buf *dmabuf;
	const struct dma_buf_pfn_mapping *mapping;
	pgoff_t next;
	pgoff_t end;
	unsigned long max_merge;
	u64 seg_mask;
	struct dma_buf_pfn_range ahead;
};

struct dma_buf_attachment *
dma_buf_pfn_attach(struct dma_buf *dmabuf, const char *name,
		   const struct dma_buf_attach_ops *importer_ops,
		   void *importer_priv);

int dma_buf_pfn_open(struct dma_buf_attachment *attach,
		     struct dma_buf_pfn_mapping *mapping, bool write);
void dma_buf_pfn_close(struct dma_buf_pfn_mapping *mapping);
int dma_buf_pfn_wait(const struct dma_buf_pfn_mapping *mapping, bool intr);

int dma_buf_pfn_query(const struct dma_buf_pfn_mapping *mapping, pgoff_t index,
		      struct dma_buf_pfn_range *range);
int dma_buf_pfn_query_array(const struct dma_buf_pfn_mapping *mapping,
			    pgoff_t first, unsigned long nr,
			    struct dma_buf_pfn_range *ranges, unsigned int max);
void dma_buf_pfn_iter_init(struct dma_buf_pfn_iter *iter,
			   const struct dma_buf_pfn_mapping *mapping,
			   pgoff_t first, unsigned long nr);
int dma_buf_pfn_iter_next(struct dma_buf_pfn_iter *iter);

int dma_buf_pfn_iommu_map(const struct dma_buf_pfn_mapping *mapping,
			  struct iommu_domain *domain, unsigned long iova,
			  size_t offset, size_t length, size_t max_size,
			  int prot, gfp_t gfp);

void dma_buf_stop_mappings(struct dma_buf *dmabuf);

#endif /* _LINUX_DMA_BUF_PFN_H */
