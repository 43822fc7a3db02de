package server

import (
	"encoding/binary"
	"io"
	"sync"
)

// Numbers of HTTP/2 frames and flags (RFC 9113 §6).
const (
	frameHeaders      = 0x1
	framePushPromise  = 0x5
	frameGoAway       = 0x7
	frameContinuation = 0x9
	flagEndHeaders    = 0x4
	frameHeadSize     = 9
)

// preface begins every HTTP/2 connection (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frames writes the frames of an HTTP/2 server and can put a GOAWAY between two of them. net/http sends only the final one,
// with the last stream it saw: a request that is on its way then is lost to clients that do not retry. RFC 9113 §6.8 asks
// for a first one that still allows every stream, so that the client stops by itself.
type frames struct {
	to io.Writer

	mu        sync.Mutex
	head      [frameHeadSize]byte // of the frame that is being written
	have      int                 // bytes of it that were seen
	left      uint32              // bytes of its payload still to come
	unended   bool                // a header block goes on: nothing may stand between
	started   bool                // the server's SETTINGS, which must be first, went out
	wanted    bool                // a GOAWAY is to go out at the next boundary
	announced bool                // it did
}

func (f *frames) Write(b []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n < len(b) {
		if err := f.announce(); err != nil {
			return n, err
		}
		part := b[n:]
		if f.wanted && !f.announced {
			part = part[:f.advance(part, true)]
		} else {
			f.advance(part, false)
		}
		m, err := f.to.Write(part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, f.announce()
}

// GoAway tells the client to open no more streams, now or at the end of the frame that is being written.
func (f *frames) GoAway() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = true
	return f.announce()
}

// announce writes the GOAWAY when it is wanted and may stand here.
func (f *frames) announce() error {
	if !f.wanted || f.announced || !f.atBoundary() {
		return nil
	}
	f.announced = true
	_, err := f.to.Write([]byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	return err
}

func (f *frames) atBoundary() bool { return f.started && f.have == 0 && f.left == 0 && !f.unended }

// advance follows the frames through b and returns how much of it was followed: all, or up to the first boundary.
func (f *frames) advance(b []byte, toBoundary bool) (n int) {
	for n < len(b) {
		if f.left == 0 {
			m := copy(f.head[f.have:], b[n:])
			f.have += m
			n += m
			if f.have < frameHeadSize {
				continue
			}
			f.begin()
		} else {
			m := min(uint32(len(b)-n), f.left)
			f.left -= m
			n += int(m)
		}
		if f.left == 0 {
			f.have = 0
			f.started = true
			if toBoundary && f.atBoundary() {
				return n
			}
		}
	}
	return n
}

// begin reads the head of a frame (RFC 9113 §4.1).
func (f *frames) begin() {
	f.left = binary.BigEndian.Uint32(f.head[:4]) >> 8
	switch f.head[3] {
	case frameHeaders, framePushPromise, frameContinuation:
		f.unended = f.head[4]&flagEndHeaders == 0
	}
}
