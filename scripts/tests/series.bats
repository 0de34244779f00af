#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/series on a base and a checkout of a few files each.

series=$BATS_TEST_DIRNAME/../series

# A file of functions far enough apart to be hunks of their own. The comments
# hold what shells and awk like to take for patterns.
c_file() {
	local f
	for f in "$@"; do
		printf '/* [%s] * \\ & */\nint %s(int x)\n{\n' "$f" "$f"
		printf '\tx += %d;\t/* [x] ? */\n' 1 2 3 4 5 6 7 8
		printf '\treturn x;\n}\n\n'
	done
}

section() {
	printf '%s\nM:\tX <x@example.org>\nS:\tMaintained\nF:\t%s\n' "$1" "$2"
}

# change NAME FILE...: the difference that SED makes to FILEs becomes a patch.
change() {
	local name=$1 file
	shift
	cat >"$root/patches/$name.patch" <<-END
		From: Ä Author <author@example.org>
		Date: Mon, 10 Nov 2025 10:00:00 +0100
		Subject: [PATCH] area: ${name#????-}

		It was wrong.

		Signed-off-by: Ä Author <author@example.org>
		---
	END
	for file; do
		cp "$state/$file" "$state/old"
		sed -i "$SED" "$state/$file"
		{ git -C "$state" diff --no-index old "$file" || true; } |
			sed "s#a/old#a/$file#" >>"$root/patches/$name.patch"
	done
}

setup_file() {
	export HOME=$BATS_FILE_TMPDIR GIT_CONFIG_NOSYSTEM=1
	export LC_ALL=C.UTF-8
	git config --global user.name 'Dev Eloper'
	git config --global user.email dev@example.org

	local base=$BATS_FILE_TMPDIR/base root=$BATS_FILE_TMPDIR/root
	local state=$BATS_FILE_TMPDIR/state
	mkdir -p "$base"/{drivers,include,lib,scripts} "$root"/{patches,drivers/new,include,scripts}
	c_file one two three four >"$base/drivers/a.c"
	c_file five six >"$base/lib/b.c"
	c_file seven >"$base/lib/free.c"
	echo '#define A 1' >"$base/include/a.h"
	printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n' >"$base/Makefile"
	{
		printf 'How to use it\n\tM: *Mail*\n\nThe list\n--------\n\n'
		section 'BETA DRIVER' b
		printf '\n'
		section 'DELTA DRIVER' d
		printf '\n'
		section 'ALPHA, NOT SORTED' a
		printf '\n'
		section 'GAMMA DRIVER' g
		printf '\n'
		section 'THE REST' '*'
	} >"$base/MAINTAINERS"
	cat >"$base/scripts/checkpatch.pl" <<-'END'
		#!/usr/bin/perl
		my $bad = 0;
		while (<>) {
			next unless /^\+.*\b(BAD_[A-Z]+)/;
			print "WARNING:$1: this is bad\n#$.: FILE: x:1:\n$_\n";
			$bad = 1;
		}
		exit $bad;
	END
	cp -a "$base" "$state"

	SED='/^int one/,/^}/s/x += 2/x += 44/' change 0001-first drivers/a.c
	SED='s/x += 7/x += 77/' change 0002-second drivers/a.c lib/b.c
	change 0003-third
	printf '#define NEW 1\n' >"$root/include/new.h"
	printf 'int new;\n' >"$root/drivers/new/new.c"
	section 'EPSILON OURS' drivers/new/ >"$root/MAINTAINERS"
	printf '%s\n' '# the order' \
		0001-first.patch '    include/new.h' $'\tMAINTAINERS' '' \
		0002-second.patch '# no diff' 0003-third.patch \
		$'\tdrivers/new/new.c' >"$root/series"
	printf 'area: all of it\nIt does good.\n\nAnd more.\n' >"$root/patches/cover-letter"
	git init -q "$root"

	# What a user may have and the tool must not mind.
	git config --global core.autocrlf true
	git config --global diff.noprefix true
	git config --global apply.whitespace error
	git config --global commit.gpgSign true
	git config --global format.signature nobody
}

# What must never change.
print_base() {
	(cd "$BASE" && find . -type f -printf '%p %m %T@\n' -exec sha256sum {} + | sort)
}

setup() {
	cp -a "$BATS_FILE_TMPDIR/base" "$BATS_FILE_TMPDIR/root" "$BATS_TEST_TMPDIR/"
	export ROOT=$BATS_TEST_TMPDIR/root BASE=$BATS_TEST_TMPDIR/base
	export TREE=$BATS_TEST_TMPDIR/w/tree OUT=$BATS_TEST_TMPDIR/out
	cd "$ROOT" || return
	print_base >"$BATS_TEST_TMPDIR/base-before"
}

teardown() {
	print_base | diff "$BATS_TEST_TMPDIR/base-before" -
	# nothing half-made or temporary stays
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '*.half-made*')" ]
}

