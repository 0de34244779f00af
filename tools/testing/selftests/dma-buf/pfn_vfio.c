// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that a device in the hands of userspace reaches a dma-buf by what iommufd
 * maps of it, and that it doesn't any more when that is gone.
 *
 * Two devices of QEMU are needed, behind a translating IOMMU, each behind a root
 * port of its own, and without a driver: "edu", which has a DMA engine, and
 * "ivshmem-plain", whose BAR 2 is RAM of the host. vfio-pci takes both. So DMA
 * to the dma-bufs of the second is peer-to-peer. Two functions of ivshmem-plain in
 * one slot are for a reset of both.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"

#include "exporters.h"
#include "vfio.h"
#include "write_file.h"

#define MAX_PAGES	64

/* edu: docs/specs/edu.rst of QEMU */
#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_TARGET	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND	0x98
#define   EDU_DMA_START		1
#define   EDU_DMA_TO_MEMORY	2
#define EDU_BUFFER	0x40000
/* A transfer of the whole buffer of 4096 bytes makes QEMU 7.2 abort. */
#define CHUNK		1024

/* edu has 28 bits of address. */
#define IOVA_SCRATCH	0x100000UL
#define IOVA_TARGET	0x1000000UL

struct setup {
	struct vfio_device edu;
	struct vfio_device peer;
	uint8_t *regs;		/* of edu */
	uint8_t *bar;
	size_t bar_size;
	int iommufd;
	__u32 ioas;
	uint8_t *scratch;

	struct dmabuf buf;
	uint8_t *map;		/* of a dma-buf of RAM */
	size_t pages;
	uint8_t *page[MAX_PAGES];	/* as the CPU sees the dma-buf's pages */
};

static long page_size;

/* Ranges of whole pages, none beside the next: from the end to the beginning */
static void choose_ranges(struct vfio_range *ranges, size_t nr, size_t pages)
{
	size_t i, each = pages / nr;

	for (i = 0; i < nr; i++) {
		ranges[i].offset = (nr - 1 - i) * (each + 1) * page_size;
		ranges[i].length = each * page_size;
	}
	/* Not only backwards */
	for (i = 0; i + 3 < nr; i += 3) {
		struct vfio_range swap = ranges[i];

		ranges[i] = ranges[nr - 1 - i];
		ranges[nr - 1 - i] = swap;
	}
}

static int export_bar(struct setup *self, size_t nr, int flags)
{
	struct vfio_range ranges[MAX_PAGES];
	size_t i, j, n = 0;

	choose_ranges(ranges, nr, self->pages);
	for (i = 0; i < nr; i++)
		for (j = 0; j < ranges[i].length; j += page_size)
			self->page[n++] = self->bar + ranges[i].offset + j;
	return vfio_export(&self->peer, 2, ranges, nr, flags | O_CLOEXEC);
}

static int export_ram(struct setup *self, const char *name)
{
	const struct exporter *exporter = exporter_find(name);
	size_t i, size = self->pages * page_size;
	int ret;

	if (exporter->granule && size % exporter->granule)
		size += exporter->granule - size % exporter->granule;
	ret = dmabuf_open(&self->buf, exporter, size, O_RDWR);
	if (ret)
		return ret;
	self->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->buf.fd, 0);
	if (self->map == MAP_FAILED)
		return -errno;
	for (i = 0; i < self->pages; i++)
		self->page[i] = self->map + i * page_size;
	return 0;
}

static int map_target(struct setup *self, size_t start, size_t length,
		      bool writable)
{
	return ioas_map_file(self->iommufd, self->ioas, self->buf.fd, start,
			     length, IOVA_TARGET, writable);
}

static int map_all(struct setup *self, bool writable)
{
	return map_target(self, 0, self->pages * page_size, writable);
}

static int unmap_target(struct setup *self)
{
	return ioas_unmap(self->iommufd, self->ioas, IOVA_TARGET,
			  self->pages * page_size);
}

