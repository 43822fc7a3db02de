#!/bin/bash
# all.sh - run all tests, from a clean checkout and with nothing prepared.
#
#   tests/all.sh                   everything: checks, builds for all platforms, unit tests, black-box tests
#   tests/all.sh AREA...           only the black-box tests in these folders of tests/
#   tests/all.sh --long AREA       that folder with its longer drills (sets ROUSE_LONG=AREA)
#   tests/all.sh --help
#
# It needs Go. As root on Debian it installs the tools that tests use (tests/setup.sh); elsewhere the tests that lack
# one are skipped and say so. The end is a summary; its last line is "N passed, N failed, N skipped", and the exit status
# is 1 when anything failed. With CI=true or ROUSE_NO_SKIP=1 a skipped test has failed too, unless tests/cannot-run.txt
# names it. Single tests: eval "$(tests/setup.sh)"; go test -run NAME ./tests/AREA
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' tests/all.sh; }

areas='' limit=10m
while [ $# -gt 0 ]; do
  case $1 in
    -h|--help) usage; exit;;
    --long) [ $# -gt 1 ] || { usage >&2; exit 2; }
      export ROUSE_LONG=$2; limit=2h; areas="$areas $2"; shift;;
    -*) usage >&2; exit 2;;
    *) areas="$areas $1";;
  esac
  shift
done
for area in $areas; do
  [ -d "tests/$area" ] || { echo "all.sh: there is no folder tests/$area" >&2; exit 2; }
done
command -v go >/dev/null || { echo "all.sh: no go in PATH: install Go $(sed -n 's/^go //p' go.mod) from https://go.dev/dl" >&2; exit 2; }

# go build asks git for the commit, which git refuses in a checkout that belongs to somebody else.
git status >/dev/null 2>&1 || export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

tmp=$(mktemp -d /var/tmp/rouse-tests.XXXXXX)   # not in /tmp: tests/boot-systemd.sh boots with another one
trap 'rm -rf "$tmp"' EXIT

# stage NAME CMD...: runs a part of the whole and tells tests/summary, which reads all that is printed here.
stage() {
  local status=0
  printf '{"Action":"stage","Stage":"%s"}\n' "$1"
  "${@:2}" 2>&1 || status=$?
  printf '{"Action":"end","Status":%d}\n' "$status"
  return "$status"
}

# cannot NAME REASON: a stage that cannot run here.
cannot() { printf '{"Action":"stage","Stage":"%s"}\n{"Action":"cannot","Output":"%s"}\n' "$1" "$2"; }

formatted() {
  local files
  files=$(gofmt -l .) || return
  [ -z "$files" ] || { printf 'gofmt would change:\n%s\n' "$files"; return 1; }
}

# With -trimpath, as packages are built: what is compiled here is not compiled again for them.
vet_and_build() {
  local os=${1%/*} arch=${1#*/}
  env CGO_ENABLED=0 GOOS="$os" GOARCH="$arch" go vet -trimpath ./... &&
    env CGO_ENABLED=0 GOOS="$os" GOARCH="$arch" go build -trimpath ./...
}

checks() {
  stage gofmt formatted || true
  if command -v shellcheck >/dev/null; then
    stage shellcheck find . \( -name '*.sh' -o -path ./.ci/run \) -exec shellcheck {} + || true
  else
    cannot shellcheck "no shellcheck"
  fi
  for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
    stage "vet and build $target" vet_and_build "$target" || true
  done
}

# The packages of the product. The race detector needs cgo, and on Linux so a C compiler; the product itself has no cgo.
unit_tests() {
  local packages=(./activation/... ./cmd/... ./packaging/... ./platform/... ./server/...) race=-race cgo=1
  if ! command -v "$(go env CC)" >/dev/null; then
    cannot "race detector" "no C compiler"
    race='' cgo=0
  fi
  stage "unit tests" env CGO_ENABLED=$cgo go test -json -count=1 -timeout=5m ${race:+"$race"} "${packages[@]}" || true
}

# The packages in tests/, against the product as it is built for users. Two at a time, since they wait for time limits as often as they
# work; but for the faults, which measure how long a client waits. Those that boot machines of their own go side by side at the end.
black_box_tests() {
  local packages=() faults=() machines=() package
  for package in $(for area in ${areas:-.}; do go list "./tests/$area/..."; done); do
    case $package in
      */tests/packages|*/tests/systemd) machines+=("$package");;
      */tests/faults) faults+=("$package");;
      *) packages+=("$package");;
    esac
  done
  export ROUSE_BINARY=$tmp/rouse
  stage "build rouse" env CGO_ENABLED=0 go build -trimpath -o "$ROUSE_BINARY" ./cmd/rouse || return 0
  [ ${#packages[@]} = 0 ] || stage "black-box tests" env CGO_ENABLED=0 go test -json -count=1 -p=2 -timeout="$limit" "${packages[@]}" || true
  [ ${#faults[@]} = 0 ] || stage "faults" env CGO_ENABLED=0 go test -json -count=1 -timeout="$limit" "${faults[@]}" || true
  [ ${#machines[@]} = 0 ] || stage "booted machines" env CGO_ENABLED=0 go test -json -count=1 -p=2 -timeout="$limit" "${machines[@]}" || true
}

set_up() { tests/setup.sh >"$tmp/variables"; }

everything() {
  stage "set up" set_up || true
  # shellcheck source=/dev/null
  . "$tmp/variables"
  if [ -z "$areas" ]; then
    checks
    unit_tests
  fi
  black_box_tests
}

summary=(-cannot-run=tests/cannot-run.txt)
if [ "${CI:-}" = true ] || [ "${ROUSE_NO_SKIP:-}" = 1 ]; then summary+=(-no-skip); fi
go build -o "$tmp/summary" ./tests/summary
everything | "$tmp/summary" "${summary[@]}"
