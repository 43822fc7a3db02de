package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// asker is connections that stay open, each with one request under way all the time. One thread serves all. Nothing counts until all
// of them have had an answer: opening ten thousand connections costs a server more than it is measured for.
type asker struct {
	epoll   int
	request []byte
	all     []asked
	start   time.Time
	until   time.Duration // after the start; 0: not all are open yet
	open    int           // connections that have had an answer
	took    []time.Duration
	bytes   int64
	data    []byte
}

// asked is one connection.
type asked struct {
	fd    int
	sent  time.Duration // when its request was written, after the start
	got   int           // bytes of the reply so far
	whole int           // bytes that the reply has; 0: not yet known
	seen  bool          // it has had an answer
}

// keepAsking asks for a workload's page over so many connections for a time, and takes by used what the server used meanwhile.
func keepAsking(ctx context.Context, at socket, w workload, length time.Duration, used func() (time.Duration, error)) (loadResult, error) {
	tcp, ok := at.addr.(*net.TCPAddr)
	if !ok || tcp.IP.To4() == nil {
		return loadResult{}, fmt.Errorf("connecting to %s: it is no IPv4 address", at.addr)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return loadResult{}, fmt.Errorf("making an epoll: %w", err)
	}
	defer unix.Close(epoll)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a := &asker{
		start: time.Now(), epoll: epoll, all: make([]asked, 0, w.clients), took: make([]time.Duration, 0, 1<<16), data: make([]byte, 64<<10),
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", w.path),
	}
	defer a.close()
	if err := a.connectAll(ctx, &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}, w.clients); err != nil {
		return loadResult{}, err
	}
	before, err := used()
	if err != nil {
		return loadResult{}, err
	}
	began := a.now()
	a.until = began + length
	for i := range a.all {
		if err := a.ask(i); err != nil {
			return loadResult{}, err
		}
	}
	if err := a.run(ctx, func() bool { return a.now() >= a.until }); err != nil {
		return loadResult{}, err
	}
	after, err := used()
	return a.result(a.now()-began, after-before), err
}

// now is the time since the start; it is asked for often, and time.Since needs no system call.
func (a *asker) now() time.Duration { return time.Since(a.start) }

// connectAll opens the connections, few at a time, so that no queue is too short for them.
func (a *asker) connectAll(ctx context.Context, to unix.Sockaddr, clients int) error {
	for i := range clients {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("making a socket: %w", err)
		}
		a.all = append(a.all, asked{fd: fd})
		if err := unix.Connect(fd, to); err != nil {
			return fmt.Errorf("opening connection %d: %w", i+1, err)
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			return err
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(i)}
		if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("waiting for an answer: %w", err)
		}
		if err := a.ask(i); err != nil {
			return err
		}
		if len(a.all)%100 == 0 || len(a.all) == clients {
			if err := a.awaitAll(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitAll waits until each connection that there is has had an answer.
func (a *asker) awaitAll(ctx context.Context) error {
	limit := a.now() + patience
	err := a.run(ctx, func() bool { return a.open == len(a.all) || a.now() > limit })
	if err == nil && a.open < len(a.all) {
		err = fmt.Errorf("only %d of %d connections were answered", a.open, len(a.all))
	}
	return err
}

// run takes answers, and asks again, until done.
func (a *asker) run(ctx context.Context, done func() bool) error {
	events := make([]unix.EpollEvent, 512)
	for !done() && ctx.Err() == nil {
		n, err := unix.EpollWait(a.epoll, events, 10)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for answers: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if err := a.read(int(event.Fd)); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (a *asker) ask(i int) error {
	c := &a.all[i]
	c.sent, c.got = a.now(), 0
	if _, err := unix.Write(c.fd, a.request); err != nil {
		return fmt.Errorf("asking on connection %d: %w", i+1, err)
	}
	return nil
}

// read takes what has come of a reply. All replies on a connection are as long as the first.
func (a *asker) read(i int) error {
	c := &a.all[i]
	n, err := unix.Read(c.fd, a.data)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("reading from connection %d: %w", i+1, err)
	case n == 0:
		return fmt.Errorf("connection %d was closed", i+1)
	}
	if c.whole == 0 {
		if c.whole, err = replyLength(a.data[:n]); err != nil {
			return err
		}
	}
	if c.got += n; c.got < c.whole {
		return nil
	}
	if !c.seen {
		c.seen = true
		a.open++
	}
	if a.until == 0 {
		return nil // it waits until all are open
	}
	a.took = append(a.took, a.now()-c.sent)
	a.bytes += int64(c.got)
	return a.ask(i)
}

func (a *asker) close() {
	for _, c := range a.all {
		unix.Close(c.fd)
	}
}

func (a *asker) result(took, server time.Duration) loadResult {
	r := summary(a.took, took)
	r.bytes, r.server = a.bytes, server
	return r
}
