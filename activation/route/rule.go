package route

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// rule is a route, arranged for comparing. What matches everything is an empty list in it.
type rule struct {
	*Route
	listeners          []string
	local, client      *addresses
	ports, clientPorts ports
	names              names
}

// condition is one of those that a route has.
type condition string

const (
	none         condition = ""
	ofListener   condition = "listener"
	ofLocal      condition = "local"
	ofClient     condition = "client"
	ofPort       condition = "port"
	ofClientPort condition = "client-port"
	ofName       condition = "sni"
	ofALPN       condition = "alpn"
)

// fails returns the first condition that keeps the rule from matching, or none. Of a connection that says nothing of its own
// yet, name and ALPN are left out: asks tells whether they decide.
func (r *rule) fails(x Tuple) condition {
	switch {
	case !r.from(x.Listener):
		return ofListener
	case !r.local.have(x.Local.Addr()):
		return ofLocal
	case !r.client.have(x.Client.Addr()):
		return ofClient
	case !r.ports.have(x.Local.Port()):
		return ofPort
	case !r.clientPorts.have(x.Client.Port()):
		return ofClientPort
	case !x.told():
		return none
	case !r.names.have(x.Name):
		return ofName
	case !r.speaks(x.ALPN):
		return ofALPN
	}
	return none
}

// told is whether name and ALPN are known. Over UDP nothing is ever looked at.
func (x Tuple) told() bool { return x.Seen || x.Protocol == "udp" }

// asks tells whether the route has conditions on a connection's first bytes.
func (r *Route) asks() bool { return len(r.Names)+len(r.ALPN) > 0 }

// from tells whether the rule is for clients of a listener.
func (r *rule) from(listener string) bool {
	return len(r.listeners) == 0 || slices.Contains(r.listeners, listener)
}

// speaks tells whether one of the protocols that a client offers is one of the route's.
func (r *Route) speaks(offered []string) bool {
	return len(r.ALPN) == 0 || slices.ContainsFunc(offered, func(p string) bool { return slices.Contains(r.ALPN, p) })
}

// takesAll tells whether all that comes by its listeners over tcp or udp matches.
func (r *rule) takesAll(protocol string) bool {
	plain := !r.asks() || protocol == "udp" && r.names.have("") && r.speaks(nil)
	return plain && len(r.local.list) == 0 && len(r.client.list) == 0 && len(r.ports) == 0 && len(r.clientPorts) == 0
}

// never tells whether nothing that comes by a listener over tcp or udp can match.
func (r *rule) never(listener, protocol string) bool {
	return !r.from(listener) || protocol == "udp" && !(r.names.have("") && r.speaks(nil))
}

// addresses is a list of prefixes. In a long one they are found by their masks, so that its length makes no difference.
type addresses struct {
	list   []Prefix
	kinds  int        // how many different families and masks they have
	tables []prefixes // of a long list
	shared bool       // with other rules
}

// network is what prefixes of one kind share.
type network struct {
	family int
	mask   halves
}

// prefixes are those of one kind.
type prefixes struct {
	network
	addresses map[halves]struct{}
}

// sameList tells lists apart: a set is one list in all routes that name it.
type sameList struct {
	first  *Prefix
	length int
}

// longList is from where a list of prefixes is worth tables.
const longList = 8

func newAddresses(list []Prefix) *addresses {
	if slices.ContainsFunc(list, Prefix.all) {
		return &addresses{}
	}
	a := &addresses{list: list}
	index := map[network]int{}
	for _, p := range list {
		kind, address := p.split()
		i, ok := index[kind]
		if !ok {
			i = len(a.tables)
			index[kind] = i
			a.tables = append(a.tables, prefixes{kind, map[halves]struct{}{}})
		}
		a.tables[i].addresses[address] = struct{}{}
	}
	if a.kinds = len(a.tables); len(list) < longList {
		a.tables = nil
	}
	return a
}

// have tells whether an address is in one of the prefixes; in a list of none every address is.
func (a *addresses) have(x netip.Addr) bool {
	if a.tables == nil {
		return len(a.list) == 0 || slices.ContainsFunc(a.list, func(p Prefix) bool { return p.Matches(x) })
	}
	e := side(netip.AddrPortFrom(x, 0))
	return slices.ContainsFunc(a.tables, func(p prefixes) bool {
		address, ok := e.under(&p.network)
		if ok {
			_, ok = p.addresses[address]
		}
		return ok
	})
}

// ports is a list of ranges in order, none of which touches another.
type ports []Ports

func newPorts(list []Ports) ports {
	list = slices.SortedFunc(slices.Values(list), func(a, b Ports) int { return cmp.Compare(a.First, b.First) })
	var merged ports
	for _, p := range list {
		if n := len(merged); n > 0 && int(p.First) <= int(merged[n-1].Last)+1 {
			merged[n-1].Last = max(merged[n-1].Last, p.Last)
			continue
		}
		merged = append(merged, p)
	}
	if len(merged) == 1 && merged[0] == everyPort() {
		return nil
	}
	return merged
}

// have tells whether a port is in one of the ranges; in a list of none every port is.
func (p ports) have(port uint16) bool {
	_, ok := slices.BinarySearchFunc(p, port, func(r Ports, port uint16) int {
		switch {
		case r.Last < port:
			return -1
		case r.First > port:
			return 1
		}
		return 0
	})
	return ok || len(p) == 0
}

// names is a set of names and of the ends of names: .example.org has all below example.org, not itself.
type names map[string]struct{}

func newNames(list []string) names {
	if len(list) == 0 {
		return nil
	}
	n := names{}
	for _, name := range list {
		n[strings.TrimPrefix(strings.ToLower(name), "*")] = struct{}{}
	}
	return n
}

// have tells whether a client's name is among them; in a set of none every name is, and no name at all.
func (n names) have(name string) bool {
	if len(n) == 0 {
		return true
	}
	name = strings.ToLower(name)
	if _, ok := n[name]; ok {
		return true
	}
	for i := 1; i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		if _, ok := n[name[i:]]; ok {
			return true
		}
	}
	return false
}
