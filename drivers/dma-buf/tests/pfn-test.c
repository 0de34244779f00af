// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: PFN ranges, as importers see them and as exporters are asked for them.
 * Random buffers are compared with a model that has each page by itself.
 *
 * Documentation/driver-api/dma-buf/pfn-ranges.rst has the rules.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/io.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "pfn-mock.h"
#include "unmap-waiter.h"

#define MODE_P		DMA_BUF_MODE_PINNED
#define MODE_R		DMA_BUF_MODE_REVOCABLE
#define MODE_M		DMA_BUF_MODE_MOVABLE
#define MODE_ALL	(MODE_P | MODE_R | MODE_M)

/* How a mapping is opened */
#define TO_READ		false
#define TO_WRITE	true

/* Importers */

struct importer {
	struct pfn_exporter *exp;
	struct dma_buf_attachment *attach;
	struct dma_buf_pfn_mapping mapping;
	char name[32];

	/* What invalidate_mappings is to do */
	bool closes;
	bool reopens;
	bool retires;
	/* What it did, and what a query in it returned */
	int invalidated;
	int answer;
};

static void invalidate_op(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;
	struct dma_buf_pfn_range range;

	imp->invalidated++;
	if (imp->mapping.attach)
		imp->answer = dma_buf_pfn_query(&imp->mapping, 0, &range);
	if (imp->closes)
		dma_buf_pfn_close(&imp->mapping);
	if (imp->reopens)
		KUNIT_EXPECT_EQ(imp->exp->test, 0,
				dma_buf_pfn_open(attach, &imp->mapping, TO_READ));
	if (imp->retires)
		dma_buf_retire_attachment(attach);
}

#define CALLBACK	.invalidate_mappings = invalidate_op

static const struct dma_buf_attach_ops silent = {};
static const struct dma_buf_attach_ops silent_callback = { CALLBACK };
/* MMIO is never offered pinned. */
#define MAY_BE_MMIO	(MODE_R | MODE_M)

static const struct dma_buf_attach_ops pinned = { .modes = MODE_P };
static const struct dma_buf_attach_ops revocable = { .modes = MODE_R, CALLBACK };
static const struct dma_buf_attach_ops movable = { .modes = MODE_M, CALLBACK };
static const struct dma_buf_attach_ops all_modes = { .modes = MODE_ALL, CALLBACK };

static struct importer *importer(struct pfn_exporter *exp)
{
	struct importer *imp = kunit_kzalloc(exp->test, sizeof(*imp), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(exp->test, imp);
	imp->exp = exp;
	pfn_new_name(imp->name);
	return imp;
}

static int attach_error(struct importer *imp, const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_pfn_attach(imp->exp->dmabuf, imp->name, ops, imp);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	imp->attach = attach;
	return 0;
}

/* By an importer that nobody knows yet */
static struct importer *attach_to(struct pfn_exporter *exp, const struct dma_buf_attach_ops *ops)
{
	struct importer *imp = importer(exp);

	KUNIT_ASSERT_EQ(exp->test, attach_error(imp, ops), 0);
	return imp;
}

static struct importer *attach_device(struct pfn_exporter *exp, struct device *dev,
				      const struct dma_buf_attach_ops *ops)
{
	struct importer *imp = importer(exp);

	imp->attach = dma_buf_dynamic_attach(exp->dmabuf, dev, ops, imp);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, imp->attach);
	return imp;
}

static void detach(struct importer *imp)
{
	dma_buf_detach(imp->exp->dmabuf, imp->attach);
}

static void lock(struct importer *imp)
{
	dma_resv_lock(imp->exp->dmabuf->resv, NULL);
}

static void unlock(struct importer *imp)
{
	dma_resv_unlock(imp->exp->dmabuf->resv);
}

static int open_error(struct importer *imp, bool write)
{
	int ret;

	lock(imp);
	ret = dma_buf_pfn_open(imp->attach, &imp->mapping, write);
	unlock(imp);
	return ret;
}

static void open(struct importer *imp)
{
	KUNIT_ASSERT_EQ(imp->exp->test, open_error(imp, TO_WRITE), 0);
}

static struct importer *attach_and_open(struct pfn_exporter *exp,
					const struct dma_buf_attach_ops *ops)
{
	struct importer *imp = attach_to(exp, ops);

	open(imp);
	return imp;
}

static void close(struct importer *imp)
{
	lock(imp);
	dma_buf_pfn_close(&imp->mapping);
	unlock(imp);
}

static void close_and_detach(struct importer *imp)
{
	close(imp);
	EXPECT_WARNINGS(imp->exp->test, 0, detach(imp));
}

static int query(struct importer *imp, pgoff_t index, struct dma_buf_pfn_range *range)
{
	int ret;

	lock(imp);
	ret = dma_buf_pfn_query(&imp->mapping, index, range);
	unlock(imp);
	return ret;
}

static int query_error(struct importer *imp)
{
	struct dma_buf_pfn_range range;

	return query(imp, 0, &range);
}

static int query_array(struct importer *imp, pgoff_t first, unsigned long nr,
		       struct dma_buf_pfn_range *ranges, unsigned int max)
{
	int ret;

	lock(imp);
	ret = dma_buf_pfn_query_array(&imp->mapping, first, nr, ranges, max);
	unlock(imp);
	return ret;
}

/* Returns how many extents there are, or an error. It is 1 if they don't end. */
static int walk(struct importer *imp, pgoff_t first, unsigned long nr,
		struct dma_buf_pfn_range *extents)
{
	struct dma_buf_pfn_iter iter;
	int ret, n = 0;

	lock(imp);
	dma_buf_pfn_iter_init(&iter, &imp->mapping, first, nr);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0 && n < PFN_MAX_PAGES)
		extents[n++] = iter.range;
	/* The end stays the end, and so does an error. */
	KUNIT_EXPECT_EQ(imp->exp->test, dma_buf_pfn_iter_next(&iter), ret);
	unlock(imp);
	return ret ?: n;
}

static int pin_error(struct importer *imp)
{
	int ret;

	lock(imp);
	ret = dma_buf_pin(imp->attach);
	unlock(imp);
	return ret;
}

static void unpin(struct importer *imp)
{
	lock(imp);
	dma_buf_unpin(imp->attach);
	unlock(imp);
}

static void retire(struct importer *imp)
{
	lock(imp);
	dma_buf_retire_attachment(imp->attach);
	unlock(imp);
}

/* Exporters */

static void invalidate(struct pfn_exporter *exp)
{
	dma_resv_lock(exp->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(exp->dmabuf);
	dma_resv_unlock(exp->dmabuf->resv);
}

/* The model: what is true of a window of the buffer */

static unsigned int model_extents(const struct pfn_exporter *exp, pgoff_t first, unsigned long nr,
				  struct dma_buf_pfn_range *extents)
{
	unsigned int n = 0;

	for (pgoff_t i = first; i < first + nr; i++) {
		const struct pfn_page *page = &exp->pages[i];

		if (i > first && pfn_page_follows(page - 1, page)) {
			extents[n - 1].nr++;
			continue;
		}
		extents[n++] = (struct dma_buf_pfn_range) {
			.first = i,
			.nr = 1,
			.pfn = page->pfn,
			.provider = page->provider,
			.flags = page->flags,
			.caching = page->caching,
		};
	}
	return n;
}

static bool same_extent(const struct dma_buf_pfn_range *a, const struct dma_buf_pfn_range *b)
{
	return a->first == b->first && a->nr == b->nr && a->pfn == b->pfn &&
	       a->provider == b->provider && a->flags == b->flags && a->caching == b->caching;
}

static bool same_extents(const struct dma_buf_pfn_range *a, const struct dma_buf_pfn_range *b,
			 unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!same_extent(&a[i], &b[i]))
			return false;
	return true;
}

