package lane

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// request is what a client asks.
type request struct {
	method, target, host string
	fields               []string // lines such as "Accept: */*"; {etag} in them is the ETag of the reply before
	body                 string
	raw                  string // HTTP/1.1 alone: these bytes instead, with \n for CRLF
}

// conversation is requests on one connection.
type conversation struct {
	name     string
	requests []request
	atOnce   bool // all are sent before any is answered, in one write
	pieces   int  // in how many writes a request is sent; 0 is one
}

// get is a request as the simplest clients send it.
func get(target string, fields ...string) request {
	return request{method: "GET", target: target, host: "site.test", fields: fields}
}

// thrice asks the same three times: a kept reply is sent for the third at the latest.
func thrice(requests ...request) []request {
	var all []request
	for _, r := range requests {
		all = append(all, r, r, r)
	}
	return all
}

// following is the request after a reply, as it is remembered: a field on a line.
func (r request) following(reply string) request {
	if !slices.ContainsFunc(r.fields, func(line string) bool { return strings.Contains(line, "{etag}") }) {
		return r
	}
	tag := `"none"`
	if found := regexp.MustCompile(`(?mi)^etag: ([^\r\n]*)`).FindStringSubmatch(reply); found != nil {
		tag = found[1]
	}
	fields := slices.Clone(r.fields)
	for i, line := range fields {
		fields[i] = strings.ReplaceAll(line, "{etag}", tag)
	}
	r.fields = fields
	return r
}

// closes tells whether the connection ends with the reply over HTTP/1.1.
func (r request) closes() bool {
	return slices.ContainsFunc(r.fields, func(line string) bool {
		name, value, _ := strings.Cut(strings.ToLower(line), ":")
		return name == "connection" && strings.Contains(value, "close")
	})
}

// http1 is the request as it is sent over HTTP/1.1.
func (r request) http1() string {
	if r.raw != "" {
		return strings.ReplaceAll(r.raw, "\n", "\r\n")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, r.host)
	for _, line := range r.fields {
		b.WriteString(line + "\r\n")
	}
	if r.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	return b.String() + "\r\n" + r.body
}

// askedMethod is the method that decides whether the answer has a body.
func (r request) askedMethod() string {
	if r.raw == "" {
		return r.method
	}
	method, _, _ := strings.Cut(strings.TrimLeft(r.raw, "\n"), " ")
	return method
}

// http2 is the request as a list of fields (RFC 9113 §8.3.1). Fields of the connection have no place there, and so are left out.
func (r request) http2(scheme string) [][2]string {
	list := [][2]string{{":method", r.method}, {":scheme", scheme}, {":authority", r.host}, {":path", r.target}}
	for _, line := range r.fields {
		name, value, _ := strings.Cut(line, ":")
		switch name = strings.ToLower(name); name {
		case "connection", "keep-alive", "upgrade", "transfer-encoding", "http2-settings", "te", "expect", "host":
		default:
			list = append(list, [2]string{name, strings.Trim(value, " \t")})
		}
	}
	if r.body != "" {
		list = append(list, [2]string{"content-length", strconv.Itoa(len(r.body))})
	}
	return list
}

// pieces are text in n parts.
func pieces(text string, n int) []string {
	var all []string
	for size := max(1, (len(text)+n-1)/max(1, n)); len(text) > size; text = text[size:] {
		all = append(all, text[:size])
	}
	return append(all, text)
}
