package wake

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/platform"
)

// asked is the address that a program binds.
type asked struct {
	family platform.Family
	host   netip.Addr // as it is written in the address: IPv4 may be mapped into IPv6
	port   uint16
	path   string // of a unix socket; a name behind @ is abstract
}

func (a asked) String() string {
	if a.family == platform.Unix {
		return a.path
	}
	return netip.AddrPortFrom(a.host, a.port).String()
}

// own is what is known of the socket that the program binds.
type own struct {
	transport transport       // empty: not known; other kinds are otherTransport
	family    platform.Family // of the socket, which an address has to have too; empty: not known
}

// otherTransport is that of sockets that are never mapped: raw ones, SCTP.
const otherTransport transport = "other"

// verdict is what is done with a bind.
type verdict int

const (
	through     verdict = iota // the kernel does it, as if nobody looked
	swapped                    // the program's socket becomes the held one
	unavailable                // EADDRNOTAVAIL: a socket was meant, but none of a family that fits
	denied                     // EPERM: a socket was meant, but which cannot be told
)

// choice is the answer to a bind.
type choice struct {
	verdict verdict
	socket  *socket // swapped: the one that it gets
	complaint
}

// complaint is what the log says about a bind; nothing when it is empty.
type complaint struct {
	serious bool // an error; else a warning
	text    string
}

// matcher chooses the sockets for the binds of one instance. What it bound before counts.
type matcher struct {
	sockets   []*socket
	rules     []rule // with any, nothing is guessed
	anyFamily bool   // an IPv4 bind may take an IPv6 socket that IPv4 clients reach

	guessed map[transport]uint16 // the port by which the program means the only place of a transport
	direct  map[transport]bool   // the port of a place itself was bound
	v4      map[taken]bool       // an IPv4 bind of the port took the socket
	used    map[key]bool         // the maps by which a bind was answered
}

// taken is a socket that was taken by a bind of a port.
type taken struct {
	socket *socket
	port   uint16
}

func newMatcher(sockets []*socket, rules []rule, anyFamily bool) *matcher {
	return &matcher{
		sockets: sockets, rules: rules, anyFamily: anyFamily,
		guessed: map[transport]uint16{}, direct: map[transport]bool{}, v4: map[taken]bool{}, used: map[key]bool{},
	}
}

// concerns tells whether the address alone makes one of the sockets a candidate, for a socket of any transport.
func (m *matcher) concerns(a asked) bool {
	return slices.ContainsFunc([]transport{tcp, udp, local}, func(t transport) bool { return len(m.candidates(a, t)) > 0 })
}

// choose answers a bind, and remembers it.
func (m *matcher) choose(a asked, o own) choice {
	t, ok := m.transport(a, o)
	if !ok {
		return choice{verdict: denied, complaint: complaint{true, fmt.Sprintf("cannot tell whether the program binds %s for TCP or UDP, and both are mapped: refused (EPERM); allow it pidfd_getfd(2), or map one of them only", a)}}
	}
	if o.family != "" && o.family != a.family {
		return choice{} // the kernel refuses it
	}
	found := m.candidates(a, t)
	m.remember(a, t)
	if r := m.rule(a, t); r != nil {
		m.used[r.key] = true
	}
	if len(found) == 0 {
		return choice{complaint: m.passing(a, t)}
	}
	s := m.fitting(a, t, found)
	if s == nil {
		return choice{verdict: unavailable, complaint: complaint{true, m.cure(a, t, found[0])}}
	}
	if a.family == platform.IPv4 {
		m.v4[taken{s, a.port}] = true
	}
	answer := choice{verdict: swapped, socket: s}
	if port := m.guessed[t]; port != 0 && port != a.port && len(m.rules) == 0 {
		answer.text = fmt.Sprintf("the program binds %s, the port of %s, which its bind of port %d was given before: both have the same clients now; write --map %d/%s=SOCKET", a, s, port, a.port, t)
	}
	return answer
}

// transport returns that of the program's socket. Where it is not known, the candidates tell, unless there are of both.
func (m *matcher) transport(a asked, o own) (transport, bool) {
	switch {
	case o.transport != "":
		return o.transport, true
	case a.family == platform.Unix:
		return local, true
	case len(m.candidates(a, udp)) == 0:
		return tcp, true
	}
	return udp, len(m.candidates(a, tcp)) == 0
}

