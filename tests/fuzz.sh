#!/bin/bash
# fuzz.sh - run every fuzz target, one after the other.
#
#   tests/fuzz.sh TIME             each target for so long: 30s, 10m
#   tests/fuzz.sh TIME PACKAGE...  only those of these packages: ./server/http1 ./activation/...
#   tests/fuzz.sh --help
#
# It needs Go. At the end stands a table of targets, how many inputs each of them was run with, and the result. What a target
# fails for is written to testdata/fuzz beside it, where every later test run tries it again; the exit status is 1 then.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' tests/fuzz.sh; }

case ${1:-} in
  -h|--help) usage; exit;;
  ''|-*) usage >&2; exit 2;;
esac
time=$1
shift
[ $# -gt 0 ] || set -- ./...
command -v go >/dev/null || { echo "fuzz.sh: no go in PATH: install Go $(sed -n 's/^go //p' go.mod) from https://go.dev/dl" >&2; exit 2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# targets PACKAGE...: lines of a package and a target. The tests of a package that has none are not even built.
targets() {
  local listed package
  listed=$(go list -f '{{range .TestGoFiles}}{{$.Dir}}/{{.}} {{$.ImportPath}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.Dir}}/{{.}} {{$.ImportPath}}{{"\n"}}{{end}}' "$@") || return
  while read -r file package; do
    if [ -n "$file" ] && grep -q '^func Fuzz' "$file"; then echo "$package"; fi
  done <<<"$listed" | sort -u >"$tmp/packages"
  while read -r package; do
    listed=$(go test -list '^Fuzz' "$package") || { echo "$listed" >&2; return 1; }
    sed -n "s|^Fuzz.*|$package &|p" <<<"$listed"
  done <"$tmp/packages"
}

# fuzz PACKAGE TARGET: prints what go test prints, and adds a line to the table.
fuzz() {
  local result=ok executions
  echo "== $1 $2"
  # A target with a large input would otherwise stand still while it is made smaller, for a minute each time.
  go test -run "^$2\$" -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x "$1" </dev/null 2>&1 | tee "$tmp/output" || result=FAILED
  executions=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$tmp/output" | tail -n 1)
  printf '%-64s %12s  %s\n' "${1#github.com/rouse-server/rouse/}.$2" "${executions:-0}" "$result" >>"$tmp/table"
}

targets "$@" >"$tmp/targets"
[ -s "$tmp/targets" ] || { echo "fuzz.sh: there is no fuzz target in $*" >&2; exit 2; }
while read -r package target; do
  fuzz "$package" "$target"
done <"$tmp/targets"
printf '\n%-64s %12s  %s\n' target executions result
cat "$tmp/table"
! grep -q 'FAILED$' "$tmp/table"
