package route

import (
	"crypto/sha256"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform/sklookup"
)

// arrangement is what the kernel engine is about to put into the kernel.
type arrangement struct {
	kernel   *kernel
	table    *Table
	backends map[string]*Backend
	parts    map[namespace]*part
	notices  []string
	settled  bool
}

// part is that of one network namespace.
type part struct {
	place   *place
	fresh   bool // the place was opened for it
	owners  []sklookup.Owner
	taken   map[int]bool
	slots   map[sklookup.Owner]*slot
	plans   []sklookup.Plan
	behind  map[sklookup.Owner][]*front // the fronts of the slots
	entered map[sklookup.Owner]planned
	routes  []*Route
	number  map[*Route]int // in routes
}

// planned is a front that has a plan.
type planned struct {
	plan     int
	listener string
}

func newArrangement(k *kernel, t *Table, c Config) *arrangement {
	a := &arrangement{kernel: k, table: t, backends: map[string]*Backend{}, parts: map[namespace]*part{}}
	for i := range c.Backends {
		a.backends[c.Backends[i].Name] = &c.Backends[i]
	}
	return a
}

// leave notes that a front is left to hand-over.
func (a *arrangement) leave(f *front, reason any) {
	then := "its connections are handed over"
	if f.protocol == "udp" {
		then = "the kernel does not part its clients"
	}
	a.notices = append(a.notices, fmt.Sprintf("%s: %v; %s", f.address, reason, then))
}

// add enters a front. The error is that of the kernel, not of the front: one that cannot be entered is left to hand-over.
func (a *arrangement) add(f *front) error {
	if f.kind == handoff.Connection || f.protocol != "tcp" && f.protocol != "udp" {
		return nil
	}
	s, err := sklookup.FrontOf(f.fd)
	if err != nil {
		a.leave(f, err)
		return nil
	}
	if s.Interface != 0 && !a.kernel.interfaces {
		a.leave(f, "this kernel does not say by which interface a client comes (Linux 5.17 does)")
		return nil
	}
	file, err := sklookup.NamespaceOf(f.fd)
	if err != nil && len(a.kernel.places) > 0 {
		return err // privileges went since; what they made stays as it is
	}
	if err != nil {
		a.leave(f, err)
		return nil
	}
	p, err := a.part(file)
	if err != nil {
		return err
	}
	return p.add(a, f, s)
}

// part returns that of a network namespace, of which the file becomes its own.
func (a *arrangement) part(file *os.File) (*part, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		file.Close()
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	id := namespace{uint64(st.Dev), st.Ino}
	if p := a.parts[id]; p != nil {
		file.Close()
		return p, nil
	}
	p := &part{place: a.kernel.places[id], taken: map[int]bool{}, slots: map[sklookup.Owner]*slot{},
		behind: map[sklookup.Owner][]*front{}, entered: map[sklookup.Owner]planned{}, number: map[*Route]int{}}
	if p.place == nil {
		l, err := sklookup.Open(file, a.kernel.pin)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("sockets of backends in the kernel: %w", err)
		}
		p.place, p.fresh = &place{id: id, lookup: l, slots: map[sklookup.Owner]*slot{}}, true
	} else {
		file.Close()
	}
	a.parts[id] = p
	for _, s := range p.place.slots {
		p.taken[s.number] = true
	}
	var err error
	p.owners, err = p.place.lookup.Owners()
	return p, err
}

// add makes the plan of a front. Where the kernel cannot decide anything it still has to know the front, so that none of
// another one's clients are taken for it.
func (p *part) add(a *arrangement, f *front, s sklookup.Front) error {
	wanted := map[sklookup.Owner]*slot{}
	where := ownerOf(s, "", "")
	other, twice := p.entered[where]
	switch {
	case twice && other.listener == f.listener:
		return nil // another socket of the same SO_REUSEPORT group
	case twice:
		a.leave(f, fmt.Sprintf("listener %s has the same address", other.listener))
		s.Rules, s.Own, s.Otherwise = nil, sklookup.Pass, sklookup.Pass
		plan, err := sklookup.Compile(s)
		p.plans[other.plan] = plan
		return err
	}
	plan, err := sklookup.Compile(s)
	if err != nil {
		return err
	}
	if reason := a.unfit(f, s); reason != "" {
		a.leave(f, reason)
	} else if ruled, useful := p.rules(a, f, s, wanted); !useful {
		// All its clients have to be looked at, or go to a backend that takes no socket: nothing is amiss.
	} else if better, err := sklookup.Compile(ruled); err != nil {
		a.leave(f, err)
	} else {
		plan = better
		for owner, s := range wanted {
			p.slots[owner] = s
			p.behind[owner] = append(p.behind[owner], f)
		}
	}
	p.entered[where] = planned{len(p.plans), f.listener}
	p.plans = append(p.plans, plan)
	return nil
}

