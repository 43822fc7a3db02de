package rules

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// sitePattern is the source of a rule in _redirects or _headers: a path with * (once, named splat) and :name, or a URL whose
// host may have them, too. As with Netlify a slash at the end does not matter, and /blog/* matches /blog, too. Scheme and
// port are not looked at, as with Cloudflare Pages.
type sitePattern struct {
	pattern
	host  *pattern       // nil for any
	names map[string]int // which value a placeholder stands for; 0 is the whole path
}

// placeholder finds the first name of a part, such as :year, from a position on: text[from:to]. Names begin with a letter, so
// that :8080 is a port. Without one, from is -1.
func placeholder(text string, start int) (from, to int) {
	for from = start; from+1 < len(text); from++ {
		if text[from] != ':' || !letter(text[from+1]) {
			continue
		}
		for to = from + 2; to < len(text) && (letter(text[to]) || text[to] == '_' || '0' <= text[to] && text[to] <= '9'); to++ {
		}
		return from, to
	}
	return -1, 0
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// dynamic tells whether a path or host has placeholders.
func dynamic(text string) bool {
	from, _ := placeholder(text, 0)
	return from >= 0 || strings.Contains(text, "*")
}

// newSitePattern reads a source.
func newSitePattern(source string) (*sitePattern, error) {
	if len(source) > maxPattern {
		return nil, fmt.Errorf("the path is %d bytes long; %d are accepted", len(source), maxPattern)
	}
	p := &sitePattern{names: map[string]int{}}
	path := source
	if _, rest, ok := strings.Cut(source, "://"); ok && isURL(source) {
		host, after, _ := strings.Cut(rest, "/")
		path = "/" + after
		if err := p.readHost(host); err != nil {
			return nil, err
		}
	}
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%q begins with neither / nor https://", source)
	}
	path, _, _ = strings.Cut(path, "#") // fragments never reach a server
	return p, p.readPath(path)
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

func (p *sitePattern) readHost(host string) error {
	if name, port, ok := strings.Cut(host, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	if host == "" {
		return fmt.Errorf("a host is missing behind //")
	}
	if !dynamic(host) {
		p.host = &pattern{exact: true, prefix: strings.ToLower(host)}
		return nil
	}
	expression, err := p.expression(host, `([^./]+)`)
	if err != nil {
		return err
	}
	p.host = &pattern{}
	p.host.expression, err = regexp.Compile(`(?is)\A` + expression + `\z`)
	return err
}

func (p *sitePattern) readPath(path string) error {
	if decoded, err := url.PathUnescape(path); err == nil && !dynamic(path) {
		p.exact, p.prefix = true, withoutEnd(decoded)
		return nil
	}
	head, splat := strings.CutSuffix(path, "/*")
	if !splat {
		head = withoutEnd(path)
	}
	expression, err := p.expression(head, `([^/]+)`)
	if err != nil {
		return err
	}
	end := `/?\z`
	if splat {
		if _, twice := p.names["splat"]; twice {
			return fmt.Errorf("%q has more than one *", path)
		}
		p.names["splat"] = len(p.names) + 1
		end = `(?:/(.*))?\z`
	}
	p.pattern.expression, err = regexp.Compile(`(?s)\A` + expression + end)
	if err != nil {
		return err
	}
	p.prefix = head
	if from, _ := placeholder(head, 0); from >= 0 {
		p.prefix = head[:from]
	}
	p.prefix, _, _ = strings.Cut(p.prefix, "*")
	p.prefix = decodedText(p.prefix)
	return nil
}

// expression turns a path or host into a regular expression in which :name is what one matches.
func (p *sitePattern) expression(text, one string) (string, error) {
	var b strings.Builder
	for text != "" {
		from, to := placeholder(text, 0)
		star := strings.IndexByte(text, '*')
		name, expression := "", one
		switch {
		case star >= 0 && (from < 0 || star < from):
			from, to, name, expression = star, star+1, "splat", `(.*)`
		case from < 0:
			b.WriteString(regexp.QuoteMeta(decodedText(text)))
			return b.String(), nil
		default:
			name = text[from+1 : to]
		}
		if _, twice := p.names[name]; twice {
			return "", fmt.Errorf("%q stands there twice", text[from:to])
		}
		b.WriteString(regexp.QuoteMeta(decodedText(text[:from])))
		b.WriteString(expression)
		p.names[name] = len(p.names) + 1
		text = text[to:]
	}
	return b.String(), nil
}

// decodedText decodes %20 and leaves what cannot be decoded.
func decodedText(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

// withoutEnd leaves out the slash at the end, but for the root.
func withoutEnd(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// values returns the values of the placeholders, for the host first; nil is no match. The host is in lower case, without
// port.
func (p *sitePattern) values(host string, s subject) []string {
	var ofHost []string
	if p.host != nil {
		if ofHost = p.host.find(subject{host, host}); ofHost == nil {
			return nil
		}
	}
	var ofPath []string
	if p.exact {
		if withoutEnd(s.path) != p.prefix {
			return nil
		}
		ofPath = []string{s.sent}
	} else if ofPath = p.find(s); ofPath == nil {
		return nil
	}
	if len(ofHost) < 2 {
		return ofPath
	}
	return append(append([]string{s.sent}, ofHost[1:]...), ofPath[1:]...)
}

// next finds the first placeholder in a text that stands for what the pattern found; other names stay as they are.
func (p *sitePattern) next(text string) (from, to, capture int) {
	for from, to = placeholder(text, 0); from >= 0; from, to = placeholder(text, to) {
		if n, ok := p.names[text[from+1:to]]; ok {
			return from, to, n
		}
	}
	return -1, 0, 0
}
