package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"

	"github.com/rouse-server/rouse/server/hostname"
	"github.com/rouse-server/rouse/server/password"
	"github.com/rouse-server/rouse/server/rules"
)

// Site is a configuration made ready to serve: what happens to requests, and the hosts that answer them. It does not
// change; a reload makes another one.
type Site struct {
	config    Config
	links     []link // outermost first
	content   http.Handler
	untrusted func(*http.Request) bool // as in Material
	fail      refusal
}

// refusal answers a request with an error page.
type refusal func(w http.ResponseWriter, r *http.Request, status int)

// Material is what a site is made of beside its configuration.
type Material struct {
	Welcome   http.Handler             // answers in the place of the root's files; nil: they do
	Untrusted func(*http.Request) bool // tells of a request over TLS that browsers do not know its certificate; nil: they do
}

// OptionError says that an option's value cannot be used. The program knows how the user spelled the option.
type OptionError struct {
	Option string // the name of its flag, without --, or a key of the file such as advanced.rewrites[2].source
	Cause  error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Cause.Error() }

func (e *OptionError) Unwrap() error { return e.Cause }

// NewSite makes a configuration ready: it opens folders, reads pages and passwords, compiles rules. Its error joins one
// *OptionError for each option that is wrong.
func (s *Server) NewSite(c Config, m Material) (*Site, error) {
	var failed []error
	crossing, err := crossOrigin(c)
	failed = append(failed, err)
	users, err := openUsers(c)
	failed = append(failed, err)
	general, err := newRuleSet("advanced", c.Advanced.Redirects, c.Advanced.Rewrites, c.Advanced.Headers, c.Advanced.EarlyHints)
	failed = append(failed, err)
	hosts, err := s.newHosts(c, m, general)
	failed = append(failed, err)
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	p := &Site{config: c, untrusted: m.Untrusted, content: hosts, fail: hosts.fail}
	p.links = []link{
		checkMethod,
		s.vitals.healthy(c),
		crossing,
		authenticated(users, s.guard, clientOf, s.log),
		s.vitals.measurable(c),
		s.vitals.maintenance.answer,
		redirecting(general.redirects),
		rewriting(general.rewrites, newRewriter(hosts.fail, s.log)),
	}
	return p, nil
}

// Use serves this site from the next request on. Requests that run keep the one that they began with. Folders of a site stay
// open as long as anybody may look into them, which the garbage collector knows best: it closes them (os.File), and is called
// here since memory alone may not call it before descriptors run out.
func (s *Server) Use(p *Site) {
	s.vitals.maintenance.Configure(p.config)
	s.vitals.metrics.SetHosts(hostNames(p.config)) // they were checked when the site was made
	if s.serving.Swap(s.serve(p)) != nil {
		runtime.GC()
	}
}

// ToggleMaintenance switches maintenance mode, and returns whether it is on now.
func (s *Server) ToggleMaintenance() bool { return s.vitals.maintenance.Toggle() }

// openUsers reads the passwords.
func openUsers(c Config) (*password.Users, error) {
	if _, err := password.Open(c.BasicAuth, ""); err != nil {
		return nil, &OptionError{"basic-auth", err}
	}
	users, err := password.Open(c.BasicAuth, c.BasicAuthFile)
	if err != nil {
		return nil, &OptionError{"basic-auth-file", err}
	}
	return users, nil
}

// ruleSet is what a file of options says of paths, for all hosts or for one.
type ruleSet struct {
	redirects *rules.Redirects
	rewrites  *rules.Rewrites
	headers   *rules.Headers
	hints     *rules.Hints
}

// newRuleSet compiles rules; at is the key of the table that they stand in.
func newRuleSet(at string, redirects []rules.Redirect, rewrites []rules.Rewrite, headers []rules.Header, hints []rules.EarlyHint) (set ruleSet, err error) {
	var failed [4]error
	set.redirects, failed[0] = rules.NewRedirects(redirects)
	set.rewrites, failed[1] = rules.NewRewrites(rewrites)
	set.headers, failed[2] = rules.NewHeaders(headers)
	set.hints, failed[3] = rules.NewHints(hints)
	for i, err := range failed {
		if wrong, ok := errors.AsType[*rules.Error](err); ok {
			failed[i] = &OptionError{fmt.Sprintf("%s.%s[%d].%s", at, wrong.List, wrong.Index, wrong.Key), wrong.Err}
		}
	}
	return set, errors.Join(failed[:]...)
}

// Names are the names of the host, patterns among them.
func (v VirtualHost) Names() []string {
	if v.Host == "" {
		return v.Hosts
	}
	return append([]string{v.Host}, v.Hosts...)
}

// nameKey is the key of the j-th of Names.
func (v VirtualHost) nameKey(j int) string {
	switch {
	case v.Host == "":
		return fmt.Sprintf(".hosts[%d]", j)
	case j == 0:
		return ".host"
	}
	return fmt.Sprintf(".hosts[%d]", j-1)
}

func hostNames(c Config) []string {
	var names []string
	for _, host := range c.Advanced.VirtualHosts {
		names = append(names, host.Names()...)
	}
	return names
}

// hosts answers requests by the host that they are for.
type hosts struct {
	general *host
	named   hostname.Table[*host]
}

func (h *hosts) of(r *http.Request) *host {
	if named, ok := h.named.Find(r.Host); ok {
		return named
	}
	return h.general
}

func (h *hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.of(r).handler.ServeHTTP(w, r) }

// fail answers with the host's own page for an error, if it has one.
func (h *hosts) fail(w http.ResponseWriter, r *http.Request, status int) {
	h.of(r).pages.Write(w, r, status)
}

// newHosts makes the general host and the virtual ones.
func (s *Server) newHosts(c Config, m Material, general ruleSet) (*hosts, error) {
	var failed []error
	maker := newHostMaker(s, c, general)
	all := &hosts{general: &host{handler: m.Welcome}}
	if m.Welcome == nil {
		host, err := maker.make("", VirtualHost{}, ruleSet{})
		failed = append(failed, err)
		all.general = host
	}
	for i, virtual := range c.Advanced.VirtualHosts {
		at := fmt.Sprintf("advanced.virtual-hosts[%d]", i)
		own, err := newRuleSet(at, virtual.Redirects, virtual.Rewrites, virtual.Headers, virtual.EarlyHints)
		failed = append(failed, err)
		host, err := maker.make(at, virtual, own)
		failed = append(failed, err)
		if len(virtual.Names()) == 0 {
			failed = append(failed, &OptionError{at, errors.New(`names no host: add host = "www.example.com", or hosts`)})
		}
		for j, name := range virtual.Names() {
			if err := all.named.Add(name, host); err != nil {
				failed = append(failed, &OptionError{at + virtual.nameKey(j), err})
			}
		}
	}
	return all, errors.Join(failed...)
}
