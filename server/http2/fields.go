package http2

import (
	"net/http"
	"strings"

	"github.com/rouse-server/rouse/server/characters"
)

// isFieldName tells whether a name is a token in lower case (RFC 9113 §8.2.1).
func isFieldName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !characters.InToken(c) || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return name != ""
}

// isFieldValue is what net/http takes: anything without control characters but tabs.
func isFieldValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isPlainValue tells whether a value is one that HTTP/1.1 would bring the same: ASCII without white space around it.
func isPlainValue(value string) bool {
	for i := range len(value) {
		if value[i] >= 0x80 {
			return false
		}
	}
	return value == "" || value[0] > ' ' && value[len(value)-1] > ' '
}

// isTarget tells whether a path is plain: of safe characters, and encoded ones, from a single slash on.
func isTarget(path string) bool {
	if path == "" || path[0] != '/' || strings.HasPrefix(path, "//") || len(path) > 4<<10 {
		return false
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case characters.InTarget(c):
		case c == '%' && i+2 < len(path) && characters.IsHex(path[i+1]) && characters.IsHex(path[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

// isHost tells whether text is made of what names, addresses and ports are made of.
func isHost(text string) bool {
	for i := range len(text) {
		if !characters.InHost(text[i]) {
			return false
		}
	}
	return text != ""
}

// canonical is the name as net/http writes it.
func canonical(name string) string { return http.CanonicalHeaderKey(name) }

// isTrailer tells whether a field may stand behind a body (RFC 9110 §6.5.1), by net/http's list. The name is canonical.
func isTrailer(name string) bool {
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type",
		"Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Range", "Realm", "Te", "Trailer", "Transfer-Encoding", "Www-Authenticate":
		return false
	}
	return !strings.HasPrefix(name, "If-")
}
