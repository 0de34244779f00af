// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: buffers in the memory of a PCI device
 */

#include <linux/bitmap.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>

#include "test-device.h"

/**
 * DOC: memory of a PCI device
 *
 * %DMA_BUF_TEST_MMIO and %DMA_BUF_TEST_MMIO_WC are parts of a BAR, which has no
 * struct pages, as the memory of a GPU or of a device that vfio-pci exports. The
 * BAR is that of QEMU's "ivshmem-plain", which is RAM of the host: what is written
 * can be read again. The core maps all of such a buffer, in one range.
 *
 * A buffer holds the module, and sysfs can't unbind the driver. If the device
 * itself is removed while there are buffers, importers are told, CPU mappings are
 * zapped, and from then on nothing is described: -ENODEV. Pins don't help then.
 */

#define IVSHMEM_VENDOR	0x1af4
#define IVSHMEM_DEVICE	0x1110
#define IVSHMEM_BAR	2

/* What more there may be of the BAR is not used. */
#define MAX_PAGES	(SZ_64M >> PAGE_SHIFT)

static struct {
	/* Nests outside of reservation locks. Protects dev and buffers. */
	struct mutex lock;
	struct pci_dev *dev;
	struct list_head buffers;

	/* Set while there is no buffer, and constant while there is one */
	struct p2pdma_provider *provider;
	unsigned long pfn;
	unsigned long nr_pages;

	/* Innermost. Protects used. */
	struct mutex used_lock;
	DECLARE_BITMAP(used, MAX_PAGES);
} bar = {
	.lock = __MUTEX_INITIALIZER(bar.lock),
	.buffers = LIST_HEAD_INIT(bar.buffers),
	.used_lock = __MUTEX_INITIALIZER(bar.used_lock),
};

/**
 * dbt_is_mmio - is it memory of a PCI device?
 * @kind:	one of DMA_BUF_TEST_SCATTERED ...
 *
 * Return: true if it is.
 */
bool dbt_is_mmio(u32 kind)
{
	return kind == DMA_BUF_TEST_MMIO || kind == DMA_BUF_TEST_MMIO_WC;
}

/* Aligned for huge entries, if it is large enough for these */
static int take_pages(unsigned long nr, unsigned long *first)
{
	unsigned long align = nr >> PMD_ORDER ? (1UL << PMD_ORDER) - 1 : 0;

	guard(mutex)(&bar.used_lock);
	*first = bitmap_find_next_zero_area(bar.used, bar.nr_pages, 0, nr,
					    align);
	if (*first >= bar.nr_pages)
		return -ENOMEM;
	bitmap_set(bar.used, *first, nr);
	return 0;
}

static void give_pages(unsigned long first, unsigned long nr)
{
	guard(mutex)(&bar.used_lock);
	bitmap_clear(bar.used, first, nr);
}

static phys_addr_t phys_of(const struct dbt_backing *backing)
{
	return PFN_PHYS(backing->mmio.pfn);
}

static size_t size_of(const struct dbt_backing *backing)
{
	return backing->nr_pages << PAGE_SHIFT;
}

/* Without the reservation, an architecture may give userspace another mode. */
static int map_bar(struct dbt_backing *backing)
{
	phys_addr_t phys = phys_of(backing);
	size_t size = size_of(backing);
	int ret;

	if (backing->kind == DMA_BUF_TEST_MMIO) {
		backing->mmio.vaddr = ioremap(phys, size);
		return backing->mmio.vaddr ? 0 : -ENOMEM;
	}

	ret = arch_io_reserve_memtype_wc(phys, size);
	if (ret)
		return ret;
	backing->mmio.vaddr = ioremap_wc(phys, size);
	if (backing->mmio.vaddr)
		return 0;
	arch_io_free_memtype_wc(phys, size);
	return -ENOMEM;
}

/**
 * dbt_mmio_alloc - a part of the BAR, zeroed
 * @backing:	with kind and nr_pages set
 *
 * Context: Process context, may sleep. No reservation lock is held.
 * Return: 0, -ENODEV if there is no device, or -ENOMEM.
 */
int dbt_mmio_alloc(struct dbt_backing *backing)
{
	unsigned long first;
	int ret;

	guard(mutex)(&bar.lock);
	if (!bar.dev)
		return -ENODEV;

	ret = take_pages(backing->nr_pages, &first);
	if (ret)
		return ret;

	backing->mmio.pfn = bar.pfn + first;
	ret = map_bar(backing);
	if (ret) {
		give_pages(first, backing->nr_pages);
		return ret;
	}
	memset_io(backing->mmio.vaddr, 0, size_of(backing));
	return 0;
}

/**
 * dbt_mmio_free - undo dbt_mmio_alloc()
 * @backing:	the memory; nothing is done if there is none
 *
 * Context: Process context, may sleep.
 */
