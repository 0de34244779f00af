#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Failures that guest/verdict/verdict must notice. setup() makes the logs of a good
# run. Each test breaks one thing in them and expects exactly the failure that
# follows.
#
#	AWK=gawk bats guest/verdict/tests/verdict.bats	# with another awk

setup()
{
	verdict=$BATS_TEST_DIRNAME/../verdict
	d=$BATS_TEST_TMPDIR/run
	mkdir -p "$d"
	echo 0 > "$d/qemu.status"
	printf '%s\n' kselftest/dma-buf/mmap kunit/dma-buf-mmap > "$d/expected"
	cat > "$d/console.log" <<-'END'
	SeaBIOS (version 1.16)
	[    0.000000] Linux version 7.3.4 (builder) #1 SMP PREEMPT_DYNAMIC
	[    0.000000] Command line: console=ttyS0 ignore_loglevel
	[    0.031000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!
	[    0.040000] kasan: KernelAddressSanitizer initialized (generic)
	[    0.050000] ODEBUG: selftest passed
	[    0.060000] DMA-API: debugging enabled by kernel config
	[    0.061000] page_table_check: enabled
	[    1.100000] rcu: Hierarchical SRCU implementation.
	a test says something[    1.200000] Run /init as init process
	[    1.300000] traps: mmap[77] general protection fault ip:401000 sp:7ffc0 error:0 in mmap[401000+90000]
	[    1.400000] FAULT_INJECTION: forcing a failure.
	[    1.400010] Call Trace:
	[    1.400020]  <TASK>
	[    1.400030]  dump_stack_lvl+0x53/0x70
	[    1.400040]  </TASK>
	[    2.500000] reboot: Power down
	END
	tap_kselftest > "$d/tap.log"
	tap_kunit >> "$d/tap.log"
	echo "@@ done" >> "$d/tap.log"
	: > "$d/known"
}

tap_kselftest()
{
	cat <<-'END'
	@@ begin kselftest/dma-buf/mmap
	TAP version 13
	1..3
	# Starting 3 tests from 2 test cases.
	#  RUN           mmap.system_heap.gup_fast ...
	#            OK  mmap.system_heap.gup_fast
	ok 1 mmap.system_heap.gup_fast
	#  RUN           mmap.cma_heap.gup_fast ...
	#      SKIP      no CMA heap here
	#            OK  mmap.cma_heap.gup_fast
	ok 2 mmap.cma_heap.gup_fast # SKIP no CMA heap here
	ok 3 - global.fork
	# PASSED: 3 / 3 tests passed.
	# 1 skipped test(s) detected. Consider enabling relevant config options to improve coverage.
	# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:1 error:0

	@@ end kselftest/dma-buf/mmap status=0 seconds=1.25
	END
}

# The format of /sys/kernel/debug/kunit/*/results. The parameters of a generator
# have no plan.
tap_kunit()
{
	cat <<-'END'
	@@ begin kunit/dma-buf-mmap
	KTAP version 1
	1..1
	    KTAP version 1
	    # Subtest: dma-buf-mmap
	    # module: dma_buf_mmap_test
	    1..3
	        KTAP version 1
	        # Subtest: pfnmap_by_remap
	        1..2
	        ok 1 param1
	        ok 2 two 4k pages
	    # pfnmap_by_remap: pass:2 fail:0 skip:0 total:2
	    ok 1 pfnmap_by_remap
	        KTAP version 1
	        # Subtest: generated
	        ok 1 first
	        ok 2 second # SKIP needs a PMD
	    # generated: pass:1 fail:0 skip:1 total:2
	    ok 2 generated
	    ok 3 refuses_cow
	# dma-buf-mmap: pass:3 fail:0 skip:0 total:3
	# Totals: pass:4 fail:0 skip:1 total:5
	ok 1 dma-buf-mmap
	@@ end kunit/dma-buf-mmap status=0 seconds=0
	END
}

judge()
{
	run "$verdict" --known "$d/known" "$@" "$d"
}

# has REGEX: some line of the output matches.
has()
{
	grep -Eq -- "$1" <<<"$output" && return
	echo "no line matches: $1"
	echo "$output"
	return 1
}

hasnt()
{
	grep -Eq -- "$1" <<<"$output" || return 0
	echo "a line matches: $1"
	echo "$output"
	return 1
}

last_is()
{
	[ "${lines[-1]}" = "$1" ] && return
	echo "wanted as last line: $1"
	echo "$output"
	return 1
}

# one_failure REGEX: there is exactly one failure, and a line matches.
one_failure()
{
	[ "$status" -eq 1 ] || { echo "status $status"; echo "$output"; return 1; }
	has "$1" || return
	grep -Eq ' passed, 1 failed' <<<"${lines[-1]}" && return
	echo "not one failure"
	echo "$output"
	return 1
}

# Add stdin to the console, before the power-off.
console()
{
	sed -i '/Power down/d' "$d/console.log"
	cat >> "$d/console.log"
	echo "[   99.500000] reboot: Power down" >> "$d/console.log"
}

# suite [STATUS]: add a third suite, whose TAP is stdin.
suite()
{
	local status=${1:-0}

	echo s >> "$d/expected"
	sed -i '/^@@ done/d' "$d/tap.log"
	{
		echo "@@ begin s"
		cat
		echo "@@ end s status=$status seconds=2"
		echo "@@ done"
	} >> "$d/tap.log"
}

a_warn()
{
	cat <<-'END'
	[    3.000000] ------------[ cut here ]------------
	[    3.000001] dma-buf: lying exporter: empty range
	[    3.000002] WARNING: drivers/dma-buf/dma-buf-pfn.c:77 at dma_buf_pfn_query+0x1f/0x40 [dma_buf_test], CPU#1: pfn/123
	[    3.000003] Modules linked in:
	[    3.000004] CPU: 1 UID: 0 PID: 123 Comm: pfn Not tainted 7.3.4 #1 PREEMPT(full)
	[    3.000005] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009)
	[    3.000006] RIP: 0010:dma_buf_pfn_query+0x1f/0x40
	[    3.000007] Call Trace:
	[    3.000008]  <TASK>
	[    3.000009]  do_syscall_64+0x9e/0x1a0
	[    3.000010]  </TASK>
	[    3.000011] irq event stamp: 1234
	[    3.000012] ---[ end trace 0000000000000000 ]---
	END
}

