/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PFNMAP_MODEL_H
#define _PFNMAP_MODEL_H

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/memblock.h>
#include <linux/mm_types.h>
#include <linux/pfnmap.h>
#include <linux/sizes.h>

struct kunit;

#define PMD_NR		BIT(PMD_ORDER)
#define PUD_NR		BIT(PUD_ORDER)

/* In an empty address space; a new PGD entry begins here. */
#define AT		ALIGN_DOWN(TASK_SIZE / 2, PGDIR_SIZE)

/* No memory is there, and nobody accesses it. A multiple of PUD_NR */
#define DEVICE_PFN	ALIGN(max(max_pfn, SZ_64G >> PAGE_SHIFT), PUD_NR)

enum level { NONE, PTE, PMD, PUD };

#define E_SPECIAL	BIT(0)
#define E_WRITE		BIT(1)
#define E_DIRTY		BIT(2)
#define E_YOUNG		BIT(3)
#define E_ALL		(E_SPECIAL | E_WRITE | E_DIRTY | E_YOUNG)

/* What is mapped at one page of the address space */
struct entry {
	unsigned long pfn;
	u64 prot;		/* the whole pgprot, but for what flags have */
	u8 level;		/* enum level: of the entry that maps it */
	u8 flags;
};

/*
 * What should be in the page tables: pages @first to @first + @nr, which are
 * whole PMDs. "Page" is an address >> PAGE_SHIFT here.
 */
struct model {
	unsigned long first, nr, max;
	struct entry *page;
	bool *has_ptes;			/* by PMD: there is a table of PTEs */
	bool *has_pmds;			/* by PUD: there is a table of PMDs */
};

/* vm_fault_t as KUnit can compare and print it */
#define F_NOPAGE	((__force u32)VM_FAULT_NOPAGE)
#define F_FALLBACK	((__force u32)VM_FAULT_FALLBACK)
#define F_SIGBUS	((__force u32)VM_FAULT_SIGBUS)
#define F_OOM		((__force u32)VM_FAULT_OOM)
#define F_RETRY		((__force u32)VM_FAULT_RETRY)

struct call {
	unsigned int order;
	u32 ret;
};

#define NR_BLOCKS	4
#define MAX_PAGES	(8 * PMD_NR)

struct pfnmap_test {
	struct kunit *test;
	struct file *file;
	struct model model;

	/* real memory, for runs of pages */
	struct page *block[NR_BLOCKS];
	unsigned int block_order;
	struct page **pages;		/* MAX_PAGES */

	/* for the next mmap() */
	bool huge;			/* with ->huge_fault */
	vm_flags_t set_flags, clear_flags;
	int (*mmap)(struct pfnmap_test *t, struct vm_area_struct *vma);

	/* for the next fault */
	struct pfnmap_run run;
	unsigned long decline;		/* orders that ->huge_fault declines */
	unsigned int extra_flags;	/* for vm_fault.flags */
	bool again;			/* calls twice ... */
	unsigned long again_further;	/* ... with PFNs that are so much more */
	bool unchecked;			/* the model doesn't take part */
	unsigned int fail_nth;		/* allocation, by the API */
	bool fail_rest;			/* and all that come after it */

	/* what the last fault did */
	bool failed;			/* an allocation */
	bool wrong;			/* other than the model, as was printed */
	unsigned int nr_calls;
	struct call calls[8];
};

struct pfnmap_test *pfnmap_test_create(struct kunit *test);

unsigned long pt_map(struct pfnmap_test *t, unsigned long addr,
		     unsigned long nr, pgoff_t pgoff, bool writable);
u32 pt_fault(struct pfnmap_test *t, unsigned long addr, unsigned int flags);
pgprot_t pt_prot(bool writable);

void model_start(struct pfnmap_test *t, unsigned long addr, unsigned long nr);
struct entry *model_at(struct pfnmap_test *t, unsigned long addr);
void model_set(struct pfnmap_test *t, unsigned long addr, unsigned long nr,
	       enum level level, unsigned long pfn, pgprot_t prot);
void model_zap(struct pfnmap_test *t, unsigned long addr, unsigned long nr);
bool model_holds(struct pfnmap_test *t, struct mm_struct *mm, u8 flags);
unsigned long read_entry(struct mm_struct *mm, unsigned long addr,
			 struct entry *e);

#endif /* _PFNMAP_MODEL_H */
