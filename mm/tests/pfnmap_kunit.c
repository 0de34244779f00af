// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: vmf_insert_pfnmap_run(), remap_pfnmap_pages() and
 * remap_pfnmap_vmalloc(), by what they leave in page tables.
 *
 * Faults come from handle_mm_fault(), nothing is accessed: most of the memory
 * doesn't exist. After each, all page tables around are compared to a model.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/prandom.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>
#include <asm/tlb.h>
#ifdef CONFIG_X86
#include <asm/memtype.h>
#include <asm/set_memory.h>
#endif

#include "../internal.h"
#include "pfnmap_model.h"

#define NR_ROUNDS	2000
#define NR_HUGE_ROUNDS	16

static int pfnmap_init(struct kunit *test)
{
	test->priv = pfnmap_test_create(test);
	return 0;
}

/* Are huge entries to be expected here? */
static bool has_pmds(struct pfnmap_test *t)
{
	return t->huge && IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP);
}

static bool has_puds(struct pfnmap_test *t)
{
	return t->huge && IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) &&
	       arch_has_huge_pud();
}

static void need_pmds(struct pfnmap_test *t)
{
	if (!has_pmds(t))
		kunit_skip(t->test, "no huge PMDs of PFNs here");
}

static void need_puds(struct pfnmap_test *t)
{
	if (!has_puds(t))
		kunit_skip(t->test, "no huge PUDs of PFNs here");
}

/* Map @nr pages at @addr, and start a model of that. */
static void map(struct pfnmap_test *t, unsigned long addr, unsigned long nr,
		pgoff_t pgoff, bool writable)
{
	unsigned long ret;

	model_start(t, addr, nr);
	ret = pt_map(t, addr, nr, pgoff, writable);
	KUNIT_ASSERT_EQ(t->test, ret, addr);
}

static void unmap(struct pfnmap_test *t, unsigned long addr, unsigned long nr)
{
	KUNIT_ASSERT_EQ(t->test, 0, vm_munmap(addr, nr << PAGE_SHIFT));
}

/* All page tables are as the model has them. */
static bool holds(struct pfnmap_test *t)
{
	bool ret;

	mmap_read_lock(current->mm);
	ret = model_holds(t, current->mm, E_ALL);
	mmap_read_unlock(current->mm);
	return ret;
}

/* An access to @addr, and that all page tables are as the model has them then */
static u32 touch(struct pfnmap_test *t, unsigned long addr, unsigned int flags)
{
	u32 ret = pt_fault(t, addr, flags);

	KUNIT_ASSERT_TRUE(t->test, holds(t));
	return ret;
}

static unsigned long page_addr(unsigned long addr, long page)
{
	return addr + page * PAGE_SIZE;
}

/* By the model, which the page tables agree to */
static int level_at(struct pfnmap_test *t, unsigned long addr)
{
	return model_at(t, addr)->level;
}

static unsigned long pfn_at(struct pfnmap_test *t, unsigned long addr)
{
	return model_at(t, addr)->pfn;
}

static int flags_at(struct pfnmap_test *t, unsigned long addr)
{
	return model_at(t, addr)->flags;
}

/* All pages that have no entry yet */
static void touch_rest(struct pfnmap_test *t, unsigned long addr,
		       unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!level_at(t, page_addr(addr, i)))
			KUNIT_ASSERT_EQ(t->test, F_NOPAGE,
					pt_fault(t, page_addr(addr, i), 0));
	KUNIT_ASSERT_TRUE(t->test, holds(t));
}

/* How many pages of the model's window are mapped */
static unsigned long nr_mapped(struct pfnmap_test *t)
{
	unsigned long nr = 0;

	for (unsigned long i = 0; i < t->model.nr; i++)
		nr += t->model.page[i].level != NONE;
	return nr;
}

/* Contiguous memory, for page index @pgoff on */
static void set_run(struct pfnmap_test *t, pgoff_t pgoff, unsigned long nr,
		    unsigned long pfn)
{
	t->run = (struct pfnmap_run) {
		.pgoff = pgoff, .nr = nr, .pfn = pfn, .prot = pt_prot(true),
	};
}

/* Random cases */

static struct rnd_state rnd;

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

static bool one_in(u32 n)
{
	return !below(n);
}

/* Anything up to @max, small numbers as often as large ones */
static unsigned long any_length(unsigned long max)
{
	return 1 + below(min(max, 1UL << (1 + below(ilog2(max) + 1))));
}

/*
 * Pages for @nr pages of the address space from @page on: huge ones where they
 * can be mapped so, and much that only looks like it.
 */
static void random_pages(struct pfnmap_test *t, unsigned long page,
			 unsigned long nr)
{
	unsigned long mask = (1UL << t->block_order) - 1;
	unsigned long kind = 0, wrong = 0, shift = 0;
	struct page *block = NULL, *other = NULL;

	for (unsigned long i = 0; i < nr; i++) {
		unsigned long n = (page + i) & mask;
		struct page *from;

		if (!i || !n) {
			block = t->block[below(NR_BLOCKS)];
			other = t->block[below(NR_BLOCKS)];
			kind = below(6);
			wrong = below(mask + 1);
			shift = 1 + below(mask);
		}
		from = block;
		if (kind == 0 || (kind == 1 && n == wrong)) {
			/* not in order */
			n = (n * 5 + shift) & mask;
			if (n & 1)
				from = other;
		} else if (kind == 2) {
			/* not aligned */
			n = (n + shift) & mask;
		}
		t->pages[i] = from + n;
	}
}

/* A run for a fault at @fault, in pages, in a VMA of @nr pages */
static void random_run(struct pfnmap_test *t, unsigned long first,
		       unsigned long nr, pgoff_t pgoff, unsigned long fault,
		       bool writable, bool pages)
{
	unsigned long begin = first, end = first + nr, pfn;
	struct pfnmap_run *run = &t->run;

	switch (below(8)) {
	case 0:			/* a page */
		begin = fault;
		end = fault + 1;
		break;
	case 1:			/* a part */
		begin = fault - below(fault - first + 1);
		end = fault + 1 + below(end - fault);
		break;
	case 2:			/* a part, most often without the page */
		begin = first + below(nr);
		end = begin + any_length(nr);
		break;
	case 3:			/* more than the VMA */
		begin -= below(pgoff + 1);
		end += below(2 * PMD_NR);
		break;
	case 4:			/* one PMD more or less */
		begin = ALIGN(begin + 1, PMD_NR);
		if (begin > fault)
			begin = fault;
		break;
	}
	if (pages)
		end = min(end, begin + MAX_PAGES);

	*run = (struct pfnmap_run) {
		.pgoff = pgoff + begin - first,
		.nr = end - begin,
		.prot = pt_prot(writable && !one_in(3)),
	};
	if (pages) {
		run->pages = t->pages;
		random_pages(t, begin, run->nr);
	} else {
		pfn = DEVICE_PFN + (1 + below(64)) * PUD_NR;
		switch (below(4)) {
		case 0:		/* not aligned */
			pfn += below(PUD_NR);
			break;
		case 1:		/* aligned, but for 1 GiB */
			pfn += below(PUD_NR / PMD_NR) * PMD_NR;
			break;
		}
		run->pfn = pfn + begin - ALIGN_DOWN(first, PUD_NR);
		if (one_in(16))		/* what ends when the world does */
			run->nr = ULONG_MAX - run->pgoff;
	}
	if (one_in(3))
		run->around = 1UL << below(PMD_ORDER + 3);
	else if (nr > PUD_NR / 2 && one_in(3))
		run->around = PUD_NR << below(2);
	t->decline = one_in(6) ? BIT(PMD_ORDER) | BIT(PUD_ORDER) :
		     one_in(8) ? BIT(PUD_ORDER) : 0;
	t->again = one_in(8);
}

static void random_zap(struct pfnmap_test *t, unsigned long first,
		       unsigned long nr)
{
	unsigned long page = first + below(nr);
	unsigned long n = min(any_length(nr), first + nr - page);
	unsigned long addr = page << PAGE_SHIFT;

	mmap_read_lock(current->mm);
	zap_vma_range(vma_lookup(current->mm, addr), addr, n << PAGE_SHIFT);
	mmap_read_unlock(current->mm);
	model_zap(t, addr, n);
}

