#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What guest/image puts into an initramfs.

setup()
{
	image=$BATS_TEST_DIRNAME/../image
	cd "$BATS_TEST_TMPDIR"
	echo 'int main(void) { return 0; }' > prog.c
}

@test "a dynamic program has its loader and its libraries" {
	gcc -o prog prog.c
	"$image" out bin=prog
	cpio --quiet -i -d < out
	[ -x bin/prog ]
	[ -x lib64/ld-linux-x86-64.so.2 ]
	[ -s lib/x86_64-linux-gnu/libc.so.6 ]
}

@test "a static program comes alone" {
	gcc -static -o prog prog.c
	"$image" out bin=prog
	run cpio --quiet -t < out
	[[ $output = *bin/prog* ]]
	[[ $output != *.so* ]]
}
