// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what dma_buf_mmap_internal() and dma_buf_mmap() make of an
 * exporter's mmap, seen on real mappings of a user address space.
 */

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mmap-test.h"

#define NR_PAGES	8
/* Anywhere will do in an empty address space, if a huge page fits there. */
#define MAP_AT		SZ_1G

/* How a mock exporter maps its buffer. */
struct route {
	const char *name;
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);
	bool huge;		/* the buffer is one huge page */
	bool no_close;		/* the exporter sets no vm_ops */
};

struct mock {
	struct kunit *test;
	const struct route *route;
	struct dma_buf *dmabuf;
	struct file *importer;		/* its ->mmap calls dma_buf_mmap() */
	struct page *pages[NR_PAGES];	/* the first NR_PAGES of the buffer */
	unsigned int order;		/* of the allocation behind pages[0] */
	size_t size;
	char exp_name[32];
	struct completion released;

	/* what the exporter's mmap was given */
	const struct vm_operations_struct *seen_vm_ops;
	void *seen_private_data;
	unsigned long seen_pgoff;

	/* calls that came, and the page references when close did */
	int nr_mmap;
	int nr_close;
	int nr_importer_close;
	int close_page_refs;

	/* before any mapping */
	long file_refs;
	int module_refs;
	int page_refs;
};

static int page_refs(struct mock *m)
{
	int refs = 0;

	if (m->order)
		return page_ref_count(m->pages[0]);
	for (int i = 0; i < NR_PAGES; i++)
		refs += page_ref_count(m->pages[i]);
	return refs;
}

/* References to this module; none can be counted if it is built in. */
static int module_refs(void)
{
#if defined(MODULE) && defined(CONFIG_MODULE_UNLOAD)
	return module_refcount(THIS_MODULE);
#else
	return 0;
#endif
}

static unsigned long mock_pfn(struct mock *m, pgoff_t pgoff)
{
	if (m->order)
		return page_to_pfn(m->pages[0]) + pgoff;
	return page_to_pfn(m->pages[pgoff]);
}

/* Page i of the buffer starts with this, so that a wrong page is noticed. */
static u32 mark(pgoff_t pgoff)
{
	return 0xd0b0f000 + pgoff;
}

static void mock_close(struct vm_area_struct *vma)
{
	struct mock *m = vma->vm_private_data;

	m->nr_close++;
	m->close_page_refs = page_refs(m);
}

static vm_fault_t fault_insert_pfn(struct vm_fault *vmf)
{
	struct mock *m = vmf->vma->vm_private_data;

	return vmf_insert_pfn(vmf->vma, vmf->address, mock_pfn(m, vmf->pgoff));
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
static vm_fault_t fault_huge(struct vm_fault *vmf, unsigned int order)
{
	struct mock *m = vmf->vma->vm_private_data;

	if (order != PMD_ORDER)
		return VM_FAULT_FALLBACK;
	return vmf_insert_pfn_pmd(vmf, page_to_pfn(m->pages[0]),
				  vmf->flags & FAULT_FLAG_WRITE);
}
#endif

static vm_fault_t fault_page(struct vm_fault *vmf)
{
	struct mock *m = vmf->vma->vm_private_data;

	vmf->page = m->pages[vmf->pgoff];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct close_only_vm_ops = {
	.close = mock_close,
};

static const struct vm_operations_struct pfn_vm_ops = {
	.close = mock_close,
	.fault = fault_insert_pfn,
};

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
static const struct vm_operations_struct huge_vm_ops = {
	.close = mock_close,
	.fault = fault_insert_pfn,
	.huge_fault = fault_huge,
};
#endif

static const struct vm_operations_struct page_vm_ops = {
	.close = mock_close,
	.fault = fault_page,
};

static void set_ops(struct mock *m, struct vm_area_struct *vma,
		    const struct vm_operations_struct *ops)
{
	vma->vm_ops = ops;
	vma->vm_private_data = m;
}

/* The right ways */

static int remap(struct mock *m, struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start;
	pgoff_t pgoff = vma->vm_pgoff;
	int ret;

	for (; addr < vma->vm_end; addr += PAGE_SIZE, pgoff++) {
		ret = remap_pfn_range(vma, addr, mock_pfn(m, pgoff), PAGE_SIZE,
				      vma->vm_page_prot);
		if (ret)
			return ret;
	}
	return 0;
}

static int mmap_remap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &close_only_vm_ops);
	return remap(dmabuf->priv, vma);
}

