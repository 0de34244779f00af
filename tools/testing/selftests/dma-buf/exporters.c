// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>

#include "exporters.h"
#include "write_file.h"

#define HEAPS			"/dev/dma_heap"
#define UDMABUF			"/dev/udmabuf"
#define HUGEPAGES		"/sys/kernel/mm/hugepages/hugepages-2048kB"
#define BUFINFO			"/sys/kernel/debug/dma_buf/bufinfo"

#define SZ_2M			(2UL << 20)

#define ALL_PAGES		SIZE_MAX	/* for .pages_per_fault */

/* Heaps */

static int heap_alloc(const char *path, struct dmabuf *buf, int flags)
{
	struct dma_heap_allocation_data data = {
		.len = buf->size,
		.fd_flags = flags | O_CLOEXEC,
	};
	int heap, ret = 0;

	heap = open(path, O_RDONLY | O_CLOEXEC);
	if (heap < 0)
		return -errno;

	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		ret = -errno;
	else
		buf->fd = data.fd;
	close(heap);
	return ret;
}

static const char *system_heap_missing(void)
{
	return access(HEAPS "/system", F_OK) ? "no " HEAPS "/system" : NULL;
}

static int system_heap_create(struct dmabuf *buf, int flags)
{
	return heap_alloc(HEAPS "/system", buf, flags);
}

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

static const char *cma_heap_path(void)
{
	static char path[sizeof(HEAPS) + 1 + sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!access(HEAPS "/default_cma_region", F_OK))
		return HEAPS "/default_cma_region";

	dir = opendir(HEAPS);
	if (!dir)
		return NULL;

	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_other_heap(entry->d_name))
			continue;
		snprintf(path, sizeof(path), HEAPS "/%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found ? path : NULL;
}

static const char *cma_heap_missing(void)
{
	return cma_heap_path() ? NULL : "no CMA heap in " HEAPS;
}

static int cma_heap_create(struct dmabuf *buf, int flags)
{
	const char *path = cma_heap_path();

	return path ? heap_alloc(path, buf, flags) : -ENODEV;
}

/* udmabuf */

static const char *udmabuf_missing(void)
{
	return access(UDMABUF, F_OK) ? "no " UDMABUF : NULL;
}

static const char *udmabuf_huge_missing(void)
{
	if (access(HUGEPAGES, F_OK))
		return "no 2M hugetlb pages";
	return udmabuf_missing();
}

