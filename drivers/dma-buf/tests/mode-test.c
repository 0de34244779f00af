// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: attachment modes, as exporters and importers see them. What is
 * expected follows from the rules in
 * Documentation/driver-api/dma-buf/attachment-modes.rst.
 *
 * tools/testing/selftests/dma-buf/ tests what userspace can bring about, on a
 * device that moves and revokes buffers. Here is what it can't: the order of
 * calls, several mappings, errors that go away, and drivers that are wrong.
 */

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mode-matrix.h"
#include "mode-mock.h"

#define MODE_ALL	(MODE_P | MODE_R | MODE_M)
#define MODE_UNKNOWN	BIT(3)

/* Importers; a static one has no ops at all. */
#define CALLBACK	.invalidate_mappings = mock_invalidate

static const struct dma_buf_attach_ops silent = {};
static const struct dma_buf_attach_ops silent_callback = { CALLBACK };
static const struct dma_buf_attach_ops pinned = { .modes = MODE_P };
static const struct dma_buf_attach_ops pinned_callback = { .modes = MODE_P, CALLBACK };
static const struct dma_buf_attach_ops revocable = { .modes = MODE_R, CALLBACK };
static const struct dma_buf_attach_ops movable = { .modes = MODE_M, CALLBACK };
static const struct dma_buf_attach_ops all_modes = { .modes = MODE_ALL, CALLBACK };

static int attach_error(struct mock_exporter *exp, struct device *dev,
			const struct dma_buf_attach_ops *ops)
{
	return PTR_ERR_OR_ZERO(dma_buf_dynamic_attach(exp->dmabuf, dev, ops, exp));
}

static struct dma_buf_attachment *attach_device(struct mock_exporter *exp, struct device *dev,
						const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(exp->dmabuf, dev, ops, exp);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, attach);
	KUNIT_EXPECT_TRUE(exp->test, mock_is_attached(attach));
	return attach;
}

/* By a driver that nobody knows yet */
static struct dma_buf_attachment *attach_to(struct mock_exporter *exp,
					    const struct dma_buf_attach_ops *ops)
{
	return attach_device(exp, mock_device(exp->test), ops);
}

static struct sg_table *map_dir(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;
	struct sg_table *sgt = dma_buf_map_attachment_unlocked(attach, dir);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, sgt);
	return sgt;
}

static struct sg_table *map(struct dma_buf_attachment *attach)
{
	return map_dir(attach, DMA_TO_DEVICE);
}

static int map_error(struct dma_buf_attachment *attach)
{
	return PTR_ERR_OR_ZERO(dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE));
}

static void unmap(struct dma_buf_attachment *attach, struct sg_table *sgt)
{
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
}

static int pin_error(struct dma_buf_attachment *attach)
{
	int ret;

	dma_resv_lock(attach->dmabuf->resv, NULL);
	ret = dma_buf_pin(attach);
	dma_resv_unlock(attach->dmabuf->resv);
	return ret;
}

static void pin(struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = attach->dmabuf->priv;

	KUNIT_ASSERT_EQ(exp->test, pin_error(attach), 0);
}

static void unpin(struct dma_buf_attachment *attach)
{
	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_unpin(attach);
	dma_resv_unlock(attach->dmabuf->resv);
}

static void invalidate(struct mock_exporter *exp)
{
	dma_resv_lock(exp->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(exp->dmabuf);
	dma_resv_unlock(exp->dmabuf->resv);
}

static int revoke_error(struct mock_exporter *exp, u32 revoked)
{
	switch (revoked) {
	case DMA_BUF_REVOKED_NO:
		return dma_buf_unrevoke(exp->dmabuf);
	case DMA_BUF_REVOKED_NOW:
		/* -ETIMEDOUT where mappings are left */
		return dma_buf_revoke_timeout(exp->dmabuf, 1);
	default:
		return dma_buf_revoke_permanently(exp->dmabuf);
	}
}

static void revoke(struct mock_exporter *exp, u32 revoked)
{
	KUNIT_EXPECT_EQ(exp->test, revoke_error(exp, revoked), 0);
	KUNIT_EXPECT_EQ(exp->test, dma_buf_revoke_state(exp->dmabuf), revoked);
}

/* Which mode an attachment gets */

static void offer_name(const struct mode_offer *offer, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "offer %s%s", offer->name,
		 offer->has_pin ? ", pin op" : "");
}

KUNIT_ARRAY_PARAM(offer, mode_offers, offer_name);

static void expect_mode(struct mock_exporter *exp, char letter, const struct mode_accept *accept)
{
	u32 mode = letter == 'P' ? MODE_P : letter == 'R' ? MODE_R : MODE_M;
	struct dma_buf_attach_ops modes = { .modes = accept->modes };
	const struct dma_buf_attach_ops *ops = &modes;
	struct device *dev = mock_device(exp->test);
	struct dma_buf_attachment *attach = NULL;
	struct kunit *test = exp->test;

	if (accept->kind == MODE_STATIC)
		ops = NULL;
	if (accept->kind == MODE_CALLBACK)
		modes.invalidate_mappings = mock_invalidate;
	EXPECT_WARNINGS(test, 0, attach = dma_buf_dynamic_attach(exp->dmabuf, dev, ops, exp));
	if (letter == '-') {
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(attach), -EOPNOTSUPP, "%s", accept->name);
		/* The exporter isn't asked. */
		EXPECT_CALLS(exp, "");
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, attach, "%s", accept->name);
	KUNIT_EXPECT_EQ_MSG(test, dma_buf_attachment_mode(attach), mode, "%s", accept->name);
	KUNIT_EXPECT_TRUE(test, mock_is_attached(attach));
	dma_buf_detach(exp->dmabuf, attach);
	exp->calls[0] = '\0';
}

