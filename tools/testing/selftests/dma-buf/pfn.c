// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a dma-buf is, as importers are told: what is described is what the CPU
 * mapping shows and what a device reaches, for as long as the answer holds.
 *
 * PFNs of a mapping of a dma-buf are not in /proc/self/pagemap. So the content
 * is compared: what is written on one way must be there on all others.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "exporters_fixture.h"
#include "pfn_fixture.h"
#include "write_file.h"

/* The table of make run */

static void cell(const char *row, const char *column, const char *format, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	ksft_print_msg("pfn: %s | %s | %s\n", row, column, text);
}

/* A buffer of which an importer without a device, @id, is told */
struct row {
	const char *name;
	struct testdev *dev;
	int fd;
	__u32 id;
	size_t pages;
	char *data;		/* as large as the buffer */
};

static __u32 told_ranges(struct __test_metadata *_metadata, struct row *r)
{
	struct dma_buf_test_pfn_range *ranges;
	__u32 flags;
	int nr;

	ranges = calloc(r->pages, sizeof(*ranges));
	ASSERT_NE(NULL, ranges);
	nr = testdev_pfn_query(r->dev->fd, r->id, 0, r->pages, ranges,
			       r->pages);
	ASSERT_LT(0, nr);
	flags = ranges[0].flags;
	cell(r->name, "pages", "%zu", r->pages);
	cell(r->name, "told", "%d of %s%s", nr,
	     flags & PFN_PAGES ? "RAM" : "MMIO",
	     flags & PFN_CPU ? "" : ", private");
	free(ranges);
	return flags;
}

static void seen_by_the_cpu(struct __test_metadata *_metadata, struct row *r,
			    bool may)
{
	char *map = map_pages(_metadata, r->fd, 0, r->pages);
	long faults;

	if (may) {
		faults = faults_of_touch(map, r->pages * page_size);
		EXPECT_EQ(-1, wrong_page(map, 0, r->pages, SEED));
		cell(r->name, "CPU mapping", "same, faults: %ld", faults);
	} else {
		EXPECT_TRUE(gets_sigbus(map, false));
		cell(r->name, "CPU mapping", "SIGBUS");
	}
	munmap(map, r->pages * page_size);
}

static void seen_by_the_kernel(struct __test_metadata *_metadata, struct row *r,
			       bool may)
{
	int ret;

	memset(r->data, 0, r->pages * page_size);
	ret = testdev_vmap_read(r->dev->fd, r->fd, 0, r->data,
				r->pages * page_size);
	EXPECT_EQ(may ? 0 : -EOPNOTSUPP, ret);
	if (!ret)
		EXPECT_EQ(-1, wrong_page(r->data, 0, r->pages, SEED));
	cell(r->name, "kernel", ret ? strerrorname_np(-ret) : "same");
}

/* The test's devices are none of PCI, and reach no MMIO. */
static void seen_by_a_device(struct __test_metadata *_metadata, struct row *r,
			     bool may)
{
	__u32 device = ATTACH(r->dev, .fd = r->fd,
			      .flags = CALLBACK | DMA_BUF_TEST_PEER2PEER);
	int ret = testdev_map(r->dev->fd, device);

	EXPECT_EQ(may ? 0 : -EINVAL, ret);
	if (ret) {
		cell(r->name, "device", strerrorname_np(-ret));
	} else {
		memset(r->data, 0, r->pages * page_size);
		EXPECT_EQ(0, testdev_read(r->dev->fd, device, 0, r->data,
					  r->pages * page_size));
		EXPECT_EQ(-1, wrong_page(r->data, 0, r->pages, SEED));
		cell(r->name, "device", "same, ranges: %u",
		     importer_info(_metadata, r->dev, device).ranges);
	}
	ASSERT_EQ(0, testdev_detach(r->dev->fd, device));
}

/* What the importer writes by what it is told, the others see. */
static void report(struct __test_metadata *_metadata, struct row r)
{
	__u32 flags;

	r.data = malloc(r.pages * page_size);
	ASSERT_NE(NULL, r.data);
	fill(r.data, 0, r.pages, SEED);
	ASSERT_EQ(0, testdev_write(r.dev->fd, r.id, 0, r.data,
				   r.pages * page_size));
	flags = told_ranges(_metadata, &r);
	seen_by_the_cpu(_metadata, &r, flags & PFN_CPU);
	seen_by_the_kernel(_metadata, &r, flags & PFN_CPU);
	seen_by_a_device(_metadata, &r, flags & PFN_PAGES);
	free(r.data);
}

/* What is told */

FIXTURE(described) {
	struct described d;
};

FIXTURE_VARIANT(described) {
	__u32 backing;
	__u32 flags;
	size_t pages;
	size_t huge;		/* in units of huge_pages() */
};

FIXTURE_VARIANT_ADD(described, scattered_1_page) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(described, scattered_37_pages) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(described, scattered_770_pages) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 770,		/* over a page table, and then some */
};

FIXTURE_VARIANT_ADD(described, contiguous_37_pages) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(described, contiguous_770_pages) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.pages = 770,
};

FIXTURE_VARIANT_ADD(described, huge) {
	.backing = DMA_BUF_TEST_HUGE,
	.huge = 1,
};

