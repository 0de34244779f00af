// SPDX-License-Identifier: GPL-2.0-only
/*
 * PFN ranges: the physical extents of dma-bufs
 */

#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/unroll.h>

#include "dma-buf-internal.h"

/**
 * DOC: PFN ranges
 *
 * An exporter describes its buffer with one op, &dma_buf_ops.pfn_range: given a
 * page index, it tells a physically contiguous range of pages that contains it.
 * From that the core makes all the rest: it maps the buffer for devices, for
 * userspace and for the kernel, and syncs caches. An exporter needs no other op
 * but release. If it has one of the others, too, the core uses that.
 *
 * Importers that manage an address space of their own, like that of a virtual
 * machine, need physical extents instead of a &struct sg_table. They open a PFN
 * mapping and ask inside it:
 *
 * .. code-block:: c
 *
 *	static const struct dma_buf_attach_ops ops = {
 *		.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE |
 *			 DMA_BUF_MODE_MOVABLE,
 *		.invalidate_mappings = drop_all_and_close,
 *	};
 *
 *	attach = dma_buf_pfn_attach(dmabuf, "foo", &ops, foo);
 *	if (IS_ERR(attach))
 *		return PTR_ERR(attach);
 *
 *	dma_resv_lock(dmabuf->resv, NULL);
 *	ret = dma_buf_pfn_open(attach, &foo->mapping, true);
 *	if (!ret)
 *		ret = dma_buf_pfn_wait(&foo->mapping, true);
 *	if (!ret) {
 *		dma_buf_pfn_iter_init(&iter, &foo->mapping, 0, nr_pages);
 *		while ((ret = dma_buf_pfn_iter_next(&iter)) > 0)
 *			foo_map(foo, &iter.range);
 *	}
 *	dma_resv_unlock(dmabuf->resv);
 *
 * An answer holds until detach if the attachment is %DMA_BUF_MODE_PINNED. In
 * the other modes it holds until &dma_buf_attach_ops.invalidate_mappings has
 * returned, or, without that call, until the mapping is closed. After the call
 * the mapping answers no more. The importer closes it in bounded time, may do so
 * in the callback, and may open it again.
 *
 * Physical addresses are a secret of the exporter that few need to know. So the
 * query is exported to named modules only.
 */

#define ALL_FLAGS	(DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU |		\
			 DMA_BUF_PFN_DECRYPTED | DMA_BUF_PFN_FOREIGN)

static unsigned long nr_pages(const struct dma_buf *dmabuf)
{
	return dmabuf->size >> PAGE_SHIFT;
}

/* The memory model makes struct pages in steps of this size. */
#ifdef CONFIG_SPARSEMEM
#define PAGES_STEP	PAGES_PER_SUBSECTION
#else
#define PAGES_STEP	MAX_ORDER_NR_PAGES
#endif

static bool have_pages(const struct dma_buf_pfn_range *r)
{
	unsigned long pfn = r->pfn, last = pfn + r->nr - 1;

	for (;;) {
		if (!pfn_valid(pfn))
			return false;
		if (last - pfn < PAGES_STEP)
			return pfn == last || pfn_valid(last);
		pfn += PAGES_STEP;
	}
}

/* Not all of them: RAM in the middle of MMIO is no easy mistake. */
static bool is_ram(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && !PageReserved(page);
}

static bool cpu_can_address(const struct dma_buf_pfn_range *r)
{
#ifdef ARCH_HAS_VALID_PHYS_ADDR_RANGE
	return valid_mmap_phys_addr_range(r->pfn, (size_t)r->nr << PAGE_SHIFT);
#else
	return true;
#endif
}

static const char no_pages[] = "pages that don't exist";

