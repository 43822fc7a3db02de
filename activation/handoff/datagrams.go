package handoff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

const (
	// reserve is how many connections are taken from the kernel beyond what was granted. The kernel's queue of a datagram
	// socket is 11 deep (net.unix.max_dgram_qlen), and socketbox does not wait for room in it: what does not fit is reset.
	reserve = 1024

	// passOnTime is how long connections that nobody took may need to reach a successor.
	passOnTime = time.Second
)

// DatagramOptions say how connections are received.
type DatagramOptions struct {
	Mode         fs.FileMode // of the socket file; 0 is 0660
	Owner, Group int         // of the socket file; -1 leaves them as they are
	Credit       int         // connections granted from the start
	Senders      []uint32    // the users that may send, beside our own; empty: root
	Accepts      Accepts
	Log          *slog.Logger
}

// Datagrams receives connections in socketbox's "A" protocol: each message is one byte, which has no meaning, and one
// descriptor. It implements Channel.
type Datagrams struct {
	name    string
	path    string // where successors are found; empty for a connected carrier
	bound   bool   // by us: the queue goes with this process
	anyone  bool   // who holds the other end may send, as the socket was given to us with it
	options DatagramOptions
	remove  func() // takes the path away
	log     *complaints

	file    *os.File
	raw     syscall.RawConn
	reserve int  // connections that may wait here beyond what was granted
	settled bool // all that was sent before the kernel told senders has been taken; only the drain touches it
	most    int  // descriptors that this process may open
	drained chan struct{}

	mutex   sync.Mutex
	changed chan struct{} // closed and made anew at each change that somebody waits for
	waiting int           // goroutines that wait for it
	queue   []*Arrival
	granted int
	end     error // set when nothing more arrives
	closing bool
}

// ListenDatagrams binds a datagram socket to the path and receives what is sent there.
func ListenDatagrams(path string, o DatagramOptions) (*Datagrams, error) {
	name := "handoff:" + path
	fd, err := newReceiver(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := tellSenders(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if o.Mode == 0 {
		o.Mode = 0o660
	}
	remove, err := bindAt(fd, path, o.Mode, o.Owner, o.Group)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("handoff:%w", err)
	}
	d := newDatagrams(fd, name, o)
	d.path, d.bound, d.remove, d.settled = path, true, remove, true
	go d.drain()
	return d, nil
}

// InheritDatagrams receives from an open unix socket: a bound datagram socket, or one end of a connected pair of any type.
// Without an error the descriptor is its own from now on. name is what it is called in messages. The queue of such a socket
// is as deep as who made it has it, by default 11: a sender that does not wait may find it full.
func InheritDatagrams(fd int, name string, o DatagramOptions) (*Datagrams, error) {
	s, err := platform.Describe(fd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case s.Family != platform.Unix:
		err = fmt.Errorf("it is a socket of %s: a unix socket is expected, over which connections arrive", s.Protocol)
	case s.State == platform.Listening:
		err = errors.New("it listens: a bound datagram socket or a connected one is expected, over which connections arrive")
	case s.State == platform.Unbound, s.State == platform.Bound && s.Type != platform.Datagram:
		err = fmt.Errorf("it is a %s socket, %s, over which nothing can arrive", s.Type, s.State)
	}
	if err == nil {
		err = errors.Join(tellSenders(fd), unix.SetNonblock(fd, true))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	unix.CloseOnExec(fd)
	d := newDatagrams(fd, name, o)
	if s.State == platform.Bound {
		d.path = s.Local
	}
	d.anyone = s.State == platform.Connected && len(o.Senders) == 0
	go d.drain()
	return d, nil
}

func newDatagrams(fd int, name string, o DatagramOptions) *Datagrams {
	d := &Datagrams{name: name, options: o, remove: func() {}, granted: o.Credit}
	d.log = newComplaints(o.Log, name)
	d.file = os.NewFile(uintptr(fd), name)
	d.raw, _ = d.file.SyscallConn() // fails for a nil file only
	d.changed, d.drained = make(chan struct{}), make(chan struct{})
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		d.most = int(min(limit.Cur, 1<<30))
	}
	d.reserve = min(reserve, d.most/2)
	return d
}

// String names it in messages.
func (d *Datagrams) String() string { return d.name }

// Grant allows n more connections to arrive.
func (d *Datagrams) Grant(n int) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.granted += n
	d.tell()
}

