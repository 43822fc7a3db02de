package http2

import (
	"net/http"
	"strings"
)

// The sets of characters are bits of two words: those below 64, and those from 64 to 127.
const (
	digits     = 0x3FF << '0'
	lowerCase  = 0x3FFFFFF << ('a' - 64)
	upperCase  = 0x3FFFFFF << ('A' - 64)
	tokenLow   = digits | 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.'
	tokenHigh  = lowerCase | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)
	targetLow  = digits | 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' | 1<<'/' | 1<<':' | 1<<';' | 1<<'=' | 1<<'?'
	targetHigh = lowerCase | upperCase | 1<<('@'-64) | 1<<('_'-64) | 1<<('~'-64)
	hostLow    = digits | 1<<'-' | 1<<'.' | 1<<':'
	hostHigh   = lowerCase | upperCase | 1<<('['-64) | 1<<(']'-64) | 1<<('_'-64)
)

// in tells whether a set holds c. A shift by 64 and more leaves nothing.
func in(c byte, low, high uint64) bool { return (low>>c|high>>(c-64))&1 != 0 }

func consistsOf(text string, low, high uint64) bool {
	for i := range len(text) {
		if !in(text[i], low, high) {
			return false
		}
	}
	return true
}

// isFieldName tells whether a name is a token in lower case (RFC 9113 §8.2.1).
func isFieldName(name string) bool { return name != "" && consistsOf(name, tokenLow, tokenHigh) }

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
		case in(c, targetLow, targetHigh):
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// isHost tells whether text is made of what names, addresses and ports are made of.
func isHost(text string) bool { return text != "" && consistsOf(text, hostLow, hostHigh) }

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
