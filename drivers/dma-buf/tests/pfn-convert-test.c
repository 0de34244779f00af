// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what the dma-buf core makes of a buffer that its exporter describes:
 * tables for devices, and mappings for the kernel and for userspace, each
 * compared with a flat array of the buffer's pages.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-pfn.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "pfn-example.h"
#include "pfn-model.h"

#define MAP_AT		SZ_1G

static struct device *create_device(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "pfn-importer");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	dev->dma_parms = kunit_kzalloc(test, sizeof(*dev->dma_parms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev->dma_parms);
	dma_set_max_seg_size(dev, UINT_MAX);
	return dev;
}

static struct sg_table *table_of(struct dma_buf_attachment *attach)
{
	return attach->mappings->table;
}

/* The table has each page once, in order, in as few entries as can be. */
static void expect_table(struct model *m, struct sg_table *table)
{
	struct scatterlist *sg;
	pgoff_t index = 0;
	unsigned int i;

	for_each_sgtable_sg(table, sg, i) {
		unsigned long nr = sg->length >> PAGE_SHIFT;

		KUNIT_EXPECT_EQ(m->test, sg->offset, 0);
		KUNIT_ASSERT_GT(m->test, nr, 0);
		KUNIT_ASSERT_LE(m->test, index + nr, m->nr);
		if (index)
			KUNIT_EXPECT_NE(m->test, m->pfn[index],
					m->pfn[index - 1] + 1);
		for (unsigned long k = 0; k < nr; k++)
			KUNIT_EXPECT_EQ(m->test, page_to_pfn(sg_page(sg) + k),
					m->pfn[index + k]);
		index += nr;
	}
	KUNIT_EXPECT_EQ(m->test, index, m->nr);
}

/* What the importer sees covers the buffer, page for page. */
static void expect_addresses(struct model *m, struct device *dev,
			     struct sg_table *sgt)
{
	struct scatterlist *sg;
	pgoff_t index = 0;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		for (unsigned long k = 0; k < sg_dma_len(sg) >> PAGE_SHIFT; k++) {
			KUNIT_ASSERT_LT(m->test, index, m->nr);
			KUNIT_EXPECT_EQ(m->test,
					sg_dma_address(sg) + k * PAGE_SIZE,
					PFN_PHYS(m->pfn[index]));
			index++;
		}
	}
	KUNIT_EXPECT_EQ(m->test, index, m->nr);
}

static void maps_ram_for_devices(struct kunit *test)
{
	struct device *dev = create_device(test);

	for (u64 seed = 0; seed < MODEL_ROUNDS; seed++) {
		struct model *m = model_ram(test, seed);
		struct dma_buf_attachment *attach;
		struct sg_table *sgt;

		attach = dma_buf_attach(m->dmabuf, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		expect_table(m, table_of(attach));
		expect_addresses(m, dev, sgt);

		KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(m->dmabuf, DMA_FROM_DEVICE));
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(m->dmabuf, DMA_FROM_DEVICE));
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		dma_buf_detach(m->dmabuf, attach);
	}
}

static struct sg_table *map_and_check(struct model *m, struct device *dev,
				      struct dma_buf_attachment *attach,
				      enum dma_data_direction dir)
{
	struct sg_table *sgt = dma_buf_map_attachment_unlocked(attach, dir);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, sgt);
	expect_table(m, table_of(attach));
	expect_addresses(m, dev, sgt);
	return sgt;
}

static void asks_once_for_a_buffer_that_never_moves(struct kunit *test)
{
	struct device *dev = create_device(test);
	struct model *m = model_ram(test, 900);
	struct dma_buf_attachment *attach = dma_buf_attach(m->dmabuf, dev);
	struct sg_table *sgt, *second, *table;
	unsigned int asked;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = map_and_check(m, dev, attach, DMA_TO_DEVICE);
	table = table_of(attach);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);

	asked = m->asked;
	sgt = map_and_check(m, dev, attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, m->asked, asked);

	/* A table has the addresses of one mapping. */
	second = map_and_check(m, dev, attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_GT(test, m->asked, asked);
	KUNIT_EXPECT_PTR_NE(test, table_of(attach), table);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	expect_addresses(m, dev, second);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_FROM_DEVICE);
	dma_buf_detach(m->dmabuf, attach);
}

