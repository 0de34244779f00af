// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachment modes of dma-bufs, on the test device: what exporter and importer
 * settle on, what userspace is told about it, who is pinned by it, and what is
 * left after an exporter has said no.
 *
 * modes_move.c has what may happen to a buffer then, modes_stress.c the same
 * with threads, modes_fail_nth.c with allocations that fail, and
 * modes_refused.c what the kernel warns about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "exporters_fixture.h"
#include "modes_fixture.h"

#include <drivers/dma-buf/tests/mode-matrix.h>

/* What is offered, and what comes of it */

FIXTURE(offer) {
	struct testdev dev;
	int fd;
};

FIXTURE_VARIANT(offer) {
	const struct mode_offer *offer;
	const char *shown;
};

FIXTURE_VARIANT_ADD(offer, nothing) {
	.offer = &mode_offers[MODE_OFFER_NOTHING],
	.shown = "pinned",
};

FIXTURE_VARIANT_ADD(offer, nothing_has_pin) {
	.offer = &mode_offers[MODE_OFFER_NOTHING_HAS_PIN],
	.shown = "pinned movable",
};

FIXTURE_VARIANT_ADD(offer, pinned) {
	.offer = &mode_offers[MODE_OFFER_PINNED],
	.shown = "pinned",
};

FIXTURE_VARIANT_ADD(offer, pinned_has_pin) {
	.offer = &mode_offers[MODE_OFFER_PINNED_HAS_PIN],
	.shown = "pinned",
};

FIXTURE_VARIANT_ADD(offer, revocable) {
	.offer = &mode_offers[MODE_OFFER_REVOCABLE],
	.shown = "revocable",
};

FIXTURE_VARIANT_ADD(offer, revocable_has_pin) {
	.offer = &mode_offers[MODE_OFFER_REVOCABLE_HAS_PIN],
	.shown = "revocable",
};

FIXTURE_VARIANT_ADD(offer, pinned_revocable) {
	.offer = &mode_offers[MODE_OFFER_PINNED_REVOCABLE],
	.shown = "pinned revocable",
};

FIXTURE_VARIANT_ADD(offer, pinned_revocable_has_pin) {
	.offer = &mode_offers[MODE_OFFER_PINNED_REVOCABLE_HAS_PIN],
	.shown = "pinned revocable",
};

FIXTURE_VARIANT_ADD(offer, movable) {
	.offer = &mode_offers[MODE_OFFER_MOVABLE_HAS_PIN],
	.shown = "movable",
};

FIXTURE_VARIANT_ADD(offer, pinned_movable) {
	.offer = &mode_offers[MODE_OFFER_PINNED_MOVABLE_HAS_PIN],
	.shown = "pinned movable",
};

FIXTURE_VARIANT_ADD(offer, revocable_movable) {
	.offer = &mode_offers[MODE_OFFER_REVOCABLE_MOVABLE_HAS_PIN],
	.shown = "revocable movable",
};

FIXTURE_VARIANT_ADD(offer, all) {
	.offer = &mode_offers[MODE_OFFER_ALL_HAS_PIN],
	.shown = "pinned revocable movable",
};

FIXTURE_SETUP(offer)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, variant->offer->modes,
				variant->offer->has_pin ? HAS_PIN : 0);
}

FIXTURE_TEARDOWN(offer)
{
	close(self->fd);
	close_device(_metadata, &self->dev);
}

static __u32 mode_of_letter(char letter)
{
	switch (letter) {
	case 'P':
		return PINNED;
	case 'R':
		return REVOCABLE;
	case 'M':
		return MOVABLE;
	}
	return 0;
}

static char letter_of_mode(__u32 mode)
{
	switch (mode) {
	case PINNED:
		return 'P';
	case REVOCABLE:
		return 'R';
	case MOVABLE:
		return 'M';
	}
	return '?';
}

/* A cell of the table of make run; what differs by the pin op only is left out */
static void report_mode(const struct mode_offer *offer, const char *importer,
			char mode)
{
	if (!offer->modes)
		ksft_print_msg("mode: %s | %s | %c\n", importer,
			       offer->has_pin ? "silent, pin op" : "silent",
			       mode);
	else if (!offer->has_pin || offer->modes & MOVABLE)
		ksft_print_msg("mode: %s | %s%s%s | %c\n", importer,
			       offer->modes & PINNED ? "P" : "",
			       offer->modes & REVOCABLE ? "R" : "",
			       offer->modes & MOVABLE ? "M" : "", mode);
}

static __u32 importer_flags(const struct mode_accept *accept)
{
	switch (accept->kind) {
	case MODE_STATIC:
		return STATIC;
	case MODE_CALLBACK:
		return CALLBACK;
	case MODE_NO_CALLBACK:
		break;
	}
	return 0;
}

