package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// inFolder runs a package's script on a folder in place of "/", with those programs alone that every machine has. Of others there
// are stand-ins that do nothing.
func inFolder(t *testing.T, root, script string, args ...string) string {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	for _, name := range []string{"sed", "base64", "od", "tr", "tail", "grep", "rm", "rmdir", "dirname", "install", "cmp"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(programs, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rouse", "deb-systemd-helper", "deb-systemd-invoke", "systemctl"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var pairs []string
	for _, folder := range []string{"/etc/", "/var/", "/run/", "/usr/share/"} {
		pairs = append(pairs, "="+folder, "="+folder, folder, root+folder) // SERVER_ROOT=/var/www/html stands in a file
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", strings.NewReplacer(pairs...).Replace(string(text)), "script"}, args...)...)
	command.Env = []string{"PATH=" + programs}
	said, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", script, args, err, said)
	}
	return string(said)
}

// pairOf is a self-signed certificate of an organization, with its key.
func pairOf(t *testing.T, organization string) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{organization}}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", inside)
}

// A purge takes the pair that Rouse made, and never a key of somebody's own.
func TestPurgeOfCertificates(t *testing.T) {
	chain, key := pairOf(t, "Rouse self-signed certificate")
	foreignChain, foreignKey := pairOf(t, "Example")
	for name, test := range map[string]struct {
		files map[string]string
		left  []string
	}{
		"nothing":            {nil, nil},
		"Rouse's":            {map[string]string{"tls.crt": chain, "tls.key": key}, nil},
		"cut short":          {map[string]string{"tls.crt.new": chain, "tls.key": key}, nil},
		"cut short earlier":  {map[string]string{"tls.crt.new": chain, "tls.key.new": key}, nil},
		"a renewal cut":      {map[string]string{"tls.crt.new": chain, "tls.crt": chain, "tls.key": key}, nil},
		"without its key":    {map[string]string{"tls.crt": chain}, nil},
		"a key that waits":   {map[string]string{"tls.key": foreignKey}, []string{"tls.key"}},
		"a key that waits 2": {map[string]string{"tls.crt": chain, "tls.key": foreignKey}, []string{"tls.crt", "tls.key"}},
		"a key that waits 3": {map[string]string{"tls.crt": chain, "tls.key": key, "tls.key.new": foreignKey}, []string{"tls.key.new"}},
		"no key":             {map[string]string{"tls.crt": chain, "tls.key": ""}, []string{"tls.crt", "tls.key"}},
		"somebody's":         {map[string]string{"tls.crt": foreignChain, "tls.key": foreignKey}, []string{"tls.crt", "tls.key"}},
	} {
		for script, argument := range map[string]string{"debian/postrm.sh": "purge", "rpm/postun.sh": "0"} {
			t.Run(name+", "+script, func(t *testing.T) {
				root := t.TempDir()
				folder := filepath.Join(root, "etc", "rouse")
				if err := os.MkdirAll(folder, 0o755); err != nil {
					t.Fatal(err)
				}
				for file, text := range test.files {
					if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				inFolder(t, root, script, argument)
				entries, _ := os.ReadDir(folder)
				var left []string
				for _, entry := range entries {
					left = append(left, entry.Name())
				}
				if !slices.Equal(left, test.left) {
					t.Errorf("left are %q, want %q", left, test.left)
				}
				if _, err := os.Stat(folder); (err == nil) != (test.left != nil) {
					t.Errorf("the folder: %v", err)
				}
			})
		}
	}
}

// The page is there where nothing was, and nowhere does it keep the package from being installed.
func TestInstallationOfThePage(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(root string) error
		page    bool
		said    string
	}{
		"nothing there":            {func(string) error { return nil }, true, ""},
		"a link to nothing":        {func(root string) error { return os.Symlink("/nowhere", filepath.Join(root, "var/www/html")) }, false, ""},
		"no folder to put it in":   {func(root string) error { return os.Remove(filepath.Join(root, "usr/share/rouse/index.html")) }, false, "there is no page"},
		"a file where it is to be": {func(root string) error { return os.WriteFile(filepath.Join(root, "var/www/html"), nil, 0o644) }, false, ""},
	} {
		for script, argument := range map[string]string{"debian/postinst.sh": "configure", "rpm/post.sh": "1"} {
			t.Run(name+", "+script, func(t *testing.T) {
				root := t.TempDir()
				for path, text := range map[string]string{"usr/share/rouse/index.html": "<h1>", "etc/rouse/rouse.env": "SERVER_ROOT=/var/www/html\n", "var/www/.keep": ""} {
					path = filepath.Join(root, path)
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if err := test.prepare(root); err != nil {
					t.Fatal(err)
				}
				said := inFolder(t, root, script, argument)
				if _, err := os.Stat(filepath.Join(root, "var/www/html/index.html")); (err == nil) != test.page || !strings.Contains(said, test.said) {
					t.Errorf("page: %v; said %q", err, said)
				}
			})
		}
	}
}
