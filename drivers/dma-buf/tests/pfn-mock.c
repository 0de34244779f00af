// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: a mock exporter for the tests of PFN ranges
 */

#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "pfn-mock.h"

/* Twice the largest buffer, so that extents may be anywhere in it */
#define BLOCK_ORDER	7
#define BLOCK_PAGES	BIT(BLOCK_ORDER)

/* Known by their addresses only */
struct p2pdma_provider pfn_providers[2];

u32 pfn_random(struct pfn_exporter *exp, u32 nr)
{
	return prandom_u32_state(&exp->rnd) % nr;
}

unsigned long pfn_of_ram(const struct pfn_exporter *exp)
{
	return page_to_pfn(exp->block);
}

unsigned long pfn_behind_ram(const struct pfn_exporter *exp)
{
	unsigned long pfn = ALIGN_DOWN(pfn_of_ram(exp), PFN_STEP);

	while (pfn_valid(pfn))
		pfn += PFN_STEP;
	return pfn;
}

bool pfn_page_follows(const struct pfn_page *page, const struct pfn_page *next)
{
	return next->pfn == page->pfn + 1 && next->provider == page->provider &&
	       next->flags == page->flags && next->caching == page->caching;
}

/* Somewhere, with @nr pages behind it */
static struct pfn_page random_page(struct pfn_exporter *exp, unsigned long nr)
{
	u32 skip = pfn_random(exp, BLOCK_PAGES - nr + 1);
	struct pfn_page page = {
		.caching = pfn_random(exp, DMA_BUF_UNCACHED + 1),
	};

	if (pfn_random(exp, 2))
		page.flags |= DMA_BUF_PFN_CPU;
	if (pfn_random(exp, 2)) {
		page.pfn = pfn_of_ram(exp) + skip;
		page.flags |= DMA_BUF_PFN_PAGES;
		if (pfn_random(exp, 2))
			page.flags |= DMA_BUF_PFN_DECRYPTED;
	} else {
		page.pfn = pfn_behind_ram(exp) + skip;
		page.provider = &pfn_providers[pfn_random(exp, 2)];
	}
	return page;
}

/* Physically behind @page, and alike but for one thing at most */
static struct pfn_page random_neighbour(struct pfn_exporter *exp, struct pfn_page page)
{
	page.pfn++;
	switch (pfn_random(exp, 4)) {
	case 0:
		page.flags ^= DMA_BUF_PFN_CPU;
		break;
	case 1:
		page.caching = (page.caching + 1) % (DMA_BUF_UNCACHED + 1);
		break;
	case 2:
		if (page.flags & DMA_BUF_PFN_PAGES)
			page.flags ^= DMA_BUF_PFN_DECRYPTED;
		else
			page.provider = &pfn_providers[page.provider == pfn_providers];
		break;
	}
	return page;
}

static unsigned long random_length(struct pfn_exporter *exp, unsigned long most)
{
	switch (pfn_random(exp, 8)) {
	case 0:
		return most;
	case 1 ... 4:
		return 1;
	default:
		return 1 + pfn_random(exp, most);
	}
}

void pfn_random_layout(struct pfn_exporter *exp, u32 seed)
{
	struct pfn_page page;
	unsigned long i = 0;

	prandom_seed_state(&exp->rnd, seed);
	while (i < exp->nr) {
		unsigned long left = exp->nr - i;
		unsigned long end = i + random_length(exp, left);

		/* A page has enough room behind it for the neighbours, too. */
		if (i && pfn_random(exp, 2))
			page = random_neighbour(exp, page);
		else
			page = random_page(exp, left);
		for (exp->pages[i++] = page; i < end; exp->pages[i++] = page)
			page.pfn++;
	}
}

/* RAM that is alike in all but the place */
static bool fits_in_array(const struct pfn_page *page, const struct pfn_page *next)
{
	return page->flags & DMA_BUF_PFN_PAGES && next->flags == page->flags &&
	       next->caching == page->caching;
}

static bool goes_on(const struct pfn_exporter *exp, const struct pfn_page *page)
{
	return exp->answer == PFN_ARRAY ? fits_in_array(page, page + 1) :
					  pfn_page_follows(page, page + 1);
}

/* The model's page is in a range that the exporter may tell. */
static void answer(struct pfn_exporter *exp, pgoff_t index, struct dma_buf_pfn_range *range)
{
	const struct pfn_page *pages = exp->pages;
	pgoff_t first = index, end = index + 1;

	if (exp->answer != PFN_ONE_PAGE) {
		while (first && goes_on(exp, &pages[first - 1]))
			first--;
		while (end < exp->nr && goes_on(exp, &pages[end - 1]))
			end++;
	}
	if (exp->answer >= PFN_ANY) {
		first += pfn_random(exp, index - first + 1);
		end -= pfn_random(exp, end - index);
	}

	range->first = first;
	range->nr = end - first;
	range->pfn = pages[first].pfn;
	range->provider = pages[first].provider;
	range->flags = pages[first].flags;
	range->caching = pages[first].caching;
	if (exp->answer != PFN_ARRAY || !(range->flags & DMA_BUF_PFN_PAGES))
		return;
	for (pgoff_t i = first; i < end; i++)
		exp->array[i] = pfn_to_page(pages[i].pfn);
	range->pages = exp->array + first;
	/* Not used */
	range->pfn = ULONG_MAX;
}