static bool random_round(struct pfnmap_test *t, bool huge, unsigned long first,
			 unsigned long nr, unsigned int faults)
{
	pgoff_t pgoff = one_in(3) ? below(3 * PMD_NR) :
		one_in(3) ? (1UL << 40) + below(PUD_NR) : PMD_NR;
	bool writable = !one_in(3);

	t->huge = huge && !one_in(5);
	t->set_flags = (one_in(8) ? VM_RAND_READ : 0) |
		       (one_in(12) ? VM_NOHUGEPAGE : 0);
	map(t, first << PAGE_SHIFT, nr, pgoff, writable);

	for (unsigned int i = 0; i < faults && !t->wrong; i++) {
		unsigned long fault = first + below(nr);
		bool pages = nr < MAX_PAGES && one_in(3);
		unsigned int flags = 0;
		u32 ret;
		bool there;

		for (int try = 0; try < 4 && !one_in(5); try++) {
			if (!level_at(t, fault << PAGE_SHIFT))
				break;
			fault = first + below(nr);
		}
		there = level_at(t, fault << PAGE_SHIFT);
		if (writable && (there || one_in(2)))
			flags |= FAULT_FLAG_WRITE;
		if (one_in(3))
			flags |= FAULT_FLAG_VMA_LOCK;
		if (there && !writable)
			continue;

		random_run(t, first, nr, pgoff, fault, writable, pages);
		ret = pt_fault(t, fault << PAGE_SHIFT, flags);
		if (ret != (!t->nr_calls ? 0 :
			    t->calls[t->nr_calls - 1].ret)) {
			kunit_err(t->test, "handle_mm_fault() returned %x\n",
				  ret);
			t->wrong = true;
		}
		holds(t);
		if (!t->wrong && one_in(5)) {
			random_zap(t, first, nr);
			holds(t);
		}
		if (t->wrong)
			kunit_err(t->test,
				  "fault %u at %lx, flags %x; VMA %lx, %lu pages, pgoff %lx, huge %d, flags %lx; run of %s %lx, pgoff %lx, nr %lx, around %lx\n",
				  i, fault << PAGE_SHIFT, flags,
				  first << PAGE_SHIFT, nr, pgoff, t->huge,
				  (unsigned long)t->set_flags,
				  pages ? "pages" : "pfn", t->run.pfn,
				  t->run.pgoff, t->run.nr, t->run.around);
	}
	unmap(t, first << PAGE_SHIFT, nr);
	return !t->wrong;
}

/* Some VMAs of up to 4 PMDs, about where a PTE, PMD or PUD table begins */
static void test_random(struct kunit *test)
{
	const unsigned long begins[] = {
		AT, AT + PUD_SIZE, AT + PUD_SIZE + 3 * PMD_SIZE,
	};
	struct pfnmap_test *t = test->priv;
	bool huge = t->huge;

	for (u32 round = 0; round < NR_ROUNDS; round++) {
		unsigned long page, nr;

		prandom_seed_state(&rnd, round);
		page = begins[below(ARRAY_SIZE(begins))] >> PAGE_SHIFT;
		nr = any_length(4 * PMD_NR);
		switch (below(4)) {
		case 0:			/* aligned, and long */
			nr = (1 + below(4)) * PMD_NR;
			page -= below(4) * PMD_NR;
			break;
		case 1:			/* almost */
			nr = (1 + below(3)) * PMD_NR + below(9);
			page -= below(5) * PMD_NR / 2 + below(5);
			break;
		default:
			page -= below(nr + 1);
		}
		if (!random_round(t, huge, page, nr, 1 + below(6))) {
			KUNIT_FAIL(test, "round %u", round);
			return;
		}
	}
}

/* The same with PUDs */
static void test_random_puds(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	bool huge = t->huge;

	need_puds(t);
	for (u32 round = 0; round < NR_HUGE_ROUNDS; round++) {
		unsigned long page = AT >> PAGE_SHIFT, nr = PUD_NR;

		prandom_seed_state(&rnd, 1000000 + round);
		if (one_in(3))
			nr *= 2;
		else
			nr += below(3 * PMD_NR);
		if (!one_in(3))
			page -= below(2 * PMD_NR);
		if (!random_round(t, huge, page, nr, 1 + below(4))) {
			KUNIT_FAIL(test, "round %u", round);
			return;
		}
	}
}

/* What the model can't tell, as both could be wrong: levels by numbers */
static void test_largest_entries(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long nr = PUD_NR + PMD_NR + 4, start = page_addr(AT, -2);
	unsigned long end = page_addr(start, nr), pmds = 0, ptes = 0;

	need_pmds(t);
	need_puds(t);
	/* 2 pages, a PUD, a PMD, 2 pages: a fault each, the last one first */
	map(t, start, nr, 7, true);
	set_run(t, 7, nr, DEVICE_PFN - 2);
	KUNIT_EXPECT_EQ(test, touch(t, page_addr(end, -1), 0), F_NOPAGE);
	KUNIT_ASSERT_EQ(test, t->nr_calls, 3);
	KUNIT_EXPECT_EQ(test, t->calls[0].order, PUD_ORDER);
	KUNIT_EXPECT_EQ(test, t->calls[0].ret, F_FALLBACK);
	KUNIT_EXPECT_EQ(test, t->calls[1].order, PMD_ORDER);
	KUNIT_EXPECT_EQ(test, t->calls[1].ret, F_FALLBACK);
	KUNIT_EXPECT_EQ(test, t->calls[2].order, 0);
	KUNIT_EXPECT_EQ(test, t->calls[2].ret, F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 2);
	KUNIT_EXPECT_EQ(test, touch(t, AT + PUD_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, touch(t, start, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), nr);
	for (unsigned long addr = start; addr < end; ) {
		struct entry e;
		unsigned long n = read_entry(current->mm, addr, &e);

		ptes += e.level == PTE;
		pmds += e.level == PMD;
		if (addr == AT)
			KUNIT_EXPECT_EQ(test, e.level, PUD);
		KUNIT_EXPECT_EQ(test, e.pfn,
				t->run.pfn + ((addr - start) >> PAGE_SHIFT));
		addr = page_addr(addr, n);
	}
	KUNIT_EXPECT_EQ(test, pmds, 1);
	KUNIT_EXPECT_EQ(test, ptes, 4);
	unmap(t, start, nr);
}

/* ->huge_fault is what makes a VMA one for huge entries. */
static void test_no_huge_fault_no_huge_entries(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	t->huge = false;
	map(t, AT, 2 * PMD_NR, 0, true);
	set_run(t, 0, 2 * PMD_NR, DEVICE_PFN);
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), PTE);
	KUNIT_EXPECT_EQ(test, t->nr_calls, 1);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), PMD_NR);
	unmap(t, AT, 2 * PMD_NR);
}

/* Nobody pays for a page table that only pages nobody has touched are in. */
static void test_one_page_table_a_fault(struct kunit *test)
{
	static const unsigned long windows[] = { 0, 1UL << 30 };
	struct pfnmap_test *t = test->priv;
	unsigned long before;

	t->decline = BIT(PMD_ORDER) | BIT(PUD_ORDER);
	for (int i = 0; i < ARRAY_SIZE(windows); i++) {
		map(t, AT, 4 * PMD_NR, 0, true);
		set_run(t, 0, 4 * PMD_NR, DEVICE_PFN);
		t->run.around = windows[i];
		/* The first fault makes the tables above as well. */
		KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
		before = mm_pgtables_bytes(current->mm);
		KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE + PAGE_SIZE, 0),
				F_NOPAGE);
		KUNIT_EXPECT_EQ(test, mm_pgtables_bytes(current->mm),
				before + PTRS_PER_PTE * sizeof(pte_t));
		KUNIT_EXPECT_EQ(test, nr_mapped(t), 2 * PMD_NR);
		KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE), PTE);
		KUNIT_EXPECT_EQ(test, level_at(t, AT + 2 * PMD_SIZE), NONE);
		unmap(t, AT, 4 * PMD_NR);
	}
}

static void test_existing_entries_stay(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long other = DEVICE_PFN + 5 * PUD_NR;

	map(t, AT, 2 * PMD_NR, 0, true);
	/* a page in PMD 0, read-only; all of PMD 1 */
	set_run(t, 9, 1, other);
	t->run.prot = pt_prot(false);
	KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, 9), 0), F_NOPAGE);
	set_run(t, PMD_NR, PMD_NR, other);
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0), F_NOPAGE);

	set_run(t, 0, 2 * PMD_NR, DEVICE_PFN);
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 2 * PMD_NR);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE),
			has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, pfn_at(t, page_addr(AT, 8)), DEVICE_PFN + 8);
	KUNIT_EXPECT_EQ(test, pfn_at(t, page_addr(AT, 9)), other);
	KUNIT_EXPECT_FALSE(test, flags_at(t, page_addr(AT, 9)) & E_WRITE);
	KUNIT_EXPECT_EQ(test, pfn_at(t, AT + PMD_SIZE), other);
	unmap(t, AT, 2 * PMD_NR);
}

/* Another thread was faster: the handler is called for what is there. */
static void test_entry_is_there_already(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	u32 ret;

	t->again = true;
	set_run(t, 0, 3 * PMD_NR, DEVICE_PFN);
	for (int huge = 0; huge <= has_pmds(t); huge++) {
		t->decline = huge ? BIT(PUD_ORDER) :
				    BIT(PUD_ORDER) | BIT(PMD_ORDER);
		for (int write = 0; write < 2; write++) {
			map(t, AT, 3 * PMD_NR, 0, true);
			ret = touch(t, AT + 3 * PAGE_SIZE,
				    write ? FAULT_FLAG_WRITE : 0);
			KUNIT_EXPECT_EQ(test, ret, F_NOPAGE);
			KUNIT_ASSERT_EQ(test, t->nr_calls, 2);
			KUNIT_EXPECT_EQ(test, t->calls[1].ret, F_NOPAGE);
			KUNIT_EXPECT_EQ(test, nr_mapped(t), PMD_NR);
			unmap(t, AT, 3 * PMD_NR);
		}
	}
}

