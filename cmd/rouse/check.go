package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check is `rouse check`, and serve with --check-config: it reads everything and opens nothing, tells of all that is wrong,
// and shows which options hold and where they come from.
func check(c console) error {
	s, rest, notices, problems := read(c)
	if s == nil {
		return problems[0]
	}
	if err := s.takeFolder(rest); err != nil {
		problems = append(problems, err)
	}
	more, _ := s.clone().checkSocketOptions()
	outOfReach, tooFew := s.foreseeOpenFiles()
	for _, text := range slices.Concat(notices, more, outOfReach, s.overridden()) {
		fmt.Fprintln(c.stderr, "rouse: "+printable(text))
	}
	problems = distinct(slices.Concat(problems, validate(s), foreseen(s), []error{tooFew}))
	switch len(problems) {
	case 0:
		return s.writeEffective(c.stdout)
	case 1:
		return failure{exitCode(problems), problems[0]}
	}
	for _, err := range problems {
		fmt.Fprintln(c.stderr, "rouse: "+printable(err.Error()))
	}
	return failure{exitCode(problems), fmt.Errorf("the configuration has %d problems", len(problems))}
}

// wantsCheck tells whether --check-config stands among the arguments of serve.
func wantsCheck(args []string) bool {
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--check-config") }) {
		return false
	}
	words, _, err := newSettings().parseFlags(args)
	return err == nil && slices.Contains(words, word{"check-config", "true"})
}

// exitCode is that of several problems: the command line alone is wrong only where nothing else is.
func exitCode(problems []error) int {
	for _, err := range problems {
		if f, ok := errors.AsType[failure](err); !ok || f.code != exitUsage {
			return exitConfig
		}
	}
	return exitUsage
}