// Next waits for the next connection. After the end of a carrier it returns what is still there, and then io.EOF; after
// Close net.ErrClosed.
func (d *Datagrams) Next(ctx context.Context) (*Arrival, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for {
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case d.closing:
			return nil, net.ErrClosed
		case len(d.queue) > 0 && d.granted > 0:
			a := d.queue[0]
			d.queue[0] = nil
			d.queue = d.queue[1:]
			d.granted--
			a.declined = func() { d.takeBack(a) }
			d.tell() // there may be room again
			return a, nil
		case len(d.queue) == 0 && d.end != nil:
			return nil, d.end
		}
		d.wait(ctx)
	}
}

// takeBack puts a connection that Next had returned back to the front of the queue.
func (d *Datagrams) takeBack(a *Arrival) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.queue = slices.Insert(d.queue, 0, a)
	d.tell()
}

// tell wakes all that wait; the mutex is held.
func (d *Datagrams) tell() {
	if d.waiting > 0 {
		close(d.changed)
		d.changed, d.waiting = make(chan struct{}), 0
	}
}

// wait gives the mutex up until something changes or the context ends.
func (d *Datagrams) wait(ctx context.Context) {
	d.waiting++
	changed := d.changed
	d.mutex.Unlock()
	defer d.mutex.Lock()
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// drain takes what arrives, as long as there is room, so that the kernel's short queue is empty for who sends next.
func (d *Datagrams) drain() {
	defer close(d.drained)
	buffer := make([]byte, 128) // what socketbox's receivers offer; the data have no meaning
	for d.room() {
		m, err := d.receive(buffer)
		switch {
		case err == nil:
			d.take(m)
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN):
			d.finish(io.EOF)
			return
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.ENOMEM), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
			d.log.say("connections wait, as the system is short of something", "err", err)
			time.Sleep(100 * time.Millisecond)
		default:
			d.finish(fmt.Errorf("%s: receive: %w", d.name, err))
			return
		}
	}
}

// room waits until there is some in the queue. It returns false when the channel is being closed.
func (d *Datagrams) room() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for !d.closing && len(d.queue) >= d.granted+d.reserve {
		d.wait(context.Background())
	}
	return !d.closing
}

func (d *Datagrams) finish(err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.end = err
	d.tell()
}

// receive waits for a message.
func (d *Datagrams) receive(buffer []byte) (m message, err error) {
	var failure error
	err = d.raw.Read(func(fd uintptr) bool {
		m, failure = receiveMessage(int(fd), buffer, 1)
		if failure == unix.EAGAIN {
			d.settled = true
			return false
		}
		return true
	})
	if err == nil {
		err = failure
	}
	return m, err
}

// take puts the connection of a message into the queue, or refuses it.
func (d *Datagrams) take(m message) {
	a, err := d.examine(m)
	switch {
	case errors.Is(err, errGone): // nobody is left to be told
		m.close()
		return
	case err != nil:
		m.close()
		sender := "unknown"
		if m.sender != nil {
			sender = m.sender.String()
		}
		d.log.say("refused what was sent", "sender", sender, "reason", err)
		return
	}
	d.mutex.Lock()
	d.queue = append(d.queue, a)
	d.tell()
	d.mutex.Unlock()
	if a.Number > d.most-64 { // the kernel gives the lowest free number: it runs out of them
		d.awaitNumbers()
	}
}

