// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs of memory that the DMA API has allocated, from the dma-buf test
 * device, for the tests of exporters
 */
#include <errno.h>
#include <unistd.h>

#include "exporters.h"
#include "testdev.h"

static int export_backing(__u32 backing, size_t size, int flags)
{
	int dev, fd;

	dev = testdev_open();
	if (dev < 0)
		return dev;
	fd = testdev_export(dev, &(struct dma_buf_test_export) {
		.size = size,
		.backing = backing,
		.open_flags = flags | O_CLOEXEC,
	});
	close(dev);
	return fd;
}

/* The test device may be there without a device to allocate memory for. */
static const char *dma_missing(const struct exporter *exporter)
{
	const char *missing = testdev_missing();
	int fd;

	(void)exporter;
	if (missing)
		return missing;

	fd = export_backing(DMA_BUF_TEST_DMA_COHERENT, getpagesize(), O_RDWR);
	if (fd >= 0)
		close(fd);
	return fd == -ENODEV ? "no PCI device for dma_buf_test" : NULL;
}

static int dma_coherent_create(const struct exporter *exporter,
			       struct dmabuf *buf, int flags)
{
	(void)exporter;
	buf->fd = export_backing(DMA_BUF_TEST_DMA_COHERENT, buf->size, flags);
	return buf->fd < 0 ? buf->fd : 0;
}

static int dma_noncontiguous_create(const struct exporter *exporter,
				    struct dmabuf *buf, int flags)
{
	(void)exporter;
	buf->fd = export_backing(DMA_BUF_TEST_DMA_NONCONTIGUOUS, buf->size,
				 flags);
	return buf->fd < 0 ? buf->fd : 0;
}

const struct exporter_kind dma_coherent_exporter = {
	.missing = dma_missing,
	.create = dma_coherent_create,
};

const struct exporter_kind dma_noncontiguous_exporter = {
	.missing = dma_missing,
	.create = dma_noncontiguous_create,
};
