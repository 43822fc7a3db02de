package wake

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"
)

// What getsockname(2) tells of an address is that address again, and no longer than the kernel's.
func FuzzReadAddress(f *testing.F) {
	for _, family := range []uint16{unix.AF_UNSPEC, unix.AF_INET, unix.AF_INET6, unix.AF_UNIX, unix.AF_NETLINK} {
		for _, rest := range []string{"", "\x00", "\x1f\x90", "\x00\x50\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", "/run//a\x00b", "\x00name", strings.Repeat("a", 126)} {
			f.Add(append(binary.NativeEndian.AppendUint16(nil, family), rest...))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 128 {
			return
		}
		before := slices.Clone(raw)
		a, ok := readAddress(raw)
		if !ok {
			return
		}
		again, ok := readAddress(told(raw))
		if !ok || a != again || len(told(raw)) > max(len(raw)+1, unix.SizeofSockaddrInet6) {
			t.Errorf("%q is %v, and then %v", raw, a, again)
		}
		if !bytes.Equal(raw, before) {
			t.Errorf("%q was %q", raw, before)
		}
	})
}

// Whatever a program writes, and in whatever pieces, what is shown of it is short and printable.
func FuzzTail(f *testing.F) {
	f.Add([]byte("one\ntwo\x1b[31m\n\n\xff\xfe three\r\n"), 3)
	f.Add(bytes.Repeat([]byte("ä"), 5000), 4095)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		tail := newTail()
		close(tail.ended)
		for part := range slices.Chunk(text, max(1, piece)) {
			tail.Write(part)
		}
		lines := tail.last(3, 0)
		if len(lines) > 3 || len(tail.kept) > tailKept {
			t.Errorf("%d lines, %d bytes", len(lines), len(tail.kept))
		}
		for _, line := range lines {
			if line == "" || strings.ContainsFunc(line, unicode.IsControl) || len(line) > 10*tailLine+10 {
				t.Errorf("%q", line)
			}
		}
	})
}
