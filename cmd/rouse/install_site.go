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
	"strings"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// site is what is to be installed: a command with its options, as the arguments say.
func (i *installing) site(command string, rest []string, now time.Time) (install.Site, error) {
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return install.Site{}, fmt.Errorf("find this program's own path: %w", err)
	}
	site := install.Site{Name: i.Name, Command: command, Program: program, Egress: i.Egress, Account: i.Account}
	switch command {
	case "run":
		err = i.runSite(&site, rest)
	case "inetd":
		err = i.inetdSite(&site, rest)
	case "dispatch":
		err = i.dispatchSite(&site, rest)
	default:
		err = i.serveSite(&site, rest, now)
	}
	if err == nil && command != "serve" && len(i.HostName) > 0 {
		err = usage("--host-name is for the certificate of rouse serve: leave it out")
	}
	return site, err
}

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
	for n := range site.Sockets {
		if one := &site.Sockets[n]; one.Name != "admin" {
			one.URL = address(one.Name, *one, site.HostNames[0])
		}
		site.Sockets[n].ClientFirst = true
	}
	if err := serveVariables(site, s, words); err != nil {
		return err
	}
	https := slices.ContainsFunc(site.Sockets, func(one install.Socket) bool { return one.Name == "https" })
	if https && s.TLSCert == "" && s.hostWithCertificate() < 0 {
		return makeCertificate(site, now)
	}
	if !https && len(i.HostName) > 0 {
		return usage("--host-name is for a certificate, and no socket here speaks https: leave it out")
	}
	if https && s.TLSCert != "" && len(i.HostName) > 0 {
		return usage("--host-name is for a certificate that is made here, and --tls-cert names one: leave one out")
	}
	return nil
}