FIXTURE_VARIANT_ADD(described, huge_3) {
	.backing = DMA_BUF_TEST_HUGE,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.huge = 3,
};

FIXTURE_VARIANT_ADD(described, private) {
	.backing = DMA_BUF_TEST_PRIVATE,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(described, private_core_maps) {
	.backing = DMA_BUF_TEST_PRIVATE,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.pages = 37,
};

/* Without struct pages */

FIXTURE_VARIANT_ADD(described, mmio_37_pages) {
	.backing = DMA_BUF_TEST_MMIO,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(described, mmio_wc_1_page) {
	.backing = DMA_BUF_TEST_MMIO_WC,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(described, mmio_wc_770_pages) {
	.backing = DMA_BUF_TEST_MMIO_WC,
	.pages = 770,
};

FIXTURE_VARIANT_ADD(described, mmio_wc_huge) {
	.backing = DMA_BUF_TEST_MMIO_WC,
	.huge = 1,
};

FIXTURE_SETUP(described)
{
	make_described(_metadata, &self->d, variant->backing, variant->flags,
		       variant->pages ?: variant->huge * huge_pages());
}

FIXTURE_TEARDOWN(described)
{
	drop_described(_metadata, &self->d);
}

/* [@first, @first + @nr), merged: exactly that part, and @pfns of it */
static void check_part(struct __test_metadata *_metadata, struct described *d,
		       const __u64 *pfns, size_t first, size_t nr)
{
	size_t page = first, k;
	int n, i;

	n = testdev_pfn_query(d->dev.fd, d->id, first, nr, d->ranges,
			      d->pages + 1);
	ASSERT_LE(nr ? 1 : 0, n);
	for (i = 0; i < n; i++) {
		const struct dma_buf_test_pfn_range *r = &d->ranges[i];

		ASSERT_EQ(page, r->first);
		ASSERT_LT(0ULL, r->nr);
		for (k = 0; k < r->nr; k++, page++)
			ASSERT_EQ(pfns[page], r->pfn + k);
		/* What could be merged is. */
		if (i)
			EXPECT_NE(r[-1].pfn + r[-1].nr, r->pfn);
		EXPECT_EQ(expected_flags(d), r->flags);
		EXPECT_EQ(expected_caching(d), r->caching);
		EXPECT_EQ((__u32)is_mmio(d), r->mmio);
	}
	ASSERT_EQ(first + nr, page);
}

TEST_F(described, extents_are_those_of_the_backing)
{
	struct described *d = &self->d;
	__u64 *pfns;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, true));
	EXPECT_EQ((int)expected_extents(d),
		  testdev_pfn_query(d->dev.fd, d->id, 0, d->pages, d->ranges,
				    d->pages + 1));
	pfns = ask_each_page(_metadata, d, d->id);
	check_part(_metadata, d, pfns, 0, d->pages);
	free(pfns);
}

static const char *const backing_names[] = {
	[DMA_BUF_TEST_SCATTERED] = "scattered",
	[DMA_BUF_TEST_CONTIGUOUS] = "contiguous",
	[DMA_BUF_TEST_HUGE] = "huge",
	[DMA_BUF_TEST_PRIVATE] = "private",
	[DMA_BUF_TEST_MMIO] = "MMIO",
	[DMA_BUF_TEST_MMIO_WC] = "MMIO, write-combining",
};

TEST_F(described, content_is_the_same_for_all)
{
	struct described *d = &self->d;
	char name[64];

	snprintf(name, sizeof(name), "%s, %zu%s",
		 backing_names[d->backing], d->pages,
		 variant->flags & DMA_BUF_TEST_CORE_MAPS ? ", core maps" : "");
	report(_metadata, (struct row) {
		.name = name, .dev = &d->dev, .fd = d->fd, .id = d->id,
		.pages = d->pages,
	});
}

TEST_F(described, parts_are_clipped)
{
	struct described *d = &self->d;
	unsigned int random = d->pages;
	__u64 *pfns;
	int i;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	pfns = ask_each_page(_metadata, d, d->id);
	for (i = 0; i < 200; i++) {
		size_t first = rand_r(&random) % d->pages;
		size_t nr = rand_r(&random) % (d->pages - first + 1);

		check_part(_metadata, d, pfns, first, nr);
	}
	check_part(_metadata, d, pfns, d->pages - 1, 1);
	check_part(_metadata, d, pfns, d->pages, 0);
	free(pfns);
}

TEST_F(described, goes_on_behind_what_there_was_room_for)
{
	struct described *d = &self->d;
	struct dma_buf_test_pfn_range some[3];
	size_t page = 0, extents = 0;
	int n;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	while (page < d->pages) {
		n = testdev_pfn_query(d->dev.fd, d->id, page, d->pages - page,
				      some, ARRAY_SIZE(some));
		ASSERT_LT(0, n);
		ASSERT_EQ(page, some[0].first);
		page = some[n - 1].first + some[n - 1].nr;
		extents += n;
	}
	EXPECT_EQ(expected_extents(d), extents);
}

TEST_F(described, beyond_the_end)
{
	struct described *d = &self->d;
	const struct {
		size_t first;
		size_t nr;
	} beyond[] = {
		{ d->pages, 1 },
		{ 0, d->pages + 1 },
		{ d->pages - 1, 2 },
		{ 1, SIZE_MAX },
		{ 0, SIZE_MAX },
		{ SIZE_MAX, 1 },
		{ SIZE_MAX - 1, 1 },
	};
	struct dma_buf_test_pfn_range range;
	size_t i;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	EXPECT_EQ(-EINVAL, testdev_pfn_query_one(d->dev.fd, d->id, d->pages,
						 &range));
	EXPECT_EQ(-EINVAL, testdev_pfn_query_one(d->dev.fd, d->id, SIZE_MAX,
						 &range));
	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		EXPECT_EQ(-EINVAL,
			  testdev_pfn_query(d->dev.fd, d->id, beyond[i].first,
					    beyond[i].nr, d->ranges,
					    d->pages + 1)) {
			TH_LOG("%zu pages from %zu on", beyond[i].nr,
			       beyond[i].first);
		}
	}
}

