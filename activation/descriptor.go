package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// descriptor reads the number of an address fd:N.
func (a Address) descriptor() (int, error) {
	n, err := strconv.ParseUint(a.Detail, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("address %q: write fd:N with the number of a descriptor that is passed, such as fd:3", a)
	}
	return int(n), nil
}

// take makes sockets of descriptors. On error those that were made are closed again.
func (o *Opener) take(descriptors []Descriptor) ([]Socket, error) {
	var sockets []Socket
	for _, d := range descriptors {
		s, err := o.takeOne(d)
		if err != nil {
			Close(sockets)
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func (o *Opener) takeOne(d Descriptor) (Socket, error) {
	if o.taken[d.Number] {
		return Socket{}, fmt.Errorf("%s: descriptor %d is named by two addresses: leave one out", d.Source, d.Number)
	}
	s, err := Inspect(d)
	if err != nil {
		return Socket{}, err
	}
	o.taken[d.Number] = true
	if s.Kind == Packet {
		return s, nil
	}
	fd := d.Number
	if fd <= 2 {
		if fd, err = o.moveStandard(fd); err != nil {
			return Socket{}, err
		}
	}
	s.Listener, err = listener(fd, s)
	if err != nil {
		return Socket{}, fmt.Errorf("%s: %w", s, err)
	}
	return s, nil
}

// Inspect tells what a descriptor is and how it would be used; it changes nothing. The error says what is wrong with it.
func Inspect(d Descriptor) (Socket, error) {
	if !d.kept && platform.OpenedHere(d.Number) && !strings.HasPrefix(d.Source, "launchd:") {
		s := Socket{Name: d.Name, Source: d.Source, Number: d.Number, Kind: Listener}
		return s, fmt.Errorf("%s: descriptor %d is not open: what is there is the program's own; pass a %s there", d.Source, d.Number, d.wanted())
	}
	return describe(d)
}

// describe is Inspect of what is known to have been passed.
func describe(d Descriptor) (Socket, error) {
	s := Socket{Name: d.Name, Source: d.Source, Number: d.Number, Kind: Listener}
	info, err := platform.Describe(d.Number)
	if errors.Is(err, platform.ErrNotSocket) || errors.Is(err, syscall.EBADF) {
		return s, fmt.Errorf("%s: %w; pass a %s there", d.Source, err, d.wanted())
	} else if err != nil {
		return s, fmt.Errorf("%s: %w", d.Source, err)
	}
	s.Info = info
	what := fmt.Sprintf("%s is a %s socket (%s)", s, info.Type, strings.Join(slices.Compact([]string{string(info.Family), info.Protocol}), ", "))
	switch {
	case info.Family != platform.IPv4 && info.Family != platform.IPv6 && info.Family != platform.Unix:
		return s, fmt.Errorf("%s: only IPv4, IPv6 and unix sockets can be used", what)
	case d.Channel && !isChannel(info):
		return s, fmt.Errorf("%s: ?channel is for a unix datagram socket, or a connected unix one (seqpacket or stream)", what)
	case d.Channel:
		s.Kind = Channel
		return s, nil
	case info.Type == platform.Datagram && info.Family != platform.Unix:
		s.Kind = Packet
	case info.Type != platform.Stream || info.Protocol == "sctp":
		return s, fmt.Errorf("%s: only stream sockets (TCP, MPTCP, unix) can be used, which systemd calls ListenStream=", what)
	case info.State == platform.Unbound:
		return s, fmt.Errorf("%s without an address: bind it before it is passed", what)
	case info.State == platform.Connected:
		s.Kind = Connection
	}
	// inetd passes its socket as standard output too, which tells it from a supervisor that passes one by --fd 0.
	s.Wait = s.Kind == Listener && (d.Source == "inetd:" || d.Number == 0 && platform.SameFile(0, 1))
	return s, nil
}

func (d Descriptor) wanted() string {
	if d.Channel {
		return "unix socket"
	}
	return "listening socket"
}

// listener makes a net.Listener of the descriptor, which it closes: net.FileListener works on a duplicate.
func listener(fd int, s Socket) (net.Listener, error) {
	unix.CloseOnExec(fd)
	if s.Info.State == platform.Bound {
		// Only where it does not listen already: SELinux may deny the second listen(2) (gunicorn PR 3747).
		if err := unix.Listen(fd, unix.SOMAXCONN); errors.Is(err, unix.EINVAL) {
			unix.Close(fd)
			return nil, ErrGone // an accepted connection whose peer has left has a name, but no peer
		} else if err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("listen on it: %w", err)
		}
	}
	f := os.NewFile(uintptr(fd), s.Source)
	defer f.Close()
	if s.Kind == Connection {
		c, err := net.FileConn(f)
		if err != nil {
			return nil, fmt.Errorf("use the connection: %w", err)
		}
		return newOneConnection(c), nil
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("use the listening socket: %w", err)
	}
	return l, nil
}
