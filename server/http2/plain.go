package http2

import (
	"net/http"

	"github.com/rouse-server/rouse/server/reply"
)

// plain reads the request of the block into c.work.request, if it is one that a kept reply may answer: what the handler chain
// would read of it is in a reply.Request. Its memory is its own, so that it may wait.
func (c *Conn) plain(p *pseudo) bool {
	if p.method != http.MethodGet && p.method != http.MethodHead || !isTarget(p.path) {
		return false
	}
	if c.work.request == nil {
		c.work.request = takeFrom[plainRequest](&c.options.Buffers.requests)
	}
	r := c.work.request
	r.Request = reply.Request{Scope: c.options.Scope, Head: p.method == http.MethodHead}
	r.text, r.te = r.text[:0], false
	host := p.authority
	for _, f := range p.fields {
		if f.Name == "host" {
			if host != "" { // twice, or beside the authority
				return false
			}
			host = f.Value
			continue
		}
		if !r.take(f.Name, f.Value) {
			return false
		}
	}
	if !isHost(host) {
		return false
	}
	r.Host, r.Target = r.keep(host), r.keep(p.path)
	return true
}

// take takes a field, and reports whether the request may still be plain.
func (r *plainRequest) take(name, value string) bool {
	var to *[]byte
	switch name {
	case "accept":
		to = &r.Fields[reply.Accept]
	case "accept-encoding":
		to = &r.Fields[reply.AcceptEncoding]
	case "if-modified-since":
		to = &r.Fields[reply.IfModifiedSince]
	case "if-none-match":
		to = &r.Fields[reply.IfNoneMatch]
	case "origin":
		to = &r.Fields[reply.Origin]
	case "sec-fetch-mode":
		to = &r.Fields[reply.SecFetchMode]
	case "user-agent":
		to = &r.UserAgent
	case "referer":
		to = &r.Referer
	case "forwarded":
		to = &r.Forwarded
	case "x-forwarded-for":
		to = &r.XForwardedFor
	case "x-real-ip":
		to = &r.XRealIP
	case "te": // which browsers send, and nothing depends on
		first := !r.te
		r.te = true
		return first && value == "trailers"
	case "range", "if-range", "if-match", "if-unmodified-since", "authorization", "expect", "content-length", "trailer",
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
		"http2-settings", "access-control-request-method", "access-control-request-headers", "access-control-request-private-network":
		return false
	default:
		return true
	}
	if *to != nil || !isPlainValue(value) {
		return false
	}
	*to = r.keep(value)
	return true
}

// keep copies a text. It is not nil.
func (r *plainRequest) keep(text string) []byte {
	from := len(r.text)
	r.text = append(r.text, text...)
	if r.text == nil {
		return []byte{}
	}
	return r.text[from:len(r.text):len(r.text)]
}
