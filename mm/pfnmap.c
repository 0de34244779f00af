// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of page frames in VM_PFNMAP mappings
 */

#include <linux/bits.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pfnmap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/unroll.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* Constants, so that what an architecture doesn't have needn't be there. */
#define PMD_ENTRIES	IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP)
#define PUD_ENTRIES	IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP)

/**
 * DOC: overview
 *
 * A driver that maps memory which it owns into a process makes a %VM_PFNMAP
 * mapping and fills it from its fault handler. vmf_insert_pfn() does that for
 * one page, and vmf_insert_pfn_pmd() for a huge one; a driver that knows a
 * whole buffer calls them in a loop and pays for a page table walk, a lock and
 * a look at the cache mode each time, and it must find out by itself where huge
 * entries fit.
 *
 * vmf_insert_pfnmap_run() takes a description of the buffer and does the rest::
 *
 *	static vm_fault_t foo_huge_fault(struct vm_fault *vmf, unsigned int order)
 *	{
 *		struct foo *foo = vmf->vma->vm_private_data;
 *		struct pfnmap_run run = {
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
 * Only a VMA whose vm_ops have huge_fault gets huge entries. They come and go
 * as a whole: when a VMA is split within one, the entry is dropped, and the
 * next access faults.
 *
 * A driver that can't handle faults maps all of its memory in its mmap handler,
 * with remap_pfnmap_pages() or remap_pfnmap_vmalloc().
 */

/* So many PFNs are looked at one by one, before the page table is locked. */
#define PFNS_APART	16UL

/* A part of a run that goes to a range of addresses */
struct pfnmap_walk {
	struct vm_area_struct *vma;
	const struct pfnmap_run *run;
	unsigned long first;	/* page of the run for address 0, modulo 2^n */
	unsigned long orders;	/* huge entries that the VMA may have */
	bool empty;		/* there must be no entry yet */
};

static unsigned long run_index(const struct pfnmap_walk *walk,
			       unsigned long addr)
{
	return walk->first + (addr >> PAGE_SHIFT);
}

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
	/* Where it isn't, the last page most often tells. */
	if (end[-1] != expected + nr - 1)
		return false;
	unrolled_count(8)
	for (; page < end; page++)
		if (*page != expected++)
			return false;

	return page_range_contiguous(run->pages[index], nr);
}

/* The protection of a page, with the cache mode of its memory */
static pgprot_t pfn_prot(const struct pfnmap_run *run, unsigned long pfn)
{
	pgprot_t prot = run->prot;

	pfnmap_setup_cachemode_pfn(pfn, &prot);
	return prot;
}

/* The same for @nr pages, or an error if they differ */
static int common_prot(const struct pfnmap_run *run, unsigned long index,
		       unsigned long nr, pgprot_t *prot)
{
	*prot = run->prot;
	if (run->pages)
		return pfnmap_setup_cachemode_pages(run->pages + index, nr,
						    prot);
	return pfnmap_setup_cachemode(run->pfn + index, nr << PAGE_SHIFT, prot);
}

/* PFN and protection of an entry of @order for [@addr, @end), if one fits */
static bool fits_huge(const struct pfnmap_walk *walk, unsigned int order,
		      unsigned long addr, unsigned long end,
		      unsigned long *pfn, pgprot_t *prot)
{
	const struct pfnmap_run *run = walk->run;
	unsigned long index, i, nr = 1UL << order;

	if (!(walk->orders & BIT(order)) || end - addr != PAGE_SIZE << order)
		return false;

	index = run_index(walk, addr);
	*pfn = run_pfn(run, index);
	if (!IS_ALIGNED(*pfn, nr) || !run_is_contiguous(run, index, nr))
		return false;

	if (arch_has_pfn_modify_check())
		for (i = 0; i < nr; i++)
			if (!pfn_modify_allowed(*pfn + i, run->prot))
				return false;

	*prot = run->prot;
	return !pfnmap_setup_cachemode(*pfn, nr << PAGE_SHIFT, prot);
}

/*
 * The functions that fill a slot of a page table move *@addr as far as they
 * got. With no error and no progress, the page table has changed meanwhile, and
 * the caller looks again.
 */

/*
 * Fill PTEs with entries that have one protection, up to the first that must
 * not be there; returns where that is. This loop is most of what a run costs.
 */
