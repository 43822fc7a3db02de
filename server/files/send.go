package files

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"
)

// Files up to this size are copied into net/http's buffers, to leave in one write together with
// the header; larger ones go by sendfile(2) where the connection can.
const copiedSize = 8 << 10

// send answers r with an open file; http.ServeContent does the conditions and ranges.
func (h *handler) send(w http.ResponseWriter, r *http.Request, file *os.File, info os.FileInfo) {
	var (
		id       = identityOf(info)
		modified = info.ModTime()
		tag      string
	)
	if hasNoTime(modified) {
		modified = time.Time{} // no Last-Modified
		var err error
		if tag, err = h.tags.tag(r.Context(), file, id); err != nil {
			h.log.WarnContext(r.Context(), "serving a file without ETag", "path", r.URL.Path, "error", err)
		}
	} else {
		tag = id.tag()
		if now := time.Now(); modified.After(now) { // RFC 9110 §8.8.2.1
			modified = now
		}
	}
	header := w.Header()
	header.Set("Content-Type", contentType(info.Name()))
	if tag != "" {
		header.Set("ETag", tag)
	}
	reply := &reply{ResponseWriter: w, modified: modified, buffers: &h.buffers}
	http.ServeContent(reply, byteRanges(r, info.Size()), "", modified, content{file, info.Size()})
	if reply.short {
		h.log.WarnContext(r.Context(), "a file ended early while it was sent, the client is cut off",
			"path", r.URL.Path, "size", info.Size(), "error", reply.err)
		panic(http.ErrAbortHandler)
	}
}

// content is a file whose end is where fstat saw it, so that the length sent and the ETag speak of
// the same state of it.
type content struct {
	*os.File
	size int64
}

func (c content) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd { // http.ServeContent asks for the size and goes back to the start
		return c.size + offset, nil
	}
	return c.File.Seek(offset, whence)
}

// reply is a ResponseWriter that mends what http.ServeContent does.
type reply struct {
	http.ResponseWriter
	modified time.Time // what Last-Modified says, or zero
	buffers  *sync.Pool
	status   int
	short    bool  // the file had fewer bytes than were announced
	err      error // what reading it said, if anything
}

// WriteHeader gives 304 back its Last-Modified, and makes 412 and 416 replies without a body.
func (p *reply) WriteHeader(status int) {
	p.status = status
	header := p.Header()
	switch status {
	case http.StatusNotModified:
		if !p.modified.IsZero() {
			header.Set("Last-Modified", p.modified.UTC().Format(http.TimeFormat))
		}
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		header.Del("Content-Type")
		header.Set("Content-Length", "0")
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write takes the text of http.ServeContent's errors, which is not sent. Files come by ReadFrom.
func (p *reply) Write(b []byte) (int, error) {
	if p.status >= http.StatusBadRequest {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom is io.CopyN's way to send a body. net/http has to see the *os.File itself to use
// sendfile(2). A body that ends early is noted: on HTTP/1.1 net/http closes the connection then, but
// on HTTP/2 it ends the stream as if all were well, which makes the reply malformed (RFC 9113 §8.1.1).
func (p *reply) ReadFrom(source io.Reader) (int64, error) {
	limited, ok := source.(*io.LimitedReader)
	if !ok {
		return io.Copy(p.ResponseWriter, source)
	}
	if c, ok := limited.R.(content); ok {
		limited.R = c.File
	}
	var n int64
	var err error
	if limited.N <= copiedSize {
		n, err = p.copySmall(limited)
	} else {
		n, err = io.Copy(p.ResponseWriter, limited)
	}
	if limited.N > 0 {
		_, ofFile := errors.AsType[*fs.PathError](err)
		p.short = err == nil || ofFile // any other error is the connection's
		p.err = err
	}
	return n, err
}

// copySmall copies without net/http's ReadFrom, which sends the first 512 bytes by themselves.
func (p *reply) copySmall(source io.Reader) (int64, error) {
	buffer, ok := p.buffers.Get().(*[copiedSize]byte)
	if !ok {
		buffer = new([copiedSize]byte)
	}
	defer p.buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{p.ResponseWriter}, source, buffer[:])
}
