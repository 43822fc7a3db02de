package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/server/certificate"
)

// activated is a socket as systemd would pass it, and systemd's own end of the notices.
type activated struct {
	net.Listener          // the manager's copy
	env          []string // LISTEN_* and NOTIFY_SOCKET
	notices      *net.UnixConn
	log          *output // of the program that serves it
}

// activate opens a socket of that name for this process.
func activate(t testing.TB, name string) *activated {
	t.Helper()
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	l, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if controlled := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD, 3) }); controlled != nil || err != nil {
		t.Fatal(controlled, err)
	}
	path := filepath.Join(shortDir(t), "n")
	notices, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notices.Close() })
	notices.SetReadDeadline(time.Now().Add(patience))
	env := []string{fmt.Sprintf("LISTEN_PID=%d", os.Getpid()), "LISTEN_FDS=1", "LISTEN_FDNAMES=" + name, fmt.Sprintf("LISTEN_FDS_FIRST_FD=%d", fd), "NOTIFY_SOCKET=" + path}
	return &activated{l, env, notices, &output{}}
}

// expect reads notices up to the first that begins so.
func (a *activated) expect(t testing.TB, begin string) string {
	t.Helper()
	for message := make([]byte, 4096); ; {
		n, err := a.notices.Read(message)
		if err != nil {
			t.Fatalf("the manager did not get %s: %v; the program says: %s", begin, err, a.log)
		}
		if strings.HasPrefix(string(message[:n]), begin) {
			return string(message[:n])
		}
	}
}

// serving runs `rouse serve` on the socket until it ends by itself or is told to.
type serving struct {
	*activated
	code chan int
}

func (a *activated) serve(t testing.TB, args ...string) *serving {
	t.Helper()
	set(t, a.env...)
	return a.run(t, nil, args...)
}

// run is serve with these variables beside, which tests have set.
func (a *activated) run(t testing.TB, env []string, args ...string) *serving {
	t.Helper()
	s := &serving{a, make(chan int, 1)}
	go func() {
		code := run(console{append([]string{"serve"}, args...), env, io.Discard, a.log})
		if code != exitOK {
			a.notices.Close() // nobody is to wait for notices that do not come
		}
		s.code <- code
	}()
	a.expect(t, "READY=1")
	return s
}

// signal sends one to this process, as the manager would: it is being served, so the signal is waited for.
func (s *serving) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), signal); err != nil {
		t.Fatal(err)
	}
}

// end expects the program to end well, and the manager's socket to take clients for the next instance.
func (s *serving) end(t testing.TB) {
	t.Helper()
	select {
	case code := <-s.code:
		if code != exitOK {
			t.Errorf("exit code %d: %s", code, s.log)
		}
	case <-time.After(patience):
		t.Fatalf("it does not end: %s", s.log)
	}
	c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		t.Errorf("the next client is refused: %v", err)
		return
	}
	c.Close()
}

// folder is a root with a page.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<p>here"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// get fetches the page; the connection is closed afterwards.
func get(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	reply, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, err := io.ReadAll(reply.Body); reply.StatusCode != 200 || string(body) != "<p>here" || err != nil {
		t.Errorf("%s: %s, %q, %v", url, reply.Status, body, err)
	}
}

// A passed socket is served, the manager is told when, and SIGTERM ends the program without a failure.
func TestServeActivated(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--log-level", "info", "--port", "80")
	get(t, "http://"+s.Addr().String())
	s.signal(t, syscall.SIGTERM)
	if said := s.expect(t, "STOPPING=1"); !strings.Contains(said, "STATUS=ending after terminated") {
		t.Errorf("the manager got %q", said)
	}
	s.end(t)
	expectWords(t, "the log", s.log.String(), "serving /", "http://"+s.Addr().String()+" from systemd:http", "--port is not used", "request", "status=200")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD"} {
		if _, left := os.LookupEnv(name); left {
			t.Errorf("%s is left for child processes to believe", name)
		}
	}
}

// An idle service goes away by itself, not while a client is there, and the next knock finds the socket open.
func TestServeIdleExit(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--idle-exit", "100ms")
	c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-s.code:
		t.Fatalf("it ended with %d while a client was connected: %s", code, s.log)
	case <-time.After(500 * time.Millisecond): // the case itself: a client longer than the span
	}
	c.Close()
	s.expect(t, "STOPPING=1\nSTATUS=idle for 100ms")
	s.end(t)
	expectWords(t, "the log", s.log.String(), "exiting until somebody knocks")
}

