// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA_BUF_IOCTL_SYNC: brackets around an access by the CPU, in any order, of any
 * direction and by several threads at once. The kernel may complain of none.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <linux/dma-buf.h>

#include "mmap_context.h"

#define DMA_MAPPINGS	"/sys/kernel/debug/dma-api/dump"
#define THREADS		4
#define BUFFERS		20

static const __u64 directions[] = {
	DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW,
};

FIXTURE(sync) {
	struct context ctx;
};

FIXTURE_VARIANT(sync) {
	const struct exporter *exporter;
};

FIXTURE_SETUP(sync)
{
	const struct exporter *exporter = variant->exporter;

	context_setup(_metadata, &self->ctx, exporter, exporter_small(exporter),
		      O_RDWR);
}

FIXTURE_TEARDOWN(sync)
{
	context_teardown(_metadata, &self->ctx);
}

/* A library, or another process, may have begun. */
TEST_F(sync, end_first)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directions); i++)
		EXPECT_EQ(0, dmabuf_sync(self->ctx.buf.fd,
					 DMA_BUF_SYNC_END | directions[i]));
}

TEST_F(sync, each_direction_after_each)
{
	struct context *ctx = &self->ctx;
	size_t first, then;

	for (first = 0; first < ARRAY_SIZE(directions); first++) {
		for (then = 0; then < ARRAY_SIZE(directions); then++) {
			const __u64 both[] = {
				directions[first], directions[then],
			};
			int i;

			for (i = 0; i < 2; i++) {
				ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
							 DMA_BUF_SYNC_START |
							 both[i]));
				if (both[i] & DMA_BUF_SYNC_WRITE)
					fill(ctx->view, 0, ctx->pages,
					     SEED + first);
				ASSERT_EQ(0, dmabuf_sync(ctx->buf.fd,
							 DMA_BUF_SYNC_END |
							 both[i]));
			}
		}
	}
	EXPECT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages,
				 SEED + ARRAY_SIZE(directions) - 1));
}

struct starter {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int fd;
	int error;
};

static void *start_and_end(void *arg)
{
	struct starter *s = arg;

	pthread_barrier_wait(s->barrier);
	s->error = dmabuf_sync(s->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	if (!s->error)
		s->error = dmabuf_sync(s->fd, DMA_BUF_SYNC_END |
					      DMA_BUF_SYNC_READ);
	return NULL;
}

static void start_at_once(struct __test_metadata *_metadata, int fd)
{
	struct starter starters[THREADS];
	pthread_barrier_t barrier;
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, THREADS));
	for (i = 0; i < THREADS; i++) {
		starters[i].barrier = &barrier;
		starters[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&starters[i].thread, NULL,
					    start_and_end, &starters[i]));
	}
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(starters[i].thread, NULL));
		EXPECT_EQ(0, starters[i].error);
	}
	pthread_barrier_destroy(&barrier);
}

/* Of udmabuf's device; -1 where the kernel doesn't keep a list */
static int udmabuf_mappings(void)
{
	char line[256];
	int nr = 0;
	FILE *f;

	f = fopen(DMA_MAPPINGS, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		nr += !!strstr(line, "udmabuf");
	fclose(f);
	return nr;
}

/* A first access may be what an exporter maps the buffer at, once. */
TEST_F(sync, threads_start_at_once)
{
	const struct exporter *exporter = variant->exporter;
	int i, before = udmabuf_mappings();
	struct dmabuf buf;

	for (i = 0; i < BUFFERS; i++) {
		ASSERT_EQ(0, dmabuf_open(&buf, exporter,
					 exporter_small(exporter), O_RDWR));
		start_at_once(_metadata, buf.fd);
		dmabuf_close(&buf);
	}
	EXPECT_EQ(before, udmabuf_mappings());
	if (before < 0)
		TH_LOG("mappings not counted: CONFIG_DMA_API_DEBUG is off");
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_sync_fixture_object, exporters, FOR_MAPPING);
	return test_harness_run(argc, argv);
}
