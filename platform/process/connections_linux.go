package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Connections counts the connections that the processes accepted from our listening sockets: those whose own address is a
// listener's, and that have a peer, even one that will send no more. One that several processes share counts once; one that
// nobody accepted yet does not count. Where a process's descriptors cannot be duplicated, its network namespace's tables tell,
// and what is in none of them came through a listener of another namespace (PrivateNetwork= of systemd.exec(5)); where they
// cannot even be seen, all connections to the listeners' addresses count in that namespace. An error is returned only when
// neither can be had of a process that lives. It looks no further when it has found enough of them.
func Connections(pids []int, listeners []int, enough int) (int, error) {
	c := counter{seen: map[uint64]bool{}, enough: enough}
	for _, fd := range listeners {
		if l, ok := listenerOf(fd); ok {
			c.listeners = append(c.listeners, l)
		}
	}
	if len(c.listeners) == 0 {
		return 0, nil
	}
	for _, pid := range pids {
		if err := c.count(pid); err != nil {
			return 0, fmt.Errorf("connections of process %d: %w", pid, err)
		}
		if c.connections >= c.enough {
			break
		}
	}
	return c.connections, nil
}

// listener is the address of a listening socket.
type listener struct {
	local  netip.AddrPort // of a TCP socket
	either bool           // an IPv6 socket without an address of its own, and that takes IPv4 clients too
	name   string         // of a unix socket, else empty
}

func listenerOf(fd int) (listener, bool) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return listener{}, false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return listener{local: addrPort(sa)}, sa.Port != 0
	case *unix.SockaddrInet6:
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		local := addrPort(sa)
		return listener{local: local, either: local.Addr().IsUnspecified() && err == nil && only == 0}, sa.Port != 0
	case *unix.SockaddrUnix:
		return listener{name: sa.Name}, sa.Name != "" && sa.Name != "@"
	}
	return listener{}, false
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// accepts tells whether a connection with that address of its own can come from the listener. name is for unix sockets.
func (l listener) accepts(local netip.AddrPort, name string) bool {
	if l.name != "" {
		return name == l.name
	}
	if !local.IsValid() || local.Port() != l.local.Port() {
		return false
	}
	if l.local.Addr().IsUnspecified() {
		return l.either || local.Addr().Is4() == l.local.Addr().Is4()
	}
	return local.Addr() == l.local.Addr()
}

// counter counts distinct sockets.
type counter struct {
	listeners   []listener
	seen        map[uint64]bool // inodes of sockets that were judged
	inherited   map[uint64]bool // see ours
	connections int
	enough      int
}

func (c *counter) accepted(local netip.AddrPort, name string) bool {
	for _, l := range c.listeners {
		if l.accepts(local, name) {
			return true
		}
	}
	return false
}

// count looks at all sockets of one process.
func (c *counter) count(pid int) error {
	fds, err := list(fmt.Sprintf("/proc/%d/fd", pid))
	switch {
	case gone(err):
		return nil
	case err != nil:
		return c.countTables(pid, nil)
	}
	p, err := Open(pid)
	if gone(err) {
		return nil
	}
	if err == nil {
		defer p.Close()
	}
	unknown := map[uint64]bool{} // sockets that cannot be duplicated
	for _, fd := range fds {
		inode, ok := SocketInode(pid, fd)
		if !ok || c.seen[inode] {
			continue
		}
		if p == nil || !c.countSocket(p, fd, inode) {
			unknown[inode] = true
		}
		if c.connections >= c.enough {
			return nil
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := c.countTables(pid, unknown); err != nil {
		return err
	}
	c.countForeign(pid, fds, unknown)
	return nil
}

// countForeign counts the sockets that no table of the process's namespace knows, and that we do not have as well. A socket
// that was never bound nor connected is in no table either, and counts: better one too many than one too few.
func (c *counter) countForeign(pid int, fds []int, unknown map[uint64]bool) {
	for _, fd := range fds {
		inode, ok := SocketInode(pid, fd)
		if ok && unknown[inode] && !c.seen[inode] && !c.ours()[inode] && c.acceptsProtocol(SocketProtocol(pid, fd)) {
			c.seen[inode] = true
			c.connections++
		}
	}
}

// ours are the sockets of this process: the listeners, and what its manager gave to it.
func (c *counter) ours() map[uint64]bool {
	if c.inherited == nil {
		c.inherited = map[uint64]bool{}
		fds, _ := list("/proc/self/fd")
		for _, fd := range fds {
			if inode, ok := SocketInode(os.Getpid(), fd); ok {
				c.inherited[inode] = true
			}
		}
	}
	return c.inherited
}

// acceptsProtocol tells whether a listener can have accepted a socket of that protocol.
func (c *counter) acceptsProtocol(name string) bool {
	return slices.ContainsFunc(c.listeners, func(l listener) bool {
		if l.name != "" {
			return strings.HasPrefix(name, "UNIX")
		}
		return strings.HasPrefix(name, "TCP") || strings.HasPrefix(name, "MPTCP")
	})
}

// gone tells whether the error is that there is no such process any more.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// countSocket judges a socket by a duplicate, which lives for some microseconds only: a connection ends when the last one is
// closed. It returns false where there can be none.
func (c *counter) countSocket(p *Process, fd int, inode uint64) bool {
	own, err := p.Descriptor(fd)
	if err != nil {
		return gone(err) || errors.Is(err, unix.EBADF) // it was closed meanwhile
	}
	defer unix.Close(own)
	var st unix.Stat_t
	if unix.Fstat(own, &st) != nil || st.Ino != inode {
		return true // another one took its number: it is counted next time
	}
	c.seen[inode] = true
	sa, err := unix.Getsockname(own)
	if err != nil {
		return true
	}
	name := ""
	if u, ok := sa.(*unix.SockaddrUnix); ok {
		name = u.Name
	}
	if c.accepted(addrPort(sa), name) {
		if _, err := unix.Getpeername(own); err == nil { // listeners have no peer, nor has a connection that was reset
			c.connections++
		}
	}
	return true
}

// countTables counts by the tables of the process's network namespace: the sockets with those inodes, or, with nil, all.
func (c *counter) countTables(pid int, inodes map[uint64]bool) error {
	read := 0
	var last error
	for _, t := range tables() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, t.name))
		if err != nil {
			last = err
			continue
		}
		read++
		c.countTable(string(b), t.parse, inodes)
	}
	if read == 0 && !gone(last) {
		return last
	}
	return nil
}
