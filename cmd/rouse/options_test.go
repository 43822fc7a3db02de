package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/server"
)

// sample is a value that may be written for an option and that is no option's default, and another one.
func sample(t testing.TB, o option) (one, other string) {
	t.Helper()
	switch o.field.Interface().(type) {
	case bool:
		return "true", "false"
	case string:
		return "x.pem", "y.pem"
	case uint16:
		return "4711", "65535"
	case server.Addresses:
		return "https=fd:9", "fd:8"
	case server.Number:
		return "7", "0"
	case server.Duration:
		return "77s", "1h"
	case server.Seconds:
		return "9", "255"
	case server.List:
		return "a.html,b.html", "c.html"
	case server.Host:
		return "h.example", "::1"
	case server.Hosts:
		return "a.example,b.example", "c.example"
	case server.LogLevel:
		return "debug", "warn"
	case server.LogFormat:
		return "json", "logfmt"
	}
	t.Fatalf("%s is a %s: a new kind of option: say here what may be written for it", o.name(), o.field.Type())
	return "", ""
}

// written is an option's value as one would write it.
func (o option) written() string {
	if s, ok := o.field.Addr().Interface().(interface{ String() string }); ok {
		return s.String()
	}
	return fmt.Sprint(o.field.Interface())
}

// normal is how a text for the option is written back.
func (o option) normal(t testing.TB, text string) string {
	t.Helper()
	fresh := option{field: reflect.New(o.field.Type()).Elem()}
	if s, ok := fresh.field.Addr().Interface().(interface{ Set(string) error }); ok {
		if err := s.Set(text); err != nil {
			t.Fatalf("%s: sample %q: %v", o.name(), text, err)
		}
		return fresh.written()
	}
	return text
}

// defaults is settings that nothing was read into.
func defaults() *settings { return &settings{Config: server.Default(), given: map[string]string{}} }

// find returns the settings' option of that name.
func (s *settings) find(t testing.TB, name string) option {
	t.Helper()
	for _, o := range s.options() {
		if o.name() == name {
			return o
		}
	}
	t.Fatalf("there is no option %s", name)
	return option{}
}

// Every option can be given as a flag and as a variable and stands in the help; the only exceptions are static-web-server's
// other spellings.
func TestOptionsAreComplete(t *testing.T) {
	withoutFlag := []string{"SERVER_HTTP2_TLS"} // there it is --http2 that turns TLS on
	seen := map[string]bool{}
	unique := func(kind, name string) {
		if seen[kind+name] {
			t.Errorf("%s %s is there twice", kind, name)
		}
		seen[kind+name] = true
	}
	s := defaults()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	names := map[string]bool{}
	for _, o := range s.options() {
		unique("variable", o.variable)
		names[o.flag] = true
		if o.flag == "" {
			if !slices.Contains(withoutFlag, o.variable) {
				t.Errorf("%s has no flag", o.variable)
			}
			continue
		}
		unique("flag", o.flag)
		if o.short != "" {
			unique("short flag", o.short)
		}
		if len(o.short) > 1 {
			t.Errorf("--%s: %q is no letter", o.flag, o.short)
		}
		if o.help == "" && o.means == "" {
			t.Errorf("--%s has no help", o.flag)
		}
		if takes := o.field.Kind() != reflect.Bool; takes != (o.arg != "") {
			t.Errorf("--%s takes a value: %t, and the help says %q", o.flag, takes, o.arg)
		}
		if o.add(flags); flags.Lookup(o.flag) == nil {
			t.Errorf("--%s is no flag: add does not know its type %s", o.flag, o.field.Type())
		}
	}
	for _, o := range s.options() {
		if o.means != "" && !names[o.means] {
			t.Errorf("%s means --%s, which is not there", o.name(), o.means)
		}
	}
}