# The error must be there, and the run must have failed for it.
fails_with() {
	local text=$1
	shift
	run "$series" "$@"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"$text"* ]]
}

has_not() {
	[ -e "$2" ] && [ "$(grep -c -- "$1" "$2")" = 0 ]
}

times() {
	(cd "$TREE" && find . -printf '%p %T@ %i\n' | sort)
}

titles() {
	grep -E '^[A-Z, ]+$' "$TREE/MAINTAINERS" | paste -sd '|'
}

edit() {
	sed -i "$2" "$TREE/$1"
}

### check

@test "check: a good series passes" {
	run "$series" check
	[ "$status" -eq 0 ]
	[[ $output == *"3 patches, 3 new files"* ]]
}

@test "check: a new file that is not listed" {
	mkdir lib
	echo >lib/stray.c
	fails_with 'new file lib/stray.c is not listed in series: add it, indented' check
	echo lib/stray.c >.gitignore
	"$series" check
}

@test "check: a listed file is missing" {
	rm include/new.h
	fails_with 'new file include/new.h is missing, series lists it under 0001-first.patch' check
}

@test "check: patches/ and series disagree, every problem is told" {
	cp patches/0001-first.patch patches/0009-more.patch
	rm patches/0002-second.patch
	fails_with 'patches/0009-more.patch is not listed in series' check
	[[ $output == *'patches/0002-second.patch is missing'* ]]
}

@test "check: files and patches listed twice, or in no kernel folder" {
	printf '0001-first.patch\n\tinclude/new.h\n\tscripts/x\n' >>series
	fails_with '0001-first.patch is listed twice' check
	[[ $output == *'include/new.h is listed twice'* ]]
	[[ $output == *'scripts/x, which is in no kernel folder'* ]]
}

@test "check: a patch that creates a file" {
	cat >>patches/0003-third.patch <<-END
		diff --git a/lib/c.c b/lib/c.c
		new file mode 100644
		--- /dev/null
		+++ b/lib/c.c
		@@ -0,0 +1 @@
		+int c;
	END
	fails_with 'patches/0003-third.patch creates lib/c.c: commit it as plain source' check
}

@test "check: a patch that deletes a file" {
	cat >>patches/0003-third.patch <<-END
		diff --git a/include/a.h b/include/a.h
		deleted file mode 100644
		--- a/include/a.h
		+++ /dev/null
		@@ -1 +0,0 @@
		-#define A 1
	END
	fails_with 'delete mode 100644 include/a.h: a patch may only change files' check
}

@test "check: a patch of a file that the series brings" {
	cat >>patches/0003-third.patch <<-END
		diff --git a/include/new.h b/include/new.h
		--- a/include/new.h
		+++ b/include/new.h
		@@ -1 +1 @@
		-#define NEW 1
		+#define NEW 2
	END
	fails_with 'include/new.h is brought by the series, yet its diff is in 0003-third.patch' check
}

