package http2

import (
	"io"
	"net/http"
	"os"
)

// filePart is a part of a file, as frames.
type filePart struct {
	b      [mostAtOnce / maxFrame * (frameHead + maxFrame)]byte
	length int // of the file's bytes in it
}

// ReadFrom sends a file without copying it more than once. The last part is held back, so that it can end the stream. Other
// sources are copied by Write.
func (w *response) ReadFrom(from io.Reader) (n int64, err error) {
	part, ok := from.(*io.LimitedReader)
	if ok {
		_, ok = part.R.(*os.File)
	}
	if !ok || part.N <= int64(writeBuffer-w.held) || w.exchange.request.Method == http.MethodHead {
		return io.Copy(onlyWriter{w}, from)
	}
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if w.head != nil && !w.typed || w.declared != 0 && w.wrote+part.N > w.declared {
		return io.Copy(onlyWriter{w}, from)
	}
	if err := w.admits(0); err != nil {
		return 0, err
	}
	if w.failed == nil {
		w.failed = w.flush()
	}
	for w.failed == nil && part.N > 0 {
		m, err := w.filePart(part)
		n += int64(m)
		w.wrote += int64(m)
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, nil // the file is shorter than it was
		}
	}
	return n, w.failed
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// filePart reads the next part of a file, and sends the one before. Errors of the file are returned; those of sending are in
// w.failed.
func (w *response) filePart(from *io.LimitedReader) (n int, err error) {
	var allowed int
	if allowed, w.failed = w.reserve(from.N); w.failed != nil {
		return 0, nil
	}
	x := w.exchange
	p := takeFrom[filePart](&x.conn.options.Buffers.files)
	w.part, p.length = p, 0
	for at := 0; p.length < allowed; at += frameHead + maxFrame {
		var m int
		m, err = io.ReadFull(from, p.b[at+frameHead:][:min(allowed-p.length, maxFrame)])
		p.length += m
		if err != nil {
			x.giveBack(allowed - p.length)
			break
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return p.length, err
}

// reserve sends the part that is held back, and waits until at most n bytes may be sent.
func (w *response) reserve(n int64) (allowed int, err error) {
	if w.part != nil {
		if err := w.deliver(false); err != nil {
			return 0, err
		}
	}
	x := w.exchange
	if w.head != nil {
		allowed, err = x.reserve(int(min(n, 2*maxFrame)), true) // which are copied behind the head
		if err != nil || allowed > 0 {
			return allowed, err
		}
		if err := w.sendHead(); err != nil {
			return 0, err
		}
	}
	return x.reserve(int(min(n, mostAtOnce)), false)
}

// sendHead sends the head alone: there is no window for the body.
func (w *response) sendHead() error {
	w.complete(nil)
	_, err := w.exchange.send(w.head.text.Bytes(), nil, nil, false)
	w.releaseHead()
	return err
}

// deliver sends the part of a file that is held back.
func (w *response) deliver(ends bool) error {
	p := w.part
	w.part = nil
	defer w.exchange.conn.options.Buffers.files.Put(p)
	var block []byte
	if w.head != nil {
		w.complete(nil)
		block = w.head.text.Bytes()
		defer w.releaseHead()
	}
	return w.exchange.sendPart(block, p, ends)
}

// dropPart gives up the part of a file that is held back.
func (w *response) dropPart() {
	if w.part != nil {
		w.exchange.giveBack(w.part.length)
		w.exchange.conn.options.Buffers.files.Put(w.part)
		w.part = nil
	}
}
