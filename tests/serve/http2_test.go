package serve

import (
	"bufio"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// Frame types and flags of HTTP/2 (RFC 9113 §6).
const (
	frameData, frameHeaders, frameReset, frameSettings      = 0x0, 0x1, 0x3, 0x4
	framePing, frameGoAway, frameWindowUpdate               = 0x6, 0x7, 0x8
	flagEndStream, flagAck, flagEndHeaders             byte = 0x1, 0x1, 0x4
	settingInitialWindow                                    = 0x4
)

// http2Conn speaks HTTP/2 frame by frame, so that a test sees what client libraries hide: GOAWAY, and windows that stay
// shut.
type http2Conn struct {
	net.Conn
	t      testing.TB
	r      *bufio.Reader
	scheme byte           // index of :scheme http or https in HPACK's static table (RFC 7541, appendix A)
	got    map[uint32]int // bytes of body that came on each stream
}

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

func (f frame) String() string {
	return fmt.Sprintf("of type %d, flags %#x, stream %d, payload %x", f.kind, f.flags, f.stream, f.payload)
}

// dialHTTP2 connects over TLS; the server may send window bytes on each stream before it has to wait.
func dialHTTP2(t testing.TB, address string, pool *x509.CertPool, window uint32) *http2Conn {
	t.Helper()
	c, err := handshake(address, pool, "h2")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("ALPN gave %q, want h2", got)
	}
	return overHTTP2(t, c, 0x87, window)
}

// dialH2C is dialHTTP2 in plain text, with prior knowledge (RFC 9113 §3.3).
func dialH2C(t testing.TB, address string, window uint32) *http2Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		t.Fatal(err)
	}
	return overHTTP2(t, c, 0x86, window)
}

func overHTTP2(t testing.TB, conn net.Conn, scheme byte, window uint32) *http2Conn {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	c := &http2Conn{conn, t, bufio.NewReader(conn), scheme, map[uint32]int{}}
	c.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	c.send(frame{kind: frameSettings, payload: binary.BigEndian.AppendUint32([]byte{0, settingInitialWindow}, window)})
	return c
}

func (c *http2Conn) write(b []byte) {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *http2Conn) send(f frame) {
	c.t.Helper()
	head := binary.BigEndian.AppendUint32(nil, uint32(len(f.payload)))[1:]
	head = binary.BigEndian.AppendUint32(append(head, f.kind, f.flags), f.stream)
	c.write(append(head, f.payload...))
}

// get asks for a path, of less than 127 bytes, on a stream.
func (c *http2Conn) get(stream uint32, path string) {
	c.t.Helper()
	const authority = "localhost"
	block := []byte{0x82, c.scheme, 0x04, byte(len(path))} // :method GET, :scheme, :path (RFC 7541 §6)
	block = append(append(block, path...), 0x01, byte(len(authority)))
	c.send(frame{frameHeaders, flagEndStream | flagEndHeaders, stream, append(block, authority...)})
}

// allow lets the server send so many more bytes on the stream (0: on the connection).
func (c *http2Conn) allow(stream, bytes uint32) {
	c.t.Helper()
	c.send(frame{kind: frameWindowUpdate, stream: stream, payload: binary.BigEndian.AppendUint32(nil, bytes)})
}

// next returns the next frame, io.EOF when the server has closed the connection; SETTINGS and PING it answers by itself.
func (c *http2Conn) next() (frame, error) {
	c.t.Helper()
	for {
		f, err := c.read()
		switch {
		case err != nil:
			return f, err
		case f.kind == frameSettings && f.flags&flagAck == 0:
			c.SetDeadline(time.Now().Add(limit))
			c.Write([]byte{0, 0, 0, frameSettings, flagAck, 0, 0, 0, 0}) // the server may have left
		case f.kind == framePing && f.flags&flagAck == 0:
			c.send(frame{framePing, flagAck, 0, f.payload})
		case f.kind != frameSettings && f.kind != framePing:
			if f.kind == frameData {
				c.got[f.stream] += len(f.payload)
			}
			return f, nil
		}
	}
}

func (c *http2Conn) read() (f frame, err error) {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	var head [9]byte
	if _, err = io.ReadFull(c.r, head[:]); err == nil {
		f = frame{head[3], head[4], binary.BigEndian.Uint32(head[5:]), make([]byte, binary.BigEndian.Uint32(head[:4])>>8)}
		_, err = io.ReadFull(c.r, f.payload)
	}
	if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
		c.t.Fatalf("the server has neither sent a frame nor closed the connection within %v", limit)
	}
	return f, err
}

// wait returns the next frame of a kind and skips all others.
func (c *http2Conn) wait(kind byte) frame {
	c.t.Helper()
	for {
		f, err := c.next()
		if err != nil {
			c.t.Fatalf("the connection ended before a frame of type %d came: %v", kind, err)
		}
		if f.kind == kind {
			return f
		}
	}
}

// answered reads until the stream has ended and fails the test unless its status was 200 (static table index 8).
func (c *http2Conn) answered(stream uint32) {
	c.t.Helper()
	for {
		f, err := c.next()
		switch {
		case err != nil:
			c.t.Fatalf("stream %d was not answered: %v", stream, err)
		case f.stream != stream:
			continue
		case f.kind == frameReset:
			c.t.Fatalf("stream %d was reset with error %x", stream, f.payload)
		case f.kind == frameHeaders && (len(f.payload) == 0 || f.payload[0] != 0x88):
			c.t.Fatalf("stream %d was answered with header block %x, want status 200", stream, f.payload)
		}
		if f.flags&flagEndStream != 0 && (f.kind == frameData || f.kind == frameHeaders) {
			return
		}
	}
}

// receive reads until so many bytes of the stream's body have come.
func (c *http2Conn) receive(stream uint32, least int) {
	c.t.Helper()
	for c.got[stream] < least {
		f, err := c.next()
		if err != nil || f.stream == stream && f.kind == frameReset {
			c.t.Fatalf("after %d of %d bytes on stream %d: frame %v, %v", c.got[stream], least, stream, f, err)
		}
	}
}

// goAway reads the last stream that a GOAWAY allows, and its error code (RFC 9113 §6.8).
func goAway(f frame) (last, code uint32) {
	return binary.BigEndian.Uint32(f.payload), binary.BigEndian.Uint32(f.payload[4:])
}
