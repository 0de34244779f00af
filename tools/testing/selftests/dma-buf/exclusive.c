// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device has a part of a buffer to itself: what CPUs see of that, by mappings of
 * one process and of others, by system calls, while the buffer moves and is
 * revoked, and that no count is lost when both sides count.
 * Documentation/driver-api/dma-buf/exclusive.rst has the rules.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "modes_fixture.h"

#define EXCLUSIVE	DMA_BUF_TEST_EXCLUSIVE
#define LATE		(EXCLUSIVE | DMA_BUF_TEST_STOP_LATE)
#define NEVER		(EXCLUSIVE | DMA_BUF_TEST_STOP_NEVER)

#define NR		16	/* pages of the buffer */
#define DELAY_MS	1500	/* more than anything takes that doesn't wait */
#define A_WHILE_MS	100	/* in which what doesn't wait has come back */

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

FIXTURE(exclusive) {
	struct testdev dev;
	int fd;
	char *view;
};

FIXTURE_VARIANT(exclusive) {
	__u32 backing;
};

FIXTURE_VARIANT_ADD(exclusive, scattered) {
	.backing = DMA_BUF_TEST_SCATTERED,
};

FIXTURE_VARIANT_ADD(exclusive, contiguous) {
	.backing = DMA_BUF_TEST_CONTIGUOUS,
};

FIXTURE_SETUP(exclusive)
{
	self->fd = -1;
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = testdev_export(self->dev.fd, &(struct dma_buf_test_export) {
		.size = NR * page_size,
		.backing = variant->backing,
		.modes = ALL,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	ASSERT_LE(0, self->fd);
	self->view = map_pages(_metadata, self->fd, 0, NR);
	fill(self->view, 0, NR, SEED);
}

FIXTURE_TEARDOWN(exclusive)
{
	if (self->view)
		munmap(self->view, NR * page_size);
	if (self->fd >= 0)
		close(self->fd);
	close_device(_metadata, &self->dev);
}

static __u32 taker(struct __test_metadata *_metadata, struct testdev *dev,
		   int fd, __u32 flags, __u32 delay_ms)
{
	__u32 id = ATTACH(dev, .fd = fd, .modes = MOVABLE,
			  .flags = CALLBACK | flags, .delay_ms = delay_ms);

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	return id;
}

#define EXPECT_LOST(dev, importer, nr)					\
	EXPECT_EQ((__u32)(nr), importer_info(_metadata, dev, importer).lost)

static char *page(char *map, size_t index)
{
	return map + index * page_size;
}

/* How long it takes to read a page, which has to have the right content */
static long read_ms(struct __test_metadata *_metadata, char *map, size_t index)
{
	long start = now_ms();

	EXPECT_EQ(-1, wrong_page(page(map, index), index, 1, SEED));
	return now_ms() - start;
}

TEST_F(exclusive, cpu_gets_a_range_back_as_a_whole)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, EXCLUSIVE, 0);

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 4));
	read_ms(_metadata, self->view, 2);
	read_ms(_metadata, self->view, 7);
	EXPECT_LOST(dev, id, 0);
	read_ms(_metadata, self->view, 6);
	EXPECT_LOST(dev, id, 1);
	read_ms(_metadata, self->view, 3);
	EXPECT_LOST(dev, id, 1);

	/* What is given back needs nobody to lose it. */
	ASSERT_EQ(0, testdev_take(dev->fd, id, 0, NR));
	ASSERT_EQ(0, testdev_drop(dev->fd, id, 0, NR));
	EXPECT_EQ(-1, wrong_page(self->view, 0, NR, SEED));
	EXPECT_LOST(dev, id, 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* Each takes one fault, for one page table, and none fills what is taken. */
TEST_F(exclusive, empty_slots_beside_a_taken_page)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, EXCLUSIVE, 0);
	char *late;

	ASSERT_EQ(0, testdev_take(dev->fd, id, 8, 1));
	late = map_pages(_metadata, self->fd, 0, NR);
	read_ms(_metadata, late, 7);
	read_ms(_metadata, late, 9);
	EXPECT_LOST(dev, id, 0);
	read_ms(_metadata, late, 8);
	EXPECT_LOST(dev, id, 1);
	munmap(late, NR * page_size);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