/* Devices, and importers that are told, see the same memory. */
TEST_F(described, devices_see_what_importers_are_told_of)
{
	struct described *d = &self->d;
	__u32 device;

	if (is_mmio(d))
		return;
	/* Private memory is for those who don't look for pages. */
	device = ATTACH(&d->dev, .fd = d->fd,
			.flags = CALLBACK | DMA_BUF_TEST_PEER2PEER);
	dma_fill(_metadata, d, device, SEED);
	dma_check(_metadata, d, d->id, SEED);
	ASSERT_EQ(0, testdev_pfn_close(d->dev.fd, d->id));
	dma_fill(_metadata, d, d->id, OTHER_SEED);
	dma_check(_metadata, d, device, OTHER_SEED);
	ASSERT_EQ(0, testdev_move(d->dev.fd, d->fd));
	dma_check(_metadata, d, d->id, OTHER_SEED);
	dma_check(_metadata, d, device, OTHER_SEED);
}

/* So do the CPU mappings of userspace and of the kernel. */
TEST_F(described, cpus_see_what_importers_are_told_of)
{
	struct described *d = &self->d;
	char *map = map_pages(_metadata, d->fd, 0, d->pages);

	if (!cpu_may_map(d))
		goto out;
	fill(d->view, 0, d->pages, SEED);
	dma_check(_metadata, d, d->id, SEED);
	EXPECT_EQ(-1, wrong_page(map, 0, d->pages, SEED));

	ASSERT_EQ(0, testdev_pfn_close(d->dev.fd, d->id));
	dma_fill(_metadata, d, d->id, OTHER_SEED);
	EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages, OTHER_SEED));
	EXPECT_EQ(-1, wrong_page(map, 0, d->pages, OTHER_SEED));

	memset(d->data, 0, d->size);
	ASSERT_EQ(0, testdev_vmap_read(d->dev.fd, d->fd, 0, d->data, d->size));
	EXPECT_EQ(-1, wrong_page(d->data, 0, d->pages, OTHER_SEED));
	fill(d->data, 0, d->pages, SEED);
	ASSERT_EQ(0, testdev_vmap_write(d->dev.fd, d->fd, 0, d->data, d->size));
	dma_check(_metadata, d, d->id, SEED);
	EXPECT_EQ(-1, wrong_page(map, 0, d->pages, SEED));
out:
	munmap(map, d->size);
}

/* The test's devices are none of PCI, so they can't reach another device. */
TEST(mmio_is_for_peers)
{
	const __u32 backings[] = { DMA_BUF_TEST_MMIO, DMA_BUF_TEST_MMIO_WC };
	struct described d = {};
	size_t i;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(backings); i++) {
		if (!make_described(_metadata, &d, backings[i], 0, PAGES))
			return;
		id = ATTACH(&d.dev, .fd = d.fd, .flags = CALLBACK);
		EXPECT_EQ(-EOPNOTSUPP, testdev_map(d.dev.fd, id));
		ASSERT_EQ(0, testdev_detach(d.dev.fd, id));
		id = ATTACH(&d.dev, .fd = d.fd,
			    .flags = CALLBACK | DMA_BUF_TEST_PEER2PEER);
		EXPECT_EQ(-EINVAL, testdev_map(d.dev.fd, id));
		EXPECT_EQ(0, testdev_pfn_open(d.dev.fd, id, true));
		ASSERT_EQ(0, testdev_detach(d.dev.fd, id));
		EXPECT_BUFINFO(d.fd, { "movable", 0, 0 });
		drop_described(_metadata, &d);
	}
}

TEST(private_memory_is_not_for_cpus)
{
	const __u32 flags[] = { 0, DMA_BUF_TEST_CORE_MAPS };
	struct described d = {};
	size_t i, page;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!make_described(_metadata, &d, DMA_BUF_TEST_PRIVATE,
				    flags[i], 37))
			return;
		dma_fill(_metadata, &d, d.id, SEED);
		for (page = 0; page < d.pages; page += 5) {
			char *addr = d.view + page * page_size;

			EXPECT_TRUE(gets_sigbus(addr, false));
			EXPECT_TRUE(gets_sigbus(addr, true));
		}
		EXPECT_EQ(-EOPNOTSUPP, testdev_vmap_read(d.dev.fd, d.fd, 0,
							 d.data, d.size));
		EXPECT_EQ(0, testdev_move(d.dev.fd, d.fd));
		dma_check(_metadata, &d, d.id, SEED);
		drop_described(_metadata, &d);
	}
}

