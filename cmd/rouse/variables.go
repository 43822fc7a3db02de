package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"github.com/rouse-server/rouse/activation/route/spelling"
)

// readVariables lets envconfig fill the fields. A variable that is set to nothing counts as not set: lines of environment
// files are often left blank. It is unset for envconfig, which takes it for a value. Where none is set envconfig is not asked:
// it matches a regular expression on each field's name, more than half a millisecond of a start in all.
func (s *settings) readVariables(env []string) *layer {
	l := newLayer()
	var known []string
	for _, o := range s.options() {
		if o.variable == "" {
			continue
		}
		known = append(known, o.variable)
		value, set := os.LookupEnv(o.variable)
		if !set {
			continue
		}
		if value == "" {
			os.Unsetenv(o.variable)
			continue
		}
		if err := o.accepts(value); err != nil {
			l.problems = append(l.problems, config("%s=%s: %w", o.variable, value, err))
			continue
		}
		l.given[o.name()] = o.variable
		s.said[o.variable] = o.variable + "=" + value
		if o.secret() {
			s.said[o.variable] = o.variable
		}
	}
	l.notices = unknownVariables(env, known)
	switch {
	case len(l.problems) > 0: // envconfig would stop at the first of them
		for _, o := range s.options() {
			if l.given[o.name()] != "" {
				o.set(os.Getenv(o.variable))
			}
		}
	case len(l.given) > 0:
		if err := envconfig.Process("server", s); err != nil {
			l.problems = append(l.problems, config("%w", err))
		}
	}
	s.adopt(l)
	return l
}

// unknownVariables names variables that look like options and are none. Those of activation protocols and of CGI
// (RFC 3875 §4.1), which other programs may have set, are let be.
func unknownVariables(env, known []string) (notices []string) {
	others := []string{"SERVER_STARTER_PORT", "SERVER_STARTER_GENERATION", "SERVER_NAME", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SERVER_ADDR", "SERVER_ADMIN", "SERVER_SIGNATURE"}
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SERVER_") && !slices.Contains(known, name) && !slices.Contains(others, name) {
			notices = append(notices, fmt.Sprintf("%s is not a variable of Rouse and is ignored%s", name, spelling.Suggestion(name, known)))
		}
	}
	return notices
}
