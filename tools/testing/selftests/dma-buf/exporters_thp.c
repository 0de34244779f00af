// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs of shmem that is made of huge pages */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporters.h"
#include "write_file.h"

#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* The mode is the word in brackets. */
static int shmem_enabled_now(char *mode)
{
	FILE *f = fopen(SHMEM_ENABLED, "re");
	int found;

	if (!f)
		return -errno;
	found = fscanf(f, "%*[^[][%31[^]]", mode);
	fclose(f);
	return found == 1 ? 0 : -EINVAL;
}

static int thp_create(const struct exporter *exporter, struct dmabuf *buf,
		      int flags)
{
	const struct exporter *of = exporter_find(exporter->device);
	char mode[32];
	void *map;
	int ret;

	ret = shmem_enabled_now(mode);
	if (ret)
		return ret;
	ret = write_file(SHMEM_ENABLED, "force");
	if (ret)
		return ret;
	ret = of->kind->create(of, buf, flags);
	if (!ret) {
		/* vgem takes its pages when it is mapped; they stay in shmem */
		map = mmap(NULL, buf->size, PROT_READ, MAP_SHARED, buf->fd, 0);
		if (map == MAP_FAILED)
			ret = -errno;
		else
			munmap(map, buf->size);
	}
	return write_file(SHMEM_ENABLED, mode) ?: ret;
}

static const char *thp_missing(const struct exporter *exporter)
{
	if (access(SHMEM_ENABLED, F_OK))
		return "no huge pages of shmem";
	return exporter_missing(exporter_find(exporter->device));
}

const struct exporter_kind thp_exporter = {
	.missing = thp_missing,
	.create = thp_create,
};