TEST_F(exclusive, cpu_waits_until_the_device_has_stopped)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, LATE, DELAY_MS);

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	EXPECT_GT(DELAY_MS, read_ms(_metadata, self->view, 2));
	EXPECT_LE(DELAY_MS, read_ms(_metadata, self->view, 3));
	EXPECT_LOST(dev, id, 1);
	EXPECT_GT(DELAY_MS, read_ms(_metadata, self->view, 3));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* A mapping that is split, moved and protected goes by the pages all the same. */
TEST_F(exclusive, mapping_that_is_split_and_moved)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, EXCLUSIVE, 0);
	char *to = mmap(NULL, NR * page_size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, to);
	ASSERT_EQ(0, mprotect(page(self->view, 4), 2 * page_size, PROT_READ));
	ASSERT_EQ(0, testdev_take(dev->fd, id, 5, 2));
	read_ms(_metadata, self->view, 4);
	EXPECT_LOST(dev, id, 0);
	read_ms(_metadata, self->view, 5);
	EXPECT_LOST(dev, id, 1);

	ASSERT_EQ(0, testdev_take(dev->fd, id, 5, 2));
	ASSERT_EQ(page(to, 6), mremap(page(self->view, 6), 4 * page_size,
				      4 * page_size,
				      MREMAP_MAYMOVE | MREMAP_FIXED,
				      page(to, 6)));
	read_ms(_metadata, to, 7);
	EXPECT_LOST(dev, id, 1);
	read_ms(_metadata, to, 6);
	EXPECT_LOST(dev, id, 2);

	ASSERT_EQ(0, testdev_take(dev->fd, id, 5, 2));
	munmap(to, NR * page_size);
	read_ms(_metadata, self->view, 4);
	EXPECT_LOST(dev, id, 2);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* The kernel's access for a system call is access by a CPU. */
TEST_F(exclusive, system_calls_wait_as_well)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, LATE, DELAY_MS);
	char copy[64];
	int pipefd[2];
	long start;

	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	start = now_ms();
	ASSERT_EQ((ssize_t)sizeof(copy),
		  write(pipefd[1], page(self->view, 3), sizeof(copy)));
	EXPECT_LE(DELAY_MS, now_ms() - start);
	EXPECT_LOST(dev, id, 1);
	ASSERT_EQ((ssize_t)sizeof(copy), read(pipefd[0], copy, sizeof(copy)));
	EXPECT_EQ(0, memcmp(copy, page(self->view, 3), sizeof(copy)));

	/* What is beside it, in the same call, is there already. */
	usleep(2 * A_WHILE_MS * 1000);
	ASSERT_EQ(0, testdev_take(dev->fd, id, 5, 1));
	ASSERT_EQ((ssize_t)sizeof(copy),
		  write(pipefd[1], copy, sizeof(copy)));
	start = now_ms();
	ASSERT_EQ((ssize_t)sizeof(copy),
		  read(pipefd[0], page(self->view, 6) - sizeof(copy),
		       sizeof(copy)));
	EXPECT_LE(DELAY_MS, now_ms() - start);
	EXPECT_LOST(dev, id, 2);
	fill(page(self->view, 5), 5, 1, SEED);
	close(pipefd[0]);
	close(pipefd[1]);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* Exit code of a child: the page is right, in less than or at least that time */
static int child_reads(char *map, size_t index, bool waits)
{
	long start = now_ms();
	bool right = wrong_page(page(map, index), index, 1, SEED) == -1;

	return !right || (now_ms() - start >= DELAY_MS) != waits;
}

