package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/certificate"
)

// credential is the certificate in use and where it came from.
type credential struct {
	store   *certificate.Store
	origin  string // development, credentials or files
	path    string
	notKept error
	byName  *certificate.ByName // where virtual hosts have certificates of their own
	hosts   []credential        // those
}

// all lists the credential and those of virtual hosts; nothing where nobody speaks https.
func (c credential) all() []credential {
	if c.store == nil {
		return nil
	}
	return append([]credential{c}, c.hosts...)
}

// get is the certificate for a handshake.
func (c credential) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.byName == nil {
		return c.store.Get(hello)
	}
	return c.byName.Get(hello)
}

// same tells whether both have the same certificates.
func (c credential) same(other credential) bool {
	return slices.EqualFunc(c.all(), other.all(), func(a, b credential) bool { return a.store.Leaf().Equal(b.store.Leaf()) })
}

// selfMade tells whether no authority signed the certificate: browsers would hold its users to what they cannot keep up.
func (c credential) selfMade() bool { return c.store != nil && certificate.SelfMade(c.store.Leaf()) }

func (c credential) describe() string {
	if c.store == nil {
		return ""
	}
	leaf := c.store.Leaf()
	kind := "certificate " + c.path
	if c.origin == "development" {
		kind = "development certificate"
	}
	return fmt.Sprintf("%s, SHA-256 %s, until %s", kind, certificate.Fingerprint(leaf), leaf.NotAfter.Format(time.DateOnly))
}

// tlsOn tells whether sockets without a role speak TLS: what was said, else whether there is a certificate.
func (s *settings) tlsOn() bool {
	switch {
	case s.given["tls"] != "":
		return s.TLS
	case s.given["http2"] != "" && !s.Http2 && s.given["http2-tls-cert"] != "":
		return false // static-web-server 2's way to turn TLS off
	}
	return s.Http2 || s.TLSCert != "" || s.TLSKey != "" || credentialFile("tls.crt") != "" || s.hostWithCertificate() >= 0
}

// hostWithCertificate is the index of the first virtual host that has a certificate of its own, or -1.
func (s *settings) hostWithCertificate() int {
	return slices.IndexFunc(s.Advanced.VirtualHosts, func(h server.VirtualHost) bool { return h.TLSCert != "" && h.TLSKey != "" })
}

// credentialPath is the path of a credential that systemd loaded (LoadCredential= of systemd.exec(5)), if there is one.
func credentialPath(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// credentialFile is credentialPath, but that a blank one counts as none: the shipped unit sets it where the file is missing
// (SetCredential=).
func credentialFile(name string) string {
	path := credentialPath(name)
	if info, err := os.Stat(path); path == "" || err != nil || info.Size() <= 1 {
		return ""
	}
	return path
}

// certificateFor finds the certificates that the https sockets need: the general one, and those of virtual hosts.
func (s *settings) certificateFor(sockets []served) (credential, error) {
	c, err := s.generalCertificate(sockets)
	if err != nil || c.store == nil || s.hostWithCertificate() < 0 {
		return c, err
	}
	c.byName = &certificate.ByName{General: c.store}
	for i, host := range s.Advanced.VirtualHosts {
		if host.TLSCert == "" {
			continue
		}
		own, err := s.openHostPair(i)
		if err != nil {
			return credential{}, err
		}
		c.hosts = append(c.hosts, own)
		for _, name := range host.Names() {
			c.byName.Named.Add(name, own.store) // what is wrong with a name, NewSite tells
		}
	}
	return c, nil
}

// generalCertificate is for clients that ask for no virtual host with a certificate of its own: from files, systemd's
// credentials, the first such host, or the development one.
func (s *settings) generalCertificate(sockets []served) (credential, error) {
	if err := s.checkTLS(); err != nil {
		return credential{}, err
	}
	i := slices.IndexFunc(sockets, func(one served) bool { return one.role == "https" })
	switch {
	case i < 0:
		return credential{}, nil
	case s.TLSCert != "":
		return s.openPair()
	case credentialFile("tls.crt") != "":
		return openCredentials()
	case s.hostWithCertificate() >= 0:
		return s.openHostPair(s.hostWithCertificate())
	case slices.ContainsFunc(sockets, func(one served) bool { return one.role == "https" && !one.ownLoopback() }):
		return credential{}, config("%s is to speak https and has no certificate: give --tls-cert and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY), or tls.crt and tls.key by systemd's LoadCredential=; only sockets that Rouse binds on loopback get a development certificate", sockets[i].Socket)
	}
	return openDevelopment()
}

// checkTLS holds the TLS options against each other.
func (s *settings) checkTLS() error {
	for _, pair := range [][2]string{{"tls-cert", "tls-key"}, {"tls-key", "tls-cert"}} {
		if has, lacks := s.given[pair[0]], s.given[pair[1]]; has != "" && lacks == "" {
			_, name := inFile(has)
			return s.conflict("%s is given without %s: TLS needs both", has, partner(name))
		}
	}
	for i, host := range s.Advanced.VirtualHosts {
		for _, pair := range [][4]string{{host.TLSCert, host.TLSKey, "tls-cert", "tls-key"}, {host.TLSKey, host.TLSCert, "tls-key", "tls-cert"}} {
			if has, lacks := pair[0], pair[1]; has != "" && lacks == "" {
				return s.wrong(fmt.Sprintf("advanced.virtual-hosts[%d].%s", i, pair[2]), fmt.Errorf("given without %s: TLS needs both", pair[3]))
			}
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

// openPair reads the certificate that the options name.
func (s *settings) openPair() (credential, error) {
	store, err := certificate.Open(s.TLSCert, s.TLSKey)
	if err != nil {
		return credential{}, config("%s: %w", s.given[pairOption(err)], err)
	}
	return credential{store: store, origin: "files", path: s.TLSCert}, nil
}

// openHostPair reads the certificate of a virtual host.
func (s *settings) openHostPair(i int) (credential, error) {
	host := s.Advanced.VirtualHosts[i]
	store, err := certificate.Open(host.TLSCert, host.TLSKey)
	if err != nil {
		return credential{}, s.wrong(fmt.Sprintf("advanced.virtual-hosts[%d].%s", i, pairOption(err)), err)
	}
	return credential{store: store, origin: "files", path: host.TLSCert}, nil
}

// pairOption is the option that an error of certificate.Open is about.
func pairOption(err error) string {
	if _, ok := errors.AsType[*certificate.KeyError](err); ok {
		return "tls-key"
	}
	return "tls-cert"
}

// openCredentials reads the certificate that systemd loaded.
func openCredentials() (credential, error) {
	path := credentialFile("tls.crt")
	store, err := certificate.Open(path, filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), "tls.key"))
	if err != nil {
		return credential{}, config("systemd's credentials: %w", err)
	}
	return credential{store: store, origin: "credentials", path: path}, nil
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
