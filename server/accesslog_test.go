package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
		{"h2", "HEAD", "/missing", 404, 0, "HTTP/2.0+TLS"},
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
		for key, want := range map[string]any{"level": "INFO", "remote_addr": "127.0.0.1", "method": c.method, "uri": c.target, "status": c.status, "protocol": c.want, "bytes": c.bytes, "user_agent": map[string]string{"1": "Go-http-client/1.1", "2": "Go-http-client/2.0"}[c.want[5:6]], "host": strings.Split(url, "/")[2]} {
			if entry[key] != want {
				t.Errorf("%s %s %s: %s is %v, want %v", c.protocol, c.method, c.target, key, entry[key], want)
			}
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
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var given http.ResponseWriter
	chain := logged(newRequestLog(log, Default()))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { given = w }))
	w := httptest.NewRecorder()
	chain.ServeHTTP(w, request(t, "192.0.2.1"))
	if said.Len() > 0 || given != w {
		t.Errorf("the log says %q, and the handler was given %T", said.String(), given)
	}
}

// request is one that came over a connection with the peer; an empty peer is a unix socket's.
func request(t testing.TB, peer string, lines ...string) *http.Request {
	t.Helper()
	var remote net.Addr = &net.UnixAddr{Net: "unix"}
	if peer != "" {
		remote = &net.TCPAddr{IP: net.ParseIP(peer), Port: 4711}
	}
	tr := &transport{client: remote}
	r := httptest.NewRequest("GET", "/a?b", nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r.WithContext(context.WithValue(r.Context(), connectionKey{}, &connection{Conn: tr, transport: tr}))
}

// networks reads prefixes.
func networks(t testing.TB, text string) (n Networks) {
	t.Helper()
	if err := n.Set(text); err != nil {
		t.Fatal(err)
	}
	return n
}

// Who asked stands in the log and is what decisions are made by: what proxies say counts as far as they are trusted, and
// static-web-server's fields say what was claimed, by trusted proxies or, with none configured, by anybody.
func TestAccessLogClient(t *testing.T) {
	t.Parallel()
	both := []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.9", "X-Real-IP: 198.51.100.2"}
	for _, c := range []struct {
		name, trusted, peer   string
		lines                 []string
		client, remote, proxy string
		realIP, realRemoteIP  any
	}{
		{"nobody is trusted", "", "192.0.2.1", both, "192.0.2.1", "192.0.2.1", "", "198.51.100.2", "198.51.100.1"},
		{"the peer is trusted", "192.0.2.0/24", "192.0.2.1", both, "203.0.113.9", "203.0.113.9", "192.0.2.1", "198.51.100.2", "203.0.113.9"},
		{"others are trusted", "10.0.0.0/8", "192.0.2.1", both, "192.0.2.1", "192.0.2.1", "", nil, nil},
		{"nothing is said", "192.0.2.1", "192.0.2.1", nil, "192.0.2.1", "192.0.2.1", "", nil, nil},
		{"X-Real-IP alone", "192.0.2.1", "192.0.2.1", both[1:], "198.51.100.2", "198.51.100.2", "192.0.2.1", "198.51.100.2", nil},
		{"a unix socket", "192.0.2.1", "", both, "203.0.113.9", "203.0.113.9", "unix", "198.51.100.2", "203.0.113.9"},
		{"a unix socket and nobody trusted", "", "", both, "invalid IP", "unix", "", "198.51.100.2", "198.51.100.1"},
	} {
		var said bytes.Buffer
		config := Default()
		config.TrustedProxies, config.LogXRealIP, config.LogForwardedFor = networks(t, c.trusted), true, true
		var found netip.Addr
		handler := identified(config.TrustedProxies)(logged(newRequestLog(slog.New(slog.NewJSONHandler(&said, nil)), config))(
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { found = clientOf(r) })))
		handler.ServeHTTP(httptest.NewRecorder(), request(t, c.peer, c.lines...))
		var entry map[string]any
		if err := json.Unmarshal(said.Bytes(), &entry); err != nil {
			t.Fatalf("%s: %q: %v", c.name, said.String(), err)
		}
		proxy, _ := entry["proxy"].(string)
		if found.String() != c.client || entry["remote_addr"] != c.remote || proxy != c.proxy || entry["x_real_ip"] != c.realIP || entry["real_remote_ip"] != c.realRemoteIP {
			t.Errorf("%s: the client is %s, the log says %s", c.name, found, said.String())
		}
	}
}

// What is asked every few seconds by a manager is logged at debug only; a user who gave a password is named.
func TestAccessLogRemarks(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	chain := logged(newRequestLog(slog.New(slog.NewTextHandler(&said, nil)), Default()))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		remark(w, func(m *remarks) { m.user = "alice" })
		if r.Header.Get("Quiet") != "" {
			quietly(w)
		}
	}))
	chain.ServeHTTP(httptest.NewRecorder(), request(t, "192.0.2.1", "Quiet: yes"))
	if said.Len() > 0 {
		t.Errorf("at info: %s", said.String())
	}
	chain.ServeHTTP(httptest.NewRecorder(), request(t, "192.0.2.1", "Referer: http://x/", "User-Agent: U A"))
	if want := ` remote_addr=192.0.2.1 user=alice method=GET uri=/a?b status=200 bytes=0 `; !strings.Contains(said.String(), want) ||
		!strings.HasSuffix(said.String(), " protocol=HTTP/1.1 host=example.com referer=http://x/ user_agent=\"U A\"\n") {
		t.Errorf("%s", said.String())
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
