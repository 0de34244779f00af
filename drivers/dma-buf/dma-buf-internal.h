/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that the files of the dma-buf core call in each other. Drivers don't
 * call them.
 */

#ifndef _DMA_BUF_INTERNAL_H
#define _DMA_BUF_INTERNAL_H

#include <linux/dma-direction.h>
#include <linux/mm_types.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_export_info;
struct dma_buf_attach_ops;
struct dma_buf_hold;
struct dma_buf_mapping;
struct dma_buf_pfn_iter;
struct dma_buf_pfn_range;
struct device;
struct dma_fence;
struct iosys_map;
struct lockdep_map;
struct seq_file;
struct sg_table;
struct vm_area_struct;

/* dma-buf.c */
struct dma_buf_attachment *
dma_buf_attach_importer(struct dma_buf *dmabuf, struct device *dev,
			const struct dma_buf_attach_ops *importer_ops,
			void *importer_priv, const char *name);
void dma_buf_unwrap_sg_table(struct sg_table **sg_table);

/* dma-buf-attach.c */
extern struct lockdep_map dma_buf_invalidate_lockdep_map;
const char *dma_buf_attach_driver(const struct dma_buf_attachment *attach);
const char *dma_buf_attach_bus(const struct dma_buf_attachment *attach);
int dma_buf_attach_add(struct dma_buf_attachment *attach);
void dma_buf_attach_del(struct dma_buf_attachment *attach);
int dma_buf_attach_pin(struct dma_buf_attachment *attach);
bool dma_buf_attach_may_unpin(const struct dma_buf_attachment *attach);
void dma_buf_attach_unpin(struct dma_buf_attachment *attach);
struct dma_buf_mapping *
dma_buf_attach_new_mapping(struct dma_buf_attachment *attach);
void dma_buf_attach_free_mapping(struct dma_buf_attachment *attach,
				 struct dma_buf_mapping *mapping);
size_t dma_buf_attach_nr_mappings(const struct dma_buf_attachment *attach);
void dma_buf_attach_unmap(struct dma_buf_attachment *attach,
			  const struct sg_table *sgt,
			  enum dma_data_direction dir);
void dma_buf_attach_invalidate(struct dma_buf_attachment *attach);
void dma_buf_attach_restored(struct dma_buf_attachment *attach);
struct dma_fence *
dma_buf_attach_exclusive_lost(struct dma_buf_attachment *attach, pgoff_t first,
			      unsigned long nr);

/* dma-buf-exclusive.c */
size_t dma_buf_exclusive_detach(struct dma_buf_attachment *attach);
void dma_buf_exclusive_lose_all(struct dma_buf *dmabuf);
void dma_buf_exclusive_end(struct dma_buf *dmabuf);
struct dma_buf_hold *dma_buf_exclusive_claim(struct dma_buf *dmabuf,
					     pgoff_t index);
int dma_buf_exclusive_wait(struct dma_buf_hold *hold, bool wait, bool killable);
bool dma_buf_exclusive_is_taken(struct dma_buf *dmabuf, pgoff_t first,
				unsigned long nr);
void dma_buf_exclusive_clip(struct dma_buf *dmabuf, pgoff_t index,
			    pgoff_t *first, pgoff_t *end);
void dma_buf_exclusive_release(struct dma_buf *dmabuf);

/* dma-buf-mmap.c */
int dma_buf_mmap_exporter(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* dma-buf-mode.c */
int dma_buf_mode_check_export(const struct dma_buf_export_info *exp_info);
int dma_buf_mode_negotiate(struct dma_buf_attachment *attach);

/* dma-buf-pfn.c */

/* Those who may ask for physical addresses */
#define DMA_BUF_PFN_MODULES	"kvm,dma_buf_test,dmabuf_pfn_kunit"

int dma_buf_pfn_check_export(const struct dma_buf_export_info *exp_info);
int dma_buf_pfn_ask(struct dma_buf *dmabuf, pgoff_t index,
		    struct dma_buf_pfn_range *range);
int dma_buf_pfn_ask_part(struct dma_buf *dmabuf, pgoff_t index, pgoff_t first,
			 pgoff_t end, struct dma_buf_pfn_range *range);
void dma_buf_pfn_walk(struct dma_buf_pfn_iter *iter, struct dma_buf *dmabuf,
		      pgoff_t first, unsigned long nr);
void dma_buf_pfn_invalidate(struct dma_buf_attachment *attach);

/* dma-buf-pfn-map.c */
struct sg_table *dma_buf_pfn_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir);
void dma_buf_pfn_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir, bool stale);
void dma_buf_pfn_free_table(struct dma_buf_attachment *attach);
int dma_buf_pfn_begin_cpu_access(struct dma_buf *dmabuf,
				 enum dma_data_direction dir);
void dma_buf_pfn_end_cpu_access(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

/* dma-buf-pfn-mmap.c */
pgprot_t dma_buf_pfn_pgprot(const struct dma_buf_pfn_range *range, pgprot_t prot);
int dma_buf_pfn_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
void dma_buf_pfn_zap(struct dma_buf *dmabuf);
void dma_buf_pfn_zap_pages(struct dma_buf *dmabuf, pgoff_t first,
			   unsigned long nr);
void dma_buf_pfn_release_file(struct dma_buf *dmabuf);

/* dma-buf-pfn-vmap.c */
int dma_buf_pfn_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_pfn_vunmap(struct iosys_map *map);

/* dma-buf-query.c */
bool dma_buf_is_query(unsigned int cmd);
long dma_buf_query(struct dma_buf *dmabuf, unsigned int cmd, unsigned long arg);
void dma_buf_show_fdinfo_modes(struct seq_file *m, const struct dma_buf *dmabuf);
void dma_buf_show_bufinfo_attachment(struct seq_file *m,
				     struct dma_buf_attachment *attach);

/* dma-buf-revoke.c */
extern struct lockdep_map dma_buf_revoke_lockdep_map;
int dma_buf_revoke_check_vmap(const struct dma_buf *dmabuf);
void dma_buf_revoke_unmapped(struct dma_buf *dmabuf);

/* dma-buf-warn.c */
bool dma_buf_warn_once(const char *rule, const char *name, const char *owner);

#endif /* _DMA_BUF_INTERNAL_H */
