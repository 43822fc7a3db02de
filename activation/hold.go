package activation

import (
	"fmt"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// Held is a socket that is kept for another program. Nothing is done to it but that it is closed on exec.
type Held struct {
	Name   string // as the activator named it, or the role in front of its address, or empty
	Source string // the address that names it best, such as systemd:web
	Number int    // the descriptor; -1 of a Channel
	Kind   Kind
	Info   platform.Socket // what the kernel told about it
	Bound  bool            // Rouse bound it itself, so that nobody holds it while Rouse is away
	Passed bool            // a manager that starts programs on demand passed it (systemd, launchd, inetd)
	Proxy  string          // the PROXY protocol that its connections begin with: v1, v2, any, or empty

	// Channel is where connections arrive, of Kind Channel: it was granted none yet. A Listener or Packet that a dispatcher
	// gave has the channel that it came by, which is to be read on: the dispatcher may withdraw the socket, whose ID is ID.
	// Nil for all others. Close closes it.
	Channel handoff.Channel
	ID      uint64

	remove func() // what was bound here: the file of a unix socket
	kept   string // the name under which the manager keeps it; empty: it does not
}

// String names the socket in messages.
func (h Held) String() string {
	if h.Bound || h.Channel != nil {
		return h.Source
	}
	return fmt.Sprintf("%s (descriptor %d)", h.Source, h.Number)
}

// Close closes the descriptor. The activator's own copy stays open.
func (h Held) Close() {
	if h.remove != nil {
		h.remove()
	}
	if h.Channel != nil {
		h.Channel.Close()
	}
	if h.Number >= 0 {
		unix.Close(h.Number)
	}
}

// Hold returns the sockets of the addresses, or, without any, those that this process was given, as Find finds them; none
// found is no error. They are listeners, packet sockets and channels: what else is named is refused. What was passed and is not
// taken stays for a later call, closed on exec. On error nothing stays open that it opened.
func (o *Opener) Hold(addresses []Address, fd *uint) (held []Held, notices []string, err error) {
	if len(addresses) == 0 {
		found, err := o.Find(fd)
		if err != nil {
			return nil, found.Notices, err
		}
		held, err = o.holdAll(found.Descriptors, "")
		return held, found.Notices, err
	}
	for _, a := range addresses {
		more, err := o.holdAddress(a)
		if err != nil {
			CloseHeld(held)
			return nil, nil, err
		}
		held = append(held, more...)
	}
	o.left = map[int]bool{}
	for _, d := range o.Left() {
		unix.CloseOnExec(d.Number)
		o.left[d.Number] = true
		notices = append(notices, fmt.Sprintf("%s (descriptor %d) was passed, but no address takes it: its clients wait for nobody", d.Source, d.Number))
	}
	return held, notices, nil
}

// CloseHeld closes all the sockets. The activator's own copies stay open.
func CloseHeld(held []Held) {
	for _, h := range held {
		h.Close()
	}
}

func (o *Opener) holdAddress(a Address) ([]Held, error) {
	held, err := o.holdPlain(a)
	for i := range held {
		held[i].Proxy = a.proxy()
	}
	return held, err
}

func (o *Opener) holdPlain(a Address) ([]Held, error) {
	if a.channel() {
		return o.holdChannels(a)
	}
	if !a.binds() {
		descriptors, err := o.inherited(a)
		if err != nil {
			return nil, err
		}
		return o.holdAll(descriptors, a.Role)
	}
	bound, err := o.open(a)
	if err != nil {
		return nil, err
	}
	h, err := holdBound(bound[0])
	if err != nil {
		Close(bound)
		return nil, err
	}
	h.Name = a.Role
	return []Held{h}, nil
}

func (o *Opener) holdAll(descriptors []Descriptor, role string) ([]Held, error) {
	var held []Held
	for _, d := range descriptors {
		h, err := o.holdOne(d)
		if err != nil {
			CloseHeld(held)
			return nil, err
		}
		if role != "" {
			h.Name = role
		}
		held = append(held, h)
	}
	return held, nil
}

func (o *Opener) holdOne(d Descriptor) (Held, error) {
	if o.taken[d.Number] {
		return Held{}, fmt.Errorf("%s: descriptor %d is named by two addresses: leave one out", d.Source, d.Number)
	}
	inspect := Inspect
	if o.left[d.Number] {
		inspect = describe // an earlier Hold knew that it was passed
	}
	s, err := inspect(d)
	switch {
	case err != nil:
		return Held{}, err
	case s.Kind == Connection:
		return Held{}, fmt.Errorf("%s is one connection: a program is started on listening sockets (Accept=no in systemd, wait in inetd)", s)
	}
	o.taken[d.Number] = true
	source, _, _ := strings.Cut(d.Source, ":")
	h := Held{Name: d.Name, Source: d.Source, Number: d.Number, Kind: s.Kind, Info: s.Info, Passed: source != "fd"}
	if d.Number <= 2 {
		if h.Number, err = o.moveStandard(d.Number); err != nil {
			return Held{}, err
		}
	}
	unix.CloseOnExec(h.Number)
	return h, nil
}

// holdBound takes the descriptor out of what was bound here, and makes it block, as programs expect of what they inherit. The
// original is closed: the runtime watches it, and would wake for every client of the program.
func holdBound(s Socket) (Held, error) {
	h := Held{Source: s.Source, Kind: s.Kind, Info: s.Info, Bound: true, kept: s.kept}
	var conn syscall.Conn
	switch l := s.Listener.(type) {
	case ownFile:
		conn, h.remove = l.UnixListener, l.remove
		defer l.UnixListener.Close()
	case *net.UnixListener:
		conn = l
		defer l.Close()
	case *net.TCPListener:
		conn = l
		defer l.Close()
	default:
		conn = s.packets.(*net.UDPConn)
		defer s.packets.Close()
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return h, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		h.Number, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	}); err != nil {
		return h, err
	}
	if failed != nil {
		return h, failed
	}
	return h, unix.SetNonblock(h.Number, false)
}