// unfit tells why the kernel cannot decide about a front; empty where it can.
func (a *arrangement) unfit(f *front, s sklookup.Front) string {
	switch {
	case f.proxy != "":
		return "who the client is stands in its PROXY header, which the kernel does not read"
	case f.protocol == "udp" && !sklookup.Shares(f.fd):
		if _, only := a.table.at(f.local).Only(f.listener, f.protocol); only {
			return ""
		}
		return "its socket has no SO_REUSEPORT, so that no backend can have one that answers from its address: add ?reuse-port=yes (ReusePort=yes in systemd)"
	case !sklookup.Transparent(f.fd):
		return ""
	}
	for _, c := range a.table.Cells(f.listener, f.protocol) {
		if !c.Local.all() || c.Ports != everyPort() {
			return "its socket is transparent, and of clients that come through TPROXY the kernel tells no local address"
		}
	}
	return ""
}

// rules gives the front its rules, and notes the slots that they send clients to. useful is whether there is one that leaves
// less for the front.
func (p *part) rules(a *arrangement, f *front, s sklookup.Front, wanted map[sklookup.Owner]*slot) (_ sklookup.Front, useful bool) {
	if f.protocol == "udp" && !sklookup.Shares(f.fd) {
		return s, false
	}
	for _, c := range a.table.Cells(f.listener, f.protocol) {
		if own := s.Local.Addr(); !c.Ports.Has(s.Local.Port()) || !own.IsUnspecified() && !c.Local.Matches(own) {
			continue
		}
		r := sklookup.Rule{
			Families: familiesOf(c.Client) & familiesOf(c.Local),
			Client:   sklookup.Bits{Address: c.Client.Address.As16(), Mask: c.Client.Mask},
			Local:    sklookup.Bits{Address: c.Local.Address.As16(), Mask: c.Local.Mask},
			First:    c.ClientPorts.First, Last: c.ClientPorts.Last,
			To: p.destination(a, f, s, c, wanted),
		}
		if r.To != sklookup.Pass {
			r.Counter = p.counter(c.Route)
			useful = true
		}
		s.Rules = append(s.Rules, r)
	}
	s.Otherwise = sklookup.Drop
	if f.protocol == "udp" && useful {
		if own := p.slot(ownerOf(s, f.listener, ""), "", wanted); own != nil {
			s.Own = own.number
		}
	}
	return s, useful
}

// destination is where the clients of a cell go.
func (p *part) destination(a *arrangement, f *front, s sklookup.Front, c Cell, wanted map[sklookup.Owner]*slot) int {
	backend := a.backends[c.Route.Backend]
	switch {
	case !c.Exact:
		return sklookup.Pass
	case c.Route.Reject || backend == nil:
		return sklookup.Drop
	case backend.Way == Relayed, f.protocol == "udp" && (backend.Way != Registers || backend.Takes == Connections):
		return sklookup.Pass
	}
	own := p.slot(ownerOf(s, f.listener, backend.Name), backend.Name, wanted)
	if own == nil {
		return sklookup.Pass
	}
	return own.number
}

// counter returns the number of a route's counter.
func (p *part) counter(r *Route) int {
	n, ok := p.number[r]
	if !ok {
		n = len(p.routes)
		p.number[r] = n
		p.routes = append(p.routes, r)
	}
	return n + 1
}

