// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that dma-bufs for a device without an IOMMU are those that stay where
 * they are: userspace is told their physical addresses, which no revoke takes
 * away from a device.
 *
 * Two PCI devices of QEMU are needed, without a driver: "pci-testdev" behind a
 * host bridge that bypasses the IOMMU, and "ivshmem-plain", whose BAR 2 is
 * exported. vfio-pci takes both.
 */

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"

#include "exporters.h"
#include "vfio.h"
#include "write_file.h"

#define PAGES	8
#define IOVA	0x1000000UL

#define UNSAFE_NOIOMMU \
	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

FIXTURE(noiommu)
{
	struct vfio_device device;	/* has no IOMMU */
	struct vfio_device peer;
	struct dmabuf ram;
	int bar;		/* dma-buf */
	int iommufd;
	__u32 ioas;
	size_t size;		/* bytes of either dma-buf */
	long page_size;
};

FIXTURE_SETUP(noiommu)
{
	struct vfio_range range = {};
	char device[16], peer[16];
	const char *missing;

	self->page_size = sysconf(_SC_PAGESIZE);
	self->size = PAGES * self->page_size;
	self->device.fd = -1;
	self->peer.fd = -1;
	self->iommufd = -1;
	self->bar = -1;
	self->ram = (struct dmabuf) {
		.fd = -1, .memfd = -1, .hugepages = -1,
	};

	if (pci_find(0x1b36, 0x0005, device))
		SKIP(return, "no PCI device pci-testdev without a driver");
	if (pci_find(0x1af4, 0x1110, peer))
		SKIP(return, "no PCI device ivshmem-plain without a driver");
	if (access("/dev/iommu", F_OK))
		SKIP(return, "no /dev/iommu");
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		SKIP(return, "no vfio-pci");
	if (access(UNSAFE_NOIOMMU, F_OK))
		SKIP(return, "no CONFIG_VFIO_NOIOMMU");
	missing = exporter_missing(exporter_find("udmabuf"));
	if (missing)
		SKIP(return, "%s", missing);

	ASSERT_EQ(0, write_file(UNSAFE_NOIOMMU, "1"));
	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
	ASSERT_EQ(0, vfio_open(&self->device, device, self->iommufd));
	ASSERT_EQ(0, vfio_open(&self->peer, peer, self->iommufd));
	ASSERT_EQ(0, vfio_command(&self->peer, PCI_COMMAND_MEMORY, 0));

	range.length = self->size;
	self->bar = vfio_export(&self->peer, 2, &range, 1, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->bar);
	ASSERT_EQ(0, dmabuf_open(&self->ram, exporter_find("udmabuf"),
				 self->size, O_RDWR));
}

FIXTURE_TEARDOWN(noiommu)
{
	dmabuf_close(&self->ram);
	if (self->bar >= 0)
		close(self->bar);
	if (self->iommufd >= 0)
		close(self->iommufd);
	vfio_release(&self->peer);
	vfio_release(&self->device);
	write_file(UNSAFE_NOIOMMU, "0");
}

static int map_all(int iommufd, __u32 ioas, int fd, size_t size)
{
	return ioas_map_file(iommufd, ioas, fd, 0, size, IOVA, true);
}

/* Where a page of ours is in memory, or 0 */
static uint64_t physical(const char *page, long page_size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, 8, (uintptr_t)page / page_size * 8) != 8 ||
	    !(entry >> 63))
		entry = 0;
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * page_size;
}

TEST_F(noiommu, tells_where_a_pinned_buffer_is)
{
	char *memory = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, self->ram.memfd, 0);
	size_t i;

	ASSERT_NE(MAP_FAILED, (void *)memory);
	memset(memory, 1, self->size);

	ASSERT_EQ(0, vfio_attach(&self->device, self->ioas));
	ASSERT_EQ(0, map_all(self->iommufd, self->ioas,
			     self->ram.fd, self->size));
	for (i = 0; i < self->size; i += self->page_size) {
		uint64_t there = physical(memory + i, self->page_size);
		uint64_t told;

		ASSERT_NE(0U, there);
		ASSERT_EQ(0, ioas_get_pa(self->iommufd, self->ioas, IOVA + i,
					 &told));
		EXPECT_EQ(there, told);
	}
	munmap(memory, self->size);
}

TEST_F(noiommu, refuses_to_map_a_revocable_buffer)
{
	ASSERT_EQ(0, vfio_attach(&self->device, self->ioas));
	EXPECT_EQ(-EOPNOTSUPP, map_all(self->iommufd, self->ioas, self->bar,
				       self->size));

	/* Nothing is left at that IOVA. */
	EXPECT_EQ(0, map_all(self->iommufd, self->ioas,
			     self->ram.fd, self->size));
}

TEST_F(noiommu, refuses_a_device_beside_a_revocable_buffer)
{
	ASSERT_EQ(0, map_all(self->iommufd, self->ioas, self->bar, self->size));
	EXPECT_EQ(-EOPNOTSUPP, vfio_attach(&self->device, self->ioas));

	ASSERT_EQ(0, ioas_unmap(self->iommufd, self->ioas, IOVA, self->size));
	ASSERT_EQ(0, map_all(self->iommufd, self->ioas,
			     self->ram.fd, self->size));
	EXPECT_EQ(0, vfio_attach(&self->device, self->ioas));
}

/* What has been revoked may be given back. */
TEST_F(noiommu, refuses_a_device_beside_a_revoked_buffer)
{
	ASSERT_EQ(0, map_all(self->iommufd, self->ioas, self->bar, self->size));
	ASSERT_EQ(0, vfio_command(&self->peer, 0, PCI_COMMAND_MEMORY));
	EXPECT_EQ(-EOPNOTSUPP, vfio_attach(&self->device, self->ioas));
	EXPECT_EQ(0, ioas_unmap(self->iommufd, self->ioas, IOVA, self->size));
	EXPECT_EQ(0, vfio_attach(&self->device, self->ioas));
}

TEST_HARNESS_MAIN
