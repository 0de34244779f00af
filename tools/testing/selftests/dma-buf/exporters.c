// SPDX-License-Identifier: GPL-2.0-only
/* What is the same for the dma-bufs of all exporters */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "exporters.h"

#define BUFINFO	"/sys/kernel/debug/dma_buf/bufinfo"

const char *exporter_missing(const struct exporter *exporter)
{
	return exporter->kind->missing(exporter);
}

static size_t granule(const struct exporter *exporter)
{
	return exporter->granule ?: (size_t)getpagesize();
}

size_t exporter_small(const struct exporter *exporter)
{
	return exporter->pages * granule(exporter);
}

/* The last page table is not full, where that can be had. */
size_t exporter_large(const struct exporter *exporter)
{
	size_t page_size = getpagesize();
	size_t size = (6UL << 20) + 5 * page_size;

	if (exporter->max_pages && size > exporter->max_pages * page_size)
		size = exporter->max_pages * page_size;
	return size / granule(exporter) * granule(exporter);
}

/* The dma-buf itself knows how large it is (dma_buf_llseek()). */
static int check_size(const struct exporter *exporter, struct dmabuf *buf,
		      size_t asked)
{
	off_t size = lseek(buf->fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	buf->size = size;
	if (buf->size < asked || buf->size % getpagesize())
		return -EMSGSIZE;
	return buf->size != asked && !exporter->unknown ? -EMSGSIZE : 0;
}

int dmabuf_open(struct dmabuf *buf, const struct exporter *exporter,
		size_t size, int flags)
{
	int ret;

	*buf = (struct dmabuf) {
		.fd = -1,
		.memfd = -1,
		.hugepages = -1,
		.size = size,
	};
	if (!size || size % granule(exporter))
		return -EINVAL;

	ret = exporter->kind->create(exporter, buf, flags);
	if (!ret)
		ret = check_size(exporter, buf, size);
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
	buf->fd = -1;
	udmabuf_close(buf);
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
