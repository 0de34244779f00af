/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of page frames in VM_PFNMAP mappings
 */
#ifndef _LINUX_PFNMAP_H
#define _LINUX_PFNMAP_H

#include <linux/errno.h>
#include <linux/mm_types.h>
#include <linux/pgtable.h>
#include <linux/vmalloc.h>

/**
 * struct pfnmap_run - memory that a fault handler can map
 * @pgoff:	page index of its first page, as in &vm_fault.pgoff
 * @nr:		number of pages
 * @pages:	its pages, in any physical order, none of them NULL; or NULL if
 *		the run is physically contiguous
 * @pfn:	PFN of its first page, if @pages is NULL
 * @prot:	protection of the entries. On x86, the cache mode is that of the
 *		memory.
 * @around:	size of the window in pages, a power of two: a fault maps pages of
 *		its naturally aligned window only. 0 is the range of the fault's
 *		page table, and a larger window is cut to that.
 *
 * A run may be larger than the VMA. Pages outside of the VMA are left out. So
 * a handler describes its whole buffer and does not depend on vm_start, which
 * changes when a VMA is split.
 */
struct pfnmap_run {
	pgoff_t pgoff;
	unsigned long nr;
	struct page **pages;
	unsigned long pfn;
	pgprot_t prot;
	unsigned long around;
};

vm_fault_t vmf_insert_pfnmap_run(struct vm_fault *vmf, unsigned int order,
				 const struct pfnmap_run *run);
void vmf_prefault_pfnmap_run(struct vm_fault *vmf, const struct pfnmap_run *run);

#ifdef CONFIG_MMU
int remap_pfnmap_pages(struct vm_area_struct *vma, struct page **pages,
		       unsigned long nr, pgoff_t pgoff);
int remap_pfnmap_vmalloc(struct vm_area_struct *vma, const void *addr,
			 pgoff_t pgoff);
#else
/* As vm_map_pages() without MMU: the pages have no common address. */
static inline int remap_pfnmap_pages(struct vm_area_struct *vma,
				     struct page **pages, unsigned long nr,
				     pgoff_t pgoff)
{
	return -EINVAL;
}

/* Without MMU, a vmalloc area is contiguous, and the VMA takes its address. */
static inline int remap_pfnmap_vmalloc(struct vm_area_struct *vma,
				       const void *addr, pgoff_t pgoff)
{
	return remap_vmalloc_range(vma, (void *)addr, pgoff);
}
#endif

#endif /* _LINUX_PFNMAP_H */
