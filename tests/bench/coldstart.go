package main

import (
	"context"
	"fmt"
	"io"
)

// measureColdStarts starts every contestant anew in each round, on a listener that stays and already has a client.
func (b *bench) measureColdStarts(ctx context.Context, workloads []workload, out io.Writer) ([]row, error) {
	var rows []row
	rounds := coldRounds * b.rounds
	for _, w := range workloads {
		fmt.Fprintf(b.notes, "measuring %s: servers %d, rounds %d\n", w.name, len(b.taking(w)), rounds)
		r, err := b.coldRow(ctx, w, rounds)
		if err != nil {
			return rows, err
		}
		printRow(out, r, "measured by bench")
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) coldRow(ctx context.Context, w workload, rounds int) (row, error) {
	contestants := b.taking(w)
	r := newRow(w, contestants)
	var sockets []socket
	defer func() { closeSockets(sockets) }()
	for _, p := range contestants {
		s, err := b.listen(ctx, p, w.role)
		if err != nil {
			return r, err
		}
		sockets = append(sockets, s)
	}
	for i, p := range contestants { // brings programs and libraries into the page cache
		b.coldOnce(ctx, p, sockets[i], w)
	}
	err := r.interleave(ctx, rounds, func(i int) sample {
		return b.coldOnce(ctx, contestants[i], sockets[i], w)
	})
	return r, err
}

// coldOnce is one cold start: the client is in the socket's queue before the program is executed.
func (b *bench) coldOnce(ctx context.Context, p peer, at socket, w workload) sample {
	ctx, cancel := context.WithCancel(ctx) // a client that was not answered must not meet the next server
	defer cancel()
	if w.asleep && p.asleep != nil {
		return b.wakeOnce(ctx, p, at, w)
	}
	replies, err := ask(ctx, at, w.path, b.site.pages[w.path])
	if err != nil {
		return sample{fault: err.Error()}
	}
	s, err := b.start(ctx, p, []socket{at}, few)
	if err != nil {
		return sample{fault: err.Error()}
	}
	defer s.stop()
	got := s.await(replies)
	if got.err != nil {
		return sample{fault: got.err.Error() + s.lastWords()}
	}
	return sample{cost: got.firstByte - s.launched}
}

// wakeOnce is one cold start by somebody who waits for the client: it sleeps when the client connects.
func (b *bench) wakeOnce(ctx context.Context, p peer, at socket, w workload) sample {
	p.invoke = p.asleep
	s, err := b.start(ctx, p, []socket{at}, few)
	if err != nil {
		return sample{fault: err.Error()}
	}
	defer s.stop()
	if err := s.awaitReady(); err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	connecting := monotonic()
	replies, err := ask(ctx, at, w.path, b.site.pages[w.path])
	if err != nil {
		return sample{fault: err.Error()}
	}
	got := s.await(replies)
	if got.err != nil {
		return sample{fault: got.err.Error() + s.lastWords()}
	}
	return sample{cost: got.firstByte - connecting}
}
