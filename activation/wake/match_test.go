package wake

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// fake makes a socket from words such as "web tcp [::]:80 only6".
func fake(t *testing.T, number int, words string) *socket {
	t.Helper()
	f := strings.Fields(words)
	s := &socket{transport: transport(f[1]), only6: len(f) > 3}
	s.Held = activation.Held{Name: f[0], Source: "systemd:" + f[0], Number: number, Kind: activation.Listener, Info: platform.Socket{Local: f[2], Family: platform.Unix}}
	if s.transport == udp {
		s.Kind = activation.Packet
	}
	if s.transport != local {
		s.address = netip.MustParseAddrPort(f[2])
		s.Info.Family = platform.IPv4
		if s.address.Addr().Is6() {
			s.Info.Family = platform.IPv6
		}
	}
	return s
}

func fakes(t *testing.T, all ...string) []*socket {
	t.Helper()
	var sockets []*socket
	for i, words := range all {
		sockets = append(sockets, fake(t, 3+i, words))
	}
	return sockets
}

func maps(t *testing.T, all ...string) []Map {
	t.Helper()
	var parsed []Map
	for _, text := range all {
		m, err := ParseMap(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, m)
	}
	return parsed
}

// bound reads "tcp 0.0.0.0:80": the transport may be ? for one that is not known, or - for a raw socket.
func bound(text string) (asked, own) {
	kind, address, _ := strings.Cut(text, " ")
	var o own
	switch kind {
	case "?":
	case "-":
		o.transport = otherTransport
	default:
		o.transport = transport(kind)
	}
	if at, err := netip.ParseAddrPort(address); err == nil {
		a := asked{family: platform.IPv4, host: at.Addr(), port: at.Port()}
		if at.Addr().Is6() {
			a.family = platform.IPv6
		}
		return a, o
	}
	return asked{family: platform.Unix, path: address}, o
}

