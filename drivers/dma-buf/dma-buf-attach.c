// SPDX-License-Identifier: GPL-2.0-only
/*
 * An attachment between attach and detach: its pins and its mappings
 */

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/slab.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/**
 * dma_buf_attachment_name - the name of an attachment for messages
 * @attach:	the attachment
 *
 * Context: Any.
 * Return: the name of the device, or that of an importer without one. Valid
 * until detach.
 */
const char *dma_buf_attachment_name(const struct dma_buf_attachment *attach)
{
	return attach->dev ? dev_name(attach->dev) : attach->name;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attachment_name, "DMA_BUF");

/**
 * dma_buf_attach_driver - the importing driver, for messages
 * @attach:	the attachment
 *
 * Context: Any.
 * Return: its name.
 */
const char *dma_buf_attach_driver(const struct dma_buf_attachment *attach)
{
	return attach->dev ? dev_driver_string(attach->dev) : attach->name;
}

/**
 * dma_buf_attach_bus - the bus of the importing driver, for messages
 * @attach:	the attachment
 *
 * Context: Any.
 * Return: its name, which is empty without a device or a bus.
 */
const char *dma_buf_attach_bus(const struct dma_buf_attachment *attach)
{
	return attach->dev ? dev_bus_name(attach->dev) : "";
}

/*
 * Does the core pin the attachment from attach to detach, or until it retires?
 * Importers that declare no modes pin by themselves, or are pinned while they
 * map.
 */
static bool core_pins(const struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->modes &&
	       attach->mode != DMA_BUF_MODE_MOVABLE && !attach->retired;
}

/**
 * dma_buf_attach_add - let a new attachment take effect
 * @attach:	attachment that &dma_buf_ops.attach has agreed to
 *
 * From here on the importer's invalidate_mappings may be called.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, -ENODEV if the buffer is revoked, or the error of the exporter's
 * pin op. @attach is on no list after an error.
 */
int dma_buf_attach_add(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	/*
	 * Under the lock: a revoke between &dma_buf_ops.attach and here would
	 * miss this attachment.
	 */
	if (dmabuf->revoked)
		return -ENODEV;

	/* On the list first: pin ops look at who is attached. */
	list_add(&attach->node, &dmabuf->attachments);

	if (!core_pins(attach))
		return 0;

	ret = dma_buf_attach_pin(attach);
	if (ret)
		list_del(&attach->node);
	else if (attach->retired)
		/* By invalidate_mappings, which the pin op may have called. */
		dma_buf_attach_unpin(attach);
	return ret;
}

/* Are there pins and mappings that the importer should have dropped? */
static bool has_leftovers(const struct dma_buf_attachment *attach)
{
	return attach->mappings || !hlist_empty(&attach->pfn_mappings) ||
	       dma_buf_attach_may_unpin(attach);
}

static void drop_leftovers(struct dma_buf_attachment *attach)
{
	struct dma_buf_pfn_mapping *pfn;
	struct hlist_node *next;
	const char *driver;

	driver = dma_buf_attach_driver(attach);
	if (dma_buf_warn_once("detaches", driver, dma_buf_attach_bus(attach)))
		WARN(1, "dma-buf: importer %s detaches from a buffer of %s with %zu mappings and %u pins left\n",
		     driver, attach->dmabuf->exp_name,
		     dma_buf_attach_nr_mappings(attach) +
		     hlist_count_nodes(&attach->pfn_mappings),
		     attach->pins - core_pins(attach));

	/* An exporter that moves the buffer may have others unmapped meanwhile. */
	while (attach->mappings)
		dma_buf_attach_unmap(attach, attach->mappings->sgt,
				     attach->mappings->dir);
	hlist_for_each_entry_safe(pfn, next, &attach->pfn_mappings, node)
		dma_buf_pfn_close(pfn);
	while (dma_buf_attach_may_unpin(attach))
		dma_buf_attach_unpin(attach);
}

/* What the importer has taken from CPUs and not given back */
static void drop_exclusive(struct dma_buf_attachment *attach)
{
	size_t nr = dma_buf_exclusive_detach(attach);
	const char *driver = dma_buf_attach_driver(attach);

	if (nr && dma_buf_warn_once("keeps", driver, dma_buf_attach_bus(attach)))
		WARN(1, "dma-buf: importer %s detaches from a buffer of %s with %zu exclusive ranges left\n",
		     driver, attach->dmabuf->exp_name, nr);
}

