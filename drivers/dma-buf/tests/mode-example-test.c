// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the worked exporter and importer of
 * Documentation/driver-api/dma-buf/attachment-modes.rst
 */

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "mode-mock.h"
#include "mode-test.h"

#define NR_PAGES	4
#define SEED		0xd0b0f000

/* Two importers of the example, and one that counts its callbacks */
struct example {
	struct device *dev;
	struct dma_buf *dmabuf;
	struct example_import *a, *b;
	struct dma_buf_attachment *counter;
	struct mutex lock;	/* protects @told */
	unsigned int told;
	bool done;		/* see come_and_go() */
};

/* The device reads the buffer, or writes it: page n is full of seed + n. */
struct job {
	struct device *dev;
	bool write;
	u32 seed;
	struct dma_fence *fence;	/* NULL if it is done at once */
	dma_addr_t addr[NR_PAGES];	/* out: where the pages were */
	unsigned int wrong;		/* out: words that it read wrong */
};

static void *dma_to_virt(struct device *dev, dma_addr_t addr)
{
	return phys_to_virt(dma_to_phys(dev, addr));
}

static struct dma_fence *run_job(struct sg_table *sgt, void *data)
{
	struct sg_dma_page_iter iter;
	struct job *job = data;
	unsigned int nr = 0;

	job->wrong = 0;
	for_each_sgtable_dma_page(sgt, &iter, 0) {
		dma_addr_t addr = sg_page_iter_dma_address(&iter);
		u32 *word = dma_to_virt(job->dev, addr);

		if (nr == NR_PAGES)
			return ERR_PTR(-E2BIG);
		if (job->write)
			memset32(word, job->seed + nr, PAGE_SIZE / 4);
		for (int i = 0; i < PAGE_SIZE / 4; i++)
			job->wrong += word[i] != job->seed + nr;
		job->addr[nr++] = addr;
	}
	if (nr < NR_PAGES)
		return ERR_PTR(-ENODATA);
	return job->fence ? dma_fence_get(job->fence) : dma_fence_get_stub();
}

static struct job device_writes(struct kunit *test, struct example_import *imp, u32 seed)
{
	struct example *ex = test->priv;
	struct job job = { .dev = ex->dev, .write = true, .seed = seed };

	KUNIT_EXPECT_EQ(test, example_import_run(imp, run_job, &job), 0);
	return job;
}

static struct job device_reads(struct kunit *test, struct example_import *imp, u32 seed)
{
	struct example *ex = test->priv;
	struct job job = { .dev = ex->dev, .seed = seed };

	KUNIT_EXPECT_EQ(test, example_import_run(imp, run_job, &job), 0);
	KUNIT_EXPECT_EQ(test, job.wrong, 0);
	return job;
}

static void expect_same_place(struct kunit *test, struct job a, struct job b)
{
	KUNIT_EXPECT_MEMEQ(test, a.addr, b.addr, sizeof(a.addr));
}

static void expect_other_place(struct kunit *test, struct job a, struct job b)
{
	for (int i = 0; i < NR_PAGES; i++)
		for (int j = 0; j < NR_PAGES; j++)
			KUNIT_EXPECT_NE(test, a.addr[i], b.addr[j]);
}

/* Both importers see the content in a new place, or in the old one. */
static void expect_move(struct kunit *test, int ret)
{
	struct example *ex = test->priv;
	struct job before = device_reads(test, ex->b, SEED), after;
	unsigned int told = ex->told;

	KUNIT_EXPECT_EQ(test, example_movable_move(ex->dmabuf), ret);
	KUNIT_EXPECT_EQ(test, ex->told, ret ? told : told + 1);
	after = device_reads(test, ex->b, SEED);
	if (ret)
		expect_same_place(test, before, after);
	else
		expect_other_place(test, before, after);
	expect_same_place(test, after, device_reads(test, ex->a, SEED));
}

static void count_callback(struct dma_buf_attachment *attach)
{
	struct example *ex = attach->importer_priv;

	guard(mutex)(&ex->lock);
	ex->told++;
}

static const struct dma_buf_attach_ops counter_ops = {
	.modes = DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE,
	.invalidate_mappings = count_callback,
};

