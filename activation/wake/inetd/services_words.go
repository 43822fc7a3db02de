package inetd

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/activation"
)

// network is the protocol of a line, one of those that have addresses here, or "" after a problem.
func (r *serviceReader) network(kind, protocol string) string {
	protocol, options, _ := strings.Cut(protocol, ",")
	if options != "" {
		r.notice(options, "sizes of buffers have no effect here: the kernel finds good ones by itself")
	}
	switch {
	case strings.HasPrefix(protocol, "rpc/"):
		r.problem(protocol, "services of RPC are not started from here: let rpcbind and the program's own unit do it")
		return ""
	case !slices.Contains([]string{"stream", "dgram"}, kind):
		r.problem(kind, "sockets of this type are not served: write stream or dgram")
		return ""
	}
	known := map[string][]string{"stream": {"tcp", "tcp4", "tcp6", "tcp46", "unix"}, "dgram": {"udp", "udp4", "udp6", "udp46", "unix"}}[kind]
	if protocol == "tcp6only" || protocol == "udp6only" { // GNU
		protocol = strings.TrimSuffix(protocol, "only")
	}
	if !slices.Contains(known, protocol) {
		r.problem(protocol, "no protocol of %s sockets: write one of %s", kind, strings.Join(known, ", "))
		return ""
	}
	if kind == "dgram" && protocol == "unix" {
		r.problem(protocol, "datagrams of unix sockets are not served: use a stream socket, or let the program bind its socket itself")
		return ""
	}
	return protocol
}

// waiting reads wait or nowait and the limits behind it.
func (r *serviceReader) waiting(word, kind string, s *Service) bool {
	end := strings.IndexAny(word, ".:/")
	if end < 0 {
		end = len(word)
	}
	mode, limits := word[:end], word[end:]
	switch {
	case mode != "wait" && mode != "nowait":
		r.problem(word, "neither wait nor nowait")
		return false
	case mode == "nowait" && kind == "dgram":
		r.problem(word, "datagrams belong to no connection: write wait, and the program gets the socket itself")
		return false
	}
	numbers := []*int{&s.Rate.Number} // OpenBSD, NetBSD, GNU
	if strings.HasPrefix(limits, "/") {
		numbers = []*int{&s.Most, &s.ClientRate.Number, &s.PerClient}
	}
	for i, text := range strings.FieldsFunc(limits, func(c rune) bool { return c == rune(limits[0]) }) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || i >= len(numbers) {
			r.problem(word, "write the limits as %s.STARTS within a minute, or as FreeBSD does, %[1]s/PROCESSES/CONNECTIONS of a client within a minute/PROCESSES of a client", mode)
			return false
		}
		*numbers[i] = int(n)
	}
	if s.Rate.Number > 0 {
		s.Rate.Within = time.Minute
	}
	if s.ClientRate.Number > 0 {
		s.ClientRate.Within = time.Minute
	}
	if mode == "wait" && (s.ClientRate.Number > 0 || s.PerClient > 0) {
		r.problem(word, "in wait mode the program accepts the clients itself: a limit for each of them cannot be held")
	}
	return mode == "wait"
}

// owner reads USER, USER:GROUP, USER.GROUP and FreeBSD's USER/CLASS.
func (r *serviceReader) owner(word string, s *Service) {
	name, class, _ := strings.Cut(word, "/")
	if class != "" {
		r.notice(class, "login classes have no effect here: set limits with an option")
	}
	name, group, given := strings.Cut(name, ":")
	u, err := user.Lookup(name)
	if err != nil && !given {
		if at := strings.LastIndexByte(name, '.'); at > 0 {
			name, group, given = name[:at], name[at+1:], true
			u, err = user.Lookup(name)
		}
	}
	if err != nil {
		r.problem(word, "there is no user %s: create it, or name another", shown(name))
		return
	}
	s.User, s.Group = number(u.Uid), number(u.Gid)
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			s.Groups = append(s.Groups, *number(id))
		}
	}
	if !given {
		return
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		r.problem(word, "there is no group %s: create it, or name another", shown(group))
		return
	}
	s.Group = number(g.Gid)
}

// number reads the number of a user or group.
func number(text string) *uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	id := uint32(n)
	return &id
}

