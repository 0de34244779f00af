// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap() of a dma-buf by the card that has imported it
 *
 * The card hands the mmap() on to the exporter. What was imported lives on with
 * the dma-buf of its attachment, also when its last handle is closed.
 *
 * Most drivers tell nobody the offset of an imported object. But there is one,
 * and it is that of the last object of the same size, which is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>

#include "exporters_drm_bo.h"
#include "exporters_fixture.h"
#include "mapping.h"

#define PAGES		4
#define IMPORTS		20000
#define MAPPERS		2

FIXTURE(import) {
	struct dmabuf buf;
	char *view;
	int card;
	off_t offset;
};

FIXTURE_VARIANT(import) {
	const char *driver;
};

FIXTURE_VARIANT_ADD(import, vgem) {
	.driver = "vgem",
};

FIXTURE_VARIANT_ADD(import, vkms) {
	.driver = "vkms",
};

static void close_handle(struct __test_metadata *_metadata, int card,
			 __u32 handle)
{
	struct drm_gem_close gem_close = { .handle = handle };

	ASSERT_EQ(0, ioctl(card, DRM_IOCTL_GEM_CLOSE, &gem_close));
}

static __u32 import(struct __test_metadata *_metadata, int card, int fd)
{
	struct drm_prime_handle prime = { .fd = fd };

	ASSERT_EQ(0, ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	return prime.handle;
}

static off_t next_offset(struct __test_metadata *_metadata, int card,
			 size_t size)
{
	struct drm_mode_map_dumb map = { 0 };

	ASSERT_EQ(0, drm_bo_create(card, size, &map.handle));
	ASSERT_EQ(0, ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &map));
	close_handle(_metadata, card, map.handle);
	return map.offset;
}

FIXTURE_SETUP(import)
{
	const struct exporter *heap = exporter_find("system_heap");
	const char *missing = exporter_missing(heap);

	if (missing)
		SKIP(return, "%s", missing);
	self->card = drm_card_open(variant->driver);
	if (self->card == -ENODEV)
		SKIP(return, "no card of the driver %s", variant->driver);
	ASSERT_LE(0, self->card);

	ASSERT_EQ(0, dmabuf_open(&self->buf, heap, PAGES * getpagesize(),
				 O_RDWR));
	self->view = mmap(NULL, self->buf.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, self->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, self->view);
	fill(self->view, 0, PAGES, SEED);
	self->offset = next_offset(_metadata, self->card, self->buf.size);
}

FIXTURE_TEARDOWN(import)
{
	munmap(self->view, self->buf.size);
	dmabuf_close(&self->buf);
	close(self->card);
}

static void *map_import(int card, off_t offset)
{
	return mmap(NULL, PAGES * getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_SHARED, card, offset);
}

TEST_F(import, mapping_outlives_handle_and_card)
{
	__u32 handle = import(_metadata, self->card, self->buf.fd);
	char *map = map_import(self->card, self->offset);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, wrong_page(map, 0, PAGES, SEED));
	close_handle(_metadata, self->card, handle);
	EXPECT_EQ(MAP_FAILED, map_import(self->card, self->offset));
	close(self->card);
	self->card = -1;
	fill(map, 0, PAGES, OTHER_SEED);
	EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, OTHER_SEED));
	munmap(map, self->buf.size);
}

/* qxl imports nothing, and finds that out before it maps anything. */
TEST(qxl_refuses)
{
	const struct exporter *heap = exporter_find("system_heap");
	const char *missing = exporter_missing(heap);
	int card = drm_card_open("qxl");
	struct drm_prime_handle prime = { 0 };
	struct dmabuf buf;

	if (card == -ENODEV)
		SKIP(return, "no card of the driver qxl");
	ASSERT_LE(0, card);
	if (missing)
		SKIP(close(card); return, "%s", missing);
	ASSERT_EQ(0, dmabuf_open(&buf, heap, 1 << 20, O_RDWR));
	prime.fd = buf.fd;
	EXPECT_EQ(-1, ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	EXPECT_EQ(ENOSYS, errno);
	dmabuf_close(&buf);
	close(card);
}

/* Against the last close */

struct mapper {
	pthread_t thread;
	int card;
	off_t offset;
	bool *stop;
	long mapped;
	long wrong;
	int error;		/* the first that should not have been */
};

/* wrong_page() is not for several threads. */
static bool has_marks(const char *map)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (*(const __u64 *)(map + i * getpagesize()) !=
		    page_mark(SEED, i))
			return false;
	return true;
}

static void *map_until_stop(void *arg)
{
	struct mapper *m = arg;
	char *map;

	while (!__atomic_load_n(m->stop, __ATOMIC_RELAXED)) {
		map = map_import(m->card, m->offset);
		if (map != MAP_FAILED) {
			m->mapped++;
			m->wrong += !has_marks(map);
			munmap(map, PAGES * getpagesize());
			continue;
		}
		/* No object is there, or none that this file has a handle of */
		if (errno != EINVAL && errno != EACCES && !m->error)
			m->error = errno;
	}
	return NULL;
}

TEST_F_TIMEOUT(import, mmap_against_the_last_close, 120)
{
	struct mapper mappers[MAPPERS] = { 0 };
	bool stop = false;
	long mapped = 0;
	int i;

	for (i = 0; i < MAPPERS; i++) {
		mappers[i].card = self->card;
		mappers[i].offset = self->offset;
		mappers[i].stop = &stop;
		ASSERT_EQ(0, pthread_create(&mappers[i].thread, NULL,
					    map_until_stop, &mappers[i]));
	}
	/* Until it was a race, on a machine with one CPU */
	for (i = 0; i < IMPORTS || (!mapped && i < 4 * IMPORTS); i++) {
		__u32 handle = import(_metadata, self->card, self->buf.fd);

		if (i % 2)
			sched_yield();
		close_handle(_metadata, self->card, handle);
		mapped = __atomic_load_n(&mappers[0].mapped, __ATOMIC_RELAXED);
	}
	mapped = 0;
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < MAPPERS; i++) {
		ASSERT_EQ(0, pthread_join(mappers[i].thread, NULL));
		EXPECT_EQ(0, mappers[i].error);
		EXPECT_EQ(0, mappers[i].wrong);
		mapped += mappers[i].mapped;
	}
	EXPECT_LT(0, mapped);
}

TEST_HARNESS_MAIN
