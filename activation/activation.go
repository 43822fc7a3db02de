// Package activation turns addresses into sockets, most of which somebody else opened: systemd, launchd, inetd and its
// family, any supervisor that passes descriptors. It also speaks to the manager that did so: readiness, reload, watchdog.
package activation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/launchd"
)

// Kind is how a socket is used.
type Kind string

const (
	Listener   Kind = "listener"   // connections arrive on it
	Connection Kind = "connection" // it is one accepted connection
	Packet     Kind = "packet"     // datagrams arrive on it
	Channel    Kind = "channel"    // open connections are passed over it
)

// Socket is what a source yields.
type Socket struct {
	Role   string          // the role asked for in the address, or empty
	Name   string          // the name that the activator gave it, or empty
	Source string          // the address that names it best, such as systemd:https
	Number int             // its descriptor number when it was inherited; -1 when Rouse bound it
	Kind   Kind            // how it is used
	Info   platform.Socket // what the kernel told about it
	Wait   bool            // inetd's wait mode: serve until idle, then exit, and the super-server listens again
	Proxy  string          // the PROXY protocol that its connections begin with: v1, v2, any, or empty

	// Listener accepts connections; for a Connection it yields that one, and ends when it was closed. Nil for a Packet. That of
	// a Channel ends when nobody can send any more.
	Listener net.Listener

	packets net.PacketConn // of a Packet that was bound here
	kept    string         // the name under which the manager keeps it; empty: it does not
}

// Bound tells whether Rouse bound the socket itself, so that nobody holds it while Rouse is away.
func (s Socket) Bound() bool { return s.Number < 0 }

// String names the socket in messages.
func (s Socket) String() string {
	if s.Bound() {
		return s.Source
	}
	return fmt.Sprintf("%s (descriptor %d)", s.Source, s.Number)
}

// Descriptor is an inherited descriptor that nothing was done with yet.
type Descriptor struct {
	Number  int
	Name    string // as the activator named it
	Source  string // the address that names it best
	Channel bool   // it was asked for as a unix socket over which connections are passed
	kept    bool   // it came back from the manager's store, and is closed on exec since
}

// ErrGone says that a passed connection was closed by its client before it could be served.
var ErrGone = errors.New("the client closed the connection before it was served")

// Opener opens addresses, and finds by itself the sockets that this process was given.
type Opener struct {
	Log    *slog.Logger    // takes what channels have to say: who sent what is refused, a dispatcher that is away; nil: nobody
	Ending context.Context // ends the waiting of Hold for a dispatcher; nil: 30 s do
	Store  *Store          // what the manager keeps for the next process

	listenFDs listenFDs
	launchd   func(name string) ([]int, error)
	stdin     int
	taken     map[int]bool
	launched  map[string][]Descriptor // launchd gives the sockets of a name only once
	left      map[int]bool            // what Hold has marked close-on-exec, as no address had taken it yet
}

// NewOpener reads and unsets the variables of the LISTEN_FDS protocol, so that no child process believes them. What is
// wrong with them is told when their sockets are asked for.
func NewOpener() *Opener {
	passed := takeListenFDs(os.LookupEnv, os.Unsetenv, os.Getpid(), platform.PidfdID)
	store := takeStore(&passed, os.LookupEnv, os.Unsetenv)
	return &Opener{
		Store:     store,
		listenFDs: passed,
		launchd:   launchd.Sockets,
		taken:     map[int]bool{},
		launched:  map[string][]Descriptor{},
	}
}

// Open opens the addresses in order. On error nothing stays open that it opened.
func (o *Opener) Open(addresses []Address) ([]Socket, error) {
	var sockets []Socket
	for _, a := range addresses {
		opened, err := o.open(a)
		if err != nil {
			Close(sockets)
			return nil, err
		}
		for i := range opened {
			opened[i].Role, opened[i].Proxy = a.Role, a.proxy()
		}
		sockets = append(sockets, opened...)
	}
	return sockets, nil
}