/* What is wrong with an exporter's answer; NULL if nothing is */
static const char *range_defect(const struct dma_buf *dmabuf, pgoff_t index,
				const struct dma_buf_pfn_range *r)
{
	unsigned long end, pfn_end;

	if (!r->nr)
		return "an empty range";
	if (check_add_overflow(r->first, r->nr, &end) || end > nr_pages(dmabuf))
		return "a range beyond the buffer";
	if (index < r->first || index >= end)
		return "a range without the page";
	if (r->flags & ~ALL_FLAGS)
		return "unknown flags";
	if (r->caching > DMA_BUF_UNCACHED)
		return "an unknown cache mode";
	if (r->provider && r->flags & DMA_BUF_PFN_PAGES)
		return "RAM with a provider";
	if (r->pages) {
		if (!(r->flags & DMA_BUF_PFN_PAGES))
			return "MMIO as pages";
		if (!r->pages[0] || !r->pages[index - r->first] ||
		    !r->pages[r->nr - 1])
			return no_pages;
		return NULL;
	}
	if (check_add_overflow(r->pfn, r->nr, &pfn_end) ||
	    pfn_end - 1 > PHYS_PFN(PHYS_ADDR_MAX))
		return "PFNs that overflow";
	if (r->flags & DMA_BUF_PFN_PAGES) {
		/* Those between are looked at when somebody wants them. */
		if (!pfn_valid(r->pfn) ||
		    (r->nr > 1 && !pfn_valid(pfn_end - 1)))
			return no_pages;
		return NULL;
	}
	if (!r->provider)
		return "MMIO without a provider";
	if (r->flags & (DMA_BUF_PFN_DECRYPTED | DMA_BUF_PFN_FOREIGN))
		return "MMIO with flags of RAM";
	/* The provider ends when the exporter's driver is unbound. */
	if (dma_buf_offered_modes(dmabuf) & DMA_BUF_MODE_PINNED)
		return "MMIO in a buffer that is offered pinned";
	if (is_ram(r->pfn) || is_ram(pfn_end - 1))
		return "RAM as MMIO";
	if (!cpu_can_address(r))
		return "PFNs that the CPU can't address";
	return NULL;
}

/* Defect of what an exporter leaves to the core; NULL if there is none */
static const char *export_defect(const struct dma_buf_export_info *exp_info)
{
	const struct dma_buf_ops *ops = exp_info->ops;

	if (exp_info->cpu_access & ~(DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP |
				     DMA_BUF_CPU_EXCLUSIVE))
		return "an unknown flag";
	if (exp_info->cpu_access && !ops->pfn_range)
		return "CPU access without a pfn_range op";
	if (exp_info->cpu_access & DMA_BUF_CPU_MMAP && ops->mmap)
		return "an mmap op and the core's";
	if (exp_info->cpu_access & DMA_BUF_CPU_VMAP && (ops->vmap || ops->vunmap))
		return "a vmap op and the core's";
	/* What the core doesn't map it can't keep CPUs out of. */
	if (exp_info->cpu_access & DMA_BUF_CPU_EXCLUSIVE &&
	    (ops->mmap || ops->vmap))
		return "exclusive access besides an mmap or vmap op";
	if (ops->pfn_range && (!exp_info->size || !PAGE_ALIGNED(exp_info->size)))
		return "PFN ranges of a size that isn't in pages";
	return NULL;
}

/**
 * dma_buf_pfn_check_export - check what an exporter leaves to the core
 * @exp_info:	as given to dma_buf_export(), with ops
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL with one WARN for each exporter.
 */
int dma_buf_pfn_check_export(const struct dma_buf_export_info *exp_info)
{
	const char *defect;

	defect = export_defect(exp_info);
	if (!defect)
		return 0;

	if (dma_buf_warn_once("leaves to the core", exp_info->exp_name,
			      module_name(exp_info->owner)))
		WARN(1, "dma-buf: exporter %s (%s) asks for %s (cpu_access %#x), refused\n",
		     exp_info->exp_name, module_name(exp_info->owner), defect,
		     exp_info->cpu_access);
	return -EINVAL;
}

static int refuse_range(struct dma_buf *dmabuf, pgoff_t index,
			const struct dma_buf_pfn_range *range,
			const char *defect)
{
	if (dma_buf_warn_once("describes", dmabuf->exp_name,
			      module_name(dmabuf->owner)))
		WARN(1, "dma-buf: exporter %s (%s) describes %s (page %lu of %lu: first %lu nr %lu flags %#x)\n",
		     dmabuf->exp_name, module_name(dmabuf->owner), defect,
		     index, nr_pages(dmabuf), range->first, range->nr,
		     range->flags);
	return -EIO;
}