static int example_init(struct kunit *test)
{
	struct example *ex = kunit_kzalloc(test, sizeof(*ex), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ex);
	test->priv = ex;
	ex->dev = mock_device(test);
	ex->dmabuf = example_movable_export(NR_PAGES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ex->dmabuf);
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(ex->dmabuf),
			DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE);
	ex->a = example_import_attach(ex->dmabuf, ex->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ex->a);
	ex->b = example_import_attach(ex->dmabuf, ex->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ex->b);

	mutex_init(&ex->lock);
	ex->counter = dma_buf_dynamic_attach(ex->dmabuf, ex->dev, &counter_ops, ex);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ex->counter);
	KUNIT_EXPECT_EQ(test, dma_buf_attachment_mode(ex->counter), DMA_BUF_MODE_MOVABLE);
	dma_resv_lock(ex->dmabuf->resv, NULL);
	dma_buf_importer_might_lock(ex->counter, &ex->lock);
	dma_resv_unlock(ex->dmabuf->resv);
	device_writes(test, ex->a, SEED);
	return 0;
}

/* After a test that went well; if one didn't, its buffer is lost. */
static void example_exit(struct kunit *test)
{
	struct example *ex = test->priv;

	if (test->status != KUNIT_SUCCESS)
		return;
	dma_buf_detach(ex->dmabuf, ex->counter);
	example_import_detach(ex->a);
	example_import_detach(ex->b);
	KUNIT_EXPECT_TRUE(test, list_empty(&ex->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, file_count(ex->dmabuf->file), 1);
	dma_buf_put(ex->dmabuf);
	flush_delayed_fput();
}

static void content_moves_along(struct kunit *test)
{
	for (int round = 0; round < 3; round++)
		expect_move(test, 0);
}

static void buffer_stays_while_movable_importers_pin(struct kunit *test)
{
	struct example *ex = test->priv;

	KUNIT_EXPECT_EQ(test, example_import_pin(ex->a), 0);
	expect_move(test, -EBUSY);
	KUNIT_EXPECT_EQ(test, example_import_pin(ex->b), 0);
	example_import_unpin(ex->a);
	expect_move(test, -EBUSY);
	KUNIT_EXPECT_EQ(test, example_import_pin(ex->b), 0);
	example_import_unpin(ex->b);
	expect_move(test, -EBUSY);
	example_import_unpin(ex->b);
	expect_move(test, 0);
}

static void buffer_stays_for_pinned_and_static_importers(struct kunit *test)
{
	static const struct dma_buf_attach_ops pinned = { .modes = DMA_BUF_MODE_PINNED };
	struct example *ex = test->priv;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = dma_buf_dynamic_attach(ex->dmabuf, ex->dev, &pinned, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	expect_move(test, -EBUSY);
	dma_buf_detach(ex->dmabuf, attach);
	expect_move(test, 0);

	/* A static one while it maps */
	attach = dma_buf_attach(ex->dmabuf, ex->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	expect_move(test, 0);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	expect_move(test, -EBUSY);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	expect_move(test, 0);
	dma_buf_detach(ex->dmabuf, attach);
}

static struct page *first_page(struct kunit *test)
{
	struct example *ex = test->priv;
	struct job job = device_reads(test, ex->a, SEED);
	struct page *page = virt_to_page(dma_to_virt(ex->dev, job.addr[0]));

	get_page(page);
	return page;
}

/* Until an importer unmaps, its device may read where the buffer was. */
static void old_place_is_kept_until_unmap(struct kunit *test)
{
	struct example *ex = test->priv;
	struct page *mapped = first_page(test), *unmapped;
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(ex->counter, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	expect_move(test, 0);
	unmapped = first_page(test);
	expect_move(test, 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(unmapped), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(mapped), 2);
	KUNIT_EXPECT_EQ(test, *(u32 *)page_address(mapped), SEED);

	dma_buf_unmap_attachment_unlocked(ex->counter, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, page_ref_count(mapped), 1);
	put_page(mapped);
	put_page(unmapped);
}

/* What runs beside the test, or beside other racers */
struct racer {
	struct work_struct work;
	struct example *ex;
	int (*fn)(struct racer *r);
	int ret;
	unsigned int moved, busy;
};

static void racer_work(struct work_struct *work)
{
	struct racer *r = container_of(work, struct racer, work);

	WRITE_ONCE(r->ret, r->fn(r));
}

static void racer_start(struct kunit *test, struct racer *r, int (*fn)(struct racer *r))
{
	*r = (struct racer) { .ex = test->priv, .fn = fn, .ret = -EINPROGRESS };
	INIT_WORK_ONSTACK(&r->work, racer_work);
	queue_work(system_dfl_wq, &r->work);
}

static int racer_end(struct racer *r)
{
	flush_work(&r->work);
	destroy_work_on_stack(&r->work);
	return r->ret;
}

static int move_once(struct racer *r)
{
	return example_movable_move(r->ex->dmabuf);
}

static const char *fence_name(struct dma_fence *fence)
{
	return "dma-buf-modes";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/* What a job writes last, before its fence signals, isn't lost in a move. */
static void move_waits_for_jobs(struct kunit *test)
{
	struct example *ex = test->priv;
	struct job job = { .dev = ex->dev, .write = true, .seed = 1 };
	struct racer mover;

	job.fence = kzalloc_obj(*job.fence);
	KUNIT_ASSERT_NOT_NULL(test, job.fence);
	dma_fence_init(job.fence, &fence_ops, NULL, dma_fence_context_alloc(1), 1);
	KUNIT_EXPECT_EQ(test, example_import_run(ex->a, run_job, &job), 0);

	racer_start(test, &mover, move_once);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(mover.ret), -EINPROGRESS);
	for (int i = 0; i < NR_PAGES; i++)
		memset32(dma_to_virt(ex->dev, job.addr[i]), SEED + i, PAGE_SIZE / 4);
	dma_fence_signal(job.fence);
	KUNIT_EXPECT_EQ(test, racer_end(&mover), 0);
	expect_other_place(test, job, device_reads(test, ex->a, SEED));
	dma_fence_put(job.fence);
}

#define ROUNDS	300

/* Reads what the round before wrote; while it is pinned, the buffer stays. */
static int read_twice_and_write(struct example *ex, struct example_import *imp,
				u32 seed, bool pin)
{
	struct job before = { .dev = ex->dev, .seed = seed }, after = before;
	struct job write = { .dev = ex->dev, .write = true, .seed = seed + 1 };
	int ret = pin ? example_import_pin(imp) : 0;

	if (ret)
		return ret;
	ret = example_import_run(imp, run_job, &before);
	cond_resched();
	ret = ret ?: example_import_run(imp, run_job, &after);
	if (pin)
		example_import_unpin(imp);
	if (!ret && pin && memcmp(before.addr, after.addr, sizeof(after.addr)))
		return -ESTALE;
	if (!ret && (before.wrong || after.wrong))
		return -EBADMSG;
	return ret ?: example_import_run(imp, run_job, &write);
}

static int come_and_go(struct racer *r)
{
	int ret = 0;

	for (u32 round = 0; !ret && round < ROUNDS; round++) {
		struct example_import *imp;

		imp = example_import_attach(r->ex->dmabuf, r->ex->dev);
		ret = PTR_ERR_OR_ZERO(imp);
		if (ret)
			break;
		ret = read_twice_and_write(r->ex, imp, SEED + round, round % 2);
		example_import_detach(imp);
	}
	WRITE_ONCE(r->ex->done, true);
	return ret;
}

/* Nothing is pinned at the last one. */
static int move_until_done(struct racer *r)
{
	bool done;
	int ret;

	do {
		done = READ_ONCE(r->ex->done);
		ret = example_movable_move(r->ex->dmabuf);
		r->busy += ret == -EBUSY;
		r->moved += !ret;
		cond_resched();
	} while (!done && (!ret || ret == -EBUSY));
	return ret;
}

static void importer_comes_and_goes_while_it_moves(struct kunit *test)
{
	struct example *ex = test->priv;
	struct racer user, mover;

	racer_start(test, &user, come_and_go);
	racer_start(test, &mover, move_until_done);
	KUNIT_EXPECT_EQ(test, racer_end(&user), 0);
	KUNIT_EXPECT_EQ(test, racer_end(&mover), 0);
	kunit_info(test, "moved %u times, %u times it was pinned\n", mover.moved, mover.busy);
	KUNIT_EXPECT_EQ(test, ex->told, mover.moved);

	/* The last round is what there is. */
	device_reads(test, ex->b, SEED + ROUNDS);
}

static struct kunit_case example_cases[] = {
	KUNIT_CASE(content_moves_along),
	KUNIT_CASE(buffer_stays_while_movable_importers_pin),
	KUNIT_CASE(buffer_stays_for_pinned_and_static_importers),
	KUNIT_CASE(old_place_is_kept_until_unmap),
	KUNIT_CASE(move_waits_for_jobs),
	KUNIT_CASE(importer_comes_and_goes_while_it_moves),
	{}
};

static struct kunit_suite example_suite = {
	.name = "dma-buf-modes-example",
	.init = example_init,
	.exit = example_exit,
	.test_cases = example_cases,
};

kunit_test_suite(example_suite);
