// Package route decides which backend gets a connection, and sees that it does: rules on addresses, ports, clients and TLS
// names, in the kernel where it can (bpf-sk_lookup), by passing descriptors elsewhere.
package route

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/rouse-server/rouse/activation/relay"
)

// Config says what is dispatched where. ReadFile reads one; Check has accepted all that the rest of the package is given.
type Config struct {
	File      string
	Listeners []Listener
	Backends  []Backend
	Routes    []Route   // the first one that matches wins
	Desks     []Desk    // where backends register; the first one is also where status is asked for
	Daemon    *Identity // whom the dispatcher becomes once its sockets are open; nil: it stays who it is
	Settings  []Setting // options of the dispatcher that stand in the file
	Notices   []string  // what was understood, but may not be what was meant
}

// Setting is an option of the dispatcher's, by the name of its flag. Its value is not checked.
type Setting struct {
	Name, Value string
	At          Position
}

// SettingNames lists the options that may stand in a file of rules.
func SettingNames() []string {
	return []string{"engine", "pin", "grace-period", "hello-time", "hello-size", "ack-time", "max-waiting", "metrics", "log-level", "log-format"}
}

// Identity is a user, as python-socketbox's files name one. A user or group of 4294967295 stays as it is, and so do the groups
// when they are nil. Chroot is a folder to be locked into, or empty.
type Identity struct {
	User, Group uint32
	Groups      []uint32
	Chroot      string
}

// Position is a place in a file, for messages.
type Position struct {
	File string
	Line int // from 1; 0 when there is none
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Listener is where clients arrive.
type Listener struct {
	Name            string
	At              Position
	Addresses       []string // as --listen takes them, options included
	KeepTransparent bool     // IP_TRANSPARENT stays set on accepted connections (socketbox without -z)
}

// Way is how a backend gets its connections.
type Way string

const (
	Registers Way = "registers" // it connects to the dispatcher, and gets listeners or connections
	Datagrams Way = "handoff"   // socketbox's "A" protocol, to a path or an inherited descriptor
	Relayed   Way = "connect"   // its bytes are copied to an address
)

// Takes is what a backend that registers is given.
type Takes string

const (
	Either      Takes = "either" // a listener where the rules allow it and the backend can, else connections
	Listeners   Takes = "listener"
	Connections Takes = "connections"
)

// Backend is a program that gets connections.
type Backend struct {
	Name string
	At   Position
	Way  Way

	Users  []uint32 // who may register, by user; with both lists empty root and the dispatcher's own user may
	Groups []uint32 // who may register, by group
	Desk   string   // the path of the one desk at which it may register; empty: any
	Slot   *uint32  // its number in socketbox's registration protocol
	Takes  Takes

	Path    string // Datagrams: the socket; {local.0} … {local.7} and {port} in it are those of the connection, as five decimal digits (socketbox's #//0_ and #//P_)
	Carrier int    // Datagrams: an inherited descriptor instead, when Path is empty

	Connect []string     // Relayed: HOST:PORT or unix:PATH, tried in turn; port 0 keeps the client's local port
	Header  relay.Header // Relayed: the PROXY header sent first

	Patience time.Duration // how long a client waits for the backend before it is reset
	Network  *Network      // what a program without a network of its own may ask for; nil: nothing
}

// Network is what the dispatcher opens for a backend that asks (rouse run --network-from).
type Network struct {
	At      Position
	Listen  []Reach // addresses and ports that may be bound
	Connect []Reach // addresses and ports that may be connected to
}

// Reach is a range of addresses and ports.
type Reach struct {
	Prefix Prefix
	Ports  Ports
}

// Desk is a unix socket where backends register.
type Desk struct {
	At    Position
	Path  string
	Mode  uint32
	Owner int // -1: as it is
	Group int // -1: as it is
}

// Prefix matches addresses: those of which the bits under the mask are the same. IPv4 addresses are held as ::ffff:a.b.c.d.
type Prefix struct {
	Family  int        // 4, 6, or 0 for both (socketbox compares all as IPv6)
	Address netip.Addr // always Is6 or Is4In6; the bits outside the mask are zero
	Mask    [16]byte
}

// Ports is a range, both ends included.
type Ports struct{ First, Last uint16 }

// Route is one rule. A list that is empty matches everything.
type Route struct {
	Name        string
	At          Position
	Listeners   []string
	Local       []Prefix
	Client      []Prefix
	Ports       []Ports // local
	ClientPorts []Ports
	Names       []string // of TLS: example.org, *.example.org (one label or more), or "" for clients that name none
	ALPN        []string
	Backend     string // empty: Reject
	Reject      bool
	Fallback    bool // it stands for the file's fallback
}

// Tuple is what is known about a connection.
type Tuple struct {
	Listener      string
	Protocol      string // tcp or udp
	Client, Local netip.AddrPort
	Seen          bool // its first bytes were looked at: Name and ALPN are what they say, empty where they are no ClientHello
	Name          string
	ALPN          []string
}

// Decision is where a connection goes.
type Decision struct {
	Route *Route // nil: none matches, and it is rejected
	Look  bool   // its first bytes have to be looked at before it can be decided; Route is nil then
}
