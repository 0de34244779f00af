// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exporter that is wrong about where its buffer is: nobody is told, nothing is
 * mapped, and the kernel warns about the exporter once.
 *
 * So this is not for a kernel with panic_on_warn. It says in the kernel log
 * which WARN is about to come, for who scans that.
 */
#define _GNU_SOURCE
#include "pfn_fixture.h"

/* Before all others, as there is one WARN for all lies of an exporter */
TEST(kernel_warns_once)
{
	struct dma_buf_test_pfn_range range;
	struct described d = {};
	int i;

	if (!make_described(_metadata, &d, DMA_BUF_TEST_SCATTERED, 0, PAGES))
		return;
	ASSERT_EQ(0, testdev_pfn_open(d.dev.fd, d.id, false));
	ASSERT_EQ(0, testdev_lie(d.dev.fd, d.fd, DMA_BUF_TEST_LIE_EMPTY, 0));
	announce_one_warning("exporter dma_buf_test [(]dma_buf_test[)] describes an empty range [(]page 2 of 5");
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EIO, testdev_pfn_query_one(d.dev.fd, d.id, 2,
						      &range));
	}
	drop_described(_metadata, &d);
}

FIXTURE(lying) {
	struct described d;
	__u32 device;
};

FIXTURE_VARIANT(lying) {
	__u32 backing;
	size_t pages;
};

FIXTURE_VARIANT_ADD(lying, scattered) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 9,
};

FIXTURE_VARIANT_ADD(lying, contiguous) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 9,
};

FIXTURE_VARIANT_ADD(lying, huge) {
	.backing = DMA_BUF_TEST_HUGE,
};

FIXTURE_VARIANT_ADD(lying, private) {
	.backing = DMA_BUF_TEST_PRIVATE,
	.pages = 9,
};

FIXTURE_VARIANT_ADD(lying, mmio) {
	.backing = DMA_BUF_TEST_MMIO,
	.pages = 9,
};

FIXTURE_SETUP(lying)
{
	struct described *d = &self->d;

	if (!make_described(_metadata, d, variant->backing,
			    DMA_BUF_TEST_CORE_MAPS,
			    variant->pages ?: huge_pages()))
		return;
	dma_fill(_metadata, d, d->id, SEED);
	self->device = ATTACH(&d->dev, .fd = d->fd,
			      .flags = CALLBACK | DMA_BUF_TEST_PEER2PEER);
}

FIXTURE_TEARDOWN(lying)
{
	drop_described(_metadata, &self->d);
}

static void lie(struct __test_metadata *_metadata, struct described *d,
		__u32 lie)
{
	ASSERT_EQ(0, testdev_lie(d->dev.fd, d->fd, lie, 0));
}

/* It is as if nothing had been. */
static void check_truth(struct __test_metadata *_metadata, struct described *d)
{
	lie(_metadata, d, DMA_BUF_TEST_LIE_NONE);
	dma_check(_metadata, d, d->id, SEED);
	if (cpu_may_map(d))
		EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages, SEED));
}

static void check_lie(struct __test_metadata *_metadata, struct described *d,
		      __u32 device, int error)
{
	struct dma_buf_test_pfn_range range;
	char *map;

	map = map_pages(_metadata, d->fd, 0, d->pages);
	EXPECT_TRUE(gets_sigbus(map, false));
	EXPECT_TRUE(gets_sigbus(map + d->size / 2 / page_size * page_size,
				true));
	EXPECT_TRUE(gets_sigbus(map + d->size - 1, true));
	munmap(map, d->size);

	EXPECT_EQ(error, testdev_pfn_query_one(d->dev.fd, d->id, 0, &range));
	EXPECT_EQ(error, testdev_pfn_query_one(d->dev.fd, d->id, d->pages - 1,
					       &range));
	EXPECT_EQ(error, testdev_pfn_query(d->dev.fd, d->id, 0, d->pages,
					   d->ranges, d->pages + 1));
	EXPECT_EQ(error, testdev_read(d->dev.fd, d->id, 0, d->data, d->size));
	EXPECT_EQ(error, testdev_map(d->dev.fd, device));
	EXPECT_EQ(error, testdev_vmap_read(d->dev.fd, d->fd, 0, d->data,
					   page_size));
	EXPECT_BUFINFO_PFN(d->fd, 1, { "movable", 0, 0 }, { "movable", 0, 0 });
}

TEST_F(lying, is_found_out)
{
	struct described *d = &self->d;
	__u32 which;

	for (which = DMA_BUF_TEST_LIE_EMPTY; which <= DMA_BUF_TEST_LIE_POSITIVE;
	     which++) {
		lie(_metadata, d, which);
		check_lie(_metadata, d, self->device, -EIO);
		check_truth(_metadata, d);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code) {
			TH_LOG("lie %u", which);
		}
	}
}

