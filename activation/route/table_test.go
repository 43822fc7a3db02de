package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// naive decides as the documentation says, one route after the other, one bit after the other.
func naive(c Config, x Tuple) Decision {
	seen := x.Seen || x.Protocol == "udp"
	for i := range c.Routes {
		r := &c.Routes[i]
		switch {
		case len(r.Listeners) > 0 && !slices.Contains(r.Listeners, x.Listener),
			!naiveAddress(r.Local, x.Local.Addr()), !naiveAddress(r.Client, x.Client.Addr()),
			!naivePort(r.Ports, x.Local.Port()), !naivePort(r.ClientPorts, x.Client.Port()):
			continue
		case len(r.Names)+len(r.ALPN) > 0 && !seen:
			return Decision{Look: true}
		case !naiveName(r.Names, x.Name), len(r.ALPN) > 0 && !slices.ContainsFunc(x.ALPN, func(p string) bool { return slices.Contains(r.ALPN, p) }):
			continue
		}
		return Decision{Route: r}
	}
	return Decision{}
}

func naiveAddress(list []Prefix, a netip.Addr) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(p Prefix) bool {
		if !a.IsValid() {
			return p.Family == 0 && p.Mask == [16]byte{}
		}
		four := a.Is4() || a.Is4In6()
		if p.Family == 4 && !four || p.Family == 6 && four {
			return false
		}
		mine, its := a.As16(), p.Address.As16()
		for bit := range 128 {
			mask := byte(1) << (7 - bit%8)
			if p.Mask[bit/8]&mask != 0 && mine[bit/8]&mask != its[bit/8]&mask {
				return false
			}
		}
		return true
	})
}

func naivePort(list []Ports, port uint16) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(p Ports) bool { return port >= p.First && port <= p.Last })
}

func naiveName(list []string, name string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(n string) bool {
		if ending, ok := strings.CutPrefix(n, "*"); ok {
			return len(name) > len(ending) && strings.HasSuffix(name, ending)
		}
		return n == name
	})
}

// dice makes Configs and tuples of few different things, so that they meet.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 1))} }

func (d dice) chance(n int) bool { return d.IntN(n) == 0 }

func (d dice) address() netip.Addr {
	switch d.IntN(10) {
	case 0:
		return netip.Addr{}
	case 1, 2, 3, 4:
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(d.IntN(4)), 7: byte(d.IntN(4)) << 6})
	case 5:
		return netip.AddrFrom16(netip.AddrFrom4([4]byte{192, 0, 2, byte(d.IntN(8))}).As16())
	}
	return netip.AddrFrom4([4]byte{192, 0, 2 + byte(d.IntN(2)), byte(d.IntN(8))})
}

func (d dice) prefix() Prefix {
	a := d.address()
	if !a.IsValid() {
		return everywhere()
	}
	p := Prefix{Family: familyOf(a), Mask: leading([]int{0, 16, 58, 120, 127, 128}[d.IntN(6)])}
	if p.Family == 4 {
		p.Mask = leading(96 + []int{0, 8, 23, 24, 30, 32}[d.IntN(6)])
	}
	if d.chance(6) {
		p.Mask[14], p.Mask[9] = byte(d.IntN(256)), byte(d.IntN(256))
		if p.Family == 4 {
			p.Mask[9] = 0xff
		}
	}
	if d.chance(6) {
		p.Family = 0
	}
	p.Address = netip.AddrFrom16(masked(a.As16(), p.Mask))
	return p
}

func (d dice) port() uint16 {
	return []uint16{0, 1, 79, 80, 81, 443, 8000, 32767, 32768, 65535}[d.IntN(10)]
}

func (d dice) ports() Ports {
	a, b := d.port(), d.port()
	if d.chance(2) {
		b = a
	}
	return Ports{min(a, b), max(a, b)}
}

func (d dice) name() string {
	return []string{"", "example.org", "a.example.org", "b.a.example.org", "example.net", "org", "x.org"}[d.IntN(7)]
}

func (d dice) pattern() string {
	if name := d.name(); name != "" && d.chance(2) {
		return "*." + name
	}
	return d.name()
}

func (d dice) protocol() string { return []string{"h2", "http/1.1", "imap"}[d.IntN(3)] }

func (d dice) listener() string { return []string{"web", "mail", "dns"}[d.IntN(3)] }

// few is a list of a few things, mostly of none.
func few[T any](d dice, one func() T) []T { return fewOf(d, 3, one) }

