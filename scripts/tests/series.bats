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
	mkdir -p "$root/patches/${name%/*}"
	cat >"$root/patches/$name.patch" <<-END
		From: Ä Author <author@example.org>
		Subject: [PATCH] area: ${name#*/}

		It was wrong.

		Signed-off-by: Ä Author <author@example.org>
		---
	END
	for file; do
		cp "$state/$file" "$state/old"
		sed -i "$SED" "$state/$file"
		{ git -C "$state" diff --no-index old "$file" || true; } |
			sed "s#a/old#a/$file#; /^index /d" >>"$root/patches/$name.patch"
	done
}

setup_file() {
	export HOME=$BATS_FILE_TMPDIR GIT_CONFIG_NOSYSTEM=1
	export LC_ALL=C.UTF-8
	git config --global user.name 'Dev Eloper'
	git config --global user.email dev@example.org

	local base=$BATS_FILE_TMPDIR/base root=$BATS_FILE_TMPDIR/root
	local state=$BATS_FILE_TMPDIR/state
	mkdir -p "$base"/{drivers,include,lib,scripts} "$root"/{drivers/new,include,scripts}
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
	cat >"$base/scripts/get_maintainer.pl" <<-'END'
		print "Ann Example <ann\@example.org> (maintainer:AREA)\n";
		print "Ben Example <ben\@example.org> (reviewer:AREA)\nlist\@example.org (open list:AREA)\n";
	END
	# as Debian's, for what is not Debian's
	printf '*.o\n/*\n!/debian/\n' >"$base/.gitignore"
	cp -a "$base" "$state"

	SED='/^int one/,/^}/s/x += 2/x += 44/' change one/first drivers/a.c
	SED='s/x += 7/x += 77/' change one/second drivers/a.c lib/b.c
	change two/third
	cp "$base/lib/b.c" "$state/lib/"
	SED='/^int six/,/^}/s/x += 2/x += 22/' change solo/fix lib/b.c
	printf '#define NEW 1\n' >"$root/include/new.h"
	printf 'int new;\n' >"$root/drivers/new/new.c"
	section 'EPSILON OURS' drivers/new/ >"$root/MAINTAINERS"
	printf '%s\n' '# the order' '' one: $'\tfirst.patch' $'\t\tMAINTAINERS' \
		$'\t\tinclude/new.h' $'\tsecond.patch' '' 'two: one' $'\tthird.patch' \
		$'\t\tdrivers/new/new.c' '' solo: $'\tfix.patch' >"$root/series"
	for set in one two solo; do
		printf 'area: %s\n\nIt does good.\n\nAnd more.\n' "$set" >"$root/patches/$set/cover"
	done
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
	export CACHE=$BATS_TEST_TMPDIR/cache
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
	(cd "$TREE" && find . -name .git -prune -o -printf '%p %T@ %i\n' | sort)
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
	[[ $output == *"3 sets and 4 patches, consistent"* ]]
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
	fails_with 'new file include/new.h is missing, series lists it under one/first.patch' check
}

@test "check: patches/ and series disagree, every problem is told" {
	cp patches/one/first.patch patches/one/more.patch
	rm patches/one/second.patch patches/two/cover
	fails_with 'patches/one/more.patch is not listed in series' check
	[[ $output == *'patches/one/second.patch is missing'* ]]
	[[ $output == *'no patches/two/cover: a line of subject'* ]]
}

@test "check: files, patches and sets listed twice, or in no kernel folder" {
	printf '%s\n' one: $'\tfirst.patch' $'\t\tinclude/new.h' $'\t\tscripts/x' >>series
	fails_with 'one/first.patch is listed twice' check
	[[ $output == *'include/new.h is listed twice'* ]]
	[[ $output == *'set one is listed twice'* ]]
	[[ $output == *'scripts/x, which is in no kernel folder'* ]]
}

@test "check: a set that stands on a later one or on none, and a file of no patch" {
	sed -i 's/^one:/one: two three/; s/^solo:/# why\n&\n\tinclude\/lost.h/' series
	fails_with 'set one stands on two, which is no set before it' check
	[[ $output == *'set one stands on three, which is no set before it'* ]]
	[[ $output == *'series lists include/lost.h before the first patch of a set'* ]]
	[[ $output == *'"# why" stands below the first set'* ]]
}

