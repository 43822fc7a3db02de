package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// flags are the descriptor's own and those of what is open there (fcntl(2)).
func flags(t testing.TB, fd int) (own, file int) {
	t.Helper()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	if file, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil {
		t.Fatal(err)
	}
	return own, file
}

// A socket that was passed is held as it came, but for the close-on-exec flag: the program that gets it must not find it
// changed, and a client that waits in its queue waits on.
func TestHoldPassed(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	web := passed(t, l.(syscall.Conn))
	unix.SetNonblock(web, false)
	_, before := flags(t, web)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	dns := raw(t, unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err := unix.Bind(dns, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	o := opener()
	o.listenFDs = listenFDs{descriptors: []Descriptor{{Number: web, Name: "web", Source: "systemd:web"}, {Number: dns, Name: "dns", Source: "systemd:dns"}}}
	held, notices, err := o.Hold(nil, nil)
	if err != nil || len(notices) > 0 || len(held) != 2 {
		t.Fatalf("%v, %q, %v", held, notices, err)
	}
	h := held[0]
	if h.Name != "web" || h.Source != "systemd:web" || h.Number != web || h.Kind != Listener || h.Bound || !h.Passed || h.Info.Local != l.Addr().String() {
		t.Errorf("%+v", h)
	}
	if held[1].Kind != Packet || held[1].Number != dns || held[1].Name != "dns" {
		t.Errorf("%+v", held[1])
	}
	own, after := flags(t, web)
	if own&unix.FD_CLOEXEC == 0 || after != before {
		t.Errorf("its flags are %#x and %#x, were %#x", own, after, before)
	}
	if !platform.Readable(web) {
		t.Error("the client does not wait any more")
	}
	for _, h := range held {
		h.Close()
	}
	if platform.IsSocket(web) || platform.IsSocket(dns) {
		t.Error("a socket is open after Close")
	}
}

// An address picks a socket and names it by its role; one that is left over is told, and kept from the program.
func TestHoldAddresses(t *testing.T) {
	one, two := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn)), passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	o := opener()
	o.listenFDs = listenFDs{descriptors: []Descriptor{{Number: one, Name: "web", Source: "systemd:web"}, {Number: two, Name: "admin", Source: "systemd:admin"}}}
	held, notices, err := o.Hold([]Address{address(t, "http=systemd:web")}, nil)
	if err != nil || len(held) != 1 || held[0].Name != "http" || held[0].Number != one {
		t.Fatalf("%v, %v", held, err)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "systemd:admin") {
		t.Errorf("%q", notices)
	}
	if own, _ := flags(t, two); own&unix.FD_CLOEXEC == 0 {
		t.Error("the program would inherit what no address takes")
	}
	held, notices, err = o.Hold([]Address{address(t, "systemd:admin")}, nil)
	if err != nil || len(notices) > 0 || len(held) != 1 || held[0].Number != two {
		t.Errorf("what was left cannot be taken later: %v, %q, %v", held, notices, err)
	}
	fd := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	number := uint(fd)
	held, _, err = opener().Hold(nil, &number)
	if err != nil || len(held) != 1 || held[0].Passed || held[0].Source != fmt.Sprintf("fd:%d", fd) {
		t.Errorf("--fd: %+v, %v", held, err)
	}
}

// What Rouse binds itself blocks, as programs expect of a socket that they inherit, and goes when it is closed.
func TestHoldBound(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	for text, want := range map[string]platform.Socket{
		"tcp:127.0.0.1:0":     {Family: platform.IPv4, Type: platform.Stream, Protocol: "tcp", State: platform.Listening},
		"tcp:0.0.0.0:0":       {Family: platform.IPv4, Type: platform.Stream, Protocol: "tcp", State: platform.Listening},
		"udp:0.0.0.0:0":       {Family: platform.IPv4, Type: platform.Datagram, Protocol: "udp", State: platform.Bound},
		"dns=udp:127.0.0.1:0": {Family: platform.IPv4, Type: platform.Datagram, Protocol: "udp", State: platform.Bound},
		"unix:" + path:        {Family: platform.Unix, Type: platform.Stream, Protocol: "unix", State: platform.Listening},
	} {
		before := openSockets(t)
		a := address(t, text)
		held, _, err := opener().Hold([]Address{a}, nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		h := held[0]
		described, err := platform.Describe(h.Number)
		if err != nil || described != h.Info {
			t.Errorf("%s: it says %+v, the kernel %+v, %v", text, h.Info, described, err)
		}
		described.Local = ""
		if described != want {
			t.Errorf("%s: %+v", text, described)
		}
		if h.Name != a.Role || h.Source != a.String() || !h.Bound || h.Passed || h.String() != a.String() {
			t.Errorf("%s: %+v", text, h)
		}
		if own, file := flags(t, h.Number); own&unix.FD_CLOEXEC == 0 || file&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: flags %#x and %#x", text, own, file)
		}
		if n := openSockets(t) - before; n != 1 {
			t.Errorf("%s: %d sockets are open", text, n)
		}
		h.Close()
		if n := openSockets(t) - before; n != 0 {
			t.Errorf("%s: %d sockets are left open", text, n)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

// What a program cannot be started on is refused, and nothing stays open.
func TestHoldErrors(t *testing.T) {
	taken := listen(t, "tcp", "127.0.0.1:0")
	fd, _ := connection(t, taken)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	before := openSockets(t)
	for text, wants := range map[string][]string{
		"fd:999":                              {"fd:999", "not open"},
		"systemd:web":                         {"systemd:web", "LISTEN_FDS is not set"},
		"tcp:" + taken.Addr().String():        {"tcp:127.0.0.1", "address already in use"},
		"udp:" + packets.LocalAddr().String(): {"udp:127.0.0.1", "is taken by another program"},
	} {
		held, _, err := opener().Hold([]Address{address(t, "tcp:127.0.0.1:0"), address(t, text)}, nil)
		expectError(t, text, err, wants...)
		if held != nil {
			t.Errorf("%s: %v beside an error", text, held)
		}
	}
	o := opener()
	o.listenFDs = listenFDs{descriptors: []Descriptor{{Number: fd, Name: "connection", Source: "systemd:connection"}}}
	_, _, err = o.Hold(nil, nil)
	expectError(t, "a connection", err, "is one connection", "Accept=no")
	if n := openSockets(t); n > before { // fewer: what a test before this one had let go of
		t.Errorf("%d sockets are left open", n-before)
	}
}
