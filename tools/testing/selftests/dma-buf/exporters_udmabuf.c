// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs of memfds, from udmabuf */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/udmabuf.h>

#include "exporters.h"
#include "write_file.h"

#define UDMABUF		"/dev/udmabuf"
#define HUGEPAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB"

#define SZ_2M		(2UL << 20)

static const char *udmabuf_missing(const struct exporter *exporter)
{
	(void)exporter;
	return access(UDMABUF, F_OK) ? "no " UDMABUF : NULL;
}

static const char *udmabuf_huge_missing(const struct exporter *exporter)
{
	if (access(HUGEPAGES, F_OK))
		return "no 2M hugetlb pages";
	return udmabuf_missing(exporter);
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

static size_t whole_hugepages(size_t size)
{
	return (size + SZ_2M - 1) / SZ_2M * SZ_2M;
}

/* Have enough free huge pages; remember how many there were before. */
static int hugepages_want(struct dmabuf *buf)
{
	long want = whole_hugepages(buf->size) / SZ_2M;
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
	size_t size = buf->size;
	void *mem;

	if (flags & MFD_HUGETLB)
		size = whole_hugepages(size);

	buf->memfd = memfd_create("dma-buf-selftest",
				  flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (buf->memfd < 0)
		return -errno;
	if (ftruncate(buf->memfd, size))
		return -errno;
	if (fcntl(buf->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;

	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, buf->memfd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, size);
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
static int udmabuf_create(const struct exporter *exporter, struct dmabuf *buf,
			  int flags)
{
	(void)exporter;
	if (flags != O_RDWR)
		return -EOPNOTSUPP;
	return udmabuf_from_memfd(buf, 0);
}

static int udmabuf_huge_create(const struct exporter *exporter,
			       struct dmabuf *buf, int flags)
{
	int ret;

	(void)exporter;
	if (flags != O_RDWR)
		return -EOPNOTSUPP;

	ret = hugepages_want(buf);
	if (ret)
		return ret;
	return udmabuf_from_memfd(buf, MFD_HUGETLB | MFD_HUGE_2MB);
}

/* A memfd, and a list for parts of it: NULL, with errno, on error */
static struct udmabuf_create_list *list_begin(struct dmabuf *buf,
					      unsigned int memfd_flags)
{
	struct udmabuf_create_list *list;
	int ret = memfd_open(buf, memfd_flags);

	if (ret) {
		errno = -ret;
		return NULL;
	}
	/* An item has a page at least. */
	list = calloc(1, sizeof(*list) +
			 buf->size / getpagesize() * sizeof(list->list[0]));
	if (list)
		list->flags = UDMABUF_FLAGS_CLOEXEC;
	return list;
}

/* @page is the first page of the item in the memfd. */
static void list_add(struct udmabuf_create_list *list, const struct dmabuf *buf,
		     size_t page, size_t pages)
{
	struct udmabuf_create_item *item = &list->list[list->count++];

	item->memfd = buf->memfd;
	item->offset = page * getpagesize();
	item->size = pages * getpagesize();
}

/* Create the buffer, and free the list. */
static int list_end(struct dmabuf *buf, struct udmabuf_create_list *list)
{
	int dev, ret = 0;

	dev = open(UDMABUF, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		ret = -errno;
	} else {
		buf->fd = ioctl(dev, UDMABUF_CREATE_LIST, list);
		if (buf->fd < 0)
			ret = -errno;
		close(dev);
	}
	free(list);
	return ret;
}

static int udmabuf_list_create(const struct exporter *exporter,
			       struct dmabuf *buf, int flags)
{
	size_t i, nr = buf->size / getpagesize();
	struct udmabuf_create_list *list;

	(void)exporter;
	if (flags != O_RDWR)
		return -EOPNOTSUPP;

	buf->reversed = true;
	list = list_begin(buf, 0);
	if (!list)
		return -errno;
	for (i = 0; i < nr; i++)
		list_add(list, buf, nr - 1 - i, 1);
	return list_end(buf, list);
}

/* Parts of huge pages: of four pages, two that change places and a pair */
static int udmabuf_mixed_create(const struct exporter *exporter,
				struct dmabuf *buf, int flags)
{
	size_t i, nr = buf->size / getpagesize();
	struct udmabuf_create_list *list;
	int ret;

	(void)exporter;
	if (flags != O_RDWR)
		return -EOPNOTSUPP;

	ret = hugepages_want(buf);
	if (ret)
		return ret;
	list = list_begin(buf, MFD_HUGETLB | MFD_HUGE_2MB);
	if (!list)
		return -errno;
	for (i = 0; i + 4 <= nr; i += 4) {
		list_add(list, buf, i + 1, 1);
		list_add(list, buf, i, 1);
		list_add(list, buf, i + 2, 2);
	}
	if (i < nr)
		list_add(list, buf, i, nr - i);
	return list_end(buf, list);
}

off_t dmabuf_memfd_offset(const struct dmabuf *buf, size_t page)
{
	size_t page_size = getpagesize();

	if (buf->reversed)
		page = buf->size / page_size - 1 - page;
	return page * page_size;
}

void udmabuf_close(struct dmabuf *buf)
{
	if (buf->memfd >= 0)
		close(buf->memfd);
	if (buf->hugepages >= 0)
		hugepages_write(buf->hugepages);
	buf->memfd = -1;
	buf->hugepages = -1;
}

const struct exporter_kind udmabuf_exporter = {
	.missing = udmabuf_missing,
	.create = udmabuf_create,
};

const struct exporter_kind udmabuf_list_exporter = {
	.missing = udmabuf_missing,
	.create = udmabuf_list_create,
};

const struct exporter_kind udmabuf_mixed_exporter = {
	.missing = udmabuf_huge_missing,
	.create = udmabuf_mixed_create,
};

const struct exporter_kind udmabuf_huge_exporter = {
	.missing = udmabuf_huge_missing,
	.create = udmabuf_huge_create,
};
