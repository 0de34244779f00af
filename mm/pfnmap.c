// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of page frames in VM_PFNMAP mappings
 */

#include <linux/cacheflush.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/overflow.h>
#include <linux/pfnmap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/unroll.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* Constants, so that functions an architecture lacks are not compiled. */
#define PMD_ENTRIES	IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)
#define PUD_ENTRIES	IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP)

/**
 * DOC: overview
 *
 * A driver that maps its own memory into a process makes a %VM_PFNMAP mapping
 * and fills it from its fault handler. vmf_insert_pfn() does that for one page,
 * and vmf_insert_pfn_pmd() for a huge one. A driver that maps a whole buffer
 * calls them in a loop. Each call walks the page table, takes a lock and looks
 * up the cache mode, and the driver has to know where huge entries fit.
 *
 * vmf_insert_pfnmap_run() takes a description of the buffer instead::
 *
 *	static vm_fault_t foo_huge_fault(struct vm_fault *vmf, unsigned int order)
 *	{
 *		struct foo *foo = vmf->vma->vm_private_data;
 *		const struct pfnmap_run run = {
 *			.pages = foo->pages,
 *			.nr = foo->nr_pages,
 *			.prot = vmf->vma->vm_page_prot,
 *		};
 *
 *		return vmf_insert_pfnmap_run(vmf, order, &run);
 *	}
 *
 *	static vm_fault_t foo_fault(struct vm_fault *vmf)
 *	{
 *		return foo_huge_fault(vmf, 0);
 *	}
 *
 * Only a VMA whose vm_ops have huge_fault gets huge entries. When a VMA is
 * split within a huge entry, the entry is dropped, and the next access faults.
 *
 * A driver without a fault handler maps all of its memory in its mmap handler,
 * with remap_pfnmap_pages() or remap_pfnmap_vmalloc().
 */

static unsigned long run_pfn(const struct pfnmap_run *run, unsigned long index)
{
	return run->pages ? page_to_pfn(run->pages[index]) : run->pfn + index;
}

static bool run_is_contiguous(const struct pfnmap_run *run, unsigned long index,
			      unsigned long nr)
{
	struct page **page, **end, *expected;

	if (!run->pages)
		return true;

	page = run->pages + index;
	end = page + nr;
	expected = *page;
	/* Cheap, and enough for most runs that are not contiguous */
	if (end[-1] != expected + nr - 1)
		return false;
	unrolled_count(8)
	for (; page < end; page++)
		if (*page != expected++)
			return false;

	return page_range_contiguous(run->pages[index], nr);
}

/* @prot with the cache mode of @nr pages, or an error if it isn't known for all */
static int common_prot(const struct pfnmap_run *run, unsigned long index,
		       unsigned long nr, pgprot_t *prot)
{
	*prot = run->prot;
	if (run->pages)
		return pfnmap_setup_cachemode_pages(run->pages + index, nr,
						    prot);
	return pfnmap_setup_cachemode(run->pfn + index, nr << PAGE_SHIFT, prot);
}

/*
 * May all of a run be mapped? What an architecture refuses is PFNs that are not
 * memory, from a limit on, and with some protections only. If the highest of all
 * is allowed, the others need no look.
 */
static bool all_allowed(const struct pfnmap_run *run)
{
	return !arch_has_pfn_modify_check() || run->pages ||
	       pfn_modify_allowed(ULONG_MAX, run->prot);
}

/* pte_advance_pfn() takes any distance, back and forth, if a long has the bits. */
#define CAN_ADVANCE	(sizeof(pte_t) <= sizeof(long))

static pte_t make_entry(unsigned long pfn, pgprot_t prot)
{
	return pte_mkspecial(pfn_pte(pfn, prot));
}

static void set_entry(struct vm_area_struct *vma, unsigned long addr, pte_t *pte,
		      pte_t entry)
{
	set_pte_at(vma->vm_mm, addr, pte, entry);
	update_mmu_cache(vma, addr, pte);
}

/*
 * Entries of the PFNs behind that of @first, which is the first one's. Here and
 * below, a PTE that has an entry ends the loop if there is an @err to tell it,
 * and is left out otherwise.
 */
static unsigned long fill_pfns(struct vm_area_struct *vma, unsigned long addr,
			       pte_t *pte, unsigned long nr, pte_t first,
			       int *err)
{
	unsigned long i;

	unrolled_count(4)
	for (i = 0; i < nr; i++, pte++, addr += PAGE_SIZE) {
		if (likely(pte_none(ptep_get(pte)))) {
			set_entry(vma, addr, pte, pte_advance_pfn(first, i));
		} else if (err) {
			*err = -EBUSY;
			break;
		}
	}
	return i;
}