TEST_F(offer, each_importer_gets_its_mode_or_none)
{
	const char *result = variant->offer->result;
	struct testdev *dev = &self->dev;
	__u32 attaches = 0;
	size_t i, device;

	ASSERT_EQ(ARRAY_SIZE(mode_accepts), strlen(result));

	for (i = 0; i < ARRAY_SIZE(mode_accepts); i++) {
		const struct mode_accept *accept = &mode_accepts[i];
		__u32 mode = mode_of_letter(result[i]);

		for (device = 0; device < DEVICES; device++) {
			struct dma_buf_test_attach args = {
				.fd = self->fd,
				.device = device,
				.modes = accept->modes,
				.flags = importer_flags(accept),
			};
			int id = testdev_attach(dev->fd, &args);
			char letter = '-';

			EXPECT_EQ(mode ? 0 : -EOPNOTSUPP, id < 0 ? id : 0) {
				TH_LOG("%s", accept->name);
			}
			if (id > 0) {
				letter = letter_of_mode(importer_info(_metadata,
								      dev, id).mode);
				EXPECT_EQ(result[i], letter) {
					TH_LOG("%s", accept->name);
				}
				EXPECT_IMPORTER(dev, id, .mode = mode);
				EXPECT_EQ(0, testdev_detach(dev->fd, id));
			}
			if (!device)
				report_mode(variant->offer, accept->name, letter);
			/* One that is refused doesn't get to the exporter. */
			attaches += mode != 0;
			EXPECT_EQ(attaches, buffer_info(_metadata, dev,
							self->fd).attaches);
		}
	}
	EXPECT_EQ(attaches, buffer_info(_metadata, dev, self->fd).detaches);
}

TEST_F(offer, query_fdinfo_tell_it)
{
	EXPECT_QUERY(self->fd, variant->offer->offered, DMA_BUF_REVOKED_NO);
	EXPECT_FDINFO(self->fd, variant->shown, "no");
}

TEST_F(offer, stays_the_same_while_attached)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.flags = CALLBACK,
	});

	EXPECT_QUERY(self->fd, variant->offer->offered, DMA_BUF_REVOKED_NO);
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_QUERY(self->fd, variant->offer->offered, DMA_BUF_REVOKED_NO);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_QUERY(self->fd, variant->offer->offered, DMA_BUF_REVOKED_NO);
	EXPECT_FDINFO(self->fd, variant->shown, "no");
}

TEST_F(offer, only_movable_moves)
{
	bool movable = variant->offer->offered & MOVABLE;

	EXPECT_EQ(movable ? 0 : -EOPNOTSUPP,
		  testdev_move(self->dev.fd, self->fd));
	EXPECT_EQ(movable, buffer_info(_metadata, &self->dev, self->fd).moves);
}

TEST_F(offer, only_revocable_is_revoked)
{
	bool revocable = variant->offer->offered & REVOCABLE;

	EXPECT_EQ(revocable ? 0 : -EINVAL,
		  testdev_revoke(self->dev.fd, self->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_QUERY(self->fd, variant->offer->offered,
		     revocable ? DMA_BUF_REVOKED_NOW : DMA_BUF_REVOKED_NO);
}

/* Exporters that know nothing of modes */

FIXTURE(silent) {
	struct testdev dev;
	struct dmabuf buf;
};

FIXTURE_VARIANT(silent) {
	const struct exporter *exporter;
};

FIXTURE_SETUP(silent)
{
	const char *missing = exporter_missing(variant->exporter);

	if (missing)
		SKIP(return, "%s", missing);
	if (!open_device(_metadata, &self->dev))
		return;
	ASSERT_EQ(0, dmabuf_open(&self->buf, variant->exporter,
				 PAGES * page_size, O_RDWR));
}

FIXTURE_TEARDOWN(silent)
{
	dmabuf_close(&self->buf);
	close_device(_metadata, &self->dev);
}

TEST_F(silent, offers_pinned)
{
	EXPECT_QUERY(self->buf.fd, PINNED, DMA_BUF_REVOKED_NO);
	EXPECT_FDINFO(self->buf.fd, "pinned", "no");
}

TEST_F(silent, is_refused_by_who_needs_more)
{
	struct dma_buf_test_attach args = {
		.fd = self->buf.fd,
		.modes = REVOCABLE | MOVABLE,
		.flags = CALLBACK,
	};

	EXPECT_EQ(-EOPNOTSUPP, testdev_attach(self->dev.fd, &args));
	EXPECT_BUFINFO_EMPTY(self->buf.fd);
}

TEST_F(silent, is_read_and_written_by_each_importer)
{
	static const __u32 modes[] = { 0, 0, PINNED, 0, ALL };
	static const __u32 flags[] = { STATIC, 0, 0, CALLBACK, CALLBACK };
	/* The core pins who says that it accepts PINNED, the others not. */
	static const __u32 pins[] = { 0, 0, 1, 0, 1 };
	/* Static ones are pinned while they map. */
	static const __u32 pins_mapped[] = { 1, 0, 1, 0, 1 };
	struct testdev *dev = &self->dev;
	int fd = self->buf.fd;
	size_t size = self->buf.size, i;
	char *data = malloc(size);
	char *map;

	ASSERT_NE(NULL, data);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
			.fd = fd,
			.device = i % DEVICES,
			.modes = modes[i],
			.flags = flags[i],
		});

		EXPECT_IMPORTER(dev, id, .mode = PINNED);
		EXPECT_BUFINFO(fd, { "pinned", pins[i], 0 });

		ASSERT_EQ(0, dmabuf_sync(fd, DMA_BUF_SYNC_START |
					     DMA_BUF_SYNC_RW));
		fill(map, 0, PAGES, SEED + i * PAGES);
		ASSERT_EQ(0, dmabuf_sync(fd, DMA_BUF_SYNC_END |
					     DMA_BUF_SYNC_RW));
		ASSERT_EQ(0, testdev_read(dev->fd, id, 0, data, size));
		EXPECT_EQ(-1, wrong_page(data, 0, PAGES, SEED + i * PAGES));
		EXPECT_BUFINFO(fd, { "pinned", pins_mapped[i], 1 });

		fill(data, 0, PAGES, OTHER_SEED + i * PAGES);
		ASSERT_EQ(0, testdev_write(dev->fd, id, 0, data, size));
		ASSERT_EQ(0, dmabuf_sync(fd, DMA_BUF_SYNC_START |
					     DMA_BUF_SYNC_READ));
		EXPECT_EQ(-1, wrong_page(map, 0, PAGES,
					 OTHER_SEED + i * PAGES));
		ASSERT_EQ(0, dmabuf_sync(fd, DMA_BUF_SYNC_END |
					     DMA_BUF_SYNC_READ));

		ASSERT_EQ(0, testdev_detach(dev->fd, id));
		EXPECT_BUFINFO_EMPTY(fd);
	}
	munmap(map, size);
	free(data);
}

