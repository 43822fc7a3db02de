package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
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
	if s.given["unix-socket"] != "" {
		sockets, more, err = s.bindUnix(o)
	} else {
		sockets, more, err = s.bindHostPort(o)
	}
	return opened{sockets: sockets, notices: append(notices, more...)}, socketFailure(err)
}

func (s *settings) fd() *uint {
	if !s.ListenFd.Given || s.given["fd"] == "" {
		return nil
	}
	return &s.ListenFd.Value
}

// unused says that host, port and unix socket are not needed where sockets came from a source.
func (s *settings) unused(source string) (notices []string) {
	word, _, _ := strings.Cut(source, ":")
	because := "the sockets were passed by " + word
	if as := s.given["fd"]; as != "" {
		because = as + " says which socket to take"
	}
	for _, name := range []string{"host", "port", "unix-socket"} {
		if as := s.given[name]; as != "" {
			notices = append(notices, as+" is not used: "+because)
		}
	}
	return notices
}

// saysNothing tells whether no option that concerns sockets or TLS was given: then bare mode is meant.
func (s *settings) saysNothing() bool {
	return !slices.ContainsFunc([]string{"host", "port", "fd", "listen", "unix-socket", "unix-socket-mode", "unix-socket-force", "tls", "http2", "tls-cert", "tls-key",
		"https-redirect", "https-redirect-host", "https-redirect-from-port", "https-redirect-from-hosts"},
		func(name string) bool { return s.given[name] != "" })
}

// checkSocketOptions refuses options that say different things about where sockets come from, when they stand on one
// command line; otherwise flags go before variables and those before the file, then the more exact one wins, and that is
// said. What loses counts as not given.
func (s *settings) checkSocketOptions() (notices []string, err error) {
	if err := s.checkSocketFlags(); err != nil {
		return nil, err
	}
	rank := func(name string) int {
		switch place, _ := inFile(s.given[name]); {
		case s.given[name] == "":
			return 0
		case place != "":
			return 1
		case !isFlag(s.given[name]):
			return 2
		}
		return 3
	}
	winner := ""
	for _, name := range []string{"listen", "fd", "unix-socket"} {
		if rank(name) > rank(winner) {
			winner = name
		}
	}
	does := map[string]string{"listen": " says which sockets to take", "fd": " says which socket to take", "unix-socket": " says what to bind"}[winner]
	lose := func(name string) {
		if name != winner && rank(name) > 0 {
			notices = append(notices, s.given[name]+" is not used: "+s.given[winner]+does)
			delete(s.given, name)
		}
	}
	if winner != "" {
		lose("listen")
		lose("fd")
		lose("unix-socket")
	}
	if winner == "listen" || winner == "unix-socket" {
		lose("host")
		lose("port")
	}
	if winner != "unix-socket" {
		for _, name := range []string{"unix-socket-mode", "unix-socket-force"} {
			if as := s.given[name]; as != "" {
				notices = append(notices, as+" is not used: it is for --unix-socket")
				delete(s.given, name)
			}
		}
	}
	return notices, nil
}

// checkSocketFlags refuses a command line that says two things.
func (s *settings) checkSocketFlags() error {
	flag := func(name string) bool { return isFlag(s.given[name]) }
	const takes, binds = "says which sockets to use", "says what to bind"
	const redirects = "takes one socket, and a redirect needs two: without it all passed sockets are taken"
	for _, pair := range [][3]string{
		{"listen", "fd", takes}, {"listen", "unix-socket", takes}, {"listen", "host", takes}, {"listen", "port", takes},
		{"fd", "unix-socket", takes}, {"fd", "host", takes}, {"fd", "port", takes}, {"fd", "https-redirect", redirects},
		{"unix-socket", "host", binds}, {"unix-socket", "port", binds},
		{"unix-socket", "https-redirect", "binds one socket, and a redirect needs two: --listen takes several"},
	} {
		if a, b := pair[0], pair[1]; flag(a) && flag(b) {
			return usage("--%s and --%s exclude each other, leave one out: --%s %s", a, b, a, pair[2])
		}
	}
	for _, name := range []string{"unix-socket-mode", "unix-socket-force"} {
		if flag(name) && s.given["unix-socket"] == "" {
			return usage("--%s needs --unix-socket, the path to bind", name)
		}
	}
	return nil
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
		if err == nil && a.Source == "udp" {
			err = fmt.Errorf("address %q: %s; leave it out", text, noHTTP3)
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
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, activation.ErrNoDispatcher): // it may be there later
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

func (s *settings) redirectNeedsTLS() error {
	return s.conflict("%s needs TLS: add %s with --tls-cert and --tls-key", s.given["https-redirect"], "--tls")
}

// bindHostPort binds as static-web-server does, and a second socket to redirect from. Port 8080 stands in for 80 where
// that was not asked for and the user may not bind it.
func (s *settings) bindHostPort(o *activation.Opener) (sockets []activation.Socket, notices []string, err error) {
	role, host := "http", string(s.Host)
	if s.tlsOn() {
		role = "https"
	} else if s.HTTPSRedirect {
		return nil, nil, s.redirectNeedsTLS()
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

// unixAddress is the address of --unix-socket.
func (s *settings) unixAddress() (activation.Address, error) {
	text := "unix:" + strings.ReplaceAll(url.PathEscape(s.UnixSocket), "%2F", "/")
	if s.given["unix-socket-mode"] != "" {
		text += "?mode=" + s.UnixSocketMode.String()
	}
	address, err := activation.ParseAddress(text)
	if err != nil && isFlag(s.given["unix-socket"]) {
		return address, usage("%s: %w", s.given["unix-socket"], err)
	} else if err != nil {
		return address, config("%s: %w", s.given["unix-socket"], err)
	}
	return address, nil
}

// bindUnix binds the socket of --unix-socket. With force, a socket that is in the way goes, also one that somebody serves on;
// what is no socket stays, and then binding fails.
func (s *settings) bindUnix(o *activation.Opener) (sockets []activation.Socket, notices []string, err error) {
	address, err := s.unixAddress()
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Lstat(s.UnixSocket); err == nil && s.UnixSocketForce && !o.Store.Holds(address) && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(s.UnixSocket); err != nil {
			return nil, nil, config("%s: the socket that is in the way cannot be removed: %w", s.given["unix-socket"], err)
		}
	}
	if sockets, err = o.Open([]activation.Address{address}); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.given["unix-socket"], err)
	}
	if s.given["unix-socket-mode"] != "" {
		notices = append(notices, s.UnixSocket+" has the mode "+s.UnixSocketMode.String())
	}
	return sockets, notices, nil
}

// spareMemory is what is used beside the replies and compressed files that are kept, before the collector works harder, in bytes.
const spareMemory = 256 << 20

// setCollector lets garbage grow to four times of what is in use before it is collected, as long as that is little: handshakes
// cost a seventh less. Who sets GOGC or GOMEMLIMIT knows better.
func (s *settings) setCollector() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(spareMemory + int64(s.ReplyCache) + int64(s.CompressionCache))
}

// setThreads lets Go code run on a multiple of the threads that it would take.
func (s *settings) setThreads() {
	if n := s.ThreadsMultiplier.Value; n > 1 {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) * int(min(n, 1024)))
	}
}
