// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: the memory behind its buffers
 */

#include <linux/dma-buf-pfn.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "test-device.h"

/* How much userspace asks for is its own affair, nothing to warn about. */
#define DBT_GFP		(GFP_KERNEL | __GFP_NOWARN)

static int compare_pfn(const void *a, const void *b)
{
	unsigned long pfn_a = page_to_pfn(*(struct page * const *)a);
	unsigned long pfn_b = page_to_pfn(*(struct page * const *)b);

	return pfn_a < pfn_b ? -1 : pfn_a > pfn_b;
}

/* 2^@order pages in a row; each of them is freed by itself. */
static struct page *alloc_row(unsigned int order)
{
	struct page *page;

	if (order > MAX_PAGE_ORDER)
		return NULL;
	page = alloc_pages(DBT_GFP | __GFP_ZERO, order);
	/* Of order 0, there is nothing to split. */
	if (page && order)
		split_page(page, order);
	return page;
}

static void free_row(struct page *page, unsigned long nr)
{
	while (nr--)
		__free_page(page++);
}

/* One physical range */
static int alloc_range(struct page **pages, unsigned long nr)
{
	unsigned int order = get_order(nr << PAGE_SHIFT);
	struct page *page = alloc_row(order);
	unsigned long i;

	if (!page)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		pages[i] = page + i;
	free_row(page + nr, (1UL << order) - nr);
	return 0;
}

/*
 * Rows of 2^@order pages of which no two neighbours in the buffer are
 * neighbours in memory, so that each is a range of its own, before a move and
 * after it. In ascending order, the rows at odd places are not adjacent, nor
 * are those at even places; and if the odd ones go first and there are two of
 * them or more, neither are the last of them and the first of all. So take at
 * least four, and give back what is too many.
 */
static int alloc_scattered(struct page **pages, unsigned long nr_pages,
			   unsigned int order)
{
	unsigned long row = 1UL << order, nr = nr_pages >> order;
	unsigned long total = nr > 1 ? max(nr, 4UL) : nr;
	unsigned long i, k, n = 0;
	struct page **sorted;
	int ret = -ENOMEM;

	sorted = kvzalloc_objs(*sorted, total, DBT_GFP);
	if (!sorted)
		return -ENOMEM;

	for (i = 0; i < total; i++) {
		sorted[i] = alloc_row(order);
		if (!sorted[i])
			goto out;
	}
	sort(sorted, total, sizeof(*sorted), compare_pfn, NULL);

	/* Odd places, then even ones */
	for (i = total > 1; n < nr_pages; i = i + 2 < total ? i + 2 : 0) {
		for (k = 0; k < row; k++)
			pages[n++] = sorted[i] + k;
		sorted[i] = NULL;
	}
	ret = 0;
out:
	for (i = 0; i < total; i++)
		if (sorted[i])
			free_row(sorted[i], row);
	kvfree(sorted);
	return ret;
}

static void backing_free(struct dbt_backing *backing)
{
	unsigned long i;

	dbt_mmio_free(backing);
	/* The rest is NULL if they could not all be allocated. */
	for (i = 0; i < backing->nr_pages; i++)
		if (backing->pages[i])
			__free_page(backing->pages[i]);
	kvfree(backing);
}

static void backing_release(struct kref *refs)
{
	backing_free(container_of(refs, struct dbt_backing, refs));
}

/**
 * dbt_backing_alloc - memory for a buffer, zeroed
 * @kind:	one of DMA_BUF_TEST_SCATTERED ..., but not of the DMA API
 * @nr_pages:	how much, in pages; whole PMDs for %DMA_BUF_TEST_HUGE
 *
 * Context: Process context, may sleep.
 * Return: the memory, with one reference, or ERR_PTR: -ENOMEM, or -ENODEV for
 * memory of a PCI device.
 */
struct dbt_backing *dbt_backing_alloc(u32 kind, unsigned long nr_pages)
{
	struct dbt_backing *backing;
	int ret;

	backing = kvzalloc_flex(*backing, pages, nr_pages, DBT_GFP);
	if (!backing)
		return ERR_PTR(-ENOMEM);
	kref_init(&backing->refs);
	backing->kind = kind;
	backing->nr_pages = nr_pages;

	switch (kind) {
	case DMA_BUF_TEST_HUGE:
		backing->row = 1UL << PMD_ORDER;
		ret = alloc_scattered(backing->pages, nr_pages, PMD_ORDER);
		break;
	case DMA_BUF_TEST_MMIO:
	case DMA_BUF_TEST_MMIO_WC:
		ret = dbt_mmio_alloc(backing);
		break;
	case DMA_BUF_TEST_CONTIGUOUS:
		backing->row = nr_pages;
		ret = alloc_range(backing->pages, nr_pages);
		break;
	default:
		backing->row = 1;
		ret = alloc_scattered(backing->pages, nr_pages, 0);
		break;
	}
	if (ret) {
		backing_free(backing);
		return ERR_PTR(ret);
	}
	return backing;
}

/**
 * dbt_backing_get - one more reference to the memory of a buffer
 * @backing:	the memory
 *
 * Return: @backing.
 */
struct dbt_backing *dbt_backing_get(struct dbt_backing *backing)
{
	kref_get(&backing->refs);
	return backing;
}

/**
 * dbt_backing_put - give a reference back, and the memory with the last one
 * @backing:	the memory
 *
 * Context: Process context.
 */
void dbt_backing_put(struct dbt_backing *backing)
{
	kref_put(&backing->refs, backing_release);
}

/**
 * dbt_backing_put_all - give back a reference to each of a list
 * @backings:	list of &struct dbt_backing, empty afterwards
 *
 * Context: Process context.
 */
void dbt_backing_put_all(struct list_head *backings)
{
	struct dbt_backing *backing, *next;

	list_for_each_entry_safe(backing, next, backings, node) {
		list_del(&backing->node);
		dbt_backing_put(backing);
	}
}

/**
 * dbt_backing_range - where is a page?
 * @backing:	the memory
 * @index:	of the page, in the buffer
 * @range:	zeroed; the range that the page was allocated in
 *
 * Context: Holds the reservation lock.
 * Return: 0 or -ENODEV if it was memory of a PCI device that is gone.
 */
int dbt_backing_range(struct dbt_backing *backing, pgoff_t index,
		      struct dma_buf_pfn_range *range)
{
	unsigned long row = backing->row;

	if (dbt_is_mmio(backing->kind))
		return dbt_mmio_range(backing, range);

	/* Single pages all at once */
	if (row == 1) {
		range->pages = backing->pages;
		row = backing->nr_pages;
	}
	range->first = rounddown(index, row);
	range->nr = row;
	range->pfn = page_to_pfn(backing->pages[range->first]);
	range->flags = DMA_BUF_PFN_PAGES;
	if (backing->kind != DMA_BUF_TEST_PRIVATE)
		range->flags |= DMA_BUF_PFN_CPU;
	return 0;
}

/**
 * dbt_backing_copy - copy the content of a buffer
 * @to:		new memory
 * @from:	old memory, as large as @to
 *
 * Context: Process context, may sleep.
 */
void dbt_backing_copy(struct dbt_backing *to, const struct dbt_backing *from)
{
	unsigned long i;

	if (dbt_is_mmio(from->kind)) {
		dbt_mmio_copy(to, from);
		return;
	}
	for (i = 0; i < from->nr_pages; i++) {
		copy_highpage(to->pages[i], from->pages[i]);
		cond_resched();
	}
}
