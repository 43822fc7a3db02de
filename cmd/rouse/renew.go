package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// restartLimit is how long a unit may take to restart.
const restartLimit = 90 * time.Second // as long as systemd gives a unit to start and stop (systemd-system.conf(5))

// renewCertificate is `rouse renew [NAME] [OPTIONS]`.
func renewCertificate(c console) error {
	r, s := renewOptions()
	names, err := s.readWords(c.args)
	if err == nil {
		err = r.check(names)
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return renewHelp(c)
	case err != nil:
		return err
	}
	system, err := install.Here(r.User, os.Getenv)
	if r.Directory != "" {
		return r.renewFolder(c, system, err)
	}
	if err != nil {
		return installFailure(err)
	}
	return r.renewSite(c, system, cmp.Or(append(names, "site")...))
}

// renewSite renews the certificate that `rouse install` made for a site.
func (r *renewing) renewSite(c console, system install.System, name string) error {
	record, err := install.LoadRecord(system, name)
	if err != nil {
		return installFailure(err)
	}
	renewed, err := r.renew(c, filepath.Join("/", system.Root, system.Paths(name).Site), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return config("%s has no certificate of Rouse's making: renew it where it comes from", name)
	}
	if err != nil || !renewed {
		return err
	}
	return restart(system, record.Units)
}

// renewFolder renews the pair in a folder, or makes it. unknown tells why nothing is known of the service manager.
func (r *renewing) renewFolder(c console, system install.System, unknown error) error {
	hosts := []string(r.HostName)
	if len(hosts) == 0 {
		machine, _ := os.Hostname() // without a name there are the others
		hosts = certificate.LocalHosts(machine)
	}
	renewed, err := r.renew(c, r.Directory, hosts)
	if err != nil || !renewed || r.Unit == "" {
		return err
	}
	if unknown != nil {
		return unknown
	}
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		_, err := fmt.Fprintf(c.stdout, "systemd does not run here, so %s need not be restarted\n", r.Unit) // sd_booted(3)
		return err
	}
	return restart(system, install.Units{Service: r.Unit})
}

// renew renews the pair in a folder, and tells of it.
func (r *renewing) renew(c console, dir string, hosts []string) (renewed bool, err error) {
	path := filepath.Join(dir, "tls.crt")
	_, missing := os.Lstat(path)
	renewed, leaf, err := certificate.RenewSelfSigned(dir, hosts, time.Duration(r.Within), time.Now())
	if errors.Is(err, fs.ErrPermission) && !r.User && os.Geteuid() != 0 {
		return false, failure{exitRights, fmt.Errorf("%w; renew it as root: sudo rouse renew", err)}
	} else if err != nil {
		return false, err
	}
	_, err = fmt.Fprintln(c.stdout, outcome(path, leaf, renewed, missing != nil))
	return renewed, err
}

// outcome is what people read of it.
func outcome(path string, leaf *x509.Certificate, renewed, missing bool) string {
	did := "is good"
	switch {
	case renewed && missing:
		did = "is made, for " + hostsOf(leaf) + ": good"
	case renewed:
		did = "is renewed, for " + hostsOf(leaf) + ": good"
	case !certificate.SelfSigned(leaf):
		did = "is not of Rouse's making, and stays as it is: good"
	}
	return fmt.Sprintf("%s %s until %s, SHA-256 %s", printable(path), did, leaf.NotAfter.Format(time.DateOnly), certificate.Fingerprint(leaf))
}

// hostsOf lists the names and addresses of a certificate.
func hostsOf(leaf *x509.Certificate) string {
	text := ""
	for _, name := range leaf.DNSNames {
		text += ", " + name
	}
	for _, address := range leaf.IPAddresses {
		text += ", " + address.String()
	}
	return text[min(2, len(text)):]
}

// restart has a service take its new certificate.
func restart(system install.System, units install.Units) error {
	ctx, cancel := context.WithTimeout(context.Background(), restartLimit)
	defer cancel()
	err := system.Manager.Ready(ctx)
	if err == nil {
		err = system.Manager.Restart(ctx, units)
	}
	if err != nil {
		return fmt.Errorf("the certificate is new, but %s serves with the old one until it starts again: %w", units.Service, err)
	}
	return nil
}

const renewHead = `usage: rouse renew [NAME] [OPTIONS]
       rouse renew --directory DIR [OPTIONS]

Renews the self-signed certificate that rouse install made for the site NAME (site) when it ends soon, with the same
names and the same key, and has a running server take it. A timer does that each week. A certificate that Rouse did not
make is left as it is.

options:
`

const renewTail = `
exit codes: 0 renewed, or good for longer; 1 failed, 2 wrong command line, 77 not allowed, 78 wrong configuration.
`

// renewHelp prints the options of `rouse renew`.
func renewHelp(c console) error {
	_, s := renewOptions()
	_, err := io.WriteString(c.stdout, renewHead+optionsHelp(s.documented())+renewTail)
	return err
}
