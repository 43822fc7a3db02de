package main

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 2.5, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := median([]float64{7}); got != 7 {
		t.Errorf("the median of one value is %v", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
	if values[0] != 4 {
		t.Error("the values were reordered")
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	// The machine became ten times slower, for both alike; the third round counts for neither.
	us := []sample{{cost: 10}, {cost: 100}, {cost: 100, fault: "timeout"}}
	them := []sample{{cost: 12}, {cost: 120}, {cost: 900}}
	if got := against(them, us); got != (ratio{1.2, 1.2, 1.2}) {
		t.Errorf("got %+v", got)
	}
	if got := against(them, nil); !math.IsNaN(got.median) {
		t.Errorf("without rounds %+v", got)
	}
}

func TestAddedIsTakenRoundByRound(t *testing.T) {
	us := []sample{{cost: time.Millisecond}, {cost: 3 * time.Millisecond}, {fault: "timeout"}}
	them := []sample{{cost: 2 * time.Millisecond}, {cost: time.Millisecond}, {cost: time.Second}}
	if got := added(them, us); !slices.Equal(got, []float64{1, -2}) {
		t.Errorf("got %v", got)
	}
}

func TestVerdict(t *testing.T) {
	n := noise(ratio{0.97, 0.9, 1.05})
	for median, want := range map[float64]string{
		1.2: "rouse ahead", 1.1: "tie", 1: "tie", 0.91: "tie", 0.8: "rouse behind", math.NaN(): "",
	} {
		if got := verdict(ratio{median: median}, n, "rouse"); got != want {
			t.Errorf("%v with noise %v: %q, want %q", median, n, got, want)
		}
	}
}

func TestInterleave(t *testing.T) {
	r := newRow(workload{}, make([]peer, 3))
	var order []int
	err := r.interleave(t.Context(), 5, func(i int) sample { order = append(order, i); return sample{cost: 1} })
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		seen := map[int]bool{}
		for _, i := range order[3*round : 3*round+3] {
			seen[i] = true
		}
		if len(seen) != 3 || len(r.samples[round%3]) != 5 {
			t.Errorf("round %d measured %v; samples %v", round, seen, r.samples)
		}
	}
}

func TestInterleaveStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := newRow(workload{}, make([]peer, 2))
	if err := r.interleave(ctx, 5, func(int) sample { cancel(); return sample{} }); err == nil {
		t.Error("no error")
	}
	if len(r.samples[0])+len(r.samples[1]) != 0 {
		t.Error("an interrupted round was kept")
	}
}