@test "check: a new file that the base has, a patched file that it has not" {
	echo >include/a.h
	sed -i 's#include/new.h#include/a.h#' series
	rm include/new.h
	sed -i 's#lib/b\.c#lib/nob.c#g' patches/0002-second.patch
	fails_with 'the base has include/a.h already' check
	[[ $output == *'0002-second.patch changes lib/nob.c, which the base does not have'* ]]
}

@test "check: what a mail must have" {
	sed -i '/^Signed-off-by/d; s/^Date: .*/Date: never/' patches/0001-first.patch
	sed -i 's/^Subject: .PATCH./Subject:/; /^---$/d' patches/0003-third.patch
	fails_with 'patches/0001-first.patch has no "Signed-off-by:"' check
	[[ $output == *'0001-first.patch has a date that is none: never'* ]]
	[[ $output == *'0003-third.patch has no "Subject: [PATCH]"'* ]]
	[[ $output == *'0003-third.patch has no "--- line after the message"'* ]]
}

@test "check: a message that git am would cut short" {
	sed -i 's/^It was wrong\.$/It was\ndiff -u a b\nwrong./' patches/0001-first.patch
	fails_with '0001-first.patch has a line in its message that git takes for the diff: diff -u a b' check
}

@test "check: a patch that is cut short, and one that does nothing" {
	sed -i '$d' patches/0001-first.patch
	sed -i '/new.c/d' series
	fails_with 'patches/0001-first.patch: corrupt patch' check
	[[ $output == *'patches/0003-third.patch is empty'* ]]
}

@test "count, name, files" {
	[ "$("$series" count)" = 3 ]
	[ "$("$series" name 2)" = 0002-second.patch ]
	fails_with 'there is no patch 4' name 4
	[ "$("$series" files | paste -sd ,)" = "M MAINTAINERS,M drivers/a.c,A drivers/new/new.c,A include/new.h,M lib/b.c" ]
}

### tree

@test "tree: patched, linked, merged, and nothing else" {
	mkdir "$BASE/.git"
	"$series" tree
	grep -q 'x += 44' "$TREE/drivers/a.c"
	[ "$(grep -c 'x += 77' "$TREE/drivers/a.c")" = 4 ]
	[ "$(readlink "$TREE/include/new.h")" = "$ROOT/include/new.h" ]
	[ "$(cd "$TREE" && find . -type f -o -type l | wc -l)" = 9 ]
	[ ! -e "$TREE/.git" ]
	cmp "$TREE/lib/free.c" "$BASE/lib/free.c"
}

@test "tree: again, without touching a file" {
	"$series" tree
	times >../before
	run "$series" tree
	[[ $output == *'up to date'* ]]
	times | diff ../before -
}

@test "tree: only what a changed patch changes is written" {
	"$series" tree
	times >../before
	sed -i 's/x += 44/x += 45/' patches/0001-first.patch
	"$series" tree
	[ "$(times | diff ../before - | grep -c '^> .*\.[ch] ')" = 1 ]
	grep -q 'x += 45' "$TREE/drivers/a.c"
}

@test "tree: an edit of a new file is seen through" {
	"$series" tree
	echo 'int seen;' >>drivers/new/new.c
	grep -q seen "$TREE/drivers/new/new.c"
	run "$series" tree
	[[ $output == *'up to date'* ]]
}

@test "tree: commit ids are reproducible" {
	"$series" tree
	id=$(git --git-dir="$TREE.git" rev-parse series)
	rm -rf "$TREE" "$TREE.git"
	sleep 1
	"$series" tree
	[ "$(git --git-dir="$TREE.git" rev-parse series)" = "$id" ]
	[ "$(git --git-dir="$TREE.git" log -1 --format='%an %cd' series~2)" = \
		'Ä Author Mon Nov 10 10:00:00 2025 +0100' ]
}

