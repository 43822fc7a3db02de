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
			return n, w.failed // nil: the file is shorter than it was
		}
	}
	return n, w.failed
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// filePart reads the next part of a file, and sends the one before. Errors of the file are returned; those of sending are in
// w.failed.
func (w *response) filePart(from *io.LimitedReader) (n int, err error) {
	if w.part != nil {
		if w.failed = w.deliver(false); w.failed != nil {
			return 0, nil
		}
	}
	if w.head != nil && w.exchange.isShut() { // the head needs no window
		w.part = takeFrom[filePart](&w.exchange.conn.options.Buffers.files)
		w.part.length = 0
		if w.failed = w.deliver(false); w.failed != nil {
			return 0, nil
		}
	}
	window, err := w.exchange.awaitWindow() // with nothing read: who waits for a client is to cost little
	if err != nil {
		w.failed = err
		return 0, nil
	}
	wants := int(min(from.N, mostAtOnce, window))
	if w.head != nil {
		wants = min(wants, 2*maxFrame) // which are copied behind the head
	}
	p := takeFrom[filePart](&w.exchange.conn.options.Buffers.files)
	w.part, p.length = p, 0
	for at := 0; p.length < wants && err == nil; at += frameHead + maxFrame {
		n, err = io.ReadFull(from, p.b[at+frameHead:][:min(wants-p.length, maxFrame)])
		p.length += n
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return p.length, err
}

// deliver sends the part of a file that is held back.
func (w *response) deliver(ends bool) error {
	p := w.part
	defer w.dropPart()
	var block []byte
	if w.head != nil {
		w.complete(nil)
		block = w.head.text.Bytes()
		defer w.releaseHead()
	}
	if sent, err := w.exchange.sendFrames(block, p, ends); sent || err != nil {
		return err
	}
	for i := range p.pieces() { // the client does not take all of it now
		last := i == p.pieces()-1
		if _, err := w.exchange.send(block, p.piece(i), nil, ends && last); err != nil {
			return err
		}
		block = nil
	}
	return nil
}

// dropPart gives back the memory of the part that is held back.
func (w *response) dropPart() {
	if w.part != nil {
		w.exchange.conn.options.Buffers.files.Put(w.part)
		w.part = nil
	}
}

// pieces is how many frames a part has; an empty one has one, too.
func (p *filePart) pieces() int { return max((p.length+maxFrame-1)/maxFrame, 1) }

func (p *filePart) piece(i int) []byte {
	return p.b[i*(frameHead+maxFrame)+frameHead:][:min(p.length-i*maxFrame, maxFrame)]
}

// frames completes the frames of a part that is not empty.
func (p *filePart) frames(stream uint32, ends bool) []byte {
	at := 0
	for i := range p.pieces() {
		n := len(p.piece(i))
		appendFrame(p.b[at:at], n, frameData, endFlag(ends && i == p.pieces()-1), stream)
		at += frameHead + n
	}
	return p.b[:at]
}
