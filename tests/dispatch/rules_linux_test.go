package dispatch

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

const everyCondition = `
fallback = "rest"
[listeners.web]
address = ["tcp:[::]:PORT", "tcp:0.0.0.0:PORT+1"]
[listeners.other]
address = "tcp:127.0.0.1:PORT+2"
[sets]
office = ["127.0.1.0/24", "fd00::2"]
[backends.rest]
[backends.local]
[backends.masked]
[backends.office]
[backends.source]
[backends.port]
[backends.other]
[backends.six]
[backends.sixes]
[backends.and]
[[routes]]
client = "127.0.3.0/24"
reject = true
[[routes]]
local = ["127.0.0.40", "127.0.0.41"]
client = "127.0.0.50"
port = PORT
to = "and"
[[routes]]
local = "127.0.0.2"
to = "local"
[[routes]]
local = "127.0.0.16/255.0.0.240"
client = "127.0.0.1"
to = "masked"
[[routes]]
client = "@office"
to = "office"
[[routes]]
client-port = ["20000-20099", 20200]
to = "source"
[[routes]]
port = PORT+1
to = "port"
[[routes]]
listener = "other"
to = "other"
[[routes]]
local = "fd00::1"
to = "six"
[[routes]]
local = "::/0"
to = "sixes"
`

// Without this clients would come to the wrong backend.
func TestRulesByEveryCondition(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, everyCondition)
		s.answers("rest", "local", "masked", "office", "source", "port", "other", "six", "sixes", "and")
		for _, c := range []struct{ client, to, want string }{
			{"", s.at("127.0.0.1"), "rest"},
			{"", s.at("127.0.0.2"), "local"},
			{"127.0.0.1", s.at("127.9.9.17"), "masked"},
			{"127.0.0.1", s.at("127.0.0.31"), "masked"},
			{"127.0.0.1", s.at("127.0.0.32"), "rest"},
			{"127.0.1.77", s.at("127.0.0.1"), "office"},
			{"127.0.2.77", s.at("127.0.0.1"), "rest"},
			{"127.0.2.77:20099", s.at("127.0.0.1"), "source"},
			{"127.0.2.77:20200", s.at("127.0.0.1"), "source"},
			{"127.0.2.77:20100", s.at("127.0.0.1"), "rest"},
			{"", s.next("127.0.0.1", 1), "port"},
			{"127.0.1.1", s.next("127.0.0.1", 1), "office"},
			{"", s.next("127.0.0.1", 2), "other"},
			{"::1", s.at("fd00::1"), "six"},
			{"fd00::2", s.at("fd00::1"), "office"},
			{"::1", s.at("::1"), "sixes"},
			{"127.0.0.50", s.at("127.0.0.41"), "and"},
			{"127.0.0.50", s.next("127.0.0.41", 1), "port"},
			{"127.0.0.51", s.at("127.0.0.41"), "rest"},
		} {
			gets(t, c.client, c.to, c.want)
		}
		isRejected(t, "127.0.3.1", s.at("127.0.0.1"))
		isRejected(t, "127.0.3.1", s.next("127.0.0.1", 2))
		stopped(t, s.Process)
	})
}

// Without this what no rule matches would hang, or be served by somebody.
func TestRulesRejectTheRest(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, "fallback = \"reject\"\n"+toTwo)
		s.answers("a", "b")
		gets(t, "", s.at("127.0.0.2"), "a")
		gets(t, "", s.at("127.0.0.3"), "b")
		isRejected(t, "", s.at("127.0.0.4"))
		stopped(t, s.Process)
	})
}

// Without this large tables would be slow, or wrong.
func TestRulesTenThousand(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		var b strings.Builder
		b.WriteString("fallback = \"rest\"\n[listeners.web]\naddress = \"tcp:[::]:PORT\"\n[backends.rest]\n[backends.a]\n[backends.b]\n[sets]\nmany = [\n")
		for n := range 10_000 {
			fmt.Fprintf(&b, "\"2001:db8:%x::/48\",\n", n)
		}
		b.WriteString("\"127.0.0.7\",\n]\n")
		b.WriteString("[[routes]]\nclient = \"@many\"\nto = \"a\"\n")
		for n := range 1000 {
			fmt.Fprintf(&b, "[[routes]]\nclient = \"127.1.%d.%d\"\nto = \"%s\"\n", n/250, n%250, []string{"a", "b"}[n%2])
		}
		s := play(t, engine, b.String())
		s.answers("rest", "a", "b")
		for client, want := range map[string]string{"127.0.0.7": "a", "127.1.0.1": "b", "127.1.3.248": "a", "127.1.3.249": "b", "127.1.4.1": "rest", "127.0.0.8": "rest"} {
			gets(t, client, s.at("127.0.0.1"), want)
		}
		stopped(t, s.Process)
	})
}

