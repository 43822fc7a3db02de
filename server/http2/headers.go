package http2

import (
	"encoding/binary"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// mostContinuations is how many CONTINUATION frames a header block may have.
const mostContinuations = 64

// block is a header block on its way: HEADERS and the CONTINUATION frames behind it.
type block struct {
	stream    uint32
	ends      bool // the stream, too
	onItself  bool // the stream depends on itself (RFC 7540 §5.3.1)
	frames    int  // CONTINUATION
	left      int  // bytes of the list that may still come
	truncated bool // more came
	regular   bool // a field that is no pseudo-header was seen
	malformed bool // RFC 9113 §8.2.1, §8.3
}

// headers begins a header block.
func (c *Conn) headers(f frame, p []byte) error {
	if f.stream%2 == 0 {
		return broken(codeProtocol, "HEADERS on a stream that is not a client's")
	}
	p, err := f.unpad(p)
	if err != nil {
		return err
	}
	w := c.work
	w.block = block{stream: f.stream, ends: f.has(flagEndStream), left: c.maxHeaderList()}
	if f.has(flagPriority) {
		if len(p) < 5 {
			return broken(codeFrameSize, "HEADERS with a priority is too short")
		}
		w.block.onItself = binary.BigEndian.Uint32(p)&reservedMask == f.stream
		p = p[5:]
	}
	c.block = &w.block
	c.decoder.SetEmitEnabled(true)
	return c.fragment(f, p)
}

func (c *Conn) continuation(f frame, p []byte) error {
	if c.block == nil {
		return broken(codeProtocol, "CONTINUATION without HEADERS before it")
	}
	if c.block.frames++; c.block.frames > mostContinuations {
		return broken(codeEnhanceCalm, "a header block has too many CONTINUATION frames")
	}
	return c.fragment(f, p)
}

// fragment decodes a part of a block. The table of HPACK needs all of it, even of a block that is too long or malformed; what is
// far too long ends the connection instead.
func (c *Conn) fragment(f frame, p []byte) error {
	b := c.block
	if len(p) > 2*b.left {
		return broken(codeProtocol, "a header block is far too long")
	}
	if b.malformed {
		return broken(codeProtocol, "a malformed header block goes on")
	}
	if _, err := c.decoder.Write(p); err != nil {
		return broken(codeCompression, err.Error())
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return broken(codeCompression, err.Error())
	}
	err := c.blockEnds()
	c.block = nil
	c.work.forget()
	return err
}

// field takes a field of the block from HPACK.
func (c *Conn) field(f hpack.HeaderField) {
	b := c.block
	if pseudo := strings.HasPrefix(f.Name, ":"); pseudo {
		b.malformed = b.malformed || b.regular
	} else {
		b.regular = true
		b.malformed = b.malformed || !isFieldName(f.Name)
	}
	b.malformed = b.malformed || !isFieldValue(f.Value)
	if size := int(f.Size()); size <= b.left {
		b.left -= size
	} else {
		b.left, b.truncated = 0, true
	}
	if b.malformed || b.truncated {
		c.decoder.SetEmitEnabled(false)
		return
	}
	c.work.fields = append(c.work.fields, f)
}

// blockEnds finds out what a whole block is for: a new stream, or the trailers of one that is open.
func (c *Conn) blockEnds() error {
	b := c.block
	s := c.streams[b.stream]
	switch {
	case s == nil && b.stream > c.lastID:
		return c.opens()
	case s == nil && !c.wasDropped(b.stream):
		return broken(codeProtocol, "HEADERS on a closed stream")
	case s == nil:
		return c.uselessFrame()
	case b.malformed:
		c.reset(s, codeProtocol)
	case s.ended:
		c.reset(s, codeStreamClosed)
	default:
		c.trailers(s)
	}
	return nil
}

// opens begins a stream with the request of the block.
func (c *Conn) opens() error {
	b := c.block
	if c.final {
		return c.uselessFrame() // the client was told that it will not be answered
	}
	c.lastID = b.stream
	c.usefulFrame()
	switch {
	case b.malformed:
		c.refuse(b.stream, codeProtocol)
	case len(c.streams) >= int(c.maxStreams()):
		c.refuse(b.stream, codeRefused)
	case b.onItself:
		c.refuse(b.stream, codeProtocol)
	default:
		return c.request()
	}
	return nil
}

// trailers takes the fields behind a body. Those that were not announced are left out, as by net/http.
func (c *Conn) trailers(s *stream) {
	x := s.exchange
	if !c.block.ends {
		c.reset(s, codeProtocol)
		return
	}
	for _, f := range c.work.fields {
		if f.Name[0] == ':' {
			c.reset(s, codeProtocol)
			return
		}
	}
	for _, f := range c.work.fields {
		name := canonical(f.Name)
		if x.trailer == nil {
			break
		}
		if !isTrailer(name) {
			c.reset(s, codeProtocol)
			return
		}
		if x.arrived == nil {
			x.arrived = make(map[string][]string)
		}
		x.arrived[name] = append(x.arrived[name], f.Value)
	}
	c.endOfRequest(s)
}
