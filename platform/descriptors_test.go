package platform

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The program tells inetd's one socket on three descriptors from three that only look alike.
func TestSameFile(t *testing.T) {
	one, other := pair(t), pair(t)
	twin, err := unix.Dup(one[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(twin)
	for _, c := range []struct {
		name string
		a, b int
		want bool
	}{
		{"a duplicate", one[0], twin, true},
		{"itself", one[0], one[0], true},
		{"the other end", one[0], one[1], false},
		{"another pair", one[0], other[0], false},
		{"nothing", one[0], 987654, false},
		{"nothing twice", 987654, 987654, false},
	} {
		if got := SameFile(c.a, c.b); got != c.want || SameFile(c.b, c.a) != got {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// What came through exec is told from what the program opened itself.
func TestOpenedHere(t *testing.T) {
	fd := pair(t)[0]
	if OpenedHere(fd) || OpenedHere(987654) {
		t.Error("a descriptor without close-on-exec, or none, is said to be our own")
	}
	unix.CloseOnExec(fd)
	if !OpenedHere(fd) {
		t.Error("one with close-on-exec is not said to be our own")
	}
}

// A server that is about to leave sees every kind of thing that somebody has to look at: bytes, a connection, an end.
func TestReadable(t *testing.T) {
	if Readable() {
		t.Error("nothing at all is readable")
	}
	one := pair(t)
	if Readable(one[0]) || Readable(one[0], one[1]) {
		t.Error("an empty socket is readable")
	}
	if _, err := unix.Write(one[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	if !Readable(one[0]) || Readable(one[1]) || !Readable(one[1], one[0]) {
		t.Error("a byte is not seen, or at the wrong end")
	}
	ended := pair(t)
	if err := unix.Shutdown(ended[1], unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if !Readable(ended[0]) {
		t.Error("the end is not seen")
	}
	l := listen(t, "unix", filepath.Join(shortDir(t), "s"))
	fd := number(t, l.(syscall.Conn))
	if Readable(fd) {
		t.Error("an idle listener is readable")
	}
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if !Readable(fd) {
		t.Error("a waiting connection is not seen")
	}
}
