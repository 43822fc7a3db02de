package route

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// front is a socket on which clients arrive. Those that the rules name have an empty backend; the kernel engine adds one for
// each pair of such a front and a backend, which only that backend's clients reach. The same code serves both.
type front struct {
	fd       int             // the socket; -1 of a channel. Of a front that the kernel engine made it belongs to the engine, else to the caller of New
	kind     handoff.Kind    // Listener or Packet: a socket; Connection: a channel over which connections come
	channel  handoff.Channel // of the last; of a socket that another dispatcher gave: where it may be withdrawn
	id       uint64          // of such a socket
	listener string          // its name in the rules
	protocol string          // tcp, udp or unix
	local    netip.AddrPort  // what it is bound to; of the kernel engine's: of the front that it stands behind; zero of unix sockets and channels
	address  string          // what it is called in messages
	proxy    string          // the PROXY header that connections begin with: v1, v2, any or empty
	backend  string          // all that arrives goes there; empty: the rules decide, one by one
	kept     string          // of the kernel engine's: its name where a Keeper keeps it; empty: none does
	behind   []*front        // of the kernel engine's: the fronts of the rules whose clients reach it; the dispatcher's changing guards it

	d           *Dispatcher
	transparent bool         // the socket takes clients of addresses that are not this machine's
	keep        bool         // accepted connections stay so
	given       atomic.Int32 // sessions that accept from it themselves
	used        atomic.Bool  // such a session ended, and the kernel engine has not looked after the socket since
	withdrawn   atomic.Bool

	asleep atomic.Bool   // nobody has room, and wake is listened to
	wake   chan struct{} // one place
	owed   atomic.Int64  // of a channel: connections that may be granted as soon as there is room

	accepted, errors atomic.Uint64
	lastError        atomic.Pointer[string]
	queue            samples

	mu     sync.Mutex
	file   *os.File // a duplicate of fd, in the runtime's poller, while clients are accepted
	cancel context.CancelFunc
	done   chan struct{} // closed when the loop has ended; nil before start
}

// prepare makes a front that the kernel engine made one of the dispatcher's.
func (f *front) prepare(d *Dispatcher) {
	if f.d != nil {
		return
	}
	f.d, f.wake = d, make(chan struct{}, 1)
	if f.kind == handoff.Listener {
		f.transparent = isTransparent(f.fd)
		f.queue.unknown = waitingAt(f.fd) < 0
	}
}

// start begins to accept. On a front of datagrams, which only a backend can take, it does nothing.
func (f *front) start(ctx context.Context) {
	if f.done != nil || f.kind == handoff.Packet {
		return
	}
	ctx, f.cancel = context.WithCancel(ctx)
	f.done = make(chan struct{})
	go func() {
		defer close(f.done)
		var others sync.WaitGroup
		defer others.Wait()
		if f.kind == handoff.Connection {
			others.Go(func() { f.receive(ctx) })
			f.grant(ctx)
			return
		}
		if f.channel != nil && f.backend == "" {
			others.Go(func() { f.watchWithdrawal(ctx) })
		}
		f.acceptAll(ctx)
	}()
}

// stop returns when nothing is accepted any more. The socket stays open.
func (f *front) stop() {
	if f.done == nil {
		return
	}
	f.cancel()
	f.interrupt()
	<-f.done
	f.cancel, f.done = nil, nil
}

// interrupt ends the wait for the next client.
func (f *front) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// acceptAll lets clients in while a backend has room for one, until the context ends.
func (f *front) acceptAll(ctx context.Context) {
	defer f.unwatch()
	var rest rest
	for f.await(ctx) {
		conn, err := f.watch(ctx)
		if err == nil {
			err = f.acceptSome(ctx, conn, &rest)
		}
		if err != nil && ctx.Err() == nil {
			f.failed(err)
			rest.wait(ctx, true)
		}
	}
}

// acceptSome accepts until there is no room, or the front is given away. It waits for clients.
func (f *front) acceptSome(ctx context.Context, conn syscall.RawConn, rest *rest) error {
	var failed error
	err := conn.Read(func(listener uintptr) bool {
		for ctx.Err() == nil && f.open() {
			fd, from, err := f.d.accept(int(listener))
			switch {
			case err == nil:
				rest.reset()
				f.accepted.Add(1)
				f.welcome(fd, from)
				continue
			case err == unix.EAGAIN:
				return false
			case !passing(err):
				failed = err
				return true
			}
			f.note(err)
			rest.wait(ctx, false)
		}
		return true
	})
	if failed != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		return failed
	}
	return err
}

// await waits until a client may be accepted. It returns false when the context ends.
func (f *front) await(ctx context.Context) bool {
	for ctx.Err() == nil {
		if f.open() {
			return true
		}
		if f.given.Load() > 0 {
			f.unwatch() // else this process would be woken for clients that others accept
		}
		f.asleep.Store(true)
		if !f.open() { // what came between the two would be missed else
			select {
			case <-f.wake:
			case <-ctx.Done():
			}
		}
		f.asleep.Store(false)
	}
	return false
}

