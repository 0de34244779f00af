// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: revoke and unrevoke, a case for each rule of
 * Documentation/driver-api/dma-buf/revoke.rst. Who may revoke, and what a buffer
 * that is revoked refuses, is in mode-test.c.
 */

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mode-mock.h"
#include "unmap-waiter.h"

struct importer {
	struct mock_exporter *exp;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct dma_fence *stops;	/* the device, when it is signalled */

	/* What the callbacks saw */
	u32 state;
	int map_error;
	bool has_ticket;
};

static struct sg_table *map_locked(struct dma_buf_attachment *attach)
{
	return dma_buf_map_attachment(attach, DMA_TO_DEVICE);
}

static void unmap(struct importer *imp)
{
	struct dma_buf *dmabuf = imp->exp->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_TO_DEVICE);
	dma_resv_unlock(dmabuf->resv);
	imp->sgt = NULL;
}

/* An importer that unmaps in the callback */
static void let_go(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	mock_record(imp->exp, "invalidate", true);
	imp->state = dma_buf_revoke_state(attach->dmabuf);
	imp->map_error = PTR_ERR_OR_ZERO(map_locked(attach));
	imp->has_ticket = dma_resv_locking_ctx(attach->dmabuf->resv);
	if (imp->stops && !dma_resv_reserve_fences(attach->dmabuf->resv, 1))
		dma_resv_add_fence(attach->dmabuf->resv, imp->stops,
				   DMA_RESV_USAGE_BOOKKEEP);
	if (imp->sgt)
		dma_buf_unmap_attachment(attach, imp->sgt, DMA_TO_DEVICE);
	imp->sgt = NULL;
}

/* One that does so when the test wants it to */
static void keep(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	mock_record(imp->exp, "invalidate", true);
}

static void map_again(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	mock_record(imp->exp, "restored", true);
	imp->state = dma_buf_revoke_state(attach->dmabuf);
	imp->has_ticket = dma_resv_locking_ctx(attach->dmabuf->resv);
	imp->sgt = map_locked(attach);
	imp->map_error = PTR_ERR_OR_ZERO(imp->sgt);
}

static const struct dma_buf_attach_ops prompt = {
	.modes = DMA_BUF_MODE_REVOCABLE,
	.invalidate_mappings = let_go,
	.restored = map_again,
};

static const struct dma_buf_attach_ops late = {
	.modes = DMA_BUF_MODE_REVOCABLE,
	.invalidate_mappings = keep,
};

static struct mock_exporter *export(struct kunit *test)
{
	return mock_export(test, NO_PIN_OP, DMA_BUF_MODE_REVOCABLE);
}

static struct importer *attach_and_map(struct mock_exporter *exp,
				       const struct dma_buf_attach_ops *ops)
{
	struct importer *imp = kunit_kzalloc(exp->test, sizeof(*imp), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(exp->test, imp);
	imp->exp = exp;
	imp->attach = dma_buf_dynamic_attach(exp->dmabuf, mock_device(exp->test), ops, imp);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, imp->attach);
	imp->sgt = dma_buf_map_attachment_unlocked(imp->attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, imp->sgt);
	exp->calls[0] = '\0';
	return imp;
}

static void detach(struct importer *imp)
{
	if (imp->sgt)
		unmap(imp);
	EXPECT_WARNINGS(imp->exp->test, 0, dma_buf_detach(imp->exp->dmabuf, imp->attach));
}

static const char *fence_name(struct dma_fence *fence)
{
	return "dma-buf-revoke";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

/* The test has a reference. */
static struct dma_fence *new_fence(struct kunit *test)
{
	struct dma_fence *fence = kmalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &fence_ops, NULL, dma_fence_context_alloc(1), 1);
	return fence;
}

static struct dma_fence *add_fence(struct mock_exporter *exp, enum dma_resv_usage usage)
{
	struct dma_fence *fence = new_fence(exp->test);
	int ret;

