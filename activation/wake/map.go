package wake

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// Map gives the bind of a program to a socket: BIND=SOCKET.
type Map struct {
	Text   string // as it was written
	Bind   string // 8080, 127.0.0.1:8080, [::]:25/tcp, 53/udp, /run/x.sock, @name
	Socket string // the name of a socket, NAME[N], or an address such as systemd:web or fd:3
}

// ParseMap reads BIND=SOCKET. In a path the last = is the one that counts.
func ParseMap(text string) (Map, error) {
	at := strings.Index(text, "=")
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, "@") {
		at = strings.LastIndex(text, "=")
	}
	if at < 0 {
		return Map{}, fmt.Errorf("map %q: write BIND=SOCKET, such as 8080=web, [::]:25/tcp=smtp or /run/app.sock=app", text)
	}
	m := Map{Text: text, Bind: text[:at], Socket: text[at+1:]}
	if m.Socket == "" {
		return Map{}, fmt.Errorf("map %q: no socket stands behind the =: write its name, or its address such as systemd:web", text)
	}
	_, err := m.key()
	return m, err
}

// transport is what tells sockets of one port apart.
type transport string

const (
	tcp   transport = "tcp"  // MPTCP too: programs take the one for the other
	udp   transport = "udp"  //
	local transport = "unix" // stream sockets of AF_UNIX
)

// key is what a map has in front of its =.
type key struct {
	transport transport  // empty: TCP and UDP
	host      netip.Addr // invalid: every address
	port      uint16
	path      string // of a unix socket; a name behind @ is abstract (unix(7))
}

