package reply

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Field is a request field on which replies may depend.
type Field int

// These are all that the handler chain reads of a request that may be answered by a kept reply. Requests with others that it
// reads (Range, If-Match, Authorization …) are answered by the chain alone.
const (
	Accept Field = iota
	AcceptEncoding
	IfModifiedSince
	IfNoneMatch
	Origin
	SecFetchMode
	fields // how many there are
)

// name is the field's name as http.Header has it.
func (f Field) name() string {
	return [fields]string{"Accept", "Accept-Encoding", "If-Modified-Since", "If-None-Match", "Origin", "Sec-Fetch-Mode"}[f]
}

// Request is a GET or HEAD of the plain kind: what a reply may depend on, and what the log tells of it. The slices are parts
// of what was received: they hold until more is. A field that is absent is nil, one that is empty is not.
type Request struct {
	Scope  Scope
	Head   bool   // HEAD instead of GET
	Host   []byte // as it was sent, never empty
	Target []byte // in origin form, with the query
	Fields [fields][]byte

	// What no reply depends on.
	Close                                                 bool // the client wants no further reply on this connection (HTTP/1.1)
	UserAgent, Referer, Forwarded, XForwardedFor, XRealIP []byte

	lookup
}

// lookup is what Find noted of a request.
type lookup struct {
	asked time.Duration // when
	key   uint64        // of what the request names: scope, method, host, target
	full  uint64        // of that and the fields; set for what is not kept
}

// Scope is what a reply depends on beside the request: a socket, the protocol, TLS and its certificate. Replies of different
// scopes are kept apart. Bit 0 is set for HTTP/2; the caller numbers the rest.
type Scope uint32

// HTTP2 is the bit of a Scope that says how its replies are rendered.
const HTTP2 Scope = 1

// value is what a field says to the chain: If-Modified-Since nothing beside If-None-Match (RFC 9110 §13.1.3).
func (r *Request) value(f Field) []byte {
	if f == IfModifiedSince && len(r.Fields[IfNoneMatch]) > 0 {
		return nil
	}
	return r.Fields[f]
}

// HTTP returns the request for the handler chain: the fields of Fields and no others, so that the reply can depend on nothing
// that it is not kept by. Method, URL, Proto, Header, Host, RequestURI and an empty body are set. The error is that of
// url.ParseRequestURI.
func (r *Request) HTTP(ctx context.Context) (*http.Request, error) {
	text := r.text()
	host, text := text[:len(r.Host)], text[len(r.Host):]
	target, text := text[:len(r.Target)], text[len(r.Target):]
	parts := &struct { // what the request points to, in one piece
		url    url.URL
		values [fields]string
	}{}
	if !plainURL(&parts.url, target) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil {
			return nil, err
		}
		parts.url = *parsed
	}
	header := make(http.Header, fields)
	for f := range fields {
		if value := r.value(f); value != nil {
			parts.values[f], text = text[:len(value)], text[len(value):]
			header[f.name()] = parts.values[f : f+1 : f+1]
		}
	}
	made := http.Request{Method: http.MethodGet, URL: &parts.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Host: host, RequestURI: target, Body: http.NoBody}
	if r.Head {
		made.Method = http.MethodHead
	}
	if r.Scope&HTTP2 != 0 {
		made.Proto, made.ProtoMajor, made.ProtoMinor = "HTTP/2.0", 2, 0
	}
	return made.WithContext(ctx), nil
}

// text is what was received of host, target and fields, one after the other.
func (r *Request) text() string {
	size := len(r.Host) + len(r.Target)
	for f := range fields {
		size += len(r.value(f))
	}
	var short [512]byte
	b := short[:0]
	if size > len(short) {
		b = make([]byte, 0, size)
	}
	b = append(append(b, r.Host...), r.Target...)
	for f := range fields {
		b = append(b, r.value(f)...)
	}
	return string(b)
}

// plainURL parses the usual target as url.ParseRequestURI does, without allocating. It is false for all others.
func plainURL(u *url.URL, target string) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	path := len(target)
	for i := range len(target) {
		c := target[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', 'A' <= c && c <= 'Z', c == '/', c == '-', c == '.', c == '_', c == '~':
		case i > path && c > ' ' && c < 0x7f:
		case c == '?' && path == len(target) && i+1 < len(target): // without a query there is ForceQuery
			path = i
		default:
			return false
		}
	}
	u.Path = target[:path]
	if path < len(target) {
		u.RawQuery = target[path+1:]
	}
	return true
}