/* What is told before is right, and all that was begun with it is undone. */
TEST_F(lying, in_the_middle)
{
	struct described *d = &self->d;
	struct dma_buf_test_pfn_range range;
	size_t first = d->pages / 2;
	__u32 which;

	for (which = DMA_BUF_TEST_LIE_EMPTY; which <= DMA_BUF_TEST_LIE_ERROR;
	     which++) {
		int error = which == DMA_BUF_TEST_LIE_ERROR ? -ENOSPC : -EIO;
		char *map = map_pages(_metadata, d->fd, 0, d->pages);

		ASSERT_EQ(0, testdev_lie(d->dev.fd, d->fd, which, first));
		EXPECT_EQ(1, testdev_pfn_query_one(d->dev.fd, d->id, first - 1,
						   &range));
		EXPECT_EQ(first, range.first + range.nr);
		EXPECT_EQ(error, testdev_pfn_query_one(d->dev.fd, d->id, first,
						       &range));
		EXPECT_EQ(error, testdev_pfn_query(d->dev.fd, d->id, 0,
						   d->pages, d->ranges,
						   d->pages + 1));
		EXPECT_EQ(error, testdev_map(d->dev.fd, self->device));
		EXPECT_EQ(cpu_may_map(d) ? error : -EOPNOTSUPP,
			  testdev_vmap_read(d->dev.fd, d->fd, 0, d->data,
					    page_size));
		if (cpu_may_map(d)) {
			EXPECT_EQ(-1, wrong_page(map, 0, first, SEED));
			EXPECT_TRUE(gets_sigbus(map + first * page_size,
						false));
		}
		EXPECT_BUFINFO_PFN(d->fd, 1, { "movable", 0, 0 },
				   { "movable", 0, 0 });
		munmap(map, d->size);
		check_truth(_metadata, d);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code) {
			TH_LOG("lie %u", which);
		}
	}
}

/* The error goes to whoever has asked. */
TEST_F(lying, exporter_that_does_not_know)
{
	struct described *d = &self->d;

	lie(_metadata, d, DMA_BUF_TEST_LIE_ERROR);
	check_lie(_metadata, d, self->device, -ENOSPC);
	check_truth(_metadata, d);
}

/* Entries that are there already are from when it told the truth. */
TEST_F(lying, what_is_mapped_stays)
{
	struct described *d = &self->d;
	__u32 which;

	if (!cpu_may_map(d))
		return;
	touch(d->view, d->size);
	for (which = DMA_BUF_TEST_LIE_EMPTY; which <= DMA_BUF_TEST_LIE_ERROR;
	     which++) {
		lie(_metadata, d, which);
		EXPECT_EQ(-1, wrong_page(d->view, 0, d->pages, SEED));
	}
	/* After a move there are none. */
	EXPECT_EQ(0, testdev_move(d->dev.fd, d->fd));
	EXPECT_TRUE(gets_sigbus(d->view, false));
	check_truth(_metadata, d);
}

#define TRIES	6

/*
 * To map takes two walks, to count and to fill. If the second has more ranges or
 * fewer, it fails. If it has as many, it maps, and they are the buffer's. One
 * range needs no second walk.
 */
TEST_F(lying, exporter_that_changes_its_mind)
{
	struct described *d = &self->d;
	bool same = expected_extents(d) == d->pages;
	struct dma_buf_test_pfn_range range;
	int i, ret, refused = 0;

	if (is_mmio(d))
		return;
	lie(_metadata, d, DMA_BUF_TEST_LIE_CHANGES);
	for (i = 0; i < TRIES; i++) {
		/* One question more, so that each of the two comes first */
		if (i % 2)
			testdev_pfn_query_one(d->dev.fd, d->id, 0, &range);
		ret = testdev_map(d->dev.fd, self->device);
		EXPECT_TRUE(!ret || ret == -EIO);
		if (!ret)
			EXPECT_EQ(0, testdev_unmap(d->dev.fd, self->device));
		refused += !!ret;
		ret = testdev_vmap_read(d->dev.fd, d->fd, 0, d->data,
					page_size);
		EXPECT_EQ(cpu_may_map(d) ? 0 : -EOPNOTSUPP, ret);
	}
	/* One range is refused if the first walk sees it in pieces. */
	EXPECT_GE(same ? 0 : TRIES, refused);
	EXPECT_LE(same ? 0 : expected_extents(d) > 1 ? TRIES : 1, refused);
	check_truth(_metadata, d);
}

TEST_HARNESS_MAIN