/* By the modes that it offers, or because a pin op has to keep it in its place */
static void asks_again_for_a_buffer_that_may_move(struct kunit *test)
{
	static const struct {
		u32 modes;
		bool pins;
	} rows[] = {
		{ DMA_BUF_MODE_PINNED | DMA_BUF_MODE_MOVABLE, true },
		{ DMA_BUF_MODE_PINNED, true },
		{ DMA_BUF_MODE_PINNED | DMA_BUF_MODE_REVOCABLE, false },
	};
	struct device *dev = create_device(test);

	for (int k = 0; k < ARRAY_SIZE(rows); k++) {
		struct model *m = model_create(test, 901);
		struct dma_buf_attachment *attach;
		struct sg_table *sgt;

		model_alloc(m, 32);
		if (rows[k].pins)
			model_add_pin_ops(m);
		m->modes = rows[k].modes;
		model_export(m, 0);
		/* An importer that is pinned while it has a mapping */
		attach = dma_buf_attach(m->dmabuf, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
		sgt = map_and_check(m, dev, attach, DMA_BIDIRECTIONAL);
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);

		for (pgoff_t i = 0; i < m->nr / 2; i++)
			swap(m->pfn[i], m->pfn[m->nr - 1 - i]);
		sgt = map_and_check(m, dev, attach, DMA_BIDIRECTIONAL);
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		dma_buf_detach(m->dmabuf, attach);
	}
}

/* As many pages as an entry may have, and the step that none may cross */
#define SEG_PAGES	3
#define SEG_STEP	(4 * PAGE_SIZE)

/* Neither too large nor smaller than it has to be */
static void expect_segments(struct model *m, struct sg_table *sgt)
{
	dma_addr_t end = 0;
	struct scatterlist *sg;
	unsigned int i, last = 0;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t start = sg_dma_address(sg);
		unsigned int len = sg_dma_len(sg);

		KUNIT_EXPECT_LE(m->test, len, SEG_PAGES * PAGE_SIZE);
		KUNIT_EXPECT_EQ(m->test, start / SEG_STEP, (start + len - 1) / SEG_STEP);
		if (i && start == end)
			KUNIT_EXPECT_TRUE(m->test, last == SEG_PAGES * PAGE_SIZE ||
					  !(start % SEG_STEP));
		end = start + len;
		last = len;
	}
}

static void entries_end_where_the_device_says(struct kunit *test)
{
	struct device *dev = create_device(test);

	dma_set_max_seg_size(dev, SEG_PAGES * PAGE_SIZE);
	dma_set_seg_boundary(dev, SEG_STEP - 1);
	for (u64 seed = 500; seed < 500 + MODEL_ROUNDS; seed++) {
		struct model *m = model_create(test, seed);
		struct dma_buf_attachment *attach;
		struct sg_table *sgt;

		/* An exporter's own range is not cut. */
		m->answer = seed % 2 ? MODEL_ARRAY : MODEL_PAGE;
		model_alloc(m, MODEL_MAX_PAGES);
		model_export(m, 0);
		attach = dma_buf_attach(m->dmabuf, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		expect_segments(m, sgt);
		expect_addresses(m, dev, sgt);
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		dma_buf_detach(m->dmabuf, attach);
	}
}

static int map_error(struct model *m, const struct dma_buf_attach_ops *ops)
{
	struct device *dev = create_device(m->test);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	int ret;

	attach = dma_buf_dynamic_attach(m->dmabuf, dev, ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(m->test, attach);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	ret = PTR_ERR_OR_ZERO(sgt);
	if (!ret)
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(m->dmabuf, attach);
	kunit_device_unregister(m->test, dev);
	return ret;
}

static void maps_private_ram_for_devices(struct kunit *test)
{
	struct model *m = model_create(test, 1);

	model_alloc(m, 8);
	m->flags = DMA_BUF_PFN_PAGES;
	model_export(m, DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, 0, map_error(m, &model_importer_ops));
	/* It may look at the pages. */
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, map_error(m, &model_pages_importer_ops));
}

/* A device that reaches 4 GiB, and RAM of which all or some is above that */
static struct device *create_bouncing_device(struct model *m)
{
	struct device *dev = create_device(m->test);
	bool above = false;

	KUNIT_ASSERT_EQ(m->test, 0, dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(32)));
	if (dma_max_mapping_size(dev) == SIZE_MAX)
		kunit_skip(m->test, "no bounce buffers");
	for (pgoff_t i = 0; i < m->nr; i++)
		above |= PFN_PHYS(m->pfn[i]) > DMA_BIT_MASK(32);
	if (!above)
		kunit_skip(m->test, "no free memory above 4 GiB");
	return dev;
}

