package reply

import (
	"bytes"
	"net/http"
)

// Finish is called when the chain has returned. It returns the reply to send, rendered and, if it may be, kept; nil when it
// went to the stream. After a panic of the chain call Abandon instead. Neither the Recording nor the writers around it may be used
// after either.
func (w *Recording) Finish() *Reply {
	defer w.done()
	if w.drawing.status == 0 && !w.passed {
		w.WriteHeader(http.StatusOK)
	}
	bodyless := w.drawing.head || !bodyAllowed(w.drawing.status)
	if !w.passed && w.repeated && w.written == 0 && !bodyless {
		w.written, w.body = int64(len(w.known.Body)), w.known.Body
	}
	if !w.passed && !bodyless && w.length >= 0 && w.written != w.length {
		w.pass() // net/http sends it as it is, and then closes the connection
	}
	if w.passed {
		w.cache.drop(w.known)
		return nil
	}
	w.draw()
	w.drawing.end(w.body, w.written)
	if bodyless {
		w.body = nil
	}
	keep := w.keep && !w.forbidden && len(w.body) <= w.cache.limits.Body
	if keep && w.same() {
		w.cache.renew(w.request, w.known)
		return w.known
	}
	made := w.drawing.reply("", w.ownBody())
	if !keep {
		made.Host = string(w.request.Host)
		w.cache.drop(w.known)
		return made
	}
	made.kept = newKept(w.request, made, w.depends, w.variant)
	if made.kept.holds = w.holds; w.holds != nil {
		made.kept.size += sizeOf(sizeOfSource)
	}
	w.cache.put(w.request, made, w.known)
	return made
}

// Abandon gives up: nothing is kept, and somebody else may be told Wanted.
func (w *Recording) Abandon() { w.done() }

// same tells whether the reply is the one that is kept.
func (w *Recording) same() bool {
	known, d := w.known, &w.drawing
	if known == nil || known.Status != d.status || known.variant != w.variant {
		return false
	}
	tail := d.tail()
	return bytes.Equal(known.Head, d.b[:tail]) && bytes.Equal(known.Tail, d.b[tail:]) &&
		(w.isKnown() || bytes.Equal(w.body, known.Body))
}

// ownBody is the body in memory that is not used again.
func (w *Recording) ownBody() []byte {
	if w.length > 0 || w.isKnown() {
		return w.body
	}
	return bytes.Clone(w.body)
}

// isKnown tells whether the body is that which was known, and not only equal to it.
func (w *Recording) isKnown() bool {
	return w.repeated && len(w.body) > 0 && len(w.body) == len(w.known.Body) && &w.body[0] == &w.known.Body[0]
}

// done lets somebody else be told what this one was, and use the recording.
func (w *Recording) done() {
	cache := w.cache
	cache.settle(w.request, w.known, w.finding)
	if w.length <= 0 && !w.isKnown() && cap(w.body) > cap(w.short) {
		w.short = w.body // it has grown, up to what unannounced says
	}
	*w = Recording{drawing: drawing{b: w.drawing.b[:0]}, names: w.names[:0], short: w.short[:0]}
	cache.recordings.Put(w)
}