static int op_pfn_range(struct dma_buf *dmabuf, pgoff_t index, struct dma_buf_pfn_range *range)
{
	struct pfn_exporter *exp = dmabuf->priv;
	struct kunit *test = exp->test;

	/* Nobody else knows the buffer, so a lock that is held is the caller's. */
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(dmabuf->resv));
	KUNIT_EXPECT_LT(test, index, dmabuf->size >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, range->first, 0);
	KUNIT_EXPECT_EQ(test, range->nr, 0);
	KUNIT_EXPECT_EQ(test, range->pfn, 0);
	KUNIT_EXPECT_NULL(test, range->pages);
	KUNIT_EXPECT_NULL(test, range->provider);
	KUNIT_EXPECT_EQ(test, range->flags, 0);
	KUNIT_EXPECT_EQ(test, range->caching, 0);
	if (range->hint)
		KUNIT_EXPECT_EQ(test, range->hint, exp->hint);
	else
		exp->walks++;

	exp->asked++;
	if (exp->error && index >= exp->fails_at)
		return exp->error;
	if (exp->lie) {
		*range = *exp->lie;
		return 0;
	}
	if (index >= exp->nr)
		return -EFAULT;

	answer(exp, index, range);
	range->hint = ++exp->hint;
	return 0;
}

static int op_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct pfn_exporter *exp = dmabuf->priv;

	if (exp->attach_error)
		return exp->attach_error;
	exp->attached++;
	return 0;
}

static void op_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct pfn_exporter *exp = dmabuf->priv;

	KUNIT_EXPECT_TRUE(exp->test, hlist_empty(&attach->pfn_mappings));
	KUNIT_EXPECT_EQ(exp->test, attach->pins, 0);
	exp->attached--;
}

static int op_pin(struct dma_buf_attachment *attach)
{
	struct pfn_exporter *exp = attach->dmabuf->priv;

	KUNIT_EXPECT_TRUE(exp->test, dma_resv_is_locked(attach->dmabuf->resv));
	exp->pinned++;
	return 0;
}

static void op_unpin(struct dma_buf_attachment *attach)
{
	struct pfn_exporter *exp = attach->dmabuf->priv;

	/* In a mapping, an importer has been promised that nothing moves. */
	KUNIT_EXPECT_TRUE(exp->test, hlist_empty(&attach->pfn_mappings));
	exp->pinned--;
}

static struct sg_table *op_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct pfn_exporter *exp = attach->dmabuf->priv;

	KUNIT_FAIL(exp->test, "mapped for a device");
	return ERR_PTR(-EIO);
}

static void op_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
}

static void op_release(struct dma_buf *dmabuf)
{
	struct pfn_exporter *exp = dmabuf->priv;

	exp->released = true;
}

static const struct dma_buf_ops pfn_ops = {
	.attach = op_attach,
	.detach = op_detach,
	.pin = op_pin,
	.unpin = op_unpin,
	.map_dma_buf = op_map,
	.unmap_dma_buf = op_unmap,
	.pfn_range = op_pfn_range,
	.release = op_release,
};

static void pfn_exporter_free(void *data)
{
	struct pfn_exporter *exp = data;

	KUNIT_EXPECT_EQ(exp->test, exp->attached, 0);
	KUNIT_EXPECT_EQ(exp->test, exp->pinned, 0);

	if (exp->dmabuf) {
		KUNIT_EXPECT_EQ(exp->test, exp->dmabuf->nr_pfn_mappings, 0);
		KUNIT_EXPECT_TRUE(exp->test, list_empty(&exp->dmabuf->attachments));
		dma_buf_put(exp->dmabuf);
		/* A kernel thread's last fput() is done by a work item. */
		flush_delayed_fput();
		KUNIT_EXPECT_TRUE(exp->test, exp->released);
		if (!exp->released)
			return;
	}
	if (exp->block)
		__free_pages(exp->block, BLOCK_ORDER);
	kfree(exp);
}

void pfn_new_name(char name[32])
{
	snprintf(name, 32, "pfn-%016llx", get_random_u64());
}

void pfn_rename(struct pfn_exporter *exp)
{
	pfn_new_name(exp->name);
}

struct pfn_exporter *pfn_exporter(struct kunit *test)
{
	struct pfn_exporter *exp = kzalloc_obj(*exp);

	KUNIT_ASSERT_NOT_NULL(test, exp);
	exp->test = test;
	exp->ops = pfn_ops;
	pfn_rename(exp);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pfn_exporter_free, exp));
	exp->block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, exp->block);
	return exp;
}

void pfn_do_export(struct pfn_exporter *exp, size_t size, u32 modes, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	exp_info.exp_name = exp->name;
	exp_info.ops = &exp->ops;
	exp_info.size = size;
	exp_info.flags = flags;
	exp_info.priv = exp;
	exp_info.modes = modes;
	dmabuf = dma_buf_export(&exp_info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, dmabuf);
	exp->dmabuf = dmabuf;
}

struct pfn_exporter *pfn_export(struct kunit *test, unsigned long nr, u32 modes, int flags)
{
	struct pfn_exporter *exp = pfn_exporter(test);

	KUNIT_ASSERT_LE(test, nr, PFN_MAX_PAGES);
	exp->nr = nr;
	for (unsigned long i = 0; i < nr; i++) {
		exp->pages[i] = (struct pfn_page) {
			.pfn = pfn_of_ram(exp) + i,
			.flags = DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU,
		};
	}
	pfn_do_export(exp, nr << PAGE_SHIFT, modes, flags);
	return exp;
}