/* Out of line: an attachment that is detached has seldom anything left. */
static noinline void drop_all(struct dma_buf_attachment *attach)
{
	drop_exclusive(attach);
	if (has_leftovers(attach))
		drop_leftovers(attach);
	dma_buf_pfn_free_table(attach);
	/* What is left is the core's. */
	if (attach->pins)
		dma_buf_attach_unpin(attach);
}

/**
 * dma_buf_attach_del - undo dma_buf_attach_add()
 * @attach:	attachment, on the buffer's list
 *
 * Drops pins and mappings that the importer has left, with one WARN for each
 * importing driver.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_attach_del(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->mappings || !hlist_empty(&attach->pfn_mappings) ||
	    attach->has_more || attach->pins)
		drop_all(attach);
	list_del(&attach->node);
}

/**
 * dma_buf_attach_pin - pin a buffer for an attachment
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or the error of the exporter's pin op.
 */
int dma_buf_attach_pin(struct dma_buf_attachment *attach)
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
 * dma_buf_attach_may_unpin - does the importer hold a pin of its own?
 * @attach:	the attachment
 *
 * Context: Holds the reservation lock.
 * Return: true if there is a pin besides the one that the core may hold.
 */
bool dma_buf_attach_may_unpin(const struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	return attach->pins && attach->pins > core_pins(attach);
}

/**
 * dma_buf_attach_unpin - undo one dma_buf_attach_pin()
 * @attach:	attachment with at least one pin
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_attach_unpin(struct dma_buf_attachment *attach)
{
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* First: the op may call back an importer that retires the attachment. */
	attach->pins--;
	if (ops->unpin)
		ops->unpin(attach);

	trace_dma_buf_unpin(attach);
}

/**
 * dma_buf_retire_attachment - give back the core's pin before the detach
 * @attach:	attachment, unmapped, that is not going to be used again
 *
 * The core pins a %DMA_BUF_MODE_PINNED or %DMA_BUF_MODE_REVOCABLE attachment of
 * an importer that declares &dma_buf_attach_ops.modes until it is detached. An
 * importer that is done with the buffer, but can't detach yet, lets the exporter
 * have its memory back with this function: for example when a revoke is final
 * for what the importer made of the buffer, and userspace still holds a handle
 * to that.
 *
 * The attachment can't be mapped or pinned any more, whatever its mode is. Pins
 * by dma_buf_pin() stay until dma_buf_unpin(). Does nothing the second time.
 *
 * Context: Process context, may sleep. Holds the reservation lock; may be called
 * from &dma_buf_attach_ops.invalidate_mappings.
 */
void dma_buf_retire_attachment(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	/* The device may still be at memory that is about to move. */
	if (WARN_ON_ONCE(attach->mappings ||
			 !hlist_empty(&attach->pfn_mappings)))
		return;

	/* Without a pin this is a callback out of the core's own pin. */
	if (core_pins(attach) && attach->pins)
		dma_buf_attach_unpin(attach);
	dma_buf_pfn_free_table(attach);
	attach->retired = true;
	attach->mappable = false;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_retire_attachment, "DMA_BUF");

/**
 * dma_buf_attach_new_mapping - make a record of a mapping
 * @attach:	attachment that is about to be mapped
 *
 * Call this before the exporter maps, because nothing may fail afterwards. The
 * caller fills it in, and adds it to the attachment's list, when the exporter
 * has mapped. The only mapping of an attachment needs no allocation.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: the record, or NULL if there is no memory for it.
 */
struct dma_buf_mapping *
dma_buf_attach_new_mapping(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->first_mapping.used)
		return kzalloc_obj(struct dma_buf_mapping);
	attach->first_mapping.used = true;
	return &attach->first_mapping;
}

/**
 * dma_buf_attach_free_mapping - free the record of a mapping
 * @attach:	the attachment
 * @mapping:	record from dma_buf_attach_new_mapping(), on no list
 *
 * Context: Holds the reservation lock.
 */
void dma_buf_attach_free_mapping(struct dma_buf_attachment *attach,
				 struct dma_buf_mapping *mapping)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (mapping == &attach->first_mapping) {
		mapping->pinned = false;
		mapping->stale = false;
		mapping->used = false;
	} else {
		kfree(mapping);
	}
}

/**
 * dma_buf_attach_nr_mappings - count the mappings of an attachment
 * @attach:	the attachment
 *
 * Context: Holds the reservation lock.
 * Return: how many the importer has not unmapped yet.
 */
size_t dma_buf_attach_nr_mappings(const struct dma_buf_attachment *attach)
{
	const struct dma_buf_mapping *mapping;
	size_t nr = 0;

	dma_resv_assert_held(attach->dmabuf->resv);

	for (mapping = attach->mappings; mapping; mapping = mapping->next)
		nr++;
	return nr;
}