static void write_register(struct setup *self, unsigned int offset,
			   uint64_t value)
{
	__atomic_store_n((uint64_t *)(self->regs + offset), value,
			 __ATOMIC_RELAXED);
}

static uint32_t read_register(struct setup *self, unsigned int offset)
{
	return __atomic_load_n((uint32_t *)(self->regs + offset),
			       __ATOMIC_RELAXED);
}

/* Let the device do a transfer, which takes it a tenth of a second. */
static int dma(struct setup *self, uint64_t iova, bool to_memory)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int i;

	write_register(self, EDU_DMA_SOURCE, to_memory ? EDU_BUFFER : iova);
	write_register(self, EDU_DMA_TARGET, to_memory ? iova : EDU_BUFFER);
	write_register(self, EDU_DMA_COUNT, CHUNK);
	write_register(self, EDU_DMA_COMMAND, EDU_DMA_START |
		       (to_memory ? EDU_DMA_TO_MEMORY : 0));
	for (i = 0; i < 1000; i++) {
		if (!(read_register(self, EDU_DMA_COMMAND) & EDU_DMA_START))
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

static void fill(uint8_t *to, unsigned int seed)
{
	size_t i;

	for (i = 0; i < CHUNK; i++)
		to[i] = seed + i * 7 + i / 256;
}

/* The byte of the dma-buf at @offset, for the CPU */
static uint8_t *byte_at(struct setup *self, size_t offset)
{
	return self->page[offset / page_size] + offset % page_size;
}

static void clear_all(struct setup *self)
{
	size_t i;

	for (i = 0; i < self->pages; i++)
		memset(self->page[i], 0, page_size);
}

/* Is the pattern at @offset, and nothing else anywhere? */
static bool only_has(struct setup *self, size_t offset,
		     const uint8_t *pattern)
{
	size_t i, end = self->pages * page_size;

	for (i = 0; i < end; i++) {
		uint8_t expected = i >= offset && i < offset + CHUNK ?
				   pattern[i - offset] : 0;

		if (*byte_at(self, i) != expected)
			return false;
	}
	return true;
}

#define NOWHERE	((size_t)-CHUNK)

/* The device writes a pattern there; it is in the dma-buf at @offset. */
static void expect_write(struct __test_metadata *_metadata,
			 struct setup *self, uint64_t iova, size_t offset)
{
	uint8_t pattern[CHUNK];

	fill(pattern, iova / 3 + 1);
	clear_all(self);
	memcpy(self->scratch, pattern, CHUNK);
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, false));
	ASSERT_EQ(0, dma(self, iova, true));
	EXPECT_TRUE(only_has(self, offset, pattern)) {
		TH_LOG("write to IOVA %#lx, offset %#zx", (long)iova, offset);
	}
}

/* The device reads a pattern there, which is in the dma-buf at @offset. */
static void expect_read(struct __test_metadata *_metadata,
			struct setup *self, uint64_t iova, size_t offset)
{
	uint8_t pattern[CHUNK];
	size_t i;

	fill(pattern, iova / 5 + 2);
	clear_all(self);
	for (i = 0; i < CHUNK; i++)
		*byte_at(self, offset + i) = pattern[i];
	memset(self->scratch, 0, CHUNK);
	ASSERT_EQ(0, dma(self, iova, false));
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, true));
	EXPECT_EQ(0, memcmp(self->scratch, pattern, CHUNK)) {
		TH_LOG("read from IOVA %#lx, offset %#zx", (long)iova, offset);
	}
}

/* The device writes, and the dma-buf doesn't change. */
static void expect_no_write(struct __test_metadata *_metadata,
			    struct setup *self, uint64_t iova)
{
	clear_all(self);
	fill(self->scratch, 77);
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, false));
	ASSERT_EQ(0, dma(self, iova, true));
	EXPECT_TRUE(only_has(self, NOWHERE, NULL)) {
		TH_LOG("write to IOVA %#lx", (long)iova);
	}
}