static void each_importer_gets_its_mode_or_none(struct kunit *test)
{
	const struct mode_offer *offer = test->param_value;
	struct mock_exporter *exp = mock_exporter(test, offer->has_pin);
	int ret = 0;

	EXPECT_WARNINGS(test, offer->result ? 0 : 1, ret = mock_try_export(exp, offer->modes));
	if (!offer->result) {
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		return;
	}
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(exp->dmabuf), offer->offered);
	KUNIT_ASSERT_EQ(test, strlen(offer->result), ARRAY_SIZE(mode_accepts));
	for (int i = 0; i < ARRAY_SIZE(mode_accepts); i++)
		expect_mode(exp, offer->result[i], &mode_accepts[i]);
}

/* Drivers that break a rule: one WARN for each driver and rule */

static void exporter_with_unknown_mode_is_refused(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter(test, PIN_OP);
	int ret = 0;

	for (int drivers = 0; drivers < 2; drivers++) {
		EXPECT_WARNINGS(test, 1, ret = mock_try_export(exp, MODE_UNKNOWN));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		EXPECT_WARNINGS(test, 0, ret = mock_try_export(exp, MODE_ALL | MODE_UNKNOWN));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		mock_rename(exp);
	}
}

static int op_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* Whether it offers other modes or not */
static void exporter_that_maps_what_it_may_revoke_is_refused(struct kunit *test)
{
	struct mock_exporter *exp = mock_exporter(test, PIN_OP);
	int ret = 0;

	exp->ops.mmap = op_mmap;
	EXPECT_WARNINGS(test, 1, ret = mock_try_export(exp, MODE_R));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	EXPECT_WARNINGS(test, 0, ret = mock_try_export(exp, MODE_ALL));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, mock_try_export(exp, MODE_P | MODE_M), 0);
}

static void importer_with_inconsistent_modes_is_refused(struct kunit *test)
{
	static const struct dma_buf_attach_ops unknown = {
		.modes = MODE_P | MODE_UNKNOWN, CALLBACK,
	};
	static const struct dma_buf_attach_ops no_callback[] = {
		{ .modes = MODE_R }, { .modes = MODE_M }, { .modes = MODE_P | MODE_R },
		{ .modes = MODE_P | MODE_M },
	};
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach;
	struct device *dev;
	int ret = 0;

	for (int i = 0; i < ARRAY_SIZE(no_callback); i++) {
		dev = mock_device(test);
		EXPECT_WARNINGS(test, 1, ret = attach_error(exp, dev, &no_callback[i]));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
		EXPECT_WARNINGS(test, 0, ret = attach_error(exp, dev, &unknown));
		KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	}
	EXPECT_CALLS(exp, "");

	/* Another rule, broken twice */
	attach = attach_device(exp, dev, &silent_callback);
	pin(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	attach = attach_device(exp, dev, &silent_callback);
	map(attach);
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, attach));
}

/* Pins. Drivers that declare nothing work as they did before there were modes. */

static void static_importer_is_pinned_while_it_maps(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach = attach_to(exp, NULL);
	struct sg_table *first, *second;

	EXPECT_CALLS(exp, "attach");
	first = map(attach);
	second = map(attach);
	EXPECT_CALLS(exp, "pin, map, pin, map");
	unmap(attach, first);
	EXPECT_CALLS(exp, "unmap, unpin");
	unmap(attach, second);
	EXPECT_CALLS(exp, "unmap, unpin");
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "detach");

	exp = mock_export(test, NO_PIN_OP, 0);
	attach = attach_to(exp, NULL);
	unmap(attach, map(attach));
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "attach, map, unmap, detach");
}

/* Pins are counted, and unpin needs one of the importer's own. */
static void expect_pins(struct mock_exporter *exp, const struct dma_buf_attach_ops *ops,
			unsigned int of_the_core, const char *calls)
{
	struct dma_buf_attachment *attach = attach_to(exp, ops);

	unmap(attach, map(attach));
	EXPECT_WARNINGS(exp->test, 1, unpin(attach));
	pin(attach);
	pin(attach);
	KUNIT_EXPECT_EQ(exp->test, attach->pins, of_the_core + 2);
	unpin(attach);
	unpin(attach);
	EXPECT_WARNINGS(exp->test, 1, unpin(attach));
	KUNIT_EXPECT_EQ(exp->test, attach->pins, of_the_core);
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, calls);
}

static void silent_or_movable_importer_pins_by_itself(struct kunit *test)
{
	static const char calls[] = "attach, map, unmap, pin, pin, unpin, unpin, detach";
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);

	expect_pins(exp, &silent, 0, calls);
	expect_pins(exp, &silent_callback, 0, calls);
	expect_pins(exp, &movable, 0, calls);
	expect_pins(mock_export(test, PIN_OP, MODE_ALL), &all_modes, 0, calls);
	/* Also if it is pinned or revocable by the exporter's choice */
	expect_pins(mock_export(test, PIN_OP, MODE_P), &silent_callback, 0, calls);
	expect_pins(mock_export(test, PIN_OP, MODE_R), &silent_callback, 0, calls);
}

