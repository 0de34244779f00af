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

#include <linux/dma-buf.h>
#include <linux/udmabuf.h>

#include "iommufd_test.h"	/* of drivers/iommu/iommufd */

#include "../tools/testing/selftests/dma-buf/exporters.h"
#include "../tools/testing/selftests/dma-buf/write_file.h"
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
	int memfd;		/* for iommufd */
	size_t len;		/* bytes, from the start of the buffer */
	int times;		/* between two looks at the clock */
	size_t extents;		/* that it has at least */
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

/* The module of attach/ */
static int importer(void)
{
	static int dev = -1;

	if (dev < 0)
		dev = open("/dev/dma_buf_bench", O_RDWR);
	if (dev < 0)
		err(1, "/dev/dma_buf_bench (insmod dma_buf_test.ko makes it)");
	return dev;
}

/*
 * What a device's driver does, m->times, in the kernel. Meanwhile the buffer is
 * in use, as it is where it is shared: vgem frees the pages of one that isn't.
 */
static void import(const struct mapping *m, struct dma_buf_bench how)
{
	int dev = importer(), ret;
	char *p;

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

/* So many maps that the attach doesn't count */
#define LARGE_MAPS	64

static void map_large(const struct mapping *m)
{
	import(m, (struct dma_buf_bench){ .attachments = 1, .maps = LARGE_MAPS });
	elapsed /= LARGE_MAPS;
}

/* Where the buffer is, by DMA addresses on the base and by PFNs on the series */
static void describe(const struct mapping *m)
{
	struct dma_buf_bench_describe how = { .fd = m->fd };
	int dev = importer(), ret;

	start();
	ret = ioctl(dev, DMA_BUF_BENCH_DESCRIBE, &how);
	stop();
	if (ret)
		err(1, "DMA_BUF_BENCH_DESCRIBE");
	if (how.extents < m->extents)
		errx(1, "%llu extents, expected %zu: the pages aren't scattered",
		     (unsigned long long)how.extents, m->extents);
}

/* Bytes, and no instructions */
static void describe_bytes(const struct mapping *m)
{
	struct dma_buf_bench_describe how = { .fd = m->fd, .count = 1 };

	if (ioctl(importer(), DMA_BUF_BENCH_DESCRIBE, &how))
		err(1, "DMA_BUF_BENCH_DESCRIBE");
	elapsed += how.bytes;
}

/*
 * Room for @nr mappings of @len bytes side by side, the first at a multiple of
 * @len. *@area has (@nr + 1) * @len bytes, to be unmapped.
 */
static char *reserve(size_t nr, size_t len, char **area)
{
	*area = mmap(NULL, (nr + 1) * len, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*area == MAP_FAILED)
		err(1, "mmap");
	return (char *)(((uintptr_t)*area + len - 1) / len * len);
}

static void map_at(char *p, const struct mapping *m, off_t offset)
{
	if (mmap(p, m->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 m->fd, offset) != p)
		err(1, "mmap at an address");
}

/* One page of a BAR, whose mapping takes one entry: a huge one */
static void fault_at(const struct mapping *m, off_t offset)
{
	char *area, *p = reserve(1, m->len, &area);

	map_at(p, m, offset);
	start();
	touch(p, PAGE);
	stop();
	if (munmap(area, 2 * m->len))
		err(1, "munmap");
}

static void fault_bar(const struct mapping *m)
{
	fault_at(m, 0);
}

static void fault_bar_by_run(const struct mapping *m)
{
	fault_at(m, 1024 * MIB);
}

/*
 * What is small is done more than once between two looks at the clock, so that
 * a slab that is refilled now and then doesn't make it or break it.
 */
#define TIMES	64

enum sizes {
	PAGE_ONLY,		/* one page */
	LARGEST,		/* 64 MiB */
	HUGE,			/* 256 MiB, for what CPUs don't map */
	SOME,			/* 1 MiB, or the exporter's granule, and 16 MiB */
	ALL,
};

static const struct operation {
	const char *name;
	void (*run)(const struct mapping *m);
	enum sizes sizes;
	bool imports;		/* all of the buffer; repeats that m->times itself */
} operations[] = {
	{ "total",		total,		ALL,		false },
	{ "fault",		just_touch,	PAGE_ONLY,	false },
	{ "mmap",		just_mmap,	LARGEST,	false },
	{ "touch",		just_touch,	LARGEST,	false },
	{ "unmap",		just_unmap,	LARGEST,	false },
	{ "one page",		one_page,	LARGEST,	false },
	/* What the core takes is the same for any size. */
	{ "attach static",	attach_static,	PAGE_ONLY,	true },
	{ "attach dynamic",	attach_dynamic,	PAGE_ONLY,	true },
	{ "map static",		map_static,	PAGE_ONLY,	true },
	{ "map dynamic",	map_dynamic,	PAGE_ONLY,	true },
	/* What the exporter takes depends on how the buffer lies in memory. */
	{ "attach large",	attach_static,	LARGEST,	true },
	{ "map large",		map_large,	LARGEST,	true },
	{ "describe",		describe,	HUGE,		true },
	{ "describe bytes",	describe_bytes,	HUGE,		true },
};

/*
 * A udmabuf of single pages of which no two are side by side in memory, or only
 * by chance: the pages of the two halves of its memfd are allocated in turn.
 */
static int scattered_create(const struct exporter *exporter, struct dmabuf *buf,
			    int flags)
{
	struct udmabuf_create create = { .size = buf->size };
	size_t i;
	char *p;
	int dev;

	(void)exporter;
	(void)flags;
	buf->memfd = memfd_create("bench", MFD_ALLOW_SEALING);
	if (buf->memfd < 0 || ftruncate(buf->memfd, buf->size) ||
	    fcntl(buf->memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	p = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		 buf->memfd, 0);
	if (p == MAP_FAILED)
		return -errno;
	for (i = 0; i < buf->size / 2; i += PAGE) {
		touch(p + i, PAGE);
		touch(p + buf->size / 2 + i, PAGE);
	}
	munmap(p, buf->size);

	create.memfd = buf->memfd;
	dev = open("/dev/udmabuf", O_RDWR);
	buf->fd = dev < 0 ? -1 : ioctl(dev, UDMABUF_CREATE, &create);
	if (buf->fd < 0)
		return -errno;
	close(dev);
	return 0;
}

static const char *scattered_missing(const struct exporter *exporter)
{
	(void)exporter;
	return NULL;
}

static const struct exporter_kind scattered_kind = {
	.missing = scattered_missing,
	.create = scattered_create,
};

static const struct exporter scattered = {
	.name = "udmabuf_4k",
	.kind = &scattered_kind,
	.exp_name = "udmabuf",
};

/* exporters_list.c of the selftests has what the others are. */
static const struct {
	const char *name;
	const struct exporter *exporter;
	size_t min;		/* bytes */
	size_t max;
} exporters[] = {
	{ "udmabuf",		NULL,		0,		64 * MIB },
	{ "udmabuf_4k",		&scattered,	64 * MIB,	256 * MIB },
	{ "udmabuf_huge",	NULL,		0,		256 * MIB },
	{ "system_heap",	NULL,		0,		256 * MIB },
	{ "cma_heap",		NULL,		0,		256 * MIB },
	{ "vgem",		NULL,		0,		64 * MIB },
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
	{ 256 * MIB,	HUGE },
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

static void add_result(const char *operation, const char *exporter, size_t len,
		       int64_t cost)
{
	results_len += snprintf(results + results_len,
				sizeof(results) - results_len,
				"%s\t%s\t%zu\t%ld\n", operation, exporter, len,
				cost);
	if (results_len >= sizeof(results))
		errx(1, "more results than there is room for");
}

static void run(const struct exporter *exporter, size_t min, size_t max,
		const char *glob)
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

		if (len < min || len > max)
			continue;
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
			/* Of two neighbours, some may be side by side by chance. */
			.extents = exporter == &scattered ? len / PAGE / 2 : 0,
		};

		for (k = 0; k < ARRAY_SIZE(operations); k++) {
			const struct operation *op = &operations[k];

			if (op->sizes != ALL && op->sizes != lens[i].sizes)
				continue;
			if (op->imports && len != buf.size)
				continue;
			if (fnmatch(glob, op->name, 0))
				continue;
			add_result(op->name, exporter->name, len, least(op, &m));
		}
		dmabuf_close(&buf);
	}
}

