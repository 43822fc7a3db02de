// Package handoff passes open connections and listening sockets between processes over unix sockets (SCM_RIGHTS, unix(7)):
// as socketbox does, and in Rouse's own protocol, in which nothing is lost when one side ends. PROTOCOL.md specifies both.
package handoff

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what arrived over a channel.
type Kind string

const (
	Connection Kind = "connection" // one client
	Listener   Kind = "listener"   // a socket on which clients arrive; ours from now on, until it is withdrawn
	Packet     Kind = "packet"     // a bound datagram socket; the same
	Withdrawn  Kind = "withdrawn"  // a socket that arrived before goes to somebody else: accept nothing more from it, and close it
)

// Arrival is what one side passed to the other.
type Arrival struct {
	Kind   Kind
	Number int    // the descriptor, close-on-exec, checked; it belongs to who got the arrival. Of Withdrawn: -1
	ID     uint64 // of a listener, a packet socket and their withdrawal
	Meta   Meta

	accepted func() // tells the other side that the arrival is in good hands
	declined func() // takes a connection back
}

// Accepted tells the dispatcher that the connection is in good hands: should this process end now, nobody else gets it. Call
// it before the first byte is read. A connection whose process ends before that goes to another backend, untouched. Where
// the protocol has no such word it does nothing.
func (a *Arrival) Accepted() {
	if a.accepted != nil {
		a.accepted()
	}
}

// Decline gives a connection back that was neither accepted nor touched. It is for who is about to close the channel: then the
// connection goes to others, where the protocol can. The descriptor belongs to the channel again.
func (a *Arrival) Decline() {
	if a.declined != nil {
		a.declined()
		return
	}
	unix.Close(a.Number)
}

// Meta is what the dispatcher knows about a connection. What it does not know is zero.
type Meta struct {
	Client   netip.AddrPort // who connected; after a PROXY header who the header says
	Local    netip.AddrPort // where the client connected to
	Name     string         // the name that the client asked for (TLS server name indication, RFC 6066 §3), in lower case
	ALPN     []string       // the protocols that it offers (RFC 7301)
	Listener string         // the dispatcher's listener that it came by
	Route    string         // the rule that sent it here
	At       time.Time      // when it was accepted
	Data     []byte         // bytes that were read of it already and come first; mostly none, as the dispatcher only peeks
}

// Channel is where arrivals come from: socketbox's datagrams, a registration at a dispatcher, or an inherited socket.
type Channel interface {
	// Next waits for the next arrival. It takes no more from the kernel than was granted. Errors that pass are waited out;
	// io.EOF says that the other side ended for good (an inherited channel), context errors are returned as they are.
	Next(ctx context.Context) (*Arrival, error)

	// Grant allows n more connections to arrive; a channel begins with what it was opened with. Each connection takes one.
	Grant(n int)

	// Close ends it; connections that have not been returned by Next are left to others where the protocol can.
	Close() error

	// String names it in messages, such as handoff:/run/site.sock.
	String() string
}

var (
	// ErrFull says that the receiver has no room or gave no credit; nothing was sent.
	ErrFull = errors.New("the receiver has no room")
	// ErrAbsent says that nobody receives there.
	ErrAbsent = errors.New("nobody receives there")
)
