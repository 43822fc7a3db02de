package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// backend is where a route leads to: its outlets, and what is counted of it. It outlives a reload that does not change its way.
type backend struct {
	d     *Dispatcher
	name  string
	path  string // of Datagrams: with places for address and port
	drops counts

	mu       sync.Mutex
	config   Backend
	outlets  map[string]*outlet // by path; of all but Datagrams with places in their path only ""
	finished bool

	patience  atomic.Int64 // of config
	waiting   atomic.Int64
	delivered atomic.Uint64
	again     atomic.Uint64
}

// giver delivers clients. Its methods are called with the outlet's mu held.
type giver interface {
	// give passes a client on. An error that wraps errUnfit says that this client can never be passed there; all others that
	// nobody takes one now. The client is the caller's then.
	give(c *client) error
	// ready tells whether give would work now.
	ready() bool
	// why is why it would not, where that is known.
	why() error
	// inFlight is how many were given, but are not in good hands yet.
	inFlight() int
	// end ends it, within the context where clients are served by it.
	end(ctx context.Context)
}

// errUnfit says that a client can never be passed there.
var errUnfit = errors.New("it cannot be passed")

func newBackend(d *Dispatcher, c Backend) *backend {
	b := &backend{d: d, name: c.Name, config: c, outlets: map[string]*outlet{}}
	b.patience.Store(int64(c.Patience))
	if c.Way == Datagrams {
		b.path = c.Path
	}
	if !b.fans() {
		b.outlet(c.Path)
	}
	return b
}

// fans tells whether there is an outlet for each address or port.
func (b *backend) fans() bool { return strings.Contains(b.path, "{") }

// outlet returns the one for a path.
func (b *backend) outlet(path string) *outlet {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.fans() {
		path = ""
	}
	o := b.outlets[path]
	if o != nil {
		return o
	}
	o = &outlet{b: b, used: time.Now()}
	o.giver = b.newGiver(o, path)
	b.outlets[path] = o
	return o
}

// checkCarriers tells which inherited descriptors are not open here.
func (c Config) checkCarriers() error {
	for _, b := range c.Backends {
		if b.Way != Datagrams || b.Path != "" {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(b.Carrier), unix.F_GETFD, 0); err != nil {
			return refused("%s: backend %s: descriptor %d is not open (%v): pass a unix socket there, or write a path", b.At, b.Name, b.Carrier, err)
		}
	}
	return nil
}

func (b *backend) newGiver(o *outlet, path string) giver {
	switch c := b.config; c.Way {
	case Datagrams:
		switch {
		case c.Path == "":
			carrier, err := duplicate(c.Carrier) // the rules may name it again
			if err != nil {
				b.d.log.Error("a backend's descriptor cannot be used", "backend", b.name, "descriptor", c.Carrier, "err", err)
			}
			return newDatagrams(o, handoff.NewCarrier(carrier))
		case path == "":
			return newDatagrams(o, handoff.NewSender(c.Path))
		}
		return newDatagrams(o, handoff.NewSender(path))
	case Relayed:
		return newRelayed(o)
	}
	return &sessions{o: o}
}

// settings are what the rules say of it now.
func (b *backend) settings() Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.config
}

// take delivers a client, now or when somebody takes it.
func (b *backend) take(c *client) {
	path := ""
	if b.fans() {
		path = expand(b.path, c.meta)
	}
	c.until = c.meta.At.Add(time.Duration(b.patience.Load()))
	for !b.outlet(path).offer(c) {
		// the outlet was closed meanwhile, as it had been idle
	}
}

// expand puts the connection's local address and port into a path.
func expand(path string, m handoff.Meta) string {
	address := m.Local.Addr().As16()
	pairs := []string{"{port}", fmt.Sprintf("%05d", m.Local.Port())}
	for i := range 8 {
		pairs = append(pairs, fmt.Sprintf("{local.%d}", i), fmt.Sprintf("%05d", int(address[2*i])<<8|int(address[2*i+1])))
	}
	return strings.NewReplacer(pairs...).Replace(path)
}

