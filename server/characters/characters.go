// Package characters has the sets of characters that requests are made of, for all versions of HTTP.
package characters

import (
	"fmt"
	"strings"
)

// The sets are bits of two words: those of the characters below 64, and those from 64 to 127.
const (
	digits  = 0x3FF << '0'
	letters = 0x3FFFFFF<<('A'-64) | 0x3FFFFFF<<('a'-64)

	// tchar of RFC 9110 §5.6.2
	tokenLow  = digits | 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.'
	tokenHigh = letters | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)

	// pchar of RFC 3986 §3.3 (what is percent-encoded apart), and the slash and the question mark
	targetLow  = digits | 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' | 1<<'/' | 1<<':' | 1<<';' | 1<<'=' | 1<<'?'
	targetHigh = letters | 1<<('@'-64) | 1<<('_'-64) | 1<<('~'-64)

	// names, addresses and ports
	hostLow  = digits | 1<<'-' | 1<<'.' | 1<<':'
	hostHigh = letters | 1<<('['-64) | 1<<(']'-64) | 1<<('_'-64)
)

// InToken tells whether names of methods and fields may have c.
func InToken(c byte) bool { return in(c, tokenLow, tokenHigh) }

// InTarget is for all characters of a target but those of an encoded one.
func InTarget(c byte) bool { return in(c, targetLow, targetHigh) }

// InHost is for those of names, addresses and ports.
func InHost(c byte) bool { return in(c, hostLow, hostHigh) }

// IsHex tells whether c is a hexadecimal digit.
func IsHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// in tells whether a set holds c. A shift by 64 and more leaves nothing.
func in(c byte, low, high uint64) bool { return (low>>c|high>>(c-64))&1 != 0 }

// Query is the query of a request as it may stand in a Location: what would end it there, or belongs to no URL (RFC 3986 §3.4),
// is percent-encoded, but for brackets, braces and bars, which many send as they are.
func Query(raw string) string {
	at := 0
	for at < len(raw) && inQuery(raw[at]) {
		at++
	}
	if at == len(raw) {
		return raw
	}
	b := []byte(raw[:at])
	for i := at; i < len(raw); i++ {
		if c := raw[i]; inQuery(c) {
			b = append(b, c)
		} else {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}

func inQuery(c byte) bool { return ' ' < c && c < 0x7F && strings.IndexByte("\"#<>\\^`", c) < 0 }
