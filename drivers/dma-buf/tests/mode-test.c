// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: attachment modes. What is expected is written out here from the
 * rules in Documentation/driver-api/dma-buf/attachment-modes.rst.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <trace/events/dma_buf.h>

#include "mode-test.h"

#define P	DMA_BUF_MODE_PINNED
#define R	DMA_BUF_MODE_REVOCABLE
#define M	DMA_BUF_MODE_MOVABLE
#define UNKNOWN	BIT(3)
#define HIGHEST	BIT(31)

#define NR_IMPORTERS	2
#define NR_MAPS		3
#define MAX_STEPS	16

/* What an importer brings along besides the modes that it names */
enum importer_kind {
	STATIC,			/* no ops: dma_buf_attach() */
	NO_CALLBACK,		/* ops without invalidate_mappings */
	CALLBACK,		/* ops with it */
};

struct setup {
	const char *name;
	bool pin_op;		/* the exporter has pin and unpin ops */
	u32 offers;		/* modes that it names; 0 is silence */
	enum importer_kind importer;
	u32 accepts;		/* modes that the importer names */
	bool same_table;	/* the exporter caches its sg_table */
	const char *script[MAX_STEPS];	/* see run() */
};

struct importer {
	struct dma_buf_attachment *attach;
	struct sg_table *sgt[NR_MAPS];
	enum dma_data_direction dir[NR_MAPS];
	unsigned int nr_sgt;
};

/* What the exporter returns from its map op */
struct table {
	struct sg_table sgt;
	enum dma_data_direction dir;
};

struct mock {
	struct kunit *test;
	struct device *dev;
	struct dma_buf *dmabuf;
	struct page *page;		/* the buffer */
	struct dma_buf_ops ops;
	struct dma_buf_attach_ops attach_ops;
	bool is_static;
	struct importer importers[NR_IMPORTERS];
	char exp_name[32];
	struct completion released;
	char log[128];			/* what a step did, see run() */

	/* the exporter's books, and the ops that are to fail */
	int attached, pinned, mapped;
	struct table *table;		/* the last one that it made */
	bool same_table;
	bool break_attach, break_pin, break_map;
	bool tell_in_pin;		/* its pin op invalidates mappings */
};

static void did(struct mock *m, const char *what)
{
	size_t used = strlen(m->log);

	scnprintf(m->log + used, sizeof(m->log) - used, "%s%s",
		  strchr(m->log, ':') ? ", " : ": ", what);
}

static bool is_listed(struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment *a;

	list_for_each_entry(a, &attach->dmabuf->attachments, node)
		if (a == attach)
			return true;
	return false;
}

/* The mock exporter. Nobody else knows its buffer, so a lock is the caller's. */

static void expect_locked(struct mock *m, bool locked)
{
	KUNIT_EXPECT_EQ(m->test, dma_resv_is_locked(m->dmabuf->resv), locked);
}

static int mock_attach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attach)
{
	struct mock *m = dmabuf->priv;

	did(m, "attach");
	expect_locked(m, false);
	KUNIT_EXPECT_EQ(m->test, 1, hweight32(dma_buf_attachment_mode(attach)));
	if (m->break_attach)
		return -EBUSY;
	m->attached++;
	return 0;
}

static void mock_detach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	struct mock *m = dmabuf->priv;

	did(m, "detach");
	expect_locked(m, false);
	KUNIT_EXPECT_EQ(m->test, attach->pins, 0);
	KUNIT_EXPECT_TRUE(m->test, list_empty(&attach->mappings));
	m->attached--;
}

static int mock_pin(struct dma_buf_attachment *attach)
{
	struct mock *m = attach->dmabuf->priv;

	did(m, "pin");
	expect_locked(m, true);
	KUNIT_EXPECT_TRUE(m->test, is_listed(attach));
	if (m->break_pin)
		return -ENOSPC;
	if (m->tell_in_pin)
		dma_buf_invalidate_mappings(attach->dmabuf);
	m->pinned++;
	return 0;
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	struct mock *m = attach->dmabuf->priv;

	did(m, "unpin");
	expect_locked(m, true);
	KUNIT_EXPECT_GT(m->test, m->pinned, 0);
	m->pinned--;
}

static struct table *make_table(struct mock *m, struct device *dev,
				enum dma_data_direction dir)
{
	struct table *table;
	int ret;

	table = kzalloc_obj(*table);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->dir = dir;
	ret = sg_alloc_table(&table->sgt, 1, GFP_KERNEL);
	if (ret)
		goto err_free;
	sg_set_page(table->sgt.sgl, m->page, PAGE_SIZE, 0);
	ret = dma_map_sgtable(dev, &table->sgt, dir, 0);
	if (ret)
		goto err_table;
	return table;

err_table:
	sg_free_table(&table->sgt);
err_free:
	kfree(table);
	return ERR_PTR(ret);
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct mock *m = attach->dmabuf->priv;
	struct table *table;

	did(m, "map");
	expect_locked(m, true);
	if (m->break_map)
		return ERR_PTR(-EIO);
	if (m->same_table && m->mapped) {
		m->mapped++;
		return &m->table->sgt;
	}
	table = make_table(m, attach->dev, dir);
	if (IS_ERR(table))
		return ERR_CAST(table);
	m->table = table;
	m->mapped++;
	return &table->sgt;
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct table *table = container_of(sgt, struct table, sgt);
	struct mock *m = attach->dmabuf->priv;

	did(m, "unmap");
	expect_locked(m, true);
	KUNIT_EXPECT_GT(m->test, m->mapped, 0);
	KUNIT_EXPECT_EQ(m->test, dir, table->dir);
	if (--m->mapped && m->same_table)
		return;
	dma_unmap_sgtable(attach->dev, sgt, table->dir, 0);
	sg_free_table(sgt);
	kfree(table);
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock *m = dmabuf->priv;

	complete(&m->released);
}

static const struct dma_buf_ops mock_ops = {
	.attach = mock_attach,
	.detach = mock_detach,
	.map_dma_buf = mock_map,
	.unmap_dma_buf = mock_unmap,
	.release = mock_release,
};

static const struct dma_buf_ops mock_ops_pin = {
	.attach = mock_attach,
	.detach = mock_detach,
	.pin = mock_pin,
	.unpin = mock_unpin,
	.map_dma_buf = mock_map,
	.unmap_dma_buf = mock_unmap,
	.release = mock_release,
};

/* The mock importer's callback: only its argument can be relied on. */
static void mock_told(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;
	struct mock *m = attach->dmabuf->priv;

	did(m, imp->attach ? "told" : "told-early");
	expect_locked(m, true);
	KUNIT_EXPECT_LT(m->test, imp - m->importers, NR_IMPORTERS);
	if (imp->attach)
		KUNIT_EXPECT_PTR_EQ(m->test, attach, imp->attach);
}

/* A device whose driver nobody has been warned about in this kernel's life */
static struct device *new_device(struct kunit *test)
{
	struct device *dev;
	char name[32];

	snprintf(name, sizeof(name), "mode-%016llx", get_random_u64());
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	/* The KUnit bus binds a device to any driver that it has. */
	KUNIT_ASSERT_STREQ(test, dev_driver_string(dev), name);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	return dev;
}

static int mode_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_BUG))
		kunit_skip(test, "no WARN() without CONFIG_BUG");
	test->priv = new_device(test);
	return 0;
}

/* Drop a reference, the last one, and see that it was. */
static bool put_last(struct kunit *test, struct dma_buf *dmabuf,
		     struct completion *released)
{
	dma_buf_put(dmabuf);
	/* A kernel thread's last fput() is done by a work item. */
	flush_delayed_fput();
	if (wait_for_completion_timeout(released, 10 * HZ))
		return true;
	KUNIT_FAIL(test, "a reference to the dma-buf leaked");
	return false;
}

static void mock_destroy(void *data)
{
	struct mock *m = data;

	if (!IS_ERR_OR_NULL(m->dmabuf) &&
	    !put_last(m->test, m->dmabuf, &m->released))
		return;
	if (m->page)
		__free_page(m->page);
	kfree(m);
}

