package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/packaging/install"
)

// programSite reads the options of run or inetd, and the program behind them.
func (i *installing) programSite(site *install.Site, s *subcommand, rest []string, unfit ...string) error {
	end := slices.Index(rest, "--")
	if end < 0 || end == len(rest)-1 {
		return usage("rouse install %s needs a program behind --: rouse install %s -- CMD [ARG…]", s.name, s.name)
	}
	command := slices.Clone(rest[end+1:])
	words, more, err := s.parse(rest[:end])
	if err != nil {
		return elsewhere(err, s.name, rest[:end])
	}
	if len(more) > 0 {
		return usage("%s stands before the --, behind which the program begins: put -- in front of it", more[0])
	}
	if err := i.commandVariables(site, s, words, append([]string{"fd"}, unfit...)); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return config("the program %s is not there: install it first, or name its path", command[0])
	case errors.Is(err, os.ErrPermission):
		return config("%s cannot be executed: it is no program, or lacks the right (chmod +x)", command[0])
	case err == nil || errors.Is(err, exec.ErrDot):
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return config("the program %s: %w", command[0], err)
	}
	if site.Name == "" {
		site.Name = strings.ToLower(filepath.Base(path))
	}
	command[0] = path
	if err := argumentFiles(site, command[1:]); err != nil {
		return err
	}
	site.Words = append([]string{"--"}, command...)
	return nil
}

// argumentFiles has the program find the files that its arguments name from here: it starts elsewhere.
func argumentFiles(site *install.Site, arguments []string) error {
	for n, word := range arguments {
		info, err := os.Stat(word)
		if err != nil || word == "." || strings.HasPrefix(word, "-") || info.IsDir() && !strings.Contains(word, "/") {
			continue
		}
		path, err := filepath.Abs(word)
		if err != nil {
			return err
		}
		if path != filepath.Clean(word) {
			arguments[n] = path
		}
		if info.Mode().IsRegular() {
			site.Reads = append(site.Reads, install.Access{Option: "the argument", Path: path})
		}
	}
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

// programSockets are the sockets of a program, which have the site's name unless they have one of their own.
func (i *installing) programSockets(site *install.Site, both bool, variable string) error {
	sockets, given, err := i.listens([]string{"localhost:" + bareHTTP}, both, func(activation.Address) (string, error) { return site.Name, nil })
	if err != nil {
		return err
	}
	site.Sockets = sockets
	if len(given) > 0 {
		site.Boot = true
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
	if i.Account != "" {
		return usage("--account %s: a dispatcher runs as root, without root's privileges: leave it out", i.Account)
	}
	d, s := dispatchOptions()
	rest = slices.DeleteFunc(slices.Clone(rest), func(word string) bool { return word == "--" })
	words, more, err := s.parse(rest)
	if err != nil {
		return elsewhere(err, s.name, rest)
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
