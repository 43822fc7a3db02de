package install

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// address is where a socket listens.
type address struct {
	text     string // as it was written
	datagram bool
	path     string // of a unix socket; else
	host     netip.Addr
	any      bool // both families, all addresses
	port     string
}

// addresses are how a record tells of a socket.
func (s Socket) addresses() (all []string) {
	for _, listen := range s.Listen {
		if s.Datagram {
			listen = "udp:" + listen
		}
		all = append(all, listen)
	}
	return all
}

// readAddress reads an address as [Socket] and [Record] spell them.
func readAddress(text string) (address, error) {
	a := address{text: text}
	rest, datagram := strings.CutPrefix(text, "udp:")
	a.datagram = datagram
	if strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "@") {
		a.path = rest
		return a, nil
	}
	if !strings.Contains(rest, ":") {
		a.any, a.port = true, rest
		return a, nil
	}
	host, port, err := net.SplitHostPort(rest)
	if err == nil {
		a.host, err = netip.ParseAddr(host)
		a.port = port
	}
	if err != nil {
		return a, Problem{Usage: true, Text: fmt.Sprintf("%s is no address to listen on: 8443, 127.0.0.1:8443, [::1]:8443 or /run/site.sock, for example", text)}
	}
	return a, nil
}

// overlaps tells whether two sockets cannot both be open.
func (a address) overlaps(b address) bool {
	switch {
	case a.path != "" || b.path != "":
		return a.path == b.path
	case a.port != b.port || a.datagram != b.datagram:
		return false
	case a.any || b.any || a.host == b.host:
		return true
	}
	sameFamily := a.host.Is4() == b.host.Is4()
	return sameFamily && (a.host.IsUnspecified() || b.host.IsUnspecified())
}

// overlapsAny tells whether the address is one of those, or cannot be open beside one.
func (a address) overlapsAny(texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		b, err := readAddress(text)
		return err == nil && a.overlaps(b)
	})
}
