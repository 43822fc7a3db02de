package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/rouse-server/rouse/activation"
)

// opened is the sockets to serve on.
type opened struct {
	sockets []activation.Socket
	bare    bool // nothing was said about sockets, and none was inherited: development on localhost
	notices []string
}

// Ports of bare mode, and of static-web-server where 80 cannot be had.
const (
	bareHTTPS = "8443"
	bareHTTP  = "8080"
)

// open opens what --listen names; else what was inherited; else it binds.
func (s *settings) open(o *activation.Opener) (opened, error) {
	notices, err := s.checkSocketOptions()
	if err != nil {
		return opened{}, err
	}
	if s.given["listen"] != "" {
		sockets, err := s.openListed(o)
		if err != nil {
			return opened{notices: notices}, err
		}
		for _, d := range o.Left() {
			notices = append(notices, fmt.Sprintf("%s (descriptor %d) was passed, but no address takes it: its clients wait for nobody", d.Source, d.Number))
		}
		return opened{sockets: sockets, notices: notices}, nil
	}
	sockets, more, err := o.Discover(s.fd())
	notices = append(notices, more...)
	switch {
	case err != nil:
		return opened{notices: notices}, socketFailure(err)
	case len(sockets) > 0:
		return opened{sockets: sockets, notices: append(notices, s.unused(sockets[0].Source)...)}, nil
	case s.saysNothing():
		sockets, err = bindBare(o)
		return opened{sockets: sockets, bare: true, notices: notices}, socketFailure(err)
	}
	sockets, more, err = s.bindHostPort(o)
	return opened{sockets: sockets, notices: append(notices, more...)}, socketFailure(err)
}

func (s *settings) fd() *uint {
	if !s.ListenFd.Given {
		return nil
	}
	return &s.ListenFd.Value
}

// unused says that host and port are not needed where sockets came from a source.
func (s *settings) unused(source string) (notices []string) {
	word, _, _ := strings.Cut(source, ":")
	because := "the sockets were passed by " + word
	if as := s.given["fd"]; as != "" {
		because = as + " says which socket to take"
	}
	for _, name := range []string{"host", "port"} {
		if as := s.given[name]; as != "" {
			notices = append(notices, as+" is not used: "+because)
		}
	}
	return notices
}

// saysNothing tells whether no option that concerns sockets or TLS was given: then bare mode is meant.
func (s *settings) saysNothing() bool {
	return !slices.ContainsFunc([]string{"host", "port", "fd", "listen", "tls", "http2", "tls-cert", "tls-key",
		"https-redirect", "https-redirect-host", "https-redirect-from-port", "https-redirect-from-hosts"},
		func(name string) bool { return s.given[name] != "" })
}

// checkSocketOptions refuses options that say different things about where sockets come from, when they stand on one
// command line; where variables are involved the more exact one wins, and that is said.
func (s *settings) checkSocketOptions() (notices []string, err error) {
	flag := func(name string) bool { return strings.HasPrefix(s.given[name], "-") }
	const takes, redirects = "says which sockets to use", "takes one socket, and a redirect needs two: without it all passed sockets are taken"
	for _, pair := range [][3]string{{"listen", "fd", takes}, {"listen", "host", takes}, {"listen", "port", takes}, {"fd", "host", takes}, {"fd", "port", takes}, {"fd", "https-redirect", redirects}} {
		a, b := pair[0], pair[1]
		switch {
		case s.given[a] == "" || s.given[b] == "":
		case flag(a) && flag(b):
			return nil, usage("--%s and --%s exclude each other, leave one out: --%s %s", a, b, a, pair[2])
		case a == "listen" && b == "fd" && flag("fd"):
			delete(s.given, "listen")
			notices = append(notices, "SERVER_LISTEN is not used: --fd says which socket to take")
		case a == "listen":
			notices = append(notices, s.given[b]+" is not used: "+s.given[a]+" says which sockets to take")
		}
	}
	return notices, nil
}