TEST_F(described, dma_to_a_part_changes_that_part_only)
{
	struct described *d = &self->d;
	const struct {
		size_t offset;
		size_t len;
	} parts[] = {
		{ 0, 1 },
		{ page_size - 1, 2 },
		{ page_size / 2 + 3, page_size },
		{ d->size / 2 - 5, 11 },
		{ d->size - 1, 1 },
		{ d->size / 3, d->size / 3 },
	};
	char *model = malloc(d->size);
	size_t i;

	ASSERT_NE(NULL, model);
	memset(model, 0, d->size);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t offset = parts[i].offset, len = parts[i].len;

		if (offset + len > d->size)
			continue;
		memset(model + offset, i + 1, len);
		ASSERT_EQ(0, testdev_write(d->dev.fd, d->id, offset,
					   model + offset, len));
		ASSERT_EQ(0, testdev_read(d->dev.fd, d->id, 0, d->data,
					  d->size));
		ASSERT_EQ(0, memcmp(model, d->data, d->size));
		if (cpu_may_map(d))
			ASSERT_EQ(0, memcmp(model, d->view, d->size));
	}
	free(model);
}

/* Each part of the buffer by a mapping that begins there */
TEST_F(described, mapping_of_a_part_shows_that_part)
{
	struct described *d = &self->d;
	unsigned int random = d->pages;
	int i;

	if (!cpu_may_map(d))
		return;
	dma_fill(_metadata, d, d->id, SEED);
	for (i = 0; i < 50; i++) {
		size_t first = rand_r(&random) % d->pages;
		size_t nr = 1 + rand_r(&random) % (d->pages - first);
		char *map = map_pages(_metadata, d->fd, first, nr);

		ASSERT_EQ(-1, wrong_page(map, first, nr, SEED));
		/* What is behind it is another mapping. */
		if (nr > 1) {
			ASSERT_EQ(0, munmap(map, page_size));
			EXPECT_EQ(0, i % 8 ? 0 : testdev_move(d->dev.fd, d->fd));
			ASSERT_EQ(-1, wrong_page(map + page_size, first + 1,
						 nr - 1, SEED));
		}
		munmap(map, nr * page_size);
	}
}