/* Is each page that the range speaks of as in the model? */
static bool is_true(const struct pfn_exporter *exp, const struct dma_buf_pfn_range *r)
{
	/* Importers are not told an exporter's array. */
	if (r->pages || r->first >= exp->nr || r->nr > exp->nr - r->first)
		return false;
	for (unsigned long i = 0; i < r->nr; i++) {
		const struct pfn_page *page = &exp->pages[r->first + i];

		if (page->pfn != r->pfn + i || page->provider != r->provider ||
		    page->flags != r->flags || page->caching != r->caching)
			return false;
	}
	return true;
}

static struct dma_buf_pfn_range *new_extents(struct kunit *test)
{
	/* One more than there can be, to see what is behind them */
	struct dma_buf_pfn_range *extents = kunit_kcalloc(test, PFN_MAX_PAGES + 1,
							  sizeof(*extents), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, extents);
	return extents;
}

/* Random buffers, each by exporters that tell it in different ways */

static const struct answer {
	const char *name;
	enum pfn_answer answer;
} answers[] = {
	{ "one page", PFN_ONE_PAGE },
	{ "the largest range", PFN_LARGEST },
	{ "any range", PFN_ANY },
	{ "arrays of pages", PFN_ARRAY },
};

KUNIT_ARRAY_PARAM_DESC(answer, answers, name);

typedef bool (*compare_fn)(struct importer *imp, pgoff_t first, unsigned long nr,
			   struct dma_buf_pfn_range *got, struct dma_buf_pfn_range *want);

static bool compare_windows(struct importer *imp, u32 seed, compare_fn compare,
			    struct dma_buf_pfn_range *got, struct dma_buf_pfn_range *want)
{
	struct pfn_exporter *exp = imp->exp;

	pfn_random_layout(exp, seed);
	for (int window = 0; window < 6; window++) {
		pgoff_t first = window ? pfn_random(exp, exp->nr) : 0;
		unsigned long most = exp->nr - first;
		unsigned long nr = window ? pfn_random(exp, most + 1) : most;

		if (!compare(imp, first, nr, got, want)) {
			KUNIT_FAIL(exp->test, "seed %u, %lu pages from %lu on of %lu",
				   seed, nr, first, exp->nr);
			return false;
		}
	}
	return true;
}

static void compare_random_buffers(struct kunit *test, compare_fn compare)
{
	static const unsigned long sizes[] = { 1, 2, 3, 5, 16, 33, PFN_MAX_PAGES };
	const struct answer *answer = test->param_value;
	struct dma_buf_pfn_range *got = new_extents(test), *want = new_extents(test);
	bool same = true;

	for (int i = 0; i < ARRAY_SIZE(sizes) && same; i++) {
		struct pfn_exporter *exp = pfn_export(test, sizes[i], MAY_BE_MMIO, O_RDWR);
		struct importer *imp = attach_and_open(exp, &movable);

		exp->answer = answer->answer;
		for (u32 layout = 0; layout < 25 && same; layout++)
			same = compare_windows(imp, sizes[i] * 100 + layout, compare, got, want);
		close_and_detach(imp);
	}
}

static bool walk_is_right(struct importer *imp, pgoff_t first, unsigned long nr,
			  struct dma_buf_pfn_range *got, struct dma_buf_pfn_range *want)
{
	unsigned int n = model_extents(imp->exp, first, nr, want);

	return walk(imp, first, nr, got) == n && same_extents(got, want, n);
}

static void walk_gives_merged_and_clipped_extents(struct kunit *test)
{
	compare_random_buffers(test, walk_is_right);
}

static bool array_is_right(struct importer *imp, pgoff_t first, unsigned long nr,
			   struct dma_buf_pfn_range *got, struct dma_buf_pfn_range *want)
{
	unsigned int total = model_extents(imp->exp, first, nr, want);

	for (unsigned int max = 0; max <= total + 2; max++) {
		unsigned int n = 0, room = min(max, PFN_MAX_PAGES);
		pgoff_t next = first;

		do {
			unsigned int expected = min(room, total - n);

			got[expected].nr = ULONG_MAX;
			if (query_array(imp, next, first + nr - next, got, room) != expected ||
			    !same_extents(got, want + n, expected) ||
			    got[expected].nr != ULONG_MAX)
				return false;
			n += expected;
			if (expected)
				next = got[expected - 1].first + got[expected - 1].nr;
		} while (room && n < total);
	}
	return true;
}

static void array_goes_on_behind_its_last_extent(struct kunit *test)
{
	compare_random_buffers(test, array_is_right);
}

static bool query_is_right(struct importer *imp, pgoff_t first, unsigned long nr,
			   struct dma_buf_pfn_range *got, struct dma_buf_pfn_range *want)
{
	for (pgoff_t i = first; i < first + nr; i++)
		if (query(imp, i, got) || i < got->first || i - got->first >= got->nr ||
		    !is_true(imp->exp, got))
			return false;
	return true;
}

static void query_gives_a_true_range_with_the_page(struct kunit *test)
{
	compare_random_buffers(test, query_is_right);
}

/* Merging */

#define RAM	.flags = DMA_BUF_PFN_PAGES
#define MMIO(i)	.provider = &pfn_providers[i]

/* Two pages, with PFNs counted from the same place, and how many extents they are */
static const struct neighbours {
	const char *name;
	struct pfn_page pages[2];
	int extents;
} neighbours[] = {
	{ "RAM", { { 3, RAM }, { 4, RAM } }, 1 },
	{ "MMIO", { { 3, MMIO(0) }, { 4, MMIO(0) } }, 1 },
	{ "alike in all", {
		{ 3, MMIO(1), DMA_BUF_PFN_CPU, DMA_BUF_UNCACHED },
		{ 4, MMIO(1), DMA_BUF_PFN_CPU, DMA_BUF_UNCACHED } }, 1 },
	{ "same page", { { 3, RAM }, { 3, RAM } }, 2 },
	{ "gap of a page", { { 3, RAM }, { 5, RAM } }, 2 },
	{ "backwards", { { 4, RAM }, { 3, RAM } }, 2 },
	{ "other provider", { { 3, MMIO(0) }, { 4, MMIO(1) } }, 2 },
	{ "private and for the CPU", {
		{ 3, MMIO(0) }, { 4, MMIO(0), DMA_BUF_PFN_CPU } }, 2 },
	{ "decrypted and not", {
		{ 3, RAM | DMA_BUF_PFN_DECRYPTED }, { 4, RAM } }, 2 },
	{ "cached and write-combined", {
		{ 3, RAM }, { 4, RAM, .caching = DMA_BUF_WRITE_COMBINE } }, 2 },
	{ "uncached and write-combined", {
		{ 3, MMIO(0), .caching = DMA_BUF_UNCACHED },
		{ 4, MMIO(0), .caching = DMA_BUF_WRITE_COMBINE } }, 2 },
};

KUNIT_ARRAY_PARAM_DESC(neighbours, neighbours, name);