@test "check: a patch that creates a file" {
	cat >>patches/two/third.patch <<-END
		diff --git a/lib/c.c b/lib/c.c
		new file mode 100644
		--- /dev/null
		+++ b/lib/c.c
		@@ -0,0 +1 @@
		+int c;
	END
	fails_with 'patches/two/third.patch creates lib/c.c: commit it as plain source' check
}

@test "check: a patch that deletes a file" {
	cat >>patches/two/third.patch <<-END
		diff --git a/include/a.h b/include/a.h
		deleted file mode 100644
		--- a/include/a.h
		+++ /dev/null
		@@ -1 +0,0 @@
		-#define A 1
	END
	fails_with 'third.patch may only change files: delete mode 100644 include/a.h' check
}

@test "check: a new file that the base has" {
	echo >include/a.h
	sed -i 's#include/new.h#include/a.h#' series
	rm include/new.h
	fails_with 'the base has include/a.h already' check
}

@test "check: what a mail must have, and must not" {
	sed -i '/^Signed-off-by/d; s/^Subject/Date: today\n&/' patches/one/first.patch
	sed -i 's/^Subject: .PATCH./Subject:/; /^---$/d' patches/two/third.patch
	sed -i 's/^It was wrong/As patch 3 says, it was wrong/' patches/one/second.patch
	sed -i 's/^Subject.*/Subject: [PATCH] area: second/' patches/solo/fix.patch
	echo 'See patches 1 to 3.' >>patches/two/cover
	fails_with 'patches/one/first.patch has no "Signed-off-by:"' check
	[[ $output == *'one/first.patch has a header that a refresh would lose: Date: today'* ]]
	[[ $output == *'two/third.patch has no "Subject: [PATCH]"'* ]]
	[[ $output == *'two/third.patch has no "--- line after the message"'* ]]
	[[ $output == *'one/second.patch says "patch 3"'* ]]
	[[ $output == *'solo/fix.patch has the subject of one/second.patch'* ]]
	[[ $output == *'two/cover says "patches 1"'* ]]
}

@test "check: a message that git am would cut short" {
	sed -i 's/^It was wrong\.$/It was\ndiff -u a b\nwrong./' patches/one/first.patch
	fails_with 'one/first.patch has a line in its message that git takes for the diff: diff -u a b' check
}

@test "check: a patch that is cut short, and one that does nothing" {
	sed -i '$d' patches/one/first.patch
	sed -i '/new.c/d' series
	fails_with 'patches/one/first.patch can'\''t be read: corrupt patch' check
	[[ $output == *'patches/two/third.patch is empty'* ]]
}

### tree

@test "tree: patched, copied, merged, and nothing else" {
	mkdir "$BASE/.git"
	"$series" tree
	grep -q 'x += 44' "$TREE/drivers/a.c"
	[ "$(grep -c 'x += 77' "$TREE/drivers/a.c")" = 4 ]
	cmp "$TREE/include/new.h" include/new.h
	[ "$(cd "$TREE" && find . -name .git -prune -o -type f -print -o -type l -print | wc -l)" = 11 ]
	cmp "$TREE/lib/free.c" "$BASE/lib/free.c"
	[ "$TREE/lib/free.c" -ot "$TREE/drivers/a.c" ]
	[ -z "$(git -C "$TREE" status --porcelain)" ]
}

@test "tree: a commit for each patch, which says its name" {
	"$series" tree
	[ "$(git -C "$TREE" log --reverse --format=%s base.. | paste -sd ,)" = \
		'area: first,area: second,area: third,area: fix' ]
	[ "$(git -C "$TREE" log -1 --format='%(trailers:key=Patch,valueonly)')" = solo/fix.patch ]
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
	sed -i 's/x += 44/x += 45/' patches/one/first.patch
	"$series" tree
	[ "$(times | diff ../before - | grep -c '^> .*\.[ch] ')" = 1 ]
	grep -q 'x += 45' "$TREE/drivers/a.c"
}

