/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attachment modes: what dma-buf-mode.c does for the rest of the core.
 *
 * What each attach, map, unmap and detach goes through is inline: a mapping of
 * one page takes some 1250 instructions from attach to detach, and calls would
 * add a tenth to that.
 */

#ifndef _DMA_BUF_MODE_H
#define _DMA_BUF_MODE_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/list.h>

/*
 * <trace/events/dma_buf.h> is included before this: once more, after dma-buf.c
 * has created the tracepoints, would create them again.
 */

#define DMA_BUF_MODE_ALL						\
	(DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE)

int dma_buf_mode_check_export(const struct dma_buf_export_info *exp_info);
int dma_buf_mode_check_attach(const struct dma_buf_attachment *attach);
int dma_buf_mode_pin_attached(struct dma_buf_attachment *attach);
void dma_buf_mode_drop(struct dma_buf_attachment *attach);
int dma_buf_mode_mapped_again(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir);
void dma_buf_mode_unmap_other(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
unsigned int dma_buf_mode_nr_maps(const struct dma_buf_attachment *attach);
void dma_buf_mode_invalidate(struct dma_buf_attachment *attach);

/* What an exporter offers, whether it says so or not */
static inline u32 dma_buf_mode_offered(const struct dma_buf *dmabuf)
{
	if (dmabuf->modes)
		return dmabuf->modes;

	/*
	 * Not settled at export, because amdgpu and xe replace the ops of the
	 * dma-buf that drm_gem_prime_export() made.
	 */
	if (dmabuf->ops->pin)
		return DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE;
	return DMA_BUF_MODE_PINNED;
}

/* What an importer accepts, whether it says so or not */
static inline u32 dma_buf_mode_accepted(const struct dma_buf_attach_ops *ops)
{
	if (!ops)
		return DMA_BUF_MODE_PINNED;
	if (ops->modes)
		return ops->modes;
	return ops->invalidate_mappings ? DMA_BUF_MODE_ALL :
					  DMA_BUF_MODE_PINNED;
}

/*
 * Does the core keep the attachment pinned from attach to detach? Importers
 * that declare nothing pin by themselves, or are pinned while they map.
 */
static inline bool
dma_buf_mode_core_pins(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->modes &&
	       attach->mode != DMA_BUF_MODE_MOVABLE;
}

/**
 * dma_buf_mode_negotiate - settle the mode of a new attachment
 * @attach:	attachment with dmabuf, dev and importer_ops set, on no list yet
 *
 * Context: Process context, may sleep. The reservation lock is not held.
 * Return: 0, -EOPNOTSUPP if exporter and importer have no mode in common, or
 * -EINVAL with one WARN for each importing driver if what it declares is
 * inconsistent.
 */
static inline int dma_buf_mode_negotiate(struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_ops *ops = attach->importer_ops;
	u32 offered = dma_buf_mode_offered(attach->dmabuf);
	u32 accepted = dma_buf_mode_accepted(ops);
	u32 common = offered & accepted;

	if (ops && unlikely(ops->modes)) {
		int ret = dma_buf_mode_check_attach(attach);

		if (ret)
			return ret;
	}

	/* The constants are in the order of preference. */
	attach->mode = common ? BIT(__fls(common)) : 0;
	trace_dma_buf_attach_mode(attach, offered, accepted);
	return common ? 0 : -EOPNOTSUPP;
}

/**
 * dma_buf_mode_attached - let a new attachment take effect
 * @attach:	attachment that &dma_buf_ops.attach has agreed to
 *
 * From here on the importer may be told to drop its mappings.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, -ENODEV if the buffer is revoked, or the error of the exporter's
 * pin op. @attach is on no list after an error.
 */
static inline int dma_buf_mode_attached(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dma_resv_assert_held(dmabuf->resv);

	/*
	 * Under the lock, or a revoke between &dma_buf_ops.attach and here
	 * would miss this attachment.
	 */
	if (unlikely(dmabuf->revoked))
		return -ENODEV;

	/* On the list first: pin ops look at who is attached. */
	list_add(&attach->node, &dmabuf->attachments);

	if (unlikely(dma_buf_mode_core_pins(attach)))
		return dma_buf_mode_pin_attached(attach);
	return 0;
}

/**
 * dma_buf_mode_detach - end what dma_buf_mode_attached() began
 * @attach:	attachment, on the buffer's list
 *
 * Pins and mappings that the importer has left are dropped, with one WARN for
 * each importing driver.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
static inline void dma_buf_mode_detach(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (unlikely(attach->map_sgt || attach->more_maps || attach->pins))
		dma_buf_mode_drop(attach);
	list_del(&attach->node);
}

/**
 * dma_buf_mode_pin - pin a buffer for an attachment
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or the error of the exporter's pin op.
 */
static inline int dma_buf_mode_pin(struct dma_buf_attachment *attach)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (ops->pin) {
		int ret = ops->pin(attach);

		if (ret)
			return ret;
	}

	attach->pins++;
	trace_dma_buf_pin(attach);
	return 0;
}

/**
 * dma_buf_mode_unpin - undo one dma_buf_mode_pin()
 * @attach:	attachment with at least one pin
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
static inline void dma_buf_mode_unpin(struct dma_buf_attachment *attach)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (ops->unpin)
		ops->unpin(attach);

	attach->pins--;
	trace_dma_buf_unpin(attach);
}

/**
 * dma_buf_mode_may_unpin - does an attachment hold a pin of the importer's own?
 * @attach:	the attachment
 *
 * Context: Holds the reservation lock.
 * Return: true if there is a pin besides the one that the core may hold.
 */
static inline bool
dma_buf_mode_may_unpin(const struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	return attach->pins > dma_buf_mode_core_pins(attach);
}

/**
 * dma_buf_mode_mapped - record a mapping
 * @attach:	attachment that was mapped
 * @sgt:	what the importer gets for it
 * @dir:	direction that it was mapped for
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, or -ENOMEM. An attachment's only mapping never fails.
 */
static inline int dma_buf_mode_mapped(struct dma_buf_attachment *attach,
				      struct sg_table *sgt,
				      enum dma_data_direction dir)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (unlikely(attach->map_sgt)) {
		int ret = dma_buf_mode_mapped_again(attach, sgt, dir);

		if (ret)
			return ret;
	} else {
		attach->map_sgt = sgt;
		attach->map_dir = dir;
	}

	trace_dma_buf_map(attach);
	return 0;
}

/**
 * dma_buf_mode_unmapped - forget the mapping in map_sgt
 * @attach:	attachment that is being unmapped
 *
 * Context: Holds the reservation lock.
 */
static inline void dma_buf_mode_unmapped(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	attach->map_sgt = NULL;
	trace_dma_buf_unmap(attach);
}

#endif /* _DMA_BUF_MODE_H */
