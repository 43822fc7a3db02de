package relay

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Listener is where clients arrive: a *net.TCPListener or a *net.UnixListener.
type Listener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// Door lets the clients of one listener in. While it is shut they wait in the kernel's queue.
type Door struct {
	listener Listener
	name     string // in messages
	log      *slog.Logger
	take     func(net.Conn)

	mu     sync.Mutex
	shut   chan struct{} // closed to end the loop; nil while the door is shut
	parked chan struct{} // closed when the loop has ended
}

// NewDoor returns a door that is shut. take is called for one client after the other, and must not wait for any of them.
func NewDoor(l Listener, name string, log *slog.Logger, take func(net.Conn)) *Door {
	return &Door{listener: l, name: name, log: log, take: take}
}

// Open lets clients in. On an open door it does nothing.
func (d *Door) Open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut != nil {
		return
	}
	d.listener.SetDeadline(time.Time{})
	d.shut, d.parked = make(chan struct{}), make(chan struct{})
	go d.accept(d.shut, d.parked)
}

// Shut returns when nothing is taken from the queue any more; what was, has been given to take by then.
func (d *Door) Shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut == nil {
		return
	}
	close(d.shut)
	d.listener.SetDeadline(time.Unix(1, 0))
	<-d.parked
	d.shut = nil
}

// Close shuts the door and closes the listener.
func (d *Door) Close() error {
	d.Shut()
	return d.listener.Close()
}

// The pauses after an accept that failed. Descriptors or memory may be wanting (accept(2): EMFILE, ENFILE, ENOBUFS), or the
// client has gone already; none is a reason to give the listener up, and an error that stays must not keep a CPU busy.
const (
	shortestRest = 5 * time.Millisecond
	longestRest  = time.Second
	warnEvery    = 10 * time.Second
)

func (d *Door) accept(shut <-chan struct{}, parked chan<- struct{}) {
	defer close(parked)
	var rest time.Duration
	var warned time.Time
	for {
		c, err := d.listener.Accept()
		if err == nil {
			rest = 0
			d.take(c)
			continue
		}
		select {
		case <-shut:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if time.Since(warned) > warnEvery {
			warned = time.Now()
			d.log.Error("cannot accept connections; they wait", "socket", d.name, "err", err)
		}
		rest = min(max(2*rest, shortestRest), longestRest)
		select {
		case <-shut:
			return
		case <-time.After(rest):
		}
	}
}
