// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachment modes of dma-bufs: negotiated, recorded and kept
 */

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"
#include "dma-buf-mode.h"

/**
 * DOC: attachment modes
 *
 * A device that is attached to a dma-buf depends on what the exporter does with
 * the memory behind it. There are three modes:
 *
 * %DMA_BUF_MODE_PINNED
 *   The buffer stays where it is, and accessible, for as long as the attachment
 *   is pinned.
 *
 * %DMA_BUF_MODE_REVOCABLE
 *   The buffer stays where it is, but access may be taken away, and given back.
 *   The importer learns of it by &dma_buf_attach_ops.invalidate_mappings, and
 *   unmaps in bounded time.
 *
 * %DMA_BUF_MODE_MOVABLE
 *   The buffer may move at any time. After
 *   &dma_buf_attach_ops.invalidate_mappings the importer maps it again before
 *   its next use, and that works. It may pin the buffer for a while.
 *
 * The exporter offers modes, for each buffer, in &dma_buf_export_info.modes.
 * The importer accepts modes, in &dma_buf_attach_ops.modes. The core picks one
 * of those in both, and the attach fails with -EOPNOTSUPP if there is none. The
 * order is movable, revocable, pinned: whoever needs a stronger promise accepts
 * less. The mode doesn't change until detach, and dma_buf_attachment_mode()
 * tells it.
 *
 * Drivers that declare nothing work as they did before there were modes; what
 * they offer and accept then follows from their ops, see
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
 * Locks nest in this order, and lockdep knows it from boot on: mmap_lock, then
 * the reservation lock, then what an importer takes in its
 * &dma_buf_attach_ops.invalidate_mappings.
 */

/* A mapping of an attachment that has another one in its map_sgt */
struct dma_buf_attach_map {
	struct dma_buf_attach_map *next;
	struct sg_table *sgt;
	enum dma_data_direction dir;
};

/* dma_buf_mode_negotiate() takes the highest bit in common */
static_assert(DMA_BUF_MODE_MOVABLE > DMA_BUF_MODE_REVOCABLE);
static_assert(DMA_BUF_MODE_REVOCABLE > DMA_BUF_MODE_PINNED);

/**
 * dma_buf_offered_modes - the modes that a buffer offers to importers
 * @dmabuf:	the buffer
 *
 * An importer can look at it before it attaches. Exporters that declare nothing
 * offer %DMA_BUF_MODE_PINNED, and %DMA_BUF_MODE_MOVABLE as well if they have a
 * pin op.
 *
 * Context: Any. Takes no lock.
 * Return: a mask of DMA_BUF_MODE_*, never 0. It is the same for as long as the
 * buffer has a file descriptor.
 */