static void core_pins_from_attach_to_detach(struct kunit *test)
{
	static const char calls[] =
		"attach, pin, map, unmap, pin, pin, unpin, unpin, unpin, detach";
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);

	expect_pins(exp, &pinned, 1, calls);
	expect_pins(exp, &pinned_callback, 1, calls);
	expect_pins(mock_export(test, PIN_OP, MODE_R), &revocable, 1, calls);
	expect_pins(mock_export(test, PIN_OP, MODE_P | MODE_R), &all_modes, 1, calls);
}

static void pins_are_counted_without_a_pin_op(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, NO_PIN_OP, 0);

	expect_pins(exp, &pinned, 1, "attach, map, unmap, detach");
	expect_pins(exp, &silent, 0, "attach, map, unmap, detach");
	expect_pins(exp, &silent_callback, 0, "attach, map, unmap, detach");
}

/* Attachments that are not used again */

static void retire(struct dma_buf_attachment *attach)
{
	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_retire_attachment(attach);
	dma_resv_unlock(attach->dmabuf->resv);
}

static void retire_gives_the_pin_of_the_core_back(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *other = attach_to(exp, &pinned);
	struct dma_buf_attachment *attach = attach_to(exp, &pinned);

	unmap(attach, map(attach));
	EXPECT_CALLS(exp, "attach, pin, attach, pin, map, unmap");
	retire(attach);
	EXPECT_CALLS(exp, "unpin");
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	KUNIT_EXPECT_EQ(test, other->pins, 1);
	retire(attach);
	EXPECT_WARNINGS(test, 1, unpin(attach));
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "detach");

	/* The importer's own pins stay with the importer. */
	pin(other);
	retire(other);
	EXPECT_CALLS(exp, "pin, unpin");
	KUNIT_EXPECT_EQ(test, other->pins, 1);
	unpin(other);
	EXPECT_WARNINGS(test, 1, unpin(other));
	dma_buf_detach(exp->dmabuf, other);
	EXPECT_CALLS(exp, "unpin, detach");

	/* If they are left at detach, that is what is dropped. */
	attach = attach_to(exp, &pinned);
	pin(attach);
	retire(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, pin, unpin, unpin, detach");
}

static void expect_retired(struct mock_exporter *exp, const struct dma_buf_attach_ops *ops,
			   const char *calls)
{
	struct dma_buf_attachment *attach = attach_to(exp, ops);
	int ret = 0;

	retire(attach);
	EXPECT_WARNINGS(exp->test, 1, ret = map_error(attach));
	KUNIT_EXPECT_EQ(exp->test, ret, -EINVAL);
	EXPECT_WARNINGS(exp->test, 1, ret = pin_error(attach));
	KUNIT_EXPECT_EQ(exp->test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(exp->test, attach->pins, 0);
	EXPECT_WARNINGS(exp->test, 0, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, calls);
}

static void retired_attachment_takes_no_mapping_and_no_pin(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);

	expect_retired(exp, &pinned, "attach, pin, unpin, detach");
	expect_retired(exp, &movable, "attach, detach");
	expect_retired(exp, &silent, "attach, detach");
	expect_retired(mock_export(test, PIN_OP, MODE_R), &revocable,
		       "attach, pin, unpin, detach");
	expect_retired(mock_export(test, NO_PIN_OP, MODE_R), &revocable, "attach, detach");
}

static void retired_attachment_has_no_veto(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_ALL);
	struct dma_buf_attachment *a = attach_to(exp, &pinned);
	struct dma_buf_attachment *b = attach_to(exp, &movable);

	retire(a);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), -EBUSY);
	retire(b);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), 0);
	dma_buf_detach(exp->dmabuf, a);
	dma_buf_detach(exp->dmabuf, b);
}

static void mapped_attachment_does_not_retire(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach = attach_to(exp, &pinned);
	struct sg_table *sgt = map(attach);

	EXPECT_WARNINGS(test, 1, retire(attach));
	KUNIT_EXPECT_EQ(test, attach->pins, 1);
	unmap(attach, sgt);
	/* It is what it was. */
	unmap(attach, map(attach));
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "attach, pin, map, unmap, map, unmap, unpin, detach");
}

/* As RDMA does with a memory region that is revoked */
static void invalidate_and_retire(struct dma_buf_attachment *attach)
{
	mock_invalidate(attach);
	dma_buf_retire_attachment(attach);
}

static void callback_may_retire_its_attachment(struct kunit *test)
{
	static const struct dma_buf_attach_ops retiring = {
		.modes = MODE_R,
		.invalidate_mappings = invalidate_and_retire,
	};
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);
	struct dma_buf_attachment *attach = attach_to(exp, &retiring);

	revoke(exp, DMA_BUF_REVOKED_NOW);
	invalidate(exp);
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	revoke(exp, DMA_BUF_REVOKED_NO);
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "attach, pin, invalidate, unpin, invalidate, detach");

	/* The callback may come out of the core's pin. */
	exp->invalidates_in = "pin";
	attach = attach_to(exp, &retiring);
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "attach, pin, invalidate, unpin, detach");
}

