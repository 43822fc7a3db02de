package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// password finds what SERVER_BASIC_AUTH is set to, in a file of variables and in a property list.
func password() *regexp.Regexp {
	return regexp.MustCompile(`(?m)(^SERVER_BASIC_AUTH=|<key>SERVER_BASIC_AUTH</key>\s*<string>)[^<\n]*(</string>)?`)
}

// printPlan shows the files, each under its name. Secrets are not shown: private keys, and hashes of passwords.
func printPlan(w io.Writer, plan install.Plan) error {
	var b strings.Builder
	for _, f := range plan.Files {
		fmt.Fprintf(&b, "==> %s (mode %04o) <==\n", f.Path, f.Mode)
		switch {
		case f.Secret:
			b.WriteString("(not shown)\n\n")
		default:
			b.Write(password().ReplaceAll(f.Text, []byte("${1}(not shown)${2}")))
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// describe tells what was done, or with --dry-run what would be: the files, the certificate, where the site is, and what one does
// next. before is what was installed under that name, if anything was.
func (i *installing) describe(w io.Writer, site install.Site, plan install.Plan, before install.Record, r install.Result) error {
	lines := slices.Concat(i.changes(site, before, r), notes(site, plan), where(site, r))
	status := "rouse status " + site.Name
	if i.User {
		status = "rouse status --user " + site.Name
	}
	for _, line := range append(lines, "log:    "+plan.Log, "status: "+status, "undo:   "+plan.Undo) {
		if _, err := fmt.Fprintln(w, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// changes are the files that are others than before, or would be.
func (i *installing) changes(site install.Site, before install.Record, r install.Result) (lines []string) {
	if r.Same {
		return []string{site.Name + " is installed like this already: no file is changed"}
	}
	if urls := strings.Join(before.URLs, " "); before.Name != "" && len(r.Written) > 0 {
		lines = append(lines, strings.TrimSpace("changes the site "+site.Name+", which was there before "+urls)+"; another name (--name) would keep both")
	}
	wrote, kept, removed := "wrote   ", "kept    ", "removed "
	if i.DryRun {
		wrote, kept, removed = "would write ", "would keep a copy of ", "would remove "
	}
	for _, path := range r.Backups {
		lines = append(lines, kept+path)
	}
	for _, path := range r.Written {
		lines = append(lines, wrote+path)
	}
	for _, path := range r.Removed {
		lines = append(lines, removed+path)
	}
	return lines
}

// notes are what people should know.
func notes(site install.Site, plan install.Plan) (lines []string) {
	for _, text := range append(bothFamilies(site), plan.Notices...) {
		lines = append(lines, "note:   "+text)
	}
	if slices.ContainsFunc(site.Credentials, func(c install.Credential) bool { return c.ID == "tls.crt" }) {
		lines = append(lines, fmt.Sprintf("note:   the service has a copy of the certificate, made when it starts; whatever renews the files has to say: systemctl try-restart %s", plan.Units.Service))
	}
	return lines
}

// where is what is served, and at which addresses.
func where(site install.Site, r install.Result) (lines []string) {
	if r.Chain != nil {
		lines = append(lines, describeChain(r.Chain))
	}
	for _, v := range site.Variables {
		if v.Name == "SERVER_ROOT" {
			lines = append(lines, "serves: "+v.Value)
		}
	}
	for _, one := range site.Sockets {
		at := one.URL
		if at == "" {
			at = one.Name + " on " + strings.Join(one.Listen, ", ")
		}
		lines = append(lines, "site:   "+at)
	}
	switch {
	case site.Command == "dispatch":
		lines = append(lines, "site:   the listeners of "+site.Words[1])
	case site.Boot:
		lines = append(lines, "site:   what the dispatcher gives it; it starts at boot, and registers there")
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
	return fmt.Sprintf("certificate: self-signed, for %s, until %s; SHA-256 %s", hostsOf(leaf), leaf.NotAfter.Format(time.DateOnly), certificate.Fingerprint(leaf))
}
