package route

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform/sklookup"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// kernel is the engine in which the kernel itself chooses among sockets by the rules (bpf-sk_lookup). For each front and each
// backend that the rules can send its clients to there is a socket of its own, with a queue of its own, in a slot of a map.
// What the kernel cannot decide stays with the front.
type kernel struct {
	pin        string
	interfaces bool // the kernel tells by which interface a client came
	kept       keeping

	lock     sync.Mutex
	places   map[namespace]*place
	patience time.Duration // how long a socket of a dispatcher before this one is left to the backend that has it
	deadline time.Time     // until then; zero before the first arrange
	told     []string      // notices of the last arrange
}

// namespace is a network namespace, by the device and inode of its file.
type namespace struct{ device, inode uint64 }

// place is what the engine has in one network namespace.
type place struct {
	id     namespace
	lookup *sklookup.Lookup
	slots  map[sklookup.Owner]*slot
	plans  []sklookup.Plan
	routes []*Route // counter 0 is nobody's, counter n+1 that of route n
}

// slot is the place of one socket: a backend's, or of UDP the front's own.
type slot struct {
	number  int
	owner   sklookup.Owner
	backend string   // empty: the front's own
	fronts  []*front // behind which it stands: of TCP all of a listener that have one port and one family, of UDP one
	cookie  uint64
	own     *front // nil: a dispatcher before this one made the socket, and a backend may have it
	state   socketoptions.Snapshot
	failed  bool // it cannot have a socket
}

// newKernel returns the engine, or why this machine or this user has none.
func newKernel(o Options) (*kernel, error) {
	if err := sklookup.Probe(); err != nil {
		return nil, fmt.Errorf("the kernel cannot choose among sockets here (bpf-sk_lookup): %w", err)
	}
	if o.Pin != "" {
		if err := sklookup.MakeFolder(o.Pin); err != nil {
			return nil, err
		}
	}
	return &kernel{pin: o.Pin, interfaces: sklookup.KnowsInterfaces(), kept: newKeeping(o.Keeper, o.Kept), places: map[namespace]*place{}, patience: 10 * time.Second}, nil
}

// arrange puts rules and fronts into the kernel, all or nothing, and returns the sockets that it has for backends, each as a
// front of its own that only the clients of this backend reach. Those that were there before stay the same *front; those of a
// dispatcher before this one come by adopt or by replace. fronts are those that the rules name; they are to be accepted from
// all the same, as the kernel leaves them what it cannot decide. A front that was in own before and is not any more gets no
// new clients: accept those that still wait there, by the rules, then release it. On error all is as before.
func (k *kernel) arrange(t *Table, c Config, fronts []*front) (own []*front, err error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	a := newArrangement(k, t, c)
	defer a.end()
	for _, f := range fronts {
		if err := a.add(f); err != nil {
			return nil, err
		}
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	a.settle()
	if k.deadline.IsZero() {
		k.deadline = time.Now().Add(k.patience)
	}
	k.told = a.notices
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.backend != "" && s.own != nil {
				own = append(own, s.own)
			}
		}
	}
	return own, nil
}

// adopt takes a socket that a backend which registers again holds. If the kernel sends this backend's clients to it, the
// front of it is returned; fd stays the caller's.
func (k *kernel) adopt(backend string, fd int) (*front, bool) {
	cookie, err := sklookup.CookieOf(fd)
	if err != nil {
		return nil, false
	}
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.backend != backend || backend == "" || p.lookup.Cookie(s.number) != cookie {
				continue
			}
			if s.own == nil {
				duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
				if err != nil {
					return nil, false
				}
				if err := s.listen(duplicate); err != nil {
					unix.Close(duplicate)
					return nil, false
				}
				s.have(duplicate, cookie)
				k.keep(p, s)
			}
			return s.own, true
		}
	}
	return nil, false
}

// replace makes new sockets in the place of those of a dispatcher before this one that nobody offered within 10 s, or that are
// gone, and returns them. Call it at every tick; mostly it has nothing to do. The error tells of those that cannot be made; it
// comes once.
func (k *kernel) replace() (own []*front, err error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	late := !k.deadline.IsZero() && time.Now().After(k.deadline)
	var errs []error
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.own != nil || s.backend == "" || s.failed || !late && p.lookup.Cookie(s.number) != 0 {
				continue
			}
			if err := k.fill(p, s); err != nil {
				errs = append(errs, err)
				continue
			}
			own = append(own, s.own)
		}
	}
	return own, errors.Join(errs...)
}

// mend brings a front of the engine back to what it was, after a backend that had it ended: that it listens, which a program
// that calls shutdown(2) ends for all, and, where no other process has it, its options. It is left non-blocking.
func (k *kernel) mend(f *front) error {
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.own != f {
				continue
			}
			if f.given.Load() > 0 {
				return s.listen(f.fd)
			}
			s.state.Restore(f.fd)
			if p.lookup.Cookie(s.number) == s.cookie {
				return nil
			}
			return p.lookup.Put(s.number, f.fd, s.owner)
		}
	}
	return nil
}

