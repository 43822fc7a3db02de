package reply

import (
	"io"
	"net/http"
	"os"
)

// take makes room for n more bytes of the body. The error is that of net/http for a body that may not be, or not be as long.
func (w *Recording) take(n int) error {
	if w.drawing.status == 0 && !w.passed {
		w.WriteHeader(http.StatusOK)
	}
	if w.passed || n == 0 {
		return nil
	}
	if !bodyAllowed(w.drawing.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	if !w.drawing.head && w.written > w.most() {
		w.pass()
		return nil
	}
	w.draw()
	if w.body == nil {
		w.body = w.short[:0]
		if w.length > 0 && !w.drawing.head {
			w.body = make([]byte, 0, w.length)
		}
	}
	return nil
}

// most is how long the body may become and not go to the stream.
func (w *Recording) most() int64 {
	if w.length >= 0 {
		return int64(w.cache.limits.Body)
	}
	return min(unannounced(w.drawing.scope), int64(w.cache.limits.Body))
}

func (w *Recording) Write(b []byte) (int, error) {
	if w.repeats(b) {
		return len(b), nil
	}
	if err := w.take(len(b)); err != nil {
		return 0, err
	}
	if w.passed {
		return w.stream.Write(b)
	}
	w.body = append(w.body, b[:w.wanted(len(b))]...)
	return len(b), nil
}

// WriteString is what io.WriteString looks for.
func (w *Recording) WriteString(s string) (int, error) {
	if err := w.take(len(s)); err != nil {
		return 0, err
	}
	if w.passed {
		return io.WriteString(w.stream, s)
	}
	w.body = append(w.body, s[:w.wanted(len(s))]...)
	return len(s), nil
}

// repeats tells whether b is the body that is known, written as a whole.
func (w *Recording) repeats(b []byte) bool {
	if !w.repeated || w.passed || w.written > 0 || len(b) == 0 || len(b) != len(w.known.Body) || &b[0] != &w.known.Body[0] {
		return false
	}
	if w.drawing.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.passed || w.length >= 0 && w.length != int64(len(b)) {
		return false
	}
	w.written = int64(len(b))
	w.body = w.known.Body[:len(b):len(b)]
	return true
}

// wanted is how much is wanted of n bytes that were written: of those for HEAD only what tells the body's type.
func (w *Recording) wanted(n int) int {
	if !w.drawing.head {
		return n
	}
	return max(min(n, 512-len(w.body)), 0) // http.DetectContentType looks no further
}

// ReadFrom takes a file's bytes if they are to be kept. Otherwise it leaves the file to the stream, unread.
func (w *Recording) ReadFrom(source io.Reader) (int64, error) {
	if w.drawing.status == 0 && !w.passed {
		w.WriteHeader(http.StatusOK)
	}
	limited, ok := source.(*io.LimitedReader)
	if ok && !w.passed && !w.drawing.head && bodyAllowed(w.drawing.status) {
		if file, ok := limited.R.(*os.File); ok {
			if w.keep && w.written == 0 && w.length == limited.N {
				return w.readFile(file, limited)
			}
			w.pass()
		}
	}
	if !w.passed {
		return io.Copy(struct{ io.Writer }{w}, source)
	}
	if stream, ok := w.stream.(io.ReaderFrom); ok {
		return stream.ReadFrom(source)
	}
	return io.Copy(w.stream, source)
}

// readFile reads a file of which the length is known, and the end therefore need not be looked for.
func (w *Recording) readFile(file *os.File, limited *io.LimitedReader) (int64, error) {
	w.draw()
	w.body = make([]byte, limited.N)
	n, err := io.ReadFull(file, w.body)
	w.body = w.body[:n]
	w.written = int64(n)
	limited.N -= int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil // it is for the caller to see that there are fewer than it wanted
	}
	return int64(n), err
}