static void neighbours_merge_if_alike(struct kunit *test)
{
	const struct neighbours *row = test->param_value;
	struct pfn_exporter *exp = pfn_export(test, 2, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	for (int i = 0; i < 2; i++) {
		exp->pages[i] = row->pages[i];
		exp->pages[i].pfn += row->pages[i].provider ? pfn_behind_ram(exp) : pfn_of_ram(exp);
	}
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 2, extents), row->extents);
	KUNIT_EXPECT_EQ(test, extents[0].nr, row->extents == 1 ? 2 : 1);
	KUNIT_EXPECT_TRUE(test, is_true(exp, &extents[0]));
	close_and_detach(imp);
}

/* How the exporter is asked */

static void exporter_is_asked_once_for_what_it_tells(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	exp->answer = PFN_LARGEST;
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 8, extents), 1);
	KUNIT_EXPECT_EQ(test, exp->asked, 1);
	KUNIT_EXPECT_EQ(test, walk(imp, 3, 2, extents), 1);
	KUNIT_EXPECT_EQ(test, exp->asked, 2);

	/* Two extents */
	exp->pages[5].flags ^= DMA_BUF_PFN_CPU;
	exp->asked = 0;
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 8, extents), 3);
	KUNIT_EXPECT_EQ(test, exp->asked, 3);
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 5, extents), 1);
	KUNIT_EXPECT_EQ(test, exp->asked, 4);

	exp->answer = PFN_ONE_PAGE;
	exp->asked = 0;
	KUNIT_EXPECT_EQ(test, walk(imp, 1, 6, extents), 3);
	KUNIT_EXPECT_EQ(test, exp->asked, 6);
	close_and_detach(imp);
}

/* The mock looks at each hint that it is given. */
static void hint_is_that_of_the_previous_answer(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);
	struct dma_buf_pfn_range range = { .hint = 1 };

	/* One extent, and eight */
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 8, extents), 1);
	KUNIT_EXPECT_EQ(test, exp->asked, 8);
	KUNIT_EXPECT_EQ(test, exp->walks, 1);
	for (int i = 0; i < 8; i += 2)
		exp->pages[i].caching = DMA_BUF_UNCACHED;
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 8, extents), 8);
	KUNIT_EXPECT_EQ(test, exp->asked, 16);
	KUNIT_EXPECT_EQ(test, exp->walks, 2);

	/* Nothing is kept from one walk or query to the next. */
	KUNIT_EXPECT_EQ(test, query_array(imp, 0, 8, extents, 4), 4);
	KUNIT_EXPECT_EQ(test, exp->walks, 3);
	for (int twice = 0; twice < 2; twice++)
		KUNIT_EXPECT_EQ(test, query(imp, 3, &range), 0);
	KUNIT_EXPECT_EQ(test, exp->walks, 5);
	close_and_detach(imp);
}

/* Limits */

static void buffer_of_one_page(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	KUNIT_EXPECT_EQ(test, walk(imp, 0, 1, extents), 1);
	KUNIT_EXPECT_EQ(test, extents[0].nr, 1);
	KUNIT_EXPECT_EQ(test, extents[0].pfn, pfn_of_ram(exp));
	KUNIT_EXPECT_EQ(test, query(imp, 0, extents), 0);
	KUNIT_EXPECT_EQ(test, query(imp, 1, extents), -EINVAL);
	close_and_detach(imp);
}

static void window_is_clipped_at_both_ends(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	exp->answer = PFN_LARGEST;
	for (pgoff_t first = 0; first < 8; first++) {
		for (unsigned long nr = 1; nr <= 8 - first; nr++) {
			KUNIT_EXPECT_EQ(test, walk(imp, first, nr, extents), 1);
			KUNIT_EXPECT_EQ(test, extents[0].first, first);
			KUNIT_EXPECT_EQ(test, extents[0].nr, nr);
			KUNIT_EXPECT_EQ(test, extents[0].pfn, pfn_of_ram(exp) + first);
		}
	}
	/* A query of one page isn't. */
	KUNIT_EXPECT_EQ(test, query(imp, 7, extents), 0);
	KUNIT_EXPECT_EQ(test, extents[0].first, 0);
	KUNIT_EXPECT_EQ(test, extents[0].nr, 8);
	close_and_detach(imp);
}

static void window_of_no_pages_has_no_extents(struct kunit *test)
{
	static const pgoff_t places[] = { 0, 3, 7, 8, 9, ULONG_MAX };
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	for (int i = 0; i < ARRAY_SIZE(places); i++) {
		KUNIT_EXPECT_EQ(test, walk(imp, places[i], 0, extents), 0);
		KUNIT_EXPECT_EQ(test, query_array(imp, places[i], 0, extents, 1), 0);
	}
	KUNIT_EXPECT_EQ(test, exp->asked, 0);
	close_and_detach(imp);
}

static void window_beyond_the_buffer_is_an_error(struct kunit *test)
{
	static const struct {
		pgoff_t first;
		unsigned long nr;
	} rows[] = {
		{ 8, 1 }, { 9, 1 }, { ULONG_MAX - 1, 1 },
		{ 0, 9 }, { 7, 2 }, { 0, ULONG_MAX },
		/* first + nr is 0, and more. */
		{ 1, ULONG_MAX }, { 7, ULONG_MAX - 6 }, { 7, ULONG_MAX },
		{ 8, ULONG_MAX }, { 9, ULONG_MAX }, { ULONG_MAX - 1, ULONG_MAX },
	};
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);

	for (int how = 0; how < ARRAY_SIZE(answers); how++) {
		exp->answer = answers[how].answer;
		for (int i = 0; i < ARRAY_SIZE(rows); i++) {
			pgoff_t first = rows[i].first;
			unsigned long nr = rows[i].nr;

			extents[1].nr = 0;
			KUNIT_EXPECT_EQ_MSG(test, walk(imp, first, nr, extents), -EINVAL,
					    "row %d", i);
			/* All of the buffer is one extent. */
			KUNIT_EXPECT_EQ_MSG(test, extents[1].nr, 0, "row %d", i);
			KUNIT_EXPECT_EQ_MSG(test, query_array(imp, first, nr, extents, 9), -EINVAL,
					    "row %d", i);
		}
		for (pgoff_t i = 8; i < 10; i++)
			KUNIT_EXPECT_EQ(test, query(imp, i, extents), -EINVAL);
		KUNIT_EXPECT_EQ(test, query(imp, ULONG_MAX, extents), -EINVAL);
	}
	close_and_detach(imp);
}

/* Exporters that are wrong, or out of luck */

#define LAST_PFN	PHYS_PFN(PHYS_ADDR_MAX)

enum place { NOWHERE, IN_RAM, LAST_PFN_OF_RAM, BEHIND_RAM };

/* For answers that nobody gets to use */
static struct page *some_pages[4];

