// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may happen to a dma-buf that devices are attached to: it moves, or is
 * revoked. Content is never lost, importers and CPU mappings see the new place
 * and only that, and each callback is called as often as it should be.
 *
 * The devices are coherent, but one whose DMA mask is too small gets bounce
 * buffers; so CPU access is between DMA_BUF_IOCTL_SYNC, as it has to be.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "exporters.h"
#include "modes_fixture.h"
#include "sw_sync.h"

#define UNTOUCHED	0xa5

/* Moves */

/* A buffer that moves, its content, and an importer on each device */
struct moved {
	struct testdev dev;
	int fd;
	size_t pages;
	size_t size;
	char *view;
	char *data;		/* for DMA, as large as the buffer */
	__u32 id[DEVICES];
};

static bool make_moved(struct __test_metadata *_metadata, struct moved *m,
		       __u32 backing, __u32 flags, size_t pages)
{
	int i;

	if (!open_device(_metadata, &m->dev))
		return false;
	m->pages = pages;
	m->size = pages * page_size;
	m->fd = testdev_export_all(m->dev.fd, backing, flags, m->size);
	ASSERT_LE(0, m->fd);
	m->view = map_pages(_metadata, m->fd, 0, pages);
	m->data = malloc(m->size);
	ASSERT_NE(NULL, m->data);
	for (i = 0; i < DEVICES; i++)
		m->id[i] = ATTACH(&m->dev, .fd = m->fd, .device = i,
				  .flags = CALLBACK);
	return true;
}

static void drop_moved(struct __test_metadata *_metadata, struct moved *m)
{
	free(m->data);
	munmap(m->view, m->size);
	close(m->fd);
	close_device(_metadata, &m->dev);
}

/* By the CPU; @map shows the buffer from page @first on, @nr pages of it. */
static void cpu_fill_part(struct __test_metadata *_metadata, struct moved *m,
			  char *map, size_t first, size_t nr, __u64 seed)
{
	ASSERT_EQ(0, dmabuf_sync(m->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	fill(map, first, nr, seed);
	ASSERT_EQ(0, dmabuf_sync(m->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

static void cpu_check_part(struct __test_metadata *_metadata, struct moved *m,
			   const char *map, size_t first, size_t nr, __u64 seed)
{
	ASSERT_EQ(0, dmabuf_sync(m->fd,
				 DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(-1, wrong_page(map, first, nr, seed));
	ASSERT_EQ(0, dmabuf_sync(m->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

/* All of it, by the view */
static void cpu_fill(struct __test_metadata *_metadata, struct moved *m,
		     __u64 seed)
{
	cpu_fill_part(_metadata, m, m->view, 0, m->pages, seed);
}

static void cpu_check(struct __test_metadata *_metadata, struct moved *m,
		      __u64 seed)
{
	cpu_check_part(_metadata, m, m->view, 0, m->pages, seed);
}

/* By the device of an importer */
static void dma_fill(struct __test_metadata *_metadata, struct moved *m,
		     __u32 id, __u64 seed)
{
	fill(m->data, 0, m->pages, seed);
	ASSERT_EQ(0, testdev_write(m->dev.fd, id, 0, m->data, m->size));
}

static void dma_check(struct __test_metadata *_metadata, struct moved *m,
		      __u32 id, __u64 seed)
{
	memset(m->data, UNTOUCHED, m->size);
	ASSERT_EQ(0, testdev_read(m->dev.fd, id, 0, m->data, m->size));
	EXPECT_EQ(-1, wrong_page(m->data, 0, m->pages, seed));
}

/* 1 if the exporter maps, and so counts what is mapped; 0 if the core does */
static unsigned int own_maps(__u32 flags)
{
	return !(flags & DMA_BUF_TEST_CORE_MAPS);
}

static void move(struct __test_metadata *_metadata, struct moved *m)
{
	ASSERT_EQ(0, testdev_move(m->dev.fd, m->fd));
}

FIXTURE(moved) {
	struct moved m;
};

FIXTURE_VARIANT(moved) {
	__u32 backing;
	__u32 flags;
	size_t pages;
	size_t huge;		/* in units of huge_pages() */
};

FIXTURE_VARIANT_ADD(moved, scattered_1_page) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(moved, scattered_37_pages) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(moved, scattered_770_pages) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 770,		/* over a page table, and then some */
};

FIXTURE_VARIANT_ADD(moved, contiguous_1_page) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 1,
};

FIXTURE_VARIANT_ADD(moved, contiguous_37_pages) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(moved, contiguous_770_pages) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 770,
};

FIXTURE_VARIANT_ADD(moved, huge) {
	.backing = DMA_BUF_TEST_HUGE,
	.huge = 1,
};

FIXTURE_VARIANT_ADD(moved, huge_3) {
	.backing = DMA_BUF_TEST_HUGE,
	.huge = 3,
};

/* The same by the core's map and sync */

FIXTURE_VARIANT_ADD(moved, core_maps_scattered_37_pages) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.pages = 37,
};

FIXTURE_VARIANT_ADD(moved, core_maps_contiguous_770_pages) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.pages = 770,
};

FIXTURE_VARIANT_ADD(moved, core_maps_huge_3) {
	.backing = DMA_BUF_TEST_HUGE,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.huge = 3,
};

FIXTURE_SETUP(moved)
{
	make_moved(_metadata, &self->m, variant->backing, variant->flags,
		   variant->pages ?: variant->huge * huge_pages());
}

FIXTURE_TEARDOWN(moved)
{
	drop_moved(_metadata, &self->m);
}

TEST_F(moved, content_is_kept_for_cpu_and_devices)
{
	struct moved *m = &self->m;
	int i, round;

	cpu_fill(_metadata, m, SEED);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < DEVICES; i++)
			dma_check(_metadata, m, m->id[i], SEED);
		move(_metadata, m);
		cpu_check(_metadata, m, SEED);
	}
	for (i = 0; i < DEVICES; i++)
		dma_check(_metadata, m, m->id[i], SEED);

	/* What a device has written too */
	dma_fill(_metadata, m, m->id[0], OTHER_SEED);
	move(_metadata, m);
	dma_check(_metadata, m, m->id[1], OTHER_SEED);
	cpu_check(_metadata, m, OTHER_SEED);
}

/* The table of make run: three moves, and who sees what */
TEST_F(moved, each_side_sees_the_new_place)
{
	struct dma_buf_test_importer_info info;
	struct moved *m = &self->m;
	__u64 last = 0, word;
	char when[32];
	int i, round;

	cpu_fill(_metadata, m, SEED);
	for (round = 0; round <= 3; round++) {
		if (round)
			move(_metadata, m);
		snprintf(when, sizeof(when), round ? "after move %d" : "before",
			 round);

		for (i = 0; i < DEVICES; i++)
			dma_check(_metadata, m, m->id[i], SEED);
		cpu_check(_metadata, m, SEED);
		info = importer_info(_metadata, &m->dev, m->id[0]);
		EXPECT_NE(last, info.address);
		last = info.address;

		/* One variant is enough to look at. */
		if (variant->pages != 37 ||
		    variant->backing != DMA_BUF_TEST_SCATTERED ||
		    variant->flags)
			continue;
		memcpy(&word, m->view, sizeof(word));
		ksft_print_msg("move: first word, CPU mapping | %s | %llx\n",
			       when, (unsigned long long)word);
		memcpy(&word, m->data, sizeof(word));
		ksft_print_msg("move: first word, by the importer's DMA | %s | %llx\n",
			       when, (unsigned long long)word);
		ksft_print_msg("move: first DMA address of the importer | %s | %llx\n",
			       when, (unsigned long long)info.address);
		ksft_print_msg("move: calls of its invalidate_mappings | %s | %u\n",
			       when, info.invalidates);
	}
}

TEST_F(moved, importers_see_another_address)
{
	struct dma_buf_test_importer_info before[DEVICES], after;
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		before[i] = importer_info(_metadata, &m->dev, m->id[i]);
		EXPECT_NE(0ULL, before[i].address);
		EXPECT_LE(1U, before[i].ranges);
		EXPECT_GE(m->pages, before[i].ranges);
	}
	move(_metadata, m);
	for (i = 0; i < DEVICES; i++) {
		after = importer_info(_metadata, &m->dev, m->id[i]);
		EXPECT_EQ(0U, after.mapped);
		EXPECT_EQ(0U, after.ranges);
		EXPECT_EQ(0ULL, after.address);

		ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		after = importer_info(_metadata, &m->dev, m->id[i]);
		EXPECT_EQ(1U, after.mapped);
		EXPECT_NE(0ULL, after.address);
		EXPECT_NE(before[i].address, after.address);
		EXPECT_EQ(before[i].ranges, after.ranges);
	}
}

TEST_F(moved, cpu_writes_by_an_old_mapping_reach_the_devices)
{
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		__u64 seed = i ? OTHER_SEED : SEED;

		touch(m->view, m->size);
		ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		move(_metadata, m);
		cpu_fill(_metadata, m, seed);
		dma_check(_metadata, m, m->id[i], seed);
	}
}

/* Whole and in part, with page table entries or without */
TEST_F(moved, device_writes_reach_old_and_new_mappings)
{
	struct moved *m = &self->m;
	const struct {
		size_t first;
		size_t nr;
		bool present;
	} parts[] = {
		{ 0, m->pages, true },
		{ 0, m->pages, false },
		{ m->pages / 2, m->pages - m->pages / 2, true },
		{ m->pages / 3, (m->pages + 2) / 3, true },
		{ m->pages / 3, (m->pages + 2) / 3, false },
		{ m->pages - 1, 1, true },
	};
	char *maps[ARRAY_SIZE(parts)];
	size_t i;
	int round;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		maps[i] = map_pages(_metadata, m->fd, parts[i].first,
				    parts[i].nr);
		if (parts[i].present)
			touch(maps[i], parts[i].nr * page_size);
	}
	for (round = 0; round < 2; round++) {
		__u64 seed = round ? OTHER_SEED : SEED;

		move(_metadata, m);
		dma_fill(_metadata, m, m->id[round % DEVICES], seed);
		for (i = 0; i < ARRAY_SIZE(parts); i++)
			cpu_check_part(_metadata, m, maps[i], parts[i].first,
				       parts[i].nr, seed);
	}
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t first = parts[i].first, nr = parts[i].nr;

		cpu_fill_part(_metadata, m, maps[i], first, nr, SEED + i);
		cpu_check_part(_metadata, m, m->view + first * page_size, first,
			       nr, SEED + i);
		munmap(maps[i], nr * page_size);
	}
}

