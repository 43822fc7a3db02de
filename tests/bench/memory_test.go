package main

import (
	"math"
	"strings"
	"testing"
)

func TestParseRollup(t *testing.T) {
	const rollup = `55d0c1a00000-7ffc5c7f2000 ---p 00000000 00:00 0                          [rollup]
Rss:                5308 kB
Pss:                1213 kB
Pss_Dirty:           600 kB
Pss_Anon:            600 kB
`
	if size, err := parseRollup([]byte(rollup)); err != nil || size != 1213<<10 {
		t.Errorf("%d, %v", size, err)
	}
	if _, err := parseRollup([]byte("Rss: 5308 kB\n")); err == nil {
		t.Error("no error without Pss")
	}
}

func memoryRow() row {
	held := func(idle, full int64) []sample {
		return []sample{{memory: memory{idle: idle, full: full, connections: 10_000}}}
	}
	r := row{
		workload: memoryWorkloads()[0], names: []string{"rouse", "rouse (A/A twin)", "nginx", "gone"},
		samples: [][]sample{held(8e6, 8e6+10_000*1024), held(8e6, 9e6), held(16e6, 16e6+10_000*512), {{fault: "it has ended"}}},
	}
	r.samples[2][0].memory.falling = true
	return r
}

func TestMemoryFigures(t *testing.T) {
	if idle, full, each := memoryFigures(memoryRow(), 0); idle != 8 || full != 18.24 || each != 1 {
		t.Errorf("%g MB, %g MB, %g KiB", idle, full, each)
	}
	if idle, _, _ := memoryFigures(memoryRow(), 3); !math.IsNaN(idle) {
		t.Errorf("%g MB of a server that has ended", idle)
	}
}

func TestMemoryCells(t *testing.T) {
	var out strings.Builder
	printTable(&out, memoryCells(memoryRow()), 0, 3)
	for _, want := range []string{"server ", "rouse ", "still falling after 25s", "0.50", "gone                    -"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
