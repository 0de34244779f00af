// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access is taken away and given back all the time, while threads attach and
 * detach, map, do DMA, fork, and load and store by mappings that come and go. Each
 * of these works or is refused. While the buffer is revoked nobody is left in it:
 * nothing is mapped for a device, or by a CPU mapping that was there before.
 *
 * ROUNDS in the environment is how often access is taken away.
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
#include <sys/wait.h>
#include <unistd.h>

#include "modes_fixture.h"

#define ROUNDS		200
#define NR_PAGES	8

/* Each page has a word for each of those who store. */
enum { BY_CPU, BY_DMA, BY_COMING };

struct team;

struct worker {
	struct team *team;
	void (*work)(struct worker *w);
	pthread_t thread;
	unsigned int random;
	long done, refused;
	char failure[128];
};

struct team {
	struct testdev dev;
	int fd;
	__u32 modes;
	bool stop;
	struct worker workers[8];
	unsigned int nr;
};

static bool stopped(const struct team *team)
{
	return __atomic_load_n(&team->stop, __ATOMIC_RELAXED);
}

static void stop(struct team *team)
{
	__atomic_store_n(&team->stop, true, __ATOMIC_RELAXED);
}

static __noreturn __printf(2, 3)
void give_up(struct worker *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	stop(w->team);
	pthread_exit(NULL);
}

/* Did it work? Otherwise it was refused, or that is a failure. */
static bool worked(struct worker *w, const char *what, int ret)
{
	if (ret < 0 && ret != -ENODEV)
		give_up(w, "%s: %s", what, strerror(-ret));
	if (ret < 0)
		w->refused++;
	else
		w->done++;
	return ret >= 0;
}

static size_t word_at(struct worker *w, int writer)
{
	return rand_r(&w->random) % NR_PAGES * page_size +
	       writer * sizeof(__u64);
}

/* By devices */

static __u32 new_importer(struct worker *w, int dev, __u32 modes)
{
	struct dma_buf_test_attach args = {
		.fd = w->team->fd,
		.device = rand_r(&w->random) % DEVICES,
		.modes = modes,
		.flags = CALLBACK,
	};
	int id;

	do {
		id = testdev_attach(dev, &args);
	} while (!worked(w, "attach", id) && !stopped(w->team));
	return id;
}

/* The new value of a word, or 0 if it could not be changed */
static __u64 count_by_dma(struct worker *w, int dev, __u32 id, size_t at)
{
	__u64 word;

	if (!worked(w, "read", testdev_read(dev, id, at, &word, sizeof(word))))
		return 0;
	word++;
	return worked(w, "write", testdev_write(dev, id, at, &word,
						sizeof(word))) ? word : 0;
}

/* One importer that stays, and knows what has to be in the buffer */
static void use_by_dma(struct worker *w)
{
	__u64 expected[NR_PAGES] = { 0 };
	int dev = testdev_open();
	__u32 id = new_importer(w, dev, REVOCABLE);

	while (!stopped(w->team)) {
		size_t at = word_at(w, BY_DMA);
		__u64 *count = &expected[at / page_size];
		__u64 word = count_by_dma(w, dev, id, at);

		if (word && word != ++*count)
			give_up(w, "%llu instead of %llu", word, *count);
		if (rand_r(&w->random) % 4)
			continue;
		if (worked(w, "pin", testdev_pin(dev, id)) &&
		    testdev_unpin(dev, id))
			give_up(w, "unpin of a pin failed");
	}
	close(dev);
}

static void come_and_go(struct worker *w)
{
	static const __u32 modes[] = { REVOCABLE, ALL, PINNED };
	int kinds = w->team->modes & PINNED ? 3 : 2;
	int dev = testdev_open();
	int ret;

	while (!stopped(w->team)) {
		__u32 id = new_importer(w, dev,
					modes[rand_r(&w->random) % kinds]);

		if (stopped(w->team))
			break;
		worked(w, "map", testdev_map(dev, id));
		count_by_dma(w, dev, id, word_at(w, BY_COMING));
		ret = testdev_detach(dev, id);
		if (ret)
			give_up(w, "detach: %s", strerror(-ret));
	}
	close(dev);
}

