package handoff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// RegisterOptions say how a backend registers.
type RegisterOptions struct {
	Takes      string   // either (default), listener, connections, or both at once
	Credit     int      // connections granted from the start
	Slot       *uint32  // socketbox's registration protocol with this number; nil: Rouse's own
	Dispatcher []uint32 // the users that the dispatcher may have; empty: root and our own
	Insist     bool     // a refusal is tried again as well, as its rules may change: nobody waits in Assigned for an answer
	Accepts    Accepts
	Log        *slog.Logger
}

// Registration is a backend's place at a dispatcher. It implements Channel.
type Registration struct {
	path, backend string
	options       RegisterOptions
	log           *slog.Logger
	refusals      *complaints // of what the dispatcher passed

	life  context.Context // ends with Close
	stop  context.CancelFunc
	ended chan struct{} // closed when nothing connects any more
	some  chan struct{} // one word: there is an arrival, or Next has something else to tell
	room  chan struct{} // one word: more was granted
	hurry chan struct{} // closed when Close wants to give back what is held
	back  chan struct{} // one word: a dispatcher has it again

	mu          sync.Mutex
	link        *link // to the dispatcher that has admitted us; nil while there is none
	queue       []*queued
	granted     int // connections that may arrive still
	unannounced int // those of them that the dispatcher does not know of
	window      int // the most that were granted at once
	held        map[uint64]heldSocket
	kind        Kind          // what we are given, Connection or Listener; empty until we are admitted
	first       []*Arrival    // the sockets that came with it
	admitted    chan struct{} // closed when kind is set, or failure
	failure     error         // that no retry mends, or net.ErrClosed
	told        string        // the trouble that the log has told
}

// heldSocket is a duplicate, to be offered to the next dispatcher.
type heldSocket struct {
	number int
	kind   Kind
}

// queued is an arrival that Next has not returned.
type queued struct {
	*Arrival
	id   uint64
	link *link // that it has to be accepted at; nil: nobody waits for that
}

// Register connects to the dispatcher whose desk is at path, by itself, again and again: 1 ms to 1 s apart.
func Register(path, backend string, o RegisterOptions) *Registration {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registration{
		path: path, backend: backend, options: o, log: o.Log, granted: o.Credit, window: o.Credit,
		ended: make(chan struct{}), some: make(chan struct{}, 1), room: make(chan struct{}, 1), admitted: make(chan struct{}),
		hurry: make(chan struct{}), back: make(chan struct{}, 1),
		held: map[uint64]heldSocket{},
	}
	r.refusals = newComplaints(o.Log, r.String())
	r.life, r.stop = context.WithCancel(context.Background())
	go r.run()
	return r
}

// String names it as an address: dispatch:PATH#BACKEND.
func (r *Registration) String() string {
	if r.options.Slot != nil {
		return fmt.Sprintf("dispatch:%s#%d", r.path, *r.options.Slot)
	}
	return "dispatch:" + r.path + "#" + r.backend
}

// Assigned waits until the dispatcher has admitted the backend. It returns Connection, or Listener with the listeners and packet
// sockets that it was given (on the first call), which Next does not return; where both are taken, Next returns them too. A
// refusal that no retry mends is an error.
func (r *Registration) Assigned(ctx context.Context) (Kind, []*Arrival, error) {
	select {
	case <-r.admitted:
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kind == "" {
		return "", nil, r.failure
	}
	first := r.first
	r.first = nil
	return r.kind, first, nil
}

// Next waits for the next connection, a listener that is given later, or the withdrawal of one. After Close it returns
// net.ErrClosed, after a refusal that no retry mends that.
func (r *Registration) Next(ctx context.Context) (*Arrival, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, more, err := r.pop()
		if more {
			wake(r.some) // another Next may wait
		}
		if a != nil || err != nil {
			return a, err
		}
		select {
		case <-r.some:
		case <-ctx.Done():
		}
	}
}

func (r *Registration) pop() (a *Arrival, more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return nil, r.failure != nil, r.failure
	}
	q := r.queue[0]
	r.queue[0] = nil
	if r.queue = r.queue[1:]; len(r.queue) == 0 {
		r.queue = nil
	}
	if l := q.link; l != nil {
		l.inHand[q.id] = true
		q.accepted = func() { l.accept(q.id) }
		q.declined = func() { l.decline(q.id); q.close() }
	}
	return q.Arrival, len(r.queue) > 0, nil
}

// wake leaves a word in a channel that holds one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Grant allows n more connections to arrive. The dispatcher is told when it has used half of what it knew of, or with the next
// connection that is accepted.
func (r *Registration) Grant(n int) {
	r.mu.Lock()
	r.granted += n
	r.unannounced += n
	r.window = max(r.window, r.granted)
	l := r.link
	due := r.due()
	r.mu.Unlock()
	wake(r.room)
	if l != nil && due {
		l.flush()
	}
}

// due says whether the dispatcher has to hear of more credit now. r is locked.
func (r *Registration) due() bool {
	return r.unannounced > 0 && r.granted-r.unannounced <= r.window/2
}

