// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings of a dma-buf under stress: threads fault and check while others
 * unmap, protect, move, advise or fork.
 *
 * A fault handler may map more than the page that was asked for, up to whole
 * page tables or huge entries. None of that may ever be seen: each address has
 * its page and no other, whatever its alignment, wherever the mapping was cut,
 * and nothing is accessible that isn't mapped.
 *
 * Each page of the buffer has its marks (fill()), and in between a word for
 * each thread and child. Only the owner writes to it, and knows what it has
 * written last; a store that went to another page, or to none, is found out by
 * the next visit or in the end. All choices are from generators with constant
 * seeds, though how the threads interleave is not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/mman.h>

#include "mmap_context.h"

/* What a huge entry covers where pages are 4K; elsewhere just an alignment */
#define SZ_2M		(2UL << 20)

#define THREADS		4
#define MAIN		THREADS		/* what runs alone, or forks */
#define CHILDREN	2
#define FIRST_CHILD	(MAIN + 1)
#define WORKERS		(FIRST_CHILD + CHILDREN)

#define FAULT_ROUNDS	2	/* for each of the placements */
#define RACES		50	/* for each of the placements */
#define OWN_ROUNDS	4	/* mappings of each thread */
#define OWN_CHANGES	12	/* to each of these mappings */
#define CHANGES		40	/* to the mapping of all threads */
#define ADVICE_ROUNDS	3	/* of every advice */
#define FORK_ROUNDS	3	/* of all children */

/* One page of address space, as its owner believes it to be */
struct cell {
	int page;		/* of the buffer, or one of the below */
	int prot;
	int vma;		/* differs if mremap() may need two calls */
};

#define RESERVED	-1	/* anonymous memory, PROT_NONE */
#define HOLE		-2	/* nothing */

struct worker {
	const struct context *ctx;
	void (*work)(struct worker *w);
	pthread_t thread;
	unsigned int id;
	__u64 seed;
	__u64 random;		/* state of the generator */
	__u32 *stored;		/* for each page, count of stores to our word */
	long visits;

	/* Address space that no one else maps anything to, 2M aligned */
	char *arena;
	struct cell *cells;
	size_t nr_cells;
	int nr_vmas;

	char failure[256];
};

/* A mapping that all threads use */
static struct {
	char *map;
	size_t first;
	size_t nr;		/* pages */
	bool in_step;		/* all threads go for the same page */
	bool refusals;		/* of access, by what a thread does to it */
	bool stop;
	unsigned int arrivals;	/* see meet() */
} stage;

static pthread_barrier_t start;

static void stop(void)
{
	__atomic_store_n(&stage.stop, true, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
	return __atomic_load_n(&stage.stop, __ATOMIC_RELAXED);
}

/* Failing and faulting in a thread */

static __noreturn __printf(2, 3)
void give_up(struct worker *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	stop();
	if (w->id >= FIRST_CHILD)
		_exit(KSFT_FAIL);
	pthread_exit(NULL);
}

/* access_fault() of mapping.c is for one thread. */
static __thread struct {
	sigjmp_buf env;
	bool armed;
	int code;
	void *addr;
} trap;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!trap.armed) {
		signal(sig, SIG_DFL);	/* and fault again */
		return;
	}
	trap.armed = false;
	trap.code = sig == SIGSEGV ? info->si_code : -1;
	trap.addr = info->si_addr;
	siglongjmp(trap.env, 1);
}

