package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/certificate"
)

func TestRenewRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"a b":                             {exitUsage, "leave b out"},
		"a --directory d":                 {exitUsage, "exclude each other"},
		"--unit x.service":                {exitUsage, "--unit is for --directory"},
		"--host-name a":                   {exitUsage, "--host-name is for --directory"},
		"--within -5s":                    {exitUsage, "--within"},
		"--within soon":                   {exitUsage, "--within soon"},
		"--direktory d":                   {exitUsage, "did you mean --directory?"},
		"--directory " + missing:          {exitFailed, "no such file or directory"},
		"--directory . --host-name a/b":   {exitFailed, "neither a DNS name nor an IP address"},
		"--directory . --within 10000h":   {exitFailed, "shorter time"},
		"--directory . no-such-site-here": {exitUsage, "exclude each other"},
	} {
		t.Chdir(t.TempDir())
		code, out, errs := rouse(t, nil, append([]string{"renew"}, strings.Fields(args)...)...)
		if code != want.code || out != "" || !strings.Contains(errs, want.text) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: %d, %s%s", args, code, out, errs)
		}
	}
}

// A package's certificate: made where there is none, then good, and one of the administrator's own stays.
func TestRenewInAFolder(t *testing.T) {
	dir := t.TempDir()
	renew := func(wants ...string) {
		t.Helper()
		code, out, errs := rouse(t, nil, "renew", "--host-name", "www.example.com", "--directory", dir)
		if code != exitOK || errs != "" || strings.Count(out, "\n") != 1 {
			t.Errorf("%d, %q, %s", code, out, errs)
		}
		expectWords(t, "renew", out, append(wants, filepath.Join(dir, "tls.crt"), "SHA-256 ", "until 20")...)
	}
	renew("is made, for www.example.com: good")
	renew("is good until")

	past := time.Now().Add(-390 * 24 * time.Hour)
	os.Remove(filepath.Join(dir, "tls.crt"))
	os.Remove(filepath.Join(dir, "tls.key"))
	if _, _, err := certificate.RenewSelfSigned(dir, []string{"old.example"}, 0, past); err != nil {
		t.Fatal(err)
	}
	lasting, _ := os.ReadFile(filepath.Join(dir, "tls.key"))
	renew("is renewed, for old.example: good")
	if now, err := os.ReadFile(filepath.Join(dir, "tls.key")); err != nil || !bytes.Equal(now, lasting) {
		t.Errorf("another key, %v", err)
	}

	development, err := certificate.OpenDevelopment(t.TempDir(), past)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(development.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	renew("is not of Rouse's making, and stays as it is")
}

// managed is a service manager that knows how to restart.
type managed struct {
	install.Manager
	restarted []string
	failing   error
}

func (m *managed) Ready(context.Context) error { return m.failing }

func (m *managed) Restart(_ context.Context, u install.Units) error {
	m.restarted = append(m.restarted, u.Service)
	return nil
}

// installedSite writes what `rouse install` leaves of a site, with a certificate made at that time unless it is zero.
func installedSite(t *testing.T, made time.Time) (install.System, *managed) {
	t.Helper()
	manager := &managed{}
	system := install.System{OS: "linux", Root: t.TempDir(), Getenv: os.Getenv, Manager: manager}
	paths := system.Paths("blog")
	dir := filepath.Join(system.Root, paths.Site)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(install.Record{Name: "blog", Command: "serve", State: "installed", Units: install.Units{Service: "rouse-blog.service"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(system.Root, paths.Record), record, 0o644); err != nil {
		t.Fatal(err)
	}
	if !made.IsZero() {
		if _, _, err := certificate.RenewSelfSigned(dir, []string{"blog.example"}, 0, made); err != nil {
			t.Fatal(err)
		}
	}
	return system, manager
}

// The service of a site restarts when its certificate was renewed, and only then.
func TestRenewASite(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		made    time.Time
		failing error
		wants   []string // of the output or the error
		restart bool
	}{
		"good":           {time.Now().Add(-100 * day), nil, []string{"is good until"}, false},
		"ends soon":      {time.Now().Add(-380 * day), nil, []string{"is renewed, for blog.example"}, true},
		"no certificate": {time.Time{}, nil, []string{"blog has no certificate of Rouse's making"}, false},
		"no manager":     {time.Now().Add(-380 * day), errors.New("no bus"), []string{"is renewed", "rouse-blog.service", "the old one", "no bus"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			system, manager := installedSite(t, c.made)
			manager.failing = c.failing
			r, _ := renewOptions()
			var out output
			err := r.renewSite(console{stdout: &out}, system, "blog")
			text := out.String()
			if err != nil {
				text += err.Error()
			}
			expectWords(t, name, text, c.wants...)
			if (err != nil) != (c.failing != nil || c.made.IsZero()) || slices.Equal(manager.restarted, []string{"rouse-blog.service"}) != c.restart {
				t.Errorf("%v, restarted %q", err, manager.restarted)
			}
		})
	}
	system, _ := installedSite(t, time.Time{})
	r, _ := renewOptions()
	if err := r.renewSite(console{}, system, "wiki"); !errors.Is(err, install.ErrNone) {
		t.Errorf("a site that is not there: %v", err)
	}
}

// A package's script names the unit; where no systemd runs, as in a chroot, nothing is to be restarted.
func TestRenewWithAUnit(t *testing.T) {
	manager := &managed{}
	r := &renewing{Directory: t.TempDir(), Unit: "rouse.service", Within: server.Duration(time.Hour)}
	var out output
	if err := r.renewFolder(console{stdout: &out}, install.System{Manager: manager}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := os.Stat("/run/systemd/system")
	if booted := err == nil; booted != (len(manager.restarted) == 1) || booted == strings.Contains(out.String(), "systemd does not run here") {
		t.Errorf("restarted %q: %s", manager.restarted, out.String())
	}
	if err := r.renewFolder(console{stdout: &out}, install.System{}, errors.New("not asked")); err != nil {
		t.Errorf("a good certificate: %v", err)
	}
}
