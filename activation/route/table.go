package route

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// Table is a Config's routes, arranged so that the time to find one hardly grows with their number (tuple space search:
// Srinivasan, Suri, Varghese, SIGCOMM 1999). Routes that compare the same bits form a group, in which one look into a hash
// table finds those that match. It does not change, and many may use it at once.
type Table struct {
	config Config
	rules  []rule
	groups []group
	found  []candidate
	words  map[string]word
}

// word stands for a listener's name, a client's, or the end of one. Zero is for what no rule asks for.
type word int32

// group is what is compared alike, and where in Table.found the first candidate of each value is.
type group struct {
	shape   shape
	least   int // the first of its rules; groups are sorted by it
	entries map[key]int
}

// shape says what a group compares.
type shape struct {
	stage            stage
	listener         bool
	local, client    network
	port, clientPort uint16 // masks
	labels           int    // how many of the name's, from its end; or noName or wholeName
}

// key is what a connection has where a shape looks.
type key struct {
	listener, name   word
	local, client    halves
	port, clientPort uint16
}

// cell is one combination of what a rule asks for.
type cell struct {
	shape
	key
	name string // what key.name stands for
}

// stage says when a group is searched.
type stage int

const (
	always stage = iota
	unseen       // while a connection's first bytes are not known: the rules that ask for them, as if they did not
	seen         // afterwards: the same, as they are
)

const (
	noName    = -1
	wholeName = 0
)

// candidate is a rule that may match. Those with the same key are in the order of the rules.
type candidate struct {
	rule int
	sure bool // the key has all that the rule asks for, except ALPN
	next int  // in Table.found, or end
}

const end = -1

// Compile checks a Config and arranges its routes. The first route that matches wins.
func Compile(c Config) (*Table, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	return compile(c), nil
}

// compile arranges the routes of a Config that was checked.
func compile(c Config) *Table {
	c.Routes = slices.Clone(c.Routes)
	t := &Table{config: c, words: map[string]word{}}
	lists := map[sameList]*addresses{}
	list := func(list []Prefix) *addresses {
		if len(list) == 0 {
			return &addresses{}
		}
		id := sameList{&list[0], len(list)}
		if a, ok := lists[id]; ok {
			a.shared = true
			return a
		}
		lists[id] = newAddresses(list)
		return lists[id]
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		t.rules = append(t.rules, rule{Route: r, listeners: r.Listeners, local: list(r.Local), client: list(r.Client),
			ports: newPorts(r.Ports), clientPorts: newPorts(r.ClientPorts), names: newNames(r.Names)})
	}
	t.arrange()
	return t
}

// arrange enters the rules, the last one first: so each is put in front of those that it comes before.
func (t *Table) arrange() {
	index := map[shape]int{}
	for n, r := range slices.Backward(t.rules) {
		for _, s := range r.stages() {
			cells, sure := t.cells(&r, s)
			for _, c := range cells {
				i, ok := index[c.shape]
				if !ok {
					i = len(t.groups)
					index[c.shape] = i
					t.groups = append(t.groups, group{shape: c.shape, entries: map[key]int{}})
				}
				t.enter(&t.groups[i], c.key, candidate{rule: n, sure: sure})
			}
		}
	}
	slices.SortFunc(t.groups, func(a, b group) int { return cmp.Compare(a.least, b.least) })
}

// enter puts a candidate in front of those with its key. A sure one that takes every protocol lets none get behind it.
func (t *Table) enter(g *group, k key, c candidate) {
	next, ok := g.entries[k]
	switch {
	case ok && t.found[next].rule == c.rule: // the same prefix twice
		return
	case !ok, c.sure && (g.shape.stage == unseen || len(t.rules[c.rule].ALPN) == 0):
		next = end
	}
	c.next = next
	g.least = c.rule
	g.entries[k] = len(t.found)
	t.found = append(t.found, c)
}

// stages are those at which a rule is searched.
func (r *rule) stages() []stage {
	if r.asks() {
		return []stage{unseen, seen}
	}
	return []stage{always}
}

// dimension is one list that a rule has.
type dimension struct {
	length int
	kinds  int                  // how many shapes it makes
	shared bool                 // with other rules
	put    func(c *cell, i int) // enters the i-th of it into a cell
}

