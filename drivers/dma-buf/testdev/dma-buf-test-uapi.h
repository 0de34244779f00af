/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The dma-buf test device, /dev/dma_buf_test: an exporter and an importer for
 * tests. See Documentation/driver-api/dma-buf/testing.rst. This is no stable
 * interface: it may change with the tests that use it.
 */

#ifndef _DMA_BUF_TEST_UAPI_H
#define _DMA_BUF_TEST_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_TEST_DEV		"/dev/dma_buf_test"

/* What is behind a buffer */
#define DMA_BUF_TEST_SCATTERED		0	/* single pages, no two adjacent */
#define DMA_BUF_TEST_CONTIGUOUS		1	/* one physical range */
#define DMA_BUF_TEST_HUGE		2	/* ranges of the size of a PMD */
#define DMA_BUF_TEST_DMA_COHERENT	3	/* dma_alloc_coherent() */
#define DMA_BUF_TEST_DMA_NONCONTIGUOUS	4	/* dma_alloc_noncontiguous() */

/* What an exporter has and does; see struct dma_buf_test_export */
#define DMA_BUF_TEST_HAS_PIN		0x01	/* pin and unpin ops */
#define DMA_BUF_TEST_MMAP_INSERT_PAGE	0x02	/* mmap breaks the rules */
#define DMA_BUF_TEST_FAIL_ATTACH	0x04	/* attach: -EBUSY */
#define DMA_BUF_TEST_FAIL_PIN		0x08	/* pin: -ENOSPC */
#define DMA_BUF_TEST_FAIL_MAP		0x10	/* map: -EIO */

/**
 * struct dma_buf_test_export - make a dma-buf (DMA_BUF_TEST_EXPORT)
 * @size: in: bytes, a multiple of the page size; of the PMD size for
 *	DMA_BUF_TEST_HUGE
 * @backing: in: DMA_BUF_TEST_SCATTERED ... DMA_BUF_TEST_DMA_NONCONTIGUOUS
 * @modes: in: mask of DMA_BUF_MODE_* that it declares to offer, 0 for nothing.
 *	What is inconsistent is passed on to dma_buf_export().
 * @flags: in: DMA_BUF_TEST_HAS_PIN ... DMA_BUF_TEST_FAIL_MAP
 * @open_flags: in: O_RDWR or O_RDONLY, and O_CLOEXEC
 *
 * The ioctl returns a file descriptor of the dma-buf.
 *
 * DMA_BUF_TEST_DMA_* is memory of the DMA API for a PCI device: -ENODEV if there
 * is none that the driver dma_buf_test is bound to. It stays where it is, and has
 * no counters; so @modes and @flags must be 0, and the ioctls that take a dma-buf
 * of DMA_BUF_TEST_EXPORT fail with -EINVAL.
 */
struct dma_buf_test_export {
	__u64 size;
	__u32 backing;
	__u32 modes;
	__u32 flags;
	__u32 open_flags;
};

/* The devices that can be attached */
#define DMA_BUF_TEST_NR_DEVICES		2
#define DMA_BUF_TEST_NO_DEVICE		0xffffffff

/* What an importer has and does; see struct dma_buf_test_attach */
#define DMA_BUF_TEST_STATIC		0x01	/* dma_buf_attach(), no ops */
#define DMA_BUF_TEST_INVALIDATE		0x02	/* invalidate_mappings op */
#define DMA_BUF_TEST_PEER2PEER		0x04	/* allow_peer2peer */
#define DMA_BUF_TEST_UNMAP_LATE		0x08	/* unmaps after @delay_ms */
#define DMA_BUF_TEST_UNMAP_NEVER	0x10	/* until told, or detach */
#define DMA_BUF_TEST_LEAK		0x20	/* detaches mapped and pinned */
#define DMA_BUF_TEST_BUSY		0x40	/* its device writes after @delay_ms */

/**
 * struct dma_buf_test_attach - attach to a dma-buf (DMA_BUF_TEST_ATTACH)
 * @fd: in: any dma-buf, not only one of DMA_BUF_TEST_EXPORT
 * @device: in: 0 to DMA_BUF_TEST_NR_DEVICES - 1. DMA_BUF_TEST_NO_DEVICE is for
 *	importers without a struct device, and -EOPNOTSUPP as long as dma-buf
 *	has none.
 * @modes: in: mask of DMA_BUF_MODE_* that the importer declares to accept, 0
 *	for nothing. What is inconsistent is passed on to
 *	dma_buf_dynamic_attach().
 * @flags: in: DMA_BUF_TEST_STATIC ... DMA_BUF_TEST_BUSY. DMA_BUF_TEST_STATIC
 *	goes with no other flag than DMA_BUF_TEST_LEAK, and with no @modes.
 *	DMA_BUF_TEST_UNMAP_* and DMA_BUF_TEST_BUSY need DMA_BUF_TEST_INVALIDATE
 *	and exclude each other.
 * @delay_ms: in: for DMA_BUF_TEST_UNMAP_LATE and DMA_BUF_TEST_BUSY,
 *	milliseconds up to 10000, else 0
 *
 * The ioctl returns the id of the importer, which is valid for this open file
 * and greater than 0.
 */
