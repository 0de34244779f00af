// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf that moves all the time while threads use it: by CPU mappings of
 * their own and by one that they share, by mappings of the kernel, by importers of
 * their own and by one that they share, by one that asks where the buffer is, and
 * by some that come and go.
 *
 * Each page begins and ends with a mark that never changes. Behind the first
 * one is a counter, and each page has an owner, a thread that increments it: by
 * a CPU mapping or by DMA. Only the owner writes, so it knows what has to be
 * there; a store that went to the old place, a page that was not copied or a
 * mapping that still shows it is found out by its next visit, by a reader or in
 * the end.
 *
 * ROUNDS in the environment is how often each thread does what it does; the
 * thread that moves the buffer goes on until all others are done.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "modes_fixture.h"

#define ROUNDS		100
#define VISITS		4	/* of pages, in a round */
#define LATE_MS		20
#define BUSY_MS		5

#define CPU_OWNERS	2
#define DMA_OWNERS	2	/* of these, one by what it is told of the place */
#define OWNERS		(CPU_OWNERS + DMA_OWNERS)
#define READERS		2
#define KERNEL_READERS	2
#define SHARERS		2
#define MAX_WORKERS	(OWNERS + READERS + KERNEL_READERS + SHARERS + 2)

/* Words of a page */
#define MARK		0
#define COUNTER		1

struct team;

struct worker {
	struct team *team;
	void (*work)(struct worker *w);
	pthread_t thread;
	unsigned int id;
	unsigned int random;
	/* For each page what its counter has to be, or was when last seen */
	__u64 *counts;
	char failure[256];
};

struct team {
	struct testdev dev;
	int fd;
	size_t pages;
	size_t size;
	int rounds;

	char *map;		/* of the readers */
	__u32 shared;		/* importer of the sharers */

	struct worker workers[MAX_WORKERS];
	unsigned int nr_workers;
	unsigned int busy;	/* workers, without the one that moves */
	bool stop;		/* one has failed */
	unsigned int moves;
	unsigned int refused;	/* moves, because of a pin or a vmap */
};

static bool stopped(struct team *team)
{
	return __atomic_load_n(&team->stop, __ATOMIC_RELAXED);
}

static __noreturn __printf(2, 3)
void give_up(struct worker *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	__atomic_store_n(&w->team->stop, true, __ATOMIC_RELAXED);
	pthread_exit(NULL);
}

/* 0, or one of the errors that may come */
static int check(struct worker *w, const char *what, int ret, int allowed)
{
	if (ret && ret != allowed)
		give_up(w, "%s: %d", what, ret);
	return ret;
}

static __u32 attach_to(struct worker *w, int dev,
		       const struct dma_buf_test_attach *args)
{
	int id = testdev_attach(dev, args);

	if (id < 0)
		give_up(w, "attach: %d", id);
	return id;
}

static size_t below(struct worker *w, size_t limit)
{
	return rand_r(&w->random) % limit;
}

static bool one_in(struct worker *w, size_t nr)
{
	return !below(w, nr);
}

static size_t last_word(void)
{
	return page_size / sizeof(__u64) - 1;
}

static unsigned int owner_of(size_t page)
{
	return page % OWNERS;
}

static size_t own_page(struct worker *w)
{
	size_t nr = (w->team->pages - 1 - w->id) / OWNERS + 1;

	return w->id + OWNERS * below(w, nr);
}

static void check_mark(struct worker *w, size_t page, __u64 first, __u64 last)
{
	__u64 mark = page_mark(SEED, page);

	if (first != mark || last != mark)
		give_up(w, "page %zu: marks %#llx, %#llx", page, first, last);
}

/* By the CPU */

static char *map_part(struct worker *w, size_t *first, size_t *nr)
{
	struct team *team = w->team;
	char *map;

	*first = one_in(w, 2) ? 0 : below(w, team->pages);
	*nr = team->pages - *first;
	if (one_in(w, 2))
		*nr = 1 + below(w, *nr);
	map = mmap(NULL, *nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   team->fd, *first * page_size);
	if (map == MAP_FAILED)
		give_up(w, "mmap of %zu pages: %d", *nr, errno);
	return map;
}

