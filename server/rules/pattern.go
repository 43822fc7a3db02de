package rules

import (
	"net/url"
	"regexp"
	"strings"
)

// maxPath is the length from which on a path is not looked at, in bytes: static-web-server's bound.
const maxPath = 8 << 10

// pattern is what a path is held against: cheap necessary conditions first, then the expression.
type pattern struct {
	exact      bool           // prefix is all
	prefix     string         // what every match begins with
	needle     string         // what every match contains
	suffixes   []string       // one of which every match ends with; none: anything
	expression *regexp.Regexp // nil where exact
}

// match tells whether a decoded path matches.
func (p *pattern) match(path string) bool {
	if p.exact {
		return path == p.prefix
	}
	return p.possible(path) && p.expression.MatchString(path)
}

func (p *pattern) possible(path string) bool {
	if !strings.HasPrefix(path, p.prefix) {
		return false
	}
	if p.needle != "" && !strings.Contains(path, p.needle) {
		return false
	}
	for _, suffix := range p.suffixes {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return len(p.suffixes) == 0
}

// find returns what the captures took of a path, as it was sent; the first is the whole. nil is no match.
func (p *pattern) find(s subject) []string {
	if p.exact {
		if s.path != p.prefix {
			return nil
		}
		return []string{s.sent}
	}
	if !p.possible(s.path) {
		return nil
	}
	found := p.expression.FindStringSubmatchIndex(s.path)
	if found == nil {
		return nil
	}
	values := make([]string, len(found)/2)
	for i := range values {
		values[i] = s.part(found[2*i], found[2*i+1])
	}
	return values
}

// subject is a path that rules are held against.
type subject struct {
	sent string // as it was sent, percent-encoded
	path string // decoded
}

// newSubject decodes a path as url.URL.EscapedPath returns it. Not ok are paths that rules do not look at: those beyond
// maxPath, and those that cannot be decoded.
func newSubject(sent string) (s subject, ok bool) {
	if len(sent) > maxPath {
		return s, false
	}
	if sent == "" { // as in "GET http://host", RFC 9112 §3.2.1
		sent = "/"
	}
	path := sent
	if strings.Contains(sent, "%") {
		var err error
		if path, err = url.PathUnescape(sent); err != nil {
			return s, false
		}
	}
	return subject{sent, path}, true
}

// part is what was sent for path[from:to]; a group that took no part has -1.
func (s subject) part(from, to int) string {
	if from < 0 {
		return ""
	}
	if len(s.sent) == len(s.path) {
		return s.sent[from:to]
	}
	start := s.offset(0, from)
	return s.sent[start:s.offset(start, to-from)]
}

// offset is where n decoded bytes after start end in what was sent.
func (s subject) offset(start, n int) int {
	for ; n > 0; n-- {
		if s.sent[start] == '%' {
			start += 2
		}
		start++
	}
	return start
}