TEST_F(moved, one_device_sees_what_the_other_writes)
{
	struct moved *m = &self->m;

	dma_fill(_metadata, m, m->id[0], SEED);
	move(_metadata, m);
	dma_check(_metadata, m, m->id[1], SEED);
	dma_fill(_metadata, m, m->id[1], OTHER_SEED);
	dma_check(_metadata, m, m->id[0], OTHER_SEED);
	move(_metadata, m);
	dma_check(_metadata, m, m->id[0], OTHER_SEED);
}

/* Any offset and length, also across pages, ranges and the steps of DMA */
TEST_F(moved, dma_to_a_part_changes_that_part_only)
{
	struct moved *m = &self->m;
	const struct {
		size_t offset;
		size_t len;
	} parts[] = {
		{ 0, 1 },
		{ page_size - 1, 2 },
		{ page_size / 2 + 3, page_size },
		{ m->size / 2 - 5, 11 },
		{ m->size - 1, 1 },
		{ m->size / 3, m->size / 3 },
	};
	char *model = malloc(m->size);
	size_t i;

	ASSERT_NE(NULL, model);
	memset(model, UNTOUCHED, m->size);
	ASSERT_EQ(0, testdev_write(m->dev.fd, m->id[0], 0, model, m->size));
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t offset = parts[i].offset, len = parts[i].len;

		if (offset + len > m->size)
			continue;
		memset(model + offset, i + 1, len);
		ASSERT_EQ(0, testdev_write(m->dev.fd, m->id[0], offset,
					   model + offset, len));
		move(_metadata, m);
		memset(m->data, 0, m->size);
		ASSERT_EQ(0, testdev_read(m->dev.fd, m->id[1], offset, m->data,
					  len));
		EXPECT_TRUE(all_bytes(m->data, len, i + 1));
		EXPECT_TRUE(all_bytes(m->data + len, m->size - len, 0));
		ASSERT_EQ(0, testdev_read(m->dev.fd, m->id[1], 0, m->data,
					  m->size));
		EXPECT_EQ(0, memcmp(model, m->data, m->size));
	}
	free(model);
}