static void catch_faults(void)
{
	/* SA_NODEFER: there is no signal mask to restore. */
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* The words of a page that matter to a worker */
struct seen {
	__u64 first;
	__u64 last;
	__u64 own;
};

static size_t own_word(const struct worker *w)
{
	return 1 + w->id;
}

/* The handler runs in this thread, so that only the compiler has to know. */
static void set_trap(bool armed)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	trap.armed = armed;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* These return 0, or the si_code of a SIGSEGV at @addr, or -1. */

static int load(const struct worker *w, char *addr, struct seen *seen)
{
	size_t last = w->ctx->page_size / sizeof(__u64) - 1;
	__u64 *words = (__u64 *)addr;

	if (sigsetjmp(trap.env, 0))
		return trap.addr == addr ? trap.code : -1;
	set_trap(true);
	seen->first = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	seen->own = __atomic_load_n(&words[own_word(w)], __ATOMIC_RELAXED);
	seen->last = __atomic_load_n(&words[last], __ATOMIC_RELAXED);
	set_trap(false);
	return 0;
}

static int store(const struct worker *w, char *addr, __u64 value)
{
	__u64 *word = (__u64 *)addr + own_word(w);

	if (sigsetjmp(trap.env, 0))
		return trap.addr == word ? trap.code : -1;
	set_trap(true);
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	set_trap(false);
	return 0;
}

/* splitmix64 */
static __u64 next_random(struct worker *w)
{
	__u64 z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static size_t below(struct worker *w, size_t limit)
{
	return next_random(w) % limit;
}

static bool one_in(struct worker *w, size_t nr)
{
	return !below(w, nr);
}

/* Visits */

static __u64 word_value(const struct worker *w, size_t page)
{
	return page_mark(SEED, page) | (w->id + 1) << 24 | w->stored[page];
}

static int store_next(struct worker *w, char *addr, size_t page)
{
	int code = store(w, addr, word_value(w, page) + 1);

	w->stored[page] += !code;
	return code;
}

static void check_page(struct worker *w, char *addr, size_t page)
{
	char *view = w->ctx->view + page * w->ctx->page_size;
	struct seen seen;

	if (load(w, view, &seen))
		give_up(w, "page %zu can't be read by the view", page);
	if (seen.own != word_value(w, page))
		give_up(w, "store to page %zu at %p: the page has %#llx",
			page, addr, seen.own);
}

/*
 * Page @page of the buffer is at @addr: does it look like it, does it keep
 * what is stored, and do others see it? Returns 0, or the si_code of a refusal.
 */
static int visit(struct worker *w, char *addr, size_t page, bool write)
{
	bool write_first = write && one_in(w, 2);
	__u64 mark = page_mark(SEED, page);
	struct seen seen;
	int code;

	if (write_first) {
		code = store_next(w, addr, page);
		if (code)
			return code;
	}
	code = load(w, addr, &seen);
	if (code)
		return code;
	if (seen.first != mark || seen.last != mark)
		give_up(w, "page %zu at %p: marks %#llx, %#llx", page, addr,
			seen.first, seen.last);
	if (seen.own != word_value(w, page))
		give_up(w, "page %zu at %p: %#llx instead of %#llx", page,
			addr, seen.own, word_value(w, page));
	if (write && !write_first) {
		code = store_next(w, addr, page);
		if (code)
			return code;
	}
	if (write)
		check_page(w, addr, page);
	w->visits++;
	return 0;
}

static void expect_refusal(struct worker *w, char *addr, bool write,
			   int expected)
{
	struct seen seen;
	int code = write ? store(w, addr, -1) : load(w, addr, &seen);

	if (code != expected)
		give_up(w, "%s at %p: si_code %d instead of %d",
			write ? "store" : "load", addr, code, expected);
}

/* Page @i of what is on the stage */
static void visit_stage(struct worker *w, size_t i)
{
	char *addr = stage.map + i * w->ctx->page_size;
	int code = visit(w, addr, stage.first + i, true);

	if (!code || (stage.refusals &&
		      (code == SEGV_MAPERR || code == SEGV_ACCERR)))
		return;
	give_up(w, "page %zu at %p: si_code %d", stage.first + i, addr, code);
}

static void visit_all_of_stage(struct worker *w)
{
	size_t offset = stage.in_step ? 0 : below(w, stage.nr);
	bool backward = !stage.in_step && one_in(w, 2);
	size_t i;

	for (i = 0; i < stage.nr; i++)
		visit_stage(w, (offset + (backward ? stage.nr - i : i)) %
			    stage.nr);
}

/* Address space of one's own */

static char *cell_addr(const struct worker *w, size_t at)
{
	return w->arena + at * w->ctx->page_size;
}

static size_t huge_pages(const struct worker *w)
{
	return SZ_2M / w->ctx->page_size;
}

static bool is_mapped(const struct worker *w, size_t at)
{
	return at < w->nr_cells && w->cells[at].page >= 0;
}

/* How many cells of one VMA are there from @at on? */
static size_t vma_cells(const struct worker *w, size_t at)
{
	size_t i = at;

	while (is_mapped(w, i) && w->cells[i].vma == w->cells[at].vma)
		i++;
	return i - at;
}

/* A VMA ends in front of @at. */
static void split_vma(struct worker *w, size_t at)
{
	size_t nr, i;

	if (!at || !is_mapped(w, at - 1) || !is_mapped(w, at) ||
	    w->cells[at - 1].vma != w->cells[at].vma)
		return;
	nr = vma_cells(w, at);
	w->nr_vmas++;
	for (i = at; i < at + nr; i++)
		w->cells[i].vma = w->nr_vmas;
}

static void split_vmas(struct worker *w, size_t at, size_t nr)
{
	split_vma(w, at);
	split_vma(w, at + nr);
}

static void set_cells(struct worker *w, size_t at, size_t nr, int page)
{
	size_t i;

	split_vmas(w, at, nr);
	w->nr_vmas++;
	for (i = 0; i < nr; i++) {
		w->cells[at + i].page = page < 0 ? page : page + (int)i;
		w->cells[at + i].vma = w->nr_vmas;
	}
}

static void set_prot(struct worker *w, size_t at, size_t nr, int prot)
{
	size_t i;

	for (i = at; i < at + nr; i++)
		w->cells[i].prot = prot;
}

static void map_cells(struct worker *w, size_t at, size_t first, size_t nr,
		      int prot)
{
	size_t page_size = w->ctx->page_size;

	if (mmap(cell_addr(w, at), nr * page_size, prot,
		 MAP_SHARED | MAP_FIXED, w->ctx->buf.fd,
		 first * page_size) == MAP_FAILED)
		give_up(w, "mmap of %zu pages from %zu: errno %d", nr, first,
			errno);
	set_cells(w, at, nr, first);
	set_prot(w, at, nr, prot);
}

static void cut_cells(struct worker *w, size_t at, size_t nr)
{
	if (munmap(cell_addr(w, at), nr * w->ctx->page_size))
		give_up(w, "munmap of %zu pages at %p: errno %d", nr,
			cell_addr(w, at), errno);
	set_cells(w, at, nr, HOLE);
}

static void protect_cells(struct worker *w, size_t at, size_t nr, int prot)
{
	if (mprotect(cell_addr(w, at), nr * w->ctx->page_size, prot))
		give_up(w, "mprotect of %zu pages at %p: errno %d", nr,
			cell_addr(w, at), errno);
	split_vmas(w, at, nr);
	set_prot(w, at, nr, prot);
}

/* @nr cells of one VMA, of one protection */
static void move_cells(struct worker *w, size_t from, size_t nr, size_t to)
{
	size_t len = nr * w->ctx->page_size;
	int page = w->cells[from].page, prot = w->cells[from].prot;

	if (mremap(cell_addr(w, from), len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   cell_addr(w, to)) == MAP_FAILED)
		give_up(w, "mremap of %zu pages, %p to %p: errno %d", nr,
			cell_addr(w, from), cell_addr(w, to), errno);
	set_cells(w, from, nr, HOLE);
	set_cells(w, to, nr, page);
	set_prot(w, to, nr, prot);
}

static void advise_cells(struct worker *w, size_t at, size_t nr, int advice)
{
	if (madvise(cell_addr(w, at), nr * w->ctx->page_size, advice))
		give_up(w, "madvise %d of %zu pages at %p: errno %d", advice,
			nr, cell_addr(w, at), errno);
	split_vmas(w, at, nr);
}

static void clear_cells(struct worker *w)
{
	if (mmap(w->arena, w->nr_cells * w->ctx->page_size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		give_up(w, "reserving %zu pages: errno %d", w->nr_cells, errno);
	set_cells(w, 0, w->nr_cells, RESERVED);
}

static void visit_cell(struct worker *w, size_t at)
{
	const struct cell *cell = &w->cells[at];
	char *addr = cell_addr(w, at);
	bool write = cell->prot & PROT_WRITE;
	int code;

	if (!is_mapped(w, at)) {
		expect_refusal(w, addr, false, cell->page == HOLE ?
			       SEGV_MAPERR : SEGV_ACCERR);
		return;
	}
	if (cell->prot == PROT_NONE) {
		expect_refusal(w, addr, false, SEGV_ACCERR);
		return;
	}
	code = visit(w, addr, cell->page, write);
	if (code)
		give_up(w, "page %d at %p: si_code %d", cell->page, addr, code);
	/* The signals take their time. */
	if (!write && one_in(w, 8))
		expect_refusal(w, addr, true, SEGV_ACCERR);
}

/* All that is mapped, and the pages next to it */
static void visit_cells(struct worker *w)
{
	size_t offset = below(w, w->nr_cells);
	bool backward = one_in(w, 2);
	size_t i, at;

	for (i = 0; i < w->nr_cells; i++) {
		at = backward ? w->nr_cells - 1 - i : i;
		at = (at + offset) % w->nr_cells;
		if (is_mapped(w, at) || is_mapped(w, at + 1) ||
		    (at && is_mapped(w, at - 1)))
			visit_cell(w, at);
	}
}

/* Fixture */

struct team {
	struct context ctx;
	struct worker *workers;
	__u64 original[WORKERS];	/* of the words that are the workers' */
};

FIXTURE(stress) {
	struct team team;
};

FIXTURE_VARIANT(stress) {
	const struct exporter *exporter;
};

static void *shared_memory(struct __test_metadata *_metadata, size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, mem);
	return mem;
}

/* Twice what the buffer needs at any alignment: mappings move to and fro. */
static void reserve_arena(struct __test_metadata *_metadata, struct worker *w)
{
	size_t huge = (w->ctx->buf.size + SZ_2M - 1) / SZ_2M + 2;
	size_t len = 2 * huge * SZ_2M;
	char *map;

	map = mmap(NULL, len + SZ_2M, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	w->arena = (char *)(((unsigned long)map + SZ_2M - 1) & -SZ_2M);
	w->nr_cells = len / w->ctx->page_size;
	w->cells = calloc(w->nr_cells, sizeof(*w->cells));
	ASSERT_NE(NULL, w->cells);
	set_cells(w, 0, w->nr_cells, RESERVED);
}

FIXTURE_SETUP(stress)
{
	struct team *team = &self->team;
	const struct exporter *exporter = variant->exporter;
	struct context *ctx = &team->ctx;
	size_t id, page;

	context_setup(_metadata, ctx, exporter, exporter_large(exporter),
		      O_RDWR);
	if (_metadata->exit_code)
		return;		/* skipped */

	/* Children store, count and complain, too. */
	team->workers = shared_memory(_metadata,
				      WORKERS * sizeof(*team->workers));
	for (id = 0; id < WORKERS; id++) {
		struct worker *w = &team->workers[id];

		w->ctx = ctx;
		w->id = id;
		w->seed = id + 1;
		w->random = w->seed;
		w->stored = shared_memory(_metadata, ctx->pages *
					  sizeof(*w->stored));
		if (id < FIRST_CHILD)
			reserve_arena(_metadata, w);
		team->original[id] = ((__u64 *)ctx->view)[own_word(w)];
		for (page = 0; page < ctx->pages; page++) {
			char *at = ctx->view + page * ctx->page_size;

			((__u64 *)at)[own_word(w)] = word_value(w, page);
		}
	}
	memset(&stage, 0, sizeof(stage));
	catch_faults();
}

FIXTURE_TEARDOWN(stress)
{
	context_teardown(_metadata, &self->team.ctx);
}

/* Every store that was ever made is in the buffer, and nothing else is. */
static void check_content(struct __test_metadata *_metadata,
			  struct team *team)
{
	struct context *ctx = &team->ctx;
	size_t id, page;

	for (page = 0; page < ctx->pages; page++) {
		__u64 *words = (__u64 *)(ctx->view + page * ctx->page_size);

		for (id = 0; id < WORKERS; id++) {
			struct worker *w = &team->workers[id];
			size_t word = own_word(w);

			ASSERT_EQ(word_value(w, page), words[word]) {
				TH_LOG("page %zu, worker %zu", page, id);
			}
			w->stored[page] = 0;
			words[word] = team->original[id];
		}
	}
	ASSERT_EQ(-1, wrong_page(ctx->view, 0, ctx->pages, SEED));
}

static void check_worker(struct __test_metadata *_metadata,
			 const struct worker *w)
{
	ASSERT_STREQ("", w->failure) {
		TH_LOG("%s: worker %u, seed %#llx", w->ctx->exporter->name,
		       w->id, w->seed);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&start);
	w->work(w);
	return NULL;
}

static void start_worker(struct __test_metadata *_metadata, struct worker *w,
			 void (*do_work)(struct worker *w))
{
	w->work = do_work;
	w->visits = 0;
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, work, w));
}

/* The first is another's if @first_work is given. */
static void start_threads(struct __test_metadata *_metadata,
			  struct team *team,
			  void (*first_work)(struct worker *w),
			  void (*do_work)(struct worker *w))
{
	int id;

	stage.stop = false;
	stage.arrivals = 0;
	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, THREADS));
	for (id = 0; id < THREADS; id++)
		start_worker(_metadata, &team->workers[id],
			     !id && first_work ? first_work : do_work);
}