/* The same for a single page, where the second call has another PFN */
static void test_page_is_there_already(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	t->again = true;
	t->again_further = 100;
	t->decline = BIT(PUD_ORDER) | BIT(PMD_ORDER);
	map(t, AT, 10, 0, true);
	set_run(t, 0, 10, DEVICE_PFN);
	t->run.around = 1;
	KUNIT_EXPECT_EQ(test, touch(t, AT + 3 * PAGE_SIZE, 0), F_NOPAGE);
	KUNIT_ASSERT_EQ(test, t->nr_calls, 2);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 1);
	KUNIT_EXPECT_EQ(test, pfn_at(t, AT + 3 * PAGE_SIZE), DEVICE_PFN + 3);
	unmap(t, AT, 10);
}

static void test_window_around_the_fault(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long start = page_addr(AT, 5), at = page_addr(AT, 35);

	/* The window is one of the addresses, not of the VMA or the run. */
	map(t, start, PMD_NR, 3, true);
	set_run(t, 0, 2 * PMD_NR, DEVICE_PFN + 1);
	t->run.around = 16;
	KUNIT_EXPECT_EQ(test, touch(t, at, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 16);
	for (int i = 5; i < 80; i++) {
		struct entry e;

		read_entry(current->mm, page_addr(AT, i), &e);
		KUNIT_EXPECT_EQ(test, e.level,
				i >= 32 && i < 48 ? PTE : NONE);
	}

	/* cut by the begin of the VMA */
	KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, 15), 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 16 + 11);
	unmap(t, start, PMD_NR);

	/* In a window of a PMD, one fits; in a smaller one, none. */
	map(t, AT, 2 * PMD_NR, 0, true);
	set_run(t, 0, 2 * PMD_NR, DEVICE_PFN);
	t->run.around = PMD_NR;
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE), NONE);
	t->run.around = PMD_NR / 2;
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE), PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE + PMD_SIZE / 2), NONE);
	unmap(t, AT, 2 * PMD_NR);
}

static void test_madv_random(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	t->set_flags = VM_RAND_READ;
	map(t, AT, 3 * PMD_NR, 0, true);
	set_run(t, 0, 3 * PMD_NR - 1, DEVICE_PFN);
	/* ->fault: one page */
	t->decline = BIT(PMD_ORDER) | BIT(PUD_ORDER);
	KUNIT_EXPECT_EQ(test, touch(t, AT + 3 * PAGE_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 1);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), NONE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + 3 * PAGE_SIZE), PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + 4 * PAGE_SIZE), NONE);

	/* ->huge_fault: one entry of that order */
	if (has_pmds(t)) {
		t->decline = BIT(PUD_ORDER);
		KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, PMD_NR + 3), 0),
				F_NOPAGE);
		KUNIT_EXPECT_EQ(test, nr_mapped(t), PMD_NR + 1);
		KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE), PMD);
		KUNIT_EXPECT_EQ(test, level_at(t, AT + 2 * PMD_SIZE), NONE);
		KUNIT_EXPECT_EQ(test, level_at(t, AT), NONE);
	}
	unmap(t, AT, 3 * PMD_NR);
}

/* The prot's own bits in small entries, the fault's in a huge one */
static void test_write_fault(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	map(t, AT, 2 * PMD_NR + 2, 0, true);
	set_run(t, 0, 2 * PMD_NR + 2, DEVICE_PFN);
	KUNIT_EXPECT_EQ(test, touch(t, AT, FAULT_FLAG_WRITE), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, !!(flags_at(t, AT) & E_DIRTY),
			has_pmds(t));
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, touch(t, AT + 2 * PMD_SIZE, FAULT_FLAG_WRITE),
			F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 2 * PMD_NR + 2);
	KUNIT_EXPECT_FALSE(test, flags_at(t, AT + PMD_SIZE) & E_DIRTY);
	KUNIT_EXPECT_FALSE(test, flags_at(t, AT + 2 * PMD_SIZE) &
			   E_DIRTY);
	unmap(t, AT, 2 * PMD_NR + 2);
}

/* As in a VMA with pfn_mkwrite, whose entries are read-only at first. */
static void upgrade(struct pfnmap_test *t, enum level level, unsigned long nr)
{
	struct kunit *test = t->test;
	unsigned long other = DEVICE_PFN + 3 * PUD_NR;

	map(t, AT, 2 * nr, 0, true);
	set_run(t, 0, 2 * nr, DEVICE_PFN);
	t->run.prot = pt_prot(false);
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), level);
	KUNIT_EXPECT_FALSE(test, flags_at(t, AT) & E_WRITE);
	KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, nr), 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, page_addr(AT, nr)), level);

	KUNIT_EXPECT_EQ(test, touch(t, AT + PAGE_SIZE, FAULT_FLAG_WRITE),
			F_NOPAGE);
	KUNIT_EXPECT_EQ(test, t->nr_calls, 1);
	KUNIT_EXPECT_EQ(test, flags_at(t, AT), E_ALL);
	KUNIT_EXPECT_FALSE(test, flags_at(t, page_addr(AT, nr)) &
			   E_WRITE);

	/* There is other memory in it: a split drops it, and then it fits. */
	set_run(t, 0, 2 * nr, other);
	KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, nr + 1), FAULT_FLAG_WRITE),
			F_NOPAGE);
	KUNIT_EXPECT_GE(test, t->nr_calls, 2);
	KUNIT_EXPECT_EQ(test, t->calls[0].ret, F_FALLBACK);
	KUNIT_EXPECT_EQ(test, pfn_at(t, page_addr(AT, nr)), other + nr);
	KUNIT_EXPECT_EQ(test, pfn_at(t, AT), DEVICE_PFN);
	unmap(t, AT, 2 * nr);
}

static void test_pmd_becomes_writable(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	need_pmds(t);
	upgrade(t, PMD, PMD_NR);
}

static void test_pud_becomes_writable(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	need_puds(t);
	upgrade(t, PUD, PUD_NR);
}

/* Whatever the fault's flags say, no VMA gets more than its VM_WRITE. */
static void test_write_without_vm_write(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	need_pmds(t);
	map(t, AT, PMD_NR, 0, false);
	set_run(t, 0, PMD_NR, DEVICE_PFN);
	t->run.prot = pt_prot(false);
	t->extra_flags = FAULT_FLAG_WRITE;
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), PMD);
	KUNIT_EXPECT_FALSE(test, flags_at(t, AT) & E_WRITE);
	unmap(t, AT, PMD_NR);
}

static void test_vma_lock(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	map(t, AT, 2 * PMD_NR + 5, 0, true);
	set_run(t, 0, 2 * PMD_NR + 5, DEVICE_PFN);
	t->run.around = PMD_NR;
	KUNIT_EXPECT_EQ(test, touch(t, AT, FAULT_FLAG_VMA_LOCK),
			F_NOPAGE);
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, FAULT_FLAG_VMA_LOCK |
				    FAULT_FLAG_WRITE), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, touch(t, AT + 2 * PMD_SIZE, FAULT_FLAG_VMA_LOCK),
			F_NOPAGE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), 2 * PMD_NR + 5);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), has_pmds(t) ? PMD : PTE);
	unmap(t, AT, 2 * PMD_NR + 5);
}

/* Real pages, mapped and unmapped: page_table_check looks at them too. */
static void test_pages(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long nr = 1UL << t->block_order;
	int refs = page_ref_count(t->block[0]);

	/* in order, backwards, in order but for the last one */
	for (unsigned long i = 0; i < nr; i++) {
		t->pages[i] = t->block[0] + i;
		t->pages[nr + i] = t->block[1] + nr - 1 - i;
		t->pages[2 * nr + i] = t->block[2] + i;
	}
	t->pages[3 * nr - 2] = t->block[3];

	map(t, AT, 3 * nr, 0, true);
	set_run(t, 0, 3 * nr, 0);
	t->run.pages = t->pages;
	for (int i = 0; i < 3; i++)
		if (!level_at(t, page_addr(AT, i * nr)))
			KUNIT_EXPECT_EQ(test, F_NOPAGE,
					touch(t, page_addr(AT, i * nr), 0));
	KUNIT_EXPECT_EQ(test, level_at(t, AT),
			has_pmds(t) && nr == PMD_NR ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, page_addr(AT, nr)), PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, page_addr(AT, 2 * nr)), PTE);
	for (unsigned long i = 0; i < 3 * nr; i++)
		KUNIT_ASSERT_EQ(test, pfn_at(t, page_addr(AT, i)),
				page_to_pfn(t->pages[i]));
	KUNIT_EXPECT_EQ(test, page_ref_count(t->block[0]), refs);
	unmap(t, AT, 3 * nr);
}

#ifdef CONFIG_X86
static unsigned long cache_bits(unsigned long addr)
{
	struct follow_pfnmap_args args = { .address = addr };
	unsigned long bits = ~0UL;

	mmap_read_lock(current->mm);
	args.vma = vma_lookup(current->mm, addr);
	if (args.vma && !follow_pfnmap_start(&args)) {
		bits = pgprot_val(args.pgprot) & _PAGE_CACHE_MASK;
		follow_pfnmap_end(&args);
	}
	mmap_read_unlock(current->mm);
	return bits;
}

