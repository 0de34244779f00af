// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: an exporter that only describes its buffer
 */

#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>

#include "pfn-model.h"

static u32 flags_of(const struct model *m, pgoff_t i)
{
	return i < m->change_at ? m->flags : m->changed_flags;
}

static bool is_in_array(const struct model *m, pgoff_t i)
{
	return m->answer == MODEL_ARRAY && flags_of(m, i) & DMA_BUF_PFN_PAGES;
}

/* May the page after @i be in the same answer? */
static bool goes_on(const struct model *m, pgoff_t i)
{
	if (m->answer == MODEL_PAGE || i + 1 == m->change_at)
		return false;
	return is_in_array(m, i) || m->pfn[i] + 1 == m->pfn[i + 1];
}

static int model_pfn_range(struct dma_buf *dmabuf, pgoff_t index,
			   struct dma_buf_pfn_range *range)
{
	struct model *m = dmabuf->priv;
	pgoff_t first = index, last = index;

	m->asked++;
	if (m->error && index >= m->fails_at)
		return m->error;
	while (first && goes_on(m, first - 1))
		first--;
	while (last + 1 < m->nr && goes_on(m, last))
		last++;
	range->first = first;
	range->nr = last - first + 1;
	range->pfn = m->pfn[first];
	range->flags = flags_of(m, index);
	range->provider = index < m->change_at ? m->provider :
						 m->changed_provider;
	range->caching = m->caching;
	if (is_in_array(m, index)) {
		for (pgoff_t i = first; i <= last; i++)
			m->pages[i] = pfn_to_page(m->pfn[i]);
		range->pages = m->pages + first;
		/* Not used */
		range->pfn = ULONG_MAX;
	}
	return 0;
}

/* The buffer stays where it is; these two only allow to offer other modes. */
static int model_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

static void model_unpin(struct dma_buf_attachment *attach)
{
}

static void model_invalidate(struct dma_buf_attachment *attach)
{
}

#define ALL_MODES							\
	(DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE)

const struct dma_buf_attach_ops model_importer_ops = {
	.modes = ALL_MODES,
	.invalidate_mappings = model_invalidate,
	.allow_peer2peer = true,
};

const struct dma_buf_attach_ops model_pages_importer_ops = {
	.modes = ALL_MODES,
	.invalidate_mappings = model_invalidate,
};

static void model_release(struct dma_buf *dmabuf)
{
}

static void model_free(void *data)
{
	struct model *m = data;

	if (m->dmabuf)
		dma_buf_put(m->dmabuf);
	flush_delayed_fput();
	for (unsigned int i = 0; i < m->nr_blocks; i++)
		__free_pages(m->blocks[i], m->orders[i]);
}

struct model *model_create(struct kunit *test, u64 seed)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->flags = DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU;
	m->change_at = ULONG_MAX;
	m->ops.pfn_range = model_pfn_range;
	m->ops.release = model_release;
	prandom_seed_state(&m->rnd, seed);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_free, m));
	return m;
}

void model_alloc(struct model *m, unsigned long nr)
{
	m->nr = 0;
	while (m->nr < nr) {
		unsigned int order = prandom_u32_state(&m->rnd) % 4;
		struct page *page;

		while (m->nr + (1UL << order) > nr)
			order--;
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP, order);
		KUNIT_ASSERT_NOT_NULL(m->test, page);
		m->blocks[m->nr_blocks] = page;
		m->orders[m->nr_blocks++] = order;
		for (unsigned long i = 0; i < 1UL << order; i++)
			m->pfn[m->nr++] = page_to_pfn(page + i);
	}
}

void model_add_pin_ops(struct model *m)
{
	m->ops.pin = model_pin;
	m->ops.unpin = model_unpin;
}

void model_export(struct model *m, u32 cpu_access)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &m->ops;
	info.size = m->nr << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = m;
	info.modes = m->modes;
	info.cpu_access = cpu_access;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, dmabuf);
	m->dmabuf = dmabuf;
}

struct model *model_ram(struct kunit *test, u64 seed)
{
	struct model *m = model_create(test, seed);

	model_alloc(m, 1 + prandom_u32_state(&m->rnd) % MODEL_MAX_PAGES);
	m->answer = prandom_u32_state(&m->rnd) % MODEL_ANSWERS;
	model_export(m, DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP);
	return m;
}

void model_mmio(struct model *m, unsigned long nr)
{
	/* From 256 GiB on, if addresses have 64 bits */
	unsigned long pfn = PHYS_PFN(PHYS_ADDR_MAX >> 26);
	struct pci_dev *pdev;

	while (pfn_valid(pfn) || pfn_valid(pfn + nr - 1))
		pfn += MAX_ORDER_NR_PAGES;

	m->nr = nr;
	m->flags = DMA_BUF_PFN_CPU;
	m->provider = kunit_kzalloc(m->test, sizeof(*m->provider), GFP_KERNEL);
	pdev = kunit_kzalloc(m->test, sizeof(*pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(m->test, m->provider);
	KUNIT_ASSERT_NOT_NULL(m->test, pdev);
	/* A device that never called pcim_p2pdma_init(): nobody reaches it. */
	m->provider->owner = &pdev->dev;
	/* MMIO is never offered pinned. */
	m->modes = DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE;
	model_add_pin_ops(m);
	for (unsigned long i = 0; i < nr; i++)
		m->pfn[i] = pfn + i;
}

static const char *fence_name(struct dma_fence *fence)
{
	return "pfn-model";
}

static bool fence_signals(struct dma_fence *fence)
{
	return false;
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
	.enable_signaling = fence_signals,
};

static void fence_free(void *data)
{
	dma_fence_put(data);
}

struct dma_fence *model_add_fence(struct model *m)
{
	struct dma_resv *resv = m->dmabuf->resv;
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(m->test, fence);
	dma_fence_init(fence, &fence_ops, NULL, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_EQ(m->test, 0, kunit_add_action_or_reset(m->test, fence_free, fence));
	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(m->test, 0, dma_resv_reserve_fences(resv, 1));
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_KERNEL);
	dma_resv_unlock(resv);
	return fence;
}

u32 model_mark(pgoff_t i)
{
	return 0x70616765 + i;
}

void model_write_marks(struct model *m)
{
	for (pgoff_t i = 0; i < m->nr; i++)
		*(u32 *)page_address(pfn_to_page(m->pfn[i])) = model_mark(i);
}
