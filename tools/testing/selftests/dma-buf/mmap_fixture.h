/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture of the tests of CPU mappings: a dma-buf of every exporter, with a
 * content, and a mapping of its own to write and to check that with.
 *
 * "# attempt: <attempt> | <exporter> | <result>" lines are for machines; one is
 * printed once its assertions hold.
 */
#ifndef SELFTESTS_DMA_BUF_MMAP_FIXTURE_H
#define SELFTESTS_DMA_BUF_MMAP_FIXTURE_H

#include "mmap_context.h"

static char *map_pages(struct __test_metadata *_metadata, struct context *ctx,
		       size_t first, size_t nr)
{
	char *map = mmap(NULL, nr * ctx->page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, ctx->buf.fd, first * ctx->page_size);

	ASSERT_NE(MAP_FAILED, map);
	return map;
}

/* Another mapping of the buffer, with its page table entries or untouched */
static char *map_buffer(struct __test_metadata *_metadata, struct context *ctx,
			bool present)
{
	char *map = map_pages(_metadata, ctx, 0, ctx->pages);

	if (present)
		touch(map, ctx->buf.size);
	return map;
}

static void unmap(struct __test_metadata *_metadata, char *map, size_t len)
{
	ASSERT_EQ(0, munmap(map, len));
}

static void report(const struct context *ctx, const char *attempt,
		   const char *result)
{
	ksft_print_msg("attempt: %s | %s | %s\n", attempt, ctx->exporter->name,
		       result);
}

static const char *error_name(int error)
{
	switch (error) {
	case EACCES:
		return "EACCES";
	case EFAULT:
		return "EFAULT";
	case EINVAL:
		return "EINVAL";
	case EIO:
		return "EIO";
	case ENODEV:
		return "ENODEV";
	case ENXIO:
		return "ENXIO";
	}
	return "?";
}

FIXTURE(mapping) {
	struct context ctx;
};

FIXTURE_VARIANT(mapping) {
	const struct exporter *exporter;
	size_t pages;
	size_t bytes;		/* where pages are no unit that fits */
};

/*
 * The system heap has chunks of 16 pages, and single ones for the rest (orders[]
 * of system_heap.c). Of other memory it is as many pages in other pieces.
 */
#define CHUNK_PAGES	16
#define CHUNKS		(2 * CHUNK_PAGES + 3)

FIXTURE_VARIANT_ADD(mapping, system_heap) {
	.exporter = &system_heap,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, cma_heap) {
	.exporter = &cma_heap,
	.pages = 6,
};

FIXTURE_VARIANT_ADD(mapping, dma_coherent) {
	.exporter = &dma_coherent,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, dma_noncontiguous) {
	.exporter = &dma_noncontiguous,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, vivid_vmalloc) {
	.exporter = &vivid_vmalloc,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, vivid_contig) {
	.exporter = &vivid_contig,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, vivid_sg) {
	.exporter = &vivid_sg,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, vim2m) {
	.exporter = &vim2m,
	.pages = CHUNKS,
};

FIXTURE_VARIANT_ADD(mapping, udmabuf) {
	.exporter = &udmabuf,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(mapping, udmabuf_list) {
	.exporter = &udmabuf_list,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(mapping, udmabuf_huge) {
	.exporter = &udmabuf_huge,
	.bytes = 4 << 20,
};

FIXTURE_VARIANT_ADD(mapping, vgem) {
	.exporter = &vgem,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(mapping, vkms) {
	.exporter = &vkms,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(mapping, virtio_gpu) {
	.exporter = &virtio_gpu,
	.pages = 7,
};

/* Three page faults (TTM_BO_VM_NUM_PREFAULT) */
FIXTURE_VARIANT_ADD(mapping, qxl) {
	.exporter = &qxl,
	.pages = 16 + 16 + 3,
};

FIXTURE_VARIANT_ADD(mapping, qxl_vram) {
	.exporter = &qxl_vram,
	.pages = 16 + 16 + 3,
};

FIXTURE_SETUP(mapping)
{
	size_t size = variant->bytes ?: variant->pages * getpagesize();

	context_setup(_metadata, &self->ctx, variant->exporter, size, O_RDWR);
}

FIXTURE_TEARDOWN(mapping)
{
	context_teardown(_metadata, &self->ctx);
}

/* udmabuf has a memfd that the memory stays part of. */

FIXTURE(memfd) {
	struct context ctx;
};

FIXTURE_VARIANT(memfd) {
	const struct exporter *exporter;
	size_t pages;
	size_t bytes;
};

FIXTURE_VARIANT_ADD(memfd, udmabuf) {
	.exporter = &udmabuf,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(memfd, udmabuf_list) {
	.exporter = &udmabuf_list,
	.pages = 7,
};

FIXTURE_VARIANT_ADD(memfd, udmabuf_huge) {
	.exporter = &udmabuf_huge,
	.bytes = 4 << 20,
};

FIXTURE_SETUP(memfd)
{
	size_t size = variant->bytes ?: variant->pages * getpagesize();

	context_setup(_metadata, &self->ctx, variant->exporter, size, O_RDWR);
}

FIXTURE_TEARDOWN(memfd)
{
	context_teardown(_metadata, &self->ctx);
}

#endif /* SELFTESTS_DMA_BUF_MMAP_FIXTURE_H */
