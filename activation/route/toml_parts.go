package route

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route/spelling"
)

// option is one of those that are written into a listener's addresses.
type option struct {
	name, value string
	of          *node
	sources     []string // what it is for; empty: everything but udp
}

// listener reads [listeners.NAME]. Without an address its socket is passed, or named on the command line.
func (r *reader) listener(name string, n *node) {
	var addresses []*node
	var options []option
	inet, tcp := []string{"tcp", "udp"}, []string{"tcp"}
	text := func(sources []string) func(*node) {
		return func(n *node) {
			if value, ok := r.text(n); ok {
				options = append(options, option{n.key, value, n, sources})
			}
		}
	}
	flag := func(n *node) {
		if r.truth(n) {
			options = append(options, option{n.key, "yes", n, inet})
		}
	}
	r.fields("a listener", n, fields{
		"address":   func(n *node) { addresses = r.texts(n) },
		"interface": text(inet), "namespace": text(inet), "proxy": text(nil),
		"transparent": flag, "freebind": flag, "reuse-port": flag,
		"backlog": func(n *node) {
			options = append(options, option{n.key, strconv.FormatUint(r.number(n, 1, 1<<31-1), 10), n, tcp})
		},
	})
	l := Listener{Name: name, At: r.at(n)}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, r.address(a, options))
	}
	r.unused(addresses, options)
	r.c.Listeners = append(r.c.Listeners, l)
}

// address is an address with the options that are for it.
func (r *reader) address(n *node, options []option) string {
	text := n.text
	source, _, _ := strings.Cut(text, ":")
	for _, o := range options {
		if !o.serves(source) {
			continue
		}
		joint := "?"
		if strings.Contains(text, "?") {
			joint = "&"
		}
		text += joint + o.name + "=" + url.QueryEscape(o.value)
	}
	a, err := activation.ParseAddress(text)
	switch {
	case err != nil:
		r.wrong(n, "%s", err)
	case a.Role != "":
		r.wrong(n, "the listener has a name of its own; leave %s= out", a.Role)
	}
	return text
}

func (o option) serves(source string) bool {
	if o.sources == nil {
		return source != "udp"
	}
	return slices.Contains(o.sources, source)
}

// unused tells of options that none of the addresses takes. A listener without addresses gets its socket from elsewhere.
func (r *reader) unused(addresses []*node, options []option) {
	for _, o := range options {
		used := slices.ContainsFunc(addresses, func(n *node) bool {
			source, _, _ := strings.Cut(n.text, ":")
			return o.serves(source)
		})
		sources := strings.Join(o.sources, ": and ")
		if o.sources == nil {
			sources = "other than udp"
		}
		if !used {
			r.wrong(o.of, "it is for addresses %s:, of which the listener has none; leave it out, or set it where the socket is opened", sources)
		}
	}
}

// backend reads [backends.NAME].
func (r *reader) backend(name string, n *node) {
	b := Backend{Name: name, At: r.at(n), Way: Registers, Takes: Either, Patience: r.patience}
	if name == rejected {
		r.add(b.At, name, "a backend cannot be called so, as fallback = %q rejects; choose another name", name)
	}
	r.fields("a backend", n, fields{
		"user":           func(n *node) { b.Users = r.identities(n, r.user) },
		"group":          func(n *node) { b.Groups = r.identities(n, r.group) },
		"takes":          func(n *node) { b.Takes = Takes(r.choice(n, string(Either), string(Listeners), string(Connections))) },
		"wait":           func(n *node) { b.Patience = r.duration(n) },
		"slot":           func(n *node) { slot := uint32(r.number(n, 0, 1<<32-1)); b.Slot = &slot },
		"handoff":        func(n *node) { r.handoff(n, &b) },
		"connect":        func(n *node) { r.connect(n, &b) },
		"proxy-protocol": func(n *node) { b.Header = r.header(n) },
		"network":        func(n *node) { b.Network = r.network(n) },
	})
	for _, c := range []struct {
		unless Way
		keys   string
	}{{Registers, "user group takes slot network"}, {Relayed, "proxy-protocol"}} {
		for key := range strings.FieldsSeq(c.keys) {
			if wrong := n.get(key); wrong != nil && b.Way != c.unless {
				r.wrong(wrong, "it is for backends %s; leave it out", map[Way]string{
					Registers: "that register, and this one has " + string(b.Way), Relayed: "with connect",
				}[c.unless])
			}
		}
	}
	if n.get("handoff") != nil && n.get("connect") != nil {
		r.wrong(n.get("connect"), "the backend has handoff already; leave one of them out")
	}
	r.c.Backends = append(r.c.Backends, b)
}

// handoff reads a path, or fd:N.
func (r *reader) handoff(n *node, b *Backend) {
	b.Way = Datagrams
	text, ok := r.text(n)
	number, inherited := strings.CutPrefix(text, "fd:")
	if !ok || !inherited {
		b.Path = text
		return
	}
	fd, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		r.wrong(n, "%q is no descriptor; write fd:3, or a path", number)
	}
	b.Carrier = int(fd)
}

// connect reads the addresses of a backend that is relayed to.
func (r *reader) connect(n *node, b *Backend) {
	b.Way = Relayed
	for _, entry := range r.texts(n) {
		if err := checkTarget(entry.text); err != nil {
			r.wrong(entry, "%s", err)
			continue
		}
		b.Connect = append(b.Connect, entry.text)
	}
}

