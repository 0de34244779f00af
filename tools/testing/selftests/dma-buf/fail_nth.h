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

/* Why it can't be used here, or NULL */
const char *fail_nth_missing(void);

/*
 * Sets the knobs of debugfs, for any allocation to fail and nothing to be
 * logged, and puts them back. They belong to the whole system.
 */
int fail_nth_setup(void);
void fail_nth_restore(void);

/*
 * CONFIG_DMA_API_DEBUG turns itself off for good when it can't allocate a tree
 * node for what is mapped. If there is that, no tree node fails with @spare.
 */
int fail_nth_spare_trees(bool spare);

/* The file that arms the calling thread, for the functions below */
int fail_nth_open(void);

/* The @nth allocation fails, counted from 1; none does with 0. */
int fail_nth_arm(int fd, unsigned int nth);

/*
 * No allocation fails any more. Returns how many there were to go, and 0 after
 * one that has failed.
 */
int fail_nth_disarm(int fd);

#endif /* SELFTESTS_DMA_BUF_FAIL_NTH_H */
