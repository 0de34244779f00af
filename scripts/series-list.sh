# shellcheck shell=bash disable=SC2004,SC2031,SC2034,SC2153,SC2154,SC2178 # shares variables with scripts/series
# SPDX-License-Identifier: GPL-2.0-only
#
# What the series consists of, and whether its parts agree with each other.

# Folders of the checkout that hold kernel files; all that is in them is ours
# to send, so nothing in them may be left out of the series.
kernel_dirs=(drivers include mm lib fs kernel arch samples virt sound
	tools/testing Documentation)

declare -a patch=()		# number, from 1: name in patches/
declare -A number=()		# name: number
declare -A brings=()		# number: new files, one a line
declare -A touches=()		# number: existing files, one a line
declare -A brought_by=()	# new file: number
declare -A touched_by=()	# existing file: numbers, each with a space after

problems=0
problem() {
	echo "error: $*" >&2
	problems=$((problems + 1))
}

stop_on_problems() {
	((problems == 0)) || exit 1
}

# The `series` file.
read_order() {
	local line n=0

	patch=() number=() brings=() touches=() brought_by=() touched_by=()
	[[ -f $SERIES ]] || die "no file $SERIES"
	while IFS= read -r line; do
		if [[ $line != [[:blank:]]* ]]; then
			n=$((n + 1))
			patch[n]=$line
			brings[$n]='' touches[$n]=''
			[[ -z ${number[$line]-} ]] ||
				problem "$line is listed twice in series"
			number[$line]=$n
			continue
		fi
		line=${line#"${line%%[![:blank:]]*}"}
		if ((n == 0)); then
			problem "series lists $line before the first patch"
		elif [[ -n ${brought_by[$line]-} ]]; then
			problem "new file $line is listed twice in series"
		else
			brings[$n]+=$line$'\n'
			brought_by[$line]=$n
		fi
	done < <(sed 's/[[:blank:]]*$//; /^[[:blank:]]*#/d; /^$/d' "$SERIES")
}

# Print N if it is a patch number, not below MIN.
patch_number() {
	if [[ ! $1 =~ ^[0-9]{1,4}$ ]] || ((10#$1 < $2 || 10#$1 > ${#patch[@]})); then
		die "there is no patch $1: the series has ${#patch[@]}"
	fi
	echo "$((10#$1))"
}

# Say what the header and the message of a patch lack.
check_text() {
	awk '
		BEGIN { want["From: name <address>"]; want["Date:"]
			want["Subject: [PATCH]"]; want["Signed-off-by:"]
			want["--- line after the message"] }
		!part && /^From: .+ <[^ @>]+@[^ >]+>$/ {
			delete want["From: name <address>"] }
		!part && /^Date: ./ { delete want["Date:"] }
		!part && /^Subject: \[PATCH\] ./ {
			delete want["Subject: [PATCH]"] }
		part == 1 && /^Signed-off-by: .+ <.+@.+>$/ {
			delete want["Signed-off-by:"] }
		part == 1 && /^(diff -|Index: |--- )/ {
			print "has a line in its message that git takes for the diff: " $0 }
		!part && /^$/ { part = 1 }
		part == 1 && /^---[ \t]*$/ {
			delete want["--- line after the message"]; part = 2 }
		END { for (w in want) print "has no \"" w "\"" }' "$1" | sort
	local date
	date=$(sed -n '/^$/q; s/^Date: //p' "$1")
	[[ -z $date ]] || date -d "$date" >/dev/null 2>&1 ||
		echo "has a date that is none: $date"
}

# Read which files patch N changes, from its diff.
read_patch() {
	local n=$1 name=${patch[$1]} out line path

	if [[ ! -f $PATCHES/$name ]]; then
		problem "patches/$name is missing, series lists it"
		return
	fi
	while read -r line; do
		problem "patches/$name $line"
	done < <(check_text "$PATCHES/$name")

	# Outside of any repository, or git would leave out what is not below
	# the current folder.
	if ! out=$(cd "$tmp" && GIT_CEILING_DIRECTORIES=${tmp%/*} clean_git apply \
		--allow-empty --numstat --summary "$PATCHES/$name" 2>&1); then
		problem "patches/$name: ${out#error: }"
		return
	fi
	while IFS= read -r line; do
		case $line in
		'') ;;
		' create mode '*)
			problem "patches/$name creates ${line#* mode ?????? }: commit it as plain source and list it in series, indented, under $name"
			;;
		' delete mode '*|' rename '*|' copy '*)
			problem "patches/$name:$line: a patch may only change files"
			;;
		' mode change '*) ;;
		*)
			path=${line##*$'\t'}
			touches[$n]+=$path$'\n'
			touched_by[$path]+="$n "
			;;
		esac
	done <<<"$out"
	[[ -n ${touches[$n]}${brings[$n]} ]] ||
		problem "patches/$name is empty: no diff, and series lists no new file under it"
}

in_kernel_dir() {
	local dir
	for dir in "${kernel_dirs[@]}"; do
		[[ $1 != "$dir"/* ]] || return 0
	done
	[[ $1 == MAINTAINERS ]]
}

# All files of the checkout that stand at a kernel path.
checkout_files() {
	if [[ -e $ROOT/.git ]]; then
		git -C "$ROOT" ls-files -z --cached --others --exclude-standard \
			-- "${kernel_dirs[@]}" MAINTAINERS
	else
		# unpacked from an archive
		local dir
		for dir in "${kernel_dirs[@]}" MAINTAINERS; do
			[[ ! -e $ROOT/$dir ]] ||
				(cd "$ROOT" && find "$dir" ! -type d -print0)
		done
	fi
}

check_new_files() {
	local path
	for path in "${!brought_by[@]}"; do
		if ! in_kernel_dir "$path"; then
			problem "series lists $path, which is in no kernel folder (${kernel_dirs[*]})"
		elif [[ -L $ROOT/$path || ! -f $ROOT/$path ]]; then
			problem "new file $path is missing, series lists it under ${patch[${brought_by[$path]}]}"
		elif [[ $path != MAINTAINERS && -e $BASE/$path ]]; then
			problem "the base has $path already: make the change a patch"
		fi
		[[ -z ${touched_by[$path]-} ]] ||
			problem "$path is brought by the series, yet its diff is in ${patch[${touched_by[$path]%% *}]}: edit the file itself"
	done
	checkout_files >"$tmp/checkout-files" ||
		die "git can't list the files of $ROOT"
	while IFS= read -r -d '' path; do
		[[ -n ${brought_by[$path]-} || ! -e $ROOT/$path ]] ||
			problem "new file $path is not listed in series: add it, indented, under the patch that brings it"
	done < <(sort -zu "$tmp/checkout-files")
}

# Read all of it and report every problem; stop_on_problems ends the run.
load_series() {
	local n path file

	read_order
	for n in "${!patch[@]}"; do
		read_patch "$n"
	done
	for file in "$PATCHES"/*.patch; do
		[[ ! -e $file || -n ${number[${file##*/}]-} ]] ||
			problem "patches/${file##*/} is not listed in series"
	done
	check_new_files
	[[ -f $BASE/MAINTAINERS ]] || return 0
	for path in "${!touched_by[@]}"; do
		[[ -f $BASE/$path || -n ${brought_by[$path]-} ]] ||
			problem "${patch[${touched_by[$path]%% *}]} changes $path, which the base does not have"
	done
}

list_files() {
	{
		printf 'M %s\n' "${!touched_by[@]}"
		printf 'A %s\n' "${!brought_by[@]}"
	} | sed 's/^A MAINTAINERS$/M MAINTAINERS/; /^. $/d' | sort -k 2
}