// candidates returns the sockets that are meant by a bind, of any family: by a map with address and port, by one with the
// port only; of those that no map names, by their own address, their own port; at last by the guess.
func (m *matcher) candidates(a asked, t transport) []*socket {
	if t == otherTransport || a.family == platform.Unix != (t == local) || a.family != platform.Unix && a.port == 0 {
		return nil
	}
	if r := m.rule(a, t); r != nil {
		return r.of(t)
	}
	host := a.host.Unmap()
	var same, samePort []*socket
	for _, s := range m.sockets {
		switch {
		case s.transport != t || m.mapped(s):
		case t == local && cleanPath(s.Info.Local) == a.path:
			return []*socket{s}
		case t != local && s.address.Port() == a.port:
			samePort = append(samePort, s)
			if s.address.Addr().Unmap() == host {
				same = append(same, s)
			}
		}
	}
	switch {
	case len(same) > 0:
		return same
	case len(samePort) > 0:
		return samePort
	}
	return m.guess(a, t)
}

// rule returns the map that a bind is under, or nil. One with an address goes before one without.
func (m *matcher) rule(a asked, t transport) *rule {
	for _, host := range []netip.Addr{a.host.Unmap(), {}} {
		for i, r := range m.rules {
			if r.key.port == a.port && r.key.path == a.path && r.key.host == host && len(r.of(t)) > 0 {
				return &m.rules[i]
			}
		}
	}
	return nil
}

// of returns the sockets of a rule that a bind of the transport can take: between unix and TCP a map may cross.
func (r rule) of(t transport) []*socket {
	if r.key.transport != "" && r.key.transport != t {
		return nil
	}
	var found []*socket
	for _, s := range r.sockets {
		if s.transport == t || s.transport == local && t == tcp || s.transport == tcp && t == local {
			found = append(found, s)
		}
	}
	return found
}

// mapped tells whether a map names the socket.
func (m *matcher) mapped(s *socket) bool {
	return slices.ContainsFunc(m.rules, func(r rule) bool { return slices.Contains(r.sockets, s) })
}

// guess returns the sockets of the only place of the transport, when the program may mean it by another port.
func (m *matcher) guess(a asked, t transport) []*socket {
	port, known := m.guessed[t]
	if len(m.rules) > 0 || t == local || m.direct[t] && !known || known && port != a.port {
		return nil
	}
	return m.onlyPlace(t)
}

// onlyPlace returns the sockets of the transport if they have one port, and no two of them one family.
func (m *matcher) onlyPlace(t transport) []*socket {
	var found []*socket
	for _, s := range m.sockets {
		if s.transport != t {
			continue
		}
		for _, other := range found {
			if !s.samePlace(other) || s.Info.Family == other.Info.Family {
				return nil
			}
		}
		found = append(found, s)
	}
	return found
}

// remember keeps what later guesses depend on.
func (m *matcher) remember(a asked, t transport) {
	if a.port == 0 || t == otherTransport {
		return
	}
	if slices.ContainsFunc(m.sockets, func(s *socket) bool { return s.transport == t && s.address.Port() == a.port }) {
		m.direct[t] = true
	} else if len(m.guess(a, t)) > 0 {
		m.guessed[t] = a.port
	}
}

// fitting returns the candidate whose family the program can handle; nil for none. A program that made an IPv4 socket
// reads IPv4 addresses only (nginx closes the connections of others). IPv6 stream servers understand the IPv4 addresses
// that accept(2) gives them, but cannot bind both families to one socket as they expect, and cannot send datagrams there.
func (m *matcher) fitting(a asked, t transport, found []*socket) *socket {
	v4, v6, unixSocket := ofFamily(found, platform.IPv4), ofFamily(found, platform.IPv6), ofFamily(found, platform.Unix)
	switch {
	case a.family == platform.Unix:
		return found[0]
	case a.family == platform.IPv4 && v4 != nil:
		return v4
	case a.family == platform.IPv4 && v6 != nil && v6.dual() && m.anyFamily:
		return v6
	case a.family == platform.IPv4:
		return unixSocket
	case a.host.Is4In6() && v4 != nil && t == tcp: // the JVM binds IPv4 addresses so
		return v4
	case a.host.Is4In6() && v6 != nil && !v6.dual():
		return nil
	case v6 != nil:
		return v6
	case v4 != nil && t == tcp && (m.anyFamily || !m.v4[taken{v4, a.port}]):
		return v4
	}
	return unixSocket
}

