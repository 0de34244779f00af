// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that break the rules of attachment modes are refused, or cleaned up
 * after, and the kernel warns about each of them once.
 *
 * So this is not for a kernel with panic_on_warn. It says in the kernel log
 * which WARN is about to come, for who scans that: "splat-expected: <how many>
 * <regex>". When it is run for the second time none comes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "modes_fixture.h"

#define UNKNOWN		0x8	/* no mode */

FIXTURE(device) {
	struct testdev dev;
};

FIXTURE_SETUP(device)
{
	open_device(_metadata, &self->dev);
}

FIXTURE_TEARDOWN(device)
{
	close_device(_metadata, &self->dev);
}

TEST_F(device, exporter_with_inconsistent_modes)
{
	static const struct {
		__u32 modes;
		__u32 flags;
	} refused[] = {
		{ MOVABLE, 0 },
		{ PINNED | MOVABLE, 0 },
		{ REVOCABLE | MOVABLE, 0 },
		{ ALL, 0 },
		{ UNKNOWN, HAS_PIN },
		{ ALL | UNKNOWN, HAS_PIN },
		{ PINNED | 1U << 31, 0 },
		{ ~0U, HAS_PIN },
	};
	size_t i;

	announce_one_warning("exporter dma_buf_test [(]dma_buf_test[)] offers");
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		EXPECT_EQ(-EINVAL,
			  testdev_export(self->dev.fd,
					 &(struct dma_buf_test_export) {
			.size = page_size,
			.modes = refused[i].modes,
			.flags = refused[i].flags,
			.open_flags = O_RDWR | O_CLOEXEC,
		})) {
			TH_LOG("modes %#x", refused[i].modes);
		}

	close(export_pages(_metadata, &self->dev, ALL, HAS_PIN));
}

TEST_F(device, importer_with_inconsistent_modes)
{
	static const struct {
		__u32 modes;
		__u32 flags;
	} refused[] = {
		{ REVOCABLE, 0 },
		{ MOVABLE, 0 },
		{ PINNED | REVOCABLE, 0 },
		{ PINNED | MOVABLE, 0 },
		{ REVOCABLE | MOVABLE, 0 },
		{ ALL, 0 },
		{ UNKNOWN, CALLBACK },
		{ PINNED | UNKNOWN, 0 },
		{ ALL | 1U << 31, CALLBACK },
	};
	/* Also where nothing would come of the mode that makes it wrong */
	static const __u32 offers[] = { PINNED, REVOCABLE, ALL };
	struct testdev *dev = &self->dev;
	size_t i, k;

	announce_one_warning("importer dma_buf_test accepts");
	for (i = 0; i < ARRAY_SIZE(offers); i++) {
		int fd = export_pages(_metadata, dev, offers[i], HAS_PIN);

		for (k = 0; k < ARRAY_SIZE(refused); k++) {
			struct dma_buf_test_attach args = {
				.fd = fd,
				.device = k % DEVICES,
				.modes = refused[k].modes,
				.flags = refused[k].flags,
			};

			EXPECT_EQ(-EINVAL, testdev_attach(dev->fd, &args)) {
				TH_LOG("offered %#x, accepted %#x", offers[i],
				       refused[k].modes);
			}
			EXPECT_BUFINFO_EMPTY(fd);
		}
		/* Nor does the exporter hear of it. */
		EXPECT_BUFFER(dev, fd, 0);
		close(fd);
	}
}

TEST_F(device, importer_that_detaches_without_cleaning_up)
{
	static const struct {
		__u32 modes;
		__u32 flags;
		int pins;
	} leakers[] = {
		{ PINNED, 0, 2 },	/* warned about */
		{ 0, STATIC, 0 },
		{ 0, 0, 1 },
		{ PINNED, 0, 0 },
		{ REVOCABLE, CALLBACK, 1 },
		{ MOVABLE, CALLBACK, 3 },
	};
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL, HAS_PIN);
	size_t i;
	int pin;

	/* Pins of its own: the one of the core is not among them. */
	announce_one_warning("importer dma_buf_test detaches .*with 1 mappings and 2 pins left");
	for (i = 0; i < ARRAY_SIZE(leakers); i++) {
		__u32 id = ATTACH(dev, .fd = fd, .device = i % DEVICES,
				  .modes = leakers[i].modes,
				  .flags = leakers[i].flags | DMA_BUF_TEST_LEAK);

		ASSERT_EQ(0, testdev_map(dev->fd, id));
		for (pin = 0; pin < leakers[i].pins; pin++)
			ASSERT_EQ(0, testdev_pin(dev->fd, id));
		EXPECT_EQ(1U, buffer_info(_metadata, dev, fd).mappings);

		ASSERT_EQ(0, testdev_detach(dev->fd, id));
		expect_balance(_metadata, dev, fd);
		EXPECT_EQ(0, testdev_move(dev->fd, fd));
	}
	EXPECT_BUFFER(dev, fd, .attaches = 6, .detaches = 6, .pin_calls = 11,
		      .unpin_calls = 11, .map_calls = 6, .unmap_calls = 6,
		      .moves = 6);
	close(fd);
}

/* One that is cleaned up by close(), with nobody to detach it before */
TEST_F(device, importer_that_leaks_when_it_is_closed)
{
	int fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
	struct testdev second = { .fd = testdev_open() };
	__u32 id;

	ASSERT_LE(0, second.fd);
	id = ATTACH(&second, .fd = fd, .flags = CALLBACK | DMA_BUF_TEST_LEAK);
	ASSERT_EQ(0, testdev_map(second.fd, id));
	ASSERT_EQ(0, testdev_pin(second.fd, id));
	close(second.fd);
	EXPECT_BUFINFO_EMPTY(fd);
	EXPECT_BUFFER(&self->dev, fd, .attaches = 1, .detaches = 1,
		      .pin_calls = 1, .unpin_calls = 1, .map_calls = 1,
		      .unmap_calls = 1);
	close(fd);
}

TEST_F(device, exporter_that_maps_pages)
{
	int fd = export_pages(_metadata, &self->dev, 0,
			      DMA_BUF_TEST_MMAP_INSERT_PAGE);
	int i;

	announce_one_warning("exporter dma_buf_test [(]dma_buf_test[)]: mmap");
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGES * page_size,
					   PROT_READ | PROT_WRITE, MAP_SHARED,
					   fd, 0));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(0, count_mappings("/dmabuf:"));
	close(fd);
}

TEST_HARNESS_MAIN
