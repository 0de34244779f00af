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
#define DMA_BUF_TEST_PRIVATE		5	/* as SCATTERED, not for the CPU */
#define DMA_BUF_TEST_MMIO		6	/* a PCI device's BAR, uncached */
#define DMA_BUF_TEST_MMIO_WC		7	/* the same, write-combining */

/* What an exporter has and does; see struct dma_buf_test_export */
#define DMA_BUF_TEST_HAS_PIN		0x01	/* pin and unpin ops */
#define DMA_BUF_TEST_MMAP_INSERT_PAGE	0x02	/* mmap breaks the rules */
#define DMA_BUF_TEST_FAIL_ATTACH	0x04	/* attach: -EBUSY */
#define DMA_BUF_TEST_FAIL_PIN		0x08	/* pin: -ENOSPC */
#define DMA_BUF_TEST_FAIL_MAP		0x10	/* map: -EIO */
#define DMA_BUF_TEST_CORE_MAPS		0x20	/* no map op: the core maps */

/**
 * struct dma_buf_test_export - make a dma-buf (DMA_BUF_TEST_EXPORT)
 * @size: in: bytes, a multiple of the page size; of the PMD size for
 *	DMA_BUF_TEST_HUGE
 * @backing: in: DMA_BUF_TEST_SCATTERED ... DMA_BUF_TEST_MMIO_WC
 * @modes: in: mask of DMA_BUF_MODE_* that it declares to offer, 0 for nothing.
 *	What is inconsistent is passed on to dma_buf_export().
 * @flags: in: DMA_BUF_TEST_HAS_PIN ... DMA_BUF_TEST_CORE_MAPS. The last two
 *	exclude each other.
 * @open_flags: in: O_RDWR or O_RDONLY, and O_CLOEXEC
 *
 * The ioctl returns a file descriptor of the dma-buf.
 *
 * With DMA_BUF_TEST_CORE_MAPS, the exporter has no map, unmap and CPU access ops,
 * so it counts no mappings. DMA_BUF_TEST_MOVE fails with -EBUSY while an importer
 * without DMA_BUF_TEST_INVALIDATE has mapped, pinned or not.
 *
 * DMA_BUF_TEST_PRIVATE is RAM that the exporter keeps the CPU away from. mmap works,
 * and access by it is a SIGBUS; vmap fails with -EOPNOTSUPP. Importers reach it as
 * any other.
 *
 * DMA_BUF_TEST_MMIO* has no struct pages, and is one range: -ENODEV if there is no
 * PCI device "ivshmem-plain", or if that is removed later. DMA_BUF_TEST_CORE_MAPS
 * is implied, so DMA_BUF_TEST_FAIL_MAP and DMA_BUF_TEST_MMAP_INSERT_PAGE are refused.
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
#define DMA_BUF_TEST_WRONG_ORDER	0x80	/* its lock is outside */
#define DMA_BUF_TEST_EXCLUSIVE		0x100	/* exclusive_lost op */
#define DMA_BUF_TEST_STOP_LATE		0x200	/* stops after @delay_ms */
#define DMA_BUF_TEST_STOP_NEVER		0x400	/* until detach */

