/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dma-buf test device: buffers that move and are revoked, importers that
 * do as they are told, and what the kernel tells of either.
 *
 * Nothing here depends on the test harness: functions return 0 or a negative
 * errno, and leave it to the test what to make of that.
 */
#ifndef SELFTESTS_DMA_BUF_TESTDEV_H
#define SELFTESTS_DMA_BUF_TESTDEV_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stddef.h>

#include <linux/dma-buf.h>

#include <drivers/dma-buf/testdev/dma-buf-test-uapi.h>

#define PINNED		DMA_BUF_MODE_PINNED
#define REVOCABLE	DMA_BUF_MODE_REVOCABLE
#define MOVABLE		DMA_BUF_MODE_MOVABLE

/* The device itself; what is attached by one open file is known to it only */

const char *testdev_missing(void);
int testdev_open(void);

/* The ioctls */

/* The file descriptor of the dma-buf, and the id of the importer */
int testdev_export(int dev, const struct dma_buf_test_export *export);
/* A buffer that offers all modes */
bool testdev_is_mmio(__u32 backing);
int testdev_export_all(int dev, __u32 backing, __u32 flags, size_t size);
int testdev_attach(int dev, const struct dma_buf_test_attach *attach);

int testdev_detach(int dev, __u32 id);
int testdev_pin(int dev, __u32 id);
int testdev_unpin(int dev, __u32 id);
int testdev_map(int dev, __u32 id);
int testdev_unmap(int dev, __u32 id);
int testdev_pfn_open(int dev, __u32 id, bool write);
int testdev_pfn_close(int dev, __u32 id);
/* How many ranges, merged; or one, as the exporter tells it */
int testdev_pfn_query(int dev, __u32 id, size_t first, size_t nr,
		      struct dma_buf_test_pfn_range *ranges, __u32 max);
int testdev_pfn_query_one(int dev, __u32 id, size_t index,
			  struct dma_buf_test_pfn_range *range);
int testdev_importer_info(int dev, __u32 id,
			  struct dma_buf_test_importer_info *info);
int testdev_move(int dev, int dmabuf);
int testdev_lie(int dev, int dmabuf, __u32 lie, size_t first);
int testdev_revoke(int dev, int dmabuf, __u32 revoked);
int testdev_revoke_timeout(int dev, int dmabuf, __u32 revoked, __u32 ms);
int testdev_buffer_info(int dev, int dmabuf,
			struct dma_buf_test_buffer_info *info);
int testdev_take(int dev, __u32 id, size_t first, size_t nr);
int testdev_drop(int dev, __u32 id, size_t first, size_t nr);
/* A device without atomics counts in a page. */
int testdev_count(int dev, __u32 id, size_t index, __u64 rounds);
int testdev_set_dma_mask(int dev, __u32 device, __u32 bits);

/* DMA of any length, by DMA_BUF_TEST_DMA as often as it takes */
int testdev_read(int dev, __u32 id, size_t offset, void *data, size_t len);
int testdev_write(int dev, __u32 id, size_t offset, const void *data,
		  size_t len);

/* The same by a mapping of the kernel, dma_buf_vmap() */
int testdev_vmap_read(int dev, int dmabuf, size_t offset, void *data,
		      size_t len);
int testdev_vmap_write(int dev, int dmabuf, size_t offset, const void *data,
		       size_t len);

/* DMA_BUF_IOCTL_QUERY; what is returned must not depend on @query. */
int query_modes(int dmabuf, struct dma_buf_query *query);

/*
 * What files of the kernel show. These are strict: a line that is missing, is
 * there twice or looks different is -EBADMSG.
 */

struct shown_modes {
	char modes[64];
	char revoked[16];
};

/* The two lines on modes of /proc/self/fdinfo */
int read_fdinfo(int dmabuf, struct shown_modes *shown);

struct shown_attachment {
	char device[64];
	char mode[64];
	unsigned int pins;
	unsigned int mappings;
	unsigned int pfn_mappings;
};

/*
 * The attachments of a dma-buf in debugfs bufinfo, the oldest one first:
 * returns how many there are, up to @max, or -E2BIG.
 */
int read_bufinfo(int dmabuf, struct shown_attachment *shown, int max);

/* How many buffers of the device are there, whoever has made them? */
int count_buffers(void);

/*
 * Objects of kmalloc caches that were allocated in a call of the device and are
 * not free yet; 0 if the kernel doesn't track them (slab_debug=U). What they are
 * is added to @list, unless that is NULL.
 */
long count_objects(FILE *list);

#endif /* SELFTESTS_DMA_BUF_TESTDEV_H */
