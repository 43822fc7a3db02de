package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/activation"
)

// Explanation tells how a connection is decided.
type Explanation struct {
	Connection string  `json:"connection"`
	Notice     string  `json:"notice,omitempty"`  // what was supposed, as the description lacks it
	Tried      []Tried `json:"tried,omitempty"`   // the routes in front of the one that wins, at most 20
	More       int     `json:"more,omitempty"`    // how many more there were
	Look       bool    `json:"look,omitempty"`    // the first bytes decide: one of those tried may win
	Route      string  `json:"route,omitempty"`   // the one that wins; with Look, if none of those does
	At         string  `json:"at,omitempty"`      // FILE:LINE of it
	Backend    string  `json:"backend,omitempty"` // empty: it is rejected
	Way        string  `json:"way"`               // how the backend gets it, or what becomes of a client that is rejected
	Kernel     string  `json:"kernel"`            // what the kernel does with it, where its engine is used
}

// Tried is a route that does not match, or may not.
type Tried struct {
	Route string `json:"route"`
	At    string `json:"at"`
	Why   string `json:"why"`
	May   bool   `json:"may,omitempty"` // it may match: what the client says decides
}

// mostTried is how many routes an explanation shows.
const mostTried = 20

// Explain tells which route wins, and why those in front of it do not. The only listener need not be named.
func (t *Table) Explain(x Tuple) Explanation {
	x.Name = strings.ToLower(x.Name)
	e := Explanation{}
	if l := t.config.Listeners; x.Listener == "" && len(l) == 1 {
		x.Listener = l[0].Name
		e.Notice = fmt.Sprintf("it is supposed to come by the listener %s, the only one", x.Listener)
	}
	e.Connection = x.String()
	e.Way = "its client is reset, as no route matches"
	for i := range t.rules {
		r := &t.rules[i]
		why, may := r.why(r.fails(x), x), false
		if why == "" && r.asks() && !x.told() {
			may, e.Look = true, true
			why = r.wants()
		}
		if why == "" {
			e.Route, e.At, e.Backend, e.Way = r.Name, r.At.String(), r.Backend, t.way(r)
			break
		}
		if len(e.Tried) == mostTried {
			e.More++
			continue
		}
		e.Tried = append(e.Tried, Tried{r.Name, r.At.String(), why, may})
	}
	e.Kernel = t.inKernel(x)
	return e
}

// why says why a condition of the rule does not hold.
func (r *rule) why(c condition, x Tuple) string {
	switch c {
	case ofListener:
		return is("the listener", x.Listener, r.listeners)
	case ofLocal:
		return is("the local address", addressText(x.Local.Addr()), r.local.list)
	case ofClient:
		return is("the client's address", addressText(x.Client.Addr()), r.client.list)
	case ofPort:
		return is("the local port", number(x.Local.Port()), r.ports)
	case ofClientPort:
		return is("the client's port", number(x.Client.Port()), r.clientPorts)
	case ofName, ofALPN:
		switch {
		case !x.Seen:
			return "it asks for what a TLS client says, and over udp nothing is looked at"
		case c == ofALPN && len(x.ALPN) == 0:
			return "the client offers nothing by ALPN, and has to offer " + some(r.ALPN, "or")
		case c == ofName && x.Name == "":
			return "the client asks for no name, and has to ask for " + some(r.quoted(), "or")
		case c == ofALPN:
			return is("what the client offers by ALPN", strings.Join(x.ALPN, ", "), r.ALPN)
		}
		return is("the name that the client asks for", x.Name, r.quoted())
	}
	return ""
}

// is says that something is not one of a list.
func is[T any](what, value string, list []T) string {
	if value == "" {
		return fmt.Sprintf("%s is not known, and has to be %s", what, some(list, "or"))
	}
	return fmt.Sprintf("%s is %s, and has to be %s", what, value, some(list, "or"))
}

// some writes the first few of a list.
func some[T any](list []T, joint string) string {
	const most = 3
	var words []string
	for _, v := range list[:min(len(list), most)] {
		words = append(words, fmt.Sprint(v))
	}
	if more := len(list) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("one of %d more", more))
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + joint + " " + words[n-1]
	}
	return strings.Join(words, "")
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

func number(port uint16) string {
	if port == 0 {
		return ""
	}
	return fmt.Sprint(port)
}

// quoted is the rule's names, with a word for none.
func (r *rule) quoted() []string {
	var list []string
	for _, name := range r.Names {
		if name == "" {
			name = "none"
		}
		list = append(list, name)
	}
	return list
}

