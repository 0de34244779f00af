// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the KUnit tests of <linux/pfnmap.h>: a file whose mappings call the API,
 * and a model of what it should do, to compare page tables with.
 *
 * The model goes page by page through arrays and is as simple as can be. It
 * knows nothing of page tables but which ones there are.
 */

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#ifdef CONFIG_X86
#include <asm/memtype.h>
#endif

#include "pfnmap_model.h"

/* PMD_ORDER is no constant everywhere. */
static unsigned int level_order(enum level level)
{
	switch (level) {
	case PMD:
		return PMD_ORDER;
	case PUD:
		return PUD_ORDER;
	default:
		return 0;
	}
}

static unsigned long level_nr(enum level level)
{
	return 1UL << level_order(level);
}

/* Which PMD or PUD a page is in, counted from that of the first page */
static unsigned long pmd_of(struct model *m, unsigned long page)
{
	return page / PMD_NR - m->first / PMD_NR;
}

static unsigned long pud_of(struct model *m, unsigned long page)
{
	return page / PUD_NR - m->first / PUD_NR;
}

static struct entry *entry_of(struct model *m, unsigned long page)
{
	return &m->page[page - m->first];
}

struct entry *model_at(struct pfnmap_test *t, unsigned long addr)
{
	return entry_of(&t->model, addr >> PAGE_SHIFT);
}

static void model_free(struct model *m)
{
	vfree(m->page);
	vfree(m->has_ptes);
	vfree(m->has_pmds);
}

/* Nothing is mapped from a PMD before @addr to a PMD after @nr pages. */
void model_start(struct pfnmap_test *t, unsigned long addr, unsigned long nr)
{
	unsigned long page = addr >> PAGE_SHIFT;
	struct model *m = &t->model;

	m->first = ALIGN_DOWN(page, PMD_NR) - PMD_NR;
	m->nr = ALIGN(page + nr, PMD_NR) + PMD_NR - m->first;
	if (m->nr > m->max) {
		model_free(m);
		m->max = m->nr;
		m->page = vmalloc_array(m->max, sizeof(*m->page));
		m->has_ptes = vmalloc(m->max / PMD_NR);
		m->has_pmds = vmalloc(m->max / PUD_NR + 2);
		KUNIT_ASSERT_NOT_NULL(t->test, m->page);
		KUNIT_ASSERT_NOT_NULL(t->test, m->has_ptes);
		KUNIT_ASSERT_NOT_NULL(t->test, m->has_pmds);
	}
	memset(m->page, 0, m->nr * sizeof(*m->page));
	memset(m->has_ptes, 0, m->nr / PMD_NR);
	memset(m->has_pmds, 0, m->nr / PUD_NR + 2);
	t->wrong = false;
}

static u8 prot_flags(pgprot_t prot)
{
	pte_t pte = pfn_pte(0, prot);

	return E_SPECIAL | (pte_write(pte) ? E_WRITE : 0) |
	       (pte_dirty(pte) ? E_DIRTY : 0) | (pte_young(pte) ? E_YOUNG : 0);
}

