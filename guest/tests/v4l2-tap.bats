#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# guest/rootfs/bin/v4l2-tap. setup() makes the output of a good run, and each test
# changes one thing in it.
#
#	AWK='busybox awk' bats guest/tests/v4l2-tap.bats	# the guest's awk

setup()
{
	tap=$BATS_TEST_DIRNAME/../rootfs/bin/v4l2-tap
	log=$BATS_TEST_TMPDIR/log
	one_run "a from b" > "$log"
}

one_run()
{
	sed 's/^+/\t/; s/^\t+/\t\t/' <<-END
	pair $1
	v4l2-compliance 1.22.1, 64 bits, 64-bit time_t

	Compliance test for vivid device /dev/video9:

	Required ioctls:
	+test MC information (see 'Media Driver Info' above): OK
	+test second /dev/video9 open: OK

	Control ioctls (Input 0):
	++fail: v4l2-test-controls.cpp(324): expected 8 private controls, got 7
	+test VIDIOC_QUERY_EXT_CTRL/QUERYMENU: FAIL

	Buffer ioctls (Input 0):
	+test VIDIOC_EXPBUF: OK

	Buffer ioctls (Input 1):
	+test VIDIOC_EXPBUF: OK

	Test input 0:

	Streaming ioctls:
	+test read/write: OK (Not Supported)
	+Video Capture: Captured 1 buffers
	+test DMABUF (no poll): OK
	+test DMABUF (select): OK

	+test DMABUF (select): OK

	Total for vivid device /dev/video9: 8, Succeeded: 7, Failed: 1, Warnings: 0
	status 1
	END
}

# is TEXT: all of what v4l2-tap makes of the log
is()
{
	# shellcheck disable=SC2086 # AWK may be two words
	diff -u <(echo "$1") <(${AWK:-awk} -f "$tap" < "$log")
}

@test "tests of buffers and streams are cases, once each" {
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
ok 4 a from b: DMABUF (select)
ok 5 a from b: complete
1..5"
}

@test "runs don't share names" {
	one_run "b from a" >> "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
ok 4 a from b: DMABUF (select)
ok 5 a from b: complete
ok 6 b from a: VIDIOC_EXPBUF
ok 7 b from a: read/write # SKIP not supported by the device
ok 8 b from a: DMABUF (no poll)
ok 9 b from a: DMABUF (select)
ok 10 b from a: complete
1..10"
}

@test "a test that fails for one input fails, and says why" {
	sed -i '0,/EXPBUF: OK/s/\ttest VIDIOC_EXPBUF: OK/\t\tfail: v4l2-test-buffers.cpp(1): ret\n\ttest VIDIOC_EXPBUF: FAIL/' "$log"
	is "TAP version 13
# fail: v4l2-test-buffers.cpp(1): ret
not ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
ok 4 a from b: DMABUF (select)
ok 5 a from b: complete
1..5"
}

@test "what is supported for one input only is no skip" {
	sed -i '0,/EXPBUF: OK/s/EXPBUF: OK/& (Not Supported)/' "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
ok 4 a from b: DMABUF (select)
ok 5 a from b: complete
1..5"
}

@test "DMABUF that isn't supported, or can't be tested, is a failure" {
	sed -i 's/DMABUF (no poll): OK/& (Not Supported)/; s/DMABUF (select): .*/DMABUF (select): Cannot test/' "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
# OK (Not Supported)
not ok 3 a from b: DMABUF (no poll)
# Cannot test
not ok 4 a from b: DMABUF (select)
ok 5 a from b: complete
1..5"
}

@test "a run without a test of DMABUF is a failure" {
	sed -i '/DMABUF/d' "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
# status 1, Total for vivid device /dev/video9: 8, Succeeded: 7, Failed: 1, Warnings: 0, 0 tests with DMABUF
not ok 3 a from b: complete
1..3"
}

@test "a run that dies is a failure" {
	sed -i '/DMABUF (select)/,$d' "$log"
	echo "status 139" >> "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
# status 139, no total, 1 tests with DMABUF
not ok 4 a from b: complete
1..4"
}

@test "a run that dies after its last test is a failure" {
	sed -i 's/^status.*/status 139/' "$log"
	is "TAP version 13
ok 1 a from b: VIDIOC_EXPBUF
ok 2 a from b: read/write # SKIP not supported by the device
ok 3 a from b: DMABUF (no poll)
ok 4 a from b: DMABUF (select)
# status 139, Total for vivid device /dev/video9: 8, Succeeded: 7, Failed: 1, Warnings: 0, 3 tests with DMABUF
not ok 5 a from b: complete
1..5"
}

@test "a run without output is a failure" {
	printf '%s\n' "pair a from b" "status 127" > "$log"
	is "TAP version 13
# status 127, no total, 0 tests with DMABUF
not ok 1 a from b: complete
1..1"
}

@test "a run without an end, before another and as the last one" {
	printf '%s\n' "pair a from b" "pair b from a" > "$log"
	is "TAP version 13
# status unknown, no total, 0 tests with DMABUF
not ok 1 a from b: complete
# status unknown, no total, 0 tests with DMABUF
not ok 2 b from a: complete
1..2"
}

@test "no run at all is an empty plan, which the verdict fails" {
	: > "$log"
	is "TAP version 13
1..0"
}