// fewOf is the same; of so many lists only one is not empty.
func fewOf[T any](d dice, lists int, one func() T) []T {
	var list []T
	if d.chance(lists) {
		for range 1 + d.IntN(3) {
			list = append(list, one())
		}
	}
	return list
}

func (d dice) config(routes int) Config {
	c := Config{Listeners: []Listener{{Name: "web"}, {Name: "mail"}, {Name: "dns"}}}
	for i := range 4 {
		c.Backends = append(c.Backends, Backend{Name: fmt.Sprintf("b%d", i), Way: Registers, Takes: Either})
	}
	lists := 2 + d.IntN(8)
	var set []Prefix // that several routes share
	for range 150 {
		set = append(set, d.prefix())
	}
	set = slices.DeleteFunc(set, Prefix.all)
	for i := range routes {
		r := Route{Name: fmt.Sprintf("r%d", i), Listeners: fewOf(d, lists, d.listener), Local: fewOf(d, lists, d.prefix), Client: fewOf(d, lists, d.prefix),
			Ports: fewOf(d, lists, d.ports), ClientPorts: fewOf(d, lists, d.ports), Names: fewOf(d, lists, d.pattern), ALPN: fewOf(d, lists, d.protocol), Reject: d.chance(5)}
		if d.chance(10) { // too many combinations to enter all
			for range 150 {
				r.Local, r.Client = append(r.Local, d.prefix()), append(r.Client, d.prefix())
			}
		}
		if d.chance(5) {
			r.Client = set
		}
		if d.chance(10) {
			r.Local = set[:d.IntN(3)]
		}
		if !r.Reject {
			r.Backend = c.Backends[d.IntN(4)].Name
		}
		c.Routes = append(c.Routes, r)
	}
	return c
}

func (d dice) tuple() Tuple {
	x := Tuple{Listener: d.listener(), Protocol: "tcp", Client: netip.AddrPortFrom(d.address(), d.port()), Local: netip.AddrPortFrom(d.address(), d.port())}
	if d.chance(5) {
		x.Protocol = "udp"
	} else if x.Seen = d.chance(2); x.Seen {
		x.Name, x.ALPN = d.name(), few(d, d.protocol)
	}
	return x
}

// The table decides as one comparison after the other does, and what it says of listeners and cells holds for all tuples.
func TestTableAgainstComparing(t *testing.T) {
	for seed := range uint64(100) {
		d := newDice(seed)
		c := d.config(1 + d.IntN(40))
		table, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		unreached := strings.Join(c.doubts(), "\n")
		for i := range 200 {
			x := d.tuple()
			got, want := table.Find(x), naive(table.config, x)
			if got != want {
				t.Fatalf("seed %d: %s: %+v instead of %+v\n%s", seed, x, got, want, table.Explain(x))
			}
			if got.Route != nil && x.told() && strings.Contains(unreached, got.Route.Name+": it is never reached") {
				t.Fatalf("seed %d: %s reaches %s:\n%s", seed, x, got.Route.Name, unreached)
			}
			if i%10 == 0 {
				checkListener(t, table, x, got)
				checkCells(t, table, x, got)
				checkExplanation(t, table, x, got)
			}
		}
	}
}

func checkListener(t *testing.T, table *Table, x Tuple, got Decision) {
	t.Helper()
	if got.Look {
		return
	}
	backend := ""
	if got.Route != nil {
		backend = got.Route.Backend
	}
	if only, ok := table.Only(x.Listener, x.Protocol); ok && only != backend {
		t.Fatalf("%s goes to %q, and not only to %q", x, backend, only)
	}
	if all := table.Backends(x.Listener); backend != "" && !slices.Contains(all, backend) {
		t.Fatalf("%s goes to %q, which is none of %v", x, backend, all)
	}
}

func checkCells(t *testing.T, table *Table, x Tuple, got Decision) {
	t.Helper()
	for _, c := range table.Cells(x.Listener, x.Protocol) {
		if !c.has(x) {
			continue
		}
		if c.Exact && got.Route != c.Route {
			t.Fatalf("%s is in a cell of %s, and goes to %+v", x, c.Route.Name, got)
		}
		return
	}
	if got.Route != nil || got.Look {
		t.Fatalf("%s is in no cell, and goes to %+v", x, got)
	}
}

func checkExplanation(t *testing.T, table *Table, x Tuple, got Decision) {
	t.Helper()
	e := table.Explain(x)
	if got.Look != e.Look {
		t.Fatalf("%s: %+v, explained as\n%s", x, got, e)
	}
	if got.Route != nil && got.Route.Name != e.Route {
		t.Fatalf("%s goes to %s, explained as\n%s", x, got.Route.Name, e)
	}
	if got.Route == nil && !got.Look && e.Route != "" {
		t.Fatalf("%s goes nowhere, explained as\n%s", x, e)
	}
}

