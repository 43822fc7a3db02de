#!/bin/sh
# formula.sh - print the formula of a release.
#
#   packaging/homebrew/formula.sh VERSION SHA256 >rouse.rb
#
# SHA256 is that of GitHub's archive of the tag vVERSION.
set -eu
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# = 2 ] || usage
version=${1#v}
case $version in [0-9]*.[0-9]*.[0-9]*) ;; *) usage ;; esac
case $2 in *[!0-9a-f]*) usage ;; esac
[ ${#2} = 64 ] || usage

sed -e '1,2d' -e '/^  homepage /a\
  url "https://github.com/rouse-server/rouse/archive/refs/tags/v'"$version"'.tar.gz"\
  sha256 "'"$2"'"' -e 's/^    url :homepage$/    url :stable/' "$(dirname "$0")/rouse.rb"