@test "tree: an edit of a new file in the checkout is taken" {
	"$series" tree
	echo 'int seen;' >>drivers/new/new.c
	"$series" tree
	grep -q seen "$TREE/drivers/new/new.c"
	run "$series" tree
	[[ $output == *'up to date'* ]]
}

@test "tree: a patch changes a file that an earlier one brings" {
	cat >>patches/two/third.patch <<-END
		diff --git a/include/new.h b/include/new.h
		--- a/include/new.h
		+++ b/include/new.h
		@@ -1 +1,2 @@
		 #define NEW 1
		+#define NEWER 2
	END
	echo '#define NEWER 2' >>include/new.h
	"$series" tree
	cmp include/new.h "$TREE/include/new.h"
	[ "$(git -C "$TREE" show base~0:include/new.h 2>&1 | grep -c NEW)" = 0 ]
	[ "$(git -C "$TREE" show HEAD~3:include/new.h)" = '#define NEW 1' ]
	"$series" mail
	# in the build tree, an edit of it finds its patch
	sed -i 's/NEWER 2/NEWER 3/' "$TREE/include/new.h"
	"$series" refresh
	grep -q '^+#define NEWER 3' patches/two/third.patch
	grep -q 'NEWER 3' include/new.h
	sed -i 's/NEWER 3/NEWER 4/' include/new.h
	fails_with 'patches/two/third.patch does not fit include/new.h as it is in the checkout' tree
}

@test "tree: commit ids are reproducible" {
	"$series" tree
	id=$(git -C "$TREE" rev-parse series)
	rm -rf "$TREE"
	sleep 1
	"$series" tree
	[ "$(git -C "$TREE" rev-parse series)" = "$id" ]
	[ "$(git -C "$TREE" log -1 --format='%an' series~2)" = 'Ä Author' ]
}

@test "tree: a patch taken out puts the base's files back, with a new time" {
	"$series" tree
	touch ../then
	printf '%s\n' one: $'\tfirst.patch' $'\t\tMAINTAINERS' $'\t\tinclude/new.h' >series
	rm -r patches/one/second* patches/two patches/solo drivers
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
	sed -i 's/^ \tx += 6;/ \tx += 66;/' patches/one/second.patch
	fails_with 'patches/one/second.patch does not apply: drivers/a.c, the hunk at line 7' tree
	times | diff ../before -
	sed -i 's/^ \tx += 66;/ \tx += 6;/; s#lib/b\.c#lib/nob.c#g' patches/one/second.patch
	fails_with 'patches/one/second.patch does not apply: error: lib/nob.c: does not exist' tree
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
	# also when another patch changes
	sed -i 's/NEW/OLD/' include/new.h
	"$series" tree
	grep -q 'x += 11' "$TREE/drivers/a.c"
	grep -q 'x += 11' "$TREE/lib/free.c"
}

@test "tree: an edit and a changed patch of the same file" {
	"$series" tree
	edit drivers/a.c 's/x += 1;/x += 11;/'
	sed -i 's/x += 44/x += 45/' patches/one/first.patch
	echo 'int x;' >>drivers/new/new.c
	times >../before
	fails_with 'drivers/a.c was edited in the build tree, and it has changed in the checkout' tree
	times | diff ../before -
	git -C "$TREE" stash -q -u
	"$series" tree
	git -C "$TREE" stash pop -q || sed -i '/^<<<<<<<\|^|||||||\|^=======\|^>>>>>>>/d' "$TREE/drivers/a.c"
	grep -q 'x += 45' "$TREE/drivers/a.c"
	grep -q 'x += 11' "$TREE/drivers/a.c"
}

@test "tree: commits of the user's and a changed patch" {
	"$series" tree
	git -C "$TREE" -c commit.gpgSign=false commit -q --allow-empty -m mine
	run "$series" tree
	[[ $output == *'note: 1 commits in the build tree, not yet in a patch'* ]]
	sed -i 's/x += 44/x += 45/' patches/one/first.patch
	fails_with 'both patches/ and the commits of the build tree have changed' tree
	[ "$(git -C "$TREE" log -1 --format=%s)" = mine ]
}

@test "tree: cut short while copying, and foreign trees" {
	mkdir -p "$TREE.half-made/junk"
	"$series" tree
	[ ! -e "$TREE/junk" ]
	rm -rf "$TREE/.git"
	fails_with 'was not made by this tool' tree
}

