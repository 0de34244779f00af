/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attachment modes as userspace sees them: what dma-buf-mode-show.c does for
 * the rest of the core.
 */

#ifndef _DMA_BUF_MODE_SHOW_H
#define _DMA_BUF_MODE_SHOW_H

struct dma_buf;
struct dma_buf_attachment;
struct seq_file;

bool dma_buf_is_query_modes(unsigned int cmd);
long dma_buf_query_modes(struct dma_buf *dmabuf, unsigned int cmd,
			 unsigned long arg);

void dma_buf_mode_show_fdinfo(struct seq_file *m, const struct dma_buf *dmabuf);
void dma_buf_mode_show_bufinfo(struct seq_file *m,
			       const struct dma_buf_attachment *attach);

#endif /* _DMA_BUF_MODE_SHOW_H */
