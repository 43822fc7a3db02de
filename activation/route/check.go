package route

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/activation/route/spelling"
)

// Check tells what is wrong with a Config, one line for each problem, or nil.
func Check(c Config) error {
	var p problems
	c.check(&p)
	return p.err()
}

// check adds to p what does not fit together, whichever format it was read from.
func (c Config) check(p *problems) {
	listeners, backends, desks := map[string]Position{}, map[string]Position{}, map[string]Position{}
	for _, l := range c.Listeners {
		once(p, listeners, "listener", l.Name, l.At)
	}
	for _, d := range c.Desks {
		once(p, desks, "socket", d.Path, d.At)
		if err := checkPath(d.Path, d.Path); err != nil {
			p.add(d.At, "socket", "%s", err)
		}
	}
	for _, b := range c.Backends {
		once(p, backends, "backend", b.Name, b.At)
		if err := b.check(); err != nil {
			p.add(b.At, b.Name, "%s", err)
		}
		exists(p, b.At, b.Name, "socket", b.Desk, desks)
	}
	c.checkSlots(p)
	names, sets := map[string]Position{}, map[sameList]error{}
	for _, r := range c.Routes {
		if r.Name != "" {
			once(p, names, "route", r.Name, r.At)
		}
		for _, l := range r.Listeners {
			exists(p, r.At, r.Name, "listener", l, listeners)
		}
		exists(p, r.At, r.Name, "backend", r.Backend, backends)
		if err := r.check(sets); err != nil {
			p.add(r.At, r.Name, "%s", err)
		}
	}
}

// once notes a name that is there already.
func once(p *problems, known map[string]Position, what, name string, at Position) {
	if first, ok := known[name]; ok {
		p.add(at, name, "there is a %s of this name already, at %s; choose another name", what, first)
		return
	}
	if name == "" {
		p.add(at, what, "it has no name; give it one")
	}
	known[name] = at
}

// exists notes a name that nothing has. An empty one is none.
func exists(p *problems, at Position, token, what, name string, known map[string]Position) {
	if _, ok := known[name]; ok || name == "" {
		return
	}
	p.add(at, token, "there is no %s %q%s; add it, or name another", what, name, spelling.Suggestion(name, slices.Sorted(maps.Keys(known))))
}

// checkSlots notes numbers that two backends have at one desk.
func (c Config) checkSlots(p *problems) {
	bySlot := map[uint32][]Backend{}
	for _, b := range c.Backends {
		if b.Slot == nil {
			continue
		}
		for _, other := range bySlot[*b.Slot] {
			if other.Desk == b.Desk || other.Desk == "" || b.Desk == "" {
				p.add(b.At, b.Name, "slot %d is that of %s already, at %s; choose another number", *b.Slot, other.Name, other.At)
				break
			}
		}
		bySlot[*b.Slot] = append(bySlot[*b.Slot], b)
	}
}

func (b Backend) check() error {
	if b.Patience < 0 {
		return fmt.Errorf("a client cannot wait %s; write 30s or another time", b.Patience)
	}
	if b.Network != nil {
		for _, r := range slices.Concat(b.Network.Listen, b.Network.Connect) {
			if err := errors.Join(r.Prefix.check(), r.Ports.check()); err != nil {
				return err
			}
		}
	}
	switch b.Way {
	case Registers:
		if !slices.Contains([]Takes{Either, Listeners, Connections}, b.Takes) {
			return fmt.Errorf("takes %q is none of %s, %s and %s; write one of them", b.Takes, Either, Listeners, Connections)
		}
	case Datagrams:
		return b.checkTemplate()
	case Relayed:
		return b.checkConnect()
	default:
		return fmt.Errorf("%q is no way to get connections; it is %s, %s or %s", b.Way, Registers, Datagrams, Relayed)
	}
	return nil
}

func (b Backend) checkConnect() error {
	if len(b.Connect) == 0 {
		return errors.New("there is no address to connect to; write connect = \"HOST:PORT\"")
	}
	if !slices.Contains([]relay.Header{relay.None, relay.V1, relay.V2}, b.Header) {
		return fmt.Errorf("%q is no version of the PROXY protocol; write v1 or v2", b.Header)
	}
	for _, target := range b.Connect {
		if err := checkTarget(target); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget refuses what cannot be connected to.
func checkTarget(text string) error {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return checkPath(path, path)
	}
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" {
		return fmt.Errorf("%q is no address to connect to; write HOST:PORT, [IPV6]:PORT, or unix:PATH (port 0 is the client's)", text)
	}
	return nil
}

