// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: DMA that takes its time
 */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "test-device.h"

/**
 * DOC: jobs of the test device
 *
 * The device of an importer with %DMA_BUF_TEST_BUSY writes when its delay is
 * over, by the DMA addresses of the mapping that there was at the start. Until
 * then a fence in the reservation object says that it is busy. Whoever moves or
 * revokes the buffer has to wait for that, or what is written is lost.
 *
 * There is one job at a time. It needs no lock to end, so that its end may be
 * waited for under the reservation lock.
 */

static const char *job_name(struct dma_fence *fence)
{
	return "dma_buf_test";
}

static const struct dma_fence_ops job_ops = {
	.get_driver_name	= job_name,
	.get_timeline_name	= job_name,
};

/**
 * dbt_job_work - do what was started
 * @work:	&dbt_importer.job.work
 *
 * Context: Process context, of a work queue.
 */
void dbt_job_work(struct work_struct *work)
{
	struct dbt_importer *imp = container_of(to_delayed_work(work),
						struct dbt_importer, job.work);
	void *data = imp->job.data;
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	ret = dbt_dma_copy(imp, imp->job.offset, data, imp->job.length, true);
	if (ret)
		dma_fence_set_error(imp->job.fence, ret);
	dma_fence_signal(imp->job.fence);
	dma_fence_end_signalling(cookie);

	/*
	 * There may be a new job from here on, and whoever waits for that under
	 * the reservation lock waits for this work: it must not take the lock.
	 */
	kvfree(data);
	mod_delayed_work(system_dfl_wq, &imp->late, 0);
}

/**
 * dbt_job_start - let the device write, later
 * @imp:	importer that has a valid mapping
 * @offset:	in bytes, in the buffer
 * @data:	what to write, from kvmalloc(); freed later if this succeeds
 * @length:	of @data, in bytes
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0 or -ENOMEM.
 */
int dbt_job_start(struct dbt_importer *imp, u64 offset, void *data,
		  size_t length)
{
	struct dma_resv *resv = imp->dmabuf->resv;
	struct dma_fence *fence;
	int ret;

	dma_resv_assert_held(resv);

	dbt_job_wait(imp);
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret)
		return ret;
	fence = kzalloc_obj(*fence);
	if (!fence)
		return -ENOMEM;

	dma_fence_init(fence, &job_ops, NULL, dma_fence_context_alloc(1), 1);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_fence_put(imp->job.fence);
	imp->job.fence = fence;
	imp->job.offset = offset;
	imp->job.data = data;
	imp->job.length = length;
	queue_delayed_work(system_dfl_wq, &imp->job.work,
			   msecs_to_jiffies(imp->delay_ms));
	return 0;
}

/**
 * dbt_job_is_busy - is the device at work?
 * @imp:	the importer
 *
 * Context: Holds the reservation lock.
 * Return: true if there is a job that has not ended yet.
 */
bool dbt_job_is_busy(struct dbt_importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);

	return imp->job.fence && !dma_fence_is_signaled(imp->job.fence);
}

/**
 * dbt_job_wait - wait until the device is idle
 * @imp:	the importer
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 */
void dbt_job_wait(struct dbt_importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);

	if (imp->job.fence)
		dma_fence_wait(imp->job.fence, false);
}

/**
 * dbt_job_end - have no job any more, without waiting for the delay
 * @imp:	importer that nobody else uses
 *
 * Context: Process context, may sleep.
 */
void dbt_job_end(struct dbt_importer *imp)
{
	flush_delayed_work(&imp->job.work);
	dma_fence_put(imp->job.fence);
}