static __always_inline
pte_t *fill_alike(const struct pfnmap_walk *walk, unsigned long addr,
		  pte_t *pte, pte_t *end, const pgprot_t prot, bool has_pages)
{
	unsigned long index = run_index(walk, addr);
	unsigned long pfn = walk->run->pfn + index;
	struct page **page = has_pages ? walk->run->pages + index : NULL;

	for (; pte < end; pte++, page++, pfn++, addr += PAGE_SIZE) {
		if (unlikely(!pte_none(ptep_get(pte)))) {
			if (walk->empty)
				break;
			continue;
		}
		if (has_pages)
			pfn = page_to_pfn(*page);
		set_pte_at(walk->vma->vm_mm, addr, pte,
			   pte_mkspecial(pfn_pte(pfn, prot)));
		update_mmu_cache(walk->vma, addr, pte);
	}
	return pte;
}

/* The same where each PFN has to be looked at; @step is 1 if it has its @prot. */
static pte_t *fill_each(const struct pfnmap_walk *walk, unsigned long addr,
			pte_t *pte, pte_t *end, const pgprot_t *prot, int step,
			int *err)
{
	unsigned long index = run_index(walk, addr);

	for (; pte < end; pte++, prot += step, index++, addr += PAGE_SIZE) {
		unsigned long pfn = run_pfn(walk->run, index);

		if (!pte_none(ptep_get(pte))) {
			if (walk->empty)
				break;
			continue;
		}
		if (!pfn_modify_allowed(pfn, *prot)) {
			*err = -EACCES;
			break;
		}
		set_pte_at(walk->vma->vm_mm, addr, pte,
			   pte_mkspecial(pfn_pte(pfn, *prot)));
		update_mmu_cache(walk->vma, addr, pte);
	}
	return pte;
}

/* [*@addr, @end) is within one PMD. */
static int fill_ptes(const struct pfnmap_walk *walk, pmd_t *pmd,
		     unsigned long *addr, unsigned long end)
{
	unsigned long nr = (end - *addr) >> PAGE_SHIFT;
	unsigned long index = run_index(walk, *addr);
	struct mm_struct *mm = walk->vma->vm_mm;
	pgprot_t prot[PFNS_APART];
	pte_t *pte, *first;
	unsigned long i;
	spinlock_t *ptl;
	bool alike;
	int err = 0;

	if (pte_alloc(mm, pmd))
		return -ENOMEM;

	alike = !common_prot(walk->run, index, nr, prot);
	if (!alike) {
		nr = min(nr, PFNS_APART);
		for (i = 0; i < nr; i++)
			prot[i] = pfn_prot(walk->run,
					   run_pfn(walk->run, index + i));
	}

	first = pte_offset_map_lock(mm, pmd, *addr, &ptl);
	if (!first)
		return 0;
	lazy_mmu_mode_enable();
	if (!alike || arch_has_pfn_modify_check())
		pte = fill_each(walk, *addr, first, first + nr, prot, !alike,
				&err);
	else if (walk->run->pages)
		pte = fill_alike(walk, *addr, first, first + nr, prot[0], true);
	else
		pte = fill_alike(walk, *addr, first, first + nr, prot[0], false);
	lazy_mmu_mode_disable();
	pte_unmap_unlock(first, ptl);

	*addr += (pte - first) << PAGE_SHIFT;
	if (pte < first + nr && !err)
		err = -EBUSY;
	return err;
}

/* [*@addr, @end) is within @pmd. */
static int fill_pmd(const struct pfnmap_walk *walk, pmd_t *pmd,
		    unsigned long *addr, unsigned long end)
{
	unsigned long pfn;
	pgprot_t prot;

	if (PMD_ENTRIES && pmd_none(pmdp_get_lockless(pmd)) &&
	    fits_huge(walk, PMD_ORDER, *addr, end, &pfn, &prot) &&
	    insert_pfn_pmd(walk->vma, *addr, pmd, pfn, prot, false) &
	    VM_FAULT_OOM)
		return -ENOMEM;

	if (pmd_is_huge(pmdp_get_lockless(pmd))) {
		if (walk->empty)
			return -EBUSY;
		*addr = end;
		return 0;
	}
	return fill_ptes(walk, pmd, addr, end);
}