func (m Map) key() (key, error) {
	wrong := func(why string) (key, error) {
		return key{}, fmt.Errorf("map %q: %q %s: write PORT, ADDRESS:PORT, either with /tcp or /udp behind it, a path or @NAME", m.Text, m.Bind, why)
	}
	if strings.HasPrefix(m.Bind, "/") || strings.HasPrefix(m.Bind, "@") {
		return key{transport: local, path: cleanPath(m.Bind)}, nil
	}
	var k key
	text, suffix, ok := strings.Cut(m.Bind, "/")
	if ok {
		k.transport = transport(suffix)
		if k.transport != tcp && k.transport != udp {
			return wrong("is neither of TCP nor of UDP")
		}
	}
	port := text
	if at := strings.LastIndex(text, ":"); at >= 0 {
		host := strings.TrimSuffix(strings.TrimPrefix(text[:at], "["), "]")
		address, err := netip.ParseAddr(host)
		if address.Is6() {
			host = "[" + host + "]"
		}
		if err != nil || host != text[:at] {
			return wrong("has no IP address in front of its port")
		}
		k.host, port = address.Unmap().WithZone(""), text[at+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return wrong("has no port")
	case n == 0:
		return wrong("has port 0, by which programs let the kernel choose: it is never mapped")
	}
	k.port = uint16(n)
	return k, nil
}

// overlaps tells whether one bind could have both keys with the same right.
func (k key) overlaps(other key) bool {
	sameTransport := k.transport == other.transport || k.transport == "" && other.transport != local || other.transport == "" && k.transport != local
	return sameTransport && k.host == other.host && k.port == other.port && k.path == other.path
}

// cleanPath writes the path of a unix socket in one form; abstract names are bytes.
func cleanPath(text string) string {
	if strings.HasPrefix(text, "@") || text == "" {
		return text
	}
	return path.Clean(text)
}

// socket is a held socket as maps and binds see it.
type socket struct {
	activation.Held
	transport transport
	address   netip.AddrPort // without zone; invalid for a unix socket
	only6     bool           // an IPv6 socket that no IPv4 client reaches (IPV6_V6ONLY, ipv6(7))
}

func newSockets(held []activation.Held) []*socket {
	var all []*socket
	for _, h := range held {
		s := &socket{Held: h, transport: tcp}
		switch {
		case h.Kind == activation.Channel: // its connections are of TCP mostly, of either family
			s.Info.Family = platform.Unix
		case h.Info.Family == platform.Unix:
			s.transport = local
		case h.Kind == activation.Packet:
			s.transport = udp
		}
		if address, err := netip.ParseAddrPort(h.Info.Local); err == nil && s.transport != local {
			s.address = netip.AddrPortFrom(address.Addr().WithZone(""), address.Port())
		}
		if h.Info.Family == platform.IPv6 {
			only6, err := unix.GetsockoptInt(h.Number, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
			s.only6 = err == nil && only6 != 0
		}
		all = append(all, s)
	}
	return all
}

// dual tells whether IPv4 clients reach this IPv6 socket.
func (s *socket) dual() bool {
	return s.Info.Family == platform.IPv6 && !s.only6 && (s.address.Addr().IsUnspecified() || s.address.Addr().Is4In6())
}

// samePlace tells whether the two are one place for a program: the same port, and most often one for each family.
func (s *socket) samePlace(other *socket) bool {
	if s == other || s.Kind == activation.Channel || other.Kind == activation.Channel {
		return s == other
	}
	return s.transport != local && s.transport == other.transport && s.address.Port() == other.address.Port()
}

// rule is a map whose sockets are known.
type rule struct {
	Map
	key     key
	sockets []*socket // one, or one for each transport and family
}

// resolve finds the sockets that the maps name. Its errors are Refused.
func resolve(maps []Map, sockets []*socket) ([]rule, error) {
	var rules []rule
	for _, m := range maps {
		k, err := m.key()
		if err != nil {
			return nil, Refused{err.Error()}
		}
		r := rule{Map: m, key: k}
		for _, other := range rules {
			if k.overlaps(other.key) {
				return nil, refused("maps %s and %s are for the same bind: leave one out", other.Text, m.Text)
			}
		}
		named, err := m.named(sockets)
		if err != nil {
			return nil, err
		}
		for _, s := range named {
			if k.transport == "" || k.transport == s.transport || s.transport == local && k.transport == tcp || s.transport == tcp && k.transport == local {
				r.sockets = append(r.sockets, s)
			}
		}
		if err := r.check(named); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// check refuses a rule that has no socket for its transport, or several that nothing tells apart.
func (r rule) check(named []*socket) error {
	if len(r.sockets) == 0 {
		return refused("map %s: %s is a %s socket, which no %s bind can take: name another", r.Text, named[0], named[0].transport, r.key.transport)
	}
	for i, s := range r.sockets {
		for _, other := range r.sockets[:i] {
			if s.transport == other.transport && s.Info.Family == other.Info.Family {
				return refused("map %s: %s and %s are both meant by it: name one of them, such as %s[0]", r.Text, other, s, r.Socket)
			}
		}
	}
	return nil
}

// named returns the sockets that a map means: by address, by name, or by one of both and a number among those.
func (m Map) named(sockets []*socket) ([]*socket, error) {
	if found := called(sockets, m.Socket); len(found) > 0 {
		return found, nil
	}
	if name, rest, ok := strings.Cut(m.Socket, "["); ok {
		n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 31)
		if found := called(sockets, name); err == nil && int(n) < len(found) {
			return found[n : n+1], nil
		}
	}
	return nil, refused("map %s: there is no socket %s: %s", m.Text, m.Socket, listNames(sockets))
}

// called returns the sockets of this name or address; systemd:web are systemd:web[0], systemd:web[1] and so on.
func called(sockets []*socket, name string) []*socket {
	var found []*socket
	for _, s := range sockets {
		oneOf := strings.HasPrefix(name, "systemd:") && strings.HasPrefix(s.Source, name+"[")
		if name != "" && (s.Name == name || s.Source == name || oneOf || fmt.Sprintf("fd:%d", s.Number) == name) {
			found = append(found, s)
		}
	}
	return found
}

func listNames(sockets []*socket) string {
	if len(sockets) == 0 {
		return "none was passed"
	}
	var names []string
	for _, s := range sockets {
		name := s.Source
		if s.Name != "" && !strings.HasSuffix(name, ":"+s.Name) && !strings.Contains(name, ":"+s.Name+"[") {
			name = s.Name + " (" + s.Source + ")"
		}
		names = append(names, name)
	}
	if len(names) == 1 {
		return "there is only " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}
