package activation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// inAdvance is how many connections may be on their way to a server. With each one that it accepts another one may come.
const inAdvance = 128

// channelListener accepts the connections that arrive over a channel, and those of the listeners that do.
type channelListener struct {
	channel handoff.Channel
	keeps   bool // what is not accepted before Close is given to others
	address net.Addr
	log     *slog.Logger
	context context.Context
	end     context.CancelFunc
	ended   chan struct{} // closed when nothing is received any more
	late    deadline
	came    chan offer // who sends holds it back until somebody accepts

	mu     sync.Mutex
	next   []offer // was taken by look
	queues map[uint64]*os.File
}

// offer is what Accept makes a connection of, or its error.
type offer struct {
	arrival *handoff.Arrival
	queue   *os.File      // a listening socket with a client in its queue, who stays there for others until Accept
	taken   chan struct{} // of a queue: closed when it has been accepted from
	err     error
}

func (o offer) decline() {
	if o.arrival != nil {
		o.arrival.Decline()
	}
}

func newChannelListener(c handoff.Channel, keeps bool, info platform.Socket, log *slog.Logger) *channelListener {
	l := &channelListener{
		channel: c, keeps: keeps, log: log, ended: make(chan struct{}), late: deadline{over: make(chan struct{})},
		came: make(chan offer), queues: map[uint64]*os.File{}, address: &net.UnixAddr{Name: info.Local + info.Remote, Net: "unix"},
	}
	l.context, l.end = context.WithCancel(context.Background())
	c.Grant(inAdvance)
	go l.receive()
	return l
}

// receive offers what arrives, one at a time.
func (l *channelListener) receive() {
	defer close(l.ended)
	for l.context.Err() == nil {
		arrival, err := l.channel.Next(l.context)
		switch {
		case errors.Is(err, io.EOF): // nobody can send any more: a server ends with its last client
			l.give(offer{err: net.ErrClosed})
			return
		case err != nil:
			l.give(offer{err: err})
		case arrival.Kind == handoff.Connection:
			l.give(offer{arrival: arrival})
		case arrival.Kind == handoff.Listener:
			l.listen(arrival)
		case arrival.Kind == handoff.Withdrawn:
			l.withdraw(arrival.ID)
		default:
			unix.Close(arrival.Number)
			l.log.Error(fmt.Sprintf("%s: the dispatcher gives a UDP socket (%s), and Rouse does not speak HTTP/3 yet: route UDP elsewhere", l.channel, arrival.Meta.Listener))
		}
	}
}

// give waits until somebody accepts, and tells whether anybody did.
func (l *channelListener) give(o offer) bool {
	select {
	case l.came <- o:
		return true
	case <-l.context.Done():
		o.decline()
		return false
	}
}

// listen offers the clients of a listener that arrived.
func (l *channelListener) listen(arrival *handoff.Arrival) {
	err := unix.SetNonblock(arrival.Number, true) // so that the runtime waits for it
	queue := os.NewFile(uintptr(arrival.Number), l.channel.String())
	raw, cannot := queue.SyscallConn()
	if err = errors.Join(err, cannot); err != nil {
		queue.Close()
		l.log.Error(fmt.Sprintf("%s: a listener that the dispatcher gave cannot be used", l.channel), "err", err)
		return
	}
	l.mu.Lock()
	former := l.queues[arrival.ID]
	l.queues[arrival.ID] = queue
	l.mu.Unlock()
	if former != nil {
		former.Close()
	}
	arrival.Accepted()
	go func() {
		for raw.Read(func(fd uintptr) bool { return platform.Readable(int(fd)) }) == nil {
			o := offer{queue: queue, taken: make(chan struct{})}
			if !l.give(o) {
				return
			}
			select {
			case <-o.taken:
			case <-l.context.Done():
				return
			}
		}
	}()
}

// accept takes a client from the queue of an offer. The error is EAGAIN when others were quicker.
func (o offer) accept() (net.Conn, error) {
	defer close(o.taken)
	raw, err := o.queue.SyscallConn()
	if err != nil {
		return nil, err
	}
	accepted, cause := -1, error(nil)
	err = raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock() // nobody forks between the two calls: macOS has no accept4
		defer syscall.ForkLock.RUnlock()
		if accepted, _, cause = unix.Accept(int(fd)); cause == nil {
			unix.CloseOnExec(accepted)
		}
	})
	if err = cmp.Or(err, cause); err != nil {
		return nil, os.NewSyscallError("accept", err)
	}
	f := os.NewFile(uintptr(accepted), "connection")
	defer f.Close()
	return net.FileConn(f)
}

