// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that the kernel allocates for a task by kmalloc(), from caches, and as
 * pages, those of vmalloc() excepted
 *
 * A slab that is refilled meanwhile counts, too: of some rounds, the least is
 * the one without.
 */

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "bench.h"

static struct task_struct *counted;
static u64 bytes;

static void on_kmalloc(void *data, unsigned long call_site, const void *ptr,
		       size_t requested, size_t allocated, gfp_t gfp, int node)
{
	/* Larger ones are pages. */
	if (current == counted && ptr && allocated <= KMALLOC_MAX_CACHE_SIZE)
		bytes += allocated;
}

static void on_cache_alloc(void *data, unsigned long call_site, const void *ptr,
			   struct kmem_cache *cache, gfp_t gfp, int node)
{
	if (current == counted && ptr)
		bytes += kmem_cache_size(cache);
}

static void on_page_alloc(void *data, struct page *page, unsigned int order,
			  gfp_t gfp, int migratetype)
{
	if (current == counted && page)
		bytes += PAGE_SIZE << order;
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *tp;
} probes[] = {
	{ "kmalloc", on_kmalloc },
	{ "kmem_cache_alloc", on_cache_alloc },
	{ "mm_page_alloc", on_page_alloc },
};

static void find_tracepoint(struct tracepoint *tp, void *data)
{
	for (int i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

static void unregister(int nr)
{
	while (nr--)
		tracepoint_probe_unregister(probes[nr].tp, probes[nr].probe,
					    NULL);
	tracepoint_synchronize_unregister();
}

/* Those of the calling task, from now on */
int bench_count_start(void)
{
	int ret;

	for_each_kernel_tracepoint(find_tracepoint, NULL);
	for (int i = 0; i < ARRAY_SIZE(probes); i++) {
		ret = probes[i].tp ?
		      tracepoint_probe_register(probes[i].tp, probes[i].probe,
						NULL) : -ENOENT;
		if (ret) {
			unregister(i);
			return ret;
		}
	}
	bytes = 0;
	counted = current;
	return 0;
}

u64 bench_count_so_far(void)
{
	return bytes;
}

void bench_count_stop(void)
{
	counted = NULL;
	unregister(ARRAY_SIZE(probes));
}