/* Entries of pages in any order; @first is for the first one. */
static unsigned long fill_pages(struct vm_area_struct *vma, unsigned long addr,
				pte_t *pte, unsigned long nr, pte_t first,
				struct page **pages, int *err)
{
	unsigned long i, skip, pfn = page_to_pfn(pages[0]);

	unrolled_count(4)
	for (i = 0; i < nr; i++, pte++, addr += PAGE_SIZE) {
		if (likely(pte_none(ptep_get(pte)))) {
			skip = page_to_pfn(pages[i]) - pfn;
			set_entry(vma, addr, pte, pte_advance_pfn(first, skip));
		} else if (err) {
			*err = -EBUSY;
			break;
		}
	}
	return i;
}

/*
 * Entries that are made one by one, of pages that are checked one by one. Their
 * cache modes differ if @common is NULL.
 */
static unsigned long fill_each(struct vm_area_struct *vma,
			       const struct pfnmap_run *run,
			       unsigned long index, unsigned long addr,
			       pte_t *pte, unsigned long nr,
			       const pgprot_t *common, int *err)
{
	unsigned long i, pfn;
	pgprot_t prot;
	int ret;

	for (i = 0; i < nr; i++, pte++, addr += PAGE_SIZE) {
		pfn = run_pfn(run, index + i);
		ret = 0;
		if (!pte_none(ptep_get(pte)))
			ret = -EBUSY;
		else if (!pfn_modify_allowed(pfn, run->prot))
			ret = -EACCES;
		if (ret && !err)
			continue;
		if (ret) {
			*err = ret;
			break;
		}
		prot = common ? *common : run->prot;
		if (!common)
			pfnmap_setup_cachemode_pfn(pfn, &prot);
		set_entry(vma, addr, pte, make_entry(pfn, prot));
	}
	return i;
}

/*
 * Fill empty PTEs of one page table with the pages of the run from @index on.
 * Pages that have an entry or must not be mapped are left out, or, if there is
 * an @err to tell it, end the loop. Return: the number of pages done.
 */
static unsigned long fill_ptes(struct vm_area_struct *vma,
			       const struct pfnmap_run *run,
			       unsigned long index, unsigned long addr,
			       pte_t *pte, unsigned long nr, int *err)
{
	unsigned long pfn = run_pfn(run, index), done;
	pgprot_t prot;
	pte_t first;
	bool common;

	common = !common_prot(run, index, nr, &prot);
	first = make_entry(pfn, prot);

	lazy_mmu_mode_enable();
	/* Of a foreign frame, Xen's entries don't tell the PFN. */
	if (!CAN_ADVANCE || !common || pte_pfn(first) != pfn ||
	    !all_allowed(run))
		done = fill_each(vma, run, index, addr, pte, nr,
				 common ? &prot : NULL, err);
	else if (run->pages)
		done = fill_pages(vma, addr, pte, nr, first, run->pages + index,
				  err);
	else
		done = fill_pfns(vma, addr, pte, nr, first, err);
	lazy_mmu_mode_disable();
	return done;
}

/* The part of a run that a fault may map */
struct window {
	unsigned long index;	/* in the run, of the page at start */
	unsigned long start;	/* addresses */
	unsigned long end;
};

/* An entry for the page that faulted, which may be mapped */
static vm_fault_t insert_one(struct vm_fault *vmf, unsigned long pfn,
			     pgprot_t prot)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = ALIGN_DOWN(vmf->address, PAGE_SIZE);
	spinlock_t *ptl;
	pte_t *pte;

	if (pte_alloc(vma->vm_mm, vmf->pmd))
		return VM_FAULT_OOM;

	pfnmap_setup_cachemode_pfn(pfn, &prot);
	pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, addr, &ptl);
	/* Another thread has made a huge entry here: nothing is left to do. */
	if (!pte)
		return VM_FAULT_NOPAGE;
	if (pte_none(ptep_get(pte)))
		set_entry(vma, addr, pte, make_entry(pfn, prot));
	pte_unmap_unlock(pte, ptl);
	return VM_FAULT_NOPAGE;
}

/* Entries for a part of the fault's page table */
static vm_fault_t insert_small(struct vm_fault *vmf,
			       const struct pfnmap_run *run,
			       const struct window *w)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	spinlock_t *ptl;
	pte_t *pte;

	if (pte_alloc(mm, vmf->pmd))
		return VM_FAULT_OOM;

	pte = pte_offset_map_lock(mm, vmf->pmd, w->start, &ptl);
	/* Another thread has made a huge entry here: nothing is left to do. */
	if (!pte)
		return VM_FAULT_NOPAGE;
	fill_ptes(vmf->vma, run, w->index, w->start, pte,
		  (w->end - w->start) >> PAGE_SHIFT, NULL);
	pte_unmap_unlock(pte, ptl);
	return VM_FAULT_NOPAGE;
}