// openListed opens the addresses of --listen or SERVER_LISTEN.
func (s *settings) openListed(o *activation.Opener) ([]activation.Socket, error) {
	addresses, err := s.listed()
	if err != nil {
		return nil, err
	}
	sockets, err := o.Open(addresses)
	return sockets, socketFailure(err)
}

// listed reads the addresses of --listen or SERVER_LISTEN.
func (s *settings) listed() ([]activation.Address, error) {
	wrong := config
	if strings.HasPrefix(s.given["listen"], "-") {
		wrong = usage
	}
	var addresses []activation.Address
	for _, text := range s.Listen {
		a, err := activation.ParseAddress(text)
		if err == nil && a.Role != "" {
			err = checkRole(text, a.Role)
		}
		if err != nil {
			return nil, wrong("%s: %w", s.given["listen"], err)
		}
		addresses = append(addresses, a)
	}
	if len(addresses) == 0 {
		return nil, wrong("%s names no address: write SOURCE:DETAIL, such as systemd:https, fd:3 or tcp:127.0.0.1:8080", s.given["listen"])
	}
	return addresses, nil
}

// socketFailure gives an error about a socket its exit code.
func socketFailure(err error) error {
	switch {
	case err == nil, errors.Is(err, activation.ErrGone):
		return err
	case errors.Is(err, syscall.EADDRINUSE):
		return failure{exitFailed, err}
	}
	if _, ok := errors.AsType[failure](err); ok {
		return err
	}
	return failure{exitConfig, err}
}

// bindBare binds localhost for development; a machine without IPv6 does without it.
func bindBare(o *activation.Opener) ([]activation.Socket, error) {
	var sockets []activation.Socket
	for _, one := range []struct{ role, host, port string }{
		{"https", "127.0.0.1", bareHTTPS}, {"https", "::1", bareHTTPS}, {"http", "127.0.0.1", bareHTTP}, {"http", "::1", bareHTTP},
	} {
		bound, err := bind(o, one.role, one.host, one.port)
		if one.host == "::1" && withoutIPv6(err) {
			continue
		}
		if err != nil {
			activation.Close(sockets)
			return nil, fmt.Errorf("%w (rouse serve --host 127.0.0.1 --port PORT)", err)
		}
		sockets = append(sockets, bound...)
	}
	return sockets, nil
}

func withoutIPv6(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func bind(o *activation.Opener, role, host, port string) ([]activation.Socket, error) {
	return o.Open([]activation.Address{{Role: role, Source: "tcp", Detail: net.JoinHostPort(host, port)}})
}

// bindHostPort binds as static-web-server does, and a second socket to redirect from. Port 8080 stands in for 80 where
// that was not asked for and the user may not bind it.
func (s *settings) bindHostPort(o *activation.Opener) (sockets []activation.Socket, notices []string, err error) {
	role, host := "http", string(s.Host)
	if s.tlsOn() {
		role = "https"
	} else if s.HTTPSRedirect {
		return nil, nil, config("%s needs TLS: add --tls with --tls-cert and --tls-key", s.given["https-redirect"])
	}
	port := s.Port.String()
	sockets, err = bind(o, role, host, port)
	if errors.Is(err, syscall.EAFNOSUPPORT) && s.given["host"] == "" {
		host = "0.0.0.0"
		sockets, err = bind(o, role, host, port)
	}
	if errors.Is(err, syscall.EACCES) && s.given["port"] == "" {
		notices = append(notices, fmt.Sprintf("this user may not bind port %s, so port %s is used: say --port to choose, or let systemd or launchd open the socket", port, bareHTTP))
		sockets, err = bind(o, role, host, bareHTTP)
	}
	if err != nil || !s.HTTPSRedirect {
		return sockets, notices, err
	}
	from, err := bind(o, "http", host, s.HTTPSRedirectFromPort.String())
	if err != nil {
		activation.Close(sockets)
		return nil, nil, fmt.Errorf("--https-redirect: %w; or choose another port with --https-redirect-from-port", err)
	}
	return append(sockets, from...), notices, nil
}