/* Neither direction works: nor is what the device reads the content. */
static void expect_blocked(struct __test_metadata *_metadata,
			   struct setup *self, uint64_t iova)
{
	size_t i;

	expect_no_write(_metadata, self, iova);
	for (i = 0; i < self->pages; i++)
		memset(self->page[i], 0x5a, page_size);
	ASSERT_EQ(0, dma(self, iova, false));
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, true));
	for (i = 0; i < CHUNK && self->scratch[i] != 0x5a; i++)
		;
	EXPECT_EQ((size_t)CHUNK, i) {
		TH_LOG("read from IOVA %#lx", (long)iova);
	}
}

/* The IOMMU tells what it has blocked. It doesn't tell all: see ratelimit(). */
static void expect_fault(struct __test_metadata *_metadata, struct setup *self,
			 uint64_t iova)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), i;
	char text[1024];
	bool seen = false;
	ssize_t len;

	ASSERT_LE(0, fd);
	lseek(fd, 0, SEEK_END);
	for (i = 0; i < 100 && !seen; i++) {
		ASSERT_EQ(0, dma(self, iova, true));
		while ((len = read(fd, text, sizeof(text) - 1)) > 0) {
			text[len] = '\0';
			if (strstr(text, "DMAR") && strstr(text, "fault addr"))
				seen = true;
		}
	}
	close(fd);
	EXPECT_TRUE(seen);
}

/* A line of a table that people read: row, column, cell */
static void report(const struct __test_metadata *_metadata, const char *exporter,
		   const char *what, const char *cell)
{
	printf("# dma: %s | %s | %s\n", exporter, what,
	       _metadata->exit_code == KSFT_PASS ? cell : "FAILS");
}

/* Places of a dma-buf: its ends, and across each end of a page or range */
static size_t places(struct setup *self, size_t place[5])
{
	size_t size = self->pages * page_size;

	place[0] = 0;
	place[1] = size - CHUNK;
	place[2] = page_size - CHUNK / 2;
	place[3] = size / 3 / page_size * page_size - CHUNK / 4;
	place[4] = (self->pages / 2) * page_size + 512;
	return 5;
}

/*
 * With the first of two functions for a peer if @second is not NULL, which gets the
 * other. Return: NULL, or why there is nothing to test with
 */
static const char *setup(struct __test_metadata *_metadata, struct setup *self,
			 char *second)
{
	char edu[16], peer[16];
	size_t size;
	void *map;

	page_size = sysconf(_SC_PAGESIZE);
	self->edu.fd = -1;
	self->peer.fd = -1;
	self->iommufd = -1;
	self->buf = (struct dmabuf) { .fd = -1, .memfd = -1, .hugepages = -1 };

	if (pci_find(0x1234, 0x11e8, edu))
		return "no PCI device edu without a driver";
	if (second && pci_find_two(0x1af4, 0x1110, peer, second))
		return "no PCI device with two functions ivshmem-plain";
	if (!second && pci_find(0x1af4, 0x1110, peer))
		return "no PCI device ivshmem-plain without a driver";
	if (access("/dev/iommu", F_OK))
		return "no /dev/iommu";
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		return "no vfio-pci";

	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &self->ioas));
	ASSERT_EQ(0, vfio_open(&self->edu, edu, self->iommufd));
	ASSERT_EQ(0, vfio_attach(&self->edu, self->ioas));
	ASSERT_EQ(0, vfio_open(&self->peer, peer, self->iommufd));
	ASSERT_EQ(0, vfio_command(&self->edu,
				  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0));
	ASSERT_EQ(0, vfio_command(&self->peer, PCI_COMMAND_MEMORY, 0));
	ASSERT_EQ(0, vfio_map_bar(&self->edu, 0, &map, &size));
	self->regs = map;
	ASSERT_EQ(0, vfio_map_bar(&self->peer, 2, &map, &self->bar_size));
	self->bar = map;

	self->scratch = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->scratch);
	memset(self->scratch, 0, page_size);
	ASSERT_EQ(0, ioas_map_memory(self->iommufd, self->ioas, self->scratch,
				     page_size, IOVA_SCRATCH));
	return NULL;
}

