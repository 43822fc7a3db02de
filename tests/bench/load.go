package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
		tool := b.tools[w.tool].name
		if w.tool == newConnections {
			tool = "measured by bench"
		}
		printRow(out, r, tool)
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
		one, err := b.listen(ctx, p, role)
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
	if err := b.seeServing(ctx, s); err != nil {
		err = fmt.Errorf("%s does not serve: %w%s", p.name, err, s.lastWords())
		s.end()
		return nil, err
	}
	return s, nil
}

func (b *bench) seeServing(ctx context.Context, s *server) error {
	if s.notified != nil {
		if err := s.awaitReady(); err != nil {
			return err
		}
	}
	for _, socket := range s.sockets {
		if err := b.probe(ctx, s, socket); err != nil {
			return fmt.Errorf("%s: %w", socket.role, err)
		}
	}
	return nil
}

// listen makes a socket for a peer to inherit, or says which address it is to bind. Those are never ports that the kernel gives
// to clients; they are free, since only isolated measurements use them.
func (b *bench) listen(ctx context.Context, p peer, role string) (socket, error) {
	if !p.binds {
		return listen(ctx, role)
	}
	b.bound++
	return socket{role: role, addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2000 + b.bound}}, nil
}

// probe waits for one right reply; the socket holds the connection until the server is ready.
func (b *bench) probe(ctx context.Context, s *server, at socket) error {
	if at.role == answers {
		return awaitAnswer(ctx, s, at)
	}
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
	result, err := b.load(ctx, s.socket(w.role), w, rate)
	if err != nil {
		return sample{fault: err.Error()}
	}
	after, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	return loadSample(result, after-before, len(b.site.pages[w.path]))
}

func (b *bench) load(ctx context.Context, at socket, w workload, rate float64) (loadResult, error) {
	if w.tool == newConnections {
		return connectAgain(ctx, at, w.clients, roundLength)
	}
	return b.tools[w.tool].run(ctx, w, at.url(w.path), roundLength, rate)
}

// loadSample turns a tool's result and the CPU used meanwhile into a sample; size is that of the page asked for.
func loadSample(r loadResult, cpu time.Duration, size int) sample {
	if r.requests == 0 {
		return sample{fault: "no request was answered; " + r.faults + r.reasons}
	}
	s := sample{
		cost: cpu / time.Duration(r.requests), client: r.client / time.Duration(r.requests), rate: r.rate, p50: r.p50, p99: r.p99,
		attempts: r.attempts, lost: r.lost, reasons: r.reasons, fault: r.faults,
	}
	// wrk rounds to three digits.
	if s.fault == "" && float64(r.bytes) < 0.99*float64(r.requests)*float64(size) {
		s.fault = fmt.Sprintf("%d bytes in %d replies are less than %d each", r.bytes, r.requests, size)
	}
	return s
}
