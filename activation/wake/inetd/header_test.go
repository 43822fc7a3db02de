package inetd

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

func proxyHeader(t testing.TB, version byte, client, local string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local)))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProxyHeader(t *testing.T) {
	v1 := proxyHeader(t, 1, "192.0.2.1:1000", "198.51.100.1:25")
	v2 := proxyHeader(t, 2, "[2001:db8::1]:1000", "[2001:db8::2]:25")
	for _, test := range []struct {
		name, version, header string
		want                  string // empty: reset
	}{
		{"v1", "v1", v1, "192.0.2.1 1000 198.51.100.1 25"},
		{"v2", "v2", v2, "2001:db8::1 1000 2001:db8::2 25"},
		{"any of v1", "any", v1, "192.0.2.1 1000 198.51.100.1 25"},
		{"any of v2", "any", v2, "2001:db8::1 1000 2001:db8::2 25"},
		{"v1 for v2", "v2", v1, ""},
		{"the proxy itself", "v1", "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"none", "any", "GET / HTTP/1.1\r\n", ""},
		{"a line that does not end", "any", "PROXY " + strings.Repeat("x", 200), ""},
		{"a wrong line", "any", "PROXY TCP4 here there 1 2\r\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := hold(t, "tcp:127.0.0.1:0")
			h.Proxy = test.version
			r := start(t, shell(`echo $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT; cat`), Options{}, h)
			c := dial(t, h).(*net.TCPConn)
			if test.want == "" {
				io.WriteString(c, test.header)
				isReset(t, c)
				r.log.await(t, "does not begin with a PROXY header", "127.0.0.1:")
				return
			}
			for i := range len(test.header) { // byte by byte, and then all the rest
				if _, err := io.WriteString(c, test.header[i:i+1]); err != nil {
					t.Fatal(err)
				}
				if i == len(test.header)/2 {
					time.Sleep(20 * time.Millisecond)
				}
			}
			io.WriteString(c, "and more\n")
			c.CloseWrite()
			if got := answer(t, c); !strings.HasPrefix(got, test.want) || !strings.HasSuffix(got, "\nand more\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// One that says nothing keeps nobody waiting.
func TestProxyHeaderSlow(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	h.Proxy = "v1"
	start(t, shell(`echo in`), Options{}, h)
	slow := dial(t, h)
	io.WriteString(slow, "PROXY TCP4 ")
	for range 5 {
		c := dial(t, h)
		io.WriteString(c, proxyHeader(t, 1, "192.0.2.1:1000", "198.51.100.1:25"))
		if got := answer(t, c); got != "in\n" {
			t.Errorf("got %q", got)
		}
	}
	slow.Close()
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(proxyHeader(f, 1, "192.0.2.1:1000", "198.51.100.1:25")))
	f.Add([]byte(proxyHeader(f, 2, "[2001:db8::1]:1000", "[2001:db8::2]:25")))
	f.Add([]byte("PROXY UNKNOWN\r\nGET /"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := headerLength(b)
		if err != nil || n == 0 || n > len(b) {
			return
		}
		for short := range min(n, shortestHeader) { // what is a header in the end looks like one from its first byte
			if m, err := headerLength(b[:short]); err != nil || m > 0 {
				t.Errorf("%q: %d, %v", b[:short], m, err)
			}
		}
		p := peer{client: netip.MustParseAddrPort("127.0.0.1:1")}
		if said, err := parseHeader(b[:n], "any", p); err == nil && !said.client.IsValid() {
			t.Errorf("%q: no client", b[:n])
		}
	})
}