static void teardown(struct setup *self)
{
	if (self->map && self->map != MAP_FAILED)
		munmap(self->map, self->buf.size);
	dmabuf_close(&self->buf);
	if (self->iommufd >= 0)
		close(self->iommufd);
	if (self->regs)
		munmap(self->regs, EDU_BUFFER * 4);
	if (self->bar)
		munmap(self->bar, self->bar_size);
	vfio_release(&self->peer);
	vfio_release(&self->edu);
}

FIXTURE(device)
{
	struct setup s;
};

FIXTURE_VARIANT(device)
{
	const char *name;
	const char *exporter;	/* NULL: the BAR of the peer */
	size_t pages;
	size_t ranges;		/* of the BAR */
};

FIXTURE_VARIANT_ADD(device, bar)
{
	.name = "vfio-pci, one range",
	.pages = 8,
	.ranges = 1,
};

FIXTURE_VARIANT_ADD(device, bar_three_ranges)
{
	.name = "vfio-pci, 3 ranges",
	.pages = 12,
	.ranges = 3,
};

FIXTURE_VARIANT_ADD(device, bar_shuffled_pages)
{
	.name = "vfio-pci, 64 ranges",
	.pages = 64,
	.ranges = 64,
};

FIXTURE_VARIANT_ADD(device, udmabuf)
{
	.name = "udmabuf",
	.exporter = "udmabuf",
	.pages = 8,
};

FIXTURE_VARIANT_ADD(device, udmabuf_huge)
{
	.name = "udmabuf, huge pages",
	.exporter = "udmabuf_huge",
	.pages = MAX_PAGES,
};

FIXTURE_VARIANT_ADD(device, system_heap)
{
	.name = "system heap",
	.exporter = "system_heap",
	.pages = 20,
};

FIXTURE_VARIANT_ADD(device, cma_heap)
{
	.name = "CMA heap",
	.exporter = "cma_heap",
	.pages = 8,
};

FIXTURE_SETUP(device)
{
	const char *missing = setup(_metadata, &self->s, NULL);

	if (!missing && variant->exporter)
		missing = exporter_missing(exporter_find(variant->exporter));
	if (missing)
		SKIP(return, "%s", missing);

	self->s.pages = variant->pages;
	if (variant->exporter) {
		ASSERT_EQ(0, export_ram(&self->s, variant->exporter));
	} else {
		self->s.buf.fd = export_bar(&self->s, variant->ranges, O_RDWR);
		ASSERT_LE(0, self->s.buf.fd);
	}
}

FIXTURE_TEARDOWN(device)
{
	teardown(&self->s);
}

TEST_F_TIMEOUT(device, reads_and_writes, 120)
{
	struct setup *s = &self->s;
	size_t place[5], i, n = places(s, place);

	ASSERT_EQ(0, map_all(s, true));
	for (i = 0; i < n; i++) {
		expect_write(_metadata, s, IOVA_TARGET + place[i], place[i]);
		expect_read(_metadata, s, IOVA_TARGET + place[i], place[i]);
	}
	report(_metadata, variant->name, "read, write", "arrives");
}

/* A part of the dma-buf that begins in the middle */
TEST_F_TIMEOUT(device, reaches_a_slice, 120)
{
	struct setup *s = &self->s;
	size_t start = (s->pages / 2 - 1) * page_size;
	size_t length = 3 * page_size;

	ASSERT_EQ(0, map_target(s, start, length, true));
	expect_write(_metadata, s, IOVA_TARGET, start);
	expect_read(_metadata, s, IOVA_TARGET + length - CHUNK,
		    start + length - CHUNK);
	expect_blocked(_metadata, s, IOVA_TARGET - page_size);
	expect_blocked(_metadata, s, IOVA_TARGET + length);
	report(_metadata, variant->name, "slice", "arrives");
}

