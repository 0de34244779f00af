/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of attachment modes have in common: the test device, buffers
 * and importers of it, and assertions on what is counted and shown of them.
 */
#ifndef SELFTESTS_DMA_BUF_MODES_FIXTURE_H
#define SELFTESTS_DMA_BUF_MODES_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "mapping.h"
#include "testdev.h"

#define ALL		(PINNED | REVOCABLE | MOVABLE)
#define HAS_PIN		DMA_BUF_TEST_HAS_PIN
#define STATIC		DMA_BUF_TEST_STATIC
#define CALLBACK	DMA_BUF_TEST_INVALIDATE

#define PAGES		5	/* where the size doesn't matter */
#define DEVICES		DMA_BUF_TEST_NR_DEVICES

static size_t page_size;

/* The device */

struct testdev {
	int fd;
	int nr_fds;
	int nr_buffers;
};

/* False if there is none and the test is skipped */
static bool open_device(struct __test_metadata *_metadata, struct testdev *dev)
{
	const char *missing = testdev_missing();

	if (missing)
		SKIP(return false, "%s", missing);

	page_size = getpagesize();
	dev->nr_fds = count_fds();
	dev->nr_buffers = count_buffers();
	dev->fd = testdev_open();
	ASSERT_LE(0, dev->fd);
	return true;
}

/* After a test that went well, everything is gone. */
static void close_device(struct __test_metadata *_metadata,
			 struct testdev *dev)
{
	close(dev->fd);
	if (_metadata->exit_code != KSFT_PASS)
		return;
	EXPECT_EQ(dev->nr_fds, count_fds());
	EXPECT_EQ(dev->nr_buffers, count_buffers());
	EXPECT_EQ(0, count_mappings("/dmabuf:"));
}

#define HPAGE_PMD_SIZE	"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

/* In pages: what DMA_BUF_TEST_HUGE buffers consist of */
static inline size_t huge_pages(void)
{
	size_t bytes = 2UL << 20;
	FILE *f;

	f = fopen(HPAGE_PMD_SIZE, "re");
	if (f) {
		if (fscanf(f, "%zu", &bytes) != 1)
			bytes = 2UL << 20;
		fclose(f);
	}
	return bytes / getpagesize();
}

/* Buffers and importers that are there to work */

static inline int export_pages(struct __test_metadata *_metadata,
			       struct testdev *dev, __u32 modes, __u32 flags)
{
	int fd = testdev_export(dev->fd, &(struct dma_buf_test_export) {
		.size = PAGES * page_size,
		.modes = modes,
		.flags = flags,
		.open_flags = O_RDWR | O_CLOEXEC,
	});

	ASSERT_LE(0, fd) {
		TH_LOG("export with modes %#x, flags %#x", modes, flags);
	}
	return fd;
}

/* A CPU mapping of @nr pages, from page @first of the buffer on */
static inline char *map_pages(struct __test_metadata *_metadata, int fd,
			      size_t first, size_t nr)
{
	char *map = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, first * page_size);

	ASSERT_NE(MAP_FAILED, map);
	return map;
}

static inline __u32 attach(struct __test_metadata *_metadata,
			   struct testdev *dev, struct dma_buf_test_attach args)
{
	int id = testdev_attach(dev->fd, &args);

	ASSERT_LT(0, id) {
		TH_LOG("attach with modes %#x, flags %#x", args.modes,
		       args.flags);
	}
	return id;
}

#define ATTACH(dev, ...)						\
	attach(_metadata, dev, (struct dma_buf_test_attach) { __VA_ARGS__ })

static inline struct dma_buf_test_importer_info
importer_info(struct __test_metadata *_metadata, struct testdev *dev, __u32 id)
{
	struct dma_buf_test_importer_info info;

	ASSERT_EQ(0, testdev_importer_info(dev->fd, id, &info));
	ASSERT_EQ(id, info.id);
	return info;
}

static inline struct dma_buf_test_buffer_info
buffer_info(struct __test_metadata *_metadata, struct testdev *dev, int fd)
{
	struct dma_buf_test_buffer_info info;

	ASSERT_EQ(0, testdev_buffer_info(dev->fd, fd, &info));
	return info;
}

/* All counters of a buffer but the one of asks, and of an importer */

#define EXPECT_BUFFER(dev, buf, ...) do {				\
	struct dma_buf_test_buffer_info _info =				\
		buffer_info(_metadata, dev, buf);			\
	struct dma_buf_test_buffer_info _want = { __VA_ARGS__ };	\
									\
	EXPECT_EQ(_want.pins, _info.pins);				\
	EXPECT_EQ(_want.mappings, _info.mappings);			\
	EXPECT_EQ(_want.attaches, _info.attaches);			\
	EXPECT_EQ(_want.detaches, _info.detaches);			\
	EXPECT_EQ(_want.pin_calls, _info.pin_calls);			\
	EXPECT_EQ(_want.unpin_calls, _info.unpin_calls);		\
	EXPECT_EQ(_want.map_calls, _info.map_calls);			\
	EXPECT_EQ(_want.unmap_calls, _info.unmap_calls);		\
	EXPECT_EQ(_want.moves, _info.moves);				\
} while (0)

