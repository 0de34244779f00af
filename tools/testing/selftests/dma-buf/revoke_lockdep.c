// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer that takes its lock and the reservation lock in the wrong order is
 * named by lockdep when it attaches: nothing has to be revoked or moved for that.
 *
 * Lockdep reports once and switches itself off. So this is the last test of a
 * boot, and it is run by its name only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "modes_fixture.h"

#define WRONG_ORDER	DMA_BUF_TEST_WRONG_ORDER

/* Not so if it has reported something, or has run out of memory for its tables */
static bool lockdep_is_on(void)
{
	FILE *f = fopen("/proc/lockdep_stats", "re");
	char line[256];
	int on = 0;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " debug_locks: %d", &on) == 1)
			break;
	fclose(f);
	return on;
}

/* Is @text in what the kernel has logged since @kmsg was read? */
static bool was_logged(int kmsg, const char *text)
{
	char record[8192];
	bool was = false;
	ssize_t len;

	/* EPIPE: some were lost, and the next one is there. */
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		record[len] = '\0';
		if (strstr(record, text))
			was = true;
	}
	return was;
}

FIXTURE(importer) {
	struct testdev dev;
	int fd;
};

FIXTURE_SETUP(importer)
{
	self->fd = -1;
	if (!open_device(_metadata, &self->dev))
		return;
	if (access("/proc/lockdep_chains", F_OK))
		SKIP(return, "the kernel has no CONFIG_PROVE_LOCKING");
	if (!lockdep_is_on())
		SKIP(return, "lockdep is off: it has reported something before");
	self->fd = export_pages(_metadata, &self->dev, ALL, HAS_PIN);
}

FIXTURE_TEARDOWN(importer)
{
	if (self->fd >= 0)
		close(self->fd);
	close_device(_metadata, &self->dev);
}

TEST_F(importer, with_a_wrong_order_is_named_when_it_attaches)
{
	struct testdev *dev = &self->dev;
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	__u32 id;

	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);

	/* Where the order is right, there is nothing to report. */
	id = ATTACH(dev, .fd = self->fd, .modes = REVOCABLE, .flags = CALLBACK);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	ASSERT_TRUE(lockdep_is_on());

	/* Without a callback there is nothing to take the lock in. */
	ASSERT_EQ(-EINVAL, testdev_attach(dev->fd,
					  &(struct dma_buf_test_attach) {
		.fd = self->fd, .modes = PINNED, .flags = WRONG_ORDER,
	}));
	ASSERT_TRUE(lockdep_is_on());

	announce_one_warning("[(]&imp->outer_lock[)]");
	id = ATTACH(dev, .fd = self->fd, .modes = REVOCABLE,
		    .flags = CALLBACK | WRONG_ORDER);
	EXPECT_FALSE(lockdep_is_on());
	/* The announcement spells it in another way. */
	EXPECT_TRUE(was_logged(kmsg, "(&imp->outer_lock)"));
	close(kmsg);

	/* Alone, it doesn't run into itself. */
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_EQ(0, testdev_revoke(dev->fd, self->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_IMPORTER(dev, id, .mode = REVOCABLE, .invalidates = 1, .maps = 1,
			.unmaps = 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	expect_balance(_metadata, dev, self->fd);
}

TEST_HARNESS_MAIN
