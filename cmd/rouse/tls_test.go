package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/platform"
)

// credentials makes systemd's folder of credentials with these files.
func credentials(t testing.TB, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
}

// Whether sockets without a role speak TLS is what was said, and else whether there is a certificate: a user never gets clear
// text where a certificate was given.
func TestTLSOn(t *testing.T) {
	for _, c := range []struct {
		env, args  string
		credential string
		want       bool
	}{
		{"", "", "none", false},
		{"", "--tls", "none", true},
		{"SERVER_TLS=true", "", "none", true},
		{"SERVER_HTTP2_TLS=true", "", "none", true},
		{"", "--http2", "none", true},
		{"", "--tls-cert c --tls-key k", "none", true},
		{"", "--http2-tls-cert c --http2-tls-key k", "none", true},
		{"SERVER_TLS_CERT=c SERVER_TLS_KEY=k", "", "none", true},
		{"", "", "a certificate", true},
		{"", "", "\n", false}, // the shipped unit's stand-in
		{"", "", "", false},
		{"", "--tls=false --tls-cert c --tls-key k", "none", false},
		{"", "--tls=false", "a certificate", false},
		{"", "--http2=false --http2-tls-cert c --http2-tls-key k", "none", false}, // static-web-server 2's way to turn it off
		{"", "--http2=false --tls-cert c --tls-key k", "none", true},              // and 3's to turn HTTP/2 off
		{"SERVER_TLS=false", "--tls", "none", true},
	} {
		t.Run(c.env+" "+c.args+" "+c.credential, func(t *testing.T) {
			if c.credential != "none" {
				credentials(t, map[string]string{"tls.crt": c.credential})
			}
			if got := loaded(t, c.env, c.args).tlsOn(); got != c.want {
				t.Errorf("TLS: %t, want %t", got, c.want)
			}
		})
	}
}

// TLS options that contradict each other stop the start with a sentence that names them as the user wrote them.
func TestCheckTLS(t *testing.T) {
	for _, c := range []struct {
		env, args string
		code      int
		want      string
	}{
		{"", "", 0, ""},
		{"", "--tls-cert c --tls-key k", 0, ""},
		{"SERVER_TLS_CERT=c", "--tls-key k", 0, ""},
		{"", "--http2 --tls", 0, ""},
		{"", "--http2 --tls-cert c --tls-key k", 0, ""},
		{"", "--http2=false --tls=false", 0, ""},
		{"", "--tls-cert c", exitUsage, "--tls-cert is given without --tls-key"},
		{"", "--tls-key c", exitUsage, "--tls-key is given without --tls-cert"},
		{"", "--http2-tls-cert c", exitUsage, "--http2-tls-cert is given without --http2-tls-key"},
		{"", "--http2-tls-key c", exitUsage, "--http2-tls-key is given without --http2-tls-cert"},
		{"SERVER_TLS_CERT=c", "", exitConfig, "SERVER_TLS_CERT is given without SERVER_TLS_KEY"},
		{"SERVER_HTTP2_TLS_KEY=c", "", exitConfig, "SERVER_HTTP2_TLS_KEY is given without SERVER_HTTP2_TLS_CERT"},
		{"", "--http2 --tls=false", exitUsage, "--http2 needs TLS, and --tls turns it off"},
		{"SERVER_TLS=false", "--http2", exitConfig, "--http2 needs TLS, and SERVER_TLS turns it off"},
		{"", "--http2", exitUsage, "--http2 needs TLS, and there is no certificate"},
		{"SERVER_HTTP2=true", "", exitConfig, "SERVER_HTTP2 needs TLS"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			err := loaded(t, c.env, c.args).checkTLS()
			if c.code == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if f, ok := err.(failure); !ok || f.code != c.code || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %d, %s", err, c.code, c.want)
			}
		})
	}
	credentials(t, map[string]string{"tls.crt": "a certificate"})
	if err := loaded(t, "", "--http2").checkTLS(); err != nil {
		t.Errorf("--http2 with systemd's certificate: %v", err)
	}
}

// A development certificate is for the machine's own user only: for sockets that Rouse bound itself on loopback.
func TestOwnLoopback(t *testing.T) {
	for _, c := range []struct {
		socket served
		want   bool
	}{
		{at("https", platform.IPv4, "127.0.0.1:8443", -1), true},
		{at("https", platform.IPv6, "[::1]:8443", -1), true},
		{at("https", platform.IPv4, "127.8.9.1:8443", -1), true},
		{at("https", platform.IPv4, "127.0.0.1:8443", 3), false},
		{at("https", platform.IPv6, "[::]:8443", -1), false},
		{at("https", platform.IPv4, "0.0.0.0:8443", -1), false},
		{at("https", platform.IPv4, "192.0.2.1:8443", -1), false},
		{at("https", platform.Unix, "/run/x.sock", -1), false},
	} {
		if got := c.socket.ownLoopback(); got != c.want {
			t.Errorf("%+v, number %d: %t", c.socket.Info, c.socket.Number, got)
		}
		_, err := loaded(t, "SERVER_LOG_LEVEL=info XDG_STATE_HOME="+t.TempDir(), "").certificateFor([]served{c.socket})
		if (err == nil) != c.want {
			t.Errorf("%+v, number %d: certificate: %v", c.socket.Info, c.socket.Number, err)
		}
	}
	if got, err := loaded(t, "", "").certificateFor([]served{at("http", platform.IPv4, "192.0.2.1:80", 3)}); got.store != nil || err != nil {
		t.Errorf("a certificate for clear text: %+v, %v", got, err)
	}
}
