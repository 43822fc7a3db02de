package relay

import (
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// While the door is shut clients wait in the kernel's queue, and none of them is lost.
func TestDoor(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		front := listen(t, network)
		log, _ := quiet()
		taken := make(chan net.Conn, 100)
		door := NewDoor(front, "front", log, func(c net.Conn) { taken <- c })
		clients := map[string]bool{}
		call := func() { clients[dial(t, front).LocalAddr().String()] = true }
		call()
		door.Open()
		door.Open()
		(<-taken).Close()
		for range 10 {
			door.Shut()
			before := len(taken)
			for range 5 {
				call()
			}
			if len(taken) != before {
				t.Errorf("%s: %d were taken through a shut door", network, len(taken)-before)
			}
			door.Open()
		}
		for range 50 {
			select {
			case c := <-taken:
				c.Close()
			case <-time.After(limit):
				t.Fatalf("%s: a client was lost", network)
			}
		}
		door.Shut()
		door.Shut()
		if err := door.Close(); err != nil {
			t.Error(err)
		}
		if network == "tcp4" && len(clients) != 51 {
			t.Errorf("%d clients", len(clients))
		}
	}
}

// failing is a listener that fails a number of times first.
type failing struct {
	Listener
	mu    sync.Mutex
	left  int
	calls int
	err   error
}

func (f *failing) Accept() (net.Conn, error) {
	f.mu.Lock()
	f.calls++
	fails := f.left > 0
	f.left--
	f.mu.Unlock()
	if fails {
		return nil, &net.OpError{Op: "accept", Err: f.err}
	}
	return f.Listener.Accept()
}

// A want of descriptors neither ends the door nor keeps a CPU busy, and is told once.
func TestDoorEndures(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ECONNABORTED} {
		front := &failing{Listener: listen(t, "tcp4"), left: 4, err: cause}
		log, text := quiet()
		taken := make(chan net.Conn, 1)
		door := NewDoor(front, "front", log, func(c net.Conn) { taken <- c })
		dial(t, front)
		started := time.Now()
		door.Open()
		select {
		case c := <-taken:
			c.Close()
		case <-time.After(limit):
			t.Fatalf("%v: the client was lost", cause)
		}
		if spent := time.Since(started); spent < 4*shortestRest {
			t.Errorf("%v: it did not rest: %s", cause, spent)
		}
		door.Close()
		if n := strings.Count(text.String(), "cannot accept"); n != 1 {
			t.Errorf("%v: %d lines:\n%s", cause, n, text)
		}
	}
}

// A door that rests after an error is shut at once, without another attempt.
func TestDoorShutsWhileResting(t *testing.T) {
	front := &failing{Listener: listen(t, "tcp4"), left: 1 << 30, err: syscall.EMFILE}
	log, _ := quiet()
	door := NewDoor(front, "front", log, func(net.Conn) {})
	door.Open()
	for until := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		front.mu.Lock()
		calls := front.calls
		front.mu.Unlock()
		if calls >= 5 || time.Now().After(until) {
			break
		}
	}
	started := time.Now()
	door.Shut()
	if spent := time.Since(started); spent > longestRest/2 {
		t.Errorf("it took %s", spent)
	}
}
