package inetd

import (
	"net/netip"
	"sync"
	"time"
)

// clients counts what each client's address has, where a service limits that. Its size is bounded by the processes that run,
// and by the clients that came within one time of the rate.
type clients struct {
	most int // processes at once
	rate Rate

	mu    sync.Mutex
	known map[netip.Addr]*clientCount
	swept time.Time
}

type clientCount struct {
	running int
	began   time.Time // of the time in which came are counted
	came    int
}

func newClients(most int, r Rate) *clients {
	return &clients{most: most, rate: r, known: map[netip.Addr]*clientCount{}}
}

// enter counts a connection, and returns why it must not be served, or "". Whoever may enter leaves in the end. Unix sockets have
// no address, and no limit.
func (c *clients) enter(client netip.Addr, now time.Time) (reason string) {
	if !client.IsValid() || c.most == 0 && c.rate.Number == 0 {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	one := c.known[client]
	if one == nil {
		one = &clientCount{began: now}
		c.known[client] = one
	}
	if c.rate.Number > 0 {
		if now.Sub(one.began) >= c.rate.Within {
			one.began, one.came = now, 0
		}
		if one.came >= c.rate.Number {
			return "a client comes too often"
		}
		one.came++
	}
	if c.most > 0 && one.running >= c.most {
		return "a client has as many connections as one may have"
	}
	one.running++
	return ""
}

// leave is the end of a connection that could enter.
func (c *clients) leave(client netip.Addr) {
	if !client.IsValid() || c.most == 0 && c.rate.Number == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.known[client]
	if one.running--; one.running == 0 && c.rate.Number == 0 {
		delete(c.known, client)
	}
}

// sweep forgets those that are not there, and came long ago, once in each time of the rate.
func (c *clients) sweep(now time.Time) {
	if c.rate.Number == 0 || now.Sub(c.swept) < c.rate.Within {
		return
	}
	c.swept = now
	for client, one := range c.known {
		if one.running == 0 && now.Sub(one.began) >= c.rate.Within {
			delete(c.known, client)
		}
	}
}
