/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that the files of the dma-buf core call in each other. Drivers don't
 * call them.
 */

#ifndef _DMA_BUF_INTERNAL_H
#define _DMA_BUF_INTERNAL_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_export_info;
struct dma_buf_mapping;
struct lockdep_map;
struct seq_file;
struct sg_table;
struct vm_area_struct;

/* dma-buf.c */
bool dma_buf_pin_on_map(struct dma_buf_attachment *attach);
void dma_buf_unwrap_sg_table(struct sg_table **sg_table);

/* dma-buf-attach.c */
extern struct lockdep_map dma_buf_invalidate_lockdep_map;
int dma_buf_attach_add(struct dma_buf_attachment *attach);
void dma_buf_attach_del(struct dma_buf_attachment *attach);
int dma_buf_attach_pin(struct dma_buf_attachment *attach);
bool dma_buf_attach_may_unpin(const struct dma_buf_attachment *attach);
void dma_buf_attach_unpin(struct dma_buf_attachment *attach);
struct dma_buf_mapping *
dma_buf_attach_new_mapping(struct dma_buf_attachment *attach);
struct dma_buf_mapping *
dma_buf_attach_find_mapping(struct dma_buf_attachment *attach,
			    const struct sg_table *sgt);
void dma_buf_attach_free_mapping(struct dma_buf_attachment *attach,
				 struct dma_buf_mapping *mapping);
void dma_buf_attach_unmap(struct dma_buf_attachment *attach,
			  struct dma_buf_mapping *mapping,
			  enum dma_data_direction dir);
void dma_buf_attach_invalidate(struct dma_buf_attachment *attach);

/* dma-buf-mmap.c */
int dma_buf_mmap_exporter(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* dma-buf-mode.c */
int dma_buf_mode_check_export(const struct dma_buf_export_info *exp_info);
int dma_buf_mode_negotiate(struct dma_buf_attachment *attach);

/* dma-buf-query.c */
bool dma_buf_is_query(unsigned int cmd);
long dma_buf_query(struct dma_buf *dmabuf, unsigned int cmd, unsigned long arg);
void dma_buf_show_fdinfo_modes(struct seq_file *m, const struct dma_buf *dmabuf);
void dma_buf_show_bufinfo_attachment(struct seq_file *m,
				     struct dma_buf_attachment *attach);

/* dma-buf-revoke.c */
int dma_buf_revoke_check_vmap(const struct dma_buf *dmabuf);

/* dma-buf-warn.c */
bool dma_buf_warn_once(const char *rule, const char *name, const char *owner);

#endif /* _DMA_BUF_INTERNAL_H */
