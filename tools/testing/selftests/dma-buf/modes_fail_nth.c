// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation in the life of a dma-buf fails in turn.
 *
 * The body of a test is run again and again: with the first allocation failing,
 * with the second, and so on, until it gets through without a failure. The call
 * that has failed has to tell so, or to cope. Nothing of it is left behind, the
 * content is what it was, and the same call works right after, as does the rest
 * of the body. Each is run a second time that ends with the failure, so that
 * cleaning up begins there.
 *
 * A splat of the kernel is a failure as well, of whoever looks at its log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fail_nth.h"
#include "modes_fixture.h"
#include "sw_sync.h"

/* A limit for bodies that never get through */
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

struct sweep {
	struct testdev watch;	/* looks at what the body makes */
	int fail_nth;

	/* What the body makes */
	int dev;
	int fd;
	size_t size;
	char *view;
	char *data;
	__u64 seed;		/* of the content that it has to have */

	unsigned int left;	/* allocations until one fails */
	bool failed;
	bool ends_there;
	jmp_buf end;
	char before[512];	/* what there was before the call */
};

static void begin_run(struct __test_metadata *_metadata, struct sweep *s)
{
	const char *missing = fail_nth_missing();

	if (missing)
		SKIP(return, "%s", missing);
	memset(s, 0, sizeof(*s));
	s->dev = -1;
	s->fd = -1;
	if (!open_device(_metadata, &s->watch))
		return;
	ASSERT_EQ(0, setup_error);
	ASSERT_EQ(0, fail_nth_spare_trees(false));
	s->fail_nth = fail_nth_open();
	ASSERT_LE(0, s->fail_nth);
}

static void end_run(struct __test_metadata *_metadata, struct sweep *s)
{
	/* Importers go with the file that they were made by, all of them. */
	if (s->dev >= 0)
		close(s->dev);
	EXPECT_EQ(0, testdev_set_dma_mask(s->watch.fd, 0, 64));
	if (s->view) {
		expect_balance(_metadata, &s->watch, s->fd);
		EXPECT_EQ(-1, wrong_page(s->view, 0, s->size / page_size,
					 s->seed));
		munmap(s->view, s->size);
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s->data);
	close(s->fail_nth);
	close_device(_metadata, &s->watch);
}

FIXTURE(sweep) {
	struct sweep s;
};

FIXTURE_SETUP(sweep)
{
	begin_run(_metadata, &self->s);
}

FIXTURE_TEARDOWN(sweep)
{
	end_run(_metadata, &self->s);
}

/* All that a call must not change if it fails, and what it may leave behind */
static void look(struct __test_metadata *_metadata, struct sweep *s,
		 char *text, size_t size)
{
	struct shown_attachment shown[MAX_SHOWN];
	struct dma_buf_test_buffer_info info;
	size_t len;
	int nr, i;

	len = snprintf(text, size, "%d fds, %d buffers", count_fds(),
		       count_buffers());
	if (s->fd < 0)
		return;
	info = buffer_info(_metadata, &s->watch, s->fd);
	len += snprintf(text + len, size - len,
			", %u attached, %u/%u pins, %u/%u mappings",
			info.attaches - info.detaches,
			info.pins, info.pin_calls - info.unpin_calls,
			info.mappings, info.map_calls - info.unmap_calls);
	nr = read_bufinfo(s->fd, shown, MAX_SHOWN);
	ASSERT_LE(0, nr);
	for (i = 0; i < nr; i++)
		len += snprintf(text + len, size - len, "; %s, %u, %u, %u",
				shown[i].mode, shown[i].pins,
				shown[i].mappings, shown[i].pfn_mappings);
	ASSERT_GT(size, len);
}

/*
 * A call in the body of a test, which returns a negative errno if it fails. Some
 * must not, because nobody could deal with it. Others allocate, and if none of
 * their allocations makes them fail, they show nothing.
 */
