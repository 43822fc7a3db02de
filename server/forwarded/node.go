package forwarded

import (
	"net/netip"
	"strings"
)

// forNode is the address behind for= in one element of Forwarded; invalid where there is none, or where it is hidden
// ("unknown", or a name that begins with an underscore: RFC 7239 §6).
func forNode(element string) (address netip.Addr) {
	for pair, rest, more := cutPair(element); ; pair, rest, more = cutPair(rest) {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if ok && strings.EqualFold(name, "for") {
			if address.IsValid() {
				return netip.Addr{} // no parameter may occur twice (RFC 7239 §4)
			}
			if address = node(unquoted(value)); !address.IsValid() {
				return address
			}
		}
		if !more {
			return address
		}
	}
}

// cutPair cuts an element at its first semicolon that does not stand in quotes.
func cutPair(element string) (pair, rest string, more bool) {
	quoted := false
	for i := range len(element) {
		switch {
		case element[i] == '"' && !escaped(element, i):
			quoted = !quoted
		case element[i] == ';' && !quoted:
			return element[:i], element[i+1:], true
		}
	}
	return element, "", false
}

// unquoted undoes a quoted-string (RFC 9110 §5.6.4); a token is itself. Half a quoted-string is nothing.
func unquoted(value string) string {
	if !strings.Contains(value, `"`) {
		return value
	}
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || escaped(value, len(value)-1) {
		return ""
	}
	value = value[1 : len(value)-1]
	if !strings.Contains(value, `\`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// node reads an address, with or without port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80. All of
// these occur in X-Forwarded-For. It is invalid for everything else.
func node(text string) netip.Addr {
	text = strings.Trim(text, " \t")
	if address, err := netip.ParseAddr(text); err == nil {
		return plain(address)
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, behind, ok := strings.Cut(inner, "]")
		address, err := netip.ParseAddr(inner)
		if !ok || err != nil || !address.Is6() || behind != "" && !isPort(behind) {
			return netip.Addr{}
		}
		return plain(address)
	}
	host, port, ok := strings.Cut(text, ":")
	address, err := netip.ParseAddr(host)
	if !ok || err != nil || !address.Is4() || !isPort(":"+port) {
		return netip.Addr{}
	}
	return address
}

// isPort tells whether text is a colon and a port: digits, or a hidden one, which begins with an underscore (RFC 7239 §6).
func isPort(text string) bool {
	port, ok := strings.CutPrefix(text, ":")
	if hidden, is := strings.CutPrefix(port, "_"); is {
		return ok && hidden != "" && strings.Trim(hidden, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	}
	return ok && port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}
