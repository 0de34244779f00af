/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bench.c asks of the importer in dma_buf_bench.c.
 */
#ifndef DMA_BUF_BENCH_H
#define DMA_BUF_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct dma_buf_bench {
	__s32 fd;		/* of a dma-buf */
	__u32 dynamic;		/* 1: a dynamic importer, 0: a static one */
	__u32 attachments;	/* so many, one after the other */
	__u32 maps;		/* of each, one after the other */
};

struct dma_buf_bench_describe {
	__s32 fd;		/* of a dma-buf */
	__u32 count;		/* 1: the bytes that are allocated */
	__u64 extents;		/* out */
	__u64 bytes;		/* out, without the attachment itself */
};

#define BENCH_MAX_IMPORTERS	256

/* 0, or a negative errno */
#define DMA_BUF_BENCH_IMPORT	_IOW('b', 0xbe, struct dma_buf_bench)
#define DMA_BUF_BENCH_DESCRIBE	_IOWR('b', 0xbf, struct dma_buf_bench_describe)

/*
 * A buffer of 2 MiB that can be revoked, with so many importers that have it
 * mapped: its file descriptor; take it away and give it back; detach them all.
 */
#define DMA_BUF_BENCH_REVOKE_BEGIN	_IO('b', 0xc0)
#define DMA_BUF_BENCH_REVOKE		_IO('b', 0xc1)
#define DMA_BUF_BENCH_REVOKE_END	_IO('b', 0xc2)

#endif /* DMA_BUF_BENCH_H */