struct call {
	const char *name;
	bool may_fail;
	bool known;
	unsigned int errors;
	struct call *next;
};

static struct call *calls;

#define CALL(expr)		SWEPT(expr, true)
#define NEVER_FAILS(expr)	SWEPT(expr, false)

#define SWEPT(expr, fails) ({						\
	static struct call _call = { .name = #expr, .may_fail = fails };\
	int _ret;							\
									\
	do {								\
		before_call(_metadata, s, &_call);			\
		_ret = (expr);						\
	} while (try_again(_metadata, s, &_call, _ret));		\
	_ret;								\
})

static void before_call(struct __test_metadata *_metadata,
			struct sweep *s, struct call *call)
{
	if (!call->known) {
		call->known = true;
		call->next = calls;
		calls = call;
	}
	if (s->failed)
		return;
	look(_metadata, s, s->before, sizeof(s->before));
	ASSERT_EQ(0, fail_nth_arm(s->fail_nth, s->left));
}

/* Does not return if the body ends with the call */
static bool try_again(struct __test_metadata *_metadata,
		      struct sweep *s, struct call *call, int ret)
{
	char now[sizeof(s->before)];
	int left = 0;

	if (!s->failed) {
		left = fail_nth_disarm(s->fail_nth);
		ASSERT_LE(0, left);
	}
	if (ret >= 0 || s->failed || left || !call->may_fail) {
		ASSERT_LE(0, ret) {
			TH_LOG("%s", call->name);
		}
		s->failed |= !left;
		s->left = left;
		return false;
	}

	s->failed = true;
	call->errors++;
	ASSERT_TRUE(ret == -ENOMEM || ret == -EFAULT) {
		TH_LOG("%s: %d", call->name, ret);
	}
	look(_metadata, s, now, sizeof(now));
	EXPECT_STREQ(s->before, now) {
		TH_LOG("%s", call->name);
	}
	if (s->view)
		EXPECT_EQ(-1, wrong_page(s->view, 0, s->size / page_size,
					 s->seed));
	if (s->ends_there)
		longjmp(s->end, 1);
	return true;
}

typedef void (*body_fn)(struct __test_metadata *_metadata,
			struct sweep *s);

/* Returns whether an allocation has failed. */
static bool run(struct __test_metadata *_metadata, struct sweep *s,
		body_fn body, unsigned int nth, bool ends_there)
{
	bool failed;

	s->left = nth;
	s->ends_there = ends_there;
	if (!setjmp(s->end))
		body(_metadata, s);
	failed = s->failed;
	if (_metadata->exit_code == KSFT_SKIP)
		return false;

	end_run(_metadata, s);
	begin_run(_metadata, s);
	ASSERT_EQ(KSFT_PASS, _metadata->exit_code) {
		TH_LOG("allocation %u", nth);
	}
	return failed;
}

/* Fail each allocation. Return: their number. */
static unsigned int fail_each(struct __test_metadata *_metadata,
			      struct sweep *s, body_fn body)
{
	unsigned int nth;

	for (nth = 1; run(_metadata, s, body, nth, false); nth++) {
		run(_metadata, s, body, nth, true);
		ASSERT_GT(MAX_NTH, (int)nth);
	}
	return nth - 1;
}

static long list_objects(char **text)
{
	size_t len;
	FILE *list = open_memstream(text, &len);
	long nr = count_objects(list);

	fclose(list);
	return nr;
}

static void sweep(struct __test_metadata *_metadata,
		  struct sweep *s, body_fn body)
{
	char *before = NULL, *after = NULL;
	unsigned int nr, round = 0;
	long objects, left;
	struct call *call;
	int i;

	/*
	 * Caches of an IOMMU or for debugging may get an object, once. A leak is
	 * there the next time again.
	 */
	do {
		free(before);
		objects = list_objects(&before);
		nr = fail_each(_metadata, s, body);
		/* Some are freed after a grace period of RCU. */
		for (i = 0; (left = count_objects(NULL)) > objects && i < 50; i++)
			usleep(100000);
	} while (left > objects && ++round < 3);

