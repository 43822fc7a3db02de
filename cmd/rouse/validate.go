package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"

	"github.com/rouse-server/rouse/server"
)

// validate holds the options against each other and against the files that they name. What it finds stops a start.
func validate(s *settings) []error {
	s = s.clone() // what excludes each other is settled in there
	_, sockets := s.checkSocketOptions()
	problems := append([]error{sockets, s.checkListen(), s.checkTLS()}, s.checkCertificates()...)
	material := server.Material{}
	if s.saysNothing() && s.lacksFolder() {
		material.Welcome = http.NotFoundHandler() // bare mode has a page to show
	}
	silent := slog.New(slog.DiscardHandler)
	_, more := s.makeSite(server.New(server.Parts{Config: s.Config, Log: silent}), material)
	return append(distinct(problems), more...)
}

// foreseen tells of what serve would survive, or find out only when it has its sockets, and what its user would hardly want.
func foreseen(s *settings) []error {
	s = s.clone()
	s.checkSocketOptions() // so that what is not used is not looked at
	problems := slices.Concat([]error{s.lacksCertificate()}, s.blockedPaths(), s.lackingPages())
	for _, one := range []struct{ name, path string }{{"log-file", s.LogFile}, {"access-log", s.AccessLog}} {
		if one.path != "" && one.path != "/dev/stdout" && one.path != "/dev/stderr" {
			if err := writable(one.path); err != nil {
				problems = append(problems, s.cannotLog(one.name, one.path, err))
			}
		}
	}
	return distinct(problems)
}

// lackingPages tells of pages that were asked for and cannot be read. Others stand in for them until they can.
func (s *settings) lackingPages() []error {
	var problems []error
	for _, option := range []string{"page404", "page50x", "page-fallback", "maintenance-mode-file"} {
		if s.given[option] != "" && !s.isDefault(option) {
			problems = append(problems, s.absent(option))
		}
	}
	for i := range s.Advanced.VirtualHosts {
		for _, key := range []string{"page404", "page50x", "page-fallback"} {
			problems = append(problems, s.absent(fmt.Sprintf("advanced.virtual-hosts[%d].%s", i, key)))
		}
	}
	return distinct(problems)
}

// distinct are the errors that are errors, each once.
func distinct(problems []error) (all []error) {
	said := map[string]bool{}
	for _, err := range problems {
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			all = append(all, err)
		}
	}
	return all
}

// isDefault tells whether an option was given its default: files of options are often copied whole.
func (s *settings) isDefault(name string) bool {
	return s.option(name).written() == newSettings().option(name).written()
}

// place is how a key of the file is named in front of its value: sws.toml:3: advanced.virtual-hosts[0].root.
func (s *settings) place(path string) string { return s.position(path) + ": " + path }

func (s *settings) checkListen() error {
	if s.given["listen"] != "" {
		_, err := s.listed()
		return err
	}
	if s.given["unix-socket"] != "" {
		_, err := s.unixAddress()
		return err
	}
	return nil
}

// checkRoot tells why the folder to serve cannot be served, if it cannot.
func (s *settings) checkRoot() error {
	switch as := s.given["root"]; as {
	case "":
		if err := present("root", s.Root, "folder"); err != nil {
			return config("%w with --root or SERVER_ROOT", err)
		}
		return nil
	case s.Root:
		return present("the folder", s.Root, "folder") // rouse DIR
	default:
		return present(as, s.Root, "folder")
	}
}

// present tells why a folder or file cannot be read, if it cannot. kind is "folder" or "file".
func present(as, path, kind string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return config("%s %s: there is no such %s%s: make it, or name another", as, path, kind, beneath(path))
	case err == nil && kind == "folder" && !info.IsDir():
		return config("%s %s: not a folder, and only folders can be served: name one", as, path)
	case err == nil && kind == "file" && !info.Mode().IsRegular():
		return config("%s %s: not a regular file: name one", as, path)
	case err == nil:
		var f *os.File
		if f, err = os.Open(path); err == nil {
			f.Close()
		}
	}
	if err != nil {
		return config("%s %s: this user cannot open it (%w): change that, or name another", as, path, withoutPath(err))
	}
	return nil
}

// checkCertificates reads the certificates as serve would.
func (s *settings) checkCertificates() (problems []error) {
	if s.TLSCert != "" && s.TLSKey != "" {
		_, err := s.openPair()
		problems = append(problems, err)
	} else if s.TLSCert == "" && credentialFile("tls.crt") != "" {
		_, err := openCredentials()
		problems = append(problems, err)
	}
	for i, host := range s.Advanced.VirtualHosts {
		if host.TLSCert != "" && host.TLSKey != "" {
			_, err := s.openHostPair(i)
			problems = append(problems, err)
		}
	}
	return problems
}

// blockedPaths tells of files in the place of unix sockets.
func (s *settings) blockedPaths() (problems []error) {
	addresses, _ := s.listed() // what is wrong with an address was told
	for _, address := range addresses {
		problems = append(problems, socketFailure(address.Blocked()))
	}
	if s.given["unix-socket"] == "" {
		return problems
	}
	address, _ := s.unixAddress()
	if err := address.Blocked(); err != nil {
		problems = append(problems, config("%s: %w", s.given["unix-socket"], err))
	}
	return problems
}

// lacksCertificate tells that TLS, or a redirect to it, is wanted and cannot be, unless sockets of other roles are passed.
func (s *settings) lacksCertificate() error {
	address, err := netip.ParseAddr(string(s.Host))
	loopback := s.Host == "localhost" || err == nil && address.IsLoopback()
	anyHost := slices.ContainsFunc(s.Advanced.VirtualHosts, func(h server.VirtualHost) bool { return h.TLSCert != "" })
	as := s.given["tls"]
	switch {
	case s.given["listen"] != "":
	case s.HTTPSRedirect && !s.tlsOn():
		return s.redirectNeedsTLS()
	case as != "" && s.TLS && s.TLSCert == "" && s.TLSKey == "" && credentialFile("tls.crt") == "" && !anyHost && (!loopback || s.fd() != nil || s.UnixSocket != ""):
		return s.conflict("%s needs a certificate: give %s and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY); only what Rouse binds on loopback gets a development certificate", as, "--tls-cert")
	}
	return nil
}

func (s *settings) checkMemoryCache() []error {
	cache := s.Advanced.MemoryCache
	if cache == nil {
		return nil
	}
	var problems []error
	for _, one := range []struct {
		name  string
		value int
	}{{"capacity", cache.Capacity}, {"ttl", cache.TTL}, {"tti", cache.TTI}, {"max-file-size", cache.MaxFileSize}} {
		if path := "advanced.memory-cache." + one.name; one.value < 0 {
			problems = append(problems, config("%s = %d: not a number from 0 on", s.place(path), one.value))
		}
	}
	return problems
}
