package http2

import (
	"bytes"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rouse-server/rouse/server/reply"
)

// Buffers are what connections need for a moment only, and lend each other. The zero value is ready.
type Buffers struct {
	works     sync.Pool // *work
	requests  sync.Pool // *plainRequest
	repeats   sync.Pool // *stream, without an exchange
	outgoings sync.Pool // *outgoing
	writes    sync.Pool // *written
	files     sync.Pool // *filePart
	encoders  sync.Pool // *encoder
}

// takeFrom takes out of a pool, or makes a new one.
func takeFrom[T any](pool *sync.Pool) *T {
	if one, ok := pool.Get().(*T); ok {
		return one
	}
	return new(T)
}

// work is what is needed while something is received.
type work struct {
	block   block
	fields  []hpack.HeaderField // of the block
	request *plainRequest
	begun   time.Time // when the first request of what is received was complete
}

// now returns the time at which requests began.
func (w *work) now() time.Time {
	if w.begun.IsZero() {
		w.begun = time.Now()
	}
	return w.begun
}

// forget drops the fields of a block.
func (w *work) forget() {
	clear(w.fields)
	w.fields = w.fields[:0]
}

// plainRequest is a request for a kept reply, with the memory that its fields are in.
type plainRequest struct {
	reply.Request
	text []byte
	te   bool // the field TE was seen
}

// outgoing is what is to be written.
type outgoing struct{ b []byte }

// mostKept is how much memory an outgoing keeps for its next use.
const mostKept = 512 << 10

// written is what a handler wrote last.
type written struct{ b [writeBuffer]byte }

// writeBuffer is how much of a reply is held back: one that is shorter gets its content-length, as with net/http.
const writeBuffer = 4 << 10

// encoder renders fields without use of the dynamic table.
type encoder struct {
	text  bytes.Buffer
	hpack *hpack.Encoder
}

func (b *Buffers) encoder() *encoder {
	e := takeFrom[encoder](&b.encoders)
	if e.hpack == nil {
		e.hpack = hpack.NewEncoder(&e.text)
		e.hpack.SetMaxDynamicTableSize(0)
		e.field(":status", "200") // brings the announcement of that, which is not to be sent
	}
	e.text.Reset()
	return e
}

func (e *encoder) field(name, value string) {
	_ = e.hpack.WriteField(hpack.HeaderField{Name: name, Value: value}) // bytes.Buffer does not fail
}
