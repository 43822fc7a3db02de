package http2

import "time"

// pace is how fast a client takes what waits for it.
type pace struct {
	seen   bool          // waiting, by Sweep
	waited time.Duration // since, as far as Sweep saw it waiting
	moved  int64         // bytes that were sent meanwhile
}

// isTooSlow notes that something still waits, after so long, and tells whether over the limit less was sent than may be. Each limit is
// looked at by itself, so that a good beginning does not pay for a long end.
func (p *pace) isTooSlow(passed, limit time.Duration, fewest int64) bool {
	if !p.seen {
		*p = pace{seen: true}
		return false
	}
	if p.waited += passed; p.waited < limit {
		return false
	}
	slow := p.moved < fewest
	*p = pace{seen: true}
	return slow
}

// take takes n bytes of a body out of the windows.
func (c *Conn) take(s *stream, n int) {
	c.window -= int64(n)
	s.window -= int64(n)
	c.pace.moved += int64(n)
	s.pace.moved += int64(n)
}

// sweepWaiting breaks off what waits for a client that takes too little: a stream for whose own window that is so, and all that wait for the
// connection's. What is held up by bytes that were written before is the output's to look after.
func (c *Conn) sweepWaiting(passed time.Duration) {
	limit := c.options.SendTimeout
	if limit <= 0 || c.queued >= mostQueued {
		return
	}
	fewest := max(int64(float64(c.options.LowestRate)*limit.Seconds()), 1)
	held := false
	for i := len(c.waiting) - 1; i >= 0; i-- {
		switch s := c.waiting[i]; {
		case s.window > 0:
			held = true
		case s.pace.isTooSlow(passed, limit, fewest):
			c.reset(s, codeCancel)
		}
	}
	if !held || !c.pace.isTooSlow(passed, limit, fewest) {
		return
	}
	for i := len(c.waiting) - 1; i >= 0; i-- {
		if s := c.waiting[i]; s.window > 0 {
			c.reset(s, codeCancel)
		}
	}
}
