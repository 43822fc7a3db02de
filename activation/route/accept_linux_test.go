package route

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A client is accepted with its addresses, blocking and close-on-exec, of IPv4 and of IPv6, and when another process that shares
// the socket has made it blocking.
func TestAcceptRaw(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		listener := int(file.Fd())
		for _, blocking := range []bool{true, false} {
			unix.SetNonblock(listener, !blocking)
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			accepted(t, listener, client)
		}
		if _, _, err := acceptRaw(listener); err != unix.EAGAIN {
			t.Error(err)
		}
	}
	if _, _, err := acceptRaw(-1); err != unix.EBADF {
		t.Error(err)
	}
}

func accepted(t *testing.T, listener int, client net.Conn) {
	t.Helper()
	fd, from, err := acceptRaw(listener)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if got := addressFrom(from).String(); got != client.LocalAddr().String() {
		t.Error(got)
	}
	if got := addressFrom(localOf(fd)).String(); got != client.RemoteAddr().String() {
		t.Error(got)
	}
	status, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if status&unix.O_NONBLOCK != 0 || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("status %#x, flags %#x", status, flags)
	}
}
