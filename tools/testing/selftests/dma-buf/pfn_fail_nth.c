// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation fails in turn while a buffer is made, attached, mapped and
 * accessed that its exporter only describes, so that the core does the work.
 *
 * The call that has failed tells so, or copes. The content is what it was, the
 * same call works right after, and so does the rest. A splat of the kernel is a
 * failure as well, of whoever looks at its log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exporters_fixture.h"
#include "fail_nth.h"
#include "modes_fixture.h"

/* A limit for calls that never get through */
#define MAX_NTH		2000

static int setup_error;

static __attribute__((constructor)) void set_knobs(void)
{
	if (!fail_nth_missing())
		setup_error = fail_nth_setup();
}

static __attribute__((destructor)) void restore_knobs(void)
{
	if (!fail_nth_missing())
		fail_nth_restore();
}

/* A buffer and its importer, as far as they are */
struct life {
	const struct exporter *exporter;
	int dev;
	int fail_nth;
	struct dmabuf buf;
	int id;
	char *data;		/* as large as the buffer */
	size_t pages;
};

/* The calls in their order, each 0 or a negative errno */

static int make(struct life *l)
{
	return dmabuf_open(&l->buf, l->exporter, exporter_small(l->exporter),
			   O_RDWR);
}

static int fill_by_cpu(struct life *l)
{
	char *map = mmap(NULL, l->buf.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 l->buf.fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	fill(map, 0, l->pages, SEED);
	munmap(map, l->buf.size);
	return 0;
}

static int attach_importer(struct life *l)
{
	struct dma_buf_test_attach args = {
		.fd = l->buf.fd,
		.flags = CALLBACK,
	};

	l->id = testdev_attach(l->dev, &args);
	return l->id < 0 ? l->id : 0;
}

static int map_for_device(struct life *l)
{
	return testdev_map(l->dev, l->id);
}

static int is_right(struct life *l)
{
	return wrong_page(l->data, 0, l->pages, SEED) == -1 ? 0 : -EILSEQ;
}

static int read_by_device(struct life *l)
{
	memset(l->data, 0, l->buf.size);
	return testdev_read(l->dev, l->id, 0, l->data, l->buf.size) ?:
	       is_right(l);
}

static int sync_for_cpu(struct life *l)
{
	return dmabuf_sync(l->buf.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) ?:
	       dmabuf_sync(l->buf.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

static int read_by_kernel(struct life *l)
{
	memset(l->data, 0, l->buf.size);
	return testdev_vmap_read(l->dev, l->buf.fd, 0, l->data, l->buf.size) ?:
	       is_right(l);
}

static const struct call {
	const char *name;
	int (*fn)(struct life *l);
	/*
	 * A memfd has ENOSPC as well, and dmabuf_open() looks at the buffer with
	 * calls that allocate.
	 */
	bool any_error;
} calls[] = {
	{ "create", make, true },
	{ "mmap", fill_by_cpu, false },
	{ "attach", attach_importer, false },
	{ "map", map_for_device, false },
	{ "DMA", read_by_device, false },
	{ "sync", sync_for_cpu, false },
	{ "vmap", read_by_kernel, false },
};

FIXTURE(life) {
	struct testdev watch;
	struct life l;
};

FIXTURE_VARIANT(life) {
	const struct exporter *exporter;
};

FIXTURE_SETUP(life)
{
	const struct exporter *exporter = variant->exporter;
	const char *missing = fail_nth_missing() ?: exporter_missing(exporter);
	struct life *l = &self->l;

	if (missing)
		SKIP(return, "%s", missing);
	if (!open_device(_metadata, &self->watch))
		return;
	ASSERT_EQ(0, setup_error);
	/* What is mapped is counted by CONFIG_DMA_API_DEBUG in tree nodes. */
	ASSERT_EQ(0, fail_nth_spare_trees(true));
	l->exporter = exporter;
	l->pages = exporter_small(exporter) / page_size;
	l->data = malloc(exporter_small(exporter));
	ASSERT_NE(NULL, l->data);
	l->fail_nth = fail_nth_open();
	ASSERT_LE(0, l->fail_nth);
}

FIXTURE_TEARDOWN(life)
{
	close(self->l.fail_nth);
	free(self->l.data);
	ASSERT_EQ(0, fail_nth_spare_trees(false));
	close_device(_metadata, &self->watch);
}

/* Returns whether the @nth allocation of call @failing has failed. */
static bool run(struct __test_metadata *_metadata, struct life *l,
		size_t failing, unsigned int nth)
{
	bool failed = false;
	size_t i;

	l->dev = testdev_open();
	ASSERT_LE(0, l->dev);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		int ret, left;

		if (i == failing) {
			ASSERT_EQ(0, fail_nth_arm(l->fail_nth, nth));
			ret = calls[i].fn(l);
			left = fail_nth_disarm(l->fail_nth);
			ASSERT_LE(0, left);
			failed = !left;
			if (!ret)
				continue;
			ASSERT_TRUE(failed && (calls[i].any_error ||
					       ret == -ENOMEM ||
					       ret == -EFAULT)) {
				TH_LOG("%s, allocation %u: %d", calls[i].name,
				       nth, ret);
			}
		}
		ret = calls[i].fn(l);
		ASSERT_EQ(0, ret) {
			TH_LOG("%s after allocation %u of %s: %d",
			       calls[i].name, nth, calls[failing].name, ret);
		}
	}
	close(l->dev);
	dmabuf_close(&l->buf);
	return failed;
}

TEST_F_TIMEOUT(life, survives_each_allocation, 180)
{
	unsigned int nth, total = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (nth = 1; run(_metadata, &self->l, i, nth); nth++)
			ASSERT_GT(MAX_NTH, (int)nth);
		total += nth - 1;
	}
	/* Not to be made without memory, nor mapped */
	EXPECT_LT(5U, total);
	TH_LOG("%u allocations", total);
}

/* Those that the core maps; one of many pages would take too long. */
static bool is_wanted(const struct exporter *exporter)
{
	static const char *const names[] = {
		"system_heap", "cma_heap", "udmabuf", "udmabuf_list",
		"test_scattered", "test_contiguous",
	};
	size_t i;

	if (exporter->requested)
		return true;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(exporter->name, names[i]) && !exporter->variant)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct exporter *exporter, *all = exporters_wanted(&argc, argv);
	struct exporter *wanted;
	size_t nr = 0;

	for (exporter = all; exporter->name; exporter++)
		nr++;
	wanted = calloc(nr + 1, sizeof(*wanted));
	if (!wanted)
		ksft_exit_fail_perror("calloc");
	for (nr = 0, exporter = all; exporter->name; exporter++)
		if (is_wanted(exporter))
			wanted[nr++] = *exporter;
	add_exporters(&_life_fixture_object, wanted, ~0U);
	return test_harness_run(argc, argv);
}
