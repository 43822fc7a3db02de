package inetd

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// The pauses after something was wanting: descriptors, memory or processes.
const (
	shortestRest = 5 * time.Millisecond
	longestRest  = time.Second
)

// startTime is how long a client is kept whose process cannot be started for want of something that may be there again soon.
const startTime = 30 * time.Second

// serveAll returns when the context has ended, and nothing is accepted any more, or when nothing is left to accept from.
func serveAll(ctx context.Context, services []*service) {
	var loops sync.WaitGroup
	for _, s := range services {
		channels := map[handoff.Channel]*receiver{}
		for _, h := range s.sockets {
			switch {
			case h.Channel == nil:
				loops.Go(func() { s.serveSocket(ctx, s.socketOf(h)) })
			case channels[h.Channel] == nil:
				channels[h.Channel] = newReceiver(s, h)
			default: // several sockets may have come over one channel
				channels[h.Channel].held = append(channels[h.Channel].held, h)
			}
		}
		for _, r := range channels {
			loops.Go(func() { r.receive(ctx) })
		}
	}
	loops.Wait()
}

// socket is where clients arrive.
type socket struct {
	number int
	name   string // in messages
	proxy  string // the PROXY protocol that connections begin with, or empty
	wait   bool   // a program gets the socket itself
}

// socketOf: datagrams belong to no connection, so that a program gets a packet socket itself.
func (s *service) socketOf(h activation.Held) socket {
	return socket{h.Number, h.String(), h.Proxy, s.Wait || h.Kind == activation.Packet}
}

// serveSocket serves the clients of a socket until the context ends.
func (s *service) serveSocket(ctx context.Context, k socket) {
	if k.wait {
		s.waitMode(ctx, k)
		return
	}
	f, err := openFront(k.number)
	if err != nil {
		s.log.Error("cannot accept connections", "socket", k.name, "err", err)
		return
	}
	defer f.close()
	defer context.AfterFunc(ctx, f.wake)()
	// Each start keeps its goroutine until the process has been executed: several work side by side.
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() { s.accept(ctx, f, k) })
	}
	workers.Wait()
}

// accept takes one client after the other, each when there is a place for it.
func (s *service) accept(ctx context.Context, f *front, k socket) {
	var rest time.Duration
	for ctx.Err() == nil {
		fd, client, err := s.next(ctx, f)
		if err == nil {
			rest = 0
			s.take(ctx, fd, client, k)
			continue
		}
		switch {
		case ctx.Err() != nil || err == unix.EAGAIN: // who has the listener too has taken it
		case transient(err):
		default:
			s.reports.warn("cannot accept connections; clients wait", "socket", k.name, "err", err)
			rest = s.pause(ctx, rest)
		}
	}
}

// next waits for a client, and until there is a place for it, which is kept, and takes it. Where clients may have to wait only one
// worker looks at a time: places and starts are not to be kept by those who find nobody.
func (s *service) next(ctx context.Context, f *front) (fd int, client unix.Sockaddr, err error) {
	if !s.limited() {
		return f.accept(true)
	}
	f.turn.Lock()
	defer f.turn.Unlock()
	if err := f.readable(); err != nil {
		return -1, nil, err
	}
	if !s.admit(ctx) {
		return -1, nil, ctx.Err()
	}
	if fd, client, err = f.accept(false); err != nil {
		s.leave()
	}
	return fd, client, err
}

// limited tells whether a client may have to wait for its turn.
func (s *service) limited() bool { return s.places != nil || s.starts != nil }

// admit waits until one more process may be started, and keeps the place for it. It tells whether there is one: the context may
// have ended.
func (s *service) admit(ctx context.Context) bool {
	if s.places != nil {
		select {
		case s.places <- struct{}{}:
		default:
			s.reports.warn("as many processes run as may; clients wait", "max", s.Most)
			select {
			case s.places <- struct{}{}:
			case <-ctx.Done():
				return false
			}
		}
	}
	if s.starts == nil || s.starts.Allow() {
		return true
	}
	s.reports.warn("clients come faster than processes may be started; they wait", "max", s.Rate.Number, "within", s.Rate.Within)
	if s.starts.Wait(ctx) != nil {
		s.leave()
		return false
	}
	return true
}

