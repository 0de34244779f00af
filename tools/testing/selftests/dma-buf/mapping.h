/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memory mapping, as the process that has it sees it: its content, the page
 * faults that it takes, and what /proc tells. Nothing depends on the test
 * harness.
 */
#ifndef SELFTESTS_DMA_BUF_MAPPING_H
#define SELFTESTS_DMA_BUF_MAPPING_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Content */

/* Two contents that have no page in common */
#define SEED		0x10000ULL
#define OTHER_SEED	0x20000ULL

/* The word that page @page of a content begins, and ends, with */
__u64 page_mark(__u64 seed, size_t page);

/* @addr shows page @first of the buffer, and the @nr - 1 that follow. */
void fill(char *addr, size_t first, size_t nr, __u64 seed);

/* Index of the first page that is not as fill() left it, or -1 */
long wrong_page(const char *addr, size_t first, size_t nr, __u64 seed);

bool all_bytes(const char *addr, size_t len, char byte);

/* Access */

/* A write access to every page that changes nothing */
void touch(char *addr, size_t len);

/* How many page faults it takes to touch all of it */
long faults_of_touch(char *addr, size_t len);

/* One load, or a store if @write: 0, or the si_code of a SIGSEGV at @addr */
int access_fault(char *addr, bool write);

/* A child with the same mappings, stopped for ptrace; or a negative errno */
pid_t traced_child(void);

/* Does one load, or a store if @write, get a SIGBUS at @addr? */
bool gets_sigbus(char *addr, bool write);

/* What /proc tells */

int count_fds(void);

/* A hash of /proc/self/maps, without the lines that change by themselves */
__u64 address_space(void);

/* How many mappings are there of a file whose path has @needle in it? */
int count_mappings(const char *needle);

struct smaps {
	long rss;		/* kB */
	long locked;		/* kB */
	char flags[256];	/* two letters and a space each */
};

bool read_smaps(const void *addr, struct smaps *smaps);
bool has_flag(const struct smaps *smaps, const char *flag);

/* VmLck of /proc/self/status, in kB */
long locked_kb(void);

/* Exit code of a child, or -1 if it did not come to one */
int exit_code(pid_t pid);

#endif /* SELFTESTS_DMA_BUF_MAPPING_H */
