package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAccessLine holds the lines of requests to this: whatever a client says, it is one line of visible ASCII (or valid JSON), and
// what stands in quotes ends where it began.
func FuzzAccessLine(f *testing.F) {
	f.Add("GET", "/a?b", "Mozilla \"x\"", "http://x/", "al ice")
	f.Add("G\r\nET", "/\x1b[31m\n", "\\\"", "\xff\u202e", "a\tb")
	f.Fuzz(func(t *testing.T, method, uri, agent, referer, user string) {
		e := entry()
		e.Method, e.URI, e.UserAgent, e.Referer, e.User, e.Host, e.RealIP, e.RealRemoteIP = method, uri, agent, referer, user, agent, referer, user
		for name, line := range map[string]string{"common": string(e.AppendCommon(nil)), "combined": string(e.AppendCombined(nil)), "human": string(e.AppendHuman(nil, false, false))} {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7F }) {
				t.Errorf("%s: %q", name, line)
			}
			if quotes := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\"`, ""), `"`); quotes%2 != 0 || name == "common" && quotes != 2 || name == "combined" && quotes != 6 {
				t.Errorf("%s has %d quotes: %s", name, quotes, line)
			}
		}
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("request", slog.Any("", e))
		if strings.Count(b.String(), "\n") != 1 || !json.Valid(b.Bytes()) {
			t.Errorf("JSON: %q", b.String())
		}
	})
}

// FuzzOrigin holds an origin of the options to this: it is one as browsers write it (RFC 6454 §6.2), and is read as itself.
func FuzzOrigin(f *testing.F) {
	for _, text := range []string{"https://a.test", "HTTP://A.test:80", "https://[::1]:443", "null", "*", "https://a b", "https://a:99999", "x://y:", "https://a/#", "https://a@b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin, err := parseOrigin(text)
		if err != nil {
			return
		}
		again, err := parseOrigin(origin)
		if err != nil || again != origin || strings.ToLower(origin) != origin || !utf8.ValidString(origin) || strings.ContainsAny(origin, " ,\r\n\"#?@") {
			t.Errorf("%q is %q, which is %q, %v", text, origin, again, err)
		}
	})
}

// FuzzHost holds a Host header that comes back to clients to this: it is the host alone, of characters that split nothing.
func FuzzHost(f *testing.F) {
	for _, text := range []string{"a.test:80", "[::1]:80", "[::1]", "::1", "a@b", "a:b:c", "a%0d", "[a]", "a..b", ":80", "", "[fe80::1%25lo]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, header string) {
		host, ok := hostOf(header)
		if !ok {
			return
		}
		if !strings.Contains(header, host) || host == "" || strings.ContainsAny(host, "%/\\@?#[] \r\n\t\x00,\"") {
			t.Errorf("%q is %q", header, host)
		}
		got, ok := (&Redirect{Port: 443}).target(&http.Request{Host: header, URL: &url.URL{Path: "/"}})
		if back, err := url.Parse(got); !ok || err != nil || !strings.EqualFold(back.Hostname(), host) {
			t.Errorf("%q leads to %q: %v", header, got, err)
		}
	})
}
