// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a mapping of a dma-buf goes: mmap(2) takes an address hint if nothing is
 * mapped there, whatever alignment would be good for huge entries. VMMs and
 * runtimes with an address space of their own rely on that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include <linux/mman.h>

#include "mmap_context.h"

/* What a huge entry covers where pages are 4K; elsewhere just an alignment */
#define SZ_2M		(2UL << 20)

FIXTURE(address) {
	struct context ctx;
	char *room;		/* nothing else is mapped to, 2M aligned */
	size_t room_size;
};

FIXTURE_VARIANT(address) {
	const struct exporter *exporter;
};

static void reserve(char *addr, size_t len)
{
	mmap(addr, len, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

FIXTURE_SETUP(address)
{
	const struct exporter *exporter = variant->exporter;
	size_t spare;
	char *map;

	context_setup(_metadata, &self->ctx, exporter, exporter_large(exporter),
		      O_RDWR);
	if (_metadata->exit_code)
		return;		/* skipped */

	self->room_size = 3 * self->ctx.buf.size + 4 * SZ_2M;
	map = mmap(NULL, self->room_size + SZ_2M, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	spare = -(unsigned long)map & (SZ_2M - 1);
	self->room = map + spare;
}

FIXTURE_TEARDOWN(address)
{
	context_teardown(_metadata, &self->ctx);
}

static char *map_at(struct context *ctx, char *addr, int flags)
{
	return mmap(addr, ctx->buf.size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | flags, ctx->buf.fd, 0);
}

/* From a huge page boundary, just behind it, and half way to the next */
static const size_t distances[] = { 0, 1, 256 };

static void check_hint(struct __test_metadata *_metadata, struct context *ctx,
		       char *hint, int flags)
{
	char *map = map_at(ctx, hint, flags);

	EXPECT_EQ(hint, map);
	if (map == MAP_FAILED)
		return;
	EXPECT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	munmap(map, ctx->buf.size);
}

TEST_F(address, free_hint_is_taken)
{
	struct context *ctx = &self->ctx;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(distances); i++) {
		char *hint = self->room + SZ_2M + distances[i] * ctx->page_size;

		/* A hole of just that size, then one with room */
		munmap(hint, ctx->buf.size);
		check_hint(_metadata, ctx, hint, 0);
		munmap(hint, ctx->buf.size + SZ_2M);
		check_hint(_metadata, ctx, hint, 0);
		check_hint(_metadata, ctx, hint, MAP_FIXED_NOREPLACE);
		check_hint(_metadata, ctx, hint, MAP_FIXED);
		reserve(self->room, self->room_size);
	}
}

TEST_F(address, hint_in_use_is_not)
{
	struct context *ctx = &self->ctx;
	char *hint = self->room + SZ_2M;
	char *map;

	/* All but the last page is free. */
	munmap(hint, ctx->buf.size - ctx->page_size);
	map = map_at(ctx, hint, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_NE(hint, map);
	EXPECT_EQ(-1, wrong_page(map, 0, ctx->pages, SEED));
	munmap(map, ctx->buf.size);
	EXPECT_EQ(MAP_FAILED, map_at(ctx, hint, MAP_FIXED_NOREPLACE));
	EXPECT_EQ(EEXIST, errno);
}

/* Room for both halves is found, and the halves are mapped there by hint. */
TEST_F(address, mirrored_ring)
{
	struct context *ctx = &self->ctx;
	size_t i, size = ctx->buf.size;

	for (i = 0; i < ARRAY_SIZE(distances); i++) {
		char *ring = self->room + SZ_2M + distances[i] * ctx->page_size;

		munmap(ring, 2 * size);
		ASSERT_EQ(ring, map_at(ctx, ring, 0));
		ASSERT_EQ(ring + size, map_at(ctx, ring + size, 0));
		fill(ring + size - ctx->page_size, ctx->pages - 1, 1,
		     OTHER_SEED);
		EXPECT_EQ(-1, wrong_page(ring + 2 * size - ctx->page_size,
					 ctx->pages - 1, 1, OTHER_SEED));
		fill(ring, 0, ctx->pages, SEED);
		munmap(ring, 2 * size);
		reserve(self->room, self->room_size);
	}
}

/* mremap() does that for files whose choice of an address it knows. */
TEST_F(address, two_mappings_move_at_once)
{
	struct context *ctx = &self->ctx;
	size_t size = ctx->buf.size;
	size_t half = ctx->pages / 2 * ctx->page_size;
	char *from = self->room, *to = self->room + size + SZ_2M;

	/* Two, as the second half comes first. */
	ASSERT_EQ(from, mmap(from, size - half, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, ctx->buf.fd, half));
	ASSERT_EQ(from + size - half,
		  mmap(from + size - half, half, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, ctx->buf.fd, 0));
	ASSERT_EQ(to, mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to)) {
		TH_LOG("mremap: %s", strerror(errno));
	}
	EXPECT_EQ(-1, wrong_page(to, ctx->pages / 2,
				 ctx->pages - ctx->pages / 2, SEED));
	EXPECT_EQ(-1, wrong_page(to + size - half, 0, ctx->pages / 2, SEED));
	munmap(to, size);
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_address_fixture_object, exporters, FOR_MAPPING);
	return test_harness_run(argc, argv);
}