// wants says what a client has to say for the rule to match.
func (r *rule) wants() string {
	var words []string
	if len(r.Names) > 0 {
		words = append(words, "the client has to ask for "+some(r.quoted(), "or"))
	}
	if len(r.ALPN) > 0 {
		words = append(words, "it has to offer "+some(r.ALPN, "or"))
	}
	return strings.Join(words, ", and ")
}

// way says how the backend of a rule gets its connections.
func (t *Table) way(r *rule) string {
	if r.Reject {
		return "its client is reset"
	}
	b := t.backend(r.Backend)
	switch {
	case b.Way == Relayed && b.Header != "":
		return fmt.Sprintf("its bytes are copied to %s, behind a PROXY %s header", some(b.Connect, "or"), b.Header)
	case b.Way == Relayed:
		return "its bytes are copied to " + some(b.Connect, "or")
	case b.Way == Datagrams && b.Path == "":
		return fmt.Sprintf("it is passed over descriptor %d", b.Carrier)
	case b.Way == Datagrams:
		return "it is passed to the socket " + b.Path
	case b.Takes == Listeners:
		return "the backend registers, and gets a listener"
	case b.Takes == Connections:
		return "the backend registers, and gets connections"
	}
	return "the backend registers, and gets a listener, or else connections"
}

func (t *Table) backend(name string) Backend {
	for _, b := range t.config.Backends {
		if b.Name == name {
			return b
		}
	}
	return Backend{}
}

// inKernel says what the kernel does with a connection, where its engine is used: what is not decided by addresses and ports
// alone, or goes to a backend that takes no socket, is left to the dispatcher.
func (t *Table) inKernel(x Tuple) string {
	if t.headed(x.Listener) {
		return "it leaves it to rouse, as a PROXY header tells who the client is"
	}
	for _, c := range t.Cells(x.Listener, x.Protocol) {
		if !c.has(x) {
			continue
		}
		r := &t.rules[c.Index]
		b := t.backend(r.Backend)
		switch {
		case !c.Exact && r.asks():
			return fmt.Sprintf("it leaves it to rouse, as %s asks for what the client says", r.Name)
		case !c.Exact:
			return fmt.Sprintf("it leaves it to rouse, as %s has too many combinations", r.Name)
		case r.Reject:
			return "it refuses it"
		case b.Way == Relayed:
			return fmt.Sprintf("it leaves it to rouse, which relays it to %s", b.Name)
		case x.Protocol == "udp" && (b.Way != Registers || b.Takes == Connections):
			return fmt.Sprintf("it leaves it to rouse, as %s takes no udp socket", b.Name)
		}
		return fmt.Sprintf("it puts it into the queue of %s", b.Name)
	}
	return "it refuses it"
}

// headed tells whether connections begin with a PROXY header on a listener.
func (t *Table) headed(listener string) bool {
	return slices.ContainsFunc(t.config.Listeners, func(l Listener) bool {
		return l.Name == listener && slices.ContainsFunc(l.Addresses, func(text string) bool {
			a, err := activation.ParseAddress(text)
			return err == nil && a.Options.Has("proxy")
		})
	})
}

// has tells whether a connection has the addresses and ports of a cell.
func (c *Cell) has(x Tuple) bool {
	return c.Local.Matches(x.Local.Addr()) && c.Client.Matches(x.Client.Addr()) && c.Ports.Has(x.Local.Port()) && c.ClientPorts.Has(x.Client.Port())
}

// String is the explanation in lines.
func (e Explanation) String() string {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("connection  %s", e.Connection)
	if e.Notice != "" {
		line("notice      %s", e.Notice)
	}
	for _, t := range e.Tried {
		verdict := "not"
		if t.May {
			verdict = "perhaps"
		}
		line("%-11s %s (%s): %s", verdict, t.Route, t.At, t.Why)
	}
	if e.More > 0 {
		line("            … and %d more", e.More)
	}
	if e.Look {
		line("look        what the client says first decides: describe it with sni= and alpn=; if it is for none of the above:")
	}
	if e.Route != "" {
		line("route       %s (%s)", e.Route, e.At)
	}
	if e.Backend != "" {
		line("backend     %s: %s", e.Backend, e.Way)
	} else {
		line("rejected    %s", e.Way)
	}
	line("kernel      %s", e.Kernel)
	return b.String()
}