static void expect_marks(struct model *m)
{
	for (pgoff_t i = 0; i < m->nr; i++)
		KUNIT_EXPECT_EQ(m->test, model_mark(i),
				*(u32 *)page_address(pfn_to_page(m->pfn[i])));
}

/* The device writes to its bounce buffer, behind the mark of each page. */
static void device_writes(struct sg_table *sgt)
{
	struct scatterlist *sg;
	pgoff_t index = 0;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		for (unsigned int at = 0; at < sg_dma_len(sg); at += PAGE_SIZE)
			((u32 *)phys_to_virt(sg_dma_address(sg) + at))[1] = ~model_mark(index++);
}

static void expect_device_wrote(struct model *m)
{
	for (pgoff_t i = 0; i < m->nr; i++)
		KUNIT_EXPECT_EQ(m->test, ~model_mark(i),
				((u32 *)page_address(pfn_to_page(m->pfn[i])))[1]);
}

/*
 * Others may read what the CPU writes, so it has to get past a device that only
 * writes. The first mapping's table is that of the others, too.
 */
static void keeps_what_the_cpu_writes(struct kunit *test)
{
	static const enum dma_data_direction mapped[] = {
		DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
	};
	struct model *m = model_create(test, 50);
	struct dma_buf_attachment *attach;

	m->answer = MODEL_ARRAY;
	model_alloc(m, 16);
	model_export(m, DMA_BUF_CPU_MMAP);
	attach = dma_buf_attach(m->dmabuf, create_bouncing_device(m));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	for (int k = 0; k < ARRAY_SIZE(mapped); k++) {
		struct sg_table *sgt;

		sgt = dma_buf_map_attachment_unlocked(attach, mapped[k]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
		/* What may bounce isn't merged. */
		KUNIT_EXPECT_EQ(test, table_of(attach)->orig_nents, m->nr);

		KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(m->dmabuf, DMA_TO_DEVICE));
		model_write_marks(m);
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(m->dmabuf, DMA_TO_DEVICE));
		KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(m->dmabuf, DMA_FROM_DEVICE));
		expect_marks(m);
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(m->dmabuf, DMA_FROM_DEVICE));

		if (mapped[k] != DMA_TO_DEVICE)
			device_writes(sgt);
		dma_buf_unmap_attachment_unlocked(attach, sgt, mapped[k]);
		expect_marks(m);
		if (mapped[k] != DMA_TO_DEVICE)
			expect_device_wrote(m);
	}
	dma_buf_detach(m->dmabuf, attach);
}

/* They don't tell when they write, so nothing is copied over it at unmap. */
static void keeps_what_others_write(struct kunit *test)
{
	struct model *m = model_create(test, 51);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	model_alloc(m, 16);
	m->flags |= DMA_BUF_PFN_FOREIGN;
	model_export(m, DMA_BUF_CPU_MMAP);
	attach = dma_buf_attach(m->dmabuf, create_bouncing_device(m));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	model_write_marks(m);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	expect_marks(m);
	dma_buf_detach(m->dmabuf, attach);
}