/* The pgprot of an entry without the bits that its flags tell */
static u64 rest_of_pte(pte_t pte)
{
	pte = pte_clear_soft_dirty(pte_mkclean(pte_mkold(pte)));
	return pgprot_val(pte_pgprot(pte_mkspecial(pte_wrprotect(pte))));
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
static u64 rest_of_pmd(pmd_t pmd)
{
	pmd = pmd_clear_soft_dirty(pmd_mkclean(pmd_mkold(pmd)));
	return pgprot_val(pmd_pgprot(pmd_mkspecial(pmd_wrprotect(pmd))));
}
#endif

#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
static u64 rest_of_pud(pud_t pud)
{
	pud = pud_mkclean(pud_mkold(pud));
#ifdef CONFIG_MEM_SOFT_DIRTY
	pud = pud_clear_soft_dirty(pud);
#endif
	return pgprot_val(pud_pgprot(pud_mkspecial(pud_wrprotect(pud))));
}
#endif

static u64 rest_of_prot(enum level level, pgprot_t prot)
{
	switch (level) {
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	case PMD:
		return rest_of_pmd(pmd_mkhuge(pfn_pmd(0, prot)));
#endif
#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
	case PUD:
		return rest_of_pud(pud_mkhuge(pfn_pud(0, prot)));
#endif
	default:
		return rest_of_pte(pfn_pte(0, prot));
	}
}

/* The protection of a page of a run, with the cache mode of its memory */
static pgprot_t run_prot(const struct pfnmap_run *run, unsigned long pfn)
{
#ifdef CONFIG_X86
	/* Memory that is not RAM, and whose cache mode no driver has set */
	if (pat_enabled() && !pfn_valid(pfn))
		return pgprot_noncached(run->prot);
#endif
	return run->prot;
}

static void set_level(struct model *m, unsigned long page, enum level level,
		      unsigned long pfn, pgprot_t prot)
{
	struct entry e = {
		.level = level,
		.prot = rest_of_prot(level, prot),
		.flags = prot_flags(prot),
	};

	for (unsigned long i = 0; i < level_nr(level); i++) {
		e.pfn = pfn + i;
		*entry_of(m, page + i) = e;
	}
	if (level <= PTE)
		m->has_ptes[pmd_of(m, page)] = true;
	if (level <= PMD)
		m->has_pmds[pud_of(m, page)] = true;
}

/* @nr pages of contiguous memory are mapped by entries of @level. */
void model_set(struct pfnmap_test *t, unsigned long addr, unsigned long nr,
	       enum level level, unsigned long pfn, pgprot_t prot)
{
	for (unsigned long i = 0; i < nr; i += level_nr(level))
		set_level(&t->model, (addr >> PAGE_SHIFT) + i, level, pfn + i,
			  prot);
}

/* A huge entry goes as a whole, a table that has become empty stays. */
void model_zap(struct pfnmap_test *t, unsigned long addr, unsigned long nr)
{
	unsigned long page = addr >> PAGE_SHIFT, end = page + nr;
	struct model *m = &t->model;

	while (page < end) {
		unsigned long n = level_nr(entry_of(m, page)->level);
		unsigned long start = ALIGN_DOWN(page, n);

		memset(entry_of(m, start), 0, n * sizeof(struct entry));
		page = start + n;
	}
}

/* The part of a run that is in the VMA and the window, [@lo, @hi) in pages */
struct part {
	const struct pfnmap_run *run;
	unsigned long lo, hi;
	unsigned long index;	/* in the run, of page 0 */
};

static unsigned long part_pfn(const struct part *part, unsigned long page)
{
	if (part->run->pages)
		return page_to_pfn(part->run->pages[part->index + page]);
	return part->run->pfn + part->index + page;
}

static bool fits(const struct part *part, unsigned long page, enum level level)
{
	unsigned long nr = level_nr(level), start = ALIGN_DOWN(page, nr), pfn;

	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) && level == PMD)
		return false;
	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) && level == PUD)
		return false;
	if (start < part->lo || start + nr > part->hi)
		return false;
	pfn = part_pfn(part, start);
	if (pfn % nr)
		return false;
	for (unsigned long i = 1; part->run->pages && i < nr; i++)
		if (part_pfn(part, start + i) != pfn + i)
			return false;
	return true;
}

