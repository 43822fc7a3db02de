package faults

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client is a hostile one.
type client struct {
	net.Conn // TLS, where that was agreed on
	drill    *drill
	port     uint64
	word     atomic.Pointer[string] // the last that the server said
}

// dial connects as the attack has it. The connection is closed when the drill ends.
func dial(d *drill) (*client, error) {
	address := d.victim.http
	if d.secure {
		address = d.victim.https
	}
	var dialer net.Dialer
	nc, err := dialer.DialContext(d.ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(d.ctx, func() { nc.Close() })
	c := &client{Conn: nc, drill: d, port: portOf(nc.LocalAddr().String())}
	if d.proto == "" {
		return c, nil
	}
	secured := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{d.proto}})
	if err := secured.HandshakeContext(d.ctx); err != nil {
		nc.Close()
		return nil, err
	}
	c.Conn = secured
	return c, nil
}

// heard notes what the server says.
func (c *client) heard(word string) { c.word.Store(&word) }

// send sends a text.
func (c *client) send(text string) error {
	_, err := io.WriteString(c.Conn, text)
	return err
}

// trickle sends a text again and again, a little at a time.
func (c *client) trickle(text string) {
	for c.send(text) == nil && c.pause(timeLimit()/10) {
	}
}

// pause waits, and reports whether the drill goes on.
func (c *client) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.drill.ctx.Done():
		return false
	}
}

// listen reads what the server says over HTTP/1.1 until it closes the connection.
func (c *client) listen() {
	lines := bufio.NewReaderSize(c.Conn, 512)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "HTTP/1.") && len(line) > 12 {
			c.heard(line[9:12])
		}
		if err != nil {
			return
		}
	}
}

// neglect reads nothing, and returns when the server has closed the connection: what it says then may not come.
func (c *client) neglect() {
	for c.pause(timeLimit()/2) && (*c.drill.peers.Load())[c.port] {
	}
}

// http2Client is a client that speaks HTTP/2.
type http2Client struct {
	*client
	*http2.Framer
	out   bytes.Buffer
	block bytes.Buffer
	hpack *hpack.Encoder
	next  uint32 // stream
}

// speakHTTP2 sends the preface with settings.
func (c *client) speakHTTP2(settings ...http2.Setting) *http2Client {
	h := &http2Client{client: c, next: 1}
	h.Framer = http2.NewFramer(&h.out, c.Conn)
	h.Framer.AllowIllegalWrites = true
	h.hpack = hpack.NewEncoder(&h.block)
	h.out.WriteString(http2.ClientPreface)
	h.WriteSettings(settings...)
	h.flush()
	return h
}

// flush sends the frames that were written.
func (h *http2Client) flush() error {
	_, err := h.out.WriteTo(h.client.Conn)
	return err
}

// head is the header block of a request with more fields, in pairs.
func (h *http2Client) head(method, path string, pairs ...string) []byte {
	h.block.Reset()
	all := append([]string{":method", method, ":scheme", "https", ":authority", "localhost", ":path", path}, pairs...)
	for i := 0; i < len(all); i += 2 {
		h.hpack.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	return h.block.Bytes()
}

// open writes a request's head, whole.
func (h *http2Client) open(ends bool, method, path string, pairs ...string) (stream uint32) {
	stream = h.next
	h.next += 2
	h.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: h.head(method, path, pairs...), EndHeaders: true, EndStream: ends})
	return stream
}

// raw writes a request whose header block is given.
func (h *http2Client) raw(ends bool, block []byte) {
	h.WriteHeaders(http2.HeadersFrameParam{StreamID: h.next, BlockFragment: block, EndHeaders: true, EndStream: ends})
	h.next += 2
}

// literal is a field that no table takes (RFC 7541 §6.2.2). Both texts are shorter than 127 bytes.
func (h *http2Client) literal(name, value string) []byte {
	return append(append([]byte{0, byte(len(name))}, name...), append([]byte{byte(len(value))}, value...)...)
}

// trickleFrames writes a frame now and then, until the connection is closed.
func (h *http2Client) trickleFrames(write func()) {
	for h.pause(timeLimit() / 10) {
		if write(); h.flush() != nil {
			return
		}
	}
}

// flood writes without end, a few thousand bytes at a time, until the connection is closed. The clients together may have as much of
// the machine as leaves the normal one some.
func (h *http2Client) flood(write func()) { h.times(math.MaxInt, write) }

// times writes so many times, reading what the server says, until it closes the connection.
func (h *http2Client) times(n int, write func()) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		h.listen()
	}()
	defer func() { <-closed }()
	for n > 0 {
		for ; n > 0 && h.out.Len() < 4<<10; n-- {
			write()
		}
		if h.flush() != nil {
			return
		}
		select {
		case <-closed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listen reads frames until the server closes the connection.
func (h *http2Client) listen() {
	for {
		frame, err := h.ReadFrame()
		if _, isStream := err.(http2.StreamError); isStream {
			continue
		}
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			h.heard("GOAWAY " + frame.ErrCode.String())
		case *http2.RSTStreamFrame:
			h.heard(fmt.Sprintf("RST_STREAM %s", frame.ErrCode))
		}
	}
}