// listen has the socket listen, if it does not.
func (s *slot) listen(fd int) error {
	if s.fronts[0].kind != handoff.Listener {
		return nil
	}
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); n != 0 || err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

// bypass has the kernel send the clients of a front of its own where they came from, to a front of the rules. Those in its queue
// stay there.
func (k *kernel) bypass(f *front) {
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.own == f {
				p.lookup.Remove(s.number)
			}
		}
	}
}

// release closes a front that is not in what arrange returned any more.
func (k *kernel) release(f *front) {
	if f.kept != "" {
		k.kept.forget(f.kept)
	}
	unix.Close(f.fd)
	f.fd = -1
}

// notices tells which fronts, or which of their backends, the engine leaves to hand-over, and why, as of the last arrange.
func (k *kernel) notices() []string {
	k.lock.Lock()
	defer k.lock.Unlock()
	return slices.Clone(k.told)
}

// counts tells how often the kernel chose each route since the last arrange: attempts to connect of TCP, datagrams of UDP.
func (k *kernel) counts() map[*Route]uint64 {
	k.lock.Lock()
	defer k.lock.Unlock()
	total := map[*Route]uint64{}
	for _, p := range k.places {
		counts, err := p.lookup.Counts()
		if err != nil {
			continue
		}
		for i, r := range p.routes {
			total[r] += counts[i+1]
		}
	}
	return total
}

// close lets go of all. What is pinned goes on for the backends that have their sockets, and what is kept for the next dispatcher.
func (k *kernel) close() {
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.own != nil && s.backend != "" {
				unix.Close(s.own.fd)
				s.own.fd = -1
			}
		}
		p.lookup.Close()
	}
	clear(k.places)
}

// inherited tells whether a backend may have a socket of a dispatcher before this one still.
func (k *kernel) inherited() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		for _, s := range p.slots {
			if s.own == nil && s.backend != "" && !s.failed {
				return true
			}
		}
	}
	return false
}

// forget removes what this one has pinned: with close the kernel forgets it.
func (k *kernel) forget() {
	k.lock.Lock()
	defer k.lock.Unlock()
	for _, p := range k.places {
		p.lookup.Unpin()
	}
}

// unpin removes all from the bpf file system, also what a dispatcher before this one left there.
func (k *kernel) unpin() error {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.pin == "" {
		return nil
	}
	for _, p := range k.places {
		p.lookup.Unpin()
	}
	return sklookup.UnpinAll(k.pin)
}

// have makes the socket that of the slot.
func (s *slot) have(fd int, cookie uint64) {
	s.cookie, s.failed = cookie, false
	s.state = socketoptions.Take(fd).Nonblocking()
	first := s.fronts[0]
	s.own = &front{
		fd: fd, kind: first.kind, listener: first.listener, protocol: first.protocol, local: first.local,
		address: first.address + " of " + s.backend, backend: s.backend, behind: s.fronts,
	}
}

// keptAs is the name of a slot's socket where it is kept; empty where it is not to be: a UDP socket that nobody reads would go on taking
// datagrams from its group.
func (p *place) keptAs(s *slot) string {
	if s.fronts[0].kind != handoff.Listener {
		return ""
	}
	return fmt.Sprintf("%s%x-%d-%d", KeptPrefix, s.owner[:], p.id.device, p.id.inode)
}

// keep has the slot's socket kept.
func (k *kernel) keep(p *place, s *slot) {
	if name := p.keptAs(s); name != "" && k.kept.keep(name, s.own.fd) {
		s.own.kept = name
	}
}

// restore gives the slot the socket that a dispatcher before this one had kept, unless the kernel uses another one by now.
func (k *kernel) restore(p *place, s *slot) bool {
	name := p.keptAs(s)
	fd, ok := k.kept.take(name)
	if !ok {
		return false
	}
	cookie, err := sklookup.CookieOf(fd)
	if now := p.lookup.Cookie(s.number); err == nil && now != 0 && now != cookie {
		err = errors.New("the kernel uses another socket")
	}
	if err == nil {
		err = errors.Join(s.listen(fd), p.lookup.Put(s.number, fd, s.owner))
	}
	if err != nil {
		unix.Close(fd)
		k.kept.forget(name)
		return false
	}
	s.have(fd, cookie)
	s.own.kept = name
	return true
}

// fill makes a socket for the slot, and has the kernel use it.
func (k *kernel) fill(p *place, s *slot) error {
	s.failed = true
	fd, err := sklookup.Behind(s.fronts[0].fd)
	if err != nil {
		return fmt.Errorf("%s: no socket for backend %s: %w", s.fronts[0].address, s.backend, err)
	}
	cookie, err := sklookup.CookieOf(fd)
	if err == nil {
		err = p.lookup.Put(s.number, fd, s.owner)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("%s: socket of backend %s: %w", s.fronts[0].address, s.backend, err)
	}
	s.have(fd, cookie)
	k.keep(p, s)
	return nil
}
