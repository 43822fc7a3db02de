package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/certificate"
)

// validate holds the options against each other and against the files that they name. What it finds stops a start.
func validate(s *settings) []error {
	s = s.clone() // what excludes each other is settled in there
	_, sockets := s.checkSocketOptions()
	problems := []error{sockets, s.checkListen(), s.checkTLS(), s.checkCertificate(), s.checkRoot()}
	if as := s.given["basic-auth-file"]; as != "" {
		problems = append(problems, present(as, s.BasicAuthFile, "file"))
	}
	problems = append(problems, s.checkHosts()...)
	problems = append(problems, s.checkMemoryCache()...)
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

// foreseen tells of what serve would survive, or find out only when it has its sockets, and what its user would hardly want.
func foreseen(s *settings) []error {
	problems := []error{s.lacksCertificate()}
	for _, one := range []struct{ name, path string }{
		{"page404", s.belowRoot(s.ErrorPage_404)}, {"page50x", s.belowRoot(s.ErrorPage_50x)},
		{"page-fallback", s.FallbackPage}, {"maintenance-mode-file", s.MaintenanceModeFile},
	} {
		if as := s.given[one.name]; as != "" && !s.isDefault(one.name) {
			problems = append(problems, present(as, one.path, "file"))
		}
	}
	for i, host := range s.Advanced.VirtualHosts {
		if host.PageFallback != "" {
			problems = append(problems, present(s.place(fmt.Sprintf("advanced.virtual-hosts[%d].page-fallback", i)), host.PageFallback, "file"))
		}
	}
	for _, one := range []struct{ name, path string }{{"log-file", s.LogFile}, {"access-log", s.AccessLog}} {
		if info, err := os.Stat(one.path); err == nil && info.IsDir() {
			problems = append(problems, config("%s %s: a folder, and lines are written to a file", s.given[one.name], one.path))
		}
	}
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

// isDefault tells whether an option was given its default: files of options are often copied whole.
func (s *settings) isDefault(name string) bool {
	return s.option(name).written() == newSettings().option(name).written()
}

// belowRoot is where a page lies whose path is relative to the root.
func (s *settings) belowRoot(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Root, path)
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

func (s *settings) checkRoot() error {
	as := s.given["root"]
	if as == "" && s.saysNothing() {
		return nil // bare mode shows its welcome page
	}
	if as == s.Root {
		as = "the folder"
	}
	return present(cmp.Or(as, "root"), s.Root, "folder")
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

// checkCertificate reads the certificate as serve would.
func (s *settings) checkCertificate() error {
	switch {
	case s.TLSCert != "" && s.TLSKey != "":
		if _, err := certificate.Open(s.TLSCert, s.TLSKey); err != nil {
			return config("%s: %w", s.given["tls-cert"], err)
		}
	case s.TLSCert == "" && credentialFile("tls.crt") != "":
		_, err := openCertificate("credentials", credentialFile("tls.crt"), filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), "tls.key"))
		return err
	}
	return nil
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
		return config("%s needs TLS: add --tls with --tls-cert and --tls-key", s.given["https-redirect"])
	case as != "" && s.TLS && s.TLSCert == "" && s.TLSKey == "" && credentialFile("tls.crt") == "" && !anyHost && (!loopback || s.fd() != nil || s.UnixSocket != ""):
		return s.conflict("%s needs a certificate: give %s and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY); only what Rouse binds on loopback gets a development certificate", as, "--tls-cert")
	}
	return nil
}

// checkHosts looks at what the virtual hosts name.
func (s *settings) checkHosts() []error {
	var problems []error
	for i, host := range s.Advanced.VirtualHosts {
		path := fmt.Sprintf("advanced.virtual-hosts[%d]", i)
		if host.Host == "" && len(host.Hosts) == 0 {
			problems = append(problems, s.wrong(path, errors.New(`names no host: add host = "www.example.com", or hosts`)))
		}
		if host.Root != "" {
			problems = append(problems, present(s.place(path+".root"), host.Root, "folder"))
		}
		switch {
		case host.TLSCert != "" && host.TLSKey != "":
			if _, err := certificate.Open(host.TLSCert, host.TLSKey); err != nil {
				problems = append(problems, s.wrong(path+".tls-cert", err))
			}
		case host.TLSCert != "":
			problems = append(problems, s.wrong(path+".tls-cert", errors.New("given without tls-key: TLS needs both")))
		case host.TLSKey != "":
			problems = append(problems, s.wrong(path+".tls-key", errors.New("given without tls-cert: TLS needs both")))
		}
	}
	return problems
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