/* From *@addr to the end of its PUD, or of its PMD, or @end */
static int fill_pud(const struct pfnmap_walk *walk, unsigned long *addr,
		    unsigned long end)
{
	struct vm_area_struct *vma = walk->vma;
	unsigned long pfn, next;
	pgprot_t prot;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	p4d = p4d_alloc(vma->vm_mm, pgd_offset(vma->vm_mm, *addr), *addr);
	if (!p4d)
		return -ENOMEM;
	pud = pud_alloc(vma->vm_mm, p4d, *addr);
	if (!pud)
		return -ENOMEM;

	/* All of them, because a level that is folded leaves @end as it is. */
	end = pgd_addr_end(*addr, end);
	end = p4d_addr_end(*addr, end);
	next = pud_addr_end(*addr, end);
	if (PUD_ENTRIES && pud_none(pudp_get(pud)) &&
	    fits_huge(walk, PUD_ORDER, *addr, next, &pfn, &prot))
		insert_pfn_pud(vma, *addr, pud, pfn, prot, false);

	if (pud_is_huge(pudp_get(pud))) {
		if (walk->empty)
			return -EBUSY;
		*addr = next;
		return 0;
	}
	pmd = pmd_alloc(vma->vm_mm, pud, *addr);
	if (!pmd)
		return -ENOMEM;
	if (pud_trans_unstable(pud))
		return 0;
	return fill_pmd(walk, pmd, addr, pmd_addr_end(*addr, next));
}

