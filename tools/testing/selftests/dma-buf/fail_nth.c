// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fail_nth.h"
#include "write_file.h"

#define DEBUGFS		"/sys/kernel/debug"
#define CACHE_FILTER	DEBUGFS "/failslab/cache-filter"
#define DMA_DEBUG	DEBUGFS "/dma-api"
#define SLAB		"/sys/kernel/slab"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

/*
 * Without ignore-gfp-*, only allocations that can't sleep would fail, and
 * without min-order, no single page. "times" is used up by each failure. What
 * FAULT_INJECTION_USERCOPY adds is quiet then, and fails with EFAULT.
 */
static struct knob {
	const char *path;
	const char *value;
	char saved[16];		/* "" for a knob that there isn't */
} knobs[] = {
	{ CACHE_FILTER, "N", "" },
	{ DEBUGFS "/failslab/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "/failslab/times", "-1", "" },
	{ DEBUGFS "/failslab/verbose", "0", "" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-highmem", "N", "" },
	{ DEBUGFS "/fail_page_alloc/min-order", "0", "" },
	{ DEBUGFS "/fail_page_alloc/times", "-1", "" },
	{ DEBUGFS "/fail_page_alloc/verbose", "0", "" },
	{ DEBUGFS "/fail_usercopy/verbose", "0", "" },
	{ NULL, NULL, "" }
};

static int set_knob(struct knob *knob)
{
	int fd = open(knob->path, O_RDONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (read(fd, knob->saved, sizeof(knob->saved) - 1) < 0)
		ret = -errno;
	close(fd);
	return ret ?: write_file(knob->path, knob->value);
}

/* With the cache filter, all slab caches fail but the one of tree nodes. */
static int mark_caches(bool mark)
{
	char path[sizeof(SLAB) + sizeof(((struct dirent *)0)->d_name) + 16];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (access(DMA_DEBUG, F_OK))
		return 0;
	dir = opendir(SLAB);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		bool fails = mark && strcmp(entry->d_name, "radix_tree_node");

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB "/%s/failslab",
			 entry->d_name);
		ret = write_file(path, fails ? "1" : "0");
		/* A cache that several share can't be told to. */
		if (ret == -EINVAL || ret == -ENOENT)
			ret = 0;
	}
	closedir(dir);
	return ret;
}

const char *fail_nth_missing(void)
{
	if (access(DEBUGFS "/failslab", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	if (access(DEBUGFS "/failslab", F_OK))
		return "no CONFIG_FAILSLAB with CONFIG_FAULT_INJECTION_DEBUG_FS";
	if (access(DEBUGFS "/fail_page_alloc", F_OK))
		return "no CONFIG_FAIL_PAGE_ALLOC";
	if (access(FAIL_NTH, F_OK))
		return "no " FAIL_NTH;
	return NULL;
}

int fail_nth_setup(void)
{
	int ret = mark_caches(true);
	struct knob *knob;

	for (knob = knobs; !ret && knob->path; knob++)
		ret = set_knob(knob);
	return ret;
}

void fail_nth_restore(void)
{
	struct knob *knob;

	for (knob = knobs; knob->path; knob++)
		if (knob->saved[0])
			write_file(knob->path, knob->saved);
	mark_caches(false);
}

int fail_nth_spare_trees(bool spare)
{
	spare = spare && !access(DMA_DEBUG, F_OK);
	return write_file(CACHE_FILTER, spare ? "Y" : "N");
}

int fail_nth_open(void)
{
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int fail_nth_arm(int fd, unsigned int nth)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%u", nth);

	return pwrite(fd, value, len, 0) == len ? 0 : -errno;
}

/* Copying these few bytes is what may be made to fail, being the next then. */
int fail_nth_disarm(int fd)
{
	char value[16] = "1";

	if (pread(fd, value, sizeof(value) - 1, 0) < 0 && errno != EFAULT)
		return -errno;
	if (pwrite(fd, "0", 1, 0) != 1 && errno != EFAULT)
		return -errno;
	return atoi(value);
}