@test "tree: a newer base" {
	"$series" tree
	echo '/* newer */' >>"$BASE/lib/free.c"
	print_base >../base-before
	"$series" tree
	cmp "$BASE/lib/free.c" "$TREE/lib/free.c"
	# one that the patches don't fit
	sed -i '/^int one/,/^}/s/x += 1;/x += 11;/' "$BASE/drivers/a.c"
	print_base >../base-before
	fails_with 'one/first.patch does not apply: drivers/a.c' tree
	[[ $output == *"the base is a new one; to rebase by hand: git -C $TREE rebase --onto new-base base"* ]]
	fails_with 'the base is a new one' refresh
	git config --global commit.gpgSign false
	git -C "$TREE" rebase -q --onto new-base base || {
		sed -i '/^<<<<<<<\|^=======\|^>>>>>>>/d; /x += 1;/d; 0,/x += 2;/{/x += 2;/d}' "$TREE/drivers/a.c"
		grep -v '^|||||||' "$TREE/drivers/a.c" | head -n 12
		git -C "$TREE" add drivers/a.c
		GIT_EDITOR=: git -C "$TREE" rebase --continue
	}
	git config --global commit.gpgSign true
	"$series" refresh
	"$series" mail
	grep -q 'x += 11' "$TREE/drivers/a.c"
	grep -q '^ .x += 11;' patches/one/first.patch
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
	# and see what the one before them did
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 444;/'
	exec 8>"$TREE.lock"
	flock 8
	"$series" refresh 8>&- &
	"$series" tree 8>&- &
	sleep 1
	flock -u 8
	wait
	"$series" tree
	grep -q 'x += 444' "$TREE/drivers/a.c"
	"$series" refresh
	grep -q '^+.x += 444' patches/one/first.patch
}

### refresh

@test "refresh: hunks go to the right one of two patches" {
	"$series" tree
	cp -a patches ../patches
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 444;/'
	edit drivers/a.c '/^int three/,/^}/s/x += 8;/x += 88;/'
	times >../before
	"$series" refresh
	grep -q '^+.x += 444;' patches/one/first.patch
	has_not 'x += 88;' patches/one/first.patch
	grep -q '^+.x += 88;' patches/one/second.patch
	cmp patches/two/third.patch ../patches/two/third.patch
	# header and message stay to the byte
	for p in one/first one/second; do
		cmp <(sed '/^---$/q' patches/$p.patch) <(sed '/^---$/q' ../patches/$p.patch)
	done
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
	[ "$(grep -c '^+.x--;' patches/one/first.patch)" = 2 ]
	cmp patches/one/second.patch ../patches/one/second.patch
	"$series" mail
}

@test "refresh: a note stays, a stale diffstat goes" {
	sed -i '/^---$/a Note to reviewers\n\n lib/b.c | 2 +-\n 1 file changed, 1 insertion(+)\n' patches/one/second.patch
	"$series" tree
	edit lib/b.c '/^int five/,/^}/s/x += 77;/x += 78;/'
	"$series" refresh
	grep -q '^Note to reviewers' patches/one/second.patch
	has_not '1 file changed' patches/one/second.patch
	"$series" mail
	grep -q '^Note to reviewers' "$OUT"/one/0002*
}

@test "refresh: a file of no patch needs PATCH=" {
	"$series" tree
	cp -a patches ../patches
	edit lib/free.c 's/x += 5;/x += 55;/'
	edit lib/b.c '/^int five/,/^}/s/x += 3;/x += 33;/'
	fails_with 'lib/free.c:8: no patch changes a line next to this edit' refresh
	[[ $output == *'make refresh PATCH='* ]]
	diff -r patches ../patches
	[ "$(git -C "$TREE" status --porcelain | paste -sd ,)" = ' M lib/b.c, M lib/free.c' ]
	"$series" refresh one/first.patch
	grep -q '^+.x += 55;' patches/one/first.patch
	"$series" mail
}

