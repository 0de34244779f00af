// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: a mock exporter for the tests of attachment modes
 */

#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mode-mock.h"

struct mock_mapping {
	struct list_head node;
	struct dma_buf_attachment *attach;
	struct sg_table sgt;
	struct scatterlist page;
	enum dma_data_direction dir;
	unsigned int users;	/* over 1 if it was returned again */
};

/* Nobody else knows the buffer, so a lock that is held is the caller's. */
void mock_record(struct mock_exporter *exp, const char *call, bool locked)
{
	size_t used = strlen(exp->calls);

	scnprintf(exp->calls + used, sizeof(exp->calls) - used, "%s%s",
		  used ? ", " : "", call);
	KUNIT_EXPECT_EQ(exp->test, dma_resv_is_locked(exp->dmabuf->resv),
			locked);
}

bool mock_is_attached(const struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment *a;

	list_for_each_entry(a, &attach->dmabuf->attachments, node)
		if (a == attach)
			return true;
	return false;
}

static int op_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = dmabuf->priv;

	mock_record(exp, "attach", false);
	KUNIT_EXPECT_EQ(exp->test, hweight32(dma_buf_attachment_mode(attach)), 1);
	if (exp->attach_error)
		return exp->attach_error;
	if (exp->revokes_in_attach)
		KUNIT_EXPECT_EQ(exp->test, 0, dma_buf_revoke(dmabuf));
	exp->attached++;
	return 0;
}

static void op_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = dmabuf->priv;
	struct mock_mapping *map;

	mock_record(exp, "detach", false);
	KUNIT_EXPECT_FALSE(exp->test, mock_is_attached(attach));
	KUNIT_EXPECT_EQ(exp->test, attach->pins, 0);
	list_for_each_entry(map, &exp->mappings, node)
		KUNIT_EXPECT_PTR_NE(exp->test, map->attach, attach);
	exp->attached--;
}

static void may_invalidate(struct mock_exporter *exp, const char *op)
{
	if (exp->invalidates_in && !strcmp(exp->invalidates_in, op))
		dma_buf_invalidate_mappings(exp->dmabuf);
}

static int op_pin(struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = attach->dmabuf->priv;

	mock_record(exp, "pin", true);
	KUNIT_EXPECT_TRUE(exp->test, mock_is_attached(attach));
	if (exp->pin_error)
		return exp->pin_error;
	may_invalidate(exp, "pin");
	exp->pinned++;
	return 0;
}

static void op_unpin(struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = attach->dmabuf->priv;

	mock_record(exp, "unpin", true);
	exp->pinned--;
	may_invalidate(exp, "unpin");
}

static struct sg_table *op_map(struct dma_buf_attachment *attach,
			       enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;
	struct mock_mapping *map;
	int ret;

	mock_record(exp, "map", true);
	if (exp->map_error)
		return ERR_PTR(exp->map_error);
	if (exp->returns_same_table && !list_empty(&exp->mappings)) {
		map = list_first_entry(&exp->mappings, typeof(*map), node);
		map->users++;
		return &map->sgt;
	}

	map = kzalloc_obj(*map);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->attach = attach;
	map->dir = dir;
	map->users = 1;
	sg_init_table(&map->page, 1);
	sg_set_page(&map->page, exp->page, PAGE_SIZE, 0);
	map->sgt = (struct sg_table) {
		.sgl = &map->page, .nents = 1, .orig_nents = 1,
	};
	ret = dma_map_sgtable(attach->dev, &map->sgt, dir, 0);
	if (ret) {
		kfree(map);
		return ERR_PTR(ret);
	}
	list_add(&map->node, &exp->mappings);
	may_invalidate(exp, "map");
	return &map->sgt;
}

static void op_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		     enum dma_data_direction dir)
{
	struct mock_exporter *exp = attach->dmabuf->priv;
	struct mock_mapping *map;

	mock_record(exp, "unmap", true);
	list_for_each_entry(map, &exp->mappings, node)
		if (&map->sgt == sgt)
			break;
	if (list_entry_is_head(map, &exp->mappings, node)) {
		KUNIT_FAIL(exp->test, "unmap of what is not mapped");
		return;
	}
	KUNIT_EXPECT_PTR_EQ(exp->test, attach, map->attach);
	KUNIT_EXPECT_EQ(exp->test, dir, map->dir);
	if (--map->users)
		return;
	list_del(&map->node);
	dma_unmap_sgtable(attach->dev, sgt, map->dir, 0);
	kfree(map);
	may_invalidate(exp, "unmap");
}

static int op_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	mock_record(dmabuf->priv, "begin", false);
	return 0;
}

static int op_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	mock_record(dmabuf->priv, "end", false);
	return 0;
}

