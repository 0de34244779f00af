# shellcheck shell=bash disable=SC2004,SC2031,SC2034,SC2153,SC2154,SC2178 # shares variables with scripts/series
# SPDX-License-Identifier: GPL-2.0-only
#
# The mails, and the proof that they are what was built and tested.

# The cover letter and one mail a patch, in DIR.
write_mails() {
	local cover=$PATCHES/cover-letter who email date
	[[ -f $cover ]] ||
		die "no patches/cover-letter: its first line is the subject, the rest the text"
	IFS=$'\t' read -r who email date < <(g log -1 --date=raw \
		--format='%an%x09%ae%x09%ad' "$head")
	# The same series has the same mails: the cover letter gets the name
	# and the date of the last patch.
	GIT_COMMITTER_NAME=$who GIT_COMMITTER_EMAIL=$email GIT_COMMITTER_DATE=$date \
		g -c branch.series.description="$(sed 1G "$cover")" \
		format-patch -q --cover-letter --cover-from-description=subject \
		--base="${commit[0]}" --no-renames --no-signature \
		-o "$1" "${commit[0]}..series"
}

# The build tree must be the series, no more and no less.
check_tree_is_series() {
	local path
	scan_tree
	for path in "${edited[@]}" "${conflicts[@]}"; do
		problem "$path: an edit in the build tree that belongs to no patch: run make refresh"
	done
	for path in "${to_write[@]}" "${to_link[@]}" "${to_remove[@]}"; do
		problem "$path: the build tree is behind the series: run make tree"
	done
	stop_on_problems
}

# git am on the pristine base, then compare with what was built.
prove_applies() {
	local dir=$tmp/am path
	local -a mails=("$1"/[0-9]*.patch)

	g clone -q --shared --no-checkout "$REPO" "$dir"
	(
		export GIT_COMMITTER_NAME=base GIT_COMMITTER_EMAIL=base@localhost
		cd "$dir" &&
			clean_git checkout -q --detach "${commit[0]}" &&
			clean_git am -q "${mails[@]:1}"
	) >"$tmp/am-log" 2>&1 || {
		cat "$tmp/am-log" >&2
		die "the mails do not apply with git am"
	}
	cmp -s <(clean_git -C "$dir" rev-list --no-commit-header --format=%T HEAD) \
		<(g rev-list --no-commit-header --format=%T "$head") ||
		die "the mails, applied with git am, do not give the series"

	for path in "${!in_series[@]}"; do
		cmp -s "$dir/$path" "$TREE/$path" ||
			problem "$path: the mails give another file than the build tree has"
		[[ $(mode_of "$dir/$path") == "$(mode_of "$TREE/$path")" ]] ||
			problem "$path: the mails give another mode than the build tree has"
	done
	stop_on_problems
}

# Read scripts/checkpatch.known: glob, type and reason of each entry.
read_known() {
	local file=$ROOT/scripts/checkpatch.known glob type reason
	known=()
	[[ -f $file ]] || return 0
	while read -r glob type reason; do
		[[ -n $glob && $glob != '#'* ]] || continue
		[[ -n $reason ]] ||
			problem "scripts/checkpatch.known: \"$glob $type\" has no reason"
		known+=("$glob $type")
	done <"$file"
}

# Print the entry that allows this remark of checkpatch about this patch.
find_known() {
	local entry
	for entry in "${known[@]}"; do
		# shellcheck disable=SC2053 # it is a glob
		if [[ $1 == ${entry% *} && $2 == "${entry#* }" ]]; then
			echo "$entry"
			return
		fi
	done
	return 1
}

# checkpatch on each mail. Its own folder, as it leaves a cache behind.
prove_style() {
	local n name log type entry status allowed stat
	local -a known mails=("$1"/[0-9]*.patch)
	local -A used=()

	read_known
	mkdir "$tmp/style"
	# shellcheck disable=SC2016 # for the inner shell
	printf '%s\0' "${mails[@]:1}" | (cd "$tmp/style" &&
		xargs -0 -P "$(nproc)" -I {} bash -c '
			status=0
			perl "$1" --strict --show-types --no-summary --color=never "$2" \
				>"${2##*/}.log" 2>&1 || status=$?
			echo "$status" >"${2##*/}.status"' \
			_ "$BASE/scripts/checkpatch.pl" {})

	for n in "${!patch[@]}"; do
		name=${patch[n]}
		log=$tmp/style/${mails[n]##*/}.log
		status=$(cat "${log%.log}.status")
		allowed=0
		while read -r type; do
			if entry=$(find_known "$name" "$type"); then
				used[$entry]=1
				allowed=$((allowed + 1))
			else
				problem "$name: checkpatch: $type"
				awk -v RS= -v ORS='\n\n' -v t=":$type:" \
					'index($1, t)' "$log" >&2
			fi
		done < <(sed -En 's/^(ERROR|WARNING|CHECK):([A-Z0-9_]+): .*/\2/p' "$log" | sort -u)
		if ((status)) && ! grep -qE '^(ERROR|WARNING|CHECK):[A-Z0-9_]+: ' "$log"; then
			problem "$name: checkpatch could not run: $(tail -n 1 "$log")"
		fi
		stat=$(g diff-tree --shortstat --no-renames "${commit[n - 1]}" "${commit[n]}")
		printf '%4d %s:%s%s\n' "$n" "$name" "${stat:- nothing changed}" \
			"$( ((allowed == 0)) || echo ", $allowed known remarks")"
	done
	for entry in "${known[@]}"; do
		[[ -n ${used[$entry]-} ]] ||
			problem "scripts/checkpatch.known: \"$entry\" matches no remark any more: remove it"
	done
	stop_on_problems
}

mail_series() {
	local new=$tmp/mails
	((${#patch[@]})) || die "the series has no patch"
	find_tree
	check_tree_is_series
	write_mails "$new"
	prove_applies "$new"
	prove_style "$new"
	mkdir -p "$OUT"
	rm -f "$OUT"/[0-9][0-9][0-9][0-9]-*.patch
	cp "$new"/*.patch "$OUT/"
	say "${#patch[@]} patches apply with git am, equal the build tree and are checkpatch clean: $OUT"
}
