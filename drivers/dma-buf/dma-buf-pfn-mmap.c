// SPDX-License-Identifier: GPL-2.0-only
/*
 * PFN ranges: userspace mappings
 */

#include <linux/align.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfnmap.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>

#include "dma-buf-internal.h"

/**
 * DOC: the core's mmap
 *
 * A buffer that is exported with %DMA_BUF_CPU_MMAP needs no mmap op. The core
 * maps nothing in mmap(). Each fault asks the exporter where the page is, under
 * the reservation lock, and makes entries for all of the buffer that is in the
 * fault's page table, or one huge entry.
 *
 * So dma_buf_invalidate_mappings() can take all entries away: the exporter holds
 * the lock, and next faults wait for it. They find the buffer in its new place,
 * or, if it is revoked, end with SIGBUS.
 */

/*
 * Drop the fault lock and wait, for the reservation lock or for fences, and let
 * mm try the fault again.
 */
static vm_fault_t wait_and_retry(struct dma_buf *dmabuf, struct vm_fault *vmf,
				 bool fences)
{
	/* Here the caller still has the fault lock afterwards. */
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	/* Without it, the VMA can go, and the file with it. */
	get_dma_buf(dmabuf);
	release_fault_lock(vmf);
	if (fences)
		dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL, true,
				      MAX_SCHEDULE_TIMEOUT);
	else if (!dma_resv_lock_interruptible(dmabuf->resv, NULL))
		dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return VM_FAULT_RETRY;
}

static bool is_killed(const struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_KILLABLE && fatal_signal_pending(current);
}

/*
 * Take the reservation lock, which may be held for long by a move that waits.
 * Return: 0 with the lock held.
 */
static vm_fault_t fault_lock(struct dma_buf *dmabuf, struct vm_fault *vmf)
{
	if (dma_resv_trylock(dmabuf->resv))
		return 0;
	if (fault_flag_allow_retry_first(vmf->flags))
		return wait_and_retry(dmabuf, vmf, false);

	if (!dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return 0;
	/* Back to userspace, for the signal, and then here again */
	if (vmf->flags & FAULT_FLAG_USER)
		return VM_FAULT_NOPAGE;
	if (is_killed(vmf)) {
		release_fault_lock(vmf);
		return VM_FAULT_RETRY;
	}
	/* The kernel's own access can't be interrupted by other signals. */
	dma_resv_lock(dmabuf->resv, NULL);
	return 0;
}

/*
 * Wait until the content is in place. Return: 0 with the lock held; otherwise it
 * isn't held any more.
 */
static vm_fault_t fault_wait(struct dma_buf *dmabuf, struct vm_fault *vmf)
{
	long ret;

	if (dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_KERNEL))
		return 0;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		dma_resv_unlock(dmabuf->resv);
		return wait_and_retry(dmabuf, vmf, true);
	}

	/* There is no killable wait for fences, so look every now and then. */
	do {
		ret = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_KERNEL,
					    vmf->flags & FAULT_FLAG_USER,
					    HZ / 10);
	} while (!ret && !is_killed(vmf));
	if (ret > 0)
		return 0;

	dma_resv_unlock(dmabuf->resv);
	if (ret < 0)
		return VM_FAULT_NOPAGE;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/**
 * dma_buf_pfn_pgprot - the protection of CPU entries for a range
 * @range:	the range
 * @prot:	protection without cache mode and encryption
 *
 * Context: Any.
 * Return: @prot with both.
 */
pgprot_t dma_buf_pfn_pgprot(const struct dma_buf_pfn_range *range, pgprot_t prot)
{
	if (range->caching == DMA_BUF_WRITE_COMBINE)
		prot = pgprot_writecombine(prot);
	else if (range->caching == DMA_BUF_UNCACHED)
		prot = pgprot_noncached(prot);
	if (range->flags & DMA_BUF_PFN_DECRYPTED)
		prot = pgprot_decrypted(prot);
	return prot;
}

/* vm_page_prot has the cache mode of the first page, which may be another. */
static pgprot_t range_prot(const struct vm_fault *vmf,
			   const struct dma_buf_pfn_range *range)
{
	return dma_buf_pfn_pgprot(range, vm_get_page_prot(vmf->vma->vm_flags));
}

static struct pfnmap_run run_of(const struct vm_fault *vmf,
				const struct dma_buf_pfn_range *range)
{
	return (struct pfnmap_run) {
		.pgoff = range->first,
		.nr = range->nr,
		.pages = range->pages,
		.pfn = range->pfn,
		.prot = range_prot(vmf, range),
	};
}

static unsigned long pfn_of(const struct dma_buf_pfn_range *range, pgoff_t index)
{
	unsigned long skip = index - range->first;

	return range->pages ? page_to_pfn(range->pages[skip]) : range->pfn + skip;
}

