package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// report prints the end of the run.
func (r *results) report() {
	fmt.Fprintf(r.out, "\n== summary\n")
	r.reportPackages()
	r.reportSkips()
	r.reportFailures()
	fmt.Fprintf(r.out, "\nTime per stage\n")
	for _, s := range r.stages {
		fmt.Fprintf(r.out, "%8.1f s  %s\n", s.took.Round(100*time.Millisecond).Seconds(), s.name)
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
}

func (r *results) reportPackages() {
	if len(r.tested) == 0 {
		return
	}
	fmt.Fprintf(r.out, "\nPackages\n")
	for _, p := range slices.SortedFunc(slices.Values(r.tested), func(a, b *testedPackage) int { return cmp.Compare(a.name, b.name) }) {
		fmt.Fprintln(r.out, p)
	}
}

func (r *results) reportSkips() {
	if len(r.skipped) > 0 {
		fmt.Fprintf(r.out, "\nSkipped\n")
	}
	for _, s := range r.skipped {
		fmt.Fprintf(r.out, "  %s: %s\n", s.name, s.reason)
		if s.cause != "" {
			fmt.Fprintf(r.out, "      cannot be had: %s\n", s.cause)
		}
	}
	for _, e := range r.exceptions {
		if r.stale(e) {
			fmt.Fprintf(r.out, "  note: the list of tests that cannot run names %s, which does not exist\n", e.test)
		}
	}
}

// stale tells whether the package of an exception was tested and the test was not in it.
func (r *results) stale(e *exception) bool {
	name, _, _ := strings.Cut(e.test, ".")
	return !e.seen && slices.ContainsFunc(r.tested, func(p *testedPackage) bool { return p.name == name })
}

func (r *results) reportFailures() {
	if len(r.failed) > 0 {
		fmt.Fprintf(r.out, "\nFailed\n")
	}
	for _, f := range slices.Concat(r.failed, r.related) {
		if f.cause == "" {
			f.cause = "what it wrote itself"
		}
		fmt.Fprintf(r.out, "  %s: %s\n", f.name, f.cause)
		for line := range strings.Lines(f.output) {
			fmt.Fprintf(r.out, "      %s\n", strings.TrimRight(line, "\n"))
		}
	}
}