	dma_resv_lock(exp->dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(exp->dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(exp->dmabuf->resv, fence, usage);
	dma_resv_unlock(exp->dmabuf->resv);
	KUNIT_ASSERT_EQ(exp->test, ret, 0);
	return fence;
}

static void end_fence(struct dma_fence *fence)
{
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void expect_lock_is_free(struct mock_exporter *exp)
{
	bool locked = dma_resv_trylock(exp->dmabuf->resv);

	KUNIT_EXPECT_TRUE(exp->test, locked);
	if (locked)
		dma_resv_unlock(exp->dmabuf->resv);
}

/* The state comes first, so nobody maps in the callback. */
static void state_comes_before_the_callbacks(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *a = attach_and_map(exp, &prompt);
	struct importer *b = attach_and_map(exp, &prompt);
	struct importer *const both[] = { a, b };

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "invalidate, unmap, invalidate, unmap");
	for (int i = 0; i < ARRAY_SIZE(both); i++) {
		KUNIT_EXPECT_EQ(test, both[i]->state, DMA_BUF_REVOKED_NOW);
		KUNIT_EXPECT_EQ(test, both[i]->map_error, -ENODEV);
		KUNIT_EXPECT_TRUE(test, both[i]->has_ticket);
	}

	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "restored, map, restored, map");
	for (int i = 0; i < ARRAY_SIZE(both); i++) {
		KUNIT_EXPECT_EQ(test, both[i]->state, DMA_BUF_REVOKED_NO);
		KUNIT_EXPECT_EQ(test, both[i]->map_error, 0);
		KUNIT_EXPECT_TRUE(test, both[i]->has_ticket);
	}
	detach(a);
	detach(b);
}

static void callbacks_are_called_once(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &prompt);

	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "");
	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "invalidate, unmap");
	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "restored, map");
	detach(imp);
}

/* A revoke that fails tells nobody. */
static void veto_leaves_all_as_it_was(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, DMA_BUF_MODE_PINNED |
							      DMA_BUF_MODE_REVOCABLE);
	static const struct dma_buf_attach_ops pinned = {
		.modes = DMA_BUF_MODE_PINNED,
	};
	struct importer *imp = attach_and_map(exp, &prompt);
	struct importer *relies = attach_and_map(exp, &pinned);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, HZ), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_permanently(exp->dmabuf), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NO);
	EXPECT_CALLS(exp, "");
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);

	/* All works that worked before. */
	unmap(imp);
	imp->sgt = dma_buf_map_attachment_unlocked(imp->attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp->sgt);

	detach(relies);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	detach(imp);
}

static void revoke_waits_for_the_last_mapping(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *a = attach_and_map(exp, &late);
	struct importer *b = attach_and_map(exp, &late);
	struct sg_table *second;
	struct unmap_waiter waiter;

	second = dma_buf_map_attachment_unlocked(a->attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);

	unmap_waiter_start(&waiter, exp->dmabuf, dma_buf_revoke);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	expect_lock_is_free(exp);
	unmap(a);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	unmap(b);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	a->sgt = second;
	unmap(a);
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);

	/* What is left at detach counts, too. */
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	b->sgt = dma_buf_map_attachment_unlocked(b->attach, DMA_TO_DEVICE);
	unmap_waiter_start(&waiter, exp->dmabuf, dma_buf_revoke);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, b->attach));
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);
	detach(a);
}

static void revoke_waits_for_fences(struct kunit *test)
{
	for (int usage = DMA_RESV_USAGE_KERNEL; usage <= DMA_RESV_USAGE_BOOKKEEP; usage++) {
		struct mock_exporter *exp = export(test);
		struct dma_fence *first = add_fence(exp, usage);
		struct dma_fence *second = add_fence(exp, usage), *later;
		struct unmap_waiter waiter;

		unmap_waiter_start(&waiter, exp->dmabuf, dma_buf_revoke);
		KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
		expect_lock_is_free(exp);
		end_fence(second);
		KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));

		/* Userspace can add fences for ever. */
		later = add_fence(exp, usage);
		end_fence(first);
		KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);
		end_fence(later);
	}
}

/* An importer may stop its device in the callback, and a fence tells when. */
static void fence_added_in_the_callback_is_waited_for(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &prompt);

	imp->stops = new_fence(test);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, 1), -ETIMEDOUT);
	end_fence(imp->stops);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	detach(imp);
}

static void timeout_leaves_the_buffer_revoked(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &late);
	static const unsigned long timeouts[] = { 0, 1, HZ / 10 };

	for (int i = 0; i < ARRAY_SIZE(timeouts); i++) {
		unsigned long start = jiffies;

		KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, timeouts[i]),
				-ETIMEDOUT);
		KUNIT_EXPECT_GE(test, jiffies - start, timeouts[i]);
		KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NOW);
		/* The device may still be there. */
		KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), -EBUSY);
		KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NOW);
	}
	unmap(imp);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "invalidate, unmap");
	detach(imp);
}

/* One deadline for fences and mappings */
static void timeout_is_for_fences_too(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct dma_fence *fence = add_fence(exp, DMA_RESV_USAGE_BOOKKEEP);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, 1), -ETIMEDOUT);
	end_fence(fence);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, 1), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
}

