package conformance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

func listings() []point {
	asHTML, inJSON := with("--directory-listing"), with("--directory-listing --directory-listing-format=json")
	root := with("--directory-listing --index-files=none.html")
	auto := with("--directory-listing --directory-listing-format=auto")
	download := with("--directory-listing --directory-listing-download=targz")
	return []point{
		{number: "C8.1", title: "title, heading, counts, sorting", server: asHTML, do: func(a *asker) {
			a.get("/list/").want(200, is("Content-Type", "text/html; charset=utf-8"), contains("<title>Index of /list/</title>", "directories: 2, files: 4"), heading("Index of /list/"), sorting())
		}},
		{number: "C8.2", title: "../ but not at /", server: asHTML, do: func(a *asker) { a.get("/list/").want(200, hrefs("../")) }},
		{number: "C8.2", title: "../ but not at /", server: root, do: func(a *asker) { a.get("/").want(200, lacks(`href="../"`), hrefs("a.txt")) }},
		{number: "C8.3", title: "names are escaped", server: asHTML, do: func(a *asker) {
			a.get("/list/").want(200, hrefs("sp%C3%A9cial%20x/", payloadPath), lacks("<script>alert", `<x>&"`))
			a.get("/list/"+payloadPath).want(200, body("p\n"))
			a.get("/odd/sp%C3%A9cial%20x/").want(200, hrefs("%C3%B1%20b~c.txt"))
		}},
		{number: "C8.4", title: "folders end in a slash", server: asHTML, do: func(a *asker) { a.get("/list/").want(200, hrefs("sub/"), text("sub/")) }},
		{number: "C8.5", title: "without slash and redirect", server: with("--directory-listing --redirect-trailing-slash=false"), do: func(a *asker) {
			a.get("/list").want(200, hrefs("list/a.txt", "list/sub/"))
		}},
		{number: "C8.6", title: "sizes and times", server: asHTML, do: func(a *asker) {
			a.get("/list/").want(200, text("1.95 KiB", "300 B", "2026-01-02 03:04:05"))
		}},
		{number: "C8.7", title: "JSON", server: inJSON, do: func(a *asker) {
			a.get("/list/?sort=0").want(200, matches("Content-Type", "application/json(; charset=utf-8)?"), entries())
			a.get("/none/").want(200, kind("application/json"), emptyArray())
		}},
		{number: "C8.8", title: "HEAD", server: asHTML, do: func(a *asker) { a.head("/list/").want(200, body(""), kind("text/html")) }},
		{number: "C8.9", title: "sorting", server: inJSON, do: sorted},
		{number: "C8.9", title: "the order that the options say", server: with("--directory-listing --directory-listing-format=json --directory-listing-order=1"), do: func(a *asker) {
			a.get("/list/").want(200, files("c.txt", "b.txt", "a.txt"))
			a.get("/list/?sort=0").want(200, files("a.txt", "b.txt", "c.txt"))
		}},
		{number: "C8.10", title: "hidden names and links are omitted", server: asHTML, do: func(a *asker) {
			a.get("/list/").want(200, lacks(".secret", "link.txt", "out.txt"))
		}},
		{number: "C8.10", title: "followed links inside the root are shown", server: with("--directory-listing --disable-symlinks=false"), do: func(a *asker) {
			a.get("/list/").want(200, hrefs("link.txt"), lacks("out.txt", ".secret"))
		}},
		{number: "C8.11", title: "auto", server: auto, do: func(a *asker) {
			a.get("/list/", "Accept: application/json").want(200, kind("application/json"), varies("accept"))
			for _, accept := range []string{"Accept: text/html", "Accept: */*", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", "X-None: 1"} {
				a.get("/list/", accept).want(200, kind("text/html"), varies("accept"))
			}
			a.get("/list/", "Accept: text/html;q=0.2, application/json;q=0.9").want(200, kind("application/json"))
		}},
		{number: "C8.12", title: "download", server: download, do: func(a *asker) {
			a.get("/list/").want(200, contains("?download"), text("download tar.gz"))
			a.get("/list/?download").want(200, kind("application/gzip"), matches("Content-Disposition", `attachment; ?filename="list\.tar\.gz"; ?filename\*=UTF-8''list\.tar\.gz`), archive())
		}},
		{number: "C8.13", title: "no download when off", server: asHTML, do: func(a *asker) {
			a.get("/list/").want(200, lacks("?download"))
			a.get("/list/?download").want(200, kind("text/html"), hrefs("a.txt"))
		}},
		{number: "C8.14", title: "an index file comes first", server: asHTML, do: func(a *asker) { a.get("/assets/").want(200, body(assetsPage)) }},
	}
}

// hrefs expects these links.
func hrefs(links ...string) expectation {
	pattern := regexp.MustCompile(`href="([^"]*)"`)
	return func(r *reply) (string, string, bool) {
		found, got := map[string]bool{}, "all of them"
		for _, match := range pattern.FindAllStringSubmatch(string(r.body), -1) {
			found[strings.TrimPrefix(html.UnescapeString(match[1]), "./")] = true
		}
		for _, link := range links {
			if !found[link] {
				got = "no " + link + " in " + strings.Join(slices.Sorted(maps.Keys(found)), " ")
			}
		}
		return "links " + strings.Join(links, " "), got, got == "all of them"
	}
}

