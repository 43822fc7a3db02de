package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

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
		if field == servers {
			err = b.quota.hold(s)
		}
		running = append(running, s)
		if err != nil {
			return running, err
		}
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
	s, err := b.start(ctx, p, sockets, many)
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
		if socket.role == onlyHTTP2 {
			continue // the client that probes speaks HTTP/1.1
		}
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
	var replies <-chan reply
	connect := func() (err error) {
		replies, err = ask(ctx, at, page1k, b.site.pages[page1k])
		return err
	}
	if err := connect(); err != nil {
		if !s.peer.binds {
			return err
		}
		trying, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := retry(trying, s.ended, connect); err != nil {
			return err
		}
	}
	return s.await(replies).err
}

// retry tries again until it succeeds; it gives up at the end of ctx, or of who is waited for.
func retry(ctx context.Context, ended <-chan struct{}, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ended:
			return errors.New("it has ended")
		case <-time.After(5 * time.Millisecond):
		}
	}
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
