package activation

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// Sockets that only Linux tells apart are refused, or taken, for what they are.
func TestInspectLinux(t *testing.T) {
	dir := shortDir(t)
	seqpacket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: filepath.Join(dir, "q")})
	if err != nil {
		t.Fatal(err)
	}
	defer seqpacket.Close()
	datagram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "d")})
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	for name, c := range map[string]struct {
		fd    int
		wants []string
	}{
		"seqpacket":     {passed(t, seqpacket), []string{"seqpacket", "only stream sockets"}},
		"unix datagram": {passed(t, datagram), []string{"datagram", "only stream sockets"}},
		"unbound tcp":   {raw(t, unix.AF_INET, unix.SOCK_STREAM, 0), []string{"ipv4", "without an address", "bind it"}},
		"unbound tcp6":  {raw(t, unix.AF_INET6, unix.SOCK_STREAM, 0), []string{"ipv6", "without an address"}},
		"unbound unix":  {raw(t, unix.AF_UNIX, unix.SOCK_STREAM, 0), []string{"unix", "without an address"}},
		"netlink":       {raw(t, unix.AF_NETLINK, unix.SOCK_DGRAM, 0), []string{"only IPv4, IPv6 and unix"}},
	} {
		_, err := Inspect(Descriptor{Number: c.fd, Source: "fd:7"})
		expectError(t, name, err, append(c.wants, "fd:7 (descriptor ")...)
	}
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Inspect(Descriptor{Number: given(t, epoll), Source: "fd:7"})
	expectError(t, "epoll", err, "not a socket")
}

// A listener in the abstract namespace and one that speaks MPTCP are as good as others.
func TestTakeLinuxListeners(t *testing.T) {
	listeners := []net.Listener{listen(t, "unix", "@rouse-test-"+t.Name())}
	var config net.ListenConfig
	config.SetMultipathTCP(true)
	multipath, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer multipath.Close()
	for _, l := range append(listeners, multipath) {
		sockets, err := opener().take([]Descriptor{{Number: passed(t, l.(syscall.Conn)), Source: "fd:3"}})
		if err != nil {
			t.Fatal(err)
		}
		talk(t, sockets[0].Listener)
		Close(sockets)
	}
}

// A socket that was bound and not yet listens, as some supervisors pass it, is made to listen.
func TestTakeBound(t *testing.T) {
	fd := raw(t, unix.AF_INET, unix.SOCK_STREAM, 0)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	d := Descriptor{Number: fd, Source: "fd:3"}
	if s, err := Inspect(d); err != nil || s.Info.State != platform.Bound || s.Kind != Listener {
		t.Errorf("%+v, %v", s, err)
	}
	if info, err := platform.Describe(fd); err != nil || info.State != platform.Bound {
		t.Errorf("looking at it changed it: %+v, %v", info, err)
	}
	sockets, err := opener().take([]Descriptor{d})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(sockets)
	talk(t, sockets[0].Listener)
}

// A client of inetd that left before Rouse looked is nobody's failure: the program ends in peace, and closes the rest.
func TestTakeGone(t *testing.T) {
	before := openSockets(t)
	l := listen(t, "tcp", "127.0.0.1:0")
	fd, client := connection(t, l)
	client.(*net.TCPConn).SetLinger(0)
	client.Close() // a reset, which makes the server's end forget its peer
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(polled, int(patience.Milliseconds())); n != 1 || err != nil {
		t.Fatalf("the reset did not arrive: %d, %v", n, err)
	}
	sockets, err := opener().take([]Descriptor{{Number: fd, Source: "inetd:"}})
	if !errors.Is(err, ErrGone) || sockets != nil {
		t.Errorf("got %v, %v", sockets, err)
	}
	l.Close()
	if got := openSockets(t); got != before {
		t.Errorf("%d sockets are left open", got-before)
	}
}
