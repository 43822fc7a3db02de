package wake

import (
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