/* m->dmabuf is an error if the core doesn't like the exporter. */
static struct mock *mock_create(struct kunit *test, const struct setup *s)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct mock *m;

	m = kzalloc_obj(*m);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->dev = test->priv;
	init_completion(&m->released);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_destroy, m));
	m->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, m->page);

	m->same_table = s->same_table;
	m->is_static = s->importer == STATIC;
	m->attach_ops.modes = s->accepts;
	if (s->importer == CALLBACK)
		m->attach_ops.invalidate_mappings = mock_told;

	m->ops = s->pin_op ? mock_ops_pin : mock_ops;
	snprintf(m->exp_name, sizeof(m->exp_name), "mock-%016llx",
		 get_random_u64());
	exp_info.exp_name = m->exp_name;
	exp_info.owner = THIS_MODULE;
	exp_info.ops = &m->ops;
	exp_info.size = PAGE_SIZE;
	exp_info.flags = O_RDWR;
	exp_info.priv = m;
	exp_info.modes = s->offers;
	m->dmabuf = dma_buf_export(&exp_info);
	return m;
}

/* Which mode an attachment gets */

static const struct offer {
	const char *name;
	u32 modes;
	bool pin_op;
	u32 offered;		/* what dma_buf_offered_modes() has to tell */
} offers[] = {
	{ "silent without pin op", 0, false, P },
	{ "silent with pin op", 0, true, P | M },
	{ "pinned", P, true, P },
	{ "revocable", R, true, R },
	{ "pinned+revocable", P | R, true, P | R },
	{ "movable", M, true, M },
	{ "pinned+movable", P | M, true, P | M },
	{ "revocable+movable", R | M, true, R | M },
	{ "pinned+revocable+movable", P | R | M, true, P | R | M },
	{ "pinned without pin op", P, false, P },
	{ "revocable without pin op", R, false, R },
	{ "pinned+revocable without pin op", P | R, false, P | R },
	{ "movable without pin op", M, false },
	{ "pinned+movable without pin op", P | M, false },
	{ "revocable+movable without pin op", R | M, false },
	{ "pinned+revocable+movable without pin op", P | R | M, false },
};

static const struct accept {
	const char *name;
	enum importer_kind importer;
	u32 modes;
} accepts[] = {
	{ "static", STATIC, 0 },
	{ "silent without callback", NO_CALLBACK, 0 },
	{ "silent with callback", CALLBACK, 0 },
	{ "pinned without callback", NO_CALLBACK, P },
	{ "pinned", CALLBACK, P },
	{ "revocable", CALLBACK, R },
	{ "pinned+revocable", CALLBACK, P | R },
	{ "movable", CALLBACK, M },
	{ "pinned+movable", CALLBACK, P | M },
	{ "revocable+movable", CALLBACK, R | M },
	{ "pinned+revocable+movable", CALLBACK, P | R | M },
};

/*
 * A row for each of offers[], a column for each of accepts[]. P, R, M: the
 * mode. "-": nothing in common, -EOPNOTSUPP. X: the export is refused, -EINVAL.
 */
static const char matrix[ARRAY_SIZE(offers)][ARRAY_SIZE(accepts) + 1] = {
	/*
	 * static, silent, silent with callback, pinned without callback,
	 * P, R, PR, M, PM, RM, PRM
	 */
	"PPPPP-P-P-P",		/* silent without pin op */
	"PPMPP-PMMMM",		/* silent with pin op */
	"PPPPP-P-P-P",		/* pinned */
	"--R--RR--RR",		/* revocable */
	"PPRPPRR-PRR",		/* pinned+revocable */
	"--M----MMMM",		/* movable */
	"PPMPP-PMMMM",		/* pinned+movable */
	"--M--RRMMMM",		/* revocable+movable */
	"PPMPPRRMMMM",		/* pinned+revocable+movable */
	/* without pin op */
	"PPPPP-P-P-P",		/* pinned */
	"--R--RR--RR",		/* revocable */
	"PPRPPRR-PRR",		/* pinned+revocable */
	"X",			/* movable */
	"X",			/* pinned+movable */
	"X",			/* revocable+movable */
	"X",			/* pinned+revocable+movable */
};

/* Goes through the letters of the matrix. */
static const void *matrix_gen_params(struct kunit *test, const void *prev,
				     char *desc)
{
	const char *cell = prev ? prev + 1 : &matrix[0][0];
	size_t at, row, column;

	while (cell < (const char *)&matrix[ARRAY_SIZE(offers)] && !*cell)
		cell++;
	if (cell == (const char *)&matrix[ARRAY_SIZE(offers)])
		return NULL;
	at = cell - &matrix[0][0];
	row = at / sizeof(matrix[0]);
	column = at % sizeof(matrix[0]);
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "offer %s, accept %s",
		 offers[row].name, *cell == 'X' ? "anything" : accepts[column].name);
	return cell;
}

static void test_matrix(struct kunit *test)
{
	const char *cell = test->param_value;
	size_t at = cell - &matrix[0][0];
	const struct offer *offer = &offers[at / sizeof(matrix[0])];
	const struct accept *accept = &accepts[at % sizeof(matrix[0])];
	struct setup s = {
		.pin_op = offer->pin_op, .offers = offer->modes,
		.importer = accept->importer, .accepts = accept->modes,
	};
	struct dma_buf_attachment *attach;
	struct mock *m;

	kunit_warning_suppress(test) {
		m = mock_create(test, &s);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test,
						      *cell == 'X' ? 1 : 0);
	}
	if (*cell == 'X') {
		KUNIT_EXPECT_EQ(test, PTR_ERR(m->dmabuf), -EINVAL);
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dmabuf);
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(m->dmabuf),
			offer->offered);

	kunit_warning_suppress(test) {
		attach = dma_buf_dynamic_attach(m->dmabuf, m->dev,
						m->is_static ? NULL : &m->attach_ops,
						&m->importers[0]);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	if (*cell == '-') {
		KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EOPNOTSUPP);
		/* The exporter was not bothered. */
		KUNIT_EXPECT_STREQ(test, m->log, "");
		KUNIT_EXPECT_TRUE(test, list_empty(&m->dmabuf->attachments));
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_EQ(test, dma_buf_attachment_mode(attach),
			*cell == 'P' ? P : *cell == 'R' ? R : M);
	KUNIT_EXPECT_TRUE(test, is_listed(attach));
	dma_buf_detach(m->dmabuf, attach);
	KUNIT_EXPECT_TRUE(test, list_empty(&m->dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, m->attached, 0);
	KUNIT_EXPECT_EQ(test, m->pinned, 0);
}

/* What importers do, in the scripts below */

static int do_attach(struct mock *m, struct importer *imp)
{
	struct dma_buf_attachment *attach;

	if (m->is_static)
		attach = dma_buf_attach(m->dmabuf, m->dev);
	else
		attach = dma_buf_dynamic_attach(m->dmabuf, m->dev,
						&m->attach_ops, imp);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	imp->attach = attach;
	return 0;
}

static int do_detach(struct mock *m, struct importer *imp)
{
	dma_buf_detach(m->dmabuf, imp->attach);
	imp->attach = NULL;
	imp->nr_sgt = 0;
	return 0;
}

static int map(struct importer *imp, enum dma_data_direction dir)
{
	struct sg_table *sgt;

	if (imp->nr_sgt == NR_MAPS)
		return -EINVAL;
	sgt = dma_buf_map_attachment_unlocked(imp->attach, dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	imp->sgt[imp->nr_sgt] = sgt;
	imp->dir[imp->nr_sgt] = dir;
	imp->nr_sgt++;
	return 0;
}

static int unmap(struct importer *imp, unsigned int n)
{
	if (n >= imp->nr_sgt)
		return -EINVAL;
	dma_buf_unmap_attachment_unlocked(imp->attach, imp->sgt[n],
					  imp->dir[n]);
	imp->nr_sgt--;
	for (; n < imp->nr_sgt; n++) {
		imp->sgt[n] = imp->sgt[n + 1];
		imp->dir[n] = imp->dir[n + 1];
	}
	return 0;
}

static int do_map(struct mock *m, struct importer *imp)
{
	return map(imp, DMA_TO_DEVICE);
}

static int do_map_from(struct mock *m, struct importer *imp)
{
	return map(imp, DMA_FROM_DEVICE);
}

static int do_unmap(struct mock *m, struct importer *imp)
{
	return unmap(imp, imp->nr_sgt - 1);
}

static int do_unmap_oldest(struct mock *m, struct importer *imp)
{
	return unmap(imp, 0);
}

static int do_pin(struct mock *m, struct importer *imp)
{
	int ret;

	dma_resv_lock(m->dmabuf->resv, NULL);
	ret = dma_buf_pin(imp->attach);
	dma_resv_unlock(m->dmabuf->resv);
	return ret;
}

static int do_unpin(struct mock *m, struct importer *imp)
{
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_unpin(imp->attach);
	dma_resv_unlock(m->dmabuf->resv);
	return 0;
}

/* What the exporter does, in the scripts below */

static int do_tell(struct mock *m, struct importer *imp)
{
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_invalidate_mappings(m->dmabuf);
	dma_resv_unlock(m->dmabuf->resv);
	return 0;
}

static int mark(struct mock *m, u32 revoked, u32 expected)
{
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_mark_revoked(m->dmabuf, revoked);
	dma_resv_unlock(m->dmabuf->resv);
	KUNIT_EXPECT_EQ(m->test, dma_buf_revoke_state(m->dmabuf), expected);
	return 0;
}

static int do_revoke(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_NOW, DMA_BUF_REVOKED_NOW);
}

static int do_unrevoke(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_NO, DMA_BUF_REVOKED_NO);
}