#define EXPECT_IMPORTER(dev, importer, ...) do {			\
	struct dma_buf_test_importer_info _info =			\
		importer_info(_metadata, dev, importer);		\
	struct dma_buf_test_importer_info _want = { __VA_ARGS__ };	\
									\
	EXPECT_EQ(_want.mode, _info.mode);				\
	EXPECT_EQ(_want.mapped, _info.mapped);				\
	EXPECT_EQ(_want.pins, _info.pins);				\
	EXPECT_EQ(_want.invalidates, _info.invalidates);		\
	EXPECT_EQ(_want.maps, _info.maps);				\
	EXPECT_EQ(_want.unmaps, _info.unmaps);				\
} while (0)

/* What bufinfo shows; @mode is NULL behind the last one */
struct expected_attachment {
	const char *mode;
	unsigned int pins;
	unsigned int mappings;
};

#define MAX_SHOWN	8

/* @pfn_mappings are those of all attachments. */
static inline void check_bufinfo(struct __test_metadata *_metadata, int fd,
				 unsigned int pfn_mappings,
				 const struct expected_attachment *expected)
{
	struct shown_attachment shown[MAX_SHOWN];
	unsigned int shown_pfn = 0;
	int nr = 0, i;

	while (expected[nr].mode)
		nr++;
	ASSERT_EQ(nr, read_bufinfo(fd, shown, MAX_SHOWN));
	for (i = 0; i < nr; i++) {
		EXPECT_STREQ(expected[i].mode, shown[i].mode);
		EXPECT_EQ(expected[i].pins, shown[i].pins);
		EXPECT_EQ(expected[i].mappings, shown[i].mappings);
		shown_pfn += shown[i].pfn_mappings;
	}
	EXPECT_EQ(pfn_mappings, shown_pfn);
}

#define EXPECT_BUFINFO_PFN(fd, pfn_mappings, ...)			\
	check_bufinfo(_metadata, fd, pfn_mappings,			\
		      (struct expected_attachment[]) {			\
			__VA_ARGS__, { NULL, 0, 0 } })

#define EXPECT_BUFINFO(fd, ...)	EXPECT_BUFINFO_PFN(fd, 0, __VA_ARGS__)

#define EXPECT_BUFINFO_EMPTY(fd)					\
	check_bufinfo(_metadata, fd, 0, (struct expected_attachment[]) { \
		{ NULL, 0, 0 } })

/* Whatever importers have done is undone. */
static inline void expect_balance(struct __test_metadata *_metadata,
				  struct testdev *dev, int fd)
{
	struct dma_buf_test_buffer_info info = buffer_info(_metadata, dev, fd);

	EXPECT_EQ(0U, info.pins);
	EXPECT_EQ(0U, info.mappings);
	EXPECT_EQ(info.attaches, info.detaches);
	EXPECT_EQ(info.pin_calls, info.unpin_calls);
	EXPECT_EQ(info.map_calls, info.unmap_calls);
	EXPECT_BUFINFO_EMPTY(fd);
}

#define EXPECT_FDINFO(fd, want_modes, want_revoked) do {		\
	struct shown_modes _shown;					\
									\
	ASSERT_EQ(0, read_fdinfo(fd, &_shown));				\
	EXPECT_STREQ(want_modes, _shown.modes);				\
	EXPECT_STREQ(want_revoked, _shown.revoked);			\
} while (0)

#define EXPECT_QUERY(fd, want_modes, want_revoked) do {			\
	struct dma_buf_query _query;				\
									\
	ASSERT_EQ(0, query_modes(fd, &_query));				\
	EXPECT_EQ(0U, _query.flags);					\
	EXPECT_EQ((__u32)(want_modes), _query.modes);			\
	EXPECT_EQ((__u32)(want_revoked), _query.revoked);		\
	EXPECT_EQ(0U, _query.reserved);					\
} while (0)

/* For guest/verdict: one WARN that matches is no failure. */
static inline void announce_one_warning(const char *regex)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[128];
	int len;

	/* Nobody scans a log that can't be written to. */
	if (fd < 0)
		return;
	len = snprintf(line, sizeof(line), "splat-expected: 1 %s\n", regex);
	if (write(fd, line, len) != len)
		perror("/dev/kmsg");
	close(fd);
}

#endif /* SELFTESTS_DMA_BUF_MODES_FIXTURE_H */
