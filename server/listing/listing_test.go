package listing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/tree"
)

// Without this a drop-in for static-web-server would be none for those who read its listings by program.
func TestPageOfAFolder(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{"docs/b.txt": strings.Repeat("x", 2048), "docs/spécial x/": "", "docs/.hidden": ""})
	page := get(New(open(t, root, tree.Options{}), Options{Order: 6}), "/docs/")
	has(t, page, "<title>Index of /docs/</title>", "<h1>Index of /docs/</h1>", "directories: 1, files: 1",
		`href="?sort=0"`, `href="?sort=2"`, `href="?sort=4"`, `<a href="../">../</a>`,
		`<a href="sp%C3%A9cial%20x/">spécial x/</a>`, `<a href="b.txt">b.txt</a>`, ">2.00 KiB<", ">"+then.Local().Format("2006-01-02 15:04:05")+"<")
	hasNot(t, page, "hidden.", "?download", "onclick", "style=")
}

func TestRootHasNoParent(t *testing.T) {
	t.Parallel()
	page := get(New(open(t, folder(t, nil), tree.Options{}), Options{}), "/")
	has(t, page, "<h1>Index of /</h1>", "directories: 0, files: 0", "This folder is empty.")
	hasNot(t, page, "../", "<nav")
}

func TestLinksOfAPathWithoutSlash(t *testing.T) {
	t.Parallel()
	l := New(open(t, folder(t, map[string]string{"a b/c/d.txt": ""}), tree.Options{}), Options{})
	has(t, get(l, "/a%20b"), `href="a%20b/c/"`, `<a href="./">../</a>`)
	has(t, get(l, "/a%20b/c"), `href="c/d.txt"`, `<a href="../">/</a><a href="./">a b/</a>`)
	has(t, get(l, "/a%20b/c/"), `href="d.txt"`, `<a href="../../">/</a><a href="../">a b/</a>`)
}

// A name that leaves its place in the page runs as the site's own script.
func TestNamesStayText(t *testing.T) {
	t.Parallel()
	hostile := []string{`<script>alert(1)<`, `"><img src=x onerror=alert(1)>`, `' onclick='x`, `&lt;b&gt;`, "a?b#c%2e", "-rf", "javascript:alert(1)", "bad\xffutf8"}
	files := map[string]string{}
	for _, name := range hostile {
		files[strings.ReplaceAll(name, "/", "_")] = ""
	}
	l := New(open(t, folder(t, files), tree.Options{}), Options{})
	page := get(l, "/")
	hasNot(t, page, "<script>alert", "<img", `' onclick`, `href="javascript:`, "\xff")
	has(t, page, `href="javascript%3Aalert%281%29"`, `href="a%3Fb%23c%252e"`, `href="-rf"`, `href="bad%FFutf8"`, "&amp;lt;b&amp;gt;", "bad\uFFFDutf8")
	if got := len(listed(page)); got != len(hostile) {
		t.Errorf("%d rows, want %d", got, len(hostile))
	}
	search := get(l, "/?search=%22%3E%3Cscript%3E&sort=%22%3E%3Cscript%3E")
	hasNot(t, search, `"><script>`, `<script>"`)
}

func TestOrders(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{"b": "1", "A": "333", "c": "22", "D/": ""})
	for name, days := range map[string]int{"b": 3, "A": 2, "c": 1, "D": 0} {
		at := then.AddDate(0, 0, -days)
		if err := os.Chtimes(root+"/"+name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	l := New(open(t, root, tree.Options{}), Options{Order: 1})
	for target, want := range map[string]string{
		"/":                "D/ c b A",
		"/?sort=0":         "A b c D/",
		"/?sort=1":         "D/ c b A",
		"/?sort=2":         "b A c D/",
		"/?sort=3":         "D/ c A b",
		"/?sort=4":         "D/ b c A",
		"/?sort=5":         "A c b D/",
		"/?sort=6":         "D/ A b c",
		"/?sort=255":       "D/ A b c",
		"/?sort=256":       "D/ c b A", // no order
		"/?sort=x&sort=0":  "A b c D/", // the first valid one
		"/?sort=":          "D/ c b A",
		"/?search=a":       "A",
		"/?search=%20D%20": "D/",
		"/?search=":        "D/ c b A",
	} {
		if got := strings.Join(listed(get(l, target)), " "); got != want {
			t.Errorf("%s lists %s, want %s", target, got, want)
		}
	}
	has(t, get(l, "/?sort=0"), `<th scope="col" aria-sort="ascending"><a href="?sort=1">Name`, `<a href="?sort=4">Size`)
	has(t, get(l, "/?sort=5"), `<th scope="col" aria-sort="descending"><a href="?sort=4">Size`, `name="sort" value="5"`)
	has(t, get(l, "/?sort=5&search=a%26"), `<a href="?sort=0&amp;search=a%26">`, `value="a&amp;"`, `<a href="?sort=5">show all`, "0 of 4 match “a&amp;”")
}

func TestJSON(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{`q"<é`: "12345", "docs/": "", "empty/": ""})
	os.Chtimes(root+"/docs", then, then)
	l := New(open(t, root, tree.Options{}), Options{Order: 0, Format: "json"})
	w := request(l, "GET", "/?search=d")
	if got, want := w.Body.String(), `[{"name":"docs","mtime":"2026-11-22T00:33:58Z","type":"directory"}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	var entries []map[string]any
	if err := json.Unmarshal([]byte(get(l, "/")), &entries); err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	if last := entries[2]; last["name"] != `q"<é` || last["size"] != 5.0 || last["type"] != "file" || last["mtime"] != "2026-11-22T00:33:58Z" {
		t.Errorf("the last is %v", last)
	}
	if got := get(l, "/empty/"); got != "[]" {
		t.Errorf("an empty folder is %s", got)
	}
}

