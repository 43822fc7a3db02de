package inetd

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// ahead is how many connections a channel may pass before the first process has ended, where a service has no limit.
const ahead = 64

// receiver serves what comes over a channel: connections, and sockets that a dispatcher lends. Its methods are for one goroutine.
type receiver struct {
	service *service
	channel handoff.Channel
	name    string
	proxy   string
	held    []activation.Held // what came before
	lent    map[uint64]func() // ends the serving of a socket
	loops   sync.WaitGroup
}

func newReceiver(s *service, h activation.Held) *receiver {
	return &receiver{service: s, channel: h.Channel, name: h.String(), proxy: h.Proxy, held: []activation.Held{h}, lent: map[uint64]func(){}}
}

// receive returns when the context has ended, or nothing can come any more.
func (r *receiver) receive(ctx context.Context) {
	defer r.loops.Wait()
	defer r.channel.Close() // what has not arrived goes to others
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, h := range r.held {
		if h.Number >= 0 {
			r.lend(ctx, h.ID, r.service.socketOf(h), func() {})
		}
	}
	grant := ahead
	if r.service.Most > 0 {
		grant = r.service.Most
	}
	r.channel.Grant(grant)
	for {
		a, err := r.channel.Next(ctx)
		switch {
		case err == nil:
			r.arrived(ctx, a)
		case ctx.Err() != nil:
			return
		case errors.Is(err, io.EOF):
			r.service.log.Warn("the other side ended: no more clients come from there", "socket", r.name)
			return
		default:
			r.service.log.Error("no more clients come from there", "socket", r.name, "err", err)
			return
		}
	}
}

func (r *receiver) arrived(ctx context.Context, a *handoff.Arrival) {
	switch a.Kind {
	case handoff.Connection:
		r.connection(ctx, a)
	case handoff.Withdrawn:
		if end := r.lent[a.ID]; end != nil {
			end()
			delete(r.lent, a.ID)
		}
	default:
		a.Accepted()
		r.lend(ctx, a.ID, socket{a.Number, r.name, r.proxy, r.service.Wait || a.Kind == handoff.Packet}, func() { unix.Close(a.Number) })
	}
}

// lend serves a socket until it is withdrawn.
func (r *receiver) lend(ctx context.Context, id uint64, k socket, closing func()) {
	if former := r.lent[id]; former != nil {
		former()
	}
	ctx, stop := context.WithCancel(ctx)
	r.lent[id] = stop
	r.loops.Go(func() {
		defer closing()
		r.service.serveSocket(ctx, k)
	})
}

// connection serves one that was passed. Each that ended makes room for the next.
func (r *receiver) connection(ctx context.Context, a *handoff.Arrival) {
	s := r.service
	ended := func() {
		s.leave()
		r.channel.Grant(1)
	}
	if s.Wait || len(a.Meta.Data) > 0 {
		s.reports.warn("a connection was reset: it can be passed to no process, as bytes were read of it before", "client", a.Meta.Client)
		a.Accepted()
		s.drop(a.Number)
		r.channel.Grant(1)
		return
	}
	if s.limited() && !s.admit(ctx) {
		a.Decline() // the dispatcher gives it to another one
		return
	}
	a.Accepted()
	_ = unix.SetNonblock(a.Number, false)
	p := peer{client: a.Meta.Client, local: a.Meta.Local}.unmapped()
	if !p.client.IsValid() {
		p = peerOf(a.Number)
	}
	s.begin(ctx, a.Number, p, socket{name: r.name, proxy: r.proxy}, ended)
}
