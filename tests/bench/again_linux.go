package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// again is clients that connect, read one byte and the end, and connect again at once; also when they were reset. One thread
// serves all, so that their cost is the same whoever answers.
type again struct {
	to    unix.SockaddrInet4
	epoll int
	all   []asking
	until time.Duration // no new ones from then on, on the monotonic clock

	waiting  int
	attempts int64
	took     []time.Duration // of those that were answered
	lost     map[string]int64
}

// asking is one client's connection.
type asking struct {
	fd         int
	connecting time.Duration // on the monotonic clock
	answered   time.Duration // when the byte came; 0: not yet
}

// connectAgain loads a socket with so many clients for a time.
func connectAgain(ctx context.Context, at socket, clients int, length time.Duration) (loadResult, error) {
	tcp, ok := at.addr.(*net.TCPAddr)
	if !ok || tcp.IP.To4() == nil {
		return loadResult{}, fmt.Errorf("connecting to %s: it is no IPv4 address", at.addr)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return loadResult{}, fmt.Errorf("making an epoll: %w", err)
	}
	defer unix.Close(epoll)
	runtime.LockOSThread() // its CPU time is counted
	defer runtime.UnlockOSThread()
	a := &again{
		to:    unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())},
		epoll: epoll, all: make([]asking, clients), lost: map[string]int64{},
		took: make([]time.Duration, 0, 1<<16),
	}
	defer a.close()
	before, began := threadCPU(), monotonic()
	a.until = began + length
	if err := a.run(ctx); err != nil {
		return loadResult{}, err
	}
	return a.result(monotonic()-began, threadCPU()-before), nil
}

func (a *again) run(ctx context.Context) error {
	for i := range a.all {
		a.all[i].fd = -1
	}
	for i := range a.all {
		if err := a.connect(i); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, len(a.all))
	for a.waiting > 0 && ctx.Err() == nil {
		if monotonic() >= a.until+drainTime {
			break
		}
		n, err := unix.EpollWait(a.epoll, events, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for answers: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if err := a.read(int(event.Fd)); err != nil {
				return err
			}
		}
	}
	a.lost["not answered in time"] += int64(a.waiting)
	return ctx.Err()
}

// connect begins a client's next connection. One that is refused at once is lost, and followed by another until the time is over.
func (a *again) connect(i int) error {
	for now := monotonic(); now < a.until; now = monotonic() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("making a socket: %w", err)
		}
		a.attempts++
		if err := unix.Connect(fd, &a.to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			unix.Close(fd)
			a.lost[err.Error()]++
			continue
		}
		a.all[i] = asking{fd: fd, connecting: now}
		a.waiting++
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(i)}
		if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("waiting for an answer: %w", err)
		}
		return nil
	}
	return nil
}

// read takes what has come for a client; at the end of its connection it begins the next one.
func (a *again) read(i int) error {
	c := &a.all[i]
	var data [8]byte
	for {
		n, err := unix.Read(c.fd, data[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && c.answered == 0:
			a.lost[err.Error()]++
		case n > 0:
			if c.answered == 0 {
				c.answered = monotonic()
			}
			continue
		case c.answered == 0:
			a.lost["closed without an answer"]++
		default:
			a.took = append(a.took, c.answered-c.connecting)
		}
		unix.Close(c.fd) // which takes it out of the epoll
		c.fd = -1
		a.waiting--
		return a.connect(i)
	}
}

func (a *again) close() {
	for _, c := range a.all {
		if c.fd >= 0 {
			unix.Close(c.fd)
		}
	}
}

// summary is what the times of requests, which it sorts, tell of a round that took so long.
func summary(times []time.Duration, took time.Duration) loadResult {
	slices.Sort(times)
	r := loadResult{requests: int64(len(times)), rate: float64(len(times)) / took.Seconds()}
	if r.requests > 0 {
		r.p50, r.p99 = times[r.requests/2], times[r.requests*99/100]
	}
	return r
}

func (a *again) result(took, cpu time.Duration) loadResult {
	r := summary(a.took, took)
	r.attempts, r.client = a.attempts, cpu
	var reasons []string
	for reason, count := range a.lost {
		if r.lost += count; count > 0 {
			reasons = append(reasons, fmt.Sprintf("%d %s", count, reason))
		}
	}
	slices.Sort(reasons)
	r.reasons = strings.Join(reasons, ", ")
	return r
}

// awaitAnswer connects until one byte comes: a server that binds its address itself may not be there yet.
func awaitAnswer(ctx context.Context, s *server, at socket) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return retry(ctx, s.ended, func() error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp4", at.address())
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		_, err = conn.Read(make([]byte, 1))
		return err
	})
}

// threadCPU is what the calling thread has used.
func threadCPU() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		return 0 // cannot fail: the clock always exists, the pointer is good
	}
	return time.Duration(used.Nano())
}