static int do_kill(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_PERMANENT, DMA_BUF_REVOKED_PERMANENT);
}

static int do_revoke_dead(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_NOW, DMA_BUF_REVOKED_PERMANENT);
}

static int do_unrevoke_dead(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_NO, DMA_BUF_REVOKED_PERMANENT);
}

static int do_mark_nonsense(struct mock *m, struct importer *imp)
{
	return mark(m, DMA_BUF_REVOKED_PERMANENT + 1, DMA_BUF_REVOKED_NO);
}

/* What the test does, in the scripts below */

static int do_break_attach(struct mock *m, struct importer *imp)
{
	m->break_attach = true;
	return 0;
}

static int do_break_pin(struct mock *m, struct importer *imp)
{
	m->break_pin = true;
	return 0;
}

static int do_break_map(struct mock *m, struct importer *imp)
{
	m->break_map = true;
	return 0;
}

static int do_mend(struct mock *m, struct importer *imp)
{
	m->break_attach = false;
	m->break_pin = false;
	m->break_map = false;
	return 0;
}

static int do_tell_in_pin(struct mock *m, struct importer *imp)
{
	m->tell_in_pin = true;
	return 0;
}

static int do_declare_unknown(struct mock *m, struct importer *imp)
{
	m->attach_ops.modes = UNKNOWN;
	return 0;
}

static int do_declare_nothing(struct mock *m, struct importer *imp)
{
	m->attach_ops.modes = 0;
	return 0;
}

static int do_other_driver(struct mock *m, struct importer *imp)
{
	kunit_device_unregister(m->test, m->dev);
	m->dev = new_device(m->test);
	return 0;
}

static const struct step {
	const char *name;
	int (*fn)(struct mock *m, struct importer *imp);
	bool attached;		/* makes sense with an attachment only */
} steps[] = {
	{ "ATTACH", do_attach },
	{ "DETACH", do_detach, true },
	{ "MAP", do_map, true },
	{ "MAP-FROM", do_map_from, true },
	{ "UNMAP", do_unmap, true },
	{ "UNMAP-OLDEST", do_unmap_oldest, true },
	{ "PIN", do_pin, true },
	{ "UNPIN", do_unpin, true },
	{ "TELL", do_tell },
	{ "REVOKE", do_revoke },
	{ "UNREVOKE", do_unrevoke },
	{ "KILL", do_kill },
	{ "REVOKE-DEAD", do_revoke_dead },
	{ "UNREVOKE-DEAD", do_unrevoke_dead },
	{ "MARK-NONSENSE", do_mark_nonsense },
	{ "BREAK-ATTACH", do_break_attach },
	{ "BREAK-PIN", do_break_pin },
	{ "BREAK-MAP", do_break_map },
	{ "MEND", do_mend },
	{ "TELL-IN-PIN", do_tell_in_pin },
	{ "DECLARE-UNKNOWN", do_declare_unknown },
	{ "DECLARE-NOTHING", do_declare_nothing },
	{ "OTHER-DRIVER", do_other_driver },
};

static const char *error_name(int error)
{
	switch (error) {
	case -EBUSY:
		return "-EBUSY";
	case -EINVAL:
		return "-EINVAL";
	case -EIO:
		return "-EIO";
	case -ENODEV:
		return "-ENODEV";
	case -ENOMEM:
		return "-ENOMEM";
	case -ENOSPC:
		return "-ENOSPC";
	case -EOPNOTSUPP:
		return "-EOPNOTSUPP";
	default:
		return "-E?";
	}
}

static void run_step(struct mock *m, const char *name, size_t len)
{
	struct importer *imp = &m->importers[0];
	int ret;

	snprintf(m->log, sizeof(m->log), "%.*s", (int)len, name);
	if (name[len - 1] == '2') {
		imp = &m->importers[1];
		len--;
	}
	for (int i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *step = &steps[i];

		if (strlen(step->name) != len || strncmp(step->name, name, len))
			continue;
		if (step->attached && !imp->attach) {
			did(m, "but it is not attached");
			return;
		}
		ret = step->fn(m, imp);
		if (ret)
			did(m, error_name(ret));
		return;
	}
	did(m, "there is no such step");
}

/* What holds between any two steps: the books of all sides agree. */
static void check_books(struct mock *m)
{
	unsigned int attached = 0, pins = 0;

	for (int i = 0; i < NR_IMPORTERS; i++) {
		struct importer *imp = &m->importers[i];

		if (!imp->attach)
			continue;
		attached++;
		/* Without ops, the core pins once for each mapping. */
		pins += imp->attach->importer_ops ? imp->attach->pins :
						    imp->nr_sgt;
		KUNIT_EXPECT_TRUE(m->test, is_listed(imp->attach));
		dma_resv_lock(m->dmabuf->resv, NULL);
		KUNIT_EXPECT_EQ(m->test, imp->nr_sgt,
				list_count_nodes(&imp->attach->mappings));
		dma_resv_unlock(m->dmabuf->resv);
	}
	KUNIT_EXPECT_EQ(m->test, attached,
			list_count_nodes(&m->dmabuf->attachments));
	KUNIT_EXPECT_EQ(m->test, attached, m->attached);
	if (m->ops.pin)
		KUNIT_EXPECT_EQ(m->test, pins, m->pinned);
}

/*
 * A script is a list of steps, in capitals (with a 2 for the second importer),
 * and behind each one, after a colon, all that it has to bring about: calls of
 * the exporter's ops and of the importer's callback ("told"), an error, and
 * "warning" for each WARN. What really happens is written down like that too.
 */
static void run(struct mock *m, const char *const *script)
{
	struct kunit *test = m->test;

	kunit_warning_suppress(test) {
		int seen = 0;

		for (int i = 0; i < MAX_STEPS && script[i]; i++) {
			run_step(m, script[i], strcspn(script[i], ":"));
			for (; seen < KUNIT_SUPPRESSED_WARNING_COUNT(); seen++)
				did(m, "warning");
			KUNIT_EXPECT_STREQ_MSG(test, m->log, script[i],
					       "step %d", i + 1);
			check_books(m);
		}
		/* Something is left after a failure only. */
		for (int i = 0; i < NR_IMPORTERS; i++)
			if (m->importers[i].attach)
				do_detach(m, &m->importers[i]);
	}
	KUNIT_EXPECT_EQ(test, m->attached, 0);
	KUNIT_EXPECT_EQ(test, m->pinned, 0);
	KUNIT_EXPECT_EQ(test, m->mapped, 0);
}

static void test_script(struct kunit *test)
{
	const struct setup *s = test->param_value;
	struct mock *m = mock_create(test, s);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dmabuf);
	run(m, s->script);
}

