package activation

import (
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Address says where a socket comes from: [role=]source:detail[?options].
//
//	systemd:            all sockets that were passed by LISTEN_FDS
//	systemd:web         those named web;  systemd:web[1] is the second of them
//	launchd:Listeners   those that launchd opened under this key; launchd: under any of the usual ones
//	fd:3                descriptor 3
//	inetd:              descriptor 0, as inetd and its family pass it
//	tcp:[::1]:8443      bound by Rouse; also tcp::8443 and tcp:8443 (all addresses)
//	udp:[::1]:53        bound by Rouse for a program that it starts; also udp::53 and udp:53
//	unix:/run/x.sock    bound by Rouse; options mode (octal), owner, group; unix:@name is abstract (Linux)
//	handoff:/run/x.sock bound by Rouse: others send open connections there, as socketbox does; options as of unix, and from, accept
//	dispatch:PATH#NAME  the dispatcher at PATH gives connections, or listeners, to who registers as NAME; without PATH its usual one.
//	                    Options takes (listener or connections), protocol (socketbox: NAME is the number of a slot), from, accept
//
// The option proxy (v1, v2 or any) is for all but udp: each connection begins with a PROXY header of this version. Options of
// tcp and udp are interface, namespace (a path, or a name below /run/netns), transparent, freebind, reuse-port and ipv6-only
// (yes or no), of tcp backlog. With the option channel a systemd:, fd: or inetd: socket is a unix one over which connections come. The
// options of such channels: from (users who may send; without it root and our own) and accept (unix: also unix sockets).
type Address struct {
	Role    string // what the socket is for, or empty
	Source  string // one of Sources
	Detail  string
	Options url.Values
}

// Sources lists the words that may stand in front of the colon.
func Sources() []string {
	return []string{"systemd", "launchd", "fd", "inetd", "tcp", "udp", "unix", "handoff", "dispatch"}
}

// ParseAddress reads one address. Percent escapes (RFC 3986 §2.1) are undone in the path of a unix socket, so that it may hold
// a comma (%2C), a space (%20) or a question mark (%3F).
func ParseAddress(text string) (Address, error) {
	source, detail, ok := strings.Cut(text, ":")
	if !ok {
		return Address{}, fmt.Errorf("%q is not an address: write SOURCE:DETAIL, such as systemd:https, fd:3 or tcp:127.0.0.1:8080", text)
	}
	var a Address
	if role, rest, ok := strings.Cut(source, "="); ok {
		if role == "" {
			return Address{}, fmt.Errorf("address %q has nothing before the =: write ROLE=SOURCE:DETAIL, or leave the = out", text)
		}
		a.Role, source = role, rest
	}
	a.Source = source
	if !slices.Contains(Sources(), source) {
		return Address{}, fmt.Errorf("unknown source %q in address %q: sources are %s", source, text, strings.Join(Sources(), ", "))
	}
	detail, options, _ := strings.Cut(detail, "?")
	a.Detail = detail
	values, err := url.ParseQuery(options)
	if err != nil {
		return Address{}, fmt.Errorf("options of address %q: %w: write %%25 for a percent sign", text, err)
	}
	a.Options = values
	if source == "unix" || source == "handoff" || source == "dispatch" {
		if a.Detail, err = url.PathUnescape(detail); err != nil {
			return Address{}, fmt.Errorf("path of address %q: %w: write %%25 for a percent sign", text, err)
		}
	}
	return a, a.check(text)
}

// ParseAddresses reads addresses separated by spaces or commas.
func ParseAddresses(text string) ([]Address, error) {
	var all []Address
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		a, err := ParseAddress(word)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// String writes the address without role and options, as it stands in messages.
func (a Address) String() string { return a.Source + ":" + a.Detail }

// subject is the address in front of a message's own colon.
func (a Address) subject() string { return strings.TrimSuffix(a.String(), ":") }

// options lists the options that the source has.
func (a Address) options() []string {
	placed := []string{"interface", "namespace", "transparent", "freebind", "reuse-port", "ipv6-only"}
	switch a.Source {
	case "tcp":
		return append(placed, "backlog", "proxy")
	case "udp":
		return placed
	case "unix":
		return []string{"mode", "owner", "group", "proxy"}
	case "handoff":
		return []string{"mode", "owner", "group", "from", "accept", "proxy"}
	case "dispatch":
		return []string{"takes", "protocol", "from", "accept", "proxy"}
	case "launchd":
		return []string{"proxy"}
	}
	return []string{"channel", "from", "accept", "proxy"}
}

// check refuses what no environment could make right: options that the source does not have, details of the wrong form.
func (a Address) check(text string) error {
	for option := range a.Options {
		if known := a.options(); !slices.Contains(known, option) {
			return fmt.Errorf("address %q has no option %q: %s", text, option, its(known))
		}
	}
	if err := a.checkOptions(text); err != nil {
		return err
	}
	switch a.Source {
	case "fd":
		_, err := a.descriptor()
		return err
	case "inetd":
		if a.Detail != "" {
			return fmt.Errorf("address %q: nothing may follow inetd: (the socket is descriptor 0; fd:N names another)", text)
		}
	case "systemd":
		_, _, err := a.named()
		return err
	case "tcp", "udp":
		_, err := a.hostPort()
		return err
	case "unix", "handoff":
		if strings.HasPrefix(a.Detail, "@") && (a.Options.Has("mode") || a.Options.Has("owner") || a.Options.Has("group")) {
			return fmt.Errorf("%s: an abstract name has no mode, owner or group, and anybody may connect: use a path", a)
		}
		return a.checkPath(a.Detail)
	case "dispatch":
		return a.checkBackend()
	}
	return nil
}

// checkOptions refuses values that an option does not have.
func (a Address) checkOptions(text string) error {
	for option, values := range map[string][]string{
		"transparent": {"yes", "no"}, "freebind": {"yes", "no"}, "reuse-port": {"yes", "no"}, "ipv6-only": {"yes", "no"},
		"accept": {"unix"}, "takes": {"listener", "connections"}, "protocol": {"socketbox"},
	} {
		if a.Options.Has(option) && !slices.Contains(values, a.Options.Get(option)) {
			return fmt.Errorf("address %q: %s=%s: write %s", text, option, a.Options.Get(option), strings.Join(values, " or "))
		}
	}
	if versions := []string{"v1", "v2", "any"}; a.Options.Has("proxy") && !slices.Contains(versions, a.proxy()) {
		return fmt.Errorf("address %q: proxy=%s is no version of the PROXY protocol: write %s", text, a.proxy(), strings.Join(versions, ", "))
	}
	for _, option := range []string{"namespace", "transparent", "freebind"} {
		if a.Options.Has(option) && runtime.GOOS != "linux" {
			return fmt.Errorf("address %q: %s exists on Linux only: leave it out", text, option)
		}
	}
	for _, option := range []string{"interface", "namespace", "from"} {
		if a.Options.Has(option) && a.Options.Get(option) == "" {
			return fmt.Errorf("address %q: %s= has no value", text, option)
		}
	}
	if a.Options.Has("channel") && a.Options.Get("channel") != "" {
		return fmt.Errorf("address %q: channel has no value: write ?channel", text)
	}
	if inherited := slices.Contains(a.options(), "channel"); inherited && !a.channel() && (a.Options.Has("from") || a.Options.Has("accept")) {
		return fmt.Errorf("address %q: from and accept are for a socket over which connections are passed: write ?channel&from=USER", text)
	}
	if a.Options.Has("backlog") {
		if n, err := strconv.ParseInt(a.Options.Get("backlog"), 10, 32); err != nil || n < 1 {
			return fmt.Errorf("address %q: backlog=%s is no number of clients that may wait: write one from 1 on, such as 4096", text, a.Options.Get("backlog"))
		}
	}
	_, err := a.mode()
	return err
}

// binds tells whether the address is bound here, and not inherited.
func (a Address) binds() bool { return a.Source == "tcp" || a.Source == "udp" || a.Source == "unix" }

// channel tells whether open connections arrive there.
func (a Address) channel() bool {
	return a.Source == "handoff" || a.Source == "dispatch" || a.Options.Has("channel")
}

// its lists the options that an address may have.
func its(known []string) string {
	switch len(known) {
	case 0:
		return "it has none"
	case 1:
		return "its only option is " + known[0]
	}
	return "its options are " + strings.Join(known, ", ")
}

// proxy is the version of the PROXY protocol that connections begin with; empty for none.
func (a Address) proxy() string { return a.Options.Get("proxy") }