/* The buffers of others are not the test device's to move. */
TEST_F(silent, is_neither_moved_nor_revoked)
{
	struct dma_buf_test_buffer_info info;
	int fd = self->buf.fd;

	EXPECT_EQ(-EINVAL, testdev_move(self->dev.fd, fd));
	EXPECT_EQ(-EINVAL, testdev_revoke(self->dev.fd, fd,
					  DMA_BUF_REVOKED_NOW));
	EXPECT_EQ(-EINVAL, testdev_buffer_info(self->dev.fd, fd, &info));
	EXPECT_QUERY(fd, PINNED, DMA_BUF_REVOKED_NO);
}

/* DMA_BUF_IOCTL_QUERY */

#define QUERY_SIZE	DMA_BUF_QUERY_SIZE_VER0
#define UNTOUCHED	0xa5

/* What a larger struct of a newer userspace looks like to the kernel */
union sized_query {
	struct dma_buf_query query;
	unsigned char bytes[1 << _IOC_SIZEBITS];
};

FIXTURE(query) {
	struct testdev dev;
	int fd;
	union sized_query arg;
};

FIXTURE_SETUP(query)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, PINNED | REVOCABLE, 0);
	memset(&self->arg, UNTOUCHED, sizeof(self->arg));
}

FIXTURE_TEARDOWN(query)
{
	close(self->fd);
	close_device(_metadata, &self->dev);
}

/* The ioctl of a program that was built with a struct of @size bytes */
static int query_sized(int fd, void *arg, size_t size)
{
	unsigned long cmd = _IOC(_IOC_READ | _IOC_WRITE, DMA_BUF_BASE,
				 _IOC_NR(DMA_BUF_IOCTL_QUERY), size);

	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static bool untouched(const union sized_query *arg, size_t from)
{
	return all_bytes((const char *)arg->bytes + from,
			 sizeof(arg->bytes) - from, (char)UNTOUCHED);
}

TEST_F(query, number_has_the_size_of_the_struct)
{
	EXPECT_EQ(QUERY_SIZE, (int)sizeof(struct dma_buf_query));
	EXPECT_EQ(QUERY_SIZE, (int)_IOC_SIZE(DMA_BUF_IOCTL_QUERY));
}

TEST_F(query, writes_the_struct_and_nothing_behind_it)
{
	union sized_query *arg = &self->arg;

	arg->query = (struct dma_buf_query) {
		.modes = ~0U,
		.revoked = ~0U,
	};
	ASSERT_EQ(0, query_sized(self->fd, arg, QUERY_SIZE));
	EXPECT_EQ(0U, arg->query.flags);
	EXPECT_EQ((__u32)(PINNED | REVOCABLE), arg->query.modes);
	EXPECT_EQ((__u32)DMA_BUF_REVOKED_NO, arg->query.revoked);
	EXPECT_EQ(0U, arg->query.reserved);
	EXPECT_TRUE(untouched(arg, QUERY_SIZE));
}

static const size_t larger_sizes[] = {
	QUERY_SIZE + 1,
	QUERY_SIZE + 4,
	QUERY_SIZE + 7,
	2 * QUERY_SIZE,
	4096,
	4097,
	_IOC_SIZEMASK,		/* no ioctl has a larger one */
};

TEST_F(query, larger_struct_of_zeros_is_fine)
{
	union sized_query *arg = &self->arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(larger_sizes); i++) {
		size_t size = larger_sizes[i];

		memset(arg, UNTOUCHED, sizeof(*arg));
		memset(arg, 0, size);
		arg->query.modes = ~0U;
		arg->query.revoked = ~0U;
		ASSERT_EQ(0, query_sized(self->fd, arg, size)) {
			TH_LOG("size %zu", size);
		}
		EXPECT_EQ((__u32)(PINNED | REVOCABLE), arg->query.modes);
		EXPECT_EQ((__u32)DMA_BUF_REVOKED_NO, arg->query.revoked);
		EXPECT_TRUE(all_bytes((char *)arg->bytes + QUERY_SIZE,
				      size - QUERY_SIZE, 0));
		EXPECT_TRUE(untouched(arg, size));
	}
}

