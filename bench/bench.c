// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapping a dma-buf costs, for the CPU and for a device, in executed
 * instructions.
 *
 *	bench [OPERATION]	all rows, or those of operations that match a glob
 *
 * Runs in a guest under instruction counting (make bench, make guest ICOUNT=1),
 * where a nanosecond of CLOCK_MONOTONIC is an instruction of the one CPU. It
 * makes sure of that first.
 *
 * Output: operation, exporter, bytes mapped and instructions, with tabs
 * between. To add a row, write a function that calls start() and stop() around
 * what is to be measured and put it into operations[].
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#include "../tools/testing/selftests/dma-buf/exporters.h"
#include "attach/dma_buf_bench.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define KIB		(1UL << 10)
#define MIB		(1UL << 20)

/* The clock */

static int64_t started, elapsed, clock_cost;

static inline int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

static inline void start(void)
{
	started = now();
}

/* An operation may have more than one pair of start() and stop(). */
static inline void stop(void)
{
	elapsed += now() - started - clock_cost;
}

/* What is measured */

struct mapping {
	int fd;
	size_t len;		/* bytes, from the start of the buffer */
	int times;		/* between two looks at the clock */
};

static char *map(const struct mapping *m)
{
	char *p = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       m->fd, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void unmap(char *p, const struct mapping *m)
{
	if (munmap(p, m->len))
		err(1, "munmap");
}

/* Four instructions a page. */
static inline void touch(volatile char *p, size_t len)
{
	volatile char *end = p + len;

	for (; p != end; p += PAGE)
		*p = 1;
}

static void total(const struct mapping *m)
{
	char *p;

	start();
	p = map(m);
	touch(p, m->len);
	unmap(p, m);
	stop();
}

static void just_mmap(const struct mapping *m)
{
	char *p;

	start();
	p = map(m);
	stop();
	touch(p, m->len);
	unmap(p, m);
}

static void just_touch(const struct mapping *m)
{
	char *p = map(m);

	start();
	touch(p, m->len);
	stop();
	unmap(p, m);
}

static void just_unmap(const struct mapping *m)
{
	char *p = map(m);

	touch(p, m->len);
	start();
	unmap(p, m);
	stop();
}

static void one_page(const struct mapping *m)
{
	char *p;

	start();
	p = map(m);
	touch(p + m->len / 2, PAGE);
	unmap(p, m);
	stop();
}

/*
 * What a device's driver does, m->times, in the kernel. Meanwhile the buffer is
 * in use, as it is where it is shared: vgem frees the pages of one that isn't.
 */
static void import(const struct mapping *m, struct dma_buf_bench how)
{
	static int dev = -1;
	char *p;
	int ret;

	if (dev < 0)
		dev = open("/dev/dma_buf_bench", O_RDWR);
	if (dev < 0)
		err(1, "/dev/dma_buf_bench (insmod dma_buf_bench.ko makes it)");

	how.fd = m->fd;
	p = map(m);
	touch(p, m->len);
	start();
	ret = ioctl(dev, DMA_BUF_BENCH_IMPORT, &how);
	stop();
	if (ret)
		err(1, "DMA_BUF_BENCH_IMPORT");
	unmap(p, m);
}

static void attach_static(const struct mapping *m)
{
	import(m, (struct dma_buf_bench){ .attachments = m->times, .maps = 1 });
}

static void attach_dynamic(const struct mapping *m)
{
	import(m, (struct dma_buf_bench){ .attachments = m->times, .maps = 1,
					  .dynamic = 1 });
}

static void map_static(const struct mapping *m)
{
	import(m, (struct dma_buf_bench){ .attachments = 1, .maps = m->times });
}

static void map_dynamic(const struct mapping *m)
{
	import(m, (struct dma_buf_bench){ .attachments = 1, .maps = m->times,
					  .dynamic = 1 });
}

/*
 * What is small is done more than once between two looks at the clock, so that
 * a slab that is refilled now and then doesn't make it or break it.
 */
#define TIMES	64

enum sizes {
	PAGE_ONLY,		/* one page */
	LARGEST,		/* 64 MiB */
	SOME,			/* 1 MiB, or the exporter's granule, and 16 MiB */
	ALL,
};

static const struct operation {
	const char *name;
	void (*run)(const struct mapping *m);
	enum sizes sizes;
	bool imports;		/* all of the buffer, and repeats that itself */
} operations[] = {
	{ "total",		total,		ALL,		false },
	{ "fault",		just_touch,	PAGE_ONLY,	false },
	{ "mmap",		just_mmap,	LARGEST,	false },
	{ "touch",		just_touch,	LARGEST,	false },
	{ "unmap",		just_unmap,	LARGEST,	false },
	{ "one page",		one_page,	LARGEST,	false },
	/*
	 * What the core takes is the same for any size. What the exporter takes
	 * depends on how a larger buffer lies in memory, which is luck.
	 */
	{ "attach static",	attach_static,	PAGE_ONLY,	true },
	{ "attach dynamic",	attach_dynamic,	PAGE_ONLY,	true },
	{ "map static",		map_static,	PAGE_ONLY,	true },
	{ "map dynamic",	map_dynamic,	PAGE_ONLY,	true },
};

/* exporters_list.c of the selftests has what they are. */
static const char *const exporters[] = {
	"udmabuf", "udmabuf_huge", "system_heap", "cma_heap", "vgem",
};

/* 1 MiB is the granule where that is more. */
static const struct {
	size_t len;
	enum sizes sizes;
} lens[] = {
	{ PAGE,		PAGE_ONLY },
	{ 1 * MIB,	SOME },
	{ 16 * MIB,	SOME },
	{ 64 * MIB,	LARGEST },
};

/*
 * Let what was put off be done: RCU callbacks, kworkers, the tick. The guest's
 * clock skips the time in which nobody has anything to do.
 */
static void settle(void)
{
	struct timespec ts = { .tv_nsec = 50 * 1000 * 1000 };

	nanosleep(&ts, NULL);
}

static int64_t once(const struct operation *op, const struct mapping *m)
{
	int i, calls = op->imports ? 1 : m->times;

	elapsed = 0;
	for (i = 0; i < calls; i++)
		op->run(m);
	return elapsed / m->times;
}

/*
 * The least of some rounds is the one that no interrupt came into, or the
 * fewest. The first isn't counted: it makes all warm.
 */
static int64_t least(const struct operation *op, const struct mapping *m)
{
	int rounds = m->len > 16 * MIB ? 9 : 25;
	int64_t min = INT64_MAX, cost;
	int i;

	once(op, m);
	for (i = 0; i < rounds; i++) {
		settle();
		cost = once(op, m);
		if (cost < min)
			min = cost;
	}
	return min;
}

/* A write to the console brings interrupts; results are kept until the end. */
static char results[64 * KIB];
static size_t results_len;

static void run(const struct exporter *exporter, const char *glob)
{
	const char *missing = exporter_missing(exporter);
	size_t i, k;

	if (missing)
		errx(1, "%s: %s; is base/bench.config right?",
		     exporter->name, missing);

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t len = lens[i].len, granule = exporter->granule;
		struct mapping m;
		struct dmabuf buf;
		int ret;

		/* One page of a huge page can be mapped, and is. */
		if (len > PAGE && len < granule)
			len = granule;
		ret = dmabuf_open(&buf, exporter, len < granule ? granule : len,
				  O_RDWR);
		if (ret) {
			errno = -ret;
			err(1, "%s: a buffer of %zu KiB", exporter->name,
			    len / KIB);
		}
		m = (struct mapping){
			.fd = buf.fd, .len = len,
			.times = len == PAGE ? TIMES : 1,
		};

		for (k = 0; k < ARRAY_SIZE(operations); k++) {
			const struct operation *op = &operations[k];

			if (op->sizes != ALL && op->sizes != lens[i].sizes)
				continue;
			if (op->imports && len != buf.size)
				continue;
			if (fnmatch(glob, op->name, 0))
				continue;
			results_len += snprintf(results + results_len,
				sizeof(results) - results_len,
				"%s\t%s\t%zu\t%ld\n", op->name, exporter->name,
				len, least(op, &m));
			if (results_len >= sizeof(results))
				errx(1, "more results than there is room for");
		}
		dmabuf_close(&buf);
	}
}