@test "tree: a patch taken out puts the base's files back, with a new time" {
	"$series" tree
	touch ../then
	sed -i '/0002/d; /0003/,$d' series
	rm -r patches/0002* patches/0003* drivers
	"$series" tree
	cmp "$BASE/lib/b.c" "$TREE/lib/b.c"
	[ "$TREE/lib/b.c" -nt ../then ]
	[ ! -e "$TREE/drivers/new" ]
	grep -q 'x += 44' "$TREE/drivers/a.c"
	has_not 'x += 77' "$TREE/drivers/a.c"
}

@test "tree: a patch that does not apply is told, the tree stays" {
	"$series" tree
	times >../before
	sed -i 's/^ \tx += 6;/ \tx += 66;/' patches/0002-second.patch
	echo 'int other;' >include/other.h
	echo '	include/other.h' >>series
	fails_with 'patches/0002-second.patch does not apply: drivers/a.c, the hunk at line 7' tree
	times | diff ../before -
}

@test "tree: edits stay and are told, of patched and of other files" {
	"$series" tree
	edit drivers/a.c 's/x += 1;/x += 11;/'
	edit lib/free.c 's/x += 1;/x += 11;/'
	touch -d '2001-01-01' "$TREE/lib/free.c"
	touch "$TREE/include/a.h"
	for _ in 1 2; do
		run "$series" tree
		[ "$status" -eq 0 ]
		[[ $output == *'note: 2 files edited in the build tree, not yet in a patch: run make refresh'* ]]
	done
	grep -q 'x += 11' "$TREE/drivers/a.c"
	grep -q 'x += 11' "$TREE/lib/free.c"
}

@test "tree: an edit and a changed patch of the same file" {
	"$series" tree
	edit drivers/a.c 's/x += 1;/x += 11;/'
	sed -i 's/x += 44/x += 45/' patches/0001-first.patch
	rm -r drivers
	sed -i '/0003/,$d' series
	rm patches/0003*
	times >../before
	fails_with 'drivers/a.c was edited in the build tree, and the series changed it too' tree
	times | diff ../before -
	rm "$TREE/drivers/a.c"
	"$series" tree
	grep -q 'x += 45' "$TREE/drivers/a.c"
}

@test "tree: cut short while copying, and foreign trees" {
	mkdir -p "$TREE.half-made/junk"
	"$series" tree
	[ ! -e "$TREE/junk" ]
	echo 'SUBLEVEL = 5' >>"$BASE/Makefile"
	print_base >../base-before
	fails_with 'was made from another base' tree
	rm -rf "$TREE.git"
	fails_with 'was not made by this tool' tree
}

@test "tree: MAINTAINERS, sorted in the middle of an unsorted list" {
	"$series" tree
	[ "$(titles)" = 'BETA DRIVER|DELTA DRIVER|ALPHA, NOT SORTED|EPSILON OURS|GAMMA DRIVER|THE REST' ]
	diff "$BASE/MAINTAINERS" "$TREE/MAINTAINERS" >../diff || true
	has_not '^<' ../diff
}

@test "tree: MAINTAINERS, first, last and replaced" {
	{
		echo '# SPDX-License-Identifier: GPL-2.0-only'
		section 'AARDVARK' x
		echo
		section 'ZULU' x
		echo
		section 'DELTA DRIVER' ours
	} >MAINTAINERS
	"$series" tree
	[ "$(titles)" = 'AARDVARK|BETA DRIVER|DELTA DRIVER|ALPHA, NOT SORTED|GAMMA DRIVER|ZULU|THE REST' ]
	grep -q ours "$TREE/MAINTAINERS"
	has_not $'^F:\td$' "$TREE/MAINTAINERS"
	has_not SPDX "$TREE/MAINTAINERS"
	# sections stay apart, by one line
	[ "$(cat -s "$TREE/MAINTAINERS")" = "$(cat "$TREE/MAINTAINERS")" ]
	[ "$(grep -c '^$' "$TREE/MAINTAINERS")" = 8 ]
}

