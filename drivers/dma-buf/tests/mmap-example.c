// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete exporter with userspace mappings, the one that
 * Documentation/driver-api/dma-buf/mmap.rst shows. The KUnit suite in
 * mmap-test.c compiles and runs it.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "mmap-test.h"

struct example_buffer {
	unsigned long nr_pages;
	struct page *pages[] __counted_by(nr_pages);
};

static vm_fault_t example_fault(struct vm_fault *vmf)
{
	struct example_buffer *buf = vmf->vma->vm_private_data;

	/*
	 * vmf->pgoff counts from the start of the buffer. An offset from
	 * vm_start would be wrong after munmap() of the head of the mapping.
	 */
	if (vmf->pgoff >= buf->nr_pages)
		return VM_FAULT_SIGBUS;

	return vmf_insert_pfn(vmf->vma, vmf->address,
			      page_to_pfn(buf->pages[vmf->pgoff]));
}

static const struct vm_operations_struct example_vm_ops = {
	.fault = example_fault,
};

static int example_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	/* The core has checked the range and refuses copy-on-write. */
	vma->vm_ops = &example_vm_ops;
	vma->vm_private_data = dmabuf->priv;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static struct sg_table *example_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	struct example_buffer *buf = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(sgt, buf->pages, buf->nr_pages, 0,
					buf->nr_pages << PAGE_SHIFT,
					GFP_KERNEL);
	if (ret)
		goto err_free;

	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto err_table;

	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void example_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void example_free(struct example_buffer *buf)
{
	for (unsigned long i = 0; i < buf->nr_pages && buf->pages[i]; i++)
		__free_page(buf->pages[i]);
	kfree(buf);
}

static void example_release(struct dma_buf *dmabuf)
{
	/* No mapping is left: each of them holds a reference to the dma-buf. */
	example_free(dmabuf->priv);
}

static const struct dma_buf_ops example_ops = {
	.map_dma_buf = example_map,
	.unmap_dma_buf = example_unmap,
	.mmap = example_mmap,
	.release = example_release,
};

struct dma_buf *example_export(unsigned long nr_pages)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct example_buffer *buf;
	struct dma_buf *dmabuf;

	buf = kzalloc_flex(*buf, pages, nr_pages);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->nr_pages = nr_pages;

	for (unsigned long i = 0; i < nr_pages; i++) {
		buf->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!buf->pages[i]) {
			example_free(buf);
			return ERR_PTR(-ENOMEM);
		}
	}

	exp_info.ops = &example_ops;
	exp_info.size = nr_pages << PAGE_SHIFT;
	exp_info.flags = O_RDWR;
	exp_info.priv = buf;

	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		example_free(buf);

	return dmabuf;
}