// Each case is a sequence of binds of one instance, and what each of them gets: the name of a socket, "-" to be let
// through, "?" to be let through with a warning, "!" for EADDRNOTAVAIL, "EPERM".
func TestChoose(t *testing.T) {
	const (
		v4   = "web tcp 0.0.0.0:80"
		v6   = "web6 tcp [::]:80 only6"
		dual = "web tcp [::]:80"
		dns4 = "dns udp 0.0.0.0:53"
		dns6 = "dns6 udp [::]:53"
	)
	for _, c := range []struct {
		what    string
		sockets []string
		maps    []string
		any     bool
		binds   []string // "tcp 0.0.0.0:80 = web"
	}{
		{"the same port", []string{v4, "tls tcp 0.0.0.0:443"}, nil, false, []string{"tcp 0.0.0.0:443 = tls", "tcp 127.0.0.1:80 = web", "tcp 0.0.0.0:8080 = ?"}},
		{"any number of times", []string{v4, dns4}, nil, false, []string{"tcp 0.0.0.0:80 = web", "tcp 0.0.0.0:80 = web"}},
		{"the only socket, by another port", []string{v4}, nil, false, []string{"tcp 0.0.0.0:8080 = web", "tcp 0.0.0.0:9090 = ?", "tcp 127.0.0.1:8080 = web"}},
		{"not after its own port", []string{v4}, nil, false, []string{"tcp 0.0.0.0:80 = web", "tcp 0.0.0.0:8080 = ?"}},
		{"port 0 never", []string{v4}, nil, false, []string{"tcp 0.0.0.0:0 = -", "tcp 0.0.0.0:8080 = web", "udp 0.0.0.0:0 = -"}},
		{"one place for both families", []string{v4, v6}, nil, false, []string{"tcp 0.0.0.0:8080 = web", "tcp [::]:8080 = web6"}},
		{"the v6 half first", []string{v4, v6}, nil, false, []string{"tcp [::]:8080 = web6", "tcp [::]:9090 = ?", "tcp 0.0.0.0:8080 = web"}},
		{"two of a kind are not guessed", []string{v4, "tls tcp 0.0.0.0:443"}, nil, false, []string{"tcp 0.0.0.0:8080 = ?"}},
		{"one of each kind", []string{v4, dns4}, nil, false, []string{"udp 0.0.0.0:5353 = dns", "tcp 0.0.0.0:8080 = web", "udp 0.0.0.0:5354 = ?"}},
		{"TCP and UDP of one port", []string{"a tcp 0.0.0.0:53", "b udp 0.0.0.0:53"}, nil, false, []string{"udp 0.0.0.0:53 = b", "tcp 0.0.0.0:53 = a"}},
		{"UDP beside a TCP socket", []string{v4}, nil, false, []string{"udp 0.0.0.0:80 = ?", "tcp 0.0.0.0:80 = web"}},
		{"a refused bind is the first one too", []string{dual}, nil, false, []string{"tcp 127.0.0.1:8080 = !", "tcp [::1]:9090 = ?", "tcp [::]:8080 = web"}},

		{"v4 never takes v6", []string{dual}, nil, false, []string{"tcp 0.0.0.0:80 = !", "tcp [::]:80 = web"}},
		{"unless it may", []string{dual}, nil, true, []string{"tcp 0.0.0.0:80 = web", "tcp [::]:80 = web"}},
		{"v6 only is never for v4", []string{v6}, nil, true, []string{"tcp 0.0.0.0:80 = !", "tcp [::ffff:127.0.0.1]:80 = !"}},
		{"nor one of a single v6 address", []string{"web tcp [::1]:80"}, nil, true, []string{"tcp 127.0.0.1:80 = !"}},
		{"v6 takes v4", []string{v4}, nil, false, []string{"tcp [::]:80 = web", "tcp 0.0.0.0:80 = web"}},
		{"but not beside v4", []string{v4}, nil, false, []string{"tcp 0.0.0.0:80 = web", "tcp [::]:80 = !"}},
		{"unless it may, beside v4", []string{v4}, nil, true, []string{"tcp 0.0.0.0:80 = web", "tcp [::]:80 = web"}},
		{"by the port", []string{v4}, []string{"8080=web", "9090=web"}, false, []string{"tcp 0.0.0.0:8080 = web", "tcp [::]:9090 = web"}},
		{"both families are told apart", []string{v6, v4}, nil, false, []string{"tcp 0.0.0.0:80 = web", "tcp [::]:80 = web6"}},
		{"v6 datagrams cannot use v4", []string{dns4}, nil, true, []string{"udp 0.0.0.0:53 = dns", "udp [::]:53 = !"}},
		{"both families of datagrams", []string{dns4, dns6}, nil, false, []string{"udp [::]:53 = dns6", "udp 0.0.0.0:53 = dns"}},
		{"v4 mapped into v6", []string{v4, v6}, nil, false, []string{"tcp [::ffff:127.0.0.1]:80 = web"}},
		{"v4 mapped into v6, on a dual socket", []string{dual}, nil, false, []string{"tcp [::ffff:0.0.0.0]:80 = web"}},

		{"a map", []string{v4, "tls tcp 0.0.0.0:443"}, []string{"8080=web"}, false, []string{"tcp 0.0.0.0:8080 = web", "tcp 0.0.0.0:443 = tls", "tcp 0.0.0.0:9090 = ?", "tcp 0.0.0.0:80 = ?"}},
		{"switches the guess off", []string{v4}, []string{"8080=web"}, false, []string{"tcp 0.0.0.0:9090 = ?", "tcp 0.0.0.0:8080 = web"}},
		{"the address goes before the port", []string{v4, "tls tcp 0.0.0.0:443"}, []string{"8080=web", "127.0.0.1:8080=tls"}, false, []string{"tcp 127.0.0.1:8080 = tls", "tcp 0.0.0.0:8080 = web", "tcp [::ffff:127.0.0.1]:8080 = tls"}},
		{"of another transport it does not", []string{v4, dns4}, []string{"80/tcp=web", "127.0.0.1:80/udp=dns"}, false, []string{"tcp 127.0.0.1:80 = web", "udp 127.0.0.1:80 = dns", "udp 0.0.0.0:80 = ?"}},
		{"the wildcard is an address", []string{v4, v6}, []string{"[::]:25/tcp=web6"}, false, []string{"tcp [::]:25 = web6", "tcp [::1]:25 = ?"}},
		{"a map and families", []string{dual}, []string{"8080=web"}, false, []string{"tcp 0.0.0.0:8080 = !"}},
		{"one name for two families", []string{"web tcp 0.0.0.0:80", "web tcp [::]:80 only6"}, []string{"8080=web"}, false, []string{"tcp [::]:8080 = web", "tcp 0.0.0.0:8080 = web"}},
		{"a raw socket", []string{v4}, nil, false, []string{"- 0.0.0.0:80 = -"}},

		{"unix by its own path", []string{"app unix /run/app.sock"}, nil, false, []string{"unix /run/app.sock = app", "unix /run/other.sock = ?", "tcp 0.0.0.0:80 = ?"}},
		{"unix by a map", []string{"app unix /run/app.sock"}, []string{"/run/real.sock=app"}, false, []string{"unix /run/real.sock = app"}},
		{"abstract", []string{"app unix @app", v4}, []string{"@real=app"}, false, []string{"unix @real = app", "unix @other = ?"}},
		{"unix without a unix socket", []string{v4}, nil, false, []string{"unix /run/log = -"}},
		{"unix for a TCP server", []string{"app unix /run/app.sock"}, []string{"8080=app"}, false, []string{"tcp 0.0.0.0:8080 = app", "tcp [::]:8080 = app"}},
		{"TCP for a unix server", []string{v4}, []string{"/run/app.sock=web"}, false, []string{"unix /run/app.sock = web"}},

		{"not known, one transport", []string{v4}, nil, false, []string{"? 0.0.0.0:80 = web"}},
		{"not known, both", []string{"a tcp 0.0.0.0:53", "b udp 0.0.0.0:53"}, nil, false, []string{"? 0.0.0.0:53 = EPERM", "? 0.0.0.0:54 = EPERM"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			sockets := fakes(t, c.sockets...)
			rules, err := resolve(maps(t, c.maps...), sockets)
			if err != nil {
				t.Fatal(err)
			}
			m := newMatcher(sockets, rules, c.any)
			for _, line := range c.binds {
				bind, want, _ := strings.Cut(line, " = ")
				a, o := bound(bind)
				if got := outcome(m, a, o); got != want {
					t.Errorf("%s gets %s, want %s", bind, got, want)
				}
			}
		})
	}
}