@test "refresh: a hunk next to no patch" {
	"$series" tree
	edit drivers/a.c '/^int two/,/^}/s/x += 3;/x += 33;/'
	fails_with 'drivers/a.c:20: no patch changes a line next to this edit' refresh
	edit drivers/a.c '/^int two/,/^}/s/x += 33;/x += 3;/'
	edit drivers/a.c '/^int two/,/^}/s/x += 8;/x += 88;/'
	edit drivers/a.c '/^int one/,/^}/s/x += 1;/x += 11;/'
	"$series" refresh
	grep -q '^+.x += 11;' patches/one/first.patch
	grep -q '^+.x += 88;' patches/one/second.patch
}

@test "refresh: a hunk over the lines of two patches goes to the later one" {
	"$series" tree
	cp patches/one/first.patch ../
	edit drivers/a.c '/^int one/,/^}/s/x += /x -= /'
	"$series" refresh
	cmp patches/one/first.patch ../first.patch
	grep -q '^+.x -= 44;' patches/one/second.patch
	grep -q '^-.x += 44;' patches/one/second.patch
}

@test "refresh: PATCH= makes a patch at the end of its set" {
	"$series" tree
	edit lib/free.c 's/x += 5;/x += 55;/'
	edit drivers/a.c '1s/one/eins/'
	echo 'int brought;' >"$TREE/lib/brought.c"
	fails_with 'lib/brought.c is new in the build tree; say which patch gets it' refresh
	"$series" refresh one/brand-new.patch
	[ "$(tail -n +7 series | head -n 3 | paste -sd ,)" = $'\tsecond.patch,\tbrand-new.patch,\t\tlib/brought.c' ]
	cmp lib/brought.c "$TREE/lib/brought.c"
	grep -q '^From: Dev Eloper <dev@example.org>' patches/one/brand-new.patch
	grep -q '^Subject: \[PATCH\] one: brand new' patches/one/brand-new.patch
	grep -q '^Signed-off-by: Dev Eloper <dev@example.org>' patches/one/brand-new.patch
	"$series" tree
	"$series" mail
	edit lib/free.c 's/x += 6;/x += 66;/'
	fails_with 'no name for a new one' refresh x
	fails_with 'no name for a new one' refresh four/x.patch
}

@test "refresh: PATCH= means the whole name" {
	"$series" tree
	cp -a patches ../patches
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 444;/'
	fails_with 'one is no patch, and no name for a new one' refresh one
	fails_with 'one/first is no patch, and no name for a new one' refresh one/first
	diff -r patches ../patches
	"$series" refresh patches/one/first.patch
	grep -q '^+.x += 444' patches/one/first.patch
}

@test "refresh: what a message may hold" {
	sed -i 's/^It was wrong.$/Patch: is a word\n\n# no comment\n lib\/b.c | 2 +-\nPatch: one\/gone.patch\n\nÄ was wrong./' patches/one/first.patch
	sed '/^---$/q' patches/one/first.patch >../text
	"$series" tree
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 444;/'
	"$series" refresh
	cmp ../text <(sed '/^---$/q' patches/one/first.patch)
	grep -q '^+.x += 444' patches/one/first.patch
}

@test "refresh: line ends, blanks in a name, modes and no newline at the end" {
	sed -i 's/^solo:/& one/' series
	"$series" tree
	printf 'int a;\r\nint b;' >"$TREE/lib/a b.c"
	edit drivers/a.c '/^int one/,/^}/s/x += 44;/x += 44;\r/'
	"$series" refresh solo/more.patch
	cmp "lib/a b.c" "$TREE/lib/a b.c"
	grep -q $'^+.x += 44;\r' patches/solo/more.patch
	"$series" tree
	"$series" mail
	chmod +x "$TREE/lib/a b.c"
	fails_with 'lib/a b.c:: no patch changes a line next to this edit' refresh
	fails_with 'lib/a b.c: the edit does not fit there' refresh solo/fix.patch
	"$series" refresh solo/more.patch
	[ -x "lib/a b.c" ]
	chmod +x "$TREE/lib/b.c"
	"$series" refresh solo/fix.patch
	grep -q '^new mode 100755' patches/solo/fix.patch
	[ -z "$(git -C "$TREE" status --porcelain)" ]
	"$series" mail
}

