/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An exporter that only describes its buffer, and a flat array of what is in it,
 * for the KUnit tests of what the dma-buf core makes of PFN ranges.
 */
#ifndef _DMA_BUF_PFN_MODEL_H
#define _DMA_BUF_PFN_MODEL_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-fence.h>
#include <linux/prandom.h>

#define MODEL_MAX_PAGES	96
#define MODEL_ROUNDS	60

/* What the exporter tells of a page */
enum model_answer {
	MODEL_PAGE,		/* just the page */
	MODEL_EXTENT,		/* the largest range */
	MODEL_ARRAY,		/* an array of pages, if it is RAM */
	MODEL_ANSWERS
};

/* A buffer whose exporter has the pfn_range op and no other but release */
struct model {
	struct kunit *test;
	struct rnd_state rnd;
	struct dma_buf *dmabuf;
	struct dma_buf_ops ops;
	unsigned long nr;
	unsigned long pfn[MODEL_MAX_PAGES];
	struct page *blocks[MODEL_MAX_PAGES];
	unsigned int orders[MODEL_MAX_PAGES];
	unsigned int nr_blocks;
	u32 flags;
	u32 caching;
	u32 modes;
	struct p2pdma_provider *provider;
	/* From here on another provider, or other flags */
	unsigned long change_at;
	struct p2pdma_provider *changed_provider;
	u32 changed_flags;
	enum model_answer answer;
	struct page *pages[MODEL_MAX_PAGES];
	unsigned int asked;	/* calls of pfn_range */
	int error;		/* of pfn_range, from the page fails_at on */
	unsigned long fails_at;
};

/* Importers that cope with all modes, and the second with pages only */
extern const struct dma_buf_attach_ops model_importer_ops;
extern const struct dma_buf_attach_ops model_pages_importer_ops;

/* It ends with the test. */
struct model *model_create(struct kunit *test, u64 seed);
/* RAM in pieces of random size */
void model_alloc(struct model *m, unsigned long nr);
/* PFNs above all memory, which nobody touches */
void model_mmio(struct model *m, unsigned long nr);
/* Before the export */
void model_add_pin_ops(struct model *m);
void model_export(struct model *m, u32 cpu_access);
/* A buffer of random RAM */
struct model *model_ram(struct kunit *test, u64 seed);

/* A fence that the content waits for; it signals when somebody waits for it */
struct dma_fence *model_add_fence(struct model *m);

/* What page i starts with after model_write_marks() */
u32 model_mark(pgoff_t i);
void model_write_marks(struct model *m);

#endif /* _DMA_BUF_PFN_MODEL_H */
