package rules

import (
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern  string
		stars    Stars
		match    string // separated by spaces
		mismatch string
	}{
		{"/a", WithinSegment, "/a", "/A /a/ /ab /"},
		{"/*", WithinSegment, "/ /a", "/a/b //"},
		{"/*", AcrossSegments, "/ /a /a/b", "a"},
		{"/a?c", WithinSegment, "/abc /aéc", "/ac /a/c /abbc"},
		{"/a?c", AcrossSegments, "/abc /a/c", "/ac"},
		{"/[a-c]", WithinSegment, "/a /c", "/d /- /ab"},
		{"/[a-]", WithinSegment, "/a /-", "/b"},
		{"/[]a]", WithinSegment, "/] /a", "/b"},
		{"/[!]a]", WithinSegment, "/b", "/] /a"},
		{"/a[!b]c", WithinSegment, "/axc", "/abc /a/c"},
		{"/a[^b]c", AcrossSegments, "/axc /a/c", "/abc"},
		{"/[à-é]", WithinSegment, "/é /ç", "/e"},
		{"/{a,b*,[0-9]}", WithinSegment, "/a /b /bcd /7", "/c /a/b /a,b*"},
		{"/x{,.html}", WithinSegment, "/x /x.html", "/x."},
		{"/{a,{b,c}d}e", WithinSegment, "/ae /bde /cde", "/be /ade"},
		{"/a,b", WithinSegment, "/a,b", "/a"},
		{`/\*\{\}\[\\`, WithinSegment, `/*{}[\`, "/a"},
		{"**", WithinSegment, "/ /a/b x", ""},
		{"/**", WithinSegment, "/ /a /a/b", "a"},
		{"**/a", WithinSegment, "a /a /b/a /b/c/a", "/ba /b/ab"},
		{"**/**/a", WithinSegment, "/a /b/c/a", "/ba"},
		{"/a/**/b", WithinSegment, "/a/b /a/x/b /a/x/y/b", "/ab /a/xb /a/x/yb"},
		{"/a/**/**/b", WithinSegment, "/a/b /a/x/y/b", "/ab"},
		{"/a/**", WithinSegment, "/a/ /a/b /a/b/c", "/a /ab"},
		{"/a/**/**", WithinSegment, "/a/ /a/b/c", "/a"},
		{"/a**", WithinSegment, "/a /ab", "/a/b"},
		{"/a/**b", WithinSegment, "/a/b /a/xb", "/a/x/b"},
		{"/a/***", WithinSegment, "/a/ /a/b", "/a/b/c"},
		{"/a/{**}", WithinSegment, "/a/ /a/b/c", "/a"},
		{"/a/{x,**}.css", WithinSegment, "/a/x.css /a/b/c.css", "/a/x.js"},
		{"**/*.{html,htm}", AcrossSegments, "/index.html /a/b.htm x.html", "/index.htmlx /html"},
		{"/caf%C3%A9%20x", WithinSegment, "", "/cafe"},
		{"/100%", WithinSegment, "/100%", "/100"},
		{"/%2a", WithinSegment, "/*", "/a"},
	} {
		g, err := Compile(test.pattern, test.stars)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		for path := range strings.FieldsSeq(test.match) {
			if !g.Match(path) {
				t.Errorf("%s does not match %s", test.pattern, path)
			}
		}
		for path := range strings.FieldsSeq(test.mismatch) {
			if g.Match(path) {
				t.Errorf("%s matches %s", test.pattern, path)
			}
		}
		if g.String() != test.pattern {
			t.Errorf("%s is %s", test.pattern, g)
		}
	}
}

// What the file system will see is what counts.
func TestGlobMatchesDecodedPaths(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"/café x/{*}", "/caf%C3%A9%20x/{*}", "/caf%c3%a9 x/{*}"} {
		r := redirects(t, Redirect{Source: source, Destination: "/n/$1", Kind: 301})
		for path, want := range map[string]string{
			"/caf%C3%A9%20x/a":      "/n/a",
			"/c%61f%c3%a9%20x/%61b": "/n/%61b", // captured as sent
			"/caf%C3%A9%20x%2Fa":    "/n/a",
		} {
			if location, _, _ := r.Find("", path, ""); location != want {
				t.Errorf("%s: %s is sent to %q, want %q", source, path, location, want)
			}
		}
	}
	if location, _, _ := redirects(t, Redirect{Source: "/d/{**}", Destination: "/n/$1", Kind: 301}).Find("", "/d/a%2Fb/%FF", ""); location != "/n/a%2Fb/%FF" {
		t.Errorf("sent to %q", location)
	}
}

func TestGlobErrors(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"":                          "missing",
		"/a[b":                      `"/a[b": [ at character 3 is not closed`,
		"/[]":                       "[ at character 2 is not closed",
		"/a{b,{c}":                  "{ at character 3 is not closed",
		"/a{b,{c":                   "{ at character 6 is not closed",
		"/a}":                       "} at character 3 closes nothing",
		`/a\`:                       `nothing follows the \ at the end`,
		"/[z-a]":                    "z-a in the [ at character 2 begins after its end",
		"/%ff":                      "is not UTF-8",
		strings.Repeat("{", 9):      "braces at character 9 are in 8 others",
		strings.Repeat("a", 2049):   "2049 bytes long; 2048 are accepted",
		"/{a,b}{" + "\xff" + ",c}}": "is not UTF-8",
	} {
		_, err := Compile(pattern, WithinSegment)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", pattern, err, want)
		}
	}
}

func TestGlobCompilesFast(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		strings.Repeat("{a,b}", 400), strings.Repeat("**/", 680), strings.Repeat("*a", 1000), strings.Repeat("{{{*}}}", 290),
	} {
		g, err := Compile(pattern, AcrossSegments)
		if err != nil {
			t.Errorf("%.20s…: %v", pattern, err)
			continue
		}
		g.Match(strings.Repeat("a", 500)) // a backtracking matcher would never end
	}
}

// A path 16 times as long takes 16 times as long, not 256 times; with room for a busy machine.
func TestGlobIsLinear(t *testing.T) {
	t.Parallel()
	g, err := Compile("**/{*}{[0-9]}{*}x{[0-9]}**/z", WithinSegment)
	if err != nil {
		t.Fatal(err)
	}
	took := func(n int) time.Duration {
		path := strings.Repeat("/1x", n) + "/z"
		shortest := time.Hour
		for range 10 {
			begun := time.Now()
			g.Match(path)
			shortest = min(shortest, time.Since(begun))
		}
		return shortest
	}
	if short, long := took(150), took(2400); long > 16*8*short {
		t.Errorf("a path 16 times as long takes %v instead of %v", long, short)
	}
}
