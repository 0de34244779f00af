/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit: dma_buf_wait_unmapped() in a thread of its own
 */
#ifndef _DMA_BUF_TESTS_UNMAP_WAITER_H
#define _DMA_BUF_TESTS_UNMAP_WAITER_H

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/jiffies.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct unmap_waiter {
	struct work_struct work;
	struct completion done;
	struct dma_buf *dmabuf;
};

static void unmap_waiter_work(struct work_struct *work)
{
	struct unmap_waiter *w = container_of(work, struct unmap_waiter, work);

	dma_buf_wait_unmapped(w->dmabuf);
	complete(&w->done);
}

static void unmap_waiter_start(struct unmap_waiter *w, struct dma_buf *dmabuf)
{
	w->dmabuf = dmabuf;
	init_completion(&w->done);
	INIT_WORK_ONSTACK(&w->work, unmap_waiter_work);
	schedule_work(&w->work);
}

/* Does it still wait, after a time in which it would have ended? */
static bool unmap_waiter_waits(struct unmap_waiter *w)
{
	return !wait_for_completion_timeout(&w->done, HZ / 20);
}

/* Return: did it end in time? */
static bool unmap_waiter_end(struct unmap_waiter *w)
{
	bool ended = wait_for_completion_timeout(&w->done, 10 * HZ);

	/* Should nobody have woken it, the work must not outlive its stack. */
	if (!ended) {
		wake_up_all(&w->dmabuf->unmapped);
		wait_for_completion(&w->done);
	}
	flush_work(&w->work);
	destroy_work_on_stack(&w->work);
	return ended;
}

#endif /* _DMA_BUF_TESTS_UNMAP_WAITER_H */
