/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_DMA_BUF_EXPORTERS_DRM_BO_H
#define SELFTESTS_DMA_BUF_EXPORTERS_DRM_BO_H

#include <linux/types.h>
#include <stddef.h>

struct drm_name {
	char name[32];
};

/* What the driver calls itself: 0, or a negative errno */
int drm_driver_name(int card, struct drm_name *name);

/* A handle of a new buffer of @size bytes or more: 0, or a negative errno */
int drm_bo_create(int card, size_t size, __u32 *handle);
int qxl_vram_bo_create(int card, size_t size, __u32 *handle);

#endif /* SELFTESTS_DMA_BUF_EXPORTERS_DRM_BO_H */
