#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What scripts/mode-table notices.

setup() {
	top=$BATS_TEST_DIRNAME/../..
	header=$BATS_TEST_TMPDIR/mode-matrix.h
	document=$BATS_TEST_TMPDIR/attachment-modes.rst
	cp "$top/drivers/dma-buf/tests/mode-matrix.h" "$header"
	cp "$top/Documentation/driver-api/dma-buf/attachment-modes.rst" "$document"
}

table() {
	run "$top/scripts/mode-table" "$header" "$document"
}

@test "the document has the matrix of the tests" {
	table
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "another mode in the document is noticed" {
	sed -i '/^   pinned, movable  *P/s/P/M/' "$document"
	table
	[ "$status" -eq 1 ]
	grep -qx '< pinned, movable: M - P M M M M' <<<"$output"
	grep -qx '> pinned, movable: P - P M M M M' <<<"$output"
}

@test "another mode in the matrix is noticed, with a pin op or without" {
	sed -i 's/MODE_R, 0, MODE_R, "---R-RR--RR"/MODE_R, 0, MODE_R, "---R-RR--R-"/' "$header"
	table
	[ "$status" -eq 1 ]
	[ "$(grep '^[<>]' <<<"$output")" = '> revocable: - R R - - R -' ]
}

@test "a row that the document lacks is noticed" {
	sed -i '/^   revocable, movable /d' "$document"
	table
	[ "$status" -eq 1 ]
	[ "$(grep '^[<>]' <<<"$output")" = '> revocable, movable: - R R M M M M' ]
}

@test "an order of columns that is another one is noticed" {
	sed -i '/offers, accepts/s/PM  RM/RM  PM/' "$document"
	table
	[ "$status" -eq 1 ]
	grep -qx '< accepts: P R PR M RM PM PRM' <<<"$output"
}

@test "a document without the table is an error" {
	sed -i '/offers, accepts/d' "$document"
	table
	[ "$status" -ne 0 ]
	grep -q 'no table in' <<<"$output"
}

@test "a matrix that does not compile is an error" {
	echo nonsense >>"$header"
	table
	[ "$status" -ne 0 ]
}
