package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
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
    rouse install run --listen 80 --idle-stop 10m -- nginx -g 'daemon off;'

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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if problems := i.unforced(install.Check(ctx, site, plan, system)); len(problems) > 0 {
		return installFailure(problems...)
	}
	if i.DryRun {
		return i.describe(c.stdout, site, plan, nil)
	}
	result, err := install.Apply(ctx, site, plan, system, install.ApplyOptions{Force: i.Force})
	if err != nil {
		return installFailure(err)
	}
	return i.describe(c.stdout, site, plan, &result)
}

// unforced leaves out what --force goes ahead over.
func (i *installing) unforced(all []error) []error {
	return slices.DeleteFunc(all, func(err error) bool {
		p, ok := errors.AsType[install.Problem](err)
		return ok && p.InTheWay && i.Force
	})
}

// printPlan shows the files, each under its name. Secrets are not shown.
func printPlan(w io.Writer, plan install.Plan) error {
	var b strings.Builder
	for _, f := range plan.Files {
		fmt.Fprintf(&b, "==> %s (mode %04o) <==\n", f.Path, f.Mode)
		switch {
		case f.Secret:
			b.WriteString("(not shown)\n\n")
		default:
			b.Write(f.Text)
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// describe tells what was done, or, without a result, what would be: the files, the certificate, where the site is, and what one
// does next.
func (i *installing) describe(w io.Writer, site install.Site, plan install.Plan, result *install.Result) error {
	var lines []string
	if result == nil {
		for _, f := range plan.Files {
			lines = append(lines, "would write "+f.Path)
		}
		lines = append(lines, "would open "+strings.Join(slices.Concat(plan.Units.Sockets, plan.Units.Timers), ", "))
	} else {
		lines = append(lines, changes(site, *result)...)
	}
	for _, text := range append(bothFamilies(site), plan.Notices...) {
		lines = append(lines, "note:   "+text)
	}
	if result != nil && result.Chain != nil {
		lines = append(lines, describeChain(result.Chain))
	}
	for _, one := range site.Sockets {
		where := one.URL
		if where == "" {
			where = one.Name + " on " + strings.Join(one.Listen, ", ")
		}
		lines = append(lines, "site:   "+where)
	}
	status := "rouse status " + site.Name
	if i.User {
		status = "rouse status --user " + site.Name
	}
	lines = append(lines, "log:    "+plan.Log, "status: "+status, "undo:   "+plan.Undo)
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// changes are the files that are others than before.
func changes(site install.Site, r install.Result) (lines []string) {
	if r.Same {
		return []string{site.Name + " is installed like this already: nothing was changed"}
	}
	for _, path := range r.Written {
		lines = append(lines, "wrote   "+path)
	}
	for _, path := range r.Backups {
		lines = append(lines, "kept    "+path)
	}
	for _, path := range r.Removed {
		lines = append(lines, "removed "+path)
	}
	return lines
}

// bothFamilies tells of what a program has to do that gets a socket for each family of addresses.
func bothFamilies(site install.Site) []string {
	for _, one := range site.Sockets {
		if site.Command == "run" && !one.Datagram && len(one.Listen) == 2 && strings.Contains(one.Listen[1], "[") {
			return []string{fmt.Sprintf("clients of a socket that the program does not bind wait in vain (its log tells): if it binds IPv4 alone, install it with --listen %s", one.Listen[0])}
		}
	}
	return nil
}

// describeChain tells of a self-signed certificate what people compare in the browser's warning.
func describeChain(chain []byte) string {
	block, _ := pem.Decode(chain)
	if block == nil {
		return "certificate: it cannot be read"
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "certificate: " + err.Error()
	}
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprintf("certificate: self-signed, for %s, until %s; SHA-256 %s", strings.Join(names, ", "), leaf.NotAfter.Format(time.DateOnly), certificate.Fingerprint(leaf))
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
