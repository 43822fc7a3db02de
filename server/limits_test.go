package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func number(n uint) Number { return Number{Value: n, Given: true} }

// isClosed reads until the connection is closed.
func isClosed(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it is not closed: %v", err)
	}
}

// asks sends a request and reads the status of its answer.
func asks(t *testing.T, c net.Conn, target string) (status int) {
	t.Helper()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	fmt.Sscanf(string(head), "HTTP/1.1 %d", &status)
	return status
}

// When the house is full, who has been idle for the longest goes, and a new client is served; where all are in use it waits until
// somebody leaves.
func TestFullHouse(t *testing.T) {
	for _, lane := range []Lane{"auto", "off"} {
		t.Run(string(lane), func(t *testing.T) {
			noLeaks(t)
			release := make(chan struct{})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					<-release
				}
			})
			w := build(t, handler, func(c *Config) { c.MaxConnections, c.Lane = number(2), lane })
			l, admin := listen(t), listen(t)
			w.serve(t, Socket{Listener: l}, Socket{Listener: admin, Admin: true})
			idle, busy := dial(t, l), dial(t, l)
			asks(t, idle, "/")
			fmt.Fprint(busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
			eventually(t, "the slow request is being answered", func() bool { return w.limits.answering.Load() == 1 })
			third := dial(t, l)
			fmt.Fprint(third, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
			isClosed(t, idle)
			eventually(t, "so is the third client's", func() bool { return w.limits.answering.Load() == 2 })
			waiting := dial(t, l)
			fmt.Fprint(waiting, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if asks(t, dial(t, admin), "/health") != http.StatusOK {
				t.Error("the house is full for administration too")
			}
			if open := w.Open(); open != 2 {
				t.Errorf("%d connections are open", open)
			}
			close(release)
			if got, err := io.ReadAll(waiting); !strings.HasPrefix(string(got), "HTTP/1.1 200") || err != nil {
				t.Errorf("who waited got %q, %v", got, err)
			}
			if w.limits.full.reached.Load() == 0 || len(w.log.entries(t, "as many connections are open as may be: the longest idle are closed, and new ones wait where there are none; see --max-connections")) != 1 {
				t.Error("it is not told, or again and again")
			}
		})
	}
}

// Silent clients do not keep others out for long, and a full house can be paused and ended.
func TestFullOfSilentClients(t *testing.T) {
	noLeaks(t)
	w := build(t, saying("hello"), func(c *Config) { c.MaxConnections = number(20) })
	l := listen(t)
	w.serve(t, Socket{Listener: l})
	for range 20 {
		dial(t, l)
	}
	eventually(t, "the house is full", func() bool { return w.Open() == 20 })
	w.Pause()
	w.Resume()
	if asks(t, dial(t, l), "/") != http.StatusOK {
		t.Error("a client was kept out")
	}
	if cut := w.Drain(bound, true); cut > 0 {
		t.Errorf("%d connections were cut", cut)
	}
}

// One client has so many connections and no more, whatever others have; it is the one that a PROXY header names.
func TestConnectionsOfAClient(t *testing.T) {
	noLeaks(t)
	w := build(t, saying("hello"), func(c *Config) { c.MaxConnectionsPerClient = number(2) })
	l := listen(t)
	w.serve(t, Socket{Listener: l, Proxy: "v1"})
	come := func(family, address string) net.Conn {
		c := dial(t, l)
		fmt.Fprintf(c, "PROXY %s %s %[2]s 1000 80\r\n", family, address)
		return c
	}
	for range 2 {
		for _, one := range []net.Conn{come("TCP4", "192.0.2.1"), come("TCP4", "192.0.2.2"), come("TCP6", "2001:db8::1")} {
			asks(t, one, "/")
		}
	}
	first := come("TCP6", "2001:db8:0:1::1")
	asks(t, first, "/")
	isClosed(t, come("TCP4", "192.0.2.1"))
	isClosed(t, come("TCP6", "2001:db8::ffff:2")) // of the same /64
	asks(t, come("TCP6", "2001:db8:0:1::2"), "/")
	isClosed(t, come("TCP6", "2001:db8:0:1::3"))
	first.Close()
	eventually(t, "it is forgotten", func() bool { return w.Open() == 7 })
	asks(t, come("TCP6", "2001:db8:0:1::3"), "/")
	if n := w.limits.crowded.reached.Load(); n != 3 {
		t.Errorf("counted %d times", n)
	}
	for range 5 { // this machine itself
		asks(t, come("TCP4", "127.0.0.1"), "/")
	}
	w.Close()
	if len(w.origins) > 0 {
		t.Errorf("%d clients are remembered", len(w.origins))
	}
}

// Who is behind a trusted proxy is not counted for that, nor are peers without an address.
func TestOrigins(t *testing.T) {
	l := newLimits(Config{MaxConnectionsPerClient: number(1), TrustedProxies: networks(t, "192.0.2.0/24")}, 0)
	for address, want := range map[string]string{"192.0.2.7": "", "198.51.100.7": "198.51.100.7", "::1": "", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "::ffff:198.51.100.7": "198.51.100.7", "::ffff:127.0.0.1": ""} {
		got := l.origin(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1)))
		if want == "" && got.IsValid() || want != "" && got.String() != want {
			t.Errorf("%s is counted for %s", address, got)
		}
	}
	if l.origin(&net.UnixAddr{}).IsValid() || l.origin(nil).IsValid() {
		t.Error("a peer without an address is counted")
	}
	for descriptors, want := range map[int]int{64: 32, 1024: 896, 1 << 20: 16 << 10, 10: 1, 0: 16 << 10} {
		if got := newLimits(Config{}, descriptors).places; got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
}

