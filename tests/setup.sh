#!/bin/bash
# setup.sh - get what the tests use, and print the variables that name it.
#
#   eval "$(tests/setup.sh)"; go test ./tests/inetd
#
# On Debian as root it installs missing tools with apt, and says which; elsewhere it says what is missing. Servers under
# test are only unpacked, h2spec is only built, both into the user's cache (~/.cache/rouse-tests). What cannot be had is
# said on stderr and left out: the tests that need it skip themselves with that reason. stdout is for the shell:
#
#   ROUSE_TEST_SERVERS  folder with unpacked servers: usr/sbin/inetd, usr/sbin/inetutils-inetd, usr/sbin/xinetd, s6, …
#   ROUSE_H2SPEC        the program h2spec
#   ROUSE_TEST_HAPROXY  folder with an unpacked HAProxy: usr/sbin/haproxy
#   ROUSE_TEST_SSLSCAN  folder with an unpacked sslscan: usr/bin/sslscan
#   ROUSE_TEST_TESTSSL  folder with an unpacked testssl.sh: usr/bin/testssl, etc/testssl
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/rouse-tests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "setup: $*" >&2; }

# What the tests use: a command or file (or one of two), a colon, and the Debian package that has it.
needs=(
  /etc/ssl/certs/ca-certificates.crt:ca-certificates
  'chromium-headless-shell|chromium:chromium-headless-shell'
  curl:curl
  dbus-daemon:dbus
  fish:fish
  gcc:gcc
  /usr/include/stdlib.h:libc6-dev
  h2load:nghttp2-client
  ip:iproute2
  lintian:lintian
  mandoc:mandoc
  node:nodejs
  openssl:openssl
  ps:procps
  python3:python3
  rpm:rpm
  ruby:ruby
  shellcheck:shellcheck
  slowhttptest:slowhttptest
  strace:strace
  /lib/systemd/systemd:systemd
  systemd-analyze:systemd
  systemd-socket-activate:systemd
  umoci:umoci
  unshare:util-linux
  wrk:wrk
  zsh:zsh
)

# missing_packages prints the packages that have what is missing, one a line.
missing_packages() {
  local need
  for need in "${needs[@]}"; do
    present "${need%:*}" || echo "${need##*:}"
  done | sort -u
}

# present tells whether one of the commands or files, separated by |, is there.
present() {
  local one
  for one in ${1//|/ }; do
    if [ -e "$one" ] || command -v "$one" >/dev/null; then return 0; fi
  done
  return 1
}

# hold_services keeps package scripts from starting services, until this script ends (invoke-rc.d(8), deb-systemd-invoke(1p)).
hold_services() {
  local policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] && return
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -rf "$work" /usr/sbin/policy-rc.d' EXIT
}

# apt runs apt-get with its output in a log, which is shown when it fails.
apt() {
  DEBIAN_FRONTEND=noninteractive timeout 900 apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    "$@" </dev/null >"$work/log" 2>&1 && return
  say "apt-get $* failed:"
  tail -n 20 "$work/log" >&2
  return 1
}

# install_tools installs the packages, one by one where apt refuses them together.
install_tools() {
  local package
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "missing, and not installed since that needs root on Debian:" "$@"
    return
  fi
  say "installing with apt:" "$@"
  hold_services
  apt update || true   # one source may be out of reach while the others have all that is needed
  apt install -y --no-install-recommends "$@" && return
  for package in "$@"; do
    apt install -y --no-install-recommends "$package" || true
  done
}

# Known by these names in Debian 12.
servers=(openbsd-inetd inetutils-inetd xinetd ucspi-tcp-ipv6 ipsvd s6 execline
  libs6-2.11 libexecline2.9 libskarnet2.13 tcpd libwrap0 libevent-2.1-7 nginx)

packages=$(missing_packages)
# shellcheck disable=SC2086  # words
[ -z "$packages" ] || install_tools $packages

if root=$(tests/tools/unpack-debs.sh "${servers[@]}"); then
  printf 'export ROUSE_TEST_SERVERS=%q\n' "$root"
fi

if root=$(tests/tools/unpack-debs.sh haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1); then
  printf 'export ROUSE_TEST_HAPROXY=%q\n' "$root"
fi
if root=$(tests/tools/unpack-debs.sh sslscan); then
  printf 'export ROUSE_TEST_SSLSCAN=%q\n' "$root"
fi
if root=$(tests/tools/unpack-debs.sh testssl.sh); then
  printf 'export ROUSE_TEST_TESTSSL=%q\n' "$root"
fi

h2spec=$cache/h2spec-$(cksum <tests/tools/go.sum | cut -d' ' -f1)
if [ -x "$h2spec" ] || { say "building h2spec" && go -C tests/tools build -o "$h2spec" github.com/summerwind/h2spec/cmd/h2spec >&2; }; then
  printf 'export ROUSE_H2SPEC=%q\n' "$h2spec"
fi
