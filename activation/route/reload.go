package route

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/activation/route/spelling"
)

// Reload puts new rules in the place of the old ones, all or nothing. A socket that was there before, under the same listener,
// goes on without a gap; one that is left out may be closed by the caller once Reload has returned. Clients that wait for a
// backend that is gone go where the new rules send them.
func (d *Dispatcher) Reload(c Config, sockets map[string][]activation.Held) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.ended {
		return errors.New("the dispatcher ends")
	}
	table, err := Compile(c)
	if err != nil {
		return err
	}
	if err := c.checkCarriers(); err != nil {
		return err
	}
	fronts, err := d.frontsOf(c, sockets)
	if err != nil {
		return err
	}
	desks, opened, err := d.desksOf(c)
	if err != nil {
		return err
	}
	var own []*front
	if d.kernel != nil {
		if own, err = d.kernel.arrange(table, c, fronts); err != nil {
			for _, k := range opened {
				k.close()
			}
			return err
		}
	}
	d.commit(c, table, append(fronts, own...), desks)
	for _, notice := range d.notices(c) {
		d.log.Warn(notice)
	}
	d.reloads++
	return nil
}

// notices tell what does not go as it may have been meant.
func (d *Dispatcher) notices(c Config) []string {
	all := slices.Clone(c.Notices)
	if d.kernel != nil {
		all = append(all, d.kernel.notices()...)
	}
	r := d.rules.Load()
	for _, f := range d.fronts {
		served := f.backend != "" || r.reach[f].only != nil || slices.ContainsFunc(d.fronts, func(own *front) bool {
			return slices.Contains(own.behind, f)
		})
		if f.kind == handoff.Packet && !served {
			all = append(all, fmt.Sprintf("listener %s: nobody gets the datagrams of %s: without the kernel engine (%s) all of a udp listener have to go to one backend", f.listener, f.address, d.why))
		}
	}
	return all
}

// frontsOf returns the fronts of the sockets: those that are there already, and new ones.
func (d *Dispatcher) frontsOf(c Config, sockets map[string][]activation.Held) ([]*front, error) {
	var fronts []*front
	for _, l := range c.Listeners {
		for _, h := range sockets[l.Name] {
			f, err := d.frontOf(l, h)
			if err != nil {
				return nil, err
			}
			fronts = append(fronts, f)
		}
	}
	for name := range sockets {
		if !slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Name == name }) {
			names := c.listenerNames()
			return nil, refused("a socket is called %q, and no listener of the rules is%s: call it as one of them (%s), or write [listeners.%s]", name, spelling.Suggestion(name, names), strings.Join(names, ", "), name)
		}
	}
	return fronts, nil
}

func (c Config) listenerNames() []string {
	var names []string
	for _, l := range c.Listeners {
		names = append(names, l.Name)
	}
	return names
}

func (d *Dispatcher) frontOf(l Listener, h activation.Held) (*front, error) {
	for _, f := range d.fronts {
		same := f.backend == "" && f.listener == l.Name && f.keep == l.KeepTransparent && f.proxy == h.Proxy
		if same && f.fd == h.Number && f.channel == h.Channel {
			return f, nil
		}
	}
	f := &front{
		fd: h.Number, channel: h.Channel, id: h.ID, listener: l.Name, address: h.Source, proxy: h.Proxy, keep: l.KeepTransparent,
	}
	switch h.Kind {
	case activation.Listener:
		f.kind, f.protocol = handoff.Listener, "tcp"
	case activation.Packet:
		f.kind, f.protocol = handoff.Packet, "udp"
	case activation.Channel:
		f.kind, f.protocol = handoff.Connection, "tcp"
		return f, nil
	default:
		return nil, fmt.Errorf("%s is one connection: clients are dispatched from sockets on which they arrive", h)
	}
	local, err := syscall.Getsockname(f.fd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h, err)
	}
	f.local = addressFrom(local)
	if _, ok := local.(*syscall.SockaddrUnix); ok {
		f.protocol = "unix"
	}
	if f.kind == handoff.Packet && f.protocol != "udp" {
		return nil, fmt.Errorf("%s is a unix socket of datagrams, which cannot be dispatched: write ?channel behind it if connections arrive over it", h)
	}
	return f, nil
}

