// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices in the hands of userspace, by vfio-pci and iommufd
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio.h"
#include "write_file.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"

static unsigned int read_id(const char *bdf, const char *name)
{
	char path[512], text[16] = "";
	unsigned int id = 0;
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fgets(text, sizeof(text), file))
		id = strtoul(text, NULL, 16);
	fclose(file);
	return id;
}

static bool has_driver(const char *bdf)
{
	char path[512];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", bdf);
	return !access(path, F_OK);
}

static bool is_free(const char *bdf, unsigned int vendor, unsigned int device)
{
	return read_id(bdf, "vendor") == vendor &&
	       read_id(bdf, "device") == device && !has_driver(bdf);
}

static int find(unsigned int vendor, unsigned int device, bool two,
		char bdf[16], char second[16])
{
	DIR *dir = opendir(PCI_DEVICES);
	struct dirent *entry;
	int ret = -ENODEV;

	if (!dir)
		return -ENODEV;
	while (ret && (entry = readdir(dir))) {
		if (!is_free(entry->d_name, vendor, device))
			continue;
		snprintf(bdf, 16, "%.15s", entry->d_name);
		snprintf(second, 16, "%s", bdf);
		second[strlen(second) - 1] = '1';
		if (strcmp(bdf, second) && is_free(second, vendor, device) == two)
			ret = 0;
	}
	closedir(dir);
	return ret;
}

int pci_find(unsigned int vendor, unsigned int device, char bdf[16])
{
	char none[16];

	return find(vendor, device, false, bdf, none);
}

int pci_find_two(unsigned int vendor, unsigned int device, char first[16],
		 char second[16])
{
	return find(vendor, device, true, first, second);
}

static int write_pci(const char *bdf, const char *name, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	return write_file(path, value);
}

static int take_device(const char *bdf)
{
	int ret;

	ret = write_pci(bdf, "driver_override", "vfio-pci");
	if (ret)
		return ret;
	return write_file("/sys/bus/pci/drivers_probe", bdf);
}

static void free_device(const char *bdf)
{
	write_pci(bdf, "driver/unbind", bdf);
	write_pci(bdf, "driver_override", "\n");
}

static int open_cdev(const char *bdf)
{
	char path[512];
	struct dirent *entry;
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		return -ENODEV;
	while (fd == -ENODEV && (entry = readdir(dir))) {
		/* "vfio0", or "noiommu-vfio0" */
		if (!strstr(entry->d_name, "vfio"))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

int vfio_open(struct vfio_device *dev, const char *bdf, int iommufd)
{
	struct vfio_device_bind_iommufd arg = {
		.argsz = sizeof(arg),
		.iommufd = iommufd,
	};
	int ret;

	dev->fd = -1;
	if (!dev->bound) {
		snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);
		ret = take_device(bdf);
		if (ret)
			return ret;
		dev->bound = true;
	}
	ret = open_cdev(bdf);
	if (ret < 0)
		return ret;
	dev->fd = ret;
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &arg))
		return -errno;
	return 0;
}

void vfio_close(struct vfio_device *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

void vfio_release(struct vfio_device *dev)
{
	vfio_close(dev);
	if (dev->bound)
		free_device(dev->bdf);
	dev->bound = false;
}

int vfio_attach(struct vfio_device *dev, __u32 ioas)
{
	struct vfio_device_attach_iommufd_pt arg = {
		.argsz = sizeof(arg),
		.pt_id = ioas,
	};

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg) ? -errno : 0;
}

static int region(struct vfio_device *dev, int index,
		  struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) {
		.argsz = sizeof(*info),
		.index = index,
	};
	return ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int vfio_command(struct vfio_device *dev, __u16 set, __u16 clear)
{
	struct vfio_region_info info;
	__u16 command;
	off_t at;
	int ret;

	ret = region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (ret)
		return ret;
	at = info.offset + PCI_COMMAND;
	if (pread(dev->fd, &command, 2, at) != 2)
		return -EIO;
	command = (command | set) & ~clear;
	return pwrite(dev->fd, &command, 2, at) == 2 ? 0 : -EIO;
}

