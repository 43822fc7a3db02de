package route

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// ahead is how many connections another dispatcher may send before we have taken the first of them.
const ahead = 128

// receive takes connections that come over a channel, until the context or the channel ends.
func (f *front) receive(ctx context.Context) {
	var rest rest
	for ctx.Err() == nil {
		a, err := f.channel.Next(ctx)
		switch {
		case err == nil && a.Kind == handoff.Connection:
			rest.reset()
			f.owed.Add(1)
			if f.open() {
				f.channel.Grant(int(f.owed.Swap(0)))
			}
			f.accepted.Add(1)
			f.arrived(a)
		case err == nil:
			f.refuse(a)
		case ctx.Err() != nil:
			return
		case errors.Is(err, io.EOF):
			f.note(err)
			f.d.log.Error("a channel has ended: nothing arrives there any more", "listener", f.listener, "channel", f.address)
			return
		default:
			f.failed(err)
			rest.wait(ctx, true)
		}
	}
}

// grant lets the other side send as many connections as it may, whenever there is room.
func (f *front) grant(ctx context.Context) {
	f.owed.Store(ahead)
	for f.await(ctx) {
		if n := f.owed.Swap(0); n > 0 {
			f.channel.Grant(int(n))
		}
		f.asleep.Store(true)
		select {
		case <-f.wake:
		case <-ctx.Done():
		}
	}
}

// arrived takes a connection that another dispatcher passed on. It keeps its duplicate until it is told that ours is delivered.
func (f *front) arrived(a *handoff.Arrival) {
	c := &client{fd: a.Number, meta: a.Meta, arrival: a}
	c.meta.Listener, c.meta.At = f.listener, time.Now()
	if !c.meta.Client.IsValid() {
		if from, err := syscall.Getpeername(c.fd); err == nil {
			c.meta.Client = addressFrom(from)
		}
	}
	if !c.meta.Local.IsValid() {
		if local, err := syscall.Getsockname(c.fd); err == nil {
			c.meta.Local = addressFrom(local)
		}
	}
	f.admit(c)
}

// refuse closes what is no connection.
func (f *front) refuse(a *handoff.Arrival) {
	if a.Number >= 0 {
		unix.Close(a.Number)
		f.d.drops.say("refuse "+f.address, "a channel of connections gave a socket; it was closed", "channel", f.address, "kind", string(a.Kind))
	}
	a.Accepted()
}

// watchWithdrawal waits until the dispatcher that gave a listening socket takes it back, or the context ends.
func (f *front) watchWithdrawal(ctx context.Context) {
	var rest rest
	for ctx.Err() == nil {
		a, err := f.channel.Next(ctx)
		switch {
		case err == nil && a.Kind == handoff.Withdrawn && a.ID == f.id:
			f.withdrawn.Store(true)
			f.interrupt()
			f.d.log.Warn("the dispatcher took its listener back: nothing is accepted there any more", "listener", f.listener, "socket", f.address)
			return
		case err == nil && a.Kind == handoff.Connection:
			f.accepted.Add(1)
			f.arrived(a)
		case err == nil:
			f.refuse(a)
		case errors.Is(err, io.EOF):
			return
		default:
			rest.wait(ctx, true)
		}
	}
}