// readServe reads the options of serve, and holds them against each other and what they name.
func (i *installing) readServe(rest []string) (*settings, []word, error) {
	s := newSettings()
	words, folders, err := s.parseFlags(rest)
	if err != nil {
		return nil, nil, err
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
	if err := s.takeFolder(folders); err != nil {
		return nil, nil, err
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
	if len(sockets) > 1 && sockets[0].Name == "https" && sockets[1].Name == "http" && s.given["https-redirect"] == "" {
		site.Variables = append(site.Variables, install.Variable{Name: "SERVER_HTTPS_REDIRECT", Value: "true"})
	}
	if len(given) > 0 {
		site.Variables = append(site.Variables, install.Variable{Name: "SERVER_LISTEN", Value: strings.Join(append(given, fromManager(sockets)...), ",")})
	}
	return nil
}

// fromManager is the address of the sockets that the manager passes beside others.
func fromManager(sockets []install.Socket) []string {
	switch {
	case len(sockets) == 0:
		return nil
	case runtime.GOOS == "darwin":
		return []string{"launchd:"}
	}
	return []string{"systemd:"}
}

func errServeRole(one install.Socket) error {
	if one.Datagram {
		return errors.New(noHTTP3 + "; leave it out")
	}
	return fmt.Errorf("%q is no role: roles are https, http and admin", one.Name)
}

// hostNames are those of the certificate, and the first of them that of the URLs.
func (i *installing) hostNames() []string {
	if len(i.HostName) > 0 {
		return i.HostName
	}
	machine, _ := os.Hostname()
	return certificate.LocalHosts(machine)
}

// makeCertificate gives the site a certificate that nobody else has signed.
func makeCertificate(site *install.Site, now time.Time) error {
	chain, key, leaf, err := certificate.MakeSelfSigned(site.HostNames, now)
	if err != nil {
		return usage("--host-name: %w", err)
	}
	site.Certificate = &install.Certificate{Chain: chain, Key: key, Fingerprint: certificate.Fingerprint(leaf), Expires: leaf.NotAfter}
	return nil
}

// serveVariables are the options of serve as its service gets them: as variables, or, for secrets, as files that systemd hands
// over. Of an option that stands there twice the last one counts.
func serveVariables(site *install.Site, s *settings, words []word) error {
	site.Reads = []install.Access{{Option: "--root", Path: s.Root}}
	site.Variables = append([]install.Variable{{Name: "SERVER_ROOT", Value: s.Root}}, site.Variables...)
	secrets := map[string]string{}
	if runtime.GOOS == "linux" {
		secrets = map[string]string{"tls-cert": "tls.crt", "tls-key": "tls.key", "basic-auth-file": "htpasswd"}
	}
	for n, w := range words {
		o := s.option(w.name)
		again := slices.ContainsFunc(words[n+1:], func(later word) bool { return later.name == w.name })
		switch id := secrets[strings.TrimPrefix(o.means+w.name, "http2-")]; {
		case again || slices.Contains([]string{"root", "host", "port"}, w.name):
		case id != "":
			site.Credentials = append(site.Credentials, install.Credential{ID: id, Path: w.value})
		case o.variable == "":
			return usage("--%s is nothing for a service: leave it out", w.name)
		default:
			site.Variables = append(site.Variables, install.Variable{Name: o.variable, Value: w.value})
			if fileOption(o) && !writesTo(w.name) {
				site.Reads = append(site.Reads, install.Access{Option: "--" + w.name, Path: w.value})
			}
		}
	}
	return nil
}

// fileOption tells whether the value is a path, and one of the machine, not one below the root.
func fileOption(o option) bool {
	return (o.arg == "FILE" || o.arg == "DIR" || o.arg == "PATH") && o.flag != "page404" && o.flag != "page50x" && o.flag != "network-from" && o.flag != "root"
}

// writesTo tells of files that the service makes itself, or that need not be there.
func writesTo(name string) bool {
	return slices.Contains([]string{"log-file", "access-log", "maintenance-mode-switch", "pin", "socket"}, name)
}

// absolute makes a path one: services start elsewhere.
func absolute(o option, value string) (string, error) {
	if !fileOption(o) || value == "" || o.flag == "pin" {
		return value, nil
	}
	return filepath.Abs(value)
}

// programSite reads the options of run or inetd, and the program behind them.
func (i *installing) programSite(site *install.Site, s *subcommand, rest []string, unfit ...string) error {
	end := slices.Index(rest, "--")
	if end < 0 || end == len(rest)-1 {
		return usage("rouse install %s needs a program behind --: rouse install %s -- CMD [ARG…]", s.name, s.name)
	}
	command := slices.Clone(rest[end+1:])
	words, more, err := s.parse(rest[:end])
	if err != nil {
		return err
	}
	if len(more) > 0 {
		return usage("%s stands before the --, behind which the program begins: put -- in front of it", more[0])
	}
	if err := i.commandVariables(site, s, words, append([]string{"fd"}, unfit...)); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return config("the program %s: %w: install it first, or name its path", command[0], err)
	}
	if site.Name == "" {
		site.Name = strings.ToLower(filepath.Base(path))
	}
	command[0] = path
	site.Words = append([]string{"--"}, command...)
	return nil
}

// commandVariables are the options of run, inetd or dispatch as variables.
func (i *installing) commandVariables(site *install.Site, s *subcommand, words []word, unfit []string) (err error) {
	for n, w := range words {
		o, _ := s.option(w.name)
		if slices.Contains(unfit, w.name) || o.variable == "" {
			return usage("--%s is nothing for a service that rouse installs: leave it out", w.name)
		}
		if words[n].value, err = absolute(o, w.value); err != nil {
			return err
		}
	}
	if err := s.readFlags(words); err != nil {
		return firstOf(err)
	}
	for _, o := range s.options {
		as := s.given[o.flag]
		if as == "" || o.flag == "config" {
			continue
		}
		site.Variables = append(site.Variables, install.Variable{Name: o.variable, Value: o.written()})
		if fileOption(o) && !writesTo(o.flag) {
			site.Reads = append(site.Reads, install.Access{Option: as, Path: o.written()})
		}
	}
	for _, w := range words { // which s.readFlags does not read
		if o, _ := s.option(w.name); w.name == "config-file" {
			site.Variables = append(site.Variables, install.Variable{Name: o.variable, Value: w.value})
			site.Reads = append(site.Reads, install.Access{Option: "--config-file", Path: w.value})
		}
	}
	return nil
}

// usualPort is where a program is found unless somebody says otherwise.
func usualPort() []string { return []string{"localhost:" + bareHTTP} }

// named gives sockets the site's name.
func (i *installing) programSockets(site *install.Site, both bool, variable string) error {
	sockets, given, err := i.listens(usualPort(), both, func(activation.Address) (string, error) { return site.Name, nil })
	if err != nil {
		return err
	}
	site.Sockets = sockets
	if len(given) > 0 {
		site.Variables = append(site.Variables, install.Variable{Name: variable, Value: strings.Join(append(given, fromManager(sockets)...), ",")})
	}
	return nil
}

// runSite is a program under `rouse run`. It gets a socket for each family: most programs bind them one by one.
func (i *installing) runSite(site *install.Site, rest []string) error {
	r, s := runOptions()
	if err := i.programSite(site, s, rest); err != nil {
		return err
	}
	if err := r.check(s); err != nil {
		return err
	}
	return i.programSockets(site, false, "ROUSE_RUN_LISTEN")
}

// inetdSite is a program under `rouse inetd`.
func (i *installing) inetdSite(site *install.Site, rest []string) error {
	o, s := inetdOptions()
	if err := i.programSite(site, s, rest, "services", "group", "groups"); err != nil {
		return err
	}
	if err := o.check(s, site.Words[1:]); err != nil {
		return err
	}
	if o.User != "" { // systemd does that, and the service needs no right to
		if i.Account != "" || i.User {
			return usage("--user=%s: %s says who it runs as: leave one out", o.User, map[bool]string{true: "--user", false: "--account"}[i.User])
		}
		site.Account = o.User
		site.Variables = slices.DeleteFunc(site.Variables, func(v install.Variable) bool { return v.Name == "ROUSE_INETD_USER" })
	}
	return i.programSockets(site, true, "ROUSE_INETD_LISTEN")
}

// dispatchSite is a dispatcher, which binds the listeners of its rules itself, but for those that --listen has the manager hold.
func (i *installing) dispatchSite(site *install.Site, rest []string) error {
	if site.Name == "" {
		site.Name = "front"
	}
	d, s := dispatchOptions()
	rest = slices.DeleteFunc(slices.Clone(rest), func(word string) bool { return word == "--" })
	words, more, err := s.parse(rest)
	if err != nil {
		return err
	}
	if len(more) > 0 {
		return usage("rouse install dispatch takes no program: leave %s out", more[0])
	}
	if err := i.commandVariables(site, s, words, []string{"fd", "check", "explain", "status", "json"}); err != nil {
		return err
	}
	rules, err := filepath.Abs(d.Config)
	if err != nil {
		return err
	}
	d.Config = rules
	if _, err := d.readRules(s); err != nil {
		return err
	}
	site.Words = []string{"--config", rules}
	site.Reads = append(site.Reads, install.Access{Option: "--config", Path: rules})
	var given []string
	site.Sockets, given, err = i.listens(nil, true, func(a activation.Address) (string, error) {
		return "", usage("--listen %s: of which listener of the rules? write --listen NAME=%s, and in the rules address = \"systemd:NAME\"", a, a)
	})
	if err == nil && len(given) > 0 {
		err = usage("--listen %s: a dispatcher behind another one stands in the rules: address = %q", given[0], given[0])
	}
	return err
}
