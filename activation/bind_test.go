package activation

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/platform"
)

// openOne opens one address and closes it at the end of the test.
func openOne(t testing.TB, text string) Socket {
	t.Helper()
	sockets, err := opener().Open([]Address{address(t, text)})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(func() { Close(sockets) })
	return sockets[0]
}

// A user without an activator gets an ordinary listening TCP socket, which other programs understand when it is passed on.
func TestBindTCP(t *testing.T) {
	for text, family := range map[string]platform.Family{"tcp:127.0.0.1:0": platform.IPv4, "tcp:0.0.0.0:0": platform.IPv4, "tcp:localhost:0": platform.IPv4} {
		s := openOne(t, text)
		described, err := platform.Describe(passed(t, s.Listener.(syscall.Conn)))
		if err != nil {
			t.Fatal(err)
		}
		if text == "tcp:localhost:0" { // may be either
			family = described.Family
		}
		if s.Info != described || described.Family != family || described.Protocol != "tcp" {
			t.Errorf("%s: it says %+v, the kernel %+v", text, s.Info, described)
		}
		if s.Source != text || s.Number != -1 || !s.Bound() || s.Kind != Listener || s.Wait || s.String() != text {
			t.Errorf("%s: %+v", text, s)
		}
		if !closeOnExec(t, s.Listener) {
			t.Errorf("%s: child processes inherit it", text)
		}
		talk(t, s.Listener)
	}
}

// tcp:PORT serves IPv4 and IPv6 clients alike, as the documentation of the address says.
func TestBindTCPAllAddresses(t *testing.T) {
	listen(t, "tcp6", "[::1]:0") // skips where there is no IPv6
	s := openOne(t, "tcp:0")
	if s.Info.Family != platform.IPv6 {
		t.Errorf("%+v", s.Info)
	}
	_, port, _ := net.SplitHostPort(s.Info.Local)
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), patience)
		if err != nil {
			t.Error(err)
			continue
		}
		c.Close()
	}
}

// A user whose port is taken reads which port, by whom where that can be known, and what to do; the cause stays testable.
func TestBindTCPErrors(t *testing.T) {
	taken := listen(t, "tcp", "127.0.0.1:0").Addr().(*net.TCPAddr)
	text := fmt.Sprintf("tcp:127.0.0.1:%d", taken.Port)
	_, err := opener().Open([]Address{address(t, text)})
	wants := []string{text + ": ", fmt.Sprintf("port %d", taken.Port), "taken by", "another port"}
	if platform.PortHolder(taken.Port) != "" {
		wants = []string{text + ": ", fmt.Sprintf("another address of this process has port %d", taken.Port), "leave one"}
	}
	expectError(t, "a port in use", err, wants...)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v is not EADDRINUSE", err)
	}
	for _, c := range []struct {
		cause error
		wants []string
	}{
		{syscall.EACCES, []string{"tcp:[::]:80: ", "may not bind port 80", "systemd, launchd or inetd", "1024"}},
		{syscall.EADDRNOTAVAIL, []string{"tcp:[::]:80: ", "no such address"}},
		{syscall.ENOBUFS, []string{"tcp:[::]:80: ", syscall.ENOBUFS.Error()}},
		{&net.DNSError{Err: "no such host", Name: "nowhere"}, []string{"tcp:[::]:80: ", "nowhere"}},
	} {
		err := bindError(address(t, "tcp:[::]:80"), "[::]:80", &net.OpError{Op: "listen", Net: "tcp", Err: c.cause})
		expectError(t, c.cause.Error(), err, c.wants...)
		if !errors.Is(err, c.cause) {
			t.Errorf("%v does not wrap %v", err, c.cause)
		}
	}
}

// A UDP address is bound for a program: it yields a packet socket that nothing here listens on, and that Close closes.
func TestBindUDP(t *testing.T) {
	before := openSockets(t)
	sockets, err := opener().Open([]Address{address(t, "udp:127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	if s := sockets[0]; s.Kind != Packet || !s.Bound() || s.Listener != nil || s.Info.Protocol != "udp" || s.Info.Family != platform.IPv4 {
		t.Errorf("%+v", s)
	}
	Close(sockets)
	if n := openSockets(t); n != before {
		t.Errorf("%d sockets are left open", n-before)
	}
}
