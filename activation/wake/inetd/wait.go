package inetd

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/rouse-server/rouse/platform"
)

// A program that has the socket itself may end without having taken what waits there, and would be started again at once. One
// that fails may be started 40 times within a minute, as inetd(8) has it, and then every 1.5 s, for ever. One that ends well, but
// at once and with a client still waiting, may serve a single client each time: it may be started 40 times a second.
const (
	freeStarts  = 40
	failedPause = 60 * time.Second / freeStarts
	quickPause  = time.Second / freeStarts
	quickEnd    = time.Second
)

// pace slows the starts of a program that has the socket itself.
type pace struct{ failed, quick *rate.Limiter }

func newPace() *pace {
	return &pace{rate.NewLimiter(rate.Every(failedPause), freeStarts), rate.NewLimiter(rate.Every(quickPause), freeStarts)}
}

// after returns how long to wait before the next start, after a run that failed or took little time.
func (p *pace) after(failed bool, lived time.Duration, waiting bool) time.Duration {
	switch {
	case failed:
		return p.failed.Reserve().Delay()
	case waiting && lived < quickEnd:
		return p.quick.Reserve().Delay()
	}
	return 0
}

// waitMode starts the program when a client is there, with the socket itself, and does nothing until it has ended.
func (s *service) waitMode(ctx context.Context, k socket) {
	slow := newPace()
	for {
		if err := platform.WaitReadable(ctx, k.number); err != nil {
			if ctx.Err() == nil {
				s.log.Error("clients are not seen any more", "socket", k.name, "err", err)
			}
			return
		}
		if !s.admit(ctx) {
			return
		}
		delay := s.one(ctx, k, slow)
		s.leave()
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

// one runs the program once, until it ends, and returns how long to wait before it is started again.
func (s *service) one(ctx context.Context, k socket, slow *pace) time.Duration {
	ended := make(chan struct{})
	c, err := s.start(k.number, s.env, k.name, func(*child) { close(ended) })
	if err != nil {
		delay := max(slow.after(true, 0, true), shortestRest)
		s.reports.warn("the program could not be started; clients wait", "socket", k.name, "program", s.path, "err", err)
		return delay
	}
	s.log.Debug("started", "socket", k.name, "pid", c.pid)
	stop := context.AfterFunc(ctx, func() { c.signal(unix.SIGTERM) }) // it would take more clients
	<-ended
	stop()
	status := c.status
	failed := status.Signaled() || status.ExitStatus() != 0
	if ctx.Err() != nil {
		failed = false
	}
	s.tell(c, k.name)
	delay := slow.after(failed, time.Since(c.began), platform.Readable(k.number))
	if delay > 0 {
		s.log.Warn("the program ends as soon as it is started; clients wait", "socket", k.name, "next", delay.Round(time.Millisecond))
	}
	return delay
}
