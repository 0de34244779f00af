// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: CPU mappings of its buffers in userspace
 */

#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/pfnmap.h>

#include "test-device.h"

/*
 * Take the reservation lock. It comes after the mmap_lock, and it may be held
 * for long by a move that waits for fences, so the fault lock is dropped to
 * wait for it, if mm can take that.
 */
static vm_fault_t lock_or_retry(struct dma_buf *dmabuf, struct vm_fault *vmf)
{
	if (dma_resv_trylock(dmabuf->resv))
		return 0;

	if (fault_flag_allow_retry_first(vmf->flags)) {
		/* Here the caller still has the fault lock afterwards. */
		if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
			return VM_FAULT_RETRY;

		/* Without it, the VMA can go, and the file with it. */
		get_dma_buf(dmabuf);
		release_fault_lock(vmf);
		if (!dma_resv_lock_interruptible(dmabuf->resv, NULL))
			dma_resv_unlock(dmabuf->resv);
		dma_buf_put(dmabuf);
		return VM_FAULT_RETRY;
	}

	/* A signal can't be handled before the kernel's access is done. */
	if (!(vmf->flags & FAULT_FLAG_USER)) {
		dma_resv_lock(dmabuf->resv, NULL);
		return 0;
	}
	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return VM_FAULT_NOPAGE;
	return 0;
}

static vm_fault_t buffer_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	struct dbt_buffer *buf = dmabuf->priv;
	struct pfnmap_run run = {};
	vm_fault_t ret;

	ret = lock_or_retry(dmabuf, vmf);
	if (ret)
		return ret;

	if (dma_buf_revoke_state(dmabuf)) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}

	run.pages = buf->backing->pages;
	run.nr = buf->backing->nr_pages;
	run.prot = vmf->vma->vm_page_prot;
	ret = vmf_insert_pfnmap_run(vmf, order, &run);
	if (ret == VM_FAULT_NOPAGE)
		atomic_inc(&buf->counts.faults);
out:
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static vm_fault_t buffer_fault(struct vm_fault *vmf)
{
	return buffer_huge_fault(vmf, 0);
}

static const struct vm_operations_struct buffer_vm_ops = {
	.fault = buffer_fault,
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	.huge_fault = buffer_huge_fault,
#endif
};

/* What dma-bufs must not do: the page is within reach of get_user_pages(). */
static int insert_page(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dbt_buffer *buf = dmabuf->priv;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = vm_insert_page(vma, vma->vm_start,
			     buf->backing->pages[vma->vm_pgoff]);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * dbt_buffer_mmap - the mmap op
 * @dmabuf:	a buffer of ours
 * @vma:	VMA to map it in
 *
 * Makes no entries, because a move can't zap those of a VMA that isn't linked.
 * With %DMA_BUF_TEST_MMAP_INSERT_PAGE it makes one, of the kind that the core
 * refuses.
 *
 * Context: Process context, holds the mmap_lock for writing.
 * Return: 0 or an error.
 */
int dbt_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dbt_buffer *buf = dmabuf->priv;

	if (buf->flags & DMA_BUF_TEST_MMAP_INSERT_PAGE) {
		int ret = insert_page(dmabuf, vma);

		if (ret)
			return ret;
	} else {
		vma->vm_ops = &buffer_vm_ops;
		vma->vm_private_data = dmabuf;
		vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	}
	atomic_inc(&buf->counts.mmap_calls);
	return 0;
}