/* The kernel may not copy it, so it can't be bounced. */
static void does_not_bounce_private_ram(struct kunit *test)
{
	struct model *m = model_create(test, 52);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	model_alloc(m, 16);
	m->flags = DMA_BUF_PFN_PAGES;
	model_export(m, 0);
	attach = dma_buf_dynamic_attach(m->dmabuf, create_bouncing_device(m),
					&model_importer_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	/* The DMA API WARNs, the first time, about what is out of reach. */
	sgt = NULL;
	kunit_warning_suppress(test)
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_TRUE(test, IS_ERR(sgt));
	if (!IS_ERR_OR_NULL(sgt))
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(m->dmabuf, attach);
}

static void does_not_map_mixtures(struct kunit *test)
{
	struct p2pdma_provider other = {};
	struct model *m;

	/* RAM, then MMIO */
	m = model_create(test, 2);
	model_alloc(m, 8);
	model_mmio(m, 8);
	m->changed_provider = m->provider;
	m->changed_flags = DMA_BUF_PFN_CPU;
	m->provider = NULL;
	m->flags |= DMA_BUF_PFN_PAGES;
	m->change_at = 4;
	for (int i = 0; i < 4; i++)
		m->pfn[i] = page_to_pfn(m->blocks[0]);
	model_export(m, DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, map_error(m, &model_importer_ops));

	/* Two providers, side by side */
	m = model_create(test, 3);
	model_mmio(m, 8);
	m->change_at = 4;
	m->changed_provider = &other;
	m->changed_flags = m->flags;
	model_export(m, DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, map_error(m, &model_importer_ops));
}

static void needs_peer_to_peer_for_mmio(struct kunit *test)
{
	struct model *m = model_create(test, 4);

	model_mmio(m, 8);
	model_export(m, 0);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, map_error(m, &model_pages_importer_ops));
	/* This device is on no PCI bus, and reaches no other. */
	KUNIT_EXPECT_EQ(test, -EINVAL, map_error(m, &model_importer_ops));
}

static void vmaps_ram(struct kunit *test)
{
	for (u64 seed = 100; seed < 100 + MODEL_ROUNDS; seed++) {
		struct model *m = model_ram(test, seed);
		struct iosys_map map, second;

		model_write_marks(m);
		KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &map));
		KUNIT_EXPECT_FALSE(test, map.is_iomem);
		for (pgoff_t i = 0; i < m->nr; i++)
			KUNIT_EXPECT_EQ(test, model_mark(i),
					*(u32 *)(map.vaddr + i * PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &second));
		KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&map, &second));
		KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(m->dmabuf, DMA_TO_DEVICE));
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(m->dmabuf, DMA_TO_DEVICE));
		dma_buf_vunmap_unlocked(m->dmabuf, &second);
		dma_buf_vunmap_unlocked(m->dmabuf, &map);
	}
}

static int vmap_error(struct model *m)
{
	struct iosys_map map;
	int ret = 0;

	kunit_warning_suppress(m->test) {
		ret = dma_buf_vmap_unlocked(m->dmabuf, &map);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(m->test, 0);
	}
	KUNIT_EXPECT_EQ(m->test, 0, m->dmabuf->vmapping_counter);
	return ret;
}

static void refuses_vmaps_without_a_warning(struct kunit *test)
{
	struct model *m;

	m = model_create(test, 5);
	model_alloc(m, 4);
	m->flags = DMA_BUF_PFN_PAGES;
	model_export(m, DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, vmap_error(m));

	m = model_create(test, 6);
	model_mmio(m, 4);
	m->pfn[3] += 5;
	model_export(m, DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, vmap_error(m));

	/* The exporter's error, where it can't tell all of it */
	m = model_create(test, 15);
	model_mmio(m, 8);
	m->error = -ENXIO;
	m->fails_at = 4;
	model_export(m, DMA_BUF_CPU_VMAP);
	KUNIT_EXPECT_EQ(test, -ENXIO, vmap_error(m));

	/* It wasn't asked for. */
	m = model_create(test, 8);
	model_alloc(m, 1);
	model_export(m, DMA_BUF_CPU_MMAP);
	KUNIT_EXPECT_EQ(test, -EINVAL, vmap_error(m));
}

/* Nobody is there, so it isn't looked into. */
static void vmaps_mmio(struct kunit *test)
{
	static const u32 modes[] = {
		DMA_BUF_UNCACHED, DMA_BUF_WRITE_COMBINE, DMA_BUF_CACHED,
	};

	for (int k = 0; k < ARRAY_SIZE(modes); k++) {
		struct model *m = model_create(test, 14);
		struct iosys_map map;

		model_mmio(m, 8);
		m->caching = modes[k];
		model_export(m, DMA_BUF_CPU_VMAP);
		KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &map));
		KUNIT_EXPECT_TRUE(test, map.is_iomem);
		dma_buf_vunmap_unlocked(m->dmabuf, &map);
	}
}