/* Each page has its own, and no huge entry covers two. */
static void test_memory_of_two_cache_modes(struct kunit *test)
{
	unsigned long wb = pgprot_val(pt_prot(true)) & _PAGE_CACHE_MASK;
	unsigned long wc = pgprot_val(pgprot_writecombine(pt_prot(true))) &
			   _PAGE_CACHE_MASK;
	struct pfnmap_test *t = test->priv;
	unsigned long nr = 1UL << t->block_order;
	unsigned long last = (unsigned long)page_address(t->block[0] + nr - 1);

	if (!pat_enabled())
		kunit_skip(test, "the CPU has no PAT");

	for (unsigned long i = 0; i < nr; i++)
		t->pages[i] = t->block[0] + i;
	t->unchecked = true;
	KUNIT_ASSERT_EQ(test, 0, set_memory_wc(last, 1));
	for (int how = 0; how < 3; how++) {
		map(t, AT, nr, 0, true);
		set_run(t, 0, nr, page_to_pfn(t->block[0]));
		if (how == 1)
			t->run.pages = t->pages;
		if (how == 2)
			t->run.around = 1;
		KUNIT_EXPECT_EQ(test, pt_fault(t, AT, 0), F_NOPAGE);
		if (how == 2)
			KUNIT_EXPECT_EQ(test, F_NOPAGE,
					pt_fault(t, page_addr(AT, nr - 1), 0));
		KUNIT_EXPECT_EQ(test, cache_bits(AT), wb);
		KUNIT_EXPECT_EQ(test, cache_bits(page_addr(AT, nr - 1)), wc);
		/* The model knows of one mode only: it is told. */
		model_set(t, AT, how < 2 ? nr : 1, PTE, t->run.pfn,
			  pt_prot(true));
		model_set(t, page_addr(AT, nr - 1), 1, PTE, t->run.pfn + nr - 1,
			  pgprot_writecombine(pt_prot(true)));
		KUNIT_EXPECT_TRUE(test, holds(t));
		unmap(t, AT, nr);
	}
	KUNIT_EXPECT_EQ(test, 0, set_memory_wb(last, 1));
}

/* Of device memory, reservations tell; where there is none, it is UC-. */
static void test_device_memory_of_two_cache_modes(struct kunit *test)
{
	static const struct { unsigned int first, nr; } wc[] = {	/* eighths */
		{ 0, 4 },			/* the first half of PMD 0 */
		{ 8, 4 }, { 12, 4 },		/* all of PMD 1 */
		{ 16, 2 }, { 22, 2 },		/* PMD 2, but for its middle */
		{ 31, 1 },			/* the end of PMD 3 */
	};
	pgprot_t prot = pgprot_noncached(pt_prot(true));
	pgprot_t prot_wc = pgprot_writecombine(pt_prot(true));
	struct pfnmap_test *t = test->priv;
	unsigned long nr = PMD_NR / 8;
	resource_size_t memory = PFN_PHYS(DEVICE_PFN);
	resource_size_t size = nr << PAGE_SHIFT;

	need_pmds(t);
	if (!pat_enabled())
		kunit_skip(test, "the CPU has no PAT");

	for (int i = 0; i < ARRAY_SIZE(wc); i++) {
		int err = arch_io_reserve_memtype_wc(memory + wc[i].first * size,
						     wc[i].nr * size);

		KUNIT_EXPECT_EQ(test, err, 0);
	}
	t->unchecked = true;
	map(t, AT, 5 * PMD_NR, 0, true);
	set_run(t, 0, 5 * PMD_NR, DEVICE_PFN);
	for (int i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, F_NOPAGE,
				pt_fault(t, AT + i * PMD_SIZE, 0));

	model_set(t, AT, 4 * PMD_NR, PTE, DEVICE_PFN, prot);
	for (int i = 0; i < ARRAY_SIZE(wc); i++)
		model_set(t, page_addr(AT, wc[i].first * nr), wc[i].nr * nr, PTE,
			  DEVICE_PFN + wc[i].first * nr, prot_wc);
	model_set(t, AT + PMD_SIZE, PMD_NR, PMD, DEVICE_PFN + PMD_NR, prot_wc);
	model_set(t, AT + 4 * PMD_SIZE, PMD_NR, PMD, DEVICE_PFN + 4 * PMD_NR,
		  prot);
	KUNIT_EXPECT_TRUE(test, holds(t));
	unmap(t, AT, 5 * PMD_NR);
	for (int i = 0; i < ARRAY_SIZE(wc); i++)
		arch_io_free_memtype_wc(memory + wc[i].first * size,
					wc[i].nr * size);
}
#endif /* CONFIG_X86 */

/* Refusals: nothing is mapped, and no page table made for it. */

static void test_page_not_in_run(struct kunit *test)
{
	static const struct { pgoff_t pgoff; unsigned long nr; } runs[] = {
		{ 0, 10 },		/* ends before the fault */
		{ 11, 1000 },		/* begins after */
		{ 5000, 10 },		/* all beyond the VMA */
		{ 10, 0 },
		{ 0, 0 },
	};
	struct pfnmap_test *t = test->priv;
	bool huge = t->huge;

	for (int i = 0; i < 2 * ARRAY_SIZE(runs); i++) {
		t->huge = huge && i % 2;
		map(t, AT, PMD_NR, 0, true);
		set_run(t, runs[i / 2].pgoff, runs[i / 2].nr, DEVICE_PFN);
		KUNIT_EXPECT_EQ(test, touch(t, page_addr(AT, 10), 0),
				F_SIGBUS);
		unmap(t, AT, PMD_NR);
	}
}

/* For the second page at AT; whatever the VMA is, no handler is needed. */
static u32 call_directly(unsigned int order, const struct pfnmap_run *run)
{
	guard(mmap_read_lock)(current->mm);
	struct vm_fault vmf = {
		.vma = vma_lookup(current->mm, AT),
		.address = AT + PAGE_SIZE,
		.pgoff = 1,
	};

	return (__force u32)vmf_insert_pfnmap_run(&vmf, order, run);
}

/* A call of the API in a VMA that isn't as it must be */
static void refused(struct pfnmap_test *t, unsigned long flags, int warnings)
{
	struct kunit *test = t->test;
	u32 ret = 0;
	unsigned long addr;

	if (!IS_ENABLED(CONFIG_BUG))
		warnings = 0;
	for (int huge = 0; huge <= has_pmds(t); huge++) {
		model_start(t, AT, PMD_NR);
		addr = vm_mmap(t->file, AT, PMD_SIZE, PROT_READ | PROT_WRITE,
			       flags | MAP_FIXED, 0);
		KUNIT_ASSERT_EQ(test, addr, AT);
		kunit_warning_suppress(test) {
			ret = call_directly(huge ? PMD_ORDER : 0, &t->run);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, warnings);
		}
		KUNIT_EXPECT_EQ(test, ret, F_SIGBUS);
		KUNIT_EXPECT_TRUE(test, holds(t));
		unmap(t, AT, PMD_NR);
	}
}

static void test_not_a_pfnmap_vma(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	set_run(t, 0, PMD_NR, DEVICE_PFN);
	t->clear_flags = VM_PFNMAP;
	refused(t, MAP_SHARED, 1);
}

static void test_mixedmap_vma(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	set_run(t, 0, PMD_NR, DEVICE_PFN);
	t->set_flags = VM_MIXEDMAP;
	refused(t, MAP_SHARED, 1);
	t->clear_flags = VM_PFNMAP;
	refused(t, MAP_SHARED, 1);
}

static void test_copy_on_write_vma(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	set_run(t, 0, PMD_NR, DEVICE_PFN);
	refused(t, MAP_PRIVATE, 0);
}

static void test_window_that_is_no_power_of_two(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	set_run(t, 0, PMD_NR, DEVICE_PFN);
	t->run.around = 3;
	refused(t, MAP_SHARED, 1);
	t->run.around = ULONG_MAX;
	refused(t, MAP_SHARED, 1);
}

#ifdef CONFIG_X86
/*
 * With the L1TF bug, PROT_NONE entries of what may be cached memory are for the
 * administrator only. The bug is claimed here for CPUs that don't have it.
 */
static void test_pfn_that_may_not_be_mapped(struct kunit *test)
{
	bool has_bug = boot_cpu_has_bug(X86_BUG_L1TF);
	struct pfnmap_test *t = test->priv;
	const struct cred *old;
	struct cred *cred;
	u32 ret[2];

	/* The first 16 pages may be mapped, the others may not. */
	map(t, AT, PMD_NR, 0, true);
	set_run(t, 0, PMD_NR, l1tf_pfn_limit() - 16);
	t->run.prot = vm_get_page_prot(VM_SHARED);
	t->unchecked = true;

	cred = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_lower(cred->cap_effective, CAP_SYS_ADMIN);
	old = override_creds(cred);
	if (!has_bug)
		set_cpu_bug(&boot_cpu_data, X86_BUG_L1TF);
	ret[0] = pt_fault(t, page_addr(AT, 16), 0);
	ret[1] = pt_fault(t, AT, 0);
	if (!has_bug)
		clear_bit(X86_BUG_L1TF,
			  (unsigned long *)boot_cpu_data.x86_capability);
	put_cred(revert_creds(old));

	KUNIT_EXPECT_EQ(test, ret[0], F_SIGBUS);
	KUNIT_EXPECT_EQ(test, ret[1], F_NOPAGE);
	for (int i = 0; i < PMD_NR; i++) {
		struct entry e;

		read_entry(current->mm, page_addr(AT, i), &e);
		KUNIT_ASSERT_EQ(test, e.level, i < 16 ? PTE : NONE);
	}
	unmap(t, AT, PMD_NR);
}
#endif /* CONFIG_X86 */

