package wake

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// readAddress reads a struct sockaddr (ip(7), ipv6(7), unix(7)). ok is false for families that are never mapped, and for
// addresses that the kernel refuses.
func readAddress(b []byte) (a asked, ok bool) {
	if len(b) < 2 {
		return a, false
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET && len(b) >= unix.SizeofSockaddrInet4,
		family == unix.AF_UNSPEC && len(b) >= unix.SizeofSockaddrInet4 && [4]byte(b[4:8]) == [4]byte{}: // taken for 0.0.0.0 by IPv4 sockets
		return asked{family: platform.IPv4, host: netip.AddrFrom4([4]byte(b[4:8])), port: binary.BigEndian.Uint16(b[2:])}, true
	case family == unix.AF_INET6 && len(b) >= 24: // SIN6_LEN_RFC2133: the scope may be missing
		return asked{family: platform.IPv6, host: netip.AddrFrom16([16]byte(b[8:24])), port: binary.BigEndian.Uint16(b[2:])}, true
	case family == unix.AF_UNIX && len(b) > 2:
		path, _, _ := strings.Cut(string(b[2:]), "\x00")
		if b[2] == 0 {
			return asked{family: platform.Unix, path: "@" + strings.TrimRight(string(b[3:]), "\x00")}, true
		}
		return asked{family: platform.Unix, path: cleanPath(path)}, true
	}
	return a, false
}

// told returns an address that was bound as getsockname(2) tells it: programs may bind one with anything behind it, such as a
// whole struct sockaddr_storage, and compare the lengths later.
func told(raw []byte) []byte {
	b := make([]byte, unix.SizeofSockaddrInet6)
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET6:
		copy(b, raw)
		clear(b[4:8]) // the flow
		return b
	case family != unix.AF_UNIX:
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		copy(b[2:8], raw[2:])
		return b[:unix.SizeofSockaddrInet4]
	case raw[2] == 0: // an abstract name is as long as it is said to be
		return raw
	}
	path, _, _ := strings.Cut(string(raw[2:]), "\x00")
	return append(append(raw[:2:2], path...), 0)
}

// writeAddress stores an address as getsockname(2) does: as much as there is room for, and its full length.
func writeAddress(tid int, at, lengthAt uint64, raw []byte) error {
	var length [4]byte
	if err := process.ReadMemory(tid, lengthAt, length[:]); err != nil {
		return err
	}
	room := int32(binary.NativeEndian.Uint32(length[:]))
	if room < 0 {
		return unix.EINVAL
	}
	if err := process.WriteMemory(tid, at, raw[:min(int(room), len(raw))]); err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(length[:], uint32(len(raw)))
	return process.WriteMemory(tid, lengthAt, length[:])
}

// addressOf reads the address that a bind or a connect was given, once: what was judged is what counts. Nil says that the call is
// answered already, with the error of that; unread is told why an address could not be read, for which the call was refused.
func addressOf(n *seccomp.Notifier, c seccomp.Call, unread func(cause error)) ([]byte, error) {
	const most = 128 // sizeof(struct sockaddr_storage), socket(7)
	length := int32(c.Args[2])
	if length < 2 || length > most {
		return nil, n.Continue(c) // the kernel refuses it
	}
	raw := make([]byte, length)
	err := process.ReadMemory(c.TID, c.Args[1], raw)
	switch {
	case !n.Valid(c): // only now it is certain that it was the caller's memory
		return nil, nil
	case errors.Is(err, unix.EFAULT):
		return nil, n.Continue(c) // the kernel says so itself
	case err != nil:
		unread(err)
		return nil, n.Fail(c, unix.EPERM)
	}
	return raw, nil
}