func TestAuto(t *testing.T) {
	t.Parallel()
	l := New(open(t, folder(t, nil), tree.Options{}), Options{Format: "auto"})
	for accept, json := range map[string]bool{
		"":                                  false,
		"*/*":                               false,
		"text/html":                         false,
		"application/json":                  true,
		"Application/JSON":                  true,
		"application/*":                     true,
		"application/json, text/html":       false,
		"application/json, text/html;q=0.9": true,
		"application/json;q=0.5, */*;q=0.1": true,
		"application/json;q=0.5, */*":       false,
		"application/json;q=0":              false,
		"application/json;q=x, */*;q=0.001": false,
		"text/html;q=0.1, application/json;v=1;q=0.2":                    true,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=.8": false,
	} {
		w := request(l, "GET", "/", "Accept", accept)
		if got := w.Header().Get("Content-Type") == "application/json"; got != json {
			t.Errorf("Accept: %s gets %s", accept, w.Header().Get("Content-Type"))
		}
		if got := w.Header().Get("Vary"); got != "accept" {
			t.Errorf("Vary is %q", got)
		}
	}
}

func TestHeadHasTheSameHeader(t *testing.T) {
	t.Parallel()
	l := New(open(t, folder(t, map[string]string{"a": ""}), tree.Options{}), Options{Archives: []string{targz}, Format: "auto"})
	for _, target := range []string{"/", "/?download", "/?search=x"} {
		head, got := request(l, "HEAD", target), request(l, "GET", target)
		if head.Body.Len() > 0 || head.Code != 200 {
			t.Errorf("HEAD %s: %d with %d bytes", target, head.Code, head.Body.Len())
		}
		got.Header().Del("Content-Length")
		for name, value := range got.Header() {
			if !slices.Equal(head.Header()[name], value) {
				t.Errorf("HEAD %s has %s: %q, GET has %q", target, name, head.Header()[name], value)
			}
		}
	}
}

// The policy is worth nothing if it lets inline code in, and the page nothing if the policy does not match it.
func TestPolicyAllowsThePageAndNothingElse(t *testing.T) {
	t.Parallel()
	l := New(open(t, folder(t, nil), tree.Options{}), Options{})
	w := request(l, "GET", "/")
	policy := w.Header().Get("Content-Security-Policy")
	has(t, policy, "default-src 'none'", "base-uri 'none'")
	hasNot(t, policy, "unsafe", "*")
	for _, element := range []string{"style", "script"} {
		parts := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(w.Body.String(), -1)
		if len(parts) != 1 {
			t.Fatalf("%d elements %s", len(parts), element)
		}
		sum := sha256.Sum256([]byte(parts[0][1]))
		has(t, policy, element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	with := http.Header{"Content-Security-Policy": {"frame-ancestors 'self'"}, "Cache-Control": {"max-age=5"}, "Vary": {"origin"}}
	l.options.Codings = compress.Codings()
	l.setHeader(with, false)
	if got, want := with.Values("Content-Security-Policy"), policy+"; frame-ancestors 'self'"; len(got) != 1 || got[0] != want {
		t.Errorf("joined: %q", got)
	}
	if with.Get("Cache-Control") != "max-age=5" || with.Get("Vary") != "origin, accept-encoding" {
		t.Errorf("%v", with)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	if byAnOrdinaryUser(t) {
		return
	}
	root := folder(t, map[string]string{"file": "", "secret/x": "", "link -> secret": ""})
	os.Chmod(root+"/secret", 0)
	t.Cleanup(func() { os.Chmod(root+"/secret", 0o755) })
	l := New(open(t, root, tree.Options{}), Options{Archives: []string{zipped}})
	statuses := map[string]int{"/missing/": 404, "/file/": 404, "/link/": 403, "/secret/": 403}
	for path, status := range statuses {
		for _, query := range []string{"", "?download"} {
			for _, method := range []string{"GET", "HEAD"} {
				w := request(l, method, path+query)
				if w.Code != status || w.Header().Get("Content-Disposition") != "" {
					t.Errorf("%s %s%s is %d, want %d: %v", method, path, query, w.Code, status, w.Header())
				}
			}
		}
	}
}

func TestCodings(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, name := range strings.Fields("a b c d e f g h") {
		files[strings.Repeat(name, 30)] = ""
	}
	l := New(open(t, folder(t, files), tree.Options{}), Options{Format: "auto", Codings: compress.Codings()})
	w := request(l, "GET", "/", "Accept-Encoding", "gzip, br;q=0.5")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Length") != "" || w.Header().Get("Vary") != "accept, accept-encoding" {
		t.Errorf("%v", w.Header())
	}
	reader, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := readAll(t, reader), get(l, "/"); got != want {
		t.Errorf("unpacked it is another page:\n%s", got)
	}
	small := request(l, "GET", "/?search=aaa", "Accept-Encoding", "gzip", "Accept", "application/json")
	if small.Header().Get("Content-Encoding") != "" || small.Header().Get("Content-Length") == "" {
		t.Errorf("a small body: %v", small.Header())
	}
	if head := request(l, "HEAD", "/", "Accept-Encoding", "gzip"); head.Header().Get("Content-Encoding") != "" {
		t.Errorf("HEAD: %v", head.Header())
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 1 << 20: "1.00 MiB", 1 << 30: "1.00 GiB", 1 << 40: "1.00 TiB", 1 << 50: "1.00 PiB", 1 << 62: "4096.00 PiB",
	} {
		if got := string(appendSize(nil, size)); got != want {
			t.Errorf("%d is %s, want %s", size, got, want)
		}
	}
}
