package main

import (
	"fmt"
	"reflect"
	"slices"
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
	case server.Port:
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
