package files

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/reply"
)

// Files up to this size are copied into net/http's buffers, to leave in one write together with
// the header; larger ones go by sendfile(2) where the connection can. A recording gets the file whatever its size.
const copiedSize = 8 << 10

// send answers r with an open file; http.ServeContent does the conditions and ranges.
func (h *handler) send(p *response, r *http.Request, f found) {
	p.outcome.File = true
	s := h.choose(p, r, f)
	s.recording = reply.Behind(p)
	if s.beside != nil {
		defer s.beside.Close()
	}
	defer s.release()
	s.remember(r.Context())
	s.content = content{file: s.file, size: s.id.size}
	var body io.ReadSeeker = &s.content
	if s.body != nil {
		body = &memory{body: s.body}
	}
	http.ServeContent(s, byteRanges(r, s.id.size), "", s.modified, body)
	if s.short {
		if s.err != nil {
			h.complaints.BrokenOff(r.Context(), r.URL.Path, s.err)
		} else {
			h.Log.WarnContext(r.Context(), "a file ended early while it was sent, the client is cut off", "path", r.URL.Path, "size", s.id.size)
		}
		panic(http.ErrAbortHandler)
	}
}

// content is a file that was just opened, whose end is where fstat saw it, so that the length sent and the ETag speak of the
// same state of it.
type content struct {
	file  *os.File
	size  int64
	at    int64 // where what is sent begins
	moved bool  // its offset is not 0 any more
}

func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekEnd: // http.ServeContent asks for the size and goes back to the start
		return c.size + offset, nil
	case whence == io.SeekStart && offset == 0 && !c.moved:
		return 0, nil
	}
	c.moved, c.at = true, offset // from the start: http.ServeContent knows no other way
	return c.file.Seek(offset, whence)
}

func (c *content) Read(b []byte) (int, error) {
	c.moved = true
	return c.file.Read(b)
}

// sending is a representation on its way: a ResponseWriter that mends what http.ServeContent does.
type sending struct {
	*response
	found
	h         *handler
	id        Identity
	content   content         // the same for http.ServeContent
	beside    *os.File        // the file, if it is one beside that which was asked for
	modified  time.Time       // what Last-Modified says, or zero
	tag       string          // of the file as it is
	coding    compress.Coding // in which it is sent, when that is made on the fly
	body      []byte          // what is sent, if that is in memory
	streamed  func()          // set when it is encoded while it is sent; to be called at the end of that
	status    int
	recording *reply.Recording // nil: the reply goes to the client at once
	known     bool             // body is what was sent before
	short     bool             // the file had fewer bytes than were announced
	err       error            // what reading it said, if anything
}

// release gives the place of a stream back.
func (s *sending) release() {
	if s.streamed != nil {
		s.streamed()
	}
}

// WriteHeader makes what is sent in a coding, now that it is known to be sent; gives 304 back its Last-Modified and replies
// in a coding their length; and makes 412 and 416 replies without a body. A file that cannot be read makes it 500.
func (s *sending) WriteHeader(status int) {
	s.status = status
	s.mark(status)
	header := s.Header()
	switch status {
	case http.StatusOK:
		switch {
		case s.coding != "":
			s.encode(s.request.Context())
		case header.Get("Content-Encoding") != "":
			header.Set("Content-Length", strconv.FormatInt(s.id.size, 10))
		}
		s.digest()
	case http.StatusPartialContent:
		s.digest()
	case http.StatusNotModified:
		if !s.modified.IsZero() {
			header.Set("Last-Modified", s.modified.UTC().Format(http.TimeFormat))
		}
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		header.Del("Content-Type")
		header.Del("Content-Encoding")
		header.Set("Content-Length", "0")
	}
	if err := s.unreadable(); err != nil {
		s.status = http.StatusInternalServerError // nothing of what http.ServeContent writes now is sent
		reply.Forbid(s)
		s.h.fail(s.response, s.request, err)
		return
	}
	s.response.WriteHeader(status)
}

// unreadable tries to read where what is sent begins, while the client can still be told.
func (s *sending) unreadable() error {
	if s.request.Method != http.MethodGet || s.body != nil || s.content.at >= s.id.size || s.status != http.StatusOK && s.status != http.StatusPartialContent {
		return nil
	}
	var first [1]byte
	if _, err := s.file.ReadAt(first[:], s.content.at); err != nil && err != io.EOF { // io.EOF: it is shorter by now
		return err
	}
	return nil
}

// digest tells the hash of the whole representation, also with a part of it (RFC 9530 §3). Of one that is made while it is
// sent there is none yet.
func (s *sending) digest() {
	if !s.h.Digest || s.streamed != nil {
		return
	}
	ctx := s.request.Context()
	sum, err := s.h.sums.of(ctx, s.variant(), func() ([sha256.Size]byte, error) {
		if s.body != nil {
			return sha256.Sum256(s.body), nil
		}
		return hashFile(s.file, s.id)
	})
	if err != nil {
		reply.Forbid(s) // next time it may go better
		if ctx.Err() == nil {
			s.h.Log.WarnContext(ctx, "serving a file without Repr-Digest", "file", s.name, "error", err)
		}
		return
	}
	s.Header().Set("Repr-Digest", reprDigest(sum))
}

// Write takes the text of http.ServeContent's errors, which is not sent. Files come by ReadFrom.
func (s *sending) Write(b []byte) (int, error) {
	if s.status >= http.StatusBadRequest {
		return len(b), nil
	}
	return s.response.Write(b)
}

// ReadFrom is io.CopyN's way to send a body. net/http has to see the *os.File itself to use
// sendfile(2). A body that ends early is noted: on HTTP/1.1 net/http closes the connection then, but
// on HTTP/2 it ends the stream as if all were well, which makes the reply malformed (RFC 9113 §8.1.1).
func (s *sending) ReadFrom(source io.Reader) (int64, error) {
	limited, ok := source.(*io.LimitedReader)
	switch {
	case s.status >= http.StatusBadRequest:
		return 0, nil
	case s.streamed != nil:
		return s.stream()
	case s.coding != "" || s.known: // http.ServeContent knows the file without the coding
		n, err := s.response.Write(s.body)
		return int64(n), err
	case !ok:
		return io.Copy(s.response, source)
	}
	switch body := limited.R.(type) {
	case *memory:
		n, err := s.response.Write(body.body[body.at : body.at+limited.N])
		return int64(n), err
	case *content:
		limited.R = body.file
	}
	var n int64
	var err error
	if limited.N <= copiedSize && s.recording == nil {
		n, err = s.copySmall(limited)
	} else {
		n, err = s.response.ReadFrom(limited)
		s.check()
	}
	if limited.N > 0 {
		s.short = err == nil || ofFile(err) // any other error is the connection's
		s.err = err
	}
	return n, err
}

// ofFile tells whether what ended a reply is the fault of its file. sendfile(2) has one error for both ends.
func ofFile(err error) bool {
	_, read := errors.AsType[*fs.PathError](err)
	return read || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EBADMSG) // the last: a wrong checksum
}

// copySmall copies without net/http's ReadFrom, which sends the first 512 bytes by themselves.
func (s *sending) copySmall(source io.Reader) (int64, error) {
	buffer, ok := s.h.buffers.Get().(*[copiedSize]byte)
	if !ok {
		buffer = new([copiedSize]byte)
	}
	defer s.h.buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{s.response}, source, buffer[:])
}