/**
 * dma_buf_pfn_ask - ask the exporter for a range, and check the answer
 * @dmabuf:	buffer with &dma_buf_ops.pfn_range
 * @index:	page index in the buffer
 * @range:	the answer, not clipped; hint is that of the previous answer, or 0
 *
 * Of pages, the first and the last are looked at.
 *
 * Context: Holds the reservation lock. Doesn't sleep if the answer is right.
 * Return: 0, -EINVAL if @index is beyond the buffer, -EIO with one WARN for each
 * exporter if the answer is wrong, or the exporter's error.
 */
int dma_buf_pfn_ask(struct dma_buf *dmabuf, pgoff_t index,
		    struct dma_buf_pfn_range *range)
{
	const char *defect;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	if (index >= nr_pages(dmabuf))
		return -EINVAL;

	*range = (struct dma_buf_pfn_range) { .hint = range->hint };
	ret = dmabuf->ops->pfn_range(dmabuf, index, range);
	if (ret < 0)
		return ret;

	defect = ret ? "a positive error" : range_defect(dmabuf, index, range);
	return defect ? refuse_range(dmabuf, index, range, defect) : 0;
}

static bool is_full(const struct dma_buf_pfn_range *range)
{
	unrolled_count(8)
	for (unsigned long i = 0; i < range->nr; i++)
		if (!range->pages[i])
			return false;
	return true;
}

/*
 * Has each page a struct page, if the exporter says so? dma_buf_pfn_ask() has
 * looked at the ends of the answer, which had @nr pages. In a short one, with
 * PFNs, there is no room for others.
 */
static int check_pages(struct dma_buf *dmabuf, pgoff_t index,
		       const struct dma_buf_pfn_range *range, unsigned long nr)
{
	if (!(range->flags & DMA_BUF_PFN_PAGES))
		return 0;
	if (range->pages ? is_full(range) : nr <= PAGES_STEP || have_pages(range))
		return 0;
	return refuse_range(dmabuf, index, range, no_pages);
}

/* Leave out the first pages of a range. */
static void skip_pages(struct dma_buf_pfn_range *range, unsigned long nr)
{
	range->first += nr;
	range->nr -= nr;
	if (range->pages)
		range->pages += nr;
	else
		range->pfn += nr;
}

/**
 * dma_buf_pfn_ask_part - ask for a page, and for no more than a part of the buffer
 * @dmabuf:	buffer with &dma_buf_ops.pfn_range
 * @index:	page index in the buffer
 * @first:	page index of the part, at most @index
 * @end:	page index behind the part
 * @range:	the answer, clipped to [@first, @end); hint is that of the previous
 *		answer, or 0
 *
 * All pages of the answer are looked at.
 *
 * Context: Holds the reservation lock. Doesn't sleep if the answer is right.
 * Return: see dma_buf_pfn_ask().
 */
int dma_buf_pfn_ask_part(struct dma_buf *dmabuf, pgoff_t index, pgoff_t first,
			 pgoff_t end, struct dma_buf_pfn_range *range)
{
	unsigned long nr;
	int ret;

	ret = dma_buf_pfn_ask(dmabuf, index, range);
	if (ret)
		return ret;

	nr = range->nr;
	if (range->first < first)
		skip_pages(range, first - range->first);
	range->nr = min(range->nr, end - range->first);
	return check_pages(dmabuf, index, range, nr);
}

/* May the importer be told anything? */
static int check_open(const struct dma_buf_pfn_mapping *mapping)
{
	const struct dma_buf *dmabuf;

	if (WARN_ON_ONCE(!mapping->attach))
		return -EINVAL;

	dmabuf = mapping->attach->dmabuf;
	dma_resv_assert_held(dmabuf->resv);

	if (dmabuf->revoked)
		return -ENODEV;
	return mapping->stale ? -ESTALE : 0;
}

/**
 * dma_buf_pfn_walk - begin a walk inside the core
 * @iter:	the walk
 * @dmabuf:	buffer with &dma_buf_ops.pfn_range
 * @first:	page index in the buffer
 * @nr:		number of pages
 *
 * As dma_buf_pfn_iter_init(), without a PFN mapping: the caller has other means
 * to keep the buffer where it is.
 *
 * Context: Any.
 */