	for (call = calls; call; call = call->next) {
		EXPECT_EQ(call->may_fail, !!call->errors) {
			TH_LOG("%s", call->name);
		}
	}
	EXPECT_GE(objects, left) {
		list_objects(&after);
		TH_LOG("before:\n%s", before);
		TH_LOG("after:\n%s", after);
		free(after);
	}
	free(before);
	TH_LOG("%u allocations", nr);
}

/* An ordinary body, and the sweep over the calls that it marks */
#define TEST_FAIL_NTH(name)						\
	static void name##_body(struct __test_metadata *_metadata,	\
				struct sweep *s);			\
	TEST_F_TIMEOUT(sweep, name, 240)				\
	{								\
		sweep(_metadata, &self->s, name##_body);		\
	}								\
	static void name##_body(struct __test_metadata *_metadata,	\
				struct sweep *s)

/* The calls, each with one error at most */

static int map_and_touch(struct sweep *s)
{
	char *map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 s->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	touch(map, s->size);
	munmap(map, s->size);
	return 0;
}

/* With no mapping before. If the DMA fails there may be one, or still none. */
static int unmap_after_dma(struct sweep *s, __u32 id)
{
	int ret = testdev_unmap(s->dev, id);

	return ret == -EINVAL ? 0 : ret;
}

static int dma_read(struct sweep *s, __u32 id)
{
	int ret;

	memset(s->data, 0, s->size);
	ret = testdev_read(s->dev, id, 0, s->data, s->size);
	if (ret)
		return unmap_after_dma(s, id) ?: ret;
	return wrong_page(s->data, 0, s->size / page_size, s->seed) ==
	       -1 ? 0 : -EILSEQ;
}

static int dma_write(struct sweep *s, __u32 id, __u64 seed)
{
	int ret;

	fill(s->data, 0, s->size / page_size, seed);
	ret = testdev_write(s->dev, id, 0, s->data, s->size);
	if (ret)
		return unmap_after_dma(s, id) ?: ret;
	s->seed = seed;
	return 0;
}

/* The bodies */

static void make_buffer(struct __test_metadata *_metadata,
			struct sweep *s, __u32 backing, __u32 flags,
			size_t pages)
{
	struct dma_buf_query query;

	s->size = pages * page_size;
	s->dev = CALL(testdev_open());
	s->fd = CALL(testdev_export_all(s->dev, backing, flags, s->size));

	s->view = map_pages(_metadata, s->fd, 0, pages);
	s->data = malloc(s->size);
	ASSERT_NE(NULL, s->data);
	s->seed = SEED;
	fill(s->view, 0, pages, SEED);

	CALL(map_and_touch(s));
	NEVER_FAILS(query_modes(s->fd, &query));
	/* MMIO is never offered pinned. */
	EXPECT_EQ((__u32)(testdev_is_mmio(backing) ? ALL & ~PINNED : ALL),
		  query.modes);
}

static __u32 make_importer_of(struct __test_metadata *_metadata,
			      struct sweep *s, __u32 buffer_flags, __u32 modes,
			      __u32 flags)
{
	struct dma_buf_test_attach args = { .modes = modes, .flags = flags };
	int id;

	make_buffer(_metadata, s, DMA_BUF_TEST_SCATTERED, buffer_flags, PAGES);
	args.fd = s->fd;
	id = CALL(testdev_attach(s->dev, &args));
	/* From here on, DMA is mapped. */
	ASSERT_EQ(0, fail_nth_spare_trees(true));
	return id;
}

static __u32 make_importer(struct __test_metadata *_metadata,
			   struct sweep *s, __u32 modes, __u32 flags)
{
	return make_importer_of(_metadata, s, 0, modes, flags);
}

