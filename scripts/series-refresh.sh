# shellcheck shell=bash disable=SC2004,SC2031,SC2034,SC2153,SC2154,SC2178 # shares variables with scripts/series
# SPDX-License-Identifier: GPL-2.0-only
#
# Edits made in the build tree go back into the patches. An edit is routed hunk
# by hunk. Its patch gets it by a three-way merge, and so does each later patch
# of the same file, as an autosquash rebase would; in the end the file must be
# what it is in the build tree. All is tried on a copy of patches/ first.

declare -A part_of=()	# "number path": the hunks that go there, one a line
declare -A dropped=()	# path: no patch changes it any more
declare -A folded=()	# "number path": the blob after that patch, from there on

# Print the hunks between two blobs: start and length, old and new.
hunks_between() {
	g diff -U0 --no-ext-diff "$1" "$2" | sed -n \
		's/^@@ -\([0-9]*\),*\([0-9]*\) +\([0-9]*\),*\([0-9]*\) @@.*/\1,\2,\3,\4/p' |
		awk -F , -v OFS=' ' '{
			$2 = $2 == "" ? 1 : $2; $4 = $4 == "" ? 1 : $4; print }'
}

# Print the blob OLD with only those hunks towards NEW that stdin lists.
apply_hunks() {
	g cat-file blob "$1" >"$tmp/old"
	g cat-file blob "$2" >"$tmp/new"
	cat >"$tmp/hunks"
	perl - "$tmp/old" "$tmp/new" "$tmp/hunks" <<'END' | g hash-object -w --stdin
use strict;
use warnings;
my ($old, $new, $hunks) = map { local @ARGV = $_; [<>] } @ARGV;
# From the end, so that the positions of those before stay right.
for (reverse @$hunks) {
	my ($at, $len, $from, $count) = split;
	my @put = $count ? @$new[$from - 1 .. $from + $count - 2] : ();
	splice @$old, $len ? $at - 1 : $at, $len, @put;
}
print @$old;
END
}

# merge OURS BASE THEIRS: print the merged blob, or fail.
merge() {
	local side
	if [[ $1 == "$2" ]]; then
		echo "$3"
		return
	fi
	for side in 1 2 3; do
		g cat-file blob "${!side}" >"$tmp/side$side"
	done
	g merge-file -q -p "$tmp/side1" "$tmp/side2" "$tmp/side3" >"$tmp/merged" ||
		return 1
	g hash-object -w --stdin <"$tmp/merged"
}

