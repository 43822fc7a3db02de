// Package http1 recognizes plain HTTP/1.1 requests: those that net/http would read to the very same end, and that a kept reply
// may answer.
package http1

import (
	"github.com/rouse-server/rouse/server/characters"
	"github.com/rouse-server/rouse/server/reply"
)

// Verdict is what the beginning of a connection's bytes is.
type Verdict int

const (
	Odd     Verdict = iota // something else, or something wrong: it is net/http's
	Partial                // so far a plain request; more has to come
	Plain                  // a plain request
)

// What is longer is left to net/http, which may refuse it. In bytes.
const (
	longestHead   = 8 << 10
	longestTarget = 4 << 10
)

// Recognize reads one request from the beginning of b into r, whose Scope stays. size is how many bytes it takes, for Plain
// alone. The slices of r are parts of b.
//
// A plain request is a GET or HEAD of HTTP/1.1 for a target in origin form (RFC 9112 §3.2.1), with one Host and no body. Each
// of its lines ends in CRLF and is spelled so that nobody can read it in two ways; none of its fields says anything else to
// net/http or to the handler chain than what r tells.
func Recognize(b []byte, r *reply.Request) (size int, v Verdict) {
	scope := r.Scope
	*r = reply.Request{}
	r.Scope = scope
	whole := len(b) < longestHead
	b = b[:min(len(b), longestHead)]
	size, v = requestLine(b, r)
	if v == Plain {
		size, v = fields(b, size, r)
	}
	if v == Partial && !whole {
		return 0, Odd
	}
	return size, v
}

// requestLine reads the first line (RFC 9112 §3). size is what it takes.
func requestLine(b []byte, r *reply.Request) (size int, v Verdict) {
	const get, head, version = "GET /", "HEAD /", " HTTP/1.1\r\n"
	at := len(get) - 1
	if v = begins(b, get); v == Odd {
		at = len(head) - 1
		v = begins(b, head)
		r.Head = true
	}
	if v != Plain {
		return 0, v
	}
	end, v := target(b, at)
	if v != Plain {
		return 0, v
	}
	if v = begins(b[end:], version); v != Plain {
		return 0, v
	}
	r.Target = b[at:end]
	return end + len(version), Plain
}

// begins tells whether b begins with text: Partial while it may yet.
func begins(b []byte, text string) Verdict {
	switch {
	case len(b) >= len(text) && string(b[:len(text)]) == text:
		return Plain
	case len(b) < len(text) && string(b) == text[:len(b)]:
		return Partial
	}
	return Odd
}

// target finds the end of a path, with its query, that begins at a slash. One that begins with two may be taken for an
// authority (RFC 3986 §3.3).
func target(b []byte, begin int) (end int, v Verdict) {
	most := min(len(b), begin+longestTarget+1)
	if end = begin + 1; end < len(b) && b[end] == '/' {
		return 0, Odd
	}
	for end += simple(b[end:most]); end < most && b[end] != ' '; end += 1 + simple(b[end+1:most]) {
		switch {
		case characters.InTarget(b[end]):
		case b[end] != '%':
			return 0, Odd
		default:
			digits := b[end+1 : min(end+3, most)]
			for _, c := range digits {
				if !characters.IsHex(c) {
					return 0, Odd
				}
			}
			end += len(digits)
		}
	}
	switch {
	case end > begin+longestTarget:
		return 0, Odd
	case end == len(b):
		return 0, Partial
	}
	return end, Plain
}