@test "tree: runs at the same time wait for each other" {
	"$series" tree &
	"$series" tree
	wait "$!"
	grep -q 'x += 44' "$TREE/drivers/a.c"
}

### refresh

@test "refresh: hunks go to the right one of two patches" {
	"$series" tree
	cp -a patches ../patches
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 444;/'
	edit drivers/a.c '/^int three/,/^}/s/x += 8;/x += 88;/'
	"$series" refresh
	grep -q '^+.x += 444;' patches/0001-first.patch
	has_not 'x += 88;' patches/0001-first.patch
	grep -q '^+.x += 88;' patches/0002-second.patch
	cmp patches/0003-third.patch ../patches/0003-third.patch
	# header and message stay to the byte
	for p in 0001-first 0002-second; do
		cmp <(sed '/^---$/q' patches/$p.patch) <(sed '/^---$/q' ../patches/$p.patch)
	done
	times >../before
	run "$series" tree
	[[ $output == *'up to date'* ]]
	[[ $output != *note* ]]
	times | diff ../before -
	"$series" mail
}

@test "refresh: patches that only move stay byte for byte" {
	"$series" tree
	cp -a patches ../patches
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/&\n\tx--;\n\tx--;/'
	"$series" refresh
	[ "$(grep -c '^+.x--;' patches/0001-first.patch)" = 2 ]
	cmp patches/0002-second.patch ../patches/0002-second.patch
	"$series" mail
}

@test "refresh: a note stays, a stale diffstat goes" {
	sed -i '/^---$/a Note to reviewers\n\n lib/b.c | 2 +-\n 1 file changed, 1 insertion(+)\n' patches/0002-second.patch
	"$series" tree
	edit lib/b.c 's/x += 77;/x += 78;/'
	"$series" refresh
	grep -q '^Note to reviewers' patches/0002-second.patch
	has_not '1 file changed' patches/0002-second.patch
	"$series" mail
}

@test "refresh: a file of no patch needs PATCH=" {
	"$series" tree
	cp -a patches ../patches
	edit lib/free.c 's/x += 5;/x += 55;/'
	edit lib/b.c '/^int six/,/^}/s/x += 1;/x += 11;/'
	fails_with 'lib/free.c:8: no patch touches this file' refresh
	[[ $output == *'make refresh PATCH='* ]]
	diff -r patches ../patches
	"$series" refresh 0001-first.patch
	grep -q '^+.x += 55;' patches/0001-first.patch
	"$series" mail
}

@test "refresh: a hunk next to no patch" {
	"$series" tree
	edit drivers/a.c '/^int two/,/^}/s/return x;/return +x;/'
	fails_with 'drivers/a.c:26: no patch changes a line next to this edit' refresh
	edit drivers/a.c '/^int two/,/^}/s/return +x;/return x;/'
	edit drivers/a.c '/^int two/,/^}/s/x += 8;/x += 88;/'
	edit drivers/a.c '/^int one/,/^}/s/x += 1;/x += 11;/'
	"$series" refresh
	grep -q '^+.x += 11;' patches/0001-first.patch
	grep -q '^+.x += 88;' patches/0002-second.patch
}

@test "refresh: a hunk over the lines of two patches goes to the later one" {
	"$series" tree
	cp patches/0001-first.patch ../
	edit drivers/a.c '/^int one/,/^}/s/x += /x -= /'
	"$series" refresh
	cmp patches/0001-first.patch ../0001-first.patch
	grep -q '^+.x -= 44;' patches/0002-second.patch
	grep -q '^-.x += 44;' patches/0002-second.patch
}

