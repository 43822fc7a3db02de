package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rouse-server/rouse/server/characters"
	"github.com/rouse-server/rouse/server/errorpage"
)

// Redirect says where plain HTTP requests are sent.
type Redirect struct {
	Host  Host  // redirect to this host; empty: to the request's own
	Hosts Hosts // redirect only from these hosts; empty: from any
	Port  int   // of the https socket; 443 is left out
}

// redirected answers requests on a redirecting socket: 301 for GET and HEAD, as static-web-server does, 308 for the rest,
// whose method and body must survive (RFC 9110 §15.4.9).
func (s *Server) redirected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connectionOf(r)
		if c == nil || c.socket.Redirect == nil {
			next.ServeHTTP(w, r)
			return
		}
		target, ok := c.socket.Redirect.target(r)
		if !ok {
			errorpage.Write(w, r, http.StatusBadRequest)
			return
		}
		status := http.StatusPermanentRedirect
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status = http.StatusMovedPermanently
		}
		redirect(w, target, status)
	})
}

// target is the https address of a request; only path and query of the request's target are used.
func (d *Redirect) target(r *http.Request) (string, bool) {
	host, ok := hostOf(r.Host)
	if !ok || len(d.Hosts) > 0 && !slices.ContainsFunc(d.Hosts, func(listed Host) bool { return strings.EqualFold(string(listed), host) }) {
		return "", false
	}
	if d.Host != "" {
		host = string(d.Host)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if d.Port != 443 && d.Port != 0 {
		host += ":" + strconv.Itoa(d.Port)
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" // OPTIONS *, CONNECT host
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		path += "?" + characters.Query(r.URL.RawQuery)
	}
	return "https://" + host + path, true
}

// hostOf returns the host of a Host header without port and brackets, when it is a name or an address (RFC 3986 §3.2.2);
// nothing else may come back to the client in a Location.
func hostOf(header string) (string, bool) {
	host := header
	if h, port, err := net.SplitHostPort(header); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return "", false
		}
		host = h
	} else if inside, ok := strings.CutPrefix(header, "["); ok {
		if host, ok = strings.CutSuffix(inside, "]"); !ok {
			return "", false
		}
	}
	return host, validHost(host) && !strings.Contains(host, "%")
}

// validHost tells whether text is an address or a host name.
func validHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	valid := func(r rune) bool {
		return r == '-' || r == '.' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	for _, r := range text {
		if !valid(r) {
			return false
		}
	}
	return text != "" && len(text) <= 253
}