// network reads [backends.NAME.network].
func (r *reader) network(n *node) *Network {
	w := &Network{At: r.at(n)}
	r.fields("the network of a backend", n, fields{
		"listen":  func(n *node) { w.Listen = r.reaches(n) },
		"connect": func(n *node) { w.Connect = r.reaches(n) },
	})
	return w
}

// reaches reads a list of PREFIX:PORTS and @SET:PORTS.
func (r *reader) reaches(n *node) []Reach {
	var list []Reach
	for _, entry := range r.texts(n) {
		at := strings.LastIndexByte(entry.text, ':')
		host := entry.text[:max(at, 0)]
		if strings.Count(host, ":") > 1 && !strings.Contains(host, "/") && !strings.HasPrefix(host, "[") || at < 0 {
			r.wrong(entry, "a port has to follow the addresses; write 192.0.2.0/24:25, [2001:db8::1]:25, any:1024-65535 or @SET:25")
			continue
		}
		ports, err := parsePorts(entry.text[at+1:])
		if err != nil {
			r.wrong(entry, "%s", err)
			continue
		}
		for _, p := range r.places(entry, strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")) {
			list = append(list, Reach{p, ports})
		}
	}
	return list
}

// places is what stands in front of the port.
func (r *reader) places(n *node, text string) []Prefix {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		return r.named(n, name)
	}
	p, ok := r.prefix(n, text)
	if !ok {
		return nil
	}
	return []Prefix{p}
}

// rejected is what stands in place of a backend when there is to be none.
const rejected = "reject"

// routes reads [[routes]], and the fallback behind them.
func (r *reader) routes(n *node) {
	switch {
	case n == nil:
	case n.kind != unstable.Array:
		r.wrong(n, "it is %s; write [[routes]], in two brackets, in front of each", n.what())
	default:
		for i, entry := range n.list {
			r.route(i, entry)
		}
	}
	fallback := r.top.get("fallback")
	if fallback == nil {
		r.c.Routes = append(r.c.Routes, Route{Name: "fallback", At: Position{File: r.file}, Reject: true, Fallback: true})
		return
	}
	last := Route{Name: "fallback", At: r.at(fallback), Fallback: true}
	if text, ok := r.text(fallback); ok && text != rejected {
		last.Backend = r.known(fallback, "backend", r.top.get("backends"))
	}
	last.Reject = last.Backend == ""
	r.c.Routes = append(r.c.Routes, last)
}

// route reads one [[routes]].
func (r *reader) route(i int, n *node) {
	route := Route{Name: fmt.Sprintf("route-%d", i+1), At: r.at(n)}
	before := len(r.problems.list) + r.problems.more
	r.fields("a route", n, fields{
		"name": func(n *node) {
			if name, ok := r.text(n); ok {
				route.Name = name
			}
		},
		"listener": func(n *node) {
			for _, entry := range r.texts(n) {
				route.Listeners = append(route.Listeners, r.known(entry, "listener", r.top.get("listeners")))
			}
		},
		"local":       func(n *node) { route.Local = r.prefixes(n) },
		"client":      func(n *node) { route.Client = r.prefixes(n) },
		"port":        func(n *node) { route.Ports = r.ranges(n) },
		"client-port": func(n *node) { route.ClientPorts = r.ranges(n) },
		"sni":         func(n *node) { route.Names = r.serverNames(n) },
		"alpn":        func(n *node) { route.ALPN = r.protocols(n) },
		"to":          func(n *node) { route.Backend = r.known(n, "backend", r.top.get("backends")) },
		"reject":      func(n *node) { route.Reject = r.truth(n) },
	})
	to := n.get("to")
	switch {
	case to != nil && route.Reject:
		r.wrong(to, "the route rejects as well; leave to or reject out")
	case to == nil && !route.Reject && len(r.problems.list)+r.problems.more == before:
		r.add(route.At, route.Name, "it leads nowhere; write to = \"BACKEND\", or reject = true")
	}
	r.c.Routes = append(r.c.Routes, route)
}

// known returns a name that is one of those in a table.
func (r *reader) known(n *node, what string, in *node) string {
	text, ok := r.text(n)
	if !ok || in.get(text) != nil {
		return text
	}
	var words []string
	if in != nil {
		words = in.names
	}
	advice := fmt.Sprintf("write [%ss.%s], or one that there is", what, shown(text))
	if what == "backend" && text == rejected {
		advice = "write reject = true instead of to"
	}
	r.wrong(n, "there is no such %s%s; %s", what, spelling.Suggestion(text, words), advice)
	return ""
}

// serverNames reads a list of names that clients ask for.
func (r *reader) serverNames(n *node) []string {
	var list []string
	for _, entry := range r.texts(n) {
		name := strings.ToLower(entry.text)
		if err := checkName(name); err != nil {
			r.wrong(entry, "%s", err)
			continue
		}
		list = append(list, name)
	}
	return list
}

// protocols reads a list of ALPN protocols.
func (r *reader) protocols(n *node) []string {
	var list []string
	for _, entry := range r.texts(n) {
		if err := checkProtocol(entry.text); err != nil {
			r.wrong(entry, "%s", err)
			continue
		}
		list = append(list, entry.text)
	}
	return list
}