/* A child has the mappings of its parent, and page tables of its own. */
TEST_F(moved, another_process_sees_the_new_place)
{
	struct moved *m = &self->m;
	int to_child[2], to_parent[2];
	char byte = 0;
	pid_t pid;

	cpu_fill(_metadata, m, SEED);
	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(to_parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		touch(m->view, m->size);
		if (wrong_page(m->view, 0, m->pages, SEED) != -1)
			_exit(1);
		if (write(to_parent[1], &byte, 1) != 1 ||
		    read(to_child[0], &byte, 1) != 1)
			_exit(2);
		_exit(wrong_page(m->view, 0, m->pages, OTHER_SEED) == -1 ?
		      0 : 3);
	}
	close(to_parent[1]);
	EXPECT_EQ(1, read(to_parent[0], &byte, 1));
	move(_metadata, m);
	dma_fill(_metadata, m, m->id[0], OTHER_SEED);
	EXPECT_EQ(1, write(to_child[1], &byte, 1));
	EXPECT_EQ(0, exit_code(pid));
	close(to_parent[0]);
	close(to_child[0]);
	close(to_child[1]);
}

TEST_F(moved, callbacks_are_counted)
{
	struct moved *m = &self->m;
	const unsigned int maps = own_maps(variant->flags) * DEVICES;
	struct dma_buf_test_buffer_info before, after;
	int round, i;

	/* An mmap asks for the cache mode. */
	EXPECT_BUFFER(&m->dev, m->fd, .attaches = 2);
	EXPECT_EQ(1U, buffer_info(_metadata, &m->dev, m->fd).asks);
	/* Invalid as long as nobody has mapped: they are told anyway. */
	move(_metadata, m);
	for (i = 0; i < DEVICES; i++)
		EXPECT_IMPORTER(&m->dev, m->id[i], .mode = MOVABLE,
				.invalidates = 1);

	for (round = 1; round <= 3; round++) {
		for (i = 0; i < DEVICES; i++)
			ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		touch(m->view, m->size);
		before = buffer_info(_metadata, &m->dev, m->fd);
		EXPECT_EQ(maps, before.mappings);

		move(_metadata, m);
		after = buffer_info(_metadata, &m->dev, m->fd);
		EXPECT_EQ(0U, after.mappings);
		EXPECT_EQ(before.asks, after.asks);
		/* The entries are gone, and one page fault brings them back. */
		EXPECT_EQ(1, faults_of_touch(m->view, 1));
		EXPECT_EQ(0, faults_of_touch(m->view, 1));
		after = buffer_info(_metadata, &m->dev, m->fd);
		EXPECT_LT(before.asks, after.asks);

		for (i = 0; i < DEVICES; i++)
			EXPECT_IMPORTER(&m->dev, m->id[i], .mode = MOVABLE,
					.invalidates = 1 + round,
					.maps = round, .unmaps = round);
		EXPECT_BUFFER(&m->dev, m->fd, .attaches = 2,
			      .map_calls = maps * round,
			      .unmap_calls = maps * round,
			      .moves = 1 + round);
	}
	for (i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[i]));
	EXPECT_BUFFER(&m->dev, m->fd, .attaches = 2, .detaches = 2,
		      .map_calls = 3 * maps, .unmap_calls = 3 * maps,
		      .moves = 4);
}

