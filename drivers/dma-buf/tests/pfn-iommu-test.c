// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: dma-bufs mapped into an IOMMU domain, compared with a flat array of the
 * buffer's pages
 */

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "pfn-model.h"

/* An IOMMU domain that writes down what it has: IOVA 0 on, in units of 1 KiB */
#define GRANULE		SZ_1K
#define MAX_GRANULES	(MODEL_MAX_PAGES * PAGE_SIZE / GRANULE + 64)

struct mock_domain {
	struct iommu_domain domain;
	struct kunit *test;
	phys_addr_t paddr[MAX_GRANULES];	/* plus 1, as 0 is nothing */
	int prot[MAX_GRANULES];
	size_t largest;				/* in one call */
	int fail_after;				/* calls, or -1 */
};

static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *d = container_of(domain, struct mock_domain, domain);

	if (!d->fail_after)
		return -ENOMEM;
	if (d->fail_after > 0)
		d->fail_after--;
	d->largest = max(d->largest, pgsize * pgcount);
	for (size_t i = 0; i < pgsize * pgcount / GRANULE; i++) {
		size_t n = iova / GRANULE + i;

		KUNIT_ASSERT_LT(d->test, n, MAX_GRANULES);
		KUNIT_EXPECT_EQ(d->test, d->paddr[n], 0);
		d->paddr[n] = paddr + i * GRANULE + 1;
		d->prot[n] = prot;
	}
	*mapped = pgsize * pgcount;
	return 0;
}

static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_domain *d = container_of(domain, struct mock_domain, domain);

	for (size_t i = 0; i < pgsize * pgcount / GRANULE; i++) {
		KUNIT_EXPECT_NE(d->test, d->paddr[iova / GRANULE + i], 0);
		d->paddr[iova / GRANULE + i] = 0;
	}
	return pgsize * pgcount;
}

static const struct iommu_domain_ops mock_domain_ops = {
	.map_pages = mock_map_pages,
	.unmap_pages = mock_unmap_pages,
};

static struct mock_domain *domain_create(struct kunit *test)
{
	struct mock_domain *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->test = test;
	d->fail_after = -1;
	d->domain.type = IOMMU_DOMAIN_UNMANAGED;
	d->domain.ops = &mock_domain_ops;
	d->domain.pgsize_bitmap = SZ_1K | SZ_4K | SZ_16K;
	d->domain.geometry.aperture_end = ~0UL;
	return d;
}

static size_t nr_mapped(const struct mock_domain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_GRANULES; i++)
		n += d->paddr[i] != 0;
	return n;
}

/* Attach without a device, open, map, and do the opposite */
static int iommu_map_pieces(struct model *m, struct mock_domain *d, bool write,
			    unsigned long iova, size_t offset, size_t length,
			    size_t max_size, int prot)
{
	struct dma_buf_pfn_mapping mapping = {};
	struct dma_buf_attachment *attach;
	int ret;

	attach = dma_buf_pfn_attach(m->dmabuf, "kunit", &model_importer_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, attach);
	dma_resv_lock(m->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(m->test, 0, dma_buf_pfn_open(attach, &mapping, write));
	ret = dma_buf_pfn_iommu_map(&mapping, &d->domain, iova, offset, length,
				    max_size, prot, GFP_KERNEL);
	dma_buf_pfn_close(&mapping);
	dma_resv_unlock(m->dmabuf->resv);
	dma_buf_detach(m->dmabuf, attach);
	return ret;
}

static int iommu_map_part(struct model *m, struct mock_domain *d, bool write,
			  unsigned long iova, size_t offset, size_t length, int prot)
{
	return iommu_map_pieces(m, d, write, iova, offset, length, 0, prot);
}

static void maps_into_an_iommu_domain(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	const int prot = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE;

	for (u64 seed = 300; seed < 300 + MODEL_ROUNDS; seed++) {
		struct model *m = model_ram(test, seed);
		size_t units = m->nr * PAGE_SIZE / GRANULE;
		size_t first = prandom_u32_state(&m->rnd) % units;
		size_t nr = 1 + prandom_u32_state(&m->rnd) % (units - first);
		size_t at = prandom_u32_state(&m->rnd) % 64;

		KUNIT_ASSERT_EQ(test, 0,
				iommu_map_part(m, d, true, at * GRANULE, first * GRANULE,
					       nr * GRANULE, prot));
		KUNIT_EXPECT_EQ(test, nr, nr_mapped(d));
		for (size_t i = 0; i < nr; i++) {
			size_t byte = (first + i) * GRANULE;

			KUNIT_EXPECT_EQ(test, d->paddr[at + i],
					PFN_PHYS(m->pfn[byte >> PAGE_SHIFT]) +
					offset_in_page(byte) + 1);
			KUNIT_EXPECT_EQ(test, d->prot[at + i], prot);
		}
		iommu_unmap(&d->domain, at * GRANULE, nr * GRANULE);
		KUNIT_EXPECT_EQ(test, 0, nr_mapped(d));
	}
}

static void maps_in_pieces(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 14);
	int ret, fail;

	model_alloc(m, 8);
	model_export(m, 0);
	KUNIT_ASSERT_EQ(test, 0, iommu_map_part(m, d, true, 0, 0, 8 * PAGE_SIZE,
						IOMMU_READ));
	iommu_unmap(&d->domain, 0, 8 * PAGE_SIZE);
	/* Some of the pages are side by side. */
	KUNIT_EXPECT_GT(test, d->largest, PAGE_SIZE);

	d->largest = 0;
	KUNIT_ASSERT_EQ(test, 0, iommu_map_pieces(m, d, true, 0, 0, 8 * PAGE_SIZE,
						  PAGE_SIZE, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, d->largest, PAGE_SIZE);
	for (size_t i = 0; i < 8 * PAGE_SIZE / GRANULE; i++)
		KUNIT_EXPECT_EQ(test, d->paddr[i],
				PFN_PHYS(m->pfn[i * GRANULE / PAGE_SIZE]) +
				offset_in_page(i * GRANULE) + 1);
	iommu_unmap(&d->domain, 0, 8 * PAGE_SIZE);

	for (fail = 0; fail < 100; fail++) {
		d->fail_after = fail;
		ret = iommu_map_pieces(m, d, true, 0, 0, 8 * PAGE_SIZE, PAGE_SIZE,
				       IOMMU_READ);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
		KUNIT_EXPECT_EQ(test, 0, nr_mapped(d));
	}
	KUNIT_EXPECT_EQ(test, fail, 8);
	d->fail_after = -1;
	iommu_unmap(&d->domain, 0, 8 * PAGE_SIZE);
}

/* Memory that the CPU maps uncached is not mapped for a device that snoops. */
static void maps_uncached_memory_without_cache(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 15);

	model_alloc(m, 4);
	m->caching = DMA_BUF_WRITE_COMBINE;
	model_export(m, 0);
	KUNIT_ASSERT_EQ(test, 0, iommu_map_part(m, d, true, 0, 0, 4 * PAGE_SIZE,
						IOMMU_READ | IOMMU_CACHE));
	for (size_t i = 0; i < 4 * PAGE_SIZE / GRANULE; i++)
		KUNIT_EXPECT_EQ(test, d->prot[i], IOMMU_READ);
	iommu_unmap(&d->domain, 0, 4 * PAGE_SIZE);
}

