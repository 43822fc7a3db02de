package http1

import (
	"encoding/binary"

	"github.com/rouse-server/rouse/server/characters"
)

// isHost tells whether text is made of what names, addresses and ports are made of.
func isHost(text []byte) bool {
	if usualHost(text) {
		return true
	}
	for _, c := range text {
		if !characters.InHost(c) {
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