static void retires_while_an_op_of_the_exporter_runs(struct kunit *test)
{
	static const struct dma_buf_attach_ops retiring = {
		.modes = MODE_R,
		.invalidate_mappings = invalidate_and_retire,
	};
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);
	struct dma_buf_attachment *attach = attach_to(exp, &retiring);
	struct sg_table *sgt;
	int ret = 0;

	/* What is being mapped is not handed out. */
	exp->invalidates_in = "map";
	EXPECT_WARNINGS(test, 1, ret = map_error(attach));
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, map, invalidate, unpin, unmap, detach");

	/* What is being unmapped is no mapping any more. */
	exp->invalidates_in = "unmap";
	attach = attach_to(exp, &retiring);
	sgt = map(attach);
	EXPECT_WARNINGS(test, 0, unmap(attach, sgt));
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	dma_buf_detach(exp->dmabuf, attach);
	EXPECT_CALLS(exp, "attach, pin, map, unmap, invalidate, unpin, detach");

	/* The pin is given back once. */
	exp->invalidates_in = "unpin";
	attach = attach_to(exp, &retiring);
	retire(attach);
	KUNIT_EXPECT_EQ(test, attach->pins, 0);
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, unpin, invalidate, detach");

	attach = attach_to(exp, &retiring);
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, unpin, invalidate, detach");
}

/* Invalidation */

static void callback_is_called_while_attached(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *a, *b, *c, *d;

	invalidate(exp);
	a = attach_to(exp, &silent_callback);
	invalidate(exp);
	unmap(a, map(a));
	invalidate(exp);
	invalidate(exp);
	EXPECT_CALLS(exp, "attach, invalidate, map, unmap, invalidate, invalidate");

	/* It may come to both before the attach returns. */
	exp->invalidates_in = "pin";
	b = attach_to(exp, &pinned_callback);
	EXPECT_CALLS(exp, "attach, pin, invalidate, invalidate");

	/* These have no callback. */
	c = attach_to(exp, &silent);
	d = attach_to(exp, NULL);
	invalidate(exp);
	EXPECT_CALLS(exp, "attach, attach, invalidate, invalidate");
	dma_buf_detach(exp->dmabuf, a);
	invalidate(exp);
	EXPECT_CALLS(exp, "detach, invalidate");
	dma_buf_detach(exp->dmabuf, b);
	dma_buf_detach(exp->dmabuf, c);
	dma_buf_detach(exp->dmabuf, d);
}

/*
 * What amdgpu does in its callback: it locks another buffer, with the ticket
 * that the first one was locked with, and evicts that.
 */
static void evict_the_other(struct dma_buf_attachment *attach)
{
	struct mock_exporter *other = attach->importer_priv;

	if (dma_resv_lock(other->dmabuf->resv, dma_resv_locking_ctx(attach->dmabuf->resv)))
		return;
	dma_buf_invalidate_mappings(other->dmabuf);
	dma_resv_unlock(other->dmabuf->resv);
}

static void callback_may_evict_another_buffer(struct kunit *test)
{
	static const struct dma_buf_attach_ops evicting = {
		.invalidate_mappings = evict_the_other,
	};
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct mock_exporter *other = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach, *attach_other;
	struct ww_acquire_ctx ticket;

	attach = dma_buf_dynamic_attach(exp->dmabuf, mock_device(test), &evicting, other);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	attach_other = attach_to(other, &movable);
	EXPECT_CALLS(other, "attach");

	/* CONFIG_DEBUG_WW_MUTEX_SLOWPATH makes up a deadlock now and then. */
	for (int try = 0; !other->calls[0] && try < 100; try++) {
		ww_acquire_init(&ticket, &reservation_ww_class);
		if (dma_resv_lock(exp->dmabuf->resv, &ticket))
			dma_resv_lock_slow(exp->dmabuf->resv, &ticket);
		dma_buf_invalidate_mappings(exp->dmabuf);
		dma_resv_unlock(exp->dmabuf->resv);
		ww_acquire_fini(&ticket);
	}
	EXPECT_CALLS(other, "invalidate");
	dma_buf_detach(exp->dmabuf, attach);
	dma_buf_detach(other->dmabuf, attach_other);
#ifdef CONFIG_LOCKDEP
	/* lockdep is off after its first complaint */
	KUNIT_EXPECT_EQ(test, debug_locks, 1);
#endif
}

/* Exporters that fail, and go on then */

static void expect_failed_attach_is_undone(struct mock_exporter *exp,
					   const struct dma_buf_attach_ops *ops)
{
	struct device *dev = mock_device(exp->test);

	exp->attach_error = -EBUSY;
	KUNIT_EXPECT_EQ(exp->test, attach_error(exp, dev, ops), -EBUSY);
	EXPECT_CALLS(exp, "attach");
	exp->attach_error = 0;
	exp->pin_error = -ENOSPC;
	KUNIT_EXPECT_EQ(exp->test, attach_error(exp, dev, ops), -ENOSPC);
	/* It is on no list. */
	invalidate(exp);
	EXPECT_CALLS(exp, "attach, pin, detach");
	exp->pin_error = 0;
	dma_buf_detach(exp->dmabuf, attach_device(exp, dev, ops));
	EXPECT_CALLS(exp, "attach, pin, unpin, detach");
}