/* What an exporter says of page 2 of 4. The PFN is counted from @place. */
static const struct claim {
	const char *name;
	enum place place;
	struct dma_buf_pfn_range range;
} lies[] = {
	{ "MMIO as pages", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(0), .flags = DMA_BUF_PFN_CPU, .pages = some_pages } },
	{ "pages with a provider", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(0), RAM, .pages = some_pages } },
	{ "an array without the page", IN_RAM, {
		.first = 0, .nr = 4, RAM, .pages = some_pages } },
	{ "an array beyond the buffer", BEHIND_RAM, {
		.first = 1, .nr = 4, RAM, .pages = some_pages } },
	{ "empty", BEHIND_RAM, { .first = 2, .nr = 0, MMIO(0) } },
	{ "all zero", NOWHERE, {} },
	{ "a page more than the buffer", BEHIND_RAM, { .first = 0, .nr = 5, MMIO(0) } },
	{ "ends behind the buffer", BEHIND_RAM, { .first = 2, .nr = 3, MMIO(0) } },
	{ "first + nr overflows", BEHIND_RAM, { .first = 2, .nr = ULONG_MAX, MMIO(0) } },
	{ "next page", BEHIND_RAM, { .first = 3, .nr = 1, MMIO(0) } },
	{ "previous page", BEHIND_RAM, { .first = 1, .nr = 1, MMIO(0) } },
	{ "all pages before", BEHIND_RAM, { .first = 0, .nr = 2, MMIO(0) } },
	{ "last PFN too large", NOWHERE, { .first = 2, .nr = 2, .pfn = LAST_PFN, MMIO(0) } },
	{ "first PFN too large", NOWHERE, { .first = 2, .nr = 1, .pfn = ULONG_MAX, MMIO(0) } },
	{ "pfn + nr overflows", NOWHERE, {
		.first = 0, .nr = 4, .pfn = ULONG_MAX - 1, MMIO(0) } },
#ifdef ARCH_HAS_VALID_PHYS_ADDR_RANGE
	{ "more than the CPU can address", NOWHERE, {
		.first = 2, .nr = 1, .pfn = LAST_PFN, MMIO(0) } },
#endif
	{ "unknown flag", BEHIND_RAM, { .first = 0, .nr = 4, MMIO(0), .flags = BIT(4) } },
	{ "highest flag", IN_RAM, {
		.first = 0, .nr = 4, .flags = DMA_BUF_PFN_PAGES | BIT(31) } },
	{ "unknown cache mode", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(0), .caching = DMA_BUF_UNCACHED + 1 } },
	{ "RAM with a provider", IN_RAM, { .first = 0, .nr = 4, MMIO(0), RAM } },
	{ "MMIO without a provider", BEHIND_RAM, {
		.first = 0, .nr = 4, .flags = DMA_BUF_PFN_CPU } },
	{ "decrypted MMIO", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(0), .flags = DMA_BUF_PFN_DECRYPTED } },
	{ "foreign MMIO", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(0), .flags = DMA_BUF_PFN_FOREIGN } },
	{ "RAM as MMIO", IN_RAM, {
		.first = 0, .nr = 4, MMIO(0), .flags = DMA_BUF_PFN_CPU } },
	{ "no struct page", BEHIND_RAM, { .first = 2, .nr = 1, RAM } },
	{ "no struct page of the last", LAST_PFN_OF_RAM, { .first = 2, .nr = 2, RAM } },
};

/* As much as may be said */
static const struct claim truths[] = {
	{ "just the page", BEHIND_RAM, { .first = 2, .nr = 1, MMIO(0) } },
	{ "from the page on", BEHIND_RAM, { .first = 2, .nr = 2, MMIO(0) } },
	{ "up to the page", BEHIND_RAM, { .first = 0, .nr = 3, MMIO(0) } },
	{ "whole buffer", IN_RAM, { .first = 0, .nr = 4, RAM } },
	{ "last page of RAM", LAST_PFN_OF_RAM, { .first = 2, .nr = 1, RAM } },
	{ "all flags of RAM", IN_RAM, {
		.first = 0, .nr = 4, .caching = DMA_BUF_WRITE_COMBINE,
		.flags = DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU |
			 DMA_BUF_PFN_DECRYPTED | DMA_BUF_PFN_FOREIGN } },
	{ "all flags of MMIO", BEHIND_RAM, {
		.first = 0, .nr = 4, MMIO(1), .flags = DMA_BUF_PFN_CPU,
		.caching = DMA_BUF_UNCACHED } },
};

KUNIT_ARRAY_PARAM_DESC(lie, lies, name);
KUNIT_ARRAY_PARAM_DESC(truth, truths, name);

static struct dma_buf_pfn_range claimed_range(const struct pfn_exporter *exp,
					      const struct claim *claim)
{
	struct dma_buf_pfn_range range = claim->range;

	if (claim->place == IN_RAM)
		range.pfn += pfn_of_ram(exp);
	if (claim->place == LAST_PFN_OF_RAM)
		range.pfn += pfn_behind_ram(exp) - 1;
	if (claim->place == BEHIND_RAM)
		range.pfn += pfn_behind_ram(exp);
	return range;
}

/* One WARN for each exporter, and an error for each importer */
static void expect_lie_is_refused(struct importer *imp, pgoff_t index)
{
	struct dma_buf_pfn_range *extents = new_extents(imp->exp->test);
	struct kunit *test = imp->exp->test;
	int ret = 0;

	for (int exporters = 0; exporters < 2; exporters++) {
		EXPECT_WARNINGS(test, 1, ret = query(imp, index, extents));
		KUNIT_EXPECT_EQ(test, ret, -EIO);
		EXPECT_WARNINGS(test, 0, ret = query(imp, index, extents));
		KUNIT_EXPECT_EQ(test, ret, -EIO);
		EXPECT_WARNINGS(test, 0, ret = walk(imp, index, 1, extents));
		KUNIT_EXPECT_EQ(test, ret, -EIO);
		EXPECT_WARNINGS(test, 0, ret = query_array(imp, index, 1, extents, 1));
		KUNIT_EXPECT_EQ(test, ret, -EIO);
		pfn_rename(imp->exp);
	}
}

static void lie_is_an_error_and_one_warning(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 4, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range lie = claimed_range(exp, test->param_value);

	exp->lie = &lie;
	expect_lie_is_refused(imp, 2);
	exp->lie = NULL;
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close_and_detach(imp);
}

static void utmost_is_no_lie(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 4, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range truth = claimed_range(exp, test->param_value), range;
	int ret = 0;

	exp->lie = &truth;
	EXPECT_WARNINGS(test, 0, ret = query(imp, 2, &range));
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, same_extent(&range, &truth));
	close_and_detach(imp);
}

/*
 * From the last PFN with a struct page before a hole in RAM to the first one
 * behind it; false if there is no hole
 */
static bool find_hole(unsigned long *last, unsigned long *next)
{
	const unsigned long end = PHYS_PFN(BIT_ULL(36));
	unsigned long pfn;

	*last = ULONG_MAX;
	for (pfn = PFN_STEP; pfn < end; pfn += PFN_STEP) {
		if (pfn_valid(pfn - 1) && !pfn_valid(pfn))
			*last = pfn - 1;
		if (*last < pfn && pfn_valid(pfn)) {
			*next = pfn;
			return true;
		}
	}
	return false;
}

static void hole_in_ram_is_found(struct kunit *test)
{
	struct dma_buf_pfn_range lie = { RAM, .nr = 2 }, range;
	struct pfn_exporter *exp = pfn_exporter(test);
	unsigned long last, next;
	struct importer *imp;
	int ret = 0;

	/* As it is on many PCs with over 2 GiB, and in guest/ of this series */
	if (!find_hole(&last, &next) || next - last >= LONG_MAX >> PAGE_SHIFT)
		kunit_skip(test, "no hole: needs RAM above and below the PCI BARs");
	kunit_info(test, "RAM up to PFN %lu and from %lu on\n", last, next);

	pfn_do_export(exp, (next - last + 1) << PAGE_SHIFT, MAY_BE_MMIO, O_RDWR);
	imp = attach_and_open(exp, &movable);
	exp->lie = &lie;

	lie.pfn = next - 1;
	expect_lie_is_refused(imp, 0);
	lie.pfn = last;
	expect_lie_is_refused(imp, 0);

	/* Both ends exist. It is found when what is between is wanted. */
	lie.nr = next - last + 1;
	EXPECT_WARNINGS(test, 1, ret = query(imp, 0, &range));
	KUNIT_EXPECT_EQ(test, ret, -EIO);
	EXPECT_WARNINGS(test, 0, ret = walk(imp, 0, lie.nr, &range));
	KUNIT_EXPECT_EQ(test, ret, -EIO);
	EXPECT_WARNINGS(test, 0, ret = walk(imp, 0, 1, &range));
	KUNIT_EXPECT_EQ(test, ret, 1);
	close_and_detach(imp);
}

