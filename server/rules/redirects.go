package rules

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Redirects is the compiled [[advanced.redirects]]. It may be used by many goroutines at a time.
type Redirects struct {
	entries []redirect
}

type redirect struct {
	host        string
	source      *Glob
	destination template
	status      int
}

// NewRedirects compiles entries; the error is an *Error. Without entries it is nil: a nil *Redirects has no match.
func NewRedirects(entries []Redirect) (*Redirects, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r := &Redirects{}
	for i, entry := range entries {
		glob, to, err := compiledPair("redirects", i, entry.Source, entry.Destination)
		if err != nil {
			return nil, err
		}
		if !redirection(entry.Kind) {
			return nil, &Error{"redirects", i, "kind", notRedirection(entry.Kind)}
		}
		r.entries = append(r.entries, redirect{entry.Host, glob, to, entry.Kind})
	}
	return r, nil
}

// redirection tells whether a status sends a client to its Location.
func redirection(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func notRedirection(status int) error {
	if status == 0 {
		return errors.New("missing; one of 301, 302, 303, 307 and 308 is wanted")
	}
	return fmt.Errorf("%d is not one of 301, 302, 303, 307 and 308", status)
}

// Find returns where the first entry that matches sends a request: the Location, with the request's query added to the
// destination's, and the status. host is the Host header; path is as it was sent (url.URL.EscapedPath), and so is what its
// captures took. An entry that would send the client to the very path it asks for does not match.
func (r *Redirects) Find(host, path, rawQuery string) (location string, status int, ok bool) {
	if r == nil {
		return "", 0, false
	}
	s, ok := newSubject(path)
	if !ok {
		return "", 0, false
	}
	for i := range r.entries {
		e := &r.entries[i]
		if e.host != "" && !strings.EqualFold(e.host, host) {
			continue
		}
		values := e.source.find(s)
		if values == nil {
			continue
		}
		if location, ok := e.destination.expand(values); ok && location != s.sent {
			return withQuery(location, rawQuery), e.status, true
		}
	}
	return "", 0, false
}