/* What the page table has at @addr */
static bool read_entry(unsigned long addr, struct follow_pfnmap_args *args)
{
	bool found;

	guard(mmap_read_lock)(current->mm);
	*args = (struct follow_pfnmap_args) {
		.vma = find_vma(current->mm, addr),
		.address = addr,
	};
	found = args->vma && args->vma->vm_start <= addr &&
		!follow_pfnmap_start(args);
	if (found)
		follow_pfnmap_end(args);
	return found;
}

/* All bits of an entry but those that hardware sets */
static u64 entry_bits(unsigned long pfn, pgprot_t prot)
{
	return pte_val(pte_mkold(pte_mkclean(pte_mkspecial(pfn_pte(pfn, prot)))));
}

static void expect_entry(struct model *m, unsigned long addr, pgoff_t index)
{
	pgprot_t prot = vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED);
	bool uncached = m->caching == DMA_BUF_UNCACHED;
	struct follow_pfnmap_args args;

	/*
	 * On x86, PAT decides: RAM has the cache mode of the kernel's mapping,
	 * and MMIO that nobody has reserved is uncached.
	 */
	if (IS_ENABLED(CONFIG_X86))
		uncached = m->provider;
	else if (m->caching == DMA_BUF_WRITE_COMBINE)
		prot = pgprot_writecombine(prot);
	if (uncached)
		prot = pgprot_noncached(prot);

	KUNIT_ASSERT_TRUE(m->test, read_entry(addr, &args));
	KUNIT_EXPECT_TRUE(m->test, args.special);
	KUNIT_EXPECT_TRUE(m->test, args.writable);
	KUNIT_EXPECT_EQ(m->test, args.pfn, m->pfn[index]);
	KUNIT_EXPECT_EQ(m->test, entry_bits(args.pfn, args.pgprot),
			entry_bits(m->pfn[index], prot));
}

static void mmaps_ram_by_faults(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());

	for (u64 seed = 200; seed < 200 + MODEL_ROUNDS; seed++) {
		struct model *m = model_ram(test, seed);
		unsigned long first, nr, addr;
		struct follow_pfnmap_args args;
		pgoff_t touched;
		u32 value;

		model_write_marks(m);
		first = prandom_u32_state(&m->rnd) % m->nr;
		nr = 1 + prandom_u32_state(&m->rnd) % (m->nr - first);
		touched = prandom_u32_state(&m->rnd) % nr;
		addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, nr * PAGE_SIZE,
				     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				     first * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		KUNIT_EXPECT_FALSE(test, read_entry(addr + touched * PAGE_SIZE, &args));

		/* One fault maps all that is in the page table. */
		KUNIT_ASSERT_EQ(test, 0, get_user(value, (u32 __user *)(addr +
							 touched * PAGE_SIZE)));
		KUNIT_EXPECT_EQ(test, value, model_mark(first + touched));
		for (pgoff_t i = 0; i < nr; i++)
			expect_entry(m, addr + i * PAGE_SIZE, first + i);

		/* The exporter takes all of them away. */
		dma_resv_lock(m->dmabuf->resv, NULL);
		dma_buf_invalidate_mappings(m->dmabuf);
		dma_resv_unlock(m->dmabuf->resv);
		for (pgoff_t i = 0; i < nr; i++)
			KUNIT_EXPECT_FALSE(test, read_entry(addr + i * PAGE_SIZE, &args));

		KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, nr * PAGE_SIZE));
	}
}

