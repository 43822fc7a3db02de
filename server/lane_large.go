package server

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// large sends a reply whose body is not kept, and whose length is known. Others it refuses, before anything is sent: net/http
// does them better.
type large struct {
	lane    *lane
	header  http.Header
	head    []byte // to be sent before the body; empty: it was
	left    int64  // of the body
	refused bool
	patient bool // the transport is
	failed  error
}

// reset prepares for another reply, in the same memory.
func (w *large) reset(l *lane) *large {
	clear(w.header)
	*w = large{lane: l, header: w.header, head: w.head[:0]}
	return w
}

func (w *large) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// Refuse ends the handler, by http.ErrAbortHandler, before it has sent anything.
func (w *large) Refuse() {
	w.refused = true
	panic(http.ErrAbortHandler)
}

// WriteHeader begins a reply of known length.
func (w *large) WriteHeader(status int) {
	length, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 || status < http.StatusOK {
		w.Refuse()
	}
	l := w.lane
	if l.request.Head {
		length = 0
	}
	w.left = length
	w.head = reply.Render(&l.request, status, w.header, nil).AppendHTTP1(w.head[:0], l.server.dates.At(time.Now()).HTTP1, l.request.Close)
}

func (w *large) Write(b []byte) (int, error) {
	n := int64(len(b))
	if n > w.left {
		return 0, http.ErrContentLength
	}
	if !w.isPatient() {
		return 0, w.failed
	}
	if len(w.head) > 0 {
		b = append(w.head, b...)
		w.head = w.head[:0]
	}
	if _, w.failed = w.lane.Conn.Write(b); w.failed != nil {
		return 0, w.failed
	}
	w.left -= n
	return int(n), nil
}

// isPatient makes the transport wait for the client from here on, and reports whether that can be written to.
func (w *large) isPatient() bool {
	if !w.patient && w.failed == nil {
		w.patient = true
		w.failed = w.lane.transport.bePatient()
	}
	return w.failed == nil
}

// ReadFrom sends a file: by sendfile(2), or through TLS in writes of many records.
func (w *large) ReadFrom(from io.Reader) (n int64, err error) {
	part, ok := from.(*io.LimitedReader)
	if !ok || part.N > w.left {
		return io.Copy(struct{ io.Writer }{w}, from)
	}
	switch {
	case len(w.head) > 0 && part.N == w.left && part.N <= copied:
		n, err = w.copy(part)
	case !w.isPatient():
		return 0, w.failed
	case w.lane.tls != nil:
		n, err = w.encrypt(part)
	default:
		n, err = w.hand(part)
	}
	w.left -= n
	if _, ofFile := err.(*os.PathError); !ofFile {
		w.failed = err
	}
	return n, err
}

// copied is how long a file may be that is cheaper to copy behind its head, for one write, than to hand to the kernel.
const copied = 16 << 10

// copy sends a short file in one write with its head.
func (w *large) copy(part *io.LimitedReader) (int64, error) {
	l := w.lane
	buffer := l.server.buffers.send()
	b := append((*buffer)[:0], w.head...)
	from := len(b)
	b = slices.Grow(b, int(part.N))[:from+int(part.N)]
	n, err := io.ReadFull(part, b[from:])
	if err == io.EOF || err == io.ErrUnexpectedEOF { // it is shorter than it was, which the caller sees
		err = nil
	}
	if w.head = w.head[:0]; l.write(b[:from+n]) == nextEnd {
		w.failed = net.ErrClosed
		err = w.failed
	}
	l.server.buffers.giveBack(buffer, b)
	return int64(n), err
}

// hand lets the kernel send the file behind the head.
func (w *large) hand(part *io.LimitedReader) (int64, error) {
	if len(w.head) > 0 {
		if err := w.lane.transport.announce(w.head); err != nil {
			return 0, err
		}
		w.head = w.head[:0]
	}
	return w.lane.transport.ReadFrom(part)
}

// encrypt sends the file in pieces of bulk, each in one write.
func (w *large) encrypt(part *io.LimitedReader) (n int64, err error) {
	t := w.lane.transport
	buffer := w.lane.server.buffers.bulk()
	defer w.lane.server.buffers.bulky.Put(buffer)
	t.eager = true
	defer func() { t.eager = false }()
	for b := (*buffer)[:bulk]; err == nil && part.N > 0; {
		used := copy(b, w.head)
		w.head = w.head[:0]
		m, failed := io.ReadFull(part, b[used:used+int(min(part.N, int64(bulk-used)))])
		n += int64(m)
		t.gathering(true)
		_, err = w.lane.Conn.Write(b[:used+m])
		if err = cmp.Or(err, t.gathering(false)); err == nil {
			err = t.flush()
		}
		if failed == io.EOF || failed == io.ErrUnexpectedEOF { // the file is shorter than it was
			return n, err
		}
		err = cmp.Or(err, failed)
	}
	return n, err
}

// finish ends the reply. One that is shorter than was announced ends the connection.
func (w *large) finish() error {
	if w.failed != nil {
		return w.failed
	}
	if len(w.head) > 0 { // it has no body
		if _, err := w.Write(nil); err != nil {
			return err
		}
	}
	if w.left > 0 {
		return io.ErrUnexpectedEOF
	}
	if !w.patient {
		return nil
	}
	w.lane.transport.eager = true
	return w.lane.transport.Conn.SetWriteDeadline(time.Time{})
}