/* A byte that this kernel doesn't know may ask for anything. */
TEST_F(query, larger_struct_with_a_set_byte_is_E2BIG)
{
	union sized_query *arg = &self->arg;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(larger_sizes); i++) {
		size_t size = larger_sizes[i];
		const size_t places[] = {
			QUERY_SIZE, (QUERY_SIZE + size) / 2, size - 1,
		};

		for (k = 0; k < ARRAY_SIZE(places); k++) {
			memset(arg, UNTOUCHED, sizeof(*arg));
			memset(arg, 0, size);
			arg->bytes[places[k]] = 1;
			EXPECT_EQ(-E2BIG, query_sized(self->fd, arg, size)) {
				TH_LOG("size %zu, byte %zu", size, places[k]);
			}
			EXPECT_EQ(0U, arg->query.modes);
			EXPECT_EQ(1, arg->bytes[places[k]]);
			EXPECT_TRUE(untouched(arg, size));
		}
	}
}

TEST_F(query, smaller_struct_is_EINVAL)
{
	union sized_query *arg = &self->arg;
	size_t size;

	memset(arg, 0, QUERY_SIZE);
	for (size = 0; size < QUERY_SIZE; size++) {
		EXPECT_EQ(-EINVAL, query_sized(self->fd, arg, size)) {
			TH_LOG("size %zu", size);
		}
		EXPECT_TRUE(all_bytes((char *)arg->bytes, QUERY_SIZE, 0));
	}
	EXPECT_EQ(-EINVAL, query_sized(self->fd, NULL, 0));
}

TEST_F(query, unknown_flag_is_EINVAL)
{
	struct dma_buf_query *query = &self->arg.query;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		*query = (struct dma_buf_query) { .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, query_sized(self->fd, query, QUERY_SIZE));
		EXPECT_EQ(0U, query->modes);
	}
}

TEST_F(query, set_reserved_bit_is_EINVAL)
{
	struct dma_buf_query *query = &self->arg.query;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		*query = (struct dma_buf_query) { .reserved = 1U << bit };
		EXPECT_EQ(-EINVAL, query_sized(self->fd, query, QUERY_SIZE));
		EXPECT_EQ(0U, query->modes);
	}
}

TEST_F(query, other_direction_or_number_is_ENOTTY)
{
	struct dma_buf_query *query = &self->arg.query;
	const int nr = _IOC_NR(DMA_BUF_IOCTL_QUERY);
	const unsigned long cmds[] = {
		_IOC(_IOC_READ, DMA_BUF_BASE, nr, QUERY_SIZE),
		_IOC(_IOC_WRITE, DMA_BUF_BASE, nr, QUERY_SIZE),
		_IOC(_IOC_NONE, DMA_BUF_BASE, nr, 0),
		_IOWR(DMA_BUF_BASE, 0x7f, struct dma_buf_query),
		_IOWR(DMA_BUF_BASE + 1, nr, struct dma_buf_query),
	};
	size_t i;

	*query = (struct dma_buf_query) { 0 };
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i], query));
		EXPECT_EQ(ENOTTY, errno);
		EXPECT_EQ(0U, query->modes);
	}
}

TEST_F(query, bad_pointer_is_EFAULT)
{
	char *map = mmap(NULL, page_size, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EFAULT, query_sized(self->fd, NULL, QUERY_SIZE));
	EXPECT_EQ(-EFAULT, query_sized(self->fd, (void *)-1UL, QUERY_SIZE));
	/* Can be read, and is all zeros, but not written */
	EXPECT_EQ(-EFAULT, query_sized(self->fd, map, QUERY_SIZE));
	EXPECT_TRUE(all_bytes(map, page_size, 0));

	ASSERT_EQ(0, mprotect(map, page_size, PROT_NONE));
	EXPECT_EQ(-EFAULT, query_sized(self->fd, map, QUERY_SIZE));
	munmap(map, page_size);
}

TEST_F(query, struct_may_end_with_its_page)
{
	struct dma_buf_query *query;
	char *map = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page_size, page_size));

	query = (void *)(map + page_size - QUERY_SIZE);
	EXPECT_EQ(0, query_sized(self->fd, query, QUERY_SIZE));
	EXPECT_EQ((__u32)(PINNED | REVOCABLE), query->modes);

	/* One byte more would be on the page that isn't there. */
	query->modes = 0;
	EXPECT_EQ(-EFAULT, query_sized(self->fd, query, QUERY_SIZE + 1));
	EXPECT_EQ(0U, query->modes);

	query = (void *)(map + page_size - QUERY_SIZE - 1);
	memset(query, 0, QUERY_SIZE + 1);
	EXPECT_EQ(0, query_sized(self->fd, query, QUERY_SIZE + 1));
	EXPECT_EQ(PINNED | REVOCABLE, map[page_size - QUERY_SIZE - 1 + 4]);
	munmap(map, page_size);
}

