package process

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

var loopback4 = [4]byte{127, 0, 0, 1}

// socket is a listener without a runtime that watches it.
type socket struct {
	fd               int
	network, address string
}

func listen(t *testing.T, domain int, sa unix.Sockaddr) socket {
	t.Helper()
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 100)); err != nil {
		t.Skip(err)
	}
	sa, err = unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrUnix:
		return socket{fd, "unix", sa.Name}
	case *unix.SockaddrInet4:
		return socket{fd, "tcp", fmt.Sprint("127.0.0.1:", sa.Port)}
	case *unix.SockaddrInet6:
		return socket{fd, "tcp", fmt.Sprint("[::1]:", sa.Port)}
	}
	return socket{}
}

// dial connects, and says what the server is to do.
func dial(t *testing.T, network, address, say string) net.Conn {
	t.Helper()
	client, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Skip(err) // no IPv6
	}
	t.Cleanup(func() { client.Close() })
	if _, err := client.Write([]byte(say)); err != nil {
		t.Fatal(err)
	}
	return client
}

// until asks until the answer is want, and returns the last one: the kernel needs a moment for what clients do.
func until(t *testing.T, want int, ask func() (int, error)) (n int) {
	t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		var err error
		if n, err = ask(); err != nil {
			t.Fatal(err)
		}
		if n == want {
			break
		}
	}
	return n
}

// expect checks what Connections counts.
func expect(t *testing.T, want int, what string, listeners []int, pids ...int) {
	t.Helper()
	if got := until(t, want, func() (int, error) { return Connections(pids, listeners, math.MaxInt) }); got != want {
		t.Errorf("%s: %d connections, want %d", what, got, want)
	}
}

// expectTables checks what the tables of the kernel tell where descriptors cannot be duplicated, and where they cannot be seen.
func expectTables(t *testing.T, want int, what string, listeners []int, pid int) {
	t.Helper()
	for _, seen := range []bool{true, false} {
		got := until(t, want, func() (int, error) {
			c := counter{seen: map[uint64]bool{}}
			for _, fd := range listeners {
				l, _ := listenerOf(fd)
				c.listeners = append(c.listeners, l)
			}
			var inodes map[uint64]bool
			if seen {
				inodes = map[uint64]bool{}
				for _, fd := range numbers(fmt.Sprintf("/proc/%d/fd", pid)) {
					if inode, ok := SocketInode(pid, fd); ok {
						inodes[inode] = true
					}
				}
			}
			err := c.countTables(pid, inodes)
			return c.connections, err
		})
		if got != want {
			t.Errorf("%s: %d connections by the tables (descriptors seen: %t), want %d", what, got, seen, want)
		}
	}
}

// The connections of every kind of listener are counted: not those of others, not those that wait, not those that ended.
func TestConnections(t *testing.T) {
	abstract := fmt.Sprintf("@rouse-test-%d", os.Getpid())
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, c := range []struct {
		name   string
		domain int
		sa     unix.Sockaddr
	}{
		{"IPv4", unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4}},
		{"IPv4 on every address", unix.AF_INET, &unix.SockaddrInet4{}},
		{"IPv6", unix.AF_INET6, &unix.SockaddrInet6{Addr: [16]byte{15: 1}}},
		{"both", unix.AF_INET6, &unix.SockaddrInet6{}},
		{"unix", unix.AF_UNIX, &unix.SockaddrUnix{Name: filepath.Join(dir, "a name")}},
		{"abstract", unix.AF_UNIX, &unix.SockaddrUnix{Name: abstract}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, c.domain, c.sa)
			other := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4})
			p := start(t, "accept", plainly, uintptr(l.fd))
			listeners := []int{l.fd, other.fd}
			expect(t, 0, "none", listeners, p.pid)
			first := dial(t, l.network, l.address, "k")
			p.line(t)
			expect(t, 1, "one", listeners, p.pid)
			dial(t, l.network, l.address, "q")
			p.line(t)
			expect(t, 1, "one that the server closed", listeners, p.pid)
			dial(t, other.network, other.address, "") // nobody accepts it
			expect(t, 1, "one that waits", listeners, p.pid)
			expect(t, 0, "another listener", []int{other.fd}, p.pid)
			want := 1
			if c.name == "both" {
				_, port, _ := net.SplitHostPort(l.address)
				dial(t, "tcp", "127.0.0.1:"+port, "k")
				p.line(t)
				want = 2
				expect(t, want, "one of IPv4", listeners, p.pid)
			}
			first.(interface{ CloseWrite() error }).CloseWrite()
			expect(t, want, "half closed", listeners, p.pid)
			expectTables(t, want, "half closed", listeners, p.pid)
		})
	}
}

