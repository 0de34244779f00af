// SPDX-License-Identifier: GPL-2.0-only
/*
 * One WARN for each driver that breaks a rule of dma-buf
 */

#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include "dma-buf-internal.h"

/* A warning that was given, remembered for as long as the kernel runs */
struct dma_buf_warning {
	struct list_head node;
	char *key;
};

static LIST_HEAD(warnings);
static DEFINE_MUTEX(warnings_lock);

/**
 * dma_buf_warn_once - shall there be a WARN about a driver?
 * @rule:	the broken rule, a word that the caller makes up
 * @name:	name of the driver
 * @owner:	name that differs between drivers of the same @name: exp_name is
 *		"drm" for most of DRM, so for exporters this is the module
 *
 * WARN_ONCE() would name only the first driver that breaks a rule. WARN() would
 * be repeated each time that userspace makes the driver break the rule.
 *
 * Context: Process context, may sleep.
 * Return: true the first time for this @rule, @name and @owner.
 */
bool dma_buf_warn_once(const char *rule, const char *name, const char *owner)
{
	/* A copy, because the names may be in a module that is unloaded. */
	char *key __free(kfree) = kasprintf(GFP_KERNEL, "%s\n%s\n%s", rule,
					    name, owner);
	struct dma_buf_warning *w;

	/* Out of memory: a second warning is better than none. */
	if (!key)
		return true;

	guard(mutex)(&warnings_lock);

	list_for_each_entry(w, &warnings, node)
		if (!strcmp(w->key, key))
			return false;

	w = kzalloc_obj(*w);
	if (w) {
		w->key = no_free_ptr(key);
		list_add(&w->node, &warnings);
	}
	return true;
}