func outcome(m *matcher, a asked, o own) string {
	concerned := m.concerns(a)
	switch c := m.choose(a, o); {
	case c.verdict != through && !concerned:
		return "an answer that concerns() did not expect"
	case c.verdict == swapped:
		return c.socket.Name
	case c.verdict == denied:
		return "EPERM"
	case c.verdict == unavailable && c.serious && c.text != "":
		return "!"
	case c.text != "":
		return "?"
	}
	return "-"
}

// A socket of one family that binds an address of the other is the kernel's to refuse.
func TestChooseForeignAddress(t *testing.T) {
	m := newMatcher(fakes(t, "web tcp 0.0.0.0:80"), nil, false)
	a, _ := bound("tcp 0.0.0.0:80")
	if c := m.choose(a, own{tcp, platform.IPv6}); c.verdict != through || c.text != "" {
		t.Errorf("%+v", c)
	}
}

// The line for a refused family names what has to stand in the socket unit.
func TestCure(t *testing.T) {
	for _, c := range []struct {
		socket, bind string
		want         []string
	}{
		{"web tcp [::]:80", "tcp 0.0.0.0:8080", []string{"EADDRNOTAVAIL", "ListenStream=0.0.0.0:80", "ListenStream=[::]:80", "BindIPv6Only=ipv6-only", "--family=any"}},
		{"web tcp [::]:80 only6", "tcp 0.0.0.0:80", []string{"ListenStream=0.0.0.0:80"}},
		{"dns udp 0.0.0.0:53", "udp [::]:53", []string{"ListenDatagram=[::]:53", "BindIPv6Only=ipv6-only"}},
	} {
		m := newMatcher(fakes(t, c.socket), nil, false)
		a, o := bound(c.bind)
		text := m.choose(a, o).text
		for _, want := range append(c.want, a.String(), "descriptor 3") {
			if !strings.Contains(text, want) {
				t.Errorf("%s on %s: %q lacks %q", c.bind, c.socket, text, want)
			}
		}
	}
}

// A bind of the socket's own port after one that was guessed gets it too, and a line says that the guess was wrong.
func TestWrongGuess(t *testing.T) {
	m := newMatcher(fakes(t, "web tcp 0.0.0.0:80"), nil, false)
	a, o := bound("tcp 127.0.0.1:9090")
	m.choose(a, o)
	a, o = bound("tcp 0.0.0.0:80")
	if c := m.choose(a, o); c.verdict != swapped || !strings.Contains(c.text, "--map 80/tcp=") {
		t.Errorf("%+v", c)
	}
}

