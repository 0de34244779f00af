// SPDX-License-Identifier: GPL-2.0-only
/*
 * Video devices as importers of the test device's buffers: those that do DMA
 * attach and need a pinned buffer, and those that copy by the CPU need a vmap.
 * Neither can be told of a revoke.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "exporters.h"
#include "modes_fixture.h"

/* Enough for the smallest picture, and little enough for bounce buffers */
#define SIZE		(64UL << 10)

FIXTURE(video) {
	struct testdev dev;
	int video;
	__u32 type;
};

FIXTURE_VARIANT(video) {
	const char *driver;
	int nr;
};

FIXTURE_VARIANT_ADD(video, vim2m) {
	.driver = "vim2m",
};

/* The guest of the test harness has one for each allocator of videobuf2. */
FIXTURE_VARIANT_ADD(video, vivid_0) {
	.driver = "vivid",
};

FIXTURE_VARIANT_ADD(video, vivid_1) {
	.driver = "vivid",
	.nr = 1,
};

FIXTURE_VARIANT_ADD(video, vivid_2) {
	.driver = "vivid",
	.nr = 2,
};

static int request_buffers(int video, __u32 type, __u32 count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
	};

	return ioctl(video, VIDIOC_REQBUFS, &request) ? -errno : 0;
}

FIXTURE_SETUP(video)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->video = v4l2_open_output(variant->driver, variant->nr,
				       &self->type);
	if (self->video < 0) {
		close(self->dev.fd);
		SKIP(return, "no output %d of %s", variant->nr,
		     variant->driver);
	}
	ASSERT_EQ(0, v4l2_set_smallest_picture(self->video, self->type));
}

FIXTURE_TEARDOWN(video)
{
	/* It keeps what was queued. Nothing may be kept that was refused. */
	close(self->video);
	close_device(_metadata, &self->dev);
}

static int export_contiguous(struct __test_metadata *_metadata,
			     struct testdev *dev, __u32 modes, __u32 flags)
{
	int fd = testdev_export(dev->fd, &(struct dma_buf_test_export) {
		.backing = DMA_BUF_TEST_CONTIGUOUS,
		.size = SIZE,
		.modes = modes,
		.flags = flags,
		.open_flags = O_RDWR | O_CLOEXEC,
	});

	ASSERT_LE(0, fd);
	return fd;
}

/*
 * Each into a new buffer: videobuf2 compares with the length of the last dma-buf,
 * which is 0 when that was refused.
 */
static int queue(int video, __u32 type, int fd)
{
	struct v4l2_format format = { .type = type };
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_buffer buf = {
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
	};
	int i, ret;

	ret = request_buffers(video, type, 1);
	if (ret)
		return ret;
	if (ioctl(video, VIDIOC_G_FMT, &format))
		return -errno;
	if (V4L2_TYPE_IS_MULTIPLANAR(type)) {
		buf.m.planes = planes;
		buf.length = format.fmt.pix_mp.num_planes;
		for (i = 0; i < format.fmt.pix_mp.num_planes; i++) {
			planes[i].m.fd = fd;
			planes[i].bytesused =
				format.fmt.pix_mp.plane_fmt[i].sizeimage;
		}
	} else {
		buf.m.fd = fd;
		buf.bytesused = format.fmt.pix.sizeimage;
	}
	return ioctl(video, VIDIOC_QBUF, &buf) ? -errno : 0;
}

TEST_F(video, revocable_buffer_is_refused)
{
	int fd = export_contiguous(_metadata, &self->dev, REVOCABLE, 0);
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EOPNOTSUPP, queue(self->video, self->type, fd));
	EXPECT_EQ(0, testdev_revoke(self->dev.fd, fd, DMA_BUF_REVOKED_NOW));
	close(fd);
}

TEST_F(video, revoked_buffer_is_refused)
{
	struct testdev *dev = &self->dev;
	int fd = export_contiguous(_metadata, dev, PINNED | REVOCABLE, HAS_PIN);

	ASSERT_EQ(0, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW));
	EXPECT_EQ(-ENODEV, queue(self->video, self->type, fd));
	ASSERT_EQ(0, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NO));
	EXPECT_EQ(0, queue(self->video, self->type, fd));
	close(fd);
}

/* Nor is it taken away from a first importer, nor given to a second one. */
TEST_F(video, queued_buffer_is_not_revoked)
{
	struct testdev *dev = &self->dev;
	int fd = export_contiguous(_metadata, dev, PINNED | REVOCABLE, HAS_PIN);
	__u32 type;
	int second;

	ASSERT_EQ(0, queue(self->video, self->type, fd));
	EXPECT_EQ(-EBUSY, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW));
	EXPECT_EQ(-EBUSY, testdev_revoke(dev->fd, fd,
					 DMA_BUF_REVOKED_PERMANENT));
	EXPECT_QUERY(fd, PINNED | REVOCABLE, DMA_BUF_REVOKED_NO);

	second = v4l2_open_output("vim2m", 0, &type);
	if (second >= 0) {
		ASSERT_EQ(0, v4l2_set_smallest_picture(second, type));
		EXPECT_EQ(0, queue(second, type, fd));
		close(second);
	}
	EXPECT_EQ(0, request_buffers(self->video, self->type, 0));
	EXPECT_EQ(0, testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW));
	EXPECT_EQ(-ENODEV, queue(self->video, self->type, fd));
	close(fd);
}

TEST_HARNESS_MAIN
