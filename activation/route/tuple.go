package route

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/activation/route/spelling"
)

// ParseTuple reads a connection as a user describes it, in words of any order, none of which has to be there:
//
//	client=192.0.2.1:1234 local=[2001:db8::1]:443 sni=example.org alpn=h2,http/1.1 listener=web protocol=udp
//
// A port that is left out is 0; sni= alone is a client that names nobody. With sni or alpn the first bytes count as looked at.
func ParseTuple(text string) (Tuple, error) {
	x := Tuple{Protocol: "tcp"}
	given := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return Tuple{}, fmt.Errorf("%q has no =; write WORD=VALUE, such as client=192.0.2.1 or sni=example.org", word)
		}
		if given[name] {
			return Tuple{}, fmt.Errorf("%s stands there twice; leave one out", name)
		}
		given[name] = true
		if err := x.set(name, value); err != nil {
			return Tuple{}, err
		}
	}
	return x, nil
}

// set takes one word of a description.
func (x *Tuple) set(name, value string) (err error) {
	switch name {
	case "client":
		x.Client, err = parseEndpoint(value)
	case "local":
		x.Local, err = parseEndpoint(value)
	case "listener":
		x.Listener = value
	case "protocol":
		x.Protocol = value
		if value != "tcp" && value != "udp" {
			err = fmt.Errorf("%q is neither tcp nor udp", value)
		}
	case "sni":
		x.Name, x.Seen = strings.ToLower(value), true
	case "alpn":
		x.Seen = true
		if value != "" {
			x.ALPN = strings.Split(value, ",")
		}
	default:
		words := []string{"client", "local", "sni", "alpn", "listener", "protocol"}
		return fmt.Errorf("unknown word %q%s; there are %s", name, spelling.Suggestion(name, words), strings.Join(words, ", "))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parseEndpoint reads an address with or without a port.
func parseEndpoint(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a, nil
	}
	bare := text
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		bare = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address; write 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443", text)
	}
	return netip.AddrPortFrom(a, 0), nil
}

// String writes what ParseTuple reads.
func (x Tuple) String() string {
	var words []string
	say := func(name, value string) { words = append(words, name+"="+value) }
	for _, end := range []struct {
		name string
		at   netip.AddrPort
	}{{"client", x.Client}, {"local", x.Local}} {
		switch a := end.at.Addr(); {
		case !a.IsValid():
		case end.at.Port() == 0:
			say(end.name, a.String())
		case a.Is4():
			say(end.name, end.at.String())
		default:
			say(end.name, "["+a.String()+"]:"+strconv.Itoa(int(end.at.Port())))
		}
	}
	if x.Seen {
		say("sni", x.Name)
	}
	if len(x.ALPN) > 0 {
		say("alpn", strings.Join(x.ALPN, ","))
	}
	if x.Listener != "" {
		say("listener", x.Listener)
	}
	say("protocol", cmp.Or(x.Protocol, "tcp"))
	return strings.Join(words, " ")
}