const byName = `
fallback = "rest"
[listeners.web]
address = "tcp:[::]:PORT"
[backends.rest]
[backends.blog]
[backends.below]
[backends.h2]
[backends.nobody]
[[routes]]
alpn = "acme-tls/1"
to = "h2"
[[routes]]
sni = "blog.example.org"
to = "blog"
[[routes]]
sni = "*.example.org"
to = "below"
[[routes]]
sni = ""
to = "nobody"
`

// Without this TLS names would not be told apart, or a client's first bytes be lost to the server.
func TestRulesByTLSName(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		certFile, keyFile, pool := program.KeyPair(t, t.TempDir(), "blog.example.org", "a.example.org", "a.b.example.org", "example.net")
		certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		s := play(t, engine, byName)
		config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"acme-tls/1", "h2", "http/1.1"}}
		for _, name := range []string{"rest", "blog", "below", "h2"} {
			s.answer(name, 64, func(f received, c net.Conn) {
				fmt.Fprintf(tls.Server(c, config), "%s %s %s", name, f.name, strings.Join(f.protocols, ","))
			})
		}
		s.answer("nobody", 64, func(_ received, c net.Conn) { greet("nobody", c) })
		for _, c := range []struct {
			name, alpn, want string
			most             int // bytes in each piece
		}{
			{"blog.example.org", "", "blog blog.example.org ", 1500},
			{"BLOG.example.org", "h2", "blog blog.example.org h2", 1},
			{"a.example.org", "", "below a.example.org ", 7},
			{"a.b.example.org", "http/1.1", "below a.b.example.org http/1.1", 100},
			{"example.net", "", "rest example.net ", 5},
			{"blog.example.org", "acme-tls/1", "h2 blog.example.org acme-tls/1", 33},
		} {
			for _, host := range []string{"127.0.0.1", "::1"} {
				raw, err := dialFrom("", s.at(host))
				if err != nil {
					t.Fatal(err)
				}
				raw.(*net.TCPConn).SetNoDelay(true)
				config := &tls.Config{ServerName: c.name, RootCAs: pool}
				if c.alpn != "" {
					config.NextProtos = []string{c.alpn}
				}
				got := make([]byte, len(c.want))
				if _, err := io.ReadFull(tls.Client(&pieces{Conn: raw, most: c.most}, config), got); string(got) != c.want || err != nil {
					t.Errorf("%s %s in pieces of %d: %q, %v; want %q", c.name, c.alpn, c.most, got, err, c.want)
				}
				raw.Close()
			}
		}
		c, err := dialFrom("", s.at("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "SSH-2.0-none\r\n")
		if b := make([]byte, 6); true {
			if _, err := io.ReadFull(c, b); string(b) != "nobody" || err != nil {
				t.Errorf("who speaks no TLS gets %q, %v", b, err)
			}
		}
		stopped(t, s.Process)
	})
}

// pieces writes a few bytes at a time.
type pieces struct {
	net.Conn
	most int
}

func (p *pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var wrote int
		wrote, err = p.Conn.Write(b[n:min(n+p.most, len(b))])
		n += wrote
	}
	return n, err
}

// Without this a client that says nothing would wait for ever, and hold up others.
func TestRulesForTheSilent(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, byName, "--hello-time=300ms", "--hello-size=2K")
		s.answers("rest", "blog", "below", "h2", "nobody")
		var silent []net.Conn
		for range 50 {
			c, err := dialFrom("", s.at("127.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			silent = append(silent, c)
		}
		endless, err := dialFrom("", s.at("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		defer endless.Close()
		// A ClientHello of 16 KiB by its header, of which more than is looked at comes.
		endless.Write(append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3}, make([]byte, 8000)...))
		for _, c := range append(silent, endless) {
			b := make([]byte, 6)
			if _, err := io.ReadFull(c, b); string(b) != "nobody" || err != nil {
				t.Fatalf("%q, %v", b, err)
			}
		}
		stopped(t, s.Process)
	})
}