// open tells whether a client may be accepted now: whether one of the backends that it could go to has room.
func (f *front) open() bool {
	if f.given.Load() > 0 || f.withdrawn.Load() {
		return false
	}
	r := f.d.rules.Load()
	reach := r.reach[f]
	if reach.only != nil && f.queue.known() {
		return reach.only.ready()
	}
	if f.d.looking.Load() >= int64(f.d.options.MostWaiting) {
		return false
	}
	for _, b := range reach.backends {
		if b.ready() || b.holds() {
			return true
		}
	}
	return len(reach.backends) == 0
}

// roused is called when a backend has room again.
func (f *front) roused() {
	if !f.asleep.Load() {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// watch puts the socket into the runtime's poller. It is made non-blocking, for all who share it.
func (f *front) watch(ctx context.Context) (syscall.RawConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		fd, err := duplicate(f.fd)
		if err != nil {
			return nil, err
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
			return nil, err
		}
		f.file = os.NewFile(uintptr(fd), f.address)
	}
	f.file.SetReadDeadline(time.Time{})
	if ctx.Err() != nil { // stop may have looked for the file before it was there
		f.file.SetReadDeadline(time.Unix(1, 0))
	}
	return f.file.SyscallConn()
}

func (f *front) unwatch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// give counts the sessions that accept from the socket themselves. While there are any, nothing is accepted here.
func (f *front) give(n int32) {
	if f.given.Add(n) > 0 {
		f.interrupt()
	} else {
		f.queue.forget()
	}
	f.roused()
}

// expire accepts and resets the clients that have waited in the kernel's queue for longer than their backend's patience. The
// caller holds the dispatcher's changing.
func (f *front) expire(now time.Time) {
	only := f.d.rules.Load().reach[f].only
	if f.fd < 0 || f.kind != handoff.Listener || only == nil || f.given.Load() > 0 || f.done == nil {
		return
	}
	waiting := waitingAt(f.fd)
	if waiting < 0 {
		return
	}
	due := f.queue.look(now, only.settings().Patience, f.accepted.Load(), waiting)
	if due > 0 {
		unix.SetNonblock(f.fd, true) // another process that has the socket may take them first
	}
	for ; due > 0 && !f.open(); due-- {
		fd, from, err := f.d.accept(f.fd)
		if err == unix.EMFILE || err == unix.ENFILE {
			f.d.spare.with(func() { f.shed(f.d.accept(f.fd)) })
			return
		}
		f.shed(fd, from, err)
	}
}

// shed resets a client that was just accepted.
func (f *front) shed(fd int, from syscall.Sockaddr, err error) {
	if err != nil {
		return
	}
	f.accepted.Add(1)
	c, r := f.clientOf(fd, from), f.d.rules.Load()
	if route := r.table.Find(c.tuple(false)).Route; route != nil {
		c.meta.Route = route.Name
	}
	if only := r.reach[f].only; only != nil {
		only.drop(c, dropPatience, only.absence())
	}
}

// failed notes an accept that stays impossible for a while.
func (f *front) failed(err error) {
	f.note(err)
	if err == unix.EINVAL { // who had the socket shut it down, or it never listened
		if err := unix.Listen(f.fd, backlog); err == nil {
			return
		}
	}
	f.d.drops.say("accept "+f.address, "cannot accept connections; they wait", "listener", f.listener, "socket", f.address, "err", err)
}

func (f *front) note(err error) {
	f.errors.Add(1)
	text := err.Error()
	f.lastError.Store(&text)
}

// backlog is what a socket is made to listen with again; net.core.somaxconn bounds it.
const backlog = 4096

// passing tells whether an accept failed for a reason that is the single client's, or will be gone at the next attempt
// (accept(2), "Error handling"). What wants of descriptors or memory stays a while.
func passing(err error) bool {
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EFAULT:
		return false
	}
	return true
}

// rest is the pause after an accept that failed.
type rest struct {
	pause  time.Duration
	failed int
}

const (
	shortestRest = 5 * time.Millisecond
	longestRest  = time.Second
	freeFailures = 100 // in a row, before those that pass make a pause too
)

func (r *rest) reset() { *r = rest{} }

// wait pauses: each time longer after an error that stays; after those that pass only when nothing else comes any more, so that
// no CPU is kept busy.
func (r *rest) wait(ctx context.Context, stays bool) {
	r.failed++
	if !stays && r.failed <= freeFailures {
		return
	}
	r.pause = min(max(2*r.pause, shortestRest), longestRest)
	select {
	case <-ctx.Done():
	case <-time.After(r.pause):
	}
}