/* Two instructions a turn, for as long as no interrupt comes */
static void check_clock(void)
{
	int64_t t, min = INT64_MAX;
	const long turns = 500000;
	int i;

	clock_cost = 0;
	for (i = 0; i < 101; i++) {
		elapsed = 0;
		start();
		stop();
		if (elapsed < min)
			min = elapsed;
	}
	clock_cost = min;

	min = INT64_MAX;
	for (i = 0; i < 9; i++) {
		long n = turns;

		settle();
		elapsed = 0;
		start();
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
		stop();
		if (elapsed < min)
			min = elapsed;
	}
	t = 2 * turns;
	if (min < t - t / 1000 || min > t + t / 1000)
		errx(1, "%ld instructions took %ld ns: the guest must count them (make guest ICOUNT=1)",
		     t, min);
	fprintf(stderr, "# %ld instructions took %ld ns, the clock %ld\n",
		t, min, clock_cost);
}

int main(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 1 };
	size_t i;

	/* Where a mapping is decides how many page tables it takes. */
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
		personality(ADDR_NO_RANDOMIZE);
		execv("/proc/self/exe", argv);
		err(1, "/proc/self/exe");
	}

	/* Not MCL_FUTURE: that would be for what is measured, too. */
	if (mlockall(MCL_CURRENT))
		err(1, "mlockall");
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");

	check_clock();
	for (i = 0; i < ARRAY_SIZE(exporters); i++)
		run(exporter_find(exporters[i]), argc > 1 ? argv[1] : "*");
	fwrite(results, 1, results_len, stdout);
	return 0;
}