/* One fault maps what is in the page table, unless userspace says otherwise. */
TEST_F(described, a_fault_maps_what_is_around)
{
	struct described *d = &self->d;
	const size_t table = huge_pages() * page_size;
	size_t nr = d->pages < huge_pages() ? d->pages : huge_pages();
	char *area, *map;

	if (!cpu_may_map(d))
		return;
	area = mmap(NULL, 2 * table, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	map = (char *)(((unsigned long)area + table - 1) / table * table);
	ASSERT_EQ(map, mmap(map, nr * page_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, d->fd, 0));
	EXPECT_EQ(1, faults_of_touch(map + nr / 2 * page_size, 1));
	EXPECT_EQ(0, faults_of_touch(map, nr * page_size));

	/* What it is cut off from stays, and comes back alone after a move. */
	if (nr > 2) {
		size_t page = nr / 3;

		ASSERT_EQ(0, munmap(map, page * page_size));
		/* A huge entry goes when its VMA is split. */
		EXPECT_EQ(d->pages >= huge_pages() &&
			  expected_extents(d) <= d->pages / huge_pages(),
			  faults_of_touch(map + page * page_size,
					  (nr - page) * page_size));
		ASSERT_EQ(0, testdev_move(d->dev.fd, d->fd));
		EXPECT_EQ(1, faults_of_touch(map + (nr - 1) * page_size, 1));
		EXPECT_EQ(0, faults_of_touch(map + page * page_size,
					     (nr - page) * page_size));
	}

	/* Not a huge entry, which needs all of it */
	if (nr < huge_pages()) {
		ASSERT_EQ(map, mmap(map, nr * page_size,
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, d->fd, 0));
		ASSERT_EQ(0, madvise(map, nr * page_size, MADV_RANDOM));
		EXPECT_EQ((long)nr, faults_of_touch(map, nr * page_size));
	}
	munmap(area, 2 * table);
}

/* How an importer may ask */

FIXTURE(asking) {
	struct described d;
};

FIXTURE_SETUP(asking)
{
	make_described(_metadata, &self->d, DMA_BUF_TEST_SCATTERED, 0, PAGES);
}

FIXTURE_TEARDOWN(asking)
{
	drop_described(_metadata, &self->d);
}

TEST_F(asking, only_while_a_mapping_is_open)
{
	struct described *d = &self->d;
	struct dma_buf_test_pfn_range range;

	EXPECT_EQ(-EINVAL, testdev_pfn_query_one(d->dev.fd, d->id, 0, &range));
	EXPECT_EQ(-EINVAL, testdev_pfn_close(d->dev.fd, d->id));
	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	EXPECT_EQ(-EBUSY, testdev_pfn_open(d->dev.fd, d->id, false));
	EXPECT_EQ(1, testdev_pfn_query_one(d->dev.fd, d->id, 0, &range));
	ASSERT_EQ(0, testdev_pfn_close(d->dev.fd, d->id));
	EXPECT_EQ(-EINVAL, testdev_pfn_query_one(d->dev.fd, d->id, 0, &range));
}

TEST_F(asking, the_exporter_is_asked_each_time)
{
	struct described *d = &self->d;
	struct dma_buf_test_pfn_range range;
	__u32 asks = buffer_info(_metadata, &d->dev, d->fd).asks, first = asks;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	EXPECT_EQ(first, buffer_info(_metadata, &d->dev, d->fd).asks);
	ASSERT_EQ(1, testdev_pfn_query_one(d->dev.fd, d->id, 0, &range));
	EXPECT_EQ(first + 1, buffer_info(_metadata, &d->dev, d->fd).asks);
	/* Single pages are all told in one answer. */
	ASSERT_EQ(PAGES, testdev_pfn_query(d->dev.fd, d->id, 0, PAGES,
					   d->ranges, PAGES));
	asks = buffer_info(_metadata, &d->dev, d->fd).asks;
	EXPECT_EQ(first + 2, asks);
	/* Nor for what is beyond the end */
	EXPECT_EQ(-EINVAL, testdev_pfn_query_one(d->dev.fd, d->id, PAGES,
						 &range));
	EXPECT_EQ(asks, buffer_info(_metadata, &d->dev, d->fd).asks);
}

/* With a device, too, besides what is mapped for that */
TEST_F(asking, mappings_of_both_kinds)
{
	struct described *d = &self->d;
	struct shown_attachment shown[2];
	struct testdev *dev = &d->dev;
	__u32 id = ATTACH(dev, .fd = d->fd, .modes = ALL, .flags = CALLBACK);

	fill(d->view, 0, PAGES, SEED);
	ASSERT_EQ(0, testdev_pfn_open(dev->fd, d->id, false));
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_pfn_open(dev->fd, id, true));
	ASSERT_EQ(PAGES, testdev_pfn_query(dev->fd, id, 0, PAGES, d->ranges,
					   PAGES));
	dma_check(_metadata, d, id, SEED);

	ASSERT_EQ(2, read_bufinfo(d->fd, shown, 2));
	EXPECT_STREQ("dma_buf_test", shown[0].device);
	EXPECT_STREQ("movable", shown[0].mode);
	EXPECT_EQ(0U, shown[0].mappings);
	EXPECT_EQ(1U, shown[0].pfn_mappings);
	EXPECT_STREQ("dma_buf_test.0", shown[1].device);
	EXPECT_EQ(1U, shown[1].mappings);
	EXPECT_EQ(1U, shown[1].pfn_mappings);

	/* One goes without the other. */
	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_EQ(1U, importer_info(_metadata, dev, id).pfn);
	EXPECT_EQ(1U, importer_info(_metadata, dev, id).pfn_write);
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_pfn_close(dev->fd, id));
	EXPECT_EQ(0U, importer_info(_metadata, dev, id).pfn);
	EXPECT_EQ(1U, importer_info(_metadata, dev, id).mapped);

	/* Detach closes. */
	ASSERT_EQ(0, testdev_detach(dev->fd, d->id));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_BUFINFO_EMPTY(d->fd);
}

TEST_F(asking, write_by_a_mapping_for_reading)
{
	struct described *d = &self->d;
	char byte = 1;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, d->id, false));
	EXPECT_EQ(0, testdev_read(d->dev.fd, d->id, 0, &byte, 1));
	EXPECT_EQ(-EACCES, testdev_write(d->dev.fd, d->id, 0, &byte, 1));
	ASSERT_EQ(0, testdev_pfn_close(d->dev.fd, d->id));
	EXPECT_EQ(0, testdev_write(d->dev.fd, d->id, 0, &byte, 1));
	EXPECT_EQ(1U, importer_info(_metadata, &d->dev, d->id).pfn_write);
}

/* A dma-buf that userspace can't write to, no importer can. */
TEST_F(asking, exported_read_only)
{
	struct described *d = &self->d;
	struct testdev *dev = &d->dev;
	int fd = testdev_export(dev->fd, &(struct dma_buf_test_export) {
		.size = d->size,
		.modes = ALL,
		.flags = HAS_PIN,
		.open_flags = O_RDONLY | O_CLOEXEC,
	});
	const __u32 devices[] = { NO_DEVICE, 0 };
	size_t i;
	char *map;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		__u32 id = ATTACH(dev, .fd = fd, .device = devices[i],
				  .modes = ALL, .flags = CALLBACK);

		EXPECT_EQ(-EACCES, testdev_pfn_open(dev->fd, id, true));
		EXPECT_EQ(0U, importer_info(_metadata, dev, id).pfn);
		EXPECT_EQ(0, testdev_pfn_open(dev->fd, id, false));
		EXPECT_EQ(PAGES, testdev_pfn_query(dev->fd, id, 0, PAGES,
						   d->ranges, PAGES));
		if (devices[i] == NO_DEVICE)
			EXPECT_EQ(-EACCES, testdev_write(dev->fd, id, 0,
							 d->data, 1));
		ASSERT_EQ(0, testdev_detach(dev->fd, id));
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, d->size, PROT_WRITE, MAP_SHARED, fd,
				   0));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, d->size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(all_bytes(map, d->size, 0));
	EXPECT_EQ(-1, mprotect(map, d->size, PROT_READ | PROT_WRITE));
	munmap(map, d->size);
	close(fd);
}

