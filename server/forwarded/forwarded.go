// Package forwarded finds out who asked where proxies stand between the client and the server: from X-Forwarded-For, which
// nearly all of them write, and from Forwarded (RFC 7239).
package forwarded

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Trusted are the networks of the proxies that are believed about their clients. With none, nobody is.
type Trusted []netip.Prefix

// Trusts tells whether a peer is believed. A peer without an address, which is one on a unix socket, is a program of this
// machine: it is believed as soon as any proxy is.
func (t Trusted) Trusts(peer netip.Addr) bool {
	if !peer.IsValid() {
		return len(t) > 0
	}
	peer = plain(peer)
	return slices.ContainsFunc(t, func(network netip.Prefix) bool { return network.Contains(peer) })
}

// Client is who asked, for decisions: the peer, unless that is a trusted proxy. Then the addresses that the proxies wrote
// down are walked from the right, where the nearest one wrote, over those of trusted proxies; the first other one is the
// client. What cannot be read ends the walk at the proxy before it, since only that one vouches for it. X-Real-IP counts
// where there is neither X-Forwarded-For nor Forwarded.
//
// Where there are both, X-Forwarded-For counts: a proxy that writes Forwarded has to remove X-Forwarded-For, or its
// clients could write that. An invalid address is a peer on a unix socket that says nothing.
func (t Trusted) Client(peer netip.Addr, h http.Header) netip.Addr {
	if !t.Trusts(peer) {
		return peer
	}
	if told := walk(h, t.Trusts); told.IsValid() {
		return told
	}
	if told := RealIP(h); told.IsValid() {
		return told
	}
	return peer
}

// Claimed is the client that X-Forwarded-For or Forwarded tells of, for the log alone: where proxies are trusted it is theirs
// to tell; with none, everybody is believed, and it is the first address of the list, as in static-web-server. It is invalid
// where nothing is told, or where the peer is not believed.
func (t Trusted) Claimed(peer netip.Addr, h http.Header) netip.Addr {
	if len(t) == 0 {
		return walk(h, func(netip.Addr) bool { return true })
	}
	if !t.Trusts(peer) {
		return netip.Addr{}
	}
	return walk(h, t.Trusts)
}

// RealIP is the address in X-Real-IP; invalid where there is none, or several.
func RealIP(h http.Header) netip.Addr {
	values := h.Values("X-Real-Ip")
	if len(values) != 1 {
		return netip.Addr{}
	}
	return node(values[0])
}

// walk goes over the addresses from the right and returns the first one that is not trusted, or the last one that could be
// read; invalid when there is none.
func walk(h http.Header, trusts func(netip.Addr) bool) (last netip.Addr) {
	values, read := h.Values("X-Forwarded-For"), node
	if len(values) == 0 {
		values, read = h.Values("Forwarded"), forNode
	}
	for _, rest := range slices.Backward(values) { // several lines are one list (RFC 9110 §5.3)
		for rest != "" {
			var element string
			rest, element = cutLast(rest)
			if element = strings.Trim(element, " \t"); element == "" {
				continue // lists may have empty elements (RFC 9110 §5.6.1)
			}
			address := read(element)
			if !address.IsValid() {
				return last
			}
			if last = address; !trusts(address) {
				return last
			}
		}
	}
	return last
}

// cutLast cuts the last element off a list. It reads from the right, so that a quotation mark which a client left open cannot
// swallow what a proxy wrote behind it.
func cutLast(list string) (rest, element string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && !escaped(list, i):
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return "", list
}

// escaped tells whether an odd number of backslashes stands before the i-th byte.
func escaped(text string, i int) bool {
	before := text[:i]
	return (len(before)-len(strings.TrimRight(before, `\`)))%2 == 1
}

// plain is the address as prefixes hold it: IPv4 in IPv6 as IPv4, and without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
