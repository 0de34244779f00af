/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A dma-buf of some exporter with a content, and a mapping of its own to write
 * and to check that with: what the fixtures of the mmap tests consist of.
 */
#ifndef SELFTESTS_DMA_BUF_MMAP_CONTEXT_H
#define SELFTESTS_DMA_BUF_MMAP_CONTEXT_H

#include <sys/mman.h>

#include "exporters_fixture.h"
#include "mapping.h"

/* For headers of a C library that is older than these */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif
#ifndef MADV_GUARD_REMOVE
#define MADV_GUARD_REMOVE	103
#endif

/* Some tests need a few pages at either end, and others to spare. */
#define MIN_PAGES	5

struct context {
	const struct exporter *exporter;
	struct dmabuf buf;
	size_t page_size;
	size_t pages;
	char *view;	/* writes and checks the content, apart from the test's */
	char name[32];
	int nr_fds;
};

static void context_setup(struct __test_metadata *_metadata,
			  struct context *ctx, const struct exporter *exporter,
			  size_t size, int flags)
{
	int prot = PROT_READ | (flags == O_RDWR ? PROT_WRITE : 0);
	const char *missing = exporter_missing(exporter);
	int ret;

	/* What the user asked for was there when main() looked. */
	if (missing && !exporter->requested)
		SKIP(return, "%s", missing);

	ctx->nr_fds = count_fds();
	ctx->exporter = exporter;
	ctx->page_size = getpagesize();
	ret = dmabuf_open(&ctx->buf, exporter, size, flags);
	if (ret == -EOPNOTSUPP && exporter->requested && flags == O_RDONLY)
		SKIP(return, "%s: no dma-buf is O_RDONLY", exporter->name);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s gives no dma-buf", exporter->name);
	}
	ctx->pages = ctx->buf.size / ctx->page_size;
	ASSERT_LE((size_t)MIN_PAGES, ctx->pages);

	snprintf(ctx->name, sizeof(ctx->name), "ksft-%d", getpid());
	ASSERT_EQ(0, dmabuf_set_name(ctx->buf.fd, ctx->name));

	ctx->view = mmap(NULL, ctx->buf.size, prot, MAP_SHARED, ctx->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, ctx->view) {
		TH_LOG("%s: mmap: %s", exporter->name, strerror(errno));
	}
	if (flags == O_RDWR)
		fill(ctx->view, 0, ctx->pages, SEED);
}

/* After a test that went well, everything is gone. */
static void context_teardown(struct __test_metadata *_metadata,
			     struct context *ctx)
{
	if (ctx->view)
		munmap(ctx->view, ctx->buf.size);
	dmabuf_close(&ctx->buf);

	if (_metadata->exit_code != KSFT_PASS)
		return;
	EXPECT_EQ(ctx->nr_fds, count_fds());
	EXPECT_EQ(0, count_mappings("/dmabuf:"));
	/* Without debugfs it can't be told. */
	EXPECT_NE(1, dmabuf_alive(ctx->name));
}

#endif /* SELFTESTS_DMA_BUF_MMAP_CONTEXT_H */