TEST_F(asking, nothing_can_be_mapped_without_a_device)
{
	struct described *d = &self->d;
	int i;

	announce_one_warning("map_attachment");
	for (i = 0; i < 2; i++)
		EXPECT_EQ(-EINVAL, testdev_map(d->dev.fd, d->id));
	EXPECT_EQ(0U, importer_info(_metadata, &d->dev, d->id).mapped);
	EXPECT_BUFINFO(d->fd, { "movable", 0, 0 });
}

/* An exporter that doesn't describe its buffer */
TEST_F(asking, not_described)
{
	struct described *d = &self->d;
	struct testdev *dev = &d->dev;
	struct dma_buf_test_attach args = {
		.device = NO_DEVICE,
		.modes = PINNED,
	};
	__u32 id;

	args.fd = testdev_export(dev->fd, &(struct dma_buf_test_export) {
		.size = d->size,
		.backing = DMA_BUF_TEST_DMA_COHERENT,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	if (args.fd == -ENODEV)
		SKIP(return, "no device of the DMA API");
	ASSERT_LE(0, args.fd);
	EXPECT_EQ(-EOPNOTSUPP, testdev_attach(dev->fd, &args));
	args.device = 0;
	id = attach(_metadata, dev, args);
	EXPECT_EQ(-EOPNOTSUPP, testdev_pfn_open(dev->fd, id, false));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	close(args.fd);
}

/* How long an answer holds */

#define DELAY_MS	1000
#define GIVE_UP_MS	20000

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

FIXTURE(told) {
	struct described d;
	__u32 id;
};

FIXTURE_VARIANT(told) {
	__u32 backing;
	__u32 buffer;		/* flags of the exporter */
	__u32 device;
	__u32 flags;
	__u32 delay_ms;
};

FIXTURE_VARIANT_ADD(told, soon) {
	.device = NO_DEVICE,
	.flags = CALLBACK,
};

FIXTURE_VARIANT_ADD(told, soon_with_device) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.flags = CALLBACK,
};

FIXTURE_VARIANT_ADD(told, late) {
	.device = NO_DEVICE,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_LATE,
	.delay_ms = DELAY_MS,
};

FIXTURE_VARIANT_ADD(told, never) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.buffer = DMA_BUF_TEST_CORE_MAPS,
	.device = NO_DEVICE,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
};

FIXTURE_VARIANT_ADD(told, never_with_device) {
	.buffer = DMA_BUF_TEST_CORE_MAPS,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
};

FIXTURE_VARIANT_ADD(told, mmio_late) {
	.backing = DMA_BUF_TEST_MMIO_WC,
	.device = NO_DEVICE,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_LATE,
	.delay_ms = DELAY_MS,
};

FIXTURE_VARIANT_ADD(told, mmio_never) {
	.backing = DMA_BUF_TEST_MMIO,
	.device = NO_DEVICE,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
};

FIXTURE_SETUP(told)
{
	struct described *d = &self->d;

	if (!make_described(_metadata, d, variant->backing, variant->buffer,
			    PAGES))
		return;
	fill(d->view, 0, d->pages, SEED);
	self->id = ATTACH(&d->dev, .fd = d->fd, .device = variant->device,
			  .modes = MOVABLE | REVOCABLE, .flags = variant->flags,
			  .delay_ms = variant->delay_ms);
}

FIXTURE_TEARDOWN(told)
{
	drop_described(_metadata, &self->d);
}

/* Until the importer is told, and no longer, whether it lets go or not */
static void check_invalid(struct __test_metadata *_metadata,
			  struct described *d, __u32 id, __u32 flags, int error)
{
	struct dma_buf_test_importer_info info;
	struct dma_buf_test_pfn_range range;
	long start = now_ms();
	int ret;

	info = importer_info(_metadata, &d->dev, id);
	ret = testdev_pfn_query_one(d->dev.fd, id, 0, &range);
	if (flags & DMA_BUF_TEST_UNMAP_NEVER) {
		EXPECT_EQ(2U, info.pfn);
		EXPECT_EQ(error, ret);
	} else if (flags & DMA_BUF_TEST_UNMAP_LATE) {
		/* It may be long ago on a busy machine. */
		EXPECT_TRUE(ret == error || ret == -EINVAL);
		while (importer_info(_metadata, &d->dev, id).pfn) {
			ASSERT_GT(GIVE_UP_MS, now_ms() - start);
			usleep(10000);
		}
	} else {
		EXPECT_EQ(0U, info.pfn);
		EXPECT_EQ(-EINVAL, ret);
		EXPECT_EQ(info.pfn_opens, info.pfn_closes);
	}
}

