package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// roundLength is the time of one round under load: short, so that many servers meet the same state of the machine.
const roundLength = time.Second

// measureLoads keeps all servers of a field, which all workloads have in common, running side by side and loads one at a
// time.
func (b *bench) measureLoads(ctx context.Context, workloads []workload, rounds int, out io.Writer) ([]row, error) {
	if len(workloads) == 0 {
		return nil, nil
	}
	field := workloads[0].field
	running, err := b.startAll(ctx, field, out)
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
		fmt.Fprintf(b.notes, "measuring %s: servers %d, rounds %d\n", w.name, len(running), rounds)
		r := newRow(w, b.contestants[field])
		var warm []float64
		for _, s := range running {
			warm = append(warm, b.loadOnce(ctx, s, w, 0).rate)
		}
		err := r.interleave(ctx, rounds, func(i int) sample { return b.loadOnce(ctx, running[i], w, warm[i]) })
		if err != nil {
			return rows, err
		}
		printRow(out, r, b.tools[w.tool].name)
		rows = append(rows, r)
	}
	return rows, nil
}

// startAll starts every contestant and sees that it serves the right page on all its sockets. A peer that does not is
// dropped from the contestants; without the reference there is nothing to compare.
func (b *bench) startAll(ctx context.Context, field string, out io.Writer) ([]*server, error) {
	var running []*server
	var serving []peer
	for i, p := range b.contestants[field] {
		s, err := b.startServing(ctx, p)
		if err != nil && (i <= twin || ctx.Err() != nil) {
			return running, err
		}
		if err != nil {
			fmt.Fprintf(out, "%s: left out: %v\n", p.name, err)
			continue
		}
		running = append(running, s)
		serving = append(serving, p)
	}
	b.contestants[field] = serving
	return running, nil
}

func (b *bench) startServing(ctx context.Context, p peer) (*server, error) {
	var sockets []socket
	for _, role := range p.roles {
		one, err := listen(ctx, role)
		if err != nil {
			closeSockets(sockets)
			return nil, err
		}
		sockets = append(sockets, one)
	}
	s, err := b.start(ctx, p, sockets)
	if err != nil {
		closeSockets(sockets)
		return nil, err
	}
	for _, socket := range s.sockets {
		if err := b.probe(ctx, s, socket); err != nil {
			err = fmt.Errorf("%s does not serve %s: %w%s", p.name, socket.role, err, s.lastWords())
			s.end()
			return nil, err
		}
	}
	return s, nil
}

// probe waits for one right reply; the socket holds the connection until the server is ready.
func (b *bench) probe(ctx context.Context, s *server, at socket) error {
	replies, err := ask(ctx, at, page1k, b.site.pages[page1k])
	if err != nil {
		return err
	}
	return s.await(replies).err
}

// await returns the reply, or the fault that the server has ended before there was one.
func (s *server) await(replies <-chan reply) reply {
	select {
	case r := <-replies:
		return r
	case <-s.ended:
		return reply{err: errors.New("it has ended")}
	}
}

// end stops the server and closes its sockets.
func (s *server) end() {
	s.stop()
	closeSockets(s.sockets)
}

// loadOnce is one round of load on one server. rate is what the warm-up gave, 0 in the warm-up.
func (b *bench) loadOnce(ctx context.Context, s *server, w workload, rate float64) sample {
	before, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	result, err := b.tools[w.tool].run(ctx, w, s.socket(w.role).url(w.path), roundLength, rate)
	if err != nil {
		return sample{fault: err.Error()}
	}
	after, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	return loadSample(result, after-before, len(b.site.pages[w.path]))
}

// loadSample turns a tool's result and the CPU used meanwhile into a sample; size is that of the page asked for.
func loadSample(r loadResult, cpu time.Duration, size int) sample {
	if r.requests == 0 {
		return sample{fault: "no request was answered; " + r.faults}
	}
	s := sample{cost: cpu / time.Duration(r.requests), rate: r.rate, p50: r.p50, p99: r.p99, fault: r.faults}
	// wrk rounds to three digits.
	if s.fault == "" && float64(r.bytes) < 0.99*float64(r.requests)*float64(size) {
		s.fault = fmt.Sprintf("%d bytes in %d replies are less than %d each", r.bytes, r.requests, size)
	}
	return s
}
