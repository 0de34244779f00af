// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachment modes of dma-bufs: what exporters offer, what importers accept, and
 * the mode that an attachment gets
 */

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/module.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

#define ALL_MODES							\
	(DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE | DMA_BUF_MODE_MOVABLE)

/**
 * DOC: attachment modes
 *
 * An exporter may move the memory of a dma-buf, or take it away, while a device
 * is attached. The mode of an attachment says what the importer has to expect.
 * There are three modes:
 *
 * %DMA_BUF_MODE_PINNED
 *   The buffer stays where it is, and stays accessible, for as long as the
 *   attachment is pinned.
 *
 * %DMA_BUF_MODE_REVOCABLE
 *   The buffer stays where it is, but access may be taken away, and given back.
 *   &dma_buf_attach_ops.invalidate_mappings tells the importer, which unmaps in
 *   bounded time.
 *
 * %DMA_BUF_MODE_MOVABLE
 *   The buffer may move at any time. After
 *   &dma_buf_attach_ops.invalidate_mappings the importer maps the buffer again
 *   before its next use, which always works. The importer may pin the buffer
 *   for a while.
 *
 * The exporter offers modes, for each buffer, in &dma_buf_export_info.modes.
 * The importer accepts modes, in &dma_buf_attach_ops.modes. The core picks a
 * mode that is in both masks. If there is none, the attach fails with
 * -EOPNOTSUPP. Movable comes first, then revocable, then pinned, so an importer
 * that needs a stronger promise accepts fewer modes. The mode doesn't change
 * until detach. dma_buf_attachment_mode() returns it.
 *
 * If a driver declares no modes, its ops tell what it offers or accepts, see
 * dma_buf_offered_modes() and &dma_buf_attach_ops.modes.
 *
 * A complete loop of an importer that can cope with moves and does not want its
 * buffer to be revoked:
 *
 * .. code-block:: c
 *
 *	static const struct dma_buf_attach_ops ops = {
 *		.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE,
 *		.invalidate_mappings = drop_mapping,
 *	};
 *
 *	attach = dma_buf_dynamic_attach(dmabuf, dev, &ops, priv);
 *	if (IS_ERR(attach))
 *		return PTR_ERR(attach);
 *
 *	dma_resv_lock(dmabuf->resv, NULL);
 *	if (!priv->sgt)
 *		priv->sgt = dma_buf_map_attachment(attach, dir);
 *	... wait for the KERNEL fences, start the device, add a fence ...
 *	dma_resv_unlock(dmabuf->resv);
 *
 *	... for each further use the same, as drop_mapping() may have unmapped
 *	priv->sgt and set it to NULL ...
 *
 *	dma_buf_detach(dmabuf, attach);
 *
 * Locks nest in this order, which lockdep knows from boot on: mmap_lock, then
 * the reservation lock, then the locks that an importer takes in
 * &dma_buf_attach_ops.invalidate_mappings.
 */

/* dma_buf_mode_negotiate() takes the highest bit in common */
static_assert(DMA_BUF_MODE_MOVABLE > DMA_BUF_MODE_REVOCABLE);
static_assert(DMA_BUF_MODE_REVOCABLE > DMA_BUF_MODE_PINNED);
/* &dma_buf_attachment.mode has a byte. */
static_assert(ALL_MODES <= U8_MAX);

/**
 * dma_buf_offered_modes - the modes that a buffer offers to importers
 * @dmabuf:	the buffer
 *
 * An importer may call this before it attaches. An exporter that declares no
 * modes offers %DMA_BUF_MODE_PINNED, and also %DMA_BUF_MODE_MOVABLE if it has a
 * pin op.
 *
 * Context: Any. Takes no lock.
 * Return: a mask of DMA_BUF_MODE_*, never 0. The mask doesn't change while the
 * buffer has a file descriptor.
 */
