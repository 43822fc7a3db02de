package faults

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// outHostile are names that a file can have and a page must not take for markup.
func outHostile() []string {
	return []string{
		`<script>alert(1)<`, `<img src=x onerror=alert(1)>`, `"onmouseover="alert(1)`, `'onfocus='alert(1)`, "`x`", `javascript:alert(1)`, `data:text,<b>`, `&lt;b&gt;&quot;`, `&#x3c;b&#x3e;`, `--><svg onload=x>`, `]]><b>`,
		"{{7*7}}${7*7}<%=7*7%>", "bidi \u202egnp.exe", "zero\u200bwidth", "separator\u2028\u2029", "invalid \xff\xc0\xaf utf-8", "latin\xe4", "percent%0d%0aX-Split: 1", "question?x=<b>", "hash#<b>", "a;b", "a:b", "+ &=", "\u0085next", "surrogate \xed\xa0\x80",
	}
}

// outMarkup fails the test where a page has an element or attribute that only a file's name could have brought there.
func outMarkup(t *testing.T, what, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	outMust(t, err)
	for node := range root.Descendants() {
		if slices.Contains([]string{"img", "svg", "b", "iframe"}, node.Data) && node.Type == html.ElementNode && node.Data != "svg" || node.Data == "script" && node.FirstChild != nil && strings.Contains(node.FirstChild.Data, "alert(1)") {
			t.Errorf("%s: there is a <%s> in\n%.3000s", what, node.Data, page)
		}
		for _, a := range node.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") || a.Key == "href" && strings.HasPrefix(a.Val, "data:text") {
				t.Errorf("%s: there is %s=%q", what, a.Key, a.Val)
			}
		}
	}
}

// Whatever files are called, their names are text: in listings, error pages, redirects and the names of archives.
func TestOutNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	odd := []string{"control\x01\x1b[31m", "new\nline", "re\rturn", "tab\t"} // these are not served, and not listed
	for _, name := range append(outHostile(), odd...) {
		outWrite(t, dir, map[string]string{name: "text", "folder " + name + "/" + name: "text"})
	}
	for _, s := range outPair(t, "--root", dir, "--directory-listing", "--directory-listing-format=auto", "--directory-listing-download=targz,zip") {
		for _, asker := range outAskers(t, s) {
			page := asker.ask("/")
			outMarkup(t, asker.String(), page.body)
			var entries []map[string]any
			if got := asker.ask("/", "Accept: application/json"); json.Unmarshal([]byte(got.body), &entries) != nil || len(entries) != 2*len(outHostile()) {
				t.Errorf("%v: the listing has %d entries: %.300s", asker, len(entries), got.body)
			}
			for _, name := range append(outHostile(), odd...) {
				path := "/" + url.PathEscape("folder "+name)
				for _, target := range []string{path, path + "/", path + "/none", "/none-" + url.PathEscape(name), path + "/" + url.PathEscape(name), path + "/?download=zip", path + "/?x=" + url.QueryEscape(name)} {
					got := asker.ask(target)
					if got.status == 0 || got.status >= 500 || got.header.Get("X-Split") != "" || strings.ContainsAny(got.header.Get("Location"), "\r\n<>\"") {
						t.Errorf("%v: %s is %d %q", asker, target, got.status, got.header)
					}
					if strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
						outMarkup(t, asker.String()+" "+target, got.body)
					}
					if text := got.header.Get("Content-Disposition"); text != "" {
						kind, params, err := mime.ParseMediaType(text)
						if err != nil || kind != "attachment" || strings.ContainsAny(params["filename"], "/\\\r\n\"<>:*?|\x00\x1b") {
							t.Errorf("%v: %s is saved by %q: %v", asker, target, text, err)
						}
					}
				}
				if got := asker.ask(path + "/"); got.status == 200 == slices.Contains(odd, name) {
					t.Errorf("%v: the listing of %q is %d", asker, name, got.status)
				}
			}
		}
	}
	tell(t, row{Kind: "out", What: "hostile file names", Tried: fmt.Sprintf("%d names with markup, controls, bidi, invalid UTF-8 in listings, archives, error pages, redirects", len(outHostile())+len(odd)), Rouse: "text everywhere; names with control characters are not served"})
}
