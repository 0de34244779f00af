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
};

FIXTURE_SETUP(mapping)
{
	const struct exporter *exporter = variant->exporter;

	context_setup(_metadata, &self->ctx, exporter, exporter_small(exporter),
		      O_RDWR);
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
};

FIXTURE_SETUP(memfd)
{
	const struct exporter *exporter = variant->exporter;

	context_setup(_metadata, &self->ctx, exporter, exporter_small(exporter),
		      O_RDWR);
	if (!_metadata->exit_code && self->ctx.buf.memfd < 0)
		SKIP(return, "%s: its memory is no memfd's", exporter->name);
}

FIXTURE_TEARDOWN(memfd)
{
	context_teardown(_metadata, &self->ctx);
}

#endif /* SELFTESTS_DMA_BUF_MMAP_FIXTURE_H */
