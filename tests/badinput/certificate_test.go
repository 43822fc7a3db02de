package badinput

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// noCertificate ends the message about a socket that is to speak https without one. It names the three ways to a certificate.
const noCertificate = " is to speak https and has no certificate: give --tls-cert and --tls-key (SERVER_TLS_CERT, SERVER_TLS_KEY), " +
	"or tls.crt and tls.key by systemd's LoadCredential=; only sockets that Rouse binds on loopback get a development certificate"

// write writes a file into a folder and returns its path.
func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A certificate that cannot be used must be known at the start, with the file's name, and not at the first handshake.
func TestCertificateFiles(t *testing.T) {
	cert, key, _ := program.KeyPair(t, t.TempDir())
	_, otherKey, _ := program.KeyPair(t, t.TempDir())
	dir := t.TempDir()
	text, empty := write(t, dir, "text", "hello\n", 0o600), write(t, dir, "empty", "", 0o600)
	secret := write(t, dir, "secret", "", 0)
	missing := filepath.Join(dir, "missing")
	q := func(path string) string { return `"` + path + `"` }
	pair := func(cert, key string) []string {
		return []string{"--host", "127.0.0.1", "--port", "0", "--root", dir, "--tls-cert", cert, "--tls-key", key}
	}
	noFile := func(kind, path string) string {
		return "read " + kind + " " + q(path) + ": no such file or directory; check the path, or put the file there"
	}
	const directory = ": it is a directory; name the PEM file in it"
	const noPEM = ": it is not a PEM file; convert DER and PKCS#12 files with openssl first"
	mismatch := "key " + q(otherKey) + " does not belong to the first certificate in " + q(cert) +
		"; use the key that the certificate was requested with, and put the server's own certificate before its issuers"
	unreadable := `: permission denied for uid \d+, on the file or a folder above it; let that user read it, or pass it with systemd's LoadCredential=`
	refused(t, []refusal{
		{name: "mismatch", args: pair(cert, otherKey), code: config, want: "--tls-key: " + mismatch},
		{name: "mismatch, by variables", args: pair(cert, otherKey)[:6], env: []string{"SERVER_TLS_CERT=" + cert, "SERVER_TLS_KEY=" + otherKey}, code: config, want: "SERVER_TLS_KEY: " + mismatch},
		{name: "no certificate file", args: pair(missing, key), code: config, want: "--tls-cert: " + noFile("certificate", missing)},
		{name: "no key file", args: pair(cert, missing), code: config, want: "--tls-key: " + noFile("key", missing)},
		{name: "certificate is a directory", args: pair(dir, key), code: config, want: "--tls-cert: read certificate " + q(dir) + directory},
		{name: "key is a directory", args: pair(cert, dir), code: config, want: "--tls-key: read key " + q(dir) + directory},
		{name: "certificate is not PEM", args: pair(text, key), code: config, want: "--tls-cert: read certificate " + q(text) + noPEM},
		{name: "key is not PEM", args: pair(cert, text), code: config, want: "--tls-key: read key " + q(text) + noPEM},
		{name: "certificate is empty", args: pair(empty, key), code: config, want: "--tls-cert: read certificate " + q(empty) + ": it is empty; install it again"},
		{name: "key as certificate", args: pair(key, cert), code: config, want: "--tls-cert: read certificate " + q(key) + `: no CERTIFICATE block in it, only ["PRIVATE KEY"]; name the PEM file with the certificate chain`},
		{name: "certificate as key", args: pair(cert, cert), code: config, want: "--tls-key: read key " + q(cert) + `: no PRIVATE KEY block in it, only ["CERTIFICATE"]; name the PEM file with the private key`},
		{name: "unreadable certificate", args: pair(secret, key), through: withoutCapabilities(t), code: config, pattern: "--tls-cert: read certificate " + q(secret) + unreadable},
		{name: "unreadable key", args: pair(cert, secret), through: withoutCapabilities(t), code: config, pattern: "--tls-key: read key " + q(secret) + unreadable},
	})
}

