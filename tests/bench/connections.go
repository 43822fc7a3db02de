package main

import (
	"fmt"
	"io"
	"time"
)

// drainTime is how long clients that wait when a round is over may still be answered; afterwards they are lost.
const drainTime = 5 * time.Second

// connectionCells is the table of new connections; its first line is the heading.
func connectionCells(r row) [][]string {
	table := [][]string{{"path", "CPU µs/connection", "against " + r.names[reference], "", "a core does/s", "client µs",
		"connections/s", "of " + r.names[reference], "p50 µs", "added", "p99 µs", "added", "lost"}}
	for i, name := range r.names {
		f := connectionFigures(r, i)
		table = append(table, append([]string{name, number(f.cost, 1)}, append(compared(r, i),
			number(f.core(), 0), number(f.client, 1), number(f.rate, 0), number(f.share.median, 2),
			number(f.p50, 0), number(f.added50, 0), number(f.p99, 0), number(f.added99, 0), f.losses())...))
	}
	return table
}

// figures are the medians over the rounds of new connections for one contestant: times in microseconds.
type figures struct {
	cost, client, rate, p50, p99 float64
	share                        ratio // of the reference's rate
	added50, added99             float64
	attempts, lost               int64 // in all rounds
}

func connectionFigures(r row, contestant int) figures {
	own, others := r.samples[contestant], r.samples[reference]
	of := func(figure func(sample) float64) float64 {
		var values []float64
		for _, s := range own {
			if s.fault == "" {
				values = append(values, figure(s))
			}
		}
		return median(values)
	}
	paired := func(figure func(own, reference sample) float64) []float64 {
		var values []float64
		for i := range min(len(own), len(others)) {
			if own[i].fault == "" && others[i].fault == "" {
				values = append(values, figure(own[i], others[i]))
			}
		}
		return values
	}
	shares := paired(func(s, r sample) float64 { return s.rate / r.rate })
	f := figures{
		cost:    of(func(s sample) float64 { return microseconds(s.cost) }),
		client:  of(func(s sample) float64 { return microseconds(s.client) }),
		rate:    of(func(s sample) float64 { return s.rate }),
		p50:     of(func(s sample) float64 { return microseconds(s.p50) }),
		p99:     of(func(s sample) float64 { return microseconds(s.p99) }),
		added50: median(paired(func(s, r sample) float64 { return microseconds(s.p50 - r.p50) })),
		added99: median(paired(func(s, r sample) float64 { return microseconds(s.p99 - r.p99) })),
		share:   ratio{median(shares), quantile(shares, 0.25), quantile(shares, 0.75)},
	}
	for _, s := range own {
		f.attempts += s.attempts
		f.lost += s.lost
	}
	return f
}

// core is how many connections the whole path would do in a second of one core's time.
func (f figures) core() float64 { return 1e6 / f.cost }

func (f figures) losses() string {
	if f.lost == 0 {
		return "0"
	}
	return fmt.Sprintf("%d of %d (%.2g %%)", f.lost, f.attempts, 100*float64(f.lost)/float64(f.attempts))
}

// printLosses tells why connections were lost, and what socketbox did with as many clients.
func printLosses(out io.Writer, r row) {
	for i, name := range r.names {
		for round, s := range r.samples[i] {
			if s.lost > 0 {
				fmt.Fprintf(out, "  lost: %s, round %d: %s\n", name, round+1, s.reasons)
			}
		}
	}
	if text := socketbox()[r.workload.name][r.workload.clients]; text != "" {
		fmt.Fprintf(out, "  not of this run: %s\n", text)
	}
}