/* One huge entry, if what is in its place is one extent */
static vm_fault_t insert_huge(struct dma_buf *dmabuf, struct vm_fault *vmf,
			      unsigned int order)
{
	unsigned long skip = (vmf->address >> PAGE_SHIFT) & (BIT(order) - 1);
	struct dma_buf_pfn_range range = {};
	struct dma_buf_pfn_iter iter;
	struct pfnmap_run run;
	pgoff_t first;

	if (skip > vmf->pgoff)
		return VM_FAULT_FALLBACK;
	first = vmf->pgoff - skip;
	if (first > (dmabuf->size >> PAGE_SHIFT) - BIT(order))
		return VM_FAULT_FALLBACK;
	if (dma_buf_exclusive_is_taken(dmabuf, first, BIT(order)))
		return VM_FAULT_FALLBACK;

	/*
	 * An error is for the small entry to tell. A walk over many small pages,
	 * which happen to be side by side, is for nothing if they aren't aligned.
	 */
	if (dma_buf_pfn_ask(dmabuf, first, &range) ||
	    !IS_ALIGNED(pfn_of(&range, first), BIT(order)))
		return VM_FAULT_FALLBACK;
	dma_buf_pfn_walk(&iter, dmabuf, first, BIT(order));
	if (dma_buf_pfn_iter_next(&iter) <= 0 || iter.range.nr != BIT(order) ||
	    !(iter.range.flags & DMA_BUF_PFN_CPU))
		return VM_FAULT_FALLBACK;

	run = run_of(vmf, &iter.range);
	return vmf_insert_pfnmap_run(vmf, order, &run);
}

/* Map all that is in [@first, @end), which is in the fault's page table. */
static void prefault(struct dma_buf *dmabuf, struct vm_fault *vmf,
		     pgoff_t first, pgoff_t end)
{
	struct dma_buf_pfn_range range = {};
	struct pfnmap_run run;

	/* Nobody has asked for these pages, so an error is nobody's. */
	while (first < end &&
	       !dma_buf_pfn_ask_part(dmabuf, first, first, end, &range)) {
		run = run_of(vmf, &range);
		if (range.flags & DMA_BUF_PFN_CPU)
			vmf_prefault_pfnmap_run(vmf, &run);
		first += range.nr;
	}
}

/* The page that faulted, and what else of the buffer is in its page table */
static vm_fault_t insert_small(struct dma_buf *dmabuf, struct vm_fault *vmf)
{
	const struct vm_area_struct *vma = vmf->vma;
	struct dma_buf_pfn_range range = {};
	unsigned long start, last, addr = vmf->address;
	pgoff_t first, end;
	struct pfnmap_run run;
	vm_fault_t ret;

	if (vmf->pgoff >= dmabuf->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	start = max(vma->vm_start, ALIGN_DOWN(addr, PMD_SIZE));
	last = min(vma->vm_end - 1, addr | ~PMD_MASK);
	first = vmf->pgoff - ((addr - start) >> PAGE_SHIFT);
	end = vmf->pgoff + ((last - addr) >> PAGE_SHIFT) + 1;
	end = min(end, dmabuf->size >> PAGE_SHIFT);
	dma_buf_exclusive_clip(dmabuf, vmf->pgoff, &first, &end);

	if (dma_buf_pfn_ask_part(dmabuf, vmf->pgoff, first, end, &range) ||
	    !(range.flags & DMA_BUF_PFN_CPU))
		return VM_FAULT_SIGBUS;

	run = run_of(vmf, &range);
	ret = vmf_insert_pfnmap_run(vmf, 0, &run);
	if (ret != VM_FAULT_NOPAGE || vma_test(vma, VMA_RAND_READ_BIT))
		return ret;

	prefault(dmabuf, vmf, first, range.first);
	prefault(dmabuf, vmf, range.first + range.nr, end);
	return ret;
}

/*
 * Wait for a device that has the page to itself. Return: 0 to look again; the
 * lock isn't held.
 */
static vm_fault_t wait_for_device(struct dma_buf_hold *hold,
				  struct vm_fault *vmf)
{
	bool killable = vmf->flags & FAULT_FLAG_KILLABLE;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		bool wait = !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);

		if (wait)
			release_fault_lock(vmf);
		dma_buf_exclusive_wait(hold, wait, killable);
		return VM_FAULT_RETRY;
	}

	if (!dma_buf_exclusive_wait(hold, true, killable))
		return 0;
	release_fault_lock(vmf);
	return VM_FAULT_RETRY;
}

/*
 * Take the lock, and wait until the page can be mapped. Return: 0 with the lock
 * held; otherwise it isn't.
 */
