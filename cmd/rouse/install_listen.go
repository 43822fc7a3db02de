package main

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/packaging/install"
)

// listenAddress reads an address for the service manager to listen on. Beside those that activation.ParseAddress reads a port
// alone will do, an address with a port, and the path of a unix socket.
func listenAddress(text string) (activation.Address, error) {
	name, detail, named := strings.Cut(text, "=")
	if !named || strings.ContainsAny(name, "/:?") {
		name, detail = "", text
	}
	source, _, sourced := strings.Cut(detail, ":")
	_, notPort := strconv.ParseUint(detail, 10, 16)
	switch {
	case !sourced && notPort != nil && !strings.HasPrefix(detail, "/"), strings.Count(detail, ":") > 1 && !strings.Contains(detail, "[") && !slices.Contains(activation.Sources(), source):
		return activation.Address{}, usage("--listen %s: write a port (1 to 65535), ADDRESS:PORT, [IPV6]:PORT, or the /PATH of a unix socket", text)
	case strings.HasPrefix(detail, "/"):
		detail = "unix:" + detail
	case notPort == nil, !slices.Contains(activation.Sources(), source) && strings.Contains(detail, ":"):
		detail = "tcp:" + detail
	}
	if name != "" {
		detail = name + "=" + detail
	}
	a, err := activation.ParseAddress(detail)
	switch {
	case err != nil:
		return a, usage("--listen %s: %w", text, err)
	case a.Source == "dispatch":
		return a, nil
	case !slices.Contains([]string{"tcp", "udp", "unix"}, a.Source):
		return a, usage("--listen %s: the service manager opens the socket, so it is PORT, HOST:PORT, a path, udp:HOST:PORT, or dispatch:PATH#NAME where a dispatcher gives it", text)
	}
	for option := range a.Options {
		if a.Source != "unix" || option != "mode" {
			return a, usage("--listen %s: the option %s is none that rouse install writes: leave it out, and set it by systemctl edit where it is needed", text, option)
		}
	}
	return a, nil
}

// spoken is how the managers' files spell the address: one for each socket. both says that a port alone is one socket for IPv4
// and IPv6, otherwise it is one for each.
func spoken(a activation.Address, both bool) ([]string, error) {
	if a.Source == "unix" {
		path, err := filepath.Abs(a.Detail)
		return []string{path}, err
	}
	host, port, err := net.SplitHostPort(a.Detail)
	if err != nil {
		host, port = "", a.Detail
	}
	switch {
	case port == "0":
		return nil, usage("--listen %s: a socket that others are to find needs a port of its own", a)
	case (host == "" || host == "*") && both:
		return []string{port}, nil
	case host == "" || host == "*":
		return []string{"0.0.0.0:" + port, "[::]:" + port}, nil
	case host == "localhost":
		return []string{"127.0.0.1:" + port, "[::1]:" + port}, nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, usage("--listen %s: %s is a name, and service managers listen on addresses: write the address, such as 192.0.2.1:%s, or the port alone", a, host, port)
	}
	if ip.Zone() != "" {
		return nil, usage("--listen %s: service managers listen on addresses without a zone: leave %%%s out, and set BindToDevice=%s by systemctl edit where that is needed", a, ip.Zone(), ip.Zone())
	}
	return []string{net.JoinHostPort(host, port)}, nil
}

// listens reads --listen, or the default, and gathers what has the same name. name is for those that have none; it may look at
// the address. given are the addresses that no manager opens.
func (i *installing) listens(usual []string, both bool, name func(activation.Address) (string, error)) (sockets []install.Socket, given []string, err error) {
	texts := []string(i.Listen)
	if len(texts) == 0 {
		texts = usual
	}
	for _, text := range texts {
		a, err := listenAddress(text)
		if err != nil {
			return nil, nil, err
		}
		if a.Source == "dispatch" {
			given = append(given, text)
			continue
		}
		if a.Role == "" {
			if a.Role, err = name(a); err != nil {
				return nil, nil, err
			}
		}
		if !socketName(a.Role) {
			return nil, nil, usage("--listen %s: a socket's name has letters, digits and signs of ASCII, and at most 255 of them", text)
		}
		listen, err := spoken(a, both)
		if err != nil {
			return nil, nil, err
		}
		sockets, err = gather(sockets, install.Socket{Name: a.Role, Listen: listen, Datagram: a.Source == "udp", Mode: a.Options.Get("mode")})
		if err != nil {
			return nil, nil, err
		}
	}
	return sockets, given, nil
}

// socketName tells whether a socket can have that name: it is told in a list with colons (FileDescriptorName= of
// systemd.socket(5)).
func socketName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == ':' || r >= unicode.MaxASCII })
}

// gather adds a socket to those of its name, or behind them.
func gather(all []install.Socket, one install.Socket) ([]install.Socket, error) {
	for i := range all {
		if all[i].Name != one.Name {
			continue
		}
		if all[i].Datagram != one.Datagram || one.Mode != "" && all[i].Mode != "" && all[i].Mode != one.Mode {
			return nil, usage("--listen %s=%s: sockets of one name are alike, of TCP or of UDP, and with one mode: give it another name", one.Name, one.Listen[0])
		}
		for _, listen := range one.Listen {
			if slices.Contains(all[i].Listen, listen) {
				return nil, usage("--listen %s stands there twice", listen)
			}
		}
		all[i].Listen = append(all[i].Listen, one.Listen...)
		if all[i].Mode == "" {
			all[i].Mode = one.Mode
		}
		return all, nil
	}
	return append(all, one), nil
}

// address is where people find a socket: on this machine where that is the only one that reaches it.
func address(scheme string, s install.Socket, name string) string {
	for _, listen := range s.Listen {
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			host, port = "", listen
		}
		if strings.HasPrefix(listen, "/") {
			continue
		}
		ip, err := netip.ParseAddr(host)
		switch {
		case err != nil || ip.IsUnspecified():
			host = name
		case ip.IsLoopback():
			host = "localhost"
		}
		if usual := map[string]string{"https": "443", "http": "80"}[scheme]; port == usual {
			if strings.Contains(host, ":") {
				host = "[" + host + "]" // RFC 3986 §3.2.2
			}
			return fmt.Sprintf("%s://%s/", scheme, host)
		}
		return fmt.Sprintf("%s://%s/", scheme, net.JoinHostPort(host, port))
	}
	return ""
}
