package faults

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whatever a client says its host or address is, a redirect leads to a host of plain characters, and what is logged is the peer.
func TestOutHosts(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	outWrite(t, dir, map[string]string{"rouse.toml": `
[advanced]
[[advanced.redirects]]
source = "/old/{**}"
destination = "/new/$1"
kind = 302
`})
	root := []string{"--root", filepath.Join(dir, "site")}
	hosts := []string{
		"Host: site.test", "Host: SITE.test:8080", "Host: site.test.", "Host: site.test:99999", "Host: site.test:x", "Host: site.test:", "Host: user@site.test", "Host: user:pw@evil.test", "Host: site.test@evil.test", "Host: evil.test/x", "Host: evil.test\\x", "Host: evil.test?x", "Host: evil.test#x", "Host: a b", "Host: a,b", "Host: <b>", "Host: \"x\"", "Host: a%0d%0aX: y", "Host: a\rX", "Host: a\x00b", "Host: \xe9", "Host: [::1]:80", "Host: [::1", "Host: [fe80::1%25lo]", "Host: [evil.test]", "Host: ::1", "Host:", "Host: .", "Host: " + strings.Repeat("a", 300), "Host: " + strings.Repeat("a.", 4000),
		"Host: site.test\r\nHost: evil.test", "Host : site.test", "Host: site.test\r\n X: y", "X: y", "Host: site.test\r\nX-Forwarded-Host: evil.test", "Host: site.test\r\nForwarded: host=evil.test",
	}
	paths := []string{"/sub", "/old/%0d%0aX-Split:%20y", "/old/x%0aX-Split:y?a=%0d%0aX-Split:y", "/old/%E5%98%8A%E5%98%8DX-Split:y", "/old///evil.test", "/old/%5cevil.test", "//evil.test/..", "//evil.test/sub/..", "/\\evil.test", "/%2f%2fevil.test", "//evil.test%2f..", "http://evil.test/sub", "http://user:pw@evil.test/sub", "http://evil.test:99/sub", "http://site.test%0d%0a/sub", "/sub?%0d%0aX-Split:%20y", "///sub", "/;//evil.test/sub"}
	asked, sent := 0, 0
	for _, c := range []struct {
		options []string
		only    string // the host that is redirected to
	}{
		{append(root, "--https-redirect"), ""}, {append(root[:2:2], "--https-redirect", "--https-redirect-host", "www.site.test"), "www.site.test"}, {append(root[:2:2], "--https-redirect", "--https-redirect-from-hosts", "site.test"), "site.test"},
		{append(root[:2:2], "--config-file", filepath.Join(dir, "rouse.toml")), "-"},
	} {
		for _, s := range outPair(t, c.options...) {
			asker := &outHTTP1{t: t, s: s}
			for _, host := range hosts {
				for _, path := range paths {
					asked++
					got := asker.raw("GET", "GET "+path+" HTTP/1.1\r\n"+host+"\r\n\r\n")
					location := got.header.Get("Location")
					if got.status >= 500 || got.header.Get("X-Split") != "" || strings.Contains(got.raw, "\nX-Split") {
						t.Errorf("%s, %q: %.100q %s: %q", s.name, c.options, host, path, got.raw)
					}
					if location == "" {
						continue
					}
					sent++
					to := regexp.MustCompile(`^https://([A-Za-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?/[!-~]*$`).FindStringSubmatch(location)
					local := regexp.MustCompile(`^/([^/\\][!-~]*)?$`).MatchString(location)
					switch {
					case to == nil && !local, to != nil && c.only != "" && !strings.EqualFold(to[1], c.only), to != nil && c.only == "-":
						t.Errorf("%s, %q: %.100q %s is sent to %q", s.name, c.options, host, path, location)
					}
				}
			}
		}
	}
	for _, lane := range []string{"auto", "off"} {
		s := outStart(t, lane, append(root[:2:2], "--lane", lane, "--trusted-proxies=192.0.2.0/24", "--log-level=info", "--access-log-format=common")...)
		asker := &outHTTP1{t: t, s: s}
		for _, field := range []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.9, 192.0.2.1", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9", "X-Forwarded-For: 192.0.2.1"} {
			for range 3 {
				asker.ask("/a.txt", "Host: site.test", field)
			}
		}
		asker.ask("/last")
		lines := s.Stderr.WaitFor(`(?s)\A.*GET /last`, outLimit)[0]
		if strings.Contains(lines, "203.0.113.9 ") || strings.Contains(lines, "192.0.2.1 ") || strings.Count(lines, "127.0.0.1 - ") != 16 {
			t.Errorf("--lane=%s: it believes who is no proxy:\n%s", lane, lines)
		}
	}
	tell(t, row{Kind: "out", What: "lies about hosts and clients, response splitting", Tried: fmt.Sprintf("%d requests: %d hosts, %d targets, redirects to https and by rules, on both lanes", asked, len(hosts), len(paths)), Rouse: fmt.Sprintf("%d redirects, none to a foreign or injected host, no split head, the peer is logged", sent)})
}
