package wake

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadAddress(t *testing.T) {
	sockaddr := func(family uint16, rest ...byte) []byte {
		return append(binary.NativeEndian.AppendUint16(nil, family), rest...)
	}
	zeros := make([]byte, 24)
	for _, c := range []struct {
		what string
		raw  []byte
		want string // empty: not ours
	}{
		{"IPv4", sockaddr(unix.AF_INET, append([]byte{0x1f, 0x90, 127, 0, 0, 1}, zeros[:8]...)...), "127.0.0.1:8080"},
		{"short IPv4", sockaddr(unix.AF_INET, 0x1f, 0x90, 127, 0, 0, 1), ""},
		{"no family is IPv4 when it is the wildcard", sockaddr(unix.AF_UNSPEC, append([]byte{0, 80}, zeros[:12]...)...), "0.0.0.0:80"},
		{"and nothing else", sockaddr(unix.AF_UNSPEC, append([]byte{0, 80, 127, 0, 0, 1}, zeros[:8]...)...), ""},
		{"IPv6", sockaddr(unix.AF_INET6, append([]byte{0, 80}, zeros[:24]...)...), "[::]:80"},
		{"IPv6 without scope", sockaddr(unix.AF_INET6, append([]byte{0, 80}, zeros[:20]...)...), "[::]:80"},
		{"short IPv6", sockaddr(unix.AF_INET6, append([]byte{0, 80}, zeros[:18]...)...), ""},
		{"path", sockaddr(unix.AF_UNIX, []byte("/run//a\x00rest")...), "/run/a"},
		{"abstract", sockaddr(unix.AF_UNIX, []byte("\x00name")...), "@name"},
		{"autobind", sockaddr(unix.AF_UNIX), ""},
		{"netlink", sockaddr(unix.AF_NETLINK, zeros[:10]...), ""},
		{"nothing", nil, ""},
	} {
		a, ok := readAddress(c.raw)
		if ok != (c.want != "") || ok && a.String() != c.want {
			t.Errorf("%s: %v %v, want %q", c.what, a, ok, c.want)
		}
	}
}

// getsockname(2) tells no more than the kernel would, however much a program bound.
func TestTold(t *testing.T) {
	sockaddr := func(family uint16, rest string, length int) []byte {
		b := append(binary.NativeEndian.AppendUint16(nil, family), rest...)
		return append(b, make([]byte, length-len(b))...)
	}
	v4, v6 := "\x1f\x90\x7f\x00\x00\x01", "\x1f\x90\x00\x00\x00\x00\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02"
	for _, c := range []struct{ raw, want []byte }{
		{sockaddr(unix.AF_INET, v4+"garbage", 128), sockaddr(unix.AF_INET, v4, 16)},
		{sockaddr(unix.AF_UNSPEC, "\x00\x50", 16), sockaddr(unix.AF_INET, "\x00\x50", 16)},
		{sockaddr(unix.AF_INET6, v6, 128), sockaddr(unix.AF_INET6, v6, 28)},
		{sockaddr(unix.AF_INET6, v6[:22], 24), sockaddr(unix.AF_INET6, v6[:22], 28)},
		{sockaddr(unix.AF_UNIX, "/run/a", 110), sockaddr(unix.AF_UNIX, "/run/a\x00", 9)},
		{sockaddr(unix.AF_UNIX, "/run/a", 8), sockaddr(unix.AF_UNIX, "/run/a\x00", 9)},
		{sockaddr(unix.AF_UNIX, "\x00name", 7), sockaddr(unix.AF_UNIX, "\x00name", 7)},
	} {
		if got := told(c.raw); !bytes.Equal(got, c.want) {
			t.Errorf("%x: %x, want %x", c.raw, got, c.want)
		}
	}
}