// withdraw leaves a listener to others.
func (l *channelListener) withdraw(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if queue := l.queues[id]; queue != nil {
		queue.Close()
		delete(l.queues, id)
	}
}

// Accept returns the next connection. Whoever passed it knows from then on that it is in good hands.
func (l *channelListener) Accept() (net.Conn, error) {
	for {
		o, err := l.await()
		if err := cmp.Or(err, o.err); err != nil {
			return nil, err
		}
		if o.queue != nil {
			c, err := o.accept()
			if err == nil || tooMany(err) {
				return c, err
			}
			continue // others were quicker, the client has gone, or the socket was withdrawn
		}
		c, err := passedConnection(o.arrival)
		if tooMany(err) {
			l.keep(o)
			return nil, err
		}
		o.arrival.Accepted()
		l.channel.Grant(1)
		if err == nil { // else its client has gone
			return c, nil
		}
	}
}

// tooMany tells whether this process, or the machine, has no room for a connection.
func tooMany(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

func (l *channelListener) await() (offer, error) {
	late := l.late.passed()
	select {
	case <-late:
		return offer{}, os.ErrDeadlineExceeded
	default:
	}
	if o, ok := l.kept(); ok {
		return o, nil
	}
	select {
	case o := <-l.came:
		return o, nil
	case <-late:
		return offer{}, os.ErrDeadlineExceeded
	case <-l.context.Done():
		return offer{}, net.ErrClosed
	}
}

// settle is how long nothing has to arrive before nothing waits: what was read from the kernel is on its way.
const settle = 20 * time.Millisecond

// Waiting tells whether a connection waits that only this process can serve: one for others too is left to them.
func (l *channelListener) Waiting() bool {
	_, only := l.look()
	return only
}

// Refuse ends the passing of connections that only this process can serve; those that were passed before still come.
func (l *channelListener) Refuse() {
	if c, ok := l.channel.(interface{ Refuse() }); ok {
		c.Refuse()
	}
}

// look takes what waits, until there is one that only this process can serve, and tells what it found.
func (l *channelListener) look() (any, only bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	patience := time.NewTimer(settle)
	defer patience.Stop()
	for !slices.ContainsFunc(l.next, func(o offer) bool { return o.err != nil || o.arrival != nil && !l.keeps }) {
		select {
		case o := <-l.came:
			l.next = append(l.next, o)
		case <-patience.C:
			return len(l.next) > 0, false
		}
	}
	return true, true
}

// kept is the next one that look took.
func (l *channelListener) kept() (o offer, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok = len(l.next) > 0; ok {
		o, l.next = l.next[0], l.next[1:]
	}
	return o, ok
}

// keep puts one back for the next Accept.
func (l *channelListener) keep(o offer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = slices.Insert(l.next, 0, o)
}

// Close leaves what was not accepted to others, where the channel can.
func (l *channelListener) Close() error {
	l.end()
	<-l.ended
	for o, ok := l.kept(); ok; o, ok = l.kept() {
		o.decline()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, queue := range l.queues {
		queue.Close()
	}
	return l.channel.Close()
}

func (l *channelListener) Addr() net.Addr { return l.address }

// SetDeadline ends a waiting Accept at the time, and later ones; the zero time is never.
func (l *channelListener) SetDeadline(t time.Time) error {
	l.late.set(t)
	return nil
}

// deadline is a time that may change while somebody waits for it.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{} // closed when the time has come
}

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // it is about to be closed
	}
	d.timer = nil
	over := false
	select {
	case <-d.over:
		over = true
	default:
	}
	left := time.Until(t)
	switch {
	case t.IsZero() || left > 0:
		if over {
			d.over = make(chan struct{})
		}
		if !t.IsZero() {
			ends := d.over
			d.timer = time.AfterFunc(left, func() { close(ends) })
		}
	case !over:
		close(d.over)
	}
}
