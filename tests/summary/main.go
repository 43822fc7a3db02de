// Command summary turns what tests/all.sh does into one readable end: what passed, what failed with its output, what was
// skipped and why, and the time each stage took. The last line is "N passed, N failed, N skipped".
//
// It reads from stdin, line by line: the events of `go test -json` (go doc test2json, and the build events of
// `go help buildjson`), the stage events of tests/all.sh, and plain text, which belongs to the stage it appears in.
// It exits with 1 when anything failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
)

func main() {
	noSkip := flag.Bool("no-skip", false, "a skipped test has failed, unless the list of -cannot-run names it")
	list := flag.String("cannot-run", "", "`file` with the tests that cannot run here, each with its cause")
	flag.Parse()

	// Ctrl-C goes to the whole process group: the others end, and what they did until then is still summed up.
	signal.Ignore(os.Interrupt)

	ok, err := summarise(*list, *noSkip)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func summarise(list string, noSkip bool) (ok bool, err error) {
	exceptions, err := readExceptions(list)
	if err != nil {
		return false, err
	}
	module := ""
	if build, ok := debug.ReadBuildInfo(); ok {
		module = build.Main.Path
	}
	r := newResults(os.Stdout, module, exceptions, noSkip)
	if err := r.read(os.Stdin); err != nil {
		return false, err
	}
	r.report()
	return len(r.failed) == 0, nil
}
