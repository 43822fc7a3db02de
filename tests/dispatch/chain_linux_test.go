package dispatch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this one dispatcher could not be behind another: containers have their own.
func TestCascade(t *testing.T) {
	t.Parallel()
	for way, listener := range map[string]string{
		"registered": "dispatch:OUTER#inner", "listener": "dispatch:OUTER#inner?takes=listener", "connections": "dispatch:OUTER#inner?takes=connections",
		"socketbox": "dispatch:OUTER#7?protocol=socketbox", "handoff": "handoff:DIR/box",
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			engines(t, func(t *testing.T, engine string) {
				inner := set(t, "hand-over", "")
				backend := "slot = 7"
				if way == "handoff" {
					backend = fmt.Sprintf("handoff = %q", filepath.Join(inner.dir, "box"))
				}
				outer := play(t, engine, "fallback = \"inner\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.inner]\n"+backend+"\n")
				address := strings.ReplaceAll(listener, "OUTER", outer.desk)
				inner.write("[listeners.in]\naddress = \"" + address + "\"\n[backends.a]\n[backends.b]\n[[routes]]\nlocal = \"127.0.0.2\"\nto = \"a\"\n[[routes]]\nlocal = \"127.0.0.3\"\nto = \"b\"\n")
				inner.start()
				a, b := inner.backs("a", backendOptions{}), inner.backs("b", backendOptions{})
				for range 20 {
					gets(t, "127.0.0.9", outer.at("127.0.0.2"), "a")
					gets(t, "127.0.0.9", outer.at("127.0.0.3"), "b")
				}
				isRejected(t, "", outer.at("127.0.0.4"))
				for _, p := range []*program.Process{a.Process, b.Process, inner.Process, outer.Process} {
					stopped(t, p)
				}
			})
		})
	}
}

// Without this the page of the protocol would not be enough to write a client in another language.
func TestClientInPython(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, toOne)
		p := double(t, nil, dgrams+"/client.py", s.desk, "a", "100")
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				c, err := dialFrom("", s.at("127.0.0.1"))
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if b, err := io.ReadAll(c); string(b) != fmt.Sprintf("hello %s by web and fallback\n", c.LocalAddr()) || err != nil {
					t.Errorf("%q, %v", b, err)
				}
			})
		}
		all.Wait()
		if state := p.Wait(limit); !state.Success() || p.Stderr.String() != "" {
			t.Error(state)
		}
		stopped(t, s.Process)
	})
}

// Without this `rouse serve` behind a dispatcher would not be the server that it is elsewhere.
func TestServeByTLS(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		dir, folder := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("hello"), 0o644); err != nil {
			t.Fatal(err)
		}
		certFile, keyFile, pool := program.KeyPair(t, dir, "blog.example.org")
		s := play(t, engine, strings.Replace(byName, "[backends.blog]", "[backends.blog]\nwait = \"1m\"", 1))
		serve := program.Start(t, program.Run{Through: []string{"unshare", "-n"},
			Args: []string{"serve", "--listen", "https=dispatch:" + s.desk + "#blog", "--tls-cert", certFile, "--tls-key", keyFile, "--log-level=info", folder}})
		for _, host := range []string{"127.0.0.1", "::1"} {
			c, err := dialFrom("", s.at(host))
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(c, &tls.Config{ServerName: "blog.example.org", RootCAs: pool})
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: blog.example.org\r\nConnection: close\r\n\r\n")
			if b, err := io.ReadAll(conn); !strings.HasSuffix(string(b), "hello") || err != nil {
				t.Errorf("%s: %q, %v", host, b, err)
			}
			serve.Stderr.WaitFor(regexp.QuoteMeta(host)+`.*`, limit)
			c.Close()
		}
		stopped(t, serve)
		stopped(t, s.Process)
	})
}

// Without this anybody could be any backend.
func TestWhoMayRegister(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	s := play(t, "hand-over", "fallback = \"reject\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.a]\nuser = 65534\n[backends.b]\n"+
		"[[routes]]\nlocal = \"127.0.0.2\"\nto = \"a\"\n[[routes]]\nlocal = \"127.0.0.3\"\nto = \"b\"\n")
	for _, c := range []struct {
		backend string
		uid     int
		may     bool
	}{{"a", 65534, true}, {"a", 65533, false}, {"b", 65534, false}, {"b", 0, true}, {"nobody", 0, false}} {
		b := s.begins(c.backend, backendOptions{uid: c.uid})
		if !c.may {
			if state := b.Wait(limit); state.Success() || !strings.Contains(b.Stderr.String(), "refused") {
				t.Errorf("%+v: %v %s", c, state, b.Stderr)
			}
			continue
		}
		b.Stdout.WaitFor("registered", limit)
	}
	gets(t, "", s.at("127.0.0.2"), "a")
	gets(t, "", s.at("127.0.0.3"), "b")
	if n := strings.Count(s.Stderr.String(), "refused"); n != 3 {
		t.Errorf("%d refusals are told", n)
	}
	stopped(t, s.Process)
}

