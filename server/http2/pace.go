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

// sweepWaiting breaks off what waits for a client that takes too little: each stream for whose own window that is so; and where it is so of
// the whole connection, all that wait, and with them the requests whose turn has not come, which would each wait as long. What is held up
// by bytes that were written before is the output's to look after.
func (c *Conn) sweepWaiting(passed time.Duration) {
	limit := c.options.SendTimeout
	if limit <= 0 || c.queued >= mostQueued || len(c.waiting) == 0 {
		return
	}
	fewest := max(int64(float64(c.options.LowestRate)*limit.Seconds()), 1)
	whole := c.pace.isTooSlow(passed, limit, fewest)
	for i := len(c.waiting) - 1; i >= 0; i-- {
		s := c.waiting[i]
		if slow := s.window <= 0 && s.pace.isTooSlow(passed, limit, fewest); slow || whole {
			c.reset(s, codeCancel)
		}
	}
	for whole && len(c.unbegun) > 0 {
		c.reset(c.unbegun[0].stream, codeCancel)
	}
}