func (o *Opener) open(a Address) ([]Socket, error) {
	switch {
	case a.channel():
		return o.openChannels(a)
	case a.binds():
		return o.Store.bind(a)
	}
	descriptors, err := o.inherited(a)
	if err != nil {
		return nil, err
	}
	return o.take(descriptors)
}

func (o *Opener) inherited(a Address) ([]Descriptor, error) {
	descriptors, err := o.descriptors(a)
	if a.channel() {
		descriptors = slices.Clone(descriptors)
		for i := range descriptors {
			descriptors[i].Channel = true
		}
	}
	return descriptors, err
}

func (o *Opener) descriptors(a Address) ([]Descriptor, error) {
	switch a.Source {
	case "systemd":
		return o.listenFDs.named(a)
	case "launchd":
		return o.launchdSockets(a)
	case "inetd":
		return o.inetd()
	default: // fd
		number, err := a.descriptor()
		return []Descriptor{{Number: number, Source: a.String()}}, err
	}
}

// Named returns the inherited descriptors that an address names, without touching them; none for one that is bound.
func (o *Opener) Named(a Address) ([]Descriptor, error) {
	if a.binds() || a.Source == "handoff" || a.Source == "dispatch" {
		return nil, nil
	}
	return o.inherited(a)
}

// Found tells what Discover looked at.
type Found struct {
	Descriptors []Descriptor
	Notices     []string // what was seen and not used, and why
}

// Find looks for sockets that this process was given, in this order, and stops at the first source that has any: fd, when
// it is not nil (a number given as --fd); LISTEN_FDS meant for this process; launchd; descriptor 0 being a socket.
func (o *Opener) Find(fd *uint) (Found, error) {
	if fd != nil {
		d, err := o.numbered(*fd)
		return Found{Descriptors: []Descriptor{d}}, err
	}
	passed, notices, err := o.listenFDs.mine()
	if err != nil || len(passed) > 0 {
		return Found{passed, notices}, err
	}
	launched, err := o.launchdSockets(Address{Source: "launchd"})
	switch {
	case err == nil:
		return Found{launched, notices}, nil
	case !absent(err):
		return Found{Notices: notices}, err
	}
	if o.stdinIsSocket() {
		standard, err := o.inetd()
		return Found{standard, notices}, err
	}
	return Found{Notices: notices}, nil
}

// Discover takes what Find finds; none found is no error.
func (o *Opener) Discover(fd *uint) (sockets []Socket, notices []string, err error) {
	found, err := o.Find(fd)
	if err != nil {
		return nil, found.Notices, err
	}
	sockets, err = o.take(found.Descriptors)
	if err != nil && fd != nil && len(o.listenFDs.descriptors) == 0 {
		err = fmt.Errorf("%w (--fd %d is descriptor %d itself: %s)", err, *fd, *fd, o.listenFDs.absence())
	}
	return sockets, found.Notices, err
}

// Left returns the passed sockets that no address took: clients that connect to them wait for nobody.
func (o *Opener) Left() []Descriptor {
	var left []Descriptor
	mine, _, _ := o.listenFDs.mine()
	for _, d := range mine {
		if !o.taken[d.Number] {
			left = append(left, d)
		}
	}
	return left
}

// Close closes all the sockets. The activator's own copies stay open.
func Close(sockets []Socket) {
	for _, s := range sockets {
		if s.Listener != nil {
			s.Listener.Close()
		}
		if s.packets != nil {
			s.packets.Close()
		}
	}
}

// Pending tells whether a connection waits on one of the listening sockets now.
func Pending(sockets []Socket) bool {
	for _, s := range sockets {
		if l, ok := s.Listener.(*channelListener); ok {
			if any, _ := l.look(); any {
				return true
			}
			continue
		}
		conn, ok := s.Listener.(syscall.Conn)
		if !ok || s.Kind != Listener {
			continue
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			continue
		}
		var readable bool
		if err := raw.Control(func(fd uintptr) { readable = platform.Readable(int(fd)) }); err == nil && readable {
			return true
		}
	}
	return false
}