static void hole_in_an_array_is_found(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 5, MAY_BE_MMIO, O_RDWR);
	struct page *first = pfn_to_page(pfn_of_ram(exp));
	struct page *pages[] = { first, NULL, first + 2, first + 3, first + 4 };
	struct dma_buf_pfn_range lie = { RAM, .nr = 5, .pages = pages };
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);
	int ret = 0;

	exp->lie = &lie;
	/* It is found when it is wanted. */
	EXPECT_WARNINGS(test, 0, ret = walk(imp, 2, 3, extents));
	KUNIT_EXPECT_EQ(test, ret, 1);
	EXPECT_WARNINGS(test, 0, ret = query(imp, 2, extents));
	KUNIT_EXPECT_EQ(test, ret, 0);
	EXPECT_WARNINGS(test, 1, ret = walk(imp, 0, 5, extents));
	KUNIT_EXPECT_EQ(test, ret, -EIO);
	pfn_rename(exp);
	expect_lie_is_refused(imp, 1);

	/* Ends are looked at in any case. */
	swap(pages[1], pages[4]);
	expect_lie_is_refused(imp, 2);
	swap(pages[4], pages[0]);
	expect_lie_is_refused(imp, 2);
	close_and_detach(imp);
}

/* The provider may end before the attachment does. */
static void mmio_is_not_offered_pinned(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 4, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range lie = {
		.nr = 4, MMIO(0), .pfn = pfn_behind_ram(exp), .flags = DMA_BUF_PFN_CPU,
	};

	exp->lie = &lie;
	expect_lie_is_refused(imp, 2);
	close_and_detach(imp);
}

static void positive_error_is_a_lie(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 4, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);

	exp->error = 1;
	expect_lie_is_refused(imp, 0);
	close_and_detach(imp);
}

static void error_of_the_exporter_is_passed_on(struct kunit *test)
{
	static const int errors[] = { -ENOMEM, -EAGAIN, -ENXIO, -ERESTARTSYS };
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);
	int ret = 0;

	/* Three extents; the last one ends where the exporter fails, or doesn't. */
	exp->pages[1].flags ^= DMA_BUF_PFN_CPU;
	exp->fails_at = 5;
	for (int i = 0; i < ARRAY_SIZE(errors); i++) {
		exp->error = errors[i];
		EXPECT_WARNINGS(test, 0, ret = query(imp, 5, extents));
		KUNIT_EXPECT_EQ(test, ret, errors[i]);
		KUNIT_EXPECT_EQ(test, query(imp, 4, extents), 0);
		EXPECT_WARNINGS(test, 0, ret = walk(imp, 0, 8, extents));
		KUNIT_EXPECT_EQ(test, ret, errors[i]);
		EXPECT_WARNINGS(test, 0, ret = query_array(imp, 0, 8, extents, 8));
		KUNIT_EXPECT_EQ(test, ret, errors[i]);
		/* What is behind the window doesn't matter. */
		KUNIT_EXPECT_EQ(test, walk(imp, 0, 5, extents), 3);
		KUNIT_EXPECT_EQ(test, query_array(imp, 0, 5, extents, 8), 3);
	}
	exp->error = 0;
	KUNIT_EXPECT_EQ(test, walk(imp, 0, 8, extents), 3);
	close_and_detach(imp);
}

/* An error is for the extent that it belongs to, not for the one before. */
static void extents_before_an_error_are_told(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 8, MAY_BE_MMIO, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_range *extents = new_extents(test);
	struct dma_buf_pfn_iter iter;

	/* One extent, told in single pages */
	exp->answer = PFN_ONE_PAGE;
	exp->fails_at = 5;
	exp->error = -ENXIO;
	lock(imp);
	dma_buf_pfn_iter_init(&iter, &imp->mapping, 1, 7);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), 1);
	KUNIT_EXPECT_EQ(test, iter.range.first, 1);
	KUNIT_EXPECT_EQ(test, iter.range.nr, 4);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), -ENXIO);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), -ENXIO);

	/* The walk goes on where the exporter can tell again. */
	exp->error = 0;
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), 1);
	KUNIT_EXPECT_EQ(test, iter.range.first, 5);
	KUNIT_EXPECT_EQ(test, iter.range.nr, 3);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), 0);
	unlock(imp);

	exp->error = -ENXIO;
	KUNIT_EXPECT_EQ(test, query_array(imp, 1, 7, extents, 1), 1);
	KUNIT_EXPECT_EQ(test, query_array(imp, 1, 7, extents, 2), -ENXIO);
	close_and_detach(imp);
}

/* PFN mappings, open and closed */

static void expect_no_answer(struct importer *imp, int error, int warnings)
{
	struct dma_buf_pfn_range *extents = new_extents(imp->exp->test);
	struct kunit *test = imp->exp->test;
	unsigned int asked = imp->exp->asked;
	int ret = 0;

	EXPECT_WARNINGS(test, warnings, ret = query(imp, 0, extents));
	KUNIT_EXPECT_EQ(test, ret, error);
	EXPECT_WARNINGS(test, warnings, ret = query_array(imp, 0, 1, extents, 1));
	KUNIT_EXPECT_EQ(test, ret, error);
	EXPECT_WARNINGS(test, warnings * 2, ret = walk(imp, 0, 1, extents));
	KUNIT_EXPECT_EQ(test, ret, error);
	KUNIT_EXPECT_EQ(test, imp->exp->asked, asked);
}

static void only_an_open_mapping_answers(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_to(exp, &movable);

	expect_no_answer(imp, -EINVAL, 1);
	for (int twice = 0; twice < 2; twice++) {
		open(imp);
		KUNIT_EXPECT_EQ(test, query_error(imp), 0);
		close(imp);
		expect_no_answer(imp, -EINVAL, 1);
	}
	close_and_detach(imp);
}

static void mapping_is_opened_once(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	int ret = 0;

	EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_WRITE));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 1);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close_and_detach(imp);
}

