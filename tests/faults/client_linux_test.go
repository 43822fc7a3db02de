package faults

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"
)

// client is a hostile one.
type client struct {
	net.Conn // TLS, where that was agreed on
	raw      net.Conn
	horde    *horde
	port     uint64

	mu    sync.Mutex
	heard map[string]bool // what the server said
}

// dial connects as the attack has it. The connection is closed when the attack ends.
func dial(h *horde) (*client, error) {
	address := h.HTTP
	if h.secure {
		address = h.HTTPS
	}
	dialer := net.Dialer{Control: h.receiveBuffer}
	nc, err := dialer.DialContext(h.ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(h.ctx, func() { nc.Close() })
	c := &client{Conn: nc, raw: nc, horde: h, port: portOf(nc.LocalAddr().String()), heard: map[string]bool{}}
	if h.proto == "" {
		return c, nil
	}
	secured := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{h.proto}})
	if err := secured.HandshakeContext(h.ctx); err != nil {
		nc.Close()
		return nil, err
	}
	c.Conn = secured
	return c, nil
}

// receiveBuffer makes the kernel take little for the client, where the attack wants it (socket(7), SO_RCVBUF).
func (h *horde) receiveBuffer(_, _ string, c syscall.RawConn) error {
	if h.sips {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
	}
	return nil
}

// hear notes what the server says.
func (c *client) hear(word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[word] = true
}

// words is what the server has said.
func (c *client) words() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.heard)
}

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
	case <-c.horde.ctx.Done():
		return false
	}
}

// listen reads what the server says over HTTP/1.1 until it closes the connection.
func (c *client) listen() {
	lines := bufio.NewReaderSize(c.Conn, 512)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "HTTP/1.") && len(line) > 12 {
			c.hear(line[9:12])
		}
		if err != nil {
			return
		}
	}
}

// neglect reads nothing, and returns when the server has closed the connection: what it says then may not come.
func (c *client) neglect() {
	for c.pause(timeLimit()/2) && c.isEstablished() && c.horde.isOpen(c.port) {
	}
}

// isEstablished tells whether the kernel has heard of no end of the connection (tcp(7), TCP_INFO). After a reset the port may be another
// client's already.
func (c *client) isEstablished() (is bool) {
	raw, err := c.raw.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		const established = 1
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		is = err == nil && info.State == established
	})
	return is
}

// sip takes a few bytes now and then of what comes, until the server has closed the connection: a tenth of the lowest rate that the
// server bears.
func (c *client) sip() {
	little := make([]byte, 1+lowestRate*int(timeLimit()/time.Second)/100)
	for c.pause(timeLimit()/10) && c.horde.isOpen(c.port) {
		if _, err := c.raw.Read(little); err != nil {
			return
		}
	}
}

// lowestRate is how many bytes a second a client has to take, over the time of --send-timeout.
const lowestRate = 240

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
	h.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
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

// flood writes all it can, until the connection is closed.
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
		for ; n > 0 && h.out.Len() < 16<<10; n-- {
			write()
		}
		if h.flush() != nil {
			return
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
		case *http2.MetaHeadersFrame:
			h.hear(frame.PseudoValue("status"))
		case *http2.GoAwayFrame:
			h.hear("GOAWAY " + frame.ErrCode.String())
		case *http2.RSTStreamFrame:
			h.hear(fmt.Sprintf("RST_STREAM %s", frame.ErrCode))
		}
	}
}
