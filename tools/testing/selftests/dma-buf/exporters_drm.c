// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs from DRM drivers: buffers of a card or accelerator, by PRIME */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>

#include "exporters.h"
#include "exporters_drm_bo.h"

#define MAX_CARDS	64

/* Card @i and its driver's name: a file descriptor, or a negative errno */
static int card_open_nr(int i, struct drm_name *name)
{
	const char *prefix = i < MAX_CARDS ? "/dev/dri/card" :
					     "/dev/accel/accel";
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%s%d", prefix, i % MAX_CARDS);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (drm_driver_name(fd, name)) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}

/* @device: the path of one, or a driver */
int drm_card_open(const char *device)
{
	struct drm_name name;
	int i, fd;

	if (strchr(device, '/')) {
		fd = open(device, O_RDWR | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}

	for (i = 0; i < 2 * MAX_CARDS; i++) {
		fd = card_open_nr(i, &name);
		if (fd < 0)
			continue;
		if (!strcmp(name.name, device))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

/* With the names of those that there are */
static const char *no_such_driver(const char *driver)
{
	struct drm_name name;
	static char why[512];
	int i, fd, len;

	len = snprintf(why, 128, "no card of the driver %s, but of:", driver);
	if (len > 127)
		len = 127;
	for (i = 0; i < 2 * MAX_CARDS; i++) {
		fd = card_open_nr(i, &name);
		if (fd < 0)
			continue;
		close(fd);
		if (len + sizeof(name) + 2 < sizeof(why))
			len += sprintf(why + len, " %s", name.name);
	}
	return why;
}

static const char *card_missing(const struct exporter *exporter)
{
	static char why[128];
	int fd = drm_card_open(exporter->device);

	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	if (fd == -ENODEV)
		return no_such_driver(exporter->device);

	snprintf(why, sizeof(why), "%s: %s", exporter->device, strerror(-fd));
	return why;
}

static int card_export(const char *device, struct dmabuf *buf, int flags,
		       int (*bo_create)(int card, size_t size, __u32 *handle))
{
	struct drm_prime_handle prime = {
		/* The first export decides: DRM_RDWR or nothing. */
		.flags = DRM_CLOEXEC | (flags == O_RDWR ? DRM_RDWR : 0),
	};
	int card, ret;

	card = drm_card_open(device);
	if (card < 0)
		return card;

	ret = bo_create(card, buf->size, &prime.handle);
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

static int drm_create(const struct exporter *exporter, struct dmabuf *buf,
		      int flags)
{
	return card_export(exporter->device, buf, flags, drm_bo_create);
}

const struct exporter_kind drm_exporter = {
	.missing = card_missing,
	.create = drm_create,
	.hint = "; without dumb buffers it takes lines in exporters_drm_bo.c",
};

static int qxl_vram_create(const struct exporter *exporter, struct dmabuf *buf,
			   int flags)
{
	return card_export(exporter->device, buf, flags, qxl_vram_bo_create);
}

const struct exporter_kind qxl_vram_exporter = {
	.missing = card_missing,
	.create = qxl_vram_create,
};
