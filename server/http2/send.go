package http2

import "encoding/binary"

const (
	mostQueued  = 256 << 10 // bytes in the output at which no more bodies are written
	mostControl = 160 << 10 // and what may be in it beyond that, before the client is given up
	mostAtOnce  = 8 * maxFrame
)

// buffer returns what is to be written, to append to it.
func (c *Conn) buffer() *outgoing {
	if c.out == nil {
		c.out = takeFrom[outgoing](&c.options.Buffers.outgoings)
	}
	return c.out
}

// flush writes it.
func (c *Conn) flush() {
	out := c.out
	if out == nil {
		return
	}
	c.out = nil
	if c.failed == nil && len(out.b) > 0 {
		c.failed = c.output.Write(out.b)
	}
	c.queued = c.output.Queued()
	if cap(out.b) <= mostKept {
		out.b = out.b[:0]
		c.options.Buffers.outgoings.Put(out)
	}
}

// room is how many bytes of bodies may be written now.
func (c *Conn) room() int {
	if c.failed != nil || c.over != nil {
		return 0
	}
	n := mostQueued - c.queued - c.granted
	if c.out != nil {
		n -= len(c.out.b)
	}
	return n
}

// writeHead writes a header block, in as many frames as it takes. It is in two parts, the second of which may be empty.
func (c *Conn) writeHead(stream uint32, ends bool, block, date []byte) {
	out := c.buffer()
	start := len(out.b)
	out.b = appendFrame(out.b, 0, frameHeaders, 0, stream)
	if c.resize {
		c.resize = false
		out.b = append(out.b, 0x20) // a dynamic table size update to 0 (RFC 7541 §6.3)
	}
	out.b = append(append(out.b, block...), date...)
	flags := byte(flagEndHeaders)
	if ends {
		flags |= flagEndStream
	}
	length := len(out.b) - start - frameHead
	if length > maxFrame {
		c.splitHead(start, flags)
		return
	}
	appendFrame(out.b[:start], length, frameHeaders, flags, stream)
}

// splitHead makes of a HEADERS frame that is too long one with CONTINUATION frames.
func (c *Conn) splitHead(start int, flags byte) {
	b := c.out.b
	stream := binary.BigEndian.Uint32(b[start+5:])
	rest := append([]byte(nil), b[start+frameHead:]...)
	b = b[:start]
	kind := frameHeaders
	flags &^= flagEndHeaders
	for len(rest) > 0 {
		n := min(len(rest), maxFrame)
		if n == len(rest) {
			flags |= flagEndHeaders
		}
		b = append(appendFrame(b, n, kind, flags, stream), rest[:n]...)
		rest = rest[n:]
		kind, flags = frameContinuation, 0
	}
	c.out.b = b
}

// writeData writes a part of a body.
func (c *Conn) writeData(stream uint32, p []byte, ends bool) {
	out := c.buffer()
	for len(p) > 0 {
		n := min(len(p), maxFrame)
		out.b = append(appendFrame(out.b, n, frameData, endFlag(ends && n == len(p)), stream), p[:n]...)
		p = p[n:]
	}
}

// writeEnd ends a reply whose body was sent.
func (c *Conn) writeEnd(stream uint32) {
	out := c.buffer()
	out.b = appendFrame(out.b, 0, frameData, flagEndStream, stream)
}

func endFlag(ends bool) byte {
	if ends {
		return flagEndStream
	}
	return 0
}

// queue makes a stream wait for its turn.
func (c *Conn) queue(s *stream) { c.waiting = append(c.waiting, s) }

func (c *Conn) unqueue(i int) {
	n := copy(c.waiting[i:], c.waiting[i+1:])
	c.waiting[i+n] = nil
	c.waiting = c.waiting[:i+n]
}

// pump lets the streams that wait go on until none of them can: the one that has waited longest first, and after each part of a
// body the next one.
func (c *Conn) pump() {
	for i := 0; i < len(c.waiting); {
		if c.room() <= 0 {
			if c.flush(); c.room() <= 0 {
				return
			}
		}
		s, before := c.waiting[i], len(c.waiting)
		if !(s.exchange != nil && c.grant(i) || s.exchange == nil && c.proceed(s)) {
			i++
			continue
		}
		if len(c.waiting) == before { // it waits for its next turn
			c.unqueue(i)
			c.queue(s)
		}
	}
}

// grant lets the handler that waits in place i send, all or a part.
func (c *Conn) grant(i int) bool {
	s := c.waiting[i]
	x := s.exchange
	share := min(max(mostQueued/len(c.waiting), maxFrame), mostAtOnce, c.room()+maxFrame-1)
	n := max(0, int(min(int64(x.wants), int64(share), c.window, s.window)))
	if n == 0 && x.wants > 0 && !x.heads {
		return false
	}
	c.take(s, n)
	c.granted += n
	x.credit, x.granted = n, true
	c.unqueue(i)
	wake(x.writable)
	return true
}