TEST_F(moved, not_while_revoked)
{
	struct moved *m = &self->m;
	int i;

	cpu_fill(_metadata, m, SEED);
	for (i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[i]));

	ASSERT_EQ(0, testdev_revoke(m->dev.fd, m->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_EQ(-ENODEV, testdev_move(m->dev.fd, m->fd));
	ASSERT_EQ(0, testdev_revoke(m->dev.fd, m->fd, DMA_BUF_REVOKED_NO));
	move(_metadata, m);
	cpu_check(_metadata, m, SEED);
}

#define GIVE_UP_MS	20000

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Fences that a move has to wait for, with the reservation lock held */

struct mover {
	struct moved *m;
	pthread_t thread;
	int ret;
	bool done;
};

static void *move_in_thread(void *arg)
{
	struct mover *mover = arg;

	mover->ret = testdev_move(mover->m->dev.fd, mover->m->fd);
	__atomic_store_n(&mover->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

FIXTURE(fenced) {
	struct moved m;
	int timeline;
	struct mover mover;
};

FIXTURE_SETUP(fenced)
{
	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	if (!make_moved(_metadata, &self->m, DMA_BUF_TEST_SCATTERED, 0, PAGES))
		return;
	cpu_fill(_metadata, &self->m, SEED);

	self->timeline = timeline_open();
	ASSERT_LE(0, self->timeline);
	ASSERT_EQ(0, timeline_fence(self->timeline, 1, self->m.fd,
				    DMA_BUF_SYNC_RW));

	self->mover.m = &self->m;
	ASSERT_EQ(0, pthread_create(&self->mover.thread, NULL, move_in_thread,
				    &self->mover));
}

FIXTURE_TEARDOWN(fenced)
{
	/* Signals what is left on it. */
	close(self->timeline);
	if (self->mover.thread)
		pthread_join(self->mover.thread, NULL);
	drop_moved(_metadata, &self->m);
}

/* Importers are told before it waits. */
static void wait_for_mover(struct __test_metadata *_metadata, struct moved *m)
{
	long start = now_ms();

	while (!importer_info(_metadata, &m->dev, m->id[0]).invalidates ||
	       !importer_info(_metadata, &m->dev, m->id[1]).invalidates) {
		ASSERT_GT(GIVE_UP_MS, now_ms() - start);
		usleep(1000);
	}
}

/* They would hang if they did, until the harness gives up. */
TEST_F(fenced, fdinfo_and_query_take_no_lock)
{
	struct moved *m = &self->m;
	struct shown_modes shown;

	wait_for_mover(_metadata, m);
	ASSERT_EQ(0, read_fdinfo(m->fd, &shown));
	EXPECT_STREQ("pinned revocable movable", shown.modes);
	EXPECT_STREQ("no", shown.revoked);
	EXPECT_QUERY(m->fd, ALL, DMA_BUF_REVOKED_NO);
	EXPECT_EQ(0, dmabuf_set_name(m->fd, "fenced"));
	EXPECT_EQ((off_t)m->size, lseek(m->fd, 0, SEEK_END));
	/* And all of that while the move is waiting */
	EXPECT_FALSE(__atomic_load_n(&self->mover.done, __ATOMIC_SEQ_CST));
	EXPECT_EQ(0U, buffer_info(_metadata, &m->dev, m->fd).moves);
}

TEST_F(fenced, move_waits_for_fences_and_all_others_for_the_move)
{
	struct moved *m = &self->m;
	pid_t pid;

	wait_for_mover(_metadata, m);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Without entries, as those of the view may not be gone yet */
		char *map = map_pages(_metadata, m->fd, 0, m->pages);

		fill(map, 0, PAGES, OTHER_SEED);
		_exit(buffer_info(_metadata, &m->dev, m->fd).moves != 1);
	}
	usleep(200000);
	EXPECT_FALSE(__atomic_load_n(&self->mover.done, __ATOMIC_SEQ_CST));

	ASSERT_EQ(0, timeline_advance(self->timeline));
	pthread_join(self->mover.thread, NULL);
	self->mover.thread = 0;
	EXPECT_EQ(0, self->mover.ret);
	EXPECT_EQ(0, exit_code(pid));
	EXPECT_EQ(1U, buffer_info(_metadata, &m->dev, m->fd).moves);
	cpu_check(_metadata, m, OTHER_SEED);
	dma_check(_metadata, m, m->id[0], OTHER_SEED);
}

/* Importers that let go late, or never */

#define DELAY_MS	1000

FIXTURE(slow) {
	struct moved m;
	__u32 id;
};

FIXTURE_VARIANT(slow) {
	__u32 buffer;		/* flags of the exporter */
	__u32 flags;
	__u32 delay_ms;
};

FIXTURE_VARIANT_ADD(slow, late) {
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_LATE,
	.delay_ms = DELAY_MS,
};

FIXTURE_VARIANT_ADD(slow, never) {
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
};

FIXTURE_VARIANT_ADD(slow, core_maps_late) {
	.buffer = DMA_BUF_TEST_CORE_MAPS,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_LATE,
	.delay_ms = DELAY_MS,
};

FIXTURE_VARIANT_ADD(slow, core_maps_never) {
	.buffer = DMA_BUF_TEST_CORE_MAPS,
	.flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER,
};

FIXTURE_SETUP(slow)
{
	if (!make_moved(_metadata, &self->m, DMA_BUF_TEST_SCATTERED,
			variant->buffer, PAGES))
		return;
	self->id = ATTACH(&self->m.dev, .fd = self->m.fd,
			  .flags = variant->flags,
			  .delay_ms = variant->delay_ms);
	cpu_fill(_metadata, &self->m, SEED);
}

FIXTURE_TEARDOWN(slow)
{
	drop_moved(_metadata, &self->m);
}

/* One that unmaps late is given the time, the other is told to. */
static void let_go(struct __test_metadata *_metadata, struct moved *m, __u32 id,
		   __u32 delay_ms)
{
	long start = now_ms();

	if (!delay_ms) {
		ASSERT_EQ(0, testdev_unmap(m->dev.fd, id));
		return;
	}
	while (!importer_info(_metadata, &m->dev, id).unmaps) {
		ASSERT_GT(GIVE_UP_MS, now_ms() - start);
		usleep(10000);
	}
}

TEST_F(slow, move_does_not_wait_for_the_old_mapping)
{
	struct moved *m = &self->m;
	struct dma_buf_test_importer_info info;
	long start;

	ASSERT_EQ(0, testdev_map(m->dev.fd, self->id));
	start = now_ms();
	move(_metadata, m);
	info = importer_info(_metadata, &m->dev, self->id);
	/* It may be long ago on a busy machine. */
	if (!variant->delay_ms || now_ms() - start < DELAY_MS) {
		EXPECT_EQ(2U, info.mapped);
		EXPECT_EQ(0U, info.ranges);
		EXPECT_EQ(0U, info.unmaps);
	}
	cpu_check(_metadata, m, SEED);
	dma_check(_metadata, m, m->id[0], SEED);

	let_go(_metadata, m, self->id, variant->delay_ms);
	EXPECT_IMPORTER(&m->dev, self->id, .mode = MOVABLE, .invalidates = 1,
			.maps = 1, .unmaps = 1);
	EXPECT_BUFINFO(m->fd, { "movable", 0, 1 }, { "movable", 0, 0 },
		       { "movable", 0, 0 });
	if (variant->delay_ms)
		EXPECT_LE(DELAY_MS, now_ms() - start);
}

TEST_F(slow, buffer_is_used_again_before_the_old_mapping_is_gone)
{
	const unsigned int ops = own_maps(variant->buffer);
	struct moved *m = &self->m;

	ASSERT_EQ(0, testdev_map(m->dev.fd, self->id));
	move(_metadata, m);
	dma_check(_metadata, m, self->id, SEED);
	dma_fill(_metadata, m, self->id, OTHER_SEED);
	cpu_check(_metadata, m, OTHER_SEED);
	dma_check(_metadata, m, m->id[0], OTHER_SEED);

	ASSERT_EQ(0, testdev_detach(m->dev.fd, self->id));
	EXPECT_BUFFER(&m->dev, m->fd, .mappings = ops, .attaches = 3,
		      .detaches = 1, .map_calls = 3 * ops,
		      .unmap_calls = 2 * ops, .moves = 1);
	cpu_check(_metadata, m, OTHER_SEED);
}

TEST_F(slow, buffer_moves_on_while_the_old_mapping_is_there)
{
	struct moved *m = &self->m;
	int i;

	ASSERT_EQ(0, testdev_map(m->dev.fd, self->id));
	for (i = 0; i < 3; i++) {
		dma_fill(_metadata, m, m->id[i % DEVICES], SEED + i);
		move(_metadata, m);
		cpu_check(_metadata, m, SEED + i);
	}
	let_go(_metadata, m, self->id, variant->delay_ms);
	EXPECT_IMPORTER(&m->dev, self->id, .mode = MOVABLE, .invalidates = 3,
			.maps = 1, .unmaps = 1);
	cpu_check(_metadata, m, SEED + 2);
	EXPECT_EQ(0U, buffer_info(_metadata, &m->dev, m->fd).mappings);
}

TEST_F(slow, detach_ends_the_old_mapping)
{
	const unsigned int ops = own_maps(variant->buffer);
	struct moved *m = &self->m;

	ASSERT_EQ(0, testdev_map(m->dev.fd, self->id));
	move(_metadata, m);
	ASSERT_EQ(0, testdev_detach(m->dev.fd, self->id));
	EXPECT_BUFFER(&m->dev, m->fd, .attaches = 3, .detaches = 1,
		      .map_calls = ops, .unmap_calls = ops, .moves = 1);
	/* Nothing of it comes up when the delay is over. */
	if (variant->delay_ms)
		usleep((DELAY_MS + 200) * 1000);
	EXPECT_EQ(ops, buffer_info(_metadata, &m->dev, m->fd).unmap_calls);
	cpu_check(_metadata, m, SEED);
}

TEST_F(slow, close_ends_the_old_mapping)
{
	const unsigned int ops = own_maps(variant->buffer);
	struct moved *m = &self->m;
	struct testdev second = { .fd = testdev_open() };
	__u32 id;

	ASSERT_LE(0, second.fd);
	id = ATTACH(&second, .fd = m->fd, .flags = variant->flags,
		    .delay_ms = variant->delay_ms);
	ASSERT_EQ(0, testdev_map(second.fd, id));
	move(_metadata, m);
	close(second.fd);
	EXPECT_BUFFER(&m->dev, m->fd, .attaches = 4, .detaches = 1,
		      .map_calls = ops, .unmap_calls = ops, .moves = 1);
}

/* Devices that can't reach all of memory */

FIXTURE(masked) {
	struct moved m;
};

FIXTURE_VARIANT(masked) {
	__u32 backing;
	__u32 flags;
	__u32 bits[DEVICES];
};

FIXTURE_VARIANT_ADD(masked, scattered_32_and_64_bits) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.bits = { 32, 64 },
};

FIXTURE_VARIANT_ADD(masked, scattered_32_bits) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.bits = { 32, 32 },
};