/* As the system heap does it: the vm_ops stay as they were found. */
static int mmap_remap_bare(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return remap(dmabuf->priv, vma);
}

static int mmap_fault(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &pfn_vm_ops);
	vm_flags_set(vma, VM_PFNMAP);
	return 0;
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
static int mmap_huge(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &huge_vm_ops);
	vm_flags_set(vma, VM_PFNMAP);
	return 0;
}
#endif

/* The wrong ways */

static int mmap_no_flag(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &page_vm_ops);
	return 0;
}

static int mmap_nothing(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return 0;
}

static int mmap_no_vm_ops(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	vma->vm_ops = NULL;
	vm_flags_set(vma, VM_PFNMAP);
	return 0;
}

static int mmap_mixed(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &page_vm_ops);
	vm_flags_set(vma, VM_MIXEDMAP);
	return 0;
}

static int mmap_both(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &close_only_vm_ops);
	vm_flags_set(vma, VM_MIXEDMAP);
	return remap(dmabuf->priv, vma);
}

static int mmap_insert_page(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock *m = dmabuf->priv;
	unsigned long addr = vma->vm_start;
	pgoff_t pgoff = vma->vm_pgoff;
	int ret;

	set_ops(m, vma, &close_only_vm_ops);
	for (; addr < vma->vm_end; addr += PAGE_SIZE, pgoff++) {
		ret = vm_insert_page(vma, addr, m->pages[pgoff]);
		if (ret)
			return ret;
	}
	return 0;
}

static int mmap_turns_cow(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &pfn_vm_ops);
	vm_flags_mod(vma, VM_PFNMAP | VM_MAYWRITE, VM_SHARED);
	return 0;
}

/* Gives up with an error of its own, half of the pages mapped. */
static int mmap_partial(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock *m = dmabuf->priv;
	unsigned long half = vma_pages(vma) / 2;
	int ret;

	set_ops(m, vma, &close_only_vm_ops);
	for (unsigned long i = 0; i < half; i++) {
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE,
				     m->pages[vma->vm_pgoff + i]);
		if (ret)
			return ret;
	}
	return -ENXIO;
}

/* What amdgpu does to a private mapping that nothing can access. */
static int mmap_drops_maywrite(struct dma_buf *dmabuf,
			       struct vm_area_struct *vma)
{
	set_ops(dmabuf->priv, vma, &pfn_vm_ops);
	vm_flags_mod(vma, VM_PFNMAP, VM_MAYWRITE);
	return 0;
}

static const struct route right_routes[] = {
	{ .name = "remap_pfn_range", .mmap = mmap_remap },
	{ .name = "remap_pfn_range_no_vm_ops", .mmap = mmap_remap_bare,
	  .no_close = true },
	{ .name = "vmf_insert_pfn", .mmap = mmap_fault },
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	{ .name = "vmf_insert_pfn_pmd", .mmap = mmap_huge, .huge = true },
#endif
};

static const struct route wrong_routes[] = {
	{ .name = "no_flag", .mmap = mmap_no_flag },
	{ .name = "nothing_done", .mmap = mmap_nothing, .no_close = true },
	{ .name = "mixedmap", .mmap = mmap_mixed },
	{ .name = "pfnmap_and_mixedmap", .mmap = mmap_both },
	{ .name = "vm_insert_page", .mmap = mmap_insert_page },
	{ .name = "turned_cow", .mmap = mmap_turns_cow },
	{ .name = "without_vm_ops", .mmap = mmap_no_vm_ops, .no_close = true },
};

static const struct route partial_route = {
	.name = "partial", .mmap = mmap_partial,
};

