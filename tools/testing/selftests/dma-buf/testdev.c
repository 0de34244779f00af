// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testdev.h"
#include "write_file.h"

#define DEBUGFS		"/sys/kernel/debug"
#define BUFINFO		DEBUGFS "/dma_buf/bufinfo"
#define SLAB		DEBUGFS "/slab"

#define DMA_MAX		(64UL << 10)	/* of DMA_BUF_TEST_DMA */

/* The device */

const char *testdev_missing(void)
{
	if (!access(DMA_BUF_TEST_DEV, F_OK))
		return NULL;
	return "no " DMA_BUF_TEST_DEV ", try modprobe dma_buf_test";
}

int testdev_open(void)
{
	int fd = open(DMA_BUF_TEST_DEV, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int do_ioctl(int fd, unsigned long cmd, const void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int testdev_export(int dev, const struct dma_buf_test_export *export)
{
	return do_ioctl(dev, DMA_BUF_TEST_EXPORT, export);
}

bool testdev_is_mmio(__u32 backing)
{
	return backing == DMA_BUF_TEST_MMIO || backing == DMA_BUF_TEST_MMIO_WC;
}

int testdev_export_all(int dev, __u32 backing, __u32 flags, size_t size)
{
	return testdev_export(dev, &(struct dma_buf_test_export) {
		.size = size,
		.backing = backing,
		/* MMIO is never offered pinned. */
		.modes = testdev_is_mmio(backing) ?
			 REVOCABLE | MOVABLE : PINNED | REVOCABLE | MOVABLE,
		.flags = DMA_BUF_TEST_HAS_PIN | flags,
		.open_flags = O_RDWR | O_CLOEXEC,
	});
}

int testdev_attach(int dev, const struct dma_buf_test_attach *attach)
{
	int id = do_ioctl(dev, DMA_BUF_TEST_ATTACH, attach);

	return id ? id : -EBADMSG;
}

static int importer_ioctl(int dev, unsigned long cmd, __u32 id)
{
	struct dma_buf_test_importer arg = { .id = id };

	return do_ioctl(dev, cmd, &arg);
}

int testdev_detach(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_DETACH, id);
}

int testdev_pin(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_PIN, id);
}

int testdev_unpin(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_UNPIN, id);
}

int testdev_map(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_MAP, id);
}

int testdev_unmap(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_UNMAP, id);
}

int testdev_pfn_open(int dev, __u32 id, bool write)
{
	struct dma_buf_test_pfn_open arg = { .id = id, .write = write };

	return do_ioctl(dev, DMA_BUF_TEST_PFN_OPEN, &arg);
}

int testdev_pfn_close(int dev, __u32 id)
{
	return importer_ioctl(dev, DMA_BUF_TEST_PFN_CLOSE, id);
}

int testdev_pfn_query(int dev, __u32 id, size_t first, size_t nr,
		      struct dma_buf_test_pfn_range *ranges, __u32 max)
{
	struct dma_buf_test_pfn_query arg = {
		.id = id,
		.first = first,
		.nr = nr,
		.ranges = (uintptr_t)ranges,
		.max = max,
	};

	return do_ioctl(dev, DMA_BUF_TEST_PFN_QUERY, &arg);
}

int testdev_pfn_query_one(int dev, __u32 id, size_t index,
			  struct dma_buf_test_pfn_range *range)
{
	struct dma_buf_test_pfn_query arg = {
		.id = id,
		.flags = DMA_BUF_TEST_PFN_ONE,
		.first = index,
		.nr = 1,
		.ranges = (uintptr_t)range,
		.max = 1,
	};

	return do_ioctl(dev, DMA_BUF_TEST_PFN_QUERY, &arg);
}

int testdev_importer_info(int dev, __u32 id,
			  struct dma_buf_test_importer_info *info)
{
	memset(info, 0xff, sizeof(*info));
	info->id = id;
	return do_ioctl(dev, DMA_BUF_TEST_IMPORTER_INFO, info);
}

int testdev_move(int dev, int dmabuf)
{
	struct dma_buf_test_buffer arg = { .fd = dmabuf };

	return do_ioctl(dev, DMA_BUF_TEST_MOVE, &arg);
}

int testdev_lie(int dev, int dmabuf, __u32 lie, size_t first)
{
	struct dma_buf_test_lie arg = {
		.fd = dmabuf,
		.lie = lie,
		.first = first,
	};

	return do_ioctl(dev, DMA_BUF_TEST_LIE, &arg);
}

int testdev_revoke_timeout(int dev, int dmabuf, __u32 revoked, __u32 ms)
{
	struct dma_buf_test_revoke arg = {
		.fd = dmabuf,
		.revoked = revoked,
		.timeout_ms = ms,
	};

	return do_ioctl(dev, DMA_BUF_TEST_REVOKE, &arg);
}

int testdev_revoke(int dev, int dmabuf, __u32 revoked)
{
	return testdev_revoke_timeout(dev, dmabuf, revoked, 10000);
}