TEST_F(told, move_ends_an_answer_and_the_next_is_another)
{
	struct described *d = &self->d;
	__u64 *before, *after;
	int round;
	size_t page;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, self->id, true));
		before = ask_each_page(_metadata, d, self->id);
		ASSERT_EQ(0, testdev_move(d->dev.fd, d->fd));
		check_invalid(_metadata, d, self->id, variant->flags, -ESTALE);

		ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, self->id, true));
		after = ask_each_page(_metadata, d, self->id);
		for (page = 0; page < d->pages; page++)
			EXPECT_NE(before[page], after[page]);
		dma_check(_metadata, d, self->id, SEED + round);
		dma_fill(_metadata, d, d->id, SEED + round + 1);
		EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages,
					 SEED + round + 1));
		ASSERT_EQ(0, testdev_pfn_close(d->dev.fd, self->id));
		free(before);
		free(after);
	}
}

/* Content by a mapping that is opened anew, of an importer that lets go late */
TEST_F(told, buffer_moves_on_while_a_mapping_is_open)
{
	struct described *d = &self->d;
	int i;

	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, self->id, true));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, testdev_move(d->dev.fd, d->fd));
		dma_check(_metadata, d, d->id, SEED + i);
		dma_fill(_metadata, d, d->id, SEED + i + 1);
	}
	EXPECT_EQ(4U, importer_info(_metadata, &d->dev, self->id).invalidates);
	ASSERT_EQ(0, testdev_detach(d->dev.fd, self->id));
	EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages, SEED + 4));
}

TEST_F(told, revoke_ends_an_answer)
{
	struct described *d = &self->d;
	struct testdev *dev = &d->dev;
	struct dma_buf_test_attach args = {
		.fd = d->fd,
		.device = NO_DEVICE,
		.modes = REVOCABLE,
		.flags = CALLBACK,
	};
	bool never = variant->flags & DMA_BUF_TEST_UNMAP_NEVER;
	__u64 *before, *after;
	__u32 id;

	ASSERT_EQ(0, testdev_detach(dev->fd, d->id));
	ASSERT_EQ(0, testdev_detach(dev->fd, self->id));
	id = ATTACH(dev, .fd = d->fd, .device = variant->device,
		    .modes = REVOCABLE, .flags = variant->flags,
		    .delay_ms = variant->delay_ms);
	ASSERT_EQ(0, testdev_pfn_open(dev->fd, id, false));
	before = ask_each_page(_metadata, d, id);

	ASSERT_EQ(never ? -ETIMEDOUT : 0,
		  testdev_revoke_timeout(dev->fd, d->fd, DMA_BUF_REVOKED_NOW,
					 never ? 10 : 10000));
	check_invalid(_metadata, d, id, variant->flags, -ENODEV);
	EXPECT_EQ(-ENODEV, testdev_pfn_open(dev->fd, id, false));
	EXPECT_EQ(-ENODEV, testdev_attach(dev->fd, &args));
	EXPECT_TRUE(gets_sigbus(d->view, false));
	EXPECT_TRUE(gets_sigbus(d->view + d->size - 1, true));

	if (never)
		testdev_pfn_close(dev->fd, id);
	ASSERT_EQ(0, testdev_revoke(dev->fd, d->fd, DMA_BUF_REVOKED_NO));
	ASSERT_EQ(0, testdev_pfn_open(dev->fd, id, false));
	after = ask_each_page(_metadata, d, id);
	EXPECT_EQ(0, memcmp(before, after, d->pages * sizeof(*before)));
	EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages, SEED));
	free(before);
	free(after);
}

/* In this mode nothing may change until detach. */
TEST_F(told, pinned_stays)
{
	struct described *d = &self->d;
	struct testdev *dev = &d->dev;
	__u64 *before, *after;
	__u32 id;

	/* MMIO is never offered pinned. */
	if (is_mmio(d))
		return;
	id = ATTACH(dev, .fd = d->fd, .device = variant->device,
		    .modes = PINNED);
	ASSERT_EQ(0, testdev_pfn_open(dev->fd, id, false));
	before = ask_each_page(_metadata, d, id);
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, d->fd));
	EXPECT_EQ(-EBUSY, testdev_revoke(dev->fd, d->fd, DMA_BUF_REVOKED_NOW));
	after = ask_each_page(_metadata, d, id);
	EXPECT_EQ(0, memcmp(before, after, d->pages * sizeof(*before)));
	free(before);
	free(after);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_EQ(0, testdev_move(dev->fd, d->fd));
}

/* The memory goes, with the PCI device that it is part of. */

#define MMIO_DRIVER	"/sys/bus/pci/drivers/dma_buf_test_mmio"

FIXTURE(unplugged) {
	struct described d;
};

FIXTURE_SETUP(unplugged)
{
	make_described(_metadata, &self->d, DMA_BUF_TEST_MMIO_WC, 0, 37);
}

