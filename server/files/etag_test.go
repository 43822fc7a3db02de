package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

func TestConditions(t *testing.T) {
	_, h := site(t, map[string]string{"a.css": "0123456789"})
	w := ask(h, "GET", "/a.css")
	tag, date := w.Header().Get("ETag"), w.Header().Get("Last-Modified")
	const before, after = "Thu, 01 Jan 2026 00:00:00 GMT", "Sat, 03 Jan 2026 00:00:00 GMT"
	for _, test := range []struct {
		want   int
		fields []string
	}{
		{304, []string{"If-None-Match", tag}},
		{304, []string{"If-None-Match", "W/" + tag}},
		{304, []string{"If-None-Match", `"other", ` + tag}},
		{304, []string{"If-None-Match", "*"}},
		{200, []string{"If-None-Match", `"other"`}},
		{200, []string{"If-None-Match", strings.Trim(tag, `"`)}},
		{304, []string{"If-Modified-Since", date}},
		{304, []string{"If-Modified-Since", after}},
		{200, []string{"If-Modified-Since", before}},
		{200, []string{"If-Modified-Since", "yesterday"}},
		{304, []string{"If-None-Match", tag, "If-Modified-Since", before}}, // If-None-Match decides
		{200, []string{"If-None-Match", `"other"`, "If-Modified-Since", after}},
		{200, []string{"If-Match", tag}},
		{200, []string{"If-Match", `"other", ` + tag}},
		{200, []string{"If-Match", "*"}},
		{412, []string{"If-Match", `"other"`}},
		{412, []string{"If-Match", "W/" + tag}}, // strong comparison
		{200, []string{"If-Unmodified-Since", date}},
		{200, []string{"If-Unmodified-Since", after}},
		{412, []string{"If-Unmodified-Since", before}},
		{200, []string{"If-Match", tag, "If-Unmodified-Since", before}}, // If-Match decides
		{412, []string{"If-Match", `"other"`, "If-None-Match", tag}},
		{304, []string{"If-Match", tag, "If-None-Match", tag}},
		{304, []string{"If-None-Match", tag, "Range", "bytes=0-1"}},
		{412, []string{"If-Match", `"other"`, "Range", "bytes=0-1"}},
		{206, []string{"If-Range", tag, "Range", "bytes=0-1"}},
		{206, []string{"If-Range", date, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", "W/" + tag, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", `"other"`, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", before, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", after, "Range", "bytes=0-1"}},
		{200, []string{"If-Range", `"other"`, "Range", "bytes=100-"}},
		{200, []string{"If-Range", tag}},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			want := test.want
			if method == "HEAD" && want == 206 {
				want = 200
			}
			w := ask(h, method, "/a.css", test.fields...)
			if w.Code != want {
				t.Errorf("%s %v: %d, want %d", method, test.fields, w.Code, want)
				continue
			}
			switch want {
			case 304:
				wantHeader(t, w, "ETag", tag, "Last-Modified", date, "Content-Type", "", "Content-Length", "")
			case 412:
				wantHeader(t, w, "Content-Type", "", "Content-Length", "0")
			case 200:
				wantHeader(t, w, "ETag", tag, "Content-Range", "", "Content-Length", "10")
			}
			if want >= 300 && w.Body.Len() > 0 {
				t.Errorf("%s %v: %d has the body %q", method, test.fields, want, w.Body)
			}
		}
	}
}

func TestTagFollowsTheFile(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "one"})
	name := filepath.Join(dir, "a.txt")
	seen := map[string]string{}
	check := func(step string) {
		t.Helper()
		tag := ask(h, "GET", "/a.txt").Header().Get("ETag")
		if before, ok := seen[tag]; ok {
			t.Errorf("the ETag after %q is that after %q", step, before)
		}
		seen[tag] = step
		if again := ask(h, "GET", "/a.txt").Header().Get("ETag"); again != tag {
			t.Errorf("the ETag after %q changes by itself", step)
		}
	}
	check("made")
	write(t, name, "two and more")
	check("other size")
	if err := os.Chtimes(name, modified(), modified().Add(1)); err != nil {
		t.Fatal(err)
	}
	check("a nanosecond later")
	write(t, name+".new", "two and MORE") // same size and time
	if err := os.Chtimes(name+".new", modified(), modified().Add(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	check("replaced, same size and time")
}

func TestTagIsOfTheFileAlone(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "one"})
	one, two := ask(h, "GET", "/a.txt"), ask(serving(t, dir, tree.Options{}, Options{}), "GET", "/a.txt")
	if one.Header().Get("ETag") != two.Header().Get("ETag") {
		t.Error("the ETag changes with the server: caches would be void after each start")
	}
}

func TestTagFromContent(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "content", "b.txt": "content", "c.txt": "CONTENT", "real.txt": "content"})
	for i, name := range []string{"a.txt", "b.txt", "c.txt"} {
		epoch := time.Unix(int64(i%2), 0)
		if err := os.Chtimes(filepath.Join(dir, name), epoch, epoch); err != nil {
			t.Fatal(err)
		}
	}
	tags := map[string]string{}
	for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
		w := ask(h, "GET", "/"+name)
		tags[name] = w.Header().Get("ETag")
		wantHeader(t, w, "Last-Modified", "")
		if w.Code != 200 || len(w.Body.String()) != 7 || len(tags[name]) != 24 {
			t.Errorf("%s: %d %q, ETag %s", name, w.Code, w.Body, tags[name])
		}
		for _, fields := range [][]string{{"If-Modified-Since", "Sat, 03 Jan 2026 00:00:00 GMT"}, {"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"}} {
			if w := ask(h, "GET", "/"+name, fields...); w.Code != 200 {
				t.Errorf("%s %v: %d, want 200: there is no date to compare", name, fields, w.Code)
			}
		}
		w = ask(h, "GET", "/"+name, "If-None-Match", tags[name])
		if w.Code != 304 {
			t.Errorf("%s: If-None-Match gives %d", name, w.Code)
		}
		wantHeader(t, w, "Last-Modified", "", "ETag", tags[name])
		if w := ask(h, "GET", "/"+name, "Range", "bytes=1-2", "If-Range", tags[name]); w.Code != 206 || len(w.Body.String()) != 2 {
			t.Errorf("%s: a range gives %d %q", name, w.Code, w.Body)
		}
	}
	if tags["a.txt"] != tags["b.txt"] || tags["a.txt"] == tags["c.txt"] {
		t.Errorf("equal content must have equal ETags, different content different ones: %v", tags)
	}
	if tag := ask(h, "GET", "/real.txt").Header().Get("ETag"); tag == tags["a.txt"] {
		t.Error("a file with a date has its ETag from the content")
	}
	write(t, filepath.Join(dir, "a.txt"), "CONTENT") // changed in place, the date put back
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if tag := ask(h, "GET", "/a.txt").Header().Get("ETag"); tag != tags["c.txt"] {
		t.Error("the ETag does not follow the content")
	}
}

func TestDateInTheFuture(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "x"})
	future := time.Now().AddDate(1, 0, 0)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), future, future); err != nil {
		t.Fatal(err)
	}
	last, err := time.Parse(time.RFC1123, ask(h, "GET", "/a.txt").Header().Get("Last-Modified"))
	if err != nil || last.After(time.Now()) {
		t.Errorf("Last-Modified is %v, %v", last, err)
	}
}
