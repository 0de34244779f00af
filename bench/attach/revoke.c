// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer that is taken away from importers and from CPUs and given back: by the
 * core, or, on a kernel that can't, by hand, as vfio-pci of 7.3 does it. Importers
 * unmap at once, and map again at once.
 */

#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>

#ifdef DMA_BUF_MODE_REVOCABLE
#include <linux/dma-buf-pfn.h>
#define HAVE_REVOKE
#endif

#include "bench.h"

struct importer {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
};

static struct {
	struct mutex lock;
	struct dma_buf *dmabuf;
	struct page *pages;
	unsigned int nr;
	struct importer importers[BENCH_MAX_IMPORTERS];
} bench = {
	.lock = __MUTEX_INITIALIZER(bench.lock),
};

static void unmap(struct importer *imp)
{
	if (imp->sgt)
		dma_buf_unmap_attachment(imp->attach, imp->sgt,
					 DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
}

static void map(struct importer *imp)
{
	imp->sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(imp->sgt))
		imp->sgt = NULL;
}

static void release(struct dma_buf *dmabuf)
{
}

#ifdef HAVE_REVOKE

static void invalidate(struct dma_buf_attachment *attach)
{
	unmap(attach->importer_priv);
}

static void restored(struct dma_buf_attachment *attach)
{
	map(attach->importer_priv);
}

static const struct dma_buf_attach_ops importer_ops = {
	.modes = DMA_BUF_MODE_REVOCABLE,
	.invalidate_mappings = invalidate,
	.restored = restored,
};

static int pfn_range(struct dma_buf *dmabuf, pgoff_t index,
		     struct dma_buf_pfn_range *range)
{
	range->nr = HPAGE_PMD_NR;
	range->pfn = page_to_pfn(bench.pages);
	range->flags = DMA_BUF_PFN_PAGES | DMA_BUF_PFN_CPU;
	return 0;
}

static const struct dma_buf_ops ops = {
	.pfn_range = pfn_range,
	.release = release,
};

static void offer(struct dma_buf_export_info *info)
{
	info->modes = DMA_BUF_MODE_REVOCABLE;
	info->cpu_access = DMA_BUF_CPU_MMAP;
}

static int revoke_and_give_back(struct dma_buf *dmabuf)
{
	return dma_buf_revoke(dmabuf) ?: dma_buf_unrevoke(dmabuf);
}

#else

/* Told twice: of the revoke, and when it is over */
static void invalidate(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	if (imp->sgt)
		unmap(imp);
	else
		map(imp);
}

static const struct dma_buf_attach_ops importer_ops = {
	.invalidate_mappings = invalidate,
};

static struct sg_table *map_op(struct dma_buf_attachment *attach,
			       enum dma_data_direction dir)
{
	struct sg_table *sgt = kzalloc_obj(*sgt);
	int ret;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto free;
	sg_set_page(sgt->sgl, bench.pages, HPAGE_PMD_SIZE, 0);
	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (!ret)
		return sgt;
	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void unmap_op(struct dma_buf_attachment *attach, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static vm_fault_t huge_fault(struct vm_fault *vmf, unsigned int order)
{
	if (order != PMD_ORDER)
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pmd(vmf, page_to_pfn(bench.pages), true);
}

static vm_fault_t fault(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf->vma, vmf->address,
			      page_to_pfn(bench.pages) +
			      vmf->pgoff % HPAGE_PMD_NR);
}

static const struct vm_operations_struct vm_ops = {
	.fault = fault,
	.huge_fault = huge_fault,
};

static int mmap_op(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &vm_ops;
	return 0;
}

static const struct dma_buf_ops ops = {
	.map_dma_buf = map_op,
	.unmap_dma_buf = unmap_op,
	.mmap = mmap_op,
	.release = release,
};

static void offer(struct dma_buf_export_info *info)
{
}

static int revoke_and_give_back(struct dma_buf *dmabuf)
{
	int turn;

	for (turn = 0; turn < 2; turn++) {
		dma_resv_lock(dmabuf->resv, NULL);
		if (!turn)
			unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
		dma_buf_invalidate_mappings(dmabuf);
		dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				      false, MAX_SCHEDULE_TIMEOUT);
		dma_resv_unlock(dmabuf->resv);
	}
	return 0;
}

#endif

static void detach_all(void)
{
	struct dma_buf *dmabuf = bench.dmabuf;

	while (bench.nr--) {
		struct importer *imp = &bench.importers[bench.nr];

		dma_resv_lock(dmabuf->resv, NULL);
		unmap(imp);
		dma_resv_unlock(dmabuf->resv);
		dma_buf_detach(dmabuf, imp->attach);
	}
	dma_buf_put(dmabuf);
	bench.dmabuf = NULL;
	bench.nr = 0;
}

static int attach_one(struct device *dev)
{
	struct importer *imp = &bench.importers[bench.nr];
	struct dma_buf *dmabuf = bench.dmabuf;

	imp->attach = dma_buf_dynamic_attach(dmabuf, dev, &importer_ops, imp);
	if (IS_ERR(imp->attach))
		return PTR_ERR(imp->attach);
	bench.nr++;
	dma_resv_lock(dmabuf->resv, NULL);
	map(imp);
	dma_resv_unlock(dmabuf->resv);
	return imp->sgt ? 0 : -EIO;
}

/* Return: a file descriptor of the buffer, which is there for one at a time */
int bench_revoke_begin(struct device *dev, unsigned int importers)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	int ret = 0;

	guard(mutex)(&bench.lock);
	if (bench.dmabuf || importers > BENCH_MAX_IMPORTERS)
		return -EINVAL;
	/* Kept for the next one, as nobody can tell when the file goes. */
	if (!bench.pages)
		bench.pages = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP,
					  HPAGE_PMD_ORDER);
	if (!bench.pages)
		return -ENOMEM;

	info.ops = &ops;
	info.priv = &bench;
	info.size = HPAGE_PMD_SIZE;
	info.flags = O_RDWR;
	offer(&info);
	bench.dmabuf = dma_buf_export(&info);
	if (IS_ERR(bench.dmabuf)) {
		ret = PTR_ERR(bench.dmabuf);
		bench.dmabuf = NULL;
		return ret;
	}

	while (importers-- && !ret)
		ret = attach_one(dev);
	if (!ret) {
		get_dma_buf(bench.dmabuf);
		ret = dma_buf_fd(bench.dmabuf, O_CLOEXEC);
		if (ret < 0)
			dma_buf_put(bench.dmabuf);
	}
	if (ret < 0)
		detach_all();
	return ret;
}

int bench_revoke(void)
{
	unsigned int i;
	int ret;

	guard(mutex)(&bench.lock);
	if (!bench.dmabuf)
		return -EINVAL;
	ret = revoke_and_give_back(bench.dmabuf);
	for (i = 0; i < bench.nr && !ret; i++)
		ret = bench.importers[i].sgt ? 0 : -EIO;
	return ret;
}

int bench_revoke_end(void)
{
	guard(mutex)(&bench.lock);
	if (!bench.dmabuf)
		return -EINVAL;
	detach_all();
	return 0;
}
