/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DMA_BUF_MODE_TEST_H
#define _DMA_BUF_MODE_TEST_H

struct device;
struct dma_buf;
struct dma_fence;
struct example_import;
struct sg_table;

/* mode-exporter.c */
struct dma_buf *example_movable_export(unsigned long nr_pages);
int example_movable_move(struct dma_buf *dmabuf);

/* mode-importer.c; a job starts the device, its fence tells when it is done */
typedef struct dma_fence *(*example_job_t)(struct sg_table *sgt, void *data);

struct example_import *example_import_attach(struct dma_buf *dmabuf,
					     struct device *dev);
int example_import_run(struct example_import *imp, example_job_t job,
		       void *data);
int example_import_pin(struct example_import *imp);
void example_import_unpin(struct example_import *imp);
void example_import_detach(struct example_import *imp);

#endif /* _DMA_BUF_MODE_TEST_H */
