/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the dma-buf test device share; dbt_ is for dma-buf test.
 */

#ifndef _DMA_BUF_TEST_DEVICE_H
#define _DMA_BUF_TEST_DEVICE_H

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "dma-buf-test-uapi.h"

/* What userspace may have the device wait for, in milliseconds */
#define DBT_MAX_DELAY_MS	10000

struct device;
struct dma_fence;
struct page;
struct vm_area_struct;

/* An open /dev/dma_buf_test */
struct dbt_file {
	struct xarray importers;
};

/* The argument of an ioctl, copied from userspace and, if _IOC_READ, back */
union dbt_arg {
	struct dma_buf_test_export export;
	struct dma_buf_test_attach attach;
	struct dma_buf_test_importer importer;
	struct dma_buf_test_dma dma;
	struct dma_buf_test_importer_info importer_info;
	struct dma_buf_test_pfn_open pfn_open;
	struct dma_buf_test_pfn_query pfn_query;
	struct dma_buf_test_vmap vmap;
	struct dma_buf_test_buffer buffer;
	struct dma_buf_test_lie lie;
	struct dma_buf_test_revoke revoke;
	struct dma_buf_test_buffer_info buffer_info;
	struct dma_buf_test_dma_mask dma_mask;
	struct dma_buf_test_exclusive exclusive;
};

/*
 * The memory behind a buffer. A buffer that moves gets another one; mappings
 * that importers have not unmapped keep the one that they were made for.
 */
struct dbt_backing {
	struct kref refs;
	struct list_head node;	/* in &dbt_buffer.old */
	u32 kind;
	/* Of a PCI device's memory, which has no pages */
	struct {
		void __iomem *vaddr;
		unsigned long pfn;
	} mmio;
	unsigned long row;	/* pages of a physical range */
	unsigned long nr_pages;
	struct page *pages[] __counted_by(nr_pages);
};

/* An exporter's buffer: &dma_buf.priv */
struct dbt_buffer {
	u32 kind;
	u32 flags;
	struct dma_buf_ops ops;
	struct dma_buf *dmabuf;
	struct list_head node;	/* of those in a PCI device's memory */
	struct mutex revoke_lock;

	/* The reservation lock protects these. */
	struct dbt_backing *backing;
	struct list_head mappings;
	u32 lie;
	pgoff_t lie_first;
	bool turned;
	/* Memory from before a move that importers may still be at */
	struct list_head old;

	/* Some ops are called without a lock. */
	struct {
		atomic_t pins;
		atomic_t mappings;
		atomic_t attaches;
		atomic_t detaches;
		atomic_t pin_calls;
		atomic_t unpin_calls;
		atomic_t map_calls;
		atomic_t unmap_calls;
		atomic_t moves;
		atomic_t asks;
	} counts;
};

/* What the map op of a buffer has returned; on the buffer's list of mappings */
struct dbt_mapping {
	struct list_head node;
	struct sg_table sgt;
	struct dma_buf_attachment *attach;
	enum dma_data_direction dir;

	/* Only of buffers that move */
	struct dbt_backing *backing;
	/* The importer was told to drop it; nothing is to be synced any more. */
	bool stale;
};

struct dbt_importer {
	struct kref refs;
	u32 device;
	u32 flags;
	u32 delay_ms;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct dma_buf_attach_ops ops;
	struct delayed_work late;
	struct mutex outer_lock; /* of %DMA_BUF_TEST_WRONG_ORDER */

	/*
	 * What the device does, if that takes time. Changed with the reservation
	 * lock held, and then only if the fence is signaled or there is none.
	 */
	struct {
		struct delayed_work work;
		struct dma_fence *fence;
		u64 offset;
		size_t length;
		void *data;
	} job;

	struct {
		/* Of a page that it counts in; with the reservation lock held */
		struct dma_fence *counting;
		pgoff_t page;
		/* With the lock below */
		struct list_head stops;
		bool ended;
		u32 takes;
		u32 lost;
	} exclusive;

	/*
	 * Nests inside the reservation lock. What follows is changed with both
	 * held, so one of them is enough to look at it.
	 */
	struct mutex lock;
	struct sg_table *sgt;
	bool valid;
	u32 pins;
	u32 invalidates;
	u32 maps;
	u32 unmaps;
	struct {
		struct dma_buf_pfn_mapping mapping;
		bool open;
		bool valid;
		bool write;
		u32 opens;
		u32 closes;
	} pfn;
};

/* device.c */
int dbt_devices_register(void);
void dbt_devices_unregister(void);
struct device *dbt_device_get(u32 index);
void dbt_device_put(u32 index);
bool dbt_device_is_direct(struct device *dev);
long dbt_ioctl_dma_mask(struct dbt_file *file, union dbt_arg *arg);

/* backing.c */
struct dbt_backing *dbt_backing_alloc(u32 kind, unsigned long nr_pages);
struct dbt_backing *dbt_backing_get(struct dbt_backing *backing);
void dbt_backing_put(struct dbt_backing *backing);
void dbt_backing_put_all(struct list_head *backings);
int dbt_backing_range(struct dbt_backing *backing, pgoff_t index,
		      struct dma_buf_pfn_range *range);
