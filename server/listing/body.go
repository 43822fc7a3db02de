package listing

import (
	"io"
	"net/http"
	"strconv"

	"github.com/rouse-server/rouse/server/compress"
)

// A piece is sent when there is this much of it.
const pieceSize = 32 << 10

// body is a response's body on its way. What is appended to b goes out in pieces, in the best content coding that the client
// takes, so that a folder may have any number of entries. The header goes before the first piece; if that is the last one as
// well, with its length.
type body struct {
	b       []byte
	buffer  *[]byte // where b is kept for the next one
	err     error   // of the first write that failed; nothing is sent from then on
	w       http.ResponseWriter
	codings []compress.Coding // that the client takes, the best first
	listing *Listing
	out     io.Writer      // nil as long as nothing was sent
	encoder io.WriteCloser // nil without coding
}

func (l *Listing) newBody(w http.ResponseWriter, r *http.Request) *body {
	buffer, ok := l.buffers.Get().(*[]byte)
	if !ok {
		buffer = new(make([]byte, 0, pieceSize+8<<10))
	}
	return &body{b: (*buffer)[:0], buffer: buffer, w: w, listing: l, codings: compress.Accepted(r.Header.Values("Accept-Encoding"), l.options.Codings)}
}

// room makes room for more in b, and reports whether it is worth going on.
func (p *body) room() bool {
	if len(p.b) >= pieceSize {
		p.send(false)
	}
	return p.err == nil
}

// end sends the rest.
func (p *body) end() error {
	p.send(true)
	if p.encoder != nil && p.err == nil { // one that failed is not handed back by Close
		p.err = p.encoder.Close()
	}
	*p.buffer = p.b
	p.listing.buffers.Put(p.buffer)
	return p.err
}

func (p *body) send(last bool) {
	if p.out == nil && p.err == nil {
		p.begin(last)
	}
	if p.err == nil {
		_, p.err = p.out.Write(p.b)
	}
	p.b = p.b[:0]
}

// begin chooses where the pieces go.
func (p *body) begin(last bool) {
	p.out = p.w
	h := p.w.Header()
	if len(p.codings) > 0 && !(last && len(p.b) < compress.MinSize) {
		if p.encoder, p.err = compress.NewWriter(p.w, p.codings[0], p.listing.options.Level); p.err != nil {
			p.listing.options.Log.Error("cannot compress a listing", "coding", string(p.codings[0]), "error", p.err)
			return
		}
		h.Set("Content-Encoding", string(p.codings[0]))
		p.out = p.encoder
		return
	}
	if last {
		h.Set("Content-Length", strconv.Itoa(len(p.b)))
	}
}