// SIGHUP takes up a new certificate while the service goes on, keeps the old one when the new is broken, and tells the
// manager of both ends of the reload, with the time that systemd asks for.
func TestServeReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	fingerprint := func() string {
		t.Helper()
		development, err := certificate.OpenDevelopment(t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range [][2]string{{development.Store.CertFile(), cert}, {development.Store.KeyFile(), key}} {
			text, err := os.ReadFile(file[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file[1], text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return certificate.Fingerprint(development.Store.Leaf())
	}
	first := fingerprint()
	s := activate(t, "https").serve(t, "--root", folder(t), "--tls-cert", cert, "--tls-key", key)
	get(t, "https://"+s.Addr().String())
	expectWords(t, "the log", s.log.String(), first)
	second := fingerprint()
	s.signal(t, syscall.SIGHUP)
	expectWords(t, "the manager", s.expect(t, "RELOADING=1"), "\nMONOTONIC_USEC=")
	s.expect(t, "READY=1")
	expectWords(t, "the log", s.log.String(), second)
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	s.expect(t, "RELOADING=1")
	s.expect(t, "READY=1")
	expectWords(t, "the log", s.log.String(), "the old one is kept", cert)
	get(t, "https://"+s.Addr().String())
	s.signal(t, syscall.SIGINT)
	s.end(t)
}

// The watchdog is told of life as long as requests are answered.
func TestServeWatchdog(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "100000")
	s := activate(t, "http").serve(t, "--root", folder(t))
	for range 3 {
		s.expect(t, "WATCHDOG=1")
	}
	get(t, "http://"+s.Addr().String()) // signs of life do not disturb
	s.signal(t, syscall.SIGTERM)
	s.end(t)
}

// A second signal ends the program now, whatever grace it was given; a reload in between does not.
func TestServeSecondSignal(t *testing.T) {
	s := activate(t, "http").serve(t, "--root", folder(t), "--grace-period", "200", "--log-level", "warn")
	s.signal(t, syscall.SIGTERM)
	s.expect(t, "STOPPING=1")
	get(t, "http://"+s.Addr().String()) // the grace period goes on accepting
	s.signal(t, syscall.SIGHUP)
	get(t, "http://"+s.Addr().String())
	s.signal(t, syscall.SIGTERM)
	s.end(t)
	expectWords(t, "the log", s.log.String(), "second signal")
}

// `rouse sockets` shows what was inherited and what serve would do with it, under the same options, for people and programs.
func TestSockets(t *testing.T) {
	for _, c := range []struct{ name, args, would string }{
		{"http", "", "speak http"},
		{"web", "", "speak http"},
		{"web", "--listen https=systemd:web", "not start"}, // no certificate
		{"web", "--listen http=systemd:web", "speak http"},
		{"https", "", "not start"},
		{"h3", "", "not start"},
		{"http", "--https-redirect", "speak http"},
	} {
		a := activate(t, c.name)
		set(t, a.env...)
		code, stdout, stderr := rouse(t, nil, append([]string{"sockets", "--json"}, strings.Fields(c.args)...)...)
		var told struct {
			Sockets []row
			Notices []string
		}
		if err := json.Unmarshal([]byte(stdout), &told); err != nil || code != exitOK || stderr != "" || len(told.Sockets) != 1 {
			t.Fatalf("%+v: %d, %q, %q, %v", c, code, stdout, stderr, err)
		}
		r := told.Sockets[0]
		if r.Name != c.name || r.Source != "systemd:"+c.name || r.Address != a.Addr().String() || r.State != "listening" || r.Family != "ipv4" || !strings.HasPrefix(r.Serve, c.would) {
			t.Errorf("%+v: %+v", c, r)
		}
		set(t, a.env...)
		code, stdout, _ = rouse(t, nil, append([]string{"sockets"}, strings.Fields(c.args)...)...)
		if code != exitOK {
			t.Errorf("%+v: %d", c, code)
		}
		expectWords(t, "the table", stdout, "NUMBER", "systemd:"+c.name, a.Addr().String(), "listening", c.would)
		syscall.Close(r.Number)
	}
	for args, want := range map[string]string{"": "https://localhost:8443", "--port 81": "[::]:81", "--tls --host 127.0.0.1": "speak https", "--listen tcp:127.0.0.1:0": "tcp:127.0.0.1:0"} {
		code, stdout, _ := rouse(t, nil, append([]string{"sockets"}, strings.Fields(args)...)...)
		if code != exitOK {
			t.Errorf("%q: %d", args, code)
		}
		expectWords(t, args, stdout, "no sockets were inherited", "serve would bind", want)
	}
}

// A misspelt variable is told of even at the level at which nothing else is.
func TestNoticesAlways(t *testing.T) {
	a := activate(t, "http")
	set(t, a.env...)
	s := a.run(t, []string{"SERVER_PROT=80"}, "--root", folder(t), "--log-level", "error")
	get(t, "http://"+a.Addr().String())
	s.signal(t, syscall.SIGTERM)
	s.end(t)
	expectWords(t, "the log", s.log.String(), "SERVER_PROT is not a variable of Rouse", "did you mean SERVER_PORT?", "serving")
	if strings.Contains(s.log.String(), "request") {
		t.Errorf("requests are logged at level error: %s", s.log)
	}
}