@test "refresh: a file of the base is deleted" {
	"$series" tree
	rm "$TREE/lib/free.c"
	fails_with 'lib/free.c:' refresh
	fails_with 'may only change files: delete mode 100644 lib/free.c' refresh one/first.patch
	[ "$(git -C "$TREE" status --porcelain)" = ' D lib/free.c' ]
}

@test "refresh: a new patch in front of one that changes the same lines" {
	"$series" tree
	edit lib/b.c '/^int six/,/^}/s/x += 22;/x += 23;/'
	fails_with 'if a later patch changes the same lines, name one at or after that' refresh one/early.patch
	[ ! -e patches/one/early.patch ]
}

@test "refresh: a commit becomes a patch in the middle of a set" {
	"$series" tree
	git config --global commit.gpgSign false
	edit lib/free.c 's/x += 5;/x += 55;/'
	echo 'int between;' >"$TREE/lib/between.c"
	git -C "$TREE" add .
	git -C "$TREE" commit -q -a -s -m 'area: between' -m 'It is missing.'
	fails_with 'the commit "area: between" names no patch of a set that series has' refresh
	git -C "$TREE" commit -q --amend --no-edit --trailer 'Patch: one/between.patch'
	# to its place, by hand
	git -C "$TREE" log --reverse --format='pick %h' base.. | sed -n '1p; $p' >../todo
	git -C "$TREE" log --reverse --format='pick %h' base.. | sed '1d; $d' >>../todo
	GIT_SEQUENCE_EDITOR="cp $BATS_TEST_TMPDIR/todo" git -C "$TREE" rebase -q -i base
	git config --global commit.gpgSign true
	"$series" refresh
	[ -e lib/between.c ]
	[ "$(grep patch series | paste -sd ,)" = $'\tfirst.patch,\tbetween.patch,\tsecond.patch,\tthird.patch,\tfix.patch' ]
	grep -q '^It is missing.$' patches/one/between.patch
	"$series" mail
}

@test "refresh: a commit split in two, and one dropped" {
	"$series" tree
	git config --global commit.gpgSign false
	git -C "$TREE" reset -q --soft HEAD~3
	git -C "$TREE" reset -q
	rm -r "$TREE/drivers/new"
	git -C "$TREE" commit -q -s -m 'area: b' --trailer 'Patch: one/b.patch' lib/b.c
	git -C "$TREE" commit -q -s -m 'area: a' --trailer 'Patch: one/a.patch' drivers/a.c
	git config --global commit.gpgSign true
	run "$series" refresh
	[ "$status" -eq 0 ]
	[[ $output == *'removed patches/one/second.patch'* ]]
	[[ $output == *'removed drivers/new/new.c'* ]]
	[ "$(grep patch series | paste -sd ,)" = $'\tfirst.patch,\tb.patch,\ta.patch' ]
	[ ! -e drivers/new/new.c ]
	"$series" mail
}

@test "refresh: a rebase that is not finished" {
	"$series" tree
	cp -a patches ../patches
	GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' git -C "$TREE" rebase -q -i base
	[ "$(git -C "$TREE" log --format=%s base.. | wc -l)" = 1 ]
	fails_with "git is in the midst of something in $TREE" refresh
	run "$series" tree
	[ "$status" -eq 0 ]
	diff -r patches ../patches
}

@test "refresh: two commits for one patch" {
	"$series" tree
	git -C "$TREE" -c commit.gpgSign=false commit -q --allow-empty -s -m 'area: twice' --trailer 'Patch: solo/fix.patch'
	fails_with 'solo/fix.patch is listed twice in series' refresh
	[ "$(git -C "$TREE" log -1 --format=%s)" = 'area: twice' ]
}

@test "a patch moved to another set, by series and git mv" {
	"$series" tree
	times >../before
	mv patches/one/second.patch patches/two/
	sed -i '/second/d; s/^two:.*/&\n\tsecond.patch/' series
	"$series" tree
	times | diff ../before -
	"$series" mail
	[ -e "$OUT/two/0001-area-second.patch" ]
	# and by the commit, which may go back
	git -C "$TREE" -c commit.gpgSign=false commit -q --allow-empty -m 'amend! area: second' \
		-m 'area: second' -m 'It was wrong.' -m $'Signed-off-by: A <a@b>\nPatch: one/second.patch'
	"$series" refresh
	[ -e patches/one/second.patch ]
	[ ! -e patches/two/second.patch ]
	"$series" mail
}

