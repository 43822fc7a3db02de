package inetd

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestWaitModeTCP(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	start(t, waiting(itself(t, "accept")), Options{}, h)
	for range 3 { // one process after the other
		if got := answer(t, dial(t, h)); got != "accepted\n" {
			t.Errorf("got %q", got)
		}
	}
}

func TestWaitModeUDP(t *testing.T) {
	h := hold(t, "udp:127.0.0.1:0")
	start(t, itself(t, "datagram"), Options{}, h)
	c, err := net.Dial("udp", h.Info.Local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for _, text := range []string{"one", "two"} {
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != "got "+text {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
}

// A program that fails is started less and less often, for ever.
func TestWaitModeFailing(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	count := t.TempDir() + "/count"
	r := start(t, waiting(shell(`echo >>`+count+`; echo sorry >&2; exit 3`)), Options{}, h)
	dial(t, h)
	r.log.await(t, "ends as soon as it is started")
	r.log.await(t, "msg=sorry", "client=tcp:127.0.0.1:0")
	if text, err := os.ReadFile(count); err != nil || strings.Count(string(text), "\n") != freeStarts+1 {
		t.Errorf("started %d times, %v; want %d", strings.Count(string(text), "\n"), err, freeStarts+1)
	}
}

// The end of the context ends a program that would go on accepting.
func TestWaitModeEnd(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	r := start(t, waiting(shell(`echo started >&2; exec sleep 600`)), Options{Grace: time.Hour}, h)
	dial(t, h)
	r.log.await(t, "msg=started")
	r.stop()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

func TestPace(t *testing.T) {
	p := newPace()
	for n := range 2 * freeStarts {
		delay := p.after(true, time.Millisecond, true)
		if free := n < freeStarts; free != (delay == 0) {
			t.Fatalf("failure %d: pause %v", n, delay)
		}
	}
	if delay := newPace().after(false, time.Millisecond, true); delay != 0 {
		t.Errorf("a good end: pause %v", delay)
	}
	p = newPace()
	for range 10 * freeStarts {
		if delay := p.after(false, time.Minute, true); delay != 0 {
			t.Fatalf("a good end after long: pause %v", delay)
		}
		if delay := p.after(false, 0, false); delay != 0 {
			t.Fatalf("nobody waits: pause %v", delay)
		}
	}
}