// static-web-server's users find its names: flags, letters and variables, those of both its majors.
func TestOptionNames(t *testing.T) {
	letters, variables := map[string]string{}, map[string]string{}
	for _, o := range defaults().options() {
		letters[o.flag], variables[o.flag] = o.short, o.variable
	}
	for _, c := range []struct{ flag, short, variable string }{
		{"root", "d", "SERVER_ROOT"}, {"host", "a", "SERVER_HOST"}, {"port", "p", "SERVER_PORT"}, {"fd", "f", "SERVER_LISTEN_FD"},
		{"tls", "t", "SERVER_TLS"}, {"http2", "", "SERVER_HTTP2"}, {"tls-cert", "", "SERVER_TLS_CERT"}, {"tls-key", "", "SERVER_TLS_KEY"},
		{"http2-tls-cert", "", "SERVER_HTTP2_TLS_CERT"}, {"http2-tls-key", "", "SERVER_HTTP2_TLS_KEY"}, {"", "", "SERVER_HTTP2_TLS"},
		{"https-redirect", "", "SERVER_HTTPS_REDIRECT"}, {"https-redirect-host", "", "SERVER_HTTPS_REDIRECT_HOST"},
		{"https-redirect-from-port", "", "SERVER_HTTPS_REDIRECT_FROM_PORT"}, {"https-redirect-from-hosts", "", "SERVER_HTTPS_REDIRECT_FROM_HOSTS"},
		{"index-files", "", "SERVER_INDEX_FILES"}, {"log-level", "g", "SERVER_LOG_LEVEL"}, {"log-format", "", "SERVER_LOG_FORMAT"}, {"grace-period", "q", "SERVER_GRACE_PERIOD"},
		{"listen", "", "SERVER_LISTEN"}, {"drain-timeout", "", "SERVER_DRAIN_TIMEOUT"}, {"idle-exit", "", "SERVER_IDLE_EXIT"},
		{"tls-handshake-timeout", "", "SERVER_TLS_HANDSHAKE_TIMEOUT"}, {"client-header-timeout", "", "SERVER_CLIENT_HEADER_TIMEOUT"},
		{"client-body-timeout", "", "SERVER_CLIENT_BODY_TIMEOUT"}, {"keepalive-timeout", "", "SERVER_KEEPALIVE_TIMEOUT"}, {"send-timeout", "", "SERVER_SEND_TIMEOUT"},
	} {
		if variables[c.flag] != c.variable || letters[c.flag] != c.short {
			t.Errorf("--%s: -%s, %s; want -%s, %s", c.flag, letters[c.flag], variables[c.flag], c.short, c.variable)
		}
		delete(variables, c.flag)
	}
	for flag, variable := range variables {
		t.Errorf("--%s (%s) is new: add it to this table when its name is meant to stay", flag, variable)
	}
}

// The variable that messages, help and notices name for an option is the one that envconfig reads: where the two drift apart
// a documented variable does nothing.
func TestVariablesAreRead(t *testing.T) {
	for _, o := range defaults().options() {
		t.Run(o.variable, func(t *testing.T) {
			text, _ := sample(t, o)
			set(t, o.variable+"="+text)
			s := defaults()
			notices, err := s.readVariables([]string{o.variable + "=" + text})
			if err != nil || len(notices) > 0 {
				t.Fatalf("%q, %v", notices, err)
			}
			if got := s.find(t, o.name()).written(); got != o.normal(t, text) {
				t.Errorf("set to %s it is %s", text, got)
			}
			if len(s.given) != 1 || s.given[o.name()] != o.variable {
				t.Errorf("given: %q", s.given)
			}
			for _, other := range s.options() {
				if before := defaults().find(t, other.name()).written(); other.name() != o.name() && other.written() != before {
					t.Errorf("it changes --%s from %s to %s", other.flag, before, other.written())
				}
			}
		})
	}
}