static void unmap(struct dma_buf_attachment *attach,
		  struct dma_buf_mapping *mapping, enum dma_data_direction dir)
{
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		dma_buf_unwrap_sg_table(&mapping->sgt);
	if (attach->dmabuf->ops->unmap_dma_buf)
		attach->dmabuf->ops->unmap_dma_buf(attach, mapping->table, dir);
	else
		/* The DMA API wants to hear what it was told. */
		dma_buf_pfn_unmap(attach, mapping->table, mapping->dir,
				  mapping->stale);

	if (mapping->pinned)
		attach->dmabuf->ops->unpin(attach);
	dma_buf_attach_free_mapping(attach, mapping);
	if (attach->dmabuf->revoked)
		dma_buf_revoke_unmapped(attach->dmabuf);

	trace_dma_buf_unmap(attach);
}

/**
 * dma_buf_attach_unmap - let the exporter unmap, and forget the mapping
 * @attach:	attachment to unmap
 * @sgt:	table that the importer got for the mapping
 * @dir:	direction, for the exporter
 *
 * An exporter may return the same table twice. Any record of that table is then
 * the right one. If @sgt is no mapping of @attach, it WARNs and does nothing:
 * the exporter would free it.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_attach_unmap(struct dma_buf_attachment *attach,
			  const struct sg_table *sgt,
			  enum dma_data_direction dir)
{
	struct dma_buf_mapping *mapping, **p;

	dma_resv_assert_held(attach->dmabuf->resv);

	for (p = &attach->mappings; (mapping = *p); p = &mapping->next) {
		if (mapping->sgt != sgt)
			continue;
		/*
		 * Should an op of the exporter call back, nobody finds this
		 * mapping any more, nor uses its record for another.
		 */
		*p = mapping->next;
		unmap(attach, mapping, dir);
		return;
	}
	WARN_ON_ONCE(1);
}

#ifdef CONFIG_LOCKDEP
/*
 * Held around invalidate_mappings. Locks of the importer nest inside.
 * dma_resv_lockdep() teaches lockdep at boot which locks are outside.
 */
struct lockdep_map dma_buf_invalidate_lockdep_map =
	STATIC_LOCKDEP_MAP_INIT("dma_buf_invalidate_mappings",
				&dma_buf_invalidate_lockdep_map);
#endif

/**
 * dma_buf_attach_invalidate - tell an importer that its mappings are void
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_attach_invalidate(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (!attach->importer_ops || !attach->importer_ops->invalidate_mappings)
		return;

	trace_dma_buf_invalidate_mappings(attach);
	dma_buf_pfn_invalidate(attach);

	/*
	 * As a trylock, because callbacks may nest: an eviction from reclaim
	 * tries the reservation lock, and may invalidate a second buffer in the
	 * callback of a first.
	 */
	lock_map_acquire_try(&dma_buf_invalidate_lockdep_map);
	attach->importer_ops->invalidate_mappings(attach);
	lock_map_release(&dma_buf_invalidate_lockdep_map);
	/* What was opened in the callback is void, too: the exporter moves now. */
	dma_buf_pfn_invalidate(attach);
}

/**
 * dma_buf_attach_restored - tell an importer that the buffer is accessible again
 * @attach:	attachment, on the buffer's list
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dma_buf_attach_restored(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);

	if (!attach->importer_ops || !attach->importer_ops->restored ||
	    attach->retired)
		return;

	/* It takes the locks that the other callback takes. */
	lock_map_acquire_try(&dma_buf_invalidate_lockdep_map);
	attach->importer_ops->restored(attach);
	lock_map_release(&dma_buf_invalidate_lockdep_map);
}

/**
 * dma_buf_attach_exclusive_lost - tell an importer that CPUs want a range back
 * @attach:	attachment that has taken it
 * @first:	page index in the buffer
 * @nr:		pages
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: a fence that signals when the device has stopped, whose reference is
 * the caller's, or NULL if it has.
 */
struct dma_fence *
dma_buf_attach_exclusive_lost(struct dma_buf_attachment *attach, pgoff_t first,
			      unsigned long nr)
{
	struct dma_fence *fence;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* It takes the locks that the other callbacks take. */
	lock_map_acquire_try(&dma_buf_invalidate_lockdep_map);
	fence = attach->importer_ops->exclusive_lost(attach, first, nr);
	lock_map_release(&dma_buf_invalidate_lockdep_map);
	return fence;
}