static void attach_that_fails_is_undone(struct kunit *test)
{
	expect_failed_attach_is_undone(mock_export(test, PIN_OP, 0), &pinned_callback);
	expect_failed_attach_is_undone(mock_export(test, PIN_OP, MODE_R), &revocable);
}

static void pin_or_map_that_fails_leaves_nothing(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *a = attach_to(exp, &movable);
	struct dma_buf_attachment *b = attach_to(exp, &pinned_callback);
	struct dma_buf_attachment *c = attach_to(exp, NULL);

	EXPECT_CALLS(exp, "attach, attach, pin, attach");
	exp->pin_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, pin_error(a), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pin_error(b), -ENOSPC);
	KUNIT_EXPECT_EQ(test, map_error(c), -ENOSPC);
	EXPECT_WARNINGS(test, 1, unpin(a));
	EXPECT_CALLS(exp, "pin, pin, pin");
	exp->pin_error = 0;

	exp->map_error = -EIO;
	KUNIT_EXPECT_EQ(test, map_error(a), -EIO);
	KUNIT_EXPECT_EQ(test, map_error(b), -EIO);
	KUNIT_EXPECT_EQ(test, map_error(c), -EIO);
	EXPECT_CALLS(exp, "map, map, pin, map, unpin");
	exp->map_error = 0;

	unmap(a, map(a));
	unmap(c, map(c));
	EXPECT_CALLS(exp, "map, unmap, pin, map, unmap, unpin");
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, a));
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, b));
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, c));
	EXPECT_CALLS(exp, "detach, unpin, detach, detach");
}

/* Importers that leave something behind when they detach */

static void detach_drops_pins(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach = attach_to(exp, &silent_callback);

	pin(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, unpin, detach");

	/* Two, and that of the core */
	attach = attach_to(exp, &pinned_callback);
	pin(attach);
	pin(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, pin, pin, unpin, unpin, unpin, detach");

	exp = mock_export(test, NO_PIN_OP, 0);
	attach = attach_to(exp, &silent_callback);
	pin(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, detach");
}

static void detach_drops_mappings(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach = attach_to(exp, &silent_callback);

	map(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, map, unmap, detach");

	/* Each in its own direction, which the exporter looks at */
	attach = attach_to(exp, &silent_callback);
	map_dir(attach, DMA_TO_DEVICE);
	map_dir(attach, DMA_FROM_DEVICE);
	map_dir(attach, DMA_TO_DEVICE);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, map, map, map, unmap, unmap, unmap, detach");

	attach = attach_to(exp, NULL);
	map(attach);
	map(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, map, pin, map, unmap, unpin, unmap, unpin, detach");

	exp = mock_export(test, NO_PIN_OP, 0);
	attach = attach_to(exp, NULL);
	map(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, map, unmap, detach");
}

static void detach_drops_mappings_before_pins(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);
	struct dma_buf_attachment *attach = attach_to(exp, &revocable);

	map(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "attach, pin, map, unmap, unpin, detach");

	attach = attach_to(exp, &revocable);
	pin(attach);
	pin(attach);
	map(attach);
	map(attach);
	EXPECT_CALLS(exp, "attach, pin, pin, pin, map, map");
	/* A revoke doesn't change that. */
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), -ETIMEDOUT);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "invalidate, unmap, unmap, unpin, unpin, unpin, detach");
}

/* Several mappings */

static void mappings_are_unmapped_in_any_order(struct kunit *test)
{
	static const enum dma_data_direction dirs[] = {
		DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
	};
	static const u8 orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);

	/* All three are unmapped, or the last one is left to detach. */
	for (int i = 0; i < 2 * ARRAY_SIZE(orders); i++) {
		struct dma_buf_attachment *attach = attach_to(exp, &silent_callback);
		int a = orders[i / 2][0], b = orders[i / 2][1], c = orders[i / 2][2];
		bool left = i % 2;
		struct sg_table *sgt[3];

		for (int k = 0; k < 3; k++)
			sgt[k] = map_dir(attach, dirs[k]);
		dma_buf_unmap_attachment_unlocked(attach, sgt[a], dirs[a]);
		/* One is added in between. */
		sgt[a] = map_dir(attach, dirs[a]);
		EXPECT_CALLS(exp, "attach, map, map, map, unmap, map");
		dma_buf_unmap_attachment_unlocked(attach, sgt[b], dirs[b]);
		dma_buf_unmap_attachment_unlocked(attach, sgt[a], dirs[a]);
		if (!left)
			dma_buf_unmap_attachment_unlocked(attach, sgt[c], dirs[c]);
		EXPECT_WARNINGS(test, left, dma_buf_detach(exp->dmabuf, attach));
		EXPECT_CALLS(exp, "unmap, unmap, unmap, detach");
	}
}

static void exporter_may_return_the_same_table(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *attach = attach_to(exp, &silent_callback);
	struct sg_table *first, *second;

	exp->returns_same_table = true;
	first = map(attach);
	second = map(attach);
	unmap(attach, first);
	unmap(attach, map(attach));
	unmap(attach, second);
	EXPECT_CALLS(exp, "attach, map, map, unmap, map, unmap, unmap");

	map(attach);
	map(attach);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, attach));
	EXPECT_CALLS(exp, "map, map, unmap, unmap, detach");
}