static void undoes_what_it_has_mapped(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 11);
	int fail, ret;

	/* 16 pages of which no two are side by side */
	model_alloc(m, 32);
	m->nr = 16;
	for (int i = 0; i < 16; i++)
		m->pfn[i] = m->pfn[i * 2];
	model_export(m, 0);
	for (fail = 0; fail < 100; fail++) {
		d->fail_after = fail;
		ret = iommu_map_part(m, d, true, 0, 0, 16 * PAGE_SIZE, IOMMU_READ);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
		KUNIT_EXPECT_EQ(test, 0, nr_mapped(d));
	}
	KUNIT_EXPECT_GE(test, fail, 8);
	KUNIT_EXPECT_EQ(test, 0, ret);
	d->fail_after = -1;
	iommu_unmap(&d->domain, 0, 16 * PAGE_SIZE);
}

static void maps_mmio_uncached_into_an_iommu_domain(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 12);

	model_mmio(m, 8);
	model_export(m, 0);
	KUNIT_ASSERT_EQ(test, 0, iommu_map_part(m, d, true, 0, 0, 8 * PAGE_SIZE,
						IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE));
	for (size_t i = 0; i < 8 * PAGE_SIZE / GRANULE; i++)
		KUNIT_EXPECT_EQ(test, d->prot[i], IOMMU_READ | IOMMU_WRITE | IOMMU_MMIO);
	iommu_unmap(&d->domain, 0, 8 * PAGE_SIZE);
}

static void waits_for_kernel_fences(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 40);
	struct dma_fence *fence;

	model_alloc(m, 4);
	model_export(m, 0);
	fence = model_add_fence(m);
	KUNIT_EXPECT_EQ(test, 0, iommu_map_part(m, d, false, 0, 0, 4 * PAGE_SIZE, IOMMU_READ));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	iommu_unmap(&d->domain, 0, 4 * PAGE_SIZE);
}

static void refuses_bad_iommu_ranges(struct kunit *test)
{
	struct mock_domain *d = domain_create(test);
	struct model *m = model_create(test, 13);
	const size_t size = 8 * PAGE_SIZE;
	const struct {
		unsigned long iova;
		size_t offset;
		size_t length;
	} bad[] = {
		{ 0, 0, 0 },
		{ 0, 0, size + GRANULE },
		{ 0, size, GRANULE },
		{ 0, GRANULE, -GRANULE },
		{ 512, 0, size },
		{ 0, 512, GRANULE },
		{ 0, 0, GRANULE + 1 },
		{ -GRANULE, 0, 2 * GRANULE },
	};

	model_alloc(m, 8);
	model_export(m, 0);
	for (int i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				iommu_map_part(m, d, true, bad[i].iova, bad[i].offset,
					       bad[i].length, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, -EACCES,
			iommu_map_part(m, d, false, 0, 0, size, IOMMU_READ | IOMMU_WRITE));
	KUNIT_EXPECT_EQ(test, 0, nr_mapped(d));
	KUNIT_EXPECT_EQ(test, 0, iommu_map_part(m, d, false, 0, 0, size, IOMMU_READ));
	iommu_unmap(&d->domain, 0, size);
}

static struct kunit_case iommu_cases[] = {
	KUNIT_CASE(maps_into_an_iommu_domain),
	KUNIT_CASE(maps_in_pieces),
	KUNIT_CASE(maps_uncached_memory_without_cache),
	KUNIT_CASE(undoes_what_it_has_mapped),
	KUNIT_CASE(maps_mmio_uncached_into_an_iommu_domain),
	KUNIT_CASE(refuses_bad_iommu_ranges),
	KUNIT_CASE(waits_for_kernel_fences),
	{}
};

static struct kunit_suite iommu_suite = {
	.name = "dma-buf-pfn-iommu",
	.test_cases = iommu_cases,
};

kunit_test_suite(iommu_suite);
