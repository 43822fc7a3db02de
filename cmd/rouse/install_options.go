package main

import (
	"slices"
	"strings"

	"github.com/rouse-server/rouse/server"
)

// installing is the options of `rouse install` itself. Those of the server that is installed stand among them.
type installing struct {
	User    bool   `section:"What is installed, and for whom" ignored:"true" key:"-" flag:"user" help:"under your own service manager, without root: it runs as you, while you are logged in (on Linux loginctl enable-linger keeps it)"`
	Name    string `ignored:"true" key:"-" flag:"name" arg:"NAME" help:"the site's name, where there are several; default: site, front for dispatch, else the program's name"`
	Account string `ignored:"true" key:"-" flag:"account" arg:"USER" help:"the user that it runs as; default: on Linux one that exists only meanwhile (DynamicUser=), on macOS _www"`

	Listen   server.Addresses `section:"Sockets and names" ignored:"true" key:"-" flag:"listen" arg:"ADDRESS,…" help:"what the manager listens on: [NAME=]PORT, HOST:PORT, /PATH, tcp:HOST:PORT, udp:HOST:PORT, unix:PATH?mode=660; NAME is https or http for serve; repeatable; default: loopback, 8443 and 8080 (8080 alone for run and inetd); dispatch:PATH#BACKEND: a dispatcher gives them"`
	HostName server.List      `ignored:"true" key:"-" flag:"host-name" arg:"NAME,…" help:"names and addresses for the self-signed certificate, which is made where --tls-cert names none; default: this machine's name, localhost, 127.0.0.1, ::1"`

	Offline bool `section:"What it may do" ignored:"true" key:"-" flag:"offline" help:"the default: on Linux the service has no network of its own, only the sockets that it is given"`
	Egress  bool `ignored:"true" key:"-" flag:"egress" help:"the service may call out, to a database or another site"`

	Print  bool `section:"How it is done" ignored:"true" key:"-" flag:"print" help:"show the files that would be written, and change nothing"`
	DryRun bool `ignored:"true" key:"-" flag:"dry-run" short:"n" help:"check everything, say what would be done, and change nothing"`
	Force  bool `ignored:"true" key:"-" flag:"force" help:"replace files that rouse did not write, or that were edited; they are kept as FILE.bak-1"`
}

// removing is the options of `rouse uninstall`.
type removing struct {
	User bool `ignored:"true" key:"-" flag:"user" help:"a site of your own service manager"`
}

// listing is the options of `rouse status`.
type listing struct {
	User bool `ignored:"true" key:"-" flag:"user" help:"only the sites of your own service manager"`
	JSON bool `ignored:"true" key:"-" flag:"json" help:"the same for programs"`
}

func installOptions() (*installing, *subcommand) {
	i := &installing{}
	s := newSubcommand("install", i, true)
	s.words = installable()
	return i, s
}

func uninstallOptions() (*removing, *subcommand) {
	r := &removing{}
	return r, newSubcommand("uninstall", r, false)
}

func statusOptions() (*listing, *subcommand) {
	l := &listing{}
	return l, newSubcommand("status", l, false)
}

// installable are the commands that rouse install installs.
func installable() []string { return []string{"serve", "run", "dispatch", "inetd"} }

// split takes the options of install itself out of the arguments. The first word that is no option may be the command; what is
// left is that one's, with everything behind "--" as it stands.
func (i *installing) split(s *subcommand, args []string) (command string, rest []string, err error) {
	var own []string
	for n := 0; n < len(args); n++ {
		word := args[n]
		if word == "--" {
			rest = append(rest, args[n:]...)
			break
		}
		whole, ok := s.owns(word)
		switch {
		case ok && !whole && n+1 < len(args):
			own = append(own, word, args[n+1])
			n++
		case ok:
			own = append(own, word)
		case command == "" && len(rest) == 0 && slices.Contains(installable(), word):
			command = word
		default:
			rest = append(rest, word)
		}
	}
	words, _, err := s.parse(own)
	if err == nil {
		err = s.readFlags(words)
	}
	if command == "" {
		command = "serve"
	}
	return command, rest, firstOf(err)
}

// owns tells whether a word is an option of install, and whether it is whole, its value included. --user=NAME is inetd's.
func (s *subcommand) owns(word string) (whole, ok bool) {
	name, value, attached := strings.Cut(word, "=")
	if word == "-n" {
		name = "--dry-run"
	}
	if word == "-h" || word == "--help" {
		return true, true
	}
	name, isFlag := strings.CutPrefix(name, "--")
	o, ok := s.option(name)
	if !isFlag || !ok || name == "user" && attached && value != "true" && value != "false" {
		return false, false
	}
	return attached || o.optional(), true
}

// check refuses options that exclude each other.
func (i *installing) check() error {
	switch {
	case i.Offline && i.Egress:
		return usage("--offline and --egress exclude each other: leave one out")
	case i.Print && i.DryRun:
		return usage("--print and --dry-run exclude each other: the one shows the files, the other says what would be done")
	case i.User && i.Account != "":
		return usage("--account %s: under your own service manager everything runs as you; leave --user or --account out", i.Account)
	}
	return nil
}

// elsewhere says of an option that the command does not have which one has it. err is what is wrong otherwise.
func elsewhere(err error, command string, args []string) error {
	_, run := runOptions()
	_, dispatch := dispatchOptions()
	_, inetd := inetdOptions()
	_, own := installOptions()
	flags := map[string][]documented{"serve": documentedOptions(), "run": run.documented(), "dispatch": dispatch.documented(), "inetd": inetd.documented()}
	has := func(command, name string) bool {
		return slices.ContainsFunc(flags[command], func(d documented) bool { return d.flag == name })
	}
	for _, word := range args {
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if _, ours := own.option(name); !isFlag || name == "" || ours || has(command, name) {
			continue
		}
		for _, other := range installable() {
			if has(other, name) {
				return usage("--%s is an option of rouse %s, and this is rouse install %s: say rouse install %s, or leave it out", name, other, command, other)
			}
		}
	}
	return err
}
