/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices in the hands of userspace, by vfio-pci and iommufd.
 *
 * Nothing here depends on the test harness: functions return 0 or a file
 * descriptor, or a negative errno.
 */
#ifndef SELFTESTS_DMA_BUF_VFIO_H
#define SELFTESTS_DMA_BUF_VFIO_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfio_range {
	__u64 offset;		/* bytes in the BAR, whole pages */
	__u64 length;
};

struct vfio_device {
	char bdf[16];		/* "0000:01:00.0" */
	int fd;			/* of the VFIO cdev, or -1 */
	bool bound;		/* to vfio-pci, by us */
};

/*
 * Find a device by its ids, that no driver has: one that is alone in its slot, or
 * the first of two functions. -ENODEV: there is none
 */
int pci_find(unsigned int vendor, unsigned int device, char bdf[16]);
int pci_find_two(unsigned int vendor, unsigned int device, char first[16],
		 char second[16]);

/* Bind it to vfio-pci, open it, and bind it to @iommufd. */
int vfio_open(struct vfio_device *dev, const char *bdf, int iommufd);
void vfio_close(struct vfio_device *dev);	/* its file; bound as it is */
void vfio_release(struct vfio_device *dev);	/* all of it */

int vfio_attach(struct vfio_device *dev, __u32 ioas);

/* Bits of the PCI command register: PCI_COMMAND_* */
int vfio_command(struct vfio_device *dev, __u16 set, __u16 clear);

int vfio_reset(struct vfio_device *dev);	/* of the function */
int vfio_hot_reset(struct vfio_device *dev);	/* of its bus */
int vfio_low_power(struct vfio_device *dev, bool low);

/* Map a BAR. *@size is its length in bytes. */
int vfio_map_bar(struct vfio_device *dev, int bar, void **map, size_t *size);

/* A dma-buf of parts of a BAR, in this order */
int vfio_export(struct vfio_device *dev, int bar, const struct vfio_range *ranges,
		size_t nr, int open_flags);

int ioas_alloc(int iommufd, __u32 *ioas);
int ioas_map_memory(int iommufd, __u32 ioas, void *memory, size_t length,
		    __u64 iova);
int ioas_map_file(int iommufd, __u32 ioas, int fd, size_t start, size_t length,
		  __u64 iova, bool writable);
/* Where it is in memory: bytes, for devices without an IOMMU */
int ioas_get_pa(int iommufd, __u32 ioas, __u64 iova, uint64_t *physical);
int ioas_unmap(int iommufd, __u32 ioas, __u64 iova, size_t length);

#endif /* SELFTESTS_DMA_BUF_VFIO_H */
