// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings of dma-bufs in userspace
 */

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "dma-buf-internal.h"

/**
 * DOC: userspace mappings are PFN mappings
 *
 * The exporter of a dma-buf owns the memory behind it. It may move the buffer,
 * take it away, or hand the memory back when the last reference to the dma-buf
 * goes. All of that breaks once get_user_pages() has taken a reference to a
 * page behind the exporter's back, and nothing tells the exporter that it
 * happened.
 *
 * So each userspace mapping of a dma-buf is %VM_PFNMAP: page table entries are
 * special, there is no &struct page for mm to find, and get_user_pages() fails,
 * slow and fast. Three more rules follow:
 *
 * - %VM_MIXEDMAP must not be set. It lets vm_normal_page() hand out the page of
 *   an entry that isn't special.
 * - The mapping can't be copy-on-write. The copies would be anonymous pages in
 *   a PFN mapping, no longer the buffer's memory, and within get_user_pages()'
 *   reach. A shared mapping, or a private one that can never be written, is
 *   fine.
 * - vm_ops must not be NULL, because mm takes such a mapping for anonymous
 *   memory.
 *
 * The core checks the flags after &dma_buf_ops.mmap, because drivers may change
 * flags there: amdgpu clears VM_MAYWRITE so that a private PROT_NONE mapping
 * stays possible.
 *
 * The core checks once, and flags only. The exporter has to keep fault handlers
 * right: a handler that sets &vm_fault.page in a %VM_PFNMAP mapping makes an
 * ordinary entry, which get_user_pages_fast() takes.
 */

/* Defect of a mapping that the exporter has made; NULL if there is none */
static const char *mmap_defect(const struct vm_area_struct *vma)
{
	if (!vma_test(vma, VMA_PFNMAP_BIT))
		return "not VM_PFNMAP";
	if (vma_test(vma, VMA_MIXEDMAP_BIT))
		return "VM_MIXEDMAP";
	if (vma_is_cow_mapping(vma))
		return "copy-on-write";
	if (!vma->vm_ops)
		return "without vm_ops";
	return NULL;
}

/*
 * Undo a successful &dma_buf_ops.mmap. If ->mmap fails, mm drops vma->vm_file,
 * but calls no vm_ops.
 */
static void undo_mmap(struct vm_area_struct *vma)
{
	/*
	 * Entries go first: close may drop the reference that keeps the memory
	 * behind them. No fault can bring entries back: the VMA isn't linked yet.
	 */
	if (IS_ENABLED(CONFIG_MMU))
		zap_vma(vma);
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	/* mm must not call the exporter's vm_ops again, close in particular. */
	vma->vm_ops = &vma_dummy_vm_ops;
	vma->vm_private_data = NULL;
}

static int refuse_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		       const char *defect, bool warn)
{
	if (warn && dma_buf_warn_once("mmap", dmabuf->exp_name,
				      module_name(dmabuf->owner)))
		WARN(1, "dma-buf: exporter %s (%s): mmap is %s (flags %pGv), refused\n",
		     dmabuf->exp_name, module_name(dmabuf->owner), defect,
		     &vma->vm_flags);

	undo_mmap(vma);
	return -EINVAL;
}

/**
 * dma_buf_mmap_exporter - let the exporter map its buffer, and check the result
 * @dmabuf:	buffer to map; its &dma_buf_ops.mmap is set, or it was exported
 *		with %DMA_BUF_CPU_MMAP
 * @vma:	VMA to map the buffer in, not linked yet, with empty vm_ops; the
 *		range has been checked against the size of @dmabuf, vm_pgoff is
 *		the page index in @dmabuf, vm_file is the dma-buf's file
 *
 * A mapping that breaks a rule of "DOC: userspace mappings are PFN mappings" is
 * undone, with one WARN for each exporter, by name and module. There is no WARN
 * if userspace asked for a copy-on-write mapping, because that isn't the
 * exporter's fault.
 *
 * Context: Process context, holds the mmap_lock of @vma's mm for writing and
 * not the reservation lock of @dmabuf. May sleep.
 * Return: 0, the exporter's error, or -EINVAL if userspace asked for a
 * copy-on-write mapping or the exporter made one that is not allowed.
 */
int dma_buf_mmap_exporter(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	const vma_flags_t asked = vma->flags;
	const char *defect;
	int ret;

	lockdep_assert_held_write(&vma->vm_mm->mmap_lock);
	/* Exporters may take this lock in mmap and in their fault handlers. */
	lockdep_assert_not_held(&dmabuf->resv->lock.base);

	if (dmabuf->ops->mmap)
		ret = dmabuf->ops->mmap(dmabuf, vma);
	else if (IS_ENABLED(CONFIG_MMU))
		ret = dma_buf_pfn_mmap(dmabuf, vma);
	else
		ret = -EINVAL;
	if (ret)
		return ret;

	defect = mmap_defect(vma);
	if (defect)
		return refuse_mmap(dmabuf, vma, defect,
				   !vma_flags_is_cow_mapping(&asked));

	/* mremap() must not grow the mapping beyond the range that was checked. */
	if (!vma_test(vma, VMA_DONTEXPAND_BIT))
		vm_flags_set(vma, VM_DONTEXPAND);
	return 0;
}
