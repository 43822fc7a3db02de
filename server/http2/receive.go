package http2

import (
	"encoding/binary"
	"time"
)

// What a client may do that brings nothing, beside what does: so much at once, and so much more each second. Of RST_STREAM it is
// what nghttp2 allows (nghttp2_option_set_stream_reset_rate_limit).
const (
	mostUseless    = 1000 // frames
	uselessASecond = 100
	mostBroken     = 1000 // requests that it breaks off
	brokenASecond  = 33
)

// calm forgets some of what a client did that brought nothing.
func (c *Conn) calm(now time.Time) {
	if c.calmed.IsZero() || c.useless == 0 && c.broken == 0 {
		c.calmed = now
	}
	passed := now.Sub(c.calmed)
	if passed < time.Second/4 {
		return
	}
	c.calmed = now
	c.useless = max(c.useless-int(uselessASecond*passed/time.Second), 0)
	c.broken = max(c.broken-int(brokenASecond*passed/time.Second), 0)
}

// receive takes what is whole of b.
func (c *Conn) receive(b []byte) (used int, err error) {
	if c.stage == awaitsPreface {
		if used, err = c.greet(b); err != nil || used == 0 {
			return used, err
		}
	}
	for len(b)-used >= frameHead {
		f := parseFrame(b[used:])
		if f.length > maxFrame {
			return used, broken(codeFrameSize, "a frame is longer than 16,384 bytes")
		}
		end := used + frameHead + f.length
		if end > len(b) {
			break
		}
		if err := c.frame(f, b[used+frameHead:end]); err != nil || c.over != nil {
			return end, err
		}
		used = end
	}
	rest := b[used:]
	c.partial = len(rest) > 0 && (len(rest) < frameHead || frameType(rest[3]) != frameData)
	if used > 0 && c.block == nil {
		c.pending = time.Time{} // the next one has its own time
	}
	return used, nil
}

// greet takes the preface and answers it with SETTINGS.
func (c *Conn) greet(b []byte) (used int, err error) {
	n := min(len(b), len(preface))
	if string(b[:n]) != preface[:n] {
		return 0, broken(codeProtocol, "the connection does not begin with the preface of HTTP/2")
	}
	if n < len(preface) {
		return 0, nil
	}
	c.stage = awaitsSettings
	c.writeSettings()
	if c.leaving {
		c.writeGoAway(maxStreamID, codeNone, "")
	}
	return n, nil
}

// frame takes one frame.
func (c *Conn) frame(f frame, p []byte) error {
	switch {
	case c.block != nil && (f.kind != frameContinuation || f.stream != c.block.stream):
		return broken(codeProtocol, "a header block is interrupted")
	case c.stage == awaitsSettings && f.kind != frameSettings:
		return broken(codeProtocol, "the first frame is not SETTINGS")
	}
	switch f.kind {
	case frameData:
		return c.data(f, p)
	case frameHeaders:
		return c.headers(f, p)
	case frameContinuation:
		return c.continuation(f, p)
	case framePriority:
		return c.priority(f, p)
	case frameReset:
		return c.resetByClient(f, p)
	case frameSettings:
		return c.settings(f, p)
	case framePing:
		return c.ping(f, p)
	case frameGoAway:
		return c.goAwayOfClient(f, p)
	case frameWindowUpdate:
		return c.windowUpdate(f, p)
	case framePushPromise:
		return broken(codeProtocol, "a client may not push")
	}
	return c.uselessFrame() // of a kind that is not known (RFC 9113 §4.1)
}

// uselessFrame counts frames that cost more than they bring.
func (c *Conn) uselessFrame() error {
	if c.useless++; c.useless > mostUseless {
		return broken(codeEnhanceCalm, "too many frames that bring nothing")
	}
	return nil
}

// usefulFrame makes up for some of them.
func (c *Conn) usefulFrame() { c.useless = max(c.useless-16, 0) }

// priority checks a frame whose content means nothing any more (RFC 9113 §5.3.2).
func (c *Conn) priority(f frame, p []byte) error {
	switch {
	case f.stream == 0:
		return broken(codeProtocol, "PRIORITY without a stream")
	case len(p) != 5:
		return broken(codeFrameSize, "PRIORITY is not 5 bytes long")
	case binary.BigEndian.Uint32(p)&reservedMask != f.stream:
	case c.streams[f.stream] != nil: // a stream may not depend on itself (RFC 7540 §5.3.1)
		c.reset(c.streams[f.stream], codeProtocol)
	case c.isIdle(f.stream):
		c.refuse(f.stream, codeProtocol)
	}
	return c.uselessFrame()
}

func (c *Conn) ping(f frame, p []byte) error {
	switch {
	case f.stream != 0:
		return broken(codeProtocol, "PING on a stream")
	case len(p) != 8:
		return broken(codeFrameSize, "PING is not 8 bytes long")
	case !f.has(flagAck):
		out := c.buffer()
		out.b = append(appendFrame(out.b, len(p), framePing, flagAck, 0), p...)
	}
	return c.uselessFrame()
}

func (c *Conn) resetByClient(f frame, p []byte) error {
	switch {
	case f.stream == 0:
		return broken(codeProtocol, "RST_STREAM without a stream")
	case len(p) != 4:
		return broken(codeFrameSize, "RST_STREAM is not 4 bytes long")
	case c.isIdle(f.stream):
		return broken(codeProtocol, "RST_STREAM on an idle stream")
	}
	if s := c.streams[f.stream]; s != nil {
		c.close(s, &streamError{code(binary.BigEndian.Uint32(p)), true})
	}
	return c.brokenOff()
}

// brokenOff counts requests whose work was for nothing, also those that were answered before it was known.
func (c *Conn) brokenOff() error {
	if c.broken++; c.broken > mostBroken {
		return broken(codeEnhanceCalm, "the client breaks too many requests off")
	}
	return nil
}

// goAwayOfClient ends the connection after the streams that are open, as net/http does.
func (c *Conn) goAwayOfClient(f frame, p []byte) error {
	switch {
	case f.stream != 0:
		return broken(codeProtocol, "GOAWAY on a stream")
	case len(p) < 8:
		return broken(codeFrameSize, "GOAWAY is shorter than 8 bytes")
	}
	c.shutdown()
	return c.uselessFrame()
}
