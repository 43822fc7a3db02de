package server

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// New clients that ask for what is kept are answered where they are accepted: with the same bytes, a line in the log and a
// count, and the server is as busy as with any other client.
func TestFirstRequest(t *testing.T) {
	for name, prepare := range map[string]func(testing.TB, *net.TCPListener){"deferred": deferring, "prompt": func(testing.TB, *net.TCPListener) {}} {
		t.Run(name, func(t *testing.T) { firstRequest(t, prepare) })
	}
}

func firstRequest(t *testing.T, prepare func(testing.TB, *net.TCPListener)) {
	noLeaks(t)
	w := site(t, map[string]string{"a.css": strings.Repeat("a", 3000)}, func(c *Config, _ string) { c.LogLevel = "info" })
	l := listen(t)
	prepare(t, l)
	w.serve(t, Socket{Listener: l, Name: "http"})
	ask := func(request string) string {
		c := dial(t, l)
		defer c.Close()
		fmt.Fprint(c, request)
		reply, err := io.ReadAll(c)
		if err != nil {
			t.Errorf("after %d bytes: %v", len(reply), err)
		}
		return regexp.MustCompile(`Date: .*\r\n`).ReplaceAllString(string(reply), "")
	}
	const last = "GET /a.css HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	first := ask(last)
	if !strings.HasSuffix(first, strings.Repeat("a", 3000)) {
		t.Fatalf("got %q", first)
	}
	asked := 1
	for ; asked < 8; asked++ {
		if got := ask(last); got != first {
			t.Fatalf("answer %d is %q, the first was %q", asked, got, first)
		}
	}
	if open, since := w.openSince(); since > time.Minute || open > 1 {
		t.Errorf("%d connections are open, none since %s", open, since)
	}
	// What follows the first request on the same connection is answered as well, sent at once or later.
	for _, request := range []string{strings.Replace(last, "close", "keep-alive", 1) + last, strings.Repeat(strings.Replace(last, "Connection: close\r\n", "", 1), 5) + last, "GET /a.css HTTP/1.0\r\n\r\n"} {
		got := ask(request)
		if want := strings.Count(request, "GET"); strings.Count(got, " 200 OK\r\n") != want || !strings.HasSuffix(got, "aaa") {
			t.Errorf("%d requests got %.200q", want, got)
		}
		asked += strings.Count(request, "GET")
	}
	c := dial(t, l)
	io.WriteString(c, last[:20])
	time.Sleep(20 * time.Millisecond) // so that it is seen in two pieces; either way it works
	io.WriteString(c, last[20:])
	if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "aaa") || err != nil {
		t.Errorf("a request in two pieces got %q, %v", got, err)
	}
	asked++
	eventually(t, "no connection is open", func() bool { return w.Open() == 0 })
	if lines := w.log.entries(t, "request"); len(lines) != asked || lines[0]["remote_addr"] != lines[asked-2]["remote_addr"] {
		t.Errorf("%d lines for %d requests", len(lines), asked)
	}
}

// Clients that say nothing, and those that were answered, rest: they cost no goroutine, and are answered when they say something,
// again and again as long as they speak seldom.
func TestNewClientsRest(t *testing.T) {
	noLeaks(t)
	w := site(t, map[string]string{"a.css": "a"}, nil)
	l := listen(t)
	w.serve(t, Socket{Listener: l, Name: "http"})
	const asks, clients = "GET /a.css HTTP/1.1\r\nHost: x\r\n\r\n", 200
	ask := func(c net.Conn) {
		t.Helper()
		io.WriteString(c, asks)
		reply := make([]byte, 1<<10)
		for n := 0; !strings.HasSuffix(string(reply[:n]), "\r\n\r\na"); {
			m, err := c.Read(reply[n:])
			if err != nil {
				t.Fatalf("%q, %v", reply[:n], err)
			}
			n += m
		}
	}
	first := dial(t, l)
	for range 4 { // unknown, wanted, kept
		ask(first)
	}
	before := runtime.NumGoroutine()
	var all []net.Conn
	for range clients {
		all = append(all, dial(t, l))
	}
	eventually(t, "all are open", func() bool { return w.Open() == clients+1 })
	for _, c := range all[:clients/2] {
		ask(c)
	}
	for range 3 {
		if n := runtime.NumGoroutine() - before; n > clients/10 {
			t.Errorf("%d clients that rest cost %d goroutines", clients, n)
		}
		for _, l := range w.lanes(nil) {
			l.since.Add(-int64(seldom)) // as if so much time had gone by
		}
		for _, c := range all {
			ask(c)
		}
	}
	for range 2 { // one after another: now they get goroutines
		for _, c := range all {
			ask(c)
		}
	}
	last := all[len(all)-1]
	all = all[:len(all)-1]
	for _, l := range w.lanes(nil) {
		l.since.Add(-int64(seldom))
	}
	io.WriteString(last, strings.Replace(asks, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
	if got, err := io.ReadAll(last); !strings.HasSuffix(string(got), "\r\n\r\na") || err != nil {
		t.Errorf("the last request of a connection got %q, %v", got, err)
	}
	for _, c := range all[:clients/4] {
		c.Close()
	}
	eventually(t, "those that have left are forgotten", func() bool { return w.Open() == clients-clients/4 })
}
