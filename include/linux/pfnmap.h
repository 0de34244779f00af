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
 * @pgoff:	where it begins, a page index as &vm_fault.pgoff is
 * @nr:		how long it is, in pages
 * @pages:	a page for each of them, in any physical order, none of them NULL;
 *		or NULL if the run is physically contiguous
 * @pfn:	PFN of its first page, if @pages is NULL
 * @prot:	protection of the entries; on x86, the cache mode is that of the
 *		memory
 * @around:	map no more than the naturally aligned window of that many pages
 *		that the fault is in, a power of two; 0 for all that the page
 *		table of the fault covers, which is the most in any case
 *
 * A run may be larger than the VMA; what is outside of the VMA is left out. So
 * a handler describes its whole buffer and needn't know where the VMA begins,
 * which changes when it is split.
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

#ifdef CONFIG_MMU
int remap_pfnmap_pages(struct vm_area_struct *vma, struct page **pages,
		       unsigned long nr, pgoff_t pgoff);
int remap_pfnmap_vmalloc(struct vm_area_struct *vma, const void *addr,
			 pgoff_t pgoff);
#else
/* As vm_map_pages(), which this stands in for: pages have no common address. */
static inline int remap_pfnmap_pages(struct vm_area_struct *vma,
				     struct page **pages, unsigned long nr,
				     pgoff_t pgoff)
{
	return -EINVAL;
}

/* A vmalloc area is contiguous memory, and the VMA moves to it. */
static inline int remap_pfnmap_vmalloc(struct vm_area_struct *vma,
				       const void *addr, pgoff_t pgoff)
{
	return remap_vmalloc_range(vma, (void *)addr, pgoff);
}
#endif

#endif /* _LINUX_PFNMAP_H */
