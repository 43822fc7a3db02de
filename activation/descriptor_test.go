package activation

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// Whatever socket an activator passes, serve and `rouse sockets` know what it is and what to do with it.
func TestInspect(t *testing.T) {
	dir := shortDir(t)
	tcp := listen(t, "tcp", "127.0.0.1:0")
	connected, client := connection(t, tcp)
	path := filepath.Join(dir, "s")
	local := listen(t, "unix", path)
	localConnected, _ := connection(t, local)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	given(t, pair[1])
	for _, c := range []struct {
		name   string
		fd     int
		kind   Kind
		family platform.Family
		state  platform.State
		local  string
		remote string
	}{
		{"tcp listener", passed(t, tcp.(syscall.Conn)), Listener, platform.IPv4, platform.Listening, tcp.Addr().String(), ""},
		{"unix listener", passed(t, local.(syscall.Conn)), Listener, platform.Unix, platform.Listening, path, ""},
		{"tcp connection", connected, Connection, platform.IPv4, platform.Connected, tcp.Addr().String(), client.LocalAddr().String()},
		{"unix connection", localConnected, Connection, platform.Unix, platform.Connected, path, ""},
		{"unnamed unix pair", given(t, pair[0]), Connection, platform.Unix, platform.Connected, "", ""},
		{"udp", passed(t, udp.(syscall.Conn)), Packet, platform.IPv4, platform.Bound, udp.LocalAddr().String(), ""},
	} {
		s, err := Inspect(Descriptor{Number: c.fd, Name: "web", Source: "systemd:web"})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if s.Kind != c.kind || s.Info.Family != c.family || s.Info.State != c.state || s.Info.Local != c.local || s.Info.Remote != c.remote {
			t.Errorf("%s: %s, %+v", c.name, s.Kind, s.Info)
		}
		if s.Name != "web" || s.Number != c.fd || s.Bound() || s.Wait || s.Listener != nil || !strings.HasPrefix(s.String(), "systemd:web (descriptor ") {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

// A dual-stack listener, which systemd opens for a bare port, is served like any other.
func TestInspectIPv6(t *testing.T) {
	l := listen(t, "tcp6", "[::1]:0")
	s, err := Inspect(Descriptor{Number: passed(t, l.(syscall.Conn)), Source: "fd:3"})
	if err != nil || s.Kind != Listener || s.Info.Family != platform.IPv6 || s.Info.Local != l.Addr().String() {
		t.Errorf("%+v, %v", s, err)
	}
}

// What cannot be served is refused with its number, what it is, and what to pass instead: never silently left out.
func TestInspectErrors(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	for _, c := range []struct {
		name  string
		conn  syscall.Conn
		wants []string
	}{
		{"a file", file, []string{"a regular file", "not a socket", "pass a listening socket"}},
		{"a device", null, []string{"a character device", "not a socket"}},
		{"a folder", dir, []string{"a directory", "not a socket"}},
		{"a pipe", reader, []string{"a pipe", "not a socket"}},
	} {
		fd := passed(t, c.conn)
		_, err := Inspect(Descriptor{Number: fd, Source: "fd:7"})
		expectError(t, c.name, err, append(c.wants, "fd:7: ")...)
		if !errors.Is(err, platform.ErrNotSocket) {
			t.Errorf("%s: %v is not ErrNotSocket", c.name, err)
		}
	}
	_, err = Inspect(Descriptor{Number: 999, Source: "fd:999"})
	expectError(t, "nothing", err, "fd:999: ", "descriptor 999 is not open", "pass a listening socket")
	if !errors.Is(err, syscall.EBADF) {
		t.Errorf("nothing: %v is not EBADF", err)
	}
}

// A wrong number that happens to be one of the program's own descriptors does not take its own socket away from it.
func TestInspectOwn(t *testing.T) {
	s := openOne(t, "tcp:127.0.0.1:0")
	raw, err := s.Listener.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		_, err := Inspect(Descriptor{Number: int(fd), Source: "fd:7"})
		expectError(t, "an own socket", err, "fd:7: ", "is not open", "the program's own", "pass a listening socket")
		if _, err := Inspect(Descriptor{Number: int(fd), Source: "launchd:Listeners"}); err != nil {
			t.Errorf("launchd's, on which close-on-exec is set already: %v", err)
		}
	})
	talk(t, s.Listener)
}