// A connection that was reset is none, even where the program did not look yet.
func TestConnectionReset(t *testing.T) {
	l := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4})
	p := start(t, "accept", plainly, uintptr(l.fd))
	client := dial(t, l.network, l.address, "k").(*net.TCPConn)
	p.line(t)
	expect(t, 1, "before", []int{l.fd}, p.pid)
	client.SetLinger(0)
	client.Close()
	expect(t, 0, "reset", []int{l.fd}, p.pid)
	expectTables(t, 0, "reset", []int{l.fd}, p.pid)
}

// A connection that several processes share is one.
func TestConnectionsShared(t *testing.T) {
	l := listen(t, unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4})
	p := start(t, "accept", plainly, uintptr(l.fd))
	dial(t, l.network, l.address, "k")
	p.line(t)
	dial(t, l.network, l.address, "s")
	worker := p.number(t, "done %d")
	defer syscall.Kill(worker, syscall.SIGKILL)
	expect(t, 2, "both", []int{l.fd}, p.pid, worker)
	if n, err := Connections([]int{worker}, []int{l.fd, l.fd}, math.MaxInt); n != 1 || err != nil {
		t.Errorf("the worker alone, and one listener twice: %d, %v", n, err)
	}
	if n, err := Connections([]int{1 << 30, p.pid}, []int{l.fd}, math.MaxInt); n != 2 || err != nil {
		t.Errorf("with a process that is gone: %d, %v", n, err)
	}
	if n, err := Connections([]int{p.pid, worker}, []int{l.fd}, 1); n != 1 || err != nil {
		t.Errorf("one is enough: %d, %v", n, err)
	}
	if n, err := Connections([]int{p.pid}, nil, math.MaxInt); n != 0 || err != nil {
		t.Errorf("no listeners: %d, %v", n, err)
	}
}

// A service in a network namespace of its own (PrivateNetwork=) accepts clients of another one, which its tables do not know.
func TestConnectionsOfAnotherNamespace(t *testing.T) {
	for _, c := range []struct {
		name   string
		domain int
		sa     unix.Sockaddr
	}{
		{"IPv4", unix.AF_INET, &unix.SockaddrInet4{Addr: loopback4}},
		{"unix", unix.AF_UNIX, &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "s")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, c.domain, c.sa)
			p := start(t, "accept", inOwnNetwork(t), uintptr(l.fd))
			expectForeign(t, 0, "none", l.fd, p.pid)
			client := dial(t, l.network, l.address, "k")
			p.line(t)
			expectForeign(t, 1, "one", l.fd, p.pid)
			expect(t, 1, "one, by its duplicate", []int{l.fd}, p.pid)
			dial(t, l.network, l.address, "q")
			p.line(t)
			client.Close()
			expectForeign(t, 1, "one that only the client closed", l.fd, p.pid)
		})
	}
}

// inOwnNetwork forks on a thread that has a network namespace of its own.
func inOwnNetwork(t *testing.T) func(func() error) error {
	return func(fork func() error) error {
		done := make(chan error)
		var unsupported error
		platform.OnOwnThread(func() {
			if unsupported = unix.Unshare(unix.CLONE_NEWNET); unsupported != nil {
				done <- nil
				return
			}
			done <- fork()
		})
		err := <-done
		if unsupported != nil {
			t.Skipf("no network namespace of its own: %v", unsupported)
		}
		return err
	}
}

// expectForeign checks what is counted when no descriptor can be duplicated.
func expectForeign(t *testing.T, want int, what string, fd, pid int) {
	t.Helper()
	got := until(t, want, func() (int, error) {
		l, _ := listenerOf(fd)
		c := counter{seen: map[uint64]bool{}, listeners: []listener{l}}
		fds, unknown := numbers(fmt.Sprintf("/proc/%d/fd", pid)), map[uint64]bool{}
		for _, fd := range fds {
			if inode, ok := SocketInode(pid, fd); ok {
				unknown[inode] = true
			}
		}
		err := c.countTables(pid, unknown)
		c.countForeign(pid, fds, unknown)
		return c.connections, err
	})
	if got != want {
		t.Errorf("%s: %d connections, want %d", what, got, want)
	}
}
