package reply

import (
	"net/http"
	"strconv"
	"strings"
)

// drawing is a head that is being rendered. It says what net/http would (package net/http, chunkWriter.writeHeader of server.go
// and responseWriterState.writeChunk of h2_bundle.go).
type drawing struct {
	scope  Scope
	head   bool // of a reply to HEAD
	close  bool // the client wants no further reply
	status int

	b       []byte
	fields  int    // how much of b is what begin has rendered
	closes  bool   // as Reply.Close
	dated   bool   // as Reply.Dated
	untyped bool   // the type is to be told from the body
	counted bool   // the length is to be told if it is short
	length  string // that the chain has said, for HTTP/2
}

// begin renders what is known when the chain calls WriteHeader. names are those of header, sorted.
func (d *drawing) begin(header http.Header, names []string) {
	allowed := bodyAllowed(d.status)
	_, typed := header["Content-Type"]
	d.untyped = allowed && !typed && header.Get("Content-Encoding") == ""
	_, measured := header["Content-Length"]
	d.counted = allowed && !measured
	connection := header["Connection"]
	d.closes = len(connection) > 0 && connection[0] == "close"
	if d.scope&HTTP2 != 0 {
		d.length = header.Get("Content-Length")
		d.b = appendHTTP2Head(d.b, d.status, header, names)
	} else {
		if d.close && mentionsClose(connection) {
			d.closes = true
		} else if d.close {
			names = without(names, "Connection") // AppendHTTP1 puts another one in its place
		}
		_, d.dated = header["Date"]
		d.b = appendHTTP1Head(d.b, d.status, header, names)
	}
	d.fields = len(d.b)
}

// end renders what depends on the body, of which so many bytes were written and the first ones are in body: its type if the
// chain has not said one, and its length. Without that a reply to HEAD has none if nothing was written, since nobody knows
// whether the handler had looked at the method.
func (d *drawing) end(body []byte, written int64) {
	sniffed := ""
	if d.untyped && len(body) > 0 {
		sniffed = http.DetectContentType(body)
	}
	counted := d.counted && (!d.head || written > 0) && written <= unannounced(d.scope)
	if d.scope&HTTP2 != 0 {
		if sniffed != "" {
			d.b = appendLiteral(d.b, "Content-Type", sniffed)
		}
		if counted {
			d.length = strconv.FormatInt(written, 10)
		}
		if d.length != "" {
			d.b = appendLiteral(d.b, "Content-Length", d.length)
		}
		return
	}
	if counted {
		d.b = append(d.b, "Content-Length: "...)
		d.b = strconv.AppendInt(d.b, written, 10)
		d.b = append(d.b, "\r\n"...)
	}
	if sniffed != "" {
		d.b = appendHTTP1Field(d.b, "Content-Type", sniffed)
	}
}

// unannounced is how long a body may be, in bytes, whose length net/http tells though the chain does not: as long as it is
// kept back until the handler is done (bufferBeforeChunkingSize of server.go, handlerChunkWriteSize of h2_bundle.go).
func unannounced(s Scope) int64 {
	if s&HTTP2 != 0 {
		return 4 << 10
	}
	return 2 << 10
}

// tail is where Reply.Tail begins in b.
func (d *drawing) tail() int {
	if d.scope&HTTP2 != 0 {
		return len(d.b)
	}
	return d.fields
}

// reply makes one of what was drawn, in memory of its own.
func (d *drawing) reply(host string, body []byte) *Reply {
	text, tail := make([]byte, len(d.b)), d.tail()
	copy(text, d.b)
	r := &Reply{Status: d.status, Host: host, Close: d.closes, Dated: d.dated, Head: text[:tail:tail], Body: body}
	if tail < len(text) {
		r.Tail = text[tail:]
	}
	return r
}

// mentionsClose tells whether a Connection field has the option close (RFC 9110 §7.6.1).
func mentionsClose(connection []string) bool {
	if len(connection) == 0 {
		return false
	}
	for option := range strings.FieldsFuncSeq(connection[0], func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		if strings.EqualFold(option, "close") {
			return true
		}
	}
	return false
}

// without returns names without one of them.
func without(names []string, name string) []string {
	kept := names[:0]
	for _, other := range names {
		if other != name {
			kept = append(kept, other)
		}
	}
	return kept
}