static void join_threads(struct __test_metadata *_metadata,
			 struct team *team)
{
	int id;

	for (id = 0; id < THREADS; id++)
		ASSERT_EQ(0, pthread_join(team->workers[id].thread, NULL));
	pthread_barrier_destroy(&start);
	for (id = 0; id < THREADS; id++)
		check_worker(_metadata, &team->workers[id]);
	for (id = 0; id < THREADS; id++)
		ASSERT_LT(0, team->workers[id].visits);
}

/* In a thread as well, which may give up */
static void run_alone(struct __test_metadata *_metadata,
		      struct team *team,
		      void (*do_work)(struct worker *w))
{
	struct worker *w = &team->workers[MAIN];

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 1));
	start_worker(_metadata, w, do_work);
	ASSERT_EQ(0, pthread_join(w->thread, NULL));
	pthread_barrier_destroy(&start);
	check_worker(_metadata, w);
	ASSERT_LT(0, w->visits);
}

/*
 * How far a mapping is from where the offset in the buffer and the address are
 * the same modulo 2M, in pages: as huge entries like it; as they like it if the
 * memory begins in the middle of 2M; and as they can't be
 */
#define PLACEMENTS	3

static size_t shift_of(const struct worker *w, int placement)
{
	const size_t shifts[PLACEMENTS] = { 0, huge_pages(w) / 2, 1 };

	return shifts[placement];
}

