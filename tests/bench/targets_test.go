package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestVerdictOnATarget(t *testing.T) {
	for _, test := range []struct {
		measured, wanted, noise float64
		want                    string
	}{
		{1.6, 1.25, 1.1, "held"},
		{1.3, 1.25, 1.1, "held, a tie within the noise"},
		{1.2, 1.25, 1.1, "MISSED, a tie within the noise"},
		{0.9, 1.25, 1.1, "MISSED"},
		{math.NaN(), 1.25, 1.1, "not measured"},
	} {
		if got := atLeast(test.measured, test.wanted, test.noise); got != test.want {
			t.Errorf("%v: %q, want %q", test.measured, got, test.want)
		}
	}
}

func TestEveryTargetNamesWorkloadsAndPeers(t *testing.T) {
	known := append(peerNames(), append(commandLineNames(), everyone)...)
	for _, w := range wishes() {
		if _, err := chooseWorkloads(strings.ReplaceAll(w.workloads, " ", ","), false); err != nil {
			t.Error(err)
		}
		if !strings.Contains(strings.Join(known, " "), w.peer) {
			t.Errorf("unknown peer %q", w.peer)
		}
	}
}

func TestServerTargets(t *testing.T) {
	const us = time.Microsecond
	r := row{
		workload: workload{name: "plain-new", field: servers},
		names:    []string{"rouse", "rouse" + twinSuffix, laneOff, "nginx", "nginx-new", "rouse-old"},
	}
	for _, cost := range []time.Duration{10, 10, 90, 15, 8, 20} {
		r.samples = append(r.samples, []sample{{cost: cost * us}})
	}
	var out strings.Builder
	printServerTargets(&out, []row{r})
	for _, want := range []string{"nginx     at least 1.10      1.50   1.00  held\n", "nginx-new  at least 1.10      0.80   1.00  MISSED\n"} {
		if !strings.Contains(strings.ReplaceAll(out.String(), "nginx      at", "nginx     at"), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "rouse-old") || strings.Contains(out.String(), laneOff) {
		t.Errorf("rouse is wanted to be ahead of itself:\n%s", out.String())
	}
}

func TestKindOfAServer(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": "nginx", "nginx-new": "nginx", "static-web-server-cache": "static-web-server-cache",
		"static-web-server-cache-3": "static-web-server-cache", "static-web-server-3": "static-web-server", "floor": "floor",
	} {
		if got := kindOf(name); got != want {
			t.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
}

func growthRows() []row {
	const us = time.Microsecond
	var rows []row
	for name, cost := range map[string]time.Duration{"connections-1": 30, "connections-64": 10, "connections-10000": 11, "files-10": 5} {
		rows = append(rows, row{
			workload: workload{name: name, field: servers}, names: []string{"rouse", "rouse" + twinSuffix},
			samples: [][]sample{{{cost: cost * us}}, {{cost: cost * us}}},
		})
	}
	return rows
}

func TestGrowth(t *testing.T) {
	var out strings.Builder
	printGrowth(&out, growthRows())
	printServerTargets(&out, growthRows())
	for _, want := range []string{"3.00", "1.10", "MISSED", "held"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "files-10") {
		t.Errorf("one row is no growth:\n%s", out.String())
	}
}

func TestMemoryTargets(t *testing.T) {
	r := memoryRow()
	lines := memoryWanted(r)
	if len(lines) != 2 {
		t.Fatalf("%v", lines)
	}
	if r.workload.name = "plain-1k"; memoryWanted(r) != nil {
		t.Error("memory is wanted of a row about CPU")
	}
}