static void mappings_and_pins_belong_to_their_attachment(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);
	struct dma_buf_attachment *a = attach_to(exp, &silent_callback);
	struct dma_buf_attachment *b = attach_to(exp, &silent_callback);
	struct sg_table *first = map(a), *other = map(b), *second = map(a);

	EXPECT_CALLS(exp, "attach, attach, map, map, map");
	/* The exporter would unmap them from the wrong device. */
	EXPECT_WARNINGS(test, 1, unmap(a, other));
	EXPECT_WARNINGS(test, 1, unmap(b, first));
	EXPECT_CALLS(exp, "");

	pin(a);
	pin(a);
	pin(b);
	KUNIT_EXPECT_EQ(test, a->pins, 2);
	KUNIT_EXPECT_EQ(test, b->pins, 1);
	unpin(b);
	EXPECT_WARNINGS(test, 1, unpin(b));
	EXPECT_CALLS(exp, "pin, pin, pin, unpin");
	pin(b);
	EXPECT_WARNINGS(test, 1, dma_buf_detach(exp->dmabuf, b));
	EXPECT_CALLS(exp, "pin, unmap, unpin, detach");

	/* All that is a's is there. */
	unmap(a, second);
	unmap(a, first);
	EXPECT_WARNINGS(test, 1, unmap(a, first));
	unpin(a);
	unpin(a);
	EXPECT_WARNINGS(test, 0, dma_buf_detach(exp->dmabuf, a));
	EXPECT_CALLS(exp, "unmap, unmap, unpin, unpin, detach");
}

/* An attachment's first mapping needs no memory of the core, a second one does. */
#define NO_FAULT_INJECTION						\
	"no fault injection: needs CONFIG_FAILSLAB, and in debugfs failslab/: ignore-gfp-wait N, verbose 0"

/* The next @nth allocation of this thread fails. Returns 0 if the last one has. */
static int set_fail_nth(int nth)
{
#ifdef CONFIG_FAULT_INJECTION
	swap(nth, current->fail_nth);
#endif
	return nth;
}

static bool can_fail(void)
{
	void *p;

	set_fail_nth(1);
	p = kmalloc(8, GFP_KERNEL | __GFP_NOWARN);
	set_fail_nth(0);
	kfree(p);
	return !p;
}

static void expect_failed_record_is_undone(struct mock_exporter *exp,
					   const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach = attach_to(exp, ops);
	struct sg_table *first = map(attach), *second;
	int nth, pinned = exp->pinned;

	for (nth = 1; nth < 100; nth++) {
		set_fail_nth(nth);
		/* For other directions, DMA-API debugging gives up out of memory. */
		second = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
		if (set_fail_nth(0))
			break;
		KUNIT_EXPECT_EQ(exp->test, PTR_ERR(second), -ENOMEM);
		KUNIT_EXPECT_EQ(exp->test, list_count_nodes(&exp->mappings), 1);
		KUNIT_EXPECT_EQ(exp->test, exp->pinned, pinned);
		exp->calls[0] = '\0';
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(exp->test, second);
	/* That of the exporter and that of the core have failed. */
	KUNIT_EXPECT_GE(exp->test, nth - 1, 2);
	unmap(attach, first);
	unmap(attach, second);
	EXPECT_WARNINGS(exp->test, 0, dma_buf_detach(exp->dmabuf, attach));
}

static void mapping_that_cannot_be_recorded_is_undone(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, 0);

	if (!can_fail())
		kunit_skip(test, NO_FAULT_INJECTION);
	expect_failed_record_is_undone(exp, NULL);
	expect_failed_record_is_undone(exp, &movable);
}

/* Revoked buffers */

static void revoked_buffer_takes_no_attachment(struct kunit *test)
{
	const struct dma_buf_attach_ops *ops[] = { &revocable, &silent_callback, NULL };
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_P | MODE_R);

	for (int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct device *dev = mock_device(test);

		revoke(exp, DMA_BUF_REVOKED_NOW);
		KUNIT_EXPECT_EQ(test, attach_error(exp, dev, ops[i]), -ENODEV);
		invalidate(exp);
		EXPECT_CALLS(exp, "");
		revoke(exp, DMA_BUF_REVOKED_NO);

		/* A revoke that comes later is found, and the exporter is told. */
		exp->revokes_in_attach = true;
		KUNIT_EXPECT_EQ(test, attach_error(exp, dev, ops[i]), -ENODEV);
		exp->revokes_in_attach = false;
		invalidate(exp);
		EXPECT_CALLS(exp, "attach, detach");
		revoke(exp, DMA_BUF_REVOKED_NO);

		dma_buf_detach(exp->dmabuf, attach_device(exp, dev, ops[i]));
		EXPECT_CALLS(exp, ops[i] == &revocable ? "attach, pin, unpin, detach" :
							 "attach, detach");
	}
}

static void expect_no_pin_while_revoked(struct mock_exporter *exp)
{
	struct dma_buf_attachment *attach = attach_to(exp, &silent_callback);

	pin(attach);
	revoke(exp, DMA_BUF_REVOKED_NOW);
	KUNIT_EXPECT_EQ(exp->test, pin_error(attach), -ENODEV);
	KUNIT_EXPECT_EQ(exp->test, attach->pins, 1);
	/* Unpin always works. */
	unpin(attach);
	KUNIT_EXPECT_EQ(exp->test, pin_error(attach), -ENODEV);
	revoke(exp, DMA_BUF_REVOKED_NO);
	pin(attach);
	revoke(exp, DMA_BUF_REVOKED_PERMANENT);
	KUNIT_EXPECT_EQ(exp->test, pin_error(attach), -ENODEV);
	unpin(attach);
	dma_buf_detach(exp->dmabuf, attach);
}

