# shellcheck shell=bash disable=SC2004,SC2031,SC2034,SC2153,SC2154,SC2178 # shares variables with scripts/series
# SPDX-License-Identifier: GPL-2.0-only
#
# The repository of only the touched files. Built with plumbing: no work tree,
# and nothing that the user's git configuration or hooks could change. Authors
# and dates come from the patches, so the same series has the same commit ids.

declare -a commit=()	# number: commit; commit[0] is the base

# git without what the user has configured.
clean_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git "$@"
}

# git on the repository of touched files.
g() {
	clean_git --git-dir="$REPO" "$@"
}

# Print the blob of each path that stdin lists below DIR; -w stores it.
hash_files() {
	local dir=$1
	shift
	(cd "$dir" && g hash-object --no-filters --stdin-paths "$@")
}

# Print git's mode of a file.
mode_of() {
	if [[ -x $1 ]]; then echo 100755; else echo 100644; fi
}

# Put the files below DIR that stdin lists into the index.
add_files() {
	local dir=$1 path blob
	cat >"$tmp/paths"
	hash_files "$dir" -w <"$tmp/paths" >"$tmp/blobs" ||
		die "can't read the files of $dir"
	while IFS=$'\t' read -r blob path; do
		echo "$(mode_of "$dir/$path") $blob"$'\t'"$path"
	done < <(paste "$tmp/blobs" "$tmp/paths") | g update-index --index-info
}

# commit_index AUTHOR EMAIL DATE MESSAGE-FILE [PARENT]: print the commit.
commit_index() {
	local tree
	tree=$(g write-tree)
	GIT_AUTHOR_NAME=$1 GIT_AUTHOR_EMAIL=$2 GIT_AUTHOR_DATE=$3 \
	GIT_COMMITTER_NAME=$1 GIT_COMMITTER_EMAIL=$2 GIT_COMMITTER_DATE=$3 \
		g commit-tree "$tree" ${5:+-p "$5"} <"$4"
}

open_repo() {
	[[ ! -e $REPO/HEAD ]] || return 0
	mkdir -p "$REPO"
	clean_git init -q --bare --template= --initial-branch=series "$REPO"
	# Hunk headers as kernel developers see them.
	mkdir -p "$REPO/info"
	printf '%s diff=cpp\n' '*.c' '*.h' >"$REPO/info/attributes"
}

# Commit 0: the touched files as the base has them.
commit_base() {
	local version
	{
		printf '%s\n' "${!touched_by[@]}"
		[[ -z ${brought_by[MAINTAINERS]-} ]] || echo MAINTAINERS
	} | sed '/^$/d' | sort -u | add_files "$BASE"
	version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' \
		"$BASE/Makefile" | head -n 3 | paste -sd .)
	echo "Linux $version, the files that the series touches" >"$tmp/message"
	commit[0]=$(commit_index base base@localhost '@946684800 +0000' "$tmp/message")
}

# Say what in patch N does not fit, from what git apply said.
explain_apply() {
	local n=$1 what
	what=$(sed -n 's/^error: patch failed: \(.*\):\([0-9]*\)$/\1, the hunk at line \2/p' \
		"$tmp/apply" | paste -sd ';' | sed 's/;/; /g')
	[[ -n $what ]] || what=$(head -n 1 "$tmp/apply")
	die "patches/${patch[n]} does not apply: $what. Make the patch fit what the base and the patches before it leave there; the build tree is unchanged"
}

# Commit N: one patch with the new files that it brings.
commit_patch() {
	local n=$1 author email date subject mail=$tmp/mail

	g mailinfo "$mail.body" "$mail.diff" <"$PATCHES/${patch[n]}" >"$mail.info" ||
		die "patches/${patch[n]} is not a mail with a patch"
	author=$(sed -n 's/^Author: //p' "$mail.info")
	email=$(sed -n 's/^Email: //p' "$mail.info")
	date=$(sed -n 's/^Date: //p' "$mail.info")
	subject=$(sed -n 's/^Subject: //p' "$mail.info")
	{
		printf '%s\n\n' "$subject"
		cat "$mail.body"
	} | g stripspace >"$tmp/message"

	if [[ -n ${touches[$n]} ]]; then
		g apply --cached --whitespace=nowarn "$mail.diff" 2>"$tmp/apply" ||
			explain_apply "$n"
	fi
	if [[ -n ${brings[$n]} ]]; then
		sed '/^MAINTAINERS$/d; /^$/d' <<<"${brings[$n]}" | add_files "$ROOT"
	fi
	if [[ ${brought_by[MAINTAINERS]-} == "$n" ]]; then
		merge_maintainers "$BASE/MAINTAINERS" "$ROOT/MAINTAINERS" >"$tmp/MAINTAINERS"
		echo MAINTAINERS | add_files "$tmp"
	fi
	commit[n]=$(commit_index "$author" "$email" "$date" "$tmp/message" "${commit[n - 1]}")
}

# Make all commits again; sets commit[].
build_repo() {
	local n
	open_repo
	export GIT_INDEX_FILE=$tmp/index
	rm -f "$GIT_INDEX_FILE"
	commit=()
	commit_base
	for n in "${!patch[@]}"; do
		commit_patch "$n"
	done
	unset GIT_INDEX_FILE
	head=${commit[-1]}
	# The name keeps the objects from being pruned.
	g update-ref refs/heads/series "$head"
}