// program reads the program, the name that it gets, and its arguments.
func (r *serviceReader) program(words []string, s *Service) {
	switch path := words[0]; {
	case path == "internal":
		r.problem(path, "no services are built in: name a program, or leave the line out")
		return
	case !filepath.IsAbs(path):
		r.problem(path, "the path of a program begins with a /")
		return
	}
	s.Path, s.Command = words[0], words[1:]
	if len(s.Command) == 0 {
		s.Command = []string{filepath.Base(s.Path)}
	}
}

// addresses are where the clients of a line arrive.
func (r *serviceReader) addresses(word, network, owner string) []activation.Address {
	if network == "unix" {
		return r.unixAddress(word)
	}
	host, service := r.host, word
	if at := strings.LastIndexByte(word, ':'); at >= 0 {
		host, service = word[:at], word[at+1:]
	}
	list, err := hosts(host)
	if err != nil {
		r.problem(word, "%v", err)
		return nil
	}
	source, version := network[:3], network[3:]
	if strings.Contains(service, "/") && source == "tcp" {
		r.problem(word, "the services of tcpmux are not built in: give it a port of its own")
		return nil
	}
	port, err := net.LookupPort(source, service)
	if err != nil || port == 0 {
		r.problem(word, "there is no service %s of %s in services(5): add it there, or write its port", shown(service), source)
		return nil
	}
	var all []activation.Address
	for _, h := range list {
		text, err := hostOf(h, version)
		if err != nil {
			r.problem(word, "%v", err)
			return nil
		}
		address := source + ":" + net.JoinHostPort(text, strconv.Itoa(port))
		if version == "6" {
			address += "?ipv6-only=yes"
		}
		a, err := activation.ParseAddress(address)
		if err != nil {
			r.problem(word, "%v", err)
			return nil
		}
		all = append(all, a)
	}
	return all
}

// unixAddress reads the path of a unix socket, or FreeBSD's :USER:GROUP:MODE:PATH.
func (r *serviceReader) unixAddress(word string) []activation.Address {
	path, options := word, url.Values{}
	if parts := strings.SplitN(word, ":", 5); len(parts) == 5 && parts[0] == "" {
		options.Set("owner", parts[1])
		options.Set("group", parts[2])
		options.Set("mode", parts[3])
		path = parts[4]
	}
	if !filepath.IsAbs(path) {
		r.problem(word, "the path of a unix socket begins with a /")
		return nil
	}
	text := "unix:" + (&url.URL{Path: path}).EscapedPath()
	if len(options) > 0 {
		text += "?" + options.Encode()
	}
	a, err := activation.ParseAddress(text)
	if err != nil {
		r.problem(word, "%v", err)
		return nil
	}
	return []activation.Address{a}
}

// hosts splits the hosts in front of a service. One of IPv6 stands in brackets where others follow, as it has colons itself.
func hosts(text string) ([]string, error) {
	var list []string
	for host := range strings.SplitSeq(text, ",") {
		if inner, ok := strings.CutPrefix(host, "["); ok {
			if host, ok = strings.CutSuffix(inner, "]"); !ok {
				return nil, fmt.Errorf("the bracket of host %s is not closed", shown(text))
			}
			if _, err := netip.ParseAddr(host); err != nil {
				return nil, fmt.Errorf("%s is no address of IPv6", shown(host))
			}
		}
		if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":[]?%#/ ") {
			return nil, fmt.Errorf("%s is no host", shown(host))
		}
		list = append(list, host)
	}
	return list, nil
}

// hostOf is the host of an address: all addresses of the protocol where none is named.
func hostOf(host, version string) (string, error) {
	if host == "" || host == "*" {
		return map[string]string{"": "0.0.0.0", "4": "0.0.0.0", "6": "::", "46": ""}[version], nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil: // a name
	case ip.Is4() && version == "6":
		return "", fmt.Errorf("%s is an address of IPv4, and the protocol one of IPv6", host)
	case ip.Is6() && (version == "" || version == "4"):
		return "", fmt.Errorf("%s is an address of IPv6, and the protocol one of IPv4: write tcp6 or udp6", host)
	}
	return host, nil
}