# route PATH FROM LENGTH: print the number of the patch that a hunk belongs to,
# by the lines that it changes or is next to (of several patches the latest).
route() {
	local path=$1 from=$2 length=$3 to
	local -a patches blame
	read -ra patches <<<"${touched_by[$path]}"
	if ((${#patches[@]} == 1)); then
		echo "${patches[0]}"
		return
	fi
	to=$((from + (length ? length : 1)))
	((length == 0 || from <= 1)) || from=$((from - 1))
	mapfile -t blame < <(g blame -l -s --root "$head" -- "$path" | cut -d ' ' -f 1)
	local line n latest=0
	for ((line = from ? from : 1; line <= to && line <= ${#blame[@]}; line++)); do
		for n in "${patches[@]}"; do
			[[ ${blame[line - 1]} != "${commit[n]}" ]] || ((n <= latest)) || latest=$n
		done
	done
	echo "$latest"
}

# Fill part_of for one edited file.
route_file() {
	local path=$1 target=$2 from length new_from count n
	if [[ -n ${brought_by[$path]-} ]]; then
		problem "$path in the build tree is made from the checkout's: edit that one, and give this edit up with rm $TREE/$path"
		return
	fi
	while read -r from length new_from count; do
		n=$target
		if [[ -z $n && -z ${touched_by[$path]-} ]]; then
			problem "$path:$new_from: no patch touches this file; say which one gets the edit: make refresh PATCH=NNNN-topic.patch"
			return
		fi
		[[ -n $n ]] || n=$(route "$path" "$from" "$length")
		if ((n == 0)); then
			problem "$path:$new_from: no patch changes a line next to this edit; say which one gets it: make refresh PATCH=NNNN-topic.patch"
			continue
		fi
		part_of["$n $path"]+="$from $length $new_from $count"$'\n'
	done < <(hunks_between "${in_series[$path]:-${in_base[$path]}}" "${in_tree[$path]}")
}

# Fold the edits of one file into its patches; fills folded.
fold_file() {
	local path=$1 n now was next part
	local whole=${in_series[$path]:-${in_base[$path]}}

	now=${in_base[$path]} was=$now
	folded["0 $path"]=$now
	for n in "${!patch[@]}"; do
		if [[ " ${touched_by[$path]-}" == *" $n "* ]]; then
			next=$(g rev-parse "${commit[n]}:$path")
			if ! now=$(merge "$now" "$was" "$next"); then
				problem "$path: the edit can't go into an earlier patch, as ${patch[n]} changes the same lines after it: make refresh PATCH=${patch[n]}"
				return
			fi
			was=$next
		fi
		if [[ -n ${part_of["$n $path"]-} ]]; then
			part=$(apply_hunks "$whole" "${in_tree[$path]}" <<<"${part_of["$n $path"]%$'\n'}")
			if ! now=$(merge "$now" "$whole" "$part"); then
				problem "$path: the edit does not fit into ${patch[n]}, a later patch changes the lines next to it: make refresh PATCH= with one of $(later_patches "$path" "$n")"
				return
			fi
		fi
		folded["$n $path"]=$now
	done
	for n in "${!patch[@]}"; do
		[[ ${folded["$n $path"]} == "${in_base[$path]}" ]] || break
	done
	[[ ${folded["$n $path"]} != "${in_base[$path]}" ]] || dropped[$path]=1
	[[ $now == "${in_tree[$path]}" ]] ||
		problem "$path: folding the edit gave another file than the build tree has; say which patch gets it: make refresh PATCH=NNNN-topic.patch"
}

later_patches() {
	local n
	for n in ${touched_by[$1]-}; do
		((n <= $2)) || echo "${patch[n]}"
	done | paste -sd ' '
}

# Print the tree of commit N with the edits folded in. A file that no patch
# touched so far is in none of the commits, and gets into all; one that no patch
# touches any more leaves all.
folded_tree() {
	local n=$1 path
	export GIT_INDEX_FILE=$tmp/index-folded
	rm -f "$GIT_INDEX_FILE"
	g read-tree "${commit[n]:-$head}"
	for path in "${edited[@]}"; do
		if [[ -n ${dropped[$path]-} ]]; then
			echo "0 0000000000000000000000000000000000000000"$'\t'"$path"
		else
			echo "$(mode_of "$BASE/$path") ${folded["$n $path"]}"$'\t'"$path"
		fi
	done | g update-index --index-info
	g write-tree
}

# diff_of N BEFORE AFTER: a patch's diff, without the new files that it brings
# and without index lines, which would change with every patch before it.
diff_of() {
	local path
	local -a but=()
	while IFS= read -r path; do
		[[ -z $path ]] || but+=(":(exclude,literal)$path")
	done <<<"${brings[$1]}"
	g diff-tree -p -U3 --no-renames --no-ext-diff "$2" "$3" -- . "${but[@]}" |
		sed '/^index [0-9a-f]*\.\.[0-9a-f]*/d'
}

without_positions() {
	sed -E 's/^@@ -[0-9]+(,[0-9]+)? \+[0-9]+(,[0-9]+)? @@/@@ \1 \2 @@/' "$1"
}

# What stands before the diff, byte for byte but for a diffstat gone stale.
text_of() {
	awk '
		part == 2 && (/^diff --git / || /^--- [^ ]/) { exit }
		part == 2 && (/^ .* \| +([0-9]+ [+-]*|Bin .*)$/ ||
			/^ [0-9]+ files? changed/ || /^ mode change /) { next }
		# Blank lines count only between the lines of a note.
		part == 2 && /^[ \t]*$/ { blank = blank "\n"; next }
		part == 2 { printf "%s", blank; blank = ""; note = 1 }
		{ print }
		!part && /^$/ { part = 1 }
		part == 1 && /^---[ \t]*$/ { part = 2 }
		END { if (note) print "" }' "$1"
}

# A new patch at the end of the series that is being staged.
new_patch() {
	local name=$1 who mail topic
	[[ $name =~ ^[0-9]{4}-[A-Za-z0-9._-]+\.patch$ ]] ||
		die "$name is no patch of the series, and no name for a new one (NNNN-topic.patch)"
	[[ ! -e $PATCHES/$name ]] || die "patches/$name exists but is not listed in series"
	who=$(git -C "$ROOT" config user.name || true)
	mail=$(git -C "$ROOT" config user.email || true)
	[[ -n $who && -n $mail ]] ||
		die "a new patch needs your name: git config user.name and user.email"
	topic=${name#????-}
	topic=${topic%.patch}
	cat >"$stage/patches/$name" <<-END
		From: $who <$mail>
		Date: $(date -R)
		Subject: [PATCH] ${topic//-/ }

		Say what was wrong, what changes, and what a reviewer should look at.

		Signed-off-by: $who <$mail>
		---
	END
	[[ -z $(tail -c 1 "$SERIES") ]] || echo >>"$stage/series"
	echo "$name" >>"$stage/series"
	patch+=([${#patch[@]} + 1]="$name")
	brings[${#patch[@]}]=''
	number[$name]=${#patch[@]}
}

# Does patch N change a file that was edited, or will it?
has_edited_file() {
	local path
	for path in "${edited[@]}"; do
		[[ " ${touched_by[$path]-}" != *" $1 "* && -z ${part_of["$1 $path"]-} ]] ||
			return 0
	done
	return 1
}

# Write those staged patches whose diff changed: with $1 = 0 not those in which
# only line numbers did.
stage_patches() {
	local exact=$1 n name
	changed=()
	for n in "${!patch[@]}"; do
		name=${patch[n]}
		has_edited_file "$n" || continue
		diff_of "$n" "${trees[n - 1]}" "${trees[n]}" >"$tmp/diff.new"
		if [[ -n ${commit[n]-} ]]; then
			diff_of "$n" "${commit[n - 1]}" "${commit[n]}" >"$tmp/diff.old"
			if ((exact)); then
				! cmp -s "$tmp/diff.old" "$tmp/diff.new" || continue
			else
				[[ "$(without_positions "$tmp/diff.old")" != \
					"$(without_positions "$tmp/diff.new")" ]] || continue
			fi
		fi
		[[ -s $tmp/diff.new || -n ${brings[$n]} ]] ||
			die "patches/$name would become empty: take it out of series and patches/ instead"
		{
			text_of "$stage/patches/$name"
			cat "$tmp/diff.new"
		} >"$tmp/patch"
		cp "$tmp/patch" "$stage/patches/$name"
		changed+=("$name")
	done
}

# Does the staged series give the trees that it should?
staged_is_right() {
	(
		# shellcheck disable=SC2030 # for this subshell
		SERIES=$stage/series PATCHES=$stage/patches
		load_series
		stop_on_problems
		build_repo
		for n in "${!commit[@]}"; do
			[[ $(g rev-parse "${commit[n]}^{tree}") == "${trees[n]}" ]] ||
				die "patch $n gives another tree"
		done
		echo "$head" >"$tmp/staged-head"
	) 2>"$tmp/staged-log"
}

# A new file whose link an editor replaced by a file: the content belongs into
# the checkout, which sync_tree links again.
take_back_new_files() {
	local path
	local -a rest=()
	for path in "${edited[@]}"; do
		if [[ -z ${in_base[$path]-} ]]; then
			cat "$TREE/$path" >"$ROOT/$path"
			say "$path: edit taken to the checkout"
		else
			rest+=("$path")
		fi
	done
	edited=("${rest[@]}")
}

refresh() {
	local target='' name=${1##*/} n path
	local stage=$tmp/stage
	local -a trees=() changed=()

	find_tree
	scan_tree
	stop_on_conflicts
	if ((${#edited[@]} == 0)); then
		say "no edits in the build tree"
		return
	fi
	mkdir -p "$stage/patches"
	cp "$SERIES" "$stage/series"
	for n in "${!patch[@]}"; do
		cp "$PATCHES/${patch[n]}" "$stage/patches/"
	done
	if [[ -n $name ]]; then
		[[ -n ${number[$name]-} ]] || new_patch "$name"
		target=${number[$name]}
	fi

	local -a all=("${edited[@]}") old=()
	for path in "${all[@]}"; do
		[[ -z ${in_base[$path]-} ]] || old+=("$path")
	done
	edited=("${old[@]}")
	if ((${#edited[@]})); then
		printf '%s\n' "${edited[@]}" >"$tmp/edited"
		hash_files "$BASE" -w <"$tmp/edited" >/dev/null
		hash_files "$TREE" -w <"$tmp/edited" >/dev/null
	fi
	for path in "${edited[@]}"; do
		route_file "$path" "$target"
	done
	((problems == 0)) || die "nothing was changed"
	for path in "${edited[@]}"; do
		fold_file "$path"
	done
	((problems == 0)) || die "nothing was changed"

	if ((${#edited[@]})); then
		trees[0]=$(folded_tree 0)
		for n in "${!patch[@]}"; do
			trees[n]=$(folded_tree "$n")
		done
		# Line numbers may be off as long as the patches still apply at
		# the right place; that leaves most of them as they are.
		stage_patches 0
		if ! staged_is_right; then
			stage_patches 1
			staged_is_right || {
				cat "$tmp/staged-log" >&2
				die "the refreshed series does not give the build tree; nothing was changed"
			}
		fi
		for name in "${changed[@]}"; do
			cp "$stage/patches/$name" "$PATCHES/$name"
			say "refreshed patches/$name"
		done
		cmp -s "$stage/series" "$SERIES" || cp "$stage/series" "$SERIES"
	fi
	if ((${#edited[@]} == ${#all[@]})); then
		head=$(<"$tmp/staged-head")
	else
		edited=("${all[@]}")
		take_back_new_files
		load_series
		stop_on_problems
		build_repo
	fi
	sync_tree
}