func ofFamily(sockets []*socket, f platform.Family) *socket {
	for _, s := range sockets {
		if s.Info.Family == f {
			return s
		}
	}
	return nil
}

// cure says why no family fits, and what to change.
func (m *matcher) cure(a asked, t transport, s *socket) string {
	v4, both := s.instead()
	switch {
	case a.family == platform.IPv4 && s.dual():
		return fmt.Sprintf("the program binds %s, but %s is IPv6, for clients of both families: refused (EADDRNOTAVAIL), as many IPv4 servers cannot handle that; %s, or try --family=any", a, s, both)
	case a.family == platform.IPv4 || a.host.Is4In6():
		return fmt.Sprintf("the program binds %s, but %s is IPv6 only: refused (EADDRNOTAVAIL); %s, or let the program bind IPv6", a, s, v4)
	case s.Bound && t == tcp:
		return fmt.Sprintf("the program binds %s, but %s is IPv4, and was taken by its bind for IPv4: refused (EADDRNOTAVAIL); let the program bind IPv4 only, or try --family=any", a, s)
	case s.Bound:
		return fmt.Sprintf("the program binds %s, but %s is IPv4, and no IPv6 program can answer datagrams on it: refused (EADDRNOTAVAIL); let the program bind IPv4 only", a, s)
	case t == udp:
		return fmt.Sprintf("the program binds %s, but %s is IPv4, and no IPv6 program can answer datagrams on it: refused (EADDRNOTAVAIL); %s, or let the program bind IPv4 only", a, s, both)
	}
	return fmt.Sprintf("the program binds %s, but %s is IPv4, and was taken by its bind for IPv4: refused (EADDRNOTAVAIL); %s, let the program bind IPv4 only, or try --family=any", a, s, both)
}

// instead says which sockets to pass for IPv4 programs, and for programs that bind both families.
func (s *socket) instead() (v4, both string) {
	port := s.address.Port()
	if s.Bound { // no option binds IPv6 only
		v4 = fmt.Sprintf("hold an IPv4 socket (--listen %s:0.0.0.0:%d)", s.transport, port)
		return v4, v4
	}
	if s.Channel != nil { // the port is none that clients know
		return "have the dispatcher listen on IPv4 alone for it", "have the dispatcher listen on an address of each family for it"
	}
	directive := "ListenStream"
	if s.transport == udp {
		directive = "ListenDatagram"
	}
	v4 = fmt.Sprintf("pass an IPv4 socket (%s=0.0.0.0:%d)", directive, port)
	both = fmt.Sprintf("pass a socket for each family (%s=0.0.0.0:%d, %s=[::]:%d and BindIPv6Only=ipv6-only in the socket unit)", directive, port, directive, port)
	return v4, both
}

// passing says what to change when a bind is no concern of ours but could have been.
func (m *matcher) passing(a asked, t transport) complaint {
	var names []string
	bound := false
	for _, s := range m.sockets {
		bound = bound || s.Bound
		if s.transport == t {
			names = append(names, s.Source)
		}
	}
	meant, socket := "one of "+strings.Join(names, ", "), "SOCKET"
	if len(names) == 1 {
		meant, socket = names[0], names[0]
	}
	switch {
	case t == otherTransport, a.family != platform.Unix && a.port == 0, t == local && len(names) == 0:
		return complaint{}
	case t == local:
		return complaint{text: fmt.Sprintf("the program binds %s itself: its clients do not wake it there; if %s is meant, write --map %s=%s", a, meant, a, socket)}
	}
	pass := fmt.Sprintf("ListenStream=%s in the socket unit", a)
	switch {
	case bound:
		pass = fmt.Sprintf("--listen %s:%s", t, a)
	case t == udp:
		pass = fmt.Sprintf("ListenDatagram=%s in the socket unit", a)
	}
	text := fmt.Sprintf("the program binds %s (%s) itself: its clients do not wake it there, and are cut off when it stops; pass a socket for it (%s)", a, t, pass)
	if len(names) > 0 {
		text += fmt.Sprintf(", or, if %s is meant, write --map %d/%s=%s", meant, a.port, t, socket)
	}
	return complaint{text: text}
}
