// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: dma-bufs mapped for a PCI device behind an IOMMU, compared with a flat
 * array of the buffer's pages.
 *
 * It takes two devices that QEMU has and nobody uses: "edu" is the importer's,
 * and does nothing, and the BAR of "ivshmem-plain" is the memory of a peer. What
 * a DMA address stands for is read from the page table of the IOMMU.
 */

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/scatterlist.h>

#include "pfn-model.h"

#define IVSHMEM_BAR	2

enum { IMPORTER, PEER };

static struct pci_dev *importer;
static struct pci_dev *peer;
static struct p2pdma_provider *peer_provider;

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	if (id->driver_data == IMPORTER) {
		dma_set_max_seg_size(&pdev->dev, UINT_MAX);
		ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
		if (!ret)
			importer = pdev;
		return ret;
	}

	ret = pcim_p2pdma_init(pdev);
	if (ret)
		return ret;
	peer_provider = pcim_p2pdma_provider(pdev, IVSHMEM_BAR);
	if (!peer_provider)
		return -ENODEV;
	peer = pdev;
	return 0;
}

static void test_remove(struct pci_dev *pdev)
{
	if (pdev == importer)
		importer = NULL;
	if (pdev == peer)
		peer = NULL;
}

static const struct pci_device_id test_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8), .driver_data = IMPORTER },
	{ PCI_DEVICE(0x1af4, 0x1110), .driver_data = PEER },
	{ }
};

static struct pci_driver test_driver = {
	.name		= "dma_buf_pfn_kunit",
	.id_table	= test_ids,
	.probe		= test_probe,
	.remove		= test_remove,
	/* The cases use the devices without a reference. */
	.driver		= {
		.suppress_bind_attrs	= true,
	},
};

static int pci_suite_init(struct kunit_suite *suite)
{
	return pci_register_driver(&test_driver);
}

static void pci_suite_exit(struct kunit_suite *suite)
{
	pci_unregister_driver(&test_driver);
}

/* The importer's device, behind an IOMMU that translates */
static struct device *need_device(struct kunit *test)
{
	struct iommu_domain *domain;

	if (!importer)
		kunit_skip(test, "no PCI device edu that is free");
	domain = iommu_get_domain_for_dev(&importer->dev);
	if (!domain || !(domain->type & __IOMMU_DOMAIN_PAGING))
		kunit_skip(test, "edu is not behind an IOMMU that translates");
	return &importer->dev;
}

/* All of the buffer is one piece for the device, page for page where it is. */
static void expect_mapped(struct model *m, struct device *dev, dma_addr_t addr,
			  bool mapped)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	for (pgoff_t i = 0; i < m->nr; i++)
		KUNIT_EXPECT_EQ(m->test, iommu_iova_to_phys(domain, addr + i * PAGE_SIZE),
				mapped ? PFN_PHYS(m->pfn[i]) : 0);
}

static void map_and_unmap(struct model *m, struct device *dev,
			  enum dma_data_direction dir)
{
	struct dma_buf_attachment *attach;
	struct kunit *test = m->test;
	struct sg_table *sgt;
	dma_addr_t addr;

	attach = dma_buf_dynamic_attach(m->dmabuf, dev, &model_importer_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	/* The second time with the table of the first, if that was kept */
	for (int k = 0; k < 2; k++) {
		sgt = dma_buf_map_attachment_unlocked(attach, dir);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		KUNIT_EXPECT_EQ(test, sgt->nents, 1);
		KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), m->nr * PAGE_SIZE);
		addr = sg_dma_address(sgt->sgl);
		expect_mapped(m, dev, addr, true);
		dma_buf_unmap_attachment_unlocked(attach, sgt, dir);
		expect_mapped(m, dev, addr, false);
	}
	dma_buf_detach(m->dmabuf, attach);
}

static const enum dma_data_direction directions[] = {
	DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE,
};

static void maps_ram_as_one_piece(struct kunit *test)
{
	struct device *dev = need_device(test);

	for (u64 seed = 300; seed < 300 + MODEL_ROUNDS; seed++)
		map_and_unmap(model_ram(test, seed), dev, directions[seed % 3]);
}

/* Pieces of the BAR, in any order */
static struct model *model_bar(struct kunit *test, u64 seed)
{
	unsigned long bar = PHYS_PFN(pci_resource_start(peer, IVSHMEM_BAR));
	unsigned long nr = pci_resource_len(peer, IVSHMEM_BAR) >> PAGE_SHIFT;
	struct model *m = model_create(test, seed);
	unsigned long at;

	model_mmio(m, 1 + prandom_u32_state(&m->rnd) % MODEL_MAX_PAGES);
	m->provider = peer_provider;
	m->answer = prandom_u32_state(&m->rnd) % MODEL_ANSWERS;
	for (pgoff_t i = 0; i < m->nr; i++) {
		if (!i || !(prandom_u32_state(&m->rnd) % 4))
			at = prandom_u32_state(&m->rnd) % nr;
		else
			at = (at + 1) % nr;
		m->pfn[i] = bar + at;
	}
	model_export(m, 0);
	return m;
}

static void maps_a_peer_as_one_piece(struct kunit *test)
{
	struct device *dev = need_device(test);

	if (!peer)
		kunit_skip(test, "no PCI device ivshmem-plain that is free");
	/* Below one switch they would talk without the IOMMU. */
	if ((pci_upstream_bridge(peer) &&
	     pci_upstream_bridge(importer) == pci_upstream_bridge(peer)) ||
	    pci_p2pdma_distance(peer, dev, false) < 0)
		kunit_skip(test, "edu doesn't reach it through the host bridge");

	for (u64 seed = 400; seed < 400 + MODEL_ROUNDS; seed++)
		map_and_unmap(model_bar(test, seed), dev, directions[seed % 3]);
}

static struct kunit_case pci_cases[] = {
	KUNIT_CASE(maps_ram_as_one_piece),
	KUNIT_CASE(maps_a_peer_as_one_piece),
	{}
};

static struct kunit_suite pci_suite = {
	.name = "dma-buf-pfn-pci",
	.suite_init = pci_suite_init,
	.suite_exit = pci_suite_exit,
	.test_cases = pci_cases,
};

kunit_test_suite(pci_suite);
