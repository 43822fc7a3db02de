package http2

import (
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// repeat answers the plain request of the block. What cannot be sent now waits.
func (c *Conn) repeat(kept *reply.Reply) {
	w := c.work
	id := c.block.stream
	begun := w.now()
	if c.room() <= 0 {
		c.flush()
	}
	if room := c.room(); room > 0 {
		n := min(len(kept.Body), room+maxFrame)
		if n == len(kept.Body) && int64(n) <= min(c.window, c.initial) {
			c.writeHead(id, n == 0, kept.Head, c.options.Dates.At(begun).HTTP2)
			c.writeData(id, kept.Body, true)
			c.window -= int64(n)
			c.pace.moved += int64(n)
			if told := c.options.Repeated; told != nil {
				told(&w.request.Request, kept, int64(n), begun, false)
			}
			return
		}
	}
	s := takeFrom[stream](&c.options.Buffers.repeats)
	*s = stream{id: id, window: c.initial, ended: true, request: w.request, kept: kept, rest: kept.Body, begun: begun}
	w.request = nil
	c.open(s)
	c.queue(s)
	c.stirred = true
}

// proceed sends the next part of a kept reply, at most a frame of its body. It reports whether there was any.
func (c *Conn) proceed(s *stream) bool {
	progress := !s.headed
	if !s.headed {
		s.headed = true
		c.writeHead(s.id, len(s.rest) == 0, s.kept.Head, c.options.Dates.At(time.Now()).HTTP2)
	}
	if n := int(min(int64(len(s.rest)), maxFrame, c.window, s.window)); n > 0 {
		part := s.rest[:n]
		s.rest = s.rest[n:]
		c.writeData(s.id, part, len(s.rest) == 0)
		c.take(s, n)
		progress = true
	}
	if len(s.rest) == 0 {
		c.close(s, nil)
	}
	return progress
}

// repeated tells of a kept reply that has ended.
func (c *Conn) repeated(s *stream, aborted bool) {
	if told := c.options.Repeated; told != nil {
		told(&s.request.Request, s.kept, int64(len(s.kept.Body)-len(s.rest)), s.begun, aborted)
	}
	c.options.Buffers.requests.Put(s.request)
	*s = stream{}
	c.options.Buffers.repeats.Put(s)
}
