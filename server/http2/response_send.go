package http2

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// chunk sends a part of the body, the head before the first one, and the end after the last.
func (w *response) chunk(p []byte) (n int, err error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if w.part != nil {
		if err := w.deliver(false); err != nil {
			return 0, err
		}
	}
	isHead := w.exchange.request.Method == http.MethodHead
	var block, trailers []byte
	if w.head != nil {
		if w.length == "" && w.done && hasBody(w.status) && (len(p) > 0 || !isHead) {
			w.length = strconv.Itoa(len(p))
		}
		w.complete(p)
		block = w.head.text.Bytes()
		defer w.releaseHead()
	}
	if isHead {
		if block != nil {
			_, err = w.exchange.send(block, nil, nil, true)
		}
		return len(p), err
	}
	if w.done {
		if behind := w.behind(); behind != nil {
			defer w.exchange.conn.options.Buffers.encoders.Put(behind)
			trailers = behind.text.Bytes()
		}
	}
	return w.exchange.send(block, p, trailers, w.done)
}

// complete adds to the header block what the first part of the body tells, and what stands at the end.
func (w *response) complete(p []byte) {
	if !w.typed && hasBody(w.status) && len(p) > 0 {
		w.head.field("content-type", http.DetectContentType(p))
	}
	if w.length != "" {
		w.head.field("content-length", w.length)
	}
	if !w.dated {
		w.head.text.Write(w.exchange.conn.options.Dates.At(time.Now()).HTTP2)
	}
}

// behind renders the trailers: those that were announced, and those that http.TrailerPrefix marks. It is nil when there are none.
func (w *response) behind() *encoder {
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			name = canonical(name)
			w.announce(name)
			w.header[name] = values
		}
	}
	slices.Sort(w.trailers)
	e := w.exchange.conn.options.Buffers.encoder()
	e.fields(w.header, w.trailers)
	if e.text.Len() == 0 {
		w.exchange.conn.options.Buffers.encoders.Put(e)
		return nil
	}
	return e
}

// finish ends the reply when its handler has returned.
func (w *response) finish() {
	if w.done || w.failed != nil {
		return
	}
	w.done = true
	if w.part != nil && w.held == 0 {
		behind := w.behind()
		if behind == nil {
			w.failed = w.deliver(true)
			return
		}
		w.exchange.conn.options.Buffers.encoders.Put(behind)
	}
	n := w.held
	w.held = 0
	if n == 0 {
		_, w.failed = w.chunk(nil)
	} else {
		_, w.failed = w.chunk(w.body.b[:n])
	}
}

// SendReply sends a rendered reply as the whole answer.
func (w *response) SendReply(r *reply.Reply) error {
	if w.status != 0 || w.done {
		return errEnded
	}
	w.status, w.done = r.Status, true
	w.head = w.exchange.conn.options.Buffers.encoder()
	w.head.text.Write(r.Head)
	w.head.text.Write(w.exchange.conn.options.Dates.At(time.Now()).HTTP2)
	_, w.failed = w.exchange.send(w.head.text.Bytes(), r.Body, nil, true)
	w.releaseHead()
	return w.failed
}

// release gives back what was lent.
func (w *response) release() {
	w.releaseHead()
	w.dropPart()
	if w.body != nil {
		w.exchange.conn.options.Buffers.writes.Put(w.body)
		w.body = nil
	}
	w.held, w.done = 0, true
}

func (w *response) releaseHead() {
	if w.head != nil {
		w.exchange.conn.options.Buffers.encoders.Put(w.head)
		w.head = nil
	}
}
