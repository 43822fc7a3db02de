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

// sendFrames sends a part of a file as it is, if all of it may be sent at once. It is copied only behind a header block.
func (x *exchange) sendFrames(block []byte, p *filePart, ends bool) (sent bool, err error) {
	c, s := x.conn, x.stream
	c.enter()
	defer c.exit()
	if len(c.waiting) > 0 {
		c.pump() // they come first
	}
	room := c.room()
	if x.over != nil || x.isLate() || p.length == 0 || int64(p.length) > min(c.window, s.window) || room <= 0 || p.length > room+maxFrame {
		return false, x.over
	}
	c.take(s, p.length)
	ended := ends && !x.flawed
	frames := p.frames(s.id, ended)
	if block != nil {
		c.writeHead(s.id, false, block, nil)
		x.headed = true
		c.out.b = append(c.out.b, frames...)
	} else if c.flush(); c.failed == nil {
		c.failed = c.output.Write(frames)
		c.queued = c.output.Queued()
	}
	if ends {
		x.end(nil, ended)
	}
	return true, c.failed
}

// ended tells why the stream ended before its time; nil: it did not.
func (x *exchange) ended() error {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return x.over
}