/**
 * struct dma_buf_test_attach - attach to a dma-buf (DMA_BUF_TEST_ATTACH)
 * @fd: in: any dma-buf, not only one of DMA_BUF_TEST_EXPORT
 * @device: in: 0 to DMA_BUF_TEST_NR_DEVICES - 1, or DMA_BUF_TEST_NO_DEVICE for
 *	dma_buf_pfn_attach(): an importer without a struct device
 * @modes: in: mask of DMA_BUF_MODE_* that the importer declares to accept, 0
 *	for nothing. What is inconsistent is passed on to
 *	dma_buf_dynamic_attach().
 * @flags: in: DMA_BUF_TEST_STATIC ... DMA_BUF_TEST_STOP_NEVER. DMA_BUF_TEST_STATIC
 *	goes with no other flag than DMA_BUF_TEST_LEAK, and with no @modes.
 *	DMA_BUF_TEST_UNMAP_* and DMA_BUF_TEST_BUSY need DMA_BUF_TEST_INVALIDATE
 *	and exclude each other. DMA_BUF_TEST_NO_DEVICE needs @modes, and excludes
 *	DMA_BUF_TEST_STATIC and DMA_BUF_TEST_BUSY. DMA_BUF_TEST_WRONG_ORDER needs
 *	DMA_BUF_TEST_INVALIDATE. DMA_BUF_TEST_STOP_* need DMA_BUF_TEST_EXCLUSIVE,
 *	and exclude each other, DMA_BUF_TEST_LEAK, and what needs a delay.
 * @delay_ms: in: for DMA_BUF_TEST_UNMAP_LATE, DMA_BUF_TEST_BUSY and DMA_BUF_TEST_STOP_LATE,
 *	milliseconds up to 10000, else 0
 *
 * The ioctl returns the id of the importer, which is valid for this open file
 * and greater than 0.
 *
 * With DMA_BUF_TEST_WRONG_ORDER the importer attaches, and so takes the reservation
 * lock, with a lock held that its invalidate_mappings tells lockdep to take, too.
 * Lockdep reports the importer and switches itself off.
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
 *	DMA_BUF_TEST_MAP, DMA_BUF_TEST_UNMAP, DMA_BUF_TEST_PFN_CLOSE
 * @id: in: of DMA_BUF_TEST_ATTACH
 *
 * An @id that there isn't is -ENOENT, here and in all ioctls that take one.
 *
 * DMA_BUF_TEST_DETACH unmaps and unpins first, unless DMA_BUF_TEST_LEAK was
 * given. An importer holds one mapping at most, mapped DMA_BIDIRECTIONAL:
 * DMA_BUF_TEST_MAP fails with -EBUSY if there is one that is not invalid;
 * DMA_BUF_TEST_UNMAP with -EINVAL if there is none; DMA_BUF_TEST_UNPIN with
 * -EINVAL if the importer didn't pin; DMA_BUF_TEST_PFN_CLOSE with -EINVAL if no
 * PFN mapping is open.
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
 * first and stays so. If that fails, there is no mapping afterwards. An importer
 * without a device goes by the PFNs that the exporter tells, and opens a PFN mapping
 * if there is none that is valid, for writing if it may. -ERANGE if
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
 * struct dma_buf_test_vmap - let the kernel access the buffer by dma_buf_vmap()
 *	(DMA_BUF_TEST_VMAP)
 * @fd: in: any dma-buf, not only one of DMA_BUF_TEST_EXPORT
 * @direction: in: DMA_BUF_TEST_DMA_READ or DMA_BUF_TEST_DMA_WRITE
 * @offset: in: bytes from the start of the buffer
 * @length: in: bytes, up to 64 KiB
 * @data: in: userspace pointer
 *
 * The buffer is mapped for as long as the copy takes. Errors are those of
 * dma_buf_vmap(), and -ERANGE and -EINVAL as for DMA_BUF_TEST_DMA.
 */
struct dma_buf_test_vmap {
	__s32 fd;
	__u32 direction;
	__u64 offset;
	__u64 length;
	__u64 data;
};

/**
 * struct dma_buf_test_pfn_open - open a PFN mapping (DMA_BUF_TEST_PFN_OPEN)
 * @id: in: of DMA_BUF_TEST_ATTACH, with or without a device
 * @write: in: 1 if the importer lets the memory be written to, else 0
 *
 * An importer has one at most: -EBUSY if there is one that is valid. -EINVAL for
 * one that isn't in DMA_BUF_MODE_MOVABLE and holds no pin, as those have none that
 * declare no @modes. When the
 * importer is told, it closes it as it unmaps a mapping: at once, late, or never;
 * until it does, DMA_BUF_TEST_PFN_QUERY fails with -ESTALE.
 */
struct dma_buf_test_pfn_open {
	__u32 id;
	__u32 write;
};

/**
 * struct dma_buf_test_pfn_range - a range, as &struct dma_buf_pfn_range
 * @first: out: page index in the buffer
 * @nr: out: number of pages
 * @pfn: out: of the first page
 * @flags: out: mask of DMA_BUF_PFN_*
 * @caching: out: of enum dma_buf_caching
 * @mmio: out: 1 if there is a provider, else 0
 * @reserved: out: 0
 */
struct dma_buf_test_pfn_range {
	__u64 first;
	__u64 nr;
	__u64 pfn;
	__u32 flags;
	__u32 caching;
	__u32 mmio;
	__u32 reserved;
};

