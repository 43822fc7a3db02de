package password

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Wrong passwords: so many at once, and so many each second after them.
	failuresAtOnce, failuresPerSecond = 30, 1
	// Requests that are refused for that. A client who goes on all the same loses what it had verified too: else
	// guesses could be held, at any speed, against credentials that others behind the same address have in use.
	refusalsAtOnce, refusalsPerSecond = 100, 10
	// strikesLife is how long after the last wrong password a client's strikes count.
	strikesLife = 10 * time.Minute
	// mostClients bounds how many clients are remembered; 16,384 take 5 MB.
	mostClients = 16 << 10
)

// attempts counts the wrong passwords of each client.
type attempts struct {
	mu      sync.Mutex
	clients map[netip.Addr]*client
}

type client struct {
	failures *rate.Limiter
	refusals *rate.Limiter
	checking int // passwords that are being checked, each of which may be wrong
	wrong    int // since one was right
	wrongAt  time.Time
	seen     time.Time
}

// strikes is how many passwords of a client were wrong lately or may be.
func (c *client) strikes(now time.Time) int {
	if now.Sub(c.wrongAt) > strikesLife {
		c.wrong = 0
	}
	return c.wrong + c.checking
}

// verdict is what came of a check.
type verdict int

const (
	unchecked verdict = iota
	right
	wrong
)

// sourceOf is the address that a client is counted under: an IPv6 network of 64 bits is one client (RFC 6177 gives each
// customer at least that), and so are all peers without address (unix sockets).
func sourceOf(address netip.Addr) netip.Addr {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, _ := address.Prefix(64)
		return prefix.Addr()
	}
	return address
}

// deaf tells how long a client has to wait that nothing at all is believed for now.
func (a *attempts) deaf(source netip.Addr, now time.Time) (wait time.Duration, refused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[source]
	if c == nil || c.refusals.TokensAt(now) >= 1 {
		return 0, false
	}
	return waitFor(c.failures, now, 0), true
}

// begin asks for a check. When too many were wrong it is refused, with the time to wait; else end has to be called.
func (a *attempts) begin(source netip.Addr, now time.Time) (strikes int, wait time.Duration, refused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[source]
	if c == nil {
		if len(a.clients) >= mostClients {
			a.shrink(now)
		}
		c = &client{
			failures: rate.NewLimiter(failuresPerSecond, failuresAtOnce),
			refusals: rate.NewLimiter(refusalsPerSecond, refusalsAtOnce),
		}
		a.clients[source] = c
	}
	c.seen = now
	if c.failures.TokensAt(now)-float64(c.checking) < 1 {
		c.refusals.AllowN(now, 1)
		return 0, waitFor(c.failures, now, c.checking), true
	}
	strikes = c.strikes(now)
	c.checking++
	return strikes, 0, false
}

// refuse counts a request that was refused though it had attempts left.
func (a *attempts) refuse(source netip.Addr, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.clients[source]; c != nil {
		c.refusals.AllowN(now, 1)
	}
}

// end tells what came of a check that was begun.
func (a *attempts) end(source netip.Addr, now time.Time, v verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[source]
	c.checking--
	switch v {
	case wrong:
		c.failures.AllowN(now, 1)
		c.wrong, c.wrongAt = c.wrong+1, now
	case right:
		c.wrong = 0
	}
}

// waitFor is the time until one more failure is allowed than are under way.
func waitFor(l *rate.Limiter, now time.Time, underway int) time.Duration {
	lacking := 1 + float64(underway) - l.TokensAt(now)
	return max(time.Second, time.Duration(lacking/float64(l.Limit())*float64(time.Second)))
}

// shrink makes room. It looks at a few clients, in Go's random order, and forgets those that have all their attempts
// again and no strikes; when all of them have lost some, the one that was seen longest ago.
func (a *attempts) shrink(now time.Time) {
	var oldest netip.Addr
	var found bool
	at, looked, forgotten := now, 0, 0
	for source, c := range a.clients {
		if looked++; looked > 64 && forgotten > 0 || looked > 256 {
			break
		}
		switch {
		case c.checking > 0: // end will look for it
		case c.strikes(now) == 0 && c.failures.TokensAt(now) >= failuresAtOnce && c.refusals.TokensAt(now) >= refusalsAtOnce:
			delete(a.clients, source)
			forgotten++
		case !c.seen.After(at):
			oldest, at, found = source, c.seen, true
		}
	}
	if forgotten == 0 && found {
		delete(a.clients, oldest)
	}
}