TEST_F(query, works_on_a_read_only_fd)
{
	int fd = testdev_export(self->dev.fd, &(struct dma_buf_test_export) {
		.size = page_size,
		.modes = REVOCABLE,
		.open_flags = O_RDONLY | O_CLOEXEC,
	});

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_QUERY(fd, REVOCABLE, DMA_BUF_REVOKED_NO);
	close(fd);
}

TEST_F(query, tells_that_the_buffer_is_revoked)
{
	struct testdev *dev = &self->dev;

	ASSERT_EQ(0, testdev_revoke(dev->fd, self->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_QUERY(self->fd, PINNED | REVOCABLE, DMA_BUF_REVOKED_NOW);
	EXPECT_FDINFO(self->fd, "pinned revocable", "now");

	ASSERT_EQ(0, testdev_revoke(dev->fd, self->fd, DMA_BUF_REVOKED_NO));
	EXPECT_QUERY(self->fd, PINNED | REVOCABLE, DMA_BUF_REVOKED_NO);
	EXPECT_FDINFO(self->fd, "pinned revocable", "no");

	ASSERT_EQ(0, testdev_revoke(dev->fd, self->fd,
				    DMA_BUF_REVOKED_PERMANENT));
	EXPECT_QUERY(self->fd, PINNED | REVOCABLE, DMA_BUF_REVOKED_PERMANENT);
	EXPECT_FDINFO(self->fd, "pinned revocable", "permanent");
}

/* Tests that make what they need */

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

TEST_F(device, bufinfo_shows_each_attachment)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL, HAS_PIN);
	int other = export_pages(_metadata, dev, REVOCABLE, 0);
	static const struct {
		__u32 modes;
		__u32 flags;
	} importers[] = {
		{ 0, STATIC },
		{ 0, 0 },
		{ PINNED, 0 },
		{ REVOCABLE, CALLBACK },
		{ MOVABLE, CALLBACK },
	};
	struct shown_attachment shown[ARRAY_SIZE(importers)];
	__u32 id[ARRAY_SIZE(importers)];
	size_t i;

	EXPECT_BUFINFO_EMPTY(fd);
	for (i = 0; i < ARRAY_SIZE(importers); i++)
		id[i] = attach(_metadata, dev, (struct dma_buf_test_attach) {
			.fd = fd,
			.device = i % DEVICES,
			.modes = importers[i].modes,
			.flags = importers[i].flags,
		});
	EXPECT_BUFINFO(fd, { "pinned", 0, 0 }, { "pinned", 0, 0 },
		       { "pinned", 1, 0 }, { "revocable", 1, 0 },
		       { "movable", 0, 0 });

	for (i = 0; i < ARRAY_SIZE(importers); i++)
		ASSERT_EQ(0, testdev_map(dev->fd, id[i]));
	ASSERT_EQ(0, testdev_pin(dev->fd, id[1]));
	ASSERT_EQ(0, testdev_pin(dev->fd, id[3]));
	ASSERT_EQ(0, testdev_pin(dev->fd, id[4]));
	ASSERT_EQ(0, testdev_pin(dev->fd, id[4]));
	EXPECT_BUFINFO(fd, { "pinned", 1, 1 }, { "pinned", 1, 1 },
		       { "pinned", 1, 1 }, { "revocable", 2, 1 },
		       { "movable", 2, 1 });

	/* The two devices by turns, each by its name */
	ASSERT_EQ((int)ARRAY_SIZE(shown),
		  read_bufinfo(fd, shown, ARRAY_SIZE(shown)));
	EXPECT_STRNE(shown[0].device, shown[1].device);
	for (i = 2; i < ARRAY_SIZE(shown); i++)
		EXPECT_STREQ(shown[i % DEVICES].device, shown[i].device);

	/* Nothing of it is the other buffer's. */
	EXPECT_BUFINFO_EMPTY(other);

	ASSERT_EQ(0, testdev_unmap(dev->fd, id[0]));
	ASSERT_EQ(0, testdev_unmap(dev->fd, id[4]));
	ASSERT_EQ(0, testdev_unpin(dev->fd, id[4]));
	ASSERT_EQ(0, testdev_detach(dev->fd, id[2]));
	EXPECT_BUFINFO(fd, { "pinned", 0, 0 }, { "pinned", 1, 1 },
		       { "revocable", 2, 1 }, { "movable", 1, 0 });

	/* Without these, closing the device would detach. */
	ASSERT_EQ(0, testdev_detach(dev->fd, id[0]));
	ASSERT_EQ(0, testdev_detach(dev->fd, id[1]));
	ASSERT_EQ(0, testdev_detach(dev->fd, id[3]));
	ASSERT_EQ(0, testdev_detach(dev->fd, id[4]));
	EXPECT_BUFINFO_EMPTY(fd);
	close(other);
	close(fd);
}