/* mprotect() and KVM go by it, and on x86 the entries don't tell. */
static void expect_vma_prot(struct kunit *test, unsigned long addr, u32 caching)
{
	struct vm_area_struct *vma;
	pgprot_t prot;

	guard(mmap_read_lock)(current->mm);
	vma = find_vma(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (!vma)
		return;
	prot = vm_get_page_prot(vma->vm_flags);
	if (caching == DMA_BUF_UNCACHED)
		prot = pgprot_noncached(prot);
	else if (caching == DMA_BUF_WRITE_COMBINE)
		prot = pgprot_writecombine(prot);
	KUNIT_EXPECT_EQ(test, pgprot_val(vma->vm_page_prot), pgprot_val(prot));
}

static void mmaps_mmio(struct kunit *test)
{
	static const u32 modes[] = {
		DMA_BUF_UNCACHED, DMA_BUF_WRITE_COMBINE, DMA_BUF_CACHED,
	};
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());

	for (int k = 0; k < ARRAY_SIZE(modes); k++) {
		struct model *m = model_create(test, 9);
		unsigned long addr;

		model_mmio(m, 8);
		m->caching = modes[k];
		model_export(m, DMA_BUF_CPU_MMAP);
		addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, 8 * PAGE_SIZE,
				     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		expect_vma_prot(test, addr, modes[k]);
		/* Nobody is there, so nothing is read; the fault alone counts. */
		mmap_read_lock(current->mm);
		KUNIT_EXPECT_EQ(test, 0, fixup_user_fault(current->mm, addr + 5 * PAGE_SIZE,
							  FAULT_FLAG_WRITE, NULL));
		mmap_read_unlock(current->mm);
		for (pgoff_t i = 0; i < 8; i++)
			expect_entry(m, addr + i * PAGE_SIZE, i);
		KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, 8 * PAGE_SIZE));
	}
}

static void does_not_mmap_private_ram(struct kunit *test)
{
	struct model *m = model_create(test, 10);
	unsigned long addr;
	u32 value;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	model_alloc(m, 8);
	m->change_at = 4;
	m->changed_flags = DMA_BUF_PFN_PAGES;
	model_write_marks(m);
	model_export(m, DMA_BUF_CPU_MMAP);
	addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, 8 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, MAP_AT);
	for (pgoff_t i = 0; i < 8; i++) {
		struct follow_pfnmap_args args;
		int ret = get_user(value, (u32 __user *)(addr + i * PAGE_SIZE));

		KUNIT_EXPECT_EQ(test, ret, i < 4 ? 0 : -EFAULT);
		if (!ret)
			KUNIT_EXPECT_EQ(test, value, model_mark(i));
		KUNIT_EXPECT_EQ(test, read_entry(addr + i * PAGE_SIZE, &args), i < 4);
	}
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, 8 * PAGE_SIZE));
}

static unsigned int fault_without_wait(unsigned long addr)
{
	const unsigned int flags = FAULT_FLAG_ALLOW_RETRY |
				   FAULT_FLAG_RETRY_NOWAIT;

	return (__force unsigned int)handle_mm_fault(find_vma(current->mm, addr),
						     addr, flags, NULL);
}

#define RETRY	((__force unsigned int)VM_FAULT_RETRY)
#define NOPAGE	((__force unsigned int)VM_FAULT_NOPAGE)

/*
 * Nobody in Linux 7.3 faults so on a VM_PFNMAP mapping: get_user_pages() with
 * FOLL_NOWAIT does, and looks at the flag first. Whoever does keeps the lock.
 */
static void does_not_wait_in_faults_that_must_not(struct kunit *test)
{
	struct model *m = model_create(test, 11);
	struct follow_pfnmap_args args;
	struct dma_fence *fence;
	unsigned long addr;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	model_alloc(m, 4);
	model_export(m, DMA_BUF_CPU_MMAP);
	addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, 4 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, MAP_AT);

	/* While the exporter has the lock, and may move the buffer */
	mmap_read_lock(current->mm);
	dma_resv_lock(m->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, fault_without_wait(addr), RETRY);
	dma_resv_unlock(m->dmabuf->resv);
	mmap_assert_locked(current->mm);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_FALSE(test, read_entry(addr, &args));

	/* Until the content is in place */
	fence = model_add_fence(m);
	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, fault_without_wait(addr), RETRY);
	mmap_assert_locked(current->mm);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_FALSE(test, read_entry(addr, &args));
	KUNIT_EXPECT_TRUE(test, dma_resv_trylock(m->dmabuf->resv));
	dma_resv_unlock(m->dmabuf->resv);

	dma_fence_signal(fence);
	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, fault_without_wait(addr), NOPAGE);
	mmap_read_unlock(current->mm);
	for (pgoff_t i = 0; i < 4; i++)
		expect_entry(m, addr + i * PAGE_SIZE, i);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, 4 * PAGE_SIZE));
}

