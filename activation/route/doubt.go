package route

import (
	"fmt"
	"slices"
)

// mostCompared bounds the work of looking for routes that are never reached.
const mostCompared = 1 << 22

// doubts tells what was understood, but may not be what was meant: routes that are never reached, backends without routes.
// The Config has been checked.
func (c Config) doubts() []string {
	var list []string
	note := func(at Position, token, format string, arguments ...any) {
		list = append(list, fmt.Sprintf("%s: %s: %s", at, token, fmt.Sprintf(format, arguments...)))
	}
	t := compile(c)
	compared := 0
	for n, r := range t.rules {
		if r.Fallback || compared > mostCompared {
			continue
		}
		if first := t.covering(n, &compared); first >= 0 {
			note(r.At, r.Name, "it is never reached: %s, at %s, takes all that it could match", t.rules[first].Name, t.rules[first].At)
		}
	}
	for _, b := range c.Backends {
		used := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Backend == b.Name })
		if !used && b.Network == nil {
			note(b.At, b.Name, "no route leads to this backend")
		}
	}
	return list
}

// covering returns the last of the earlier rules that take all that a rule could match, or -1 when one of its combinations
// is left to it.
func (t *Table) covering(n int, compared *int) int {
	r := &t.rules[n]
	stages := r.stages()
	cells, sure := t.cells(r, stages[len(stages)-1])
	last := -1
	if !sure {
		return last
	}
	for _, c := range cells {
		first := -1
		for i := 0; i < len(t.groups) && t.groups[i].least < n; i++ {
			*compared++
			if first = t.groups[i].covers(t, c, n); first >= 0 {
				break
			}
		}
		if first < 0 {
			return -1
		}
		last = max(last, first)
	}
	return last
}

// covers returns the first rule of the group in front of rule n that takes all of a cell of it, or -1.
func (g *group) covers(t *Table, c cell, n int) int {
	s, k := g.shape, c.key
	if s.stage == unseen || s.listener && !c.shape.listener || !s.local.holds(c.shape.local) || !s.client.holds(c.shape.client) ||
		s.port&^c.shape.port != 0 || s.clientPort&^c.shape.clientPort != 0 {
		return -1
	}
	k.local, k.client = k.local.under(s.local.mask), k.client.under(s.client.mask)
	k.port, k.clientPort = k.port&s.port, k.clientPort&s.clientPort
	if !s.listener {
		k.listener = 0
	}
	switch {
	case s.labels == noName:
		k.name = 0
	case c.labels == noName || s.labels == wholeName && c.labels != wholeName:
		return -1
	case s.labels > wholeName:
		var ok bool
		if k.name, ok = t.ending(c.name, s.labels); !ok {
			return -1
		}
	}
	next, ok := g.entries[k]
	for ; ok && next != end && t.found[next].rule < n; next = t.found[next].next {
		other := t.found[next]
		if other.sure && t.rules[n].within(t.rules[other.rule].ALPN) {
			return other.rule
		}
	}
	return -1
}

// holds tells whether a prefix of this kind can have all of one of another.
func (n network) holds(other network) bool {
	return (n.family == 0 || n.family == other.family) && other.mask.under(n.mask) == n.mask
}

// within tells whether a route takes no other protocols than these.
func (r *Route) within(protocols []string) bool {
	outside := func(p string) bool { return !slices.Contains(protocols, p) }
	return len(protocols) == 0 || len(r.ALPN) > 0 && !slices.ContainsFunc(r.ALPN, outside)
}