static vm_fault_t fault_begin(struct dma_buf *dmabuf, struct vm_fault *vmf,
			      unsigned int order)
{
	struct dma_buf_hold *hold;
	vm_fault_t ret;

	do {
		ret = fault_lock(dmabuf, vmf);
		if (ret)
			return ret;

		if (dmabuf->revoked) {
			dma_resv_unlock(dmabuf->resv);
			return VM_FAULT_SIGBUS;
		}

		ret = fault_wait(dmabuf, vmf);
		if (ret)
			return ret;

		/* For a huge entry, a device has no need to stop. */
		hold = order ? NULL : dma_buf_exclusive_claim(dmabuf, vmf->pgoff);
		if (!hold)
			return 0;
		dma_resv_unlock(dmabuf->resv);
		ret = wait_for_device(hold, vmf);
	} while (!ret);
	return ret;
}

static vm_fault_t core_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	vm_fault_t ret;

	if (dmabuf->size < PAGE_SIZE << order)
		return VM_FAULT_FALLBACK;

	ret = fault_begin(dmabuf, vmf, order);
	if (ret)
		return ret;

	ret = order ? insert_huge(dmabuf, vmf, order) :
		      insert_small(dmabuf, vmf);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static vm_fault_t core_fault(struct vm_fault *vmf)
{
	return core_huge_fault(vmf, 0);
}

static const struct vm_operations_struct core_vm_ops = {
	.fault = core_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = core_huge_fault,
#endif
};

/**
 * dma_buf_pfn_mmap - the mmap op of buffers that the core maps
 * @dmabuf:	buffer that was exported with %DMA_BUF_CPU_MMAP
 * @vma:	as for &dma_buf_ops.mmap
 *
 * Context: Process context, holds the mmap_lock for writing. Takes the
 * reservation lock.
 * Return: 0, or -EINVAL for a copy-on-write mapping, or with a WARN if the
 * exporter has moved f_mapping of the file: entries couldn't be zapped; or
 * -ERESTARTNOINTR, as mmap() has no EINTR.
 */
int dma_buf_pfn_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dma_buf_pfn_range range = {};
	int ret;

	if (vma_is_cow_mapping(vma))
		return -EINVAL;
	if (WARN_ON_ONCE(vma->vm_file->f_mapping != dmabuf->cpu_mapping))
		return -EINVAL;

	/*
	 * mprotect() and KVM take the cache mode from vm_page_prot. A buffer that
	 * can't say where it is now says so in the fault.
	 */
	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return -ERESTARTNOINTR;
	ret = dmabuf->revoked ? -ENODEV :
				dma_buf_pfn_ask(dmabuf, vma->vm_pgoff, &range);
	dma_resv_unlock(dmabuf->resv);
	if (!ret) {
		vma->vm_page_prot = dma_buf_pfn_pgprot(&range, vma->vm_page_prot);
		if (!(range.flags & DMA_BUF_PFN_PAGES))
			vm_flags_set(vma, VM_IO);
	}

	vma->vm_ops = &core_vm_ops;
	vma->vm_private_data = dmabuf;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/**
 * dma_buf_pfn_zap - take a buffer away from CPUs
 * @dmabuf:	the buffer
 *
 * Zaps the entries that the core has made. Faults wait for the lock.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_pfn_zap(struct dma_buf *dmabuf)
{
	dma_resv_assert_held(dmabuf->resv);

	if (dmabuf->cpu_mapping)
		unmap_mapping_range(dmabuf->cpu_mapping, 0, 0, 1);
}

/**
 * dma_buf_pfn_zap_pages - take a part of a buffer away from CPUs
 * @dmabuf:	the buffer
 * @first:	page index
 * @nr:		pages
 *
 * Context: As dma_buf_pfn_zap().
 */
void dma_buf_pfn_zap_pages(struct dma_buf *dmabuf, pgoff_t first,
			   unsigned long nr)
{
	dma_resv_assert_held(dmabuf->resv);

	if (dmabuf->cpu_mapping)
		unmap_mapping_pages(dmabuf->cpu_mapping, first, nr, true);
}

/**
 * dma_buf_pfn_release_file - forget the mapping that entries are zapped in
 * @dmabuf:	buffer whose file is being released, or NULL
 *
 * No VMA can exist any more. The inode is freed before the dma-buf, and an
 * exporter may call dma_buf_invalidate_mappings() in between.
 *
 * Context: Process context, may sleep. Takes the reservation lock.
 */
void dma_buf_pfn_release_file(struct dma_buf *dmabuf)
{
	/* Without a dma-buf if dma_buf_export() has failed */
	if (!dmabuf || !dmabuf->cpu_mapping)
		return;

	dma_resv_lock(dmabuf->resv, NULL);
	dmabuf->cpu_mapping = NULL;
	dma_resv_unlock(dmabuf->resv);
}
