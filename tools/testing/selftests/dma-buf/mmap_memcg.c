// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process at the limit of its memory cgroup maps a large dma-buf and touches
 * little of it. A fault handler may map the surroundings of a page, but page
 * tables for what nobody touches must not get the process killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modes_fixture.h"
#include "write_file.h"

#define CGROUP		"/sys/fs/cgroup"
#define SIZE		(64UL << 20)
#define MAPPINGS	128
/* Twice what the touched page tables need, one and the one above it each */
#define SPARE_PAGES	(2UL * 2 * MAPPINGS)

FIXTURE(limit) {
	struct testdev dev;
	int fd;
	char group[64];
};

static int group_write(const char *group, const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return write_file(path, value);
}

static long group_read(const char *group, const char *file)
{
	char path[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (fscanf(f, "%ld", &value) != 1)
		value = -EINVAL;
	fclose(f);
	return value;
}

FIXTURE_SETUP(limit)
{
	if (group_write(CGROUP, "cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller at " CGROUP);
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = testdev_export(self->dev.fd, &(struct dma_buf_test_export) {
		.size = SIZE,
		.modes = ALL,
		.flags = HAS_PIN,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
	ASSERT_LE(0, self->fd);
	snprintf(self->group, sizeof(self->group), CGROUP "/ksft-%d", getpid());
	ASSERT_EQ(0, mkdir(self->group, 0700));
}

FIXTURE_TEARDOWN(limit)
{
	rmdir(self->group);
	close(self->fd);
	close_device(_metadata, &self->dev);
}

/* Exit codes of the child */
enum { FINE, NO_GROUP, NO_LIMIT, NO_MAP, NOT_CHARGED };

static int child(const char *group, int fd)
{
	static char *maps[MAPPINGS];
	char value[32];
	long before;
	int i;

	snprintf(value, sizeof(value), "%d", getpid());
	if (group_write(group, "cgroup.procs", value))
		return NO_GROUP;
	for (i = 0; i < MAPPINGS; i++) {
		maps[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			       fd, 0);
		if (maps[i] == MAP_FAILED)
			return NO_MAP;
	}
	before = group_read(group, "memory.current");
	snprintf(value, sizeof(value), "%ld",
		 before + (long)(SPARE_PAGES * getpagesize()));
	if (group_write(group, "memory.max", value))
		return NO_LIMIT;
	/* In the middle, where the surroundings are largest */
	for (i = 0; i < MAPPINGS; i++)
		touch(maps[i] + SIZE / 2, getpagesize());
	/* More than what a CPU charges ahead */
	return group_read(group, "memory.current") > before ? FINE :
							      NOT_CHARGED;
}

TEST_F(limit, untouched_pages_kill_nobody)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(child(self->group, self->fd));
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_FALSE(WIFSIGNALED(status)) {
		TH_LOG("killed by signal %d", WTERMSIG(status));
	}
	if (WEXITSTATUS(status) == NOT_CHARGED)
		SKIP(return, "page tables aren't charged to the cgroup");
	EXPECT_EQ(FINE, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