static vm_fault_t model_huge(struct model *m, struct vm_fault *vmf,
			     const struct part *part, enum level level)
{
	unsigned long fault = vmf->address >> PAGE_SHIFT;
	struct entry *e = entry_of(m, fault);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long first = ALIGN_DOWN(fault, level_nr(level));

	if (!fits(part, fault, level))
		return VM_FAULT_FALLBACK;
	if (e->level == level) {
		if (write && e->pfn != part_pfn(part, fault))
			return VM_FAULT_FALLBACK;
	} else if (level == PMD ? m->has_ptes[pmd_of(m, fault)] :
				  m->has_pmds[pud_of(m, fault)]) {
		return VM_FAULT_FALLBACK;
	}
	if (e->level != level)
		set_level(m, first, level, part_pfn(part, first),
			  run_prot(part->run, part_pfn(part, first)));
	for (unsigned long i = 0; write && i < level_nr(level); i++)
		entry_of(m, first + i)->flags |= E_DIRTY | E_YOUNG |
			(vmf->vma->vm_flags & VM_WRITE ? E_WRITE : 0);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t model_call(struct pfnmap_test *t, struct vm_fault *vmf,
			     unsigned int order, const struct pfnmap_run *run)
{
	unsigned long fault = vmf->address >> PAGE_SHIFT, page, pgoff, window;
	enum level level = !order ? PTE : order == PMD_ORDER ? PMD : PUD;
	struct vm_area_struct *vma = vmf->vma;
	unsigned long vma_first = vma->vm_start >> PAGE_SHIFT;
	struct model *m = &t->model;
	struct part part = { .run = run };

	/* handle_mm_fault() has made a table of PMDs. */
	if (level <= PMD)
		m->has_pmds[pud_of(m, fault)] = true;

	/* first in units of the file */
	pgoff = vma->vm_pgoff + fault - vma_first;
	part.lo = max(run->pgoff, vma->vm_pgoff);
	part.hi = min(run->pgoff + run->nr, vma->vm_pgoff + vma_pages(vma));
	if (pgoff < part.lo || pgoff >= part.hi)
		return VM_FAULT_SIGBUS;
	/* then in pages */
	part.lo += vma_first - vma->vm_pgoff;
	part.hi += vma_first - vma->vm_pgoff;
	part.index = vma->vm_pgoff - vma_first - run->pgoff;

	window = run->around ?: PUD_NR;
	if (!order)
		window = vma->vm_flags & VM_RAND_READ ? 1 : min(window, PMD_NR);
	part.lo = max(part.lo, ALIGN_DOWN(fault, window));
	part.hi = min(part.hi, ALIGN_DOWN(fault, window) + window);

	if (level != PTE)
		return model_huge(m, vmf, &part, level);

	for (page = part.lo; page < part.hi; page++)
		if (!entry_of(m, page)->level)
			set_level(m, page, PTE, part_pfn(&part, page),
				  run_prot(run, part_pfn(&part, page)));
	return VM_FAULT_NOPAGE;
}

static void fail_start(struct pfnmap_test *t)
{
#ifdef CONFIG_FAULT_INJECTION
	current->make_it_fail = t->fail_nth && t->fail_rest;
	current->fail_nth = t->fail_nth;
#endif
}

static void fail_end(struct pfnmap_test *t)
{
#ifdef CONFIG_FAULT_INJECTION
	if (t->fail_nth && !current->fail_nth)
		t->failed = true;
	current->fail_nth = 0;
	current->make_it_fail = 0;
#endif
}

static vm_fault_t call(struct pfnmap_test *t, struct vm_fault *vmf,
		       unsigned int order)
{
	vm_fault_t ret, expected = VM_FAULT_OOM;

	if (t->unchecked)
		return vmf_insert_pfnmap_run(vmf, order, &t->run);

	t->failed = false;
	fail_start(t);
	ret = vmf_insert_pfnmap_run(vmf, order, &t->run);
	fail_end(t);

	if (t->nr_calls < ARRAY_SIZE(t->calls))
		t->calls[t->nr_calls] = (struct call) {
			.order = order, .ret = (__force u32)ret,
		};
	t->nr_calls++;

	/* For a lack of memory, nothing is mapped. */
	if (!t->failed || ret != VM_FAULT_OOM)
		expected = model_call(t, vmf, order, &t->run);
	/* As good: the same will be said of a single page. */
	if (order && ret == VM_FAULT_FALLBACK && expected == VM_FAULT_SIGBUS)
		return ret;
	if (ret != expected) {
		kunit_err(t->test, "order %u at %lx: returned %x, expected %x\n",
			  order, vmf->address, ret, expected);
		t->wrong = true;
	}
	return ret;
}

static vm_fault_t call_api(struct vm_fault *vmf, unsigned int order)
{
	struct pfnmap_test *t = vmf->vma->vm_private_data;
	struct entry *e;
	vm_fault_t ret;

	vmf->flags |= t->extra_flags;
	if (order && (t->decline & BIT(order))) {
		ret = VM_FAULT_FALLBACK;
	} else {
		ret = call(t, vmf, order);
		if (t->again) {
			t->run.pfn += t->again_further;
			ret = call(t, vmf, order);
		}
	}

	if (t->unchecked || ret != VM_FAULT_FALLBACK)
		return ret;
	/* A huge entry that can't be made writable is dropped, by the caller. */
	e = model_at(t, vmf->address);
	if (e->level > PTE && level_order(e->level) == order)
		model_zap(t, vmf->address, 1);
	return ret;
}

static vm_fault_t pt_vm_fault(struct vm_fault *vmf)
{
	return call_api(vmf, 0);
}

/* Faults with the lock of the VMA get to ->fault only if there is one. */
static vm_fault_t pt_vm_map_pages(struct vm_fault *vmf, pgoff_t start,
				  pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct small_vm_ops = {
	.fault = pt_vm_fault,
	.map_pages = pt_vm_map_pages,
};

static const struct vm_operations_struct huge_vm_ops = {
	.fault = pt_vm_fault,
	.map_pages = pt_vm_map_pages,
	.huge_fault = call_api,
};

static int pt_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pfnmap_test *t = file->private_data;

	vma->vm_ops = t->huge ? &huge_vm_ops : &small_vm_ops;
	vma->vm_private_data = t;
	if (t->mmap)
		return t->mmap(t, vma);
	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | t->set_flags,
		     t->clear_flags);
	return 0;
}