// visible is a page's text as a reader sees it.
func visible(page []byte) string {
	bare := regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>`).ReplaceAllString(string(page), "")
	return html.UnescapeString(bare)
}

// text expects these words in what a reader sees.
func text(words ...string) expectation {
	return func(r *reply) (string, string, bool) {
		for _, word := range words {
			if !strings.Contains(visible(r.body), word) {
				return "text " + strings.Join(words, ", "), "no " + word, false
			}
		}
		return "text " + strings.Join(words, ", "), "all of it", true
	}
}

// heading expects this h1, with whatever markup.
func heading(words string) expectation {
	return func(r *reply) (string, string, bool) {
		found := regexp.MustCompile(`(?s)<h1\b.*?</h1>`).Find(r.body)
		got := strings.Join(strings.Fields(visible(found)), " ")
		return "h1 " + words, "h1 " + got, got == words
	}
}

// sorting expects a link to each of the three columns' orders.
func sorting() expectation {
	return func(r *reply) (string, string, bool) {
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(`href="[^"?]*\?sort=([0-5])"`).FindAllStringSubmatch(string(r.body), -1) {
			found[match[1]] = true
		}
		one := func(a, b string) bool { return found[a] || found[b] }
		return "links ?sort= for name, time and size", fmt.Sprint(slices.Sorted(maps.Keys(found))), one("0", "1") && one("2", "3") && one("4", "5")
	}
}

// entry is one of a listing in JSON.
type entry struct {
	Name, Type, MTime string
	Size              *int64
}

func decoded(r *reply) (list []entry, err error) {
	err = json.Unmarshal(r.body, &list)
	return list, err
}

// entries expects what is in /list/.
func entries() expectation {
	const expected = "a.txt 2000, b.txt 300, c.txt 40, and folders without size, all of 2026-01-02T03:04:05Z"
	return func(r *reply) (string, string, bool) {
		list, err := decoded(r)
		if err != nil {
			return expected, err.Error() + " in body " + show(r.body), false
		}
		sizes := map[string]int64{}
		holds := len(list) == 6
		for _, e := range list {
			holds = holds && e.MTime == "2026-01-02T03:04:05Z" && (e.Type == "file") == (e.Size != nil) && (e.Type == "file" || e.Type == "directory")
			if e.Size != nil {
				sizes[e.Name] = *e.Size
			} else {
				sizes[strings.TrimSuffix(e.Name, "/")] = -1
			}
		}
		want := map[string]int64{"a.txt": 2000, "b.txt": 300, "c.txt": 40, payload: 2, "sub": -1, "sp\u00e9cial x": -1}
		return expected, string(r.body), holds && maps.Equal(sizes, want)
	}
}

func emptyArray() expectation {
	return func(r *reply) (string, string, bool) {
		return "[]", string(r.body), strings.TrimSpace(string(r.body)) == "[]"
	}
}

// files expects these files in this order; folders and the odd one do not count.
func files(names ...string) expectation {
	return func(r *reply) (string, string, bool) {
		list, err := decoded(r)
		var got []string
		for _, e := range list {
			if e.Type == "file" && strings.HasSuffix(e.Name, ".txt") && len(e.Name) == 5 {
				got = append(got, e.Name)
			}
		}
		return "files " + strings.Join(names, " "), "files " + strings.Join(got, " "), err == nil && slices.Equal(got, names)
	}
}

func sorted(a *asker) {
	up, down := []string{"a.txt", "b.txt", "c.txt"}, []string{"c.txt", "b.txt", "a.txt"}
	a.get("/list/?sort=0").want(200, files(up...))
	a.get("/list/?sort=1").want(200, files(down...))
	a.get("/list/?sort=4").want(200, files(down...)) // a.txt is the largest
	a.get("/list/?sort=5").want(200, files(up...))
	a.get("/list/?sort=x&sort=1").want(200, files(down...)) // the first valid one
	for _, other := range []string{"/list/?sort=2", "/list/?sort=3", "/list/?sort=9", "/list/?sort=x"} {
		a.get(other).want(200, entries())
	}
}

// archive expects a tar.gz of /list/ with what may be served.
func archive() expectation {
	const expected = "a tar.gz of a.txt, b.txt, c.txt and sub/inner.txt, nothing hidden and no link"
	return func(r *reply) (string, string, bool) {
		unzipped, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return expected, err.Error(), false
		}
		sizes, all := map[string]int64{}, []string{}
		for reader := tar.NewReader(unzipped); ; {
			header, err := reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return expected, err.Error(), false
			}
			sizes[path.Base(header.Name)] = header.Size
			all = append(all, header.Name)
		}
		holds := sizes["a.txt"] == 2000 && sizes["b.txt"] == 300 && sizes["c.txt"] == 40 && sizes["inner.txt"] == 6
		for _, never := range []string{".secret", "link.txt", "out.txt"} {
			_, there := sizes[never]
			holds = holds && !there
		}
		return expected, strings.Join(all, ", "), holds
	}
}