// socketbox is what the original was measured to do (revision be6f261, 2024-09-07), by workload and clients. It is not run here:
// the figures are from another machine of two cores with Linux 6.18 that had other load too, with servers and clients as small as
// these, in C. Only their ratios compare.
func socketbox() map[string]map[int]string {
	const there = "on another machine socketbox did "
	return map[string]map[int]string{
		"dispatch-new": {
			1:   there + "7,264/s (134 µs), 0.71 of direct accept's 10,260/s (94 µs); lost 0",
			8:   there + "10,601/s, 0.50 of direct accept's 21,050/s; lost 0",
			32:  there + "9,538/s, 0.37 of direct accept's 25,703/s; lost 25 %",
			128: there + "10,445/s, 0.46 of direct accept's 22,575/s; lost 31 %",
		},
		"inetd-new": {
			1:  there + "at most 1,800/s",
			8:  there + "at most 1,800/s",
			64: there + "at most 1,800/s; 44 % were reset",
		},
	}
}

// What is wanted of rouse with new connections.
const (
	mostAdded      = 40.0   // µs that a hand-over adds to one client's connection
	leastPerCore   = 10_000 // connections that are handed over in a second of a core
	leastProcesses = 2_700  // processes that are started in a second of a core: 1.5 times socketbox's
)

// printConnectionTargets says of each row what was wanted and what came. It returns whether rouse lost connections, which does not depend
// on the machine as times do.
func printConnectionTargets(out io.Writer, rows []row) (lost bool) {
	verdicts := map[bool]string{true: "met   ", false: "MISSED"}
	for _, r := range rows {
		for i, name := range r.names {
			for _, t := range targets(r, i) {
				fmt.Fprintf(out, "target  %s  %s, clients %d, %s: %s\n", verdicts[t.met], r.workload.name, r.workload.clients, name, t.text)
				lost = lost || t.loss && !t.met
			}
		}
	}
	return lost
}

type target struct {
	met  bool
	text string
	loss bool // it is that nothing is lost
}

// targets are those of one contestant. Of one client a core sleeps between two connections, which says nothing about its rate.
func targets(r row, contestant int) []target {
	if r.workload.tool != newConnections || contestant <= twin {
		return nil
	}
	f := connectionFigures(r, contestant)
	all := []target{{met: f.lost == 0, text: "lost " + f.losses() + ", wanted 0", loss: true}}
	switch r.names[contestant] {
	case inKernel:
		return append(all, withinNoise(r, contestant, f)...)
	case datagrams, protocol:
		if r.workload.clients == 1 {
			return append(all, target{met: f.added50 <= mostAdded,
				text: fmt.Sprintf("adds %.0f µs, wanted at most %.0f", f.added50, mostAdded)})
		}
		return append(all, target{met: f.core() >= leastPerCore,
			text: fmt.Sprintf("a core does %.0f/s, wanted %d", f.core(), leastPerCore)})
	case rouseInetd:
		if r.workload.clients == 1 {
			return all
		}
		bare := against(r.samples[contestant], r.samples[reference])
		limit := bare.median <= noise(against(r.samples[twin], r.samples[reference]))
		return append(all, target{met: f.core() >= leastProcesses || limit, text: fmt.Sprintf(
			"a core does %.0f/s, wanted %d or as many as %s: %.0f", f.core(), leastProcesses, bareLoop, f.core()*bare.median)})
	case behindDatagrams:
		return all
	}
	return nil
}

// withinNoise compares with the reference: the CPU of the path, that of the client, where the kernel works for both, and the rate.
func withinNoise(r row, contestant int, f figures) []target {
	tie := func(what string, own, twin ratio, more bool) target {
		n := noise(twin)
		met := own.median <= n
		if more {
			met = own.median >= 1/n
		}
		return target{met: met, text: fmt.Sprintf("%s %.2f of %s's, noise %.2f", what, own.median, r.names[reference], n)}
	}
	return []target{
		tie("CPU of both sides", against(bothSides(r.samples[contestant]), bothSides(r.samples[reference])),
			against(bothSides(r.samples[twin]), bothSides(r.samples[reference])), false),
		tie("connections/s", f.share, connectionFigures(r, twin).share, true),
	}
}

// bothSides adds the client's CPU to the cost.
func bothSides(samples []sample) []sample {
	var sums []sample
	for _, s := range samples {
		s.cost += s.client
		sums = append(sums, s)
	}
	return sums
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