void dbt_backing_copy(struct dbt_backing *to, const struct dbt_backing *from);

/* mmio.c */
int dbt_mmio_register(void);
void dbt_mmio_unregister(void);
bool dbt_is_mmio(u32 kind);
int dbt_mmio_alloc(struct dbt_backing *backing);
void dbt_mmio_free(struct dbt_backing *backing);
void dbt_mmio_copy(struct dbt_backing *to, const struct dbt_backing *from);
int dbt_mmio_range(const struct dbt_backing *backing,
		   struct dma_buf_pfn_range *range);
void dbt_mmio_add_buffer(struct dbt_buffer *buf);
void dbt_mmio_del_buffer(struct dbt_buffer *buf);

/* dma-api.c */
int dbt_dma_register(void);
void dbt_dma_unregister(void);
struct dma_buf *dbt_dma_export(const struct dma_buf_test_export *arg);

/* exporter.c */
struct dma_buf *dbt_buffer_get(int fd);
long dbt_ioctl_export(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_buffer_info(struct dbt_file *file, union dbt_arg *arg);

/* exporter-dma.c */
struct dbt_mapping *dbt_mapping_create(struct dma_buf_attachment *attach,
				       struct page **pages,
				       unsigned long nr_pages,
				       enum dma_data_direction dir,
				       unsigned long attrs);
void dbt_mapping_destroy(struct dbt_mapping *map, unsigned long attrs);
void dbt_sync_for_cpu(struct list_head *mappings);
void dbt_sync_for_device(struct list_head *mappings);
struct sg_table *dbt_buffer_map(struct dma_buf_attachment *attach,
				enum dma_data_direction dir);
void dbt_buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir);
int dbt_buffer_begin_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir);
int dbt_buffer_end_cpu_access(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);

/* exporter-mmap.c */
int dbt_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* exporter-pfn.c */
int dbt_buffer_pfn_range(struct dma_buf *dmabuf, pgoff_t index,
			 struct dma_buf_pfn_range *range);
long dbt_ioctl_lie(struct dbt_file *file, union dbt_arg *arg);

/* exporter-move.c */
void dbt_buffer_free_old(struct dma_buf *dmabuf);
long dbt_ioctl_move(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_revoke(struct dbt_file *file, union dbt_arg *arg);

/* importer.c */
struct dbt_importer *dbt_importer_get(struct dbt_file *file, u32 id);
void dbt_importer_put(struct dbt_importer *imp);
DEFINE_FREE(dbt_importer_put, struct dbt_importer *, dbt_importer_put(_T))
void dbt_importer_put_all(struct dbt_file *file);
long dbt_ioctl_attach(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_detach(struct dbt_file *file, union dbt_arg *arg);

/* importer-exclusive.c */

/* How the device of an importer that has taken a range stops: one of them */
#define DBT_STOP_FLAGS		(DMA_BUF_TEST_STOP_LATE | DMA_BUF_TEST_STOP_NEVER)

struct dma_fence *dbt_exclusive_lost(struct dma_buf_attachment *attach,
				     pgoff_t first, unsigned long nr);
void dbt_exclusive_end(struct dbt_importer *imp);
long dbt_ioctl_take(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_drop(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_count(struct dbt_file *file, union dbt_arg *arg);

/* importer-ops.c */
void dbt_importer_invalidate(struct dma_buf_attachment *attach);
void dbt_importer_late(struct work_struct *work);
int dbt_importer_map(struct dbt_importer *imp);
void dbt_importer_drop(struct dbt_importer *imp);
void dbt_importer_unpin(struct dbt_importer *imp);
long dbt_ioctl_pin(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_unpin(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_map(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_unmap(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_pfn_close(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_importer_info(struct dbt_file *file, union dbt_arg *arg);

/* importer-job.c */
void dbt_job_work(struct work_struct *work);
int dbt_job_start(struct dbt_importer *imp, u64 offset, void *data,
		  size_t length);
bool dbt_job_is_busy(struct dbt_importer *imp);
void dbt_job_wait(struct dbt_importer *imp);
void dbt_job_end(struct dbt_importer *imp);

/* importer-pfn.c */
void dbt_pfn_close(struct dbt_importer *imp);
int dbt_pfn_copy(struct dbt_importer *imp, u64 offset, void *data,
		 size_t length, bool write);
long dbt_ioctl_pfn_open(struct dbt_file *file, union dbt_arg *arg);
long dbt_ioctl_pfn_query(struct dbt_file *file, union dbt_arg *arg);

/* importer-vmap.c */
long dbt_ioctl_vmap(struct dbt_file *file, union dbt_arg *arg);

/* importer-dma.c */
int dbt_dma_copy(struct dbt_importer *imp, u64 offset, void *data,
		 size_t length, bool write);
long dbt_ioctl_dma(struct dbt_file *file, union dbt_arg *arg);

#endif /* _DMA_BUF_TEST_DEVICE_H */