/* Allocation failures */

#define NO_FAULT_INJECTION						\
	"no fault injection: needs CONFIG_FAIL_PAGE_ALLOC, and in debugfs fail_page_alloc/: min-order 0, ignore-gfp-wait N, task-filter Y, probability 100, times -1, verbose 0"

/* Does an allocation by this thread fail when asked to? */
static bool can_fail(void)
{
	bool ret = false;
#ifdef CONFIG_FAULT_INJECTION
	struct page *page[2];

	current->make_it_fail = 1;
	current->fail_nth = 1;
	for (int i = 0; i < 2; i++)
		page[i] = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0);
	current->fail_nth = 0;
	current->make_it_fail = 0;
	ret = !page[0] && !page[1];
	for (int i = 0; i < 2; i++)
		if (page[i])
			__free_page(page[i]);
#endif
	return ret;
}

/* The tables that the core makes before it calls a fault handler don't fail. */
static void oom(struct pfnmap_test *t, unsigned long nr, bool pages, bool rest)
{
	struct kunit *test = t->test;
	int n, nr_oom = 0;
	u32 ret = 0;

	for (n = 1; n < 100; n++) {
		map(t, AT, nr, 0, true);
		set_run(t, 0, nr, DEVICE_PFN);
		if (pages) {
			prandom_seed_state(&rnd, 1);
			random_pages(t, AT >> PAGE_SHIFT, nr);
			t->run.pages = t->pages;
		}
		t->fail_nth = n;
		t->fail_rest = rest;
		ret = pt_fault(t, AT, 0);
		t->fail_nth = 0;
		KUNIT_ASSERT_TRUE(test, holds(t));
		if (!t->failed)
			break;
		/* The slab allocator can do without some of what it asks for. */
		if (ret == F_OOM) {
			nr_oom++;
			KUNIT_EXPECT_EQ(test, nr_mapped(t), 0);
			ret = touch(t, AT, 0);
		}
		KUNIT_EXPECT_EQ(test, ret, F_NOPAGE);
		KUNIT_EXPECT_EQ(test, nr_mapped(t), nr);
		unmap(t, AT, nr);
	}
	KUNIT_EXPECT_EQ(test, ret, F_NOPAGE);
	unmap(t, AT, nr);
	KUNIT_EXPECT_LT(test, n, 100);
	KUNIT_EXPECT_GE(test, nr_oom, 1);
	kunit_info(test, "%d allocations, %d without which there is no entry\n",
		   n - 1, nr_oom);
}

static void test_allocation_failure(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	if (!can_fail())
		kunit_skip(test, NO_FAULT_INJECTION);
	t->huge = false;
	for (int rest = 0; rest < 2; rest++) {
		oom(t, 1, false, rest);
		oom(t, PMD_NR, false, rest);
		oom(t, PMD_NR, true, rest);
	}
}

/* What else happens to a mapping */

static void zap(struct pfnmap_test *t, unsigned long addr, unsigned long nr)
{
	mmap_read_lock(current->mm);
	zap_vma_range(vma_lookup(current->mm, addr), addr, nr << PAGE_SHIFT);
	mmap_read_unlock(current->mm);
	model_zap(t, addr, nr);
}

static void test_zap_and_refill(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long nr = has_puds(t) ? PUD_NR : 8 * PMD_NR;
	unsigned long start = page_addr(AT, -(long)PMD_NR - 4);

	/* 4 pages, a PMD, a PUD, a PMD, 4 pages, where there are such */
	nr += 2 * PMD_NR + 8;
	map(t, start, nr, 0, true);
	set_run(t, 0, nr, DEVICE_PFN + 2 * PUD_NR - PMD_NR - 4);
	touch_rest(t, start, nr);
	KUNIT_EXPECT_EQ(test, level_at(t, AT - PMD_SIZE),
			has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT),
			has_puds(t) ? PUD : has_pmds(t) ? PMD : PTE);

	/* a page, some pages over a boundary, the inner of a PMD, of a PUD */
	zap(t, start + PAGE_SIZE, 1);
	KUNIT_EXPECT_EQ(test, touch(t, start + PAGE_SIZE, 0), F_NOPAGE);
	zap(t, start + PAGE_SIZE, 5);
	KUNIT_EXPECT_EQ(test, level_at(t, AT - PAGE_SIZE),
			has_pmds(t) ? NONE : PTE);
	KUNIT_ASSERT_TRUE(test, holds(t));
	touch_rest(t, start, nr);
	KUNIT_EXPECT_EQ(test, level_at(t, AT - PAGE_SIZE),
			has_pmds(t) ? PMD : PTE);
	zap(t, AT - 9 * PAGE_SIZE, 3);
	KUNIT_ASSERT_TRUE(test, holds(t));
	KUNIT_EXPECT_EQ(test, touch(t, AT - 9 * PAGE_SIZE, FAULT_FLAG_WRITE),
			F_NOPAGE);
	zap(t, AT + PMD_SIZE, 2);
	KUNIT_ASSERT_TRUE(test, holds(t));
	KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT),
			has_puds(t) ? PUD : has_pmds(t) ? PMD : PTE);
	/* all of it, with margins that aren't touched */
	zap(t, start + PAGE_SIZE, nr - 2);
	KUNIT_ASSERT_TRUE(test, holds(t));
	touch_rest(t, start, nr);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), nr);
	unmap(t, start, nr);
}

/* Two VMAs now, and the buffer's description is still the same. */
static void test_hole_in_the_middle(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long hole = page_addr(AT, PMD_NR + 7);

	map(t, AT, 4 * PMD_NR, 5, true);
	set_run(t, 0, 4 * PMD_NR + 10, DEVICE_PFN + PUD_NR - 5);
	touch_rest(t, AT, 4 * PMD_NR);
	unmap(t, hole, 2);
	/* A VMA's end within it: a huge entry is gone. */
	model_zap(t, hole, 2);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE),
			has_pmds(t) ? NONE : PTE);
	KUNIT_ASSERT_TRUE(test, holds(t));
	/* where a huge one fitted, it doesn't any more */
	if (has_pmds(t)) {
		KUNIT_EXPECT_EQ(test, touch(t, AT + PMD_SIZE, 0),
				F_NOPAGE);
		KUNIT_EXPECT_EQ(test, touch(t, page_addr(hole, 2), 0),
				F_NOPAGE);
	}
	for (long i = 0; i < 4 * PMD_NR; i++)
		KUNIT_ASSERT_EQ(test, pfn_at(t, page_addr(AT, i)),
				i == PMD_NR + 7 || i == PMD_NR + 8 ? 0 :
				DEVICE_PFN + PUD_NR + i);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + PMD_SIZE), PTE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT + 2 * PMD_SIZE),
			has_pmds(t) ? PMD : PTE);
	unmap(t, AT, 4 * PMD_NR);
}

