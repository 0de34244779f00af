#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What base/fetch and scripts/kernel say when something is in the way, and
# that they leave nothing half-made behind. None of these downloads anything.

setup() {
	top=$BATS_TEST_DIRNAME/../..
	unset LINUX UPDATE
	export DEBIAN_MIRROR=http://127.0.0.1:9/debian
	cache=$BATS_TEST_TMPDIR/cache
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree"
}

kernel_tree() {	# VERSION PATCHLEVEL
	printf 'VERSION = %s\nPATCHLEVEL = %s\n' "$1" "$2" >"$tree/Makefile"
}

one_error() {	# REGEX
	[ "$status" -ne 0 ] || return 1
	[ "$(grep -c '^error: ' <<<"$output")" = 1 ] || { echo "$output"; return 1; }
	grep -Eq "^error: .*$1" <<<"$output" || { echo "$output"; return 1; }
}

nothing_left() {
	[ -z "$(find "$cache" -mindepth 2 ! -name .lock 2>/dev/null)" ]
}

@test "LINUX=dir is taken as it is" {
	kernel_tree 7 3
	LINUX=$tree run "$top/base/fetch" "$cache"
	[ "$status" -eq 0 ]
	[ "$output" = "$(readlink -f "$tree")" ]
	[ ! -e "$cache" ]
}

@test "LINUX=dir of another version is refused" {
	kernel_tree 6 12
	LINUX=$tree run "$top/base/fetch" "$cache"
	one_error 'Linux 6\.12, .* for Linux 7\.3'
}

@test "LINUX=dir that is no kernel tree is refused" {
	LINUX=$tree run "$top/base/fetch" "$cache"
	one_error 'not a kernel tree'
}

@test "LINUX=dir that is missing is refused" {
	LINUX=$tree/nowhere run "$top/base/fetch" "$cache"
	one_error 'not a directory'
}

@test "no network: one error, nothing left" {
	run "$top/base/fetch" "$cache"
	one_error 'no network'
	nothing_left
}

@test "no disk: one error, nothing left" {
	BASE_NEED_MIB=100000000 run "$top/base/fetch" "$cache"
	one_error 'MiB free, 100000000 MiB are needed'
	nothing_left
}

@test "a base that is there is used without a network" {
	kernel_tree 7 3
	mkdir -p "$cache/base"
	ln -s "$tree" "$cache/base/current"
	run "$top/base/fetch" "$cache"
	[ "$status" -eq 0 ]
	[ "$output" = "$(readlink -f "$tree")" ]
}

# A kernel tree whose Kconfig knows CONFIG_KNOWN only
stub_kconfig() {
	printf '%s\n' 'allnoconfig:' \
		'	grep -x CONFIG_KNOWN=y $(KCONFIG_ALLCONFIG) >$(KCONFIG_CONFIG) || :' \
		'prepare:' '	@echo "  CC prepare.o"' >"$tree/Makefile"
}

@test "a fragment's line that does not survive is an error, by name" {
	stub_kconfig
	printf 'CONFIG_KNOWN=y\nCONFIG_GONE=y\n# CONFIG_NOT_ONE=y\n' >"$tree/my.config"
	run "$top/scripts/kernel" "$tree" "$tree/obj" "$tree/my.config" -- prepare
	[ "$status" -ne 0 ]
	grep -q '^error: CONFIG_GONE=y is in a fragment and not in .config' <<<"$output"
	! grep -Eq 'CONFIG_KNOWN|CONFIG_NOT_ONE' <<<"$output"
}

@test "a later fragment overrides an earlier one" {
	stub_kconfig
	echo CONFIG_GONE=y >"$tree/a.config"
	printf 'CONFIG_GONE=n\nCONFIG_KNOWN=y\n' >"$tree/b.config"
	run "$top/scripts/kernel" "$tree" "$tree/obj" "$tree/a.config" "$tree/b.config" -- prepare
	[ "$status" -eq 0 ]
}