// A certificate without its key, or the other way round, must not be served in plain text.
func TestHalfACertificate(t *testing.T) {
	const both = ": TLS needs both"
	refused(t, []refusal{
		{name: "certificate", args: []string{"--port", "0", "--tls-cert", "c"}, code: usage, want: "--tls-cert is given without --tls-key" + both},
		{name: "key", args: []string{"--port", "0", "--tls-key", "k"}, code: usage, want: "--tls-key is given without --tls-cert" + both},
		{name: "certificate, by variable", args: []string{"--port", "0"}, env: []string{"SERVER_TLS_CERT=c"}, code: config, want: "SERVER_TLS_CERT is given without SERVER_TLS_KEY" + both},
		{name: "key, by variable", args: []string{"--port", "0"}, env: []string{"SERVER_TLS_KEY=k"}, code: config, want: "SERVER_TLS_KEY is given without SERVER_TLS_CERT" + both},
		{name: "certificate, old spelling", args: []string{"--port", "0", "--http2-tls-cert", "c"}, code: usage, want: "--http2-tls-cert is given without --http2-tls-key" + both},
		{name: "key, old spelling, by variable", args: []string{"--port", "0"}, env: []string{"SERVER_HTTP2_TLS_KEY=k"}, code: config, want: "SERVER_HTTP2_TLS_KEY is given without SERVER_HTTP2_TLS_CERT" + both},
		{name: "empty certificate", args: []string{"--port", "0", "--tls-cert", "", "--tls-key", "k"}, code: usage, want: "--tls-cert needs a value"},
		{name: "both empty", args: []string{"--port", "0", "--tls-cert", "", "--tls-key", ""}, code: usage, want: "--tls-cert needs a value (and 1 more: rouse check with the same options lists them)"},
	})
}

// An https socket without a certificate must stop the start, and the message must say where a certificate can come from.
func TestNoCertificate(t *testing.T) {
	listener, _ := program.Listener(t)
	files := []*os.File{listener}
	none, broken := t.TempDir(), t.TempDir()
	crt := write(t, broken, "tls.crt", "hello\n", 0o600)
	write(t, broken, "tls.key", "hello\n", 0o600)
	refused(t, []refusal{
		{name: "role of the name", files: files, listen: true, names: []string{"https"}, code: config, want: "systemd:https (descriptor 3)" + noCertificate},
		{name: "role of the address", args: []string{"--listen", "https=fd:3"}, files: files, code: config, want: "fd:3 (descriptor 3)" + noCertificate},
		{name: "--tls", args: []string{"--fd", "3", "--tls"}, files: files, code: config, want: "fd:3 (descriptor 3)" + noCertificate},
		{name: "SERVER_TLS", args: []string{"--fd", "3"}, env: []string{"SERVER_TLS=true"}, files: files, code: config, want: "fd:3 (descriptor 3)" + noCertificate},
		{name: "on stdin", args: []string{"-t"}, stdin: listener, code: config, want: "inetd: (descriptor 0)" + noCertificate},
		{name: "bound on all addresses", args: []string{"--port", "0", "--tls"}, code: config, want: "tcp:[::]:0" + noCertificate},
		{name: "a unix socket of ours", args: []string{"--listen", "https=unix:sock"}, code: config, want: "unix:sock" + noCertificate},
		{name: "a folder of credentials without any", args: []string{"--fd", "3", "-t"}, env: []string{"CREDENTIALS_DIRECTORY=" + none}, files: files, code: config, want: "fd:3 (descriptor 3)" + noCertificate},
		{name: "credentials that are none", args: []string{"--fd", "3"}, env: []string{"CREDENTIALS_DIRECTORY=" + broken}, files: files, code: config, want: `systemd's credentials: read certificate "` + crt + `": it is not a PEM file; convert DER and PKCS#12 files with openssl first`},
		{name: "redirect without TLS", args: []string{"--port", "0", "--https-redirect"}, code: usage, want: "--https-redirect needs TLS: add --tls with --tls-cert and --tls-key"},
		{name: "redirect without TLS, by variable", args: []string{"--port", "0"}, env: []string{"SERVER_HTTPS_REDIRECT=true"}, code: config, want: "SERVER_HTTPS_REDIRECT needs TLS: add --tls with --tls-cert and --tls-key"},
	})
}