/* A VMA with entries of all sizes, dirty and read-only ones too */
static unsigned long map_mixture(struct pfnmap_test *t, unsigned long start)
{
	unsigned long nr = PMD_NR + (has_puds(t) ? PUD_NR : 2 * PMD_NR) + 8;

	map(t, start, nr, 0, true);
	/* the last PMD read-only */
	set_run(t, 0, nr, DEVICE_PFN + PUD_NR - 4);
	t->run.prot = pt_prot(false);
	KUNIT_EXPECT_EQ(t->test, touch(t, page_addr(start, nr - 5), 0),
			F_NOPAGE);
	t->run.prot = pt_prot(true);
	KUNIT_EXPECT_EQ(t->test, touch(t, page_addr(start, 4), FAULT_FLAG_WRITE),
			F_NOPAGE);
	touch_rest(t, start, nr);
	KUNIT_EXPECT_EQ(t->test, level_at(t, start), PTE);
	KUNIT_EXPECT_EQ(t->test, level_at(t, page_addr(start, 4)),
			has_puds(t) ? PUD : has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(t->test, level_at(t, page_addr(start, nr - 5)),
			has_pmds(t) ? PMD : PTE);
	return nr;
}

static void test_fork(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long start = page_addr(AT, -4);
	unsigned long nr = map_mixture(t, start);
	struct mm_struct *child = mm_alloc();
	bool same;

	KUNIT_ASSERT_NOT_NULL(test, child);
	KUNIT_EXPECT_EQ(test, 0, dup_mmap(child, current->mm));
	same = model_holds(t, child, E_SPECIAL | E_WRITE);
	mmput(child);
	KUNIT_EXPECT_TRUE(test, same);
	/* and the parent's are as they were */
	KUNIT_EXPECT_TRUE(test, holds(t));
	unmap(t, start, nr);
}

/* As mprotect() does; the range is in one VMA. */
static int pt_mprotect(unsigned long start, unsigned long end, bool writable)
{
	struct vm_area_struct *vma, *prev;
	struct mm_struct *mm = current->mm;
	struct vma_iterator vmi;
	struct mmu_gather tlb;
	vm_flags_t flags;
	int err;

	guard(mmap_write_lock)(mm);
	vma_iter_init(&vmi, mm, start);
	vma = vma_find(&vmi, end);
	prev = vma_prev(&vmi);
	if (start > vma->vm_start)
		prev = vma;
	/* mprotect_fixup() wants the iterator at the VMA that it changes. */
	vma = vma_next(&vmi);
	flags = writable ? vma->vm_flags | VM_WRITE : vma->vm_flags & ~VM_WRITE;
	tlb_gather_mmu(&tlb, mm);
	err = mprotect_fixup(&vmi, &tlb, vma, &prev, start, end, flags);
	tlb_finish_mmu(&tlb);
	return err;
}

static int protect(struct pfnmap_test *t, unsigned long addr, unsigned long nr,
		   bool writable)
{
	for (unsigned long i = 0; i < nr; i++) {
		struct entry *e = model_at(t, page_addr(addr, i));

		if (e->level && writable)
			e->flags |= E_WRITE;
		else
			e->flags &= ~E_WRITE;
	}
	return pt_mprotect(addr, addr + (nr << PAGE_SHIFT), writable);
}

static void test_mprotect(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long start = page_addr(AT, -4), middle;
	unsigned long nr = map_mixture(t, start);

	KUNIT_EXPECT_EQ(test, 0, protect(t, start, nr, false));
	KUNIT_ASSERT_TRUE(test, holds(t));
	KUNIT_EXPECT_EQ(test, 0, protect(t, start, nr, true));
	KUNIT_ASSERT_TRUE(test, holds(t));

	/* A boundary of VMAs amid a huge entry: dropped, not made small. */
	middle = page_addr(start, nr - 4 - PMD_NR + 50);
	if (has_pmds(t))
		model_zap(t, middle, 1);
	KUNIT_EXPECT_EQ(test, 0, protect(t, middle, nr - (nr - 4 - PMD_NR + 50),
					 false));
	KUNIT_ASSERT_TRUE(test, holds(t));
	t->run.prot = pt_prot(true);
	if (has_pmds(t)) {
		KUNIT_EXPECT_EQ(test, touch(t, middle - PAGE_SIZE, 0),
				F_NOPAGE);
		t->run.prot = pt_prot(false);
		KUNIT_EXPECT_EQ(test, touch(t, middle, 0), F_NOPAGE);
	}
	KUNIT_EXPECT_EQ(test, level_at(t, middle), PTE);
	for (unsigned long i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, pfn_at(t, page_addr(start, i)),
				t->run.pfn + i);
	unmap(t, start, nr);
}

/* A boundary of VMAs amid the largest entry that there is, and a hole */
static void test_vma_split(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long nr = has_puds(t) ? PUD_NR : PMD_NR, first = nr / 2 + 3;
	unsigned long middle = page_addr(AT, first);

	map(t, AT, nr, 0, true);
	set_run(t, 0, nr, DEVICE_PFN);
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT),
			has_puds(t) ? PUD : has_pmds(t) ? PMD : PTE);
	KUNIT_EXPECT_EQ(test, nr_mapped(t), nr);

	if (has_pmds(t))
		model_zap(t, middle, 1);
	KUNIT_EXPECT_EQ(test, 0, protect(t, middle, nr - first, false));
	KUNIT_ASSERT_TRUE(test, holds(t));
	KUNIT_EXPECT_EQ(test, level_at(t, AT), has_pmds(t) ? NONE : PTE);

	touch_rest(t, AT, first);
	t->run.prot = pt_prot(false);
	touch_rest(t, middle, nr - first);
	KUNIT_EXPECT_EQ(test, level_at(t, middle - PAGE_SIZE), PTE);
	for (unsigned long i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, pfn_at(t, page_addr(AT, i)),
				DEVICE_PFN + i);
	unmap(t, AT, nr);

	/* The same once more, with a hole instead of a boundary */
	map(t, AT, nr, 0, true);
	t->run.prot = pt_prot(true);
	KUNIT_EXPECT_EQ(test, touch(t, AT, 0), F_NOPAGE);
	unmap(t, middle, 1);
	model_zap(t, middle, 1);
	KUNIT_ASSERT_TRUE(test, holds(t));
	unmap(t, AT, nr);
}

/* As mremap() does. Return: the number of bytes moved */
static unsigned long move_entries(unsigned long start, unsigned long to,
				  unsigned long nr)
{
	struct mm_struct *mm = current->mm;

	guard(mmap_write_lock)(mm);
	PAGETABLE_MOVE(pmc, vma_lookup(mm, start), vma_lookup(mm, to), start, to,
		       nr << PAGE_SHIFT);

	vma_start_write(pmc.old);
	vma_start_write(pmc.new);
	return move_page_tables(&pmc);
}

/* From @start to @to, both mapped; huge entries that don't fit are dropped. */
static void move(struct pfnmap_test *t, unsigned long start, unsigned long to,
		 unsigned long nr, bool fit)
{
	struct kunit *test = t->test;
	struct entry *copy;

	KUNIT_ASSERT_EQ(test, to, pt_map(t, to, nr, 0, true));
	KUNIT_EXPECT_EQ(test, move_entries(start, to, nr), nr << PAGE_SHIFT);

	copy = vmalloc_array(nr, sizeof(*copy));
	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, model_at(t, start), nr * sizeof(*copy));
	memset(model_at(t, start), 0, nr * sizeof(*copy));
	KUNIT_EXPECT_TRUE(test, holds(t));

	model_start(t, to, nr);
	for (unsigned long i = 0; i < nr; i++)
		if (fit || copy[i].level == PTE)
			*model_at(t, page_addr(to, i)) = copy[i];
	vfree(copy);
	KUNIT_EXPECT_TRUE(test, holds(t));
	unmap(t, start, nr);
	KUNIT_EXPECT_TRUE(test, holds(t));
}

static void test_mremap(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long start = page_addr(AT, -4), to = start + 16 * PUD_SIZE;
	unsigned long nr;

	nr = map_mixture(t, start);
	move(t, start, to, nr, true);
	unmap(t, to, nr);

	nr = map_mixture(t, start);
	to += PAGE_SIZE;
	move(t, start, to, nr, false);
	unmap(t, to, nr);
}

/* page_table_check counts the mappings of RAM, and finds one too many. */
static void test_mremap_of_ram(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long to = AT + 16 * PUD_SIZE;
	struct page *page;

	need_puds(t);
	page = alloc_contig_pages(PUD_NR, GFP_KERNEL | __GFP_NOWARN,
				  numa_node_id(), NULL);
	if (!page)
		kunit_skip(test, "no %lu MiB of contiguous memory",
			   PUD_SIZE / SZ_1M);

	map(t, AT, PUD_NR, 0, true);
	set_run(t, 0, PUD_NR, page_to_pfn(page));
	KUNIT_EXPECT_EQ(test, touch(t, AT, FAULT_FLAG_WRITE), F_NOPAGE);
	KUNIT_EXPECT_EQ(test, level_at(t, AT), PUD);
	move(t, AT, to, PUD_NR, true);
	KUNIT_EXPECT_EQ(test, level_at(t, to), PUD);
	unmap(t, to, PUD_NR);
	free_contig_range(page_to_pfn(page), PUD_NR);
}

/* unmap_mapping_range() while mremap() moves what it looks for */

#define NR_MOVES	1000

struct unmapper {
	struct address_space *mapping;
	loff_t start, length;
	unsigned long nr;
};

static int unmapper(void *data)
{
	struct unmapper *u = data;

	while (!kthread_should_stop()) {
		unmap_mapping_range(u->mapping, u->start, u->length, 1);
		u->nr++;
		cond_resched();
	}
	return 0;
}

/* Return: how many pages from @addr on are mapped; these have to be the run's. */
static unsigned long check_run(struct pfnmap_test *t, unsigned long addr,
			       unsigned long nr)
{
	unsigned long mapped = 0;

	for (unsigned long i = 0; i < nr; ) {
		struct entry e;
		unsigned long n = read_entry(current->mm, page_addr(addr, i), &e);

		n = min(n, nr - i);
		if (e.level) {
			KUNIT_EXPECT_EQ(t->test, e.pfn, t->run.pfn + i);
			KUNIT_EXPECT_TRUE(t->test, e.flags & E_SPECIAL);
			mapped += n;
		}
		i += n;
	}
	return mapped;
}

