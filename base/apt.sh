# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# apt on lists, sources and a cache of its own (sourced; $tmp is a scratch
# directory): neither the machine's apt configuration nor its package lists
# change. apt checks the signatures, as ever.
# shellcheck disable=SC2154 # the caller's tmp

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The archive that this machine's own release comes from.
mirror() {
	local codename
	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# The URIs that an update would ask for: known without any list.
	apt-get update --print-uris 2>/dev/null |
		sed -nE "s#^'([^']*/debian/)dists/($codename|stable)/InRelease'.*#\\1#p" |
		head -n 1
}

# own_apt COMMAND ARGUMENTS...
own_apt() {
	local cmd=$1
	shift
	"$cmd" -q -o Dir::State::Lists="$tmp/lists" \
		-o Dir::Cache="$tmp/cache" \
		-o Dir::Etc::SourceList="$tmp/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o Acquire::Languages=none \
		-o Acquire::Retries=3 \
		-o APT::Sandbox::User=root \
		-o APT::Update::Error-Mode=any "$@"
}

# own_apt_update deb|deb-src URI SUITE
own_apt_update() {
	if [ ! -r "$keyring" ]; then
		echo "E: no $keyring: apt-get install debian-archive-keyring"
		return 1
	fi
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
	echo "$1 [signed-by=$keyring] $2 $3 main" >"$tmp/sources.list"
	own_apt apt-get update
}