// dimensions are the lists that matter at a stage.
func (t *Table) dimensions(r *rule, s stage) []dimension {
	ports, clientPorts := r.ports.masked(), r.clientPorts.masked()
	lists := []dimension{
		{len(r.listeners), 1, false, func(c *cell, i int) { c.shape.listener, c.key.listener = true, t.word(r.listeners[i]) }},
		{len(r.local.list), r.local.kinds, r.local.shared, func(c *cell, i int) { c.shape.local, c.key.local = r.local.list[i].split() }},
		{len(r.client.list), r.client.kinds, r.client.shared, func(c *cell, i int) { c.shape.client, c.key.client = r.client.list[i].split() }},
		{len(ports), masks(ports), false, func(c *cell, i int) { c.shape.port, c.key.port = ports[i].mask, ports[i].port }},
		{len(clientPorts), masks(clientPorts), false, func(c *cell, i int) { c.shape.clientPort, c.key.clientPort = clientPorts[i].mask, clientPorts[i].port }},
	}
	if s == seen {
		lists = append(lists, dimension{len(r.Names), lengths(r.Names), false, func(c *cell, i int) {
			c.labels, c.name = splitName(r.Names[i])
			c.key.name = t.word(c.name)
		}})
	}
	return slices.DeleteFunc(lists, func(d dimension) bool { return d.length == 0 })
}

// masks counts the different masks of ports.
func masks(list []maskedPort) int {
	different := map[uint16]bool{}
	for _, p := range list {
		different[p.mask] = true
	}
	return len(different)
}

// lengths counts the different numbers of labels that names are compared by.
func lengths(names []string) int {
	different := map[int]bool{}
	for _, name := range names {
		labels, _ := splitName(name)
		different[labels] = true
	}
	return len(different)
}

// word returns what stands for a text.
func (t *Table) word(text string) word {
	if _, ok := t.words[text]; !ok {
		t.words[text] = word(len(t.words) + 1)
	}
	return t.words[text]
}

// The most entries that the routes make together, the most that one of them always may, and the most groups that one may need.
// What would be more is compared afterwards instead of being entered.
const (
	mostEntries = 1 << 18
	leastRoom   = 256
	mostShapes  = 24
)

// cells are the combinations of all that a rule asks for at a stage. When there would be too many, the longest lists are left
// out, as long as one remains that only this rule has; sure tells that none was.
func (t *Table) cells(r *rule, s stage) (cells []cell, sure bool) {
	lists := t.dimensions(r, s)
	slices.SortStableFunc(lists, func(a, b dimension) int { return cmp.Compare(a.length, b.length) })
	room, shapes := max(leastRoom, mostEntries/len(t.rules)), 1
	cells = []cell{{shape: shape{stage: s, labels: noName}}}
	for i, l := range lists {
		shapes *= l.kinds
		if (i > 0 || l.shared) && (len(cells)*l.length > room || shapes > mostShapes) {
			return cells, false
		}
		next := make([]cell, 0, len(cells)*l.length)
		for _, c := range cells {
			for j := range l.length {
				l.put(&c, j)
				next = append(next, c)
			}
		}
		cells = next
	}
	return cells, true
}

// split is the prefix as what is compared and what with.
func (p Prefix) split() (network, halves) {
	return network{p.Family, half(p.Mask)}, half(p.Address.As16())
}

// splitName is the same of a route's name: *.example.org is .example.org at the end.
func splitName(name string) (labels int, ending string) {
	name = strings.ToLower(name)
	if ending, ok := strings.CutPrefix(name, "*"); ok {
		return strings.Count(ending, "."), ending
	}
	return wholeName, name
}

// Find decides where a connection goes.
func (t *Table) Find(x Tuple) Decision {
	x.Name = strings.ToLower(x.Name)
	n := t.search(x)
	switch {
	case n == len(t.rules):
		return Decision{}
	case t.rules[n].asks() && !x.told():
		return Decision{Look: true}
	}
	return Decision{Route: t.rules[n].Route}
}

