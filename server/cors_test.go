package server

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	one := Config{CORSAllowOrigins: List{"https://a.example", "http://b.example:8080"}, CORSAllowHeaders: List{"X-One", "content-type"}, CORSExposeHeaders: List{"X-Seen"}}
	any := one
	any.CORSAllowOrigins = List{"*"}
	const method, headers = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	for name, c := range map[string]struct {
		config Config
		method string
		fields []string
		want   int
		origin string // in Access-Control-Allow-Origin
	}{
		"no origin":                  {one, "GET", nil, 200, ""},
		"allowed":                    {one, "GET", []string{"Origin", "https://a.example"}, 200, "https://a.example"},
		"allowed with port":          {one, "HEAD", []string{"Origin", "http://b.example:8080"}, 200, "http://b.example:8080"},
		"another port":               {one, "GET", []string{"Origin", "http://b.example"}, 403, ""},
		"another scheme":             {one, "GET", []string{"Origin", "http://a.example"}, 403, ""},
		"longer":                     {one, "GET", []string{"Origin", "https://a.example.net"}, 403, ""},
		"null":                       {one, "GET", []string{"Origin", "null"}, 403, ""},
		"empty":                      {one, "GET", []string{"Origin", ""}, 403, ""},
		"two":                        {any, "GET", []string{"Origin", "https://a.example", "Origin", "https://a.example"}, 403, ""},
		"any":                        {any, "GET", []string{"Origin", "https://x.example"}, 200, "https://x.example"},
		"options without origin":     {one, "OPTIONS", nil, 200, ""},
		"preflight":                  {one, "OPTIONS", []string{"Origin", "https://a.example", method, "GET"}, 204, "https://a.example"},
		"preflight with headers":     {one, "OPTIONS", []string{"Origin", "https://a.example", method, "HEAD", headers, "x-one, Content-Type", headers, ""}, 204, "https://a.example"},
		"preflight for any":          {any, "OPTIONS", []string{"Origin", "null", method, "OPTIONS"}, 204, "null"},
		"preflight without method":   {one, "OPTIONS", []string{"Origin", "https://a.example"}, 403, ""},
		"preflight for POST":         {one, "OPTIONS", []string{"Origin", "https://a.example", method, "POST"}, 403, ""},
		"preflight for get":          {one, "OPTIONS", []string{"Origin", "https://a.example", method, "get"}, 403, ""},
		"preflight with a header":    {one, "OPTIONS", []string{"Origin", "https://a.example", method, "GET", headers, "x-one,x-two"}, 403, ""},
		"preflight of another":       {one, "OPTIONS", []string{"Origin", "https://x.example", method, "GET"}, 403, ""},
		"nothing is shared at all":   {Config{}, "GET", []string{"Origin", "https://a.example"}, 200, ""},
		"nothing shared, preflight":  {Config{}, "OPTIONS", []string{"Origin", "https://a.example"}, 200, ""},
		"any header may be sent":     {Config{CORSAllowOrigins: List{"*"}, CORSAllowHeaders: List{"*"}}, "OPTIONS", []string{"Origin", "https://a.example", method, "GET", headers, "x-two"}, 204, "https://a.example"},
		"origin as browsers send it": {Config{CORSAllowOrigins: List{"HTTPS://A.Example:443"}}, "GET", []string{"Origin", "https://a.example"}, 200, "https://a.example"},
	} {
		l, err := crossOrigin(c.config)
		if err != nil {
			t.Fatal(err)
		}
		content := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Allow", allowed) })
		w := sent(l, content, asking(c.method, "/x", c.fields...))
		header := w.Header()
		if w.Code != c.want || header.Get("Access-Control-Allow-Origin") != c.origin {
			t.Errorf("%s: %d %v", name, w.Code, header)
		}
		if shared := len(c.config.CORSAllowOrigins) > 0; (header.Get("Vary") == "origin") != shared {
			t.Errorf("%s: Vary: %q", name, header.Get("Vary"))
		}
		if c.origin != "" && header.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" || c.method == "OPTIONS" && c.origin != "" && header.Get("Allow") != "" {
			t.Errorf("%s: %v", name, header)
		}
		if c.origin == "https://a.example" && len(c.config.CORSExposeHeaders) > 0 &&
			(header.Get("Access-Control-Allow-Headers") != "x-one, content-type" || header.Get("Access-Control-Expose-Headers") != "x-seen") {
			t.Errorf("%s: %v", name, header)
		}
	}
}

func TestCrossOriginErrors(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"example.com", "https://", "https://a.example/", "https://a.example/x", "https://a.example?x", "https://a.example?", "https://a.example#", "https://u@a.example",
		"https://*.example", "https://zoë.example", "https://a.example:", "https://a.example:x", "https://a.example:65536", "//a.example", "null", "https://[::1", "mailto:x", "a b"} {
		_, err := crossOrigin(Config{CORSAllowOrigins: List{"*", origin}})
		wrong, ok := errors.AsType[*OptionError](err)
		if !ok || wrong.Option != "cors-allow-origins" || !strings.Contains(err.Error(), `"`+origin+`"`) {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for _, name := range []string{"a b", "x:", "ä", "a/b"} {
		for option, c := range map[string]Config{
			"cors-allow-headers": {CORSAllowHeaders: List{name}}, "cors-expose-headers": {CORSExposeHeaders: List{"ok", name}},
		} {
			c.CORSAllowOrigins = List{"*"}
			_, err := crossOrigin(c)
			if wrong, ok := errors.AsType[*OptionError](err); !ok || wrong.Option != option || !strings.Contains(err.Error(), `"`+name+`"`) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://a.example": "https://a.example", "http://A.example:80": "http://a.example", "http://a.example:443": "http://a.example:443",
		"https://[2001:DB8::1]:8443": "https://[2001:db8::1]:8443", "chrome-extension://abcdef": "chrome-extension://abcdef", "capacitor://localhost": "capacitor://localhost",
	} {
		if got, err := parseOrigin(text); got != want || err != nil {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
