// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of the BAR of a large device, which fault: by one entry, as vfio-pci
 * does, and by a run of PFNs on a kernel that has these. Nothing is at the
 * address, and nobody looks at what is read there.
 */

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#if __has_include(<linux/pfnmap.h>)
#include <linux/pfnmap.h>
#define HAVE_PFNMAP_RUN
#endif

#include "bench.h"

/* Above all RAM of the guest */
#define BAR_PFN		(512ULL * SZ_1G >> PAGE_SHIFT)
#define BAR_PAGES	((unsigned long)SZ_1G >> PAGE_SHIFT)

static vm_fault_t one_entry(struct vm_fault *vmf, unsigned int order)
{
	unsigned long pgoff = vmf->pgoff % BAR_PAGES;
	unsigned long pfn = BAR_PFN + (pgoff & ~((1UL << order) - 1));
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	switch (order) {
	case 0:
		return vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	case PMD_ORDER:
		return vmf_insert_pfn_pmd(vmf, pfn, write);
	case PUD_ORDER:
		return vmf_insert_pfn_pud(vmf, pfn, write);
	}
	return VM_FAULT_FALLBACK;
}

static vm_fault_t one_small_entry(struct vm_fault *vmf)
{
	return one_entry(vmf, 0);
}

static const struct vm_operations_struct entry_vm_ops = {
	.fault = one_small_entry,
	.huge_fault = one_entry,
};

static vm_fault_t run_of_pfns(struct vm_fault *vmf, unsigned int order)
{
#ifdef HAVE_PFNMAP_RUN
	const struct pfnmap_run run = {
		.pgoff = BAR_PAGES,
		.nr = BAR_PAGES,
		.pfn = BAR_PFN,
		.prot = vmf->vma->vm_page_prot,
	};

	return vmf_insert_pfnmap_run(vmf, order, &run);
#else
	return one_entry(vmf, order);
#endif
}

static vm_fault_t small_run(struct vm_fault *vmf)
{
	return run_of_pfns(vmf, 0);
}

static const struct vm_operations_struct run_vm_ops = {
	.fault = small_run,
	.huge_fault = run_of_pfns,
};

/*
 * The caller's address decides which entries fit: it maps all that one takes. At
 * the offset of a second BAR is the same memory, by a run of PFNs.
 */
int bench_bar_mmap(struct file *file, struct vm_area_struct *vma)
{
	if ((vma->vm_pgoff && vma->vm_pgoff != BAR_PAGES) ||
	    vma_pages(vma) > BAR_PAGES)
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_ops = vma->vm_pgoff ? &run_vm_ops : &entry_vm_ops;
	return 0;
}