a_lockdep()
{
	cat <<-'END'
	[    3.100000] 
	[    3.100001] ======================================================
	[    3.100002] WARNING: possible circular locking dependency detected
	[    3.100003] 7.3.4 #1 Not tainted
	[    3.100004] ------------------------------------------------------
	[    3.100005] mmap/88 is trying to acquire lock:
	[    3.100006] ffff888004f3a0a8 (reservation_ww_class_mutex){+.+.}-{4:4}, at: dma_buf_fault+0x30/0x90
	[    3.100007] 
	[    3.100007] but task is already holding lock:
	[    3.100008] ffff888004e0b6d8 (&mm->mmap_lock){++++}-{4:4}, at: do_user_addr_fault+0x17c/0x590
	[    3.100009] which lock already depends on the new lock.
	[    3.100010] the existing dependency chain (in reverse order) is:
	[    3.100011] -> #1 (&mm->mmap_lock){++++}-{4:4}:
	[    3.100012]        lock_acquire+0xc5/0x2e0
	[    3.100013]  *** DEADLOCK ***
	[    3.100014] stack backtrace:
	[    3.100015] Call Trace:
	[    3.100016]  <TASK>
	[    3.100017]  print_circular_bug.cold+0x178/0x1be
	[    3.100018]  </TASK>
	END
}

a_kasan()
{
	cat <<-'END'
	[    3.200000] ==================================================================
	[    3.200001] BUG: KASAN: slab-use-after-free in dma_buf_revoke+0x4d/0x120
	[    3.200002] Read of size 8 at addr ffff888005a1c018 by task revoke/91
	[    3.200003] 
	[    3.200004] CPU: 0 UID: 0 PID: 91 Comm: revoke Not tainted 7.3.4 #1 PREEMPT(full)
	[    3.200005] Call Trace:
	[    3.200006]  <TASK>
	[    3.200007]  print_report+0xd1/0x650
	[    3.200008]  </TASK>
	[    3.200009] Allocated by task 91:
	[    3.200010]  __kmalloc_noprof+0x1a0/0x4c0
	[    3.200011] The buggy address belongs to the object at ffff888005a1c000
	[    3.200011]  which belongs to the cache kmalloc-64 of size 64
	[    3.200012] Memory state around the buggy address:
	[    3.200013] >ffff888005a1c000: fa fb fb fb fb fb fb fb fc fc fc fc fc fc fc fc
	[    3.200014] ==================================================================
	[    3.200015] Disabling lock debugging due to kernel taint
	END
}

@test "the good path passes, with each number right" {
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
	has '^kselftest/dma-buf/mmap +2 +0 +1 +0 +1\.25$'
	has '^kunit/dma-buf-mmap +4 +0 +1 +0 +0$'
	has 'skip +kselftest/dma-buf/mmap:mmap\.cma_heap\.gup_fast  no CMA heap here'
	has 'skip +kunit/dma-buf-mmap:dma-buf-mmap/generated/second  needs a PMD'
	hasnt 'Failures:|Splats'
}

@test "no skips: the last line does not mention them" {
	sed -i 's/ # SKIP.*//' "$d/tap.log"
	judge
	[ "$status" -eq 0 ]
	last_is "8 passed, 0 failed"
}

