// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation that a call on a dma-buf makes fails in turn: the first, the
 * second, and so on, until the call gets through without a failure. Each time
 * the call has to fail with an error that tells so, or to cope; nothing of it is
 * left behind, the content is what it was, and the same call works right after.
 *
 * A splat of the kernel is a failure as well, of whoever looks at its log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exporters.h"
#include "fail_nth.h"
#include "modes_fixture.h"

/* A limit for calls that never get through */
#define MAX_NTH		2000

struct sweep {
	struct testdev dev;
	struct fail_nth fail;
	int fd;
	char *view;
	char *data;
	struct dma_buf_test_attach attach;
	__u32 id;		/* of the importer */
	int made;		/* fd that a step has made, or -1 */
};

/*
 * Steps and what takes them back; 0 or an error. An undo does nothing if there
 * is nothing to do, and no allocation fails in it.
 */

static int step_open(struct sweep *s)
{
	s->made = testdev_open();
	return s->made < 0 ? s->made : 0;
}

static int undo_made(struct sweep *s)
{
	if (s->made >= 0)
		close(s->made);
	s->made = -1;
	return 0;
}

static int export_backing(struct sweep *s, __u32 backing, size_t size)
{
	s->made = testdev_export(s->dev.fd, &(struct dma_buf_test_export) {
		.size = size,
		.backing = backing,
		.modes = ALL,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	return s->made < 0 ? s->made : 0;
}

static int step_export_scattered(struct sweep *s)
{
	return export_backing(s, DMA_BUF_TEST_SCATTERED, PAGES * page_size);
}

static int step_export_contiguous(struct sweep *s)
{
	return export_backing(s, DMA_BUF_TEST_CONTIGUOUS, PAGES * page_size);
}

static int step_export_huge(struct sweep *s)
{
	return export_backing(s, DMA_BUF_TEST_HUGE,
			      2 * huge_pages() * page_size);
}

static int step_attach(struct sweep *s)
{
	int id = testdev_attach(s->dev.fd, &s->attach);

	if (id < 0)
		return id;
	s->id = id;
	return 0;
}

static int step_detach(struct sweep *s)
{
	return testdev_detach(s->dev.fd, s->id);
}

static int step_map(struct sweep *s)
{
	return testdev_map(s->dev.fd, s->id);
}

static int step_unmap(struct sweep *s)
{
	return testdev_unmap(s->dev.fd, s->id);
}

/* After a DMA that has failed, there may be a mapping or not. */
static int undo_dma(struct sweep *s)
{
	int ret = step_unmap(s);

	return ret == -EINVAL ? 0 : ret;
}

static int step_read(struct sweep *s)
{
	int ret;

	memset(s->data, 0, PAGES * page_size);
	ret = testdev_read(s->dev.fd, s->id, 0, s->data,
			   PAGES * page_size);
	if (!ret && wrong_page(s->data, 0, PAGES, SEED) != -1)
		ret = -EILSEQ;
	return ret;
}

static int step_write(struct sweep *s)
{
	fill(s->data, 0, PAGES, SEED);
	return testdev_write(s->dev.fd, s->id, 0, s->data,
			     PAGES * page_size);
}

static int step_pin(struct sweep *s)
{
	return testdev_pin(s->dev.fd, s->id);
}

static int step_unpin(struct sweep *s)
{
	return testdev_unpin(s->dev.fd, s->id);
}

static int step_move(struct sweep *s)
{
	return testdev_move(s->dev.fd, s->fd);
}

/* Importers may have been told of a move that has failed, or not. */
static int undo_invalidate(struct sweep *s)
{
	int ret = step_map(s);

	return ret == -EBUSY ? 0 : ret;
}

static int step_revoke_and_back(struct sweep *s)
{
	return testdev_revoke(s->dev.fd, s->fd, DMA_BUF_REVOKED_NOW) ?:
	       testdev_revoke(s->dev.fd, s->fd, DMA_BUF_REVOKED_NO);
}

static int step_query(struct sweep *s)
{
	struct dma_buf_query query;
	int ret = query_modes(s->fd, &query);

	if (!ret && query.modes != ALL)
		ret = -EILSEQ;
	return ret;
}

static int step_mmap(struct sweep *s)
{
	char *map = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, s->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	touch(map, PAGES * page_size);
	munmap(map, PAGES * page_size);
	return 0;
}

static int undo_nothing(struct sweep *s)
{
	(void)s;
	return 0;
}

/* All of it, from a buffer of its own on, and back */
static int step_life(struct sweep *s)
{
	struct dma_buf_test_attach attach = s->attach;
	struct testdev dev = s->dev;
	bool may_pin = attach.flags != STATIC;
	__u64 word = 1, seen = 0;
	int id, ret;

	ret = step_export_scattered(s);
	if (ret)
		return ret;
	attach.fd = s->made;
	id = testdev_attach(dev.fd, &attach);
	if (id < 0) {
		ret = id;
		goto out;
	}
	ret = testdev_map(dev.fd, id) ?:
	      testdev_write(dev.fd, id, 0, &word, sizeof(word));
	if (!ret && may_pin)
		ret = testdev_pin(dev.fd, id) ?:
		      testdev_unpin(dev.fd, id);
	if (!ret && attach.flags == CALLBACK && !attach.modes)
		ret = testdev_move(dev.fd, s->made);
	ret = ret ?: testdev_read(dev.fd, id, 0, &seen, sizeof(seen)) ?:
		     testdev_unmap(dev.fd, id);
	if (!ret && seen != word)
		ret = -EILSEQ;
	/* Whatever has failed, this works. */
	if (testdev_detach(dev.fd, id))
		ret = -EILSEQ;
out:
	undo_made(s);
	return ret;
}

FIXTURE(sweep) {
	struct sweep s;
};

FIXTURE_VARIANT(sweep) {
	/* What there is before: an importer of that kind, mapped and pinned */
	__u32 modes;
	__u32 flags;
	bool attached;
	bool mapped;
	unsigned int pins;

	int (*step)(struct sweep *s);
	int (*undo)(struct sweep *s);
	bool maps_dma;
	/*
	 * Must not fail, because nobody could deal with it. Others allocate, and
	 * a sweep in which nothing fails would show nothing.
	 */
	bool never_fails;
};

FIXTURE_VARIANT_ADD(sweep, open) {
	.step = step_open,
	.undo = undo_made,
};

FIXTURE_VARIANT_ADD(sweep, export_scattered) {
	.step = step_export_scattered,
	.undo = undo_made,
};

FIXTURE_VARIANT_ADD(sweep, export_contiguous) {
	.step = step_export_contiguous,
	.undo = undo_made,
};

FIXTURE_VARIANT_ADD(sweep, export_huge) {
	.step = step_export_huge,
	.undo = undo_made,
};

FIXTURE_VARIANT_ADD(sweep, mmap) {
	.step = step_mmap,
	.undo = undo_nothing,
};

FIXTURE_VARIANT_ADD(sweep, query) {
	.step = step_query,
	.undo = undo_nothing,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, attach_static) {
	.flags = STATIC,
	.step = step_attach,
	.undo = step_detach,
};

FIXTURE_VARIANT_ADD(sweep, attach_silent) {
	.step = step_attach,
	.undo = step_detach,
};

FIXTURE_VARIANT_ADD(sweep, attach_callback) {
	.flags = CALLBACK,
	.step = step_attach,
	.undo = step_detach,
};

FIXTURE_VARIANT_ADD(sweep, attach_pinned) {
	.modes = PINNED,
	.step = step_attach,
	.undo = step_detach,
};

FIXTURE_VARIANT_ADD(sweep, attach_revocable) {
	.modes = REVOCABLE,
	.flags = CALLBACK,
	.step = step_attach,
	.undo = step_detach,
};

FIXTURE_VARIANT_ADD(sweep, map_static) {
	.flags = STATIC,
	.attached = true,
	.step = step_map,
	.undo = step_unmap,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, map_pinned) {
	.modes = PINNED,
	.attached = true,
	.step = step_map,
	.undo = step_unmap,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, map_movable) {
	.flags = CALLBACK,
	.attached = true,
	.step = step_map,
	.undo = step_unmap,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, read_static) {
	.flags = STATIC,
	.attached = true,
	.step = step_read,
	.undo = undo_dma,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, read_movable) {
	.flags = CALLBACK,
	.attached = true,
	.step = step_read,
	.undo = undo_dma,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, write_movable) {
	.flags = CALLBACK,
	.attached = true,
	.step = step_write,
	.undo = undo_dma,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, pin) {
	.flags = CALLBACK,
	.attached = true,
	.step = step_pin,
	.undo = step_unpin,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, unpin) {
	.flags = CALLBACK,
	.attached = true,
	.pins = 1,
	.step = step_unpin,
	.undo = step_pin,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, unmap_static) {
	.flags = STATIC,
	.attached = true,
	.mapped = true,
	.step = step_unmap,
	.undo = step_map,
	.maps_dma = true,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, unmap_movable) {
	.flags = CALLBACK,
	.attached = true,
	.mapped = true,
	.step = step_unmap,
	.undo = step_map,
	.maps_dma = true,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, detach_static) {
	.flags = STATIC,
	.attached = true,
	.step = step_detach,
	.undo = step_attach,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, detach_pinned) {
	.modes = PINNED,
	.attached = true,
	.step = step_detach,
	.undo = step_attach,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, detach_movable) {
	.flags = CALLBACK,
	.attached = true,
	.step = step_detach,
	.undo = step_attach,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, move) {
	.flags = CALLBACK,
	.attached = true,
	.mapped = true,
	.step = step_move,
	.undo = undo_invalidate,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, move_with_old_mapping) {
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
	.attached = true,
	.mapped = true,
	.step = step_move,
	.undo = undo_invalidate,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, revoke_and_back) {
	.modes = REVOCABLE,
	.flags = CALLBACK,
	.attached = true,
	.mapped = true,
	.step = step_revoke_and_back,
	.undo = undo_invalidate,
	.maps_dma = true,
	.never_fails = true,
};

FIXTURE_VARIANT_ADD(sweep, life_static) {
	.flags = STATIC,
	.step = step_life,
	.undo = undo_nothing,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, life_pinned) {
	.modes = PINNED,
	.step = step_life,
	.undo = undo_nothing,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, life_revocable) {
	.modes = REVOCABLE,
	.flags = CALLBACK,
	.step = step_life,
	.undo = undo_nothing,
	.maps_dma = true,
};

FIXTURE_VARIANT_ADD(sweep, life_movable) {
	.flags = CALLBACK,
	.step = step_life,
	.undo = undo_nothing,
	.maps_dma = true,
};

FIXTURE_SETUP(sweep)
{
	const char *missing = fail_nth_missing();
	struct sweep *s = &self->s;
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	if (!open_device(_metadata, &s->dev))
		return;
	s->made = -1;
	s->fd = export_pages(_metadata, &s->dev, ALL, HAS_PIN);
	s->view = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, s->fd, 0);
	ASSERT_NE(MAP_FAILED, s->view);
	fill(s->view, 0, PAGES, SEED);
	s->data = malloc(PAGES * page_size);
	ASSERT_NE(NULL, s->data);

	s->attach.fd = s->fd;
	s->attach.modes = variant->modes;
	s->attach.flags = variant->flags;
	if (variant->attached)
		ASSERT_EQ(0, step_attach(s));
	if (variant->mapped)
		ASSERT_EQ(0, step_map(s));
	for (i = 0; i < variant->pins; i++)
		ASSERT_EQ(0, step_pin(s));
	ASSERT_EQ(0, fail_nth_open(&s->fail, variant->maps_dma));
}

FIXTURE_TEARDOWN(sweep)
{
	struct sweep *s = &self->s;

	fail_nth_close(&s->fail);
	free(s->data);
	munmap(s->view, PAGES * page_size);
	close(s->fd);
	close_device(_metadata, &s->dev);
}

/* What must be the same before a step and after it is undone, or has failed */
struct balance {
	int fds;
	int attachments;
	struct shown_attachment shown[MAX_SHOWN];
	__u32 attached;
	__u32 pinned;
	__u32 mapped;
	struct dma_buf_test_buffer_info info;
};

static struct balance take_balance(struct __test_metadata *_metadata,
				   struct sweep *s)
{
	struct balance b;

	memset(&b, 0, sizeof(b));
	b.fds = count_fds();
	b.attachments = read_bufinfo(s->fd, b.shown, MAX_SHOWN);
	ASSERT_LE(0, b.attachments);
	b.info = buffer_info(_metadata, &s->dev, s->fd);
	b.attached = b.info.attaches - b.info.detaches;
	b.pinned = b.info.pin_calls - b.info.unpin_calls;
	b.mapped = b.info.map_calls - b.info.unmap_calls;
	return b;
}

static void check_balance(struct __test_metadata *_metadata, struct sweep *s,
			  const struct balance *before)
{
	struct balance after = take_balance(_metadata, s);
	int i;

	EXPECT_EQ(before->fds, after.fds);
	EXPECT_EQ(before->attached, after.attached);
	EXPECT_EQ(before->pinned, after.pinned);
	EXPECT_EQ(before->mapped, after.mapped);
	EXPECT_EQ(before->info.pins, after.info.pins);
	EXPECT_EQ(before->info.mappings, after.info.mappings);
	EXPECT_EQ(before->attachments, after.attachments);
	for (i = 0; i < before->attachments; i++) {
		EXPECT_STREQ(before->shown[i].mode, after.shown[i].mode);
		EXPECT_EQ(before->shown[i].pins, after.shown[i].pins);
		EXPECT_EQ(before->shown[i].mappings, after.shown[i].mappings);
	}
	EXPECT_EQ(-1, wrong_page(s->view, 0, PAGES, SEED));
}

TEST_F_TIMEOUT(sweep, each_allocation_fails_once, 120)
{
	struct sweep *s = &self->s;
	struct balance before = take_balance(_metadata, s);
	unsigned int nth, errors = 0;
	int ret, failed;

	for (nth = 1; nth < MAX_NTH; nth++) {
		ASSERT_EQ(0, fail_nth_arm(&s->fail, nth));
		ret = variant->step(s);
		failed = fail_nth_disarm(&s->fail);
		ASSERT_LE(0, failed);
		if (!failed)
			break;

		if (!ret || variant->never_fails) {
			/* It has coped. */
			ASSERT_EQ(0, ret);
			ASSERT_EQ(0, variant->undo(s));
		} else {
			ASSERT_TRUE(ret == -ENOMEM || ret == -EFAULT) {
				TH_LOG("nth %u: %d", nth, ret);
			}
			errors++;
			/* What undoes all that a failure may have left */
			if (variant->undo == undo_invalidate ||
			    variant->undo == undo_dma)
				ASSERT_EQ(0, variant->undo(s));
		}
		check_balance(_metadata, s, &before);

		ASSERT_EQ(0, variant->step(s)) {
			TH_LOG("nth %u, again", nth);
		}
		ASSERT_EQ(0, variant->undo(s));
		check_balance(_metadata, s, &before);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code) {
			TH_LOG("nth %u", nth);
		}
	}

	ASSERT_GT(MAX_NTH, (int)nth);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, variant->undo(s));
	check_balance(_metadata, s, &before);
	if (!variant->never_fails)
		EXPECT_LT(0U, errors);
	TH_LOG("%u allocations, %u errors", nth - 1, errors);
}

TEST_HARNESS_MAIN