void dma_buf_pfn_walk(struct dma_buf_pfn_iter *iter, struct dma_buf *dmabuf,
		      pgoff_t first, unsigned long nr)
{
	*iter = (struct dma_buf_pfn_iter) {
		.dmabuf = dmabuf,
		.next = first,
		.max_merge = ULONG_MAX,
		.seg_mask = U64_MAX,
	};
	/* A page that is beyond the buffer is an error when the walk gets there. */
	if (check_add_overflow(first, nr, &iter->end)) {
		iter->end = ULONG_MAX;
		iter->next = min(first, ULONG_MAX - 1);
	}
}

/**
 * dma_buf_pfn_iter_init - begin a walk over the extents of a buffer
 * @iter:	the walk
 * @mapping:	an open PFN mapping
 * @first:	page index in the buffer
 * @nr:		number of pages
 *
 * Context: Holds the reservation lock until the walk is over.
 */
void dma_buf_pfn_iter_init(struct dma_buf_pfn_iter *iter,
			   const struct dma_buf_pfn_mapping *mapping,
			   pgoff_t first, unsigned long nr)
{
	struct dma_buf_attachment *attach = mapping->attach;

	dma_buf_pfn_walk(iter, attach ? attach->dmabuf : NULL, first, nr);
	iter->mapping = mapping;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_iter_init, DMA_BUF_PFN_MODULES);

/* What is behind the extents that the walk has; nothing on error */
static int ask_ahead(struct dma_buf_pfn_iter *iter)
{
	struct dma_buf_pfn_range *ahead = &iter->ahead;
	int ret;

	ret = dma_buf_pfn_ask_part(iter->dmabuf, iter->next, iter->next,
				   iter->end, ahead);
	if (ret)
		ahead->nr = 0;
	else
		iter->next += ahead->nr;
	return ret;
}

/* Length that an extent may reach by merging, in pages */
static unsigned long merge_limit(const struct dma_buf_pfn_iter *iter,
				 unsigned long pfn)
{
	u64 behind = (~PFN_PHYS(pfn) & iter->seg_mask) >> PAGE_SHIFT;

	return min_t(u64, iter->max_merge, behind + 1);
}

/* How many pages from @page on are at @pfn and behind it, at most @nr? */
static unsigned long count_adjacent(struct page **page, unsigned long nr,
				    unsigned long pfn)
{
	unsigned long n = 0;

	while (n < nr && page_to_pfn(page[n]) == pfn + n)
		n++;
	return n;
}

/* Begin an extent with the first page of @ahead, or all of it if that is one. */
static void take_first(struct dma_buf_pfn_iter *iter)
{
	struct dma_buf_pfn_range *range = &iter->range, *ahead = &iter->ahead;

	range->first = ahead->first;
	range->nr = ahead->nr;
	range->pfn = ahead->pfn;
	range->provider = ahead->provider;
	range->flags = ahead->flags;
	range->caching = ahead->caching;
	if (ahead->pages) {
		range->pfn = page_to_pfn(ahead->pages[0]);
		range->nr = 1;
	}
	skip_pages(ahead, range->nr);
}

/*
 * Move to the extent what of @ahead is at its end in memory, and alike in all
 * else. Return: is there nothing left of @ahead?
 */
static bool merge(struct dma_buf_pfn_iter *iter)
{
	struct dma_buf_pfn_range *range = &iter->range, *ahead = &iter->ahead;
	unsigned long end = range->pfn + range->nr, pfn, limit, n;

	if (!ahead->nr)
		return true;
	pfn = ahead->pages ? page_to_pfn(ahead->pages[0]) : ahead->pfn;
	if (pfn != end || range->flags != ahead->flags ||
	    range->caching != ahead->caching ||
	    range->provider != ahead->provider)
		return false;

	limit = merge_limit(iter, range->pfn);
	if (range->nr >= limit)
		return false;
	n = ahead->nr;
	if (ahead->pages)
		n = count_adjacent(ahead->pages, min(n, limit - range->nr), end);
	else if (n > limit - range->nr)
		return false;
	range->nr += n;
	skip_pages(ahead, n);
	return !ahead->nr;
}

/**
 * dma_buf_pfn_iter_next - the next extent of a walk
 * @iter:	the walk, with the extent in &dma_buf_pfn_iter.range
 *
 * Neighbours that are side by side in memory, and alike in all else, are one
 * extent. Nothing is allocated.
 *
 * Context: Holds the reservation lock.
 * Return: 1, or 0 at the end, or an error, see dma_buf_pfn_query().
 */
