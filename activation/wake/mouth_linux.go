package wake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// mouth is what an instance of the program has in place of a listening socket: the reading end of a pair of unix sockets, in
// which a message lies for each connection that waits. So it is readable when accept(2) has something to give, and poll(2) and
// epoll(7) tell the truth without us. What the program does with it we answer: see [swapper.atMouth]. There is one for each
// family that the program binds.
type mouth struct {
	*gate
	swapper *swapper
	family  platform.Family // of the program's socket
	only6   bool
	name    name

	program, ours int    // the two ends; the program has the first
	inode         uint64 // of the program's end
	model         int    // a socket of the kind that the program made, which has the options that it set
	settings      []socketoptions.Setting

	// of what follows the gate's mutex is the guard
	listening bool
	clients   []*client
	parked    []seccomp.Call // accepts that wait
}

func newMouth(g *gate, s *swapper, n name, like int) (*mouth, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	m := &mouth{gate: g, swapper: s, family: n.family, name: n, program: pair[0], ours: pair[1], model: -1}
	var st unix.Stat_t
	if err = unix.Fstat(m.program, &st); err == nil {
		m.inode = st.Ino
		err = m.makeModel(like)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// makeModel opens a socket of the same kind as the program's, with the same options.
func (m *mouth) makeModel(like int) (err error) {
	if like < 0 { // it could not be had
		domain := map[platform.Family]int{platform.IPv4: unix.AF_INET, platform.IPv6: unix.AF_INET6, platform.Unix: unix.AF_UNIX}[m.family]
		m.model, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}
	if m.model, err = socketoptions.LikeNew(like); err != nil {
		return err
	}
	only6, err := unix.GetsockoptInt(like, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	m.only6 = err == nil && only6 != 0
	if _, err := socketoptions.Copy(like, m.model); err != nil {
		return err
	}
	m.settings, err = socketoptions.Inherited(m.model)
	return err
}

func (m *mouth) close() {
	for _, fd := range []int{m.program, m.ours, m.model} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// fits tells whether the program can have the client here, or says what to do.
func (m *mouth) fits(c *client) (bool, string) {
	v4 := c.family == unix.AF_INET || c.family == unix.AF_INET6 && c.peer.Addr().Is4In6()
	switch {
	case len(c.Meta.Data) > 0:
		return false, "the dispatcher has read of the connection, and what it read cannot be given to a program"
	case c.family == unix.AF_UNIX, m.family == platform.Unix:
		return true, ""
	case m.family == platform.IPv4 && !v4:
		return false, "the client is IPv6, and the program bound an IPv4 address: let it bind an IPv6 one too, or route IPv4 clients to it only"
	case m.family == platform.IPv6 && m.only6 && v4:
		return false, "the client is IPv4, and the program bound an address for IPv6 only: let it bind an IPv4 one too, or route IPv6 clients to it only"
	}
	return true, ""
}

// rank says how well a mouth fits, among those that do.
func (m *mouth) rank(c *client) int {
	if (m.family == platform.IPv4) == (c.family == unix.AF_INET || c.peer.Addr().Is4In6()) {
		return 1
	}
	return 0
}

// take gives a client to an accept that waits, or lets it wait here. The gate's mutex is held.
func (m *mouth) take(c *client) {
	for len(m.parked) > 0 {
		call := m.parked[0]
		m.parked = m.parked[1:]
		err := m.give(c, call)
		if err == nil {
			m.drop(c)
			return
		}
		if errno := unix.Errno(0); !errors.Is(err, unix.ENOENT) && errors.As(err, &errno) {
			_ = m.swapper.notifier.Fail(call, errno) // where it cannot be answered, the swapper ends
		}
	}
	m.clients = append(m.clients, c)
	unix.SendmsgN(m.ours, []byte{0}, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// giveBack empties the mouth.
func (m *mouth) giveBack() []*client {
	back := m.clients
	m.clients = nil
	for range back {
		m.unmark()
	}
	return back
}

// unmark takes one message out of the pair.
func (m *mouth) unmark() {
	unix.Recvfrom(m.program, make([]byte, 1), unix.MSG_DONTWAIT)
}

// accept answers accept(2) and accept4(2).
func (m *mouth) accept(call seccomp.Call) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	notifier := m.swapper.notifier
	if !m.listening {
		return notifier.Fail(call, unix.EINVAL)
	}
	if len(m.clients) == 0 {
		flags, err := unix.FcntlInt(uintptr(m.program), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			return notifier.Fail(call, unix.EAGAIN)
		}
		m.park(call)
		return nil
	}
	err := m.give(m.clients[0], call)
	switch errno := unix.Errno(0); {
	case err == nil:
		m.drop(m.clients[0])
		m.clients = m.clients[1:]
		m.unmark()
		m.signal()
		return nil
	case errors.Is(err, unix.ENOENT): // the program was interrupted: its next accept gets the client
		return nil
	case errors.As(err, &errno):
		return notifier.Fail(call, errno)
	}
	return err
}

// park lets a blocking accept wait. Those whose callers went away are forgotten.
func (m *mouth) park(call seccomp.Call) {
	const many = 64 // more than that are looked through when as many have come as there were
	if n := len(m.parked); n >= many && n&(n-1) == 0 {
		var valid []seccomp.Call
		for _, one := range m.parked {
			if m.swapper.notifier.Valid(one) {
				valid = append(valid, one)
			}
		}
		m.parked = valid
	}
	m.parked = append(m.parked, call)
}

// give makes a connection the answer of an accept. The error wraps ENOENT where the caller is gone, or is what accept(2) would
// say; the client waits on then.
func (m *mouth) give(c *client, call seccomp.Call) error {
	notifier := m.swapper.notifier
	var flags uint64
	if call.Number == unix.SYS_ACCEPT4 {
		flags = call.Args[3]
	}
	if err := socketoptions.SetNonblock(c.Number, flags&unix.SOCK_NONBLOCK != 0); err != nil {
		return err
	}
	if m.family == platform.IPv4 && c.family == unix.AF_INET6 {
		// what an IPv4 program asks of the connection is answered as it expects (ipv6(7)); a client that has sent all cannot be turned
		_ = unix.SetsockoptInt(c.Number, unix.IPPROTO_IPV6, unix.IPV6_ADDRFORM, unix.AF_INET)
	}
	socketoptions.Set(c.Number, m.settings)
	if !notifier.Valid(call) {
		return unix.ENOENT
	}
	if call.Args[1] != 0 {
		if err := writeAddress(call.TID, call.Args[1], call.Args[2], m.sockaddr(c)); err != nil {
			return err
		}
	}
	c.tell() // before the program can read of it: nobody else may get it then
	err := notifier.PutAnswer(call, c.Number, flags&unix.SOCK_CLOEXEC != 0)
	if err == nil {
		m.swapper.gave(c.Number)
	}
	return err
}

// sockaddr is the client's address as accept(2) tells it at the program's socket.
func (m *mouth) sockaddr(c *client) []byte {
	switch addr := c.peer.Addr(); {
	case !addr.IsValid() || m.family == platform.Unix:
		return binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	case m.family == platform.IPv4:
		b := make([]byte, unix.SizeofSockaddrInet4)
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], c.peer.Port())
		v4 := addr.Unmap().As4()
		copy(b[4:], v4[:])
		return b
	default:
		b := make([]byte, unix.SizeofSockaddrInet6)
		binary.NativeEndian.PutUint16(b, unix.AF_INET6)
		binary.BigEndian.PutUint16(b[2:], c.peer.Port())
		v6 := addr.As16()
		copy(b[8:], v6[:])
		return b
	}
}

// listen answers listen(2).
func (m *mouth) listen(call seccomp.Call) error {
	m.open(m)
	m.swapper.take(m.socket)
	return m.swapper.notifier.Return(call, 0)
}

// getsockname answers getsockname(2) with the address that the program bound.
func (m *mouth) getsockname(call seccomp.Call) error {
	return m.answered(call, func() error { return writeAddress(call.TID, call.Args[1], call.Args[2], m.name.raw) })
}

// answered answers a call that writes into the program's memory.
func (m *mouth) answered(call seccomp.Call, write func() error) error {
	notifier := m.swapper.notifier
	if !notifier.Valid(call) {
		return nil
	}
	err := write()
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return notifier.Fail(call, errno)
	} else if err != nil {
		return fmt.Errorf("answer the program: %w", err)
	}
	return notifier.Return(call, 0)
}

// setsockopt answers setsockopt(2): what connections inherit is set on the model, and on each of them; the rest is for a socket
// that listens in the kernel, and means nothing here.
func (m *mouth) setsockopt(call seccomp.Call) error {
	notifier := m.swapper.notifier
	level, number, length := int(int32(call.Args[1])), int(int32(call.Args[2])), int32(call.Args[4])
	privileged := level == unix.SOL_SOCKET && (number == unix.SO_MARK || number == unix.SO_PRIORITY) // what we may the program may not
	if !socketoptions.Settable(level, number) || privileged || length < 1 || length > 256 {
		return notifier.Return(call, 0)
	}
	value := make([]byte, length)
	err := process.ReadMemory(call.TID, call.Args[3], value)
	if !notifier.Valid(call) {
		return nil
	}
	if err == nil {
		err = unix.SetsockoptString(m.model, level, number, string(value))
	}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return notifier.Fail(call, errno)
	}
	settings, err := socketoptions.Inherited(m.model)
	if err != nil {
		return notifier.Return(call, 0)
	}
	m.mu.Lock()
	m.settings = settings
	m.mu.Unlock()
	return notifier.Return(call, 0)
}

// getsockopt answers getsockopt(2) as a listening socket would.
func (m *mouth) getsockopt(call seccomp.Call) error {
	level, number := int(int32(call.Args[1])), int(int32(call.Args[2]))
	return m.answered(call, func() error {
		var room [4]byte
		if err := process.ReadMemory(call.TID, call.Args[4], room[:]); err != nil {
			return err
		}
		n := int32(binary.NativeEndian.Uint32(room[:]))
		if n < 0 {
			return unix.EINVAL
		}
		value := make([]byte, min(n, 512))
		if level == unix.SOL_SOCKET && number == unix.SO_ACCEPTCONN {
			var yes [4]byte
			m.mu.Lock()
			if m.listening {
				binary.NativeEndian.PutUint32(yes[:], 1)
			}
			m.mu.Unlock()
			value = value[:copy(value, yes[:])]
		} else {
			size, err := getsockopt(m.model, level, number, value)
			if err != nil {
				return err
			}
			value = value[:size]
		}
		if err := process.WriteMemory(call.TID, call.Args[3], value); err != nil {
			return err
		}
		binary.NativeEndian.PutUint32(room[:], uint32(len(value)))
		return process.WriteMemory(call.TID, call.Args[4], room[:])
	})
}

// getsockopt returns the size of an option, whose bytes it writes into value.
func getsockopt(fd, level, number int, value []byte) (int, error) {
	size := uint32(len(value))
	var at unsafe.Pointer
	if size > 0 {
		at = unsafe.Pointer(&value[0])
	}
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(number), uintptr(at), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(min(size, uint32(len(value)))), nil
}
