package http2

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// pseudo is what stands before the fields of a request (RFC 9113 §8.3.1).
type pseudo struct {
	method, scheme, authority, path string
	fields                          []hpack.HeaderField // those behind it
}

// request answers the request of the block: with a kept reply, or by a handler.
func (c *Conn) request() error {
	b := c.block
	p, ok := c.pseudo()
	if !ok {
		c.refuse(b.stream, codeProtocol)
		return nil
	}
	isPlain := b.ends && !b.truncated && c.options.Repeat != nil && c.plain(&p)
	if isPlain {
		if kept := c.options.Repeat(&c.work.request.Request); kept != nil {
			c.repeat(kept)
			return nil
		}
	}
	x, ok := c.exchange(&p)
	if !ok {
		c.refuse(b.stream, codeProtocol)
		return nil
	}
	if isPlain {
		x.plain, c.work.request = &c.work.request.Request, nil
	}
	c.answer(x)
	return nil
}

// pseudo takes the pseudo-header fields. Without exactly those that a request must have it is malformed.
func (c *Conn) pseudo() (p pseudo, ok bool) {
	fields := c.work.fields
	seen := 0
	for i, f := range fields {
		if f.Name[0] != ':' {
			break
		}
		bit := 1
		switch f.Name {
		case ":method":
			p.method = f.Value
		case ":scheme":
			bit, p.scheme = 2, f.Value
		case ":authority":
			bit, p.authority = 4, f.Value
		case ":path":
			bit, p.path = 8, f.Value
		default: // or :protocol, which RFC 8441 allows only where the server said so
			return p, false
		}
		if seen&bit != 0 {
			return p, false
		}
		seen |= bit
		p.fields = fields[i+1:]
	}
	if p.method == http.MethodConnect {
		return p, p.path == "" && p.scheme == "" && p.authority != ""
	}
	return p, p.method != "" && p.path != "" && (p.scheme == "https" || p.scheme == "http")
}

// exchange makes the request for a handler. It fails when the request is malformed.
func (c *Conn) exchange(p *pseudo) (x *exchange, ok bool) {
	b := c.block
	x = &exchange{conn: c}
	x.stream = &stream{id: b.stream, window: c.initial, ended: b.ends, exchange: x}
	header := headerOf(p.fields)
	host := p.authority
	if host == "" {
		host = header.Get("Host")
	}
	if strings.Contains(host, "@") && p.method != http.MethodConnect { // RFC 9113 §8.3.1
		return nil, false
	}
	target, to := p.path, &url.URL{Host: host}
	if p.method == http.MethodConnect {
		target = host
	} else if to, ok = parseTarget(target); !ok {
		return nil, false
	}
	if x.answers, x.flawed = c.handlerFor(header); x.answers == nil && target == "*" && p.method == http.MethodOptions {
		x.answers = aboutServer
	}
	x.expects = tells(header["Expect"], "100-continue")
	if x.expects {
		delete(header, "Expect")
	}
	x.trailer = trailersOf(header)
	ctx, cancel := context.WithCancel(c.options.Context)
	x.cancel = cancel
	x.request = (&http.Request{
		Method: p.method, URL: to, RequestURI: target, Host: host,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: header, Trailer: x.trailer, Body: http.NoBody, RemoteAddr: c.options.RemoteAddr,
	}).WithContext(ctx)
	if !b.ends {
		x.body = &body{exchange: x, window: window{left: streamWindow, size: streamWindow}, declared: lengthOf(header)}
		x.request.Body, x.request.ContentLength = x.body, x.body.declared
	}
	return x, true
}

func parseTarget(target string) (*url.URL, bool) {
	to, err := url.ParseRequestURI(target)
	return to, err == nil
}

// headerOf makes a header of fields. The values share their memory; several of Cookie become one (RFC 9113 §8.2.3).
func headerOf(fields []hpack.HeaderField) http.Header {
	header := make(http.Header, len(fields))
	values := make([]string, len(fields))
	for i, f := range fields {
		name := canonical(f.Name)
		if before, ok := header[name]; ok {
			header[name] = append(before, f.Value)
			continue
		}
		values[i] = f.Value
		header[name] = values[i : i+1 : i+1]
	}
	if cookies := header["Cookie"]; len(cookies) > 1 {
		header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return header
}

// lengthOf is the length that a request with a body has, -1 when it does not say. One that cannot be read is 0, as in net/http.
func lengthOf(header http.Header) int64 {
	values, ok := header["Content-Length"]
	if !ok {
		return -1
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0
	}
	return int64(n)
}

// trailersOf takes the field Trailer, and returns the names in it as the keys that a handler sees.
func trailersOf(header http.Header) (trailer http.Header) {
	for _, value := range header["Trailer"] {
		for name := range strings.SplitSeq(value, ",") {
			switch name = canonical(textproto.TrimString(name)); name {
			case "Transfer-Encoding", "Trailer", "Content-Length":
			default:
				if trailer == nil {
					trailer = http.Header{}
				}
				trailer[name] = nil
			}
		}
	}
	delete(header, "Trailer")
	return trailer
}

// tells tells whether a list of tokens has one, in whatever case.
func tells(values []string, token string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(one, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// handlerFor chooses who answers. What the fields of a request make impossible is answered as by net/http, and the stream is
// flawed: it ends with an error (RFC 9113 §8.2.2), which a reply may precede (§8.1.1).
func (c *Conn) handlerFor(header http.Header) (answers http.HandlerFunc, flawed bool) {
	if c.block.truncated {
		if c.options.TooLong != nil {
			c.options.TooLong()
		}
		return tooLarge, false
	}
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if _, ok := header[name]; ok {
			return badRequest(`request header "` + name + `" is not valid in HTTP/2`), true
		}
	}
	if te := header["Te"]; len(te) > 1 || len(te) == 1 && te[0] != "trailers" && te[0] != "" {
		return badRequest(`request header "TE" may only be "trailers" in HTTP/2`), true
	}
	return nil, false
}

// aboutServer answers OPTIONS for the server as a whole, of which net/http keeps handlers free (RFC 9110 §9.3.7).
func aboutServer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 4<<10))
}

func tooLarge(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	_, _ = w.Write([]byte("<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>"))
}

func badRequest(reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, reason, http.StatusBadRequest) }
}