/*
 * By the CPU. The kernel does the access, so that a refusal is an error and no
 * signal, for which threads would have to wait for each other.
 */

static int load(int pipes[2], const char *addr, __u64 *word)
{
	if (write(pipes[1], addr, sizeof(*word)) < 0)
		return errno == EFAULT ? -ENODEV : -errno;
	return read(pipes[0], word, sizeof(*word)) < 0 ? -errno : 0;
}

static int store(int pipes[2], char *addr, __u64 word)
{
	__u64 lost;

	if (write(pipes[1], &word, sizeof(word)) < 0)
		return -errno;
	if (read(pipes[0], addr, sizeof(word)) == sizeof(word))
		return 0;
	/* Nothing was taken out of the pipe. */
	if (errno != EFAULT)
		return -errno;
	return read(pipes[0], &lost, sizeof(lost)) < 0 ? -errno : -ENODEV;
}

static void use_by_cpu(struct worker *w)
{
	int pipes[2];

	if (pipe(pipes))
		give_up(w, "pipe: %s", strerror(errno));
	while (!stopped(w->team)) {
		char *map = mmap(NULL, NR_PAGES * page_size,
				 PROT_READ | PROT_WRITE, MAP_SHARED,
				 w->team->fd, 0);
		__u64 word;
		int i;

		if (map == MAP_FAILED)
			give_up(w, "mmap: %s", strerror(errno));
		for (i = 0; i < 20; i++) {
			size_t at = word_at(w, BY_CPU);

			if (worked(w, "load", load(pipes, map + at, &word)))
				worked(w, "store",
				       store(pipes, map + at, word + 1));
		}
		munmap(map, NR_PAGES * page_size);
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* A child has the mapping of its parent, and entries of its own. */
static int load_in_child(int pipes[2], const char *addr)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		__u64 word;

		_exit(-load(pipes, addr, &word));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static void use_by_children(struct worker *w)
{
	char *map = mmap(NULL, NR_PAGES * page_size, PROT_READ, MAP_SHARED,
			 w->team->fd, 0);
	int pipes[2];

	if (map == MAP_FAILED || pipe(pipes))
		give_up(w, "mmap or pipe: %s", strerror(errno));
	while (!stopped(w->team))
		worked(w, "load in a child",
		       load_in_child(pipes, map + word_at(w, BY_CPU)));
	close(pipes[0]);
	close(pipes[1]);
	munmap(map, NR_PAGES * page_size);
}

/* Another file of the same buffer, which goes with what was mapped by it */
static void use_by_other_files(struct worker *w)
{
	int pipes[2];

	if (pipe(pipes))
		give_up(w, "pipe: %s", strerror(errno));
	while (!stopped(w->team)) {
		int fd = dup(w->team->fd);
		__u64 word;
		char *map;

		if (fd < 0)
			give_up(w, "dup: %s", strerror(errno));
		map = mmap(NULL, NR_PAGES * page_size, PROT_READ, MAP_SHARED,
			   fd, 0);
		close(fd);
		if (map == MAP_FAILED)
			give_up(w, "mmap: %s", strerror(errno));
		worked(w, "load", load(pipes, map + word_at(w, BY_CPU), &word));
		munmap(map, NR_PAGES * page_size);
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* The test */

FIXTURE(race) {
	struct team team;
	char *view;
};

FIXTURE_VARIANT(race) {
	__u32 modes;
};

FIXTURE_VARIANT_ADD(race, only_revocable) {
	.modes = REVOCABLE,
};

FIXTURE_VARIANT_ADD(race, pinned_or_revocable) {
	.modes = PINNED | REVOCABLE,
};

FIXTURE_SETUP(race)
{
	struct team *team = &self->team;

	if (!open_device(_metadata, &team->dev))
		return;
	team->modes = variant->modes;
	team->fd = testdev_export(team->dev.fd, &(struct dma_buf_test_export) {
		.size = NR_PAGES * page_size,
		.modes = variant->modes,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	ASSERT_LE(0, team->fd);
	self->view = map_pages(_metadata, team->fd, 0, NR_PAGES);
}

FIXTURE_TEARDOWN(race)
{
	munmap(self->view, NR_PAGES * page_size);
	close(self->team.fd);
	close_device(_metadata, &self->team.dev);
}

static void *start(void *arg)
{
	struct worker *w = arg;

	w->work(w);
	return NULL;
}

static void hire(struct __test_metadata *_metadata, struct team *team,
		 void (*work)(struct worker *w))
{
	struct worker *w = &team->workers[team->nr++];

	w->team = team;
	w->work = work;
	w->random = team->nr;
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, start, w));
}

/* Nobody is in it: for as long as it takes to see that nothing changes. */
static void check_revoked(struct __test_metadata *_metadata, struct team *team,
			  const char *view, int pipes[2])
{
	struct dma_buf_test_buffer_info before, after;
	__u64 word;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(-ENODEV, load(pipes, view + i * page_size, &word));
	before = buffer_info(_metadata, &team->dev, team->fd);
	ASSERT_EQ(0U, before.mappings);
	for (i = 0; i < 5; i++)
		sched_yield();
	after = buffer_info(_metadata, &team->dev, team->fd);
	ASSERT_EQ(0U, after.mappings);
	ASSERT_EQ(before.map_calls, after.map_calls);
	ASSERT_EQ(before.pin_calls, after.pin_calls);
}

TEST_F_TIMEOUT(race, revoke_against_all, 120)
{
	const char *env = getenv("ROUNDS");
	int revokes = 0, vetoes = 0, rounds = env ? atoi(env) : ROUNDS;
	struct team *team = &self->team;
	long done = 0, refused = 0;
	unsigned int n;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	hire(_metadata, team, use_by_dma);
	hire(_metadata, team, come_and_go);
	hire(_metadata, team, come_and_go);
	hire(_metadata, team, use_by_cpu);
	hire(_metadata, team, use_by_cpu);
	hire(_metadata, team, use_by_children);
	hire(_metadata, team, use_by_other_files);
	while (revokes < rounds && !stopped(team)) {
		int ret;

		/* So that there is something to zap */
		touch(self->view, NR_PAGES * page_size);
		ret = testdev_revoke(team->dev.fd, team->fd,
				     DMA_BUF_REVOKED_NOW);

		/* A pinned importer has a veto for as long as it is there. */
		if (ret == -EBUSY && variant->modes & PINNED) {
			vetoes++;
			sched_yield();
			continue;
		}
		ASSERT_EQ(0, ret);
		revokes++;
		check_revoked(_metadata, team, self->view, pipes);
		ASSERT_EQ(0, testdev_revoke(team->dev.fd, team->fd,
					    DMA_BUF_REVOKED_NO));
		usleep(rand() % 500);
	}
	stop(team);
	for (n = 0; n < team->nr; n++) {
		struct worker *w = &team->workers[n];

		pthread_join(w->thread, NULL);
		EXPECT_STREQ("", w->failure);
		done += w->done;
		refused += w->refused;
	}
	TH_LOG("%d revokes, %d vetoes, %ld calls worked, %ld were refused",
	       revokes, vetoes, done, refused);
	/* Or it was no race. Few rounds may be none. */
	if (rounds >= ROUNDS) {
		EXPECT_LT(0, done);
		EXPECT_LT(0, refused);
		EXPECT_EQ(!!(variant->modes & PINNED), !!vetoes);
	}
	/* Importers are gone with their files. */
	EXPECT_BUFINFO_EMPTY(team->fd);
	expect_balance(_metadata, &team->dev, team->fd);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_HARNESS_MAIN
