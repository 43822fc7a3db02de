package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting bounds the checks that wait for a processor.
	maxWaiting = 1024
	// maxSuspect bounds those of them whose clients have been wrong before, or ask for more than one at once.
	maxSuspect = 64
)

// ErrWrong is for a user who is not there and for a wrong password alike.
var ErrWrong = errors.New("the user name or the password is wrong")

// ErrBusy is for a check that was not made because too many wait already.
var ErrBusy = errors.New("too many passwords wait to be checked")

// Limited is the error for a client that sent too many wrong passwords. Nothing was checked.
type Limited struct{ Wait time.Duration } // until it may try again, at least a second

func (l *Limited) Error() string {
	return fmt.Sprintf("too many wrong passwords: wait %s", l.Wait.Round(time.Second))
}

// Guard checks passwords. It outlives reloads: it keeps the counts of clients, and forgets the verdicts on those whose
// hash has changed. It is safe for concurrent use.
type Guard struct {
	verified *verified
	attempts attempts

	mu     sync.Mutex
	checks map[request]*check // that wait or run
	queue  []*check           // those that wait, the next one first
	free   int                // how many more may run

	wrong, limited atomic.Uint64
}

// NewGuard returns a guard that checks passwords on half of the processors at most, so that the other half serves.
func NewGuard() *Guard {
	return &Guard{
		verified: newVerified(),
		attempts: attempts{clients: map[netip.Addr]*client{}},
		checks:   map[request]*check{},
		free:     max(1, runtime.GOMAXPROCS(0)/2),
	}
}

// Counts returns how many passwords were wrong, and how many requests were refused unchecked.
func (g *Guard) Counts() (wrong, limited uint64) { return g.wrong.Load(), g.limited.Load() }

// Check returns nil when this is the user's password. A credential that was right is believed for ten minutes after its
// last use. Otherwise the error is ErrWrong, a *Limited, ErrBusy, or the context's: client is whose attempt it is, and an
// invalid address stands for all clients that have none.
func (g *Guard) Check(ctx context.Context, users *Users, client netip.Addr, user, password string) error {
	now, source := time.Now(), sourceOf(client)
	if wait, refused := g.attempts.deaf(source, now); refused {
		g.limited.Add(1)
		return &Limited{wait}
	}
	h, known := users.find(user)
	id := g.verified.identify(user, h.line, password)
	believed := func() bool { return g.verified.has(id, now) && known }
	if believed() {
		return nil
	}
	c, err := g.join(request{id, source}, believed, func() bool { return h.matches(password) && known })
	if c == nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		g.leave(c)
		return ctx.Err()
	}
}

// request is one credential from one client: asked many times at once, as browsers do, it is checked once.
type request struct {
	identity
	source netip.Addr
}

// check is a password that is being checked.
type check struct {
	request
	right   func() bool
	strikes int // of its client, when it asked
	waiting int // requests that want to know
	done    chan struct{}
	err     error // when done
}

// join returns the check of this request that goes on, or begins one; nil when it need not, or may not.
func (g *Guard) join(r request, believed, right func() bool) (*check, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.checks[r]; c != nil {
		c.waiting++
		return c, nil
	}
	if believed() { // since a moment ago
		return nil, nil
	}
	strikes, wait, refused := g.attempts.begin(r.source, time.Now())
	if refused {
		g.limited.Add(1)
		return nil, &Limited{wait}
	}
	c := &check{request: r, right: right, strikes: strikes, waiting: 1, done: make(chan struct{})}
	g.checks[r] = c
	g.enqueue(c)
	return c, nil
}

// enqueue begins a check or lets it wait: behind those of clients with fewer strikes, so that guesses hold up only guesses, and
// before those with as many, since who has waited for long has often left. Where too many wait the last ones are refused.
// g.mu is held.
func (g *Guard) enqueue(c *check) {
	if g.free > 0 {
		g.free--
		go g.run(c)
		return
	}
	g.queue = slices.Insert(g.queue, g.place(c.strikes), c)
	for len(g.queue) > maxWaiting || len(g.queue)-g.place(1) > maxSuspect {
		last := g.queue[len(g.queue)-1]
		g.withdraw(last)
		last.err = ErrBusy
		if last.strikes > 0 {
			g.limited.Add(1)
			g.attempts.refuse(last.source, time.Now())
			last.err = &Limited{time.Second}
		}
		close(last.done)
	}
}

// place is where in the queue those with so many strikes begin. g.mu is held.
func (g *Guard) place(strikes int) int {
	at, _ := slices.BinarySearchFunc(g.queue, strikes, func(c *check, strikes int) int { return c.strikes - strikes })
	return at
}

// withdraw takes a check out of the queue, if it waits there. g.mu is held.
func (g *Guard) withdraw(c *check) {
	if at := slices.Index(g.queue, c); at >= 0 {
		g.queue = slices.Delete(g.queue, at, at+1)
		g.attempts.end(c.source, time.Now(), unchecked)
	}
	g.forget(c)
}

// leave is called when a client went away.
func (g *Guard) leave(c *check) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		g.withdraw(c)
	}
}

func (g *Guard) forget(c *check) {
	if g.checks[c.request] == c {
		delete(g.checks, c.request)
	}
}

// run makes a check, and those that wait after it.
func (g *Guard) run(c *check) {
	for c != nil {
		verdict := right
		if c.right() {
			g.verified.add(c.identity, time.Now())
		} else {
			verdict, c.err = wrong, ErrWrong
			g.wrong.Add(1)
		}
		g.attempts.end(c.source, time.Now(), verdict)
		c = g.next(c)
	}
}

// next ends a check and returns the one to make now, nil when none waits.
func (g *Guard) next(c *check) *check {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(c)
	close(c.done)
	if len(g.queue) == 0 {
		g.free++
		return nil
	}
	first := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	return first
}