TEST_F_TIMEOUT(device, is_blocked_behind_the_end, 120)
{
	struct setup *s = &self->s;
	size_t size = s->pages * page_size;

	ASSERT_EQ(0, map_all(s, true));
	expect_write(_metadata, s, IOVA_TARGET + size - CHUNK, size - CHUNK);
	expect_blocked(_metadata, s, IOVA_TARGET + size);
	expect_fault(_metadata, s, IOVA_TARGET + size);
	report(_metadata, variant->name, "behind the end", "blocked");
}

TEST_F_TIMEOUT(device, is_blocked_after_unmap, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, true));
	expect_write(_metadata, s, IOVA_TARGET, 0);
	ASSERT_EQ(0, unmap_target(s));
	expect_blocked(_metadata, s, IOVA_TARGET);

	/* The file isn't needed once it is mapped. */
	ASSERT_EQ(0, map_all(s, true));
	close(s->buf.fd);
	s->buf.fd = -1;
	expect_write(_metadata, s, IOVA_TARGET + page_size, page_size);
	report(_metadata, variant->name, "after unmap", "blocked");
}

/* What is mapped for reading only can be read. */
TEST_F_TIMEOUT(device, reads_and_does_not_write, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, false));
	expect_read(_metadata, s, IOVA_TARGET, 0);
	expect_no_write(_metadata, s, IOVA_TARGET);
	report(_metadata, variant->name, "write, mapped to read", "blocked");
}

/* vfio-pci takes its BAR away from importers. */
FIXTURE(bar)
{
	struct setup s;
};

FIXTURE_VARIANT(bar)
{
	const char *name;
	size_t pages;
	size_t ranges;
};

FIXTURE_VARIANT_ADD(bar, one_range)
{
	.name = "vfio-pci, one range",
	.pages = 8,
	.ranges = 1,
};

FIXTURE_VARIANT_ADD(bar, shuffled_pages)
{
	.name = "vfio-pci, 64 ranges",
	.pages = 64,
	.ranges = 64,
};

FIXTURE_SETUP(bar)
{
	const char *missing = setup(_metadata, &self->s, NULL);

	if (missing)
		SKIP(return, "%s", missing);
	self->s.pages = variant->pages;
	self->s.buf.fd = export_bar(&self->s, variant->ranges, O_RDWR);
	ASSERT_LE(0, self->s.buf.fd);
}

FIXTURE_TEARDOWN(bar)
{
	teardown(&self->s);
}

TEST_F(bar, refuses_a_writable_map_of_a_read_only_file)
{
	struct setup *s = &self->s;

	close(s->buf.fd);
	s->buf.fd = export_bar(s, variant->ranges, O_RDONLY);
	ASSERT_LE(0, s->buf.fd);
	EXPECT_EQ(-EACCES, map_all(s, true));
	EXPECT_EQ(0, map_all(s, false));
	expect_read(_metadata, s, IOVA_TARGET, 0);
	report(_metadata, variant->name, "read-only fd", "EACCES");
}

/* What takes the BAR away, and gives it back */
static int memory_off(struct setup *self)
{
	return vfio_command(&self->peer, 0, PCI_COMMAND_MEMORY);
}

static int memory_on(struct setup *self)
{
	return vfio_command(&self->peer, PCI_COMMAND_MEMORY, 0);
}

static int low_power(struct setup *self)
{
	return vfio_low_power(&self->peer, true);
}

static int full_power(struct setup *self)
{
	return vfio_low_power(&self->peer, false) ?: memory_on(self);
}

