// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: importers, from attach to detach
 */

#include <linux/bitops.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "test-device.h"

/**
 * DOC: importer of the test device
 *
 * %DMA_BUF_TEST_ATTACH makes an importer, which does what it is told: map, pin,
 * let its device read and write, and unmap soon, late or never when the
 * exporter takes the buffer away. It has attach ops of its own, so each can
 * accept other modes. With %DMA_BUF_TEST_NO_DEVICE it has no device to map for, and
 * goes by the PFNs that the exporter tells.
 *
 * Its state is changed with the reservation lock of the dma-buf and
 * &dbt_importer.lock held. The latter nests inside the former, as
 * invalidate_mappings is called with the reservation lock held. With it alone,
 * %DMA_BUF_TEST_IMPORTER_INFO looks at an importer while its buffer is being
 * moved.
 *
 * The open file's xarray holds a reference to each importer, and an ioctl holds
 * one while it runs. invalidate_mappings and the work that unmaps late hold
 * none, nor does a job of the device: dbt_importer_put() ends the job, disables
 * the work and detaches, and after that none of them runs.
 */

/* What an importer does when it is told: one of them */
#define DBT_UNMAP_FLAGS		(DMA_BUF_TEST_UNMAP_LATE |		\
				 DMA_BUF_TEST_UNMAP_NEVER |		\
				 DMA_BUF_TEST_BUSY)

#define DBT_ATTACH_FLAGS						\
	(DMA_BUF_TEST_STATIC | DMA_BUF_TEST_INVALIDATE |		\
	 DMA_BUF_TEST_PEER2PEER | DBT_UNMAP_FLAGS | DMA_BUF_TEST_LEAK |	\
	 DMA_BUF_TEST_WRONG_ORDER | DMA_BUF_TEST_EXCLUSIVE | DBT_STOP_FLAGS)

/**
 * dbt_importer_get - find an importer
 * @file:	the open file that it belongs to
 * @id:		what %DMA_BUF_TEST_ATTACH has called it
 *
 * Return: the importer, to be given back by dbt_importer_put(), or
 * ERR_PTR(-ENOENT).
 */
struct dbt_importer *dbt_importer_get(struct dbt_file *file, u32 id)
{
	struct dbt_importer *imp;

	xa_lock(&file->importers);
	imp = xa_load(&file->importers, id);
	if (imp)
		kref_get(&imp->refs);
	xa_unlock(&file->importers);

	return imp ?: ERR_PTR(-ENOENT);
}

static void importer_release(struct kref *refs)
{
	struct dbt_importer *imp = container_of(refs, struct dbt_importer, refs);
	struct dma_buf *dmabuf = imp->dmabuf;

	dbt_job_end(imp);
	dbt_exclusive_end(imp);
	if (!(imp->flags & DMA_BUF_TEST_LEAK)) {
		dma_resv_lock(dmabuf->resv, NULL);
		if (imp->flags & DMA_BUF_TEST_EXCLUSIVE)
			dma_buf_drop_exclusive(imp->attach, 0,
					       dmabuf->size >> PAGE_SHIFT);
		if (imp->sgt)
			dbt_importer_drop(imp);
		if (imp->pfn.open)
			dbt_pfn_close(imp);
		while (imp->pins)
			dbt_importer_unpin(imp);
		dma_resv_unlock(dmabuf->resv);
	}

	/*
	 * Disabled, as one that leaks is still told and would queue it again.
	 * Without the reservation lock, as the work takes it.
	 */
	disable_delayed_work_sync(&imp->late);
	dma_buf_detach(dmabuf, imp->attach);
	dma_buf_put(dmabuf);
	dbt_device_put(imp->device);
	mutex_destroy(&imp->outer_lock);
	mutex_destroy(&imp->lock);
	kfree(imp);
}

/**
 * dbt_importer_put - give a reference to an importer back
 * @imp:	the importer, NULL or an ERR_PTR; with the last reference, it is
 *		detached
 *
 * Context: Process context, may sleep. No reservation lock is held.
 */
void dbt_importer_put(struct dbt_importer *imp)
{
	if (!IS_ERR_OR_NULL(imp))
		kref_put(&imp->refs, importer_release);
}

/**
 * dbt_importer_put_all - detach all importers of a file that is being closed
 * @file:	the file; no ioctl on it is running
 *
 * Context: Process context, may sleep.
 */
void dbt_importer_put_all(struct dbt_file *file)
{
	struct dbt_importer *imp;
	unsigned long id;

	xa_for_each(&file->importers, id, imp)
		dbt_importer_put(imp);
}

static struct dma_buf_attachment *dynamic_attach(struct dbt_importer *imp,
						 struct device *dev)
{
	if (dev)
		return dma_buf_dynamic_attach(imp->dmabuf, dev, &imp->ops, imp);
	return dma_buf_pfn_attach(imp->dmabuf, "dma_buf_test", &imp->ops, imp);
}

static struct dma_buf_attachment *importer_attach(struct dbt_importer *imp,
						  struct device *dev)
{
	bool wrong = imp->flags & DMA_BUF_TEST_WRONG_ORDER;
	struct dma_buf_attachment *attach;

	if (imp->flags & DMA_BUF_TEST_STATIC)
		return dma_buf_attach(imp->dmabuf, dev);