FIXTURE_VARIANT_ADD(masked, contiguous_32_and_64_bits) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.bits = { 32, 64 },
};

FIXTURE_VARIANT_ADD(masked, core_maps_scattered_32_and_64_bits) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.bits = { 32, 64 },
};

FIXTURE_VARIANT_ADD(masked, core_maps_contiguous_32_bits) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.bits = { 32, 32 },
};

FIXTURE_SETUP(masked)
{
	const char *missing = testdev_missing();
	int dev, i;

	if (missing)
		SKIP(return, "%s", missing);
	dev = testdev_open();
	ASSERT_LE(0, dev);
	for (i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, testdev_set_dma_mask(dev, i, variant->bits[i]));
	close(dev);
	make_moved(_metadata, &self->m, variant->backing, variant->flags, 37);
}

FIXTURE_TEARDOWN(masked)
{
	int dev, i;

	drop_moved(_metadata, &self->m);
	dev = testdev_open();
	for (i = 0; i < DEVICES; i++)
		EXPECT_EQ(0, testdev_set_dma_mask(dev, i, 64));
	close(dev);
}

TEST_F(masked, addresses_are_within_the_mask)
{
	struct dma_buf_test_importer_info info;
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		__u64 last = ~0ULL >> (64 - variant->bits[i]);

		ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		info = importer_info(_metadata, &m->dev, m->id[i]);
		EXPECT_LE(info.address, last - page_size + 1);
	}
}

TEST_F(masked, content_comes_through_moves)
{
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		cpu_fill(_metadata, m, SEED + i);
		dma_check(_metadata, m, m->id[i], SEED + i);
		move(_metadata, m);
		cpu_check(_metadata, m, SEED + i);
		dma_check(_metadata, m, m->id[i], SEED + i);

		dma_fill(_metadata, m, m->id[i], OTHER_SEED + i);
		move(_metadata, m);
		cpu_check(_metadata, m, OTHER_SEED + i);
		dma_check(_metadata, m, m->id[i], OTHER_SEED + i);
	}
}

TEST_F(masked, sync_is_enough_to_see_what_the_other_side_wrote)
{
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		ASSERT_EQ(0, testdev_map(m->dev.fd, m->id[i]));
		cpu_fill(_metadata, m, SEED + i);
		dma_check(_metadata, m, m->id[i], SEED + i);
		dma_fill(_metadata, m, m->id[i], OTHER_SEED + i);
		cpu_check(_metadata, m, OTHER_SEED + i);
		EXPECT_IMPORTER(&m->dev, m->id[i], .mode = MOVABLE, .mapped = 1,
				.maps = 1);
		ASSERT_EQ(0, testdev_unmap(m->dev.fd, m->id[i]));
	}
}

/* What a device has written goes along, though its mapping stays behind. */
TEST_F(masked, content_comes_from_a_mapping_that_is_not_unmapped)
{
	struct moved *m = &self->m;
	__u32 id = ATTACH(&m->dev, .fd = m->fd,
			  .flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	dma_fill(_metadata, m, id, SEED);
	move(_metadata, m);
	cpu_check(_metadata, m, SEED);
	ASSERT_EQ(0, testdev_unmap(m->dev.fd, id));
	cpu_check(_metadata, m, SEED);
}

/*
 * Unmapping copies from its bounce buffers, to pages that nobody gets at before
 * that.
 */
TEST_F(masked, old_mapping_overwrites_nothing_after_a_revoke)
{
	struct moved *m = &self->m;
	int i;
	__u32 id;

	for (i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[i]));
	id = ATTACH(&m->dev, .fd = m->fd, .modes = REVOCABLE,
		    .flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	dma_fill(_metadata, m, id, SEED);
	ASSERT_EQ(-ETIMEDOUT, testdev_revoke_timeout(m->dev.fd, m->fd,
						     DMA_BUF_REVOKED_NOW, 10));
	ASSERT_EQ(-EBUSY, testdev_revoke(m->dev.fd, m->fd, DMA_BUF_REVOKED_NO));
	ASSERT_EQ(0, testdev_unmap(m->dev.fd, id));
	ASSERT_EQ(0, testdev_revoke(m->dev.fd, m->fd, DMA_BUF_REVOKED_NO));
	cpu_check(_metadata, m, SEED);
}

#define LARGE		(32UL << 20)
#define MANY		8

TEST_F(masked, nothing_is_left_when_bounce_buffers_run_out)
{
	struct moved *m = &self->m;
	int fd[MANY], nr, ret = 0, i;
	__u32 id[MANY];

	for (nr = 0; nr < MANY && !ret; nr++) {
		fd[nr] = testdev_export(m->dev.fd,
					&(struct dma_buf_test_export) {
			.size = LARGE,
			.open_flags = O_RDWR | O_CLOEXEC,
		});
		ASSERT_LE(0, fd[nr]);
		id[nr] = ATTACH(&m->dev, .fd = fd[nr], .flags = STATIC);
		ret = testdev_map(m->dev.fd, id[nr]);
	}
	if (ret) {
		EXPECT_EQ(-EIO, ret);
		EXPECT_IMPORTER(&m->dev, id[nr - 1], .mode = PINNED);
		EXPECT_BUFINFO(fd[nr - 1], { "pinned", 0, 0 });
		EXPECT_BUFFER(&m->dev, fd[nr - 1], .attaches = 1);
	}
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, testdev_detach(m->dev.fd, id[i]));
		expect_balance(_metadata, &m->dev, fd[i]);
		close(fd[i]);
	}
	/* They are there again. */
	cpu_fill(_metadata, m, SEED);
	dma_check(_metadata, m, m->id[0], SEED);
	if (!ret)
		SKIP(return, "%lu MiB didn't need bounce buffers",
		     MANY * LARGE >> 20);
}

