package main

import (
	"fmt"
	"strings"
	"testing"
)

// static-web-server takes `--tls false`; only a word that is exactly true or false belongs to the flag before it.
func TestJoinBooleans(t *testing.T) {
	takes := func(flag, word string) bool {
		return (flag == "--tls" || flag == "-t") && (word == "true" || word == "false")
	}
	for from, want := range map[string]string{
		"":                       "",
		"--tls":                  "--tls",
		"--tls false":            "--tls=false",
		"--tls true dir":         "--tls=true dir",
		"-t false":               "-t=false",
		"--tls dir":              "--tls dir",
		"--tls --tls false":      "--tls --tls=false",
		"--tls=true false":       "--tls=true false",
		"--port false":           "--port false",
		"--tls False":            "--tls False",
		"-- --tls false":         "-- --tls false",
		"--tls false -- -t true": "--tls=false -- -t true",
		"--tls true --tls false": "--tls=true --tls=false",
		"true --tls":             "true --tls",
	} {
		if got := strings.Join(joinBooleans(strings.Fields(from), takes), " "); got != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
}

// Whatever is true or false may be said in static-web-server's three ways, with the long and the short name.
func TestBooleanForms(t *testing.T) {
	for _, o := range defaults().options() {
		if !o.optional() || o.flag == "" || o.flag == "check-config" {
			continue
		}
		forms := map[string]string{"--X": "true", "--X=true": "true", "--X true": "true", "--X=false": "false", "--X false": "false"}
		if o.short != "" {
			for form, want := range map[string]string{"-x": "true", "-x=true": "true", "-x true": "true", "-x=false": "false", "-x false": "false"} {
				forms[form] = want
			}
		}
		for form, want := range forms {
			args := strings.NewReplacer("--X", "--"+o.flag, "-x", "-"+o.short).Replace(form)
			s, rest, _, err := load(console{args: append(strings.Fields(args), "folder")})
			if err != nil || len(rest) != 1 || s.find(t, o.name()).written() != want {
				t.Errorf("%s: %v, %q, want %s", args, err, rest, want)
			}
		}
	}
	for args, want := range map[string]string{"--etag content": "content", "--etag=content x": "content", "--etag x": "true", "--text-charset utf-8": "true", "--text-charset=utf-8": "true"} {
		s, _, _, err := load(console{args: strings.Fields(args)})
		if name := strings.FieldsFunc(args, func(r rune) bool { return r == '=' || r == ' ' })[0]; err != nil || s.find(t, name[2:]).written() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// --listen may be given several times; the first one replaces what SERVER_LISTEN said, as flags do.
func TestRepeatedListen(t *testing.T) {
	for _, c := range []struct{ variable, args, want string }{
		{"", "--listen fd:3", "fd:3"},
		{"", "--listen fd:3 --listen fd:4,fd:5", "fd:3 fd:4 fd:5"},
		{"fd:8 fd:9", "", "fd:8 fd:9"},
		{"fd:8,fd:9", "--listen fd:3", "fd:3"},
		{"fd:8", "--listen=fd:3 --listen=fd:4", "fd:3 fd:4"},
	} {
		set(t, "SERVER_LISTEN="+c.variable)
		s, _, _, err := load(console{args: strings.Fields(c.args)})
		if err != nil || s.Listen.String() != c.want {
			t.Errorf("%+v: %q, %v", c, s.Listen, err)
		}
	}
}

// static-web-server 2's names of the TLS options do what 3's do; both with different values are a mistake that is named,
// unless one is a flag, which wins.
func TestMergeSpellings(t *testing.T) {
	for _, c := range []struct {
		env, args string
		want      string // tls, certificate, key; or the error
		code      int
	}{
		{"", "--http2-tls-cert c --http2-tls-key k", "false c k", 0},
		{"SERVER_HTTP2_TLS=true SERVER_HTTP2_TLS_CERT=c SERVER_HTTP2_TLS_KEY=k", "", "true c k", 0},
		{"SERVER_HTTP2_TLS=false", "", "false  ", 0},
		{"SERVER_HTTP2_TLS_CERT=c SERVER_TLS_CERT=c", "", "false c ", 0},
		{"SERVER_HTTP2_TLS=true", "--tls", "true  ", 0},
		{"SERVER_HTTP2_TLS_CERT=c SERVER_TLS_CERT=d", "", "SERVER_HTTP2_TLS_CERT and SERVER_TLS_CERT", exitConfig},
		{"", "--http2-tls-key c --tls-key d", "--http2-tls-key and --tls-key", exitUsage},
		{"SERVER_TLS_KEY=c", "--http2-tls-key d", "false  d", 0},
		{"SERVER_HTTP2_TLS_KEY=c", "--tls-key d", "false  d", 0},
		{"SERVER_HTTP2_TLS=true SERVER_TLS=false", "", "SERVER_HTTP2_TLS and SERVER_TLS", exitConfig},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			set(t, strings.Fields(c.env)...)
			s, _, _, err := load(console{args: strings.Fields(c.args)})
			if c.code != 0 {
				if f, ok := err.(failure); !ok || f.code != c.code || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%t %s %s", s.TLS, s.TLSCert, s.TLSKey); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if s.saysNothing() {
				t.Error("it counts as nothing said about TLS")
			}
		})
	}
}
