package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// admitted is a connection that an opener gave on.
type admitted struct {
	net.Conn
	unread, unsent string
	closes         bool
}

// opening runs an opener on a listener until the end of the test. It answers what ends in "!" with what answer gives; of "X"
// it closes.
func opening(t testing.TB, l net.Listener, answer string) (gone chan admitted) {
	t.Helper()
	gone = make(chan admitted, 100)
	o := &opener{
		first: func(_ caller, in, out []byte) (int, []byte, bool, bool) {
			request, _, whole := bytes.Cut(in, []byte("!"))
			return len(request) + 1, append(out, answer...), bytes.HasPrefix(in, []byte("X")), whole
		},
		admit: func(nc net.Conn, h heard) {
			t.Cleanup(func() { nc.Close() })
			gone <- admitted{nc, string(h.unread), string(h.unsent), h.last}
		},
	}
	b := batching(t, l)
	ended := make(chan error)
	go func() {
		for {
			if _, err := b.run(all(o)); err != nil {
				ended <- err
				return
			}
		}
	}()
	t.Cleanup(func() {
		b.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return gone
}

// speak connects when all that is said can be read at once.
func speak(t testing.TB, l *net.TCPListener, text string) net.Conn {
	t.Helper()
	deferring(t, l)
	c := dial(t, l)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// deferring makes the kernel hold clients back until they have said something.
func deferring(t testing.TB, l *net.TCPListener) {
	t.Helper()
	if err := unix.SetsockoptInt(descriptorOf(t, l), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 20); err != nil {
		t.Fatal(err)
	}
}

// What a client says first is answered where it is accepted; who goes on becomes a connection that knows what is still to be
// read and sent.
func TestOpener(t *testing.T) {
	long := strings.Repeat("x", openerReads)
	for name, c := range map[string]struct {
		said   string
		answer string    // what the client gets at once
		then   *admitted // nil: the connection is closed
	}{
		"whole and last":            {"X!", "yes", nil},
		"whole, another may follow": {"a!", "yes", &admitted{}},
		"two in one":                {"a!b", "yes", &admitted{unread: "b"}},
		"more after the last":       {"X!rest", "yes", nil},
		"not whole":                 {"a", "", &admitted{unread: "a"}},
		"longer than the buffer":    {long + "!", "", &admitted{unread: long}},
		"last and longer":           {"X" + long[1:], "", &admitted{unread: "X" + long[1:]}},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			gone := opening(t, l, "yes")
			client := speak(t, l, c.said)
			if c.then == nil {
				if got, err := io.ReadAll(client); string(got) != c.answer || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			got := make([]byte, len(c.answer))
			if _, err := io.ReadFull(client, got); string(got) != c.answer || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			next := <-gone
			if next.unread != c.then.unread || next.unsent != "" || next.closes {
				t.Errorf("went on with %q unread, %q unsent, close: %t", next.unread, next.unsent, next.closes)
			}
			if io.WriteString(next, "more"); !hears(client, "more") {
				t.Error("the client did not get what was written afterwards")
			}
		})
	}
}

// A client that says nothing yet is a connection at once, one that leaves without a word is none.
func TestOpenerSilentClients(t *testing.T) {
	l := listen(t)
	gone := opening(t, l, "yes")
	for range 20 {
		c := dial(t, l)
		next := <-gone
		if next.unread+next.unsent != "" || next.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("%+v", next)
		}
		if io.WriteString(c, "a"); !hears(next, "a") {
			t.Error("what the client said afterwards is lost")
		}
	}
	deferring(t, l)
	for range 20 {
		dial(t, l).Close()
	}
	speak(t, l, "X!")
	if len(gone) > 0 {
		t.Errorf("a client that left became a connection: %+v", <-gone)
	}
}

// What does not fit into the connection goes on with it, and not a byte is lost, whether it is the last reply or not.
func TestOpenerPartialWrite(t *testing.T) {
	for _, said := range []string{"X!", "a!"} {
		l := listen(t)
		answer := string(payload(16 << 20)) // more than buffers of both sides hold
		gone := opening(t, l, answer)
		client := speak(t, l, said)
		next := <-gone
		if len(next.unsent) == 0 || !strings.HasSuffix(answer, next.unsent) || next.closes != (said == "X!") {
			t.Fatalf("%d bytes are left, close: %t", len(next.unsent), next.closes)
		}
		go func() {
			io.WriteString(next, next.unsent)
			next.Close()
		}()
		if got, err := io.ReadAll(client); string(got) != answer || err != nil {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	}
}

// A client that is served and closed costs no memory.
func TestOpenerAllocations(t *testing.T) {
	l := listen(t)
	deferring(t, l)
	b := batching(t, l)
	o := &opener{first: func(_ caller, in, out []byte) (int, []byte, bool, bool) {
		return len(in), append(out, "yes"...), true, true
	}}
	const runs = 20
	for range runs + 1 {
		speak(t, l, "X!")
	}
	listener := descriptorOf(t, b.file)
	allocations := testing.AllocsPerRun(runs, func() {
		fd, err := b.from.accept(listener)
		if err != 0 {
			t.Fatal(err)
		}
		o.open(fd, &b.from)
	})
	if allocations != 0 {
		t.Errorf("%v allocations per client", allocations)
	}
}

// A client of a socket of our own is accepted when it has said something, or left.
func TestHoldSilent(t *testing.T) {
	everyKind(t, func(t *testing.T, l net.Listener) {
		holdSilent(l)
		if l.Addr().Network() == "unix" {
			return
		}
		silent, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		speaker, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer speaker.Close()
		io.WriteString(speaker, "hello")
		nc := takeOne(t, batching(t, l))
		defer nc.Close()
		if !hears(nc, "hello") || nc.RemoteAddr().String() != speaker.LocalAddr().String() || readable(l.(syscall.Conn)) {
			t.Error("the silent client was accepted")
		}
	})
	holdSilent(newScript())
}

// all lets a batch go on whatever the opener does.
func all(o *opener) func(fd int, from *peer) bool {
	return func(fd int, from *peer) bool {
		o.open(fd, from)
		return true
	}
}