static int fill(const struct pfnmap_walk *walk, unsigned long *addr,
		unsigned long end)
{
	int err = 0;

	while (!err && *addr < end) {
		err = fill_pud(walk, addr, end);
		if (!err && *addr < end && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* The page that faulted, and no other; @index is its place in the run. */
static vm_fault_t insert_one(struct vm_fault *vmf, const struct pfnmap_run *run,
			     unsigned long index)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	unsigned long pfn = run_pfn(run, index);
	pgprot_t prot = pfn_prot(run, pfn);
	spinlock_t *ptl;
	pte_t *pte;

	if (!pfn_modify_allowed(pfn, prot))
		return VM_FAULT_SIGBUS;
	if (pte_alloc(mm, vmf->pmd))
		return VM_FAULT_OOM;

	pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &ptl);
	/* Somebody else has made a huge entry? As good as ours. */
	if (!pte)
		return VM_FAULT_NOPAGE;
	if (pte_none(ptep_get(pte))) {
		set_pte_at(mm, vmf->address, pte,
			   pte_mkspecial(pfn_pte(pfn, prot)));
		update_mmu_cache(vmf->vma, vmf->address, pte);
	}
	pte_unmap_unlock(pte, ptl);
	return VM_FAULT_NOPAGE;
}

/*
 * Make the entry of @order for [@addr, @addr + @order's size), which is what a
 * huge_fault handler is asked for.
 */
static vm_fault_t insert_huge(const struct pfnmap_walk *walk,
			      struct vm_fault *vmf, unsigned int order,
			      unsigned long addr)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long pfn;
	pgprot_t prot;

	if (!fits_huge(walk, order, addr, addr + (PAGE_SIZE << order),
		       &pfn, &prot))
		return VM_FAULT_FALLBACK;

	/* Of what is there, only an entry of the same memory can be upgraded. */
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

static unsigned long huge_orders(struct vm_area_struct *vma)
{
	unsigned long orders = (PMD_ENTRIES ? BIT(PMD_ORDER) : 0) |
			       (PUD_ENTRIES ? BIT(PUD_ORDER) : 0);

	return thp_vma_allowable_orders(vma, vma->vm_flags, TVA_PAGEFAULT,
					orders);
}

/*
 * A huge entry for the fault if @order asks for one, and then all of the run
 * that is for [@start, @end). Returns 0 if the page that faulted was not reached.
 */
static vm_fault_t insert_many(struct vm_fault *vmf, unsigned int order,
			      struct pfnmap_run *run, unsigned long start,
			      unsigned long end)
{
	const struct pfnmap_walk walk = {
		.vma = vmf->vma,
		.run = run,
		.first = vmf->pgoff - run->pgoff - (vmf->address >> PAGE_SHIFT),
		.orders = end - start < PMD_SIZE ? 0 : huge_orders(vmf->vma),
	};
	unsigned long addr = start;
	vm_fault_t ret;

	if (order) {
		unsigned long size = PAGE_SIZE << order;
		unsigned long slot = ALIGN_DOWN(vmf->address, size);

		if (slot < start || end - slot < size)
			return VM_FAULT_FALLBACK;
		ret = insert_huge(&walk, vmf, order, slot);
		if (ret != VM_FAULT_NOPAGE)
			return ret;
		if (vma_test(vmf->vma, VMA_RAND_READ_BIT)) {
			run->mapped = size >> PAGE_SHIFT;
			return ret;
		}
	}

	fill(&walk, &addr, end);
	run->mapped = (addr - start) >> PAGE_SHIFT;
	return order || addr > vmf->address ? VM_FAULT_NOPAGE : 0;
}

/**
 * vmf_insert_pfnmap_run - map a run of page frames from a fault handler
 * @vmf:	the fault
 * @order:	what &vm_operations_struct.huge_fault was called with; 0 in
 *		&vm_operations_struct.fault
 * @run:	the memory, usually all of the buffer that the VMA is a mapping of
 *
 * Makes an entry for the page that faulted and for all others of @run that are
 * in the VMA and in the window of &pfnmap_run.around pages. Entries that are
 * there stay as they are. Entries are as large as address, PFN and length
 * allow, if the VMA may have huge ones. With MADV_RANDOM, no other than the one
 * that faulted is made.
 *
 * With an @order, the entry of a write fault becomes writable and dirty if the
 * VMA is writable, also one of the same memory that is there already. That is
 * for drivers with pfn_mkwrite, whose vm_page_prot is read-only: mm calls
 * pfn_mkwrite for small entries, and huge_fault again for huge ones.
 *
 * Context: Process context, in a fault handler: holds the mmap_lock or the lock
 * of the VMA. May sleep, and allocates with GFP_KERNEL. The caller's locks keep
 * the memory where it is, as for vmf_insert_pfn().
 * Return: %VM_FAULT_NOPAGE if there is an entry for the page that faulted, even
 * if there was not enough memory for others, which &pfnmap_run.mapped tells; or
 * if the page table has changed and the access has to be tried again.
 * %VM_FAULT_FALLBACK if no entry of @order fits; nothing has been done then.
 * %VM_FAULT_OOM for a lack of memory. %VM_FAULT_SIGBUS if the page is not in
 * @run, the architecture does not allow to map it, or the VMA is not %VM_PFNMAP
 * or is copy-on-write.
 */
vm_fault_t vmf_insert_pfnmap_run(struct vm_fault *vmf, unsigned int order,
				 struct pfnmap_run *run)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long index = vmf->pgoff - run->pgoff;
	unsigned long start, end, nr;
	vm_fault_t ret;

	/* Only lockdep knows whose lock it is; what is left without it costs. */
	if (IS_ENABLED(CONFIG_LOCKDEP))
		vma_assert_stabilised(vma);
	run->mapped = 0;

	if (WARN_ON_ONCE((vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) !=
			 VM_PFNMAP) || vma_is_cow_mapping(vma))
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff < run->pgoff || index >= run->nr)
		return VM_FAULT_SIGBUS;

	/* What of the run is in the VMA */
	nr = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	start = vmf->address - (min(nr, index) << PAGE_SHIFT);
	nr = (vma->vm_end - vmf->address) >> PAGE_SHIFT;
	end = vmf->address + (min(nr, run->nr - index) << PAGE_SHIFT);

	if (run->around) {
		unsigned long window = run->around << PAGE_SHIFT;

		/* Whatever the window's end is, there are no addresses at 2^n. */
		start = max(start, ALIGN_DOWN(vmf->address, window));
		end = min(end - 1, vmf->address | (window - 1)) + 1;
	}

	if (order || (end - start > PAGE_SIZE &&
		      !vma_test(vma, VMA_RAND_READ_BIT))) {
		ret = insert_many(vmf, order, run, start, end);
		/* What fails on the way must not make the fault itself fail. */
		return ret ?: insert_one(vmf, run, index);
	}

	ret = insert_one(vmf, run, index);
	run->mapped = ret == VM_FAULT_NOPAGE;
	return ret;
}
EXPORT_SYMBOL_GPL(vmf_insert_pfnmap_run);

