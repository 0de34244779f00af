// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs from DMA-BUF heaps */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "exporters.h"

#define HEAPS	"/dev/dma_heap"

struct heap_path {
	char path[sizeof(HEAPS) + 1 + sizeof(((struct dirent *)0)->d_name)];
};

static struct heap_path heap_path(const char *name)
{
	struct heap_path path;

	snprintf(path.path, sizeof(path.path), HEAPS "/%s", name);
	return path;
}

static int heap_alloc(const char *name, struct dmabuf *buf, int flags)
{
	struct dma_heap_allocation_data data = {
		.len = buf->size,
		.fd_flags = flags | O_CLOEXEC,
	};
	int heap, ret = 0;

	heap = open(heap_path(name).path, O_RDONLY | O_CLOEXEC);
	if (heap < 0)
		return -errno;

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		ret = -errno;
	else
		buf->fd = data.fd;
	close(heap);
	return ret;
}

static const char *heap_missing(const struct exporter *exporter)
{
	static char why[sizeof("no ") + sizeof(struct heap_path)];
	struct heap_path path = heap_path(exporter->device);

	if (!access(path.path, F_OK))
		return NULL;
	snprintf(why, sizeof(why), "no %s", path.path);
	return why;
}

static int heap_create(const struct exporter *exporter, struct dmabuf *buf,
		       int flags)
{
	return heap_alloc(exporter->device, buf, flags);
}

const struct exporter_kind heap_exporter = {
	.missing = heap_missing,
	.create = heap_create,
};

/*
 * The heap of the default area is "default_cma_region", others are named after
 * their area (add_cma_heaps()). Heaps that are not CMA's are "system*", and the
 * "protected*" ones of a TEE.
 */
static bool is_other_heap(const char *name)
{
	return !strncmp(name, "system", strlen("system")) ||
	       !strncmp(name, "protected", strlen("protected"));
}

static const char *cma_heap_name(void)
{
	static char name[sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!access(HEAPS "/default_cma_region", F_OK))
		return "default_cma_region";

	dir = opendir(HEAPS);
	if (!dir)
		return NULL;

	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_other_heap(entry->d_name))
			continue;
		snprintf(name, sizeof(name), "%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found ? name : NULL;
}

static const char *cma_heap_missing(const struct exporter *exporter)
{
	(void)exporter;
	return cma_heap_name() ? NULL : "no CMA heap in " HEAPS;
}

static int cma_heap_create(const struct exporter *exporter, struct dmabuf *buf,
			   int flags)
{
	const char *name = cma_heap_name();

	(void)exporter;
	return name ? heap_alloc(name, buf, flags) : -ENODEV;
}

const struct exporter_kind cma_heap_exporter = {
	.missing = cma_heap_missing,
	.create = cma_heap_create,
};