// desksOf returns the desks: those that are open already, and new ones, which are also in opened.
func (d *Dispatcher) desksOf(c Config) (desks, opened []*desk, err error) {
	for _, config := range c.Desks {
		if i := slices.IndexFunc(d.desks, func(k *desk) bool { return k.config.Path == config.Path }); i >= 0 {
			desks = append(desks, d.desks[i])
			continue
		}
		k, err := openDesk(config)
		if errors.Is(err, errors.ErrUnsupported) && !c.registers() {
			continue // nobody misses it, but who asks for the status
		}
		if err != nil {
			for _, k := range opened {
				k.close()
			}
			return nil, nil, err
		}
		desks, opened = append(desks, k), append(opened, k)
	}
	return desks, opened, nil
}

// registers tells whether a backend needs a desk.
func (c Config) registers() bool {
	return slices.ContainsFunc(c.Backends, func(b Backend) bool { return b.Way == Registers || b.Network != nil })
}

// commit makes the new state that of the dispatcher. Nothing in it fails.
func (d *Dispatcher) commit(c Config, table *Table, fronts []*front, desks []*desk) {
	gone := slices.DeleteFunc(slices.Clone(d.fronts), func(f *front) bool { return slices.Contains(fronts, f) })
	for _, f := range fronts {
		f.prepare(d)
	}
	d.fronts = fronts
	leaving := d.replaceBackends(c)
	d.publish(c, table)
	d.rearrange(gone)
	for _, f := range gone {
		if f.backend != "" && f.done != nil {
			d.ending = append(d.ending, ending{f, time.Now().Add(handshakeTime)})
			f.roused()
			continue
		}
		f.stop()
		if f.backend != "" {
			d.empty(f)
		}
	}
	d.replaceDesks(c, desks)
	if d.running != nil {
		for _, f := range d.fronts {
			f.start(d.running)
		}
	}
	d.retired = append(d.retired, leaving...)
	d.forward()
	d.rouseAll()
}

// ending is a front of the kernel engine that gets no new clients. Those that were about to connect are accepted until then, and
// go where the new rules say.
type ending struct {
	*front
	until time.Time
}

// handshakeTime is how long such a front is kept: a client whose first answer was lost is answered again after 1 s, 3 s and 7 s
// (tcp_synack_retries, tcp(7)).
const handshakeTime = 5 * time.Second

// endFronts ends the fronts whose time has come.
func (d *Dispatcher) endFronts(now time.Time) {
	d.ending = slices.DeleteFunc(d.ending, func(e ending) bool {
		if now.Before(e.until) {
			return false
		}
		e.stop()
		d.empty(e.front)
		return true
	})
}

// empty sends the clients that wait still at a front of the kernel engine, which gets no new ones, where the new rules say, and
// releases it.
func (d *Dispatcher) empty(f *front) {
	if d.running != nil && f.kind == handoff.Listener {
		f.acceptRest()
	}
	d.kernel.release(f)
}

// acceptRest takes all clients that are in the queue.
func (f *front) acceptRest() {
	unix.SetNonblock(f.fd, true)
	for {
		fd, from, err := f.d.accept(f.fd)
		switch {
		case err == nil:
			f.accepted.Add(1)
			f.welcome(fd, from)
		case err == unix.EAGAIN || !passing(err):
			return
		}
	}
}

// replaceBackends puts the new backends in, and returns those that are gone. One that gets its connections as before goes on, with
// its processes and those who wait for it.
func (d *Dispatcher) replaceBackends(c Config) (leaving []*backend) {
	old := d.backends
	d.backends = map[string]*backend{}
	for _, config := range c.Backends {
		b := old[config.Name]
		if b == nil || !b.becomes(config) {
			b = newBackend(d, config)
		}
		d.backends[config.Name] = b
	}
	for name, b := range old {
		if d.backends[name] != b {
			leaving = append(leaving, b)
		}
	}
	return leaving
}