static int op_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *exp = dmabuf->priv;

	mock_record(exp, "vmap", true);
	iosys_map_set_vaddr(map, page_address(exp->page));
	return 0;
}

static void op_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *exp = dmabuf->priv;

	mock_record(exp, "vunmap", true);
}

static void op_release(struct dma_buf *dmabuf)
{
	struct mock_exporter *exp = dmabuf->priv;

	if (exp->revokes_in_release)
		KUNIT_EXPECT_EQ(exp->test, 0,
				dma_buf_revoke_permanently(dmabuf));
	exp->released = true;
}

static const struct dma_buf_ops mock_ops = {
	.attach = op_attach,
	.detach = op_detach,
	.map_dma_buf = op_map,
	.unmap_dma_buf = op_unmap,
	.begin_cpu_access = op_begin,
	.end_cpu_access = op_end,
	.vmap = op_vmap,
	.vunmap = op_vunmap,
	.release = op_release,
};

static void mock_exporter_free(void *data)
{
	struct mock_exporter *exp = data;

	KUNIT_EXPECT_EQ(exp->test, exp->attached, 0);
	KUNIT_EXPECT_EQ(exp->test, exp->pinned, 0);
	KUNIT_EXPECT_TRUE(exp->test, list_empty(&exp->mappings));

	if (exp->dmabuf) {
		KUNIT_EXPECT_TRUE(exp->test,
				  list_empty(&exp->dmabuf->attachments));
		dma_buf_put(exp->dmabuf);
		/* A kernel thread's last fput() is done by a work item. */
		flush_delayed_fput();
		KUNIT_EXPECT_TRUE(exp->test, exp->released);
		if (!exp->released)
			return;
	}
	if (exp->page)
		__free_page(exp->page);
	kfree(exp);
}

void mock_rename(struct mock_exporter *exp)
{
	snprintf(exp->name, sizeof(exp->name), "mock-%016llx",
		 get_random_u64());
}

struct mock_exporter *mock_exporter(struct kunit *test, bool has_pin)
{
	struct mock_exporter *exp = kzalloc_obj(*exp);

	KUNIT_ASSERT_NOT_NULL(test, exp);
	exp->test = test;
	exp->ops = mock_ops;
	if (has_pin) {
		exp->ops.pin = op_pin;
		exp->ops.unpin = op_unpin;
	}
	INIT_LIST_HEAD(&exp->mappings);
	mock_rename(exp);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_exporter_free, exp));
	exp->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, exp->page);
	return exp;
}

int mock_try_export(struct mock_exporter *exp, u32 modes)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	exp_info.exp_name = exp->name;
	exp_info.ops = &exp->ops;
	exp_info.size = PAGE_SIZE;
	exp_info.flags = O_RDWR;
	exp_info.priv = exp;
	exp_info.modes = modes;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	exp->dmabuf = dmabuf;
	return 0;
}

struct mock_exporter *mock_export(struct kunit *test, bool has_pin, u32 modes)
{
	struct mock_exporter *exp = mock_exporter(test, has_pin);

	KUNIT_ASSERT_EQ(test, 0, mock_try_export(exp, modes));
	return exp;
}

#define MOCK_NAME_SIZE	32

static void unregister_device(void *data)
{
	struct device *dev = data;
	const struct class *class = dev->class;

	device_unregister(dev);
	class_destroy(class);
}

/*
 * A class for each, as dev_driver_string() is the name of the class where there
 * is no driver. The KUnit bus would bind the second device of a test to the
 * driver of the first.
 */
struct device *mock_device(struct kunit *test)
{
	/* The class has no copy of it. */
	char *name = kunit_kzalloc(test, MOCK_NAME_SIZE, GFP_KERNEL);
	struct class *class;
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, name);
	snprintf(name, MOCK_NAME_SIZE, "mode-%016llx", get_random_u64());
	class = class_create(name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, class);
	dev = device_create(class, NULL, MKDEV(0, 0), NULL, "%s", name);
	if (IS_ERR(dev)) {
		class_destroy(class);
		KUNIT_FAIL_AND_ABORT(test, "no device: %pe", dev);
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   unregister_device,
							   dev));
	KUNIT_ASSERT_STREQ(test, dev_driver_string(dev), name);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	return dev;
}

/* It may come before the attach has returned: only @attach can be relied on. */
void mock_invalidate(struct dma_buf_attachment *attach)
{
	struct mock_exporter *exp = attach->importer_priv;

	mock_record(exp, "invalidate", true);
	KUNIT_EXPECT_PTR_EQ(exp->test, attach->dmabuf, exp->dmabuf);
	KUNIT_EXPECT_TRUE(exp->test, mock_is_attached(attach));
}