/* Bounce buffers are below 4 GiB, so these can't help. */
TEST_F(masked, too_small_a_mask_is_EIO)
{
	struct moved *m = &self->m;
	__u32 id;
	int i;

	/* The DMA API WARNs about it, which the core leaves to happen. */
	if (variant->flags)
		return;
	for (i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[i]));
	for (i = 0; i < DEVICES; i++) {
		int ret = testdev_set_dma_mask(m->dev.fd, i, 24);

		if (ret == -EIO)
			SKIP(return, "no DMA with 24 bits on this system");
		ASSERT_EQ(0, ret);
		id = ATTACH(&m->dev, .fd = m->fd, .device = i,
			    .flags = i ? STATIC : CALLBACK);
		EXPECT_EQ(-EIO, testdev_map(m->dev.fd, id));
		EXPECT_EQ(0U, buffer_info(_metadata, &m->dev, m->fd).pins);
		EXPECT_EQ(0U, buffer_info(_metadata, &m->dev, m->fd).mappings);
		ASSERT_EQ(0, testdev_detach(m->dev.fd, id));
	}
}

TEST_F(masked, too_small_a_mask_for_dma_api_memory_is_EIO)
{
	static const __u32 backings[] = {
		DMA_BUF_TEST_DMA_COHERENT, DMA_BUF_TEST_DMA_NONCONTIGUOUS,
	};
	struct moved *m = &self->m;
	size_t i;
	int ret;

	ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[0]));
	ret = testdev_set_dma_mask(m->dev.fd, 0, 24);
	if (ret == -EIO)
		SKIP(return, "no DMA with 24 bits on this system");
	ASSERT_EQ(0, ret);
	for (i = 0; i < ARRAY_SIZE(backings); i++) {
		struct dma_buf_test_export arg = {
			.backing = backings[i],
			.size = LARGE,
			.open_flags = O_RDWR,
		};
		int fd = testdev_export(m->dev.fd, &arg);
		__u32 id;

		if (fd == -ENODEV)
			SKIP(return, "no device of the DMA API");
		ASSERT_LE(0, fd);
		id = ATTACH(&m->dev, .fd = fd, .device = 0, .flags = STATIC);
		EXPECT_EQ(-EIO, testdev_map(m->dev.fd, id));
		ASSERT_EQ(0, testdev_detach(m->dev.fd, id));
		close(fd);
	}
}

TEST_F(masked, mask_of_an_attached_device_stays)
{
	struct moved *m = &self->m;
	int i;

	for (i = 0; i < DEVICES; i++) {
		EXPECT_EQ(-EBUSY, testdev_set_dma_mask(m->dev.fd, i, 64));
		ASSERT_EQ(0, testdev_detach(m->dev.fd, m->id[i]));
		EXPECT_EQ(0, testdev_set_dma_mask(m->dev.fd, i, 64));
	}
}

/* Revoke */

FIXTURE(revoked) {
	struct testdev dev;
	int fd;
	char *view;
	__u32 id;
};

FIXTURE_VARIANT(revoked) {
	__u32 modes;
	__u32 flags;
	unsigned int pin_calls;		/* of one pin */
};

FIXTURE_VARIANT_ADD(revoked, only_revocable) {
	.modes = REVOCABLE,
};

FIXTURE_VARIANT_ADD(revoked, only_revocable_has_pin) {
	.modes = REVOCABLE,
	.flags = HAS_PIN,
	.pin_calls = 1,
};

FIXTURE_VARIANT_ADD(revoked, all) {
	.modes = ALL,
	.flags = HAS_PIN,
	.pin_calls = 1,
};

FIXTURE_SETUP(revoked)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, variant->modes,
				variant->flags);
	self->view = map_pages(_metadata, self->fd, 0, PAGES);
	fill(self->view, 0, PAGES, SEED);
	self->id = ATTACH(&self->dev, .fd = self->fd, .modes = REVOCABLE,
			  .flags = CALLBACK);
}

FIXTURE_TEARDOWN(revoked)
{
	munmap(self->view, PAGES * page_size);
	close(self->fd);
	close_device(_metadata, &self->dev);
}

static void set_revoked(struct __test_metadata *_metadata,
			struct testdev *dev, int fd, __u32 revoked)
{
	struct dma_buf_query query;

	ASSERT_EQ(0, testdev_revoke(dev->fd, fd, revoked));
	ASSERT_EQ(0, query_modes(fd, &query));
	ASSERT_EQ(revoked, query.revoked);
}

/* What is taken away, for as long as it is */
static void check_no_access(struct __test_metadata *_metadata,
			    struct testdev *dev, int fd, char *view, __u32 id)
{
	struct dma_buf_test_attach args = {
		.fd = fd,
		.modes = REVOCABLE,
		.flags = CALLBACK,
	};
	char data[8];
	char *map;
	int i;

	EXPECT_EQ(-ENODEV, testdev_attach(dev->fd, &args));
	EXPECT_EQ(-ENODEV, testdev_pin(dev->fd, id));
	EXPECT_EQ(-ENODEV, testdev_map(dev->fd, id));
	EXPECT_EQ(-ENODEV, testdev_read(dev->fd, id, 0, data, sizeof(data)));
	EXPECT_EQ(-ENODEV, testdev_write(dev->fd, id, 0, data, sizeof(data)));
	EXPECT_EQ(-ENODEV, dmabuf_sync(fd, DMA_BUF_SYNC_START |
					   DMA_BUF_SYNC_READ));

