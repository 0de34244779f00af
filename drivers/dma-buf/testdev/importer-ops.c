// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: what its importers do with the buffer
 */

#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/scatterlist.h>

#include "test-device.h"

/**
 * dbt_importer_drop - unmap the buffer, as soon as the device is idle
 * @imp:	importer that has a mapping, valid or not
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dbt_importer_drop(struct dbt_importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);

	dbt_job_wait(imp);
	/* Those who look with just this lock held leave an invalid one alone. */
	scoped_guard(mutex, &imp->lock)
		imp->valid = false;
	dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);

	/* Counted when it is done, as tests wait for that. */
	guard(mutex)(&imp->lock);
	imp->sgt = NULL;
	imp->unmaps++;
}

/**
 * dbt_importer_map - have a mapping that is valid
 * @imp:	importer; if it has one that is not, that is unmapped
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or an error, and then there is no mapping.
 */
int dbt_importer_map(struct dbt_importer *imp)
{
	struct sg_table *sgt;

	dma_resv_assert_held(imp->dmabuf->resv);

	if (imp->valid)
		return 0;
	if (imp->sgt)
		dbt_importer_drop(imp);

	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	guard(mutex)(&imp->lock);
	imp->sgt = sgt;
	imp->valid = true;
	imp->maps++;
	return 0;
}

/* What it was told to drop */
static void drop_invalid(struct dbt_importer *imp)
{
	if (imp->sgt && !imp->valid)
		dbt_importer_drop(imp);
	if (imp->pfn.open && !imp->pfn.valid)
		dbt_pfn_close(imp);
}

/**
 * dbt_importer_invalidate - &dma_buf_attach_ops.invalidate_mappings
 * @attach:	attachment of an importer. &dbt_importer.attach may not be set
 *		yet, but as long as it isn't, there is no mapping.
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dbt_importer_invalidate(struct dma_buf_attachment *attach)
{
	struct dbt_importer *imp = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	/* Attach holds it outside of the reservation lock: for lockdep only. */
	if (imp->flags & DMA_BUF_TEST_WRONG_ORDER)
		might_lock(&imp->outer_lock);

	scoped_guard(mutex, &imp->lock) {
		imp->invalidates++;
		if (!imp->valid && !imp->pfn.valid)
			return;
		imp->valid = false;
		imp->pfn.valid = false;
	}

	if (imp->flags & DMA_BUF_TEST_UNMAP_NEVER)
		return;
	/* The exporter waits for the fence, and the job unmaps in the end. */
	if (dbt_job_is_busy(imp))
		return;
	if (imp->flags & DMA_BUF_TEST_UNMAP_LATE)
		/* Anew, if it is still queued for a mapping before this one. */
		mod_delayed_work(system_dfl_wq, &imp->late,
				 msecs_to_jiffies(imp->delay_ms));
	else
		drop_invalid(imp);
}

/**
 * dbt_importer_late - unmap late
 * @work:	&dbt_importer.late
 *
 * Context: Process context, of a work queue.
 */
void dbt_importer_late(struct work_struct *work)
{
	struct dbt_importer *imp = container_of(to_delayed_work(work),
						struct dbt_importer, late);
	struct dma_resv *resv = imp->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	/* It may have been unmapped, and even mapped again, meanwhile. */
	drop_invalid(imp);
	dma_resv_unlock(resv);
}

/**
 * dbt_importer_unpin - take back a pin
 * @imp:	importer that holds one
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dbt_importer_unpin(struct dbt_importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);

	dma_buf_unpin(imp->attach);

	guard(mutex)(&imp->lock);
	imp->pins--;
}

static int do_pin(struct dbt_importer *imp)
{
	int ret;

	/* Only those with ops may, the core warns about others. */
	if (imp->flags & DMA_BUF_TEST_STATIC)
		return -EINVAL;

	ret = dma_buf_pin(imp->attach);
	if (ret)
		return ret;

	guard(mutex)(&imp->lock);
	imp->pins++;
	return 0;
}

static int do_unpin(struct dbt_importer *imp)
{
	if (!imp->pins)
		return -EINVAL;
	dbt_importer_unpin(imp);
	return 0;
}

static int do_map(struct dbt_importer *imp)
{
	return imp->valid ? -EBUSY : dbt_importer_map(imp);
}

static int do_unmap(struct dbt_importer *imp)
{
	if (!imp->sgt)
		return -EINVAL;
	dbt_importer_drop(imp);
	return 0;
}

static int do_pfn_close(struct dbt_importer *imp)
{
	if (!imp->pfn.open)
		return -EINVAL;
	dbt_pfn_close(imp);
	return 0;
}

/* Let an importer do something under the reservation lock */
static long with_importer(struct dbt_file *file, u32 id,
			  int (*func)(struct dbt_importer *imp))
{
	struct dma_resv *resv;
	int ret;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	resv = imp->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = func(imp);
	dma_resv_unlock(resv);
	return ret;
}

long dbt_ioctl_pin(struct dbt_file *file, union dbt_arg *arg)
{
	return with_importer(file, arg->importer.id, do_pin);
}

long dbt_ioctl_unpin(struct dbt_file *file, union dbt_arg *arg)
{
	return with_importer(file, arg->importer.id, do_unpin);
}

long dbt_ioctl_map(struct dbt_file *file, union dbt_arg *arg)
{
	return with_importer(file, arg->importer.id, do_map);
}

long dbt_ioctl_unmap(struct dbt_file *file, union dbt_arg *arg)
{
	return with_importer(file, arg->importer.id, do_unmap);
}

long dbt_ioctl_pfn_close(struct dbt_file *file, union dbt_arg *arg)
{
	return with_importer(file, arg->importer.id, do_pfn_close);
}

long dbt_ioctl_importer_info(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf_test_importer_info *info = &arg->importer_info;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, info->id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	info->mode = dma_buf_attachment_mode(imp->attach);
	info->ranges = 0;
	info->address = 0;
	guard(mutex)(&imp->lock);
	info->mapped = !imp->sgt ? 0 : imp->valid ? 1 : 2;
	info->pins = imp->pins;
	info->invalidates = imp->invalidates;
	info->maps = imp->maps;
	info->unmaps = imp->unmaps;
	info->pfn = !imp->pfn.open ? 0 : imp->pfn.valid ? 1 : 2;
	info->pfn_write = imp->pfn.open && imp->pfn.write;
	info->pfn_opens = imp->pfn.opens;
	info->pfn_closes = imp->pfn.closes;
	info->takes = imp->exclusive.takes;
	info->lost = imp->exclusive.lost;
	if (imp->valid) {
		info->ranges = imp->sgt->nents;
		info->address = sg_dma_address(imp->sgt->sgl);
	}
	return 0;
}
