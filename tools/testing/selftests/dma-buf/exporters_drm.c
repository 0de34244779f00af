// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs from DRM drivers: buffers of a card, by PRIME */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/qxl_drm.h>

#include "exporters.h"

#define DRI			"/dev/dri"
#define TTM_PAGES_PER_FAULT	16	/* TTM_BO_VM_NUM_PREFAULT */

static int card_open(const char *driver)
{
	char path[sizeof(DRI "/card") + 4];
	int i;

	for (i = 0; i < 64; i++) {
		struct drm_version version = { 0 };
		char name[16] = "";
		int fd;

		snprintf(path, sizeof(path), DRI "/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;

		version.name = name;
		version.name_len = sizeof(name) - 1;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, driver))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

static bool has_card(const char *driver)
{
	int fd = card_open(driver);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* These make a buffer of buf->size and a handle of it. */

static int dumb_alloc(int card, struct dmabuf *buf, __u32 *handle)
{
	/* A page a line; qxl and virtio_gpu have no 8 bits per pixel. */
	struct drm_mode_create_dumb dumb = {
		.bpp = 32,
		.width = getpagesize() / 4,
		.height = buf->size / getpagesize(),
	};

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -errno;
	*handle = dumb.handle;
	buf->size = dumb.size;
	return 0;
}

/* qxl_alloc_ioctl(): QXL_GEM_DOMAIN_VRAM */
static int qxl_vram_alloc(int card, struct dmabuf *buf, __u32 *handle)
{
	struct drm_qxl_alloc alloc = { .size = buf->size };

	if (ioctl(card, DRM_IOCTL_QXL_ALLOC, &alloc))
		return -errno;
	*handle = alloc.handle;
	return 0;
}

static int drm_create(const char *driver, struct dmabuf *buf, int flags,
		      int (*alloc)(int card, struct dmabuf *buf, __u32 *handle))
{
	struct drm_prime_handle prime = {
		/* The first export decides: DRM_RDWR or nothing. */
		.flags = DRM_CLOEXEC | (flags == O_RDWR ? DRM_RDWR : 0),
	};
	int card, ret;

	card = card_open(driver);
	if (card < 0)
		return card;

	ret = alloc(card, buf, &prime.handle);
	if (!ret) {
		if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
			ret = -errno;
		else
			buf->fd = prime.fd;
	}
	/* Takes the handle along; the dma-buf holds the object. */
	close(card);
	return ret;
}

static const char *vgem_missing(void)
{
	return has_card("vgem") ? NULL : "no card of the driver vgem in " DRI;
}

static int vgem_create(struct dmabuf *buf, int flags)
{
	return drm_create("vgem", buf, flags, dumb_alloc);
}

static const char *vkms_missing(void)
{
	return has_card("vkms") ? NULL : "no card of the driver vkms in " DRI;
}

static int vkms_create(struct dmabuf *buf, int flags)
{
	return drm_create("vkms", buf, flags, dumb_alloc);
}

static const char *virtio_gpu_missing(void)
{
	return has_card("virtio_gpu") ? NULL :
	       "no card of the driver virtio_gpu in " DRI;
}

static int virtio_gpu_create(struct dmabuf *buf, int flags)
{
	return drm_create("virtio_gpu", buf, flags, dumb_alloc);
}

static const char *qxl_missing(void)
{
	return has_card("qxl") ? NULL : "no card of the driver qxl in " DRI;
}

static int qxl_create(struct dmabuf *buf, int flags)
{
	return drm_create("qxl", buf, flags, dumb_alloc);
}

static int qxl_vram_create(struct dmabuf *buf, int flags)
{
	return drm_create("qxl", buf, flags, qxl_vram_alloc);
}

/*
 * drm_gem_shmem_helper.c. vgem's mappings are write-combining; the pages of
 * virtio_gpu are the device's from the beginning, and its dma-bufs are not of
 * drm_gem_prime_export().
 */

const struct exporter vgem = {
	.name = "vgem",
	.missing = vgem_missing,
	.create = vgem_create,
	.exp_name = "drm",
	.pages_per_fault = 1,
	.faults_on_write = true,
};

const struct exporter vkms = {
	.name = "vkms",
	.missing = vkms_missing,
	.create = vkms_create,
	.exp_name = "drm",
	.pages_per_fault = 1,
	.faults_on_write = true,
};

const struct exporter virtio_gpu = {
	.name = "virtio_gpu",
	.missing = virtio_gpu_missing,
	.create = virtio_gpu_create,
	.exp_name = "virtio_gpu",
	.pages_per_fault = 1,
	.faults_on_write = true,
};

/* In system memory (qxl_mode_dumb_create(): QXL_GEM_DOMAIN_CPU) */
const struct exporter qxl = {
	.name = "qxl",
	.missing = qxl_missing,
	.create = qxl_create,
	.exp_name = "drm",
	.pages_per_fault = TTM_PAGES_PER_FAULT,
	.access = true,
};

/* qxl_bo_driver has no access_memory for it (ttm_bo_access()). */
const struct exporter qxl_vram = {
	.name = "qxl_vram",
	.missing = qxl_missing,
	.create = qxl_vram_create,
	.exp_name = "drm",
	.pages_per_fault = TTM_PAGES_PER_FAULT,
};
