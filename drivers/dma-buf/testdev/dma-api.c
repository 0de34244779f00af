// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: buffers of DMA API memory
 */

#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "dma-api.h"
#include "test-device.h"

/**
 * DOC: DMA API memory
 *
 * Drivers that leave allocation and mmap of their buffers to the DMA API, as
 * videobuf2-dma-contig, drm_gem_dma and fastrpc do, get another kind of memory
 * behind an IOMMU: pages from anywhere, contiguous for the device alone. QEMU
 * has none of their devices. Two backings of the test device do as they do, for
 * a PCI device that QEMU does have and can put behind an IOMMU:
 *
 * %DMA_BUF_TEST_DMA_COHERENT
 *	dma_alloc_coherent() and dma_mmap_coherent()
 * %DMA_BUF_TEST_DMA_NONCONTIGUOUS
 *	dma_alloc_noncontiguous() and dma_mmap_noncontiguous()
 *
 * The device is "edu", but it never gets to know of the buffers: any other PCI
 * device will do, by way of the driver's new_id.
 *
 * Memory of the DMA API can't outlive its device. A buffer holds the module, and
 * sysfs can't unbind the driver, so this happens only if the device itself is
 * removed while there are buffers. Their memory is lost then, which is said once
 * in the log, and by CONFIG_DMA_API_DEBUG with a WARN. They stay as they are for
 * importers and existing mappings, and mmap and vmap fail with -ENODEV.
 */

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_DMA_MASK	DMA_BIT_MASK(28)

/* The device that memory is allocated for, or NULL */
static struct device *dma_dev;
/* Protects it. Held while the DMA API works for it, so that it stays. */
static DEFINE_MUTEX(dma_dev_lock);

/*
 * The pages are mapped for the exporter's device all the time, so mapping them
 * for another one doesn't hand over the content; that is what cached is about.
 */
#define DBT_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static struct sg_table *dma_buffer_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct dbt_dma_buffer *buf = attach->dmabuf->priv;
	struct dbt_mapping *map;

	map = dbt_mapping_create(attach, buf->pages, buf->nr_pages, dir,
				 DBT_DMA_ATTRS);
	if (IS_ERR(map))
		return ERR_CAST(map);

	list_add(&map->node, &buf->mappings);
	/* The importer may bounce, whatever the memory is for our device. */
	dma_sync_sgtable_for_device(attach->dev, &map->sgt, dir);
	return &map->sgt;
}

static void dma_buffer_unmap(struct dma_buf_attachment *attach,
			     struct sg_table *sgt, enum dma_data_direction dir)
{
	struct dbt_mapping *map = container_of(sgt, struct dbt_mapping, sgt);

	dma_sync_sgtable_for_cpu(attach->dev, sgt, dir);
	list_del(&map->node);
	dbt_mapping_destroy(map, DBT_DMA_ATTRS);
}

static int dma_buffer_begin_cpu_access(struct dma_buf *dmabuf,
				       enum dma_data_direction dir)
{
	struct dbt_dma_buffer *buf = dmabuf->priv;

	if (!buf->kind->cached)
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	dbt_sync_for_cpu(&buf->mappings);
	if (buf->vaddr)
		invalidate_kernel_vmap_range(buf->vaddr, buf->size);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int dma_buffer_end_cpu_access(struct dma_buf *dmabuf,
				     enum dma_data_direction dir)
{
	struct dbt_dma_buffer *buf = dmabuf->priv;

	if (!buf->kind->cached)
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	if (buf->vaddr)
		flush_kernel_vmap_range(buf->vaddr, buf->size);
	dbt_sync_for_device(&buf->mappings);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int dma_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dbt_dma_buffer *buf = dmabuf->priv;

	guard(mutex)(&dma_dev_lock);
	if (buf->dev != dma_dev)
		return -ENODEV;

	/* Asks for PFNs: else, behind an IOMMU, the DMA API maps pages. */
	vm_flags_set(vma, VM_PFNMAP);
	return buf->kind->mmap(buf, vma);
}

static int dma_buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dbt_dma_buffer *buf = dmabuf->priv;
	int ret;

	guard(mutex)(&dma_dev_lock);
	ret = buf->dev == dma_dev ? buf->kind->vmap(buf) : -ENODEV;
	if (!ret)
		iosys_map_set_vaddr(map, buf->vaddr);
	return ret;
}

static void dma_buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dbt_dma_buffer *buf = dmabuf->priv;

	if (!buf->kind->vunmap)
		return;

	/* Without the device, the mapping is lost as the memory is. */
	guard(mutex)(&dma_dev_lock);
	if (buf->dev == dma_dev)
		buf->kind->vunmap(buf);
	buf->vaddr = NULL;
}

