package http2

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// stream is a request and its reply. A stream that a kept reply answers has no exchange, and is there only while the reply
// waits.
type stream struct {
	id       uint32
	window   int64     // what the client takes of the reply's body
	ended    bool      // the request has ended
	answered bool      // the reply has ended
	pace     pace      // while it waits for its window
	lingers  time.Time // since when its reply has ended, and the request not, as Sweep saw it
	exchange *exchange

	request *plainRequest
	kept    *reply.Reply
	headed  bool   // its head was sent
	rest    []byte // of its body
	begun   time.Time
}

// streamError is why a stream ended before its time.
type streamError struct {
	code     code
	byClient bool
}

func (e *streamError) Error() string {
	if e.byClient {
		return "http2: the client broke the stream off: " + e.code.String()
	}
	return "http2: the stream was broken off: " + e.code.String()
}

// isIdle tells whether a stream was never opened (RFC 9113 §5.1). Those of the server always are.
func (c *Conn) isIdle(id uint32) bool { return id%2 == 0 || id > c.lastID && !c.final }

// wasDropped tells whether a stream was reset here lately: what was on its way then means nothing (RFC 9113 §5.1).
func (c *Conn) wasDropped(id uint32) bool {
	return c.final && id > c.lastID || slices.Contains(c.dropped[:], id)
}

func (c *Conn) open(s *stream) {
	if c.streams == nil {
		c.streams = make(map[uint32]*stream)
	}
	c.streams[s.id] = s
}

// refuse breaks a stream off that was not opened.
func (c *Conn) refuse(id uint32, why code) {
	c.dropped[c.dropping] = id
	c.dropping = (c.dropping + 1) % len(c.dropped)
	c.writeReset(id, why)
}

// reset breaks a stream off.
func (c *Conn) reset(s *stream, why code) {
	c.refuse(s.id, why)
	c.close(s, &streamError{why, false})
}

func (c *Conn) writeReset(id uint32, why code) {
	out := c.buffer()
	out.b = appendFrame(out.b, 4, frameReset, 0, id)
	out.b = binary.BigEndian.AppendUint32(out.b, uint32(why))
}

// close forgets a stream. why is nil when both sides have ended it.
func (c *Conn) close(s *stream, why error) {
	delete(c.streams, s.id)
	if i := slices.Index(c.waiting, s); i >= 0 {
		c.unqueue(i)
	}
	if s.exchange != nil {
		s.exchange.closed(why)
	} else {
		c.repeated(s, why != nil)
	}
	if c.final && len(c.streams) == 0 && c.over == nil {
		c.finish(ErrShutdown)
	}
}

// answered notes that a reply has ended. A request that goes on is still taken for a while, since a client that is told nothing
// but to stop may not read the reply.
func (c *Conn) answered(s *stream) {
	x := s.exchange
	if !s.answered {
		s.answered = true
		c.lingers++
		x.lingers = true
		if !s.ended {
			x.body.fail(errEnded)
		}
	}
	switch {
	case x.flawed:
		c.reset(s, codeProtocol)
	case s.ended:
		c.close(s, nil)
	case x.expects || c.final: // it will not send its body, or need not
		c.reset(s, codeNone)
	}
}

// linger is how long a request is taken that was answered before its end.
const linger = time.Second