/* Meanwhile nobody sees the content, so look at it before and afterwards. */
static void expect_blocked_meanwhile(struct __test_metadata *_metadata,
				     struct setup *self,
				     int (*take)(struct setup *self),
				     int (*give)(struct setup *self))
{
	size_t i;

	clear_all(self);
	fill(self->scratch, 55);
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, false));
	ASSERT_EQ(0, take(self));
	ASSERT_EQ(0, dma(self, IOVA_TARGET, true));
	expect_fault(_metadata, self, IOVA_TARGET);
	ASSERT_EQ(0, give(self));
	EXPECT_TRUE(only_has(self, NOWHERE, NULL));

	for (i = 0; i < self->pages; i++)
		memset(self->page[i], 0x5a, page_size);
	ASSERT_EQ(0, take(self));
	ASSERT_EQ(0, dma(self, IOVA_TARGET, false));
	ASSERT_EQ(0, give(self));
	ASSERT_EQ(0, dma(self, IOVA_SCRATCH, true));
	for (i = 0; i < CHUNK && self->scratch[i] != 0x5a; i++)
		;
	EXPECT_EQ((size_t)CHUNK, i);
}

/* What was mapped before is back by itself, and a new map works as well. */
static void expect_back(struct __test_metadata *_metadata, struct setup *self)
{
	size_t last = self->pages * page_size - CHUNK;

	expect_write(_metadata, self, IOVA_TARGET, 0);
	expect_read(_metadata, self, IOVA_TARGET + last, last);
	ASSERT_EQ(0, unmap_target(self));
	ASSERT_EQ(0, map_all(self, true));
	expect_write(_metadata, self, IOVA_TARGET, 0);
}

TEST_F_TIMEOUT(bar, is_blocked_while_memory_is_disabled, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, true));
	expect_blocked_meanwhile(_metadata, s, memory_off, memory_on);
	expect_back(_metadata, s);

	/* Disabled, it can't be mapped at all. */
	ASSERT_EQ(0, unmap_target(s));
	ASSERT_EQ(0, memory_off(s));
	EXPECT_EQ(-ENODEV, map_all(s, true));
	report(_metadata, variant->name, "memory off, on", "blocked, arrives");
}

TEST_F_TIMEOUT(bar, is_blocked_in_low_power, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, true));
	expect_blocked_meanwhile(_metadata, s, low_power, full_power);
	expect_back(_metadata, s);
	report(_metadata, variant->name, "low power, full", "blocked, arrives");
}

TEST_F_TIMEOUT(bar, is_back_after_a_reset_of_the_function, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, true));
	expect_write(_metadata, s, IOVA_TARGET, 0);
	ASSERT_EQ(0, vfio_reset(&s->peer) ?: memory_on(s));
	expect_back(_metadata, s);
	report(_metadata, variant->name, "function reset", "arrives again");
}

TEST_F_TIMEOUT(bar, is_back_after_a_hot_reset, 120)
{
	struct setup *s = &self->s;

	ASSERT_EQ(0, map_all(s, true));
	expect_write(_metadata, s, IOVA_TARGET, 0);
	ASSERT_EQ(0, vfio_hot_reset(&s->peer) ?: memory_on(s));
	expect_back(_metadata, s);
	report(_metadata, variant->name, "bus reset", "arrives again");
}

/*
 * The dma-buf and what is mapped of it outlive the file of the device, its
 * driver, and the device, but nothing is reached by them any more.
 */
