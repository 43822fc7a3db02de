package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// usualPatience is how long a client waits for its backend where the file says nothing.
const usualPatience = 30 * time.Second

// lookup is a list of rules as socketbox has them: the first entry that matches decides, or sends the connection to another
// list, from which it does not come back.
type lookup struct {
	name    string
	entries []entry
	rest    entry // what happens to the others
}

// entry says what happens to some connections: they go to a backend, to another list, or else they are rejected.
type entry struct {
	at      Position
	name    string // such as "rule-set:0 line 5"
	when    demand
	backend string
	next    *lookup
}

// demand is what an entry asks of a connection; its zero value is asked of none.
type demand struct {
	local, client    mask
	port, clientPort onePort
	listener         string
}

// mask matches addresses of which the bits in it are those of address, which has no others.
type mask struct{ address, bits [16]byte }

// onePort is a port if it is set, else any.
type onePort struct {
	set    bool
	number uint16
}

// newMask matches what is like the address as far as bits are set.
func newMask(address, bits [16]byte) mask {
	return mask{masked(address, bits), bits}
}

// and returns what matches where both do; not ok where nothing can.
func (m mask) and(o mask) (both mask, ok bool) {
	for i := range m.bits {
		if (m.address[i]^o.address[i])&m.bits[i]&o.bits[i] != 0 {
			return mask{}, false
		}
		both.address[i], both.bits[i] = m.address[i]|o.address[i], m.bits[i]|o.bits[i]
	}
	return both, true
}

func (m mask) prefixes() []Prefix {
	if m.bits == [16]byte{} {
		return nil
	}
	return []Prefix{{Address: netip.AddrFrom16(m.address), Mask: m.bits}}
}

func (p onePort) and(o onePort) (both onePort, ok bool) {
	switch {
	case !p.set:
		return o, true
	case !o.set || p == o:
		return p, true
	}
	return onePort{}, false
}

func (p onePort) ports() []Ports {
	if !p.set {
		return nil
	}
	return []Ports{{p.number, p.number}}
}

// and returns what is asked when both are; not ok where no connection could meet that.
func (c demand) and(o demand) (both demand, ok bool) {
	var fits [4]bool
	both.local, fits[0] = c.local.and(o.local)
	both.client, fits[1] = c.client.and(o.client)
	both.port, fits[2] = c.port.and(o.port)
	both.clientPort, fits[3] = c.clientPort.and(o.clientPort)
	both.listener = c.listener
	if c.listener == "" {
		both.listener = o.listener
	}
	return both, fits == [4]bool{true, true, true, true} && (o.listener == "" || both.listener == o.listener)
}

// Bounds of what lists unfold into. A list that many others jump to stands for one route for each way that leads there.
const (
	mostRoutes = 1 << 18
	mostSteps  = 1 << 24
)

// unfolding turns lists into routes.
type unfolding struct {
	*problems
	most    int // lists that are looked into for one connection; further ones reject it
	room    int // for routes
	routes  []Route
	notices []string
	said    map[string]bool
	steps   int
	path    []*lookup
	names   []string // of the entries that lead here
}

// unfold returns the routes that decide as the lists do, beginning with first. Connections that would go in circles, or
// through more than most lists, are rejected.
func unfold(first *lookup, most int, p *problems) (routes []Route, notices []string) {
	u := &unfolding{problems: p, most: most, room: mostRoutes, said: map[string]bool{}}
	u.walk(first, demand{})
	return u.routes, u.notices
}

// walk returns whether there is room for more.
func (u *unfolding) walk(l *lookup, when demand) bool {
	u.path = append(u.path, l)
	defer func() { u.path = u.path[:len(u.path)-1] }()
	for _, e := range l.entries {
		if u.steps++; u.steps > mostSteps || len(u.routes) >= u.room {
			u.add(e.at, e.name, "the lists unfold into more than %d routes; let fewer of them jump to the same ones", u.room)
			return false
		}
		both, ok := when.and(e.when)
		if !ok {
			continue
		}
		if !u.decide(e, both) {
			return false
		}
		if both == when { // nothing is left for the others
			return true
		}
	}
	return u.decide(l.rest, when)
}

