package http1

import "encoding/binary"

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

func isToken(c byte) bool { return in(c, tokenLow, tokenHigh) }

// inTarget is for all characters of a target but those of an encoded one.
func inTarget(c byte) bool { return in(c, targetLow, targetHigh) }

// in tells whether a set holds c. A shift by 64 and more leaves nothing.
func in(c byte, low, high uint64) bool { return (low>>c|high>>(c-64))&1 != 0 }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// isHost tells whether text is made of what names, addresses and ports are made of.
func isHost(text []byte) bool {
	if usualHost(text) {
		return true
	}
	for _, c := range text {
		if !in(c, hostLow, hostHigh) {
			return false
		}
	}
	return len(text) > 0
}

// usualHost tells whether text is eight letters, digits, hyphens, dots and colons, or more.
func usualHost(text []byte) bool {
	last := len(text) - 8
	if last < 0 {
		return false
	}
	for at := 0; ; at = min(at+8, last) { // the last eight may have been looked at in part
		w := binary.LittleEndian.Uint64(text[at:])
		if lettersOf(w)|between(w, '-', '.')|between(w, '0', ':') != tops {
			return false
		}
		if at == last {
			return true
		}
	}
}