static void revoked_buffer_takes_no_pin(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);

	expect_no_pin_while_revoked(exp);
	EXPECT_CALLS(exp, "attach, pin, invalidate, unpin, pin, invalidate, unpin, detach");
	exp = mock_export(test, NO_PIN_OP, MODE_R);
	expect_no_pin_while_revoked(exp);
	EXPECT_CALLS(exp, "attach, invalidate, invalidate, detach");
}

static void revoked_buffer_is_not_mapped(struct kunit *test)
{
	const struct dma_buf_attach_ops *ops[] = { &revocable, &silent_callback };
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);

	for (int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct dma_buf_attachment *attach = attach_to(exp, ops[i]);
		struct sg_table *sgt = map(attach);

		/* One that is there can be unmapped, and makes no exception. */
		exp->calls[0] = '\0';
		KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, map_error(attach), -ENODEV);
		unmap(attach, sgt);
		KUNIT_EXPECT_EQ(test, map_error(attach), -ENODEV);
		EXPECT_CALLS(exp, "invalidate, unmap");
		revoke(exp, DMA_BUF_REVOKED_NO);
		unmap(attach, map(attach));
		EXPECT_CALLS(exp, "map, unmap");
		dma_buf_detach(exp->dmabuf, attach);
	}
}

static int vmap_error(struct mock_exporter *exp, struct iosys_map *map)
{
	int ret;

	EXPECT_WARNINGS(exp->test, 0, ret = dma_buf_vmap_unlocked(exp->dmabuf, map));
	KUNIT_EXPECT_EQ(exp->test, !ret, iosys_map_is_set(map));
	return ret;
}

static void revoked_buffer_takes_no_vmap(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_P | MODE_R);
	struct iosys_map a, b;

	revoke(exp, DMA_BUF_REVOKED_NOW);
	KUNIT_EXPECT_EQ(test, vmap_error(exp, &a), -ENODEV);
	EXPECT_CALLS(exp, "");
	revoke(exp, DMA_BUF_REVOKED_NO);

	/* While there is one, and for each that is counted up */
	KUNIT_ASSERT_EQ(test, vmap_error(exp, &a), 0);
	KUNIT_ASSERT_EQ(test, vmap_error(exp, &b), 0);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), -EBUSY);
	dma_buf_vunmap_unlocked(exp->dmabuf, &a);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_PERMANENT), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NO);
	dma_buf_vunmap_unlocked(exp->dmabuf, &b);
	revoke(exp, DMA_BUF_REVOKED_NOW);
	EXPECT_CALLS(exp, "vmap, vunmap");
}

static void vmap_depends_on_the_offer(struct kunit *test)
{
	static const struct {
		bool has_pin;
		u32 offer;
		int error;
	} rows[] = {
		{ NO_PIN_OP, 0, 0 },
		{ PIN_OP, 0, 0 },
		{ NO_PIN_OP, MODE_P, 0 },
		{ NO_PIN_OP, MODE_R, -EOPNOTSUPP },
		{ PIN_OP, MODE_R, -EOPNOTSUPP },
		{ PIN_OP, MODE_P | MODE_R, 0 },
		{ PIN_OP, MODE_R | MODE_M, 0 },
		{ PIN_OP, MODE_ALL, 0 },
	};

	for (int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mock_exporter *exp = mock_export(test, rows[i].has_pin, rows[i].offer);
		struct iosys_map map;

		KUNIT_EXPECT_EQ_MSG(test, vmap_error(exp, &map), rows[i].error, "case %d", i);
		if (!rows[i].error)
			dma_buf_vunmap_unlocked(exp->dmabuf, &map);
		EXPECT_CALLS(exp, rows[i].error ? "" : "vmap, vunmap");
	}
}

static void only_revocable_attachments_are_revoked(struct kunit *test)
{
	static const struct {
		const struct dma_buf_attach_ops *ops;
		u32 offer;
		int error;
	} rows[] = {
		{ &revocable, MODE_R, 0 },
		{ &silent_callback, MODE_R, 0 },
		{ &all_modes, MODE_P | MODE_R, 0 },
		{ &revocable, MODE_ALL, 0 },
		{ &all_modes, MODE_ALL, -EBUSY },	/* movable */
		{ &movable, MODE_ALL, -EBUSY },
		{ &silent_callback, MODE_ALL, -EBUSY },
		{ &pinned, MODE_P | MODE_R, -EBUSY },
		{ &pinned_callback, MODE_P | MODE_R, -EBUSY },
		{ &silent, MODE_P | MODE_R, -EBUSY },
		{ NULL, MODE_ALL, -EBUSY },
	};

	for (int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mock_exporter *exp = mock_export(test, PIN_OP, rows[i].offer);
		struct dma_buf_attachment *attach = attach_to(exp, rows[i].ops);
		/* It doesn't matter that others can be revoked. */
		struct dma_buf_attachment *other = attach_to(exp, &revocable);

		exp->calls[0] = '\0';
		for (u32 how = DMA_BUF_REVOKED_NOW; how <= DMA_BUF_REVOKED_PERMANENT; how++) {
			u32 state = rows[i].error ? DMA_BUF_REVOKED_NO : how;

			KUNIT_EXPECT_EQ_MSG(test, revoke_error(exp, how),
					    rows[i].error, "case %d", i);
			KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), state);
		}
		/* Once, or not at all */
		EXPECT_CALLS(exp, rows[i].error ? "" : "invalidate, invalidate");
		dma_buf_detach(exp->dmabuf, attach);
		/* No promise is left. */
		KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_PERMANENT), 0);
		dma_buf_detach(exp->dmabuf, other);
	}
}