static const struct route amdgpu_route = {
	.name = "drops_maywrite", .mmap = mmap_drops_maywrite,
};

/* The two ways in: mmap() of the dma-buf, mmap() of an importer's file */
static const struct entry {
	const char *name;
	bool importer;
} entries[] = {
	{ .name = "dma-buf fd" },
	{ .name = "importer", .importer = true },
};

/* The mock exporter */

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock *m = dmabuf->priv;

	m->nr_mmap++;
	m->seen_vm_ops = vma->vm_ops;
	m->seen_private_data = vma->vm_private_data;
	m->seen_pgoff = vma->vm_pgoff;
	return m->route->mmap(dmabuf, vma);
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock *m = dmabuf->priv;

	complete(&m->released);
}

static const struct dma_buf_ops mock_ops = {
	.map_dma_buf = mock_map,
	.unmap_dma_buf = mock_unmap,
	.mmap = mock_mmap,
	.release = mock_release,
};

/* The mock importer: leaves its own vm_ops behind, as GEM drivers do. */

static void importer_close(struct vm_area_struct *vma)
{
	struct mock *m = vma->vm_private_data;

	m->nr_importer_close++;
}

static const struct vm_operations_struct importer_vm_ops = {
	.close = importer_close,
};

static int importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mock *m = file->private_data;

	vma->vm_ops = &importer_vm_ops;
	vma->vm_private_data = m;
	return dma_buf_mmap(m->dmabuf, vma, vma->vm_pgoff);
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.mmap = importer_mmap,
};

static void mock_destroy(void *data)
{
	struct mock *m = data;

	if (!IS_ERR_OR_NULL(m->importer))
		fput(m->importer);
	if (!IS_ERR_OR_NULL(m->dmabuf)) {
		dma_buf_put(m->dmabuf);
		/* A kernel thread's last fput() is done by a work item. */
		flush_delayed_fput();
		if (!wait_for_completion_timeout(&m->released, 10 * HZ)) {
			KUNIT_FAIL(m->test, "a reference to the dma-buf leaked");
			/* and so does what it refers to */
			return;
		}
	}
	if (m->order) {
		__free_pages(m->pages[0], m->order);
	} else {
		for (int i = 0; i < NR_PAGES && m->pages[i]; i++)
			__free_page(m->pages[i]);
	}
	kfree(m);
}

static struct mock *mock_create(struct kunit *test, const struct route *route)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct mock *m;

	m = kzalloc_obj(*m);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->route = route;
	init_completion(&m->released);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_destroy, m));

	if (route->huge) {
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
		if (!has_transparent_hugepage())
			kunit_skip(test, "the CPU has no huge pages");
#endif
		m->order = PMD_ORDER;
		m->pages[0] = alloc_pages(GFP_KERNEL | __GFP_ZERO |
					  __GFP_COMP | __GFP_NOWARN, m->order);
		if (!m->pages[0]) {
			m->order = 0;
			kunit_skip(test, "no %lu bytes of contiguous memory",
				   PMD_SIZE);
		}
		for (int i = 1; i < NR_PAGES; i++)
			m->pages[i] = m->pages[0] + i;
		m->size = PMD_SIZE;
	} else {
		for (int i = 0; i < NR_PAGES; i++) {
			m->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
			KUNIT_ASSERT_NOT_NULL(test, m->pages[i]);
		}
		m->size = NR_PAGES * PAGE_SIZE;
	}
	for (int i = 0; i < NR_PAGES; i++)
		*(u32 *)page_address(m->pages[i]) = mark(i);

	/* A name of its own, as the core warns about each name once. */
	snprintf(m->exp_name, sizeof(m->exp_name), "mock-%016llx",
		 get_random_u64());
	exp_info.exp_name = m->exp_name;
	exp_info.owner = THIS_MODULE;
	exp_info.ops = &mock_ops;
	exp_info.size = m->size;
	exp_info.flags = O_RDWR;
	exp_info.priv = m;
	m->dmabuf = dma_buf_export(&exp_info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->dmabuf);

	m->importer = anon_inode_getfile("mock-importer", &importer_fops, m,
					 O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->importer);

	m->file_refs = file_count(m->dmabuf->file);
	m->module_refs = module_refs();
	m->page_refs = page_refs(m);
	return m;
}

