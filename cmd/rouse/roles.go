package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/certificate"
)

// served is a socket and what it is for.
type served struct {
	activation.Socket
	role     string // https or http
	redirect bool   // answer everything with a redirect to https
}

// noHTTP3 is said of every socket that could only be for HTTP/3.
const noHTTP3 = "Rouse does not speak HTTP/3 yet, so a UDP socket, or the role h3, cannot be served"

func checkRole(address, role string) error {
	switch role {
	case "https", "http":
		return nil
	case "h3":
		return fmt.Errorf("address %q: %s; leave it out", address, noHTTP3)
	}
	return fmt.Errorf("address %q: unknown role %q%s: roles are https and http", address, role, suggestion(role, []string{"https", "http"}))
}

// roleOf decides what a socket is for: what its address says; what its name says; else TLS if TLS is configured.
func (s *settings) roleOf(socket activation.Socket) (string, error) {
	role := socket.Role
	if role == "" && slices.Contains([]string{"https", "http", "h3"}, socket.Name) {
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
		one := server.Socket{Listener: socket.Listener, Name: socket.Socket.String(), TLS: socket.role == "https", Bound: socket.Bound()}
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
	if s.Info.Family == platform.Unix {
		return s.role + " on " + cmp.Or(s.Info.Local, "an unnamed unix socket")
	}
	host, port, _ := net.SplitHostPort(s.Info.Local)
	if ip, err := netip.ParseAddr(host); err == nil && (local && ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	if s.role == "https" && port == "443" || s.role == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return s.role + "://" + host
	}
	return s.role + "://" + net.JoinHostPort(host, port)
}

// tlsOn tells whether sockets without a role speak TLS: what was said, else whether there is a certificate.
func (s *settings) tlsOn() bool {
	switch {
	case s.given["tls"] != "":
		return s.TLS
	case s.given["http2"] != "" && !s.Http2 && s.given["http2-tls-cert"] != "":
		return false // static-web-server 2's way to turn TLS off
	}
	return s.Http2 || s.TLSCert != "" || s.TLSKey != "" || credentialFile("tls.crt") != ""
}

// credentialFile is the path of a credential that systemd loaded (LoadCredential= of systemd.exec(5)), if there is one. A
// blank one counts as none: the shipped unit sets it where the file is missing (SetCredential=).
func credentialFile(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if info, err := os.Stat(path); err != nil || info.Size() <= 1 {
		return ""
	}
	return path
}

// certificateFor finds the certificate that the https sockets need: files, systemd's credentials, or the development one.
func (s *settings) certificateFor(sockets []served) (credential, error) {
	if err := s.checkTLS(); err != nil {
		return credential{}, err
	}
	i := slices.IndexFunc(sockets, func(one served) bool { return one.role == "https" })
	switch {
	case i < 0:
		return credential{}, nil
	case s.TLSCert != "":
		return openCertificate("files", s.TLSCert, s.TLSKey)
	case credentialFile("tls.crt") != "":
		return openCertificate("credentials", credentialFile("tls.crt"), filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), "tls.key"))
	case slices.ContainsFunc(sockets, func(one served) bool { return one.role == "https" && !one.ownLoopback() }):
		return credential{}, config("%s is to speak https and has no certificate: give --tls-cert and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY), or tls.crt and tls.key by systemd's LoadCredential=; only sockets that Rouse binds on loopback get a development certificate", sockets[i].Socket)
	}
	return openDevelopment()
}

// checkTLS holds the TLS options against each other.
func (s *settings) checkTLS() error {
	for _, pair := range [][2]string{{"tls-cert", "tls-key"}, {"tls-key", "tls-cert"}} {
		if has, lacks := s.given[pair[0]], s.given[pair[1]]; has != "" && lacks == "" {
			return s.conflict("%s is given without %s: TLS needs both", has, partner(has))
		}
	}
	if s.Http2 && s.given["tls"] != "" && !s.TLS {
		return s.conflict("%s needs TLS, and %s turns it off: leave one out", s.given["http2"], s.given["tls"])
	}
	if s.Http2 && s.given["tls"] == "" && s.TLSCert == "" && credentialFile("tls.crt") == "" {
		return s.conflict("%s needs TLS, and there is no certificate: give %s and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY)", s.given["http2"], "--tls-cert")
	}
	return nil
}

// partner is the other option of a pair of certificate and key, in the same spelling.
func partner(of string) string {
	if prefix, ok := strings.CutSuffix(of, "cert"); ok {
		return prefix + "key"
	} else if prefix, ok := strings.CutSuffix(of, "key"); ok {
		return prefix + "cert"
	} else if prefix, ok := strings.CutSuffix(of, "CERT"); ok {
		return prefix + "KEY"
	}
	return strings.TrimSuffix(of, "KEY") + "CERT"
}

// ownLoopback tells whether Rouse bound the socket where only this machine reaches it.
func (s served) ownLoopback() bool {
	address, err := netip.ParseAddrPort(s.Info.Local)
	return s.Bound() && err == nil && address.Addr().IsLoopback()
}

func openCertificate(origin, cert, key string) (credential, error) {
	store, err := certificate.Open(cert, key)
	if err != nil {
		return credential{}, config("%w", err)
	}
	return credential{store: store, origin: origin, path: cert}, nil
}

func openDevelopment() (credential, error) {
	dir, missing := certificate.StateDir(os.Getenv)
	if missing != nil {
		dir = ""
	}
	development, err := certificate.OpenDevelopment(dir, time.Now())
	if err != nil {
		return credential{}, err
	}
	return credential{store: development.Store, origin: "development", path: development.Path, notKept: development.NotKept}, nil
}