TEST_F(device, close_detaches)
{
	int fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
	struct testdev second = { .fd = testdev_open() };
	__u32 id;

	ASSERT_LE(0, second.fd);
	id = attach(_metadata, &second, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = CALLBACK,
	});
	ASSERT_EQ(0, testdev_map(second.fd, id));
	ASSERT_EQ(0, testdev_pin(second.fd, id));
	EXPECT_BUFINFO(fd, { "movable", 1, 1 });
	/* Others don't know it. */
	EXPECT_EQ(-ENOENT, testdev_map(self->dev.fd, id));

	close(second.fd);
	EXPECT_BUFINFO_EMPTY(fd);
	EXPECT_BUFFER(&self->dev, fd, .attaches = 1, .detaches = 1,
		      .pin_calls = 1, .unpin_calls = 1,
		      .map_calls = 1, .unmap_calls = 1);
	close(fd);
}

TEST_F(device, importer_keeps_the_buffer_when_its_fd_is_closed)
{
	int fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
	__u64 word = 0x1122334455667788ULL, seen = 0;
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = CALLBACK,
	});

	ASSERT_EQ(0, testdev_write(dev->fd, id, page_size, &word,
				   sizeof(word)));
	close(fd);
	ASSERT_EQ(0, testdev_read(dev->fd, id, page_size, &seen,
				  sizeof(seen)));
	EXPECT_EQ(word, seen);
	EXPECT_EQ(0, testdev_detach(dev->fd, id));
}

TEST_F(device, dma_stays_within_the_buffer)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL, HAS_PIN);
	size_t size = PAGES * page_size;
	char byte[2];
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = CALLBACK,
	});

	EXPECT_EQ(0, testdev_read(dev->fd, id, size - 1, byte, 1));
	EXPECT_EQ(-ERANGE, testdev_read(dev->fd, id, size - 1, byte, 2));
	EXPECT_EQ(-ERANGE, testdev_write(dev->fd, id, size, byte, 1));
	EXPECT_EQ(-ERANGE, testdev_write(dev->fd, id, -1UL, byte, 2));
	close(fd);
}

TEST_F(device, importer_calls_out_of_order_are_refused)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL, HAS_PIN);
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = CALLBACK,
	});

	EXPECT_EQ(-EINVAL, testdev_unmap(dev->fd, id));
	EXPECT_EQ(-EINVAL, testdev_unpin(dev->fd, id));
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_EQ(-EBUSY, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_EQ(-EINVAL, testdev_unmap(dev->fd, id));
	EXPECT_IMPORTER(dev, id, .mode = MOVABLE, .maps = 1, .unmaps = 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_EQ(-ENOENT, testdev_detach(dev->fd, id));
	EXPECT_EQ(-ENOENT, testdev_map(dev->fd, id));
	close(fd);
}

/* An importer without a device is none of those that declare nothing. */
TEST_F(device, no_device_needs_modes)
{
	static const __u32 flags[] = { STATIC, 0, CALLBACK };
	int fd = export_pages(_metadata, &self->dev, 0, 0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct dma_buf_test_attach args = {
			.fd = fd,
			.device = DMA_BUF_TEST_NO_DEVICE,
			.flags = flags[i],
		};

		EXPECT_EQ(-EINVAL, testdev_attach(self->dev.fd, &args));
	}
	EXPECT_BUFINFO_EMPTY(fd);
	close(fd);
}

/* Pins */

FIXTURE(pins) {
	struct testdev dev;
	int fd;
};

FIXTURE_SETUP(pins)
{
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
}

FIXTURE_TEARDOWN(pins)
{
	close(self->fd);
	close_device(_metadata, &self->dev);
}

static void check_core_pin(struct __test_metadata *_metadata,
			   struct testdev *dev, int fd, __u32 mode,
			   const char *shown, __u32 flags)
{
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.modes = mode,
		.flags = flags,
	});

	/* It is the core's and none of the importer's own. */
	EXPECT_IMPORTER(dev, id, .mode = mode);
	EXPECT_BUFINFO(fd, { shown, 1, 0 });
	EXPECT_BUFFER(dev, fd, .pins = 1, .attaches = 1, .pin_calls = 1);
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, fd));
	EXPECT_EQ(-EINVAL, testdev_unpin(dev->fd, id));

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, fd));
	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, fd));
	EXPECT_IMPORTER(dev, id, .mode = mode, .maps = 1, .unmaps = 1);

	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_EQ(0, testdev_move(dev->fd, fd));
	EXPECT_BUFFER(dev, fd, .attaches = 1, .detaches = 1, .pin_calls = 1,
		      .unpin_calls = 1, .map_calls = 1, .unmap_calls = 1,
		      .moves = 1);
}

TEST_F(pins, core_pins_who_asks_for_pinned_until_detach)
{
	check_core_pin(_metadata, &self->dev, self->fd, PINNED, "pinned", 0);
}

TEST_F(pins, core_pins_who_asks_for_revocable_until_detach)
{
	check_core_pin(_metadata, &self->dev, self->fd, REVOCABLE, "revocable",
		       CALLBACK);
}

