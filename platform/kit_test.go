package platform

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// number returns the descriptor of a socket or file for as long as the test runs.
func number(t testing.TB, c syscall.Conn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(own uintptr) { fd = int(own) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c }) // it must not be closed by the garbage collector
	return fd
}

// open returns a new socket, closed at the end of the test.
func open(t testing.TB, domain, kind int) int {
	t.Helper()
	fd, err := unix.Socket(domain, kind, 0)
	if err != nil {
		t.Skipf("socket(%d, %d): %v", domain, kind, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// pair returns an unnamed pair of unix sockets.
func pair(t testing.TB) [2]int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds
}

// listen returns a plain TCP or unix listener.
func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Skipf("cannot listen on %s %s: %v", network, address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect returns the client's and the server's end of a connection to the listener.
func connect(t testing.TB, l net.Listener) (client, server net.Conn) {
	t.Helper()
	client, err := net.DialTimeout(l.Addr().Network(), l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// shortDir is a temporary folder whose path leaves room for a name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