// decide adds the route of an entry, or those of the list that it sends connections to.
func (u *unfolding) decide(e entry, when demand) bool {
	u.names = append(u.names, e.name)
	defer func() { u.names = u.names[:len(u.names)-1] }()
	if e.next == nil {
		u.route(e, when, e.backend)
		return true
	}
	circle := ""
	for _, before := range u.path {
		if before == e.next {
			circle = fmt.Sprintf("%s: %s: jumps back to %s: connections that get here are rejected", e.at, e.name, e.next.name)
		}
	}
	if circle == "" && len(u.path) == u.most {
		circle = fmt.Sprintf("%s: %s: connections that get here have been through %d lists, and are rejected", e.at, e.name, u.most)
	}
	if circle == "" {
		return u.walk(e.next, when)
	}
	if !u.said[circle] {
		u.said[circle] = true
		u.notices = append(u.notices, circle)
	}
	u.route(e, when, "")
	return true
}

func (u *unfolding) route(e entry, when demand, backend string) {
	r := Route{
		Name: strings.Join(u.names, ", "), At: e.at, Local: when.local.prefixes(), Client: when.client.prefixes(),
		Ports: when.port.ports(), ClientPorts: when.clientPort.ports(), Backend: backend, Reject: backend == "",
		Fallback: when == demand{} && len(u.path) == 1 && e.name == u.path[0].rest.name,
	}
	if when.listener != "" {
		r.Listeners = []string{when.listener}
	}
	u.routes = append(u.routes, r)
}

// defaultOf is the name of the entry for what none of a list matches.
func defaultOf(list string) string { return list + " default" }

// reached returns the lists to which connections can come.
func reached(first *lookup) map[*lookup]bool {
	seen := map[*lookup]bool{first: true}
	for todo := []*lookup{first}; len(todo) > 0; {
		l := todo[0]
		todo = todo[1:]
		for _, e := range append(l.entries[:len(l.entries):len(l.entries)], l.rest) {
			if e.next != nil && !seen[e.next] {
				seen[e.next] = true
				todo = append(todo, e.next)
			}
		}
	}
	return seen
}

// readPort reads a port by its number.
func readPort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err == nil:
		return uint16(n), nil
	case strings.Contains(text, "-"):
		return 0, fmt.Errorf("%s is no port: there are no ranges here; write one entry for each port, or write the rules in TOML", shown(text))
	}
	return 0, fmt.Errorf("%s is no port; write a number from 1 to 65535", shown(text))
}

// readIPv6 reads an address as inet_pton(3) does for IPv6. IPv4 has to be written as ::ffff:a.b.c.d.
func readIPv6(text string) ([16]byte, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || a.Zone() != "":
		return [16]byte{}, fmt.Errorf("%s is no IPv6 address; write one such as 2001:db8::1, or ::ffff:192.0.2.1 for IPv4", shown(text))
	case a.Is4():
		return [16]byte{}, fmt.Errorf("%s is IPv4, and all is compared as IPv6 here; write ::ffff:%s", a, a)
	}
	return a.As16(), nil
}

// shown writes a piece of a file into a message.
func shown(token string) string {
	if len(token) > 80 {
		token = token[:80] + "…"
	}
	if quoted := strconv.Quote(token); len(quoted) != len(token)+2 {
		return quoted
	}
	return token
}

// similar returns the word that was meant, as an addition to a message; empty when there is none.
func similar(word string, known []string) string {
	for _, k := range known {
		if word != "" && strings.HasPrefix(k, word) {
			return "; " + k + " is not to be shortened"
		}
	}
	return "; there are " + strings.Join(known, ", ")
}