/* Drivers that declare nothing: as it was before there were modes */
static const struct setup silence[] = {
	{ "static, exporter pins: pinned while mapped",
	  .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: pin, map", "UNMAP: unmap, unpin",
		"DETACH: detach" } },
	{ "static, exporter pins: each mapping has a pin",
	  .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: pin, map", "MAP: pin, map",
		"UNMAP: unmap, unpin", "UNMAP: unmap, unpin", "DETACH: detach" } },
	{ "static, exporter doesn't pin",
	  .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: map", "UNMAP: unmap", "DETACH: detach" } },
	{ "no callback, exporter pins: no pin but its own",
	  .pin_op = true, .importer = NO_CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "MAP: map", "UNMAP: unmap",
		"UNPIN: unpin", "DETACH: detach" } },
	{ "no callback, exporter pins: mapping doesn't pin",
	  .pin_op = true, .importer = NO_CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "UNMAP: unmap", "DETACH: detach" } },
	{ "no callback, exporter doesn't pin: dma_buf_pin() works",
	  .importer = NO_CALLBACK, .script = {
		"ATTACH: attach", "PIN", "MAP: map", "UNMAP: unmap", "UNPIN",
		"DETACH: detach" } },
	{ "callback, exporter pins: not pinned",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "UNMAP: unmap", "DETACH: detach" } },
	{ "callback, exporter pins: no pin but its own",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "MAP: map", "UNMAP: unmap",
		"UNPIN: unpin", "DETACH: detach" } },
	{ "callback, exporter doesn't pin: dma_buf_pin() works",
	  .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN", "MAP: map", "UNMAP: unmap", "UNPIN",
		"DETACH: detach" } },
	{ "callback, exporter says pinned: still pins by itself",
	  .pin_op = true, .offers = P, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "UNPIN: unpin", "DETACH: detach" } },
	{ "callback, exporter says revocable: still pins by itself",
	  .pin_op = true, .offers = R, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "UNPIN: unpin", "DETACH: detach" } },
	{ "callback, exporter pins: pins are counted, not shared",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "ATTACH2: attach", "PIN: pin", "PIN: pin",
		"PIN2: pin", "UNPIN: unpin", "UNPIN2: unpin", "UNPIN: unpin",
		"DETACH2: detach", "DETACH: detach" } },
	{ "callback is called at each move while attached",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"TELL", "ATTACH: attach", "TELL: told", "MAP: map",
		"TELL: told", "TELL: told", "UNMAP: unmap", "DETACH: detach",
		"TELL" } },
	{ "callback is called for each attachment",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "ATTACH2: attach", "TELL: told, told",
		"DETACH: detach", "TELL: told", "DETACH2: detach" } },
	{ "static: a move passes it by",
	  .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "TELL", "DETACH: detach" } },
	{ "no callback: a move passes it by",
	  .pin_op = true, .importer = NO_CALLBACK, .script = {
		"ATTACH: attach", "TELL", "DETACH: detach" } },
};

/* Importers that declare their modes */
static const struct setup declared[] = {
	{ "pinned: pinned by the core from attach to detach",
	  .pin_op = true, .importer = NO_CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "MAP: map", "UNMAP: unmap",
		"DETACH: unpin, detach" } },
	{ "pinned with callback: pinned by the core",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "TELL: told", "DETACH: unpin, detach" } },
	{ "revocable: pinned by the core from attach to detach",
	  .pin_op = true, .offers = R, .importer = CALLBACK, .accepts = R, .script = {
		"ATTACH: attach, pin", "MAP: map", "UNMAP: unmap",
		"DETACH: unpin, detach" } },
	{ "all accepted, revocable offered: pinned by the core",
	  .pin_op = true, .offers = P | R, .importer = CALLBACK, .accepts = P | R | M, .script = {
		"ATTACH: attach, pin", "DETACH: unpin, detach" } },
	{ "movable: not pinned by the core",
	  .pin_op = true, .importer = CALLBACK, .accepts = M, .script = {
		"ATTACH: attach", "MAP: map", "UNMAP: unmap", "DETACH: detach" } },
	{ "all accepted, all offered: movable, not pinned",
	  .pin_op = true, .offers = P | R | M,
	  .importer = CALLBACK, .accepts = P | R | M, .script = {
		"ATTACH: attach", "DETACH: detach" } },
	{ "movable: pins for a while",
	  .pin_op = true, .importer = CALLBACK, .accepts = P | M, .script = {
		"ATTACH: attach", "PIN: pin", "MAP: map", "UNPIN: unpin",
		"TELL: told", "UNMAP: unmap", "DETACH: detach" } },
	{ "pinned: own pins come on top of the core's",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "PIN: pin", "PIN: pin", "UNPIN: unpin",
		"UNPIN: unpin", "DETACH: unpin, detach" } },
	{ "pinned, exporter doesn't pin",
	  .importer = NO_CALLBACK, .accepts = P, .script = {
		"ATTACH: attach", "PIN", "MAP: map", "UNMAP: unmap", "UNPIN",
		"DETACH: detach" } },
	{ "pinned: the core's pin is not the importer's to drop",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "UNPIN: warning", "PIN: pin",
		"UNPIN: unpin", "UNPIN: warning", "DETACH: unpin, detach" } },
	{ "revocable: the core's pin is not the importer's to drop",
	  .pin_op = true, .offers = R, .importer = CALLBACK, .accepts = R, .script = {
		"ATTACH: attach, pin", "UNPIN: warning", "DETACH: unpin, detach" } },
	{ "movable: one unpin too many does nothing",
	  .pin_op = true, .importer = CALLBACK, .accepts = M, .script = {
		"ATTACH: attach", "UNPIN: warning", "PIN: pin", "UNPIN: unpin",
		"UNPIN: warning", "DETACH: detach" } },
	{ "silent: one unpin too many does nothing",
	  .pin_op = true, .importer = NO_CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "UNPIN: unpin", "UNPIN: warning",
		"DETACH: detach" } },
	{ "movable: another attachment's pin can't be dropped",
	  .pin_op = true, .importer = CALLBACK, .accepts = M, .script = {
		"ATTACH: attach", "ATTACH2: attach", "PIN: pin",
		"UNPIN2: warning", "UNPIN: unpin", "DETACH2: detach",
		"DETACH: detach" } },
	{ "pinned, exporter doesn't pin: one unpin too many",
	  .importer = NO_CALLBACK, .accepts = P, .script = {
		"ATTACH: attach", "UNPIN: warning", "DETACH: detach" } },
	{ "the callback comes before attach has returned",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"TELL-IN-PIN", "ATTACH: attach, pin, told-early", "TELL: told",
		"DETACH: unpin, detach" } },
};

