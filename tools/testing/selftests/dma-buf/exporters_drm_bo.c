// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of DRM cards and accelerators, by the ioctl that makes them
 *
 * Every driver that shows pictures has dumb buffers. Others have an ioctl of
 * their own: a function and a line of drivers[].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/etnaviv_drm.h>
#include <drm/msm_drm.h>
#include <drm/panthor_drm.h>
#include <drm/qaic_accel.h>
#include <drm/qxl_drm.h>

#include "exporters_drm_bo.h"

static int dumb_create(int card, size_t size, __u32 *handle)
{
	/* A page a line; qxl and virtio_gpu have no 8 bits per pixel. */
	struct drm_mode_create_dumb dumb = {
		.bpp = 32,
		.width = getpagesize() / 4,
		.height = size / getpagesize(),
	};

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -errno;
	*handle = dumb.handle;
	return 0;
}

static int amdxdna_create(int card, size_t size, __u32 *handle)
{
	struct amdxdna_drm_create_bo bo = {
		.type = AMDXDNA_BO_SHARE,
		.size = size,
	};

	if (ioctl(card, DRM_IOCTL_AMDXDNA_CREATE_BO, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

static int etnaviv_create(int card, size_t size, __u32 *handle)
{
	struct drm_etnaviv_gem_new bo = { .size = size, .flags = ETNA_BO_WC };

	if (ioctl(card, DRM_IOCTL_ETNAVIV_GEM_NEW, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

static int msm_create(int card, size_t size, __u32 *handle)
{
	struct drm_msm_gem_new bo = { .size = size, .flags = MSM_BO_WC };

	if (ioctl(card, DRM_IOCTL_MSM_GEM_NEW, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

static int panthor_create(int card, size_t size, __u32 *handle)
{
	struct drm_panthor_bo_create bo = { .size = size };

	if (ioctl(card, DRM_IOCTL_PANTHOR_BO_CREATE, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

static int qaic_create(int card, size_t size, __u32 *handle)
{
	struct qaic_create_bo bo = { .size = size };

	if (ioctl(card, DRM_IOCTL_QAIC_CREATE_BO, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

/* QXL_GEM_DOMAIN_VRAM; its dumb buffers are in system memory. */
int qxl_vram_bo_create(int card, size_t size, __u32 *handle)
{
	struct drm_qxl_alloc bo = { .size = size };

	if (ioctl(card, DRM_IOCTL_QXL_ALLOC, &bo))
		return -errno;
	*handle = bo.handle;
	return 0;
}

/* Without dumb buffers, or for msm with a device that has none */
static const struct {
	const char *name;
	int (*create)(int card, size_t size, __u32 *handle);
} drivers[] = {
	{ "amdxdna_accel_driver", amdxdna_create },
	{ "etnaviv", etnaviv_create },
	{ "msm", msm_create },
	{ "panthor", panthor_create },
	{ "qaic", qaic_create },
	{ NULL, NULL },
};

int drm_driver_name(int card, struct drm_name *name)
{
	struct drm_version version = {
		.name = name->name,
		.name_len = sizeof(name->name) - 1,
	};

	memset(name, 0, sizeof(*name));
	return ioctl(card, DRM_IOCTL_VERSION, &version) ? -errno : 0;
}

int drm_bo_create(int card, size_t size, __u32 *handle)
{
	int ret = dumb_create(card, size, handle);
	struct drm_name name;
	size_t i;

	if (!ret || drm_driver_name(card, &name))
		return ret;
	for (i = 0; drivers[i].name; i++)
		if (!strcmp(drivers[i].name, name.name))
			return drivers[i].create(card, size, handle);
	return ret;
}
