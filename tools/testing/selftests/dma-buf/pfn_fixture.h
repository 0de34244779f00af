/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of PFN ranges have in common: a buffer of the test device with
 * a CPU mapping, and what has to be told of it.
 */
#ifndef SELFTESTS_DMA_BUF_PFN_FIXTURE_H
#define SELFTESTS_DMA_BUF_PFN_FIXTURE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modes_fixture.h"

/* include/linux/dma-buf-pfn.h */
#define PFN_PAGES	0x1U
#define PFN_CPU		0x2U

enum { CACHED, WRITE_COMBINE, UNCACHED };

#define NO_DEVICE	DMA_BUF_TEST_NO_DEVICE

/* A buffer, and an importer without a device */
struct described {
	struct testdev dev;
	int fd;
	__u32 backing;
	size_t pages;
	size_t size;
	char *view;
	char *data;		/* for DMA, as large as the buffer */
	__u32 id;
	struct dma_buf_test_pfn_range *ranges;	/* one for each page */
};

static inline bool is_mmio(const struct described *d)
{
	return testdev_is_mmio(d->backing);
}

static inline __u32 expected_flags(const struct described *d)
{
	if (is_mmio(d))
		return PFN_CPU;
	return d->backing == DMA_BUF_TEST_PRIVATE ? PFN_PAGES :
						    PFN_PAGES | PFN_CPU;
}

static inline __u32 expected_caching(const struct described *d)
{
	switch (d->backing) {
	case DMA_BUF_TEST_MMIO:
		return UNCACHED;
	case DMA_BUF_TEST_MMIO_WC:
		return WRITE_COMBINE;
	}
	return CACHED;
}

static inline bool cpu_may_map(const struct described *d)
{
	return expected_flags(d) & PFN_CPU;
}

/* What is told of a buffer of some backing */
static inline size_t expected_extents(const struct described *d)
{
	switch (d->backing) {
	case DMA_BUF_TEST_SCATTERED:
	case DMA_BUF_TEST_PRIVATE:
		return d->pages;
	case DMA_BUF_TEST_HUGE:
		return d->pages / huge_pages();
	}
	return 1;
}

static inline bool make_described(struct __test_metadata *_metadata,
				  struct described *d, __u32 backing,
				  __u32 flags, size_t pages)
{
	if (!open_device(_metadata, &d->dev))
		return false;
	d->backing = backing;
	d->pages = pages;
	d->size = pages * page_size;
	d->fd = testdev_export_all(d->dev.fd, backing, flags, d->size);
	if (d->fd == -ENODEV)
		SKIP(return false, "no PCI device with memory");
	ASSERT_LE(0, d->fd);
	d->view = map_pages(_metadata, d->fd, 0, pages);
	d->data = malloc(d->size);
	ASSERT_NE(NULL, d->data);
	d->ranges = calloc(pages + 1, sizeof(*d->ranges));
	ASSERT_NE(NULL, d->ranges);
	d->id = ATTACH(&d->dev, .fd = d->fd, .device = NO_DEVICE,
		       .modes = ALL, .flags = CALLBACK);
	return true;
}

static inline void drop_described(struct __test_metadata *_metadata,
				  struct described *d)
{
	free(d->ranges);
	free(d->data);
	if (d->view)
		munmap(d->view, d->size);
	close(d->fd);
	close_device(_metadata, &d->dev);
}

/* The PFN of each page, by as many questions: to be freed by the caller */
static inline __u64 *ask_each_page(struct __test_metadata *_metadata,
				   struct described *d, __u32 id)
{
	__u64 *pfns = calloc(d->pages, sizeof(*pfns));
	struct dma_buf_test_pfn_range range;
	size_t page;

	ASSERT_NE(NULL, pfns);
	for (page = 0; page < d->pages; page++) {
		ASSERT_EQ(1, testdev_pfn_query_one(d->dev.fd, id, page,
						   &range));
		ASSERT_GE(page, range.first);
		ASSERT_LT(page - range.first, range.nr);
		ASSERT_GE(d->pages, range.first + range.nr);
		pfns[page] = range.pfn + (page - range.first);
	}
	return pfns;
}

/* By the PFNs that an importer without a device is told, or by DMA */

static inline void dma_fill(struct __test_metadata *_metadata,
			    struct described *d, __u32 id, __u64 seed)
{
	fill(d->data, 0, d->pages, seed);
	ASSERT_EQ(0, testdev_write(d->dev.fd, id, 0, d->data, d->size));
}

static inline void dma_check(struct __test_metadata *_metadata,
			     struct described *d, __u32 id, __u64 seed)
{
	memset(d->data, 0, d->size);
	ASSERT_EQ(0, testdev_read(d->dev.fd, id, 0, d->data, d->size));
	EXPECT_EQ(-1, wrong_page(d->data, 0, d->pages, seed));
}

#endif /* SELFTESTS_DMA_BUF_PFN_FIXTURE_H */