int dma_buf_pfn_iter_next(struct dma_buf_pfn_iter *iter)
{
	int ret;

	if (iter->mapping) {
		ret = check_open(iter->mapping);
		if (ret)
			return ret;
	}

	if (!iter->ahead.nr) {
		if (iter->next == iter->end)
			return 0;
		ret = ask_ahead(iter);
		if (ret)
			return ret;
	}
	take_first(iter);

	/* What is told so far stays told if the next answer is none. */
	while (merge(iter))
		if (iter->next == iter->end || ask_ahead(iter))
			break;
	return 1;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_iter_next, DMA_BUF_PFN_MODULES);

/**
 * dma_buf_pfn_query - where is a page of a buffer?
 * @mapping:	an open PFN mapping
 * @index:	page index in the buffer
 * @range:	a range that contains the page; it need not be the largest
 *
 * Context: Holds the reservation lock. Doesn't sleep.
 * Return: 0, -EINVAL if @index is beyond the buffer, or with a WARN if @mapping
 * is not open; -ESTALE if invalidate_mappings was called since it was opened;
 * -ENODEV while the buffer is revoked; -EIO if the exporter's answer makes no
 * sense; or the exporter's error.
 */
int dma_buf_pfn_query(const struct dma_buf_pfn_mapping *mapping, pgoff_t index,
		      struct dma_buf_pfn_range *range)
{
	int ret;

	*range = (struct dma_buf_pfn_range) {};
	ret = check_open(mapping);
	if (ret)
		return ret;
	ret = dma_buf_pfn_ask(mapping->attach->dmabuf, index, range);
	if (ret)
		return ret;
	if (range->pages) {
		skip_pages(range, index - range->first);
		range->pfn = page_to_pfn(*range->pages);
		range->pages = NULL;
		range->nr = 1;
	}
	return check_pages(mapping->attach->dmabuf, index, range, range->nr);
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_query, DMA_BUF_PFN_MODULES);

/**
 * dma_buf_pfn_query_array - the extents of a part of a buffer
 * @mapping:	an open PFN mapping
 * @first:	page index in the buffer
 * @nr:		number of pages
 * @ranges:	the extents, merged and clipped to [@first, @first + @nr)
 * @max:	length of @ranges
 *
 * If @max is too small, @ranges has the first extents, and the caller goes on
 * behind the last of them.
 *
 * Context: Holds the reservation lock. Doesn't sleep.
 * Return: the number of extents in @ranges, or an error, see
 * dma_buf_pfn_query().
 */
int dma_buf_pfn_query_array(const struct dma_buf_pfn_mapping *mapping,
			    pgoff_t first, unsigned long nr,
			    struct dma_buf_pfn_range *ranges, unsigned int max)
{
	struct dma_buf_pfn_iter iter;
	unsigned int n;
	int ret;

	dma_buf_pfn_iter_init(&iter, mapping, first, nr);
	for (n = 0; n < min(max, INT_MAX); n++) {
		ret = dma_buf_pfn_iter_next(&iter);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		ranges[n] = iter.range;
	}
	return n;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_query_array, DMA_BUF_PFN_MODULES);

/**
 * dma_buf_pfn_wait - wait until the content of a buffer is in place
 * @mapping:	an open PFN mapping
 * @intr:	may the wait be interrupted?
 *
 * Whoever maps what a query has told waits first, under the same hold of the
 * lock. An exporter may still be moving or clearing the memory.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, -ERESTARTSYS, or an error, see dma_buf_pfn_query().
 */