TEST_F_TIMEOUT(bar, is_blocked_when_the_device_goes, 120)
{
	struct setup *s = &self->s;
	size_t size = s->pages * page_size;
	char path[64], peer[16];
	int fd = s->buf.fd;
	void *map;

	ASSERT_EQ(0, map_all(s, true));
	expect_write(_metadata, s, IOVA_TARGET, 0);
	munmap(s->bar, s->bar_size);
	s->bar = NULL;

	vfio_close(&s->peer);
	EXPECT_EQ(-ENODEV, ioas_map_file(s->iommufd, s->ioas, fd, 0, size,
					 2 * IOVA_TARGET, true));
	vfio_release(&s->peer);
	EXPECT_EQ(-ENODEV, ioas_map_file(s->iommufd, s->ioas, fd, 0, size,
					 2 * IOVA_TARGET, true));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove",
		 s->peer.bdf);
	ASSERT_EQ(0, write_file(path, "1"));
	EXPECT_EQ(-ENODEV, ioas_map_file(s->iommufd, s->ioas, fd, 0, size,
					 2 * IOVA_TARGET, true));
	ASSERT_EQ(0, write_file("/sys/bus/pci/rescan", "1"));

	/* Somebody else's memory by now: look at it as its new owner. */
	ASSERT_EQ(0, pci_find(0x1af4, 0x1110, peer));
	ASSERT_EQ(0, vfio_open(&s->peer, peer, s->iommufd));
	ASSERT_EQ(0, vfio_command(&s->peer, PCI_COMMAND_MEMORY, 0));
	ASSERT_EQ(0, vfio_map_bar(&s->peer, 2, &map, &s->bar_size));
	s->bar = map;
	s->buf.fd = export_bar(s, variant->ranges, O_RDWR);
	ASSERT_LE(0, s->buf.fd);
	expect_blocked(_metadata, s, IOVA_TARGET);
	close(fd);
	report(_metadata, variant->name, "device gone", "blocked");
}

/*
 * Two functions that are reset together, as devices of a virtual machine: each
 * maps the BAR of the other, and so does edu.
 */
FIXTURE(functions)
{
	struct setup s;			/* the first is its peer */
	struct setup second;		/* its peer, and what is in its BAR */
};

FIXTURE_SETUP(functions)
{
	struct setup *s = &self->s, *second = &self->second;
	char bdf[16];
	const char *missing;
	void *map;

	second->peer.fd = -1;
	second->buf.fd = -1;
	missing = setup(_metadata, s, bdf);
	if (missing)
		SKIP(return, "%s", missing);

	ASSERT_EQ(0, vfio_open(&second->peer, bdf, s->iommufd));
	ASSERT_EQ(0, vfio_command(&second->peer, PCI_COMMAND_MEMORY, 0));
	ASSERT_EQ(0, vfio_map_bar(&second->peer, 2, &map, &second->bar_size));
	second->bar = map;
	ASSERT_EQ(0, vfio_attach(&s->peer, s->ioas));
	ASSERT_EQ(0, vfio_attach(&second->peer, s->ioas));

	s->pages = 8;
	second->pages = 8;
	s->buf.fd = export_bar(s, 2, O_RDWR);
	second->buf.fd = export_bar(second, 2, O_RDWR);
	ASSERT_LE(0, s->buf.fd);
	ASSERT_LE(0, second->buf.fd);
	/* All but the peer and its BAR is the same. */
	second->regs = s->regs;
	second->scratch = s->scratch;
	second->iommufd = s->iommufd;
	second->ioas = s->ioas;
}

FIXTURE_TEARDOWN(functions)
{
	if (self->second.bar)
		munmap(self->second.bar, self->second.bar_size);
	if (self->second.buf.fd >= 0)
		close(self->second.buf.fd);
	vfio_close(&self->second.peer);
	/* Who lets a device go resets its slot, if both are his then. */
	if (self->s.bar)
		munmap(self->s.bar, self->s.bar_size);
	self->s.bar = NULL;
	vfio_close(&self->s.peer);
	vfio_release(&self->second.peer);
	teardown(&self->s);
}

#define IOVA_SECOND	(2 * IOVA_TARGET)

static int map_second(struct setup *second)
{
	return ioas_map_file(second->iommufd, second->ioas, second->buf.fd, 0,
			     second->pages * page_size, IOVA_SECOND, true);
}