/* The cell for page @first of the buffer, with others in front of it */
static size_t cell_for(const struct worker *w, size_t first, int placement)
{
	size_t huge = huge_pages(w);

	return huge + (first + shift_of(w, placement)) % huge;
}

/* A mapping for all threads, in the arena of the one that is none of them */
static void set_stage(struct __test_metadata *_metadata,
		      struct team *team, size_t first, size_t nr,
		      int placement)
{
	struct worker *w = &team->workers[MAIN];
	size_t page_size = team->ctx.page_size;

	ASSERT_NE(MAP_FAILED, mmap(w->arena, w->nr_cells * page_size, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS |
				   MAP_NORESERVE | MAP_FIXED, -1, 0));
	stage.map = cell_addr(w, cell_for(w, first, placement));
	stage.first = first;
	stage.nr = nr;
	ASSERT_EQ(stage.map, mmap(stage.map, nr * page_size,
				  PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, team->ctx.buf.fd,
				  first * page_size));
}

/* All mappings but the view are in arenas. */
static void finish(struct __test_metadata *_metadata,
		   struct team *team)
{
	int id;

	check_content(_metadata, team);
	for (id = 0; id < FIRST_CHILD; id++) {
		struct worker *w = &team->workers[id];

		ASSERT_EQ(0, munmap(w->arena, w->nr_cells *
				    team->ctx.page_size));
		free(w->cells);
	}
}

/* One thread, to begin with: whatever goes wrong here will do so again. */

static void visit_stage_alone(struct worker *w)
{
	size_t page_size = w->ctx->page_size;

	visit_all_of_stage(w);
	expect_refusal(w, stage.map - page_size, false, SEGV_ACCERR);
	expect_refusal(w, stage.map + stage.nr * page_size, false, SEGV_ACCERR);
}

