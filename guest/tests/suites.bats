#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# guest/suites against what it refers to.

setup()
{
	guest=$BATS_TEST_DIRNAME/..
	selftests=$guest/../tools/testing/selftests/dma-buf
}

# The kernel tree's runner kills a kselftest after the timeout in settings.
@test "settings allow each of our kselftests as long as the guest does" {
	timeout=$(sed -n 's/^timeout=//p' "$selftests/settings")
	longest=$(sort -k 2,2nr "$guest/suites" | awk '/^kselftest\/dma-buf\// { print $2; exit }')
	echo "guest/suites allows $longest s, $selftests/settings $timeout s"
	[ "$longest" -gt 0 ]
	[ "$timeout" -ge "$longest" ]
}

# A program without a suite would be built and never run.
@test "each of our kselftests is a suite" {
	programs=$(cd "$selftests" && grep -El '^(TEST_HARNESS_MAIN|int main)' ./*.c | sed 's/^..//; s/\.c$//')
	suites=$(sed -n 's/^kselftest\/dma-buf\/\([a-z_0-9]*\)\t.*/\1/p' "$guest/suites")
	[ -n "$suites" ]
	diff <(sort <<<"$programs") <(sort <<<"$suites")
}

# Its report switches lockdep off, and suites after it would run without.
@test "the suite that provokes lockdep is the last one" {
	last=$(grep -Ev '^(#|$)' "$guest/suites" | tail -n 1)
	echo "last: $last"
	[[ $last == kselftest/dma-buf/revoke_lockdep[[:space:]]* ]]
}