// Close leaves the dispatcher. Connections that Next has returned are accepted by it; what else was on its way goes to other
// backends, as far as the protocol can. Where the dispatcher is just being restarted it waits for a moment: the next one has not
// got the sockets yet that are held here, and their clients would be lost with them.
func (r *Registration) Close() error {
	r.mu.Lock()
	if r.failure == nil {
		r.fail(net.ErrClosed)
		close(r.hurry)
	}
	if r.link == nil && len(r.held) > 0 {
		select {
		case <-r.back: // an earlier one
		default:
		}
		r.mu.Unlock()
		select {
		case <-r.back:
		case <-r.ended:
		case <-time.After(giveBackTime):
		}
		r.mu.Lock()
	}
	l, queue := r.link, r.queue
	r.queue = nil
	r.mu.Unlock()
	if l != nil {
		l.leave()
	}
	r.stop()
	<-r.ended
	for _, q := range queue {
		q.close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.first { // nobody asked for them
		unix.Close(a.Number)
	}
	r.first = nil
	for id, h := range r.held {
		unix.Close(h.number)
		delete(r.held, id)
	}
	r.refusals.end()
	return nil
}

func (q *queued) close() {
	if q.Number >= 0 {
		unix.Close(q.Number)
	}
}

// fail ends all waiting for good. r is locked.
func (r *Registration) fail(err error) {
	r.failure = err
	if r.kind == "" {
		select {
		case <-r.admitted:
		default:
			close(r.admitted)
		}
	}
	wake(r.some)
}

// refusal is what the dispatcher says to who it does not admit.
type refusal struct {
	again  bool // a later try may do better
	reason string
}

func (r refusal) Error() string { return r.reason }

// Is has every refusal be ErrRefused.
func (r refusal) Is(target error) bool { return target == ErrRefused }

// ErrRefused says that a dispatcher answers, and does not take the program for the backend that it wants to be.
var ErrRefused = errors.New("the dispatcher refuses")

// giveBackTime is how long Close waits for a dispatcher that is away. One that is restarted is back much sooner.
const giveBackTime = 2 * time.Second

// run connects again and again.
func (r *Registration) run() {
	defer close(r.ended)
	const shortest = time.Millisecond
	longest, hurry := time.Second, r.hurry
	for rest := shortest; r.life.Err() == nil; rest = min(2*rest, longest) {
		begun := time.Now()
		err := r.session()
		if r.life.Err() != nil {
			return
		}
		if time.Since(begun) > longest {
			rest = shortest
		}
		if r.mended(err) {
			return
		}
		select {
		case <-time.After(rest):
		case <-r.life.Done():
		case <-hurry:
			rest, longest, hurry = shortest, 20*time.Millisecond, nil
		}
	}
}

// mended tells the log once why there is no dispatcher, and says whether it is not worth to try again.
func (r *Registration) mended(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	never, _ := errors.AsType[refusal](err)
	refused := never.reason != "" && !never.again
	if final := refused && !r.options.Insist || errors.Is(err, errNoSeqpacket); final && r.kind == "" {
		r.fail(fmt.Errorf("%s: %w", r, err))
		return true
	}
	if text := err.Error(); text != r.told {
		r.told = text
		trouble, level := "no dispatcher", slog.LevelWarn
		if refused {
			trouble = "not registered"
		}
		if refused || r.kind == "" { // one that was there and is away comes back
			level = slog.LevelError
		}
		r.log.Log(context.Background(), level, r.String()+": "+trouble+"; connecting again and again", "err", err)
	}
	return false
}

// session is one connection to a dispatcher, from its begin to its end.
func (r *Registration) session() error {
	conn, err := dialPackets(r.path)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.close()
	defer context.AfterFunc(r.life, conn.close)()
	who, err := conn.peer()
	if err != nil {
		return err
	}
	if !allowed(who.UID, r.options.Dispatcher) {
		return refusal{reason: fmt.Sprintf("the dispatcher there is %s, who may not be one: allow that user, or see who owns the folder", who)}
	}
	l := &link{r: r, conn: conn, pidfd: conn.pidfd(), inHand: map[uint64]bool{}}
	defer closePidfd(l.pidfd)
	if r.options.Slot != nil {
		return l.slot(*r.options.Slot)
	}
	word, descriptors := r.hello()
	if err := conn.push(word, descriptors...); err != nil {
		return err
	}
	return l.over(l.read())
}

// hello is the first message, with what we hold.
func (r *Registration) hello() (word []byte, descriptors []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := helloFrame{backend: r.backend, takes: r.options.Takes, credit: uint32(min(r.granted, mostCredit))}
	switch {
	case h.takes == "both": // whatever there is
	case r.kind == Connection:
		h.takes = "connections"
	case r.kind == Listener:
		h.takes = "listener"
	}
	for id, held := range r.held {
		h.held = append(h.held, id)
		descriptors = append(descriptors, held.number)
	}
	r.unannounced = 0
	return h.append(nil), descriptors
}

// welcome notes that a dispatcher has admitted us, through this link.
func (r *Registration) welcome(l *link, kind Kind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kind != "" && r.kind != kind && r.options.Takes != "both" {
		return fmt.Errorf("%w: a %s is given to a backend that gets a %s already", errFrame, kind, r.kind)
	}
	r.link = l
	r.told = ""
	wake(r.back)
	r.log.Info(r.String() + ": registered with the dispatcher")
	return nil
}

// admit ends the waiting of Assigned.
func (r *Registration) admit(kind Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kind == "" && r.failure == nil {
		r.kind = kind
		close(r.admitted)
	}
}

// enqueue gives Next an arrival. Who comes when all is over is closed: the dispatcher gives it to others. r is locked.
func (r *Registration) enqueue(q *queued) {
	if r.failure != nil {
		q.close()
		return
	}
	r.queue = append(r.queue, q)
	wake(r.some)
}
