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
#define DMA_DEBUG	DEBUGFS "/dma-api"
#define SLAB		"/sys/kernel/slab"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

#define CACHE_FILTER	0	/* index of that knob */

/*
 * Without ignore-gfp-*, only allocations that can't sleep would fail, and
 * without min-order, no single page. "times" is used up by each failure. What
 * FAULT_INJECTION_USERCOPY adds is quiet then, and fails with EFAULT.
 */
static const struct {
	const char *file;
	const char *value;
} knobs[FAIL_NTH_KNOBS] = {
	[CACHE_FILTER] = { "failslab/cache-filter", "N" },
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/times", "-1" },
	{ "failslab/verbose", "0" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/times", "-1" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_usercopy/verbose", "0" },
};

static int write_knob(int i, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s", knobs[i].file);
	return write_file(path, value);
}

static int save_knob(int i, char *saved, size_t size)
{
	char path[128];
	ssize_t len;
	int fd, ret = 0;

	snprintf(path, sizeof(path), DEBUGFS "/%s", knobs[i].file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	saved[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	len = read(fd, saved, size - 1);
	if (len < 0)
		ret = -errno;
	saved[len > 0 ? len : 0] = '\0';
	close(fd);
	return ret;
}

/* Have all slab caches fail but the one of tree nodes, or put that back */
static int spare_trees(bool spare)
{
	char path[sizeof(SLAB) + sizeof(((struct dirent *)0)->d_name) + 16];
	struct dirent *entry;
	DIR *dir;
	int ret = 0;

	dir = opendir(SLAB);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		bool fails = spare && strcmp(entry->d_name, "radix_tree_node");

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB "/%s/failslab",
			 entry->d_name);
		ret = write_file(path, fails ? "1" : "0");
		/* A cache that several share can't be told to. */
		if (ret && ret != -EINVAL && ret != -ENOENT)
			break;
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

int fail_nth_open(struct fail_nth *f, bool maps_dma)
{
	int i, ret = 0;

	f->spare_trees = maps_dma && !access(DMA_DEBUG, F_OK);
	for (i = 0; i < FAIL_NTH_KNOBS; i++) {
		ret = save_knob(i, f->saved[i], sizeof(f->saved[i]));
		if (ret)
			return ret;
	}
	f->fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		return -errno;

	for (i = 0; !ret && i < FAIL_NTH_KNOBS; i++)
		if (f->saved[i][0])
			ret = write_knob(i, knobs[i].value);
	if (!ret && f->spare_trees)
		ret = spare_trees(true) ?: write_knob(CACHE_FILTER, "Y");
	if (ret)
		fail_nth_close(f);
	return ret;
}

void fail_nth_close(struct fail_nth *f)
{
	int i;

	for (i = 0; i < FAIL_NTH_KNOBS; i++)
		if (f->saved[i][0])
			write_knob(i, f->saved[i]);
	if (f->spare_trees)
		spare_trees(false);
	close(f->fd);
}

int fail_nth_arm(struct fail_nth *f, unsigned int nth)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%u", nth);

	return pwrite(f->fd, value, len, 0) == len ? 0 : -errno;
}

/* Copying these few bytes is what may be made to fail, and then wasn't. */
int fail_nth_disarm(struct fail_nth *f)
{
	char value[16] = "";
	bool failed = false;

	if (pread(f->fd, value, sizeof(value) - 1, 0) > 0)
		failed = !atoi(value);
	else if (errno != EFAULT)
		return -errno;

	if (pwrite(f->fd, "0", 1, 0) != 1 && errno != EFAULT)
		return -errno;
	return failed;
}