static void second_revoke_joins_the_wait(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &late);
	struct unmap_waiter first, second;

	unmap_waiter_start(&first, exp->dmabuf, dma_buf_revoke);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&first));
	unmap_waiter_start(&second, exp->dmabuf, dma_buf_revoke_permanently);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&second));
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_timeout(exp->dmabuf, 1), -ETIMEDOUT);
	unmap(imp);
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&first), 0);
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&second), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_PERMANENT);
	EXPECT_CALLS(exp, "invalidate, unmap");
	detach(imp);
}

static void unrevoke_fails_while_a_revoke_waits(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct dma_fence *fence = add_fence(exp, DMA_RESV_USAGE_BOOKKEEP);
	struct unmap_waiter waiter;

	/* No mapping is left, only a fence. */
	unmap_waiter_start(&waiter, exp->dmabuf, dma_buf_revoke);
	KUNIT_EXPECT_TRUE(test, unmap_waiter_waits(&waiter));
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NOW);
	end_fence(fence);
	KUNIT_EXPECT_EQ(test, unmap_waiter_end(&waiter), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
}

static void permanent_is_final(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &prompt);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_permanently(exp->dmabuf), 0);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), -ENODEV);
		KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf),
				DMA_BUF_REVOKED_PERMANENT);
		/* It is revoked already, and stays so. */
		KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	}
	EXPECT_CALLS(exp, "invalidate, unmap");
	detach(imp);
}

static void permanent_revoke_tells_importers(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &prompt);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke_permanently(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, imp->state, DMA_BUF_REVOKED_PERMANENT);
	EXPECT_CALLS(exp, "invalidate, unmap");
	detach(imp);
}

/* uverbs does that. */
static void buffer_may_be_revoked_while_it_is_released(struct kunit *test)
{
	struct mock_exporter *exp = export(test);

	detach(attach_and_map(exp, &prompt));
	exp->revokes_in_release = true;
}

static void retired_importer_is_not_told_of_an_unrevoke(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &prompt);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	dma_resv_lock(exp->dmabuf->resv, NULL);
	dma_buf_retire_attachment(imp->attach);
	dma_resv_unlock(exp->dmabuf->resv);
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	EXPECT_CALLS(exp, "invalidate, unmap");
	detach(imp);
}

static void importer_without_the_callback_maps_again(struct kunit *test)
{
	struct mock_exporter *exp = export(test);
	struct importer *imp = attach_and_map(exp, &late);

	unmap(imp);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	imp->sgt = dma_buf_map_attachment_unlocked(imp->attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp->sgt);
	EXPECT_CALLS(exp, "unmap, invalidate, map");
	detach(imp);
}

/* The exporter isn't asked to begin, and hears of every end. */
static void cpu_access_does_not_begin(struct kunit *test)
{
	struct mock_exporter *exp = export(test);

	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE), 0);
	EXPECT_CALLS(exp, "begin");
	KUNIT_EXPECT_EQ(test, dma_buf_revoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(exp->dmabuf, DMA_TO_DEVICE), 0);
	EXPECT_CALLS(exp, "end");
	KUNIT_EXPECT_EQ(test, dma_buf_unrevoke(exp->dmabuf), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(exp->dmabuf, DMA_TO_DEVICE), 0);
	EXPECT_CALLS(exp, "begin");
}

static struct kunit_case revoke_cases[] = {
	KUNIT_CASE(state_comes_before_the_callbacks),
	KUNIT_CASE(callbacks_are_called_once),
	KUNIT_CASE(veto_leaves_all_as_it_was),
	KUNIT_CASE(revoke_waits_for_the_last_mapping),
	KUNIT_CASE(revoke_waits_for_fences),
	KUNIT_CASE(fence_added_in_the_callback_is_waited_for),
	KUNIT_CASE(timeout_leaves_the_buffer_revoked),
	KUNIT_CASE(timeout_is_for_fences_too),
	KUNIT_CASE(second_revoke_joins_the_wait),
	KUNIT_CASE(unrevoke_fails_while_a_revoke_waits),
	KUNIT_CASE(permanent_is_final),
	KUNIT_CASE(permanent_revoke_tells_importers),
	KUNIT_CASE(buffer_may_be_revoked_while_it_is_released),
	KUNIT_CASE(retired_importer_is_not_told_of_an_unrevoke),
	KUNIT_CASE(importer_without_the_callback_maps_again),
	KUNIT_CASE(cpu_access_does_not_begin),
	{}
};

static struct kunit_suite revoke_suite = {
	.name = "dma-buf-revoke",
	.test_cases = revoke_cases,
};

kunit_test_suite(revoke_suite);