int testdev_buffer_info(int dev, int dmabuf,
			struct dma_buf_test_buffer_info *info)
{
	memset(info, 0xff, sizeof(*info));
	info->fd = dmabuf;
	return do_ioctl(dev, DMA_BUF_TEST_BUFFER_INFO, info);
}

static int exclusive(int dev, unsigned long cmd, __u32 id, size_t first,
		     size_t nr, __u64 rounds)
{
	struct dma_buf_test_exclusive arg = {
		.id = id,
		.first = first,
		.nr = nr,
		.rounds = rounds,
	};

	return do_ioctl(dev, cmd, &arg);
}

int testdev_take(int dev, __u32 id, size_t first, size_t nr)
{
	return exclusive(dev, DMA_BUF_TEST_TAKE, id, first, nr, 0);
}

int testdev_drop(int dev, __u32 id, size_t first, size_t nr)
{
	return exclusive(dev, DMA_BUF_TEST_DROP, id, first, nr, 0);
}

int testdev_count(int dev, __u32 id, size_t index, __u64 rounds)
{
	return exclusive(dev, DMA_BUF_TEST_COUNT, id, index, 1, rounds);
}

int testdev_set_dma_mask(int dev, __u32 device, __u32 bits)
{
	struct dma_buf_test_dma_mask arg = { .device = device, .bits = bits };

	return do_ioctl(dev, DMA_BUF_TEST_SET_DMA_MASK, &arg);
}

static int dma_step(int dev, int id, __u32 direction, size_t offset,
		    const void *data, size_t len)
{
	struct dma_buf_test_dma arg = {
		.id = id,
		.direction = direction,
		.offset = offset,
		.length = len,
		.data = (uintptr_t)data,
	};

	return do_ioctl(dev, DMA_BUF_TEST_DMA, &arg);
}

/* @step with as much as an ioctl takes, until all is done; @who is an fd or an id */
static int in_steps(int (*step)(int dev, int who, __u32 direction,
				size_t offset, const void *data, size_t len),
		    int dev, int who, __u32 direction, size_t offset,
		    const void *data, size_t len)
{
	while (len) {
		size_t part = len < DMA_MAX ? len : DMA_MAX;
		int ret = step(dev, who, direction, offset, data, part);

		if (ret)
			return ret;
		offset += part;
		data += part;
		len -= part;
	}
	return 0;
}

int testdev_read(int dev, __u32 id, size_t offset, void *data, size_t len)
{
	return in_steps(dma_step, dev, id, DMA_BUF_TEST_DMA_READ, offset, data,
			len);
}

int testdev_write(int dev, __u32 id, size_t offset, const void *data,
		  size_t len)
{
	return in_steps(dma_step, dev, id, DMA_BUF_TEST_DMA_WRITE, offset, data,
			len);
}

static int vmap_step(int dev, int dmabuf, __u32 direction, size_t offset,
		     const void *data, size_t len)
{
	struct dma_buf_test_vmap arg = {
		.fd = dmabuf,
		.direction = direction,
		.offset = offset,
		.length = len,
		.data = (uintptr_t)data,
	};

	return do_ioctl(dev, DMA_BUF_TEST_VMAP, &arg);
}

int testdev_vmap_read(int dev, int dmabuf, size_t offset, void *data,
		      size_t len)
{
	return in_steps(vmap_step, dev, dmabuf, DMA_BUF_TEST_DMA_READ, offset,
			data, len);
}

int testdev_vmap_write(int dev, int dmabuf, size_t offset, const void *data,
		       size_t len)
{
	return in_steps(vmap_step, dev, dmabuf, DMA_BUF_TEST_DMA_WRITE, offset,
			data, len);
}

int query_modes(int dmabuf, struct dma_buf_query *query)
{
	*query = (struct dma_buf_query) {
		.modes = 0xdead,
		.revoked = 0xdead,
	};
	return do_ioctl(dmabuf, DMA_BUF_IOCTL_QUERY, query);
}

/* fdinfo */

/* The value of "key:\tvalue\n"; 1 if it is there, or -EBADMSG. */
static int parse_value(const char *line, const char *key, char *value,
		       size_t size)
{
	size_t len = strlen(key);
	const char *end;

	if (strncmp(line, key, len) || line[len] != ':')
		return 0;
	line += len + 1;
	end = strchr(line, '\n');
	if (*line != '\t' || !end || (size_t)(end - line) > size || *value)
		return -EBADMSG;
	line++;
	memcpy(value, line, end - line);
	value[end - line] = '\0';
	return 1;
}

int read_fdinfo(int dmabuf, struct shown_modes *shown)
{
	char path[64], line[256];
	int found = 0, ret = 0;
	FILE *f;

	*shown = (struct shown_modes) { 0 };
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (ret >= 0 && fgets(line, sizeof(line), f)) {
		ret = parse_value(line, "modes", shown->modes,
				  sizeof(shown->modes));
		if (!ret)
			ret = parse_value(line, "revoked", shown->revoked,
					  sizeof(shown->revoked));
		found += ret > 0;
	}
	fclose(f);
	if (ret < 0)
		return ret;
	return found == 2 ? 0 : -EBADMSG;
}

