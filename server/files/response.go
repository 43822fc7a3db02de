package files

import (
	"io"
	"net/http"
	"time"
)

// response is a ResponseWriter that calls finish once, just before the header goes out. It keeps sendfile(2) within reach.
type response struct {
	http.ResponseWriter
	request *http.Request
	finish  func(http.Header, *http.Request, Outcome)
	outcome Outcome   // without the status; File holds if the status is one of a file
	sought  time.Time // when the file was begun to be looked for
	began   bool
}

func (p *response) WriteHeader(status int) {
	if !p.began && status >= 200 {
		p.began = true
		if p.finish != nil {
			o := p.outcome
			o.Status = status
			o.File = o.File && (status == http.StatusOK || status == http.StatusPartialContent || status == http.StatusNotModified)
			p.finish(p.Header(), p.request, o)
		}
	}
	p.ResponseWriter.WriteHeader(status)
}

// begin sends the header that net/http would send by itself now.
func (p *response) begin() {
	if !p.began {
		p.WriteHeader(http.StatusOK)
	}
}

func (p *response) Write(b []byte) (int, error) {
	p.begin()
	return p.ResponseWriter.Write(b)
}

func (p *response) WriteString(s string) (int, error) {
	p.begin()
	return io.WriteString(p.ResponseWriter, s)
}

func (p *response) ReadFrom(source io.Reader) (int64, error) {
	p.begin()
	return io.Copy(p.ResponseWriter, source)
}

// FlushError is what http.ResponseController looks for.
func (p *response) FlushError() error {
	p.begin()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

func (p *response) Flush() { p.FlushError() }

// Unwrap gives http.ResponseController the connection's deadlines.
func (p *response) Unwrap() http.ResponseWriter { return p.ResponseWriter }