static __u64 load(const __u64 *words, size_t i)
{
	return __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

static void visit_as_owner(struct worker *w, __u64 *words, size_t page)
{
	__u64 count = load(words, COUNTER);

	check_mark(w, page, load(words, MARK), load(words, last_word()));
	if (count != w->counts[page])
		give_up(w, "page %zu: counter %llu instead of %llu", page,
			count, w->counts[page]);
	__atomic_store_n(&words[COUNTER], count + 1, __ATOMIC_RELAXED);
	w->counts[page]++;
}

static void own_by_cpu(struct worker *w)
{
	size_t first, nr, page;
	int round, visit;
	char *map;

	for (round = 0; round < w->team->rounds && !stopped(w->team); round++) {
		map = map_part(w, &first, &nr);
		for (visit = 0; visit < VISITS; visit++) {
			page = own_page(w);
			if (page < first || page >= first + nr)
				continue;
			visit_as_owner(w, (void *)(map +
				       (page - first) * page_size), page);
		}
		munmap(map, nr * page_size);
		/* And for longer, so that others move it in between */
		map = map_part(w, &first, &nr);
		for (visit = 0; visit < 2 * VISITS; visit++) {
			page = own_page(w);
			if (page >= first && page < first + nr)
				visit_as_owner(w, (void *)(map +
					       (page - first) * page_size),
					       page);
			sched_yield();
		}
		munmap(map, nr * page_size);
	}
}

/*
 * Any page, by the mapping that all readers use and parts of which they
 * replace. What a device counts may be seen half written.
 */
static void read_by_cpu(struct worker *w)
{
	struct team *team = w->team;
	int round, visit;

	for (round = 0; round < team->rounds && !stopped(team); round++) {
		size_t page = below(w, team->pages);

		if (mmap(team->map + page * page_size, page_size,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 team->fd, page * page_size) == MAP_FAILED)
			give_up(w, "mmap of page %zu: %d", page, errno);

		for (visit = 0; visit < 4 * VISITS; visit++) {
			const __u64 *words;
			__u64 count;

			page = below(w, team->pages);
			words = (void *)(team->map + page * page_size);
			check_mark(w, page, load(words, MARK),
				   load(words, last_word()));
			if (owner_of(page) >= CPU_OWNERS)
				continue;
			count = load(words, COUNTER);
			if (count < w->counts[page])
				give_up(w, "page %zu: counter %llu after %llu",
					page, count, w->counts[page]);
			w->counts[page] = count;
		}
	}
}

/* By the kernel: its copy from a CPU mapping, and a mapping of its own */
static void read_by_kernel(struct worker *w)
{
	struct team *team = w->team;
	__u64 first, last;
	int round, pipe_fd[2];
	size_t page;

	if (pipe(pipe_fd))
		give_up(w, "pipe: %d", errno);
	for (round = 0; round < team->rounds && !stopped(team); round++) {
		page = below(w, team->pages);
		check(w, "vmap", testdev_vmap_read(team->dev.fd, team->fd,
						   page * page_size, &first,
						   sizeof(first)), 0);
		if (write(pipe_fd[1], team->map + (page + 1) * page_size -
			  sizeof(last), sizeof(last)) != sizeof(last))
			give_up(w, "write from page %zu: %d", page, errno);
		if (read(pipe_fd[0], &last, sizeof(last)) != sizeof(last))
			give_up(w, "read: %d", errno);
		check_mark(w, page, first, last);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* By devices */

static void read_mark(struct worker *w, int dev, __u32 id)
{
	size_t page = below(w, w->team->pages);
	__u64 first = 0, last = 0;

	check(w, "read", testdev_read(dev, id, page * page_size, &first,
				      sizeof(first)), 0);
	check(w, "read", testdev_read(dev, id, (page + 1) * page_size -
				      sizeof(last), &last, sizeof(last)), 0);
	check_mark(w, page, first, last);
}

static __u32 attach_movable(struct worker *w, int dev)
{
	static const __u32 modes[] = { 0, MOVABLE, PINNED | MOVABLE, ALL };
	struct dma_buf_test_attach args = {
		.fd = w->team->fd,
		.device = below(w, DEVICES),
		.modes = modes[below(w, ARRAY_SIZE(modes))],
		.flags = CALLBACK,
	};
	struct dma_buf_test_importer_info info;
	__u32 id;

	if (one_in(w, 3)) {
		args.flags |= DMA_BUF_TEST_UNMAP_LATE;
		args.delay_ms = below(w, LATE_MS);
	} else if (one_in(w, 3)) {
		args.flags |= DMA_BUF_TEST_BUSY;
		args.delay_ms = below(w, BUSY_MS);
	} else if (one_in(w, 3)) {
		args.flags |= DMA_BUF_TEST_UNMAP_NEVER;
	}
	id = attach_to(w, dev, &args);
	check(w, "importer info", testdev_importer_info(dev, id, &info), 0);
	if (info.mode != MOVABLE)
		give_up(w, "modes %#x got mode %#x", args.modes, info.mode);
	return id;
}

/* One without a device, which asks where the buffer is */
static __u32 attach_asking(struct worker *w, int dev)
{
	static const __u32 modes[] = { MOVABLE, PINNED | MOVABLE, ALL };
	struct dma_buf_test_attach args = {
		.fd = w->team->fd,
		.device = DMA_BUF_TEST_NO_DEVICE,
		.modes = modes[below(w, ARRAY_SIZE(modes))],
		.flags = CALLBACK,
	};

	if (one_in(w, 3)) {
		args.flags |= DMA_BUF_TEST_UNMAP_LATE;
		args.delay_ms = below(w, LATE_MS);
	} else if (one_in(w, 3)) {
		args.flags |= DMA_BUF_TEST_UNMAP_NEVER;
	}
	return attach_to(w, dev, &args);
}

static int drop(int dev, __u32 id, bool asks)
{
	return asks ? testdev_pfn_close(dev, id) : testdev_unmap(dev, id);
}

static int get(int dev, __u32 id, bool asks)
{
	return asks ? testdev_pfn_open(dev, id, true) : testdev_map(dev, id);
}

static void own_by(struct worker *w, bool asks)
{
	__u32 (*attach_as)(struct worker *w, int dev) =
		asks ? attach_asking : attach_movable;
	struct team *team = w->team;
	int dev = testdev_open();
	int round, visit;
	__u32 id;

	if (dev < 0)
		give_up(w, "open: %d", dev);
	id = attach_as(w, dev);
	for (round = 0; round < team->rounds && !stopped(team); round++) {
		for (visit = 0; visit < VISITS; visit++) {
			size_t page = own_page(w);
			size_t at = page * page_size;
			__u64 words[2] = { 0, 0 };

			check(w, "read", testdev_read(dev, id, at, words,
						      sizeof(words)), 0);
			if (words[MARK] != page_mark(SEED, page) ||
			    words[COUNTER] != w->counts[page])
				give_up(w, "page %zu: %#llx, counter %llu instead of %llu",
					page, words[MARK], words[COUNTER],
					w->counts[page]);
			w->counts[page]++;
			check(w, "write",
			      testdev_write(dev, id, at +
					    COUNTER * sizeof(__u64),
					    &w->counts[page], sizeof(__u64)),
			      0);
			read_mark(w, dev, id);
		}
		switch (below(w, 4)) {
		case 0:
			check(w, "drop", drop(dev, id, asks), -EINVAL);
			break;
		case 1:
			check(w, "get", get(dev, id, asks), -EBUSY);
			break;
		case 2:
			check(w, "detach", testdev_detach(dev, id), 0);
			id = attach_as(w, dev);
			break;
		}
	}
	if (one_in(w, 2))
		check(w, "detach", testdev_detach(dev, id), 0);
	close(dev);
}

static void own_by_dma(struct worker *w)
{
	own_by(w, false);
}

static void own_by_asking(struct worker *w)
{
	own_by(w, true);
}

/* A buffer that this importer has pinned stays where it is. */
static void stay_pinned(struct worker *w, int dev, __u32 id)
{
	struct dma_buf_test_importer_info before, after;

	check(w, "pin", testdev_pin(dev, id), 0);
	check(w, "info", testdev_importer_info(dev, id, &before), 0);
	read_mark(w, dev, id);
	sched_yield();
	read_mark(w, dev, id);
	check(w, "info", testdev_importer_info(dev, id, &after), 0);
	if (before.invalidates != after.invalidates)
		give_up(w, "moved while pinned");
}

/* Two threads, one importer: what one does may be done already. */
static void share_importer(struct worker *w)
{
	struct dma_buf_test_importer_info info;
	struct team *team = w->team;
	int dev = team->dev.fd;
	__u32 id = team->shared;
	int round;

	for (round = 0; round < team->rounds && !stopped(team); round++) {
		check(w, "map", testdev_map(dev, id), -EBUSY);
		read_mark(w, dev, id);
		if (one_in(w, 4)) {
			stay_pinned(w, dev, id);
			check(w, "unpin", testdev_unpin(dev, id), 0);
		}
		check(w, "info", testdev_importer_info(dev, id, &info), 0);
		if (info.maps < info.unmaps)
			give_up(w, "%u maps, %u unmaps", info.maps,
				info.unmaps);
		check(w, "unmap", testdev_unmap(dev, id), -EINVAL);
	}
}

/* Importers of any kind, for a moment */
static void come_and_go(struct worker *w)
{
	static const struct {
		__u32 modes;
		__u32 flags;
	} kinds[] = {
		{ 0, STATIC },
		{ PINNED, 0 },
		{ REVOCABLE, CALLBACK },
		{ 0, CALLBACK },
		{ MOVABLE, CALLBACK },
	};
	struct team *team = w->team;
	int dev = testdev_open();
	int round;

	if (dev < 0)
		give_up(w, "open: %d", dev);
	for (round = 0; round < team->rounds && !stopped(team); round++) {
		size_t kind = below(w, ARRAY_SIZE(kinds));
		struct dma_buf_test_attach args = {
			.fd = team->fd,
			.device = below(w, DEVICES),
			.modes = kinds[kind].modes,
			.flags = kinds[kind].flags,
		};
		bool pin = kinds[kind].flags != STATIC && one_in(w, 2);
		__u32 id = attach_to(w, dev, &args);

		if (pin)
			stay_pinned(w, dev, id);
		if (one_in(w, 2))
			check(w, "map", testdev_map(dev, id),
			      pin ? -EBUSY : 0);
		read_mark(w, dev, id);
		if (pin && one_in(w, 2))
			check(w, "unpin", testdev_unpin(dev, id), 0);
		if (one_in(w, 8)) {
			close(dev);
			dev = testdev_open();
			if (dev < 0)
				give_up(w, "open: %d", dev);
			continue;
		}
		check(w, "detach", testdev_detach(dev, id), 0);
	}
	close(dev);
}

/* Until the others are done, and at least once after that */
static void move_around(struct worker *w)
{
	struct team *team = w->team;
	bool busy;

	do {
		busy = __atomic_load_n(&team->busy, __ATOMIC_RELAXED);
		if (check(w, "move", testdev_move(team->dev.fd, team->fd),
			  busy ? -EBUSY : 0))
			team->refused++;
		else
			team->moves++;
		sched_yield();
	} while (busy && !stopped(team));
}

/* The team */

static void *start_worker(void *arg)
{
	struct worker *w = arg;

	w->work(w);
	if (w->work != move_around)
		__atomic_sub_fetch(&w->team->busy, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void hire(struct __test_metadata *_metadata, struct team *team,
		 void (*work)(struct worker *w))
{
	struct worker *w = &team->workers[team->nr_workers];

	ASSERT_GT(MAX_WORKERS, (int)team->nr_workers);
	w->team = team;
	w->work = work;
	w->id = team->nr_workers++;
	w->random = w->id;
	w->counts = calloc(team->pages, sizeof(*w->counts));
	ASSERT_NE(NULL, w->counts);
	if (work != move_around)
		team->busy++;
}

static void run_workers(struct __test_metadata *_metadata, struct team *team)
{
	unsigned int i;

	for (i = 0; i < team->nr_workers; i++)
		ASSERT_EQ(0, pthread_create(&team->workers[i].thread, NULL,
					    start_worker, &team->workers[i]));
	for (i = 0; i < team->nr_workers; i++)
		pthread_join(team->workers[i].thread, NULL);
	for (i = 0; i < team->nr_workers; i++) {
		EXPECT_STREQ("", team->workers[i].failure) {
			TH_LOG("worker %u", i);
		}
	}
}

FIXTURE(stress) {
	struct team team;
};

FIXTURE_VARIANT(stress) {
	__u32 backing;
	__u32 flags;
	size_t pages;
};

FIXTURE_VARIANT_ADD(stress, scattered) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.pages = 29,
};

FIXTURE_VARIANT_ADD(stress, scattered_core_maps) {
	.backing = DMA_BUF_TEST_SCATTERED,
	.flags = DMA_BUF_TEST_CORE_MAPS,
	.pages = 29,
};

FIXTURE_VARIANT_ADD(stress, contiguous) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
	.pages = 32,
};

FIXTURE_VARIANT_ADD(stress, huge) {
	.backing = DMA_BUF_TEST_HUGE,
};

FIXTURE_VARIANT_ADD(stress, mmio) {
	.backing = DMA_BUF_TEST_MMIO_WC,
	.pages = 29,
};

FIXTURE_SETUP(stress)
{
	const char *rounds = getenv("ROUNDS");
	struct team *team = &self->team;
	__u64 *words;
	size_t page;

	if (!open_device(_metadata, &team->dev))
		return;
	team->rounds = rounds ? atoi(rounds) : ROUNDS;
	ASSERT_LT(0, team->rounds);
	team->pages = variant->pages ?: huge_pages();
	team->size = team->pages * page_size;
	team->fd = testdev_export_all(team->dev.fd, variant->backing,
				      variant->flags, team->size);
	if (team->fd == -ENODEV)
		SKIP(return, "no PCI device with memory");
	ASSERT_LE(0, team->fd);
	team->map = map_pages(_metadata, team->fd, 0, team->pages);
	for (page = 0; page < team->pages; page++) {
		words = (void *)(team->map + page * page_size);
		words[MARK] = page_mark(SEED, page);
		words[COUNTER] = 0;
		words[last_word()] = page_mark(SEED, page);
	}
	team->shared = testdev_is_mmio(variant->backing) ?
		ATTACH(&team->dev, .fd = team->fd, .modes = MOVABLE,
		       .device = DMA_BUF_TEST_NO_DEVICE, .flags = CALLBACK) :
		ATTACH(&team->dev, .fd = team->fd, .flags = CALLBACK);
}

FIXTURE_TEARDOWN(stress)
{
	struct team *team = &self->team;
	unsigned int i;

	for (i = 0; i < team->nr_workers; i++)
		free(team->workers[i].counts);
	munmap(team->map, team->size);
	close(team->fd);
	close_device(_metadata, &team->dev);
}

/* Each counter is what its owner has made it, for the CPU and for a device. */
static void check_content(struct __test_metadata *_metadata, struct team *team)
{
	char *map = mmap(NULL, team->size, PROT_READ, MAP_SHARED, team->fd, 0);
	__u64 total = 0, seen[2];
	size_t page;

	ASSERT_NE(MAP_FAILED, map);
	for (page = 0; page < team->pages; page++) {
		__u64 *words = (void *)(map + page * page_size);
		__u64 count = team->workers[owner_of(page)].counts[page];

		EXPECT_EQ(page_mark(SEED, page), words[MARK]);
		EXPECT_EQ(count, words[COUNTER]);
		EXPECT_EQ(page_mark(SEED, page), words[last_word()]);
		ASSERT_EQ(0, testdev_read(team->dev.fd, team->shared,
					  page * page_size, seen,
					  sizeof(seen)));
		EXPECT_EQ(page_mark(SEED, page), seen[MARK]);
		EXPECT_EQ(count, seen[COUNTER]);
		total += count;
	}
	EXPECT_LT((__u64)team->rounds, total);
	munmap(map, team->size);
}

static void check_balance(struct __test_metadata *_metadata, struct team *team)
{
	struct dma_buf_test_buffer_info info;
	struct shown_attachment shown;

	ASSERT_EQ(1, read_bufinfo(team->fd, &shown, 1));
	EXPECT_EQ(1U, shown.mappings + shown.pfn_mappings);
	ASSERT_EQ(0, testdev_detach(team->dev.fd, team->shared));
	expect_balance(_metadata, &team->dev, team->fd);
	info = buffer_info(_metadata, &team->dev, team->fd);
	EXPECT_EQ(team->moves, info.moves);
	TH_LOG("%u moves, %u refused, %u attaches, %u maps, %u asks",
	       info.moves, team->refused, info.attaches, info.map_calls,
	       info.asks);
}

TEST_F_TIMEOUT(stress, everything_while_it_moves, 120)
{
	struct team *team = &self->team;
	int i;

	/* Owners first: who owns a page is told by the id. */
	for (i = 0; i < CPU_OWNERS; i++)
		hire(_metadata, team, own_by_cpu);
	/* No device of the test reaches what has no pages. */
	hire(_metadata, team, testdev_is_mmio(variant->backing) ? own_by_asking :
							  own_by_dma);
	hire(_metadata, team, own_by_asking);
	for (i = 0; i < READERS; i++)
		hire(_metadata, team, read_by_cpu);
	for (i = 0; i < KERNEL_READERS; i++)
		hire(_metadata, team, read_by_kernel);
	if (!testdev_is_mmio(variant->backing)) {
		for (i = 0; i < SHARERS; i++)
			hire(_metadata, team, share_importer);
		hire(_metadata, team, come_and_go);
	}
	hire(_metadata, team, move_around);

	run_workers(_metadata, team);
	EXPECT_LT(1U, team->moves);
	check_content(_metadata, team);
	check_balance(_metadata, team);
}

TEST_HARNESS_MAIN