static void mappings_are_counted(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *a = attach_to(exp, &movable), *b = attach_to(exp, &pinned);
	struct dma_buf_pfn_mapping more[3] = {};
	struct dma_buf *dmabuf = exp->dmabuf;

	KUNIT_EXPECT_EQ(test, dmabuf->nr_pfn_mappings, 0);
	open(a);
	open(b);
	KUNIT_EXPECT_EQ(test, dmabuf->nr_pfn_mappings, 2);
	lock(a);
	for (int i = 0; i < ARRAY_SIZE(more); i++)
		KUNIT_EXPECT_EQ(test, 0, dma_buf_pfn_open(a->attach, &more[i], TO_READ));
	unlock(a);
	KUNIT_EXPECT_EQ(test, dmabuf->nr_pfn_mappings, 5);
	KUNIT_EXPECT_EQ(test, hlist_count_nodes(&a->attach->pfn_mappings), 4);
	KUNIT_EXPECT_EQ(test, hlist_count_nodes(&b->attach->pfn_mappings), 1);

	/* In any order, and the second time it does nothing. */
	close(a);
	close(a);
	KUNIT_EXPECT_EQ(test, dmabuf->nr_pfn_mappings, 4);
	lock(a);
	for (int i = 0; i < ARRAY_SIZE(more); i++)
		dma_buf_pfn_close(&more[i]);
	unlock(a);
	KUNIT_EXPECT_EQ(test, dmabuf->nr_pfn_mappings, 1);
	KUNIT_EXPECT_EQ(test, query_error(b), 0);
	close_and_detach(a);
	close_and_detach(b);
}

static void read_only_buffer_is_opened_for_reading(struct kunit *test)
{
	static const struct dma_buf_attach_ops *const ops[] = { &movable, &pinned };

	for (int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDONLY);
		struct importer *imp = attach_to(exp, ops[i]);

		KUNIT_EXPECT_EQ(test, open_error(imp, TO_WRITE), -EACCES);
		KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
		expect_no_answer(imp, -EINVAL, 1);
		KUNIT_EXPECT_EQ(test, open_error(imp, TO_READ), 0);
		KUNIT_EXPECT_EQ(test, query_error(imp), 0);
		close_and_detach(imp);

		exp = pfn_export(test, 1, 0, O_RDWR);
		imp = attach_to(exp, ops[i]);
		for (int write = 0; write < 2; write++) {
			KUNIT_EXPECT_EQ(test, open_error(imp, write), 0);
			close(imp);
		}
		detach(imp);
	}
}

static void importer_needs_a_promise_or_a_callback(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "pfn");
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp;
	int ret = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	/* Nobody tells this one when the buffer moves. */
	imp = attach_device(exp, dev, &silent);
	EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_READ));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
	KUNIT_EXPECT_EQ(test, pin_error(imp), 0);
	open(imp);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close(imp);
	unpin(imp);
	EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_READ));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	detach(imp);

	imp = attach_device(exp, dev, NULL);
	EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_READ));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	detach(imp);

	/* The buffer may move, and this one is told. */
	imp = attach_device(exp, dev, &silent_callback);
	open(imp);
	close_and_detach(imp);
	/* It need not be, and the exporter may do so all the same. */
	exp = pfn_export(test, 1, MODE_P, O_RDWR);
	imp = attach_device(exp, dev, &silent_callback);
	EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_READ));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	detach(imp);
}

static void detach_closes_mappings(struct kunit *test)
{
	static const struct dma_buf_attach_ops *const ops[] = { &movable, &pinned };
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);

	for (int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct importer *other = attach_and_open(exp, ops[i]);
		struct importer *imp = attach_and_open(exp, ops[i]);
		struct dma_buf_pfn_mapping second = {};

		lock(imp);
		KUNIT_EXPECT_EQ(test, 0, dma_buf_pfn_open(imp->attach, &second, TO_READ));
		unlock(imp);
		/* One WARN for each importer */
		EXPECT_WARNINGS(test, 1, detach(imp));
		KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 1);
		expect_no_answer(imp, -EINVAL, 1);
		KUNIT_EXPECT_NULL(test, second.attach);

		/* The mapping can be used again. */
		KUNIT_ASSERT_EQ(test, attach_error(imp, ops[i]), 0);
		open(imp);
		KUNIT_EXPECT_EQ(test, query_error(imp), 0);
		EXPECT_WARNINGS(test, 0, detach(imp));

		KUNIT_EXPECT_EQ(test, query_error(other), 0);
		EXPECT_WARNINGS(test, 1, detach(other));
		KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
	}
}

/* Attachments that are not used again */

static void retired_attachment_opens_nothing(struct kunit *test)
{
	static const struct dma_buf_attach_ops *const ops[] = { &movable, &pinned };
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	int ret = 0;

	for (int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct importer *imp = attach_and_open(exp, ops[i]);

		close(imp);
		EXPECT_WARNINGS(test, 0, retire(imp));
		EXPECT_WARNINGS(test, 1, ret = open_error(imp, TO_READ));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		close_and_detach(imp);
	}
}

static void attachment_with_a_mapping_does_not_retire(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &pinned);

	EXPECT_WARNINGS(test, 1, retire(imp));
	/* It is what it was. */
	KUNIT_EXPECT_EQ(test, exp->pinned, 1);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close(imp);
	open(imp);
	close_and_detach(imp);
}

/* Invalidation */

static void mapping_is_stale_until_it_is_opened_again(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *a = attach_and_open(exp, &movable);
	struct importer *b = attach_and_open(exp, &all_modes);
	struct dma_buf_pfn_mapping second = {};
	struct dma_buf_pfn_range range;

	lock(a);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pfn_open(a->attach, &second, TO_READ));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pfn_query(&second, 0, &range));
	unlock(a);
	for (int i = 1; i <= 2; i++) {
		invalidate(exp);
		KUNIT_EXPECT_EQ(test, a->invalidated, i);
		expect_no_answer(a, -ESTALE, 0);
		expect_no_answer(b, -ESTALE, 0);
	}
	lock(a);
	KUNIT_EXPECT_EQ(test, -ESTALE, dma_buf_pfn_query(&second, 0, &range));
	unlock(a);
	/* It counts until it is closed. */
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 3);

	/* One doesn't wait for another, and it is told of the new place. */
	close(a);
	exp->pages[0].pfn++;
	open(a);
	KUNIT_EXPECT_EQ(test, query(a, 0, &range), 0);
	KUNIT_EXPECT_EQ(test, range.pfn, pfn_of_ram(exp) + 1);
	expect_no_answer(b, -ESTALE, 0);

	lock(a);
	dma_buf_pfn_close(&second);
	unlock(a);
	close_and_detach(a);
	close_and_detach(b);
}

static void walk_ends_where_it_is_invalidated(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 3, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_buf_pfn_iter iter;

	/* Of the second extent it knows already. */
	exp->pages[1].flags ^= DMA_BUF_PFN_CPU;
	lock(imp);
	dma_buf_pfn_iter_init(&iter, &imp->mapping, 0, 3);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), 1);
	dma_buf_invalidate_mappings(exp->dmabuf);
	KUNIT_EXPECT_EQ(test, dma_buf_pfn_iter_next(&iter), -ESTALE);
	unlock(imp);
	close_and_detach(imp);
}

static void callback_gets_no_answer(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);

	invalidate(exp);
	KUNIT_EXPECT_EQ(test, imp->answer, -ESTALE);
	close_and_detach(imp);
}

static void callback_may_close(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);

	imp->closes = true;
	EXPECT_WARNINGS(test, 0, invalidate(exp));
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
	expect_no_answer(imp, -EINVAL, 1);
	open(imp);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);

	imp->retires = true;
	EXPECT_WARNINGS(test, 0, invalidate(exp));
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
	EXPECT_WARNINGS(test, 0, detach(imp));
}

/* The exporter moves the buffer when the callback has returned. */
static void mapping_from_the_callback_is_stale(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);

	imp->closes = true;
	imp->reopens = true;
	EXPECT_WARNINGS(test, 0, invalidate(exp));
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 1);
	expect_no_answer(imp, -ESTALE, 0);
	close(imp);
	open(imp);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close_and_detach(imp);
}