/* A child's page table has no entry, and what is taken is so for it, too. */
TEST_F(exclusive, child_and_parent_wait_for_the_same)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, LATE, DELAY_MS);
	int status, i;
	pid_t pid;

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	for (i = 0; i < 2; i++) {
		/* Not because of the one that is taken */
		long start = now_ms();

		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(child_reads(self->view, 3 + i, !i));
		EXPECT_GT(DELAY_MS, now_ms() - start);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_LOST(dev, id, 1);
		/* It is back for all. */
		EXPECT_GT(DELAY_MS, read_ms(_metadata, self->view, 3));
	}
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* One that waits for a device that doesn't stop can be killed, but not woken. */
TEST_F(exclusive, process_that_waits_can_be_killed)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, NEVER, 0);
	int status, i;
	pid_t pid[2];

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			_exit(child_reads(self->view, 3, true));
	}
	for (i = 0; i < 100 && !importer_info(_metadata, dev, id).lost; i++)
		usleep(A_WHILE_MS * 1000);
	usleep(A_WHILE_MS * 1000);
	EXPECT_EQ(0, waitpid(pid[0], &status, WNOHANG));
	EXPECT_LOST(dev, id, 1);
	ASSERT_EQ(0, kill(pid[0], SIGKILL));
	ASSERT_EQ(pid[0], waitpid(pid[0], &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	/* The other one goes on when the device is gone. */
	usleep(2 * DELAY_MS * 1000);
	EXPECT_EQ(0, waitpid(pid[1], &status, WNOHANG));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	ASSERT_EQ(pid[1], waitpid(pid[1], &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(exclusive, importers_exclude_each_other)
{
	struct testdev *dev = &self->dev;
	__u32 a = taker(_metadata, dev, self->fd, EXCLUSIVE, 0);
	__u32 b = taker(_metadata, dev, self->fd, LATE, DELAY_MS);
	__u32 none = taker(_metadata, dev, self->fd, 0, 0);

	EXPECT_EQ(-EOPNOTSUPP, testdev_take(dev->fd, none, 0, 1));
	EXPECT_EQ(-EINVAL, testdev_take(dev->fd, a, NR, 1));
	EXPECT_EQ(-EINVAL, testdev_take(dev->fd, a, 0, 0));
	ASSERT_EQ(0, testdev_take(dev->fd, a, 0, 4));
	EXPECT_EQ(-EBUSY, testdev_take(dev->fd, b, 3, 4));
	ASSERT_EQ(0, testdev_take(dev->fd, b, 4, 4));

	/* While one is going */
	read_ms(_metadata, self->view, 5);
	ASSERT_EQ(0, testdev_take(dev->fd, b, 4, 4));
	ASSERT_EQ(0, testdev_move(dev->fd, self->fd));
	ASSERT_EQ(0, testdev_map(dev->fd, a));
	EXPECT_EQ(-EAGAIN, testdev_take(dev->fd, a, 4, 1));
	usleep(2 * DELAY_MS * 1000);
	EXPECT_EQ(0, testdev_take(dev->fd, a, 4, 1));

	/* An importer that has unmapped has nothing to take for. */
	ASSERT_EQ(0, testdev_unmap(dev->fd, a));
	EXPECT_EQ(-EINVAL, testdev_take(dev->fd, a, 0, 1));
	ASSERT_EQ(0, testdev_detach(dev->fd, none));
	ASSERT_EQ(0, testdev_detach(dev->fd, a));
	ASSERT_EQ(0, testdev_detach(dev->fd, b));
}

TEST_F(exclusive, move_takes_it_from_the_device)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, LATE, DELAY_MS);
	long start;

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 4));
	start = now_ms();
	ASSERT_EQ(0, testdev_move(dev->fd, self->fd));
	EXPECT_LOST(dev, id, 1);
	/* The content is in its new place, and CPUs wait for the device. */
	EXPECT_EQ(-1, wrong_page(self->view, 0, 3, SEED));
	EXPECT_GT(DELAY_MS, now_ms() - start);
	read_ms(_metadata, self->view, 6);
	EXPECT_LE(DELAY_MS, now_ms() - start);
	EXPECT_LOST(dev, id, 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

TEST_F(exclusive, revoke_wins_over_waiting)
{
	struct testdev *dev = &self->dev;
	int fd = testdev_export(dev->fd, &(struct dma_buf_test_export) {
		.size = NR * page_size,
		.backing = variant->backing,
		.modes = REVOCABLE,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	long start;
	char *map;
	__u32 id;

	ASSERT_LE(0, fd);
	map = map_pages(_metadata, fd, 0, NR);
	fill(map, 0, NR, SEED);
	id = ATTACH(dev, .fd = fd, .modes = REVOCABLE, .flags = CALLBACK | LATE,
		    .delay_ms = DELAY_MS);
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));

	start = now_ms();
	ASSERT_EQ(0, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW));
	EXPECT_LOST(dev, id, 1);
	EXPECT_TRUE(gets_sigbus(page(map, 3), false));
	EXPECT_EQ(-ENODEV, testdev_take(dev->fd, id, 5, 1));
	ASSERT_EQ(0, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NO));
	EXPECT_GT(DELAY_MS, now_ms() - start);
	read_ms(_metadata, map, 3);
	EXPECT_LE(DELAY_MS, now_ms() - start);

	munmap(map, NR * page_size);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	close(fd);
}