// each calls f with every outlet.
func (b *backend) each(f func(o *outlet)) {
	b.mu.Lock()
	all := make([]*outlet, 0, len(b.outlets))
	for _, o := range b.outlets {
		all = append(all, o)
	}
	b.mu.Unlock()
	for _, o := range all {
		f(o)
	}
}

// ready tells whether somebody takes a client now. Where the client's path is not known before it is accepted, there is room
// as long as clients may wait.
func (b *backend) ready() bool {
	if b.fans() {
		return b.holds()
	}
	o := b.single()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.giver.ready()
}

// absence is why nobody takes a client now.
func (b *backend) absence() error {
	o := b.single()
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.giver.why()
}

// single is the outlet of a backend that has one.
func (b *backend) single() *outlet {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outlets[""]
}

// holds tells whether one more client may wait for it. Each backend may hold as many as there is room left for others, so that
// one whose clients pile up leaves room for all.
func (b *backend) holds() bool { return b.d.holds(b.waiting.Load()) }

func (d *Dispatcher) holds(waiting int64) bool {
	return waiting < int64(d.options.MostWaiting)-d.waiting.Load()
}

func (b *backend) inFlight() (n int) {
	b.each(func(o *outlet) {
		o.mu.Lock()
		defer o.mu.Unlock()
		n += o.giver.inFlight()
	})
	return n
}

// idle tells whether nobody waits for it, and nothing is in flight that may come back within the time.
func (b *backend) idle(within time.Duration) bool {
	if b.waiting.Load() > 0 {
		return false
	}
	idle := true
	b.each(func(o *outlet) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if s, ok := o.giver.(*sessions); ok && s.inFlight() > 0 && !s.stalled(time.Now(), within) {
			idle = false
		}
		if r, ok := o.giver.(*relayed); ok && r.relay.Count() > 0 {
			idle = false
		}
	})
	return idle
}

// takeBack takes out all that wait.
func (b *backend) takeBack() (all []*client) {
	b.each(func(o *outlet) { all = append(all, o.takeBack()...) })
	return all
}

// dropAll resets all that wait, and returns how many there were.
func (b *backend) dropAll(reason string) int {
	all := b.takeBack()
	for _, c := range all {
		b.drop(c, reason, nil)
	}
	return len(all)
}

// The reasons for which connections are dropped, as they are counted.
const (
	dropPatience = "no process of the backend took it in time"
	dropMany     = "too many clients wait for the backend"
	dropUnfit    = "it cannot be passed to the backend"
	dropEnd      = "the dispatcher ends"
	dropRelay    = "the server behind the relay did not answer"
	dropRejected = "the rule rejects it"
	dropNoRule   = "no rule matches it"
	dropHeader   = "it sent no PROXY header"
)

// drop resets a client, and counts it. why may be nil.
func (b *backend) drop(c *client, reason string, why error) {
	c.reset()
	b.dropped(c, reason, why)
}

// dropped counts a client that was reset.
func (b *backend) dropped(c *client, reason string, why error) {
	b.drops.add(reason)
	b.d.dropped(c, b.name, reason, why)
}

// idleTime is how long an outlet of one address or port is kept without clients.
const idleTime = time.Minute

// sweep ends outlets that had no client for long, of a backend that has one for each address or port.
func (b *backend) sweep(now time.Time) {
	if !b.fans() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for path, o := range b.outlets {
		o.mu.Lock()
		o.closed = len(o.queue) == 0 && now.Sub(o.used) > idleTime
		if o.closed {
			delete(b.outlets, path)
			o.giver.end(over())
		}
		o.mu.Unlock()
	}
}

// end closes all its ways.
func (b *backend) end(ctx context.Context) {
	b.mu.Lock()
	b.finished = true
	b.mu.Unlock()
	b.each(func(o *outlet) { o.giver.end(ctx) })
}

// counts are numbers by reason.
type counts struct {
	mu sync.Mutex
	by map[string]uint64
}

func (c *counts) add(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]uint64{}
	}
	c.by[reason]++
}

func (c *counts) all() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.by)
}