static const struct file_operations pt_fops = {
	.mmap = pt_mmap,
};

unsigned long pt_map(struct pfnmap_test *t, unsigned long addr,
		     unsigned long nr, pgoff_t pgoff, bool writable)
{
	return vm_mmap(t->file, addr, nr << PAGE_SHIFT,
		       writable ? PROT_READ | PROT_WRITE : PROT_READ,
		       MAP_SHARED | MAP_FIXED, pgoff << PAGE_SHIFT);
}

pgprot_t pt_prot(bool writable)
{
	return vm_get_page_prot(VM_SHARED | VM_READ | (writable ? VM_WRITE : 0));
}

/* As an access to @addr does; FAULT_FLAG_VMA_LOCK says under which lock. */
u32 pt_fault(struct pfnmap_test *t, unsigned long addr, unsigned int flags)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t ret;

	if (!t->unchecked)
		t->nr_calls = 0;

	if (flags & FAULT_FLAG_VMA_LOCK) {
		vma = lock_vma_under_rcu(mm, addr);
		if (!vma)
			return F_RETRY;
		ret = handle_mm_fault(vma, addr, flags, NULL);
		if (!(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
			vma_end_read(vma);
	} else {
		mmap_read_lock(mm);
		vma = vma_lookup(mm, addr);
		ret = vma ? handle_mm_fault(vma, addr, flags, NULL) :
			    VM_FAULT_SIGSEGV;
		mmap_read_unlock(mm);
	}

	/* A write to an entry that is there */
	if (!t->unchecked && !t->nr_calls && !ret &&
	    (flags & FAULT_FLAG_WRITE)) {
		struct model *m = &t->model;
		unsigned long n = level_nr(model_at(t, addr)->level);
		unsigned long page = ALIGN_DOWN(addr >> PAGE_SHIFT, n);

		for (unsigned long i = 0; i < n; i++)
			entry_of(m, page + i)->flags |= E_WRITE | E_DIRTY |
							E_YOUNG;
	}
	return (__force u32)ret;
}

static unsigned long pages_to(unsigned long addr, unsigned long size)
{
	return (ALIGN_DOWN(addr, size) + size - addr) >> PAGE_SHIFT;
}

/* Return: how many pages from @addr on have the same entry, or none */
unsigned long read_entry(struct mm_struct *mm, unsigned long addr,
			 struct entry *e)
{
	pgd_t *pgdp = pgd_offset(mm, addr);
	p4d_t *p4dp;
	pud_t *pudp, pud;
	pmd_t *pmdp, pmd;
	pte_t pte;

	*e = (struct entry) {};
	if (pgd_none(pgdp_get(pgdp)))
		return pages_to(addr, PGDIR_SIZE);
	p4dp = p4d_offset(pgdp, addr);
	if (p4d_none(p4dp_get(p4dp)))
		return pages_to(addr, P4D_SIZE);

	pudp = pud_offset(p4dp, addr);
	pud = pudp_get(pudp);
	if (pud_none(pud))
		return pages_to(addr, PUD_SIZE);
	if (pud_leaf(pud)) {
		e->level = PUD;
#ifdef CONFIG_ARCH_SUPPORTS_PUD_PFNMAP
		e->pfn = pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT);
		e->prot = rest_of_pud(pud);
		e->flags = (pud_special(pud) ? E_SPECIAL : 0) |
			   (pud_write(pud) ? E_WRITE : 0) |
			   (pud_dirty(pud) ? E_DIRTY : 0) |
			   (pud_young(pud) ? E_YOUNG : 0);
#endif
		return pages_to(addr, PUD_SIZE);
	}

	pmdp = pmd_offset(pudp, addr);
	pmd = pmdp_get(pmdp);
	if (pmd_none(pmd))
		return pages_to(addr, PMD_SIZE);
	if (pmd_leaf(pmd)) {
		e->level = PMD;
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
		e->pfn = pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		e->prot = rest_of_pmd(pmd);
		e->flags = (pmd_special(pmd) ? E_SPECIAL : 0) |
			   (pmd_write(pmd) ? E_WRITE : 0) |
			   (pmd_dirty(pmd) ? E_DIRTY : 0) |
			   (pmd_young(pmd) ? E_YOUNG : 0);
#endif
		return pages_to(addr, PMD_SIZE);
	}

	/* 64BIT, and so the table needs no mapping. */
	pte = ptep_get(pte_offset_kernel(pmdp, addr));
	if (pte_none(pte))
		return 1;
	e->level = PTE;
	e->pfn = pte_pfn(pte);
	e->prot = rest_of_pte(pte);
	e->flags = (pte_special(pte) ? E_SPECIAL : 0) |
		   (pte_write(pte) ? E_WRITE : 0) |
		   (pte_dirty(pte) ? E_DIRTY : 0) |
		   (pte_young(pte) ? E_YOUNG : 0);
	return 1;
}