// becomes takes new settings, unless they ask for another way.
func (b *backend) becomes(c Backend) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.config
	if was.Way != c.Way || was.Path != c.Path || was.Carrier != c.Carrier {
		return false
	}
	b.config = c
	b.patience.Store(int64(c.Patience))
	return true
}

// publish makes the rules from what the dispatcher has now.
func (d *Dispatcher) publish(c Config, table *Table) {
	r := &snapshot{config: c, table: table, backends: maps.Clone(d.backends), reach: map[*front]destination{}, fronts: map[*backend][]*front{}, tick: time.Second}
	for _, f := range d.fronts {
		where := r.reachOf(f)
		r.reach[f] = where
		for _, b := range where.backends {
			r.fronts[b] = append(r.fronts[b], f)
		}
	}
	for _, b := range c.Backends {
		r.tick = min(r.tick, max(b.Patience/samplesOf, shortestRest))
	}
	d.rules.Store(r)
}

// join adds fronts that the kernel engine made meanwhile.
func (d *Dispatcher) join(fronts ...*front) {
	fronts = slices.DeleteFunc(slices.Clone(fronts), func(f *front) bool { return slices.Contains(d.fronts, f) })
	if len(fronts) == 0 {
		return
	}
	for _, f := range fronts {
		f.prepare(d)
	}
	d.fronts = append(d.fronts, fronts...)
	old := d.rules.Load()
	d.publish(old.config, old.table)
	if d.running != nil {
		for _, f := range fronts {
			f.start(d.running)
		}
	}
}

// rearrange gives the sessions that take listeners those that are theirs now, and takes back the others, as well as those that are
// gone. Processes that may not be this backend any more are let go.
func (d *Dispatcher) rearrange(gone []*front) {
	for _, b := range d.all() {
		ss, ok := b.single().sessions()
		if !ok {
			continue
		}
		current, c := d.backends[b.name] == b, b.settings()
		for _, s := range ss.list() {
			if !current || c.admits(c.Desk, s.session.Peer()) != nil {
				s.letGo()
				continue
			}
			d.regive(b, s, gone)
		}
	}
}

// regive brings the sockets of a session up to date.
func (d *Dispatcher) regive(b *backend, s *session, gone []*front) {
	if s.gives != handoff.Listener && !s.both {
		return
	}
	whole, _ := d.whole(d.rules.Load(), b, true)
	for _, f := range s.held() {
		if slices.Contains(gone, f) || !slices.Contains(whole, f) {
			s.withdraw(f)
		}
	}
	for _, f := range whole {
		if err := s.entrust(f); err != nil {
			d.log.Warn("a process could not be given a socket", "backend", b.name, "process", s.session.Peer().String(), "socket", f.address, "err", err)
		}
	}
	if len(whole) == 0 && !s.both {
		d.log.Warn("a process takes listeners, but by the new rules its backend has none to itself: it is let go", "backend", b.name, "process", s.session.Peer().String())
		s.letGo()
	}
}

// replaceDesks closes the desks that are gone, and serves the new ones.
func (d *Dispatcher) replaceDesks(c Config, desks []*desk) {
	for _, k := range d.desks {
		if !slices.Contains(desks, k) {
			k.close()
		}
	}
	d.desks = desks
	for _, k := range desks {
		i := slices.IndexFunc(c.Desks, func(config Desk) bool { return config.Path == k.config.Path })
		if config := c.Desks[i]; config != k.config {
			err := os.Chmod(config.Path, fs.FileMode(config.Mode))
			if config.Owner != k.config.Owner || config.Group != k.config.Group {
				err = errors.Join(err, os.Chown(config.Path, config.Owner, config.Group))
			}
			if err != nil {
				d.log.Warn("the desk's owner or mode stays as it was", "desk", config.Path, "err", err)
			}
			k.config = config
		}
		if d.running != nil && k.cancel == nil {
			d.serveDesk(k)
		}
	}
}

// forward sends the clients that wait for backends of earlier rules where the new rules say.
func (d *Dispatcher) forward() {
	for _, b := range d.retired {
		for _, c := range b.takeBack() {
			d.deliver(destination{}, c, c.told())
		}
	}
}