// many is a Config with n prefixes, each in a route of its own or all in one.
func many(n int, together bool) Config {
	c := Config{Backends: []Backend{{Name: "a", Way: Registers, Takes: Either}, {Name: "b", Way: Registers, Takes: Either}}}
	var all []Prefix
	for i := range n {
		length := 112 + 4*(i%5) // five lengths, as real lists have few
		mask := leading(length)
		p := Prefix{Family: 6, Mask: mask, Address: netip.AddrFrom16(masked([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(i >> 8), 6: byte(i), 15: 1}, mask))}
		all = append(all, p)
		if !together {
			c.Routes = append(c.Routes, Route{Name: fmt.Sprint(i), Client: []Prefix{p}, Backend: "a"})
		}
	}
	if together {
		c.Routes = append(c.Routes, Route{Name: "all", Client: all, Local: all, Backend: "a"})
	}
	c.Routes = append(c.Routes, Route{Name: "rest", Backend: "b"})
	return c
}

// BenchmarkFind shows that the number of prefixes makes no difference: what counts is how many lengths they have.
func BenchmarkFind(b *testing.B) {
	for _, together := range []bool{false, true} {
		for _, n := range []int{10, 100, 10_000} {
			b.Run(fmt.Sprintf("%d prefixes, together %v", n, together), func(b *testing.B) {
				table, err := Compile(many(n, together))
				if err != nil {
					b.Fatal(err)
				}
				tuples := make([]Tuple, n)
				for i := range tuples {
					a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(i >> 8), 6: byte(i), 15: 1})
					tuples[i] = Tuple{Protocol: "tcp", Client: netip.AddrPortFrom(a, 1024), Local: netip.AddrPortFrom(a, 443)}
				}
				for i := 0; b.Loop(); i++ {
					if table.Find(tuples[i%n]).Route.Backend != "a" {
						b.Fatalf("%s is not found", tuples[i%n])
					}
				}
			})
		}
	}
}

// Thousands of prefixes make as many groups as they have lengths, and one entry each: so they are found as quickly as ten.
func TestManyPrefixes(t *testing.T) {
	for _, together := range []bool{false, true} {
		few, _ := Compile(many(10, together))
		table, err := Compile(many(10_000, together))
		if err != nil {
			t.Fatal(err)
		}
		if len(table.groups) != len(few.groups) {
			t.Errorf("together %v: %d groups, and of ten prefixes %d", together, len(table.groups), len(few.groups))
		}
		for _, c := range table.found {
			if c.next != end {
				t.Fatalf("together %v: routes have the same key", together)
			}
		}
	}
}

func TestOnlyAndBackends(t *testing.T) {
	c, err := rules(t, "rules.toml", `
fallback = "d"
[listeners.one]
[listeners.two]
[listeners.three]
[backends.a]
[backends.b]
[backends.c]
[backends.d]
[[routes]]
listener = "one"
to = "a"
[[routes]]
listener = ["two", "three"]
sni = "example.org"
to = "b"
[[routes]]
listener = "two"
client = ["any", "::1"]
to = "c"
`)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct{ listener, tcp, udp, all string }{
		{"one", "a", "a", "a"}, {"two", "", "c", "b c"}, {"three", "", "d", "b d"}, {"other", "d", "d", "d"},
	} {
		tcp, _ := table.Only(w.listener, "tcp")
		udp, _ := table.Only(w.listener, "udp")
		if all := strings.Join(table.Backends(w.listener), " "); tcp != w.tcp || udp != w.udp || all != w.all {
			t.Errorf("%s: only %q over tcp, only %q over udp, all %q", w.listener, tcp, udp, all)
		}
	}
}

// A range of ports is the fewest masked ports that have the same.
func TestMaskedPorts(t *testing.T) {
	for _, p := range []Ports{{0, 0}, {0, 65535}, {1, 65535}, {443, 443}, {8000, 8999}, {1, 65534}, {65535, 65535}} {
		list := p.masked()
		if len(list) > 30 {
			t.Errorf("%s: %d", p, len(list))
		}
		for port := range 1 << 16 {
			n := 0
			for _, m := range list {
				if uint16(port)&m.mask == m.port {
					n++
				}
			}
			if want := p.Has(uint16(port)); n > 1 || (n == 1) != want {
				t.Fatalf("%s: port %d is in %d", p, port, n)
			}
		}
	}
}
