package route

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// client is a connection that was accepted, and that nobody else has yet.
type client struct {
	fd      int
	meta    handoff.Meta
	arrival *handoff.Arrival // of one that another dispatcher passed on: it keeps it until it is told
	until   time.Time        // its patience with the backend ends
	given   time.Time        // when a session got it
}

// delivered ends it here: somebody else has it in good hands.
func (c *client) delivered() {
	unix.Close(c.fd)
	if c.arrival != nil {
		c.arrival.Accepted()
	}
}

// reset closes it so that the client sees that it broke (RST where it is TCP; socket(7), SO_LINGER).
func (c *client) reset() {
	unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	c.delivered()
}

// snapshot is one state of the configuration. It does not change.
type snapshot struct {
	config   Config
	table    *Table
	backends map[string]*backend
	reach    map[*front]destination
	fronts   map[*backend][]*front // those that have to know when the backend has room again
	tick     time.Duration         // between two looks at the clocks
	counts   sync.Map              // *atomic.Uint64 by *Route: connections that were decided by it
}

// destination is where clients of a front can go.
type destination struct {
	backends []*backend
	only     *backend // all of them, without a look at what they say
}

// welcome takes a client that was accepted from a socket.
func (f *front) welcome(fd int, from syscall.Sockaddr) {
	if f.transparent && !f.keep {
		clearTransparent(fd)
	}
	f.admit(f.clientOf(fd, from))
}

func (f *front) clientOf(fd int, from syscall.Sockaddr) *client {
	return &client{fd: fd, meta: handoff.Meta{Listener: f.listener, At: time.Now(), Client: addressFrom(from), Local: addressFrom(localOf(fd))}}
}

// tuple is what the rules look at.
func (c *client) tuple(seen bool) Tuple {
	return Tuple{
		Listener: c.meta.Listener, Protocol: "tcp", Client: c.meta.Client, Local: c.meta.Local,
		Seen: seen, Name: c.meta.Name, ALPN: c.meta.ALPN,
	}
}

// admit takes a client in: first its PROXY header, where it has to send one.
func (f *front) admit(c *client) {
	reach := f.d.rules.Load().reach[f]
	if f.proxy == "" {
		f.d.deliver(reach, c, c.told())
		return
	}
	f.d.look(func() {
		if err := c.introduce(f.d.running, f.proxy, f.d.helloTime()); err != nil {
			f.d.drop(c, dropHeader, err)
			return
		}
		f.d.deliver(reach, c, c.told())
	})
}

// told tells whether another dispatcher has looked at what the client says.
func (c *client) told() bool { return c.meta.Name != "" || len(c.meta.ALPN) > 0 }

// look runs what waits for a client's first bytes beside the others.
func (d *Dispatcher) look(waits func()) {
	d.looking.Add(1)
	d.lookers.Go(func() {
		defer d.rouseAll()
		defer d.looking.Add(-1)
		waits()
	})
}

// deliver decides where a client goes, and offers it there. seen is whether its first bytes were looked at.
func (d *Dispatcher) deliver(reach destination, c *client, seen bool) {
	r := d.rules.Load()
	decision := r.table.Find(c.tuple(seen))
	var b *backend
	if reach.only != nil {
		b = r.backends[reach.only.name] // new rules may have come while its first bytes were awaited
	}
	switch {
	case b != nil:
	case decision.Look:
		d.look(func() {
			c.peek(d.running, d.helloTime(), d.options.HelloBytes)
			if d.running.Err() != nil {
				d.drop(c, dropEnd, nil)
				return
			}
			d.deliver(reach, c, true)
		})
		return
	case decision.Route != nil:
		b = r.backends[decision.Route.Backend]
	}
	if decision.Route != nil {
		c.meta.Route = decision.Route.Name
		d.count(r, decision.Route).Add(1)
	}
	if b == nil {
		reason := dropNoRule
		if decision.Route != nil {
			reason = dropRejected
		}
		d.drop(c, reason, nil)
		return
	}
	b.take(c)
}

// helloTime is how long a client may take over its first bytes: the less the more of them take their time, so that slow ones
// cannot keep the others out.
func (d *Dispatcher) helloTime() time.Duration {
	most := int64(d.options.MostWaiting)
	left := max(most-d.looking.Load(), most/100)
	return d.options.HelloTime * time.Duration(left) / time.Duration(most)
}

// drop resets a client for which there is no backend.
func (d *Dispatcher) drop(c *client, reason string, why error) {
	c.reset()
	d.refused.add(reason)
	d.dropped(c, "", reason, why)
}

// dropped says that a client was reset.
func (d *Dispatcher) dropped(c *client, backend, reason string, why error) {
	attributes := []any{"reason", reason}
	if why != nil {
		attributes = append(attributes, "err", why)
	}
	for _, a := range []struct{ key, value string }{
		{"route", c.meta.Route}, {"backend", backend}, {"listener", c.meta.Listener}, {"client", text(c.meta.Client)}, {"local", text(c.meta.Local)}, {"sni", c.meta.Name},
	} {
		if a.value != "" {
			attributes = append(attributes, a.key, a.value)
		}
	}
	d.drops.say(backend+"\x00"+reason, "a connection was reset", attributes...)
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// rouse tells the fronts that wait for room at a backend to look again.
func (d *Dispatcher) rouse(b *backend) {
	r := d.rules.Load()
	if r == nil {
		return // it is not arranged yet
	}
	for _, f := range r.fronts[b] {
		f.roused()
	}
}

func (d *Dispatcher) rouseAll() {
	for f := range d.rules.Load().reach {
		f.roused()
	}
}

// addressFrom is a socket address; zero of unix sockets. IPv4 addresses are not written as IPv6.
func addressFrom(a syscall.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		address := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && address.Is6() {
			address = address.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(address, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// count is the counter of a route, which outlives the rules.
func (d *Dispatcher) count(r *snapshot, route *Route) *atomic.Uint64 {
	if n, ok := r.counts.Load(route); ok {
		return n.(*atomic.Uint64)
	}
	n, _ := d.counts.LoadOrStore(cmp.Or(route.Name, route.At.String()), new(atomic.Uint64))
	r.counts.Store(route, n)
	return n.(*atomic.Uint64)
}

// reachOf tells where the clients of a front can go.
func (r *snapshot) reachOf(f *front) destination {
	name, only := f.backend, f.backend != ""
	table := r.table
	if !only {
		if !f.transparent && f.proxy == "" { // else clients may have come to any address, by TPROXY or by what their headers say
			table = table.at(f.local)
		}
		name, only = table.Only(f.listener, f.protocol)
	}
	if b := r.backends[name]; only && b != nil {
		return destination{[]*backend{b}, b}
	}
	var all []*backend
	for _, name := range table.Backends(f.listener) {
		if b := r.backends[name]; b != nil && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return destination{backends: all}
}
