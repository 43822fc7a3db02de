package http2

import (
	"encoding/binary"
	"io"
)

// window is what a client may send of bodies (RFC 9113 §5.2).
type window struct {
	left int // as the client knows it
	owed int // was read since, and is not given back yet
	size int
}

// take takes what the client sent. It reports whether that was allowed.
func (w *window) take(n int) bool {
	if n > w.left {
		return false
	}
	w.left -= n
	return true
}

// give gives n bytes back, and returns by how much the client is to be told: by nothing until it is worth a frame.
func (w *window) give(n int) (increment int) {
	w.owed += n
	if w.owed < w.size/2 {
		return 0
	}
	increment, w.owed = w.owed, 0
	w.left += increment
	return increment
}

// refund gives n bytes back on the connection.
func (c *Conn) refund(n int) { c.writeWindowUpdate(0, c.received.give(n)) }

func (c *Conn) writeWindowUpdate(stream uint32, increment int) {
	if increment == 0 || c.over != nil {
		return
	}
	out := c.buffer()
	out.b = appendFrame(out.b, 4, frameWindowUpdate, 0, stream)
	out.b = binary.BigEndian.AppendUint32(out.b, uint32(increment))
}

// tinyIncrement is a window so small that it costs more than it brings.
const tinyIncrement = 256

// windowUpdate lets more be sent.
func (c *Conn) windowUpdate(f frame, p []byte) error {
	if len(p) != 4 {
		return broken(codeFrameSize, "WINDOW_UPDATE is not 4 bytes long")
	}
	if f.stream != 0 && c.isIdle(f.stream) {
		return broken(codeProtocol, "WINDOW_UPDATE on an idle stream")
	}
	increment := int64(binary.BigEndian.Uint32(p) & reservedMask)
	s := c.streams[f.stream]
	switch {
	case increment == 0 && f.stream == 0:
		return broken(codeProtocol, "WINDOW_UPDATE by nothing")
	case increment == 0 && s == nil:
		c.refuse(f.stream, codeProtocol)
	case increment == 0:
		c.reset(s, codeProtocol)
	case f.stream == 0:
		if c.window += increment; c.window > maxWindow {
			return broken(codeFlowControl, "the connection's window is too large")
		}
		c.stirred = true
	case s != nil:
		if s.window += increment; s.window > maxWindow {
			c.reset(s, codeFlowControl)
		}
		c.stirred = true
	}
	if increment < tinyIncrement {
		return c.uselessFrame()
	}
	return nil
}

// data takes a part of a request's body.
func (c *Conn) data(f frame, p []byte) error {
	if f.stream == 0 || c.isIdle(f.stream) {
		return broken(codeProtocol, "DATA on an idle stream")
	}
	p, err := f.unpad(p)
	if err != nil {
		return err
	}
	if !c.received.take(f.length) {
		return broken(codeFlowControl, "more DATA than the connection's window allows")
	}
	s := c.streams[f.stream]
	switch {
	case s == nil:
		c.refund(f.length)
		if !c.wasDropped(f.stream) {
			c.refuse(f.stream, codeStreamClosed)
		}
		return c.uselessFrame()
	case s.ended:
		c.refund(f.length)
		c.reset(s, codeStreamClosed)
		return nil
	}
	c.toBody(s, f, p)
	if len(p) == 0 {
		return c.uselessFrame()
	}
	c.usefulFrame()
	return nil
}

// toBody gives DATA to who reads the body.
func (c *Conn) toBody(s *stream, f frame, p []byte) {
	b := s.exchange.body
	b.got += int64(len(p))
	switch {
	case !b.window.take(f.length):
		c.refund(f.length)
		c.reset(s, codeFlowControl)
		return
	case b.declared >= 0 && b.got > b.declared: // RFC 9113 §8.1.1
		c.refund(f.length)
		c.reset(s, codeProtocol)
		return
	case s.answered || b.err != nil: // nobody reads it
		c.refund(f.length)
		if s.answered && b.window.left == 0 && !f.has(flagEndStream) {
			c.reset(s, codeNone) // RFC 9113 §8.1: the reply does not need the rest
			return
		}
	default:
		b.came(p)
		padding := f.length - len(p)
		c.refund(padding)
		c.writeWindowUpdate(s.id, b.window.give(padding))
	}
	if f.has(flagEndStream) {
		c.endOfRequest(s)
	}
}

// endOfRequest notes that all of a request has come.
func (c *Conn) endOfRequest(s *stream) {
	s.ended = true
	x := s.exchange
	switch b := x.body; {
	case s.answered:
		c.close(s, nil)
	case b.declared >= 0 && b.got < b.declared:
		b.fail(errShortBody)
		x.flawed = true // RFC 9113 §8.1.1
	default:
		b.fail(io.EOF)
	}
}
