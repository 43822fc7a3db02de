package http1

import "testing"

// Each byte at each place, between bytes that are of the set and bytes that are not.
func TestEightBytesAtATime(t *testing.T) {
	for _, set := range []struct {
		name  string
		found func(w uint64) uint64
		has   func(c byte) bool
	}{
		{"letters", lettersOf, func(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }},
		{"from hyphen to colon", func(w uint64) uint64 { return between(w, '-', ':') }, func(c byte) bool { return '-' <= c && c <= ':' }},
		{"hyphens", func(w uint64) uint64 { return equalTo(w, '-') }, func(c byte) bool { return c == '-' }},
	} {
		for _, around := range []uint64{0, 'a', '-', 0xFF} {
			for c := range uint64(256) {
				for shift := 0; shift < 64; shift += 8 {
					w := around*each&^(0xFF<<shift) | c<<shift
					if got := set.found(w)>>shift&0x80 != 0; got != set.has(byte(c)) {
						t.Errorf("%s: %#x in %#x: %v", set.name, c, w, got)
					}
				}
			}
		}
	}
}

func TestTheFirstControlIsFound(t *testing.T) {
	for c := range uint64(256) {
		for _, next := range []uint64{0, 'a', 0xFF} {
			w := 'a' | c<<8 | next*each<<16
			want := c < ' ' || c > '~'
			if got := controlsOf(w); got&0x80 != 0 || got&0x8000 != 0 != want {
				t.Errorf("%#x: %#x", w, got)
			}
		}
	}
}