/*
 * All page tables of @mm in the window are as the model has it, in @flags too.
 * The first difference is printed. The caller holds the mmap_lock, or is the
 * only user of @mm.
 */
bool model_holds(struct pfnmap_test *t, struct mm_struct *mm, u8 flags)
{
	struct model *m = &t->model;
	unsigned long page = m->first, end = m->first + m->nr;

	if (t->wrong)
		return false;

	while (page < end) {
		struct entry e;
		unsigned long n = read_entry(mm, page << PAGE_SHIFT, &e);

		for (n = min(n, end - page); n; n--, page++) {
			struct entry *expected = entry_of(m, page);

			if (e.level == expected->level &&
			    e.pfn == expected->pfn &&
			    e.prot == expected->prot &&
			    !((e.flags ^ expected->flags) & flags)) {
				if (e.level)
					e.pfn++;
				continue;
			}
			kunit_err(t->test,
				  "at %lx: level %u, pfn %lx, prot %llx, flags %x; expected %u, %lx, %llx, %x\n",
				  page << PAGE_SHIFT, e.level, e.pfn, e.prot,
				  e.flags & flags, expected->level,
				  expected->pfn, expected->prot,
				  expected->flags & flags);
			t->wrong = true;
			return false;
		}
		cond_resched();
	}
	return true;
}

static void pfnmap_test_destroy(void *data)
{
	struct pfnmap_test *t = data;

	if (!IS_ERR_OR_NULL(t->file)) {
		fput(t->file);
		/* A kernel thread's last fput() is done by a work item. */
		flush_delayed_fput();
	}
	for (int i = 0; i < NR_BLOCKS; i++)
		if (t->block[i])
			__free_pages(t->block[i], t->block_order);
	vfree(t->pages);
	model_free(&t->model);
	kfree(t);
}

struct pfnmap_test *pfnmap_test_create(struct kunit *test)
{
	struct pfnmap_test *t = kzalloc_obj(*t);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	err = kunit_add_action_or_reset(test, pfnmap_test_destroy, t);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, kunit_attach_mm(), 0);
	t->file = anon_inode_getfile("pfnmap-test", &pt_fops, t, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->file);

	t->block_order = min(PMD_ORDER, MAX_PAGE_ORDER);
	for (int i = 0; i < NR_BLOCKS; i++) {
		/* The first one far away, with no memory in between maybe */
		t->block[i] = alloc_pages((i ? GFP_KERNEL : GFP_DMA32) |
					  __GFP_ZERO, t->block_order);
		KUNIT_ASSERT_NOT_NULL(test, t->block[i]);
	}
	t->pages = vcalloc(MAX_PAGES, sizeof(*t->pages));
	KUNIT_ASSERT_NOT_NULL(test, t->pages);
	KUNIT_ASSERT_FALSE(test, pfn_valid(DEVICE_PFN));
	KUNIT_ASSERT_NE(test, AT, 0);

	t->run.prot = pt_prot(true);
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	t->huge = has_transparent_hugepage();
#endif
	return t;
}
