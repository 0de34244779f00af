#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# guest/run and its tables. The guest is a script that leaves a tap.log.

setup()
{
	cd "$BATS_TEST_TMPDIR"
	cp "$BATS_TEST_DIRNAME"/../{run,table.awk} .
	cat > log <<-'END'
	# attempt: read | heap | works
	# attempt: read | udmabuf | works
	# attempt: a longer row | heap | works
	# attempt: a longer row | udmabuf | EFAULT
	# mode: P | R | none
	# move: importer | seen | moved
	# pfn: scattered | told | 1 of RAM
	# dma: heap | slice | arrives
	# revoke: load | revoked | SIGBUS
	END
	cat > check <<-'END'
	#!/bin/sh
	echo "$@" > asked
	cp log "$3/tap.log"
	END
	chmod +x check
	mkdir dir
}

table()
{
	awk -v head=rows "$@" -f table.awk log
}

# is TEXT: the whole output, blanks at the ends of lines apart.
is()
{
	diff -u <(echo "$1") <(sed 's/ *$//' <<<"$output")
}

legend='- does not apply, or failed and is listed below'

@test "a table has rows and columns in the order in which they come" {
	run table -v tag=attempt
	[ "$status" -eq 0 ]
	is "
rows          heap   udmabuf
read          works  works
a longer row  works  EFAULT
$legend"
}

@test "a cell that was not reported" {
	sed -i '/longer row | heap/d' log
	run table -v tag=attempt
	[ "$status" -eq 0 ]
	is "
rows          heap   udmabuf
read          works  works
a longer row  -      EFAULT
$legend"
}

@test "columns that never differ are one, others are not" {
	cat >> log <<-'END'
	# attempt: read | vgem | works
	# attempt: a longer row | vgem | works
	END
	run table -v tag=attempt -v merge=1
	[ "$status" -eq 0 ]
	is "
rows          heap   udmabuf
              vgem
read          works  works
a longer row  works  EFAULT
$legend"
}

@test "a table without rows is an error" {
	run table -v tag=att
	[ "$status" -eq 1 ]
	[[ $output = *'reported nothing as "att"'* ]]
}

@test "run: suites, tables, then the verdict" {
	run ./run obj tests dir echo judged
	[ "$status" -eq 0 ]
	[[ $(cat asked) = "obj tests dir guest/* kselftest/dma-buf/mmap "* ]]
	[[ $output = *"a longer row"*"importer accepts"*"a buffer that moves"*"where a buffer is"*"DMA by a device"*"a buffer that is revoked"* ]]
	[ "${lines[-1]}" = "judged dir" ]
}

@test "run: the verdict's status, and a table without rows" {
	run ./run obj tests dir sh -c 'exit 3'
	[ "$status" -eq 3 ]
	sed -i '/^# mode/d' log
	run ./run obj tests dir echo judged
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = "judged dir" ]
}

@test "run: nothing is judged if the guest could not be started" {
	echo 'exit 2' > check
	run ./run obj tests dir echo judged
	[ "$status" -eq 2 ]
	[ -z "$output" ]
}
