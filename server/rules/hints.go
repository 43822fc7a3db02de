package rules

import (
	"fmt"
	"strings"
)

// Hints is the compiled [[advanced.early-hints]]. It may be used by many goroutines at a time.
type Hints struct {
	entries []hint
}

type hint struct {
	source *Glob
	links  []string
}

// NewHints compiles entries; the error is an *Error. Without entries it is nil: a nil *Hints has no links.
func NewHints(entries []EarlyHint) (*Hints, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	hs := &Hints{}
	for i, entry := range entries {
		glob, err := compiled("early-hints", i, entry.Source, AcrossSegments)
		if err != nil {
			return nil, err
		}
		if len(entry.Links) == 0 {
			return nil, &Error{"early-hints", i, "links", fmt.Errorf("missing; links such as </style.css>; rel=preload; as=style are wanted")}
		}
		var links []string
		for _, link := range entry.Links {
			link = strings.Trim(link, " \t")
			if checkField("Link", link) != nil || !isLink(link) {
				return nil, &Error{"early-hints", i, "links", fmt.Errorf("%q is not a link such as </style.css>; rel=preload; as=style", link)}
			}
			links = append(links, link)
		}
		hs.entries = append(hs.entries, hint{glob, links})
	}
	return hs, nil
}

// isLink tells whether text looks as the value of a Link header does: <URL>; name=value (RFC 8288 §3).
func isLink(text string) bool {
	target, parameters, ok := strings.Cut(text, ">")
	return ok && len(target) > 1 && target[0] == '<' && strings.HasPrefix(strings.TrimLeft(parameters, " \t"), ";") && strings.Contains(parameters, "=")
}

// Find returns the Link fields of all entries that match a request's path as it was sent (url.URL.EscapedPath), in order. A
// folder's path is also matched as /dir/index.html.
func (hs *Hints) Find(path string) []string {
	if hs == nil || len(hs.entries) == 0 {
		return nil
	}
	s, ok := newSubject(path)
	if !ok {
		return nil
	}
	page := s.path
	if strings.HasSuffix(page, "/") {
		page += "index.html"
	}
	var links []string
	for i := range hs.entries {
		if e := &hs.entries[i]; e.source.match(s.path) || e.source.match(page) {
			links = append(links, e.links...)
		}
	}
	return links
}
