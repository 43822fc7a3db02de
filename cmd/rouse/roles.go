package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/server"
)

// served is a socket and what it is for.
type served struct {
	activation.Socket
	role     string // https, http or admin
	redirect bool   // answer everything with a redirect to https
}

// noHTTP3 is said of every socket that could only be for HTTP/3.
const noHTTP3 = "Rouse does not speak HTTP/3 yet, so a UDP socket, or the role h3, cannot be served"

// roles are what a socket may be for. admin is health, readiness and metrics, in plain HTTP.
func roles() []string { return []string{"https", "http", "admin"} }

func checkRole(address, role string) error {
	switch role {
	case "https", "http", "admin":
		return nil
	case "h3":
		return fmt.Errorf("address %q: %s; leave it out", address, noHTTP3)
	}
	return fmt.Errorf("address %q: unknown role %q%s: roles are https, http and admin", address, role, spelling.Suggestion(role, roles()))
}

// roleOf decides what a socket is for: what its address says; what its name says; else TLS if TLS is configured.
func (s *settings) roleOf(socket activation.Socket) (string, error) {
	role := socket.Role
	if role == "" && slices.Contains(append(roles(), "h3"), socket.Name) {
		role = socket.Name
	}
	if role == "h3" || socket.Kind == activation.Packet {
		return "", config("%s: %s; leave it out", socket, noHTTP3)
	}
	if role == "" && s.tlsOn() {
		return "https", nil
	}
	return cmp.Or(role, "http"), nil
}

// assign gives every socket its role. Where an https socket stands beside them, http ones redirect to it, if that is wanted:
// of the shipped units each socket can be enabled alone.
func (s *settings) assign(sockets []activation.Socket) ([]served, error) {
	var all []served
	for _, socket := range sockets {
		role, err := s.roleOf(socket)
		if err != nil {
			return nil, err
		}
		all = append(all, served{Socket: socket, role: role})
	}
	if s.HTTPSRedirect && slices.ContainsFunc(all, func(one served) bool { return one.role == "https" }) {
		for i := range all {
			all[i].redirect = all[i].role == "http"
		}
	}
	return all, nil
}

// checkSite refuses sockets that are all for administration: the site would be served nowhere.
func checkSite(sockets []served) error {
	if len(sockets) > 0 && !slices.ContainsFunc(sockets, func(one served) bool { return one.role != "admin" }) {
		return config("%s is for administration (its role is admin), and there is no other socket to serve the site on: add one, such as --listen https=systemd:NAME or --listen tcp:127.0.0.1:8080", sockets[0].Socket)
	}
	return nil
}

// serverSockets is what the server is given.
func (s *site) serverSockets() []server.Socket {
	var redirect *server.Redirect
	for _, socket := range s.sockets {
		if socket.role == "https" && redirect == nil {
			redirect = &server.Redirect{Host: s.settings.HTTPSRedirectHost, Hosts: s.settings.HTTPSRedirectFromHosts, Port: socket.port()}
		}
	}
	var all []server.Socket
	for _, socket := range s.sockets {
		one := server.Socket{Listener: socket.Listener, Name: socket.Socket.String(), TLS: socket.role == "https", Admin: socket.role == "admin", Proxy: socket.Proxy, Bound: socket.Bound()}
		if socket.redirect {
			one.Redirect = redirect
		}
		all = append(all, one)
	}
	return all
}

// port is the socket's TCP port, 0 for a unix socket.
func (s served) port() int {
	if s.Info.Family == platform.Unix {
		return 0
	}
	_, text, _ := net.SplitHostPort(s.Info.Local)
	port, _ := strconv.Atoi(text)
	return port
}

// url is where a browser finds the socket; local writes localhost for loopback addresses.
func (s served) url(local bool) string {
	scheme := s.role
	if scheme == "admin" {
		scheme = "http"
	}
	if s.Kind == activation.Channel {
		return scheme + " on the connections that arrive"
	}
	if s.Info.Family == platform.Unix {
		return scheme + " on " + cmp.Or(s.Info.Local, "an unnamed unix socket")
	}
	host, port, _ := net.SplitHostPort(s.Info.Local)
	if ip, err := netip.ParseAddr(host); err == nil && (local && ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
