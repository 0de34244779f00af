#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# bench/compare.awk must notice. Each test takes the good runs of setup() and
# spoils one thing.
#
# AWK=gawk bats bench/tests/compare.bats  runs them with another awk.

setup()
{
	compare=$BATS_TEST_DIRNAME/../compare.awk
	runs=$BATS_TEST_TMPDIR/runs.tsv
	local kernel run
	for kernel in base series; do
		for run in 1 2; do
			row $kernel $run total udmabuf 67108864 5000000
			row $kernel $run fault vgem 4096 10000
		done
	done
}

row() { (IFS=$'\t'; echo "$*") >>"$runs"; }

# COST: what one run (or, without RUN, both) says of vgem's fault
becomes()	# COST KERNEL [RUN]
{
	awk -v cost="$1" -v kernel="$2" -v run="${3:-}" '
		BEGIN { FS = OFS = "\t" }
		$1 == kernel && (run == "" || $2 == run) && $4 == "vgem" { $6 = cost }
		{ print }' "$runs" >"$runs.new"
	mv "$runs.new" "$runs"
}

judge()
{
	run "${AWK:-awk}" -v results="$BATS_TEST_TMPDIR/results.tsv" \
		-v dearer="${dearer:-}" -f "$compare" "$runs"
	echo "$output"
}

has() { grep -Eq -- "$1" <<<"$output"; }

passes() { judge; [ "$status" -eq 0 ]; ! has error; }

# One complaint, and that one
fails() { judge; [ "$status" -eq 1 ]; [ "$(grep -c error: <<<"$output")" -eq 1 ]; has "error: bench: $1"; }

@test "a good pair passes, as a table and as a file" {
	becomes 5000 series
	passes
	has '^total +udmabuf +64 MiB +5000000 +5000000 +1\.000 +305\.2 +305\.2$'
	has '^fault +vgem +4 KiB +10000 +5000 +0\.500$'
	has '^series: +2 of 2 rows are the same$'
	[ "$(wc -l <"$BATS_TEST_TMPDIR/results.tsv")" -eq 3 ]
	grep -qx $'fault\tvgem\t4096\t10000\t5000\t0.5000' "$BATS_TEST_TMPDIR/results.tsv"
}

@test "exactly 2 % more is no regression" {
	becomes 10200 series
	passes
	has ' 1\.020$'
}

@test "over 2 % more is a regression, and the row is named" {
	becomes 10201 series
	fails 'fault, vgem, 4 KiB: regression, 10201 and not 10000 instructions \(\+2\.01 %, limit 2 %\)'
	has ' 1\.020 +regression$'
}

# A row beside vgem's, with its cost on the base and in the series
beside()	# OPERATION BASE SERIES
{
	row base 1 "$1" heap 4096 "$2"
	row base 2 "$1" heap 4096 "$2"
	row series 1 "$1" heap 4096 "$3"
	row series 2 "$1" heap 4096 "$3"
}

@test "a map may cost 5 % more, the table says so" {
	beside "map static" 1000 1050
	beside "mapped" 1000 1020
	passes
	has '"map" 5 %'
}

@test "over 5 % more is a regression of a map" {
	beside "map dynamic" 1000 1051
	fails 'map dynamic, heap, 4 KiB: regression, 1051 and not 1000 instructions \(\+5\.10 %, limit 5 %\)'
}

@test "only a map may cost 5 % more" {
	beside "mapped" 1000 1050
	fails 'mapped, heap, 4 KiB: regression, .* limit 2 %'
}

@test "a run may cost 15 % more than one entry, the table says so" {
	beside "run fault" 1000 1150
	passes
	has '"run" 15 %'
}

@test "over 15 % more is a regression of a run" {
	beside "run fault" 1000 1151
	fails 'run fault, heap, 4 KiB: regression, 1151 and not 1000 instructions \(\+15\.10 %, limit 15 %\)'
}

@test "an attach may cost 10 % more, the table says so" {
	beside "attach static" 1000 1100
	passes
	has '"attach" 10 %'
}

@test "over 10 % more is a regression of an attach" {
	beside "attach dynamic" 1000 1101
	fails 'attach dynamic, heap, 4 KiB: regression, 1101 and not 1000 instructions \(\+10\.10 %, limit 10 %\)'
}

# vgem's fault may cost PERCENT more
listed()	# PERCENT [OPERATION]
{
	dearer=$BATS_TEST_TMPDIR/dearer
	printf '# comment\n\n%s\tvgem\t4096\t%s\tfor a reason\n' "${2:-fault}" "$1" >"$dearer"
}