@test "refresh: PATCH= makes a patch at the end" {
	"$series" tree
	edit lib/free.c 's/x += 5;/x += 55;/'
	edit drivers/a.c '1s/one/eins/'
	"$series" refresh 0004-brand-new.patch
	[ "$(tail -n 1 series)" = 0004-brand-new.patch ]
	grep -q '^From: Dev Eloper <dev@example.org>' patches/0004-brand-new.patch
	grep -q '^Subject: \[PATCH\] brand new' patches/0004-brand-new.patch
	grep -q '^Signed-off-by: Dev Eloper <dev@example.org>' patches/0004-brand-new.patch
	"$series" tree
	"$series" mail
	edit lib/free.c 's/x += 6;/x += 66;/'
	fails_with 'no name for a new one' refresh x
}

@test "refresh: an edit that a later patch stands in the way of" {
	"$series" tree
	cp -a patches ../patches
	cp series ../series
	edit drivers/a.c '/^int one/,/^}/s/x += 77;/x += 777;/'
	fails_with 'a later patch changes the lines next to it: make refresh PATCH= with one of 0002-second.patch' refresh 0001-first.patch
	diff -r patches ../patches
	cmp series ../series
	"$series" refresh
	grep -q 'x += 777;' patches/0002-second.patch
}

@test "refresh: an edit that makes a patch empty, or leave a file" {
	"$series" tree
	cp "$BASE/lib/b.c" "$TREE/lib/b.c"
	"$series" refresh
	[ "$("$series" files | grep -c lib/b.c)" = 0 ]
	"$series" mail
	edit drivers/a.c 's/x += 77;/x += 7;/'
	fails_with 'patches/0002-second.patch would become empty' refresh
}

@test "refresh: MAINTAINERS is edited in the checkout" {
	"$series" tree
	edit MAINTAINERS 's/EPSILON/OMEGA/'
	fails_with "MAINTAINERS in the build tree is made from the checkout's" refresh
}

@test "refresh: a new file that an editor unlinked goes to the checkout" {
	"$series" tree
	sed -i 's/new/newer/' "$TREE/drivers/new/new.c"
	[ ! -L "$TREE/drivers/new/new.c" ]
	run "$series" tree
	[[ $output == *'1 files edited'* ]]
	"$series" refresh
	grep -q newer drivers/new/new.c
	[ -L "$TREE/drivers/new/new.c" ]
	# edited on both sides: nothing is lost
	sed -i 's/newer/tree/' "$TREE/drivers/new/new.c"
	echo 'int checkout;' >>drivers/new/new.c
	fails_with 'drivers/new/new.c was edited in the build tree' refresh
	grep -q tree "$TREE/drivers/new/new.c"
	grep -q checkout drivers/new/new.c
}

### mail

@test "mail: one mail a patch with its new files, and a cover letter" {
	mkdir -p "$OUT"
	echo >"$OUT/0009-old.patch"
	"$series" tree
	run "$series" mail
	[ "$status" -eq 0 ]
	[[ $output == *'0003-third.patch: 1 file changed'* ]]
	[[ $output == *'3 patches apply with git am'* ]]
	[ "$(cd "$OUT" && echo *)" = '0000-cover-letter.patch 0001-area-first.patch 0002-area-second.patch 0003-area-third.patch' ]
	grep -q '^Subject: \[PATCH 0/3\] area: all of it$' "$OUT/0000-cover-letter.patch"
	grep -q '^It does good.$' "$OUT/0000-cover-letter.patch"
	grep -q '^base-commit: ' "$OUT/0000-cover-letter.patch"
	grep -q '5 files changed' "$OUT/0000-cover-letter.patch"
	grep -q '^+++ b/include/new.h' "$OUT/0001-area-first.patch"
	grep -q '^+EPSILON OURS' "$OUT/0001-area-first.patch"
	# by hand, on the whole base, with another tool
	cp -a "$BASE" ../hand
	for mail in "$OUT"/000[1-3]*; do
		patch -s -d ../hand -p1 <"$mail"
	done
	diff -r ../hand "$TREE"
}