int dma_buf_pfn_wait(const struct dma_buf_pfn_mapping *mapping, bool intr)
{
	long ret;

	ret = check_open(mapping);
	if (ret)
		return ret;

	ret = dma_resv_wait_timeout(mapping->attach->dmabuf->resv,
				    DMA_RESV_USAGE_KERNEL, intr,
				    MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}
EXPORT_SYMBOL_FOR_MODULES(dma_buf_pfn_wait, DMA_BUF_PFN_MODULES);

/**
 * dma_buf_pfn_attach - attach an importer that has no device
 * @dmabuf:		the buffer
 * @name:		name of the importer for messages, kept until detach
 * @importer_ops:	importer operations, with the modes that it accepts
 * @importer_priv:	private pointer of the importer
 *
 * For importers that use PFN mappings, and nothing else: dma_buf_map_attachment()
 * refuses such an attachment. &dma_buf_attachment.dev is NULL. Whether a device
 * can reach what a query tells is for the importer to find out.
 *
 * Context: Process context, may sleep. The reservation lock isn't held.
 * Return: the attachment, to be given back by dma_buf_detach(), or ERR_PTR: as
 * dma_buf_dynamic_attach(); also -EOPNOTSUPP if the exporter doesn't describe
 * the buffer.
 */
struct dma_buf_attachment *
dma_buf_pfn_attach(struct dma_buf *dmabuf, const char *name,
		   const struct dma_buf_attach_ops *importer_ops,
		   void *importer_priv)
{
	if (WARN_ON_ONCE(!dmabuf || !name || !importer_ops ||
			 !importer_ops->modes))
		return ERR_PTR(-EINVAL);
	if (!dmabuf->ops->pfn_range)
		return ERR_PTR(-EOPNOTSUPP);

	return dma_buf_attach_importer(dmabuf, NULL, importer_ops,
				       importer_priv, name);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pfn_attach, "DMA_BUF");

/**
 * dma_buf_pfn_open - open a PFN mapping
 * @attach:	attachment, with or without a device
 * @mapping:	the mapping, not open
 * @write:	does the importer let the memory be written to?
 *
 * The importer closes it when it has dropped what it was told, and in bounded
 * time after &dma_buf_attach_ops.invalidate_mappings.
 *
 * Nobody tells an importer that has declared no modes when to stop, unless it
 * is in %DMA_BUF_MODE_MOVABLE or holds a pin. It can't open a mapping.
 *
 * Context: Process context. Holds the reservation lock.
 * Return: 0, -EOPNOTSUPP if the exporter doesn't describe the buffer, -EACCES
 * for a writable mapping of a buffer that was exported read-only, -ENODEV while
 * the buffer is revoked, or -EINVAL, with a WARN, if @mapping is open already
 * or @attach is retired or without a promise.
 */
int dma_buf_pfn_open(struct dma_buf_attachment *attach,
		     struct dma_buf_pfn_mapping *mapping, bool write)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	if (WARN_ON_ONCE(mapping->attach || attach->retired))
		return -EINVAL;
	if (WARN_ON_ONCE(attach->mode != DMA_BUF_MODE_MOVABLE && !attach->pins))
		return -EINVAL;
	if (!dmabuf->ops->pfn_range)
		return -EOPNOTSUPP;
	if (dmabuf->revoked)
		return -ENODEV;
	if (write && !(dmabuf->file->f_mode & FMODE_WRITE))
		return -EACCES;

	mapping->attach = attach;
	mapping->write = write;
	mapping->stale = false;
	hlist_add_head(&mapping->node, &attach->pfn_mappings);
	dmabuf->nr_pfn_mappings++;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pfn_open, "DMA_BUF");

/**
 * dma_buf_pfn_close - close a PFN mapping
 * @mapping:	the mapping; nothing is done if it is not open
 *
 * What the importer was told must not be used any more.
 *
 * Context: Holds the reservation lock; may be called from
 * &dma_buf_attach_ops.invalidate_mappings.
 */
void dma_buf_pfn_close(struct dma_buf_pfn_mapping *mapping)
{
	struct dma_buf *dmabuf;

	if (!mapping->attach)
		return;

	dmabuf = mapping->attach->dmabuf;
	dma_resv_assert_held(dmabuf->resv);

	hlist_del(&mapping->node);
	mapping->attach = NULL;
	dmabuf->nr_pfn_mappings--;
	if (dmabuf->revoked)
		dma_buf_revoke_unmapped(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pfn_close, "DMA_BUF");

/**
 * dma_buf_pfn_invalidate - answers to an importer are about to become void
 * @attach:	its attachment
 *
 * Context: Holds the reservation lock.
 */
void dma_buf_pfn_invalidate(struct dma_buf_attachment *attach)
{
	struct dma_buf_pfn_mapping *mapping;

	dma_resv_assert_held(attach->dmabuf->resv);

	hlist_for_each_entry(mapping, &attach->pfn_mappings, node)
		mapping->stale = true;
}