/* Parts of the buffer, each where huge entries fit and where they don't */
TEST_F(stress, placements)
{
	struct team *team = &self->team;
	struct context *ctx = &team->ctx;
	size_t huge = huge_pages(&team->workers[MAIN]);
	const struct {
		size_t first;
		size_t nr;
	} parts[] = {
		{ 0, ctx->pages },
		{ 1, ctx->pages - 1 },
		{ 0, huge - 1 },
		{ 0, huge },
		{ 0, huge + 1 },
		{ 1, huge },
		{ huge - 1, 2 },
		{ huge / 2, huge },
		{ ctx->pages - 1, 1 },
	};
	struct smaps smaps;
	int placement;
	size_t i;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		for (i = 0; i < ARRAY_SIZE(parts); i++) {
			set_stage(_metadata, team, parts[i].first, parts[i].nr,
				  placement);
			run_alone(_metadata, team, visit_stage_alone);
			ASSERT_TRUE(read_smaps(stage.map, &smaps));
			ASSERT_TRUE(has_flag(&smaps, "pf"));
			ASSERT_EQ(0, smaps.rss);
		}

		/* To be read by people: it is the exporter's choice. */
		set_stage(_metadata, team, 0, ctx->pages, placement);
		ksft_print_msg("%s, %zu pages off: %ld faults for %zu pages\n",
			       ctx->exporter->name,
			       shift_of(&team->workers[MAIN], placement),
			       faults_of_touch(stage.map, ctx->buf.size),
			       ctx->pages);
	}
	finish(_metadata, team);
}

/* Where to cut: at either side of a 2M boundary, and in the middle */
static void cut_up(struct worker *w, size_t at, size_t nr)
{
	size_t huge = huge_pages(w);
	size_t boundary = (at + huge) / huge * huge;
	size_t middle = boundary + huge / 2;
	size_t away = w->nr_cells / 2 + huge;
	size_t end = at + nr;

	visit_cells(w);

	cut_cells(w, middle, 1);
	visit_cells(w);

	protect_cells(w, middle + 2, 1, PROT_READ);
	visit_cells(w);
	protect_cells(w, middle + 2, 1, PROT_READ | PROT_WRITE);
	visit_cells(w);

	move_cells(w, middle + 4, 3, away);
	visit_cells(w);
	/* Over what is mapped, where nothing is any more, and back */
	move_cells(w, away, 3, middle - 1);
	visit_cells(w);

	protect_cells(w, boundary - 1, 2, PROT_NONE);
	visit_cells(w);
	protect_cells(w, boundary - 1, 2, PROT_READ);
	visit_cells(w);
	cut_cells(w, boundary - 1, 1);
	cut_cells(w, end - 1, 1);
	cut_cells(w, at, 1);
	visit_cells(w);
}

static void split(struct worker *w)
{
	size_t firsts[] = { 0, 1, huge_pages(w) / 2 + 3 };
	int placement;
	size_t i, at, nr;

	for (i = 0; i < ARRAY_SIZE(firsts); i++) {
		for (placement = 0; placement < PLACEMENTS; placement++) {
			clear_cells(w);
			at = cell_for(w, firsts[i], placement);
			nr = w->ctx->pages - firsts[i];
			map_cells(w, at, firsts[i], nr, PROT_READ | PROT_WRITE);
			cut_up(w, at, nr);
		}
	}
}

TEST_F(stress, split)
{
	run_alone(_metadata, &self->team, split);
	finish(_metadata, &self->team);
}

/* Page tables move as they are, huge entries too if the new place is fit. */
static void move(struct worker *w)
{
	size_t huge = huge_pages(w), nr = w->ctx->pages;
	size_t away = w->nr_cells / 2 + huge;
	int placement, i;
	size_t at, middle, part;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		for (i = 0; i < 2; i++) {
			bool present = i;

			clear_cells(w);
			at = cell_for(w, 0, placement);
			map_cells(w, at, 0, nr, PROT_READ | PROT_WRITE);
			if (present)
				visit_cells(w);
			move_cells(w, at, nr, away + at % huge);
			visit_cells(w);
			move_cells(w, away + at % huge, nr, at + 1);
			visit_cells(w);
			move_cells(w, at + 1, nr, at + nr + huge / 2);
			visit_cells(w);
		}

		/* 2M of it from a 2M boundary to another one, and to none */
		clear_cells(w);
		map_cells(w, at, 0, nr, PROT_READ | PROT_WRITE);
		visit_cells(w);
		middle = (at + huge - 1) / huge * huge;
		part = at + nr - middle < huge ? at + nr - middle : huge;
		move_cells(w, middle, part, away);
		visit_cells(w);
		move_cells(w, away, part, away + huge + 1);
		visit_cells(w);
		move_cells(w, away + huge + 1, part, middle);
		visit_cells(w);
	}
}

TEST_F(stress, move)
{
	run_alone(_metadata, &self->team, move);
	finish(_metadata, &self->team);
}

/* A child that goes on with the arena of its parent */
static pid_t fork_worker(const struct worker *w, struct worker *child,
			 void (*do_work)(struct worker *w))
{
	pid_t pid;

	child->arena = w->arena;
	child->cells = w->cells;
	child->nr_cells = w->nr_cells;
	child->nr_vmas = w->nr_vmas;
	pid = fork();
	if (!pid) {
		do_work(child);
		_exit(KSFT_PASS);
	}
	return pid;
}

static void cut_up_in_child(struct worker *w)
{
	size_t at = 0;

	while (!is_mapped(w, at))
		at++;
	if (!(w->cells[at].prot & PROT_WRITE)) {
		visit_cells(w);
		protect_cells(w, at, w->ctx->pages, PROT_READ | PROT_WRITE);
	}
	cut_up(w, at, w->ctx->pages);
}

