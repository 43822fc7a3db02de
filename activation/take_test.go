package activation

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/platform"
)

// An inherited listener serves, its number is free again for nobody to stumble over, and no child process gets it.
func TestTakeListeners(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	for _, l := range []net.Listener{listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", path)} {
		before := openSockets(t)
		fd := passed(t, l.(syscall.Conn))
		sockets, err := opener().take([]Descriptor{{Number: fd, Name: "web", Source: "systemd:web"}})
		if err != nil {
			t.Fatal(err)
		}
		if platform.IsSocket(fd) {
			t.Error("the passed descriptor stays open beside the listener")
		}
		if got := openSockets(t); got != before+1 {
			t.Errorf("%d more sockets are open, 1 was taken", got-before)
		}
		s := sockets[0]
		if !closeOnExec(t, s.Listener) {
			t.Error("child processes inherit the listener")
		}
		if s.Listener.Addr().String() != l.Addr().String() {
			t.Errorf("it listens on %s, was passed %s", s.Listener.Addr(), l.Addr())
		}
		talk(t, s.Listener)
		Close(sockets)
		if got := openSockets(t); got != before {
			t.Errorf("%d sockets are left open after Close", got-before)
		}
		talk(t, l) // the activator's own copy still listens
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("closing an inherited unix socket removed its file: %v", err)
	}
}

// The connection that inetd's nowait mode or systemd's Accept=yes passes is served as the only one of a listener.
func TestTakeConnection(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	before := openSockets(t)
	fd, client := connection(t, l)
	sockets, err := opener().take([]Descriptor{{Number: fd, Name: "connection", Source: "systemd:connection"}})
	if err != nil {
		t.Fatal(err)
	}
	if sockets[0].Kind != Connection || platform.IsSocket(fd) {
		t.Errorf("%+v", sockets[0])
	}
	server, err := sockets[0].Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if !closeOnExec(t, server.(interface{ NetConn() net.Conn }).NetConn()) {
		t.Error("child processes inherit the connection")
	}
	if server.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("it comes from %s, the client is %s", server.RemoteAddr(), client.LocalAddr())
	}
	go io.WriteString(client, "knock")
	word := make([]byte, 5)
	if _, err := io.ReadFull(server, word); err != nil || string(word) != "knock" {
		t.Errorf("read %q, %v", word, err)
	}
	server.Close()
	client.Close()
	if got := openSockets(t); got != before {
		t.Errorf("%d sockets are left open", got-before)
	}
}

// When one of several sockets cannot be used the program stops, and the ones before it are given back.
func TestTakeClosesOnError(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	before := openSockets(t)
	first, second := passed(t, l.(syscall.Conn)), passed(t, l.(syscall.Conn))
	sockets, err := opener().take([]Descriptor{{Number: first, Source: "fd:a"}, {Number: second, Source: "fd:b"}, {Number: 999, Source: "fd:999"}})
	if sockets != nil {
		t.Errorf("%d sockets beside an error", len(sockets))
	}
	expectError(t, "a closed one behind two", err, "fd:999")
	if got := openSockets(t); got != before {
		t.Errorf("%d sockets are left open", got-before)
	}
	sockets, err = opener().Open([]Address{address(t, "tcp:127.0.0.1:0"), address(t, "fd:999")})
	if sockets != nil || err == nil {
		t.Errorf("Open gave %v, %v", sockets, err)
	}
	if got := openSockets(t); got != before {
		t.Errorf("%d sockets are left open by Open", got-before)
	}
}

// One descriptor under two addresses is a mistake that the user hears of, not two listeners that take turns.
func TestTakeTwice(t *testing.T) {
	fd := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	o := opener()
	sockets, err := o.take([]Descriptor{{Number: fd, Source: "systemd:web"}})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(sockets)
	_, err = o.take([]Descriptor{{Number: fd, Source: "fd:3"}})
	expectError(t, "the second address", err, "fd:3", "two addresses")
}

// Addresses are opened in their order, each with the role that stands before it.
func TestOpen(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	fd := passed(t, l.(syscall.Conn))
	o := opener()
	o.listenFDs = listenFDs{descriptors: []Descriptor{{Number: fd, Name: "web", Source: "systemd:web"}}}
	addresses, err := ParseAddresses("http=tcp:127.0.0.1:0, https=systemd:web tcp:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := o.Open(addresses)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(sockets)
	var got []string
	for _, s := range sockets {
		got = append(got, s.Role+"="+s.Source)
	}
	if want := "http=tcp:127.0.0.1:0 https=systemd:web =tcp:127.0.0.1:0"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if sockets[1].Name != "web" || sockets[1].Bound() || !sockets[0].Bound() || sockets[0].Number != -1 {
		t.Errorf("%+v", sockets)
	}
	if left := o.Left(); len(left) != 0 {
		t.Errorf("%v are said to be left", left)
	}
}

// A passed socket that no address takes is reported: its clients would wait for nobody.
func TestLeft(t *testing.T) {
	one, two := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn)), passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	o := opener()
	o.listenFDs = listenFDs{descriptors: []Descriptor{{Number: one, Name: "web", Source: "systemd:web"}, {Number: two, Name: "quic", Source: "systemd:quic"}}}
	sockets, err := o.Open([]Address{address(t, "systemd:web")})
	if err != nil {
		t.Fatal(err)
	}
	defer Close(sockets)
	if left := o.Left(); len(left) != 1 || left[0].Source != "systemd:quic" {
		t.Errorf("left: %v", left)
	}
}