/* One entry of @order for the pages of the run from @index on, if it fits */
static vm_fault_t insert_huge(struct vm_fault *vmf, unsigned int order,
			      const struct pfnmap_run *run, unsigned long index,
			      unsigned long addr)
{
	unsigned long i, nr = 1UL << order, pfn = run_pfn(run, index);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	pgprot_t prot = run->prot;

	if (!IS_ALIGNED(pfn, nr) || !run_is_contiguous(run, index, nr))
		return VM_FAULT_FALLBACK;
	if (!all_allowed(run))
		for (i = 0; i < nr; i++)
			if (!pfn_modify_allowed(pfn + i, prot))
				return VM_FAULT_FALLBACK;
	if (pfnmap_setup_cachemode(pfn, nr << PAGE_SHIFT, &prot))
		return VM_FAULT_FALLBACK;

	/* An existing entry of the same memory may become writable. */
	if (PMD_ENTRIES && order == PMD_ORDER) {
		pmd_t pmd = pmdp_get_lockless(vmf->pmd);

		if (pmd_none(pmd) ||
		    (pmd_trans_huge(pmd) && pmd_pfn(pmd) == pfn))
			return insert_pfn_pmd(vmf->vma, addr, vmf->pmd, pfn,
					      prot, write);
	} else if (PUD_ENTRIES && order == PUD_ORDER) {
		pud_t pud = pudp_get(vmf->pud);

		if (pud_none(pud) ||
		    (pud_trans_huge(pud) && pud_pfn(pud) == pfn))
			return insert_pfn_pud(vmf->vma, addr, vmf->pud, pfn,
					      prot, write);
	}
	return VM_FAULT_FALLBACK;
}

static bool check_vma(const struct vm_fault *vmf, const struct pfnmap_run *run)
{
	struct vm_area_struct *vma = vmf->vma;

	vma_assert_stabilised(vma);

	if (WARN_ON_ONCE((vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) !=
			 VM_PFNMAP) || vma_is_cow_mapping(vma))
		return false;
	return !WARN_ON_ONCE(run->around && !is_power_of_2(run->around));
}

/* How much a fault maps with small entries, in pages */
static unsigned long small_window(const struct vm_fault *vmf,
				  const struct pfnmap_run *run)
{
	unsigned long table = PMD_SIZE >> PAGE_SHIFT;

	if (vma_test(vmf->vma, VMA_RAND_READ_BIT))
		return 1;
	return run->around ? min(run->around, table) : table;
}

/*
 * The part of the run that is in the VMA, and in the naturally aligned window of
 * @size bytes with the page that faulted. Empty if start and end are equal.
 */
static struct window clip_window(const struct vm_fault *vmf,
				 const struct pfnmap_run *run,
				 unsigned long size)
{
	const struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address, start, last;
	pgoff_t base, first, end, run_end;

	start = max(vma->vm_start, ALIGN_DOWN(addr, size));
	/* The end of the window may be 2^BITS_PER_LONG. */
	last = min(vma->vm_end - 1, addr | (size - 1));

	/* The run may reach far beyond all addresses, so go on in pages. */
	base = vmf->pgoff - ((addr - start) >> PAGE_SHIFT);
	first = max(base, run->pgoff);
	end = vmf->pgoff + ((last - addr) >> PAGE_SHIFT) + 1;
	if (!check_add_overflow(run->pgoff, run->nr, &run_end))
		end = min(end, run_end);
	if (first >= end)
		return (struct window) {};

	start += (first - base) << PAGE_SHIFT;
	return (struct window) {
		.index = first - run->pgoff,
		.start = start,
		.end = start + ((end - first) << PAGE_SHIFT),
	};
}