// Requests beyond the limit are refused, with a word on when to come again.
func TestRequestsAtOnce(t *testing.T) {
	noLeaks(t)
	for _, protocol := range []string{"h1", "h2", "h2c"} {
		release, entered := make(chan struct{}), make(chan struct{}, 2)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-release
		})
		w := build(t, handler, func(c *Config) { c.MaxRequests = number(2) })
		l := listen(t)
		w.serve(t, Socket{Listener: l, TLS: protocol == "h2"})
		url := map[bool]string{true: "https://", false: "http://"}[protocol == "h2"] + l.Addr().String()
		client := browser(t, protocol)
		done := make(chan int, 2)
		for range 2 {
			go func() {
				if r, err := client.Get(url); err == nil {
					r.Body.Close()
					done <- r.StatusCode
				}
			}()
			<-entered
		}
		r, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || w.limits.busy.reached.Load() != 1 {
			t.Errorf("%s: %s, counted %d times", protocol, r.Status, w.limits.busy.reached.Load())
		}
		close(release)
		if a, b := <-done, <-done; a != http.StatusOK || b != http.StatusOK {
			t.Errorf("%s: %d, %d", protocol, a, b)
		}
		client.CloseIdleConnections()
		w.Close()
	}
}

// Of too many handshakes the oldest is broken off: who is silent does not keep others out.
func TestHandshakesAtOnce(t *testing.T) {
	noLeaks(t)
	w := build(t, saying("hello"), func(c *Config) { c.MaxHandshakes = number(2) })
	l := listen(t)
	w.serve(t, Socket{Listener: l, TLS: true})
	first := dial(t, l)
	eventually(t, "it is heard", func() bool { return w.Open() == 1 })
	for range 2 {
		dial(t, l)
	}
	isClosed(t, first)
	for range 10 {
		asks(t, dialTLS(t, l), "/")
	}
	if w.limits.greeting.reached.Load() == 0 {
		t.Error("it is not counted")
	}
	eventually(t, "only who is silent is waited for", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.Server.greeting.Len() <= 2
	})
}

// Targets and heads that are too long are refused alike, whoever reads them, and counted.
func TestLongTargetsAndHeads(t *testing.T) {
	noLeaks(t)
	for _, lane := range []Lane{"auto", "off"} {
		for _, protocol := range []string{"h1", "h2", "h2c"} {
			w := build(t, saying("hello"), func(c *Config) { c.Lane, c.MaxTargetSize, c.MaxHeaderSize = lane, 1000, 3000 })
			l := listen(t)
			w.serve(t, Socket{Listener: l, TLS: protocol == "h2"})
			url := map[bool]string{true: "https://", false: "http://"}[protocol == "h2"] + l.Addr().String() + "/"
			client := browser(t, protocol)
			for _, c := range []struct{ target, field, want int }{{900, 1, 200}, {1000, 1, 414}, {1, 1500, 200}, {1, 8000, 431}} {
				if c.want == 431 && protocol != "h1" {
					continue // clients of HTTP/2 are told the limit, and keep to it
				}
				request, _ := http.NewRequest("GET", url+strings.Repeat("a", c.target), nil)
				request.Header.Set("X", strings.Repeat("x", c.field))
				r, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != c.want {
					t.Errorf("lane %s, %s: a target of %d and a field of %d bytes: %s", lane, protocol, c.target, c.field, r.Status)
				}
			}
			if targets, heads := w.limits.longTarget.reached.Load(), w.limits.longHead.reached.Load(); targets != 1 || heads != 1 && protocol == "h1" {
				t.Errorf("lane %s, %s: counted %d targets and %d heads", lane, protocol, targets, heads)
			}
			client.CloseIdleConnections()
			w.Close()
		}
	}
}

// What is told is told once in a while.
func TestLimitsAreTold(t *testing.T) {
	w := build(t, saying(""), nil)
	var l limit
	for range 5 {
		l.note(w.Server, "too much", "limit", 3)
	}
	l.next.Store(0)
	l.note(w.Server, "too much", "limit", 3)
	if lines := w.log.entries(t, "too much"); len(lines) != 2 || lines[1]["times"] != 5.0 || l.reached.Load() != 6 {
		t.Errorf("%v, %d times", lines, l.reached.Load())
	}
}

// Where descriptors become few, files are refused before connections are: who comes is told to come again.
func TestShortOfFiles(t *testing.T) {
	noLeaks(t)
	entered, release := make(chan struct{}), make(chan struct{})
	w := build(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}), nil)
	w.limits.files = 3
	l, admin := listen(t), listen(t)
	w.serve(t, Socket{Listener: l}, Socket{Listener: admin, Admin: true})
	first := dial(t, l)
	fmt.Fprint(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	second := dial(t, l)
	if status := asks(t, second, "/"); status != http.StatusServiceUnavailable {
		t.Errorf("two connections, and two requests with a file each: %d", status)
	}
	if asks(t, dial(t, admin), "/health") != http.StatusOK {
		t.Error("administration is refused too")
	}
	close(release)
	if w.limits.busy.reached.Load() != 1 || len(w.log.entries(t, "as many connections and files are open as may be: further requests get 503; see --max-open-files")) != 1 {
		t.Error("it is not told, or again and again")
	}
}

// A process with so many descriptors has room for the connections that it accepts and, beside them, for files and for itself.
func TestDescriptorsAreShared(t *testing.T) {
	for _, descriptors := range []int{128, 1024, 20_000} {
		l := newLimits(Default(), descriptors)
		if l.files+ownDescriptors >= descriptors || l.files <= l.places {
			t.Errorf("%d descriptors: %d places, %d for connections and files", descriptors, l.places, l.files)
		}
	}
	if l := newLimits(Default(), 0); l.files != 0 || l.handlers != nil {
		t.Error("without a limit on descriptors there is one on files")
	}
}
