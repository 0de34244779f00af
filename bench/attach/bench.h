/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the importer of make bench
 */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#include "dma_buf_bench.h"

struct device;
struct dma_buf;
struct dma_buf_attach_ops;
struct file;
struct vm_area_struct;

/* dma_buf_bench.c */
extern const struct dma_buf_attach_ops bench_dynamic_ops;

/* bar.c */
int bench_bar_mmap(struct file *file, struct vm_area_struct *vma);

/* describe.c */
int bench_describe(struct dma_buf *dmabuf, struct device *dev,
		   struct dma_buf_bench_describe *arg);

/* revoke.c */
int bench_revoke_begin(struct device *dev, unsigned int importers);
int bench_revoke(void);
int bench_revoke_end(void);

/* count.c */
int bench_count_start(void);
u64 bench_count_so_far(void);
void bench_count_stop(void);

#endif /* BENCH_H */
