package server

import (
	"cmp"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// large sends a reply whose body is not kept, and whose length is known. Others it refuses, before anything is sent: net/http
// does them better.
type large struct {
	lane    *lane
	header  http.Header
	head    []byte // to be sent before the body
	left    int64  // of the body
	refused bool
	failed  error
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
	w.head = reply.Render(&l.request, status, w.header, nil).AppendHTTP1(nil, l.server.dates.At(time.Now()).HTTP1, l.request.Close)
	w.failed = l.transport.bePatient()
}

func (w *large) Write(b []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	n := int64(len(b))
	if n > w.left {
		return 0, http.ErrContentLength
	}
	if w.head != nil {
		b = append(w.head, b...)
		w.head = nil
	}
	if _, w.failed = w.lane.Conn.Write(b); w.failed != nil {
		return 0, w.failed
	}
	w.left -= n
	return int(n), nil
}

// ReadFrom sends a file: by sendfile(2), or through TLS in writes of many records.
func (w *large) ReadFrom(from io.Reader) (n int64, err error) {
	part, ok := from.(*io.LimitedReader)
	if !ok || part.N > w.left || w.failed != nil {
		return io.Copy(struct{ io.Writer }{w}, from)
	}
	if w.lane.tls != nil {
		n, err = w.encrypt(part)
	} else {
		n, err = w.hand(part)
	}
	w.left -= n
	if _, ofFile := err.(*os.PathError); !ofFile {
		w.failed = err
	}
	return n, err
}

// hand lets the kernel send the file behind the head.
func (w *large) hand(part *io.LimitedReader) (int64, error) {
	if w.head != nil {
		if err := w.lane.transport.announce(w.head); err != nil {
			return 0, err
		}
		w.head = nil
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
		w.head = nil
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
	if w.head != nil { // it has no body
		if _, err := w.Write(nil); err != nil {
			return err
		}
	}
	if w.left > 0 {
		return io.ErrUnexpectedEOF
	}
	w.lane.transport.eager = true
	return w.lane.transport.Conn.SetWriteDeadline(time.Time{})
}
