// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of devices that are no mappings of a dma-buf have the pages that they
 * always had, also where the same memory is a dma-buf, too: O_DIRECT gets at
 * them, and not at what mmap() of the dma-buf has made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "exporters_fixture.h"
#include "mapping.h"

#define RAMDISK		"/dev/ram0"

/* A page from a disk: 0, or a negative errno and then @to is as before */
static int direct_read(struct __test_metadata *_metadata, char *to)
{
	size_t page_size = getpagesize();
	char *copy = malloc(page_size);
	int disk, ret = 0;

	disk = open(RAMDISK, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, disk);
	ASSERT_NE(NULL, copy);
	ASSERT_EQ((ssize_t)page_size, pread(disk, copy, page_size, 0));
	close(disk);

	disk = open(RAMDISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, disk);
	memset(to, ~copy[0], page_size);
	if (pread(disk, to, page_size, 0) < 0)
		ret = -errno;
	close(disk);
	EXPECT_TRUE(ret ? all_bytes(to, page_size, ~copy[0]) :
			  !memcmp(to, copy, page_size));
	free(copy);
	return ret;
}

/* Buffers of video devices */

FIXTURE(video) {
	int video;
	__u32 type;
	__u32 offset;
};

FIXTURE_VARIANT(video) {
	const char *driver;
	int nr;
	const char *exp_name;	/* or no such device */
	bool pages;
};

FIXTURE_VARIANT_ADD(video, vim2m) {
	.driver = "vim2m",
	.exp_name = "videobuf2_vmalloc",
	.pages = true,
};

FIXTURE_VARIANT_ADD(video, vivid_vmalloc) {
	.driver = "vivid",
	.exp_name = "videobuf2_vmalloc",
	.pages = true,
};

/* Not behind an IOMMU, where the DMA API has PFNs for everybody. */
FIXTURE_VARIANT_ADD(video, vivid_contig) {
	.driver = "vivid",
	.nr = 1,
	.exp_name = "videobuf2_dma_contig",
};

FIXTURE_VARIANT_ADD(video, vivid_sg) {
	.driver = "vivid",
	.nr = 2,
	.exp_name = "videobuf2_dma_sg",
	.pages = true,
};

FIXTURE_SETUP(video)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_requestbuffers request = {
		.count = 1,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_buffer buf = {
		.memory = V4L2_MEMORY_MMAP,
		.m.planes = planes,
		.length = VIDEO_MAX_PLANES,
	};

	if (access(RAMDISK, F_OK))
		SKIP(return, "no " RAMDISK);
	self->video = v4l2_open_output(variant->driver, variant->nr,
				       &self->type);
	if (self->video < 0)
		SKIP(return, "no output %d of %s", variant->nr,
		     variant->driver);
	request.type = self->type;
	ASSERT_EQ(0, ioctl(self->video, VIDIOC_REQBUFS, &request));
	buf.type = self->type;
	if (!V4L2_TYPE_IS_MULTIPLANAR(self->type))
		buf.m.planes = NULL;
	ASSERT_EQ(0, ioctl(self->video, VIDIOC_QUERYBUF, &buf));
	self->offset = V4L2_TYPE_IS_MULTIPLANAR(self->type) ?
		       planes[0].m.mem_offset : buf.m.offset;
}

FIXTURE_TEARDOWN(video)
{
	close(self->video);
}

static char *map_page(struct __test_metadata *_metadata, int fd, off_t offset)
{
	char *map = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, offset);

	ASSERT_NE(MAP_FAILED, map);
	return map;
}

TEST_F(video, only_the_dmabuf_has_no_pages)
{
	struct v4l2_exportbuffer export = {
		.type = self->type,
		.flags = O_RDWR | O_CLOEXEC,
	};
	char *own, *shared;

	ASSERT_EQ(0, ioctl(self->video, VIDIOC_EXPBUF, &export));
	if (dmabuf_check_exporter(export.fd, variant->exp_name))
		SKIP(close(export.fd); return, "output %d of %s is not of %s",
		     variant->nr, variant->driver, variant->exp_name);
	own = map_page(_metadata, self->video, self->offset);
	shared = map_page(_metadata, export.fd, 0);

	/* One memory, and two opinions */
	memset(own, 0x33, getpagesize());
	EXPECT_TRUE(all_bytes(shared, getpagesize(), 0x33));
	EXPECT_EQ(variant->pages ? 0 : -EFAULT, direct_read(_metadata, own));
	EXPECT_EQ(-EFAULT, direct_read(_metadata, shared));

	munmap(own, getpagesize());
	munmap(shared, getpagesize());
	close(export.fd);
}

/*
 * Memory of dma_alloc_coherent() behind an IOMMU, by a mapping that nobody
 * calls a dma-buf's. usbfs is what there is without hardware.
 */

static int usb_open(void)
{
	int fd = -ENODEV;
	glob_t devices;
	size_t i;

	if (glob("/dev/bus/usb/*/*", 0, NULL, &devices))
		return -ENODEV;
	for (i = 0; i < devices.gl_pathc && fd < 0; i++)
		fd = open(devices.gl_pathv[i], O_RDWR | O_CLOEXEC);
	globfree(&devices);
	return fd;
}

TEST(usbfs_has_pages_behind_an_iommu)
{
	int fd = usb_open();
	char *map;

	if (access(RAMDISK, F_OK))
		SKIP(return, "no " RAMDISK);
	if (fd < 0)
		SKIP(return, "no device in /dev/bus/usb");
	if (access("/sys/bus/usb/devices/usb1/../iommu_group", F_OK))
		SKIP(return, "its host controller is not behind an IOMMU");

	map = map_page(_metadata, fd, 0);
	EXPECT_EQ(0, direct_read(_metadata, map));
	munmap(map, getpagesize());
	close(fd);
}

TEST_HARNESS_MAIN
