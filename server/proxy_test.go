package server

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// headerV2 is a PROXY header of version 2: command 0 is LOCAL, 1 is PROXY; the family 0x11 is TCP over IPv4.
func headerV2(command, family byte, addresses string) string {
	head := "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{0x20 | command, family})
	return string(binary.BigEndian.AppendUint16([]byte(head), uint16(len(addresses)))) + addresses
}

// fromV4 are the addresses 203.0.113.9:4711 and 192.0.2.1:443.
const fromV4 = "\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x01\xbb"

const (
	fromV6   = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x12\x67\x01\xbb"
	lineV4   = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
	lineV6   = "PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n"
	allZeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// tellingClient answers with the client's address.
func tellingClient() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, client(connectionOf(r).RemoteAddr()))
	})
}

// Behind a load balancer that speaks the PROXY protocol, requests are those of its clients, in clear text and over TLS.
func TestProxyHeader(t *testing.T) {
	noLeaks(t)
	for _, c := range []struct{ version, header, want string }{
		{"v1", lineV4, "203.0.113.9"},
		{"v1", lineV6, "2001:db8::9"},
		{"v1", "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"v1", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "127.0.0.1"},
		{"v2", headerV2(1, 0x11, fromV4), "203.0.113.9"},
		{"v2", headerV2(1, 0x21, fromV6), "2001:db8::9"},
		{"v2", headerV2(1, 0x11, fromV4+"\x04\x00\x03abc"+strings.Repeat("\x04\x00\x01x", 300)), "203.0.113.9"},
		{"v2", headerV2(1, 0x31, strings.Repeat("\x00", 216)), "unix"},
		{"v2", headerV2(0, 0, ""), "127.0.0.1"},
		{"v2", headerV2(0, 0x11, fromV4), "127.0.0.1"},
		{"any", lineV4, "203.0.113.9"},
		{"any", headerV2(1, 0x11, fromV4), "203.0.113.9"},
	} {
		plainListener, secureListener := listen(t), listen(t)
		w := build(t, tellingClient(), nil).serve(t, Socket{Listener: plainListener, Proxy: c.version}, Socket{Listener: secureListener, Proxy: c.version, TLS: true})
		for _, l := range []net.Listener{plainListener, secureListener} {
			v := visit(t, l)
			v.say(t, c.header)
			if l == secureListener {
				secured := tls.Client(v.Conn, &tls.Config{InsecureSkipVerify: true})
				if err := secured.Handshake(); err != nil {
					t.Fatalf("%q: %v", c.header, err)
				}
				v.Conn = secured
				v.replies.Reset(secured)
			}
			for range 2 {
				v.say(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				if got := answer(t, v); got != c.want {
					t.Errorf("%s, %q: the client is %s, want %s", c.version, c.header, got, c.want)
				}
			}
			v.Close()
		}
		w.Close()
	}
}

// answer reads a reply's body.
func answer(t testing.TB, v *visitor) string {
	t.Helper()
	reply, err := http.ReadResponse(v.replies, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Header and request may come in one piece, and what follows the header is read as if it had come alone: HTTP/1.1, the
// preface of HTTP/2, a ClientHello.
func TestProxyHeaderWithMore(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	build(t, tellingClient(), nil).serve(t, Socket{Listener: l, Proxy: "any"})
	long := strings.Repeat("x", 10_000)
	for _, header := range []string{lineV4, headerV2(1, 0x11, fromV4)} {
		v := visit(t, l)
		v.say(t, header+"GET /"+long+" HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 2 {
			if got := answer(t, v); got != "203.0.113.9" {
				t.Errorf("%q: %s", header, got)
			}
		}
		v.Close()
		c := dial(t, l)
		io.WriteString(c, header)
		greet(t, c)
		get(t, c, 1)
		if _, body := hear2(t, c, 0); string(body) != "203.0.113.9" {
			t.Errorf("over HTTP/2 %q: %q", header, body)
		}
		c.Close()
	}
}

// Nobody gets past the proxy: without a proper header of the right version, whole and in time, the connection ends, and no
// byte is sent.
func TestNoProxyHeader(t *testing.T) {
	noLeaks(t)
	for _, c := range []struct{ version, sent string }{
		{"any", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"any", "POST / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"any", "PROXY\r\n"},
		{"any", "PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n"},
		{"any", "PROXY TCP4 2001:db8::9 192.0.2.1 4711 443\r\n"},
		{"any", "PROXY TCP4 203.0.113.9 192.0.2.1 4711 70000\r\n"},
		{"any", "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\n"},
		{"any", "PROXY " + strings.Repeat("x", 200) + "\r\n"},
		{"any", headerV2(2, 0x11, fromV4)},
		{"any", headerV2(1, 0x11, fromV4[:11])},
		{"any", headerV2(1, 0, "")},
		{"any", headerV2(1, 0x12, fromV4)},                            // UDP
		{"any", headerV2(1, 0x13, fromV4)},                            // no transport
		{"any", headerV2(1, 0x11, fromV4+strings.Repeat("x", 65000))}, // too long
		{"v1", headerV2(1, 0x11, fromV4)},
		{"v2", lineV4},
		{"any", ""},    // within the time
		{"any", "PRO"}, // within the time
		{"any", headerV2(1, 0x11, fromV4)[:20]},
	} {
		l := listen(t)
		w := build(t, tellingClient(), func(c *Config) { c.ClientHeaderTimeout = Duration(200 * time.Millisecond) })
		w.serve(t, Socket{Listener: l, Proxy: c.version})
		v := visit(t, l)
		io.WriteString(v, c.sent)
		if got, err := io.ReadAll(v.replies); len(got) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s, %q: %q, %v", c.version, c.sent, got, err)
		}
		eventually(t, "it is logged", func() bool { return len(w.log.entries(t, "no PROXY header")) == 1 })
		eventually(t, "it is forgotten", func() bool { return w.Open() == 0 })
		w.Close()
	}
}

// Where trusted proxies are named, nobody else may say who a client is; the log warns of it, and not for each of them.
func TestProxyHeaderOfStrangers(t *testing.T) {
	noLeaks(t)
	strange, known := listen(t), listen(t)
	w := build(t, tellingClient(), func(c *Config) { c.TrustedProxies = networks(t, "192.0.2.0/24") }).serve(t, Socket{Listener: strange, Proxy: "any", Name: "strange"})
	for range 3 {
		v := visit(t, strange)
		io.WriteString(v, lineV4)
		if got, err := io.ReadAll(v.replies); len(got) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q, %v", got, err)
		}
		v.Close()
	}
	if text := w.log.String(); strings.Count(text, "not from a trusted proxy") != 1 || !strings.Contains(text, `"socket":"strange","remote_addr":"127.0.0.1"`) {
		t.Errorf("the log says %s", text)
	}
	build(t, tellingClient(), func(c *Config) { c.TrustedProxies = networks(t, "127.0.0.1") }).serve(t, Socket{Listener: known, Proxy: "any"})
	v := visit(t, known)
	v.say(t, lineV4+"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := answer(t, v); got != "203.0.113.9" {
		t.Errorf("the client of a trusted proxy is %s", got)
	}
}

// A connection that waits for its header is one that is open: it is not lost when the server ends, and does not hold it up.
func TestProxyHeaderWhileDraining(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, tellingClient(), nil).serve(t, Socket{Listener: l, Proxy: "any"})
	silent, late := visit(t, l), visit(t, l)
	eventually(t, "both are open", func() bool { return w.Open() == 2 })
	drained := make(chan int, 1)
	begun := time.Now()
	go func() { drained <- w.Drain(bound, false) }()
	eventually(t, "it drains", func() bool { return w.draining.Load() })
	late.say(t, lineV4+"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := answer(t, late); got != "203.0.113.9" {
		t.Errorf("the late one is %s", got)
	}
	silent.ends(t)
	if cut := <-drained; cut != 0 || time.Since(begun) > bound/2 {
		t.Errorf("%d cut off after %s", cut, time.Since(begun))
	}
}

// Files go out by sendfile(2) behind a proxy too.
func TestSendfileBehindProxy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, payload(100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	content := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	l := spying{listen(t), make(chan io.Reader, 10)}
	build(t, content, nil).serve(t, Socket{Listener: l, Proxy: "v1"})
	v := visit(t, l)
	v.say(t, lineV4+"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := answer(t, v); len(got) != 100_000 {
		t.Errorf("%d bytes", len(got))
	}
	if len(l.given) == 0 {
		t.Error("the connection's ReadFrom was not called")
	}
}

// Whatever is sent as a header, reading it takes no more than it may, breaks nothing, and loses no byte that follows.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"", "PROXY", lineV4, lineV6, "PROXY UNKNOWN\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\nGET /", "PROXY TCP4 a b c d\r\n",
		headerV2(1, 0x11, fromV4), headerV2(1, 0x21, fromV6), headerV2(0, 0, ""), headerV2(0, 0x11, "x"), headerV2(1, 0x31, strings.Repeat("u", 216)),
		headerV2(1, 0x11, fromV4+"\x04\x00\x01x") + "GET / HTTP/1.1\r\n\r\n", headerV2(1, 0x11, allZeros), headerV2(1, 0x12, fromV4),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		from := bytes.NewReader(sent)
		source, rest, err := readProxyHeader(from, "any")
		taken := len(sent) - from.Len() - len(rest)
		switch {
		case taken > longestProxyHeader:
			t.Errorf("%d bytes were taken", taken)
		case err != nil:
			return
		case !bytes.HasSuffix(sent, append(bytes.Clone(rest), sent[len(sent)-from.Len():]...)):
			t.Errorf("%q follows the header, not %q", rest, sent[taken:])
		case taken < 15:
			t.Errorf("a header of %d bytes", taken)
		}
		if source != nil && client(source) == "" {
			t.Errorf("the client is %v", source)
		}
	})
}
