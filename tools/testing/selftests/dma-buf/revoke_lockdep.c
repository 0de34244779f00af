// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer that takes its lock and the reservation lock in the wrong order is
 * named by lockdep when it attaches: nothing has to be revoked or moved for that.
 *
 * Lockdep reports once and switches itself off. So this is the last test of a
 * boot, and it is not for a kernel with panic_on_warn.
 */
#define _GNU_SOURCE
#include <stdio.h>

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
	__u32 id;

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

	/* Alone, it doesn't run into itself. */
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	EXPECT_EQ(0, testdev_revoke(dev->fd, self->fd, DMA_BUF_REVOKED_NOW));
	EXPECT_IMPORTER(dev, id, .mode = REVOCABLE, .invalidates = 1, .maps = 1,
			.unmaps = 1);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));
	expect_balance(_metadata, dev, self->fd);
}

TEST_HARNESS_MAIN
