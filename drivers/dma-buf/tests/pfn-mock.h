/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An exporter that describes its buffer page by page, for the KUnit tests of PFN
 * ranges.
 */
#ifndef _DMA_BUF_PFN_MOCK_H
#define _DMA_BUF_PFN_MOCK_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/mmzone.h>
#include <linux/pci-p2pdma.h>
#include <linux/prandom.h>

/* As many pages as the model describes */
#define PFN_MAX_PAGES	64

/* The memory model makes struct pages in steps of this size. */
#ifdef CONFIG_SPARSEMEM
#define PFN_STEP	PAGES_PER_SUBSECTION
#else
#define PFN_STEP	MAX_ORDER_NR_PAGES
#endif

/* What the model says of a page; the order in the buffer is that of the array. */
struct pfn_page {
	unsigned long pfn;
	struct p2pdma_provider *provider;
	u32 flags;
	u32 caching;
};

/* Which of the ranges that contain a page the exporter tells */
enum pfn_answer {
	PFN_ONE_PAGE,
	PFN_LARGEST,
	PFN_ANY,
	PFN_ARRAY,	/* RAM in any order, as an array of pages */
};

struct pfn_exporter {
	struct kunit *test;
	struct dma_buf *dmabuf;
	struct dma_buf_ops ops;
	char name[32];
	struct page *block;	/* what RAM of the model is in */

	/* The model: @nr pages */
	struct pfn_page pages[PFN_MAX_PAGES];
	unsigned long nr;
	struct rnd_state rnd;

	/* What pfn_range did: calls, and those with no hint */
	unsigned int asked;
	unsigned int walks;
	u64 hint;
	struct page *array[PFN_MAX_PAGES];	/* that of its answers */
	/* What the other ops did */
	int attached;
	int pinned;
	bool released;

	/* What the ops are to do */
	enum pfn_answer answer;
	const struct dma_buf_pfn_range *lie;
	pgoff_t fails_at;
	int error;		/* of pfn_range from the page fails_at on */
	int attach_error;
};

/* @statement is run once, and WARNs so many times. */
#define EXPECT_WARNINGS(test, nr, statement)				\
	do {								\
		struct kunit *_test = test;				\
									\
		kunit_warning_suppress(_test) {				\
			statement;					\
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(_test, nr); \
		}							\
	} while (0)

extern struct p2pdma_provider pfn_providers[2];

/*
 * The exporter ends with its test, which fails if an attachment, a pin, a PFN
 * mapping or a reference is left. The buffer is one extent of RAM at first.
 */
struct pfn_exporter *pfn_export(struct kunit *test, unsigned long nr, u32 modes, int flags);
/* For a @size that the model may not describe, and for ops that have been changed */
struct pfn_exporter *pfn_exporter(struct kunit *test);
void pfn_do_export(struct pfn_exporter *exp, size_t size, u32 modes, int flags);

/* Another name, that nobody was warned about in this kernel's life */
void pfn_rename(struct pfn_exporter *exp);
void pfn_new_name(char name[32]);

/* Another layout; the same one for each @seed */
void pfn_random_layout(struct pfn_exporter *exp, u32 seed);
/* Less than @nr */
u32 pfn_random(struct pfn_exporter *exp, u32 nr);
/* Are the two, which are neighbours in the buffer, in one extent? */
bool pfn_page_follows(const struct pfn_page *page, const struct pfn_page *next);

/* PFNs of the model's RAM; and PFNs without a struct page, and with one before them */
unsigned long pfn_of_ram(const struct pfn_exporter *exp);
unsigned long pfn_behind_ram(const struct pfn_exporter *exp);

#endif /* _DMA_BUF_PFN_MOCK_H */