// Without this a backend that takes descriptors and never says so would hold up its clients for ever.
func TestAckWithheld(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, toOne, "--ack-time=300ms")
		silent, err := register(s.desk, "a", connections, 1000)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.close()
		held := crowd(t, s.at("127.0.0.1"), 3, oneByte)
		for range 3 {
			if f, err := silent.next(); err != nil || f.kind != connectionFrame {
				t.Fatal(f, err)
			} else {
				unix.Close(f.fd)
			}
		}
		until(t, "its time is over", func() bool { b := s.backend("a").Sessions[0]; return b.Unaccepted == 3 && b.OldestUnaccepted > 0.3 })
		waits := crowd(t, s.at("127.0.0.1"), 5, oneByte) // of nobody, for now
		s.Stderr.WaitFor(`(?m)^.*does not acknowledge.*$`, limit)
		if b := s.backend("a").Sessions[0]; !b.Stalled || b.Unaccepted != 3 {
			t.Errorf("%+v", b)
		}
		s.answer("a", 16, func(_ received, c net.Conn) { io.WriteString(c, "x") })
		waits()
		silent.close() // its clients go to the other one, untouched
		held()
		if b := s.backend("a"); b.Again != 3 || b.Connections < 8 {
			t.Errorf("%+v", b)
		}
		stopped(t, s.Process)
	})
}

// Without this one slow backend would stop all the others.
func TestSlowDelaysNobody(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, toTwo)
		slow, err := register(s.desk, "a", connections, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer slow.close()
		s.answers("b")
		for range 500 {
			c, err := dialFrom("", s.at("127.0.0.2"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		began := time.Now()
		for range 50 {
			gets(t, "", s.at("127.0.0.3"), "b")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("50 clients of the quick one took %v", took)
		}
		s.Signal(unix.SIGKILL) // the many are nobody's
		s.Wait(limit)
	})
}

// Without this a datagram receiver that reads nothing would stop all the others.
func TestFullQueueDelaysNobody(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := set(t, engine, strings.Replace(toTwo, "[backends.a]", "[backends.a]\nhandoff = \"DIR/old\"", 1))
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(s.dir, "old")}); err != nil {
			t.Fatal(err)
		}
		s.start()
		s.answers("b")
		for range 100 {
			c, err := dialFrom("", s.at("127.0.0.2"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		for range 50 {
			gets(t, "", s.at("127.0.0.3"), "b")
		}
		s.Signal(unix.SIGKILL)
		s.Wait(limit)
	})
}

// Without this a dispatcher would run out of descriptors after some days.
func TestDescriptorsStay(t *testing.T) {
	t.Parallel()
	count := 10_000
	if isLong() {
		count = 100_000
	}
	engines(t, func(t *testing.T, engine string) {
		for _, takes := range []byte{listeners, connections} {
			if takes == listeners && engine == "hand-over" {
				continue // nothing is handed over
			}
			s := play(t, engine, toTwo)
			b := s.backs("a", backendOptions{takes: takes})
			gets(t, "", s.at("127.0.0.2"), "a")
			s.registered("a", 1)
			before, backend := s.descriptors(s.Pid), s.descriptors(b.Pid)
			var next sync.Mutex
			host := 0
			l := ones(t, 8, func() error { // from many addresses: ports are few
				next.Lock()
				host = (host + 1) % 50
				from := "127.0.7." + strconv.Itoa(host+1)
				next.Unlock()
				who, err := askFrom(from, s.at("127.0.0.2"))
				if err == nil && who != "a" {
					err = errors.New(who)
				}
				return err
			})
			for left := count / 2; left > 0; left -= 1000 {
				l.more(1000)
			}
			l.lostNone()
			for pid, want := range map[int]int{s.Pid: before, b.Pid: backend} {
				until(t, fmt.Sprintf("as many descriptors as before, %d", want), func() bool { return s.descriptors(pid) <= want })
			}
			stopped(t, b.Process)
			stopped(t, s.Process)
		}
	})
}

// descriptors counts those of a process.
func (s *scene) descriptors(pid int) int {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(open)
}