@test "a row that is listed may cost what is listed, the table says so" {
	listed 30
	becomes 13000 series
	passes
	has ' 1\.300 +dearer$'
	has '^1 rows cost more than that, see .*/dearer\.$'
}

@test "a row that is listed may cost no more than that" {
	listed 30
	becomes 13001 series
	fails 'fault, vgem, 4 KiB: regression, 13001 and not 10000 instructions \(\+30\.01 %, limit 30 %\)'
}

@test "a row that isn't dearer must not be listed" {
	listed 30
	becomes 10200 series
	fails "fault, vgem, 4 KiB: isn't dearer"
}

@test "what is listed must be there" {
	listed 30 nothing
	fails 'nothing, vgem, 4 KiB: listed in .*/dearer, and there is no such row'
}

@test "a list that can't be read is an error" {
	listed much
	fails ".*/dearer: can't be read: fault"
}

@test "two instructions are no regression of a few, three are" {
	becomes 10 base
	becomes 12 series
	passes
	becomes 13 series
	fails 'fault, vgem, 4 KiB: regression, 13 and not 10 '
}

@test "the cheaper run is the one that counts" {
	becomes 10196 series 1
	becomes 10205 series 2
	passes
	has ' 10196 '
	becomes 10205 series 1
	becomes 10196 series 2
	passes
	has ' 10196 '
}

@test "runs that are exactly 0.1 % apart will do, and it is said" {
	becomes 10010 base 2
	passes
	has '^base: +1 of 2 rows are the same, at most 0\.1000 % apart \(fault, vgem, 4 KiB\)$'
}

@test "runs that are over 0.1 % apart are unstable, in either order" {
	becomes 10011 base 2
	fails 'fault, vgem, 4 KiB: unstable, 10000 and 10011 in two runs of the base'
	becomes 10000 base
	becomes 10011 series 1
	fails 'fault, vgem, 4 KiB: unstable, 10000 and 10011 in two runs of the series'
}

@test "runs of a large vgem may be 0.2 % apart, and no more" {
	row base 1 "map large" vgem 67108864 10000
	row base 2 "map large" vgem 67108864 10020
	row series 1 "map large" vgem 67108864 10000
	row series 2 "map large" vgem 67108864 10000
	passes
	sed -i 's/10020$/10021/' "$runs"
	fails 'map large, vgem, 64 MiB: unstable, 10000 and 10021 in two runs of the base'
}

@test "runs that are two instructions apart are stable, three are not" {
	becomes 10 base
	becomes 10 series
	becomes 12 base 2
	passes
	becomes 13 base 2
	fails 'fault, vgem, 4 KiB: unstable, 10 and 13 in two runs of the base'
}

@test "a row that a run doesn't have is an error" {
	local kernel nr
	for kernel in base series; do
		for nr in 1 2; do
			rm "$runs"
			setup
			sed -i "/^$kernel\t$nr\tfault/d" "$runs"
			fails "fault, vgem, 4 KiB: missing from run $nr of the $kernel"
		done
	done
}

@test "a row that a kernel doesn't have is an error" {
	sed -i '/^base.*fault/d' "$runs"
	judge
	[ "$status" -eq 1 ]
	has 'missing from run 1 of the base'
	has 'missing from run 2 of the base'
}

@test "a row that is there twice is an error" {
	row base 1 fault vgem 4096 10000
	fails 'fault, vgem, 4 KiB: twice in run 1 of the base'
}

@test "nothing at all is an error" {
	: >"$runs"
	fails 'no results'
	echo >"$runs"
	fails 'no results'
}

@test "a line that can't be read is an error" {
	local line
	for line in 'base 1 total' $'base\t1\ttotal\tx\t4096' \
		    $'other\t1\ttotal\tx\t4096\t7' $'base\t3\ttotal\tx\t4096\t7' \
		    $'base\t1\ttotal\tx\t4096\t0' $'base\t1\ttotal\tx\t4096\t-7' \
		    $'base\t1\ttotal\tx\t4K\t7'; do
		rm "$runs"
		setup
		echo "$line" >>"$runs"
		fails 'line 9 can.t be read'
	done
}

@test "bytes may be none" {
	for kernel in base series; do
		for run in 1 2; do
			row $kernel $run "describe bytes" udmabuf 268435456 \
				$([ $kernel = base ] && echo 4096 || echo 0)
		done
	done
	passes
	has '^describe bytes +udmabuf +256 MiB +4096 +0 +0\.000$'
}

@test "bytes where the base has none" {
	for kernel in base series; do
		for run in 1 2; do
			row $kernel $run "describe bytes" udmabuf 268435456 \
				$([ $kernel = base ] && echo 0 || echo 64)
		done
	done
	fails "describe bytes, udmabuf, 256 MiB: regression, 64 and not 0"
}
