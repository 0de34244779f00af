/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-bufs from the exporters that need no special hardware.
 *
 * Nothing here depends on the test harness: functions return 0 or a negative
 * errno, and leave it to the test what to make of that.
 */
#ifndef SELFTESTS_DMA_BUF_EXPORTERS_H
#define SELFTESTS_DMA_BUF_EXPORTERS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct dmabuf {
	int fd;
	size_t size;		/* bytes, whole pages */

	/* udmabuf only: the memfd that the memory belongs to, else -1 */
	int memfd;
	bool reversed;		/* first page of the dma-buf is the memfd's last */

	long hugepages;		/* nr_hugepages to put back, or -1 */
};

struct exporter {
	const char *name;

	/* Why it can't be used here, or NULL: only a missing device counts */
	const char *(*missing)(void);

	/* buf->size is set, and a multiple of @granule; @flags as for open() */
	int (*create)(struct dmabuf *buf, int flags);

	/* The kernel's name of it, to be checked, or NULL where it varies */
	const char *exp_name;

	size_t granule;		/* bytes; 0: pages */

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

/* exporters.c */
extern const struct exporter system_heap;
extern const struct exporter cma_heap;
extern const struct exporter udmabuf;		/* one range of a 4K memfd */
extern const struct exporter udmabuf_list;	/* its pages in reverse order */
extern const struct exporter udmabuf_huge;	/* a memfd of 2M hugetlb pages */

/* exporters_drm.c */
extern const struct exporter vgem;
extern const struct exporter vkms;
extern const struct exporter virtio_gpu;
extern const struct exporter qxl;		/* TTM, in system memory */
extern const struct exporter qxl_vram;		/* TTM, in the device's memory */

/* exporters_v4l2.c; each allocator of videobuf2 exports by itself */
extern const struct exporter vivid_vmalloc;
extern const struct exporter vivid_contig;	/* dma-contig */
extern const struct exporter vivid_sg;		/* dma-sg */
extern const struct exporter vim2m;		/* vmalloc */

/* exporters_testdev.c: the DMA API's memory, behind an IOMMU of many pieces */
extern const struct exporter dma_coherent;	/* dma_mmap_coherent() */
extern const struct exporter dma_noncontiguous;	/* dma_mmap_noncontiguous() */

int dmabuf_open(struct dmabuf *buf, const struct exporter *exporter,
		size_t size, int flags);

/* Closes what is still open; mappings are the caller's. */
void dmabuf_close(struct dmabuf *buf);

/* Where page @page of a udmabuf is in its memfd, in bytes */
off_t dmabuf_memfd_offset(const struct dmabuf *buf, size_t page);

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
