package main

import (
	"fmt"
	"time"
)

// stage is a part of the run, timed by the events that begin and end it. One in which no tests run, such as gofmt,
// counts as one test itself.
type stage struct {
	name   string
	begun  time.Time
	took   time.Duration
	ended  bool
	output output
	tests  bool // go test said something in it
	failed int  // failures before it
}

// stage returns the stage under way, or nil.
func (r *results) stage() *stage {
	if n := len(r.stages); n > 0 && !r.stages[n-1].ended {
		return r.stages[n-1]
	}
	return nil
}

func (r *results) beginStage(name string) {
	r.stages = append(r.stages, &stage{name: name, begun: time.Now(), failed: len(r.failed)})
	fmt.Fprintf(r.out, "== %s\n", name)
}

// cutShort is the status of a stage that never told its end.
const cutShort = -1

// endStage ends the stage under way, if there is one. Packages that have not ended by then never will.
func (r *results) endStage(status int) {
	for _, p := range r.packages {
		r.endPackage(p, event{Action: "fail"})
	}
	s := r.stage()
	if s == nil {
		return
	}
	s.ended, s.took = true, time.Since(s.begun)
	switch {
	case status == cutShort:
		r.fail(s.name, "was cut short", &s.output)
	case status != 0 && len(r.failed) == s.failed:
		r.fail(s.name, fmt.Sprintf("exit status %d", status), &s.output)
	case status == 0 && !s.tests:
		r.passed++
	}
}

// cannotRun ends the stage under way as one that was skipped.
func (r *results) cannotRun(reason string) {
	if s := r.stage(); s != nil {
		s.ended, s.took = true, time.Since(s.begun)
		r.skip(s.name, reason)
	}
}
