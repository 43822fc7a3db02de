package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxWaiting bounds the checks that wait for a processor.
const maxWaiting = 1024

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
	slots    chan struct{} // a value for each check that runs

	mu     sync.Mutex
	checks map[request]*check

	wrong, limited atomic.Uint64
}

// NewGuard returns a guard that checks passwords on half of the processors at most, so that the other half serves.
func NewGuard() *Guard {
	return &Guard{
		verified: newVerified(),
		attempts: attempts{clients: map[netip.Addr]*client{}},
		slots:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		checks:   map[request]*check{},
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
	waiting int    // requests that want to know
	give    func() // nobody wants to know any more: it need not begin
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
	if len(g.checks) >= maxWaiting {
		return nil, ErrBusy
	}
	if wait, refused := g.attempts.begin(r.source, time.Now()); refused {
		g.limited.Add(1)
		return nil, &Limited{wait}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &check{request: r, right: right, waiting: 1, give: cancel, done: make(chan struct{})}
	g.checks[r] = c
	go g.run(ctx, c)
	return c, nil
}

// leave is called when a client went away.
func (g *Guard) leave(c *check) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.give()
		g.forget(c)
	}
}

func (g *Guard) forget(c *check) {
	if g.checks[c.request] == c {
		delete(g.checks, c.request)
	}
}

// run waits for a processor and checks.
func (g *Guard) run(ctx context.Context, c *check) {
	defer c.give()
	made, right := false, false
	select {
	case g.slots <- struct{}{}:
		if made = ctx.Err() == nil; made {
			right = c.right()
		}
		<-g.slots
	case <-ctx.Done():
	}
	switch {
	case !made:
		c.err = ctx.Err()
	case right:
		g.verified.add(c.identity, time.Now())
	default:
		c.err = ErrWrong
		g.wrong.Add(1)
	}
	g.attempts.end(c.source, time.Now(), made && !right)
	g.mu.Lock()
	g.forget(c)
	g.mu.Unlock()
	close(c.done)
}