// examine checks who sent a message and what it holds.
func (d *Datagrams) examine(m message) (*Arrival, error) {
	if err := d.allowed(m.sender); err != nil {
		return nil, err
	}
	if len(m.descriptors) == 0 {
		if m.truncated {
			return nil, errors.New("this process has no room for another descriptor: raise its limit (LimitNOFILE=, ulimit -n)")
		}
		return nil, errors.New("there was no descriptor in the message")
	}
	fd := m.descriptors[0]
	if err := CheckConnection(fd, d.options.Accepts); err != nil {
		return nil, err
	}
	a := &Arrival{Kind: Connection, Number: fd}
	a.Meta.At = time.Now()
	a.Meta.Client, a.Meta.Local = addresses(fd)
	return a, nil
}

// allowed checks the sender. What was queued in an inherited socket before we asked the kernel to tell senders has none.
func (d *Datagrams) allowed(sender *Peer) error {
	const nobody = 65534 // what the kernel makes of no user, and of one of another user namespace (user_namespaces(7))
	switch {
	case sender == nil, d.anyone, int(sender.UID) == os.Geteuid():
		return nil
	case !d.settled && len(d.options.Senders) == 0 && sender.PID == 0 && sender.UID == nobody:
		return nil
	case len(d.options.Senders) == 0 && sender.UID == 0, slices.Contains(d.options.Senders, sender.UID):
		return nil
	}
	return fmt.Errorf("this user may not send here: from=%d would allow it", sender.UID)
}

// awaitNumbers waits until this process may open descriptors again: one that cannot be received is lost.
func (d *Datagrams) awaitNumbers() {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var err error
		if control := d.raw.Control(func(fd uintptr) {
			var spare int
			if spare, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
				unix.Close(spare)
			}
		}); control != nil || err == nil {
			return
		}
		d.log.say("connections wait, as this process may open no more descriptors: raise its limit (LimitNOFILE=, ulimit -n)")
		d.mutex.Lock()
		closing := d.closing
		d.mutex.Unlock()
		if closing {
			return
		}
		time.Sleep(pause)
	}
}

// Close ends it. Of a path that was bound here the file goes. Connections that Next has not returned go to who receives at
// the same path now, or else are reset.
func (d *Datagrams) Close() error {
	d.mutex.Lock()
	if d.closing {
		d.mutex.Unlock()
		return nil
	}
	d.closing = true
	d.tell()
	d.mutex.Unlock()

	d.remove()
	d.file.SetReadDeadline(time.Unix(1, 0))
	<-d.drained
	if d.bound {
		d.takeRest()
	}
	d.passOn()
	d.log.end()
	return d.file.Close()
}

// Refuse ends the sending: who sends to a socket that was bound here sees that at once. What was sent before still comes.
func (d *Datagrams) Refuse() {
	if d.bound {
		d.remove()
		d.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RD) })
	}
}

// takeRest stops all senders, who see it at once, and takes what they had sent.
func (d *Datagrams) takeRest() {
	buffer := make([]byte, 128)
	d.raw.Control(func(fd uintptr) {
		unix.Shutdown(int(fd), unix.SHUT_RD)
		for {
			m, err := receiveMessage(int(fd), buffer, 1)
			if err != nil {
				return
			}
			d.take(m)
		}
	})
}

// passOn gives what is left to a successor: to the next reader of an inherited socket, or to who bound the path after us.
func (d *Datagrams) passOn() {
	d.mutex.Lock()
	left := d.queue
	d.queue = nil
	d.mutex.Unlock()
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), passOnTime)
	defer cancel()
	lost := 0
	var reason error = errors.New("there is nobody to take them")
	var s *Sender
	if d.path != "" {
		s = NewSender(d.path)
		defer s.Close()
	}
	for _, a := range left {
		if s != nil && lost == 0 {
			reason = s.sendWithin(ctx, a.Number)
		}
		if reason != nil {
			lost++
		}
		unix.Close(a.Number)
	}
	if lost > 0 {
		d.log.say("connections that nobody had accepted are reset, as this ends", "connections", lost, "reason", reason)
	}
}

// isPath tells whether the name is one of a file.
func isPath(name string) bool { return name != "" && !strings.HasPrefix(name, "@") }
