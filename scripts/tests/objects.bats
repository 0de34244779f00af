#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Which objects scripts/objects.sh makes of paths, and which symbols of
# series.config it asks a tree for.

setup() {
	# shellcheck source=scripts/objects.sh
	. "$BATS_TEST_DIRNAME/../objects.sh"
	tree=$BATS_TEST_TMPDIR
	unset ARCH CC
}

@test "paths become objects of the architecture, or of none" {
	paths=$'arch/x86/mm/a.c\narch/arm/mm/b.c\ntools/c.c\nmm/d.h\nmm/e.c\nvirt/kvm/f.c'
	run objects <<<"$paths"
	[ "$output" = $'arch/x86/mm/a.o\nmm/e.o\narch/x86/kvm/../../../virt/kvm/f.o' ]
	ARCH=arm run objects <<<"$paths"
	[ "$output" = $'arch/arm/mm/b.o\nmm/e.o\narch/arm/kvm/../../../virt/kvm/f.o' ]
	ARCH=s390 run objects <<<"$paths"
	[ "$output" = $'mm/e.o\narch/s390/kvm/s390/../../../../virt/kvm/f.o' ]
}

@test "an object's source is the path that it came from" {
	run source_of <<<$'mm/e.o\narch/arm64/kvm/../../../virt/kvm/f.o\narch/s390/kvm/s390/../../../../virt/kvm/g.o'
	[ "$output" = $'mm/e.c\nvirt/kvm/f.c\nvirt/kvm/g.c' ]
}

@test "another architecture has its compiler, whatever CC is" {
	CC='my cc' ARCH=arm64 run kbuild tree obj
	grep -qx 'CC=ccache aarch64-linux-gnu-gcc' <<<"$output"
	grep -qx 'ARCH=arm64' <<<"$output"
	CC='my cc' run kbuild tree obj
	grep -qx 'CC=my cc' <<<"$output"
	[ "$(grep -c '^ARCH=' <<<"$output")" = 0 ]
}

@test "a symbol that the tree does not have yet is not asked for" {
	mkdir -p "$tree"/{drivers/dma-buf,mm,lib,samples}
	echo 'config DMABUF_TEST_DEVICE' >"$tree/drivers/dma-buf/Kconfig"
	run series_config "$tree"
	[ "$output" = CONFIG_DMABUF_TEST_DEVICE=m ]
}

@test "objects that no Makefile asks for are not enabled, and none at all is an error" {
	mkdir "$tree/obj"
	printf '$(info enabled mm/e.o)\n%%:\n\t@:\n' >"$tree/Makefile"
	run enabled "$tree" "$tree/obj" mm/e.o mm/f.o
	[ "$status" -eq 0 ]
	printf '%%:\n\t@:\n' >"$tree/Makefile"
	run enabled "$tree" "$tree/obj" mm/e.o
	[ "$status" -ne 0 ]
}
