package files

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/reply"
)

// Files up to this size are encoded as a whole, so that the result can be kept. Larger ones are encoded while they are sent.
const wholeSize = 8 << 20

// encode makes the body of a file in a coding, or takes it from the cache. What goes wrong costs the coding, no more.
func (s *sending) encode(ctx context.Context) {
	header := s.Header()
	header.Del("Accept-Ranges") // they are of the file without the coding
	if s.known {
		s.encoded(s.body, true)
		return
	}
	if !s.encodesWhole() {
		var ok bool
		if s.streamed, ok = s.h.Encoders.stream(); !ok {
			s.unencoded()
			return
		}
		header.Del("Content-Length")
		return
	}
	body, hit, err := s.h.encoded(ctx, s.variant(), func() ([]byte, error) { return readFile(s.file, s.id) })
	if err != nil {
		if ctx.Err() == nil {
			s.h.Log.WarnContext(ctx, "sending a file without compression", "file", s.name, "coding", s.coding, "error", err)
		}
		s.unencoded()
		return
	}
	s.encoded(body, hit)
}

// encodesWhole tells whether the body is made before it is sent.
func (s *sending) encodesWhole() bool { return s.h.Cache != nil && s.id.size <= wholeSize }

// encoded takes the body in its coding. hit says that it was made before.
func (s *sending) encoded(body []byte, hit bool) {
	if hit && s.h.Memory != nil {
		s.Header().Set("X-Cache", "HIT")
	}
	s.Header().Set("Content-Length", strconv.Itoa(len(body)))
	s.body = body
}

// unencoded makes a reply that was to be in a coding one without.
func (s *sending) unencoded() {
	reply.Forbid(s) // next time it may go better
	header := s.Header()
	header.Del("Content-Encoding")
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Length", strconv.FormatInt(s.id.size, 10))
	if s.tag != "" {
		header.Set("ETag", s.tag)
	}
	s.coding = ""
}

func (s *sending) variant() Variant {
	v := Variant{identity: s.id}
	if s.coding != "" {
		v.coding, v.level = s.coding, s.h.Level
	}
	return v
}

// encoded returns what read returns, in the variant's coding, and whether it was kept.
func (h *handler) encoded(ctx context.Context, v Variant, read func() ([]byte, error)) ([]byte, bool, error) {
	return h.Cache.Get(ctx, v, func() ([]byte, error) {
		done, err := h.Encoders.wait(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		body, err := read()
		if err != nil {
			return nil, err
		}
		var encoded bytes.Buffer
		w, err := compress.NewWriter(&encoded, v.coding, v.level)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		return encoded.Bytes(), nil
	})
}

// stream encodes the file while it is sent.
func (s *sending) stream() (int64, error) {
	w, err := compress.NewWriter(s.response, s.coding, s.h.Level)
	if err != nil {
		s.short, s.err = true, err
		return 0, err
	}
	source := &counted{Reader: io.NewSectionReader(s.file, 0, s.id.size)}
	if _, err = io.Copy(w, source); source.n < s.id.size && (err == nil || source.err != nil) {
		s.short, s.err = true, source.err // without Close the end of the coding's stream is missing too
		return source.n, err
	}
	return source.n, w.Close()
}

// counted notes how far a reader came, and what stopped it.
type counted struct {
	io.Reader
	n   int64
	err error // other than io.EOF
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
