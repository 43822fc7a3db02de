package rules

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// LineError says which line of a site's file was skipped, and why. Line 0 is the whole file.
type LineError struct {
	File string // "_headers" or "_redirects"
	Line int    // from 1
	Err  error
}

func (e *LineError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }

// Bounds of the two files. Cloudflare Pages takes 2,000 and 100 redirects of 1,000 characters and 100 blocks of headers;
// Netlify has no such bounds.
const (
	maxFile    = 4 << 20 // bytes
	maxLine    = 8 << 10 // bytes
	maxPlain   = 20_000  // redirects without * and :name
	maxDynamic = 1_000   // those with, and blocks of headers
	maxNamed   = 20      // lines that are complained of one by one
)

// siteRedirects is what _redirects says.
type siteRedirects struct {
	entries []siteRedirect
	plain   map[string][]int // entries by their path, for those that are just a path
	dynamic []int            // the others
}

type siteRedirect struct {
	source      *sitePattern
	query       []parameter // that the request must have
	destination template
	status      int
	forced      bool // also where there is a file
}

// parameter is a condition on the query: name=value or name=:placeholder.
type parameter struct {
	name, value string
	capture     bool
}

// parseRedirects reads _redirects line by line:
//
//	FROM [NAME=VALUE …] TO [STATUS[!]]
//
// Lines that cannot be followed are skipped, with an error for each.
func parseRedirects(text string) (*siteRedirects, []*LineError) {
	t := &siteRedirects{plain: map[string][]int{}}
	var errs []*LineError
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		err := t.add(line)
		if err != nil {
			errs = append(errs, &LineError{"_redirects", number, err})
		}
	}
	return t, errs
}

// add adds the rule of a line, if it has one.
func (t *siteRedirects) add(line string) error {
	words := strings.Fields(line)
	if comment := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); comment >= 0 {
		words = words[:comment]
	}
	if len(words) == 0 {
		return nil
	}
	if len(line) > maxLine {
		return fmt.Errorf("the line is longer than %d bytes and was skipped", maxLine)
	}
	n, plain := len(t.entries), !dynamic(words[0])
	if plain && n-len(t.dynamic) >= maxPlain || !plain && len(t.dynamic) >= maxDynamic {
		return fmt.Errorf("more than %d redirects, or %d with * or :name; the line was skipped", maxPlain, maxDynamic)
	}
	entry, err := newSiteRedirect(words)
	if err != nil {
		return fmt.Errorf("%w; the line was skipped", err)
	}
	if plain && entry.source.exact {
		t.plain[entry.source.prefix] = append(t.plain[entry.source.prefix], n)
	} else {
		t.dynamic = append(t.dynamic, n)
	}
	t.entries = append(t.entries, *entry)
	return nil
}

// newSiteRedirect reads the words of a line.
func newSiteRedirect(words []string) (*siteRedirect, error) {
	source, err := newSitePattern(words[0])
	if err != nil {
		return nil, err
	}
	isTarget := func(w string) bool { return w[0] == '/' || isURL(w) }
	to := 1 + slices.IndexFunc(words[1:], isTarget)
	if to == 0 {
		return nil, fmt.Errorf("where to is missing: a path or an URL")
	}
	e := &siteRedirect{source: source, status: 301}
	for _, word := range words[1:to] {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not a condition on the query such as id=:id", word)
		}
		p := parameter{name: name, value: value}
		if from, to := placeholder(value, 0); from == 0 && to == len(value) {
			p.capture = true
			if _, twice := source.names[value[1:]]; twice {
				return nil, fmt.Errorf("%q stands there twice", value)
			}
			source.names[value[1:]] = len(source.names) + 1
		}
		e.query = append(e.query, p)
	}
	rest := words[to+1:]
	if len(rest) > 0 && !strings.Contains(rest[0], "=") {
		number, forced := strings.CutSuffix(rest[0], "!")
		if e.status, err = strconv.Atoi(number); err != nil || !followed(e.status) {
			return nil, fmt.Errorf("%q is not 301, 302, 303, 307, 308, 200 or 404, or one of them with !", rest[0])
		}
		e.forced = forced
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%q is not supported: rules apply to everyone", rest[0])
	}
	return e, e.readTarget(words[to])
}

func followed(status int) bool { return redirection(status) || status == 200 || status == 404 }

// readTarget reads where a rule leads.
func (e *siteRedirect) readTarget(to string) (err error) {
	if !redirection(e.status) {
		if isURL(to) {
			return fmt.Errorf("%q with %d is a proxy to another server, which is not supported; 301 or 302 sends clients there", to, e.status)
		}
		if strings.HasPrefix(to, "/.netlify/") {
			return fmt.Errorf("%q is a service of Netlify's", to)
		}
	}
	e.destination, err = newTemplate(to, e.source.next)
	if err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	return nil
}

// Match is what a line of _redirects does with a request.
type Match struct {
	Status int    // of a redirect; or 200 or 404: serve what Target names, with this status
	Target string // Location of a redirect; or a path with or without query, for Rewritten
}

// find returns what the first line that applies does. exists, which may be slow, tells whether there is a file.
func (t *siteRedirects) find(q siteRequest, exists func() bool) (Match, bool) {
	plain, dynamic := t.plain[withoutEnd(q.subject.path)], t.dynamic
	var shadowed, asked bool
	for len(plain)+len(dynamic) > 0 {
		var e *siteRedirect
		if len(dynamic) == 0 || len(plain) > 0 && plain[0] < dynamic[0] {
			e, plain = &t.entries[plain[0]], plain[1:]
		} else {
			e, dynamic = &t.entries[dynamic[0]], dynamic[1:]
		}
		values := e.values(q)
		if values == nil {
			continue
		}
		if !e.forced && !asked {
			asked, shadowed = true, exists != nil && exists()
		}
		if !e.forced && shadowed {
			continue
		}
		if match, ok := e.match(q, values); ok {
			return match, true
		}
	}
	return Match{}, false
}

// values returns the values of the placeholders, those in the query last; nil is no match.
func (e *siteRedirect) values(q siteRequest) []string {
	values := e.source.values(q.host, q.subject)
	if values == nil || len(e.query) == 0 {
		return values
	}
	values = slices.Clip(values)
	given, err := url.ParseQuery(q.query)
	if err != nil {
		return nil
	}
	for _, p := range e.query {
		if !given.Has(p.name) || !p.capture && given.Get(p.name) != p.value {
			return nil
		}
		if p.capture {
			values = append(values, url.PathEscape(given.Get(p.name)))
		}
	}
	return values
}

// match puts the values into the destination. A rule that leads to where the request is does not apply.
func (e *siteRedirect) match(q siteRequest, values []string) (Match, bool) {
	target, ok := e.destination.expand(values)
	if redirection(e.status) && !strings.Contains(target, "?") {
		target = withQuery(target, e.leftOver(q.query))
	}
	here := withQuery(q.subject.sent, q.query)
	if !ok || target == q.subject.sent || target == here || target == q.scheme+"://"+q.host+here {
		return Match{}, false
	}
	return Match{e.status, target}, true
}

// leftOver is a query without the parameters that the rule names: those it has used.
func (e *siteRedirect) leftOver(query string) string {
	if len(e.query) == 0 {
		return query
	}
	var left []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		if !slices.ContainsFunc(e.query, func(p parameter) bool { return p.name == name }) {
			left = append(left, pair)
		}
	}
	return strings.Join(left, "&")
}
