package server

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An administrator finds every request in the log: who asked, what, over which protocol, and what was answered.
func TestAccessLog(t *testing.T) {
	noLeaks(t)
	plain, secure := listen(t), listen(t)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			w.Header().Set("Content-Length", "9000")
			io.Copy(w, strings.NewReader(strings.Repeat("x", 9000)))
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "gone")
		case "/hints":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusConflict) // too late, and not what was sent
		case "/changed":
			r.Method, r.RequestURI, r.URL.Path = "PUT", "/elsewhere", "/elsewhere"
			io.WriteString(w, "abc")
		case "/nothing":
		}
	}), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	for _, c := range []struct {
		protocol, method, target string
		status, bytes            float64
		want                     string
	}{
		{"h1", "GET", "/file?a=b%20c", 200, 9000, "HTTP/1.1"},
		{"h1", "HEAD", "/missing", 404, 0, "HTTP/1.1"},
		{"h1", "POST", "/hints", 202, 0, "HTTP/1.1"},
		{"h1", "GET", "/changed", 200, 3, "HTTP/1.1"},
		{"h1", "GET", "/nothing", 200, 0, "HTTP/1.1"},
		{"h2c", "GET", "/file", 200, 9000, "HTTP/2.0"},
		{"h1+TLS", "GET", "/file", 200, 9000, "HTTP/1.1+TLS"},
		{"h2", "DELETE", "/missing", 404, 4, "HTTP/2.0+TLS"},
	} {
		before := len(w.log.entries(t, "request"))
		url := "http://" + plain.Addr().String()
		if c.protocol == "h2" || c.protocol == "h1+TLS" {
			url = "https://" + secure.Addr().String()
		}
		visitor := browser(t, strings.TrimSuffix(c.protocol, "+TLS"))
		r, err := http.NewRequestWithContext(within(t), c.method, url+c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := visitor.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, reply.Body)
		reply.Body.Close()
		visitor.CloseIdleConnections()
		eventually(t, "the request is logged", func() bool { return len(w.log.entries(t, "request")) == before+1 })
		entry := w.log.entries(t, "request")[before]
		if entry["duration"].(float64) <= 0 || entry["duration"].(float64) > float64(bound) {
			t.Errorf("%s %s took %v", c.method, c.target, entry["duration"])
		}
		for key, want := range map[string]any{"level": "INFO", "remote_addr": "127.0.0.1", "method": c.method, "uri": c.target, "status": c.status, "protocol": c.want} {
			if entry[key] != want {
				t.Errorf("%s %s %s: %s is %v, want %v", c.protocol, c.method, c.target, key, entry[key], want)
			}
		}
		if c.method != "HEAD" && entry["bytes"] != c.bytes { // the handler writes for HEAD too, and net/http throws it away
			t.Errorf("%s %s: %v bytes", c.method, c.target, entry["bytes"])
		}
		if _, ok := entry["aborted"]; ok {
			t.Errorf("%s %s is said to be aborted", c.method, c.target)
		}
	}
}

// A reply that did not reach its client is marked in the log, so that a 200 there is not taken for a success.
func TestAccessLogAborted(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		for range 1000 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}), nil).serve(t, Socket{Listener: l})
	for _, path := range []string{"/abort", "/long"} {
		v := visit(t, l)
		v.say(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if path == "/long" {
			v.replies.Peek(1)
		}
		v.Close()
		eventually(t, path+" is logged", func() bool {
			for _, entry := range w.log.entries(t, "request") {
				if entry["uri"] == path && entry["aborted"] == true {
					return true
				}
			}
			return false
		})
	}
}

// Below info nothing is logged of requests, and nothing is spent on it.
func TestAccessLogOff(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, saying("here"), nil)
	var said bytes.Buffer
	w.Server.log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	w.serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	v.hear(t, false)
	v.Close()
	w.Close()
	if said.Len() > 0 {
		t.Errorf("the log says %s", said.String())
	}
}

// The client is named by its address alone, and a unix socket's peer, which has none, by what it is.
func TestClientName(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := local.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, one := range []struct {
		address net.Addr
		want    string
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 4711}, "2001:db8::1"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 4711, Zone: "eth0"}, "fe80::1%eth0"},
		{server.RemoteAddr(), "unix"},
		{nil, "unknown"},
	} {
		if got := client(one.address); got != one.want {
			t.Errorf("%v: %q, want %q", one.address, got, one.want)
		}
	}
}

// A request over a unix socket is served and logged like any other.
func TestUnixSocket(t *testing.T) {
	noLeaks(t)
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: l, Bound: true})
	c, err := net.DialTimeout("unix", path, bound)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(bound))
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "\r\n\r\nhere") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	eventually(t, "it is logged", func() bool { return len(w.log.entries(t, "request")) == 1 })
	if entry := w.log.entries(t, "request")[0]; entry["remote_addr"] != "unix" || entry["protocol"] != "HTTP/1.0" {
		t.Errorf("%v", entry)
	}
}
