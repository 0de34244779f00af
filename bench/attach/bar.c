// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mapping of the BAR of a large device, which faults: as vfio-pci does on the
 * base, and by a run of PFNs on a kernel that has these. Nothing is at the
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

static vm_fault_t bar_huge_fault(struct vm_fault *vmf, unsigned int order)
{
#ifdef HAVE_PFNMAP_RUN
	const struct pfnmap_run run = {
		.nr = BAR_PAGES,
		.pfn = BAR_PFN,
		.prot = vmf->vma->vm_page_prot,
	};

	return vmf_insert_pfnmap_run(vmf, order, &run);
#else
	unsigned long pfn = BAR_PFN + (vmf->pgoff & ~((1UL << order) - 1));
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
#endif
}

static vm_fault_t bar_fault(struct vm_fault *vmf)
{
	return bar_huge_fault(vmf, 0);
}

static const struct vm_operations_struct bar_vm_ops = {
	.fault = bar_fault,
	.huge_fault = bar_huge_fault,
};

/* The caller's address decides which entries fit: it maps all that one takes. */
int bench_bar_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma_pages(vma) > BAR_PAGES)
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_ops = &bar_vm_ops;
	return 0;
}
