// Package sklookup has the kernel choose the socket for each new client by rules on addresses and ports (BPF_PROG_TYPE_SK_LOOKUP,
// Linux 5.9, Documentation/bpf/prog_sk_lookup.rst), so that many sockets with queues of their own stand behind one address.
package sklookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
)

// Where a rule sends a client, when not to a slot.
const (
	Pass = -1 // to the front itself
	Drop = -2 // to nobody: TCP clients are reset, UDP clients told that the port is unreachable
)

// Families is a set of address families.
type Families uint32

// The families of clients.
const (
	IPv4 Families = 1 << iota
	IPv6
	Both = IPv4 | IPv6
)

// Front is a socket on which clients arrive, bound to one port.
type Front struct {
	Protocol  int            // IPPROTO_TCP or IPPROTO_UDP
	Local     netip.AddrPort // as it is bound; 0.0.0.0 and :: stand for all addresses
	Dual      bool           // it is bound to ::, and takes IPv4 clients too
	Interface int            // the index of the one interface that it takes clients from; 0: any
	Own       int            // the slot that holds the front itself. Pass: none, the kernel finds it as always
	Otherwise int            // where clients go that no rule matches: Pass, Drop or a slot
	Rules     []Rule         // the first that matches wins
}

// Rule sends the clients that it matches somewhere. IPv4 addresses are ::ffff:a.b.c.d in it.
type Rule struct {
	Families    Families
	Client      Bits
	Local       Bits
	First, Last uint16 // ports of the client, both ends included
	To          int    // a slot, Pass or Drop
	Counter     int    // the number of the counter that counts its clients
}

// Bits matches the addresses that are like Address under the Mask. The address has no bits outside of it.
type Bits struct{ Address, Mask [16]byte }

// has tells whether the address is matched.
func (b Bits) has(address [16]byte) bool {
	for i := range address {
		if address[i]&b.Mask[i] != b.Address[i] {
			return false
		}
	}
	return true
}

const (
	mostGroups = 512
	mostCells  = 100_000
)

// ErrTooMany says that the rules of a front are more than a program of the kernel should work on.
var ErrTooMany = errors.New("too many rules for the kernel")

// Plan is a front as the program has it. Rules that have the same masks form a group: a client is in at most one cell of it,
// which one look into a hash table finds. So the number of different masks counts, not that of the rules.
type Plan struct {
	front  Front
	groups []group
	cells  map[cellKey]cell
}

// group is one combination of masks, as the program reads it: three masks that lie like the key of a cell, the families, and
// the index of its first rule.
type group struct {
	masks    cellKey
	families Families
	first    uint32
}

// cellKey is what a cell is found by: address of the client, local address, number of the group, port of the client in
// network order, and two bytes of nothing.
type cellKey [40]byte

// cell says which rule it is part of, where that sends clients, and what counts them.
type cell struct{ index, to, counter uint32 }

// Compile makes the plan of a front. The error is ErrTooMany.
func Compile(f Front) (Plan, error) {
	p := Plan{front: f, cells: map[cellKey]cell{}}
	known := map[group]uint32{} // the numbers of groups, found with first as 0
	for i, r := range f.Rules {
		r, ok := f.reduce(r)
		if !ok {
			continue
		}
		for first, last := uint32(r.First), uint32(r.Last); first <= last; {
			port, mask, size := span(first, last)
			p.add(known, uint32(i), r, port, mask)
			first += size
		}
		if len(p.groups) > mostGroups {
			return Plan{}, fmt.Errorf("%w: they have more than %d combinations of masks", ErrTooMany, mostGroups)
		}
		if len(p.cells) > mostCells {
			return Plan{}, fmt.Errorf("%w: they have more than %d combinations of addresses and ports", ErrTooMany, mostCells)
		}
	}
	return p, nil
}

// families of clients that can reach the front.
func (f Front) families() Families {
	switch {
	case f.Local.Addr().Is4() || f.Local.Addr().Is4In6():
		return IPv4
	case f.Dual:
		return Both
	}
	return IPv6
}

// reduce takes out of a rule what the front decides already, so that more rules have the same masks. ok is false where no
// client of the front matches.
func (f Front) reduce(r Rule) (_ Rule, ok bool) {
	r.Families &= f.families()
	if !f.Local.Addr().Unmap().IsUnspecified() {
		if !r.Local.has(f.Local.Addr().As16()) {
			return r, false
		}
		r.Local = Bits{}
	}
	return r, r.Families != 0 && r.First <= r.Last
}

// span returns the widest masked port that begins at first and does not go beyond last.
func span(first, last uint32) (port, mask uint16, size uint32) {
	size = uint32(1) << min(bits.TrailingZeros32(first|1<<16), bits.Len32(last-first+1)-1)
	return uint16(first), uint16(^(size - 1)), size
}

// add enters one cell of a rule, unless an earlier rule has all of it.
func (p *Plan) add(known map[group]uint32, index uint32, r Rule, port, mask uint16) {
	g := group{masks: makeKey(r.Client.Mask, r.Local.Mask, 0, mask), families: r.Families}
	number, ok := known[g]
	if !ok {
		number = uint32(len(p.groups))
		known[g] = number
		g.first = index
		p.groups = append(p.groups, g)
	}
	key := makeKey(r.Client.Address, r.Local.Address, number, port&mask)
	if _, taken := p.cells[key]; !taken {
		p.cells[key] = cell{index: index, to: uint32(r.To), counter: uint32(r.Counter)}
	}
}

func makeKey(client, local [16]byte, number uint32, port uint16) (k cellKey) {
	copy(k[keyClient:], client[:])
	copy(k[keyLocal:], local[:])
	binary.NativeEndian.PutUint32(k[keyGroup:], number)
	binary.BigEndian.PutUint16(k[keyPort:], port)
	return k
}

// Where a cell's key has what.
const (
	keyClient = 0
	keyLocal  = 16
	keyGroup  = 32
	keyPort   = 36
)