	if (wrong)
		mutex_lock(&imp->outer_lock);
	attach = dynamic_attach(imp, dev);
	if (wrong)
		mutex_unlock(&imp->outer_lock);
	if (IS_ERR(attach))
		return attach;

	dma_resv_lock(imp->dmabuf->resv, NULL);
	dma_buf_importer_might_lock(attach, &imp->lock);
	if (wrong)
		dma_buf_importer_might_lock(attach, &imp->outer_lock);
	dma_resv_unlock(imp->dmabuf->resv);
	return attach;
}

static struct dbt_importer *importer_alloc(const struct dma_buf_test_attach *arg)
{
	struct dbt_importer *imp = kzalloc_obj(*imp);

	if (!imp)
		return NULL;

	kref_init(&imp->refs);
	mutex_init(&imp->lock);
	mutex_init(&imp->outer_lock);
	INIT_DELAYED_WORK(&imp->late, dbt_importer_late);
	INIT_DELAYED_WORK(&imp->job.work, dbt_job_work);
	imp->device = arg->device;
	imp->flags = arg->flags;
	imp->delay_ms = arg->delay_ms;
	imp->ops.modes = arg->modes;
	imp->ops.allow_peer2peer = arg->flags & DMA_BUF_TEST_PEER2PEER;
	if (arg->flags & DMA_BUF_TEST_INVALIDATE)
		imp->ops.invalidate_mappings = dbt_importer_invalidate;
	if (arg->flags & DMA_BUF_TEST_EXCLUSIVE)
		imp->ops.exclusive_lost = dbt_exclusive_lost;
	INIT_LIST_HEAD(&imp->exclusive.stops);
	return imp;
}

/* An importer that is attached, and known to nobody else but the exporter */
static struct dbt_importer *
importer_create(const struct dma_buf_test_attach *arg)
{
	struct dma_buf_attachment *attach;
	struct dbt_importer *imp;
	struct device *dev;
	int ret;

	imp = importer_alloc(arg);
	if (!imp)
		return ERR_PTR(-ENOMEM);

	dev = dbt_device_get(arg->device);
	if (IS_ERR(dev)) {
		ret = PTR_ERR(dev);
		goto err_free;
	}

	imp->dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(imp->dmabuf)) {
		ret = PTR_ERR(imp->dmabuf);
		goto err_device;
	}

	/* It may be told to drop its mappings from here on, having none. */
	attach = importer_attach(imp, dev);
	if (IS_ERR(attach)) {
		ret = PTR_ERR(attach);
		goto err_dmabuf;
	}
	imp->attach = attach;
	return imp;

err_dmabuf:
	dma_buf_put(imp->dmabuf);
err_device:
	dbt_device_put(arg->device);
err_free:
	mutex_destroy(&imp->outer_lock);
	mutex_destroy(&imp->lock);
	kfree(imp);
	return ERR_PTR(ret);
}

static bool attach_is_valid(const struct dma_buf_test_attach *arg)
{
	u32 flags = arg->flags;

	if (flags & ~DBT_ATTACH_FLAGS)
		return false;
	if (flags & DMA_BUF_TEST_STATIC &&
	    (arg->modes || flags & ~(DMA_BUF_TEST_STATIC | DMA_BUF_TEST_LEAK)))
		return false;
	if (arg->device == DMA_BUF_TEST_NO_DEVICE &&
	    (!arg->modes ||
	     flags & (DMA_BUF_TEST_STATIC | DMA_BUF_TEST_BUSY)))
		return false;
	if (flags & (DBT_UNMAP_FLAGS | DMA_BUF_TEST_WRONG_ORDER) &&
	    !(flags & DMA_BUF_TEST_INVALIDATE))
		return false;
	if (hweight32(flags & DBT_UNMAP_FLAGS) > 1)
		return false;
	if (flags & DBT_STOP_FLAGS &&
	    (!(flags & DMA_BUF_TEST_EXCLUSIVE) ||
	     flags & (DBT_UNMAP_FLAGS | DMA_BUF_TEST_LEAK) ||
	     hweight32(flags & DBT_STOP_FLAGS) > 1))
		return false;
	if (flags & (DMA_BUF_TEST_UNMAP_LATE | DMA_BUF_TEST_BUSY |
		     DMA_BUF_TEST_STOP_LATE))
		return arg->delay_ms <= DBT_MAX_DELAY_MS;
	return !arg->delay_ms;
}

long dbt_ioctl_attach(struct dbt_file *file, union dbt_arg *arg)
{
	struct dbt_importer *imp;
	u32 id;
	int ret;

	if (!attach_is_valid(&arg->attach))
		return -EINVAL;

	imp = importer_create(&arg->attach);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	/* It can be found, and detached, from here on. */
	ret = xa_alloc(&file->importers, &id, imp, xa_limit_31b, GFP_KERNEL);
	if (ret) {
		dbt_importer_put(imp);
		return ret;
	}
	return id;
}

long dbt_ioctl_detach(struct dbt_file *file, union dbt_arg *arg)
{
	struct dbt_importer *imp;

	/* With the reference that the file had */
	imp = xa_erase(&file->importers, arg->importer.id);
	if (!imp)
		return -ENOENT;
	dbt_importer_put(imp);
	return 0;
}