static void expect_balance(struct kunit *test, struct mock *m)
{
	KUNIT_EXPECT_EQ(test, file_count(m->dmabuf->file), m->file_refs);
	KUNIT_EXPECT_EQ(test, page_refs(m), m->page_refs);
	KUNIT_EXPECT_EQ(test, module_refs(), m->module_refs);
}

static unsigned long map_pages(struct mock *m, const struct entry *e,
			       unsigned long prot, unsigned long flags,
			       unsigned long len, unsigned long offset)
{
	return kunit_vm_mmap(m->test,
			     e->importer ? m->importer : m->dmabuf->file,
			     MAP_AT, len, prot, flags | MAP_FIXED, offset);
}

static unsigned long map_all(struct mock *m, const struct entry *e)
{
	return map_pages(m, e, PROT_READ | PROT_WRITE, MAP_SHARED, m->size, 0);
}

static bool is_mapped(unsigned long addr)
{
	struct vm_area_struct *vma;

	guard(mmap_read_lock)(current->mm);
	vma = find_vma(current->mm, addr);
	return vma && vma->vm_start <= addr;
}

/* What the page table has at @addr; 0 if nothing, else bytes it covers */
static unsigned long mapped_level(unsigned long addr, unsigned long *pfn,
				  bool *special)
{
	struct follow_pfnmap_args args = { .address = addr };
	unsigned long size;

	guard(mmap_read_lock)(current->mm);
	args.vma = find_vma(current->mm, addr);
	if (!args.vma || args.vma->vm_start > addr)
		return 0;
	if (follow_pfnmap_start(&args))
		return 0;
	*pfn = args.pfn;
	*special = args.special;
	size = ~args.addr_mask + 1;
	follow_pfnmap_end(&args);
	return size;
}

/* Both ways that the kernel takes user pages, with the entries in place */
static void expect_no_pages(struct kunit *test, unsigned long addr)
{
	struct page *page = NULL;
	long ret;

	KUNIT_EXPECT_EQ(test, pin_user_pages_fast(addr, 1, FOLL_WRITE, &page),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, pin_user_pages_fast(addr, 1, FOLL_LONGTERM,
						  &page), -EFAULT);
	KUNIT_EXPECT_LE(test, get_user_pages_fast_only(addr, 1, FOLL_WRITE,
						       &page), 0);
	mmap_read_lock(current->mm);
	ret = pin_user_pages(addr, 1, FOLL_WRITE, &page);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, ret, -EFAULT);
}

static void test_right(struct kunit *test)
{
	const struct route *route = test->param_value;

	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		struct mock *m = mock_create(test, route);
		unsigned long addr, pfn = 0, size;
		bool special = false;

		kunit_info(test, "through the %s", e->name);
		kunit_warning_suppress(test) {
			addr = map_all(m, e);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		KUNIT_EXPECT_EQ(test, m->nr_mmap, 1);
		/* one for the mapping */
		KUNIT_EXPECT_EQ(test, file_count(m->dmabuf->file),
				m->file_refs + 1);

		for (int p = 0; p < NR_PAGES; p++) {
			u32 __user *u = (u32 __user *)(addr + p * PAGE_SIZE);
			u32 val = 0;

			KUNIT_ASSERT_EQ(test, get_user(val, u), 0);
			KUNIT_EXPECT_EQ(test, val, mark(p));
			KUNIT_ASSERT_EQ(test, put_user(~mark(p), u), 0);
			KUNIT_EXPECT_EQ(test,
					*(u32 *)page_address(m->pages[p]),
					~mark(p));
			size = mapped_level(addr + p * PAGE_SIZE, &pfn,
					    &special);
			KUNIT_EXPECT_EQ(test, size,
					route->huge ? PMD_SIZE : PAGE_SIZE);
			KUNIT_EXPECT_EQ(test, pfn, mock_pfn(m, p));
			KUNIT_EXPECT_EQ(test, special,
					IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL));
			expect_no_pages(test, addr + p * PAGE_SIZE);
		}
		/* PFN entries take no reference to the pages behind them. */
		KUNIT_EXPECT_EQ(test, page_refs(m), m->page_refs);

		KUNIT_ASSERT_EQ(test, vm_munmap(addr, m->size), 0);
		KUNIT_EXPECT_EQ(test, m->nr_close, route->no_close ? 0 : 1);
		KUNIT_EXPECT_EQ(test, m->nr_importer_close, 0);
		expect_balance(test, m);
	}
}

