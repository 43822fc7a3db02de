package main

import (
	"strings"
	"testing"
)

// The variable that messages, help and notices name for an option is the one that envconfig reads: where the two drift apart
// a documented variable does nothing.
func TestVariablesAreRead(t *testing.T) {
	for _, o := range defaults().options() {
		if o.variable == "" {
			continue
		}
		t.Run(o.variable, func(t *testing.T) {
			text, _ := sample(t, o)
			set(t, o.variable+"="+text)
			s := defaults()
			l := s.readVariables([]string{o.variable + "=" + text})
			if len(l.problems) > 0 || len(l.notices) > 0 {
				t.Fatalf("%q, %v", l.notices, l.problems)
			}
			if got := s.find(t, o.name()).written(); got != o.normal(t, text) {
				t.Errorf("set to %s it is %s", text, got)
			}
			means := strings.TrimPrefix(o.means, "!")
			for name, as := range s.given {
				if as != o.variable || name != o.name() && name != means {
					t.Errorf("given: %q", s.given)
				}
			}
			for _, other := range s.options() {
				if before := defaults().find(t, other.name()).written(); other.name() != o.name() && other.name() != means && other.written() != before {
					t.Errorf("it changes --%s from %s to %s", other.flag, before, other.written())
				}
			}
		})
	}
}

// A line of an environment file that was left blank changes nothing and counts as nothing.
func TestBlankVariables(t *testing.T) {
	var entries []string
	for _, o := range defaults().options() {
		if o.variable != "" {
			entries = append(entries, o.variable+"=")
		}
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