// A flag wins over its variable, and that over the default, for every option alike.
func TestPrecedence(t *testing.T) {
	for _, o := range defaults().options() {
		if o.flag == "" {
			continue
		}
		t.Run(o.flag, func(t *testing.T) {
			one, other := sample(t, o)
			set(t, o.variable+"="+one)
			for _, args := range [][]string{{"--" + o.flag + "=" + other}, {"--" + o.flag, other}, {"-" + o.short, other}, {"-" + o.short + other}} {
				if args[0] == "-" || o.short == "" && !strings.HasPrefix(args[0], "--") || o.field.Kind() == reflect.Bool && args[0] == "-"+o.short+other {
					continue
				}
				s := defaults()
				if _, err := s.readVariables(nil); err != nil {
					t.Fatal(err)
				}
				if rest, err := s.readFlags(args); err != nil || len(rest) > 0 {
					t.Fatalf("%q: %q, %v", args, rest, err)
				}
				if got := s.find(t, o.flag).written(); got != o.normal(t, other) {
					t.Errorf("%q over %s=%s gives %s", args, o.variable, one, got)
				}
				if s.given[o.flag] != "--"+o.flag {
					t.Errorf("%q is said to be given as %s", args, s.given[o.flag])
				}
			}
			s := defaults()
			if _, err := s.readVariables(nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.readFlags(nil); err != nil || s.find(t, o.flag).written() != o.normal(t, one) || s.given[o.flag] != o.variable {
				t.Errorf("without flag it is %s, given as %s, %v", s.find(t, o.flag).written(), s.given[o.flag], err)
			}
		})
	}
}

// A line of an environment file that was left blank changes nothing and counts as nothing.
func TestBlankVariables(t *testing.T) {
	var entries []string
	for _, o := range defaults().options() {
		entries = append(entries, o.variable+"=")
	}
	set(t, entries...)
	s, _, notices, err := load(console{env: entries})
	if err != nil || len(notices) > 0 || len(s.given) > 0 {
		t.Fatalf("%q, %q, %v", s.given, notices, err)
	}
	for _, o := range s.options() {
		if before := defaults().find(t, o.name()).written(); o.written() != before {
			t.Errorf("%s is %q, was %q", o.variable, o.written(), before)
		}
	}
	if !s.saysNothing() {
		t.Error("blank variables end bare mode")
	}
}

// static-web-server takes `--tls false`; only a word that is exactly true or false belongs to the flag before it.
func TestJoinBooleans(t *testing.T) {
	booleans := []string{"--tls", "-t"}
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
		if got := strings.Join(joinBooleans(strings.Fields(from), booleans), " "); got != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
	for _, args := range []string{"--tls false", "-t false", "--tls=false", "-t=false"} {
		s := defaults()
		s.TLS = true
		if rest, err := s.readFlags(strings.Fields(args)); err != nil || s.TLS || len(rest) > 0 {
			t.Errorf("%s: TLS %t, %q, %v", args, s.TLS, rest, err)
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

// static-web-server 2's names of the TLS options do what 3's do; both with different values are a mistake that is named.
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
		{"SERVER_TLS_KEY=c", "--http2-tls-key d", "--http2-tls-key and SERVER_TLS_KEY", exitConfig},
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

// A misspelt variable does nothing, and is said to; those of other programs that begin alike are let be.
func TestUnknownVariables(t *testing.T) {
	known := []string{"SERVER_ROOT", "SERVER_PORT", "SERVER_TLS_CERT"}
	for entry, want := range map[string]string{
		"SERVER_PROT=80":            "SERVER_PROT is not a variable of Rouse and is ignored (did you mean SERVER_PORT?)",
		"SERVER_TLS_CRET=x":         "did you mean SERVER_TLS_CERT?",
		"SERVER_SOMETHING_ELSE=1":   "SERVER_SOMETHING_ELSE is not a variable of Rouse and is ignored",
		"SERVER_=1":                 "SERVER_ is not a variable",
		"server_port=1":             "",
		"SERVERPORT=1":              "",
		"MY_SERVER_PROT=1":          "",
		"SERVER_PORT=1":             "",
		"SERVER_STARTER_PORT=80=3":  "",
		"SERVER_STARTER_GENERATION": "",
		"SERVER_NAME=x":             "",
		"SERVER_SOFTWARE=x":         "",
		"SERVER_PROTOCOL=x":         "",
		"SERVER_ADDR=x":             "",
	} {
		got := strings.Join(unknownVariables([]string{"PATH=/bin", entry}, known), "|")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", entry, got, want)
		}
	}
	if got := unknownVariables([]string{"SERVER_SOMETHING_ELSE=1"}, known); strings.Contains(got[0], "did you mean") {
		t.Errorf("far from everything: %q", got)
	}
}

// A wrong value is named with its option, and what may stand there, in whatever way it was given.
func TestWrongValues(t *testing.T) {
	wrong := map[reflect.Kind][]string{
		reflect.Bool:   {"yes", "on", "2"},
		reflect.Uint16: {"-1", "65536", "http", "80.0"},
	}
	for _, o := range defaults().options() {
		values := wrong[o.field.Kind()]
		switch o.field.Interface().(type) {
		case server.Duration:
			values = []string{"-1s", "1d", "soon"}
		case server.Number:
			values = []string{"-1", "x", "99999999999"}
		case server.Seconds:
			values = []string{"-1", "256", "1s"}
		case server.LogLevel, server.LogFormat:
			values = []string{"loud"}
		case server.Host, server.Hosts:
			values = []string{"a b", "http://x"}
		}
		for _, value := range values {
			t.Setenv(o.variable, value)
			_, _, _, err := load(console{})
			if f, ok := err.(failure); !ok || f.code != exitConfig || !strings.HasPrefix(err.Error(), o.variable+"="+value+": not ") && !strings.HasPrefix(err.Error(), o.variable+"="+value+": ") {
				t.Errorf("%s=%s: %v", o.variable, value, err)
			}
			os.Unsetenv(o.variable)
			if o.flag == "" {
				continue
			}
			_, _, _, err = load(console{args: []string{"--" + o.flag + "=" + value}})
			if f, ok := err.(failure); !ok || f.code != exitUsage || !strings.HasPrefix(err.Error(), "--"+o.flag+" "+value+": ") {
				t.Errorf("--%s=%s: %v", o.flag, value, err)
			}
		}
	}
}
