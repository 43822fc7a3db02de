package reply

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// plain is a request for a target, with fields in pairs of Field and text.
func plain(target string, pairs ...any) *Request {
	r := &Request{Host: []byte("example.com"), Target: []byte(target)}
	for i := 0; i < len(pairs); i += 2 {
		r.Fields[pairs[i].(Field)] = []byte(pairs[i+1].(string))
	}
	return r
}

// stream is what a connection gives the chain for long replies; it notes what it was told.
type stream struct {
	header http.Header
	status int
	body   []byte
	files  int // bodies that came by ReadFrom
}

func newStream() *stream { return &stream{header: http.Header{}} }

func (s *stream) Header() http.Header { return s.header }

func (s *stream) WriteHeader(status int) { s.status = status }

func (s *stream) Write(b []byte) (int, error) {
	s.body = append(s.body, b...)
	return len(b), nil
}

func (s *stream) ReadFrom(r io.Reader) (int64, error) {
	s.files++
	b, err := io.ReadAll(r)
	s.body = append(s.body, b...)
	return int64(len(b)), err
}

// record lets a handler answer r, for which Find has said what is given.
func record(t testing.TB, c *Cache, r *Request, known *Reply, finding Finding, h http.HandlerFunc) (*Reply, *stream) {
	t.Helper()
	request, err := r.HTTP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := newStream()
	w := c.Record(r, known, finding, s)
	h(w, request)
	return w.Finish(), s
}

// ask is all that the lane does: it finds a reply, and lets the handler answer if there is none.
func ask(t testing.TB, c *Cache, r *Request, now time.Duration, h http.HandlerFunc) (*Reply, Finding) {
	t.Helper()
	known, finding := c.Find(r, now)
	if finding == Good {
		return known, finding
	}
	made, _ := record(t, c, r, known, finding, h)
	return made, finding
}

// keep asks until a reply is kept, which takes two times.
func keep(t testing.TB, c *Cache, r *Request, now time.Duration, h http.HandlerFunc) {
	t.Helper()
	for range 2 {
		ask(t, c, r, now, h)
	}
	if known, finding := c.Find(r, now); finding != Good || known == nil {
		t.Fatalf("%s is not kept: %v", r.Target, finding)
	}
}

// says answers with a text that is marked, and header fields in pairs.
func says(text string, pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		Mark(w, nil)
		io.WriteString(w, text)
	}
}

func limits() Limits { return Limits{Bytes: 8 << 20, Body: 64 << 10, Life: time.Second, Trust: 10} }