// checkTemplate refuses a path with braces that mean nothing.
func (b Backend) checkTemplate() error {
	if b.Path == "" {
		return nil
	}
	longest, rest := b.Path, b.Path
	for {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		word, behind, _ := strings.Cut(after, "}")
		group, isGroup := strings.CutPrefix(word, "local.")
		if n, err := strconv.ParseUint(group, 10, 4); word != "port" && (!isGroup || err != nil || n > 7) {
			return fmt.Errorf("{%s} in the path %q means nothing; there are {local.0} to {local.7}, and {port}", word, b.Path)
		}
		longest = strings.Replace(longest, "{"+word+"}", "00000", 1)
		rest = behind
	}
	return checkPath(b.Path, longest)
}

// checkPath refuses a path that is longer than a unix socket's may be (unix(7)). longest is what it may become.
func checkPath(path, longest string) error {
	var sa syscall.RawSockaddrUnix
	switch most := len(sa.Path) - 1; {
	case path == "":
		return errors.New("the path is empty; write one")
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("the path %q has a zero byte; take it out", path)
	case len(longest) > most:
		return fmt.Errorf("the path %q is longer than the %d bytes that a socket's may have; choose a shorter one", path, most)
	}
	return nil
}

// check looks at what the route asks for; sets has the lists that were looked at before.
func (r Route) check(sets map[sameList]error) error {
	if r.Reject == (r.Backend != "") {
		return errors.New("it has to lead to a backend or to reject, one of both; name one")
	}
	for _, list := range [][]Prefix{r.Local, r.Client} {
		if err := checkPrefixes(list, sets); err != nil {
			return err
		}
	}
	for _, p := range slices.Concat(r.Ports, r.ClientPorts) {
		if err := p.check(); err != nil {
			return err
		}
	}
	for _, name := range r.Names {
		if err := checkName(strings.ToLower(name)); err != nil {
			return err
		}
	}
	for _, protocol := range r.ALPN {
		if err := checkProtocol(protocol); err != nil {
			return err
		}
	}
	return nil
}

// checkPrefixes looks at each list once.
func checkPrefixes(list []Prefix, sets map[sameList]error) error {
	if len(list) == 0 {
		return nil
	}
	id := sameList{&list[0], len(list)}
	if err, ok := sets[id]; ok {
		return err
	}
	sets[id] = nil
	for _, p := range list {
		if err := p.check(); err != nil {
			sets[id] = err
			break
		}
	}
	return sets[id]
}

// check refuses what Matches could not compare.
func (p Prefix) check() error {
	a, mask := p.Address, half(p.Mask)
	v4 := p.Family == 4 && (!a.Is4In6() || mask[0] != math.MaxUint64 || mask[1]>>32 != math.MaxUint32)
	if !a.Is6() || a.Zone() != "" || v4 || masked(a.As16(), p.Mask) != a.As16() || p.Family != 0 && p.Family != 4 && p.Family != 6 {
		return fmt.Errorf("the prefix %s of family %d is none; its address has to be an IPv6 one without bits outside the mask", p.Address, p.Family)
	}
	return nil
}

func (p Ports) check() error {
	if p.First > p.Last {
		return fmt.Errorf("the range %d-%d goes backwards; write %d-%d", p.First, p.Last, p.Last, p.First)
	}
	return nil
}

// checkName refuses what no client can ask for (RFC 6066 §3, RFC 5890): "" stands for those that ask for nobody.
func checkName(name string) error {
	bare := strings.TrimPrefix(name, "*.")
	switch {
	case name == "":
		return nil
	case name == "*":
		return errors.New("a star alone is no name; leave sni out to match every client")
	case strings.Contains(bare, "*"):
		return fmt.Errorf("%q has its star in the wrong place; write *.example.org", name)
	case strings.HasSuffix(name, "."):
		return fmt.Errorf("clients leave out the dot at the end of %q; leave it out", name)
	case strings.ContainsFunc(bare, func(c rune) bool { return c > '~' }):
		return fmt.Errorf("clients ask for %q in ASCII; write the xn-- form of it", name)
	case len(bare) > 253 || strings.Contains("."+bare, "..") || strings.ContainsFunc(bare, func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", c)
	}):
		return fmt.Errorf("%q is no host name; write one such as example.org or *.example.org", name)
	}
	return nil
}

// checkProtocol refuses what cannot stand in a list of ALPN (RFC 7301 §3.1).
func checkProtocol(name string) error {
	if len(name) == 0 || len(name) > 255 {
		return fmt.Errorf("%q is no ALPN protocol; write one such as h2 or http/1.1", name)
	}
	return nil
}