@test "CRLF everywhere changes nothing" {
	sed -i 's/$/\r/' "$d"/*.log "$d/expected" "$d/qemu.status"
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
}

@test "noise between the lines changes nothing" {
	sed -i '/^ok 3\|^    ok 3/i some text\nok, fine\n    indented text\n1. a list\n@@ -1,2 +1,2 @@\n# a remark' "$d/tap.log"
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
}

@test "a plan at the end is a plan" {
	suite <<< $'ok 1 a\nok 2 b\n1..2'
	judge
	last_is "8 passed, 0 failed, 2 skipped"
}

@test "XFAIL counts as skipped, with its reason" {
	suite <<< $'1..2\nok 1 a # XFAIL upstream says so\nok 2 b # XFAIL unknown'
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 4 skipped"
	has 's:a  XFAIL: upstream says so'
	has 's:b  XFAIL: the test itself expects to fail'
}

@test "a suite that must not skip fails if it does" {
	suite <<< $'1..2\nok 1 a # SKIP no device\nok 2 b'
	judge --no-skip '^s$'
	one_failure 's:a.*'
	has 'skipped \(no device\), which this suite must not do here'
	judge --no-skip '^other$'
	[ "$status" -eq 0 ]
}

@test "QEMU's last words are shown when it fails" {
	echo 1 >"$d/qemu.status"
	echo 'qemu: cannot allocate memory' >"$d/qemu.log"
	judge
	has 'cannot allocate memory'
}

@test "XPASS fails: the test expects what is no longer so" {
	suite <<< $'1..2\nok 1 a # XPASS\nok 2 b'
	judge
	one_failure 's:a.*'
	has 'XPASS: it passes now'
}

@test "not ok fails, with the diagnostics before it" {
	suite 1 <<< $'1..2\n# of the first case\nok 1 a\n#  RUN           b ...\n# mmap.c:33:b:Expected 1 (1) == 2 (2)\nno hash here\nnot ok 2 b'
	judge
	one_failure '^  s:b$'
	has '^    # mmap\.c:33:b:Expected 1'
	has '^    no hash here'
	hasnt 'of the first case|RUN'
}

@test "at most 15 lines of diagnostics" {
	suite 1 < <(echo 1..1; seq -f '# line %g.' 1 20; echo not ok 1 a)
	judge
	one_failure '# line 20\.'
	has '# line 6\.'
	hasnt '# line 5\.'
}

@test "not ok is not excused by a directive" {
	suite 1 <<< $'1..3\nnot ok 1 a # SKIP because\nnot ok 2 b # TODO later\nnot ok 3 c # TIMEOUT 45 seconds'
	judge
	last_is "6 passed, 3 failed, 2 skipped"
	has 's:c  \(TIMEOUT 45 seconds\)'
}

@test "not ok without a number is seen" {
	suite 1 <<< $'1..1\nok 1 a\nnot ok'
	judge
	one_failure 's: a result without a number'
}

@test "a suite that never began" {
	echo kselftest/mm/pfnmap >> "$d/expected"
	judge
	one_failure 'kselftest/mm/pfnmap: was expected and never began'
}

@test "a suite that never ended, by the end of the log, the next suite or done" {
	sed -i '/^ok 3 - global/,$d' "$d/tap.log"
	sed -i '/kunit/d' "$d/expected"
	judge
	has 'mmap: began and never ended \(2 of 3 results came\)'
	last_is "1 passed, 2 failed, 1 skipped"		# and no @@ done
	echo "@@ done" >> "$d/tap.log"
	judge
	one_failure 'began and never ended'

	setup
	sed -i '/^@@ end kselftest/d' "$d/tap.log"
	judge
	one_failure 'kselftest/dma-buf/mmap: began and never ended'
	last_is "6 passed, 1 failed, 2 skipped"
}

@test "a suite that began twice" {
	sed -i '/^@@ done/d' "$d/tap.log"
	{ tap_kunit; echo "@@ done"; } >> "$d/tap.log"
	judge
	one_failure 'reported twice'
}

@test "a suite that nobody expected is counted and noted" {
	sed -i '/kunit/d' "$d/expected"
	judge
	[ "$status" -eq 0 ]
	has 'kunit/dma-buf-mmap reported though nobody expected it'
	last_is "6 passed, 0 failed, 2 skipped"
}

@test "framing that cannot be read" {
	local bad
	for bad in 's/ seconds=1.25//' 's/status=0 seconds=1.25/status= seconds=1/' \
		   's/end kselftest.*mmap/end other/'; do
		setup
		sed -i "$bad" "$d/tap.log"
		judge
		[ "$status" -eq 1 ]
		has 'cannot be read|was ended as other'
	done
	setup
	sed -i '1d' "$d/tap.log"
	judge
	has 'an end without a begin'
	has 'a result outside of any suite'
}

@test "non-zero status though all cases passed" {
	suite 1 <<< $'1..1\nok 1 a'
	judge
	one_failure 's: ended with status 1 though no case failed'
}

@test "a failed case explains the status, a signal or a timeout never is" {
	suite 1 <<< $'1..1\nnot ok 1 a'
	judge
	one_failure 's:a'
	hasnt 'ended with'
	sed -i 's/status=1/status=139/' "$d/tap.log"
	judge
	has 's: ended with status 139 \(signal 11\)'
	last_is "6 passed, 2 failed, 2 skipped"
	sed -i 's/status=139/status=124/' "$d/tap.log"
	judge
	has 's: ended with status 124 \(timeout\)'
}

@test "status 4 wants a reason in the TAP" {
	suite 4 <<< '1..0 # SKIP no /dev/udmabuf'
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 3 skipped"
	has 's:\(whole suite\)  no /dev/udmabuf'

	setup
	suite 4 <<< $'1..1\nok 1 # SKIP no heap'
	judge
	[ "$status" -eq 0 ]
	has 's:1  no heap'

	setup
	suite 4 <<< '1..0 # SKIP'
	judge
	one_failure 'SKIP without a reason'

	setup
	suite 4 <<< $'1..1\nok 1 a'
	judge
	one_failure 'status 4 \(skip\), and TAP gives no reason'
}

@test "no plan line" {
	suite <<< $'TAP version 13\nok 1 a'
	judge
	one_failure 's: no plan line'
}

@test "nothing of TAP" {
	suite <<< "Segmentation fault"
	judge
	has 's: no plan line: nothing of TAP'
	has '    Segmentation fault'
	has 's: no test case ran'
	[ "$status" -eq 1 ]
}

@test "two plan lines" {
	suite <<< $'1..1\n1..1\nok 1 a'
	judge
	one_failure 'a second plan line'
}

@test "fewer or more results than the plan" {
	suite <<< $'1..3\nok 1 a'
	judge
	one_failure 's: plan says 3 results, 1 came'
	setup
	suite <<< $'1..1\nok 1 a\nok 2 b'
	judge
	one_failure 's: plan says 1 results, 2 came'
}

@test "fewer or more results than the plan, deeper" {
	sed -i 's/^    1\.\.3/    1..4/' "$d/tap.log"
	judge
	one_failure 'kunit/dma-buf-mmap: dma-buf-mmap: plan says 4 results, 3 came'
	setup
	sed -i 's/^        1\.\.2/        1..1/' "$d/tap.log"
	judge
	one_failure 'dma-buf-mmap/pfnmap_by_remap: plan says 1 results, 2 came'
}

@test "a lost parameter shows in KUnit's own totals" {
	sed -i '/ok 2 second/d' "$d/tap.log"
	judge
	one_failure 'dma-buf-mmap/generated: plan says 2 results, 1 came'
}

@test "numbers that repeat, jump or go back" {
	suite <<< $'1..3\nok 1 a\nok 1 b\nok 2 c'
	judge
	one_failure 'result "b" has number 1 where 2 was due'
	setup
	suite <<< $'1..2\nok 1 a\nok 3 b'
	judge
	one_failure 'result "b" has number 3 where 2 was due'
	setup
	sed -i 's/^        ok 2 two/        ok 7 two/' "$d/tap.log"
	judge
	one_failure 'pfnmap_by_remap: result "two 4k pages" has number 7'
}

@test "Bail out! is one failure, not four" {
	suite 1 <<< $'TAP version 13\nBail out! cannot open the heap'
	judge
	one_failure 's: Bail out! cannot open the heap'
}

@test "a SKIP without a reason" {
	local reason
	for reason in '# SKIP' '# SKIP ' '# skip' '# SKIP unknown'; do
		setup
		suite <<< $'1..2\nok 1 a '"$reason"$'\nok 2 b'
		judge
		one_failure 's:a  \(SKIP without a reason\)'
	done
}

@test "the parent of skipped subtests needs no reason of its own" {
	suite <<< $'1..1\n    1..1\n    ok 1 a # SKIP no MMU\nok 1 p # SKIP '
	judge
	[ "$status" -eq 0 ]
	has 's:p/a  no MMU'
}

@test "zero test cases" {
	suite <<< '1..0'
	judge
	one_failure 's: no test case ran'
}

@test "a failed subtest summarised as ok" {
	suite 1 <<< $'1..1\n    # Subtest: p\n    1..2\n    ok 1 a\n    not ok 2 b\nok 1 p'
	judge
	has 's: p is summarised as ok though 1 of its subtests failed'
	has '^  s:p/b$'
	last_is "7 passed, 2 failed, 2 skipped"
}

@test "a failed subtest is one failure, however deep" {
	suite 1 <<< $'1..1\n    # Subtest: p\n    1..1\n        # Subtest: q\n        1..2\n        ok 1 x\n        # q: EXPECTATION FAILED at t.c:9\n        not ok 2 y\n    not ok 1 q\nnot ok 1 p'
	judge
	one_failure '^  s:p/q/y$'
	has 'EXPECTATION FAILED'
	last_is "7 passed, 1 failed, 2 skipped"
}

@test "a parent that fails alone is one failure" {
	suite 1 <<< $'1..1\n    # Subtest: p\n    1..1\n    ok 1 a\nnot ok 1 p'
	judge
	one_failure 's:p  \(failed as a whole'
}

@test "subtests that nobody summarised" {
	suite <<< $'1..1\nok 1 a\n    # Subtest: p\n    1..1\n    ok 1 x'
	judge
	one_failure 'p: the subtests were never summarised'
	setup
	suite <<< $'1..1\n    # Subtest: p\n    1..1\n    ok 1 x\n    # Subtest: q\n    1..1\n    ok 1 y\nok 1 q'
	judge
	one_failure 'p: the subtests were never summarised'
}

@test "indentation by two blanks, names only from the parents" {
	suite <<< $'KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n    KTAP version 1\n    1..1\n    ok 1 x # SKIP why\n  ok 1 q\n  ok 2 r\nok 1 p'
	judge
	[ "$status" -eq 0 ]
	has 's:p/q/x  why'
}

@test "missing @@ done, and something after it" {
	sed -i '/^@@ done/d' "$d/tap.log"
	judge
	one_failure 'guest: the guest never said @@ done'
	printf '@@ done\n\n' >> "$d/tap.log"
	judge
	[ "$status" -eq 0 ]
	echo late >> "$d/tap.log"
	judge
	one_failure 'something came after @@ done: late'
}

@test "a hang shows the last 30 lines of the console" {
	seq 1 40 | sed 's/.*/[   10.000000] tick number &./' | console
	echo "killed after 600 seconds" > "$d/hang"
	judge
	one_failure 'guest: the guest hung: killed after 600 seconds'
	has '^    .*tick number 40\.'
	has 'tick number 12\.'
	hasnt 'tick number 11\.'
	: > "$d/hang"
	judge
	one_failure 'the guest hung'
}

