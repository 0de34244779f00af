// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs from V4L2 drivers: buffers of a video queue, by VIDIOC_EXPBUF
 *
 * The exporter is the queue's allocator, one of those of videobuf2. What a
 * device's queues have is not to be seen from outside, and a kernel may ignore
 * what vivid.allocators= asks for, so every device is asked for a buffer until
 * one is of the right exporter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "exporters.h"

#define DEV_VIDEO	"/dev/video"
#define MAX_VIDEO	64

#define VMALLOC		"videobuf2_vmalloc"
#define DMA_CONTIG	"videobuf2_dma_contig"
#define DMA_SG		"videobuf2_dma_sg"

/* An output queue: nothing is ever written to its buffers. */
static int output_open(int nr, const char *driver)
{
	const __u32 caps = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_M2M;
	char path[sizeof(DEV_VIDEO) + 2];
	struct v4l2_capability cap;
	int fd;

	snprintf(path, sizeof(path), DEV_VIDEO "%d", nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) && cap.device_caps & caps &&
	    !strcmp((const char *)cap.driver, driver))
		return fd;
	close(fd);
	return -ENODEV;
}

/*
 * A buffer of exactly buf->size. It may be larger than what the format needs,
 * so the smallest picture comes first. The dma-buf keeps it when the queue goes.
 */
static int output_export(int video, struct dmabuf *buf, int flags)
{
	struct v4l2_create_buffers bufs = {
		.count = 1,
		.memory = V4L2_MEMORY_MMAP,
		.format.type = V4L2_BUF_TYPE_VIDEO_OUTPUT,
	};
	struct v4l2_exportbuffer export = {
		.type = V4L2_BUF_TYPE_VIDEO_OUTPUT,
		.flags = O_CLOEXEC | flags,
	};
	struct v4l2_pix_format *pix = &bufs.format.fmt.pix;

	if (ioctl(video, VIDIOC_G_FMT, &bufs.format))
		return -errno;
	pix->width = 1;
	pix->height = 1;
	pix->bytesperline = 0;
	pix->sizeimage = 0;
	if (ioctl(video, VIDIOC_S_FMT, &bufs.format))
		return -errno;

	pix->sizeimage = buf->size;
	if (ioctl(video, VIDIOC_CREATE_BUFS, &bufs))
		return -errno;
	export.index = bufs.index;
	if (ioctl(video, VIDIOC_EXPBUF, &export))
		return -errno;
	buf->fd = export.fd;
	return 0;
}

/* -ENODEV if no device of @driver has queues of that exporter */
static int v4l2_create(const char *driver, const char *exp_name,
		       struct dmabuf *buf, int flags)
{
	int nr, video, ret;

	for (nr = 0; nr < MAX_VIDEO; nr++) {
		video = output_open(nr, driver);
		if (video < 0)
			continue;

		ret = output_export(video, buf, flags);
		close(video);
		if (ret)
			return ret;

		ret = dmabuf_check_exporter(buf->fd, exp_name);
		if (ret != -EPROTOTYPE)
			return ret;
		close(buf->fd);
		buf->fd = -1;
	}
	return -ENODEV;
}

/* Any other error is none of a missing device. */
static bool has_queue(const char *driver, const char *exp_name)
{
	struct dmabuf buf = { .fd = -1, .size = getpagesize() };
	int ret = v4l2_create(driver, exp_name, &buf, O_RDWR);

	if (buf.fd >= 0)
		close(buf.fd);
	return ret != -ENODEV;
}

static const char *vivid_vmalloc_missing(void)
{
	return has_queue("vivid", VMALLOC) ? NULL :
	       "no vivid with vmalloc queues (vivid.allocators=)";
}

static int vivid_vmalloc_create(struct dmabuf *buf, int flags)
{
	return v4l2_create("vivid", VMALLOC, buf, flags);
}

static const char *vivid_contig_missing(void)
{
	return has_queue("vivid", DMA_CONTIG) ? NULL :
	       "no vivid with dma-contig queues (vivid.allocators=)";
}

static int vivid_contig_create(struct dmabuf *buf, int flags)
{
	return v4l2_create("vivid", DMA_CONTIG, buf, flags);
}

static const char *vivid_sg_missing(void)
{
	return has_queue("vivid", DMA_SG) ? NULL :
	       "no vivid with dma-sg queues (vivid.allocators=)";
}

static int vivid_sg_create(struct dmabuf *buf, int flags)
{
	return v4l2_create("vivid", DMA_SG, buf, flags);
}

static const char *vim2m_missing(void)
{
	return has_queue("vim2m", VMALLOC) ? NULL : "no device of vim2m";
}

static int vim2m_create(struct dmabuf *buf, int flags)
{
	return v4l2_create("vim2m", VMALLOC, buf, flags);
}

/* All of them map everything at once. */

const struct exporter vivid_vmalloc = {
	.name = "vivid_vmalloc",
	.missing = vivid_vmalloc_missing,
	.create = vivid_vmalloc_create,
	.exp_name = VMALLOC,
};

const struct exporter vivid_contig = {
	.name = "vivid_contig",
	.missing = vivid_contig_missing,
	.create = vivid_contig_create,
	.exp_name = DMA_CONTIG,
};

const struct exporter vivid_sg = {
	.name = "vivid_sg",
	.missing = vivid_sg_missing,
	.create = vivid_sg_create,
	.exp_name = DMA_SG,
};

const struct exporter vim2m = {
	.name = "vim2m",
	.missing = vim2m_missing,
	.create = vim2m_create,
	.exp_name = VMALLOC,
};