/* Declarations that make no sense: refused, with a WARN for each driver */
static const struct setup inconsistent[] = {
	{ "revocable without callback", .pin_op = true, .offers = P | R | M,
	  .importer = NO_CALLBACK, .accepts = R, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL", "OTHER-DRIVER",
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "movable without callback", .pin_op = true, .offers = P | R | M,
	  .importer = NO_CALLBACK, .accepts = M, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL", "OTHER-DRIVER",
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "pinned+movable without callback", .pin_op = true, .offers = P,
	  .importer = NO_CALLBACK, .accepts = P | M, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "pinned+revocable without callback", .pin_op = true, .offers = P,
	  .importer = NO_CALLBACK, .accepts = P | R, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "an unknown mode", .pin_op = true, .offers = P | R | M,
	  .importer = CALLBACK, .accepts = UNKNOWN, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL", "OTHER-DRIVER",
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "an unknown mode among known ones", .pin_op = true, .offers = P | R | M,
	  .importer = CALLBACK, .accepts = P | R | M | UNKNOWN, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "the highest bit", .pin_op = true, .offers = P | R | M,
	  .importer = CALLBACK, .accepts = P | HIGHEST, .script = {
		"ATTACH: -EINVAL, warning", "ATTACH: -EINVAL" } },
	{ "nothing in common is no offence", .pin_op = true, .offers = R,
	  .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: -EOPNOTSUPP", "ATTACH: -EOPNOTSUPP" } },
};

/* Exporters that fail */
static const struct setup failures[] = {
	{ "attach op fails: it has nothing to detach",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"BREAK-ATTACH", "ATTACH: attach, -EBUSY", "MEND",
		"ATTACH: attach, pin", "DETACH: unpin, detach" } },
	{ "pin op fails in attach: detached, not on the list",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"BREAK-PIN", "ATTACH: attach, pin, detach, -ENOSPC", "TELL",
		"MEND", "ATTACH: attach, pin", "DETACH: unpin, detach" } },
	{ "pin op fails in attach, revocable",
	  .pin_op = true, .offers = R, .importer = CALLBACK, .accepts = R, .script = {
		"BREAK-PIN", "ATTACH: attach, pin, detach, -ENOSPC" } },
	{ "pin op fails in dma_buf_pin(): nothing to unpin",
	  .pin_op = true, .importer = CALLBACK, .accepts = M, .script = {
		"ATTACH: attach", "BREAK-PIN", "PIN: pin, -ENOSPC",
		"UNPIN: warning", "DETACH: detach" } },
	{ "pin op fails on top of the core's pin",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "BREAK-PIN", "PIN: pin, -ENOSPC",
		"DETACH: unpin, detach" } },
	{ "pin op fails in a static importer's map: not mapped",
	  .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "BREAK-PIN", "MAP: pin, -ENOSPC", "MEND",
		"MAP: pin, map", "UNMAP: unmap, unpin", "DETACH: detach" } },
	{ "map op fails",
	  .pin_op = true, .importer = CALLBACK, .accepts = M, .script = {
		"ATTACH: attach", "BREAK-MAP", "MAP: map, -EIO", "MEND",
		"MAP: map", "UNMAP: unmap", "DETACH: detach" } },
	{ "map op fails: the core's pin stays",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "BREAK-MAP", "MAP: map, -EIO",
		"DETACH: unpin, detach" } },
	{ "map op fails: a static importer's pin is dropped",
	  .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "BREAK-MAP", "MAP: pin, map, unpin, -EIO",
		"MEND", "MAP: pin, map", "UNMAP: unmap, unpin", "DETACH: detach" } },
};

/* Importers that detach and leave something behind */
static const struct setup leftovers[] = {
	{ "a pin", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "DETACH: unpin, detach, warning" } },
	{ "two pins", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "PIN: pin",
		"DETACH: unpin, unpin, detach, warning" } },
	{ "a pin, exporter doesn't pin", .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN", "DETACH: detach, warning" } },
	{ "a pin besides the core's",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "PIN: pin",
		"DETACH: unpin, unpin, detach, warning" } },
	{ "a mapping", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "DETACH: unmap, detach, warning" } },
	{ "a mapping besides the core's pin",
	  .pin_op = true, .importer = CALLBACK, .accepts = P, .script = {
		"ATTACH: attach, pin", "MAP: map",
		"DETACH: unmap, unpin, detach, warning" } },
	{ "two mappings", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map",
		"DETACH: unmap, unmap, detach, warning" } },
	{ "two mappings, not of the same direction",
	  .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP-FROM: map", "MAP: map",
		"DETACH: unmap, unmap, unmap, detach, warning" } },
	{ "the older mapping of two", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "UNMAP: unmap",
		"DETACH: unmap, detach, warning" } },
	{ "the newer mapping of two", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "UNMAP-OLDEST: unmap",
		"DETACH: unmap, detach, warning" } },
	{ "a static importer's mapping", .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: pin, map",
		"DETACH: unmap, unpin, detach, warning" } },
	{ "a static importer's two mappings", .pin_op = true, .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: pin, map", "MAP: pin, map",
		"DETACH: unmap, unpin, unmap, unpin, detach, warning" } },
	{ "a static importer's mapping, exporter doesn't pin",
	  .importer = STATIC, .script = {
		"ATTACH: attach", "MAP: map", "DETACH: unmap, detach, warning" } },
	{ "a pin and a mapping", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "MAP: map",
		"DETACH: unmap, unpin, detach, warning" } },
	{ "two pins, two mappings, and the core's pin",
	  .pin_op = true, .offers = R, .importer = CALLBACK, .accepts = R, .script = {
		"ATTACH: attach, pin", "PIN: pin", "PIN: pin", "MAP: map",
		"MAP: map",
		"DETACH: unmap, unmap, unpin, unpin, unpin, detach, warning" } },
	{ "another attachment keeps its own", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "ATTACH2: attach", "PIN: pin", "PIN2: pin",
		"MAP: map", "MAP2: map",
		"DETACH: unmap, unpin, detach, warning", "UNMAP2: unmap",
		"UNPIN2: unpin", "DETACH2: detach" } },
	{ "one warning for each driver", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "DETACH: unpin, detach, warning",
		"ATTACH: attach", "MAP: map", "DETACH: unmap, detach",
		"OTHER-DRIVER", "ATTACH: attach", "MAP: map",
		"DETACH: unmap, detach, warning" } },
	{ "one warning for each rule", .pin_op = true, .importer = CALLBACK, .script = {
		"DECLARE-UNKNOWN", "ATTACH: -EINVAL, warning",
		"DECLARE-NOTHING", "ATTACH: attach", "PIN: pin",
		"DETACH: unpin, detach, warning" } },
	{ "after a revoke", .pin_op = true, .offers = R, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "MAP: map", "REVOKE",
		"DETACH: unmap, unpin, detach, warning" } },
};

/* Several mappings of one attachment */
static const struct setup mappings[] = {
	{ "the last one is unmapped first", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "MAP: map",
		"UNMAP: unmap", "UNMAP: unmap", "UNMAP: unmap", "DETACH: detach" } },
	{ "the first one is unmapped first", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "MAP: map",
		"UNMAP-OLDEST: unmap", "UNMAP-OLDEST: unmap",
		"UNMAP-OLDEST: unmap", "DETACH: detach" } },
	{ "the last of three is left", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "MAP-FROM: map",
		"UNMAP-OLDEST: unmap", "UNMAP-OLDEST: unmap",
		"DETACH: unmap, detach, warning" } },
	{ "the middle one of three is left", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP-FROM: map", "MAP: map",
		"UNMAP: unmap", "UNMAP-OLDEST: unmap",
		"DETACH: unmap, detach, warning" } },
	{ "mapped again in between", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "UNMAP-OLDEST: unmap",
		"MAP: map", "UNMAP-OLDEST: unmap", "MAP: map", "UNMAP: unmap",
		"UNMAP: unmap", "DETACH: detach" } },
	{ "not of the same direction", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "MAP: map", "MAP-FROM: map", "UNMAP-OLDEST: unmap",
		"MAP: map", "DETACH: unmap, unmap, detach, warning" } },
	{ "the exporter returns the same table",
	  .pin_op = true, .importer = CALLBACK, .same_table = true, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map", "UNMAP-OLDEST: unmap",
		"MAP: map", "UNMAP: unmap", "UNMAP: unmap", "DETACH: detach" } },
	{ "the exporter returns the same table, both are left",
	  .pin_op = true, .importer = CALLBACK, .same_table = true, .script = {
		"ATTACH: attach", "MAP: map", "MAP: map",
		"DETACH: unmap, unmap, detach, warning" } },
	{ "of two attachments", .pin_op = true, .importer = CALLBACK, .script = {
		"ATTACH: attach", "ATTACH2: attach", "MAP: map", "MAP2: map",
		"MAP: map", "UNMAP: unmap", "DETACH2: unmap, detach, warning",
		"UNMAP: unmap", "DETACH: detach" } },
};