FIXTURE_TEARDOWN(unplugged)
{
	int fd;

	drop_described(_metadata, &self->d);
	/* It is there again for other tests, as there is no buffer any more. */
	ASSERT_EQ(0, write_file("/sys/bus/pci/rescan", "1"));
	self->d.dev.fd = testdev_open();
	fd = testdev_export_all(self->d.dev.fd, DMA_BUF_TEST_MMIO_WC, 0,
				self->d.size);
	EXPECT_LE(0, fd);
	close(fd);
	close(self->d.dev.fd);
}

TEST_F(unplugged, importers_are_told_and_nothing_is_left)
{
	struct described *d = &self->d;
	struct dma_buf_test_pfn_range range;
	glob_t found;
	char path[256];
	__u32 id;

	id = ATTACH(&d->dev, .fd = d->fd, .device = NO_DEVICE, .modes = MOVABLE,
		    .flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);
	fill(d->view, 0, d->pages, SEED);
	ASSERT_EQ(0, testdev_pfn_open(d->dev.fd, id, true));
	dma_check(_metadata, d, d->id, SEED);

	ASSERT_EQ(0, glob(MMIO_DRIVER "/*:*", 0, NULL, &found));
	snprintf(path, sizeof(path), "%s/remove", found.gl_pathv[0]);
	globfree(&found);
	ASSERT_EQ(0, write_file(path, "1"));

	EXPECT_EQ(1U, importer_info(_metadata, &d->dev, id).invalidates);
	EXPECT_EQ(2U, importer_info(_metadata, &d->dev, id).pfn);
	EXPECT_EQ(0U, importer_info(_metadata, &d->dev, d->id).pfn);
	EXPECT_EQ(-ESTALE, testdev_pfn_query_one(d->dev.fd, id, 0, &range));
	EXPECT_EQ(0, testdev_pfn_open(d->dev.fd, id, true));
	EXPECT_EQ(-ENODEV, testdev_pfn_query_one(d->dev.fd, id, 0, &range));
	EXPECT_TRUE(gets_sigbus(d->view, false));
	EXPECT_TRUE(gets_sigbus(d->view + d->size - 1, true));
	EXPECT_EQ(-ENODEV, testdev_vmap_read(d->dev.fd, d->fd, 0, d->data, 1));
	EXPECT_EQ(-ENODEV, testdev_move(d->dev.fd, d->fd));
	EXPECT_EQ(-ENODEV, testdev_export_all(d->dev.fd, DMA_BUF_TEST_MMIO, 0,
					      d->size));
}

/* Other exporters */

FIXTURE(exporter) {
	struct testdev dev;
	struct dmabuf buf;
	char *view;
};

FIXTURE_VARIANT(exporter) {
	const struct exporter *exporter;
};

FIXTURE_SETUP(exporter)
{
	const struct exporter *exporter = variant->exporter;
	const char *missing = exporter_missing(exporter);

	if (missing && !exporter->requested)
		SKIP(return, "%s", missing);
	if (!open_device(_metadata, &self->dev))
		return;
	ASSERT_EQ(0, dmabuf_open(&self->buf, exporter, exporter_small(exporter),
				 O_RDWR));
	self->view = mmap(NULL, self->buf.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, self->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, self->view);
	fill(self->view, 0, self->buf.size / page_size, SEED);
}

FIXTURE_TEARDOWN(exporter)
{
	munmap(self->view, self->buf.size);
	dmabuf_close(&self->buf);
	close_device(_metadata, &self->dev);
}

/* Those of the list that describe their buffers */
static bool is_described(const struct exporter *exporter)
{
	static const char *const names[] = {
		"system_heap", "cma_heap", "udmabuf", "test_",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(exporter->name, names[i], strlen(names[i])))
			return true;
	return false;
}

/* If it is described, then as it is. */
TEST_F(exporter, content_is_where_it_is_said_to_be)
{
	const char *name = variant->exporter->name;
	size_t pages = self->buf.size / page_size;
	struct testdev *dev = &self->dev;
	struct dma_buf_test_attach args = {
		.fd = self->buf.fd,
		.device = NO_DEVICE,
		.modes = ALL,
		.flags = CALLBACK,
	};
	char *data;
	int id;

	id = testdev_attach(dev->fd, &args);
	if (id == -EOPNOTSUPP) {
		EXPECT_FALSE(is_described(variant->exporter));
		cell(name, "told", "not described");
		return;
	}
	ASSERT_LT(0, id);
	data = malloc(self->buf.size);
	ASSERT_NE(NULL, data);

	ASSERT_EQ(0, testdev_read(dev->fd, id, 0, data, self->buf.size));
	EXPECT_EQ(-1, wrong_page(data, 0, pages, SEED));
	ASSERT_EQ(0, testdev_pfn_close(dev->fd, id));
	fill(data, 0, pages, OTHER_SEED);
	ASSERT_EQ(0, testdev_write(dev->fd, id, 0, data, self->buf.size));
	EXPECT_EQ(-1, wrong_page(self->view, 0, pages, OTHER_SEED));
	free(data);

	report(_metadata, (struct row) {
		.name = name, .dev = dev, .fd = self->buf.fd, .id = id,
		.pages = pages,
	});
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_exporter_fixture_object, exporters, FOR_MAPPING);
	return test_harness_run(argc, argv);
}
