/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fences that a test signals, of drivers/dma-buf/sw_sync.c, which has no uapi
 * header. Functions return 0 or a file descriptor, or a negative errno.
 */
#ifndef SELFTESTS_DMA_BUF_SW_SYNC_H
#define SELFTESTS_DMA_BUF_SW_SYNC_H

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/types.h>

#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"

struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE	\
	_IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC			_IOW('W', 1, __u32)

/* Closing it signals all of its fences. */
static inline int timeline_open(void)
{
	int fd = open(SW_SYNC, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Signal the fences up to the next value. */
static inline int timeline_advance(int timeline)
{
	__u32 one = 1;

	return ioctl(timeline, SW_SYNC_IOC_INC, &one) ? -errno : 0;
}

/* Add a fence to a dma-buf that is signalled at @value. */
static inline int timeline_fence(int timeline, __u32 value, int dmabuf,
				 __u32 flags)
{
	struct sw_sync_create_fence_data create = {
		.value = value,
		.name = "selftest",
	};
	struct dma_buf_import_sync_file import = { .flags = flags };
	int ret;

	if (ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &create))
		return -errno;
	import.fd = create.fence;
	ret = ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import) ? -errno : 0;
	close(create.fence);
	return ret;
}

#endif /* SELFTESTS_DMA_BUF_SW_SYNC_H */