/* While the buffer is revoked */
static const struct setup revoked[] = {
	{ "attach fails until it is given back", .pin_op = true, .offers = R,
	  .importer = CALLBACK, .accepts = R, .script = {
		"REVOKE", "ATTACH: attach, detach, -ENODEV", "TELL", "UNREVOKE",
		"ATTACH: attach, pin", "DETACH: unpin, detach" } },
	{ "silent importers can't attach either", .pin_op = true, .offers = P | R,
	  .importer = STATIC, .script = {
		"REVOKE", "ATTACH: attach, detach, -ENODEV", "UNREVOKE",
		"ATTACH: attach", "DETACH: detach" } },
	{ "pin fails, unpin works", .pin_op = true, .offers = P | R | M,
	  .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN: pin", "REVOKE", "PIN: -ENODEV",
		"UNPIN: unpin", "PIN: -ENODEV", "UNREVOKE", "PIN: pin",
		"UNPIN: unpin", "DETACH: detach" } },
	{ "the core's pin stays over revoke and unrevoke", .pin_op = true, .offers = R,
	  .importer = CALLBACK, .accepts = R, .script = {
		"ATTACH: attach, pin", "REVOKE", "TELL: told", "UNREVOKE",
		"TELL: told", "DETACH: unpin, detach" } },
	{ "detach works", .pin_op = true, .offers = R,
	  .importer = CALLBACK, .accepts = R, .script = {
		"ATTACH: attach, pin", "MAP: map", "REVOKE", "UNMAP: unmap",
		"DETACH: unpin, detach" } },
	{ "an exporter without a pin op", .offers = R, .importer = CALLBACK, .script = {
		"ATTACH: attach", "PIN", "REVOKE", "PIN: -ENODEV", "UNPIN",
		"UNREVOKE", "PIN", "UNPIN", "DETACH: detach" } },
	{ "twice is as good as once", .pin_op = true, .offers = R,
	  .importer = CALLBACK, .script = {
		"REVOKE", "REVOKE", "UNREVOKE", "UNREVOKE", "ATTACH: attach",
		"DETACH: detach" } },
	{ "for good is for good", .pin_op = true, .offers = R, .importer = CALLBACK, .script = {
		"ATTACH: attach", "REVOKE", "KILL", "PIN: -ENODEV",
		"UNREVOKE-DEAD: warning", "REVOKE-DEAD: warning",
		"PIN: -ENODEV", "DETACH: detach",
		"ATTACH: attach, detach, -ENODEV", "KILL" } },
	{ "there is no other state", .pin_op = true, .offers = R, .importer = CALLBACK, .script = {
		"MARK-NONSENSE: warning", "ATTACH: attach", "DETACH: detach" } },
};

KUNIT_ARRAY_PARAM_DESC(silence, silence, name);
KUNIT_ARRAY_PARAM_DESC(declared, declared, name);
KUNIT_ARRAY_PARAM_DESC(inconsistent, inconsistent, name);
KUNIT_ARRAY_PARAM_DESC(failures, failures, name);
KUNIT_ARRAY_PARAM_DESC(leftovers, leftovers, name);
KUNIT_ARRAY_PARAM_DESC(mappings, mappings, name);
KUNIT_ARRAY_PARAM_DESC(revoked, revoked, name);

/* Exporters that make no sense */

static int export_again(struct mock *m, const char *name, u32 modes)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;

	exp_info.exp_name = name;
	exp_info.owner = THIS_MODULE;
	exp_info.ops = &m->ops;
	exp_info.size = PAGE_SIZE;
	exp_info.flags = O_RDWR;
	exp_info.priv = m;
	exp_info.modes = modes;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_buf_put(dmabuf);
	return 0;
}

static const struct setup bad_offers[] = {
	{ "an unknown mode", .pin_op = true, .offers = UNKNOWN },
	{ "an unknown mode among known ones",
	  .pin_op = true, .offers = P | R | M | UNKNOWN },
	{ "the highest bit", .pin_op = true, .offers = P | HIGHEST },
	{ "movable without pin op", .offers = M },
	{ "pinned+movable without pin op", .offers = P | M },
	{ "revocable+movable without pin op", .offers = R | M },
};

KUNIT_ARRAY_PARAM_DESC(bad_offers, bad_offers, name);

static void test_inconsistent_exporter(struct kunit *test)
{
	const struct setup *s = test->param_value;
	char other[32];
	struct mock *m;

	kunit_warning_suppress(test) {
		m = mock_create(test, s);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(m->dmabuf), -EINVAL);

		/* of the same exporter no more */
		KUNIT_EXPECT_EQ(test, -EINVAL,
				export_again(m, m->exp_name, s->offers));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);

		/* of another one again */
		snprintf(other, sizeof(other), "mock-%016llx",
			 get_random_u64());
		KUNIT_EXPECT_EQ(test, -EINVAL,
				export_again(m, other, s->offers));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
		KUNIT_EXPECT_EQ(test, -EINVAL,
				export_again(m, other, s->offers));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 2);
	}
}

/* As amdgpu and xe do, after drm_gem_prime_export() */
static void test_ops_replaced_after_export(struct kunit *test)
{
	static const struct setup s = {
		.importer = CALLBACK, .accepts = P | M, .script = {
		"ATTACH: attach", "PIN: pin", "UNPIN: unpin", "DETACH: detach" }
	};
	struct mock *m = mock_create(test, &s);
	struct dma_buf_attachment *attach;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dmabuf);
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(m->dmabuf), P);
	m->ops = mock_ops_pin;
	m->dmabuf->ops = &mock_ops_pin;
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(m->dmabuf), P | M);

	attach = dma_buf_dynamic_attach(m->dmabuf, m->dev, &m->attach_ops,
					&m->importers[0]);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_EQ(test, dma_buf_attachment_mode(attach), M);
	dma_buf_detach(m->dmabuf, attach);
	run(m, s.script);
}

/* Allocations that fail */

#define NO_FAULT_INJECTION						\
	"no fault injection: needs CONFIG_FAILSLAB, and in debugfs failslab/: ignore-gfp-wait N, verbose 0"

/* The next @nth allocation of this thread fails; 0 if it has, or never will. */
static void set_fail_nth(unsigned int nth)
{
#ifdef CONFIG_FAULT_INJECTION
	current->fail_nth = nth;
#endif
}