@test "how QEMU ended" {
	echo 137 > "$d/qemu.status"
	judge
	one_failure 'QEMU ended with status 137'
	echo nonsense > "$d/qemu.status"
	judge
	one_failure 'qemu.status cannot be read'
	rm "$d/qemu.status"
	judge
	one_failure 'qemu.status is missing'
}

@test "a console that is missing, empty or of no kernel" {
	echo "only the firmware spoke" > "$d/console.log"
	judge
	one_failure 'no kernel line with a time stamp'
	: > "$d/console.log"
	judge
	one_failure 'console.log is missing or empty'
	rm "$d/console.log"
	judge
	one_failure 'console.log is missing or empty'
}

@test "a console that lost messages" {
	console <<< '** 12 printk messages dropped **'
	judge
	one_failure 'the console lost messages'
}

@test "a TAP log or a list of suites that is missing" {
	rm "$d/tap.log"
	judge
	[ "$status" -eq 1 ]
	has 'tap.log is missing'
	has 'kselftest/dma-buf/mmap: was expected and never began'
	setup
	rm "$d/expected"
	judge
	one_failure 'list of expected suites is missing'
	echo "# nothing" > "$d/expected"
	judge
	one_failure 'list of expected suites is empty'
	rm -r "$d"
	run "$verdict" --junit "$BATS_TEST_TMPDIR/j" "$d"
	one_failure 'is not a directory'
}

