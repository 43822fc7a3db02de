package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rouse-server/rouse/server"
)

const helpHead = `Rouse: servers that sleep until someone knocks.

usage: rouse [DIR]              serve DIR (or ./public) over https://localhost:8443
       rouse serve [OPTIONS]    serve on inherited sockets: systemd, launchd, inetd, LISTEN_FDS
       rouse sockets [--json]   show which sockets were inherited, and what serve would do with them
       rouse version | help

options, and their defaults:
`

const helpTail = `
Every option is also a variable: SERVER_ and its name in capitals (--tls-cert is SERVER_TLS_CERT; --fd is
SERVER_LISTEN_FD). Flags win over variables. TIME is 90s, 5m, 1h or a number of seconds; 0 lifts a limit on clients.

Sockets are found by themselves: LISTEN_FDS, launchd, a socket on standard input, else HOST:PORT is bound. Their names
are their roles: https, http; without such a name --tls decides. An https socket needs a certificate: --tls-cert and
--tls-key, or tls.crt and tls.key among systemd's credentials.

signals: TERM, INT end after the running requests (twice: at once); HUP loads the certificate again.
exit codes: 0 done, 1 failed, 2 wrong command line, 78 wrong configuration.
`

// help prints all options with their defaults, from the same table that reads them.
func help(c console) error {
	s := &settings{Config: server.Default()}
	var b strings.Builder
	b.WriteString(helpHead)
	for _, o := range s.options() {
		if o.flag == "" {
			continue
		}
		if o.means != "" {
			o.help = "the same as --" + o.means + ", in static-web-server 2"
		}
		short := "    "
		if o.short != "" {
			short = "-" + o.short + ", "
		}
		name := short + "--" + o.flag
		if o.arg != "" {
			name += " " + o.arg
		}
		line := fmt.Sprintf("  %-39s %s", name, o.help)
		if shown := shownDefault(o); shown != "" {
			line += " (" + shown + ")"
		}
		b.WriteString(wrap(line, 42, 120) + "\n")
	}
	b.WriteString(helpTail)
	_, err := c.stdout.Write([]byte(b.String()))
	return err
}

// shownDefault is the default as one would write it; nothing for what is off or empty.
func shownDefault(o option) string {
	if o.field.IsZero() || o.field.Kind() == reflect.Bool {
		return ""
	}
	return fmt.Sprint(o.field.Interface())
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