/* Flags of struct dma_buf_test_pfn_query */
#define DMA_BUF_TEST_PFN_ONE		0x01	/* dma_buf_pfn_query() */

/**
 * struct dma_buf_test_pfn_query - ask where the buffer is
 *	(DMA_BUF_TEST_PFN_QUERY)
 * @id: in: of DMA_BUF_TEST_ATTACH
 * @flags: in: 0 for dma_buf_pfn_query_array(), or DMA_BUF_TEST_PFN_ONE
 * @first: in: page index in the buffer
 * @nr: in: number of pages; 1 with DMA_BUF_TEST_PFN_ONE
 * @ranges: in: userspace pointer to &struct dma_buf_test_pfn_range
 * @max: in: how many there is room for, up to 4096; 1 with DMA_BUF_TEST_PFN_ONE
 * @reserved: in: 0
 *
 * The ioctl returns the number of ranges, or -EINVAL if no PFN mapping is open.
 */
struct dma_buf_test_pfn_query {
	__u32 id;
	__u32 flags;
	__u64 first;
	__u64 nr;
	__u64 ranges;
	__u32 max;
	__u32 reserved;
};

/**
 * struct dma_buf_test_exclusive - take a range from CPUs, or give it back
 *	(DMA_BUF_TEST_TAKE, DMA_BUF_TEST_DROP, DMA_BUF_TEST_COUNT)
 * @id: in: of DMA_BUF_TEST_ATTACH with DMA_BUF_TEST_EXCLUSIVE
 * @reserved: in: 0
 * @first: in: page index in the buffer
 * @nr: in: pages; 1 for DMA_BUF_TEST_COUNT
 * @rounds: in: for DMA_BUF_TEST_COUNT, else 0
 *
 * The first two fail as dma_buf_take_exclusive() does. DMA_BUF_TEST_DROP gives back
 * what was taken inside the range as a whole, and says nothing of the rest.
 *
 * DMA_BUF_TEST_COUNT increments a __u64 at the start of the page, so many times, as a
 * device without atomics would: with the page taken, and in pieces, so that CPUs
 * get their turns. It needs an open PFN mapping, RAM with pages, and an attachment
 * that got DMA_BUF_MODE_PINNED: -EINVAL.
 */