u32 dma_buf_offered_modes(const struct dma_buf *dmabuf)
{
	return dma_buf_mode_offered(dmabuf);
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

/* What is wrong with the modes that an exporter declares; NULL if nothing is */
static const char *export_defect(const struct dma_buf_export_info *exp_info)
{
	if (exp_info->modes & ~DMA_BUF_MODE_ALL)
		return "an unknown mode";
	if (exp_info->modes & DMA_BUF_MODE_MOVABLE && !exp_info->ops->pin)
		return "movable without a pin op";
	return NULL;
}

/**
 * dma_buf_mode_check_export - check the modes that an exporter declares
 * @exp_info:	as given to dma_buf_export(), with ops
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL with one WARN for each exporter if there is an unknown
 * bit or %DMA_BUF_MODE_MOVABLE is offered without a pin op.
 */
int dma_buf_mode_check_export(const struct dma_buf_export_info *exp_info)
{
	const char *defect = export_defect(exp_info);

	if (likely(!defect))
		return 0;

	if (dma_buf_first_offence("offers", exp_info->exp_name,
				  module_name(exp_info->owner)))
		WARN(1, "dma-buf: exporter %s (%s) offers %s (modes %#x), refused\n",
		     exp_info->exp_name, module_name(exp_info->owner), defect,
		     exp_info->modes);
	return -EINVAL;
}

/* What is wrong with the modes that an importer declares; NULL if nothing is */
static const char *attach_defect(const struct dma_buf_attach_ops *ops)
{
	if (ops->modes & ~DMA_BUF_MODE_ALL)
		return "an unknown mode";
	if (ops->modes & ~DMA_BUF_MODE_PINNED && !ops->invalidate_mappings)
		return "revocable or movable without invalidate_mappings";
	return NULL;
}

/**
 * dma_buf_mode_check_attach - check the modes that an importer declares
 * @attach:	attachment with dev and importer_ops set, on no list yet
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EINVAL with one WARN for each importing driver if there is an
 * unknown bit or a mode that needs invalidate_mappings without it.
 */
int dma_buf_mode_check_attach(const struct dma_buf_attachment *attach)
{
	const char *defect = attach_defect(attach->importer_ops);
	const char *driver;

	if (likely(!defect))
		return 0;

	driver = dev_driver_string(attach->dev);
	if (dma_buf_first_offence("accepts", driver, dev_bus_name(attach->dev)))
		WARN(1, "dma-buf: importer %s accepts %s (modes %#x), refused\n",
		     driver, defect, attach->importer_ops->modes);
	return -EINVAL;
}

/**
 * dma_buf_mode_pin_attached - let the core pin a new attachment
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or the error of the exporter's pin op, and then @attach is on no
 * list.
 */
int dma_buf_mode_pin_attached(struct dma_buf_attachment *attach)
{
	int ret = dma_buf_mode_pin(attach);

	if (ret)
		list_del(&attach->node);
	return ret;
}

static __cold noinline void drop_leftovers(struct dma_buf_attachment *attach)
{
	const char *driver = dev_driver_string(attach->dev);

	if (dma_buf_first_offence("detaches", driver, dev_bus_name(attach->dev)))
		WARN(1, "dma-buf: importer %s detaches from a buffer of %s with %u mappings and %u pins left\n",
		     driver, attach->dmabuf->exp_name,
		     dma_buf_mode_nr_maps(attach),
		     attach->pins - dma_buf_mode_core_pins(attach));

	if (attach->map_sgt)
		dma_buf_unmap_attachment(attach, attach->map_sgt,
					 attach->map_dir);
	while (attach->more_maps)
		dma_buf_unmap_attachment(attach, attach->more_maps->sgt,
					 attach->more_maps->dir);
	while (dma_buf_mode_may_unpin(attach))
		dma_buf_mode_unpin(attach);
}

/**
 * dma_buf_mode_drop - drop the pins and mappings of an attachment
 * @attach:	attachment, on the buffer's list, that is being detached
 *
 * WARNs, once for each importing driver, unless the core's pin is all there is.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_mode_drop(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (unlikely(attach->map_sgt || attach->more_maps ||
		     dma_buf_mode_may_unpin(attach)))
		drop_leftovers(attach);
	if (dma_buf_mode_core_pins(attach))
		dma_buf_mode_unpin(attach);
}

/**
 * dma_buf_mode_mapped_again - record a mapping beside the one in map_sgt
 * @attach:	attachment that was mapped
 * @sgt:	what the importer gets for it
 * @dir:	direction that it was mapped for
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or -ENOMEM.
 */
int dma_buf_mode_mapped_again(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	struct dma_buf_attach_map *map = kmalloc_obj(*map);

	if (!map)
		return -ENOMEM;

	map->sgt = sgt;
	map->dir = dir;
	map->next = attach->more_maps;
	attach->more_maps = map;
	return 0;
}

/**
 * dma_buf_mode_unmap_other - unmap a mapping that is not in map_sgt
 * @attach:	attachment to unmap
 * @sgt:	what the importer got for the mapping. An exporter may return the
 *		same table twice, and then any record of it will do.
 * @dir:	direction, for the exporter
 *
 * WARNs and does nothing if the attachment has no such mapping: the exporter
 * would take somebody else's.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_mode_unmap_other(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	struct dma_buf_attach_map **link, *map;

	dma_resv_assert_held(attach->dmabuf->resv);

	for (link = &attach->more_maps; (map = *link); link = &map->next)
		if (map->sgt == sgt)
			break;
	if (WARN_ON_ONCE(!map))
		return;

	/* Have it in map_sgt, and go the usual way. */
	swap(map->sgt, attach->map_sgt);
	swap(map->dir, attach->map_dir);
	if (!map->sgt) {
		*link = map->next;
		kfree(map);
	}
	dma_buf_unmap_attachment(attach, sgt, dir);
}

/**
 * dma_buf_mode_nr_maps - how many mappings does an attachment hold?
 * @attach:	the attachment
 *
 * Context: Holds the reservation lock.
 * Return: the number of mappings that the importer has not unmapped yet.
 */
unsigned int dma_buf_mode_nr_maps(const struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_map *map;
	unsigned int nr = !!attach->map_sgt;

	dma_resv_assert_held(attach->dmabuf->resv);

	for (map = attach->more_maps; map; map = map->next)
		nr++;
	return nr;
}

#ifdef CONFIG_LOCKDEP
/* Held while an importer is told, so that the locks it takes come after it. */
static struct lockdep_map invalidate_lockdep_map =
	STATIC_LOCKDEP_MAP_INIT("dma_buf_invalidate_mappings",
				&invalidate_lockdep_map);

/*
 * As a trylock: an eviction may come from reclaim, with a reservation lock that
 * was only tried, and may tell others while the first one is being told. What
 * has to come before it, lockdep knows from dma_buf_mode_lockdep().
 */
static void invalidate_enter(void)
{
	lock_map_acquire_try(&invalidate_lockdep_map);
}

static void invalidate_leave(void)
{
	lock_map_release(&invalidate_lockdep_map);
}

/* Teach lockdep the order before a driver gets it wrong. */
static int __init dma_buf_mode_lockdep(void)
{
	struct mm_struct *mm = mm_alloc();
	struct dma_resv resv;

	if (!mm)
		return -ENOMEM;

	dma_resv_init(&resv);

	mmap_read_lock(mm);
	dma_resv_lock(&resv, NULL);
	lock_map_acquire(&invalidate_lockdep_map);
	lock_map_release(&invalidate_lockdep_map);
	dma_resv_unlock(&resv);
	mmap_read_unlock(mm);

	dma_resv_fini(&resv);
	mmput(mm);
	return 0;
}
subsys_initcall(dma_buf_mode_lockdep);
#else
static void invalidate_enter(void)
{
}

static void invalidate_leave(void)
{
}
#endif

/**
 * dma_buf_mode_invalidate - tell an importer that its mappings are void
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_mode_invalidate(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (!attach->importer_ops || !attach->importer_ops->invalidate_mappings)
		return;

	trace_dma_buf_invalidate_mappings(attach);

	invalidate_enter();
	attach->importer_ops->invalidate_mappings(attach);
	invalidate_leave();
}