/* What the child does to its mapping is nothing to the parent. */
static void fork_present(struct worker *w)
{
	struct worker *child = w - MAIN + FIRST_CHILD;
	const struct {
		bool present;
		int prot;
	} cases[] = {
		{ true, PROT_READ | PROT_WRITE },
		{ true, PROT_READ },
		{ false, PROT_READ | PROT_WRITE },
	};
	size_t i;
	int placement, code;
	pid_t pid;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			clear_cells(w);
			map_cells(w, cell_for(w, 0, placement), 0,
				  w->ctx->pages, cases[i].prot);
			if (cases[i].present)
				visit_cells(w);
			pid = fork_worker(w, child, cut_up_in_child);
			visit_cells(w);
			code = exit_code(pid);
			if (code)
				give_up(w, "child of case %zu, %d: %s", i,
					placement, child->failure);
			visit_cells(w);
		}
	}
}

TEST_F(stress, fork_present)
{
	run_alone(_metadata, &self->team, fork_present);
	finish(_metadata, &self->team);
}

/* Threads */

/* Until every page was there, of a mapping without any entries at first */
TEST_F(stress, faults)
{
	struct team *team = &self->team;
	struct context *ctx = &team->ctx;
	int placement, round;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		for (round = 0; round < FAULT_ROUNDS; round++) {
			set_stage(_metadata, team, round, ctx->pages - round,
				  placement);
			stage.in_step = !round;
			start_threads(_metadata, team, NULL,
				      visit_all_of_stage);
			join_threads(_metadata, team);
		}
	}
	finish(_metadata, team);
}

/* The same again, but without any entries */
static void replace(struct worker *w, size_t i, size_t nr)
{
	size_t page_size = w->ctx->page_size;

	if (mmap(stage.map + i * page_size, nr * page_size,
		 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 w->ctx->buf.fd, (stage.first + i) * page_size) == MAP_FAILED)
		give_up(w, "mmap over %zu pages: errno %d", nr, errno);
}

/*
 * Until so many arrivals were counted, or someone gave up. Unlike behind a
 * barrier nobody sleeps, so that those with a CPU go on at the same time.
 */
static bool meet(unsigned int arrivals)
{
	__atomic_add_fetch(&stage.arrivals, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&stage.arrivals, __ATOMIC_SEQ_CST) < arrivals &&
	       !stopped())
		sched_yield();
	return !stopped();
}

static void race(struct worker *w)
{
	unsigned int arrivals = 0;
	size_t round, i;

	for (round = 0; round < RACES; round++) {
		if (w->id == round % THREADS)
			replace(w, 0, stage.nr);
		arrivals += THREADS;
		if (!meet(arrivals))
			return;
		i = 97 * round;
		if (round / THREADS % 2)
			i += 31 * w->id;
		visit_stage(w, i % stage.nr);
		arrivals += THREADS;
		if (!meet(arrivals))
			return;
	}
}

/* To be the first in 2M without any entry, for the same page or not */
TEST_F(stress, race)
{
	struct team *team = &self->team;
	size_t huge = huge_pages(&team->workers[MAIN]);
	int placement;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		set_stage(_metadata, team, 0, huge, placement);
		start_threads(_metadata, team, NULL, race);
		join_threads(_metadata, team);
	}
	finish(_metadata, team);
}

/* A mapped cell, or nr_cells */
static size_t any_cell(struct worker *w)
{
	size_t at = below(w, w->nr_cells);
	size_t i;

	for (i = 0; i < w->nr_cells; i++, at = (at + 1) % w->nr_cells)
		if (is_mapped(w, at))
			return at;
	return w->nr_cells;
}

static void map_anywhere(struct worker *w)
{
	size_t pages = w->ctx->pages, huge = huge_pages(w);
	size_t first = 0, nr = pages, at;
	int prot = PROT_READ;

	if (one_in(w, 2)) {
		first = below(w, pages);
		nr = 1 + below(w, pages - first);
	}
	at = huge * below(w, (w->nr_cells - nr) / huge);
	if (one_in(w, 2))
		at += first % huge;
	else
		at += below(w, huge);
	if (at + nr > w->nr_cells)
		at = w->nr_cells - nr;
	if (!one_in(w, 4))
		prot |= PROT_WRITE;
	map_cells(w, at, first, nr, prot);
}

static void move_anywhere(struct worker *w, size_t from, size_t nr)
{
	size_t huge = huge_pages(w);
	size_t to = below(w, w->nr_cells - nr + 1);

	if (one_in(w, 2)) {
		to = to / huge * huge + from % huge;
		if (to + nr > w->nr_cells)
			return;
	}
	if (to < from + nr && from < to + nr)
		return;		/* overlaps: EINVAL */
	move_cells(w, from, nr, to);
}