/* bufinfo */

static FILE *open_bufinfo(void)
{
	FILE *f = fopen(BUFINFO, "re");

	if (!f && !mount("debugfs", DEBUGFS, "debugfs", 0, NULL))
		f = fopen(BUFINFO, "re");
	return f;
}

int count_buffers(void)
{
	FILE *f = open_bufinfo();
	char line[256];
	int nr = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		nr += !!strstr(line, "\tdma_buf_test\t");
	fclose(f);
	return nr;
}

/* dma_buf_debug_show(): the inode is the last but one of seven columns. */
static bool is_object(const char *line, unsigned long long ino)
{
	unsigned long long found;
	int column;

	for (column = 0; column < 5; column++) {
		line = strchr(line, '\t');
		if (!line)
			return false;
		line++;
	}
	return sscanf(line, "%llu\t", &found) == 1 && found == ino;
}

static int parse_attachment(const char *line, struct shown_attachment *shown)
{
	char again[256], pfn[32] = "";

	shown->pfn_mappings = 0;
	if (sscanf(line,
		   "\t%63[^\t]\tattach-mode: %63[^\t]\tpins: %u\tmappings: %u\tPFN mappings: %u",
		   shown->device, shown->mode, &shown->pins, &shown->mappings,
		   &shown->pfn_mappings) < 4)
		return -EBADMSG;
	if (shown->pfn_mappings)
		snprintf(pfn, sizeof(pfn), "\tPFN mappings: %u",
			 shown->pfn_mappings);

	/* scanf() is not strict about blanks, nor about what comes after. */
	snprintf(again, sizeof(again),
		 "\t%s\tattach-mode: %s\tpins: %u\tmappings: %u%s\n",
		 shown->device, shown->mode, shown->pins, shown->mappings, pfn);
	return strcmp(line, again) ? -EBADMSG : 0;
}

/* What comes behind the line of the object itself */
static int parse_object(FILE *f, struct shown_attachment *shown, int max)
{
	char line[256];
	int nr = 0, ret, total;

	do {
		if (!fgets(line, sizeof(line), f))
			return -EBADMSG;
	} while (strstr(line, " fence:"));
	if (strcmp(line, "\tAttached Devices:\n"))
		return -EBADMSG;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Total %d devices attached\n", &total) == 1)
			return total == nr ? nr : -EBADMSG;
		if (nr == max)
			return -E2BIG;
		ret = parse_attachment(line, &shown[nr]);
		if (ret)
			return ret;
		nr++;
	}
	return -EBADMSG;
}

static void reverse(struct shown_attachment *shown, int nr)
{
	int i;

	for (i = 0; i < nr / 2; i++) {
		struct shown_attachment swap = shown[i];

		shown[i] = shown[nr - 1 - i];
		shown[nr - 1 - i] = swap;
	}
}

int read_bufinfo(int dmabuf, struct shown_attachment *shown, int max)
{
	int ret = -ENOENT;
	char line[256];
	struct stat st;
	FILE *f;

	if (fstat(dmabuf, &st))
		return -errno;

	f = open_bufinfo();
	if (!f)
		return -errno;
	while (ret == -ENOENT && fgets(line, sizeof(line), f))
		if (is_object(line, st.st_ino))
			ret = parse_object(f, shown, max);
	fclose(f);

	/* The kernel adds an attachment in front of the others. */
	if (ret > 0)
		reverse(shown, ret);
	return ret;
}

/* Memory */

/* In the file is a number of objects, and below it their stack. */
static long count_traces(const char *cache, FILE *list)
{
	char path[512], line[512], head[512] = "", *end;
	long nr = 0, here = 0, number;
	FILE *f;

	snprintf(path, sizeof(path), SLAB "/%s/alloc_traces", cache);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		number = strtol(line, &end, 10);
		if (end != line) {
			here = number;
			strcpy(head, line);
		}
		if (!here || !strstr(line, "[dma_buf_test]"))
			continue;
		nr += here;
		here = 0;
		if (list)
			fprintf(list, "%s%s%s", cache, head, line);
	}
	fclose(f);
	return nr;
}

/*
 * With KASAN, what was freed counts until it leaves the quarantine. To shrink a
 * cache takes it out, which costs a walk over all of the quarantine.
 */
static long count_live(const char *cache, FILE *list)
{
	char path[512];

	if (!count_traces(cache, NULL))
		return 0;
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	write_file(path, "1");
	return count_traces(cache, list);
}

long count_objects(FILE *list)
{
	struct dirent *entry;
	long nr = 0;
	DIR *dir;

	dir = opendir(SLAB);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "kmalloc-", strlen("kmalloc-")))
			nr += count_live(entry->d_name, list);
	closedir(dir);
	return nr;
}
