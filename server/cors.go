package server

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/server/accept"
	"github.com/rouse-server/rouse/server/errorpage"
)

// crossOrigin lets scripts of other origins read answers (CORS, fetch.spec.whatwg.org). Requests from origins that may not
// get 403, and so do preflights for what is not allowed; all other preflights are answered here. Without origins in the
// configuration it does nothing. The error is an *OptionError for an origin or a field name that cannot be one.
func crossOrigin(c Config) (link, error) {
	s, err := newSharing(c)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		if s == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			accept.AddVary(w.Header(), "origin") // also without Origin: a shared cache must not hand this reply to a script
			origins := r.Header.Values("Origin")
			preflight := r.Method == http.MethodOptions
			switch {
			case len(origins) == 0:
				next.ServeHTTP(w, r)
			case len(origins) > 1 || !s.allows(origins[0]) || preflight && !s.allowsPreflight(r.Header):
				errorpage.Write(w, r, http.StatusForbidden)
			case preflight:
				s.grant(w.Header(), origins[0])
				w.WriteHeader(http.StatusNoContent)
			default:
				s.grant(w.Header(), origins[0])
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

// sharing is what is shared with other origins.
type sharing struct {
	any     bool
	origins []string    // as browsers write them
	headers []string    // of requests, in lower case
	granted http.Header // what allowed origins are told
}

// newSharing reads the options; nil when no origin is allowed.
func newSharing(c Config) (*sharing, error) {
	s := &sharing{}
	for _, text := range c.CORSAllowOrigins {
		if text == "*" {
			s.any = true
			continue
		}
		origin, err := parseOrigin(text)
		if err != nil {
			return nil, &OptionError{"cors-allow-origins", err}
		}
		s.origins = append(s.origins, origin)
	}
	var err error
	if s.headers, err = fieldNames(c.CORSAllowHeaders); err != nil {
		return nil, &OptionError{"cors-allow-headers", err}
	}
	exposed, err := fieldNames(c.CORSExposeHeaders)
	if err != nil {
		return nil, &OptionError{"cors-expose-headers", err}
	}
	if len(c.CORSAllowOrigins) == 0 {
		return nil, nil
	}
	s.granted = http.Header{"Access-Control-Allow-Methods": {allowed}}
	if len(s.headers) > 0 {
		s.granted["Access-Control-Allow-Headers"] = []string{strings.Join(s.headers, ", ")}
	}
	if len(exposed) > 0 {
		s.granted["Access-Control-Expose-Headers"] = []string{strings.Join(exposed, ", ")}
	}
	return s, nil
}

// parseOrigin returns an origin as browsers write it (RFC 6454 §6.2): in lower case, and without the scheme's own port.
func parseOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") {
		return "", fmt.Errorf("%q is not an origin: wanted are SCHEME://HOST or SCHEME://HOST:PORT and nothing behind it, such as https://example.com, or * for any", text)
	}
	host, ok := hostOf(u.Host)
	if !ok || strings.HasSuffix(u.Host, ":") {
		return "", fmt.Errorf("%q is not an origin: its host is neither a name (in ASCII; others in punycode, xn--…) nor an IP address with a port from 0 to 65535", text)
	}
	origin := u.Scheme + "://" + strings.ToLower(host)
	if strings.Contains(host, ":") {
		origin = u.Scheme + "://[" + strings.ToLower(host) + "]"
	}
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		origin += ":" + port
	}
	return origin, nil
}

// fieldNames checks names of header fields, which are tokens (RFC 9110 §5.1), and writes them in lower case.
func fieldNames(list List) ([]string, error) {
	var names []string
	for _, name := range list {
		foreign := func(r rune) bool {
			return r <= ' ' || r >= 0x7F || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
		}
		if name == "" || strings.ContainsFunc(name, foreign) {
			return nil, fmt.Errorf("%q is not the name of a header: wanted are letters, digits and hyphens, such as content-type", name)
		}
		names = append(names, strings.ToLower(name))
	}
	return names, nil
}

func (s *sharing) allows(origin string) bool { return s.any || slices.Contains(s.origins, origin) }

// allowsPreflight tells whether the request that a browser asks about may be made.
func (s *sharing) allowsPreflight(asked http.Header) bool {
	if !slices.Contains(strings.Split(allowed, ", "), asked.Get("Access-Control-Request-Method")) {
		return false
	}
	for _, field := range asked.Values("Access-Control-Request-Headers") {
		for name := range strings.SplitSeq(field, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "" && !slices.Contains(s.headers, name) && !slices.Contains(s.headers, "*") {
				return false
			}
		}
	}
	return true
}

// grant tells the browser what is allowed.
func (s *sharing) grant(header http.Header, origin string) {
	header.Set("Access-Control-Allow-Origin", origin)
	maps.Copy(header, s.granted)
}