/* Something to a part of one of the VMAs */
static void change_cells(struct worker *w)
{
	static const int prots[] = {
		PROT_NONE,
		PROT_READ,
		PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE,
	};
	static const int hints[] = { MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL };
	size_t huge = huge_pages(w);
	size_t at = any_cell(w), nr;

	if (at == w->nr_cells)
		return;
	/* All of 2M if possible, or some pages */
	if (one_in(w, 3) && vma_cells(w, at / huge * huge) >= huge) {
		at = at / huge * huge;
		nr = huge;
	} else {
		nr = vma_cells(w, at);
		nr = 1 + below(w, one_in(w, 2) ? nr : (nr + 31) / 32);
	}

	switch (below(w, 4)) {
	case 0:
		cut_cells(w, at, nr);
		break;
	case 1:
		protect_cells(w, at, nr, prots[below(w, ARRAY_SIZE(prots))]);
		break;
	case 2:
		move_anywhere(w, at, nr);
		break;
	case 3:
		advise_cells(w, at, nr, hints[below(w, ARRAY_SIZE(hints))]);
		break;
	}
}

static void use_own_mappings(struct worker *w)
{
	int round, change, i;
	size_t at;

	for (round = 0; round < OWN_ROUNDS; round++) {
		clear_cells(w);
		map_anywhere(w);
		if (one_in(w, 2))
			map_anywhere(w);
		if (one_in(w, 2))
			visit_cells(w);
		for (change = 0; change < OWN_CHANGES; change++) {
			change_cells(w);
			for (i = 0; i < 16; i++) {
				at = any_cell(w);
				if (at != w->nr_cells)
					visit_cell(w, at);
			}
		}
		visit_cells(w);
	}
	clear_cells(w);
}

/* Each thread for itself, in one address space and with one buffer */
TEST_F(stress, own_mappings)
{
	start_threads(_metadata, &self->team, NULL, use_own_mappings);
	join_threads(_metadata, &self->team);
	finish(_metadata, &self->team);
}

/* Visit what another thread works on, until it is done. */
static void visit_until_stop(struct worker *w)
{
	do {
		size_t i = below(w, stage.nr), nr = 1 + below(w, 64);

		for (; nr && i < stage.nr; i++, nr--)
			visit_stage(w, i);
		sched_yield();
	} while (!stopped());
}

/* A part of the stage: some pages, or at times 2M or more of them */
static void any_part(struct worker *w, size_t *i, size_t *nr)
{
	*i = below(w, stage.nr);
	*nr = 1 + below(w, one_in(w, 4) ? stage.nr : 16);
	if (*nr > stage.nr - *i)
		*nr = stage.nr - *i;
}

/* What the thread that makes the changes sees is certain. */
static void visit_part(struct worker *w, char *addr, size_t i, size_t nr,
		       bool write)
{
	size_t k = 0;
	int code;

	for (k = 0; k < nr; k += 1 + below(w, 1 + nr / 16)) {
		char *at = addr + k * w->ctx->page_size;

		code = visit(w, at, stage.first + i + k, write);
		if (code)
			give_up(w, "page %zu at %p: si_code %d",
				stage.first + i + k, at, code);
	}
}

static void protect_and_back(struct worker *w, size_t i, size_t nr, int prot)
{
	char *addr = stage.map + i * w->ctx->page_size;
	size_t len = nr * w->ctx->page_size;

	if (mprotect(addr, len, prot))
		give_up(w, "mprotect %d: errno %d", prot, errno);
	if (prot)
		visit_part(w, addr, i, nr, false);
	expect_refusal(w, addr, true, SEGV_ACCERR);
	if (mprotect(addr, len, PROT_READ | PROT_WRITE))
		give_up(w, "mprotect back: errno %d", errno);
}

static void cut_and_back(struct worker *w, size_t i, size_t nr)
{
	char *addr = stage.map + i * w->ctx->page_size;

	if (munmap(addr, nr * w->ctx->page_size))
		give_up(w, "munmap: errno %d", errno);
	expect_refusal(w, addr, false, SEGV_MAPERR);
	replace(w, i, nr);
}

static void move_and_back(struct worker *w, size_t i, size_t nr)
{
	char *addr = stage.map + i * w->ctx->page_size;
	size_t len = nr * w->ctx->page_size;
	char *away = w->arena + ((unsigned long)addr & (SZ_2M - 1));

	if (one_in(w, 2))
		away += w->ctx->page_size;
	/* One VMA, as older kernels want it */
	replace(w, i, nr);
	visit_part(w, addr, i, nr, true);
	if (mremap(addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, away) != away)
		give_up(w, "mremap: errno %d", errno);
	expect_refusal(w, addr, false, SEGV_MAPERR);
	visit_part(w, away, i, nr, true);
	if (mremap(away, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, addr) != addr)
		give_up(w, "mremap back: errno %d", errno);
}

static void change_stage(struct worker *w)
{
	size_t i, nr;
	int change;

	for (change = 0; change < CHANGES && !stopped(); change++) {
		any_part(w, &i, &nr);
		switch (below(w, 5)) {
		case 0:
			replace(w, i, nr);
			break;
		case 1:
			protect_and_back(w, i, nr, PROT_READ);
			break;
		case 2:
			protect_and_back(w, i, nr, PROT_NONE);
			break;
		case 3:
			cut_and_back(w, i, nr);
			break;
		case 4:
			move_and_back(w, i, nr);
			break;
		}
		visit_part(w, stage.map + i * w->ctx->page_size, i, nr, true);
	}
	stop();
}

TEST_F(stress, changed_by_another)
{
	struct team *team = &self->team;
	int placement;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		set_stage(_metadata, team, 0, team->ctx.pages, placement);
		stage.refusals = true;
		start_threads(_metadata, team, change_stage, visit_until_stop);
		join_threads(_metadata, team);
		stage.refusals = false;
		run_alone(_metadata, team, visit_all_of_stage);
	}
	finish(_metadata, team);
}