u32 dma_buf_offered_modes(const struct dma_buf *dmabuf)
{
	if (dmabuf->modes)
		return dmabuf->modes;
	if (dmabuf->ops->pin)
		return DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE;
	return DMA_BUF_MODE_PINNED;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_offered_modes, "DMA_BUF");

/**
 * dma_buf_attachment_mode - the mode of an attachment
 * @attach:	the attachment
 *
 * Context: Any. Takes no lock. May be called by the exporter from
 * &dma_buf_ops.attach on.
 * Return: one of DMA_BUF_MODE_*. It doesn't change until detach.
 */
u32 dma_buf_attachment_mode(const struct dma_buf_attachment *attach)
{
	return attach->mode;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attachment_mode, "DMA_BUF");

/* Defect of the modes that an exporter declares; NULL if there is none */
static const char *export_defect(const struct dma_buf_export_info *exp_info)
{
	if (exp_info->modes & ~ALL_MODES)
		return "an unknown mode";
	if (exp_info->modes & DMA_BUF_MODE_MOVABLE && !exp_info->ops->pin)
		return "movable without a pin op";
	/* Entries that an op has made before the VMA is linked escape a zap. */
	if (exp_info->modes & DMA_BUF_MODE_REVOCABLE && exp_info->ops->mmap)
		return "revocable with an mmap op";
	return NULL;
}

/**
 * dma_buf_mode_check_export - check the modes that an exporter declares
 * @exp_info:	as given to dma_buf_export(), with ops
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL with one WARN for each exporter if there is an unknown
 * bit, %DMA_BUF_MODE_MOVABLE is offered without a pin op, or
 * %DMA_BUF_MODE_REVOCABLE with an mmap op.
 */
int dma_buf_mode_check_export(const struct dma_buf_export_info *exp_info)
{
	const char *defect = export_defect(exp_info);

	if (!defect)
		return 0;

	if (dma_buf_warn_once("offers", exp_info->exp_name,
			      module_name(exp_info->owner)))
		WARN(1, "dma-buf: exporter %s (%s) offers %s (modes %#x), refused\n",
		     exp_info->exp_name, module_name(exp_info->owner), defect,
		     exp_info->modes);
	return -EINVAL;
}

/* Defect of the modes that an importer declares; NULL if there is none */
static const char *attach_defect(const struct dma_buf_attach_ops *ops)
{
	if (ops->modes & ~ALL_MODES)
		return "an unknown mode";
	if (ops->modes & ~DMA_BUF_MODE_PINNED && !ops->invalidate_mappings)
		return "revocable or movable without invalidate_mappings";
	return NULL;
}

static noinline void warn_attach(const struct dma_buf_attachment *attach,
				 const char *defect)
{
	const char *driver = dma_buf_attach_driver(attach);

	if (dma_buf_warn_once("accepts", driver, dma_buf_attach_bus(attach)))
		WARN(1, "dma-buf: importer %s accepts %s (modes %#x), refused\n",
		     driver, defect, attach->importer_ops->modes);
}

/* Modes that an importer accepts, whether it declares them or not */
static u32 accepted_modes(const struct dma_buf_attach_ops *ops)
{
	if (!ops)
		return DMA_BUF_MODE_PINNED;
	if (ops->modes)
		return ops->modes;
	return ops->invalidate_mappings ? ALL_MODES : DMA_BUF_MODE_PINNED;
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
int dma_buf_mode_negotiate(struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_ops *ops = attach->importer_ops;
	u32 offered = dma_buf_offered_modes(attach->dmabuf);
	u32 accepted = accepted_modes(ops);
	u32 common = offered & accepted;
	const char *defect = ops ? attach_defect(ops) : NULL;

	if (defect) {
		warn_attach(attach, defect);
		return -EINVAL;
	}

	/* The highest bit: the constants are in the order of preference. */
	attach->mode = BIT(fls(common)) >> 1;
	trace_dma_buf_attach_mode(attach, offered, accepted);
	return common ? 0 : -EOPNOTSUPP;
}
