package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// serveSite is a site of `rouse serve`.
func (i *installing) serveSite(site *install.Site, rest []string, now time.Time) error {
	if site.Name == "" {
		site.Name = "site"
	}
	s, words, err := i.readServe(rest)
	if err != nil {
		return err
	}
	tls := s.given["tls"] == "" || s.TLS
	if err := i.serveSockets(site, s, tls); err != nil {
		return err
	}
	site.HostNames = i.hostNames()
	name, err := reachedAs(s, site.HostNames)
	if err != nil {
		return err
	}
	for n := range site.Sockets {
		if one := &site.Sockets[n]; one.Name != "admin" {
			one.URL = address(one.Name, *one, name)
		}
		site.Sockets[n].ClientFirst = true
	}
	if err := i.serveVariables(site, s, words); err != nil {
		return err
	}
	speaks := func(text string) bool { return strings.HasPrefix(text, "https=") }
	https := slices.ContainsFunc(site.Sockets, func(one install.Socket) bool { return one.Name == "https" }) || slices.ContainsFunc(i.Listen, speaks)
	switch {
	case !https && len(i.HostName) > 0:
		return usage("--host-name is for a certificate, and no socket here speaks https: leave it out")
	case s.TLSCert != "" && len(i.HostName) > 0:
		return usage("--host-name is for a certificate that is made here, and --tls-cert names one: leave one out")
	case https && s.TLSCert == "" && (s.hostWithCertificate() < 0 || len(i.HostName) > 0):
		return makeCertificate(site, now)
	}
	return nil
}

// reachedAs is the name that people reach the site by: the first one of its certificate that is no pattern.
func reachedAs(s *settings, names []string) (string, error) {
	if s.TLSCert != "" {
		pair, err := s.openPair()
		if err != nil {
			return "", err
		}
		names = append(slices.Clone(pair.store.Leaf().DNSNames), names...)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "*") {
			return strings.Trim(name, "[]"), nil
		}
	}
	machine, _ := os.Hostname()
	return certificate.LocalHosts(machine)[0], nil
}

// readServe reads the options of serve, and holds them against each other and what they name.
func (i *installing) readServe(rest []string) (*settings, []word, error) {
	s := newSettings()
	words, folders, err := s.parseFlags(rest)
	if err != nil {
		return nil, nil, elsewhere(err, "serve", rest)
	}
	for n, w := range words {
		if words[n].value, err = absolute(s.option(w.name), w.value); err != nil {
			return nil, nil, err
		}
		if slices.Contains([]string{"fd", "unix-socket", "unix-socket-mode", "unix-socket-force", "https-redirect-from-port"}, w.name) {
			return nil, nil, usage("--%s: the service manager opens the sockets: say --listen PORT, HOST:PORT or /PATH instead", w.name)
		}
		if w.name == "check-config" {
			return nil, nil, usage("--check-config: rouse install checks by itself; --dry-run changes nothing")
		}
	}
	var problems []error
	if slices.ContainsFunc(words, func(w word) bool { return w.name == "config-file" }) {
		problems = s.readFile(words).problems
	}
	problems = append(s.readFlags(words).problems, problems...)
	if err := first(problems); err != nil {
		return nil, nil, err
	}
	folders = slices.DeleteFunc(folders, func(folder string) bool { return folder == "--" })
	if err := errors.Join(noCommand(folders), s.takeFolder(folders)); err != nil {
		return nil, nil, firstOf(err)
	}
	if err := s.chooseRoot(i.User); err != nil {
		return nil, nil, err
	}
	if s.Root, err = filepath.Abs(s.Root); err != nil {
		return nil, nil, err
	}
	checked := s.clone()
	for _, name := range []string{"host", "port", "listen"} {
		delete(checked.given, name)
	}
	return s, words, first(validate(checked))
}

// noCommand is for a word that is no folder, and may be meant as a command or a program.
func noCommand(words []string) error {
	if len(words) == 0 {
		return nil
	}
	word := words[0]
	if _, err := os.Stat(word); !errors.Is(err, os.ErrNotExist) || strings.Contains(word, "/") {
		return nil
	}
	if _, err := exec.LookPath(word); err == nil {
		return usage("%s is a program, and no folder here: rouse install run -- %s", word, strings.Join(words, " "))
	}
	return usage("%q is neither a folder nor a command%s: commands are %s", word, spelling.Suggestion(word, installable()), strings.Join(installable(), ", "))
}