/*
 * What a virtual machine monitor does with memory of its guest: all of it is
 * mapped for devices, and unmapped. The IOMMU is iommufd's mock.
 */
static void iommufd_map(const struct mapping *m, int fd)
{
	static int iommufd = -1;
	static __u32 ioas;
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.fd = fd,
		.length = m->len,
		.iova = MOCK_APERTURE_START,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.iova = MOCK_APERTURE_START,
		.length = m->len,
	};
	int ret;

	if (iommufd < 0) {
		struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
		struct iommu_test_cmd mock = {
			.size = sizeof(mock),
			.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		};

		iommufd = open("/dev/iommu", O_RDWR);
		if (iommufd < 0 || ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
			err(1, "/dev/iommu");
		ioas = alloc.out_ioas_id;
		mock.id = ioas;
		if (ioctl(iommufd, IOMMU_TEST_CMD, &mock))
			err(1, "IOMMU_TEST_OP_MOCK_DOMAIN");
	}
	map.ioas_id = ioas;
	unmap.ioas_id = ioas;

	start();
	ret = ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map);
	if (!ret)
		ret = ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap);
	stop();
	if (ret)
		err(1, "IOMMU_IOAS_MAP_FILE and IOMMU_IOAS_UNMAP");
}

static void iommufd_memfd(const struct mapping *m)
{
	iommufd_map(m, m->memfd);
}

/* The base maps no dma-buf but VFIO's. Who has a udmabuf maps its memfd there. */
static void iommufd_dmabuf(const struct mapping *m)
{
	struct dma_buf_query query = {};
	bool series = !ioctl(m->fd, DMA_BUF_IOCTL_QUERY, &query);

	iommufd_map(m, series ? m->fd : m->memfd);
}

