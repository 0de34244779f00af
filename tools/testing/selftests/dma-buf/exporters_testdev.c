// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs of the dma-buf test device, for the tests of exporters: those that
 * the core maps, and those of memory that the DMA API has allocated
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "exporters.h"
#include "testdev.h"

static int export_with_flags(__u32 backing, __u32 test_flags, size_t size,
			     int flags)
{
	int dev, fd;

	dev = testdev_open();
	if (dev < 0)
		return dev;
	fd = testdev_export(dev, &(struct dma_buf_test_export) {
		.size = size,
		.backing = backing,
		.modes = testdev_is_mmio(backing) ?
			 DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE : 0,
		.flags = test_flags,
		.open_flags = flags | O_CLOEXEC,
	});
	close(dev);
	return fd;
}

static int export_backing(__u32 backing, size_t size, int flags)
{
	return export_with_flags(backing, 0, size, flags);
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

/* The device is what is behind the buffer. */

static const struct backing {
	const char *name;
	__u32 backing;
} backings[] = {
	{ "scattered", DMA_BUF_TEST_SCATTERED },
	{ "contiguous", DMA_BUF_TEST_CONTIGUOUS },
	{ "huge", DMA_BUF_TEST_HUGE },
	{ "mmio", DMA_BUF_TEST_MMIO },
	{ "mmio_wc", DMA_BUF_TEST_MMIO_WC },
	{ NULL, 0 },
};

static int backing_create(const struct exporter *exporter, struct dmabuf *buf,
			  int flags)
{
	const struct backing *b = backings;

	while (b->name && strcmp(b->name, exporter->device))
		b++;
	if (!b->name)
		return -EINVAL;
	/* With a pin op, as buffers that move have one */
	buf->fd = export_with_flags(b->backing,
				    DMA_BUF_TEST_CORE_MAPS | DMA_BUF_TEST_HAS_PIN,
				    buf->size, flags);
	return buf->fd < 0 ? buf->fd : 0;
}

/* The test device may be there without one that has memory in a BAR. */
static const char *backing_missing(const struct exporter *exporter)
{
	const char *missing = testdev_missing();
	struct dmabuf buf = { .size = getpagesize() };
	int ret;

	if (missing)
		return missing;
	ret = exporter->granule ? 0 : backing_create(exporter, &buf, O_RDWR);
	if (!ret && !exporter->granule)
		close(buf.fd);
	return ret == -ENODEV ? "no PCI device with memory" : NULL;
}

const struct exporter_kind testdev_exporter = {
	.missing = backing_missing,
	.create = backing_create,
};