// chooseRoot is where services of a machine have their files, unless somebody says where.
func (s *settings) chooseRoot(user bool) error {
	if s.given["root"] != "" {
		return nil
	}
	if user {
		return usage("rouse install --user needs the folder to serve: rouse install --user ~/site")
	}
	s.Root = "/var/www/html"
	if runtime.GOOS == "darwin" {
		s.Root = "/Library/WebServer/Documents"
	}
	if _, err := os.Stat(s.Root); errors.Is(err, os.ErrNotExist) {
		return config("%s, the folder that is served unless you say otherwise, is not there: name one (rouse install DIR), or make it", s.Root)
	}
	s.given["root"] = "the default"
	return nil
}

// serveSockets finds the sockets, by --listen, else by --host and --port, else on loopback.
func (i *installing) serveSockets(site *install.Site, s *settings, tls bool) error {
	usual := []string{"https=localhost:" + bareHTTPS, "http=localhost:" + bareHTTP}
	if !tls {
		usual = usual[1:]
	}
	if s.given["host"] != "" || s.given["port"] != "" {
		if len(i.Listen) > 0 {
			return usage("--listen and --host or --port exclude each other: leave --host and --port out")
		}
		port, host := s.Port.String(), ""
		if s.given["port"] == "" {
			port = map[bool]string{true: bareHTTPS, false: bareHTTP}[tls]
		}
		if s.given["host"] != "" {
			host = s.Host.String()
		}
		usual = []string{net.JoinHostPort(host, port)}
	}
	sockets, given, err := i.listens(usual, true, func(a activation.Address) (string, error) {
		if tls && !strings.HasSuffix(":"+a.Detail, ":80") && !strings.HasSuffix(":"+a.Detail, ":"+bareHTTP) {
			return "https", nil
		}
		return "http", nil
	})
	if err != nil {
		return err
	}
	for _, one := range sockets {
		switch {
		case checkRole("--listen "+one.Name+"=…", one.Name) != nil || one.Datagram:
			return usage("--listen %s=%s: %w", one.Name, one.Listen[0], errServeRole(one))
		case one.Name == "https" && !tls:
			return usage("--listen %s=%s speaks https, and --tls=false turns that off: leave one out", one.Name, one.Listen[0])
		}
	}
	slices.SortStableFunc(sockets, func(a, b install.Socket) int { return slices.Index(roles(), a.Name) - slices.Index(roles(), b.Name) })
	site.Sockets = sockets
	if s.given["https-redirect"] == "" {
		both := len(sockets) > 1 && sockets[0].Name == "https" && sockets[1].Name == "http"
		site.Variables = append(site.Variables, install.Variable{Name: "SERVER_HTTPS_REDIRECT", Value: strconv.FormatBool(both)})
	}
	if len(given) > 0 { // it has to be there for the dispatcher, which wakes nobody
		site.Boot = true
		site.Variables = append(site.Variables, install.Variable{Name: "SERVER_LISTEN", Value: strings.Join(append(given, fromManager(sockets)...), ",")})
		if s.given["idle-exit"] == "" {
			site.Variables = append(site.Variables, install.Variable{Name: "SERVER_IDLE_EXIT", Value: "0"})
		}
	}
	return nil
}

func errServeRole(one install.Socket) error {
	if one.Datagram {
		return errors.New(noHTTP3 + "; leave it out")
	}
	return fmt.Errorf("%q is no role: roles are https, http and admin", one.Name)
}

// makeCertificate gives the site a certificate that nobody else has signed.
func makeCertificate(site *install.Site, now time.Time) error {
	chain, key, _, err := certificate.MakeSelfSigned(site.HostNames, now)
	if err != nil {
		return usage("--host-name: %w", err)
	}
	site.Certificate = &install.Certificate{Chain: chain, Key: key}
	return nil
}
