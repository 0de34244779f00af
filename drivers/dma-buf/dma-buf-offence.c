// SPDX-License-Identifier: GPL-2.0-only
/*
 * One WARN for each driver that breaks a rule of dma-buf
 */

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dma-buf-internal.h"

/* One that was warned about, kept for as long as the kernel runs. */
struct offence {
	struct list_head node;
	char names[];		/* rule, name and owner, each with its NUL */
};

static LIST_HEAD(offences);
static DEFINE_MUTEX(offences_lock);

static bool same_offence(const struct offence *o, const char *rule,
			 const char *name, const char *owner)
{
	const char *names = o->names;

	if (strcmp(names, rule))
		return false;
	names += strlen(names) + 1;
	if (strcmp(names, name))
		return false;
	names += strlen(names) + 1;
	return !strcmp(names, owner);
}

/**
 * dma_buf_first_offence - is this the first time that a driver breaks a rule?
 * @rule:	which rule, a word that the caller makes up
 * @name:	the driver
 * @owner:	what tells it from others of that name: exp_name is "drm" for
 *		most of DRM, so for exporters it takes the module
 *
 * WARN_ONCE() would name the first driver that gets something wrong and none
 * after it. Userspace may be able to make a driver do the wrong thing over and
 * over, so each driver is named once.
 *
 * Context: Process context, may sleep.
 * Return: true the first time for this @rule, @name and @owner.
 */
bool dma_buf_first_offence(const char *rule, const char *name,
			   const char *owner)
{
	size_t rule_len = strlen(rule) + 1;
	size_t name_len = strlen(name) + 1;
	size_t owner_len = strlen(owner) + 1;
	struct offence *o;

	guard(mutex)(&offences_lock);

	list_for_each_entry(o, &offences, node)
		if (same_offence(o, rule, name, owner))
			return false;

	/*
	 * The names are copied, as a module may be unloaded. Out of memory?
	 * Better to warn twice than never.
	 */
	o = kmalloc_flex(*o, names, rule_len + name_len + owner_len);
	if (o) {
		memcpy(o->names, rule, rule_len);
		memcpy(o->names + rule_len, name, name_len);
		memcpy(o->names + rule_len + name_len, owner, owner_len);
		list_add(&o->node, &offences);
	}
	return true;
}