static void only_offers_of_revocable_are_revoked(struct kunit *test)
{
	static const u32 offers[] = { 0, MODE_P, MODE_M, MODE_P | MODE_M };

	for (int i = 0; i < ARRAY_SIZE(offers); i++) {
		struct mock_exporter *exp = mock_export(test, PIN_OP, offers[i]);

		for (u32 how = DMA_BUF_REVOKED_NOW; how <= DMA_BUF_REVOKED_PERMANENT; how++)
			KUNIT_EXPECT_EQ_MSG(test, revoke_error(exp, how), -EINVAL, "offer %d", i);
		KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NO);
	}
}

static void revoked_is_one_of_three_states(struct kunit *test)
{
	struct mock_exporter *exp = mock_export(test, PIN_OP, MODE_R);

	KUNIT_EXPECT_EQ(test, dma_buf_revoke_state(exp->dmabuf), DMA_BUF_REVOKED_NO);
	for (int twice = 0; twice < 2; twice++)
		revoke(exp, DMA_BUF_REVOKED_NOW);
	for (int twice = 0; twice < 2; twice++)
		revoke(exp, DMA_BUF_REVOKED_NO);
	dma_buf_detach(exp->dmabuf, attach_to(exp, &silent_callback));
	EXPECT_CALLS(exp, "attach, detach");

	/* Permanent is final. */
	revoke(exp, DMA_BUF_REVOKED_PERMANENT);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NO), -ENODEV);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NOW), 0);
	KUNIT_EXPECT_EQ(test, revoke_error(exp, DMA_BUF_REVOKED_NO), -ENODEV);
	revoke(exp, DMA_BUF_REVOKED_PERMANENT);
	KUNIT_EXPECT_EQ(test, attach_error(exp, mock_device(test), &revocable), -ENODEV);
	EXPECT_CALLS(exp, "");
}

static int mode_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_BUG))
		kunit_skip(test, "no WARN() without CONFIG_BUG");
	return 0;
}

static struct kunit_case mode_cases[] = {
	KUNIT_CASE_PARAM(each_importer_gets_its_mode_or_none, offer_gen_params),
	KUNIT_CASE(exporter_with_unknown_mode_is_refused),
	KUNIT_CASE(exporter_that_maps_what_it_may_revoke_is_refused),
	KUNIT_CASE(importer_with_inconsistent_modes_is_refused),
	KUNIT_CASE(static_importer_is_pinned_while_it_maps),
	KUNIT_CASE(silent_or_movable_importer_pins_by_itself),
	KUNIT_CASE(core_pins_from_attach_to_detach),
	KUNIT_CASE(pins_are_counted_without_a_pin_op),
	KUNIT_CASE(retire_gives_the_pin_of_the_core_back),
	KUNIT_CASE(retired_attachment_takes_no_mapping_and_no_pin),
	KUNIT_CASE(retired_attachment_has_no_veto),
	KUNIT_CASE(mapped_attachment_does_not_retire),
	KUNIT_CASE(callback_may_retire_its_attachment),
	KUNIT_CASE(retires_while_an_op_of_the_exporter_runs),
	KUNIT_CASE(callback_is_called_while_attached),
	KUNIT_CASE(callback_may_evict_another_buffer),
	KUNIT_CASE(attach_that_fails_is_undone),
	KUNIT_CASE(pin_or_map_that_fails_leaves_nothing),
	KUNIT_CASE(detach_drops_pins),
	KUNIT_CASE(detach_drops_mappings),
	KUNIT_CASE(detach_drops_mappings_before_pins),
	KUNIT_CASE(mappings_are_unmapped_in_any_order),
	KUNIT_CASE(exporter_may_return_the_same_table),
	KUNIT_CASE(mappings_and_pins_belong_to_their_attachment),
	KUNIT_CASE(mapping_that_cannot_be_recorded_is_undone),
	KUNIT_CASE(revoked_buffer_takes_no_attachment),
	KUNIT_CASE(revoked_buffer_takes_no_pin),
	KUNIT_CASE(revoked_buffer_is_not_mapped),
	KUNIT_CASE(revoked_buffer_takes_no_vmap),
	KUNIT_CASE(vmap_depends_on_the_offer),
	KUNIT_CASE(only_revocable_attachments_are_revoked),
	KUNIT_CASE(only_offers_of_revocable_are_revoked),
	KUNIT_CASE(revoked_is_one_of_three_states),
	{}
};

static struct kunit_suite mode_suite = {
	.name = "dma-buf-modes",
	.init = mode_init,
	.test_cases = mode_cases,
};

kunit_test_suite(mode_suite);

MODULE_DESCRIPTION("KUnit tests for dma-buf attachment modes");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