	for (i = 0; i < PAGES; i++) {
		EXPECT_TRUE(gets_sigbus(view + i * page_size, false));
		EXPECT_TRUE(gets_sigbus(view + i * page_size, true));
	}
	map = map_pages(_metadata, fd, 0, PAGES);
	EXPECT_TRUE(gets_sigbus(map, false));
	EXPECT_TRUE(gets_sigbus(map + (PAGES - 1) * page_size, true));
	munmap(map, PAGES * page_size);
}

TEST_F(revoked, mapping_is_taken_away)
{
	struct testdev *dev = &self->dev;

	ASSERT_EQ(0, testdev_map(dev->fd, self->id));
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
	EXPECT_IMPORTER(dev, self->id, .mode = REVOCABLE, .invalidates = 1,
			.maps = 1, .unmaps = 1);
	EXPECT_EQ(0U, buffer_info(_metadata, dev, self->fd).mappings);
}

TEST_F(revoked, nothing_has_access_until_unrevoke)
{
	struct testdev *dev = &self->dev;
	char data[PAGES * 65536];
	size_t size = PAGES * page_size;
	int round;

	ASSERT_GE(sizeof(data), size);
	for (round = 0; round < 3; round++) {
		set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
		check_no_access(_metadata, dev, self->fd, self->view, self->id);
		set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NO);

		EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, SEED + round));
		ASSERT_EQ(0, testdev_read(dev->fd, self->id, 0, data, size));
		EXPECT_EQ(-1, wrong_page(data, 0, PAGES, SEED + round));
		EXPECT_EQ(0, testdev_pin(dev->fd, self->id));
		EXPECT_EQ(0, testdev_unpin(dev->fd, self->id));
		EXPECT_EQ(0, testdev_unmap(dev->fd, self->id));
		EXPECT_EQ(0, testdev_map(dev->fd, self->id));
		fill(self->view, 0, PAGES, SEED + round + 1);
	}
	ASSERT_EQ(0, testdev_detach(dev->fd, self->id));
}

TEST_F(revoked, permanent_is_final)
{
	struct testdev *dev = &self->dev;

	ASSERT_EQ(0, testdev_map(dev->fd, self->id));
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_PERMANENT);
	check_no_access(_metadata, dev, self->fd, self->view, self->id);
	EXPECT_EQ(-ENODEV, testdev_revoke(dev->fd, self->fd,
					  DMA_BUF_REVOKED_NO));
	EXPECT_EQ(0, testdev_revoke(dev->fd, self->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_QUERY(self->fd, variant->modes, DMA_BUF_REVOKED_PERMANENT);
	check_no_access(_metadata, dev, self->fd, self->view, self->id);
	EXPECT_EQ(0, testdev_detach(dev->fd, self->id));
	EXPECT_BUFINFO_EMPTY(self->fd);
}

TEST_F(revoked, permanent_after_a_while)
{
	struct testdev *dev = &self->dev;

	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_PERMANENT);
	EXPECT_EQ(-ENODEV, testdev_revoke(dev->fd, self->fd,
					  DMA_BUF_REVOKED_NO));
	check_no_access(_metadata, dev, self->fd, self->view, self->id);
}

/* The place is kept for when access is given back. */
TEST_F(revoked, attachment_stays_pinned)
{
	const unsigned int per_pin = variant->pin_calls;
	struct testdev *dev = &self->dev;

	EXPECT_BUFINFO(self->fd, { "revocable", 1, 0 });
	ASSERT_EQ(0, testdev_pin(dev->fd, self->id));
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
	EXPECT_BUFINFO(self->fd, { "revocable", 2, 0 });
	/* Unpin always works. */
	EXPECT_EQ(0, testdev_unpin(dev->fd, self->id));
	EXPECT_EQ(-ENODEV, testdev_pin(dev->fd, self->id));
	EXPECT_BUFINFO(self->fd, { "revocable", 1, 0 });
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NO);
	EXPECT_BUFINFO(self->fd, { "revocable", 1, 0 });
	EXPECT_BUFFER(dev, self->fd, .pins = per_pin, .attaches = 1,
		      .pin_calls = 2 * per_pin, .unpin_calls = per_pin);
	ASSERT_EQ(0, testdev_detach(dev->fd, self->id));
	EXPECT_EQ(0U, buffer_info(_metadata, dev, self->fd).pins);
}

TEST_F(revoked, exporter_is_not_asked)
{
	struct testdev *dev = &self->dev;
	struct dma_buf_test_attach args = {
		.fd = self->fd,
		.modes = REVOCABLE,
		.flags = CALLBACK,
	};

	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
	EXPECT_EQ(-ENODEV, testdev_attach(dev->fd, &args));
	EXPECT_EQ(-ENODEV, testdev_map(dev->fd, self->id));
	EXPECT_BUFINFO(self->fd, { "revocable", 1, 0 });
	/* One attach and its pin, from before */
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .pins = variant->pin_calls,
		      .pin_calls = variant->pin_calls);
}

TEST_F(revoked, the_rest_of_the_fd_keeps_working)
{
	struct testdev *dev = &self->dev;
	struct shown_modes shown;

	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_PERMANENT);
	EXPECT_EQ(0, dmabuf_set_name(self->fd, "revoked"));
	EXPECT_EQ(1, dmabuf_alive("revoked"));
	EXPECT_EQ((off_t)(PAGES * page_size), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, read_fdinfo(self->fd, &shown));
	EXPECT_QUERY(self->fd, variant->modes, DMA_BUF_REVOKED_PERMANENT);
}

TEST_F(revoked, mapping_that_is_kept_can_be_unmapped)
{
	struct testdev *dev = &self->dev;
	__u32 id = ATTACH(dev, .fd = self->fd, .device = 1, .modes = REVOCABLE,
			  .flags = CALLBACK | DMA_BUF_TEST_UNMAP_NEVER);

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(-ETIMEDOUT, testdev_revoke_timeout(dev->fd, self->fd,
						     DMA_BUF_REVOKED_NOW, 10));
	EXPECT_EQ(1U, buffer_info(_metadata, dev, self->fd).mappings);
	EXPECT_IMPORTER(dev, id, .mode = REVOCABLE, .mapped = 2,
			.invalidates = 1, .maps = 1);
	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_EQ(0U, buffer_info(_metadata, dev, self->fd).mappings);
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NO);
	EXPECT_EQ(0, testdev_map(dev->fd, id));
}

