// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf heaps of DMA API memory, for tests: the device and its heaps
 */

#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "dma-api-heap.h"

/**
 * DOC: overview
 *
 * Drivers that leave allocation and mmap of their buffers to the DMA API, as
 * videobuf2-dma-contig, drm_gem_dma and fastrpc do, get another kind of memory
 * behind an IOMMU: pages from anywhere, contiguous for the device alone. QEMU
 * has none of their devices. This driver does as they do, for a device that QEMU
 * does have and can put behind an IOMMU, and adds two heaps of such memory:
 *
 * test_dma_coherent
 *	dma_alloc_coherent() and dma_mmap_coherent()
 * test_dma_noncontiguous
 *	dma_alloc_noncontiguous() and dma_mmap_noncontiguous()
 *
 * The device is "edu", but it never gets to know of the buffers: any other PCI
 * device will do, by way of the driver's new_id.
 */

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_DMA_MASK	DMA_BIT_MASK(28)

static struct heap {
	const char *name;
	const struct dma_api_kind *kind;
	bool added;
} heaps[] = {
	{ "test_dma_coherent", &dma_api_coherent },
	{ "test_dma_noncontiguous", &dma_api_noncontiguous },
};

/* One device at most, as heaps are known by name. Protects all of these. */
static DEFINE_MUTEX(heaps_lock);
static struct device *heaps_dev;
static unsigned int nr_buffers;

static void free_buffer(struct dma_api_buffer *buf)
{
	kfree(buf);

	guard(mutex)(&heaps_lock);
	nr_buffers--;
	wake_up_var_locked(&nr_buffers, &heaps_lock);
}

/**
 * dma_api_buffer_release - &dma_buf_ops.release of all buffers
 * @dmabuf:	the buffer
 */
void dma_api_buffer_release(struct dma_buf *dmabuf)
{
	struct dma_api_buffer *buf = dmabuf->priv;

	buf->kind->free(buf);
	free_buffer(buf);
}

/* The buffer keeps the device from going away. */
static struct dma_api_buffer *new_buffer(void)
{
	struct dma_api_buffer *buf;

	guard(mutex)(&heaps_lock);
	if (!heaps_dev)
		return ERR_PTR(-ENODEV);

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&buf->maps);
	buf->dev = heaps_dev;
	nr_buffers++;
	return buf;
}

static struct dma_buf *heap_allocate(struct dma_heap *dma_heap,
				     unsigned long len, u32 fd_flags,
				     u64 heap_flags)
{
	struct heap *heap = dma_heap_get_drvdata(dma_heap);
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_api_buffer *buf;
	struct dma_buf *dmabuf;
	int ret;

	/* Without this, an IOMMU driver allocates all pages to find out. */
	if (len > EDU_DMA_MASK)
		return ERR_PTR(-ENOMEM);

	buf = new_buffer();
	if (IS_ERR(buf))
		return ERR_CAST(buf);

	buf->kind = heap->kind;
	buf->size = len;
	ret = buf->kind->alloc(buf);
	if (ret)
		goto err_buffer;

	exp_info.exp_name = heap->name;
	exp_info.ops = buf->kind->ops;
	exp_info.size = buf->size;
	exp_info.flags = fd_flags;
	exp_info.priv = buf;
	dmabuf = dma_buf_export(&exp_info);
	if (!IS_ERR(dmabuf))
		return dmabuf;

	ret = PTR_ERR(dmabuf);
	buf->kind->free(buf);
err_buffer:
	free_buffer(buf);
	return ERR_PTR(ret);
}

static const struct dma_heap_ops heap_ops = {
	.allocate = heap_allocate,
};

/* What can't be undone: a heap stays, and a later device finds it there. */
static int add_heaps(void)
{
	for (struct heap *heap = heaps; heap < heaps + ARRAY_SIZE(heaps);
	     heap++) {
		const struct dma_heap_export_info exp_info = {
			.name = heap->name,
			.ops = &heap_ops,
			.priv = heap,
		};
		struct dma_heap *dma_heap;

		if (heap->added)
			continue;
		dma_heap = dma_heap_add(&exp_info);
		if (IS_ERR(dma_heap))
			return PTR_ERR(dma_heap);
		heap->added = true;
	}
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	int ret;

	guard(mutex)(&heaps_lock);
	if (heaps_dev || nr_buffers)
		return dev_err_probe(dev, -EEXIST,
				     "the heaps belong to another device\n");

	ret = dma_set_mask_and_coherent(dev, EDU_DMA_MASK);
	if (ret)
		return ret;
	/* No hardware does the DMA, so nothing limits a segment. */
	dma_set_max_seg_size(dev, UINT_MAX);

	ret = add_heaps();
	if (ret)
		return ret;

	heaps_dev = dev;
	return 0;
}

/*
 * DMA memory can't outlive its device, so this waits for users to be done; also,
 * and then for good, if the process that unbinds the driver is one of them.
 */
static void edu_remove(struct pci_dev *pdev)
{
	guard(mutex)(&heaps_lock);
	heaps_dev = NULL;
	wait_var_event_mutex(&nr_buffers, !nr_buffers, &heaps_lock);
}

/*
 * Not in MODULE_DEVICE_TABLE: who has an edu device wants to write a driver for
 * it, and shall not have this one loaded instead.
 */
static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ }
};

static struct pci_driver edu_driver = {
	.name = "dma_buf_test_heap",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

/* There is no exit, because there is none for the heaps. */
static int __init edu_init(void)
{
	return pci_register_driver(&edu_driver);
}
module_init(edu_init);

MODULE_DESCRIPTION("dma-buf heaps of DMA API memory, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
