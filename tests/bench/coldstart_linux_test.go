package main

import (
	"testing"
)

func TestColdStart(t *testing.T) {
	b := testBench(t)
	r, err := b.coldRow(t.Context(), workload{tool: coldStart, field: servers, role: "http", path: page1k}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.samples[0]) != 2 {
		t.Fatalf("%d samples", len(r.samples[0]))
	}
	for _, s := range r.samples[0] {
		if s.fault != "" || s.cost <= 0 || s.cost > patience {
			t.Errorf("got %+v", s)
		}
	}
}

func TestColdStartOfAFailingServerIsAFault(t *testing.T) {
	b := testBench(t, "fail")
	r, err := b.coldRow(t.Context(), workload{tool: coldStart, field: servers, role: "http", path: page1k}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if fault := r.samples[0][0].fault; fault != "it has ended: told to fail" {
		t.Errorf("fault %q", fault)
	}
}

// Who waits for a client is measured from its coming, and not from the start before that.
func TestColdStartFromSleep(t *testing.T) {
	b := testBench(t)
	p := &b.contestants[servers][0]
	wake := p.invoke
	p.asleep = func(o order) (invocation, error) {
		what, err := wake(o)
		what.notify = true
		return what, err
	}
	p.invoke = nil // not used
	at, err := listen(t.Context(), "http")
	if err != nil {
		t.Fatal(err)
	}
	defer at.file.Close()
	s := b.coldOnce(t.Context(), *p, at, workload{tool: coldStart, field: servers, role: "http", path: page1k, asleep: true})
	if s.fault != "" || s.cost <= 0 || s.cost > patience {
		t.Errorf("got %+v", s)
	}
}