// search returns the first rule that matches, or may when the connection's first bytes are known; or one beyond the last.
func (t *Table) search(x Tuple) int {
	best, other := len(t.rules), seen
	if x.told() {
		other = unseen
	}
	from := connection{x.Name, t.words[x.Listener], side(x.Local), side(x.Client)}
	for i := range t.groups {
		g := &t.groups[i]
		if g.least >= best {
			break
		}
		if g.shape.stage == other {
			continue
		}
		k, ok := t.key(&g.shape, &from)
		if !ok {
			continue
		}
		next, ok := g.entries[k]
		for ; ok && next != end && t.found[next].rule < best; next = t.found[next].next {
			c := t.found[next]
			if r := &t.rules[c.rule]; c.sure && (len(r.ALPN) == 0 || !x.told()) || r.fails(x) == none {
				best = c.rule
			}
		}
	}
	return best
}

// connection is a tuple as the groups compare it.
type connection struct {
	name          string
	listener      word
	local, client endpoint
}

type endpoint struct {
	family  int
	address halves
	port    uint16
}

// halves are the 16 bytes of an address or mask, quick to compare.
type halves [2]uint64

func half(b [16]byte) halves {
	return halves{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// under leaves what is under a mask.
func (h halves) under(mask halves) halves { return halves{h[0] & mask[0], h[1] & mask[1]} }

func side(a netip.AddrPort) endpoint {
	e := endpoint{family: familyOf(a.Addr()), port: a.Port()}
	if e.family != 0 {
		e.address = half(a.Addr().As16())
	}
	return e
}

// under is what a prefix of this kind would have to be to have the address; ok is false when none can have it.
func (e *endpoint) under(n *network) (address halves, ok bool) {
	if n.family != 0 && n.family != e.family {
		return address, false
	}
	return e.address.under(n.mask), e.family != 0 || *n == network{}
}

// key is what a connection has where a shape looks; ok is false when no rule of this shape can match.
func (t *Table) key(s *shape, x *connection) (k key, ok bool) {
	if k.local, ok = x.local.under(&s.local); !ok {
		return k, false
	}
	if k.client, ok = x.client.under(&s.client); !ok {
		return k, false
	}
	k.port, k.clientPort = x.local.port&s.port, x.client.port&s.clientPort
	if s.listener {
		k.listener = x.listener
	}
	switch s.labels {
	case noName:
	case wholeName:
		k.name, ok = t.words[x.name]
	default:
		k.name, ok = t.ending(x.name, s.labels)
	}
	return k, ok
}

// ending is the word for a name's last labels; ok is false when it has no more than these, or no rule asks for them.
func (t *Table) ending(name string, labels int) (w word, ok bool) {
	last, ok := lastLabels(name, labels)
	if !ok {
		return 0, false
	}
	w, ok = t.words[last]
	return w, ok
}

// lastLabels is the end of a name from the dot in front of its last n labels; ok is false when it has no such dot.
func lastLabels(name string, n int) (string, bool) {
	at := len(name)
	for ; n > 0 && at >= 0; n-- {
		at = strings.LastIndexByte(name[:at], '.')
	}
	if at < 0 {
		return "", false
	}
	return name[at:], true
}

// at is the table for clients who came to one address and port: rules that they cannot match are not in it, and what holds for
// all of them is no condition. Only Backends and Only may be asked of it.
func (t *Table) at(local netip.AddrPort) *Table {
	if !local.IsValid() {
		return t
	}
	placed := &Table{config: t.config}
	for _, r := range t.rules {
		one := !local.Addr().IsUnspecified()
		if !r.ports.have(local.Port()) || one && !r.local.have(local.Addr()) {
			continue
		}
		if r.ports = nil; one {
			r.local = &addresses{}
		}
		placed.rules = append(placed.rules, r)
	}
	return placed
}

// Backends names all that clients of a listener can reach, in the order of the routes.
func (t *Table) Backends(listener string) []string {
	var names []string
	for _, r := range t.rules {
		if !r.from(listener) {
			continue
		}
		if !r.Reject && !slices.Contains(names, r.Backend) {
			names = append(names, r.Backend)
		}
		if r.takesAll("tcp") {
			break
		}
	}
	return names
}

// Only tells whether everything that comes by a listener over tcp or udp goes to one backend, whatever its clients are and say.
func (t *Table) Only(listener, protocol string) (backend string, ok bool) {
	for _, r := range t.rules {
		switch {
		case r.never(listener, protocol):
			continue
		case r.Reject || backend != "" && r.Backend != backend:
			return "", false
		case r.takesAll(protocol):
			return r.Backend, true
		}
		backend = r.Backend
	}
	return "", false
}
