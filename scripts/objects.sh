# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the series touches, as objects of an architecture: x86, or an ARCH
# that Debian has a cross compiler for. For the scripts that source it;
# ARCH comes from their environment.

declare -gA cross=([arm]=arm-linux-gnueabihf- [arm64]=aarch64-linux-gnu-
	[powerpc]=powerpc64le-linux-gnu- [s390]=s390x-linux-gnu- [riscv]=riscv64-linux-gnu-)
lib=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

# What the patches modify (M) or add (A) in a build tree
series_files() { git -C "$1" diff --no-renames --name-status base synced | tr '\t' ' '; }

# The words of a make command, a line each
kbuild() {	# TREE OBJ
	local prefix=${cross[${ARCH:-x86}]-}
	# No LOCALVERSION: the build tree is git's, and a "+" says nothing.
	printf '%s\n' make -C "$1" O="$2" -j"$(nproc)" HOSTCC="ccache gcc" LOCALVERSION=
	if [ -z "$prefix" ]; then
		echo "CC=${CC:-ccache gcc}"
	else
		printf '%s\n' CC="ccache ${prefix}gcc" ARCH="$ARCH" CROSS_COMPILE="$prefix"
	fi
}

# The configuration that compiles most of what the series touches
fragments() {
	case ${ARCH:-x86} in
	x86) printf '%s\n' "$lib"/../base/{guest,test,debug,compile}.config ;;
	*) printf '%s\n' "$lib"/../base/cross-{common,"$ARCH"}.config ;;
	esac
}

# Those lines of series.config that TREE's Kconfig knows: none in the base,
# and in the middle of the series those of the patches so far
series_config() {	# TREE
	local line
	while read -r line; do
		[[ $line == CONFIG_* ]] || continue
		line=${line#CONFIG_}
		! grep -rqw --include='Kconfig*' "config ${line%%=*}" \
			"$1"/{drivers/dma-buf,mm,lib,samples} || echo "CONFIG_$line"
	done <"$lib/../base/series.config"
}

configure() {	# TREE OBJ
	local with
	mapfile -t with < <(fragments)
	mkdir -p "$2"
	series_config "$1" >"$2/.series.config"
	"$lib/kernel" "$1" "$2" "$2/.series.config" "${with[@]}" -- prepare >/dev/null
}

# From paths on stdin to objects; one that ARCH may have, not one that it
# must have, see enabled
objects() {
	local arch=${ARCH:-x86} kvm
	kvm=arch/$arch/kvm/../../../virt/kvm
	[ "$arch" != s390 ] || kvm=arch/s390/kvm/s390/../../../../virt/kvm
	sed -n -e "\\#^arch/#{\\#^arch/$arch/#!d}" -e '/^tools\//d' \
		-e "s#^virt/kvm/#$kvm/#" \
		-e 's/\.c$/.o/p'
}

# The path of an object's source
source_of() { sed 's#^.*/\.\./##; s/\.o$/.c/'; }

# Of OBJECTs, those that the configuration of OBJ builds
enabled() {	# TREE OBJ OBJECT...
	local mk tree=$1 obj=$2
	shift 2
	[ $# -gt 0 ] || return 0
	mapfile -t mk < <(kbuild "$tree" "$obj")
	# objtool's Makefiles have a $(build) of their own. What no folder
	# knows is an error to make (-k) and just not enabled to us.
	"${mk[@]}" -j1 -n -k CONFIG_OBJTOOL= build="-f $lib/objects.mk obj" "$@" \
		>"$obj/enabled.log" 2>&1 || :
	grep -q '^enabled ' "$obj/enabled.log" ||
		{ grep -F '***' "$obj/enabled.log" >&2; return 1; }
	sed -n 's/^enabled //p' "$obj/enabled.log" | sort -u
}

# The warnings for OBJECTs of a tree, without what differs from tree to
# tree. The array checks is more for make.
checks=()
warnings() {	# TREE OBJ OBJECT...
	local tree=$1 obj=$2 mk log
	shift 2
	[ $# -gt 0 ] || return 0
	mapfile -t mk < <(kbuild "$tree" "$obj")
	(cd "$obj" && rm -f "$@")
	"${mk[@]}" -s -k W=1 "${checks[@]}" "$@" >"$obj/warnings.log" 2>&1 ||
		{ grep -v ' not remade because of errors' "$obj/warnings.log" >&2; return 1; }
	log=$(<"$obj/warnings.log")
	printf '%s\n' "${log//"$tree/"/}" |
		sed -nE 's#^\.\./##; s#^([^:]+):[0-9]+:([0-9]+:)? #\1: #; /(warning|error): /p' |
		sort -u
}
