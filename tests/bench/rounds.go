package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// A sample is what one round of a workload gave for one server.
type sample struct {
	cost     time.Duration // what is compared: CPU per request, or exec to first byte for a cold start
	rate     float64       // requests per second
	p50, p99 time.Duration // 0: not known
	fault    string        // why the round does not count; empty: it counts
	none     bool          // the fault is that no request was answered

	// Of new connections alone.
	client         time.Duration // CPU of the client for each
	attempts, lost int64
	reasons        string // of those that were lost

	memory memory // of a memory workload alone
}

// A row is a workload with its samples: one list for each contestant, in their order, with one sample per round.
type row struct {
	workload workload
	names    []string
	samples  [][]sample
}

func newRow(w workload, contestants []peer) row {
	r := row{workload: w, samples: make([][]sample, len(contestants))}
	for _, p := range contestants {
		r.names = append(r.names, p.name)
	}
	return r
}

// invalid says whether any round of any server had a fault.
func (r row) invalid() bool {
	for _, samples := range r.samples {
		for _, s := range samples {
			if s.fault != "" {
				return true
			}
		}
	}
	return false
}

// interleave measures every contestant once in each round, in a new random order each time, so that whatever else the
// machine does meets all of them alike. It ends early only with ctx.
func (r row) interleave(ctx context.Context, rounds int, measure func(contestant int) sample) error {
	for range rounds {
		for _, i := range rand.Perm(len(r.samples)) {
			s := measure(i)
			if err := ctx.Err(); err != nil {
				return err // what was interrupted is no sample
			}
			r.samples[i] = append(r.samples[i], s)
		}
	}
	return nil
}
