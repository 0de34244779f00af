/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-bufs of the exporters that the tests know, and of those that the user
 * asks for.
 *
 * Nothing here depends on the test harness: functions return 0 or a negative
 * errno, and leave it to the test what to make of that.
 */
#ifndef SELFTESTS_DMA_BUF_EXPORTERS_H
#define SELFTESTS_DMA_BUF_EXPORTERS_H

#include <fcntl.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The system heap has these, and single pages for the rest (its orders[]). */
#define CHUNK_PAGES	16

struct dmabuf {
	int fd;
	size_t size;		/* bytes, whole pages */

	/* udmabuf only: the memfd that the memory belongs to, else -1 */
	int memfd;
	bool reversed;		/* first page of the dma-buf is the memfd's last */

	long hugepages;		/* nr_hugepages to put back, or -1 */
};

struct exporter;

/* How to get at exporters of one kind */
struct exporter_kind {
	/* Why it can't be used here, or NULL: only a missing device counts */
	const char *(*missing)(const struct exporter *exporter);

	/*
	 * buf->size is set, and a multiple of the granule; @flags as for
	 * open(). -EOPNOTSUPP: not with these flags
	 */
	int (*create)(const struct exporter *exporter, struct dmabuf *buf,
		      int flags);

	const char *hint;	/* for the user, if it fails; or NULL */
};

/* Fixtures of the tests, for exporter.fixtures */
enum {
	FOR_MAPPING = 1 << 0,
	FOR_READONLY = 1 << 1,
	FOR_MEMFD = 1 << 2,
	FOR_STRESS = 1 << 3,
	FOR_MODES = 1 << 4,
};

struct exporter {
	const char *name;
	const char *variant;	/* of the fixtures; NULL: as @name */
	const struct exporter_kind *kind;
	const char *device;	/* which of that kind: see the .c file of it */

	/* What the user asks for replaces the list, see exporter_request(). */
	unsigned int fixtures;
	bool requested;

	/*
	 * Only @name, @kind, @device and @pages are known. Besides, a buffer
	 * may be larger than asked for.
	 */
	bool unknown;

	/* The kernel's name of it, to be checked, or NULL where it varies */
	const char *exp_name;

	size_t granule;		/* bytes; 0: pages */
	size_t pages;		/* of a small buffer; or granules */
	size_t max_pages;	/* of a large one; 0: no limit */

	/*
	 * A page fault maps up to so many pages, of those from its address on
	 * at least. 0: there are none, mmap() maps all of it.
	 */
	size_t pages_per_fault;
	bool faults_on_write;	/* and then once a page (vm_ops->pfn_mkwrite) */

	/*
	 * ptrace and /proc/pid/mem copy what is in the mapping, without getting
	 * hold of a page: __access_remote_vm() calls vm_ops->access. Few
	 * exporters have it; this is ttm_bo_vm_access().
	 */
	bool access;
};

/* exporters_heap.c; the device is the heap's name */
extern const struct exporter_kind heap_exporter;
extern const struct exporter_kind cma_heap_exporter;	/* whatever its name */

/* exporters_udmabuf.c */
extern const struct exporter_kind udmabuf_exporter;
extern const struct exporter_kind udmabuf_list_exporter;
extern const struct exporter_kind udmabuf_mixed_exporter;
extern const struct exporter_kind udmabuf_huge_exporter;

/* What dmabuf_close() does for udmabufs only */
void udmabuf_close(struct dmabuf *buf);

/* Where page @page of a udmabuf is in its memfd, in bytes */
off_t dmabuf_memfd_offset(const struct dmabuf *buf, size_t page);

/* exporters_thp.c; the device is another exporter's name */
extern const struct exporter_kind thp_exporter;

/* exporters_drm.c; the device is a driver's name, or a path */
extern const struct exporter_kind drm_exporter;
extern const struct exporter_kind qxl_vram_exporter;

/* A file descriptor, or a negative errno */
int drm_card_open(const char *device);

/* exporters_v4l2.c; the device is a driver's name, or a path */
extern const struct exporter_kind v4l2_exporter;

/*
 * Output @nr of those that the driver has, and the type of its queue: a file
 * descriptor, or -ENODEV
 */
int v4l2_open_output(const char *driver, int nr, __u32 *type);

/* The smallest that a queue of @type takes. Return: 0 or -errno. */
int v4l2_set_smallest_picture(int video, __u32 type);

/* exporters_testdev.c; the device of the last is a backing */
extern const struct exporter_kind dma_coherent_exporter;
extern const struct exporter_kind dma_noncontiguous_exporter;
extern const struct exporter_kind testdev_exporter;

/* exporters_list.c: no special hardware needed. The last one has no name. */
extern const struct exporter all_exporters[];

/* One of these, or NULL */
const struct exporter *exporter_find(const char *name);

/*
 * What the user asks for: the name of one in the list, "heap:NAME",
 * "drm:DRIVER", "drm:PATH" or "v4l2:PATH". -EINVAL if @spec is none of these.
 */
int exporter_request(const char *spec, struct exporter *exporter);

/* exporters.c */

/* Why it can't be used here, or NULL */
const char *exporter_missing(const struct exporter *exporter);

/* Sizes in bytes: a few pages, and several page tables */
size_t exporter_small(const struct exporter *exporter);
size_t exporter_large(const struct exporter *exporter);

int dmabuf_open(struct dmabuf *buf, const struct exporter *exporter,
		size_t size, int flags);

/* Closes what is still open; mappings are the caller's. */
void dmabuf_close(struct dmabuf *buf);

/* 0 if that is what the kernel calls the exporter, or a negative errno */
int dmabuf_check_exporter(int fd, const char *exp_name);

/* @flags: DMA_BUF_SYNC_{START,END} and DMA_BUF_SYNC_{READ,WRITE,RW} */
int dmabuf_sync(int fd, unsigned long flags);

int dmabuf_set_name(int fd, const char *name);

/*
 * Does the kernel have a dma-buf of that name? 1 or 0, or a negative errno
 * where debugfs can't tell.
 */
int dmabuf_alive(const char *name);

#endif /* SELFTESTS_DMA_BUF_EXPORTERS_H */
