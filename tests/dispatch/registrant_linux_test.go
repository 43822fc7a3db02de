package dispatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// The frames of Rouse's own protocol, as activation/handoff/PROTOCOL.md numbers them. This is a client written from that page.
const (
	helloFrame = iota + 1
	welcomeFrame
	refusedFrame
	connectionFrame
	socketFrame
	withdrawFrame
	acceptedFrame
	creditFrame
	leavingFrame
	endFrame
)

// What a backend takes.
const (
	either = iota + 1
	listeners
	connections
)

// registrant is a backend's end of a session. Its methods may be called from several goroutines, next from one.
type registrant struct {
	fd      int
	gives   byte
	sockets int // that follow at once
	closed  sync.Once
}

// received is one frame from the dispatcher.
type received struct {
	kind byte
	id   uint64
	fd   int // -1: none

	client, local         netip.AddrPort // of a connection
	listener, route, name string
	protocols             []string

	socketKind byte // of a socket: 1 listening, 2 UDP
	address    string
	reason     string // of refusals and ends
}

// register connects to a desk and registers.
func register(desk, backend string, takes byte, credit uint32) (*registrant, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &registrant{fd: fd}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: desk}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", desk, err)
	}
	payload := append(binary.BigEndian.AppendUint16(nil, uint16(len(backend))), backend...)
	payload = binary.BigEndian.AppendUint32(append(payload, takes), credit)
	if err := r.send(helloFrame, append(payload, 0, 0)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	f, err := r.next()
	if err != nil || f.kind != welcomeFrame {
		unix.Close(fd)
		return nil, errors.Join(err, fmt.Errorf("refused: %q", f.reason))
	}
	return r, nil
}

func (r *registrant) close() { r.closed.Do(func() { unix.Close(r.fd) }) }

func (r *registrant) send(kind byte, payload []byte) error {
	return unix.Sendmsg(r.fd, append([]byte{'R', 'H', 1, kind}, payload...), nil, nil, unix.MSG_NOSIGNAL)
}

// accepted acknowledges connections, and grants more.
func (r *registrant) accepted(grant uint32, ids ...uint64) error {
	payload := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(nil, grant), uint16(len(ids)))
	for _, id := range ids {
		payload = binary.BigEndian.AppendUint64(payload, id)
	}
	return r.send(acceptedFrame, payload)
}

func (r *registrant) credit(grant uint32) error {
	return r.send(creditFrame, binary.BigEndian.AppendUint32(nil, grant))
}

func (r *registrant) leave() error { return r.send(leavingFrame, nil) }

// next waits for a frame; at the end it is io.EOF.
func (r *registrant) next() (received, error) {
	data, control := make([]byte, 65536), make([]byte, 1280)
	for {
		n, cn, _, _, err := unix.Recvmsg(r.fd, data, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNRESET):
			continue
		case err != nil:
			return received{}, err
		case n == 0:
			return received{}, io.EOF
		}
		f, err := r.read(data[:n], control[:cn])
		if err != nil || f.kind != 0 {
			return f, err
		}
	}
}

// read reads a frame. Its kind is 0 when it is to be skipped.
func (r *registrant) read(data, control []byte) (f received, err error) {
	f.fd = -1
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return f, err
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 && f.fd < 0 {
			f.fd = fds[0]
		} else {
			return f, fmt.Errorf("descriptors: %v, %v", fds, err)
		}
	}
	if len(data) < 4 || string(data[:3]) != "RH\x01" {
		return f, fmt.Errorf("no frame of this protocol: %q", data)
	}
	p := payload{rest: data[4:]}
	switch f.kind = data[3]; f.kind {
	case welcomeFrame:
		r.gives, r.sockets = byte(p.number(1)), int(p.number(2))
	case refusedFrame:
		p.number(1)
		f.reason = p.text()
	case connectionFrame:
		p.connection(&f)
	case socketFrame:
		f.id, f.socketKind, f.name, f.address = p.number(8), byte(p.number(1)), p.text(), p.text()
	case withdrawFrame:
		f.id = p.number(8)
	case endFrame:
		f.reason = p.text()
	default:
		f.kind = 0
		return f, nil
	}
	if p.short || len(p.rest) > 0 {
		err = fmt.Errorf("a frame of type %d is not as it is written: % x", f.kind, data)
	}
	return f, err
}

// payload is read field by field.
type payload struct {
	rest  []byte
	short bool
}

func (p *payload) take(n int) []byte {
	if n > len(p.rest) {
		p.short = true
		return make([]byte, n)
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *payload) number(size int) (n uint64) {
	for _, b := range p.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (p *payload) text() string { return string(p.take(int(p.number(2)))) }

func (p *payload) endpoint() netip.AddrPort {
	switch p.number(1) {
	case 0:
		return netip.AddrPort{}
	case 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.take(4))), uint16(p.number(2)))
	case 6:
		a, port := netip.AddrFrom16([16]byte(p.take(16))), uint16(p.number(2))
		return netip.AddrPortFrom(a.WithZone(p.text()), port)
	}
	p.short = true
	return netip.AddrPort{}
}

func (p *payload) connection(f *received) {
	f.id = p.number(8)
	p.number(8) // when it was accepted
	f.client, f.local = p.endpoint(), p.endpoint()
	f.listener, f.route, f.name = p.text(), p.text(), p.text()
	for range p.number(1) {
		f.protocols = append(f.protocols, p.text())
	}
	p.take(int(p.number(4)))
}