@test "refresh: an edit that a later patch stands in the way of" {
	"$series" tree
	cp -a patches ../patches
	cp series ../series
	edit drivers/a.c '/^int one/,/^}/s/x += 77;/x += 777;/'
	fails_with 'drivers/a.c: the edit does not fit there, as another patch changes the same lines: make refresh PATCH= with one of one/first.patch one/second.patch' refresh one/first.patch
	diff -r patches ../patches
	cmp series ../series
	[ "$(git -C "$TREE" status --porcelain)" = ' M drivers/a.c' ]
	"$series" refresh
	grep -q 'x += 777;' patches/one/second.patch
}

@test "refresh: an edit that makes a patch empty, or leave a file" {
	"$series" tree
	edit lib/b.c '/^int five/,/^}/s/x += 77;/x += 7;/; /^int six/,/^}/s/x += 77;/x += 7;/'
	"$series" refresh
	has_not lib/b.c patches/one/second.patch
	"$series" mail
	edit drivers/a.c 's/x += 77;/x += 7;/'
	fails_with 'a patch would become empty' refresh
	[ "$(git -C "$TREE" status --porcelain)" = ' M drivers/a.c' ]
}

@test "refresh: MAINTAINERS is edited in the checkout" {
	"$series" tree
	edit MAINTAINERS 's/EPSILON/OMEGA/'
	fails_with "MAINTAINERS in the build tree is made from the checkout's" refresh
}

@test "refresh: a new file that was edited in the build tree goes to the checkout" {
	"$series" tree
	sed -i 's/new/newer/' "$TREE/drivers/new/new.c"
	run "$series" tree
	[[ $output == *'1 files edited'* ]]
	"$series" refresh
	grep -q newer drivers/new/new.c
	# edited on both sides: nothing is lost
	sed -i 's/newer/tree/' "$TREE/drivers/new/new.c"
	echo 'int checkout;' >>drivers/new/new.c
	fails_with 'drivers/new/new.c was edited in the build tree, and it has changed in the checkout' refresh
	grep -q tree "$TREE/drivers/new/new.c"
	grep -q checkout drivers/new/new.c
}

### mail

@test "mail: a folder a set, one mail a patch with its new files, and a cover letter" {
	mkdir -p "$OUT/old"
	touch "$OUT/old/0000-cover-letter.patch" "$OUT/cross.txt"
	"$series" tree
	run "$series" mail
	[ "$status" -eq 0 ]
	[[ $output == *'two: git am of 1 on the base + one'* ]]
	[[ $output == *'solo: git am of 1 on the base'* ]]
	[[ $output == *'4 patches apply with git am, give the build tree'* ]]
	[ "$(cd "$OUT" && echo * one/*)" = 'cross.txt one solo two one/0000-cover-letter.patch one/0001-area-first.patch one/0002-area-second.patch' ]
	grep -q '^Subject: \[PATCH 0/2\] area: one$' "$OUT/one/0000-cover-letter.patch"
	grep -q '^It does good.$' "$OUT/one/0000-cover-letter.patch"
	grep -q '^base-commit: ' "$OUT/one/0000-cover-letter.patch"
	grep -q '4 files changed' "$OUT/one/0000-cover-letter.patch"
	for header in 'To: Ann Example <ann@example.org>' 'Cc: Ben Example <ben@example.org>,'; do
		[ "$(grep -c "^$header" "$OUT"/*/*.patch | grep -c :1)" = 7 ]
	done
	[ "$(grep -c '^prerequisite-patch-id: ' "$OUT/two/0000-cover-letter.patch")" = 2 ]
	has_not '^prerequisite-patch-id: ' "$OUT/solo/0000-cover-letter.patch"
	has_not '^Patch: ' "$OUT/one/0001-area-first.patch"
	grep -q '^+++ b/include/new.h' "$OUT/one/0001-area-first.patch"
	grep -q '^+EPSILON OURS' "$OUT/one/0001-area-first.patch"
	# by hand, on the whole base, with another tool
	cp -a "$BASE" ../hand
	for mail in "$OUT"/one/000[12]* "$OUT"/two/0001* "$OUT"/solo/0001*; do
		patch -s -d ../hand -p1 <"$mail"
	done
	diff -r -x .git -x .gitignore ../hand "$TREE"
}

