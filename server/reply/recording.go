package reply

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Recording is the http.ResponseWriter with which the chain answers a plain request. It collects the reply as long as that
// may be kept or is short; all else goes on to the stream.
type Recording struct {
	cache   *Cache
	request *Request
	known   *Reply // what is kept for the request; nil: nothing
	finding Finding
	stream  http.ResponseWriter

	passed    bool // the stream has it
	declined  bool // it is to go there
	marked    bool
	forbidden bool // it is not to be kept
	repeated  bool // the body is that of known
	keep      bool // it is to be kept, as far as its header tells
	depends   uint8
	variant   any
	holds     func() bool
	length    int64 // what the chain says of it; -1: nothing
	written   int64 // of the body, in bytes
	drawing   drawing
	body      []byte // what was written; of a reply to HEAD the beginning

	names []string // room for the header's
	short []byte   // room for a body of unknown length
}

// Record prepares the recording of the chain's answer to r, for which Find has just found known and finding. Replies that are longer
// than Limits.Body, come from a file and are not Wanted, are informational (1xx), are flushed, or whose length net/http would not know by
// itself, go to the stream: its header is the one that the chain sets, and WriteHeader, Write and ReadFrom (files, as an
// *io.LimitedReader over an *os.File) are called as the chain does.
func (c *Cache) Record(r *Request, known *Reply, finding Finding, stream http.ResponseWriter) *Recording {
	w, ok := c.recordings.Get().(*Recording)
	if !ok {
		w = &Recording{}
	}
	*w = Recording{
		cache: c, request: r, known: known, finding: finding, stream: stream, length: -1,
		drawing: drawing{scope: r.Scope, head: r.Head, close: r.Close, b: w.drawing.b[:0]}, names: w.names[:0], short: w.short[:0],
	}
	return w
}

// Header is the stream's, so that it need not be copied for it.
func (w *Recording) Header() http.Header { return w.stream.Header() }

// Keeps tells whether the reply is kept if it is marked. If not there is no need to know its variant.
func (w *Recording) Keeps() bool { return w.finding == Wanted || w.finding == Due }

// Mark is the function Mark. It returns the body if that is known; the chain may write it, which costs nothing.
func (w *Recording) Mark(variant any) (body []byte, known bool) {
	if w.drawing.status != 0 || w.passed {
		return nil, false
	}
	w.marked = true
	if !w.Keeps() {
		return nil, false
	}
	w.variant = variant
	if variant == nil || w.known == nil || w.known.variant != variant || w.request.Head || w.known.Body == nil {
		return nil, false
	}
	w.repeated = true
	return w.known.Body, true
}

// Source tells how to find out cheaply that a marked reply still holds: holds looks at what the body was made of, waits for
// nothing but the file system, and may be called by any goroutine as long as the reply is kept. The chain is asked all the same after
// some of the reply's lives, since other things may have changed.
func (w *Recording) Source(holds func() bool) { w.holds = holds }

// WriteHeader notes the header as it is now.
func (w *Recording) WriteHeader(status int) {
	d := &w.drawing
	switch {
	case w.passed:
		w.stream.WriteHeader(status)
		return
	case d.status != 0: // as net/http has it: the first one counts
		return
	case status < 200 || status > 999:
		w.passed = true
		w.stream.WriteHeader(status)
		return
	}
	d.status = status
	header := w.stream.Header()
	if w.declined || !w.readLength(header) || w.unusual(header) {
		w.pass()
		return
	}
	bodyless := d.head || !bodyAllowed(status)
	if !bodyless && w.length > int64(w.cache.limits.Body) {
		w.pass()
		return
	}
	if w.Keeps() && w.marked {
		w.depends, w.keep = w.keepable(status, header)
	}
	if !bodyless && w.length > 0 && w.marked && !w.keep && !w.repeated {
		return // likely a file, whose header is the stream's to render
	}
	w.draw()
}

// draw renders the header.
func (w *Recording) draw() {
	if w.drawing.fields == 0 {
		header := w.stream.Header()
		w.names = sortedNames(w.names[:0], header)
		w.drawing.begin(header, w.names)
	}
}

// readLength is false for a length that cannot be one.
func (w *Recording) readLength(header http.Header) bool {
	lines, ok := header["Content-Length"]
	if !ok {
		return true
	}
	if len(lines) != 1 {
		return false
	}
	length, err := strconv.ParseInt(lines[0], 10, 64)
	w.length = length
	return err == nil && length >= 0
}

// unusual tells of headers that are not rendered here.
func (w *Recording) unusual(header http.Header) bool {
	if header["Transfer-Encoding"] != nil || header["Trailer"] != nil {
		return true
	}
	return w.drawing.scope&HTTP2 != 0 && header["Date"] != nil
}

// pass gives to the stream what is here, and what follows.
func (w *Recording) pass() {
	if w.passed {
		return
	}
	w.passed = true
	if w.drawing.status == 0 {
		return
	}
	w.stream.WriteHeader(w.drawing.status)
	if len(w.body) > 0 {
		w.stream.Write(w.body) // where an error shows, it shows again
	}
}

// Flush gives everything to the stream.
func (w *Recording) Flush() { w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *Recording) FlushError() error {
	if w.drawing.status == 0 && !w.passed {
		w.WriteHeader(http.StatusOK)
	}
	w.pass()
	return http.NewResponseController(w.stream).Flush()
}

// SetReadDeadline is the stream's.
func (w *Recording) SetReadDeadline(deadline time.Time) error {
	if stream, ok := w.stream.(interface{ SetReadDeadline(time.Time) error }); ok {
		return stream.SetReadDeadline(deadline)
	}
	return errors.ErrUnsupported
}

// SetWriteDeadline is the stream's.
func (w *Recording) SetWriteDeadline(deadline time.Time) error {
	if stream, ok := w.stream.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return stream.SetWriteDeadline(deadline)
	}
	return errors.ErrUnsupported
}
