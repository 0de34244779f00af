// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tracepoints of attachment modes tell, from attach to a move.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "modes_fixture.h"
#include "write_file.h"

#define TRACEFS	"/sys/kernel/tracing"

static const char *const events[] = {
	"dma_buf_attach_mode", "dma_buf_pin", "dma_buf_unpin", "dma_buf_map",
	"dma_buf_unmap", "dma_buf_invalidate_mappings",
};

static int switch_events(const char *on)
{
	char path[128];
	int ret = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(path, sizeof(path), TRACEFS "/events/dma_buf/%s/enable",
			 events[i]);
		/* Also after a failure: the rest is to be switched off. */
		ret = write_file(path, on) ?: ret;
	}
	return ret;
}

/*
 * The events of a dma-buf, oldest first, as "event: what is behind the
 * attachment": what is before it differs from run to run.
 */
static int read_events(ino_t ino, char (*told)[160], int max)
{
	char *line = NULL, *event, *rest, this[32];
	size_t size = 0;
	int nr = 0;
	FILE *f;

	f = fopen(TRACEFS "/trace", "re");
	if (!f)
		return -errno;
	snprintf(this, sizeof(this), " ino=%lu ", (unsigned long)ino);
	while (getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		event = strstr(line, ": dma_buf_");
		rest = strstr(line, " attachment:");
		if (!event || !rest || !strstr(line, this))
			continue;
		rest = strchr(rest + 1, ' ');
		if (!rest || nr == max) {
			nr = -E2BIG;
			break;
		}
		event += 2;
		event[strcspn(event, ":")] = '\0';
		snprintf(told[nr++], sizeof(*told), "%s:%s", event, rest);
	}
	free(line);
	fclose(f);
	return nr;
}

FIXTURE(trace) {
	struct testdev dev;
};

FIXTURE_SETUP(trace)
{
	if (access(TRACEFS "/trace", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (access(TRACEFS "/events/dma_buf", F_OK))
		SKIP(return, "no tracepoints, see CONFIG_EVENT_TRACING");
	if (!open_device(_metadata, &self->dev))
		return;
	ASSERT_EQ(0, write_file(TRACEFS "/trace", ""));
	ASSERT_EQ(0, switch_events("1"));
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, switch_events("0"));
	close_device(_metadata, &self->dev);
}

TEST_F(trace, tells_modes_pins_and_mappings)
{
	static const char *const expected[] = {
		"dma_buf_attach_mode: offered=pinned|movable accepted=pinned|revocable|movable mode=movable dev_name=dma_buf_test.1",
		"dma_buf_map: mode=movable pins=0 dev_name=dma_buf_test.1",
		"dma_buf_pin: mode=movable pins=1 dev_name=dma_buf_test.1",
		"dma_buf_unpin: mode=movable pins=0 dev_name=dma_buf_test.1",
		"dma_buf_invalidate_mappings: mode=movable pins=0 dev_name=dma_buf_test.1",
		"dma_buf_unmap: mode=movable pins=0 dev_name=dma_buf_test.1",
		/* The core pins who says that it is pinned. */
		"dma_buf_attach_mode: offered=pinned|movable accepted=pinned mode=pinned dev_name=dma_buf_test.0",
		"dma_buf_pin: mode=pinned pins=1 dev_name=dma_buf_test.0",
		"dma_buf_unpin: mode=pinned pins=0 dev_name=dma_buf_test.0",
		/* Refused, so without a mode */
		"dma_buf_attach_mode: offered=pinned|movable accepted=revocable mode= dev_name=dma_buf_test.0",
	};
	struct testdev *dev = &self->dev;
	int fd = export_pages(_metadata, dev, PINNED | MOVABLE, HAS_PIN);
	char told[ARRAY_SIZE(expected) + 1][160];
	struct stat st;
	__u32 id;
	int i, nr;

	id = ATTACH(dev, .fd = fd, .device = 1, .flags = CALLBACK);
	ASSERT_EQ(0, testdev_map(dev->fd, id));
	ASSERT_EQ(0, testdev_pin(dev->fd, id));
	ASSERT_EQ(0, testdev_unpin(dev->fd, id));
	ASSERT_EQ(0, testdev_move(dev->fd, fd));
	ASSERT_EQ(0, testdev_detach(dev->fd, id));

	id = ATTACH(dev, .fd = fd, .modes = PINNED);
	ASSERT_EQ(0, testdev_detach(dev->fd, id));

	EXPECT_EQ(-EOPNOTSUPP, testdev_attach(dev->fd,
					      &(struct dma_buf_test_attach) {
		.fd = fd, .modes = REVOCABLE, .flags = CALLBACK,
	}));

	ASSERT_EQ(0, fstat(fd, &st));
	nr = read_events(st.st_ino, told, ARRAY_SIZE(told));
	EXPECT_EQ((int)ARRAY_SIZE(expected), nr);
	for (i = 0; i < nr && i < (int)ARRAY_SIZE(expected); i++)
		EXPECT_STREQ(expected[i], told[i]);
	close(fd);
}

TEST_HARNESS_MAIN
