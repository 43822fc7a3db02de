package route

import (
	"context"
	"fmt"

	"github.com/rouse-server/rouse/activation/handoff"
)

// datagrams delivers in socketbox's "A" protocol. There is no acknowledgement in it: what the receiver's queue took is in its
// hands.
type datagrams struct {
	o      *outlet
	sender *handoff.Sender
	cancel context.CancelFunc
	ctx    context.Context
	room   bool  // the receiver is there, and has room
	cause  error // why not
}

func newDatagrams(o *outlet, sender *handoff.Sender) *datagrams {
	g := &datagrams{o: o, sender: sender}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if err := sender.Check(); err != nil {
		o.b.d.log.Warn("a backend cannot be sent connections; they will wait", "backend", o.b.name, "err", err)
	}
	go g.await()
	return g
}

// await waits for room, and delivers then.
func (g *datagrams) await() {
	err := g.sender.Ready(g.ctx)
	if g.ctx.Err() != nil {
		return
	}
	g.o.mu.Lock()
	g.room, g.cause = err == nil, err
	g.o.mu.Unlock()
	g.o.pump()
}

func (g *datagrams) give(c *client) error {
	switch {
	case len(c.meta.Data) > 0:
		return fmt.Errorf("%w: its first bytes were read already, and the protocol of %s cannot pass them", errUnfit, g.sender)
	case g.room:
		g.cause = g.sender.Send(c.fd)
	case g.cause == nil:
		g.cause = g.sender.Send(c.fd) // to know why nobody takes it
	}
	if g.cause == nil {
		c.delivered()
		g.o.b.delivered.Add(1)
		return nil
	}
	if g.room {
		g.room = false
		go g.await()
	}
	return g.cause
}

// why is what sending failed with. Where nothing was sent yet, as no client is accepted before there is room, the receiver is
// asked for.
func (g *datagrams) why() error {
	if g.cause != nil || g.room {
		return g.cause
	}
	if err := g.sender.Check(); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w, or it has no room", g.sender, handoff.ErrAbsent)
}

func (g *datagrams) ready() bool   { return g.room }
func (g *datagrams) inFlight() int { return 0 }

func (g *datagrams) end(context.Context) {
	g.cancel()
	g.sender.Close()
}
