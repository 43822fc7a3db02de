package http1

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time, the first of them lowest. Answers are the top bits of the bytes.
const (
	each = 0x0101010101010101 // times a byte: that byte eight times
	tops = 0x80 * each
)

// lettersOf tells which bytes of w are ASCII letters.
func lettersOf(w uint64) uint64 {
	return between(w|0x20*each, 'a', 'z')
}

// between tells which bytes of w are from low to high, both ASCII.
func between(w uint64, low, high uint64) uint64 {
	ascii := w &^ tops // so that no sum carries
	return (ascii + (0x80-low)*each) &^ (ascii + (0x7F-high)*each) &^ w & tops
}

// equalTo tells which bytes of w are c, which is ASCII.
func equalTo(w uint64, c uint64) uint64 {
	other := w ^ c*each
	return ^((other &^ tops) + 0x7F*each | other) & tops
}

// controlsOf tells which byte of w is the first that is not from space to tilde; what it says of those behind that one is
// spoilt by borrows and carries.
func controlsOf(w uint64) uint64 {
	return ((w-' '*each)&^w | (w + each) | w) & tops
}

// simple is how many bytes b begins with, in eights, that are letters, digits, or from hyphen to colon.
func simple(b []byte) (n int) {
	for n+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[n : n+8])
		if other := ^(lettersOf(w) | between(w, '-', ':')) & tops; other != 0 {
			return n + bits.TrailingZeros64(other)/8
		}
		n += 8
	}
	return n
}
