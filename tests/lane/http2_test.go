package lane

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Frame types and flags of HTTP/2 (RFC 9113 §6).
const (
	frameData, frameHeaders, frameReset, frameSettings     = 0x0, 0x1, 0x3, 0x4
	framePing, frameGoAway, frameWindowUpdate, frameExtend = 0x6, 0x7, 0x8, 0x9
	flagEndStream, flagAck, flagEndHeaders, flagPadded     = 0x1, 0x1, 0x4, 0x8
)

// http2Conn is a connection of HTTP/2 that shows fields in the order in which they came.
type http2Conn struct {
	net.Conn
	r       *bufio.Reader
	scheme  string
	encoder *hpack.Encoder
	encoded bytes.Buffer
	decoder *hpack.Decoder
	block   []byte // of a header block, so far
	last    bool   // it ends its stream
	streams map[uint32]*strings.Builder
	done    map[uint32]bool // streams that have ended
}

func newHTTP2(conn net.Conn, scheme string) *http2Conn {
	c := &http2Conn{Conn: conn, r: bufio.NewReader(conn), scheme: scheme, decoder: hpack.NewDecoder(4096, nil), streams: map[uint32]*strings.Builder{}, done: map[uint32]bool{}}
	c.encoder = hpack.NewEncoder(&c.encoded)
	return c
}

// talk sends the requests, each on a stream, and returns what came on each stream.
func (c *http2Conn) talk(v conversation) []string {
	windows := append(binary.BigEndian.AppendUint32([]byte{0, 2, 0, 0, 0, 0, 0, 4}, 1<<30), 0, 0)[:12] // no push; of each stream
	opening := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, windows) + frame(frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, 1<<30))
	var err error
	var waiting, reply string
	for i, r := range v.requests {
		waiting += opening + c.request(uint32(2*i+1), r.following(reply))
		if opening = ""; v.atOnce && i < len(v.requests)-1 {
			continue
		}
		for _, piece := range pieces(waiting, v.pieces) {
			io.WriteString(c.Conn, piece) // an error shows when the reply is read
		}
		waiting = ""
		for len(c.done) < i+1 && err == nil {
			err = c.next()
		}
		reply = withoutBoundary(c.streams[uint32(2*i+1)].String())
	}
	var replies []string
	for i := range v.requests {
		replies = append(replies, withoutBoundary(c.streams[uint32(2*i+1)].String()))
	}
	return append(replies, "then "+ending(err))
}

// request is the frames of a request.
func (c *http2Conn) request(stream uint32, r request) string {
	for _, field := range r.http2(c.scheme) {
		c.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	block := bytes.Clone(c.encoded.Bytes())
	c.encoded.Reset()
	c.streams[stream] = &strings.Builder{}
	if r.body == "" {
		return frame(frameHeaders, flagEndHeaders|flagEndStream, stream, block)
	}
	return frame(frameHeaders, flagEndHeaders, stream, block) + frame(frameData, flagEndStream, stream, []byte(r.body))
}

func frame(kind, flags byte, stream uint32, payload []byte) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + string(payload)
}

// next reads a frame.
func (c *http2Conn) next() error {
	var head [9]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return err
	}
	kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
	switch kind {
	case frameSettings, framePing:
		if flags&flagAck == 0 {
			answer := payload
			if kind == frameSettings {
				answer = nil
			}
			io.WriteString(c.Conn, frame(kind, flagAck, 0, answer))
		}
	case frameGoAway:
		return refusal(fmt.Sprintf("GOAWAY with error %x", payload[4:8]))
	case frameData, frameHeaders, frameExtend, frameReset:
		return c.take(kind, flags, stream, payload)
	}
	return nil
}

// take notes what came on a stream.
func (c *http2Conn) take(kind, flags byte, stream uint32, payload []byte) error {
	to := c.streams[stream]
	if c.done[stream] && kind == frameReset {
		return nil // of a request whose body was not all there at the end of the reply, which is a matter of chance (RFC 9113 §8.1)
	}
	if to == nil || c.done[stream] || kind <= frameHeaders && flags&flagPadded != 0 {
		return refusal(fmt.Sprintf("a frame of type %d with flags %#x on stream %d", kind, flags, stream))
	}
	if kind != frameExtend { // a block ends its stream by the flag on its first frame
		c.last = flags&flagEndStream != 0
	}
	switch kind {
	case frameData:
		to.Write(payload)
	case frameReset:
		fmt.Fprintf(to, "\nreset with error %x", payload)
		c.last = true
	default:
		c.block = append(c.block, payload...)
		if flags&flagEndHeaders == 0 {
			return nil
		}
		if err := c.decode(to); err != nil {
			return err
		}
	}
	if c.last {
		c.done[stream] = true
	}
	return nil
}

// decode notes the fields of a block.
func (c *http2Conn) decode(to *strings.Builder) error {
	fields, err := c.decoder.DecodeFull(c.block)
	if c.block = nil; err != nil {
		return refusal(err.Error())
	}
	for _, field := range fields {
		if field.Name == "date" {
			field.Value = "-"
		}
		fmt.Fprintf(to, "%s: %s\n", field.Name, field.Value)
	}
	to.WriteString("\n")
	return nil
}
