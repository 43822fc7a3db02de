package http2

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var (
	errTooMuch = errors.New("http2: the handler wrote more than its content-length")
	errEnded   = errors.New("http2: the reply has ended")
)

// response is the http.ResponseWriter of an exchange. It works as net/http's.
type response struct {
	exchange *exchange
	header   http.Header
	status   int      // 0: not known yet
	head     *encoder // the header block, as far as it is known; nil: it was sent
	length   string   // content-length that the handler set
	declared int64    // likewise; 0: none
	typed    bool     // it set content-type, or content-encoding, so that the type is not to be guessed
	dated    bool     // and the date
	trailers []string // the names that it announced
	body     *written // what is held back; nil: nothing
	held     int      // bytes of it
	part     *filePart
	wrote    int64
	done     bool  // the handler has returned
	failed   error // of sending
}

// Header is as of http.ResponseWriter.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader keeps the fields as they are now. Informational ones (1xx) are sent at once.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0 || w.done:
		return
	case status < 100 || status > 999: // http.ResponseWriter promises it
		panic(fmt.Sprintf("http2: %d is no status", status))
	case status < 200:
		w.inform(status)
	default:
		w.begin(status)
	}
}

// begin renders the head as far as it is known.
func (w *response) begin(status int) {
	w.status = status
	w.head = w.exchange.conn.options.Buffers.encoder()
	w.head.field(":status", strconv.Itoa(status))
	w.head.fields(w.header, sortedNames(w.header), "Content-Length", "Connection")
	if w.length = w.header.Get("Content-Length"); w.length != "" {
		n, err := strconv.ParseUint(w.length, 10, 63)
		if err != nil {
			w.length = ""
		}
		w.declared = int64(n)
	}
	_, w.dated = w.header["Date"]
	_, typed := w.header["Content-Type"]
	w.typed = typed || w.header.Get("Content-Encoding") != ""
	for _, value := range w.header["Trailer"] {
		for name := range strings.SplitSeq(value, ",") {
			w.announce(strings.Trim(name, " \t"))
		}
	}
	if w.header.Get("Connection") == "close" { // which net/http takes for the wish to close this one
		w.exchange.conn.Shutdown()
	}
}

func (w *response) inform(status int) {
	head := w.exchange.conn.options.Buffers.encoder()
	head.field(":status", strconv.Itoa(status))
	head.fields(w.header, sortedNames(w.header), "Content-Length", "Transfer-Encoding")
	_, _ = w.exchange.send(head.text.Bytes(), nil, nil, false) // the next write fails, too
	w.exchange.conn.options.Buffers.encoders.Put(head)
}

// announce notes the name of a trailer. Those that may not be one are left out.
func (w *response) announce(name string) {
	if name = canonical(name); name != "" && isTrailer(name) && !slices.Contains(w.trailers, name) {
		w.trailers = append(w.trailers, name)
	}
}

func (w *response) Write(p []byte) (int, error) {
	if err := w.admits(len(p)); err != nil {
		return 0, err
	}
	n := 0
	for len(p)-n > writeBuffer-w.held && w.failed == nil {
		if w.held == 0 {
			sent, err := w.chunk(p[n:])
			n, w.failed = n+sent, err
			continue
		}
		n += w.hold(p[n:])
		w.failed = w.flush()
	}
	if w.failed != nil {
		return n, w.failed
	}
	return n + w.hold(p[n:]), nil
}

func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// admits tells whether so much may be written.
func (w *response) admits(n int) error {
	if w.done {
		return errEnded
	}
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if !hasBody(w.status) {
		return http.ErrBodyNotAllowed
	}
	if w.wrote += int64(n); w.declared != 0 && w.wrote > w.declared {
		return errTooMuch
	}
	return nil
}

// hold keeps as much as there is room for.
func (w *response) hold(p []byte) (n int) {
	if len(p) == 0 {
		return 0
	}
	if w.body == nil {
		w.body = takeFrom[written](&w.exchange.conn.options.Buffers.writes)
	}
	n = copy(w.body.b[w.held:], p)
	w.held += n
	return n
}

// flush sends what is held back.
func (w *response) flush() error {
	if w.held == 0 {
		return nil
	}
	n := w.held
	w.held = 0
	_, err := w.chunk(w.body.b[:n])
	return err
}

// Flush sends what was written so far.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *response) FlushError() error {
	switch {
	case w.done:
		return errEnded
	case w.failed != nil:
		return w.failed
	case w.held > 0:
		w.failed = w.flush()
	default:
		_, w.failed = w.chunk(nil)
	}
	if w.failed == nil {
		w.failed = w.exchange.ended()
	}
	return w.failed
}

// hasBody tells whether replies of a status have a body (RFC 9110 §6.4.1).
func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
