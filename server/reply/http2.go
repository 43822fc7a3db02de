package reply

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// appendHTTP2Head appends a header block (RFC 7541) with :status and the fields of a header as net/http writes them for
// HTTP/2, in the order of names, without Connection, and without what is not valid there. Content-Length is left out, too: it
// comes last. The block neither uses nor changes the dynamic table, so that it means the same on every connection.
func appendHTTP2Head(b []byte, status int, header http.Header, names []string) []byte {
	b = appendStatus(b, status)
	for _, name := range names {
		if name == "Connection" || name == "Content-Length" || !isToken(name) {
			continue
		}
		for _, value := range header[name] {
			if validValue(value) && (value == "trailers" || !strings.EqualFold(name, "transfer-encoding")) { // RFC 9113 §8.2.2
				b = appendLiteral(b, name, value)
			}
		}
	}
	return b
}

// validValue tells whether net/http sends a value over HTTP/2: one without control characters other than tabs.
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendStatus appends :status, which the static table has for seven values (RFC 7541, appendix A).
func appendStatus(b []byte, status int) []byte {
	for i, known := range [...]int{200, 204, 206, 304, 400, 404, 500} {
		if status == known {
			return append(b, 0x80|byte(8+i))
		}
	}
	b = append(b, 8)
	return appendString(b, strconv.Itoa(status))
}

// appendLiteral appends a field without indexing (RFC 7541 §6.2.2), its name in lower case.
func appendLiteral(b []byte, name, value string) []byte {
	if index := staticName(name); index > 0 {
		return appendString(appendInteger(b, 0, 4, index), value)
	}
	var short [32]byte
	lower := append(short[:0], name...)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return appendString(appendString(append(b, 0), string(lower)), value)
}

// appendString appends a string in the shorter of its two forms (RFC 7541 §5.2).
func appendString(b []byte, s string) []byte {
	if length := hpack.HuffmanEncodeLength(s); length < uint64(len(s)) {
		b = appendInteger(b, 0x80, 7, length)
		return hpack.AppendHuffmanString(b, s)
	}
	b = appendInteger(b, 0, 7, uint64(len(s)))
	return append(b, s...)
}

// appendInteger appends an integer with a prefix of so many bits, above which the first byte has other ones (RFC 7541 §5.1).
func appendInteger(b []byte, first byte, prefix int, n uint64) []byte {
	most := uint64(1)<<prefix - 1
	if n < most {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		b = append(b, 0x80|byte(n))
	}
	return append(b, byte(n))
}

// staticName is the place of a response field's name, as http.Header has it, in the static table (RFC 7541, appendix A); 0 for
// one that is not there.
func staticName(name string) uint64 {
	switch name {
	case "Accept-Ranges":
		return 18
	case "Access-Control-Allow-Origin":
		return 20
	case "Age":
		return 21
	case "Allow":
		return 22
	case "Cache-Control":
		return 24
	case "Content-Disposition":
		return 25
	case "Content-Encoding":
		return 26
	case "Content-Language":
		return 27
	case "Content-Length":
		return 28
	case "Content-Location":
		return 29
	case "Content-Range":
		return 30
	case "Content-Type":
		return 31
	case "Date":
		return 33
	case "Etag":
		return 34
	case "Expires":
		return 36
	case "Last-Modified":
		return 44
	case "Link":
		return 45
	case "Location":
		return 46
	case "Refresh":
		return 52
	case "Retry-After":
		return 53
	case "Server":
		return 54
	case "Set-Cookie":
		return 55
	case "Strict-Transport-Security":
		return 56
	case "Vary":
		return 59
	case "Via":
		return 60
	case "Www-Authenticate":
		return 61
	}
	return 0
}
