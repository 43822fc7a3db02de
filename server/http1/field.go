package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/rouse-server/rouse/server/characters"
	"github.com/rouse-server/rouse/server/reply"
)

// longestName is at least the length of any name that means something here.
const longestName = 40

// head is a request whose fields are being read.
type head struct {
	*reply.Request
	connection []byte // nil: it has not come
}

// fields reads the field lines of a request (RFC 9112 §5), from at to the end of its empty line.
func fields(b []byte, at int, r *reply.Request) (size int, v Verdict) {
	h := head{Request: r}
	var lower [longestName]byte
	rest := b[at:]
	for len(rest) > 0 && rest[0] != '\r' {
		colon := name(rest, &lower)
		if colon == len(rest) {
			return 0, Partial
		}
		if rest[colon] != ':' || colon == 0 {
			return 0, Odd
		}
		rest = rest[colon+1:]
		end := value(rest)
		if len(rest)-end < 2 || rest[end] != '\r' || rest[end+1] != '\n' {
			return 0, begins(rest[end:], "\r\n")
		}
		if !h.take(lower[:min(colon, len(lower))], trim(rest[:end])) {
			return 0, Odd
		}
		rest = rest[end+len("\r\n"):]
	}
	if v = begins(rest, "\r\n"); v != Plain {
		return 0, v
	}
	if r.Host == nil {
		return 0, Odd
	}
	return len(b) - len(rest) + len("\r\n"), Plain
}

// name is how many bytes the token takes that b begins with: a field's name. As much of it as there is room for is written to
// lower, in lower case: of the characters of tokens, none becomes a letter, a digit or a hyphen by setting bit 5 that was not
// one before.
func name(b []byte, lower *[longestName]byte) (n int) {
	for to := lower[:]; len(b)-n >= 8 && len(to) >= 8; to = to[8:] {
		w := binary.LittleEndian.Uint64(b[n:])
		binary.LittleEndian.PutUint64(to, w|0x20*each)
		if other := ^(lettersOf(w) | equalTo(w, '-')) & tops; other != 0 {
			if n += bits.TrailingZeros64(other) / 8; b[n] == ':' {
				return n
			}
			break
		}
		n += 8
	}
	for n < len(b) && b[n] != ':' && characters.InToken(b[n]) {
		if n < len(lower) {
			lower[n] = b[n] | 0x20
		}
		n++
	}
	return n
}

// value is how many bytes b begins with that may stand in a field's value: visible ASCII, spaces and tabs.
func value(b []byte) (n int) {
	for n < len(b) {
		if n+8 <= len(b) {
			other := controlsOf(binary.LittleEndian.Uint64(b[n : n+8]))
			if other == 0 {
				n += 8
				continue
			}
			n += bits.TrailingZeros64(other) / 8
		}
		if c := b[n]; c != '\t' && (c < ' ' || c > '~') {
			break
		}
		n++
	}
	return n
}

// trim takes optional whitespace off both ends (OWS, RFC 9110 §5.6.3). The result is never nil.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// take notes a field; false says that the request is not plain with it. Those of no case mean nothing to net/http and to the
// handler chain (a test looks into the chain for others). name is in lower case.
func (h *head) take(name, value []byte) bool {
	switch string(name) {
	case "host":
		return once(&h.Host, value) && isHost(value)
	case "connection":
		h.Close = bytes.EqualFold(value, []byte("close"))
		return once(&h.connection, value) && (h.Close || bytes.EqualFold(value, []byte("keep-alive")))
	case "accept":
		return once(&h.Fields[reply.Accept], value)
	case "accept-encoding":
		return once(&h.Fields[reply.AcceptEncoding], value)
	case "if-modified-since":
		return once(&h.Fields[reply.IfModifiedSince], value)
	case "if-none-match":
		return once(&h.Fields[reply.IfNoneMatch], value)
	case "origin":
		return once(&h.Fields[reply.Origin], value)
	case "sec-fetch-mode":
		return once(&h.Fields[reply.SecFetchMode], value)
	case "user-agent":
		return once(&h.UserAgent, value)
	case "referer":
		return once(&h.Referer, value)
	case "forwarded":
		return once(&h.Forwarded, value)
	case "x-forwarded-for":
		return once(&h.XForwardedFor, value)
	case "x-real-ip":
		return once(&h.XRealIP, value)
	case "content-length", "transfer-encoding", "te", "trailer", "expect", "upgrade", "http2-settings", // net/http's
		"range", "if-range", "if-match", "if-unmodified-since", "authorization": // the chain's
		return false
	}
	return !bytes.HasPrefix(name, []byte("access-control-request-"))
}

// once sets what must not have been set before: of a field that stands there twice, net/http has both values.
func once(to *[]byte, value []byte) bool {
	first := *to == nil
	*to = value
	return first
}