#define ANY_RESULT	-1

/* mmap_pages.c has the functions that the errors are from. */
static const struct {
	const char *name;
	int advice;
	int error;
} advices[] = {
	{ "MADV_DONTNEED", MADV_DONTNEED, EINVAL },
	{ "MADV_FREE", MADV_FREE, EINVAL },
	{ "MADV_COLD", MADV_COLD, EINVAL },
	{ "MADV_PAGEOUT", MADV_PAGEOUT, EINVAL },
	{ "MADV_POPULATE_READ", MADV_POPULATE_READ, EINVAL },
	{ "MADV_POPULATE_WRITE", MADV_POPULATE_WRITE, EINVAL },
	{ "MADV_GUARD_INSTALL", MADV_GUARD_INSTALL, EINVAL },
	{ "MADV_GUARD_REMOVE", MADV_GUARD_REMOVE, EINVAL },
	{ "MADV_DOFORK", MADV_DOFORK, EINVAL },
	{ "MADV_DODUMP", MADV_DODUMP, EINVAL },
	{ "MADV_REMOVE", MADV_REMOVE, ENODEV },
	{ "MADV_WILLNEED", MADV_WILLNEED, 0 },
	{ "MADV_NORMAL", MADV_NORMAL, 0 },
	{ "MADV_RANDOM", MADV_RANDOM, 0 },
	{ "MADV_SEQUENTIAL", MADV_SEQUENTIAL, 0 },
	/* Not known to a kernel without transparent huge pages */
	{ "MADV_HUGEPAGE", MADV_HUGEPAGE, ANY_RESULT },
	{ "MADV_NOHUGEPAGE", MADV_NOHUGEPAGE, ANY_RESULT },
	{ "MADV_COLLAPSE", MADV_COLLAPSE, ANY_RESULT },
};

static void advise_stage(struct worker *w)
{
	size_t page_size = w->ctx->page_size;
	const int steps = ADVICE_ROUNDS * ARRAY_SIZE(advices);
	int step, error, k;
	size_t i, nr;

	for (step = 0; step < steps && !stopped(); step++) {
		/* Something to fault on, for the others */
		any_part(w, &i, &nr);
		if (one_in(w, 2))
			replace(w, i, nr);
		if (one_in(w, 2))
			any_part(w, &i, &nr);

		k = step % ARRAY_SIZE(advices);
		errno = 0;
		madvise(stage.map + i * page_size, nr * page_size,
			advices[k].advice);
		error = errno;
		if (advices[k].error != ANY_RESULT && advices[k].error != error)
			give_up(w, "%s: errno %d instead of %d",
				advices[k].name, error, advices[k].error);
		visit_part(w, stage.map + i * page_size, i, nr, true);
	}
	stop();
}

/* No advice has an effect on what the others see. */
TEST_F(stress, advised_by_another)
{
	struct team *team = &self->team;
	int placement;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		set_stage(_metadata, team, 0, team->ctx.pages, placement);
		start_threads(_metadata, team, advise_stage, visit_until_stop);
		join_threads(_metadata, team);
		run_alone(_metadata, team, visit_all_of_stage);
	}
	finish(_metadata, team);
}

static void replace_until_stop(struct worker *w)
{
	size_t i, nr;

	do {
		any_part(w, &i, &nr);
		replace(w, i, nr);
		visit_part(w, stage.map + i * w->ctx->page_size, i, nr, true);
	} while (!stopped());
}

/* The only thread of its process: nobody replaces what is cut out here. */
static void visit_in_child(struct worker *w)
{
	size_t page_size = w->ctx->page_size;
	size_t half = stage.nr / 2, i;

	visit_all_of_stage(w);
	if (munmap(stage.map + half * page_size, page_size))
		give_up(w, "munmap: errno %d", errno);
	expect_refusal(w, stage.map + half * page_size, false, SEGV_MAPERR);
	for (i = 0; i < stage.nr; i++)
		if (i != half)
			visit_stage(w, i);
}

static void fork_children(struct __test_metadata *_metadata,
			  struct team *team)
{
	struct worker *children = &team->workers[FIRST_CHILD];
	pid_t pids[CHILDREN];
	int i;

	for (i = 0; i < CHILDREN; i++)
		pids[i] = fork_worker(&team->workers[MAIN], &children[i],
				      visit_in_child);
	for (i = 0; i < CHILDREN; i++) {
		EXPECT_EQ(0, exit_code(pids[i]));
		check_worker(_metadata, &children[i]);
	}
}

TEST_F(stress, forks)
{
	struct team *team = &self->team;
	int placement, i;

	for (placement = 0; placement < PLACEMENTS; placement++) {
		set_stage(_metadata, team, 0, team->ctx.pages, placement);
		start_threads(_metadata, team, replace_until_stop,
			      visit_until_stop);
		for (i = 0; i < FORK_ROUNDS && !stopped(); i++)
			fork_children(_metadata, team);
		stop();
		join_threads(_metadata, team);
	}
	finish(_metadata, team);
}

int main(int argc, char **argv)
{
	const struct exporter *exporters = exporters_wanted(&argc, argv);

	add_exporters(&_stress_fixture_object, exporters, FOR_STRESS);
	return test_harness_run(argc, argv);
}