static long hugepages_read(const char *file)
{
	long val = -1;
	FILE *f;

	f = fopen(file, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%ld", &val) != 1)
		val = -1;
	fclose(f);
	return val;
}

static int hugepages_write(long nr)
{
	char val[24];

	snprintf(val, sizeof(val), "%ld", nr);
	return write_file(HUGEPAGES "/nr_hugepages", val);
}

/* Have enough free huge pages; remember how many there were before. */
static int hugepages_want(struct dmabuf *buf)
{
	long want = buf->size / SZ_2M;
	long nr, ret;

	if (hugepages_read(HUGEPAGES "/free_hugepages") >= want)
		return 0;

	nr = hugepages_read(HUGEPAGES "/nr_hugepages");
	if (nr < 0)
		return -ENOMEM;

	ret = hugepages_write(nr + want);
	if (ret)
		return ret;
	buf->hugepages = nr;
	if (hugepages_read(HUGEPAGES "/free_hugepages") < want)
		return -ENOMEM;
	return 0;
}

/* A memfd as udmabuf wants it (check_memfd_seals()), its pages allocated */
static int memfd_open(struct dmabuf *buf, unsigned int flags)
{
	void *mem;

	buf->memfd = memfd_create("dma-buf-selftest",
				  flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (buf->memfd < 0)
		return -errno;
	if (ftruncate(buf->memfd, buf->size))
		return -errno;
	if (fcntl(buf->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;

	mem = mmap(NULL, buf->size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, buf->memfd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, buf->size);
	return 0;
}

static int udmabuf_from_memfd(struct dmabuf *buf, unsigned int memfd_flags)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = buf->size,
	};
	int dev, ret;

	ret = memfd_open(buf, memfd_flags);
	if (ret)
		return ret;
	create.memfd = buf->memfd;

	dev = open(UDMABUF, O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return -errno;

	buf->fd = ioctl(dev, UDMABUF_CREATE, &create);
	if (buf->fd < 0)
		ret = -errno;
	close(dev);
	return ret;
}

/* export_udmabuf() knows O_RDWR only. */
static int udmabuf_create(struct dmabuf *buf, int flags)
{
	if (flags != O_RDWR)
		return -EOPNOTSUPP;
	return udmabuf_from_memfd(buf, 0);
}

static int udmabuf_huge_create(struct dmabuf *buf, int flags)
{
	int ret;

	if (flags != O_RDWR)
		return -EOPNOTSUPP;

	ret = hugepages_want(buf);
	if (ret)
		return ret;
	return udmabuf_from_memfd(buf, MFD_HUGETLB | MFD_HUGE_2MB);
}

static int udmabuf_list_create(struct dmabuf *buf, int flags)
{
	size_t page_size = getpagesize();
	size_t nr = buf->size / page_size;
	struct udmabuf_create_list *list;
	int dev, ret;
	size_t i;

	if (flags != O_RDWR)
		return -EOPNOTSUPP;

	buf->reversed = true;
	ret = memfd_open(buf, 0);
	if (ret)
		return ret;

	dev = open(UDMABUF, O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return -errno;

	list = calloc(1, sizeof(*list) + nr * sizeof(list->list[0]));
	if (!list) {
		close(dev);
		return -ENOMEM;
	}
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = nr;
	for (i = 0; i < nr; i++) {
		list->list[i].memfd = buf->memfd;
		list->list[i].offset = dmabuf_memfd_offset(buf, i);
		list->list[i].size = page_size;
	}

	buf->fd = ioctl(dev, UDMABUF_CREATE_LIST, list);
	if (buf->fd < 0)
		ret = -errno;
	free(list);
	close(dev);
	return ret;
}

off_t dmabuf_memfd_offset(const struct dmabuf *buf, size_t page)
{
	size_t page_size = getpagesize();

	if (buf->reversed)
		page = buf->size / page_size - 1 - page;
	return page * page_size;
}

/* The exporters */

const struct exporter system_heap = {
	.name = "system_heap",
	.missing = system_heap_missing,
	.create = system_heap_create,
	.exp_name = "system",
};

const struct exporter cma_heap = {
	.name = "cma_heap",
	.missing = cma_heap_missing,
	.create = cma_heap_create,
	/* cma_heap_vm_huge_fault(): a page table */
	.pages_per_fault = 512,
};

const struct exporter udmabuf = {
	.name = "udmabuf",
	.missing = udmabuf_missing,
	.create = udmabuf_create,
	.exp_name = "udmabuf",
	.pages_per_fault = ALL_PAGES,
};

const struct exporter udmabuf_list = {
	.name = "udmabuf_list",
	.missing = udmabuf_missing,
	.create = udmabuf_list_create,
	.exp_name = "udmabuf",
	.pages_per_fault = ALL_PAGES,
};

const struct exporter udmabuf_huge = {
	.name = "udmabuf_huge",
	.missing = udmabuf_huge_missing,
	.create = udmabuf_huge_create,
	.exp_name = "udmabuf",
	.granule = SZ_2M,
	.pages_per_fault = ALL_PAGES,
};

/* Common to all */

int dmabuf_open(struct dmabuf *buf, const struct exporter *exporter,
		size_t size, int flags)
{
	size_t granule = exporter->granule ?: (size_t)getpagesize();
	int ret;

	*buf = (struct dmabuf) {
		.fd = -1,
		.memfd = -1,
		.hugepages = -1,
		.size = size,
	};
	if (!size || size % granule)
		return -EINVAL;

	ret = exporter->create(buf, flags);
	if (!ret && buf->size != size)
		ret = -EMSGSIZE;
	if (!ret && exporter->exp_name)
		ret = dmabuf_check_exporter(buf->fd, exporter->exp_name);
	if (ret)
		dmabuf_close(buf);
	return ret;
}

void dmabuf_close(struct dmabuf *buf)
{
	if (buf->fd >= 0)
		close(buf->fd);
	if (buf->memfd >= 0)
		close(buf->memfd);
	if (buf->hugepages >= 0)
		hugepages_write(buf->hugepages);
	buf->fd = -1;
	buf->memfd = -1;
	buf->hugepages = -1;
}

int dmabuf_check_exporter(int fd, const char *exp_name)
{
	char path[sizeof("/proc/self/fdinfo/") + 10], found[64] = "";
	char line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	/* dma_buf_show_fdinfo() */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "exp_name: %63[^\n]", found) == 1)
			break;
	fclose(f);
	return strcmp(found, exp_name) ? -EPROTOTYPE : 0;
}

int dmabuf_sync(int fd, unsigned long flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

int dmabuf_set_name(int fd, const char *name)
{
	return ioctl(fd, DMA_BUF_SET_NAME_B, (uint64_t)(uintptr_t)name) ?
	       -errno : 0;
}

int dmabuf_alive(const char *name)
{
	char line[256];
	int alive = 0;
	FILE *f;

	f = fopen(BUFINFO, "re");
	if (!f)
		return -errno;
	/* dma_buf_debug_show(): the name is the last column. */
	while (!alive && fgets(line, sizeof(line), f)) {
		const char *tab = strrchr(line, '\t');
		size_t len = strlen(name);

		alive = tab && !strncmp(tab + 1, name, len) &&
			tab[1 + len] == '\n';
	}
	fclose(f);
	return alive;
}
