/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit: a revoke in a thread of its own
 */
#ifndef _DMA_BUF_TESTS_UNMAP_WAITER_H
#define _DMA_BUF_TESTS_UNMAP_WAITER_H

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/workqueue.h>

struct unmap_waiter {
	struct work_struct work;
	struct completion done;
	struct dma_buf *dmabuf;
	int (*revoke)(struct dma_buf *dmabuf);
	unsigned int before;	/* revokes that others have begun */
	int ret;
};

static void unmap_waiter_work(struct work_struct *work)
{
	struct unmap_waiter *w = container_of(work, struct unmap_waiter, work);

	w->ret = w->revoke(w->dmabuf);
	complete(&w->done);
}

static bool unmap_waiter_has_begun(struct unmap_waiter *w)
{
	bool begun;

	dma_resv_lock(w->dmabuf->resv, NULL);
	begun = w->dmabuf->nr_revokes > w->before;
	dma_resv_unlock(w->dmabuf->resv);
	return begun || completion_done(&w->done);
}

static void unmap_waiter_start(struct unmap_waiter *w, struct dma_buf *dmabuf,
			       int (*revoke)(struct dma_buf *dmabuf))
{
	w->dmabuf = dmabuf;
	w->revoke = revoke;
	w->before = dmabuf->nr_revokes;
	init_completion(&w->done);
	INIT_WORK_ONSTACK(&w->work, unmap_waiter_work);
	queue_work(system_dfl_wq, &w->work);
	/* What comes next is for a revoke that has begun. */
	while (!unmap_waiter_has_begun(w))
		usleep_range(100, 1000);
}

/* Does it still wait, after a time in which it would have ended? */
static bool unmap_waiter_waits(struct unmap_waiter *w)
{
	return !wait_for_completion_timeout(&w->done, HZ / 20);
}

/* Return: what the revoke has returned, or -ETIME if it had to be ended */
static int unmap_waiter_end(struct unmap_waiter *w)
{
	if (!wait_for_completion_timeout(&w->done, 10 * HZ)) {
		/* Its work must not outlive its stack. */
		dma_resv_lock(w->dmabuf->resv, NULL);
		w->dmabuf->nr_revoked_mappings = 0;
		wake_up_all(&w->dmabuf->unmapped);
		dma_resv_unlock(w->dmabuf->resv);
		wait_for_completion(&w->done);
		w->ret = -ETIME;
	}
	flush_work(&w->work);
	destroy_work_on_stack(&w->work);
	return w->ret;
}

#endif /* _DMA_BUF_TESTS_UNMAP_WAITER_H */
