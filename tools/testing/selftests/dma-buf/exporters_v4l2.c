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

/* In the order of preference: an output's buffers are never written to. */
static const struct {
	__u32 caps;
	enum v4l2_buf_type type;
} queues[] = {
	{ V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_M2M,
	  V4L2_BUF_TYPE_VIDEO_OUTPUT },
	{ V4L2_CAP_VIDEO_OUTPUT_MPLANE | V4L2_CAP_VIDEO_M2M_MPLANE,
	  V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE },
	{ V4L2_CAP_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE },
	{ V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE },
	{ 0, 0 },
};

/* The type of a queue that device has, or 0 */
static __u32 queue_type(const struct v4l2_capability *cap)
{
	size_t i;

	for (i = 0; queues[i].caps; i++)
		if (cap->device_caps & queues[i].caps)
			return queues[i].type;
	return 0;
}

int v4l2_set_smallest_picture(int video, __u32 type)
{
	struct v4l2_format format = { .type = type };

	if (ioctl(video, VIDIOC_G_FMT, &format))
		return -errno;
	if (V4L2_TYPE_IS_MULTIPLANAR(type)) {
		format.fmt.pix_mp.width = 1;
		format.fmt.pix_mp.height = 1;
		format.fmt.pix_mp.plane_fmt[0].sizeimage = 0;
	} else {
		format.fmt.pix.width = 1;
		format.fmt.pix.height = 1;
		format.fmt.pix.bytesperline = 0;
		format.fmt.pix.sizeimage = 0;
	}
	return ioctl(video, VIDIOC_S_FMT, &format) ? -errno : 0;
}

/* Of the first plane, which is the one that is exported */
static void set_least_size(struct v4l2_format *format, __u32 size)
{
	struct v4l2_plane_pix_format *plane = &format->fmt.pix_mp.plane_fmt[0];
	struct v4l2_pix_format *pix = &format->fmt.pix;

	if (V4L2_TYPE_IS_MULTIPLANAR(format->type)) {
		if (plane->sizeimage < size)
			plane->sizeimage = size;
	} else if (pix->sizeimage < size) {
		pix->sizeimage = size;
	}
}

/* A buffer's index. Without CREATE_BUFS it is of the size of a picture. */
static int buffer_alloc(int video, const struct v4l2_format *format)
{
	struct v4l2_create_buffers bufs = {
		.count = 1,
		.memory = V4L2_MEMORY_MMAP,
		.format = *format,
	};
	struct v4l2_requestbuffers request = {
		.count = 1,
		.memory = V4L2_MEMORY_MMAP,
		.type = format->type,
	};

	if (!ioctl(video, VIDIOC_CREATE_BUFS, &bufs))
		return bufs.index;
	if (errno != ENOTTY)
		return -errno;
	return ioctl(video, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

/* The dma-buf keeps the buffer when the queue goes. */
static int queue_export(const struct exporter *exporter, int video, __u32 type,
			struct dmabuf *buf, int flags)
{
	struct v4l2_format format = { .type = type };
	struct v4l2_exportbuffer export = {
		.type = type,
		.flags = O_CLOEXEC | flags,
	};
	int index, ret;

	/*
	 * A buffer may be larger than what the format needs. A device of the
	 * user's keeps the format that it has.
	 */
	if (!exporter->unknown) {
		ret = v4l2_set_smallest_picture(video, type);
		if (ret)
			return ret;
	}
	if (ioctl(video, VIDIOC_G_FMT, &format))
		return -errno;
	set_least_size(&format, buf->size);

	index = buffer_alloc(video, &format);
	if (index < 0)
		return index;
	export.index = index;
	if (ioctl(video, VIDIOC_EXPBUF, &export))
		return -errno;
	buf->fd = export.fd;
	return 0;
}

/*
 * A device and the type of its queue. -ENODEV if it is not an output of @driver,
 * or, without that, if it has no queue.
 */
static int device_open(const char *path, const char *driver, __u32 *type)
{
	struct v4l2_capability cap;
	int video;

	video = open(path, O_RDWR | O_CLOEXEC);
	if (video < 0)
		return driver ? -ENODEV : -errno;

	*type = 0;
	if (!ioctl(video, VIDIOC_QUERYCAP, &cap) &&
	    (!driver || !strcmp((const char *)cap.driver, driver)))
		*type = queue_type(&cap);
	if (*type && (!driver || V4L2_TYPE_IS_OUTPUT(*type)))
		return video;

	close(video);
	return -ENODEV;
}

/* -ENODEV if that is a device of something else */
static int device_export(const struct exporter *exporter, const char *path,
			 const char *driver, struct dmabuf *buf, int flags)
{
	__u32 type;
	int video, ret;

	video = device_open(path, driver, &type);
	if (video < 0)
		return video;

	ret = queue_export(exporter, video, type, buf, flags);
	close(video);
	if (ret || !exporter->exp_name)
		return ret;

	ret = dmabuf_check_exporter(buf->fd, exporter->exp_name);
	if (ret != -EPROTOTYPE)
		return ret;
	close(buf->fd);
	buf->fd = -1;
	return -ENODEV;
}

static int v4l2_create(const struct exporter *exporter, struct dmabuf *buf,
		       int flags)
{
	char path[sizeof(DEV_VIDEO) + 2];
	int nr, ret;

	if (strchr(exporter->device, '/'))
		return device_export(exporter, exporter->device, NULL, buf,
				     flags);

	for (nr = 0; nr < MAX_VIDEO; nr++) {
		struct dmabuf small = { .size = getpagesize() };

		/* Of another allocator, a large one might be too large. */
		snprintf(path, sizeof(path), DEV_VIDEO "%d", nr);
		ret = device_export(exporter, path, exporter->device, &small,
				    flags);
		if (ret == -ENODEV)
			continue;
		if (ret)
			return ret;
		close(small.fd);
		return device_export(exporter, path, exporter->device, buf,
				     flags);
	}
	return -ENODEV;
}

int v4l2_open_output(const char *driver, int nr, __u32 *type)
{
	char path[sizeof(DEV_VIDEO) + 2];
	int i, video;

	for (i = 0; i < MAX_VIDEO; i++) {
		snprintf(path, sizeof(path), DEV_VIDEO "%d", i);
		video = device_open(path, driver, type);
		if (video < 0)
			continue;
		if (!nr--)
			return video;
		close(video);
	}
	return -ENODEV;
}

static const char *v4l2_missing(const struct exporter *exporter)
{
	struct dmabuf buf = { .fd = -1, .size = getpagesize() };
	int ret = v4l2_create(exporter, &buf, O_RDWR);
	static char why[128];

	if (buf.fd >= 0)
		close(buf.fd);
	/* Any other error is none of a missing device. */
	if (ret != -ENODEV && ret != -ENOENT)
		return NULL;
	if (exporter->exp_name)
		snprintf(why, sizeof(why), "no output of %s with buffers of %s",
			 exporter->device, exporter->exp_name);
	else
		snprintf(why, sizeof(why), "no video device %s",
			 exporter->device);
	return why;
}

const struct exporter_kind v4l2_exporter = {
	.missing = v4l2_missing,
	.create = v4l2_create,
	.hint = "; it takes a queue with MMAP buffers that nobody else uses",
};
