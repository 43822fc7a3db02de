package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server"
)

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
