#!/bin/bash
# fetch-debs.sh - download Debian packages and what they depend on, and print the files, one a line.
#
#   tests/tools/fetch-debs.sh PACKAGE...
#
# Only what this machine has not installed is downloaded, and nothing is installed: tests unpack the files where nothing
# stays, in a system booted by tests/boot-systemd.sh. The files and the answer stay in the user's cache, so that the next
# run asks nobody. Packages that conflict with each other cannot be asked for together.
set -euo pipefail

die() { echo "fetch-debs: $*" >&2; exit 1; }
[ $# -gt 0 ] || die "name at least one package"
for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || die "cannot download $*: no $tool (this needs Debian)"
done

cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/rouse-tests/archives
mkdir -p "$cache/partial"
key=$({ dpkg --print-architecture; cat /etc/debian_version /var/lib/dpkg/status; printf '%s\n' "$@"; } | sha256sum | cut -c1-12)
list=$cache/list-$key
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As root apt would download as the user _apt, who may not write here.
install=(timeout 900 apt-get -q -o Acquire::Retries=3 -o Debug::NoLocking=1 -o APT::Sandbox::User=root
  -o "Dir::Cache::archives=$cache" install -y --no-install-recommends --no-upgrade)

# complete tells whether the list is there, and all that it names.
complete() {
  local file
  [ -e "$list" ] || return
  while read -r file; do [ -e "$file" ] || return; done <"$list"
}

# fetch downloads, and writes the list: apt names each file that it would need in quotes, before it has them.
fetch() {
  LC_ALL=C "${install[@]}" -o Dir::Cache::archives="$work/none" --print-uris "$@" >"$work/uris" 2>"$work/log" || return
  LC_ALL=C "${install[@]}" --download-only "$@" >>"$work/log" 2>&1 || return
  sed -n "s|^'[^']*' \([^ ]*\) .*|$cache/\1|p" "$work/uris" >"$work/list"
  mv "$work/list" "$list"
}

if ! complete; then
  mkdir -p "$work/none/partial"
  if ! fetch "$@"; then
    # No package lists yet, or lists that are older than the archive.
    if [ "$(id -u)" = 0 ]; then timeout 300 apt-get -qq -o Acquire::Retries=3 update >>"$work/log" 2>&1 || true; fi
    fetch "$@" || { cat "$work/log" >&2; die "cannot download $*"; }
  fi
  complete || die "apt has not downloaded all that $* need: $list"
fi
cat "$list"