TEST_F(exclusive, vmap_waits_for_the_device)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, LATE, DELAY_MS);
	long start = now_ms();
	char copy[64];

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	ASSERT_EQ(0, testdev_vmap_read(dev->fd, self->fd, 0, copy, sizeof(copy)));
	EXPECT_LE(DELAY_MS, now_ms() - start);
	EXPECT_EQ(0, memcmp(copy, self->view, sizeof(copy)));
	EXPECT_LOST(dev, id, 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* SYNC is about caches, and has no effect. */
TEST_F(exclusive, sync_takes_nothing_back)
{
	struct testdev *dev = &self->dev;
	__u32 id = taker(_metadata, dev, self->fd, EXCLUSIVE, 0);
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};

	ASSERT_EQ(0, testdev_take(dev->fd, id, 3, 1));
	EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, &sync));
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_LOST(dev, id, 0);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* An importer that is gone has nothing. */
TEST_F(exclusive, importer_that_is_closed)
{
	struct testdev second = { .fd = testdev_open() };
	__u32 id;

	ASSERT_LE(0, second.fd);
	id = taker(_metadata, &second, self->fd, NEVER, 0);
	ASSERT_EQ(0, testdev_take(second.fd, id, 0, NR));
	close(second.fd);
	EXPECT_EQ(-1, wrong_page(self->view, 0, NR, SEED));
}

/* A counter that a device without atomics and CPUs increment */

#define DEVICE_ROUNDS	60000
#define CPU_ROUNDS	20000
#define CPUS		2

struct counting {
	struct testdev *dev;
	__u32 id;
	__u64 *counter;
	int error;
};

static void *device_counts(void *arg)
{
	struct counting *counting = arg;

	counting->error = testdev_count(counting->dev->fd, counting->id, 0,
					DEVICE_ROUNDS);
	return NULL;
}

static void *cpu_counts(void *arg)
{
	struct counting *counting = arg;
	int i;

	/* With pauses, in which the device gets at it */
	for (i = 0; i < CPU_ROUNDS; i++) {
		__atomic_fetch_add(counting->counter, 1, __ATOMIC_SEQ_CST);
		if (i % 8 == 0)
			usleep(50);
	}
	return NULL;
}