static void pinned_importer_is_told_once(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &pinned);
	struct importer *other = attach_and_open(exp, &movable);

	KUNIT_EXPECT_EQ(test, exp->pinned, 1);
	invalidate(exp);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	expect_no_answer(other, -ESTALE, 0);
	close_and_detach(imp);
	close_and_detach(other);
}

/* Revoked buffers */

static void revoke_waits_for_the_last_pfn_mapping(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, DMA_BUF_MODE_REVOCABLE, O_RDWR);
	struct importer *a = attach_and_open(exp, &revocable);
	struct importer *b = attach_and_open(exp, &revocable);
	struct unmap_waiter waiter;

	unmap_waiter_start(&waiter, exp->dmabuf, dma_buf_revoke);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	close(b);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	close(a);
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);
	close_and_detach(a);
	close_and_detach(b);
}

static void revoked_buffer_tells_nothing(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, MODE_R, O_RDWR);
	struct importer *imp = attach_and_open(exp, &revocable);
	struct importer *closed = attach_to(exp, &revocable);

	for (int permanent = 0; permanent < 2; permanent++) {
		struct unmap_waiter waiter;

		unmap_waiter_start(&waiter, exp->dmabuf,
				   permanent ? dma_buf_revoke_permanently : dma_buf_revoke);
		KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
		expect_no_answer(imp, -ENODEV, 0);
		KUNIT_EXPECT_EQ(test, open_error(closed, TO_READ), -ENODEV);
		KUNIT_EXPECT_EQ(test, open_error(closed, TO_WRITE), -ENODEV);
		KUNIT_EXPECT_EQ(test, attach_error(importer(exp), &revocable), -ENODEV);
		KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 1);
		invalidate(exp);
		KUNIT_EXPECT_EQ(test, imp->answer, -ENODEV);
		expect_no_answer(imp, -ENODEV, 0);
		/* Closing always works. */
		close(imp);
		KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);
		if (permanent)
			break;

		KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
		open(imp);
		KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	}
	close_and_detach(imp);
	close_and_detach(closed);
}

/* Attachments without a device */

static void exporter_without_the_op_is_refused(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "pfn");
	struct pfn_exporter *exp = pfn_exporter(test);
	struct importer *imp;
	int ret = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	exp->ops.pfn_range = NULL;
	pfn_do_export(exp, PAGE_SIZE, 0, O_RDWR);
	EXPECT_WARNINGS(test, 0, ret = attach_error(importer(exp), &movable));
	KUNIT_EXPECT_EQ(test, ret, -EOPNOTSUPP);

	/* A device may be attached all the same. */
	imp = attach_device(exp, dev, &movable);
	EXPECT_WARNINGS(test, 0, ret = open_error(imp, TO_READ));
	KUNIT_EXPECT_EQ(test, ret, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, exp->dmabuf->nr_pfn_mappings, 0);
	detach(imp);
}

static void importer_without_name_or_modes_is_refused(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct dma_buf_attachment *attach = NULL;
	struct importer *imp = importer(exp);
	int ret = 0;

	EXPECT_WARNINGS(test, 1, attach = dma_buf_pfn_attach(exp->dmabuf, NULL, &movable, imp));
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EINVAL);
	EXPECT_WARNINGS(test, 1, attach = dma_buf_pfn_attach(NULL, imp->name, &movable, imp));
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EINVAL);
	EXPECT_WARNINGS(test, 1, ret = attach_error(imp, NULL));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	EXPECT_WARNINGS(test, 1, ret = attach_error(imp, &silent));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	EXPECT_WARNINGS(test, 1, ret = attach_error(imp, &silent_callback));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
}

static void importer_with_inconsistent_modes_is_refused(struct kunit *test)
{
	static const struct dma_buf_attach_ops inconsistent[] = {
		{ .modes = MODE_R }, { .modes = MODE_M }, { .modes = MODE_P | MODE_M },
		{ .modes = BIT(3), CALLBACK },
	};
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	int ret = 0;

	for (int i = 0; i < ARRAY_SIZE(inconsistent); i++) {
		struct importer *imp = importer(exp);

		/* One WARN for each name */
		EXPECT_WARNINGS(test, 1, ret = attach_error(imp, &inconsistent[i]));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		EXPECT_WARNINGS(test, 0, ret = attach_error(imp, &inconsistent[i]));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	}
	KUNIT_EXPECT_EQ(test, exp->attached, 0);
}

static void importer_without_a_device_gets_a_mode(struct kunit *test)
{
	static const struct {
		u32 offer;
		const struct dma_buf_attach_ops *ops;
		u32 mode;	/* 0 for none */
		int pins;	/* of the core */
	} rows[] = {
		{ 0, &pinned, MODE_P, 1 },
		{ 0, &revocable, 0 },
		{ 0, &movable, MODE_M },
		{ 0, &all_modes, MODE_M },
		{ MODE_P, &pinned, MODE_P, 1 },
		{ MODE_P, &movable, 0 },
		{ MODE_P, &all_modes, MODE_P, 1 },
		{ MODE_R, &pinned, 0 },
		{ MODE_R, &revocable, MODE_R, 1 },
		{ MODE_P | MODE_R, &all_modes, MODE_R, 1 },
		{ MODE_ALL, &revocable, MODE_R, 1 },
		{ MODE_ALL, &all_modes, MODE_M },
	};

	for (int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pfn_exporter *exp = pfn_export(test, 1, rows[i].offer, O_RDWR);
		struct importer *imp = importer(exp);
		int ret = 0;

		EXPECT_WARNINGS(test, 0, ret = attach_error(imp, rows[i].ops));
		KUNIT_EXPECT_EQ_MSG(test, ret, rows[i].mode ? 0 : -EOPNOTSUPP, "row %d", i);
		KUNIT_EXPECT_EQ(test, exp->attached, !ret);
		if (ret)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, dma_buf_attachment_mode(imp->attach), rows[i].mode,
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, exp->pinned, rows[i].pins, "row %d", i);
		open(imp);
		KUNIT_EXPECT_EQ(test, query_error(imp), 0);
		close_and_detach(imp);
		KUNIT_EXPECT_EQ(test, exp->pinned, 0);
	}
}

static void importer_without_a_device_may_pin(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_to(exp, &movable);

	KUNIT_EXPECT_EQ(test, pin_error(imp), 0);
	KUNIT_EXPECT_EQ(test, exp->pinned, 1);
	unpin(imp);
	KUNIT_EXPECT_EQ(test, exp->pinned, 0);
	/* A pin that is left is dropped, after the mapping. */
	KUNIT_EXPECT_EQ(test, pin_error(imp), 0);
	open(imp);
	EXPECT_WARNINGS(test, 1, detach(imp));
}

static void importer_without_a_device_maps_nothing(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct sg_table *sgt = NULL;

	EXPECT_WARNINGS(test, 1, sgt = dma_buf_map_attachment_unlocked(imp->attach, DMA_TO_DEVICE));
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close_and_detach(imp);
}

static void attachment_is_named(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "pfn");
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_to(exp, &movable);

	KUNIT_EXPECT_NULL(test, imp->attach->dev);
	KUNIT_EXPECT_STREQ(test, dma_buf_attachment_name(imp->attach), imp->name);
	detach(imp);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	imp = attach_device(exp, dev, &movable);
	KUNIT_EXPECT_STREQ(test, dma_buf_attachment_name(imp->attach), dev_name(dev));
	/* It may have PFN mappings, too. */
	open(imp);
	KUNIT_EXPECT_EQ(test, query_error(imp), 0);
	close_and_detach(imp);
}

