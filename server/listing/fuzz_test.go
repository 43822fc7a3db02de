package listing

import (
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rouse-server/rouse/server/tree"
)

// FuzzNames holds a row, JSON and the name of an archive to this: the name comes out as it went in, and nothing else does.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a.txt", "spécial x", `<script>alert(1)</script>`, `"><img src=x>`, "' onclick='x", "a\nb", "\xff\xfe", "a\x00b", "%2e%2e", "?x#y", "-rf", "javascript:x", "..", "\u202egpj.exe", "\uFFFD"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "/") {
			return // no file has such a name
		}
		valid := strings.ToValidUTF8(name, "\uFFFD")
		for _, folder := range []bool{false, true} {
			entry := row{Entry: &tree.Entry{Name: name, Directory: folder}}
			text := string((&view{}).appendRow(nil, entry))
			link, rest, _ := strings.Cut(strings.TrimPrefix(text, `<tr><th scope="row"><a href="`), `">`)
			shown, _, _ := strings.Cut(rest, `</a></th><td>-</td><td>`)
			if strings.ContainsAny(link, "\"'<>&:?#\\ ") || !utf8.ValidString(text) {
				t.Fatalf("%q is in a row %q", name, text)
			}
			if back, err := url.PathUnescape(strings.TrimSuffix(link, "/")); err != nil || back != name {
				t.Fatalf("%q has the link %q", name, link)
			}
			if strings.ContainsAny(shown, `<>"'`) {
				t.Fatalf("%q is shown as %q", name, shown)
			}
			if utf8.ValidString(name) && !strings.Contains(name, "\x00") && strings.TrimSuffix(html.UnescapeString(shown), "/") != name {
				t.Fatalf("%q is shown as %q", name, shown)
			}
			var object struct{ Name string }
			if err := json.Unmarshal(appendObject(nil, entry), &object); err != nil || utf8.ValidString(name) && object.Name != valid {
				t.Fatalf("%q is in JSON %q, %v", name, object.Name, err)
			}
		}
		value := disposition(archiveName("x/" + name + "y"))
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c >= 0x7f }) || strings.Count(value, `"`) != 2 {
			t.Fatalf("%q is saved by %q", name, value)
		}
	})
}

// FuzzAccept finds out that no Accept field does harm.
func FuzzAccept(f *testing.F) {
	for _, field := range []string{"", "*/*", "application/json", "text/html;q=0.1, application/json", ";;q=,/", "a/b;q=1.0000", "application/json;q=0.999;x=\"y\""} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if prefersJSON([]string{field}) && !strings.Contains(strings.ToLower(field), "application/") && !strings.Contains(field, "text/html") {
			t.Fatalf("%q prefers JSON", field)
		}
	})
}

// FuzzQuery holds what stands behind the question mark to this: only what is offered is asked for, and the links of a listing ask
// for what they say, whatever was searched for.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{"sort=1&search=a", "sort=256&sort=2", "download", "download=zip&download=targz", "download=../x", "search=%22%3E%3Cscript%3E&sort=-1", "search=+a%00%ff+", "%zz", "sort=1;search=b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, _ := url.ParseQuery(text)
		offered := []string{"zip", targz}
		q := parse(values, Options{Order: 6, Archives: offered})
		if q.archive != "" && !slices.Contains(offered, q.archive) || !q.sorted && q.order != 6 {
			t.Errorf("%q is %+v", text, q)
		}
		if q := parse(values, Options{}); q.archive != "" {
			t.Errorf("%q is %+v where nothing is offered", text, q)
		}
		link := q.link(3)
		values, err := url.ParseQuery(strings.TrimPrefix(link, "?"))
		again := parse(values, Options{})
		if err != nil || again.order != 3 || again.search != q.search || strings.ContainsAny(link, "<>\"' \r\n") {
			t.Errorf("%q has the link %q: %+v, %v", text, link, again, err)
		}
	})
}
