package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// measureLoads keeps all servers of a field, which all workloads have in common, running side by side and loads one at a
// time.
func (b *bench) measureLoads(ctx context.Context, workloads []workload, out io.Writer) ([]row, error) {
	if len(workloads) == 0 {
		return nil, nil
	}
	running, err := b.startAll(ctx, workloads[0].field, out)
	defer func() {
		for _, s := range running {
			s.end()
		}
	}()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, w := range workloads {
		r, err := b.loadRow(ctx, w, running)
		if err != nil {
			return rows, err
		}
		printRow(out, r, b.measuredBy(w))
		rows = append(rows, r)
	}
	return rows, nil
}

// loadRow loads those of the running servers that take part in a workload.
func (b *bench) loadRow(ctx context.Context, w workload, running []*server) (row, error) {
	running = slices.DeleteFunc(slices.Clone(running), func(s *server) bool { return !s.peer.takesPart(w) })
	fmt.Fprintf(b.notes, "measuring %s: servers %d, rounds %d\n", w.name, len(running), b.rounds)
	r := newRow(w, peersOf(running))
	own := make([]workload, len(running)) // as it is asked of each
	warm := make([]float64, len(running))
	faults := make([]error, len(running))
	for i, s := range running {
		if own[i], faults[i] = b.prepare(ctx, s, w); faults[i] == nil {
			warm[i] = b.warmUp(ctx, s, own[i])
		}
	}
	err := r.interleave(ctx, b.rounds, func(i int) sample {
		if faults[i] != nil {
			return sample{fault: faults[i].Error()}
		}
		return b.loadOnce(ctx, running[i], own[i], warm[i])
	})
	if err == nil && b.options.profile != "" {
		err = b.profile(ctx, running[reference], own[reference], warm[reference])
	}
	return r, err
}

// warmUp returns a server's rate. The first requests, and handshakes before them, are slower: it asks for more until they fill a
// round.
func (b *bench) warmUp(ctx context.Context, s *server, w workload) (rate float64) {
	for range 3 {
		began := time.Now()
		rate = b.loadOnce(ctx, s, w, rate).rate
		if time.Since(began) > b.lengthOf(w)/2 {
			break
		}
	}
	return rate
}

// lengthOf is the time of one round of a workload. Handshakes of kept-alive connections are part of it: where they are many they must
// not be much of it, since they cost some servers more than others. Where connections are many, each is to be answered; of new ones
// the slowest of a hundred are of interest.
func (b *bench) lengthOf(w workload) time.Duration {
	length := b.roundLength()
	switch {
	case w.tool == keptOpen:
		return length * time.Duration(2500+w.clients) / 2500
	case w.tool == "h2load" || w.tool == "wrk" && w.role == "https" || w.tool == newConnections:
		return 2 * length
	}
	return length
}

func peersOf(running []*server) []peer {
	var all []peer
	for _, s := range running {
		all = append(all, s.peer)
	}
	return all
}

// measuredBy is the tool as a table's heading names it.
func (b *bench) measuredBy(w workload) string {
	if slices.Contains(ownTools(), w.tool) {
		return "measured by bench"
	}
	return b.tools[w.tool].name
}

// prepare brings what a workload asks for into the server's caches, and returns the workload as it is asked of this one.
func (b *bench) prepare(ctx context.Context, s *server, w workload) (workload, error) {
	at := s.socketFor(w)
	if w.path == large100m {
		if err := b.site.largeFile(); err != nil {
			return w, err
		}
	}
	if w.prompt || w.role == deferred {
		if err := at.deferAccept(w.role == deferred); err != nil {
			return w, err
		}
	}
	switch {
	case w.files > 0:
		return b.prepareFiles(ctx, s, w)
	case w.notModified:
		header, err := validator(ctx, at, w.path)
		w.arguments = append(slices.Clone(w.arguments), "-H", header)
		return w, err
	}
	return w, nil
}