// Without this rules behind a balancer would see the balancer, and servers its headers.
func TestRulesBehindProxy(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, `
fallback = "rest"
[listeners.v1]
address = "tcp:127.0.0.1:PORT"
proxy = "v1"
[listeners.v2]
address = "tcp:127.0.0.1:PORT+1?proxy=v2"
[listeners.any]
address = "tcp:127.0.0.1:PORT+2"
proxy = "any"
[backends.rest]
[backends.a]
[[routes]]
client = "192.0.2.0/24"
local = "198.51.100.1"
port = 443
to = "a"
`)
		for _, name := range []string{"a", "rest"} {
			s.answer(name, 16, func(f received, c net.Conn) {
				b := make([]byte, 5)
				_, err := io.ReadFull(c, b)
				fmt.Fprintf(c, "%s %s %s %s %v", name, f.client, f.local, b, err)
			})
		}
		v1 := []byte("PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\nhello")
		v2 := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x13\x88\x01\xbb"), "hello"...)
		elsewhere := []byte("PROXY TCP4 192.0.3.7 198.51.100.1 5000 443\r\nhello")
		for _, c := range []struct {
			port int
			say  []byte
			most int
			want string
		}{
			{0, v1, 1000, "a 192.0.2.7:5000 198.51.100.1:443 hello <nil>"},
			{1, v2, 1000, "a 192.0.2.7:5000 198.51.100.1:443 hello <nil>"},
			{1, v2, 1, "a 192.0.2.7:5000 198.51.100.1:443 hello <nil>"},
			{2, v1, 3, "a 192.0.2.7:5000 198.51.100.1:443 hello <nil>"},
			{2, v2, 1000, "a 192.0.2.7:5000 198.51.100.1:443 hello <nil>"},
			{0, elsewhere, 1, "rest 192.0.3.7:5000 198.51.100.1:443 hello <nil>"},
			{0, []byte("GET / HTTP/1.0\r\n\r\n"), 1000, ""},
			{1, v1, 1000, ""},
			{0, v2, 1000, ""},
		} {
			conn, err := dialFrom("", s.next("127.0.0.1", c.port))
			if err != nil {
				t.Fatal(err)
			}
			conn.(*net.TCPConn).SetNoDelay(true)
			(&pieces{conn, c.most}).Write(c.say)
			if b, err := io.ReadAll(conn); string(b) != c.want || (err != nil) != (c.want == "") {
				t.Errorf("%q on %d: %q, %v; want %q", c.say, c.port, b, err, c.want)
			}
			conn.Close()
		}
		stopped(t, s.Process)
	})
}

// Without this UDP servers could not be behind a dispatcher, or would answer from another address.
func TestRulesOfUDP(t *testing.T) {
	t.Parallel()
	for engine, rules := range map[string]string{
		"kernel":    "[listeners.dns]\naddress = \"udp:127.0.0.1:PORT?reuse-port=yes\"\n[backends.a]\n[backends.b]\n[[routes]]\nclient = \"127.0.0.8\"\nto = \"a\"\n[[routes]]\nclient = \"127.0.0.9\"\nto = \"b\"\n",
		"hand-over": "fallback = \"a\"\n[listeners.dns]\naddress = \"udp:127.0.0.1:PORT\"\n[backends.a]\n",
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := play(t, engine, rules)
			want := map[string]string{"127.0.0.8": "a"}
			echoes(s, "a")
			if engine == "kernel" {
				want["127.0.0.9"] = "b"
				echoes(s, "b")
			}
			for client, name := range want {
				c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(client)}, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s.at("127.0.0.1"))))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(limit))
				for n := range 20 {
					fmt.Fprintf(c, "%d", n)
					b := make([]byte, 100)
					if got, err := c.Read(b); string(b[:got]) != fmt.Sprintf("%s %d", name, n) || err != nil {
						t.Fatalf("%s reads %q, %v", client, b[:got], err)
					}
				}
			}
			stopped(t, s.Process)
		})
	}
}

// echoes is a backend that answers datagrams.
func echoes(s *scene, name string) {
	s.t.Helper()
	r, err := register(s.desk, name, either, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(r.close)
	f, err := r.next()
	if err != nil || f.kind != socketFrame || f.socketKind != 2 {
		s.t.Fatal(f, err)
	}
	c, err := net.FilePacketConn(fileOf(f.fd))
	unix.Close(f.fd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(fmt.Appendf(nil, "%s %s", name, b[:n]), from)
		}
	}()
}