static unsigned int get_fail_nth(void)
{
#ifdef CONFIG_FAULT_INJECTION
	return current->fail_nth;
#else
	return 0;
#endif
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

/*
 * Mapped to the device only: for other directions, DMA-API debugging allocates
 * as well, and switches itself off when it can't.
 */
static int use_once(struct mock *m)
{
	struct importer *imp = &m->importers[0];
	int ret;

	ret = do_attach(m, imp);
	if (ret)
		return ret;
	ret = do_map(m, imp);
	if (!ret)
		ret = do_map(m, imp);
	if (!ret && !m->is_static) {
		ret = do_pin(m, imp);
		if (!ret)
			do_unpin(m, imp);
	}
	while (imp->nr_sgt)
		do_unmap(m, imp);
	do_detach(m, imp);
	return ret;
}

static const struct setup oom[] = {
	{ "static importer", .pin_op = true, .importer = STATIC },
	{ "movable", .pin_op = true, .importer = CALLBACK, .accepts = M },
	{ "pinned by the core", .pin_op = true, .importer = CALLBACK, .accepts = P },
};

KUNIT_ARRAY_PARAM_DESC(oom, oom, name);

static void test_allocation_failure(struct kunit *test)
{
	struct mock *m = mock_create(test, test->param_value);
	unsigned int n, left = 0;
	int ret = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dmabuf);
	if (!can_fail())
		kunit_skip(test, NO_FAULT_INJECTION);

	kunit_warning_suppress(test) {
		for (n = 1; n < 100; n++) {
			m->log[0] = '\0';
			set_fail_nth(n);
			ret = use_once(m);
			left = get_fail_nth();
			set_fail_nth(0);
			if (left)
				break;
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			KUNIT_EXPECT_EQ(test, m->attached, 0);
			KUNIT_EXPECT_EQ(test, m->pinned, 0);
			KUNIT_EXPECT_EQ(test, m->mapped, 0);
			KUNIT_EXPECT_TRUE(test,
					  list_empty(&m->dmabuf->attachments));
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* the attachment, two for each of the tables, the second record */
	KUNIT_EXPECT_GE(test, n - 1, 6);
	KUNIT_EXPECT_LT(test, n, 100);
}

/* The worked examples */

#define NR_PAGES	4

/* What the device does in a job: looks at each word of the buffer, or writes */
struct job {
	struct device *dev;
	bool write;
	u32 seed;
	struct dma_fence *fence;	/* NULL if it is done at once */
	dma_addr_t addr[NR_PAGES];	/* out: where it was */
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

static void fill(struct kunit *test, struct example_import *imp, u32 seed,
		 struct job *job)
{
	*job = (struct job) { .dev = test->priv, .write = true, .seed = seed };
	KUNIT_EXPECT_EQ(test, 0, example_import_run(imp, run_job, job));
}

static void expect_content(struct kunit *test, struct example_import *imp,
			   u32 seed, struct job *job)
{
	*job = (struct job) { .dev = test->priv, .seed = seed };
	KUNIT_EXPECT_EQ(test, 0, example_import_run(imp, run_job, job));
	KUNIT_EXPECT_EQ(test, job->wrong, 0);
}

static void expect_same_place(struct kunit *test, const struct job *a,
			      const struct job *b)
{
	KUNIT_EXPECT_MEMEQ(test, a->addr, b->addr, sizeof(a->addr));
}

static void expect_other_place(struct kunit *test, const struct job *a,
			       const struct job *b)
{
	for (int i = 0; i < NR_PAGES; i++)
		for (int j = 0; j < NR_PAGES; j++)
			KUNIT_EXPECT_NE(test, a->addr[i], b->addr[j]);
}

static struct dma_buf *export_example(struct kunit *test)
{
	struct dma_buf *dmabuf = example_movable_export(NR_PAGES);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, dma_buf_offered_modes(dmabuf), P | M);
	return dmabuf;
}

static void put_example(struct kunit *test, struct dma_buf *dmabuf)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
	flush_delayed_fput();
}

/* An importer that counts how often it was told, and keeps its mapping */
struct counter {
	struct mutex lock;	/* protects the count */
	unsigned int told;
};

static void counter_told(struct dma_buf_attachment *attach)
{
	struct counter *c = attach->importer_priv;

	guard(mutex)(&c->lock);
	c->told++;
}

static const struct dma_buf_attach_ops counter_ops = {
	.modes = P | M,
	.invalidate_mappings = counter_told,
};

static struct dma_buf_attachment *attach_counter(struct kunit *test,
						 struct dma_buf *dmabuf,
						 struct counter *c)
{
	struct dma_buf_attachment *attach;

	c->told = 0;
	mutex_init(&c->lock);
	attach = dma_buf_dynamic_attach(dmabuf, test->priv, &counter_ops, c);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_importer_might_lock(attach, &c->lock);
	dma_resv_unlock(dmabuf->resv);
	return attach;
}

static void test_example_moves(struct kunit *test)
{
	struct dma_buf *dmabuf = export_example(test);
	struct dma_buf_attachment *attach[2];
	struct example_import *a, *b;
	struct counter counter[2];
	struct job old, new, same;

	a = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	b = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	for (int i = 0; i < 2; i++) {
		attach[i] = attach_counter(test, dmabuf, &counter[i]);
		KUNIT_EXPECT_EQ(test, M, dma_buf_attachment_mode(attach[i]));
	}

	fill(test, a, 0xd0b0f000, &old);
	expect_content(test, b, 0xd0b0f000, &same);
	expect_same_place(test, &old, &same);

	for (unsigned int round = 1; round <= 3; round++) {
		KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
		for (int i = 0; i < 2; i++)
			KUNIT_EXPECT_EQ(test, counter[i].told, round);
		expect_content(test, b, 0xd0b0f000, &new);
		expect_other_place(test, &old, &new);
		expect_content(test, a, 0xd0b0f000, &same);
		expect_same_place(test, &new, &same);
		old = new;
	}

	dma_buf_detach(dmabuf, attach[0]);
	KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
	KUNIT_EXPECT_EQ(test, counter[0].told, 3);
	KUNIT_EXPECT_EQ(test, counter[1].told, 4);

	dma_buf_detach(dmabuf, attach[1]);
	example_import_detach(a);
	example_import_detach(b);
	put_example(test, dmabuf);
}

static void expect_stays(struct kunit *test, struct dma_buf *dmabuf,
			 struct example_import *imp)
{
	struct job before, after;

	expect_content(test, imp, 0xd0b0f000, &before);
	KUNIT_EXPECT_EQ(test, -EBUSY, example_movable_move(dmabuf));
	expect_content(test, imp, 0xd0b0f000, &after);
	expect_same_place(test, &before, &after);
}

static void expect_moves(struct kunit *test, struct dma_buf *dmabuf,
			 struct example_import *imp)
{
	struct job before, after;

	expect_content(test, imp, 0xd0b0f000, &before);
	KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
	expect_content(test, imp, 0xd0b0f000, &after);
	expect_other_place(test, &before, &after);
}

static void test_example_stays_while_pinned(struct kunit *test)
{
	static const struct dma_buf_attach_ops pinned_ops = { .modes = P };
	struct dma_buf *dmabuf = export_example(test);
	struct dma_buf_attachment *attach, *watch;
	struct example_import *a, *b;
	struct counter counter;
	struct sg_table *sgt;
	struct job job;

	a = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	b = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	watch = attach_counter(test, dmabuf, &counter);
	fill(test, a, 0xd0b0f000, &job);

	/* pins of movable attachments, each counts */
	KUNIT_EXPECT_EQ(test, 0, example_import_pin(a));
	expect_stays(test, dmabuf, b);
	KUNIT_EXPECT_EQ(test, 0, example_import_pin(b));
	example_import_unpin(a);
	expect_stays(test, dmabuf, a);
	KUNIT_EXPECT_EQ(test, 0, example_import_pin(b));
	example_import_unpin(b);
	expect_stays(test, dmabuf, a);
	KUNIT_EXPECT_EQ(test, counter.told, 0);
	example_import_unpin(b);
	expect_moves(test, dmabuf, a);
	KUNIT_EXPECT_EQ(test, counter.told, 1);

	/* a pinned attachment, from attach to detach */
	attach = dma_buf_dynamic_attach(dmabuf, test->priv, &pinned_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_EQ(test, P, dma_buf_attachment_mode(attach));
	expect_stays(test, dmabuf, a);
	dma_buf_detach(dmabuf, attach);
	expect_moves(test, dmabuf, a);

	/* a static importer, while it maps */
	attach = dma_buf_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	expect_moves(test, dmabuf, a);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	expect_stays(test, dmabuf, a);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	expect_moves(test, dmabuf, a);
	dma_buf_detach(dmabuf, attach);

	KUNIT_EXPECT_EQ(test, counter.told, 4);
	dma_buf_detach(dmabuf, watch);
	example_import_detach(a);
	example_import_detach(b);
	put_example(test, dmabuf);
}

/* Until an importer unmaps, its device may read where the buffer was. */
static void test_example_keeps_old_place_until_unmap(struct kunit *test)
{
	struct dma_buf *dmabuf = export_example(test);
	struct dma_buf_attachment *attach;
	struct example_import *imp;
	struct counter counter;
	struct page *page, *newer;
	struct job old, new;
	struct sg_table *sgt;
	u32 *word;

	imp = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp);
	fill(test, imp, 0xd0b0f000, &old);
	attach = attach_counter(test, dmabuf, &counter);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);

	word = dma_to_virt(test->priv, old.addr[0]);
	page = virt_to_page(word);
	get_page(page);
	KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
	KUNIT_EXPECT_EQ(test, counter.told, 1);
	expect_content(test, imp, 0xd0b0f000, &new);
	expect_other_place(test, &old, &new);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 2);
	KUNIT_EXPECT_EQ(test, *word, 0xd0b0f000);

	/* once more, with nobody in the place that is left this time */
	newer = virt_to_page(dma_to_virt(test->priv, new.addr[0]));
	get_page(newer);
	KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
	KUNIT_EXPECT_EQ(test, page_ref_count(newer), 1);
	put_page(newer);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 2);

	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	put_page(page);

	dma_buf_detach(dmabuf, attach);
	example_import_detach(imp);
	put_example(test, dmabuf);
}

/* A thread that the test waits for; it is gone when that is over. */
struct racer {
	int (*fn)(struct racer *r);
	struct device *dev;
	struct dma_buf *dmabuf;
	struct task_struct *task;
	struct completion done;
	int ret;
	unsigned int moved, busy;
};

static int racer_thread(void *data)
{
	struct racer *r = data;

	r->ret = r->fn(r);
	complete_all(&r->done);
	return 0;
}