func TestProgress(t *testing.T) {
	sockets := fakes(t, "web tcp 0.0.0.0:80", "web6 tcp [::]:80 only6", "tls tcp 0.0.0.0:443", "dns udp 0.0.0.0:80")
	p := newProgress(sockets, nil)
	for i, s := range []*socket{sockets[1], sockets[2], sockets[3]} {
		if p.complete() {
			t.Errorf("complete after %d sockets", i)
		}
		p.take(s)
	}
	if left := p.left(); !p.complete() || len(left) != 1 || left[0].Name != "web" {
		t.Errorf("complete: %v, left: %v", p.complete(), left)
	}
	rules, err := resolve(maps(t, "8443=tls"), sockets)
	if err != nil {
		t.Fatal(err)
	}
	mapped := newProgress(sockets, rules)
	if mapped.take(sockets[2]); !mapped.complete() || len(mapped.left()) != 0 {
		t.Error("more is expected than what the map names")
	}
}

func TestMaps(t *testing.T) {
	sockets := fakes(t, "web tcp 0.0.0.0:80", "web tcp [::]:80", "dns udp 0.0.0.0:53", "dns tcp 0.0.0.0:53", "many tcp 10.0.0.1:1", "many tcp 10.0.0.2:1", "app unix /run/app.sock")
	for i, source := range []string{"systemd:two[0]", "systemd:two[1]"} {
		s := fake(t, 20+i, []string{"role tcp 0.0.0.0:90", "role tcp [::]:90"}[i])
		s.Source = source
		sockets = append(sockets, s)
	}
	for _, c := range []struct{ maps, want string }{
		{"8080=web", ""},
		{"8080=systemd:app", ""},
		{"8080=fd:3", ""},
		{"8080=many[1]", ""},
		{"8053=dns 8080=web", ""},
		{"53/udp=dns 53/tcp=web", ""},
		{"127.0.0.1:80=web 80=dns", ""},
		{"80=web 80=dns", "same bind"},
		{"80/tcp=web 80=dns", "same bind"},
		{"/run/a=app /run//a=web", "same bind"},
		{"[::ffff:127.0.0.1]:80=web 127.0.0.1:80=dns", "same bind"},
		{"80=systemd:two", ""},
		{"80=nosuch", "systemd:web"},
		{"80=many[2]", "no socket many[2]"},
		{"80=many", "both meant"},
		{"80/udp=web", "tcp socket"},
		{"80/udp=app", "unix socket"},
	} {
		_, err := resolve(maps(t, strings.Fields(c.maps)...), sockets)
		var config Refused
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.maps, err)
		case c.want != "" && (!errors.As(err, &config) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.maps, err, c.want)
		}
	}
	for _, text := range []string{"", "80", "=web", "80=", "0=web", "65536=web", "host:80=web", "[::]=web", "::80=web", "80/sctp=web", ":80=web", "127.0.0.1:=web", "[127.0.0.1]:80=web"} {
		if m, err := ParseMap(text); err == nil {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
	if m, err := ParseMap("/run/a=b.sock=app"); err != nil || m.Bind != "/run/a=b.sock" || m.Socket != "app" {
		t.Errorf("%+v, %v", m, err)
	}
}

// What to change is what helps: a socket of the family that the program binds, and a map that can be pasted.
func TestPassingBindsAreToldWhatToDo(t *testing.T) {
	bound := heldTCP("", "tcp:127.0.0.1:80", "127.0.0.1:80")
	bound.Bound = true
	for _, c := range []struct {
		held []activation.Held
		want string
	}{
		{[]activation.Held{heldTCP("web", "systemd:web", "127.0.0.1:80")}, "(ListenStream=127.0.0.1:9090 in the socket unit), or, if systemd:web is meant, write --map 9090/tcp=systemd:web"},
		{[]activation.Held{heldTCP("a", "systemd:a", "127.0.0.1:80"), heldTCP("b", "systemd:b", "127.0.0.1:81")}, "if one of systemd:a, systemd:b is meant, write --map 9090/tcp=SOCKET"},
		{[]activation.Held{bound}, "(--listen tcp:127.0.0.1:9090)"},
	} {
		m := newMatcher(newSockets(c.held), nil, false)
		a := asked{family: platform.IPv4, host: netip.MustParseAddr("127.0.0.1"), port: 9090}
		if got := m.passing(a, tcp).text; !strings.Contains(got, c.want) {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}
