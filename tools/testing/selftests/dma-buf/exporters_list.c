// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exporters that the tests know, each once, and how others are asked for.
 *
 * The fixtures have those that are for them as variants (exporters_fixture.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "exporters.h"

#define PAGE_TABLE_PAGES	512	/* for .pages_per_fault */
#define TTM_PAGES_PER_FAULT	16		/* TTM_BO_VM_NUM_PREFAULT */

/*
 * Of the system heap these are chunks and single pages. Of other memory it is
 * as many pages in other pieces, and three page faults where they are TTM's.
 */
#define CHUNKS			(2 * CHUNK_PAGES + 3)

const struct exporter all_exporters[] = {
	{
		.name = "system_heap",
		.kind = &heap_exporter,
		.device = "system",
		.exp_name = "system",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS | FOR_MODES,
		.pages = CHUNKS,
		/* The core's mmap: a page table */
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* All of it is one range. */
		.name = "system_heap",
		.variant = "system_heap_chunk",
		.kind = &heap_exporter,
		.device = "system",
		.exp_name = "system",
		.fixtures = FOR_READONLY,
		.pages = CHUNK_PAGES,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		.name = "cma_heap",
		.kind = &cma_heap_exporter,
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = 6,
		/* The core's mmap: a page table */
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/*
		 * The test device's memory of the DMA API: dma_mmap_coherent(),
		 * and below dma_mmap_noncontiguous(). Behind an IOMMU it is of
		 * many pieces.
		 */
		.name = "dma_coherent",
		.kind = &dma_coherent_exporter,
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = CHUNKS,
	}, {
		.name = "dma_noncontiguous",
		.kind = &dma_noncontiguous_exporter,
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
	}, {
		/* The core's mmap, of what the test device describes */
		.name = "test_scattered",
		.kind = &testdev_exporter,
		.device = "scattered",
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		.name = "test_contiguous",
		.kind = &testdev_exporter,
		.device = "contiguous",
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
		.max_pages = 1021,	/* what the page allocator gives */
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		.name = "test_huge",
		.kind = &testdev_exporter,
		.device = "huge",
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.granule = 2UL << 20,
		.pages = 2,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* A BAR, without struct pages */
		.name = "test_mmio",
		.kind = &testdev_exporter,
		.device = "mmio",
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = CHUNKS,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		.name = "test_mmio_wc",
		.kind = &testdev_exporter,
		.device = "mmio_wc",
		.exp_name = "dma_buf_test",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/*
		 * Each allocator of videobuf2 exports by itself, and maps all
		 * of a buffer at once: remap_pfnmap_vmalloc(), the DMA API,
		 * remap_pfnmap_pages().
		 */
		.name = "vivid_vmalloc",
		.kind = &v4l2_exporter,
		.device = "vivid",
		.exp_name = "videobuf2_vmalloc",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
	}, {
		.name = "vivid_contig",
		.kind = &v4l2_exporter,
		.device = "vivid",
		.exp_name = "videobuf2_dma_contig",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = CHUNKS,
		.max_pages = 512,	/* no CMA in reach of 32 bits */
	}, {
		.name = "vivid_sg",
		.kind = &v4l2_exporter,
		.device = "vivid",
		.exp_name = "videobuf2_dma_sg",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
	}, {
		.name = "vim2m",
		.kind = &v4l2_exporter,
		.device = "vim2m",
		.exp_name = "videobuf2_vmalloc",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = CHUNKS,
	}, {
		/* One range of a memfd; export_udmabuf() knows no O_RDONLY. */
		.name = "udmabuf",
		.kind = &udmabuf_exporter,
		.exp_name = "udmabuf",
		.fixtures = FOR_MAPPING | FOR_MEMFD | FOR_STRESS | FOR_MODES,
		.pages = 7,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* Its pages in reverse order */
		.name = "udmabuf_list",
		.kind = &udmabuf_list_exporter,
		.exp_name = "udmabuf",
		.fixtures = FOR_MAPPING | FOR_MEMFD | FOR_STRESS,
		.pages = 7,
		/* list_limit of udmabuf.c is 1024. */
		.max_pages = 1021,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* Single pages, and more than one, of hugetlb pages */
		.name = "udmabuf_mixed",
		.kind = &udmabuf_mixed_exporter,
		.exp_name = "udmabuf",
		.fixtures = FOR_MAPPING | FOR_STRESS,
		.pages = 15,
		.max_pages = 1021,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* A memfd of hugetlb pages */
		.name = "udmabuf_huge",
		.kind = &udmabuf_huge_exporter,
		.exp_name = "udmabuf",
		.fixtures = FOR_MAPPING | FOR_MEMFD | FOR_STRESS,
		.granule = 2UL << 20,
		.pages = 2,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/* Transparent huge pages */
		.name = "udmabuf_thp",
		.kind = &thp_exporter,
		.device = "udmabuf",
		.exp_name = "udmabuf",
		.fixtures = FOR_STRESS,
		.pages = 7,
		.pages_per_fault = PAGE_TABLE_PAGES,
	}, {
		/*
		 * drm_gem_shmem_helper.c. vgem's mappings are write-combining;
		 * the pages of virtio_gpu are the device's from the beginning,
		 * and its dma-bufs are not of drm_gem_prime_export().
		 */
		.name = "vgem",
		.kind = &drm_exporter,
		.device = "vgem",
		.exp_name = "drm",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS | FOR_MODES,
		.pages = 7,
		.pages_per_fault = 1,
		.faults_on_write = true,
	}, {
		/* Transparent huge pages: a page fault maps up to a page table. */
		.name = "vgem_thp",
		.kind = &thp_exporter,
		.device = "vgem",
		.exp_name = "drm",
		.fixtures = FOR_STRESS,
		.pages = 7,
		.pages_per_fault = 1,
		.faults_on_write = true,
	}, {
		.name = "vkms",
		.kind = &drm_exporter,
		.device = "vkms",
		.exp_name = "drm",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = 7,
		.pages_per_fault = 1,
		.faults_on_write = true,
	}, {
		.name = "virtio_gpu",
		.kind = &drm_exporter,
		.device = "virtio_gpu",
		.exp_name = "virtio_gpu",
		.fixtures = FOR_MAPPING | FOR_READONLY,
		.pages = 7,
		.pages_per_fault = 1,
		.faults_on_write = true,
	}, {
		/* TTM, in system memory: QXL_GEM_DOMAIN_CPU */
		.name = "qxl",
		.kind = &drm_exporter,
		.device = "qxl",
		.exp_name = "drm",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
		.pages_per_fault = TTM_PAGES_PER_FAULT,
		.access = true,
	}, {
		/* And its own: no access_memory in qxl_bo_driver */
		.name = "qxl_vram",
		.kind = &qxl_vram_exporter,
		.device = "qxl",
		.exp_name = "drm",
		.fixtures = FOR_MAPPING | FOR_READONLY | FOR_STRESS,
		.pages = CHUNKS,
		.pages_per_fault = TTM_PAGES_PER_FAULT,
	},

	{ .name = NULL },
};

const struct exporter *exporter_find(const char *name)
{
	const struct exporter *exporter;

	for (exporter = all_exporters; exporter->name; exporter++)
		if (!strcmp(exporter->name, name))
			return exporter;
	return NULL;
}

/* What can be asked for by the name of a device */
static const struct {
	const char *prefix;
	const struct exporter_kind *kind;
} kinds[] = {
	{ "drm:", &drm_exporter },
	{ "heap:", &heap_exporter },
	{ "v4l2:", &v4l2_exporter },
	{ NULL, NULL },
};

int exporter_request(const char *spec, struct exporter *exporter)
{
	const struct exporter *listed = exporter_find(spec);
	size_t i, len;

	if (listed) {
		*exporter = *listed;
		exporter->requested = true;
		return 0;
	}

	for (i = 0; kinds[i].prefix; i++) {
		len = strlen(kinds[i].prefix);
		if (strncmp(spec, kinds[i].prefix, len) || !spec[len])
			continue;
		*exporter = (struct exporter) {
			.name = spec,
			.kind = kinds[i].kind,
			.device = spec + len,
			.requested = true,
			.unknown = true,
			.pages = CHUNKS,
		};
		return 0;
	}
	return -EINVAL;
}
