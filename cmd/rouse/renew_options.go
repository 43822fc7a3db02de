package main

import (
	"time"

	"github.com/rouse-server/rouse/server"
)

// renewing is the options of `rouse renew`.
type renewing struct {
	User      bool        `ignored:"true" key:"-" flag:"user" help:"a site, or with --unit a unit, of your own service manager"`
	Directory string      `ignored:"true" key:"-" flag:"directory" arg:"DIR" help:"in place of a site's: tls.crt and tls.key in this folder; where both are missing they are made"`
	Unit      string      `ignored:"true" key:"-" flag:"unit" arg:"UNIT" help:"with --directory: a systemd unit that is restarted, if it runs, to take the new certificate"`
	HostName  server.List `ignored:"true" key:"-" flag:"host-name" arg:"NAME,…" help:"with --directory: names and addresses for a certificate that is made where there was none; default: this machine's name, localhost, 127.0.0.1, ::1"`

	Within server.Duration `ignored:"true" key:"-" flag:"within" arg:"TIME" help:"renew what ends within that time"`
}

// renewOptions returns the options of `rouse renew`, and the machinery that reads them.
func renewOptions() (*renewing, *subcommand) {
	r := &renewing{Within: server.Duration(30 * 24 * time.Hour)}
	return r, newSubcommand("renew", r, false)
}

// check refuses words and options that do not go together.
func (r *renewing) check(names []string) error {
	switch {
	case len(names) > 1:
		return usage("rouse renew takes one site: leave %s out", names[1])
	case len(names) == 1 && r.Directory != "":
		return usage("--directory and %s exclude each other, leave one out: both say whose certificate is renewed", names[0])
	case r.Directory == "" && r.Unit != "":
		return usage("--unit is for --directory: rouse knows the units of its sites")
	case r.Directory == "" && len(r.HostName) > 0:
		return usage("--host-name is for --directory: a site's certificate keeps the names that it has; rouse install --host-name chooses others")
	case r.Within < 0:
		return usage("--within %s: a time is not negative: say 720h, or 0 to renew only what has ended", r.Within)
	}
	return nil
}