static void test_mremap_against_unmap_mapping_range(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long nr = (has_puds(t) ? PUD_NR : PMD_NR) + PMD_NR + 4;
	unsigned long to = AT + 16 * PUD_SIZE, moved = 0, lost = 0, n;
	pgoff_t pgoff = 1UL << 40;	/* nobody else's in this inode */
	struct unmapper u = {
		.mapping = t->file->f_mapping,
		.start = (loff_t)pgoff << PAGE_SHIFT,
		.length = (loff_t)nr << PAGE_SHIFT,
	};
	struct task_struct *task;

	need_pmds(t);
	t->unchecked = true;
	set_run(t, pgoff, nr, DEVICE_PFN);
	task = kthread_run(unmapper, &u, "pfnmap-unmapper");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	for (int i = 0; i < NR_MOVES; i++) {
		if (pt_map(t, AT, nr, pgoff, true) != AT ||
		    pt_map(t, to, nr, pgoff, true) != to) {
			KUNIT_FAIL(test, "mmap");
			break;
		}
		pt_fault(t, page_addr(AT, nr - 1), 0);
		pt_fault(t, page_addr(AT, nr - 5), 0);
		pt_fault(t, AT, 0);
		KUNIT_EXPECT_EQ(test, move_entries(AT, to, nr), nr << PAGE_SHIFT);
		/* Without the lock: entries may go, none may come. */
		KUNIT_EXPECT_EQ(test, check_run(t, AT, nr), 0);
		n = check_run(t, to, nr);
		moved += n > 0;
		lost += n < nr;
		vm_munmap(AT, nr << PAGE_SHIFT);
		vm_munmap(to, nr << PAGE_SHIFT);
	}
	KUNIT_EXPECT_EQ(test, 0, kthread_stop_put(task));
	kunit_info(test, "%lu unmapped, %lu moved, %lu of them not all\n", u.nr,
		   moved, lost);
	KUNIT_EXPECT_GT(test, moved, 0);
	KUNIT_EXPECT_GT(test, u.nr, 0);
}

/* In ->mmap */

static const vm_flags_t remap_flags = VM_IO | VM_PFNMAP | VM_DONTEXPAND |
				      VM_DONTDUMP;

static struct remap {
	struct page **pages;
	const void *addr;		/* or of a vmalloc area */
	unsigned long nr;
	pgoff_t pgoff;
	unsigned long there;		/* a page that is mapped before, or 0 */
	bool failed;			/* an allocation did */
	bool wrong;			/* it left something behind */
} remap;

static int remap_mmap(struct pfnmap_test *t, struct vm_area_struct *vma)
{
	unsigned long there = vma->vm_start + (remap.there << PAGE_SHIFT);
	vm_flags_t before;
	int err;

	if (remap.there) {
		err = remap_pfn_range(vma, there, DEVICE_PFN, PAGE_SIZE,
				      vma->vm_page_prot);
		if (err)
			return err;
	}
	before = vma->vm_flags;

	remap.failed = false;
#ifdef CONFIG_FAULT_INJECTION
	current->fail_nth = t->fail_nth;
	current->make_it_fail = t->fail_nth && t->fail_rest;
#endif
	if (remap.addr)
		err = remap_pfnmap_vmalloc(vma, remap.addr, remap.pgoff);
	else
		err = remap_pfnmap_pages(vma, remap.pages, remap.nr,
					 remap.pgoff);
#ifdef CONFIG_FAULT_INJECTION
	remap.failed = t->fail_nth && !current->fail_nth;
	current->fail_nth = 0;
	current->make_it_fail = 0;
#endif
	if (!err) {
		remap.wrong = (vma->vm_flags & remap_flags) != remap_flags;
		return 0;
	}

	remap.wrong = vma->vm_flags != before;
	for (unsigned long addr = vma->vm_start; addr < vma->vm_end; ) {
		struct entry e;
		unsigned long n = read_entry(vma->vm_mm, addr, &e);

		if (e.level && !(remap.there && addr == there))
			remap.wrong = true;
		addr += n << PAGE_SHIFT;
	}
	return err;
}

/* Return: what the helper returned */
static long remap_map(struct pfnmap_test *t, unsigned long start,
		      unsigned long nr, unsigned long flags)
{
	unsigned long addr;

	t->mmap = remap_mmap;
	model_start(t, start, nr);
	remap.wrong = false;
	addr = vm_mmap(t->file, start, nr << PAGE_SHIFT, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED, 0);
	KUNIT_EXPECT_FALSE(t->test, remap.wrong);
	if (addr == start)
		return 0;
	KUNIT_EXPECT_TRUE(t->test, holds(t));
	return addr;
}

static long remap_shared(struct pfnmap_test *t, unsigned long start,
			 unsigned long nr)
{
	return remap_map(t, start, nr, MAP_SHARED);
}

static void expect_remapped(struct pfnmap_test *t, unsigned long start,
			    unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = remap.addr ?
			vmalloc_to_page(remap.addr +
					((remap.pgoff + i) << PAGE_SHIFT)) :
			remap.pages[remap.pgoff + i];

		model_set(t, page_addr(start, i), 1, PTE, page_to_pfn(page),
			  pt_prot(true));
	}
	KUNIT_EXPECT_TRUE(t->test, holds(t));
	unmap(t, start, nr);
}

/* Two huge pages, so that there would be a temptation; then single ones */
static void remap_use_pages(struct pfnmap_test *t)
{
	unsigned long nr = 1UL << t->block_order;

	for (unsigned long i = 0; i < nr; i++) {
		t->pages[i] = t->block[0] + i;
		t->pages[nr + i] = t->block[1] + i;
		t->pages[2 * nr + i] = t->block[2] + (i ^ 5);
	}
	remap = (struct remap) { .pages = t->pages, .nr = 3 * nr };
}

static void test_remap_pages(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	unsigned long start = page_addr(AT, -(long)PMD_NR);

	remap_use_pages(t);
	KUNIT_ASSERT_EQ(test, 0, remap_shared(t, start, remap.nr));
	expect_remapped(t, start, remap.nr);

	/* up to the last page */
	remap.pgoff = 11;
	start += 3 * PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, 0, remap_shared(t, start, remap.nr - 11));
	expect_remapped(t, start, remap.nr - 11);

	remap.pgoff = remap.nr - 1;
	KUNIT_ASSERT_EQ(test, 0, remap_shared(t, start, 1));
	expect_remapped(t, start, 1);
}

static void test_remap_pages_refused(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;

	remap_use_pages(t);
	KUNIT_EXPECT_EQ(test, remap_map(t, AT, 8, MAP_PRIVATE), -EINVAL);

	remap.nr = 16;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 17), -ENXIO);
	remap.pgoff = 9;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 8), -ENXIO);
	remap.pgoff = 16;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -ENXIO);
	remap.pgoff = ULONG_MAX - 2;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 8), -ENXIO);
	remap.nr = 0;
	remap.pgoff = 0;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -ENXIO);

	/* in the first and in a later table */
	remap_use_pages(t);
	remap.there = 5;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 2 * PMD_NR), -EBUSY);
	remap.there = PMD_NR + 5;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 2 * PMD_NR), -EBUSY);
}

static const void *remap_use_vmalloc(struct pfnmap_test *t, unsigned long nr)
{
	remap = (struct remap) { .addr = vmalloc_user(nr << PAGE_SHIFT) };
	KUNIT_ASSERT_NOT_NULL(t->test, remap.addr);
	return remap.addr;
}

static void test_remap_vmalloc(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	const void *addr = remap_use_vmalloc(t, PMD_NR + 20);
	unsigned long start = page_addr(AT, -7);

	KUNIT_EXPECT_EQ(test, 0, remap_shared(t, start, PMD_NR + 20));
	expect_remapped(t, start, PMD_NR + 20);
	remap.pgoff = 13;
	KUNIT_EXPECT_EQ(test, 0, remap_shared(t, start, PMD_NR + 7));
	expect_remapped(t, start, PMD_NR + 7);
	remap.pgoff = PMD_NR + 19;
	KUNIT_EXPECT_EQ(test, 0, remap_shared(t, start, 1));
	expect_remapped(t, start, 1);
	vfree(addr);

	/* as dma_common_pages_remap() makes it */
	random_pages(t, 1, 30);
	remap = (struct remap) {
		.addr = vmap(t->pages, 30, VM_DMA_COHERENT, PAGE_KERNEL),
	};
	KUNIT_ASSERT_NOT_NULL(test, remap.addr);
	KUNIT_EXPECT_EQ(test, 0, remap_shared(t, start, 30));
	expect_remapped(t, start, 30);
	vunmap(remap.addr);
}

static void test_remap_vmalloc_refused(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	const void *addr = remap_use_vmalloc(t, 16), *other;

	KUNIT_EXPECT_EQ(test, remap_map(t, AT, 8, MAP_PRIVATE), -EINVAL);

	/* The guard page doesn't count. */
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 17), -ENXIO);
	remap.pgoff = 9;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 8), -ENXIO);
	remap.pgoff = 16;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -ENXIO);
	remap.pgoff = ULONG_MAX - 2;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 8), -ENXIO);
	remap.pgoff = 0;

	remap.there = 5;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 16), -EBUSY);
	remap.there = 0;

	/* not the begin of an area */
	remap.addr = addr + PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -EINVAL);
	remap.addr = addr + 8;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -EINVAL);
	/* not vmalloc */
	remap.addr = page_address(t->block[0]);
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -EINVAL);
	/* not for userspace */
	other = vmalloc(16 * PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, other);
	remap.addr = other;
	KUNIT_EXPECT_EQ(test, remap_shared(t, AT, 1), -EINVAL);
	vfree(other);

	/* that was the only difference */
	remap.addr = addr;
	KUNIT_EXPECT_EQ(test, 0, remap_shared(t, AT, 16));
	expect_remapped(t, AT, 16);
	vfree(addr);
}