@test "mail: one set" {
	"$series" tree
	"$series" mail two
	[ "$(cd "$OUT" && echo *)" = two ]
	fails_with 'there is no set six; there are one two solo' mail six
}

@test "mail: a set that needs more than it names" {
	sed -i 's/^two: one/two:/' series
	cat >>patches/two/third.patch <<-END
		diff --git a/drivers/a.c b/drivers/a.c
		--- a/drivers/a.c
		+++ b/drivers/a.c
		@@ -2,7 +2,7 @@
		 int one(int x)
		 {
		 	x += 1;	/* [x] ? */
		-	x += 44;	/* [x] ? */
		+	x += 45;	/* [x] ? */
		 	x += 3;	/* [x] ? */
		 	x += 4;	/* [x] ? */
		 	x += 5;	/* [x] ? */
	END
	"$series" tree
	fails_with 'patches/two/third.patch does not apply: drivers/a.c, the hunk at line 2' mail
	sed -i 's/^two:/two: one/' series
	"$series" mail
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

@test "mail: a build tree that is behind, or has more" {
	"$series" tree
	git -C "$TREE" -c commit.gpgSign=false commit -q --allow-empty -m mine
	fails_with 'the build tree has commits that are not in patches/' mail
	git -C "$TREE" reset -q --keep synced
	sed -i 's/x += 44/x += 45/' patches/one/first.patch
	fails_with 'the build tree is behind the series: run make tree' mail
}

@test "mail: the proof reads the build tree, whatever its times say" {
	"$series" tree
	chmod +x "$TREE/drivers/a.c"
	fails_with 'drivers/a.c: an edit in the build tree' mail
	chmod -x "$TREE/drivers/a.c"
	git -C "$TREE" update-index --assume-unchanged lib/free.c
	edit lib/free.c 's/x += 5;/x += 6;/'
	fails_with 'lib/free.c: an edit in the build tree' mail
	[ ! -e "$OUT" ]
}

@test "mail: checkpatch remarks fail unless they are known" {
	echo '/* BAD_TASTE */' >>include/new.h
	"$series" tree
	fails_with 'one/first.patch: checkpatch: BAD_TASTE' mail
	[ ! -e "$OUT" ]
	printf '# why\none/f* BAD_TASTE it is meant so\n' >scripts/checkpatch.known
	run "$series" mail
	[ "$status" -eq 0 ]
}

@test "mail: entries of checkpatch.known that are stale or give no reason" {
	echo '/* BAD_TASTE */' >>include/new.h
	"$series" tree
	printf '* BAD_TASTE it is meant so\none/second* BAD_TASTE once was\n' >scripts/checkpatch.known
	fails_with '"one/second* BAD_TASTE" matches no remark any more' mail
	printf '* BAD_SMELL\n' >>scripts/checkpatch.known
	fails_with '"* BAD_SMELL" has no reason' mail
}

@test "mail: a checkpatch that cannot run is a failure" {
	echo 'die "oops";' >"$BASE/scripts/checkpatch.pl"
	print_base >../base-before
	"$series" tree
	fails_with 'checkpatch could not run' mail
	[[ $output == *oops* ]]
}

### commits

@test "commits: of all sets, and of one on what it stands on" {
	[ "$("$series" commits | grep -v ^series: | cut -d' ' -f2 | paste -sd ,)" = \
		base,one/first.patch,one/second.patch,two/third.patch,solo/fix.patch ]
	"$series" tree
	run "$series" commits solo
	[ "${#lines[@]}" = 2 ]
	[ "${lines[0]}" = "$(git -C "$TREE" rev-parse base) base" ]
	git -C "$TREE" show "${lines[1]% *}:include/new.h" && return 1
	[ "$(git -C "$TREE" diff --name-only base "${lines[1]% *}")" = lib/b.c ]
	[ "$("$series" commits two | head -n 1 | cut -d' ' -f1)" = "$("$series" commits | sed -n '3s/ .*//p')" ]
}
