package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of input. Action is one of test2json's (start run output pass fail skip …), of the build's
// (build-output build-fail), or of tests/all.sh's own: "stage" begins the stage named Stage, "end" ends it with the exit
// status Status, and "cannot" ends it as one that cannot run here, for the reason in Output.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build event, as in "a/b [a/b.test]"
	Test        string
	Output      string
	FailedBuild string // the ImportPath whose build failed the package
	Elapsed     float64
	Stage       string
	Status      int
}

// results is what is known so far.
type results struct {
	out        io.Writer
	module     string
	exceptions []*exception
	noSkip     bool

	stages   []*stage
	packages map[string]*testedPackage // those that have begun and not ended
	tested   []*testedPackage          // those that have ended, in that order
	builds   map[string]*output        // by ImportPath
	passed   int
	failed   []failure
	related  []failure // parents of failed subtests: not counted, but what they wrote may tell why
	skipped  []skip
}

type failure struct {
	name   string
	cause  string // in a few words, after the name
	output string
}

type skip struct{ name, reason, cause string } // cause: of the exception, when there is one

func newResults(out io.Writer, module string, exceptions []*exception, noSkip bool) *results {
	return &results{
		out: out, module: module, exceptions: exceptions, noSkip: noSkip,
		packages: map[string]*testedPackage{},
		builds:   map[string]*output{},
	}
}

// read takes in all events and text until the end of the input, showing what happens as it does.
func (r *results) read(input io.Reader) error {
	lines := bufio.NewReader(input)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err != nil {
			r.endStage(cutShort)
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("read the events: %w", err)
		}
	}
}

func (r *results) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(r.out, line)
		if s := r.stage(); s != nil {
			s.output.add(line)
		}
		return
	}
	switch {
	case e.Action == "stage":
		r.endStage(cutShort)
		r.beginStage(e.Stage)
	case e.Action == "end":
		r.endStage(e.Status)
	case e.Action == "cannot":
		r.cannotRun(e.Output)
	case e.Action == "build-output":
		r.build(e.ImportPath).add(e.Output)
	case e.Package != "" && e.Test != "":
		r.test(r.pkg(e.Package), e)
	case e.Package != "":
		r.packageEvent(r.pkg(e.Package), e)
	}
}

func (r *results) build(importPath string) *output {
	b := r.builds[importPath]
	if b == nil {
		b = new(output)
		r.builds[importPath] = b
	}
	return b
}

func (r *results) fail(name, cause string, o *output) {
	fmt.Fprintf(r.out, "FAIL %s: %s\n", name, cause)
	r.failed = append(r.failed, failure{name, cause, o.String()})
}

// skip takes in a skipped test or stage, and tells whether that is allowed here; else it has failed.
func (r *results) skip(name, reason string) bool {
	e := exceptionFor(r.exceptions, name)
	if e == nil && r.noSkip {
		r.fail(name, "skipped, which is a failure here: "+reason, new(output))
		return false
	}
	s := skip{name: name, reason: reason}
	if e != nil {
		e.seen, s.cause = true, e.cause
	}
	r.skipped = append(r.skipped, s)
	return true
}

// shorten returns the name of a package without the module.
func (r *results) shorten(name string) string { return strings.TrimPrefix(name, r.module+"/") }
