package reply

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// appendHTTP1Head appends a status line and the fields of a header as net/http writes them for HTTP/1.1, in the order of names
// and without the empty line. Fields that the status forbids, and names that are no tokens, are left out.
func appendHTTP1Head(b []byte, status int, header http.Header, names []string) []byte {
	b = appendStatusLine(b, status)
	for _, name := range names {
		if !isToken(name) || suppressed(status, name) {
			continue
		}
		for _, value := range header[name] {
			b = appendHTTP1Field(b, name, value)
		}
	}
	return b
}

func appendStatusLine(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// appendHTTP1Field appends a field. Line ends in the value become spaces, and white space around it goes.
func appendHTTP1Field(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	value = textproto.TrimString(value)
	start := len(b)
	b = append(b, value...)
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		for i, c := range b[start:] {
			if c == '\r' || c == '\n' {
				b[start+i] = ' '
			}
		}
	}
	return append(b, "\r\n"...)
}

// suppressed tells whether net/http leaves a field out of replies with a status over HTTP/1.1 (RFC 9110 §15.3.5, §15.4.5).
func suppressed(status int, name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding":
		return !bodyAllowed(status)
	case "Content-Type":
		return status == http.StatusNotModified
	}
	return false
}

// bodyAllowed tells whether replies with a status have a body (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// sortedNames appends the names of a header's fields to names, in the order in which they are sent.
func sortedNames(names []string, header http.Header) []string {
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// isToken tells whether a name is one (RFC 9110 §5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' {
			continue
		}
		if strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