static void test_wrong(struct kunit *test)
{
	const struct route *route = test->param_value;

	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		struct mock *m = mock_create(test, route);
		unsigned long addr;

		kunit_info(test, "through the %s", e->name);
		/* The first time with a WARN, then without. */
		for (int again = 0; again < 2; again++) {
			int warns = !again && IS_ENABLED(CONFIG_BUG);

			kunit_warning_suppress(test) {
				addr = map_all(m, e);
				KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test,
								      warns);
			}
			KUNIT_EXPECT_EQ(test, (long)addr, -EINVAL);
			KUNIT_EXPECT_FALSE(test, is_mapped(MAP_AT));
			KUNIT_EXPECT_EQ(test, m->nr_mmap, again + 1);
			if (!route->no_close) {
				KUNIT_EXPECT_EQ(test, m->nr_close, again + 1);
				/* close came after the entries had gone */
				KUNIT_EXPECT_EQ(test, m->close_page_refs,
						m->page_refs);
			}
			KUNIT_EXPECT_EQ(test, m->nr_importer_close, 0);
			expect_balance(test, m);
		}
	}
}

static void test_error_after_partial_insert(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		struct mock *m = mock_create(test, &partial_route);
		unsigned long addr;

		kunit_warning_suppress(test) {
			addr = map_all(m, &entries[i]);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		/* the exporter's own error, and its close isn't called */
		KUNIT_EXPECT_EQ(test, (long)addr, -ENXIO);
		KUNIT_EXPECT_FALSE(test, is_mapped(MAP_AT));
		KUNIT_EXPECT_EQ(test, m->nr_close, 0);
		KUNIT_EXPECT_EQ(test, m->nr_importer_close, 0);
		expect_balance(test, m);
	}
}

static void test_private_is_refused(struct kunit *test)
{
	static const struct route *const routes[] = {
		&right_routes[0], &right_routes[1], &right_routes[2],
		&wrong_routes[4],
	};
	static const unsigned long prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
	};

	for (int r = 0; r < ARRAY_SIZE(routes); r++)
		for (int i = 0; i < ARRAY_SIZE(entries); i++) {
			struct mock *m = mock_create(test, routes[r]);

			kunit_warning_suppress(test) {
				for (int p = 0; p < ARRAY_SIZE(prots); p++) {
					unsigned long addr;

					addr = map_pages(m, &entries[i],
							 prots[p], MAP_PRIVATE,
							 m->size, 0);
					KUNIT_EXPECT_EQ(test, (long)addr,
							-EINVAL);
				}
				KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
			}
			KUNIT_EXPECT_FALSE(test, is_mapped(MAP_AT));
			expect_balance(test, m);
		}
}

static void test_private_that_can_not_be_written(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		struct mock *m = mock_create(test, &amdgpu_route);
		unsigned long addr;

		addr = map_pages(m, &entries[i], PROT_NONE, MAP_PRIVATE,
				 m->size, 0);
		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		KUNIT_ASSERT_EQ(test, vm_munmap(addr, m->size), 0);
		KUNIT_EXPECT_EQ(test, m->nr_close, 1);
		expect_balance(test, m);
	}
}