static void racer_start(struct kunit *test, struct racer *r,
			struct dma_buf *dmabuf, int (*fn)(struct racer *r))
{
	*r = (struct racer) { .fn = fn, .dev = test->priv, .dmabuf = dmabuf };
	init_completion(&r->done);
	r->task = kthread_create(racer_thread, r, "dma-buf-racer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, r->task);
	get_task_struct(r->task);
	wake_up_process(r->task);
}

static int racer_end(struct racer *r)
{
	wait_for_completion(&r->done);
	kthread_stop_put(r->task);
	return r->ret;
}

static int move_once(struct racer *r)
{
	return example_movable_move(r->dmabuf);
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
static void test_example_waits_for_jobs(struct kunit *test)
{
	struct dma_buf *dmabuf = export_example(test);
	struct example_import *imp;
	struct dma_fence *fence;
	struct racer mover;
	struct job old, new;
	u32 *word;

	fence = kzalloc_obj(*fence);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &fence_ops, NULL, dma_fence_context_alloc(1), 1);
	imp = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp);

	old = (struct job) {
		.dev = test->priv, .write = true, .seed = 1, .fence = fence,
	};
	KUNIT_EXPECT_EQ(test, 0, example_import_run(imp, run_job, &old));
	racer_start(test, &mover, dmabuf, move_once);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&mover.done, HZ / 10));
	for (int i = 0; i < NR_PAGES; i++) {
		word = dma_to_virt(test->priv, old.addr[i]);
		memset32(word, 0xd0b0f000 + i, PAGE_SIZE / 4);
	}
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, 0, racer_end(&mover));

	expect_content(test, imp, 0xd0b0f000, &new);
	expect_other_place(test, &old, &new);
	dma_fence_put(fence);
	example_import_detach(imp);
	put_example(test, dmabuf);
}

/* Importers come and go, pin and unpin while the buffer moves. */

#define ROUNDS	300

/* Each round reads what the one before it wrote. */
static int race_use(struct racer *r)
{
	for (u32 round = 0; round < ROUNDS; round++) {
		struct job job = { .dev = r->dev, .seed = round };
		struct example_import *imp;
		int ret;

		imp = example_import_attach(r->dmabuf, r->dev);
		if (IS_ERR(imp))
			return PTR_ERR(imp);
		ret = example_import_run(imp, run_job, &job);
		if (!ret && job.wrong)
			ret = -EBADMSG;
		job.write = true;
		job.seed = round + 1;
		if (!ret)
			ret = example_import_run(imp, run_job, &job);
		example_import_detach(imp);
		if (ret)
			return ret;
	}
	return 0;
}

/* As long as it is pinned, the buffer is where it was. */
static int race_pin(struct racer *r)
{
	struct job before = { .dev = r->dev }, after = { .dev = r->dev };
	struct example_import *imp;
	int ret = 0;

	imp = example_import_attach(r->dmabuf, r->dev);
	if (IS_ERR(imp))
		return PTR_ERR(imp);
	for (int round = 0; !ret && round < ROUNDS; round++) {
		ret = example_import_pin(imp);
		if (ret)
			break;
		ret = example_import_run(imp, run_job, &before);
		cond_resched();
		if (!ret)
			ret = example_import_run(imp, run_job, &after);
		if (!ret && memcmp(before.addr, after.addr, sizeof(after.addr)))
			ret = -ESTALE;
		example_import_unpin(imp);
	}
	example_import_detach(imp);
	return ret;
}

static int race_move(struct racer *r)
{
	for (int round = 0; round < ROUNDS; round++) {
		int ret = example_movable_move(r->dmabuf);

		if (ret && ret != -EBUSY)
			return ret;
		if (ret)
			r->busy++;
		else
			r->moved++;
	}
	return 0;
}

static void test_race(struct kunit *test)
{
	struct dma_buf *dmabuf = export_example(test);
	struct racer user, pinner, mover;
	struct example_import *imp;
	struct job job;

	imp = example_import_attach(dmabuf, test->priv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, imp);
	fill(test, imp, 0, &job);

	racer_start(test, &user, dmabuf, race_use);
	racer_start(test, &pinner, dmabuf, race_pin);
	racer_start(test, &mover, dmabuf, race_move);
	KUNIT_EXPECT_EQ(test, 0, racer_end(&user));
	KUNIT_EXPECT_EQ(test, 0, racer_end(&pinner));
	KUNIT_EXPECT_EQ(test, 0, racer_end(&mover));
	kunit_info(test, "moved %u times, %u times it was pinned\n",
		   mover.moved, mover.busy);
	KUNIT_EXPECT_EQ(test, mover.moved + mover.busy, ROUNDS);

	/* Nobody has left a pin. */
	KUNIT_EXPECT_EQ(test, 0, example_movable_move(dmabuf));
	expect_content(test, imp, ROUNDS, &job);
	example_import_detach(imp);
	put_example(test, dmabuf);
}

/*
 * What amdgpu does in its callback: locks another buffer, with the ticket that
 * the first one was locked with. That one is evicted then, and has importers.
 */
struct nested {
	struct dma_buf *other;
	int ret;
};

static void nested_told(struct dma_buf_attachment *attach)
{
	struct ww_acquire_ctx *ticket;
	struct nested *n = attach->importer_priv;

	ticket = dma_resv_locking_ctx(attach->dmabuf->resv);
	n->ret = dma_resv_lock(n->other->resv, ticket);
	if (n->ret)
		return;
	dma_buf_invalidate_mappings(n->other);
	dma_resv_unlock(n->other->resv);
}

static void test_callback_evicts_another_buffer(struct kunit *test)
{
	static const struct dma_buf_attach_ops nested_ops = {
		.modes = P | M,
		.invalidate_mappings = nested_told,
	};
	struct dma_buf *dmabuf = export_example(test);
	struct dma_buf *other = export_example(test);
	struct nested nested = { .other = other, .ret = -EIO };
	struct dma_buf_attachment *attach, *attach_other;
	struct counter counter;
	struct ww_acquire_ctx ticket;

	attach = dma_buf_dynamic_attach(dmabuf, test->priv, &nested_ops,
					&nested);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	attach_other = attach_counter(test, other, &counter);

	/* CONFIG_DEBUG_WW_MUTEX_SLOWPATH makes up a deadlock now and then. */
	for (int try = 0; nested.ret && try < 100; try++) {
		ww_acquire_init(&ticket, &reservation_ww_class);
		if (dma_resv_lock(dmabuf->resv, &ticket))
			dma_resv_lock_slow(dmabuf->resv, &ticket);
		dma_buf_invalidate_mappings(dmabuf);
		dma_resv_unlock(dmabuf->resv);
		ww_acquire_fini(&ticket);
	}
	KUNIT_EXPECT_EQ(test, nested.ret, 0);
	KUNIT_EXPECT_EQ(test, counter.told, 1);

	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(other, attach_other);
	put_example(test, dmabuf);
	put_example(test, other);
#ifdef CONFIG_LOCKDEP
	/* lockdep is off after its first complaint */
	KUNIT_EXPECT_EQ(test, debug_locks, 1);
#endif
}

static struct kunit_case mode_cases[] = {
	KUNIT_CASE_PARAM(test_matrix, matrix_gen_params),
	{ .run_case = test_script, .name = "test_silence",
	  .generate_params = silence_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = test_script, .name = "test_declared",
	  .generate_params = declared_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = test_script, .name = "test_inconsistent_importer",
	  .generate_params = inconsistent_gen_params, .module_name = KBUILD_MODNAME },
	KUNIT_CASE_PARAM(test_inconsistent_exporter, bad_offers_gen_params),
	{ .run_case = test_script, .name = "test_exporter_fails",
	  .generate_params = failures_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = test_script, .name = "test_leftovers",
	  .generate_params = leftovers_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = test_script, .name = "test_mappings",
	  .generate_params = mappings_gen_params, .module_name = KBUILD_MODNAME },
	{ .run_case = test_script, .name = "test_revoked",
	  .generate_params = revoked_gen_params, .module_name = KBUILD_MODNAME },
	KUNIT_CASE(test_ops_replaced_after_export),
	KUNIT_CASE_PARAM(test_allocation_failure, oom_gen_params),
	KUNIT_CASE(test_example_moves),
	KUNIT_CASE(test_example_stays_while_pinned),
	KUNIT_CASE(test_example_keeps_old_place_until_unmap),
	KUNIT_CASE(test_example_waits_for_jobs),
	KUNIT_CASE(test_race),
	KUNIT_CASE(test_callback_evicts_another_buffer),
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
