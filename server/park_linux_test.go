package server

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// parking makes a lot that ends with the test.
func parking(t testing.TB, wake func(*parked)) *lot {
	t.Helper()
	l, err := newLot(wake)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

// unixPair is both ends of a connection over a unix socket.
func unixPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// A connection sleeps in the lot until its client says something, and then goes on where it was: same addresses, nothing lost.
func TestPark(t *testing.T) {
	noLeaks(t)
	tcpNear, tcpFar := tcpPair(t)
	unixNear, unixFar := unixPair(t)
	adopted, adoptedFar := adoptedPair(t)
	for name, pair := range map[string][2]net.Conn{"TCP": {tcpNear, tcpFar}, "unix": {unixNear, unixFar}, "adopted": {adopted, adoptedFar}} {
		t.Run(name, func(t *testing.T) {
			woken := make(chan *parked, 1)
			l := parking(t, func(p *parked) { woken <- p })
			near, far := pair[0], pair[1]
			local, remote := near.LocalAddr().String(), near.RemoteAddr().String()
			for range 3 {
				p, err := l.park(near, t)
				if err != nil || l.count() != 1 || p.owner != t || p.readable() {
					t.Fatalf("parked %+v, %v, %d in the lot", p, err, l.count())
				}
				if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("whoever had it can still write: %v", err)
				}
				if len(woken) > 0 {
					t.Error("woken by nobody")
				}
				io.WriteString(far, "hello")
				if got := <-woken; got != p || !p.readable() {
					t.Fatalf("%p was woken instead of %p", got, p)
				}
				if near, err = p.unpark(); err != nil {
					t.Fatal(err)
				}
				if !hears(near, "hello") || l.count() != 0 || near.LocalAddr().String() != local || near.RemoteAddr().String() != remote {
					t.Errorf("%d in the lot, %s, %s", l.count(), near.LocalAddr(), near.RemoteAddr())
				}
				if io.WriteString(near, "yes"); !hears(far, "yes") {
					t.Error("the answer is lost")
				}
			}
			near.Close()
		})
	}
}

// What was said just before a connection is parked wakes it, and so do the client's end and its reset.
func TestParkWakesAtOnce(t *testing.T) {
	woken := make(chan *parked, 1)
	l := parking(t, func(p *parked) { woken <- p })
	for name, act := range map[string]func(far *net.TCPConn){
		"bytes": func(far *net.TCPConn) { io.WriteString(far, "x") },
		"end":   func(far *net.TCPConn) { far.Close() },
		"half":  func(far *net.TCPConn) { far.CloseWrite() },
		"reset": func(far *net.TCPConn) { far.SetLinger(0); far.Close() },
	} {
		for _, before := range []bool{true, false} {
			near, far := tcpPair(t)
			if before {
				act(far)
			}
			p, err := l.park(near, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !before {
				act(far)
			}
			select {
			case got := <-woken:
				if got != p || !p.readable() {
					t.Errorf("%s: another one was woken", name)
				}
			case <-time.After(bound):
				t.Fatalf("%s, before parking: %t: nobody is woken", name, before)
			}
			p.Close()
		}
	}
	if l.count() != 0 {
		t.Errorf("%d are left", l.count())
	}
}

// Only one gets a parked connection; for all others it is closed, as it is when the lot is.
func TestUnparkOnce(t *testing.T) {
	noLeaks(t)
	l := parking(t, func(*parked) { t.Error("woken") })
	near, far := tcpPair(t)
	p, err := l.park(near, nil)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := p.unpark()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.unpark(); !errors.Is(err, net.ErrClosed) || p.readable() {
		t.Errorf("the second gets %v", err)
	}
	p.Close() // nothing: it is somebody else's
	if io.WriteString(nc, "x"); !hears(far, "x") {
		t.Error("the connection was closed")
	}
	if p, err = l.park(nc, nil); err != nil {
		t.Fatal(err)
	}
	l.close()
	l.close()
	if _, err := p.unpark(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the lot was closed: %v", err)
	}
	if rest, err := io.ReadAll(far); len(rest) != 0 || err != nil {
		t.Errorf("the client got %q, %v", rest, err)
	}
	near, far = tcpPair(t)
	if _, err := l.park(near, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("in a closed lot: %v", err)
	}
	if io.WriteString(near, "x"); !hears(far, "x") {
		t.Error("a connection that could not be parked is closed")
	}
}

// What the kernel does not know cannot be parked, and what is closed neither; both stay as they are.
func TestParkUnsupported(t *testing.T) {
	l := parking(t, nil)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if _, err := l.park(near, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a pipe: %v", err)
	}
	closed, _ := tcpPair(t)
	closed.Close()
	if _, err := l.park(closed, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed connection: %v", err)
	}
	if l.count() != 0 {
		t.Errorf("%d in the lot", l.count())
	}
}

// Without a descriptor to spare a connection is not parked, and goes on; one that is parked needs none to go on.
func TestParkOutOfDescriptors(t *testing.T) {
	l := parking(t, nil)
	near, far := tcpPair(t)
	other, otherFar := tcpPair(t)
	p, err := l.park(other, nil)
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4, Max: limit.Max})
	_, err = l.park(near, nil)
	resumed, failed := p.unpark()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EMFILE) || failed != nil {
		t.Fatalf("parking gives %v, going on %v", err, failed)
	}
	defer resumed.Close()
	for nc, far := range map[net.Conn]net.Conn{near: far, resumed: otherFar} {
		if io.WriteString(nc, "x"); !hears(far, "x") {
			t.Error("the connection is dead")
		}
	}
}

// count is how many connections are parked.
func (l *lot) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spaces)
}