/* What an importer left in the VMA is not seen as the exporter's. */
static void test_importer_leaves_no_trace(struct kunit *test)
{
	for (int r = 0; r < ARRAY_SIZE(right_routes); r++) {
		struct mock *m = mock_create(test, &right_routes[r]);
		unsigned long addr = map_all(m, &entries[1]);

		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		KUNIT_EXPECT_NOT_NULL(test, m->seen_vm_ops);
		KUNIT_EXPECT_PTR_NE(test, m->seen_vm_ops, &importer_vm_ops);
		KUNIT_EXPECT_NULL(test, m->seen_private_data);
		KUNIT_ASSERT_EQ(test, vm_munmap(addr, m->size), 0);
		KUNIT_EXPECT_EQ(test, m->nr_importer_close, 0);
		expect_balance(test, m);
	}
}

static void test_offset(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		struct mock *m = mock_create(test, &right_routes[2]);
		unsigned long addr;
		u32 val = 0;

		addr = map_pages(m, &entries[i], PROT_READ, MAP_SHARED,
				 2 * PAGE_SIZE, 5 * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, addr, MAP_AT);
		KUNIT_EXPECT_EQ(test, m->seen_pgoff, 5);
		KUNIT_EXPECT_EQ(test, get_user(val, (u32 __user *)addr), 0);
		KUNIT_EXPECT_EQ(test, val, mark(5));
		KUNIT_EXPECT_EQ(test, get_user(val, (u32 __user *)(addr +
							PAGE_SIZE)), 0);
		KUNIT_EXPECT_EQ(test, val, mark(6));
		KUNIT_ASSERT_EQ(test, vm_munmap(addr, 2 * PAGE_SIZE), 0);

		/* beyond the end: refused without asking the exporter */
		addr = map_pages(m, &entries[i], PROT_READ, MAP_SHARED,
				 2 * PAGE_SIZE, (NR_PAGES - 1) * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, (long)addr, -EINVAL);
		KUNIT_EXPECT_EQ(test, m->nr_mmap, 1);
		expect_balance(test, m);
	}
}

static void test_documented_example(struct kunit *test)
{
	struct dma_buf *dmabuf = example_export(NR_PAGES);
	unsigned long addr;
	u32 val = 1;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	/* The first page gone, the rest must still show its own pages. */
	addr = kunit_vm_mmap(test, dmabuf->file, MAP_AT, NR_PAGES * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_EXPECT_EQ(test, addr, MAP_AT);
	KUNIT_EXPECT_EQ(test, get_user(val, (u32 __user *)(addr +
						3 * PAGE_SIZE)), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, put_user(mark(3), (u32 __user *)(addr +
						3 * PAGE_SIZE)), 0);
	expect_no_pages(test, addr + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, NR_PAGES * PAGE_SIZE), 0);

	addr = kunit_vm_mmap(test, dmabuf->file, MAP_AT, NR_PAGES * PAGE_SIZE,
			     PROT_READ, MAP_SHARED | MAP_FIXED, 0);
	KUNIT_EXPECT_EQ(test, addr, MAP_AT);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, get_user(val, (u32 __user *)(addr +
						3 * PAGE_SIZE)), 0);
	KUNIT_EXPECT_EQ(test, val, mark(3));
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, NR_PAGES * PAGE_SIZE), 0);
	/* Ours is the last reference, so that this put releases it. */
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	dma_buf_put(dmabuf);
	flush_delayed_fput();
}

KUNIT_ARRAY_PARAM_DESC(right, right_routes, name);
KUNIT_ARRAY_PARAM_DESC(wrong, wrong_routes, name);

static struct kunit_case mmap_cases[] = {
	KUNIT_CASE_PARAM(test_right, right_gen_params),
	KUNIT_CASE_PARAM(test_wrong, wrong_gen_params),
	KUNIT_CASE(test_error_after_partial_insert),
	KUNIT_CASE(test_private_is_refused),
	KUNIT_CASE(test_private_that_can_not_be_written),
	KUNIT_CASE(test_importer_leaves_no_trace),
	KUNIT_CASE(test_offset),
	KUNIT_CASE(test_documented_example),
	{}
};

static struct kunit_suite mmap_suite = {
	.name = "dma-buf-mmap",
	.test_cases = mmap_cases,
};

kunit_test_suite(mmap_suite);

MODULE_DESCRIPTION("KUnit tests for userspace mappings of dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