@test "mail: the same series gives the same mails" {
	"$series" tree
	"$series" mail
	mv "$OUT" "$OUT.1"
	sleep 1
	"$series" mail
	diff -r "$OUT" "$OUT.1"
}

@test "mail: an edit that belongs to no patch" {
	"$series" tree
	edit lib/free.c 's/x += 5;/x += 55;/'
	fails_with 'lib/free.c: an edit in the build tree that belongs to no patch' mail
	[ ! -e "$OUT" ]
}

@test "mail: a build tree that is behind, or missing" {
	fails_with 'there is no build tree' mail
	"$series" tree
	sed -i 's/x += 44/x += 45/' patches/0001-first.patch
	fails_with 'drivers/a.c: the build tree is behind the series' mail
}

@test "mail: the proof sees a tree that differs from the mails" {
	"$series" tree
	chmod +x "$TREE/drivers/a.c"
	fails_with 'drivers/a.c: the mails give another mode than the build tree has' mail
	[ ! -e "$OUT" ]
}

@test "mail: no cover letter" {
	"$series" tree
	rm patches/cover-letter
	fails_with 'no patches/cover-letter' mail
}

@test "mail: checkpatch remarks fail unless they are known" {
	echo '/* BAD_TASTE */' >>include/new.h
	"$series" tree
	fails_with '0001-first.patch: checkpatch: BAD_TASTE' mail
	[ ! -e "$OUT" ]
	printf '# why\n0001-* BAD_TASTE it is meant so\n' >scripts/checkpatch.known
	run "$series" mail
	[ "$status" -eq 0 ]
	[[ $output == *'1 known remarks'* ]]
}

@test "mail: entries of checkpatch.known that are stale or give no reason" {
	echo '/* BAD_TASTE */' >>include/new.h
	"$series" tree
	printf '* BAD_TASTE it is meant so\n0002-* BAD_TASTE once was\n* BAD_SMELL\n' >scripts/checkpatch.known
	fails_with '"0002-* BAD_TASTE" matches no remark any more' mail
	[[ $output == *'"* BAD_SMELL" has no reason'* ]]
}

@test "mail: a checkpatch that cannot run is a failure" {
	echo 'die "oops";' >"$BASE/scripts/checkpatch.pl"
	print_base >../base-before
	"$series" tree
	fails_with 'checkpatch could not run: oops' mail
}

### at

@test "at: the base and the first N patches, up and down" {
	dir=$BATS_TEST_TMPDIR/at
	[ "$("$series" at 3 "$dir" 2>/dev/null)" = drivers/new/new.c ]
	"$series" tree
	diff -r "$dir" "$TREE"
	[ -z "$(find "$dir" -type l)" ]
	# what is not touched is the base's own file
	[ "$dir/lib/free.c" -ef "$BASE/lib/free.c" ]
	[ "$("$series" at 1 "$dir" | paste -sd ,)" = MAINTAINERS,drivers/a.c,include/new.h ]
	cmp "$dir/lib/b.c" "$BASE/lib/b.c"
	[ ! -e "$dir/drivers/new" ]
	grep -q 'x += 44' "$dir/drivers/a.c"
	has_not 'x += 77' "$dir/drivers/a.c"
	[ -z "$("$series" at 0 "$dir")" ]
	diff -r "$dir" "$BASE"
	fails_with 'there is no patch 4' at 4 "$dir"
}

@test "at: files of a patch that left the series go back" {
	dir=$BATS_TEST_TMPDIR/at
	"$series" at 3 "$dir"
	touch -d '+1 sec' ../then
	sed -i '/0002/d; /0003/,$d' series
	rm -r patches/0002* patches/0003* drivers
	"$series" at 1 "$dir"
	cmp "$dir/lib/b.c" "$BASE/lib/b.c"
	[ ! -e "$dir/drivers/new" ]
	fails_with 'is the base or the build tree' at 1 "$BASE"
}