TEST_F_TIMEOUT(exclusive, no_count_is_lost, 300)
{
	struct testdev *dev = &self->dev;
	struct counting device[2], cpu[CPUS];
	pthread_t threads[2 + CPUS];
	int i, nr = 0;
	__u64 *counter;

	counter = (__u64 *)self->view;
	*counter = 0;
	for (i = 0; i < 2; i++) {
		__u32 id = ATTACH(dev, .fd = self->fd,
				  .device = DMA_BUF_TEST_NO_DEVICE,
				  .modes = PINNED, .flags = CALLBACK | EXCLUSIVE);

		ASSERT_EQ(0, testdev_pfn_open(dev->fd, id, true));
		device[i] = (struct counting) { .dev = dev, .id = id };
		ASSERT_EQ(0, pthread_create(&threads[nr++], NULL, device_counts,
					    &device[i]));
	}
	for (i = 0; i < CPUS; i++) {
		cpu[i] = (struct counting) { .counter = counter };
		ASSERT_EQ(0, pthread_create(&threads[nr++], NULL, cpu_counts,
					    &cpu[i]));
	}
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);

	EXPECT_EQ(2ULL * DEVICE_ROUNDS + CPUS * CPU_ROUNDS, *counter);
	for (i = 0; i < 2; i++) {
		struct dma_buf_test_importer_info info;

		EXPECT_EQ(0, device[i].error);
		info = importer_info(_metadata, dev, device[i].id);
		/* Both sides were in each other's way. */
		EXPECT_LT(100U, info.takes);
		EXPECT_LT(3U, info.lost);
		ASSERT_EQ(0, testdev_detach(dev->fd, device[i].id));
	}
	fill(self->view, 0, 1, SEED);
}

/* Huge entries */

TEST(page_of_a_huge_entry)
{
	size_t huge, size;
	struct testdev dev;
	char *map, *aligned;
	__u32 id;
	int fd;

	if (!open_device(_metadata, &dev))
		return;
	huge = huge_pages();
	size = 2 * huge * page_size;
	fd = testdev_export(dev.fd, &(struct dma_buf_test_export) {
		.size = size,
		.backing = DMA_BUF_TEST_HUGE,
		.modes = ALL,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	ASSERT_LE(0, fd);
	map = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	aligned = (char *)(((uintptr_t)map + huge * page_size - 1) /
			   (huge * page_size) * (huge * page_size));
	ASSERT_EQ(aligned, mmap(aligned, size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, fd, 0));
	fill(aligned, 0, 2 * huge, SEED);
	id = ATTACH(&dev, .fd = fd, .modes = MOVABLE, .flags = CALLBACK | EXCLUSIVE);
	ASSERT_EQ(0, testdev_map(dev.fd, id));

	/* The entry is gone, and so is what it maps beside the page. */
	ASSERT_EQ(0, testdev_take(dev.fd, id, 7, 1));
	EXPECT_EQ(-1, wrong_page(aligned, 0, 7, SEED));
	EXPECT_EQ(-1, wrong_page(aligned + 8 * page_size, 8, 2 * huge - 8, SEED));
	EXPECT_LOST(&dev, id, 0);
	EXPECT_EQ(-1, wrong_page(aligned + 7 * page_size, 7, 1, SEED));
	EXPECT_LOST(&dev, id, 1);

	/* Nor does a mapping that is empty get a huge one. */
	ASSERT_EQ(0, testdev_take(dev.fd, id, huge + 7, 1));
	ASSERT_EQ(0, testdev_move(dev.fd, fd));
	EXPECT_LOST(&dev, id, 2);
	ASSERT_EQ(0, testdev_map(dev.fd, id));
	ASSERT_EQ(0, testdev_take(dev.fd, id, huge + 7, 1));
	EXPECT_EQ(-1, wrong_page(aligned + huge * page_size, huge, 7, SEED));
	EXPECT_LOST(&dev, id, 2);
	EXPECT_EQ(-1, wrong_page(aligned + huge * page_size, huge, huge, SEED));
	EXPECT_LOST(&dev, id, 3);

	munmap(map, 2 * size);
	ASSERT_EQ(0, testdev_detach(dev.fd, id));
	close(fd);
	close_device(_metadata, &dev);
}

TEST_HARNESS_MAIN
