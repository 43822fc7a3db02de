#!/bin/bash
# unpack-debs.sh - unpack Debian packages without installing them, and print the folder they are in.
#
#   tests/tools/unpack-debs.sh PACKAGE...
#
# For servers that tests start: installed, they would conflict with each other or start by themselves. Dependencies are
# not followed, so name the libraries too. The folder is kept in the user's cache, one for each list of packages.
set -euo pipefail

die() { echo "unpack-debs: $*" >&2; exit 1; }
[ $# -gt 0 ] || die "name at least one package"
for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || die "cannot unpack $*: no $tool (this needs Debian)"
done

cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/rouse-tests
key=$({ dpkg --print-architecture; cat /etc/debian_version; printf '%s\n' "$@"; } | sha256sum | cut -c1-12)
root=$cache/debs-$key
if [ ! -d "$root" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/unpacking.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  # As root apt would download as the user _apt, who may not write here.
  download=(timeout 300 apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@")
  if ! "${download[@]}" >log 2>&1; then
    # No package lists yet, or lists that are older than the archive.
    if [ "$(id -u)" = 0 ]; then timeout 300 apt-get -qq -o Acquire::Retries=3 update >>log 2>&1 || true; fi
    "${download[@]}" >>log 2>&1 || { cat log >&2; die "cannot download $*"; }
  fi
  mkdir root
  for deb in *.deb; do dpkg -x "$deb" root; done
  # dpkg -x gives the folder the mode of the last package's; servers that change their user must get in.
  chmod 755 root
  mv -T root "$root" 2>/dev/null || [ -d "$root" ] || die "cannot write $root"   # another run may have been first
fi
echo "$root"