@test "a deny list that is missing, empty, broken or not portable" {
	judge --deny "$d/none"
	one_failure 'deny list is missing'
	echo "# nothing" > "$d/deny"
	judge --deny "$d/deny"
	one_failure 'deny list is empty'
	echo "(" > "$d/deny"
	judge --deny "$d/deny"
	one_failure 'console scan broke down'
	printf '%s\n' '^BUG' 'x{2}' > "$d/deny"
	judge --deny "$d/deny"
	one_failure 'only plain POSIX'
	printf '%s\n' '^BUG' 'x\w' > "$d/deny"
	judge --deny "$d/deny"
	one_failure 'only plain POSIX'
}

@test "known failures" {
	echo "s:b*  the base has no revoke" > "$d/known"
	suite 1 <<< $'1..2\nok 1 a\n# why it failed\nnot ok 2 bad'
	judge
	[ "$status" -eq 0 ]
	last_is "7 passed, 0 failed, 3 skipped"
	has '^s +1 +0 +0 +1 +2$'
	has 'known  s:bad  the base has no revoke'
}

@test "a known failure deep in KUnit, its name with blanks" {
	printf 'kunit/dma-buf-mmap:*/two 4k pages\tsays the base\n' > "$d/known"
	sed -i 's/ok 2 two/not &/; s/^    ok 1 pfn/    not ok 1 pfn/; s/^ok 1 dma/not &/' "$d/tap.log"
	judge
	[ "$status" -eq 0 ]
	last_is "5 passed, 0 failed, 3 skipped"
	has 'known  kunit/dma-buf-mmap:dma-buf-mmap/pfnmap_by_remap/two 4k pages  says the base'
}

@test "a known failure that passes, and one that does not report" {
	echo "s:a  was broken" > "$d/known"
	suite <<< $'1..1\nok 1 a'
	judge
	one_failure "s:a passes now: remove it from $d/known \\(a\\)"
	echo "s:gone  was broken" > "$d/known"
	judge
	one_failure "s:gone did not report, but is listed in $d/known"
}

@test "known failures of suites that were not asked for are ignored" {
	echo "other:*  not here" > "$d/known"
	judge
	[ "$status" -eq 0 ]
}

@test "known failures need a reason and a name, and dots are dots" {
	echo "s:a" > "$d/known"
	judge
	one_failure 'known failure without a reason: s:a'
	echo "nonsense  why" > "$d/known"
	judge
	one_failure 'not SUITE:CASE'
	echo "s:a.b  why" > "$d/known"
	suite 1 <<< $'1..1\nnot ok 1 aXb'
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	run "$verdict" --known "$d/none" "$d"
	has 'list of known failures is missing'
}

@test "a WARN is one splat, and is shown" {
	a_warn | console
	judge
	one_failure 'guest: WARNING: drivers/dma-buf/dma-buf-pfn.c:77 at dma_buf_pfn_query'
	has '^    \[    3\.000001\] dma-buf: lying exporter: empty range'
	hasnt 'reboot: Power'
	last_is "6 passed, 1 failed, 2 skipped"
}

@test "a WARN with CRs, and after unfinished text of userspace" {
	a_warn | sed 's/$/\r/' | console
	judge
	one_failure 'guest: WARNING: drivers'
	setup
	a_warn | sed '/cut here/d; /lying/d; s/^\[.*WARNING/some progress...&/' | console
	judge
	one_failure 'guest: WARNING: drivers'
	setup
	a_warn | sed '/cut here/d; /lying/d; s/^\[.*WARNING/10%\r&/' | console
	judge
	one_failure 'guest: WARNING: drivers'
}

@test "two WARNs are two splats, even in the same moment" {
	{ a_warn; a_warn; } | console
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	setup
	{ a_warn | sed '/end trace/d'; a_warn; } | console
	judge
	last_is "6 passed, 2 failed, 2 skipped"
}

@test "a WARN that the console driver began anew is one splat" {
	a_warn | sed 's/^\(.*WARNING: drivers\)\(.*\)/\1\n** replaying previous printk message **\n\1\2/' | console
	judge
	one_failure 'guest: WARNING: drivers'
}

@test "a splat is cut at 40 lines" {
	{
		a_warn | sed '/TASK>/d; /end trace/d'
		seq -f '[    3.000100]  frame_%g+0x1/0x2' 1 50
		echo '[    3.000200] ---[ end trace 0000000000000000 ]---'
	} | console
	judge
	one_failure 'more lines in console.log'
	has 'frame_30\+'
	hasnt 'frame_40\+'
}

@test "lockdep is one splat" {
	a_lockdep | console
	judge
	one_failure 'guest: WARNING: possible circular locking dependency detected'
	has 'mmap/88 is trying to acquire lock'
}

