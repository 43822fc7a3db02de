package http2

// send sends a part of a reply: a header block, a piece of the body, the trailers, each if it is there, and the end. It waits
// until all of it is handed to the output, and returns how much of the body was.
func (x *exchange) send(block, p, trailers []byte, ends bool) (n int, err error) {
	c, s := x.conn, x.stream
	c.enter()
	defer c.exit()
	if s.answered {
		return 0, errEnded
	}
	ended := false
	for {
		m, err := x.acquire(len(p)-n, block != nil)
		if err != nil {
			return n, err
		}
		c.spend(m)
		last := n+m == len(p)
		if block != nil {
			ended = ends && len(p) == 0 && x.endsPlainly(trailers)
			c.writeHead(s.id, ended, block, nil)
			block, x.headed = nil, true
		}
		if m > 0 {
			ended = ends && last && x.endsPlainly(trailers)
			c.writeData(s.id, p[n:n+m], ended)
			n += m
		}
		if last {
			break
		}
	}
	if ends {
		x.end(trailers, ended)
	}
	return n, nil
}

// endsPlainly tells whether the last frame with something in it ends the stream.
func (x *exchange) endsPlainly(trailers []byte) bool { return trailers == nil && !x.flawed }

// end ends the reply, unless its last frame has done so.
func (x *exchange) end(trailers []byte, ended bool) {
	c, s := x.conn, x.stream
	switch {
	case trailers != nil:
		c.writeHead(s.id, !x.flawed, trailers, nil)
	case !ended && !x.flawed:
		c.writeEnd(s.id)
	}
	c.answered(s)
}

// reserve waits until a part of n bytes may be sent; with heads, none may be.
func (x *exchange) reserve(n int, heads bool) (allowed int, err error) {
	x.conn.enter()
	defer x.conn.exit()
	return x.acquire(n, heads)
}

// giveBack is for what was reserved and is not sent.
func (x *exchange) giveBack(n int) {
	c := x.conn
	c.enter()
	defer c.exit()
	c.spend(n)
	c.window += int64(n)
	x.stream.window += int64(n)
	c.stirred = true
}

// sendPart sends a part of a file whose bytes were reserved. Without a header block before it, it is not copied.
func (x *exchange) sendPart(block []byte, p *filePart, ends bool) error {
	c, s := x.conn, x.stream
	c.enter()
	defer c.exit()
	c.spend(p.length)
	if x.over != nil {
		c.window += int64(p.length)
		c.stirred = true
		return x.over
	}
	ended := ends && !x.flawed && p.length > 0
	if block != nil {
		c.writeHead(s.id, false, block, nil)
		x.headed = true
	}
	frames := p.frames(s.id, ended)
	if block != nil {
		out := c.buffer()
		out.b = append(out.b, frames...)
	} else if c.flush(); c.failed == nil {
		c.failed = c.output.Write(frames)
	}
	if ends {
		x.end(nil, ended)
	}
	return c.failed
}

// frames completes the frames of a part.
func (p *filePart) frames(stream uint32, ends bool) []byte {
	at := 0
	for left := p.length; left > 0; {
		n := min(left, maxFrame)
		left -= n
		appendFrame(p.b[at:at], n, frameData, endFlag(ends && left == 0), stream)
		at += frameHead + n
	}
	return p.b[:at]
}

// ended tells why the stream ended before its time; nil: it did not.
func (x *exchange) ended() error {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return x.over
}