/* All of @vma, from an mmap handler */
static int remap_run(struct vm_area_struct *vma, const struct pfnmap_run *run)
{
	const struct pfnmap_walk walk = {
		.vma = vma,
		.run = run,
		.first = -(vma->vm_start >> PAGE_SHIFT),
		.empty = true,
	};
	unsigned long addr = vma->vm_start;
	vm_flags_t flags = vma->vm_flags;
	int err;

	mmap_assert_write_locked(vma->vm_mm);

	/* Of a copy, nobody could tell that it isn't the run's memory. */
	if (vma_is_cow_mapping(vma) || vma_test(vma, VMA_MIXEDMAP_BIT))
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	flush_cache_range(vma, vma->vm_start, vma->vm_end);
	err = fill(&walk, &addr, vma->vm_end);
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
 * @vma:	VMA to map them in, to its end
 * @pages:	pages that the caller owns, in any physical order
 * @nr:		how many there are
 * @pgoff:	index in @pages of the one that the VMA begins with; drivers that
 *		honour the offset that userspace asks for pass vm_pgoff
 *
 * The pages are not referenced: they must be there for as long as the VMA is.
 * It becomes %VM_PFNMAP, with the flags that remap_pfn_range() sets. Entries
 * are small ones, because a huge entry is dropped when its VMA is split, and
 * there is no fault handler to bring it back.
 *
 * Context: Process context, in an mmap handler: holds the mmap_lock for
 * writing. May sleep, and allocates with GFP_KERNEL.
 * Return: 0, or an error, and then nothing is mapped and the VMA's flags are as
 * they were: -EINVAL for a copy-on-write or %VM_MIXEDMAP VMA, -ENXIO if the VMA
 * goes beyond the last of the pages, -EBUSY if it isn't empty, -ENOMEM, -EACCES
 * if the architecture does not allow to map a page, -EINTR if the process is
 * being killed.
 */
int remap_pfnmap_pages(struct vm_area_struct *vma, struct page **pages,
		       unsigned long nr, pgoff_t pgoff)
{
	struct pfnmap_run run = {
		.nr = vma_pages(vma),
		.prot = vma->vm_page_prot,
	};

	if (pgoff >= nr || run.nr > nr - pgoff)
		return -ENXIO;
	run.pages = pages + pgoff;
	return remap_run(vma, &run);
}
EXPORT_SYMBOL_GPL(remap_pfnmap_pages);

/**
 * remap_pfnmap_vmalloc - map a vmalloc area in an mmap handler
 * @vma:	VMA to map it in, to its end
 * @addr:	first address of an area that remap_vmalloc_range() would take
 * @pgoff:	page of the area that the VMA begins with
 *
 * See remap_pfnmap_pages(). Unlike remap_vmalloc_range(), this leaves no pages
 * that get_user_pages() can find.
 *
 * Context: As for remap_pfnmap_pages().
 * Return: 0 or an error, as remap_pfnmap_pages(); also -EINVAL if @addr is not
 * the begin of an area, or one that is not meant for userspace.
 */
int remap_pfnmap_vmalloc(struct vm_area_struct *vma, const void *addr,
			 pgoff_t pgoff)
{
	unsigned long i, nr, nr_area;
	struct vm_struct *area;
	struct page **pages;
	int err;

	area = find_vm_area(addr);
	if (!area || area->addr != addr ||
	    !(area->flags & (VM_USERMAP | VM_DMA_COHERENT)))
		return -EINVAL;

	nr = vma_pages(vma);
	nr_area = get_vm_area_size(area) >> PAGE_SHIFT;
	if (pgoff >= nr_area || nr > nr_area - pgoff)
		return -ENXIO;

	pages = kvmalloc_objs(*pages, nr, GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		pages[i] = vmalloc_to_page(addr + ((pgoff + i) << PAGE_SHIFT));
	err = remap_pfnmap_pages(vma, pages, nr, 0);
	kvfree(pages);
	return err;
}
EXPORT_SYMBOL_GPL(remap_pfnmap_vmalloc);
