# shellcheck shell=bash disable=SC2004,SC2031,SC2034,SC2153,SC2154,SC2178 # shares variables with scripts/series
# SPDX-License-Identifier: GPL-2.0-only
#
# The build tree: a copy of the base in which patched files have the patched
# content and new files are links to the checkout. What was last put there is
# remembered as the ref `synced`, so that an edit made in the tree can be told
# from a patch that changed.

# Per path, the blob that the base, the last sync and the series have, and what
# stands in the tree ("link" for a symbolic link, nothing if there is no file).
declare -A in_base=() in_synced=() in_series=() in_tree=() mode=()

# What scan_tree found, each a list of paths.
declare -a to_write=() to_link=() to_remove=() edited=() conflicts=()

# Copy the base to DIR, "-a" as files of its own or "-al" as hard links.
# Nothing half-made ever has the name DIR.
copy_base() {
	local how=$1 dir=$2
	# Hard links don't go from one file system to another.
	[[ $(stat -c %d "$BASE") == "$(stat -c %d "$(dirname "$dir")")" ]] || how=-a
	half_made=$dir.half-made
	rm -rf "$half_made"
	mkdir -p "$half_made"
	find "$BASE" -mindepth 1 -maxdepth 1 ! -name .git -print0 |
		xargs -0 cp "$how" --reflink=auto -t "$half_made" ||
		die "can't copy the base to $dir"
}

finish_copy() {
	mv -T "$half_made" "$1"
	half_made=
}

# What tells one base from another.
base_id() {
	echo "$BASE"
	sha256sum <"$BASE/Makefile"
}

# Have a build tree that this tool knows.
open_tree() {
	if [[ ! -e $TREE ]]; then
		say "copying the base to $TREE (about 10 s)"
		copy_base -a "$TREE"
		base_id >"$REPO/base"
		touch "$REPO/stamp"
		g update-ref refs/heads/synced "${commit[0]}"
		finish_copy "$TREE"
	fi
	find_tree
}

find_tree() {
	[[ -d $TREE ]] || die "there is no build tree $TREE: run make tree"
	if [[ ! -e $REPO/stamp ]] || ! g show-ref -q --verify refs/heads/synced; then
		die "$TREE was not made by this tool: remove it, or set TREE"
	fi
	base_id | cmp -s - "$REPO/base" ||
		die "$TREE was made from another base than $BASE: remove it (look for edits first), or set TREE"
}

# Read a commit's files into the associative array named by $1.
read_commit() {
	local -n blobs=$1
	local m blob path
	while read -r m _ blob path; do
		blobs[$path]=$blob
		[[ $1 != in_series ]] || mode[$path]=$m
	done < <(g ls-tree -r "$2")
}

