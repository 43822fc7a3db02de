package wake

import "slices"

// progress follows which of the sockets that an instance is expected to take it has taken: listeners when listen(2) was
// seen, packet sockets when they were swapped in.
type progress struct {
	expected []*socket
	taken    []*socket
}

// newProgress expects all sockets, or, with rules, those that they name.
func newProgress(sockets []*socket, rules []rule) *progress {
	p := &progress{expected: sockets}
	if len(rules) > 0 {
		p.expected = nil
	}
	for _, r := range rules {
		for _, s := range r.sockets {
			if !slices.Contains(p.expected, s) {
				p.expected = append(p.expected, s)
			}
		}
	}
	return p
}

func (p *progress) take(s *socket) {
	if !p.has(s) {
		p.taken = append(p.taken, s)
	}
}

func (p *progress) has(s *socket) bool { return slices.Contains(p.taken, s) }

// complete tells whether every place was taken, of which one for each family counts once.
func (p *progress) complete() bool {
	return len(p.taken) > 0 && !slices.ContainsFunc(p.expected, func(s *socket) bool {
		return !slices.ContainsFunc(p.taken, s.samePlace)
	})
}

// left returns what was not taken, of every place.
func (p *progress) left() []*socket {
	return slices.DeleteFunc(slices.Clone(p.expected), p.has)
}
