package main

import (
	"strings"
	"testing"
	"time"
)

func testRow(tool string) row {
	const us = time.Microsecond
	return row{
		workload: workload{name: "plain-1k", title: "1 KiB", tool: tool},
		names:    []string{"rouse", "rouse (A/A twin)", "nginx"},
		samples: [][]sample{
			{{cost: 10 * us, rate: 90000, p50: 2 * time.Millisecond, p99: 3 * time.Millisecond}, {cost: 20 * us, rate: 50000}},
			{{cost: 11 * us, rate: 80000}, {cost: 20 * us, rate: 50000}},
			{{cost: 15 * us, rate: 60000}, {cost: 30 * us, rate: 30000}},
		},
	}
}

func TestPrintRow(t *testing.T) {
	var out strings.Builder
	printRow(&out, testRow("wrk"), "wrk")
	const want = `
plain-1k: 1 KiB (wrk, rounds: 2)
  server            CPU µs/request     against rouse               requests/s  busy  p50 ms  p99 ms
  rouse                      15.00                 1                    70000  95 %    2.00    3.00
  rouse (A/A twin)           15.50  1.05 (1.02-1.08)  the noise         65000  94 %       -       -
  nginx                      22.50  1.50 (1.50-1.50)  rouse ahead       45000  90 %       -       -
  A/A: in the middle half of the rounds two copies of the same rouse differed by up to 7.5 %: such differences are ties.
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrintColdRow(t *testing.T) {
	var out strings.Builder
	printRow(&out, testRow(coldStart), "measured by bench")
	for _, want := range []string{"median ms", "min ms", "added ms", "1.50 (1.50-1.50)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestFaultsMarkARowInvalid(t *testing.T) {
	r := testRow("wrk")
	if r.invalid() {
		t.Error("invalid without a fault")
	}
	r.samples[2][1].fault = "Non-2xx or 3xx responses: 3"
	r.samples[2][0].fault = "it has ended"
	var out strings.Builder
	printRow(&out, r, "wrk")
	if !r.invalid() {
		t.Error("valid in spite of a fault")
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "ahead") {
		t.Errorf("a server without valid rounds is compared\n%s", out.String())
	}
	for _, want := range []string{"INVALID", "nginx, round 2: Non-2xx or 3xx responses: 3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
