package main

import (
	"fmt"
	"strings"

	"github.com/rouse-server/rouse/server"
)

const helpHead = `Rouse: servers that sleep until someone knocks.

usage: rouse [DIR]                serve DIR (or ./public) over https://localhost:8443
       rouse serve [OPTIONS]      serve on inherited sockets: systemd, launchd, inetd, LISTEN_FDS
       rouse check [OPTIONS]      show which options would hold, and where they come from; open nothing
       rouse run [OPTIONS] CMD    start any server when somebody knocks on an inherited socket (--help: its options)
       rouse dispatch [OPTIONS]   hand each connection to the right server, by address or TLS name (--help: its options)
       rouse inetd [OPTIONS] CMD  start one process for each connection (--help: its options)
       rouse install [OPTIONS]    put a server under systemd or launchd for good (--help: its options)
       rouse uninstall NAME       undo that
       rouse status [NAME]        show what is installed, whether it sleeps, and where its log is
       rouse renew [NAME]         renew a site's self-signed certificate (--help: its options)
       rouse health [URL]         ask a server whether it is well (--help: its options)
       rouse precompress DIR      write the .zst, .br and .gz files for --compression-static (--help: its options)
       rouse sockets [--json]     show which sockets were inherited, and what serve would do with them
       rouse generate DIR         write completions, manual pages and the file of variables below DIR
       rouse version | help

options, and their defaults:
  -w, --config-file FILE                  file of options, see rouse.toml(5) (./rouse.toml or ./sws.toml)
      --check-config                      the same as rouse check
`

const helpTail = `
Every option is also a variable, SERVER_ and its name in capitals (--tls-cert is SERVER_TLS_CERT), and a key of the file
of options (tls-cert). Flags win over variables, those over the file. These variables have other names:
%s
TIME is 90s, 5m, 1h or a number of seconds. SIZE is 65536, 64K, 32M or 1G. Booleans stand alone or with true or false.

Sockets are found by themselves: LISTEN_FDS, launchd, a socket on standard input, else HOST:PORT is bound. Their names
are their roles: https, http, admin; without such a name --tls decides. An https socket needs a certificate: --tls-cert
and --tls-key, or tls.crt and tls.key among systemd's credentials.

signals: TERM, INT end after the running requests (twice: at once); HUP reads options and certificates again; USR1 opens
the log files again; USR2 switches maintenance mode.
exit codes: 0 done, 1 failed, 2 wrong command line, 78 wrong configuration.
`

// help prints all options with their defaults, from the same table that reads them.
func help(c console) error {
	var b strings.Builder
	b.WriteString(helpHead)
	all := documentedOptions()
	b.WriteString(optionsHelp(all))
	others := ""
	for _, d := range all {
		if d.variable != "SERVER_"+strings.ReplaceAll(strings.ToUpper(d.flag), "-", "_") {
			others += ", --" + d.flag + " " + d.variable
		}
	}
	b.WriteString("\nOther spellings, of static-web-server's versions 2 and 3:\n")
	for _, o := range (&settings{Config: server.Default()}).options() {
		if o.means != "" && o.flag != "" {
			b.WriteString(helpLine(documented{flag: o.flag, short: o.short, arg: o.arg, help: spellingOf(o)}, ""))
		}
	}
	fmt.Fprintf(&b, helpTail, wrap(strings.TrimPrefix(others, ", ")+".", 0, 120))
	_, err := c.stdout.Write([]byte(b.String()))
	return err
}

// optionsHelp lists options under their headings, with their defaults.
func optionsHelp(all []documented) string {
	var b strings.Builder
	section := ""
	for _, d := range all {
		if d.section != section {
			section = d.section
			b.WriteString("\n" + section + ":\n")
		}
		shown := ""
		if d.shown != "" && !d.boolean || d.shown == "true" {
			shown = " (" + d.shown + ")"
		}
		b.WriteString(helpLine(d, shown))
	}
	return b.String()
}

func helpLine(d documented, shown string) string {
	name := d.spelled()
	if d.short == "" {
		name = "    " + name
	}
	return wrap(fmt.Sprintf("  %-39s %s", name, d.help+shown), 42, 120) + "\n"
}

// spellingOf says which option another spelling means.
func spellingOf(o option) string {
	if opposite, ok := strings.CutPrefix(o.means, "!"); ok {
		return "the opposite of --" + opposite
	}
	return "the same as --" + o.means
}

// wrap breaks a line at spaces before width and indents what follows.
func wrap(line string, indent, width int) string {
	var lines []string
	for len(line) > width {
		cut := strings.LastIndexByte(line[:width], ' ')
		if cut <= indent {
			break
		}
		lines = append(lines, line[:cut])
		line = strings.Repeat(" ", indent) + line[cut+1:]
	}
	return strings.Join(append(lines, line), "\n")
}