static void dma_buffer_free(struct dbt_dma_buffer *buf)
{
	scoped_guard(mutex, &dma_dev_lock) {
		if (buf->dev == dma_dev)
			buf->kind->free(buf);
		else
			dev_warn_once(buf->dev,
				      "removed before its buffers: memory lost\n");
	}
	put_device(buf->dev);
	kvfree(buf);
}

static void dma_buffer_release(struct dma_buf *dmabuf)
{
	dma_buffer_free(dmabuf->priv);
}

static const struct dma_buf_ops dma_buffer_ops = {
	.map_dma_buf		= dma_buffer_map,
	.unmap_dma_buf		= dma_buffer_unmap,
	.begin_cpu_access	= dma_buffer_begin_cpu_access,
	.end_cpu_access		= dma_buffer_end_cpu_access,
	.mmap			= dma_buffer_mmap,
	.vmap			= dma_buffer_vmap,
	.vunmap			= dma_buffer_vunmap,
	.release		= dma_buffer_release,
};

static int dma_buffer_alloc(struct dbt_dma_buffer *buf)
{
	int ret;

	guard(mutex)(&dma_dev_lock);
	if (!dma_dev)
		return -ENODEV;

	buf->dev = dma_dev;
	ret = buf->kind->alloc(buf);
	if (!ret)
		get_device(buf->dev);
	return ret;
}

static struct dbt_dma_buffer *dma_buffer_create(const struct dbt_dma_kind *kind,
						size_t size)
{
	unsigned long i = 0, nr_pages = size >> PAGE_SHIFT;
	struct dbt_dma_buffer *buf;
	struct sg_page_iter iter;
	int ret;

	buf = kvzalloc_flex(*buf, pages, nr_pages);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->nr_pages = nr_pages;
	buf->kind = kind;
	buf->size = size;
	INIT_LIST_HEAD(&buf->mappings);

	ret = dma_buffer_alloc(buf);
	if (ret) {
		kvfree(buf);
		return ERR_PTR(ret);
	}
	for_each_sgtable_page(buf->sgt, &iter, 0)
		buf->pages[i++] = sg_page_iter_page(&iter);
	return buf;
}

/**
 * dbt_dma_export - a dma-buf of DMA API memory
 * @arg:	what was asked for, known to be valid
 *
 * Context: Process context, may sleep.
 * Return: the dma-buf or ERR_PTR: -ENODEV if there is no device, -ENOMEM.
 */
struct dma_buf *dbt_dma_export(const struct dma_buf_test_export *arg)
{
	bool coherent = arg->backing == DMA_BUF_TEST_DMA_COHERENT;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dbt_dma_buffer *buf;
	struct dma_buf *dmabuf;

	buf = dma_buffer_create(coherent ? &dbt_dma_coherent :
					   &dbt_dma_noncontiguous, arg->size);
	if (IS_ERR(buf))
		return ERR_CAST(buf);

	info.ops = &dma_buffer_ops;
	info.size = buf->size;
	info.flags = arg->open_flags & O_ACCMODE;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		dma_buffer_free(buf);
	return dmabuf;
}

static int dma_dev_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	int ret;

	/* One is enough. */
	guard(mutex)(&dma_dev_lock);
	if (dma_dev)
		return -EBUSY;

	ret = dma_set_mask_and_coherent(dev, EDU_DMA_MASK);
	if (ret)
		return ret;
	/* No hardware does the DMA, so nothing limits a segment. */
	dma_set_max_seg_size(dev, UINT_MAX);

	dma_dev = dev;
	return 0;
}

static void dma_dev_remove(struct pci_dev *pdev)
{
	guard(mutex)(&dma_dev_lock);
	dma_dev = NULL;
}

/*
 * Not in MODULE_DEVICE_TABLE: who has an edu device wants to write a driver for
 * it, and shall not have this one loaded instead.
 */
static const struct pci_device_id dma_dev_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ }
};

static struct pci_driver dma_dev_driver = {
	.name		= "dma_buf_test",
	.id_table	= dma_dev_ids,
	.probe		= dma_dev_probe,
	.remove		= dma_dev_remove,
	.driver		= {
		.suppress_bind_attrs	= true,
	},
};

int __init dbt_dma_register(void)
{
	return pci_register_driver(&dma_dev_driver);
}

void dbt_dma_unregister(void)
{
	pci_unregister_driver(&dma_dev_driver);
}