void dbt_mmio_free(struct dbt_backing *backing)
{
	if (!backing->mmio.vaddr)
		return;
	iounmap(backing->mmio.vaddr);
	if (backing->kind == DMA_BUF_TEST_MMIO_WC)
		arch_io_free_memtype_wc(phys_of(backing), size_of(backing));
	give_pages(backing->mmio.pfn - bar.pfn, backing->nr_pages);
}

/**
 * dbt_mmio_copy - copy the content of a buffer
 * @to:		new memory
 * @from:	old memory, as large as @to
 *
 * Context: Process context, may sleep.
 */
void dbt_mmio_copy(struct dbt_backing *to, const struct dbt_backing *from)
{
	u8 bounce[256];
	size_t at;

	for (at = 0; at < size_of(from); at += sizeof(bounce)) {
		memcpy_fromio(bounce, from->mmio.vaddr + at, sizeof(bounce));
		memcpy_toio(to->mmio.vaddr + at, bounce, sizeof(bounce));
		cond_resched();
	}
}

/**
 * dbt_mmio_range - where is it?
 * @backing:	the memory
 * @range:	zeroed; all of it
 *
 * Context: Holds the reservation lock, which keeps the device.
 * Return: 0 or -ENODEV if the device has been removed.
 */
int dbt_mmio_range(const struct dbt_backing *backing,
		   struct dma_buf_pfn_range *range)
{
	if (!READ_ONCE(bar.dev))
		return -ENODEV;

	range->nr = backing->nr_pages;
	range->pfn = backing->mmio.pfn;
	range->provider = bar.provider;
	range->flags = DMA_BUF_PFN_CPU;
	range->caching = backing->kind == DMA_BUF_TEST_MMIO_WC ?
			 DMA_BUF_WRITE_COMBINE : DMA_BUF_UNCACHED;
	return 0;
}

/**
 * dbt_mmio_add_buffer - a buffer is there
 * @buf:	buffer in memory of the device, with its dma-buf
 *
 * Context: Process context, may sleep.
 */
void dbt_mmio_add_buffer(struct dbt_buffer *buf)
{
	guard(mutex)(&bar.lock);
	list_add(&buf->node, &bar.buffers);
}

/**
 * dbt_mmio_del_buffer - undo dbt_mmio_add_buffer()
 * @buf:	the buffer
 *
 * Context: Process context, may sleep. No reservation lock is held.
 */
void dbt_mmio_del_buffer(struct dbt_buffer *buf)
{
	guard(mutex)(&bar.lock);
	list_del(&buf->node);
}

static int mmio_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	/* One is enough, and an old one has to be done with. */
	guard(mutex)(&bar.lock);
	if (bar.dev)
		return -ENODEV;
	if (!bitmap_empty(bar.used, MAX_PAGES))
		return -EBUSY;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_p2pdma_init(pdev);
	if (ret)
		return ret;
	bar.provider = pcim_p2pdma_provider(pdev, IVSHMEM_BAR);
	if (!bar.provider)
		return -ENODEV;

	bar.pfn = PHYS_PFN(pci_resource_start(pdev, IVSHMEM_BAR));
	bar.nr_pages = min(pci_resource_len(pdev, IVSHMEM_BAR) >> PAGE_SHIFT,
			   MAX_PAGES);
	WRITE_ONCE(bar.dev, pdev);
	return 0;
}

static void mmio_remove(struct pci_dev *pdev)
{
	struct dbt_buffer *buf;

	guard(mutex)(&bar.lock);
	WRITE_ONCE(bar.dev, NULL);
	/* Nobody asks for the provider afterwards. */
	list_for_each_entry(buf, &bar.buffers, node) {
		struct dma_buf *dmabuf = buf->dmabuf;

		dma_resv_lock(dmabuf->resv, NULL);
		dma_buf_invalidate_mappings(dmabuf);
		/* Devices may still be at it. */
		dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				      false, MAX_SCHEDULE_TIMEOUT);
		dma_resv_unlock(dmabuf->resv);
	}
}

/* Not in MODULE_DEVICE_TABLE, as the device is for other drivers, too */
static const struct pci_device_id mmio_ids[] = {
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{ }
};

static struct pci_driver mmio_driver = {
	.name		= "dma_buf_test_mmio",
	.id_table	= mmio_ids,
	.probe		= mmio_probe,
	.remove		= mmio_remove,
	.driver		= {
		.suppress_bind_attrs	= true,
	},
};

int __init dbt_mmio_register(void)
{
	return pci_register_driver(&mmio_driver);
}

void dbt_mmio_unregister(void)
{
	pci_unregister_driver(&mmio_driver);
}
