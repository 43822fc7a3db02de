package socketoptions

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func socket(t *testing.T, domain, kind int) int {
	t.Helper()
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

var loopback = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}

// listener listens on a port of the kernel's choice.
func listener(t *testing.T, backlog int) int {
	t.Helper()
	fd := socket(t, unix.AF_INET, unix.SOCK_STREAM)
	if err := errors.Join(unix.Bind(fd, loopback), unix.Listen(fd, backlog)); err != nil {
		t.Fatal(err)
	}
	return fd
}

func address(t *testing.T, fd int) string {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", sa.(*unix.SockaddrInet4).Port)
}

func set(t *testing.T, fd, level, option, value int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, fd, level, option int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(fd, level, option)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// values are all options of the socket.
func values(fd int) map[string]string {
	all := map[string]string{}
	for _, o := range options() {
		if value, ok := o.get(fd); ok {
			all[o.name] = value
		}
	}
	return all
}

// change sets many options to what no socket has at first.
func change(t *testing.T, fd int) {
	t.Helper()
	set(t, fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	set(t, fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 20000)
	set(t, fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 30000)
	set(t, fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	set(t, fd, unix.IPPROTO_IP, unix.IP_TOS, 0x10) // and with it the priority
	set(t, fd, unix.IPPROTO_IP, unix.IP_TTL, 7)
	set(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	set(t, fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 5)
	set(t, fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77)
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 9}); err != nil {
		t.Fatal(err)
	}
}

// What a program set before bind reaches the socket that takes the place of its own, and from there its connections; what it
// left alone does not.
func TestCopy(t *testing.T) {
	from, to := socket(t, unix.AF_INET, unix.SOCK_STREAM), listener(t, 10)
	set(t, to, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4) // the program did not touch it
	set(t, to, unix.IPPROTO_IP, unix.IP_TTL, 7)       // the same already
	change(t, from)
	names, err := Copy(from, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SO_KEEPALIVE", "SO_RCVBUF", "SO_SNDBUF", "SO_TIMESTAMPNS", "IP_TOS", "TCP_NODELAY", "TCP_DEFER_ACCEPT", "TCP_KEEPIDLE", "SO_LINGER", "SO_RCVTIMEO"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %v", name, names)
		}
	}
	if slices.Contains(names, "TCP_KEEPCNT") || slices.Contains(names, "IP_TTL") {
		t.Errorf("set: %v", names)
	}
	want, got := values(from), values(to)
	for name := range want {
		if want[name] != got[name] && name != "TCP_KEEPCNT" {
			t.Errorf("%s: %x, want %x", name, got[name], want[name])
		}
	}
	client, err := net.DialTimeout("tcp", address(t, to), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Write([]byte("x"))
	connection, _, err := unix.Accept(to)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(connection)
	if get(t, connection, unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 1 || get(t, connection, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 1 {
		t.Error("the connection does not have the options")
	}
}

// Sockets of other families give what the socket can take; what is no socket is an error.
func TestCopyAcross(t *testing.T) {
	six := socket(t, unix.AF_INET6, unix.SOCK_STREAM)
	set(t, six, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	set(t, six, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
	if names, err := Copy(six, listener(t, 10)); err != nil || !slices.Equal(names, []string{"TCP_NODELAY"}) {
		t.Errorf("IPv6 to IPv4: %v, %v", names, err)
	}
	if names, err := Copy(socket(t, unix.AF_INET, unix.SOCK_DGRAM), listener(t, 10)); err != nil || names != nil {
		t.Errorf("nothing was set: %v, %v", names, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := Copy(int(null.Fd()), six); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("no socket: %v", err)
	}
}

// All that a program changes comes back, and what it left is not touched.
func TestRestore(t *testing.T) {
	fd := listener(t, 17)
	set(t, fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
	before, s := values(fd), Take(fd)
	if changed := s.Restore(fd); changed != nil {
		t.Errorf("nothing to restore: %v", changed)
	}
	change(t, fd)
	if err := errors.Join(unix.SetNonblock(fd, true), unix.Listen(fd, 99)); err != nil {
		t.Fatal(err)
	}
	changed := s.Restore(fd)
	for _, name := range []string{"SO_KEEPALIVE", "SO_RCVBUF", "IP_TOS", "SO_PRIORITY", "O_NONBLOCK", "backlog"} {
		if !slices.Contains(changed, name) && name != "SO_PRIORITY" { // it may come back with IP_TOS
			t.Errorf("%s is not among %v", name, changed)
		}
	}
	for name, value := range values(fd) {
		if value != before[name] {
			t.Errorf("%s: %x, want %x", name, value, before[name])
		}
	}
	if isNonblock(fd) || backlog(fd) != 17 {
		t.Errorf("non-blocking %t, backlog %d", isNonblock(fd), backlog(fd))
	}
	if changed := s.Restore(fd); changed != nil {
		t.Errorf("restored twice: %v", changed)
	}
}

// What a program had set on a packet socket comes back too, and it has no peer any more.
func TestRestorePacket(t *testing.T) {
	fd, peer := socket(t, unix.AF_INET, unix.SOCK_DGRAM), socket(t, unix.AF_INET, unix.SOCK_DGRAM)
	if err := errors.Join(unix.Bind(fd, loopback), unix.Bind(peer, loopback)); err != nil {
		t.Fatal(err)
	}
	s, own := Take(fd), address(t, fd)
	sa, _ := unix.Getsockname(peer)
	set(t, fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	if err := unix.Connect(fd, sa); err != nil {
		t.Fatal(err)
	}
	if changed := s.Restore(fd); !slices.Equal(changed, []string{"IP_PKTINFO", "connect"}) {
		t.Errorf("changed: %v", changed)
	}
	if hasPeer(fd) || address(t, fd) != own {
		t.Errorf("peer %t, address %s, was %s", hasPeer(fd), address(t, fd), own)
	}
}

// A listener that its program shut down serves again, at the same port though that was never asked for by number.
func TestRestoreAfterShutdown(t *testing.T) {
	fd := listener(t, 17)
	s, at := Take(fd), address(t, fd)
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if _, err := net.DialTimeout("tcp", at, patience); err == nil {
		t.Fatal("it still listens")
	}
	if changed := s.Restore(fd); !slices.Equal(changed, []string{"listen"}) {
		t.Errorf("changed: %v", changed)
	}
	client, err := net.DialTimeout("tcp", at, patience)
	if err != nil || backlog(fd) != 17 {
		t.Fatalf("%v, backlog %d", err, backlog(fd))
	}
	client.Close()
	fd = listener(t, 17)
	s, at = Take(fd), address(t, fd)
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	thief, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip(err)
	}
	defer thief.Close()
	if changed := s.Restore(fd); len(changed) != 1 || changed[0] != "listen: address already in use" {
		t.Errorf("the port is taken: %v", changed)
	}
}

// A unix listener cannot be revived, and that is said.
func TestRestoreUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	fd := socket(t, unix.AF_UNIX, unix.SOCK_STREAM)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "s")}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	s := Take(fd)
	set(t, fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if changed := s.Restore(fd); !slices.Equal(changed, []string{"SO_PASSCRED"}) {
		t.Errorf("changed: %v", changed)
	}
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if changed := s.Restore(fd); len(changed) != 1 || !bytes.HasPrefix([]byte(changed[0]), []byte("listen: ")) {
		t.Errorf("changed: %v", changed)
	}
}