# Read the blobs of files below DIR into the associative array named by $1.
read_files() {
	local -n blobs=$1
	local dir=$2 path i=0
	local -a hashes
	shift 2
	(($#)) || return 0
	mapfile -t hashes < <(printf '%s\n' "$@" | hash_files "$dir")
	((${#hashes[@]} == $#)) || die "can't read the files of $dir"
	for path; do
		blobs[$path]=${hashes[i]}
		i=$((i + 1))
	done
}

# Sort one path into the lists. What the user changed is never lost: it stays,
# or, if the series changed the same file, nothing at all is done.
judge() {
	local path=$1 base=${in_base[$1]-} have=${in_tree[$1]-}
	local want=${in_series[$1]:-$base} was=${in_synced[$1]:-$base}

	if [[ -z $base && $have == link ]]; then
		if [[ -z $want ]]; then
			to_remove+=("$path")
		elif [[ $(readlink "$TREE/$path") != "$ROOT/$path" ]]; then
			to_link+=("$path")
		fi
	elif [[ -n $base && $have == "$want" ]]; then
		:
	elif [[ -z $have && -z $want ]]; then
		:
	elif [[ -z $have || $have == "$want" || $have == "$was" ]]; then
		if [[ -n $base ]]; then
			to_write+=("$path")
		elif [[ -n $want ]]; then
			to_link+=("$path")
		else
			to_remove+=("$path")
		fi
	elif [[ $want == "$was" ]]; then
		edited+=("$path")
	else
		conflicts+=("$path")
	fi
}

# Compare the tree with the series, and with the last sync.
scan_tree() {
	local path
	local -a paths base_files=() tree_files=()

	in_base=() in_synced=() in_series=() in_tree=() mode=()
	to_write=() to_link=() to_remove=() edited=() conflicts=()
	read_commit in_series "$head"
	read_commit in_synced refs/heads/synced

	# Files that no patch touches are looked at only if they changed since
	# the tree was copied; ctime, as mtime can be set back.
	find "$TREE" \( -name .git -o -name "obj-*" \) -prune -o -type f -cnewer "$REPO/stamp" \
		-printf '%P\n' >"$tmp/newer"
	mapfile -t paths < <({
		printf '%s\n' "${!in_series[@]}" "${!in_synced[@]}"
		while IFS= read -r path; do
			[[ ! -f $BASE/$path || -L $BASE/$path ]] || echo "$path"
		done <"$tmp/newer"
	} | sed '/^$/d' | sort -u)

	for path in "${paths[@]}"; do
		[[ ! -f $BASE/$path ]] || base_files+=("$path")
		if [[ -L $TREE/$path && ! -f $BASE/$path ]]; then
			in_tree[$path]="link"
		elif [[ -f $TREE/$path ]]; then
			tree_files+=("$path")
		fi
	done
	read_files in_base "$BASE" "${base_files[@]}"
	read_files in_tree "$TREE" "${tree_files[@]}"
	for path in "${paths[@]}"; do
		judge "$path"
	done
}

stop_on_conflicts() {
	local path
	for path in "${conflicts[@]}"; do
		problem "$path was edited in the build tree, and the series changed it too. Keep one: put patches/ back and run make refresh, or give the edit up with rm $TREE/$path"
	done
	((problems == 0)) || die "the build tree is unchanged"
}

# put_file MODE SOURCE DEST: a new file, as DEST may be a hard link.
put_file() {
	local new=$3.half-made
	mkdir -p "$(dirname "$3")"
	rm -f "$new"
	cp --no-preserve=all "$2" "$new"
	chmod "${1: -3}" "$new"
	mv -fT "$new" "$3"
}

# put_blob MODE BLOB DEST
put_blob() {
	g cat-file blob "$2" >"$tmp/blob"
	put_file "$1" "$tmp/blob" "$3"
}

put_base() {
	put_file "$(mode_of "$BASE/$1")" "$BASE/$1" "$2/$1"
}

# Remove a file that the base does not have, and folders made for it.
drop_file() {
	local dir
	rm -f "$2/$1"
	dir=$(dirname "$1")
	while [[ ! -d $BASE/$dir ]] && rmdir "$2/$dir" 2>/dev/null; do
		dir=$(dirname "$dir")
	done
}

sync_tree() {
	local path
	scan_tree
	stop_on_conflicts
	for path in "${to_write[@]}"; do
		if [[ -n ${in_series[$path]-} ]]; then
			put_blob "${mode[$path]}" "${in_series[$path]}" "$TREE/$path"
		else
			put_base "$path" "$TREE"
		fi
	done
	for path in "${to_link[@]}"; do
		mkdir -p "$(dirname "$TREE/$path")"
		ln -sfT "$ROOT/$path" "$TREE/$path"
	done
	for path in "${to_remove[@]}"; do
		drop_file "$path" "$TREE"
	done
	g update-ref refs/heads/synced "$head"
	if ((${#to_write[@]} + ${#to_link[@]} + ${#to_remove[@]})); then
		say "build tree: ${#to_write[@]} files written, ${#to_link[@]} linked, ${#to_remove[@]} removed"
	else
		say "build tree: up to date"
	fi
	if ((${#edited[@]})); then
		echo "note: ${#edited[@]} files edited in the build tree, not yet in a patch: run make refresh" >&2
		printf '  %s\n' "${edited[@]}" >&2
	fi
}

# A tree with the base and the first N patches, for bisecting: real files, no
# link to the checkout. Prints what patch N touches or brings.
tree_at() {
	local n dir=$2 path m blob
	local -A wanted=() before=()

	n=$(patch_number "$1" 0)
	[[ $dir != "$BASE" && $dir != "$TREE" ]] ||
		die "$dir is the base or the build tree: name another folder"
	if [[ ! -e $dir ]]; then
		echo "series: linking the base to $dir" >&2
		copy_base -al "$dir"
		: >"$dir.at"
		finish_copy "$dir"
	fi
	[[ -f $dir.at ]] || die "$dir was not made by this tool: remove it"

	while read -r m _ blob path; do
		wanted[$path]="$m $blob"
	done < <(g ls-tree -r "${commit[n]}")
	while IFS= read -r path; do
		before[$path]=1
	done <"$dir.at"
	# Written first: a run that is cut short must not forget a file.
	printf '%s\n' "${!before[@]}" "${!wanted[@]}" | sed '/^$/d' | sort -u >"$tmp/at"
	cp "$tmp/at" "$dir.at"

	for path in "${!wanted[@]}"; do
		read -r m blob <<<"${wanted[$path]}"
		g cat-file blob "$blob" >"$tmp/blob"
		cmp -s "$tmp/blob" "$dir/$path" || put_file "$m" "$tmp/blob" "$dir/$path"
	done
	for path in "${!before[@]}"; do
		[[ -z ${wanted[$path]-} ]] || continue
		if [[ ! -f $BASE/$path ]]; then
			drop_file "$path" "$dir"
		elif ! cmp -s "$BASE/$path" "$dir/$path"; then
			put_base "$path" "$dir"
		fi
	done
	((n == 0)) || g diff-tree -r --no-renames --name-only "${commit[n - 1]}" "${commit[n]}"
}