static void attach_that_fails_is_undone(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = importer(exp);

	exp->attach_error = -EBUSY;
	KUNIT_EXPECT_EQ(test, attach_error(imp, &movable), -EBUSY);
	KUNIT_EXPECT_TRUE(test, list_empty(&exp->dmabuf->attachments));
	exp->attach_error = 0;
	KUNIT_EXPECT_EQ(test, attach_error(imp, &movable), 0);
	detach(imp);
}

/* Fences */

static const char *fence_name(struct dma_fence *fence)
{
	return "pfn-test";
}

/* It is signalled as soon as somebody waits for it. */
static bool signals_at_once(struct dma_fence *fence)
{
	return false;
}

static const struct dma_fence_ops waited_for = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
	.enable_signaling = signals_at_once,
};

static const struct dma_fence_ops signalled_by_hand = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/* The test has a reference. */
static struct dma_fence *add_fence(struct pfn_exporter *exp, const struct dma_fence_ops *ops,
				   enum dma_resv_usage usage)
{
	struct dma_fence *fence = kmalloc_obj(*fence);
	int ret;

	KUNIT_ASSERT_NOT_NULL(exp->test, fence);
	dma_fence_init(fence, ops, NULL, dma_fence_context_alloc(1), 1);
	dma_resv_lock(exp->dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(exp->dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(exp->dmabuf->resv, fence, usage);
	dma_resv_unlock(exp->dmabuf->resv);
	KUNIT_ASSERT_EQ(exp->test, ret, 0);
	return fence;
}

static int wait(struct importer *imp, bool intr)
{
	int ret;

	lock(imp);
	ret = dma_buf_pfn_wait(&imp->mapping, intr);
	unlock(imp);
	return ret;
}

static void wait_is_for_kernel_fences(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct dma_fence *fence;

	KUNIT_EXPECT_EQ(test, wait(imp, true), 0);
	for (int usage = DMA_RESV_USAGE_KERNEL; usage <= DMA_RESV_USAGE_BOOKKEEP; usage++) {
		for (int intr = 0; intr < 2; intr++) {
			fence = add_fence(exp, &waited_for, usage);
			KUNIT_EXPECT_EQ(test, wait(imp, intr), 0);
			KUNIT_EXPECT_EQ_MSG(test, dma_fence_test_signaled_flag(fence),
					    usage == DMA_RESV_USAGE_KERNEL, "usage %d", usage);
			dma_fence_signal(fence);
			dma_fence_put(fence);
		}
	}
	close_and_detach(imp);
}

struct later {
	struct delayed_work work;
	struct dma_fence *fence;
};

static void signal_later(struct work_struct *work)
{
	struct later *later = container_of(work, struct later, work.work);

	dma_fence_signal(later->fence);
}

static void wait_may_be_interrupted(struct kunit *test)
{
	struct pfn_exporter *exp = pfn_export(test, 1, 0, O_RDWR);
	struct importer *imp = attach_and_open(exp, &movable);
	struct later later = {
		.fence = add_fence(exp, &signalled_by_hand, DMA_RESV_USAGE_KERNEL),
	};

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 0);
	KUNIT_EXPECT_EQ(test, wait(imp, true), -ERESTARTSYS);

	/* If it may not be, it lasts for as long as it takes. */
	INIT_DELAYED_WORK_ONSTACK(&later.work, signal_later);
	schedule_delayed_work(&later.work, HZ / 10);
	KUNIT_EXPECT_EQ(test, wait(imp, false), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(later.fence));
	flush_delayed_work(&later.work);
	destroy_delayed_work_on_stack(&later.work);

	flush_signals(current);
	disallow_signal(SIGUSR1);
	dma_fence_put(later.fence);
	close_and_detach(imp);
}

static int pfn_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_BUG))
		kunit_skip(test, "no WARN() without CONFIG_BUG");
	return 0;
}

static struct kunit_case pfn_cases[] = {
	KUNIT_CASE_PARAM(walk_gives_merged_and_clipped_extents, answer_gen_params),
	KUNIT_CASE_PARAM(array_goes_on_behind_its_last_extent, answer_gen_params),
	KUNIT_CASE_PARAM(query_gives_a_true_range_with_the_page, answer_gen_params),
	KUNIT_CASE_PARAM(neighbours_merge_if_alike, neighbours_gen_params),
	KUNIT_CASE(exporter_is_asked_once_for_what_it_tells),
	KUNIT_CASE(hint_is_that_of_the_previous_answer),
	KUNIT_CASE(buffer_of_one_page),
	KUNIT_CASE(window_is_clipped_at_both_ends),
	KUNIT_CASE(window_of_no_pages_has_no_extents),
	KUNIT_CASE(window_beyond_the_buffer_is_an_error),
	KUNIT_CASE_PARAM(lie_is_an_error_and_one_warning, lie_gen_params),
	KUNIT_CASE_PARAM(utmost_is_no_lie, truth_gen_params),
	KUNIT_CASE(hole_in_ram_is_found),
	KUNIT_CASE(hole_in_an_array_is_found),
	KUNIT_CASE(mmio_is_not_offered_pinned),
	KUNIT_CASE(positive_error_is_a_lie),
	KUNIT_CASE(error_of_the_exporter_is_passed_on),
	KUNIT_CASE(extents_before_an_error_are_told),
	KUNIT_CASE(only_an_open_mapping_answers),
	KUNIT_CASE(mapping_is_opened_once),
	KUNIT_CASE(mappings_are_counted),
	KUNIT_CASE(read_only_buffer_is_opened_for_reading),
	KUNIT_CASE(importer_needs_a_promise_or_a_callback),
	KUNIT_CASE(detach_closes_mappings),
	KUNIT_CASE(retired_attachment_opens_nothing),
	KUNIT_CASE(attachment_with_a_mapping_does_not_retire),
	KUNIT_CASE(mapping_is_stale_until_it_is_opened_again),
	KUNIT_CASE(walk_ends_where_it_is_invalidated),
	KUNIT_CASE(callback_gets_no_answer),
	KUNIT_CASE(callback_may_close),
	KUNIT_CASE(mapping_from_the_callback_is_stale),
	KUNIT_CASE(pinned_importer_is_told_once),
	KUNIT_CASE(revoked_buffer_tells_nothing),
	KUNIT_CASE(revoke_waits_for_the_last_pfn_mapping),
	KUNIT_CASE(exporter_without_the_op_is_refused),
	KUNIT_CASE(importer_without_name_or_modes_is_refused),
	KUNIT_CASE(importer_with_inconsistent_modes_is_refused),
	KUNIT_CASE(importer_without_a_device_gets_a_mode),
	KUNIT_CASE(importer_without_a_device_may_pin),
	KUNIT_CASE(importer_without_a_device_maps_nothing),
	KUNIT_CASE(attachment_is_named),
	KUNIT_CASE(attach_that_fails_is_undone),
	KUNIT_CASE(wait_is_for_kernel_fences),
	KUNIT_CASE(wait_may_be_interrupted),
	{}
};

static struct kunit_suite pfn_suite = {
	.name = "dma-buf-pfn",
	.init = pfn_init,
	.test_cases = pfn_cases,
};

kunit_test_suite(pfn_suite);

MODULE_DESCRIPTION("KUnit tests for PFN ranges of dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