TEST_F(pins, core_pins_nobody_who_says_nothing)
{
	static const __u32 flags[] = { STATIC, 0, CALLBACK };
	struct testdev *dev = &self->dev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
			.fd = self->fd,
			.flags = flags[i],
		});

		EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
		ASSERT_EQ(0, testdev_detach(dev->fd, id));
	}
	EXPECT_BUFFER(dev, self->fd, .attaches = 3, .detaches = 3, .moves = 3);
}

TEST_F(pins, core_pins_no_movable_attachment)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.modes = ALL,
		.flags = CALLBACK,
	});

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_BUFINFO(self->fd, { "movable", 0, 1 });
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .map_calls = 1,
		      .unmap_calls = 1, .moves = 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

TEST_F(pins, static_importer_is_pinned_while_it_maps)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.flags = STATIC,
	});
	struct dma_buf_test_importer_info before, after;

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	before = importer_info(_metadata, dev, id);
	EXPECT_BUFINFO(self->fd, { "pinned", 1, 1 });
	EXPECT_BUFFER(dev, self->fd, .pins = 1, .mappings = 1, .attaches = 1,
		      .pin_calls = 1, .map_calls = 1);
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
	after = importer_info(_metadata, dev, id);
	EXPECT_EQ(before.address, after.address);
	EXPECT_NE(0ULL, after.address);

	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_BUFINFO(self->fd, { "pinned", 0, 0 });
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));

	/* Detach unmaps, and that unpins. */
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .detaches = 1,
		      .pin_calls = 2, .unpin_calls = 2, .map_calls = 2,
		      .unmap_calls = 2, .moves = 2);
}

TEST_F(pins, own_pins_are_counted)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.flags = CALLBACK,
	});
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, testdev_pin(dev->fd, id));
	EXPECT_BUFINFO(self->fd, { "movable", 3, 0 });
	EXPECT_IMPORTER(dev, id, .mode = MOVABLE, .pins = 3);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
		ASSERT_EQ(0, testdev_unpin(dev->fd, id));
	}
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
	EXPECT_EQ(-EINVAL, testdev_unpin(dev->fd, id));
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .pin_calls = 3,
		      .unpin_calls = 3, .moves = 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* As 7.3 does: without a callback, dma_buf_pin() is up to the importer. */
TEST_F(pins, silent_importer_pins_by_hand)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
	});

	ASSERT_EQ(0, testdev_pin(dev->fd, id));
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_BUFINFO(self->fd, { "pinned", 1, 1 });
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
	ASSERT_EQ(0, testdev_unmap(dev->fd, id));
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
	ASSERT_EQ(0, testdev_unpin(dev->fd, id));
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

TEST_F(pins, own_pins_add_to_that_of_the_core)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.modes = PINNED,
	});

	ASSERT_EQ(0, testdev_pin(dev->fd, id));
	ASSERT_EQ(0, testdev_pin(dev->fd, id));
	EXPECT_BUFINFO(self->fd, { "pinned", 3, 0 });
	EXPECT_IMPORTER(dev, id, .mode = PINNED, .pins = 2);
	ASSERT_EQ(0, testdev_unpin(dev->fd, id));
	ASSERT_EQ(0, testdev_unpin(dev->fd, id));
	EXPECT_EQ(-EINVAL, testdev_unpin(dev->fd, id));
	EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .detaches = 1,
		      .pin_calls = 3, .unpin_calls = 3);
}

TEST_F(pins, one_of_many_attachments_is_enough)
{
	struct testdev *dev = &self->dev;
	__u32 movable[DEVICES], pinned[DEVICES];
	int i;

	for (i = 0; i < DEVICES; i++) {
		movable[i] = attach(_metadata, dev,
				    (struct dma_buf_test_attach) {
			.fd = self->fd,
			.device = i,
			.flags = CALLBACK,
		});
		ASSERT_EQ(0, testdev_map(dev->fd, movable[i]));
	}
	for (i = 0; i < DEVICES; i++)
		pinned[i] = attach(_metadata, dev,
				   (struct dma_buf_test_attach) {
			.fd = self->fd,
			.device = i,
			.modes = PINNED,
		});
	EXPECT_EQ(2U, buffer_info(_metadata, dev, self->fd).pins);
	for (i = 0; i < DEVICES; i++) {
		EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
		ASSERT_EQ(0, testdev_detach(dev->fd, pinned[i]));
	}
	/* A move that was refused has told nobody. */
	for (i = 0; i < DEVICES; i++)
		EXPECT_IMPORTER(dev, movable[i], .mode = MOVABLE, .mapped = 1,
				.maps = 1);
	EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
	for (i = 0; i < DEVICES; i++) {
		EXPECT_IMPORTER(dev, movable[i], .mode = MOVABLE,
				.invalidates = 1, .maps = 1, .unmaps = 1);
		ASSERT_EQ(0, testdev_detach(dev->fd, movable[i]));
	}
}