static void run_iommufd(const char *glob)
{
	static const struct operation ops[] = {
		{ "iommufd", iommufd_dmabuf, HUGE, false },
		{ "iommufd memfd", iommufd_memfd, HUGE, false },
	};
	const struct exporter *const exporters[] = {
		&scattered, exporter_find("udmabuf_huge"),
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(exporters); i++) {
		struct dmabuf buf;
		struct mapping m;
		int ret;

		ret = dmabuf_open(&buf, exporters[i], 256 * MIB, O_RDWR);
		if (ret) {
			errno = -ret;
			err(1, "%s: a buffer of 256 MiB", exporters[i]->name);
		}
		m = (struct mapping){
			.fd = buf.fd, .memfd = buf.memfd, .len = buf.size,
			.times = 1,
		};
		for (k = 0; k < ARRAY_SIZE(ops); k++)
			if (!fnmatch(glob, ops[k].name, 0))
				add_result(ops[k].name, exporters[i]->name,
					   m.len, least(&ops[k], &m));
		dmabuf_close(&buf);
	}
}

static void run_bar(const char *glob)
{
	static const struct operation ops[] = {
		{ "fault", fault_bar, PAGE_ONLY, false },
		{ "run fault", fault_bar_by_run, PAGE_ONLY, false },
	};
	const size_t sizes[] = { PAGE, 2 * MIB, 1024 * MIB };
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(ops); k++) {
		if (fnmatch(glob, ops[k].name, 0))
			continue;
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			const struct mapping m = {
				.fd = importer(), .len = sizes[i], .times = 1,
			};

			add_result(ops[k].name, "bar", m.len,
				   least(&ops[k], &m));
		}
	}
}

/*
 * A buffer is taken away and given back while so many importers have it mapped,
 * or so many mappings of CPUs, of 2 MiB and with a huge entry each.
 */
static void revoke_attached(const struct mapping *m)
{
	int ret, dev = importer();

	(void)m;
	start();
	ret = ioctl(dev, DMA_BUF_BENCH_REVOKE);
	stop();
	if (ret)
		err(1, "DMA_BUF_BENCH_REVOKE");
}

static char *first_mapping;

static void revoke_mapped(const struct mapping *m)
{
	size_t i;

	for (i = 0; i < m->extents; i++)
		touch(first_mapping + i * m->len, PAGE);
	revoke_attached(m);
}

static void run_revoke(const char *glob)
{
	static const struct operation ops[] = {
		{ "revoke attached", revoke_attached, HUGE, false },
		{ "revoke mapped", revoke_mapped, HUGE, false },
	};
	static const size_t nrs[] = { 1, 16, 256 };
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(ops); k++) {
		bool attached = ops[k].run == revoke_attached;
		int64_t cost[ARRAY_SIZE(nrs)];

		if (fnmatch(glob, ops[k].name, 0))
			continue;
		for (i = 0; i < ARRAY_SIZE(nrs); i++) {
			struct mapping m = {
				.len = 2 * MIB, .times = 1, .extents = nrs[i],
			};
			char nr[16], *area;
			size_t n;

			m.fd = ioctl(importer(), DMA_BUF_BENCH_REVOKE_BEGIN,
				     attached ? nrs[i] : 0);
			if (m.fd < 0)
				err(1, "DMA_BUF_BENCH_REVOKE_BEGIN");
			first_mapping = reserve(nrs[i], m.len, &area);
			for (n = 0; n < nrs[i] && !attached; n++)
				map_at(first_mapping + n * m.len, &m, 0);
			cost[i] = least(&ops[k], &m);
			snprintf(nr, sizeof(nr), "%zu", nrs[i]);
			add_result(ops[k].name, nr, m.len, cost[i]);
			munmap(area, (nrs[i] + 1) * m.len);
			close(m.fd);
			if (ioctl(importer(), DMA_BUF_BENCH_REVOKE_END))
				err(1, "DMA_BUF_BENCH_REVOKE_END");
		}
		/* It grows with their number, and no faster. */
		if (cost[2] > 18 * cost[1])
			errx(1, "%s: %ld with 256, %ld with 16",
			     ops[k].name, cost[2], cost[1]);
	}
}

/* udmabuf refuses what is larger. */
static void set_limits(void)
{
	static const char *const limits[][2] = {
		{ "/sys/module/udmabuf/parameters/size_limit_mb", "256" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (write_file(limits[i][0], limits[i][1]))
			err(1, "%s", limits[i][0]);
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
	const char *glob = argc > 1 ? argv[1] : "*";
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
	set_limits();
	for (i = 0; i < ARRAY_SIZE(exporters); i++)
		run(exporters[i].exporter ?: exporter_find(exporters[i].name),
		    exporters[i].min, exporters[i].max, glob);
	run_bar(glob);
	run_iommufd(glob);
	run_revoke(glob);
	fwrite(results, 1, results_len, stdout);
	return 0;
}
