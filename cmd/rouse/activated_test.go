package main

import (
	"context"
	"crypto/tls"
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
		code := run(console{append([]string{"serve"}, args...), env, io.Discard, a.log, false})
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
