package http2

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire is a client that sends whatever it is told to.
type wire struct {
	*http2.Framer
	nc      net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	next    uint32 // stream
}

// outcome is what became of a request.
type outcome struct {
	status   []string // also those of informational replies
	fields   []string // in order, without the date's value
	body     string
	trailers []string
	end      string // how the stream ended: END_STREAM, or the code of RST_STREAM or of GOAWAY, or closed
}

func (o outcome) String() string {
	return fmt.Sprintf("%v %q, body of %d bytes %.80q, trailers %q, %s", o.status, o.fields, len(o.body), o.body, o.trailers, o.end)
}

// dial connects, and grants large windows.
func dial(t testing.TB, address string, settings ...http2.Setting) *wire {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	w := newWire(nc)
	fmt.Fprint(nc, preface)
	if settings == nil {
		settings = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 24}}
	}
	w.WriteSettings(settings...)
	w.WriteWindowUpdate(0, 1<<30)
	return w
}

func newWire(nc net.Conn) *wire {
	w := &wire{Framer: http2.NewFramer(nc, nc), nc: nc}
	w.reset()
	return w
}

func (w *wire) reset() {
	w.AllowIllegalWrites, w.AllowIllegalReads = true, true
	w.encoder, w.decoder, w.next = hpack.NewEncoder(&w.block), hpack.NewDecoder(tableSize, nil), 1
}

// pairs makes fields of names and values.
func pairs(text ...string) (fields []hpack.HeaderField) {
	for i := 0; i < len(text); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: text[i], Value: text[i+1]})
	}
	return fields
}

// get are the fields of a GET, and more.
func get(path string, more ...string) []hpack.HeaderField {
	return append(pairs(":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", path), pairs(more...)...)
}

// encode renders fields.
func (w *wire) encode(fields []hpack.HeaderField) []byte {
	w.block.Reset()
	for _, f := range fields {
		w.encoder.WriteField(f)
	}
	return w.block.Bytes()
}

// open sends the head of a request on the next stream.
func (w *wire) open(fields []hpack.HeaderField, ends bool) (stream uint32) {
	stream = w.next
	w.next += 2
	w.headers(stream, fields, ends)
	return stream
}

// headers sends a header block, in frames of the usual size.
func (w *wire) headers(stream uint32, fields []hpack.HeaderField, ends bool) {
	block := w.encode(fields)
	n := min(len(block), maxFrame)
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:n], EndStream: ends, EndHeaders: n == len(block)})
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), maxFrame)
		w.WriteContinuation(stream, n == len(block), block[:n])
	}
}

// ask sends a request, and returns what became of it. A body is sent in the given pieces; trailers end it if there are any.
func (w *wire) ask(fields []hpack.HeaderField, body []string, trailers []hpack.HeaderField) outcome {
	stream := w.open(fields, body == nil)
	for i, part := range body {
		w.WriteData(stream, i == len(body)-1 && trailers == nil, []byte(part))
	}
	if trailers != nil {
		w.headers(stream, trailers, true)
	}
	return w.outcome(stream)
}

// outcome reads until a stream has ended.
func (w *wire) outcome(stream uint32) (o outcome) {
	for o.end == "" {
		f, err := w.ReadFrame()
		if err != nil {
			o.end = "closed"
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				o.end = "nothing more came"
			}
			return o
		}
		w.take(&o, stream, f)
	}
	return o
}

// take takes a frame. Header blocks of other streams are decoded all the same.
func (w *wire) take(o *outcome, stream uint32, f http2.Frame) {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		block := append([]byte(nil), f.HeaderBlockFragment()...)
		for ended := f.HeadersEnded(); !ended; {
			next, err := w.ReadFrame()
			if err != nil {
				o.end = "closed"
				return
			}
			more := next.(*http2.ContinuationFrame)
			block = append(block, more.HeaderBlockFragment()...)
			ended = more.HeadersEnded()
		}
		fields, err := w.decoder.DecodeFull(block)
		if err != nil {
			o.end = err.Error()
			return
		}
		if f.StreamID == stream {
			o.head(fields, f.StreamEnded())
		}
	case *http2.DataFrame:
		if f.StreamID == stream {
			o.body += string(f.Data())
			if f.StreamEnded() {
				o.end = "END_STREAM"
			}
		}
	case *http2.RSTStreamFrame:
		if f.StreamID == stream && o.end == "" {
			o.end = "RST_STREAM " + f.ErrCode.String()
		}
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			o.end = "GOAWAY " + f.ErrCode.String()
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			w.WriteSettingsAck()
		}
	}
}

// head notes the fields of a header block.
func (o *outcome) head(fields []hpack.HeaderField, ends bool) {
	final := len(o.status) > 0 && !strings.HasPrefix(o.status[len(o.status)-1], "1")
	for _, f := range fields {
		switch text := f.Name + ": " + f.Value; {
		case f.Name == ":status":
			o.status = append(o.status, f.Value)
		case final:
			o.trailers = append(o.trailers, text)
		case f.Name == "date" && len(f.Value) == 29:
			o.fields = append(o.fields, "date")
		default:
			o.fields = append(o.fields, text)
		}
	}
	if ends {
		o.end = "END_STREAM"
	}
}
