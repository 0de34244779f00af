// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete importer that copes with buffers that move, the one that
 * Documentation/driver-api/dma-buf/attachment-modes.rst shows. The KUnit
 * suite in mode-example-test.c compiles and runs it.
 */

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "mode-test.h"

struct example_import {
	struct dma_buf_attachment *attach;
	/* NULL if it isn't mapped; protected by the reservation lock */
	struct sg_table *sgt;
};

static int example_map(struct example_import *imp)
{
	struct sg_table *sgt;

	if (imp->sgt)
		return 0;

	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	imp->sgt = sgt;
	return 0;
}

static void example_unmap(struct dma_buf_attachment *attach)
{
	struct example_import *imp = attach->importer_priv;

	if (!imp->sgt)
		return;

	/* The device uses these addresses until its last job is done. */
	dma_resv_wait_timeout(attach->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
			      false, MAX_SCHEDULE_TIMEOUT);
	dma_buf_unmap_attachment(attach, imp->sgt, DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
}

static const struct dma_buf_attach_ops example_attach_ops = {
	/* Not revocable: the jobs of this driver can't go on without memory. */
	.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE,
	/*
	 * It comes with the reservation lock held, and may come before
	 * imp->attach is set: that is why it goes by its argument.
	 */
	.invalidate_mappings = example_unmap,
};

struct example_import *example_import_attach(struct dma_buf *dmabuf,
					     struct device *dev)
{
	struct dma_buf_attachment *attach;
	struct example_import *imp;

	/* Complete before the attach, as the callback may use it from then. */
	imp = kzalloc_obj(*imp);
	if (!imp)
		return ERR_PTR(-ENOMEM);

	attach = dma_buf_dynamic_attach(dmabuf, dev, &example_attach_ops, imp);
	if (IS_ERR(attach)) {
		kfree(imp);
		return ERR_CAST(attach);
	}

	get_dma_buf(dmabuf);
	imp->attach = attach;
	return imp;
}

int example_import_run(struct example_import *imp, example_job_t job,
		       void *data)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	struct dma_fence *fence;
	long ret;

	dma_resv_lock(resv, NULL);

	/* Lazily: the buffer may have moved since the job before. */
	ret = example_map(imp);
	if (ret)
		goto out_unlock;

	/* A move that is under way, and those who use the buffer before us */
	ret = dma_resv_wait_timeout(resv, dma_resv_usage_rw(true), true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		goto out_unlock;

	/* What can fail comes first: a job that runs must have its fence. */
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		goto out_unlock;

	fence = job(imp->sgt, data);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto out_unlock;
	}

	/* Until it signals, the exporter leaves the old memory alone. */
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	dma_fence_put(fence);

out_unlock:
	dma_resv_unlock(resv);
	return ret;
}

/* For the time that the device can't follow a move, such as scanout */
int example_import_pin(struct example_import *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	int ret;

	dma_resv_lock(resv, NULL);

	/* In this order: to pin a buffer, its exporter may have to move it. */
	ret = dma_buf_pin(imp->attach);
	if (!ret) {
		ret = example_map(imp);
		if (ret)
			dma_buf_unpin(imp->attach);
	}

	dma_resv_unlock(resv);
	return ret;
}

void example_import_unpin(struct example_import *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_unpin(imp->attach);
	dma_resv_unlock(resv);
}

void example_import_detach(struct example_import *imp)
{
	struct dma_buf *dmabuf = imp->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	example_unmap(imp->attach);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, imp->attach);
	dma_buf_put(dmabuf);
	kfree(imp);
}
