/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Make one allocation of the calling thread fail: the nth from now on. See
 * Documentation/fault-injection/fault-injection.rst.
 *
 * Nothing here depends on the test harness: functions return 0 or a negative
 * errno, and leave it to the test what to make of that.
 */
#ifndef SELFTESTS_DMA_BUF_FAIL_NTH_H
#define SELFTESTS_DMA_BUF_FAIL_NTH_H

#include <stdbool.h>

#define FAIL_NTH_KNOBS	10

struct fail_nth {
	int fd;
	bool spare_trees;
	/* What was in the knobs of debugfs, "" for one that there isn't */
	char saved[FAIL_NTH_KNOBS][16];
};

/* Why it can't be used here, or NULL */
const char *fail_nth_missing(void);

/*
 * Sets up the knobs, for any allocation to fail and nothing to be logged.
 *
 * CONFIG_DMA_API_DEBUG turns itself off for good when it can't allocate a tree
 * node for what is mapped. So if there is that, and @maps_dma, no tree node
 * fails.
 */
int fail_nth_open(struct fail_nth *f, bool maps_dma);

/* Puts the knobs back */
void fail_nth_close(struct fail_nth *f);

/* The @nth allocation fails, counted from 1. */
int fail_nth_arm(struct fail_nth *f, unsigned int nth);

/* No allocation fails any more. Returns 1 if one did, or 0. */
int fail_nth_disarm(struct fail_nth *f);

#endif /* SELFTESTS_DMA_BUF_FAIL_NTH_H */