@test "KASAN is one splat, and ends where it says" {
	{ a_kasan; echo '[    3.200016] refcount_t: underflow; use-after-free.'; } | console
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	has 'guest: BUG: KASAN: slab-use-after-free in dma_buf_revoke'
	has 'guest: refcount_t: underflow'
	has 'belongs to the cache kmalloc-64'
	hasnt 'Disabling lock debugging'
}

@test "an oops is one splat, the panic after it another" {
	console <<-'END'
	[    4.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008
	[    4.000001] #PF: supervisor read access in kernel mode
	[    4.000002] #PF: error_code(0x0000) - not-present page
	[    4.000003] PGD 0 P4D 0
	[    4.000004] Oops: Oops: 0000 [#1] SMP KASAN PTI
	[    4.000005] CPU: 0 UID: 0 PID: 80 Comm: attach Not tainted 7.3.4 #1 PREEMPT(full)
	[    4.000006] RIP: 0010:dma_buf_attach+0x10/0x90
	[    4.000007] Call Trace:
	[    4.000008]  <TASK>
	[    4.000009]  ksys_ioctl+0x1/0x2
	[    4.000010]  </TASK>
	[    4.000011] Modules linked in:
	[    4.000012] ---[ end trace 0000000000000000 ]---
	[    4.000013] RIP: 0010:dma_buf_attach+0x10/0x90
	END
	judge
	one_failure 'guest: BUG: kernel NULL pointer dereference'
	console <<-'END'
	[    4.000020] Kernel panic - not syncing: Fatal exception
	[    4.000021] Kernel Offset: disabled
	[    4.000022] ---[ end Kernel panic - not syncing: Fatal exception ]---
	END
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	has 'guest: Kernel panic'
}

@test "a general protection fault and a page_table_check BUG are one splat each" {
	console <<-'END'
	[    4.000004] Oops: general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] SMP KASAN PTI
	[    4.000005] KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]
	[    4.000007] Call Trace:
	[    4.000008]  <TASK>
	[    4.000010]  </TASK>
	[    4.000012] ---[ end trace 0000000000000000 ]---
	[    4.100000] ------------[ cut here ]------------
	[    4.100001] kernel BUG at mm/page_table_check.c:120!
	[    4.100002] Oops: invalid opcode: 0000 [#2] SMP KASAN PTI
	[    4.100003] RIP: 0010:page_table_check_set+0x1a2/0x1f0
	[    4.100004] ---[ end trace 0000000000000000 ]---
	END
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	has 'guest: Oops: general protection fault'
	has 'guest: kernel BUG at mm/page_table_check.c:120!'
}

@test "bad page state and bad page map are one splat each" {
	console <<-'END'
	[    5.000000] BUG: Bad page state in process mmap  pfn:05a1c
	[    5.000001] page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x5a1c
	[    5.000002] flags: 0x80000000000000(zone=1)
	[    5.000003] page dumped because: nonzero mapcount
	[    5.000004] Modules linked in:
	[    5.000005] Call Trace:
	[    5.000006]  <TASK>
	[    5.000007]  bad_page+0x70/0x110
	[    5.000008]  </TASK>
	[    5.000009] Disabling lock debugging due to kernel taint
	[    5.000100] BUG: Bad page map in process mmap  pte:80000000fd000237
	[    5.000101] pgd:4e1a067 p4d:4e1a067 pud:4e1b067 pmd:4e1c067
	[    5.000102] addr:00007f0000000000 vm_flags:0c0444fb anon_vma:0000000000000000 mapping:ffff888004cb7b58 index:0
	[    5.000103] file:dmabuf fault:dma_buf_fault mmap:dma_buf_mmap_internal mmap_prepare: 0x0 read_folio:0x0
	[    5.000104] Call Trace:
	[    5.000105]  <TASK>
	[    5.000106]  </TASK>
	END
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	has 'guest: BUG: Bad page state in process mmap'
	has 'guest: BUG: Bad page map in process mmap'
}

@test "an RCU stall with traces of two CPUs is one splat" {
	console <<-'END'
	[   60.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
	[   60.000001] rcu: 	1-...!: (0 ticks this GP) idle=8e84/0/0x1 softirq=101/101 fqs=0 (false positive?)
	[   60.000002] rcu: 	(detected by 0, t=21002 jiffies, g=-455, q=55 ncpus=2)
	[   60.000003] Sending NMI from CPU 0 to CPUs 1:
	[   60.000005]  <TASK>
	[   60.000006]  </TASK>
	[   60.000007] rcu: rcu_preempt kthread starved for 21002 jiffies! g-455 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1
	[   60.000008] rcu: 	Unless rcu_preempt kthread gets sufficient CPU time, OOM is now expected behavior.
	[   60.000009] rcu: RCU grace-period kthread stack dump:
	[   60.000010]  <TASK>
	[   60.000011]  </TASK>
	END
	judge
	one_failure 'guest: rcu: INFO: rcu_preempt detected stalls'
}

@test "slab, list and refcount reports with the WARN behind them are one splat each" {
	console <<-'END'
	[    6.000000] [Poison overwritten] 0xffff888005a1c018-0xffff888005a1c018 @offset=24. First byte 0x6a instead of 0x6b
	[    6.000001] =============================================================================
	[    6.000002] BUG kmalloc-64 (Not tainted): Object corrupt
	[    6.000003] -----------------------------------------------------------------------------
	[    6.000004] Object   ffff888005a1c000: 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b  kkkkkkkkkkkkkkkk
	[    6.000005] ------------[ cut here ]------------
	[    6.000006] WARNING: mm/slub.c:1257 at object_err+0x40/0x60, CPU#0: kworker/0:1/9
	[    6.000007] Call Trace:
	[    6.000008]  <TASK>
	[    6.000009]  </TASK>
	[    6.000010] ---[ end trace 0000000000000000 ]---
	[    6.100000] ------------[ cut here ]------------
	[    6.100001] refcount_t: underflow; use-after-free.
	[    6.100002] WARNING: lib/refcount.c:28 at refcount_warn_saturate+0xba/0x110, CPU#0: t/9
	[    6.100003] ---[ end trace 0000000000000000 ]---
	[    6.200000] list_del corruption, ffff888005a1c018->next is LIST_POISON1 (dead000000000100)
	[    6.200001] ------------[ cut here ]------------
	[    6.200002] kernel BUG at lib/list_debug.c:58!
	[    6.200003] Oops: invalid opcode: 0000 [#1] SMP
	[    6.200004] ---[ end trace 0000000000000000 ]---
	END
	judge
	last_is "6 passed, 3 failed, 2 skipped"
}

@test "each other line of the kernel that must be noticed is" {
	local line at=100 n=0
	local -a said

	# With pauses, so that none is taken for a part of the report before.
	while IFS= read -r line; do
		said+=("$line")
		echo "[  $at.000000] $line" >> "$d/console.log"
		at=$((at + 100))
	done <<-'END'
	WARNING: possible recursive locking detected
	WARNING: inconsistent lock state
	WARNING: possible irq lock inversion dependency detected
	WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected
	WARNING: suspicious RCU usage
	WARNING: held lock freed!
	WARNING: bad unlock balance detected!
	WARNING: lock held when returning to user space!
	[ BUG: Invalid wait context ]
	INFO: trying to register non-static key.
	BUG: MAX_LOCKDEP_CHAINS too low!
	BUG: KCSAN: data-race in dma_buf_poll / dma_buf_revoke
	BUG: KFENCE: use-after-free read in dma_buf_put+0x1/0x2
	UBSAN: shift-out-of-bounds in drivers/dma-buf/dma-buf-pfn.c:12:3
	ODEBUG: free active (active state 0) object: 00000000a5e5a5e5 object type: work_struct hint: revoke_work+0x0/0x20
	DMA-API: edu 0000:01:00.0: device driver frees DMA memory with different size [device address=0x0000000001000000] [map size=4096 bytes] [unmap size=8192 bytes]
	DMA-API: exceeded 7 overlapping mappings of cacheline 0x0000000000001000
	DMA-API: debugging out of memory - disabling
	BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591
	BUG: scheduling while atomic: mmap/77/0x00000002
	BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[9]
	BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 32s!
	watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [revoke:91]
	watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 1
	INFO: task mmap:77 blocked for more than 120 seconds.
	INFO: task mmap:77 blocked in I/O wait for more than 120 seconds.
	rcu: INFO: rcu_preempt self-detected stall on CPU
	rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 21 jiffies s: 33 root: 0x2/.
	INFO: rcu_tasks detected stalls on tasks:
	BUG: unable to handle page fault for address: ffffc90000a00000
	PANIC: double fault, error_code: 0x0
	Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: dma_buf_mmap+0x1/0x2
	list_add corruption. next is NULL.
	BUG kmalloc-64 (Tainted: G        W           ): Object already free
	usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-64' (offset 0, size 65)!
	mm/pgtable-generic.c:54: bad pmd 00000000a5e5a5e5(80000000fd0002e7)
	BUG: Bad rss-counter state mm:00000000a5e5a5e5 type:MM_FILEPAGES val:2 Comm:mmap Pid:77
	BUG: non-zero pgtables_bytes on freeing mm: 4096
	unrecognized swap entry 0x7c00000000000001
	get_swap_device: Bad swap file entry 7c00000000000001
	kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
	END
	judge
	for line in "${said[@]}"; do
		grep -Fxq -- "  guest: $line" <<<"$output" || { echo "missed: $line"; n=1; }
	done
	[ "$n" -eq 0 ]
	[ "${#said[@]}" -eq 41 ]
	last_is "6 passed, 41 failed, 2 skipped"
}

@test "a cut-here without anything that is on the list is a splat" {
	console <<< $'[    3.000000] ------------[ cut here ]------------\n[    3.000001] strange'
	judge
	one_failure 'guest: strange'
}

@test "allow list: an entry excuses by the first line and says why" {
	a_warn | console
	printf '^WARNING: drivers/dma-buf/dma-buf-pfn\tfixed by patch 9\n' > "$d/allow"
	judge --allow "$d/allow"
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
	has 'guest: WARNING: drivers.*\(allowed: fixed by patch 9\)'
	printf 'RIP: .*dma_buf_pfn_query\tby a later line\n' > "$d/allow"
	judge --allow "$d/allow"
	one_failure 'guest: WARNING: drivers'
}

@test "allow list: no reason, not there" {
	local entry
	for entry in '^WARNING: x' $'^WARNING: x\t' $'^WARNING: x\t  '; do
		echo "$entry" > "$d/allow"
		judge --allow "$d/allow"
		one_failure 'allow list entry without a reason'
	done
	judge --allow "$d/none"
	one_failure 'allow list is missing'
}

@test "an announced splat is fine" {
	{ echo '[    2.900000] splat-expected: 1 lying exporter: empty'; a_warn; } | console
	judge
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
	has 'expected: lying exporter'
	setup
	{ echo '[    2.900000] dma-buf-test: splat-expected: 1 WARNING: .*pfn_query'; a_warn; } | console
	judge
	[ "$status" -eq 0 ]
}

@test "an announced splat that does not come" {
	{ echo '[    2.900000] splat-expected: 2 lying exporter'; a_warn; } | console
	judge
	one_failure 'announced but did not come: 1 of 2 splats matching lying exporter'
}

@test "more splats than announced, or another one, or one before" {
	{ echo '[    2.900000] splat-expected: 1 lying exporter'; a_warn; a_warn; } | console
	judge
	one_failure 'guest: WARNING: drivers'
	setup
	{ echo '[    2.900000] splat-expected: 1 lying exporter'; a_lockdep; } | console
	judge
	last_is "6 passed, 2 failed, 2 skipped"
	setup
	{ a_warn; echo '[    3.900000] splat-expected: 1 lying exporter'; } | console
	judge
	last_is "6 passed, 2 failed, 2 skipped"
}

@test "an announcement that cannot be read, or not from the kernel log" {
	local bad
	for bad in 'lying' '0 lying' '1' '1 x{3}'; do
		setup
		console <<< "[    2.900000] splat-expected: $bad"
		judge
		one_failure 'splat-expected'
	done
	setup
	{ echo '+ echo splat-expected: 1 lying'; a_warn; } | console
	judge
	one_failure 'guest: WARNING: drivers'
}

@test "nothing failed and nothing passed is not a success" {
	echo s > "$d/expected"
	printf '%s\n' '@@ begin s' '1..0 # SKIP no heap' \
		'@@ end s status=4 seconds=0' '@@ done' > "$d/tap.log"
	judge
	[ "$status" -eq 1 ]
	last_is "0 passed, 1 failed, 1 skipped"
	has 'nothing passed'
}

@test "several runs: one summary, one last line, one JUnit" {
	cp -r "$d" "$BATS_TEST_TMPDIR/kasan"
	echo 1 > "$BATS_TEST_TMPDIR/kasan/qemu.status"
	judge "$BATS_TEST_TMPDIR/kasan"
	one_failure 'kasan: guest: QEMU ended with status 1'
	has '^run: kunit/dma-buf-mmap '
	last_is "12 passed, 1 failed, 4 skipped"
	[ -s "$BATS_TEST_TMPDIR/kasan/junit.xml" ]
	[ ! -e "$d/junit.xml" ]
	mkdir "$BATS_TEST_TMPDIR/x"
	cp -r "$d" "$BATS_TEST_TMPDIR/x/run"
	judge "$BATS_TEST_TMPDIR/x/run"
	last_is "12 passed, 0 failed, 4 skipped"
	has '/x/run: kunit'
}

@test "JUnit is well-formed and has the same numbers, whatever the text" {
	suite 1 < <(printf '1..3\n# <&">\033[31m\001 \377 ]]>\nnot ok 1 a<b & "c"\nok 2 d # SKIP <&>"\nnot ok 3 e\n')
	echo "s:e  known & <so>" > "$d/known"
	a_lockdep | console
	echo x > "$d/qemu.status"
	judge --junit "$d/out.xml"
	last_is "6 passed, 3 failed, 4 skipped"
	grep -q '<testsuites tests="13" failures="3" skipped="4">' "$d/out.xml"
	[ "$(grep -c '<testcase ' "$d/out.xml")" -eq 13 ]
	[ "$(grep -c '<failure ' "$d/out.xml")" -eq 3 ]
	[ "$(grep -c '<skipped ' "$d/out.xml")" -eq 4 ]
	grep -q '<testsuite name="guest" tests="2" failures="2"' "$d/out.xml"
	grep -q 'classname="s" name="a&lt;b &amp; &quot;c&quot;"' "$d/out.xml"
	run env LC_ALL=C grep -c '[^	 -~]' "$d/out.xml"
	[ "$output" -eq 0 ]
	if command -v xmllint > /dev/null; then
		xmllint --noout "$d/out.xml"
	else
		run grep -Ec '&($|[^aglq])' "$d/out.xml"
		[ "$output" -eq 0 ]
	fi
}

@test "JUnit that cannot be written is a failure" {
	judge --junit "$d/no/such/place.xml"
	one_failure 'cannot write'
}

@test "a wrong command" {
	run "$verdict"
	[ "$status" -eq 2 ]
	run "$verdict" --nonsense "$d"
	[ "$status" -eq 2 ]
	run "$verdict" "$d" --known
	[ "$status" -eq 2 ]
	run "$verdict" --help
	[ "$status" -eq 0 ]
	has '^usage: '
}

@test "the lists that are shipped can be read" {
	run "$verdict" "$d"
	[ "$status" -eq 0 ]
	last_is "6 passed, 0 failed, 2 skipped"
}

@test "a reader that breaks down is a failure, never silence" {
	local n
	for n in 1 2 3; do
		# An awk whose n-th call fails.
		cat > "$d/awk" <<-END
		#!/bin/sh
		echo x >> "$d/calls"
		[ "\$(wc -l < "$d/calls")" -ne $n ] || exit 3
		exec ${AWK:-awk} "\$@"
		END
		chmod +x "$d/awk"
		rm -f "$d/calls"
		AWK=$d/awk run "$verdict" --known "$d/known" "$d"
		[ "$status" -eq 1 ]
		has 'broke down with status 3'
		grep -q ' passed, 1 failed' <<<"${lines[-1]}"
	done
}