/**
 * vmf_insert_pfnmap_run - map a run of page frames from a fault handler
 * @vmf:	the fault
 * @order:	what &vm_operations_struct.huge_fault was called with; 0 in
 *		&vm_operations_struct.fault
 * @run:	the memory, usually all of the buffer that the VMA is a mapping of
 *
 * With @order 0, makes small entries for all pages of @run that are in the VMA
 * and in the fault's page table. They need no memory but that page table, so a
 * process at its memory limit is not killed for pages that it never touches.
 * Existing entries stay as they are. &pfnmap_run.around makes the window
 * smaller. With MADV_RANDOM, the window is the page that faulted.
 *
 * With another @order, makes one entry of that size, if VMA, run, window, PFN
 * and cache mode allow it. If the VMA is writable, a write fault makes the
 * entry writable and dirty, also an existing entry of the same memory. Drivers
 * with pfn_mkwrite need that, as their vm_page_prot is read-only: mm calls
 * pfn_mkwrite for small entries, and huge_fault again for huge ones.
 *
 * Context: Process context, in a fault handler: holds the mmap_lock or the
 * lock of the VMA. May sleep, and allocates with GFP_KERNEL. As for
 * vmf_insert_pfn(), the caller's locks keep the memory from being moved or
 * freed.
 * Return: %VM_FAULT_NOPAGE if there is an entry for the page that faulted, or
 * if the page table has changed and the access has to be tried again.
 * %VM_FAULT_FALLBACK, with nothing changed, if no entry of @order fits.
 * %VM_FAULT_OOM for a lack of memory. %VM_FAULT_SIGBUS if the page is not in
 * @run, the architecture does not allow to map it, the VMA is not %VM_PFNMAP
 * or is copy-on-write, or &pfnmap_run.around is not a power of two.
 */
vm_fault_t vmf_insert_pfnmap_run(struct vm_fault *vmf, unsigned int order,
				 const struct pfnmap_run *run)
{
	unsigned long index = vmf->pgoff - run->pgoff, pfn, window;
	struct window w;

	if (!check_vma(vmf, run))
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff < run->pgoff || index >= run->nr)
		return VM_FAULT_SIGBUS;
	pfn = run_pfn(run, index);
	if (!pfn_modify_allowed(pfn, run->prot))
		return VM_FAULT_SIGBUS;

	window = order ? 1UL << order : small_window(vmf, run);
	if (order && run->around && run->around < window)
		return VM_FAULT_FALLBACK;
	/* Many drivers map the page that faulted, and no more. */
	if (window == 1)
		return insert_one(vmf, pfn, run->prot);

	w = clip_window(vmf, run, window << PAGE_SHIFT);
	if (!order && w.end - w.start == PAGE_SIZE)
		return insert_one(vmf, pfn, run->prot);
	if (!order)
		return insert_small(vmf, run, &w);
	if (w.end - w.start < window << PAGE_SHIFT)
		return VM_FAULT_FALLBACK;
	return insert_huge(vmf, order, run, w.index, w.start);
}
EXPORT_SYMBOL_GPL(vmf_insert_pfnmap_run);

/**
 * vmf_prefault_pfnmap_run - map more than the page that faulted
 * @vmf:	the fault
 * @run:	memory that need not contain the page that faulted
 *
 * Makes the small entries that vmf_insert_pfnmap_run() would make with order 0
 * if another page of the same page table had faulted. For buffers in many
 * pieces: the piece with the page that faulted goes to vmf_insert_pfnmap_run(),
 * and the others here. A piece outside of the page table is ignored, and so are
 * errors, as nobody has asked for these pages yet.
 *
 * Context: As vmf_insert_pfnmap_run().
 */
void vmf_prefault_pfnmap_run(struct vm_fault *vmf, const struct pfnmap_run *run)
{
	struct window w;

	if (!check_vma(vmf, run))
		return;
	w = clip_window(vmf, run, small_window(vmf, run) << PAGE_SHIFT);
	if (w.start < w.end)
		insert_small(vmf, run, &w);
}
EXPORT_SYMBOL_GPL(vmf_prefault_pfnmap_run);

static int remap_begin(struct vm_area_struct *vma)
{
	mmap_assert_write_locked(vma->vm_mm);

	/* mm could not tell pages of a copy from the driver's. */
	if (vma_is_cow_mapping(vma) || vma_test(vma, VMA_MIXEDMAP_BIT))
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	flush_cache_range(vma, vma->vm_start, vma->vm_end);
	return 0;
}

/* Map @pages at *@addr. *@addr moves to the end of what is mapped. */
static int remap_fill(struct vm_area_struct *vma, unsigned long *addr,
		      struct page **pages, unsigned long nr)
{
	const struct pfnmap_run run = {
		.pages = pages,
		.prot = vma->vm_page_prot,
	};
	unsigned long index = 0, n, done;
	int err = 0;

