package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/packaging/install"
)

const installHead = `usage: rouse install [serve] [OPTIONS] [DIR]
       rouse install run [OPTIONS] -- CMD [ARG…]
       rouse install inetd [OPTIONS] -- CMD [ARG…]
       rouse install dispatch [OPTIONS]

Puts a server under systemd or launchd, which hold its sockets and start it when somebody connects, also after a reboot.
Says what it wrote, where the site is, how to see its log, and how to undo it (rouse uninstall NAME).

    rouse install /srv/www                                  https://localhost:8443, with a certificate of its own
    rouse install --listen 443,http=80 --tls-cert www.pem --tls-key www.key /srv/www
    rouse install --user ~/site                             without root
    rouse install run --account root --listen 80 --idle-stop 10m -- nginx -g 'daemon off;'

The options of the command (rouse serve --help, rouse run --help …) may stand among these:
`

const installTail = `
exit codes: 0 done, 1 failed, 2 wrong command line, 77 rights are missing, 78 something is in the way or wrong.
`

// exitRights is EX_NOPERM of sysexits(3).
const exitRights = 77

// installSite is `rouse install`.
func installSite(c console) error {
	i, s := installOptions()
	command, rest, err := i.split(s, c.args)
	if errors.Is(err, pflag.ErrHelp) {
		_, err = io.WriteString(c.stdout, installHead+optionsHelp(s.documented())+installTail)
		return err
	}
	if err == nil {
		err = i.check()
	}
	if err != nil {
		return err
	}
	system, err := install.Here(i.User, os.Getenv)
	if err != nil {
		return installFailure(err)
	}
	site, err := i.site(command, rest, time.Now())
	if err != nil {
		return err
	}
	plan, err := install.Make(site, system)
	if err != nil {
		return installFailure(err)
	}
	if i.Print {
		return printPlan(c.stdout, plan)
	}
	plan.Notices = append(plan.Notices, install.Notices(site, system)...)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	problems := i.unforced(install.Check(ctx, site, plan, system))
	switch {
	case ctx.Err() != nil:
		return failure{exitFailed, fmt.Errorf("the installation was cut off (%w): nothing was changed", context.Cause(ctx))}
	case len(problems) > 0:
		return installFailure(problems...)
	}
	before, _ := install.LoadRecord(system, site.Name)
	result, err := i.apply(ctx, site, plan, system)
	if err != nil {
		return installFailure(err)
	}
	return i.describe(c.stdout, site, plan, before, result)
}

// apply installs the site, or only looks at what that would do.
func (i *installing) apply(ctx context.Context, site install.Site, plan install.Plan, system install.System) (install.Result, error) {
	if i.DryRun {
		return install.Preview(site, plan, system, i.Force)
	}
	return install.Apply(ctx, site, plan, system, install.ApplyOptions{Force: i.Force})
}

// unforced leaves out what --force goes ahead over.
func (i *installing) unforced(all []error) []error {
	return slices.DeleteFunc(all, func(err error) bool {
		p, ok := errors.AsType[install.Problem](err)
		return ok && p.InTheWay && i.Force
	})
}

// installFailure gives errors of package install their exit code: that of the first.
func installFailure(all ...error) error {
	code := exitFailed
	if p, ok := errors.AsType[install.Problem](all[0]); ok {
		switch {
		case p.Usage:
			code = exitUsage
		case p.Refused:
			code = exitRights
		default:
			code = exitConfig
		}
	}
	if errors.Is(all[0], install.ErrNone) {
		code = exitUsage
	}
	lines := make([]error, len(all))
	for i, err := range all {
		lines[i] = oneLine{err}
	}
	return failure{code, problems{errors.Join(lines...)}}
}

// oneLine is an error in one line, also where a name in it has a line break.
type oneLine struct{ error }

func (l oneLine) Error() string { return printable(l.error.Error()) }
func (l oneLine) Unwrap() error { return l.error }
