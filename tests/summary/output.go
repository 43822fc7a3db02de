package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// keep is how many lines of one output are kept from its beginning, where a panic says its cause, and as many from its end.
const keep = 150

// output is what a test, a package, a build or a stage wrote.
type output struct{ lines []string }

func (o *output) add(text string) { o.lines = append(o.lines, text) }

// text returns the lines without the testing package's framing.
func (o *output) text() []string {
	framing := regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME) |\s*--- (PASS|FAIL|SKIP): |(PASS|FAIL)\n|FAIL\t|ok  \t|exit status )`)
	var list []string
	for _, line := range strings.SplitAfter(strings.Join(o.lines, ""), "\n") {
		if line != "" && !framing.MatchString(line) {
			list = append(list, line)
		}
	}
	return list
}

// String returns what was written, without its middle if it is long.
func (o *output) String() string {
	lines := o.text()
	if left := len(lines) - 2*keep; left > 0 {
		lines = slices.Concat(lines[:keep], []string{fmt.Sprintf("… %d lines …\n", left)}, lines[len(lines)-keep:])
	}
	return strings.Join(lines, "")
}

// table returns the lines of a table in Markdown, which a package prints that has more to tell than that it passed.
func (o *output) table() string {
	lines := slices.DeleteFunc(o.text(), func(line string) bool { return !strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "|--") })
	return strings.Join(lines, "")
}

// reason returns what a skipped test gave to t.Skip, which it wrote last.
func (o *output) reason() string {
	place := regexp.MustCompile(`^\s*\S+\.go:\d+: `) // of the call
	lines := o.text()
	for i := range slices.Backward(lines) {
		if place.MatchString(lines[i]) {
			text := place.ReplaceAllString(strings.Join(lines[i:], ""), "")
			return strings.Join(strings.Fields(text), " ")
		}
	}
	return "no reason given"
}
