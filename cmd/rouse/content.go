package main

import (
	"cmp"
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
	var err error
	if of.opened.bare && s.lacksFolder() {
		material.Welcome, made.showing = welcome.Handler(of.welcomePage()), "the welcome page (there is no folder ./public here)"
	} else if made.showing, err = filepath.Abs(s.Root); err != nil {
		made.showing = s.Root
	}
	var problems []error
	made.site, problems = s.makeSite(of.server, material)
	return made, first(problems)
}

// lacksFolder tells that no root was named, and that the usual one is not there.
func (s *settings) lacksFolder() bool {
	_, err := os.Stat(s.Root)
	return s.given["root"] == "" && errors.Is(err, fs.ErrNotExist)
}

// makeSite makes what the server serves. The problems name the options as the user spelled them.
func (s *settings) makeSite(on *server.Server, m server.Material) (*server.Site, []error) {
	if s.BasicAuthFile == "" {
		if path := credentialPath("htpasswd"); path != "" { // also an empty one, which must not open the site
			s.BasicAuthFile, s.given["basic-auth-file"] = path, "systemd's credential htpasswd"
		}
	}
	site, err := on.NewSite(s.Config, m)
	return site, distinct(append(s.checkMemoryCache(), s.optionErrors(err)...)) // hosts share what is general
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
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	case s.refused[wrong.Option]:
		return nil // what stands there is no value at all, which was told
	}
	if missing := s.absent(wrong.Option); missing != nil {
		return []error{missing}
	}
	if strings.HasPrefix(wrong.Option, "advanced.") {
		return []error{s.wrong(wrong.Option, wrong.Cause)}
	}
	switch as := s.given[wrong.Option]; {
	case as == "":
		return []error{config("%s: %w", wrong.Option, wrong.Cause)} // its default
	case isFlag(as) && wrong.Option != "basic-auth-file": // what is in a file is not on the command line
		return []error{usage("%s: %w", as, wrong.Cause)}
	default:
		return []error{config("%s: %w", as, wrong.Cause)}
	}
}

// absent tells why the file or folder that an option names cannot be opened, if that is what is wrong.
func (s *settings) absent(option string) error {
	path, kind := s.fileOf(option)
	switch as := s.given[option]; {
	case path == "":
		return nil
	case option == "root":
		return s.checkRoot()
	case strings.HasPrefix(option, "advanced."):
		return present(s.place(option), path, kind)
	default:
		return present(cmp.Or(as, option), path, kind)
	}
}

// fileOf is what an option names that is to be there, and which kind that is; empty for other options.
func (s *settings) fileOf(option string) (path, kind string) {
	switch option {
	case "root":
		return s.Root, "folder"
	case "basic-auth-file":
		return s.BasicAuthFile, "file"
	case "maintenance-mode-file":
		return s.MaintenanceModeFile, "file"
	case "page-fallback":
		return s.FallbackPage, "file"
	case "page404":
		return belowRoot(s.Root, s.ErrorPage_404), "file"
	case "page50x":
		return belowRoot(s.Root, s.ErrorPage_50x), "file"
	}
	for i, host := range s.Advanced.VirtualHosts {
		root := cmp.Or(host.Root, s.Root)
		switch key, _ := strings.CutPrefix(option, fmt.Sprintf("advanced.virtual-hosts[%d].", i)); key {
		case "root":
			return host.Root, "folder"
		case "page-fallback":
			return host.PageFallback, "file"
		case "page404":
			return belowRoot(root, host.Page404), "file"
		case "page50x":
			return belowRoot(root, host.Page50x), "file"
		}
	}
	return "", ""
}

// belowRoot is where a page lies whose path is relative to the root.
func belowRoot(root, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
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