TEST_F(pins, movable_attachment_pins_between_moves)
{
	struct testdev *dev = &self->dev;
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = self->fd,
		.modes = MOVABLE,
		.flags = CALLBACK,
	});
	struct dma_buf_test_importer_info pinned, still;
	__u64 last = 0;
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, testdev_pin(dev->fd, id));
		ASSERT_EQ(0, testdev_map(dev->fd, id));
		pinned = importer_info(_metadata, dev, id);
		EXPECT_NE(0ULL, pinned.address);
		EXPECT_NE(last, pinned.address);

		EXPECT_EQ(-EBUSY, testdev_move(dev->fd, self->fd));
		still = importer_info(_metadata, dev, id);
		EXPECT_EQ(1U, still.mapped);
		EXPECT_EQ(pinned.address, still.address);
		EXPECT_EQ(pinned.invalidates, still.invalidates);

		ASSERT_EQ(0, testdev_unpin(dev->fd, id));
		EXPECT_EQ(0, testdev_move(dev->fd, self->fd));
		last = still.address;
	}
	EXPECT_IMPORTER(dev, id, .mode = MOVABLE, .invalidates = 4, .maps = 4,
			.unmaps = 4);
	EXPECT_BUFFER(dev, self->fd, .attaches = 1, .pin_calls = 4,
		      .unpin_calls = 4, .map_calls = 4, .unmap_calls = 4,
		      .moves = 4);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
}

/* Exporters without a pin op are never told, but the pins are counted. */
TEST_F(device, exporter_without_pin_op_has_nothing_to_do)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, PINNED | REVOCABLE, 0);
	__u32 id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.modes = REVOCABLE,
		.flags = CALLBACK,
	});

	ASSERT_EQ(0, testdev_pin(dev->fd, id));
	EXPECT_BUFINFO(fd, { "revocable", 2, 0 });
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_BUFFER(dev, fd, .attaches = 1, .detaches = 1);
	close(fd);
}

/* Exporters that say no */

TEST_F(device, attach_op_that_fails)
{
	static const __u32 modes[] = { 0, PINNED, MOVABLE };
	static const __u32 flags[] = { STATIC, 0, CALLBACK };
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL,
			      HAS_PIN | DMA_BUF_TEST_FAIL_ATTACH);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct dma_buf_test_attach args = {
			.fd = fd,
			.modes = modes[i],
			.flags = flags[i],
		};

		EXPECT_EQ(-EBUSY, testdev_attach(dev->fd, &args));
		EXPECT_BUFINFO_EMPTY(fd);
	}
	EXPECT_BUFFER(dev, fd, 0);
	close(fd);
}

TEST_F(device, pin_op_that_fails)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL,
			      HAS_PIN | DMA_BUF_TEST_FAIL_PIN);
	struct dma_buf_test_attach pinned = { .fd = fd, .modes = PINNED };
	__u32 id;

	/* The core's pin: no attachment, and the exporter is told so. */
	EXPECT_EQ(-ENOSPC, testdev_attach(dev->fd, &pinned));
	EXPECT_BUFINFO_EMPTY(fd);
	EXPECT_BUFFER(dev, fd, .attaches = 1, .detaches = 1);

	/* With a mapping: no mapping */
	id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = STATIC,
	});
	EXPECT_EQ(-ENOSPC, testdev_map(dev->fd, id));
	EXPECT_BUFINFO(fd, { "pinned", 0, 0 });
	ASSERT_EQ(0, testdev_detach(dev->fd, id));

	/* By the importer itself */
	id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = CALLBACK,
	});
	EXPECT_EQ(-ENOSPC, testdev_pin(dev->fd, id));
	EXPECT_IMPORTER(dev, id, .mode = MOVABLE);
	EXPECT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_BUFINFO(fd, { "movable", 0, 1 });
	ASSERT_EQ(0, testdev_detach(dev->fd, id));

	EXPECT_BUFFER(dev, fd, .attaches = 3, .detaches = 3, .map_calls = 1,
		      .unmap_calls = 1);
	close(fd);
}

TEST_F(device, map_op_that_fails)
{
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, ALL,
			      HAS_PIN | DMA_BUF_TEST_FAIL_MAP);
	__u64 word = 0;
	__u32 id;

	/* What the core has pinned for it is unpinned. */
	id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.flags = STATIC,
	});
	EXPECT_EQ(-EIO, testdev_map(dev->fd, id));
	EXPECT_EQ(-EIO, testdev_read(dev->fd, id, 0, &word, sizeof(word)));
	EXPECT_BUFINFO(fd, { "pinned", 0, 0 });
	EXPECT_BUFFER(dev, fd, .attaches = 1, .pin_calls = 2,
		      .unpin_calls = 2);
	EXPECT_EQ(0, testdev_move(dev->fd, fd));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));

	id = attach(_metadata, dev, (struct dma_buf_test_attach) {
		.fd = fd,
		.modes = PINNED,
	});
	EXPECT_EQ(-EIO, testdev_map(dev->fd, id));
	EXPECT_IMPORTER(dev, id, .mode = PINNED);
	EXPECT_BUFINFO(fd, { "pinned", 1, 0 });
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	EXPECT_BUFFER(dev, fd, .attaches = 2, .detaches = 2, .pin_calls = 3,
		      .unpin_calls = 3, .moves = 1);
	close(fd);
}

int main(int argc, char **argv)
{
	add_exporters(&_silent_fixture_object, all_exporters, FOR_MODES);
	return test_harness_run(argc, argv);
}