TEST_F_TIMEOUT(functions, that_map_each_other_are_back_after_a_hot_reset, 120)
{
	struct setup *s = &self->s, *second = &self->second;

	ASSERT_EQ(0, map_all(s, true));
	ASSERT_EQ(0, map_second(second));
	expect_write(_metadata, s, IOVA_TARGET, 0);
	expect_write(_metadata, second, IOVA_SECOND, 0);

	ASSERT_EQ(0, vfio_hot_reset(&s->peer));
	ASSERT_EQ(0, memory_on(s) ?: memory_on(second));
	expect_back(_metadata, s);
	expect_write(_metadata, second, IOVA_SECOND, 0);

	/* A reset doesn't give back what its user has taken away. */
	clear_all(second);
	fill(s->scratch, 66);
	ASSERT_EQ(0, dma(s, IOVA_SCRATCH, false));
	ASSERT_EQ(0, memory_off(second));
	ASSERT_EQ(0, vfio_hot_reset(&s->peer));
	ASSERT_EQ(0, dma(s, IOVA_SECOND, true));
	expect_fault(_metadata, s, IOVA_SECOND);
	ASSERT_EQ(0, memory_on(second));
	EXPECT_TRUE(only_has(second, NOWHERE, NULL));
	expect_write(_metadata, second, IOVA_SECOND, 0);
	report(_metadata, "vfio-pci, two functions", "bus reset",
	       "arrives again");
}

/* Threads that need what a hot reset holds while it waits for importers */
struct busy {
	struct setup *s;
	unsigned long rounds;
	unsigned long refused;
	int error;
	bool stop;
};

static bool goes_on(struct busy *busy)
{
	return !__atomic_load_n(&busy->stop, __ATOMIC_RELAXED) && !busy->error;
}

/* Map the BAR of the second function for all, and unmap it. */
static void *map_and_unmap(void *arg)
{
	struct busy *busy = arg;
	struct setup *s = busy->s;

	while (goes_on(busy)) {
		int ret = map_second(s);

		if (!ret) {
			ret = ioas_unmap(s->iommufd, s->ioas, IOVA_SECOND,
					 s->pages * page_size);
			busy->rounds++;
		}
		/* In the middle of a reset it is revoked. */
		if (ret == -ENODEV)
			busy->refused++;
		else if (ret)
			busy->error = ret;
	}
	return NULL;
}

/*
 * Fault on the BAR: the fault holds the mmap_lock, or the lock of the VMA, and waits
 * for the device's memory_lock.
 */
static void *fault(void *arg)
{
	struct busy *busy = arg;
	struct setup *s = busy->s;

	while (goes_on(busy)) {
		size_t size;
		void *map;

		busy->error = vfio_map_bar(&s->peer, 2, &map, &size);
		if (busy->error)
			break;
		__atomic_load_n((uint8_t *)map, __ATOMIC_RELAXED);
		munmap(map, size);
		busy->rounds++;
	}
	return NULL;
}

/* vfio-pci doesn't wait for those who fault, but gives up. */
static int reset_in_the_end(struct setup *self)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int i, ret = -EBUSY;

	for (i = 0; i < 10000 && ret == -EBUSY; i++) {
		ret = vfio_hot_reset(&self->peer);
		if (ret == -EBUSY)
			nanosleep(&pause, NULL);
	}
	return ret;
}

TEST_F_TIMEOUT(functions, are_reset_while_they_are_mapped_and_touched, 240)
{
	struct setup *s = &self->s, *second = &self->second;
	struct busy mapper = { .s = second }, toucher = { .s = second };
	pthread_t threads[2];
	int i;

	ASSERT_EQ(0, map_all(s, true));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, map_and_unmap, &mapper));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, fault, &toucher));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, reset_in_the_end(s));
		EXPECT_EQ(0, memory_on(s) ?: memory_on(second));
		expect_write(_metadata, s, IOVA_TARGET, 0);
	}
	__atomic_store_n(&mapper.stop, true, __ATOMIC_RELAXED);
	__atomic_store_n(&toucher.stop, true, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	EXPECT_EQ(0, mapper.error);
	EXPECT_EQ(0, toucher.error);
	EXPECT_LT(10UL, mapper.rounds);
	EXPECT_LT(0UL, mapper.refused);
	EXPECT_LT(10UL, toucher.rounds);

	ASSERT_EQ(0, map_second(second));
	expect_write(_metadata, second, IOVA_SECOND, 0);
}

TEST_HARNESS_MAIN
