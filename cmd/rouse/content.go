package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/welcome"
)

// content is what the settings make of a site, and how people call it.
type content struct {
	site    *server.Site
	showing string
}

// makeContent opens everything that the settings name: folders, pages, passwords, rules.
func (s *settings) makeContent(of *site) (content, error) {
	material := server.Material{Untrusted: of.certificate.untrusted}
	made := content{}
	if _, err := os.Stat(s.Root); of.opened.bare && s.given["root"] == "" && errors.Is(err, fs.ErrNotExist) {
		material.Welcome, made.showing = welcome.Handler(of.welcomePage()), "the welcome page (there is no folder ./public here)"
	} else if err := s.checkRoot(); err != nil {
		return made, err
	} else if made.showing, err = filepath.Abs(s.Root); err != nil {
		made.showing = s.Root
	}
	if s.BasicAuthFile == "" {
		if path := credentialFile("htpasswd"); path != "" {
			s.BasicAuthFile, s.given["basic-auth-file"] = path, "systemd's credential htpasswd"
		}
	}
	var err error
	if made.site, err = of.server.NewSite(s.Config, material); err != nil {
		return made, joinProblems(s.optionErrors(err))
	}
	return made, nil
}

// optionErrors names the options that the server found wrong as the user spelled them.
func (s *settings) optionErrors(err error) (problems []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			problems = append(problems, s.optionErrors(one)...)
		}
		return problems
	}
	wrong, ok := errors.AsType[*server.OptionError](err)
	if !ok {
		return []error{err}
	}
	if strings.HasPrefix(wrong.Option, "advanced.") {
		return []error{s.wrong(wrong.Option, wrong.Cause)}
	}
	as := s.given[wrong.Option]
	if as == "" {
		as = "--" + wrong.Option
	}
	if strings.HasPrefix(as, "-") {
		return []error{usage("%s: %w", as, wrong.Cause)}
	}
	return []error{config("%s: %w", as, wrong.Cause)}
}

// joinProblems makes one error of several, on one line.
func joinProblems(problems []error) error {
	if len(problems) == 1 {
		return problems[0]
	}
	var texts []string
	for _, err := range problems {
		texts = append(texts, err.Error())
	}
	return failure{exitCode(problems), fmt.Errorf("%d options are wrong: %s", len(problems), strings.Join(texts, "; "))}
}

// untrusted tells of a request whether browsers do not know the certificate that it came under.
func (c credential) untrusted(r *http.Request) bool {
	if r.TLS == nil {
		return false
	}
	for _, one := range c.hosts {
		if found, ok := c.byName.Named.Find(r.TLS.ServerName); ok && found == one.store {
			return one.selfMade()
		}
	}
	return c.selfMade()
}