struct dma_buf_test_attach {
	__s32 fd;
	__u32 device;
	__u32 modes;
	__u32 flags;
	__u32 delay_ms;
};

/**
 * struct dma_buf_test_importer - what the ioctls on an importer take:
 *	DMA_BUF_TEST_DETACH, DMA_BUF_TEST_PIN, DMA_BUF_TEST_UNPIN,
 *	DMA_BUF_TEST_MAP, DMA_BUF_TEST_UNMAP
 * @id: in: of DMA_BUF_TEST_ATTACH
 *
 * An @id that there isn't is -ENOENT, here and in all ioctls that take one.
 *
 * DMA_BUF_TEST_DETACH unmaps and unpins first, unless DMA_BUF_TEST_LEAK was
 * given. An importer holds one mapping at most, mapped DMA_BIDIRECTIONAL:
 * DMA_BUF_TEST_MAP fails with -EBUSY if there is one that is not invalid;
 * DMA_BUF_TEST_UNMAP with -EINVAL if there is none; DMA_BUF_TEST_UNPIN with
 * -EINVAL if the importer didn't pin.
 */
struct dma_buf_test_importer {
	__u32 id;
};

/* Directions of DMA_BUF_TEST_DMA */
#define DMA_BUF_TEST_DMA_READ		0	/* buffer to @data */
#define DMA_BUF_TEST_DMA_WRITE		1	/* @data to buffer */

/**
 * struct dma_buf_test_dma - let the importer's device access the buffer
 *	(DMA_BUF_TEST_DMA)
 * @id: in: of DMA_BUF_TEST_ATTACH
 * @direction: in: DMA_BUF_TEST_DMA_READ or DMA_BUF_TEST_DMA_WRITE
 * @offset: in: bytes from the start of the buffer
 * @length: in: bytes, up to 64 KiB
 * @data: in: userspace pointer
 *
 * It goes by the DMA addresses that the importer has mapped, as a device would.
 * If the mapping has been invalidated, or there is none, the buffer is mapped
 * first and stays so. If that fails, there is no mapping afterwards. -ERANGE if
 * it goes beyond the end of the buffer; -EINVAL for a @length of 0 or over 64 KiB.
 *
 * With DMA_BUF_TEST_BUSY, a write has been started when the ioctl returns. It is
 * done after the delay, or at detach, and a fence in the reservation object tells
 * when, with the error if it could not be done. What else the importer's device
 * does comes after it. An importer that is told meanwhile unmaps when the write
 * is done.
 */
struct dma_buf_test_dma {
	__u32 id;
	__u32 direction;
	__u64 offset;
	__u64 length;
	__u64 data;
};

/**
 * struct dma_buf_test_importer_info - look at an importer
 *	(DMA_BUF_TEST_IMPORTER_INFO)
 * @id: in: of DMA_BUF_TEST_ATTACH
 * @mode: out: the DMA_BUF_MODE_* that the attachment got
 * @mapped: out: 1 if it has a mapping that is valid, 2 if it has one that was
 *	invalidated and not unmapped yet, else 0
 * @pins: out: pins of its own that it holds
 * @invalidates: out: calls of its invalidate_mappings
 * @maps: out: successful dma_buf_map_attachment() calls
 * @unmaps: out: dma_buf_unmap_attachment() calls
 * @ranges: out: DMA ranges of a mapping that is valid, else 0
 * @address: out: DMA address of the first one, else 0
 */
struct dma_buf_test_importer_info {
	__u32 id;
	__u32 mode;
	__u32 mapped;
	__u32 pins;
	__u32 invalidates;
	__u32 maps;
	__u32 unmaps;
	__u32 ranges;
	__u64 address;
};

/**
 * struct dma_buf_test_buffer - what DMA_BUF_TEST_MOVE takes
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL
 *
 * Moves the buffer to other pages, with its content. Importers are told and CPU
 * mappings zapped. -EBUSY if it is pinned; -EOPNOTSUPP if it does not offer
 * DMA_BUF_MODE_MOVABLE; -ENODEV while it is revoked.
 */