TEST_FAIL_NTH(scattered_buffer)
{
	make_buffer(_metadata, s, DMA_BUF_TEST_SCATTERED, 0, PAGES);
}

TEST_FAIL_NTH(contiguous_buffer)
{
	make_buffer(_metadata, s, DMA_BUF_TEST_CONTIGUOUS, 0, PAGES);
}

TEST_FAIL_NTH(huge_buffer)
{
	make_buffer(_metadata, s, DMA_BUF_TEST_HUGE, 0, 2 * huge_pages());
}

TEST_FAIL_NTH(static_importer)
{
	__u32 id = make_importer(_metadata, s, 0, STATIC);

	CALL(dma_write(s, id, OTHER_SEED));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(testdev_map(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(silent_importer)
{
	__u32 id = make_importer(_metadata, s, 0, 0);

	NEVER_FAILS(testdev_pin(s->dev, id));
	CALL(testdev_map(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_unpin(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(pinned_importer)
{
	__u32 id = make_importer(_metadata, s, PINNED, 0);

	CALL(testdev_map(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_write(s, id, OTHER_SEED));
	NEVER_FAILS(testdev_pin(s->dev, id));
	NEVER_FAILS(testdev_unpin(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	/* Unmaps too */
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(revocable_importer)
{
	__u32 id = make_importer(_metadata, s, REVOCABLE, CALLBACK);

	CALL(dma_write(s, id, OTHER_SEED));
	NEVER_FAILS(testdev_pin(s->dev, id));
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NOW));
	NEVER_FAILS(testdev_unpin(s->dev, id));
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NO));
	CALL(testdev_map(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

static int revoke_times_out(struct sweep *s)
{
	int ret = testdev_revoke_timeout(s->dev, s->fd, DMA_BUF_REVOKED_NOW, 20);

	return ret == -ETIMEDOUT ? 0 : -EBADE;
}

/* Without memory for a list of fences, it waits for them all the same. */
TEST_FAIL_NTH(revoke_waits_for_a_fence)
{
	int timeline;

	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	make_buffer(_metadata, s, DMA_BUF_TEST_SCATTERED, 0, PAGES);
	timeline = timeline_open();
	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_fence(timeline, 1, s->fd, DMA_BUF_SYNC_RW));
	NEVER_FAILS(revoke_times_out(s));
	close(timeline);
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NOW));
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NO));
}

/* A fence is there, so the revoke needs memory, and does without. */
TEST_FAIL_NTH(busy_importer_that_is_revoked)
{
	struct dma_buf_test_attach args = {
		.modes = REVOCABLE,
		.flags = CALLBACK | DMA_BUF_TEST_BUSY,
		.delay_ms = 20,
	};
	int id;

	make_buffer(_metadata, s, DMA_BUF_TEST_SCATTERED, 0, PAGES);
	args.fd = s->fd;
	id = CALL(testdev_attach(s->dev, &args));
	ASSERT_EQ(0, fail_nth_spare_trees(true));
	CALL(dma_write(s, id, OTHER_SEED));
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NOW));
	NEVER_FAILS(testdev_revoke(s->dev, s->fd, DMA_BUF_REVOKED_NO));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(movable_importer)
{
	__u32 id = make_importer(_metadata, s, 0, CALLBACK);

	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_write(s, id, OTHER_SEED));
	NEVER_FAILS(testdev_pin(s->dev, id));
	NEVER_FAILS(testdev_unpin(s->dev, id));
	CALL(testdev_move(s->dev, s->fd));
	EXPECT_EQ(1U, buffer_info(_metadata, &s->watch, s->fd).moves);
	CALL(testdev_map(s->dev, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(movable_importer_core_maps)
{
	__u32 id = make_importer_of(_metadata, s, DMA_BUF_TEST_CORE_MAPS, 0,
				    CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	CALL(dma_write(s, id, OTHER_SEED));
	CALL(testdev_move(s->dev, s->fd));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

/* No device: where the buffer is, and content by that */
static __u32 make_asking_importer(struct __test_metadata *_metadata,
				  struct sweep *s, __u32 backing, __u32 flags)
{
	struct dma_buf_test_attach args = {
		.device = DMA_BUF_TEST_NO_DEVICE,
		.modes = ALL,
		.flags = flags,
	};

	make_buffer(_metadata, s, backing, DMA_BUF_TEST_CORE_MAPS, PAGES);
	args.fd = s->fd;
	return CALL(testdev_attach(s->dev, &args));
}

static int ask(struct sweep *s, __u32 id)
{
	struct dma_buf_test_pfn_range ranges[PAGES];

	return testdev_pfn_query(s->dev, id, 0, PAGES, ranges, PAGES);
}

static int vmap_read(struct sweep *s)
{
	int ret;

	memset(s->data, 0, s->size);
	ret = testdev_vmap_read(s->dev, s->fd, 0, s->data, s->size);
	if (ret)
		return ret;
	return wrong_page(s->data, 0, s->size / page_size, s->seed) ==
	       -1 ? 0 : -EILSEQ;
}

/*
 * A mapping that is opened for the read stays, and another call looks anew. Not
 * all of the buffer: for a large copy, kvmalloc() falls back to vmalloc().
 */
static int asking_read(struct sweep *s, __u32 id)
{
	__u64 word = 0;
	int ret = testdev_read(s->dev, id, 0, &word, sizeof(word));

	testdev_pfn_close(s->dev, id);
	if (ret)
		return ret;
	return word == page_mark(s->seed, 0) ? 0 : -EILSEQ;
}

static void ask_for_everything(struct __test_metadata *_metadata,
			       struct sweep *s, __u32 id)
{
	int nr;

	NEVER_FAILS(testdev_pfn_open(s->dev, id, true));
	nr = CALL(ask(s, id));
	EXPECT_LT(0, nr);
	CALL(testdev_move(s->dev, s->fd));
	NEVER_FAILS(testdev_pfn_close(s->dev, id));
	CALL(asking_read(s, id));
	CALL(vmap_read(s));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_FAIL_NTH(importer_that_asks)
{
	__u32 id = make_asking_importer(_metadata, s, DMA_BUF_TEST_SCATTERED,
					CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	ask_for_everything(_metadata, s, id);
}

TEST_FAIL_NTH(importer_that_asks_for_mmio)
{
	struct dma_buf_test_export probe = {
		.size = page_size,
		.backing = DMA_BUF_TEST_MMIO_WC,
		.open_flags = O_RDWR | O_CLOEXEC,
	};
	int fd = testdev_export(s->watch.fd, &probe);
	__u32 id;

	if (fd == -ENODEV)
		SKIP(return, "no PCI device with memory");
	close(fd);
	id = make_asking_importer(_metadata, s, DMA_BUF_TEST_MMIO_WC,
				  CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);
	ask_for_everything(_metadata, s, id);
}

TEST_FAIL_NTH(importer_with_an_old_mapping)
{
	__u32 id = make_importer(_metadata, s, 0,
				 CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	CALL(dma_write(s, id, OTHER_SEED));
	CALL(testdev_move(s->dev, s->fd));
	/* Drops the old mapping first, and would not bring it back. */
	ASSERT_EQ(0, testdev_map(s->dev, id));
	CALL(testdev_move(s->dev, s->fd));
	EXPECT_EQ(2U, buffer_info(_metadata, &s->watch, s->fd).moves);
	NEVER_FAILS(testdev_unmap(s->dev, id));
	CALL(dma_read(s, id));
	NEVER_FAILS(testdev_unmap(s->dev, id));
	NEVER_FAILS(testdev_detach(s->dev, id));
	expect_balance(_metadata, &s->watch, s->fd);
}

TEST_HARNESS_MAIN
