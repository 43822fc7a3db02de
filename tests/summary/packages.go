package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// testedPackage is what is known of a package under test.
type testedPackage struct {
	name                    string // below the module
	output                  output // of the package itself: TestMain, panics outside tests
	tests                   map[string]*test
	passed, failed, skipped int
	seconds                 float64
	empty                   bool // it has no tests
}

// test is one that has begun.
type test struct {
	output      output
	ended       bool
	parent      bool // it has subtests, which count instead of it
	failedBelow bool // a subtest failed
}

func (r *results) pkg(path string) *testedPackage {
	p := r.packages[path]
	if p == nil {
		p = &testedPackage{name: r.shorten(path), tests: map[string]*test{}}
		r.packages[path] = p
	}
	if s := r.stage(); s != nil {
		s.tests = true
	}
	return p
}

func (p *testedPackage) test(name string) *test {
	t := p.tests[name]
	if t == nil {
		t = new(test)
		p.tests[name] = t
	}
	return t
}

// parents returns the tests that name is a subtest of, the nearest first. A name may have slashes of its own.
func (p *testedPackage) parents(name string) []*test {
	var list []*test
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if parent := p.tests[name[:i]]; parent != nil {
			list = append(list, parent)
		}
	}
	return list
}

// test takes in an event of one test.
func (r *results) test(p *testedPackage, e event) {
	t, name := p.test(e.Test), p.name+"."+e.Test
	switch e.Action {
	case "run":
		for _, parent := range p.parents(e.Test) {
			parent.parent = true
		}
	case "output":
		t.output.add(e.Output)
	case "pass":
		t.ended = true
		r.ran(name)
		if !t.parent {
			r.passed++
			p.passed++
		}
		t.output = output{}
	case "skip":
		t.ended = true
		if r.skip(name, t.output.reason()) {
			p.skipped++
		} else {
			p.failed++
		}
	case "fail":
		r.ran(name)
		r.failTest(p, e.Test, fmt.Sprintf("%.2f s", e.Elapsed))
	}
}

func (r *results) ran(name string) {
	if e := exceptionFor(r.exceptions, name); e != nil && !e.seen {
		e.seen = true
		fmt.Fprintf(r.out, "note: %s ran, though the list says that it cannot (%s)\n", name, e.cause)
	}
}

func (r *results) failTest(p *testedPackage, name, cause string) {
	t := p.test(name)
	t.ended = true
	for _, parent := range p.parents(name) {
		parent.failedBelow = true
	}
	if t.failedBelow {
		if text := t.output.String(); text != "" {
			r.related = append(r.related, failure{p.name + "." + name, "", text})
		}
		return
	}
	p.failed++
	r.fail(p.name+"."+name, cause, &t.output)
}

// packageEvent takes in an event of a package as a whole.
func (r *results) packageEvent(p *testedPackage, e event) {
	switch e.Action {
	case "output":
		p.output.add(e.Output)
	case "pass", "fail", "skip":
		r.endPackage(p, e)
	}
}

// endPackage ends a package. A failure that belongs to no test, such as one of the build, counts as one of its own.
func (r *results) endPackage(p *testedPackage, e event) {
	p.seconds = e.Elapsed
	// Subtests come after their parents in this order, and must fail first.
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(p.tests))) {
		if !p.tests[name].ended {
			r.failTest(p, name, "did not finish")
		}
	}
	switch {
	case e.Action == "fail" && e.FailedBuild != "":
		p.failed++
		r.fail(p.name, "does not build", r.build(e.FailedBuild))
	case e.Action == "fail" && p.failed == 0:
		p.failed++
		r.fail(p.name, "failed outside its tests", &p.output)
	case e.Action == "skip":
		p.empty = true
	}
	for path := range r.packages {
		if r.packages[path] == p {
			delete(r.packages, path)
		}
	}
	r.tested = append(r.tested, p)
	fmt.Fprintln(r.out, p)
	fmt.Fprint(r.out, p.output.table())
}

// String is the line on a package that has ended.
func (p *testedPackage) String() string {
	switch {
	case p.empty, p.failed+p.passed+p.skipped == 0:
		return fmt.Sprintf("     %-32s no tests", p.name)
	case p.failed > 0:
		return fmt.Sprintf("FAIL %-32s %d passed, %d failed, %d skipped, %.1f s", p.name, p.passed, p.failed, p.skipped, p.seconds)
	default:
		return fmt.Sprintf("ok   %-32s %d passed, %d skipped, %.1f s", p.name, p.passed, p.skipped, p.seconds)
	}
}
