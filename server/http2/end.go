package http2

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

// end ends the connection: it tells the client what it did wrong (RFC 9113 §5.4.1), if that can be told.
func (c *Conn) end(why error) {
	if c.over != nil {
		return
	}
	if wrong, ok := errors.AsType[*connectionError](why); ok && c.stage != awaitsPreface {
		c.writeGoAway(c.lastID, wrong.code, wrong.reason)
	}
	c.finish(why)
}

// finish ends all streams that are still open.
func (c *Conn) finish(why error) {
	c.over = why
	for _, s := range c.streams {
		c.close(s, why)
	}
	c.unbegun = nil
	close(c.done)
}

func (c *Conn) writeGoAway(last uint32, why code, reason string) {
	out := c.buffer()
	out.b = appendFrame(out.b, 8+len(reason), frameGoAway, 0, 0)
	out.b = binary.BigEndian.AppendUint32(out.b, last)
	out.b = binary.BigEndian.AppendUint32(out.b, uint32(why))
	out.b = append(out.b, reason...)
}

// GoAway tells the client to open no more streams, but answers those that it opens all the same (RFC 9113 §6.8).
func (c *Conn) GoAway() {
	c.enter()
	defer c.exit()
	if c.leaving || c.over != nil {
		return
	}
	c.leaving = true
	if c.stage != awaitsPreface {
		c.writeGoAway(maxStreamID, codeNone, "")
	}
}

// Shutdown tells it finally; streams that are open are answered. Done is closed when the last one has ended.
func (c *Conn) Shutdown() {
	c.enter()
	defer c.exit()
	c.shutdown()
}

func (c *Conn) shutdown() {
	if c.final || c.over != nil {
		return
	}
	c.leaving, c.final = true, true
	if c.stage != awaitsPreface {
		c.writeGoAway(c.lastID, codeNone, "")
	}
	c.endLingering()
	if len(c.streams) == 0 && c.over == nil {
		c.finish(ErrShutdown)
	}
}

// endLingering ends the streams whose replies were sent.
func (c *Conn) endLingering() {
	if c.lingers == 0 {
		return
	}
	for _, s := range c.streams {
		if s.answered {
			c.reset(s, codeNone)
		}
	}
}

// Sweep gives up what took too long, and reports whether the connection is over. Call it now and then: what it sees for the
// first time has its whole time from there on, so that nothing looks at a clock for each request.
func (c *Conn) Sweep(now time.Time) (over bool) {
	c.enter()
	defer c.exit()
	if c.over != nil {
		return true
	}
	c.calm(now)
	if len(c.streams) == 0 {
		c.streams, c.waiting, c.unbegun = nil, nil, nil // they may have become large
	}
	if begun := c.stage != established || c.partial || c.block != nil; expired(&c.pending, begun, now, c.options.HeaderTimeout) {
		c.end(broken(codeEnhanceCalm, "what the client began to send did not come to its end"))
		return true
	}
	if c.swept.IsZero() {
		c.swept = now
	}
	c.sweepWaiting(now.Sub(c.swept))
	c.swept = now
	if c.lingers > 0 {
		for _, s := range c.streams {
			if expired(&s.lingers, s.answered, now, linger) {
				c.reset(s, codeNone)
			}
		}
	}
	return c.over != nil
}

// expired notes since when something is so, and tells whether that is longer than a limit; 0 is none.
func expired(since *time.Time, is bool, now time.Time, limit time.Duration) bool {
	switch {
	case !is || limit <= 0:
		*since = time.Time{}
	case since.IsZero():
		*since = now
	default:
		return now.Sub(*since) >= limit
	}
	return false
}

// Close ends all streams: the socket is closed.
func (c *Conn) Close() {
	c.enter()
	defer c.mu.Unlock()
	c.failed = net.ErrClosed
	c.end(net.ErrClosed)
	c.flush()
}