static void remap_oom(struct pfnmap_test *t, unsigned long nr)
{
	unsigned long start = page_addr(AT, -(long)PMD_NR - 3);
	struct kunit *test = t->test;
	int n, nr_errors = 0;
	long ret = 0;

	for (n = 1; n < 100; n++) {
		t->fail_nth = n;
		t->fail_rest = true;
		ret = remap_shared(t, start, nr);
		t->fail_nth = 0;
		if (!ret)
			expect_remapped(t, start, nr);
		if (!remap.failed)
			break;
		/* The slab allocator can do without some of what it asks for. */
		if (!ret)
			continue;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		nr_errors++;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* Three tables of PTEs; the others on both sides of AT */
	KUNIT_EXPECT_GE(test, nr_errors, mm_pud_folded(current->mm) ? 5 : 7);
	KUNIT_EXPECT_LT(test, n, 100);
	kunit_info(test, "%d allocations\n", n - 1);
}

static void test_remap_allocation_failure(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	const void *addr;

	if (!can_fail())
		kunit_skip(test, NO_FAULT_INJECTION);
	remap_use_pages(t);
	remap_oom(t, 3 * PMD_NR);
	addr = remap_use_vmalloc(t, 2 * PMD_NR);
	remap_oom(t, 2 * PMD_NR);
	vfree(addr);
}

/* Faults against faults and zaps, on all CPUs */

#define RACE_NR		(4 * PMD_NR)
#define NR_RACERS	3
#define NR_RACES	1500

struct racer {
	struct pfnmap_test t;		/* only what a fault needs */
	struct mm_struct *mm;
	struct task_struct *task;
	struct completion done;
	u32 seed;
	int nr_wrong;
};

static vm_fault_t race_fault(struct vm_fault *vmf, unsigned int order)
{
	struct pfnmap_run run = {
		.nr = RACE_NR,
		.pfn = DEVICE_PFN,
		.prot = pt_prot(!((vmf->address >> PMD_SHIFT) & 1)),
		/* differs from call to call, so do the sizes that fit */
		.around = 1UL << (jiffies % 3 ? PMD_ORDER + 1 :
				  (vmf->address >> PAGE_SHIFT) % PMD_ORDER),
	};

	return vmf_insert_pfnmap_run(vmf, order, &run);
}

static vm_fault_t race_small_fault(struct vm_fault *vmf)
{
	return race_fault(vmf, 0);
}

static vm_fault_t race_map_pages(struct vm_fault *vmf, pgoff_t start,
				 pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct race_vm_ops = {
	.fault = race_small_fault,
	.map_pages = race_map_pages,
	.huge_fault = race_fault,
};

static int race_mmap(struct pfnmap_test *t, struct vm_area_struct *vma)
{
	vma->vm_ops = t->huge ? &race_vm_ops : vma->vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND);
	return 0;
}

static int racer(void *data)
{
	struct racer *r = data;
	struct rnd_state state;

	prandom_seed_state(&state, r->seed);
	kthread_use_mm(r->mm);
	for (int i = 0; i < NR_RACES; i++) {
		unsigned long addr = page_addr(AT, prandom_u32_state(&state) %
						   RACE_NR);
		u32 what = prandom_u32_state(&state);
		unsigned int flags = (what & 1 ? FAULT_FLAG_WRITE : 0) |
				     (what & 2 ? FAULT_FLAG_VMA_LOCK : 0);
		struct entry e;
		u32 ret;

		if (!(what & 0x1c)) {
			unsigned long nr = 1 + (what >> 8) % PMD_NR;
			struct vm_area_struct *vma;

			mmap_read_lock(r->mm);
			vma = vma_lookup(r->mm, addr);
			nr = min(nr, (vma->vm_end - addr) >> PAGE_SHIFT);
			zap_vma_range(vma, addr, nr << PAGE_SHIFT);
			mmap_read_unlock(r->mm);
			continue;
		}
		ret = pt_fault(&r->t, addr, flags);
		if (ret && ret != F_NOPAGE && ret != F_RETRY)
			r->nr_wrong++;

		/* Nobody frees page tables while the VMA is there. */
		read_entry(r->mm, addr, &e);
		if (e.level && (e.pfn != DEVICE_PFN + ((addr - AT) >> PAGE_SHIFT) ||
				!(e.flags & E_SPECIAL)))
			r->nr_wrong++;
		cond_resched();
	}
	kthread_unuse_mm(r->mm);
	complete(&r->done);
	return 0;
}

static void test_race(struct kunit *test)
{
	struct pfnmap_test *t = test->priv;
	struct mm_struct *mm = current->mm;
	unsigned long levels[PUD + 1] = {};
	static struct racer racers[NR_RACERS];
	int started = 0;

	need_pmds(t);
	t->mmap = race_mmap;
	map(t, AT, RACE_NR, 0, true);
	for (int i = 0; i < NR_RACERS; i++) {
		struct racer *r = &racers[i];

		*r = (struct racer) {
			.t = { .unchecked = true }, .mm = mm, .seed = i,
		};
		init_completion(&r->done);
		r->task = kthread_create(racer, r, "pfnmap-racer-%d", i);
		if (IS_ERR(r->task))
			break;
		get_task_struct(r->task);
		started++;
	}
	for (int i = 0; i < started; i++)
		wake_up_process(racers[i].task);
	for (int i = 0; i < started; i++) {
		wait_for_completion(&racers[i].done);
		KUNIT_EXPECT_EQ(test, 0, kthread_stop_put(racers[i].task));
		KUNIT_EXPECT_EQ(test, racers[i].nr_wrong, 0);
	}
	KUNIT_EXPECT_EQ(test, started, NR_RACERS);

	/* The rest, and all must be there. */
	t->unchecked = true;
	for (unsigned long addr = AT; addr < page_addr(AT, RACE_NR); ) {
		unsigned long n;
		struct entry e;

		n = read_entry(mm, addr, &e);
		if (!e.level) {
			KUNIT_ASSERT_EQ(test, pt_fault(t, addr, 0),
					F_NOPAGE);
			n = read_entry(mm, addr, &e);
		}
		KUNIT_ASSERT_EQ(test, e.pfn, DEVICE_PFN +
				((addr - AT) >> PAGE_SHIFT));
		KUNIT_ASSERT_TRUE(test, e.flags & E_SPECIAL);
		levels[e.level]++;
		addr = page_addr(addr, n);
	}
	kunit_info(test, "at last, %lu PMDs and %lu PTEs\n", levels[PMD],
		   levels[PTE]);
	unmap(t, AT, RACE_NR);
}

static struct kunit_case pfnmap_cases[] = {
	KUNIT_CASE(test_largest_entries),
	KUNIT_CASE(test_no_huge_fault_no_huge_entries),
	KUNIT_CASE(test_one_page_table_a_fault),
	KUNIT_CASE(test_existing_entries_stay),
	KUNIT_CASE(test_entry_is_there_already),
	KUNIT_CASE(test_page_is_there_already),
	KUNIT_CASE(test_window_around_the_fault),
	KUNIT_CASE(test_madv_random),
	KUNIT_CASE(test_write_fault),
	KUNIT_CASE(test_pmd_becomes_writable),
	KUNIT_CASE(test_pud_becomes_writable),
	KUNIT_CASE(test_write_without_vm_write),
	KUNIT_CASE(test_vma_lock),
	KUNIT_CASE(test_pages),
#ifdef CONFIG_X86
	KUNIT_CASE(test_memory_of_two_cache_modes),
	KUNIT_CASE(test_device_memory_of_two_cache_modes),
#endif
	KUNIT_CASE_SLOW(test_random),
	KUNIT_CASE_SLOW(test_random_puds),
	KUNIT_CASE(test_page_not_in_run),
	KUNIT_CASE(test_not_a_pfnmap_vma),
	KUNIT_CASE(test_mixedmap_vma),
	KUNIT_CASE(test_copy_on_write_vma),
	KUNIT_CASE(test_window_that_is_no_power_of_two),
#ifdef CONFIG_X86
	KUNIT_CASE(test_pfn_that_may_not_be_mapped),
#endif
	KUNIT_CASE(test_allocation_failure),
	KUNIT_CASE(test_zap_and_refill),
	KUNIT_CASE(test_hole_in_the_middle),
	KUNIT_CASE(test_fork),
	KUNIT_CASE(test_mprotect),
	KUNIT_CASE(test_vma_split),
	KUNIT_CASE(test_mremap),
	KUNIT_CASE(test_mremap_of_ram),
	KUNIT_CASE_SLOW(test_mremap_against_unmap_mapping_range),
	KUNIT_CASE(test_remap_pages),
	KUNIT_CASE(test_remap_pages_refused),
	KUNIT_CASE(test_remap_vmalloc),
	KUNIT_CASE(test_remap_vmalloc_refused),
	KUNIT_CASE(test_remap_allocation_failure),
	KUNIT_CASE(test_race),
	{}
};

static struct kunit_suite pfnmap_suite = {
	.name = "pfnmap",
	.init = pfnmap_init,
	.test_cases = pfnmap_cases,
};

kunit_test_suite(pfnmap_suite);