/* Each way to get at the content waits until it is in place. */
static void waits_for_kernel_fences(struct kunit *test)
{
	struct device *dev = create_device(test);
	struct model *m = model_create(test, 13);
	struct dma_buf_attachment *attach;
	struct dma_fence *fence;
	struct sg_table *sgt;
	struct iosys_map map;
	unsigned long addr;
	u32 value;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	model_alloc(m, 4);
	model_export(m, DMA_BUF_CPU_MMAP | DMA_BUF_CPU_VMAP);
	attach = dma_buf_dynamic_attach(m->dmabuf, dev, &model_importer_ops, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);

	fence = model_add_fence(m);
	dma_resv_lock(m->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(sgt));
	if (!IS_ERR_OR_NULL(sgt))
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(m->dmabuf->resv);
	dma_buf_detach(m->dmabuf, attach);

	fence = model_add_fence(m);
	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(m->dmabuf, &map));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_buf_vunmap_unlocked(m->dmabuf, &map);

	addr = kunit_vm_mmap(test, m->dmabuf->file, MAP_AT, 4 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, MAP_AT);
	fence = model_add_fence(m);
	KUNIT_ASSERT_EQ(test, 0, get_user(value, (u32 __user *)addr));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, 0, value);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, 4 * PAGE_SIZE));
}

/* The exporter that the document shows, by all ways */
static void converts_the_documented_example(struct kunit *test)
{
	struct device *dev = create_device(test);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 2);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	struct iosys_map map;
	struct sg_table *sgt;
	unsigned long addr;
	u32 value;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	dmabuf = pfn_example_export(page, 4 * PAGE_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);

	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, 1, sgt->nents);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl), page_to_phys(page));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);

	KUNIT_ASSERT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	*(u32 *)(map.vaddr + 3 * PAGE_SIZE) = model_mark(3);
	dma_buf_vunmap_unlocked(dmabuf, &map);

	addr = kunit_vm_mmap(test, dmabuf->file, MAP_AT, 4 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, MAP_AT);
	KUNIT_EXPECT_EQ(test, 0, get_user(value, (u32 __user *)(addr + 3 * PAGE_SIZE)));
	KUNIT_EXPECT_EQ(test, value, model_mark(3));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, 4 * PAGE_SIZE));

	dma_buf_put(dmabuf);
}

static struct kunit_case convert_cases[] = {
	KUNIT_CASE(maps_ram_for_devices),
	KUNIT_CASE(asks_once_for_a_buffer_that_never_moves),
	KUNIT_CASE(asks_again_for_a_buffer_that_may_move),
	KUNIT_CASE(entries_end_where_the_device_says),
	KUNIT_CASE(maps_private_ram_for_devices),
	KUNIT_CASE(keeps_what_the_cpu_writes),
	KUNIT_CASE(keeps_what_others_write),
	KUNIT_CASE(does_not_bounce_private_ram),
	KUNIT_CASE(does_not_map_mixtures),
	KUNIT_CASE(needs_peer_to_peer_for_mmio),
	KUNIT_CASE(vmaps_ram),
	KUNIT_CASE(vmaps_mmio),
	KUNIT_CASE(refuses_vmaps_without_a_warning),
	KUNIT_CASE(mmaps_ram_by_faults),
	KUNIT_CASE(mmaps_mmio),
	KUNIT_CASE(does_not_mmap_private_ram),
	KUNIT_CASE(does_not_wait_in_faults_that_must_not),
	KUNIT_CASE(waits_for_kernel_fences),
	KUNIT_CASE(converts_the_documented_example),
	{}
};

static struct kunit_suite convert_suite = {
	.name = "dma-buf-pfn-convert",
	.test_cases = convert_cases,
};

kunit_test_suite(convert_suite);

MODULE_DESCRIPTION("KUnit tests of what dma-buf makes of PFN ranges");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