struct dma_buf_test_exclusive {
	__u32 id;
	__u32 reserved;
	__u64 first;
	__u64 nr;
	__u64 rounds;
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
 * @pfn: out: 1 if it has a PFN mapping that is valid, 2 if it has one that was
 *	invalidated and not closed yet, else 0
 * @pfn_write: out: 1 if that is for writing
 * @pfn_opens: out: successful dma_buf_pfn_open() calls
 * @pfn_closes: out: dma_buf_pfn_close() calls
 * @takes: out: ranges that it has taken from CPUs
 * @lost: out: calls of its exclusive_lost
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
	__u32 pfn;
	__u32 pfn_write;
	__u32 pfn_opens;
	__u32 pfn_closes;
	__u32 takes;
	__u32 lost;
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

/* How an exporter may be wrong about where its buffer is */
#define DMA_BUF_TEST_LIE_NONE		0	/* the truth again */
#define DMA_BUF_TEST_LIE_EMPTY		1	/* no page */
#define DMA_BUF_TEST_LIE_BEYOND		2	/* more than the buffer has */
#define DMA_BUF_TEST_LIE_WRAPS		3	/* indices that overflow */
#define DMA_BUF_TEST_LIE_OTHER		4	/* without the page */
#define DMA_BUF_TEST_LIE_PFN_WRAPS	5	/* PFNs that overflow */
#define DMA_BUF_TEST_LIE_PFN_HIGH	6	/* PFNs beyond physical addresses */
#define DMA_BUF_TEST_LIE_FLAGS		7	/* an unknown flag */
#define DMA_BUF_TEST_LIE_CACHING	8	/* an unknown cache mode */
#define DMA_BUF_TEST_LIE_RAM_PROVIDER	9	/* RAM with a provider */
#define DMA_BUF_TEST_LIE_NO_PAGES	10	/* RAM without struct pages */
#define DMA_BUF_TEST_LIE_NO_PROVIDER	11	/* MMIO without a provider */
#define DMA_BUF_TEST_LIE_DECRYPTED	12	/* decrypted MMIO */
#define DMA_BUF_TEST_LIE_POSITIVE	13	/* returns 1 */
#define DMA_BUF_TEST_LIE_ERROR		14	/* returns -ENOSPC, which is no lie */
#define DMA_BUF_TEST_LIE_CHANGES	15	/* other ranges at every second walk */

/**
 * struct dma_buf_test_lie - have an exporter lie (DMA_BUF_TEST_LIE)
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL; of DMA_BUF_TEST_LIE_OTHER
 *	with two pages at least
 * @lie: in: DMA_BUF_TEST_LIE_*, from now on
 * @first: in: page index from which on it lies, so that a walk is wrong in its
 *	middle; 0 with DMA_BUF_TEST_LIE_CHANGES
 *
 * The core finds out, but for the last two. DMA_BUF_TEST_LIE_CHANGES is for buffers
 * of pages: each page is where it is said to be, but every second time that the
 * first page is asked for, the order of the pages turns round.
 */
struct dma_buf_test_lie {
	__s32 fd;
	__u32 lie;
	__u64 first;
};

/**
 * struct dma_buf_test_revoke - take access away, or give it back
 *	(DMA_BUF_TEST_REVOKE)
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL
 * @revoked: in: DMA_BUF_REVOKED_*: dma_buf_unrevoke(), dma_buf_revoke_timeout(),
 *	or that and dma_buf_revoke_permanently()
 * @timeout_ms: in: how long to wait for importers, milliseconds up to 10000
 * @reserved: in: 0
 *
 * Errors are those of the functions: -EINVAL if the buffer doesn't offer
 * DMA_BUF_MODE_REVOCABLE; -EBUSY while an attachment of another mode or a vmap
 * relies on access, or for DMA_BUF_REVOKED_NO while a revoke waits or has not
 * waited for a mapping; -ETIMEDOUT; -ENODEV for DMA_BUF_REVOKED_NO if it was revoked
 * for good.
 */
struct dma_buf_test_revoke {
	__s32 fd;
	__u32 revoked;
	__u32 timeout_ms;
	__u32 reserved;
};

/**
 * struct dma_buf_test_buffer_info - look at a buffer (DMA_BUF_TEST_BUFFER_INFO)
 * @fd: in: a dma-buf of DMA_BUF_TEST_EXPORT, else -EINVAL
 * @pins: out: pins that the exporter counts now
 * @mappings: out: DMA mappings that the exporter counts now; as other counts of
 *	calls, of the ops that there are
 * @attaches: out: successful calls of its attach op
 * @detaches: out: calls of its detach op
 * @pin_calls: out: successful calls of its pin op
 * @unpin_calls: out: calls of its unpin op
 * @map_calls: out: successful calls of its map_dma_buf op
 * @unmap_calls: out: calls of its unmap_dma_buf op
 * @moves: out: successful DMA_BUF_TEST_MOVE
 * @asks: out: calls of its pfn_range op
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
	__u32 moves;
	__u32 asks;
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
#define DMA_BUF_TEST_PFN_OPEN \
	_IOW(DMA_BUF_TEST_BASE, 0x4d, struct dma_buf_test_pfn_open)
#define DMA_BUF_TEST_PFN_CLOSE \
	_IOW(DMA_BUF_TEST_BASE, 0x4e, struct dma_buf_test_importer)
#define DMA_BUF_TEST_PFN_QUERY \
	_IOW(DMA_BUF_TEST_BASE, 0x4f, struct dma_buf_test_pfn_query)
#define DMA_BUF_TEST_VMAP \
	_IOW(DMA_BUF_TEST_BASE, 0x50, struct dma_buf_test_vmap)
#define DMA_BUF_TEST_LIE \
	_IOW(DMA_BUF_TEST_BASE, 0x51, struct dma_buf_test_lie)
#define DMA_BUF_TEST_TAKE \
	_IOW(DMA_BUF_TEST_BASE, 0x52, struct dma_buf_test_exclusive)
#define DMA_BUF_TEST_DROP \
	_IOW(DMA_BUF_TEST_BASE, 0x53, struct dma_buf_test_exclusive)
#define DMA_BUF_TEST_COUNT \
	_IOW(DMA_BUF_TEST_BASE, 0x54, struct dma_buf_test_exclusive)

#endif /* _DMA_BUF_TEST_UAPI_H */