/* A device that is at work when access is taken away */

#define BUSY_MS		500

FIXTURE(busy) {
	struct testdev dev;
	int fd;
	char *view;
	__u32 id;
};

FIXTURE_VARIANT(busy) {
	__u32 modes;		/* of the importer */
};

FIXTURE_VARIANT_ADD(busy, movable) {
	.modes = MOVABLE,
};

FIXTURE_VARIANT_ADD(busy, revocable) {
	.modes = REVOCABLE,
};

FIXTURE_SETUP(busy)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
	self->view = map_pages(_metadata, self->fd, 0, PAGES);
	fill(self->view, 0, PAGES, SEED);
	self->id = ATTACH(&self->dev, .fd = self->fd, .modes = variant->modes,
			  .flags = CALLBACK | DMA_BUF_TEST_BUSY,
			  .delay_ms = BUSY_MS);
}

FIXTURE_TEARDOWN(busy)
{
	munmap(self->view, PAGES * page_size);
	close(self->fd);
	close_device(_metadata, &self->dev);
}

/* All of the buffer, in the place where it is mapped now */
static void start_write(struct __test_metadata *_metadata, struct testdev *dev,
			__u32 id, __u64 seed)
{
	size_t size = PAGES * page_size;
	char *data = malloc(size);

	ASSERT_NE(NULL, data);
	fill(data, 0, PAGES, seed);
	ASSERT_EQ(0, testdev_write(dev->fd, id, 0, data, size));
	free(data);
}

static void take_away(struct __test_metadata *_metadata, struct testdev *dev,
		      int fd, __u32 modes)
{
	ASSERT_EQ(0, modes == MOVABLE ?
		     testdev_move(dev->fd, fd) :
		     testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW));
}

TEST_F(busy, is_waited_for)
{
	struct testdev *dev = &self->dev;
	long begin = now_ms();

	start_write(_metadata, dev, self->id, OTHER_SEED);
	/* It may be long ago on a busy machine. */
	if (now_ms() - begin < BUSY_MS / 2)
		EXPECT_EQ(page_mark(SEED, 0), *(__u64 *)self->view);
	take_away(_metadata, dev, self->fd, variant->modes);
	EXPECT_LE(BUSY_MS, now_ms() - begin);
	EXPECT_EQ(1U, importer_info(_metadata, dev, self->id).invalidates);

	/* Nothing was lost, and the importer lets go by itself. */
	if (variant->modes == REVOCABLE)
		set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NO);
	EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, OTHER_SEED));
	while (importer_info(_metadata, dev, self->id).mapped) {
		ASSERT_GT(GIVE_UP_MS, now_ms() - begin);
		usleep(1000);
	}
	EXPECT_EQ(0U, buffer_info(_metadata, dev, self->fd).mappings);
}

TEST_F(busy, is_done_before_its_next_access)
{
	struct testdev *dev = &self->dev;
	size_t size = PAGES * page_size;
	char *data = malloc(size);

	ASSERT_NE(NULL, data);
	start_write(_metadata, dev, self->id, OTHER_SEED);
	ASSERT_EQ(0, testdev_read(dev->fd, self->id, 0, data, size));
	EXPECT_EQ(-1, wrong_page(data, 0, PAGES, OTHER_SEED));
	start_write(_metadata, dev, self->id, SEED);
	start_write(_metadata, dev, self->id, OTHER_SEED);
	ASSERT_EQ(0, testdev_unmap(dev->fd, self->id));
	EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, OTHER_SEED));
	free(data);
}

TEST_F(busy, is_done_before_detach)
{
	struct testdev *dev = &self->dev;

	start_write(_metadata, dev, self->id, OTHER_SEED);
	ASSERT_EQ(0, testdev_detach(dev->fd, self->id));
	EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, OTHER_SEED));
	expect_balance(_metadata, dev, self->fd);
}

/* A promise that was given is kept. */

FIXTURE(promised) {
	struct testdev dev;
	int fd;
	__u32 id;
};

FIXTURE_VARIANT(promised) {
	__u32 modes;		/* of the importer */
	__u32 flags;
};

FIXTURE_VARIANT_ADD(promised, pinned) {
	.modes = PINNED,
};

FIXTURE_VARIANT_ADD(promised, movable) {
	.modes = MOVABLE,
	.flags = CALLBACK,
};

FIXTURE_VARIANT_ADD(promised, declares_nothing) {
	.flags = STATIC,
};

FIXTURE_SETUP(promised)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
	self->id = ATTACH(&self->dev, .fd = self->fd, .modes = variant->modes,
			  .flags = variant->flags);
	ASSERT_EQ(0, testdev_map(self->dev.fd, self->id));
}

FIXTURE_TEARDOWN(promised)
{
	close(self->fd);
	close_device(_metadata, &self->dev);
}

TEST_F(promised, revoke_is_refused_and_changes_nothing)
{
	struct testdev *dev = &self->dev;
	struct dma_buf_test_buffer_info before;
	__u32 how;

	before = buffer_info(_metadata, dev, self->fd);
	for (how = DMA_BUF_REVOKED_NOW; how <= DMA_BUF_REVOKED_PERMANENT;
	     how++)
		EXPECT_EQ(-EBUSY, testdev_revoke(dev->fd, self->fd, how));
	EXPECT_QUERY(self->fd, ALL, DMA_BUF_REVOKED_NO);
	EXPECT_EQ(0U, importer_info(_metadata, dev, self->id).invalidates);
	EXPECT_EQ(before.mappings,
		  buffer_info(_metadata, dev, self->fd).mappings);

	/* Until nobody relies on it any more */
	ASSERT_EQ(0, testdev_unmap(dev->fd, self->id));
	EXPECT_EQ(-EBUSY, testdev_revoke(dev->fd, self->fd,
					 DMA_BUF_REVOKED_NOW));
	ASSERT_EQ(0, testdev_detach(dev->fd, self->id));
	set_revoked(_metadata, dev, self->fd, DMA_BUF_REVOKED_NOW);
}

TEST_HARNESS_MAIN