// leave gives the place to the next client.
func (s *service) leave() {
	if s.places != nil {
		<-s.places
	}
}

// take serves one connection, whose place is kept.
func (s *service) take(ctx context.Context, fd int, client unix.Sockaddr, k socket) {
	p := peer{client: addrPort(client)}
	if p.client.IsValid() {
		local, _ := unix.Getsockname(fd)
		p.local = addrPort(local)
	}
	s.begin(ctx, fd, p, k, s.leave)
}

// begin reads the PROXY header, where there is one, on another goroutine, and starts the process. ended is called when it has
// ended, or there is none.
func (s *service) begin(ctx context.Context, fd int, p peer, k socket, ended func()) {
	if k.proxy == "" {
		s.connection(ctx, fd, p, ended)
		return
	}
	s.children.Go(func() {
		said, err := readHeader(fd, k.proxy, p)
		if err != nil {
			s.reports.warn("a connection was reset: it does not begin with a PROXY header", "client", p, "socket", k.name, "err", err)
			s.drop(fd)
			ended()
			return
		}
		s.connection(ctx, fd, said, ended)
	})
}

// connection starts the process for a connection, and closes it here.
func (s *service) connection(ctx context.Context, fd int, p peer, ended func()) {
	if reason := s.clients.enter(p.client.Addr(), time.Now()); reason != "" {
		s.reports.warn("a connection was reset: "+reason, "client", p)
		s.drop(fd)
		ended()
		return
	}
	c := s.persist(ctx, fd, p, func(c *child) {
		s.clients.leave(p.client.Addr())
		ended()
		s.tell(c, p.String())
	})
	if c == nil {
		s.drop(fd)
		s.clients.leave(p.client.Addr())
		ended()
		return
	}
	unix.Close(fd)
	s.log.Debug("started", "client", p, "pid", c.pid)
}

// persist starts the process, again and again while something is wanting that may be there again soon. It returns nil where
// that failed, and has told why.
func (s *service) persist(ctx context.Context, fd int, p peer, ended func(*child)) *child {
	env, who := p.environment(s.env), p.String()
	given := fd
	defer func() {
		if given != fd {
			unix.Close(given)
		}
	}()
	var rest time.Duration
	for began := time.Now(); ; {
		c, err := s.start(given, env, who, ended)
		switch {
		case err == nil:
			return c
		case !passing(err) || time.Since(began) > startTime || ctx.Err() != nil:
			s.reports.warn("a connection was reset: no process could be started for it", "client", who, "program", s.path, "err", err)
			return nil
		}
		s.reports.warn("no process can be started now; clients wait", "program", s.path, "err", err)
		rest = s.pause(ctx, rest)
		if errors.Is(err, unix.EBADF) && given == fd { // it has the last number of all: see passing
			if low, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err == nil {
				given = low
			}
		}
	}
}

// tell says in the log how a process ended.
func (s *service) tell(c *child, who string) {
	status, took := c.status, time.Since(c.began).Round(time.Microsecond)
	switch {
	case status.Signaled():
		s.log.Warn("ended by a signal", "client", who, "pid", c.pid, "took", took, "signal", unix.SignalName(status.Signal()))
	default:
		s.log.Info("served", "client", who, "pid", c.pid, "took", took, "status", status.ExitStatus())
	}
}

// drop closes a connection so that its client learns at once that nobody served it (RST).
func (s *service) drop(fd int) {
	s.reset.Add(1)
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}

// pause waits after something was wanting: twice as long as the last time, or until a process has ended. It returns how long that
// would have been.
func (s *service) pause(ctx context.Context, last time.Duration) time.Duration {
	rest := min(max(2*last, shortestRest), longestRest)
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.house.freed:
	case <-timer.C:
	}
	return rest
}
