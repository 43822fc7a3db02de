package rules

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Rewrites is the compiled [[advanced.rewrites]]. It may be used by many goroutines at a time.
type Rewrites struct {
	entries []rewrite
}

type rewrite struct {
	source      *Glob
	destination template
	status      int // of a redirect, or 0
}

// NewRewrites compiles entries; the error is an *Error. Without entries it is nil: a nil *Rewrites has no match.
func NewRewrites(entries []Rewrite) (*Rewrites, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r := &Rewrites{}
	for i, entry := range entries {
		glob, to, err := compiledPair("rewrites", i, entry.Source, entry.Destination)
		if err != nil {
			return nil, err
		}
		if entry.Redirect != 0 && !redirection(entry.Redirect) {
			return nil, &Error{"rewrites", i, "redirect", notRedirection(entry.Redirect)}
		}
		r.entries = append(r.entries, rewrite{glob, to, entry.Redirect})
	}
	return r, nil
}

// Find returns what the first entry that matches makes of a path as it was sent (url.URL.EscapedPath): for Rewritten when
// redirect is 0, otherwise the Location of a redirect with this status. It is not applied to its own result.
func (r *Rewrites) Find(path string) (destination string, redirect int, ok bool) {
	if r == nil {
		return "", 0, false
	}
	s, ok := newSubject(path)
	if !ok {
		return "", 0, false
	}
	for i := range r.entries {
		e := &r.entries[i]
		values := e.source.find(s)
		if values == nil {
			continue
		}
		if destination, ok := e.destination.expand(values); ok {
			return destination, e.status, true
		}
	}
	return "", 0, false
}

// Rewritten returns a copy of a request that asks for destination: a path, or a URL whose host then is the request's. The
// request's query stays when the destination has none. An error means that the destination, captures put in, is neither:
// the answer is 500.
func Rewritten(r *http.Request, destination string) (*http.Request, error) {
	to, err := url.Parse(destination)
	switch {
	case err != nil:
		return nil, fmt.Errorf("rewrite to %q: not a URL: %w", destination, err)
	case to.Scheme != "" && to.Scheme != "http" && to.Scheme != "https", to.Opaque != "", to.Scheme != "" && to.Host == "":
		return nil, fmt.Errorf("rewrite to %q: not a path or a URL of http or https", destination)
	case to.Host == "" && !strings.HasPrefix(to.Path, "/"):
		return nil, fmt.Errorf("rewrite to %q: a path begins with /", destination)
	}
	target := *r.URL
	target.Path, target.RawPath = to.Path, to.RawPath
	if target.Path == "" {
		target.Path = "/"
	}
	if to.RawQuery != "" || to.ForceQuery {
		target.RawQuery, target.ForceQuery = to.RawQuery, to.ForceQuery
	}
	asked := Asked(r)
	if to.Host != "" {
		asked = target.EscapedPath() // of another site, which never was asked for anything else
	}
	rewritten := r.WithContext(context.WithValue(r.Context(), askedKey{}, asked))
	rewritten.URL = &target
	if to.Host != "" {
		rewritten.Host = to.Host
		if target.Host != "" { // the request's target was a URL, too
			target.Host = to.Host
		}
	}
	return rewritten, nil
}

type askedKey struct{}

// Asked returns the path that a client asked a host for as it was sent (url.URL.EscapedPath), whatever Rewritten has made of
// the request since then.
func Asked(r *http.Request) string {
	if asked, ok := r.Context().Value(askedKey{}).(string); ok {
		return asked
	}
	return r.URL.EscapedPath()
}