	while (!err && index < nr) {
		unsigned long next;
		spinlock_t *ptl;
		pte_t *pte;

		next = pmd_addr_end(*addr, *addr + ((nr - index) << PAGE_SHIFT));
		n = (next - *addr) >> PAGE_SHIFT;
		/* As vm_insert_page() does, for caches that alias */
		for (done = 0; done < n; done++)
			flush_dcache_page(pages[index + done]);

		pte = get_locked_pte(vma->vm_mm, *addr, &ptl);
		if (!pte)
			return -ENOMEM;
		done = fill_ptes(vma, &run, index, *addr, pte, n, &err);
		pte_unmap_unlock(pte, ptl);

		index += done;
		*addr += done << PAGE_SHIFT;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* On an @err, remove the entries, which end at @addr, and restore @flags. */
static int remap_end(struct vm_area_struct *vma, unsigned long addr,
		     vm_flags_t flags, int err)
{
	if (!err)
		return 0;

	/* The caller may free the memory now. */
	if (addr > vma->vm_start)
		zap_vma_range(vma, vma->vm_start, addr - vma->vm_start);
	vm_flags_reset(vma, flags);
	return err;
}

/**
 * remap_pfnmap_pages - map pages in an mmap handler
 * @vma:	VMA, all of which is mapped
 * @pages:	pages that the caller owns, in any physical order
 * @nr:		number of @pages
 * @pgoff:	index in @pages of the VMA's first page; vm_pgoff in a driver that
 *		honours the offset of mmap()
 *
 * Takes no references: the pages must not be freed while the VMA exists. The
 * VMA becomes %VM_PFNMAP, with the flags that remap_pfn_range() sets. All
 * entries are small. A huge entry would be dropped when its VMA is split, and
 * there is no fault handler to make it again.
 *
 * Context: Process context, in an mmap handler: holds the mmap_lock for
 * writing. May sleep, and allocates with GFP_KERNEL.
 * Return: 0, or an error with nothing mapped and the VMA's flags as before:
 * -EINVAL for a copy-on-write or %VM_MIXEDMAP VMA, -ENXIO if the VMA is larger
 * than the rest of @pages, -EBUSY if the VMA is not empty, -ENOMEM, -EACCES if
 * the architecture does not allow to map a page, -EINTR if the process is being
 * killed.
 */
int remap_pfnmap_pages(struct vm_area_struct *vma, struct page **pages,
		       unsigned long nr, pgoff_t pgoff)
{
	unsigned long addr = vma->vm_start, nr_vma = vma_pages(vma);
	vm_flags_t flags = vma->vm_flags;
	int err;

	if (pgoff >= nr || nr_vma > nr - pgoff)
		return -ENXIO;
	err = remap_begin(vma);
	if (err)
		return err;
	err = remap_fill(vma, &addr, pages + pgoff, nr_vma);
	return remap_end(vma, addr, flags, err);
}
EXPORT_SYMBOL_GPL(remap_pfnmap_pages);

/* Batch size of pages that are looked up by their address */
#define VMALLOC_BATCH	32UL

/**
 * remap_pfnmap_vmalloc - map a vmalloc area in an mmap handler
 * @vma:	VMA, all of which is mapped
 * @addr:	first address of an area that is meant for remap_vmalloc_range()
 * @pgoff:	page index in the area of the VMA's first page
 *
 * See remap_pfnmap_pages(). Unlike remap_vmalloc_range(), it makes special
 * entries, whose pages get_user_pages() does not find.
 *
 * Context: As for remap_pfnmap_pages().
 * Return: 0 or an error, as remap_pfnmap_pages(); also -EINVAL if @addr is not
 * the first address of an area that is meant for userspace.
 */
int remap_pfnmap_vmalloc(struct vm_area_struct *vma, const void *addr,
			 pgoff_t pgoff)
{
	unsigned long to = vma->vm_start, nr, nr_area, i, n;
	vm_flags_t flags = vma->vm_flags;
	struct page *pages[VMALLOC_BATCH];
	struct vm_struct *area;
	int err;

	area = find_vm_area(addr);
	if (!area || area->addr != addr ||
	    !(area->flags & (VM_USERMAP | VM_DMA_COHERENT)))
		return -EINVAL;

	nr = vma_pages(vma);
	nr_area = get_vm_area_size(area) >> PAGE_SHIFT;
	if (pgoff >= nr_area || nr > nr_area - pgoff)
		return -ENXIO;

	err = remap_begin(vma);
	if (err)
		return err;
	addr += pgoff << PAGE_SHIFT;
	for (; !err && nr; nr -= n) {
		n = min(nr, VMALLOC_BATCH);
		for (i = 0; i < n; i++, addr += PAGE_SIZE)
			pages[i] = vmalloc_to_page(addr);
		err = remap_fill(vma, &to, pages, n);
	}
	return remap_end(vma, to, flags, err);
}
EXPORT_SYMBOL_GPL(remap_pfnmap_vmalloc);