struct dma_buf_test_buffer {
	__s32 fd;
};

/**
 * struct dma_buf_test_revoke - take access away, or give it back
 *	(DMA_BUF_TEST_REVOKE)
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL
 * @revoked: in: DMA_BUF_REVOKED_*. -EINVAL if the buffer doesn't offer
 *	DMA_BUF_MODE_REVOCABLE, -EBUSY while an attachment of another mode or a
 *	vmap relies on access, -EPERM if it was revoked for good before.
 */
struct dma_buf_test_revoke {
	__s32 fd;
	__u32 revoked;
};

/**
 * struct dma_buf_test_buffer_info - look at a buffer (DMA_BUF_TEST_BUFFER_INFO)
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL
 * @pins: out: pins that the exporter counts now
 * @mappings: out: DMA mappings that the exporter counts now
 * @attaches: out: successful calls of its attach op
 * @detaches: out: calls of its detach op
 * @pin_calls: out: successful calls of its pin op
 * @unpin_calls: out: calls of its unpin op
 * @map_calls: out: successful calls of its map_dma_buf op
 * @unmap_calls: out: calls of its unmap_dma_buf op
 * @mmap_calls: out: successful calls of its mmap op
 * @moves: out: successful DMA_BUF_TEST_MOVE
 * @faults: out: page faults that it handled
 */
struct dma_buf_test_buffer_info {
	__s32 fd;
	__u32 pins;
	__u32 mappings;
	__u32 attaches;
	__u32 detaches;
	__u32 pin_calls;
	__u32 unpin_calls;
	__u32 map_calls;
	__u32 unmap_calls;
	__u32 mmap_calls;
	__u32 moves;
	__u32 faults;
};

/**
 * struct dma_buf_test_dma_mask - set the DMA mask of a device
 *	(DMA_BUF_TEST_SET_DMA_MASK)
 * @device: in: 0 to DMA_BUF_TEST_NR_DEVICES - 1
 * @bits: in: 1 to 64. -EBUSY while an importer is attached with it, -EIO if the
 *	system can't do it.
 */
struct dma_buf_test_dma_mask {
	__u32 device;
	__u32 bits;
};

/*
 * The argument is written back by those that are _IOWR only. What the others make
 * is returned, so nothing is left behind when an argument can't be written to.
 */
#define DMA_BUF_TEST_BASE		'T'
#define DMA_BUF_TEST_EXPORT \
	_IOW(DMA_BUF_TEST_BASE, 0x40, struct dma_buf_test_export)
#define DMA_BUF_TEST_ATTACH \
	_IOW(DMA_BUF_TEST_BASE, 0x41, struct dma_buf_test_attach)
#define DMA_BUF_TEST_DETACH \
	_IOW(DMA_BUF_TEST_BASE, 0x42, struct dma_buf_test_importer)
#define DMA_BUF_TEST_PIN \
	_IOW(DMA_BUF_TEST_BASE, 0x43, struct dma_buf_test_importer)
#define DMA_BUF_TEST_UNPIN \
	_IOW(DMA_BUF_TEST_BASE, 0x44, struct dma_buf_test_importer)
#define DMA_BUF_TEST_MAP \
	_IOW(DMA_BUF_TEST_BASE, 0x45, struct dma_buf_test_importer)
#define DMA_BUF_TEST_UNMAP \
	_IOW(DMA_BUF_TEST_BASE, 0x46, struct dma_buf_test_importer)
#define DMA_BUF_TEST_DMA \
	_IOW(DMA_BUF_TEST_BASE, 0x47, struct dma_buf_test_dma)
#define DMA_BUF_TEST_IMPORTER_INFO \
	_IOWR(DMA_BUF_TEST_BASE, 0x48, struct dma_buf_test_importer_info)
#define DMA_BUF_TEST_MOVE \
	_IOW(DMA_BUF_TEST_BASE, 0x49, struct dma_buf_test_buffer)
#define DMA_BUF_TEST_REVOKE \
	_IOW(DMA_BUF_TEST_BASE, 0x4a, struct dma_buf_test_revoke)
#define DMA_BUF_TEST_BUFFER_INFO \
	_IOWR(DMA_BUF_TEST_BASE, 0x4b, struct dma_buf_test_buffer_info)
#define DMA_BUF_TEST_SET_DMA_MASK \
	_IOW(DMA_BUF_TEST_BASE, 0x4c, struct dma_buf_test_dma_mask)

#endif /* _DMA_BUF_TEST_UAPI_H */