// slot returns the slot of a backend behind a front: the one that is there, one that a dispatcher before this one filled, or
// a free one. It is nil when there are no more.
func (p *part) slot(owner sklookup.Owner, backend string, wanted map[sklookup.Owner]*slot) *slot {
	if s := wanted[owner]; s != nil {
		return s
	}
	for _, there := range []*slot{p.slots[owner], p.place.slots[owner]} {
		if there != nil {
			wanted[owner] = there
			return there
		}
	}
	free := -1
	for i, o := range p.owners {
		if p.taken[i] {
			continue
		}
		alive := o != sklookup.Owner{} && p.place.lookup.Cookie(i) != 0
		if alive && o == owner {
			free = i
			break
		}
		if free < 0 && !alive {
			free = i
		}
	}
	if free < 0 {
		return nil
	}
	p.taken[free] = true
	wanted[owner] = &slot{number: free, owner: owner, backend: backend}
	return wanted[owner]
}

// load has the kernel work by the new plans. On error it works by the old ones.
func (a *arrangement) load() error {
	var done []*part
	for _, p := range a.parts {
		if len(p.slots) == 0 && len(p.routes) == 0 {
			continue // settle ends what is there
		}
		err := p.load()
		if err == nil {
			done = append(done, p)
			continue
		}
		for _, p := range done {
			if !p.fresh {
				p.place.lookup.Load(p.place.plans, len(p.place.routes)+1)
			}
		}
		return fmt.Errorf("rules in the kernel: %w", err)
	}
	return nil
}

// load puts the UDP fronts into their slots before the program knows them: what the program leaves to the kernel would go to
// any socket of the group.
func (p *part) load() error {
	for owner, s := range p.slots {
		if s.backend == "" {
			if err := p.place.lookup.Put(s.number, p.behind[owner][0].fd, owner); err != nil {
				return err
			}
		}
	}
	return p.place.lookup.Load(p.plans, len(p.routes)+1)
}

// settle makes the arrangement the engine's own, after it was loaded.
func (a *arrangement) settle() {
	places := map[namespace]*place{}
	for id, p := range a.parts {
		if len(p.slots) == 0 && len(p.routes) == 0 {
			continue
		}
		p.fresh = false
		places[id] = p.place
		for owner, s := range p.place.slots {
			if p.slots[owner] == nil {
				p.place.lookup.Remove(s.number)
			}
		}
		for owner, s := range p.slots {
			s.fronts, s.failed = p.behind[owner], false
			if s.own != nil {
				s.own.behind = s.fronts
			}
		}
		p.place.slots, p.place.plans, p.place.routes = p.slots, p.plans, p.routes
		a.fill(p.place)
	}
	for id, p := range a.kernel.places {
		if places[id] == nil {
			p.lookup.Unpin()
			p.lookup.Close()
		}
	}
	a.kernel.places = places
	a.kernel.kept.settle()
	a.settled = true
}

// fill takes up the sockets that were kept, and makes those that are not there. What cannot be made the fronts stand in for.
func (a *arrangement) fill(p *place) {
	for _, s := range p.slots {
		if s.backend == "" || s.own != nil || a.kernel.restore(p, s) || p.lookup.Cookie(s.number) != 0 {
			continue // a live one that is not ours may be offered yet
		}
		if err := a.kernel.fill(p, s); err != nil {
			a.notices = append(a.notices, err.Error()+"; its connections are handed over")
		}
	}
}

// end closes what was opened for nothing. What a dispatcher before this one left there goes too, unless the arrangement failed.
func (a *arrangement) end() {
	for _, p := range a.parts {
		if !p.fresh {
			continue
		}
		if a.settled {
			p.place.lookup.Unpin()
		}
		p.place.lookup.Close()
	}
}

// familiesOf are those of the addresses in a prefix.
func familiesOf(p Prefix) sklookup.Families {
	switch p.Family {
	case 4:
		return sklookup.IPv4
	case 6:
		return sklookup.IPv6
	}
	return sklookup.Both
}

// ownerOf names what a slot is for, so that a dispatcher to come knows it. A backend has one TCP socket for all addresses of
// a listener: a program binds a port once. A UDP socket answers from the address that it is bound to.
func ownerOf(f sklookup.Front, listener, backend string) sklookup.Owner {
	where := f.Local.String()
	if f.Protocol == unix.IPPROTO_TCP && backend != "" {
		where = fmt.Sprint(f.Local.Port(), f.Local.Addr().Is4(), f.Dual)
	}
	return sha256.Sum256(fmt.Appendf(nil, "%d %s %d\n%s\n%s", f.Protocol, where, f.Interface, listener, backend))
}
