package files

import (
	"io"
	"net/http"
)

// reply is a ResponseWriter that calls finish once, just before the header goes out. It keeps sendfile(2) within reach.
type reply struct {
	http.ResponseWriter
	request *http.Request
	finish  func(http.Header, *http.Request, Outcome)
	outcome Outcome // without the status; File holds if the status is one of a file
	began   bool
}

func (p *reply) WriteHeader(status int) {
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
func (p *reply) begin() {
	if !p.began {
		p.WriteHeader(http.StatusOK)
	}
}

func (p *reply) Write(b []byte) (int, error) {
	p.begin()
	return p.ResponseWriter.Write(b)
}

func (p *reply) WriteString(s string) (int, error) {
	p.begin()
	return io.WriteString(p.ResponseWriter, s)
}

func (p *reply) ReadFrom(source io.Reader) (int64, error) {
	p.begin()
	return io.Copy(p.ResponseWriter, source)
}

// FlushError is what http.ResponseController looks for.
func (p *reply) FlushError() error {
	p.begin()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

func (p *reply) Flush() { p.FlushError() }

// Unwrap gives http.ResponseController the connection's deadlines.
func (p *reply) Unwrap() http.ResponseWriter { return p.ResponseWriter }