int vfio_reset(struct vfio_device *dev)
{
	return ioctl(dev->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

int vfio_hot_reset(struct vfio_device *dev)
{
	/* A count of 0 means: with the devices of the same iommufd */
	struct vfio_pci_hot_reset arg = { .argsz = sizeof(arg) };

	return ioctl(dev->fd, VFIO_DEVICE_PCI_HOT_RESET, &arg) ? -errno : 0;
}

int vfio_low_power(struct vfio_device *dev, bool low)
{
	struct vfio_device_feature arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DEVICE_FEATURE_SET |
			 (low ? VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY :
				VFIO_DEVICE_FEATURE_LOW_POWER_EXIT),
	};

	return ioctl(dev->fd, VFIO_DEVICE_FEATURE, &arg) ? -errno : 0;
}

int vfio_map_bar(struct vfio_device *dev, int bar, void **map, size_t *size)
{
	struct vfio_region_info info;
	int ret;

	ret = region(dev, VFIO_PCI_BAR0_REGION_INDEX + bar, &info);
	if (ret)
		return ret;
	*map = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    dev->fd, info.offset);
	if (*map == MAP_FAILED)
		return -errno;
	*size = info.size;
	return 0;
}

int vfio_export(struct vfio_device *dev, int bar, const struct vfio_range *ranges,
		size_t nr, int open_flags)
{
	struct vfio_device_feature_dma_buf *arg;
	struct vfio_device_feature *feature;
	size_t i, size;
	int fd;

	size = sizeof(*feature) + sizeof(*arg) + nr * sizeof(arg->dma_ranges[0]);
	feature = calloc(1, size);
	if (!feature)
		return -ENOMEM;
	feature->argsz = size;
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	arg = (void *)feature->data;
	arg->region_index = VFIO_PCI_BAR0_REGION_INDEX + bar;
	arg->open_flags = open_flags;
	arg->nr_ranges = nr;
	for (i = 0; i < nr; i++) {
		arg->dma_ranges[i].offset = ranges[i].offset;
		arg->dma_ranges[i].length = ranges[i].length;
	}
	fd = ioctl(dev->fd, VFIO_DEVICE_FEATURE, feature);
	if (fd < 0)
		fd = -errno;
	free(feature);
	return fd;
}

int ioas_alloc(int iommufd, __u32 *ioas)
{
	struct iommu_ioas_alloc arg = { .size = sizeof(arg) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &arg))
		return -errno;
	*ioas = arg.out_ioas_id;
	return 0;
}

static __u32 map_flags(bool writable)
{
	return IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
	       (writable ? IOMMU_IOAS_MAP_WRITEABLE : 0);
}

int ioas_map_memory(int iommufd, __u32 ioas, void *memory, size_t length,
		    __u64 iova)
{
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = map_flags(true),
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory,
		.length = length,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &arg) ? -errno : 0;
}

int ioas_map_file(int iommufd, __u32 ioas, int fd, size_t start, size_t length,
		  __u64 iova, bool writable)
{
	struct iommu_ioas_map_file arg = {
		.size = sizeof(arg),
		.flags = map_flags(writable),
		.ioas_id = ioas,
		.fd = fd,
		.start = start,
		.length = length,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &arg) ? -errno : 0;
}

int ioas_get_pa(int iommufd, __u32 ioas, __u64 iova, uint64_t *physical)
{
	struct iommu_ioas_noiommu_get_pa arg = {
		.size = sizeof(arg),
		.ioas_id = ioas,
		.iova = iova,
		.length = 1,
	};

	if (ioctl(iommufd, IOMMU_IOAS_NOIOMMU_GET_PA, &arg))
		return -errno;
	*physical = arg.out_phys;
	return 0;
}

int ioas_unmap(int iommufd, __u32 ioas, __u64 iova, size_t length)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &arg) ? -errno : 0;
}
