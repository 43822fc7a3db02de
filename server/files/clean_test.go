package files

import (
	"net/http"
	"testing"

	"github.com/rouse-server/rouse/server/tree"
)

func TestPageWithoutExtension(t *testing.T) {
	_, h := site(t, map[string]string{"page.html": "page", "v1.2.html": "v1.2", "both.html": "html", "both": "bare", "dir/index.html": "index", "dir.html": "beside", "odd.html/": ""})
	for target, want := range map[string]string{"/page": "page", "/page.html": "page", "/v1.2": "v1.2", "/both": "bare", "/dir/": "index", "/dir/index": "index"} {
		w := ask(h, "GET", target)
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
	}
	wantHeader(t, ask(h, "GET", "/page"), "Content-Type", "text/html; charset=utf-8")
	for target, want := range map[string]int{"/page/": 404, "/odd": 404, "/dir": 308, "/page.htm": 404, "/missing": 404} {
		if w := ask(h, "GET", target); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func TestCleanURLs(t *testing.T) {
	o := usual()
	o.CleanURLs = true
	_, h := siteWith(t, o, map[string]string{
		"index.html": "root", "page.html": "page", "dir/index.html": "index", "dir/index.htm": "second", "dir/b c.html": "odd", "blog.html": "blog", "blog/post.html": "post",
		"both.html": "html", "both": "bare", "old/index.htm": "htm", "a.css": "css",
	})
	for target, want := range map[string]string{
		"/page.html": "/page", "/page.html?a=b&c": "/page?a=b&c", "//page.html": "/page", "/x/../page.html": "/page", "/index.html": "/", "/index.html?q": "/?q",
		"/dir/index.html": "/dir/", "/dir/b%20c.html": "/dir/b%20c", "/blog/post.html": "/blog/post", "/dir": "/dir/", "/%2Fpage.html": "/page",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, target)
			if w.Code != 308 || w.Body.Len() > 0 {
				t.Errorf("%s %s: %d %q", method, target, w.Code, w.Body)
			}
			wantHeader(t, w, "Location", want)
		}
	}
	for target, want := range map[string]string{
		"/page": "page", "/": "root", "/dir/": "index", "/dir/b%20c": "odd", "/blog.html": "blog", // /blog is the folder
		"/both.html": "html", "/both": "bare", "/dir/index.htm": "second", "/old/index.htm": "htm", "/a.css": "css",
	} {
		if w := ask(h, "GET", target); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q %s", target, w.Code, w.Body, w.Header().Get("Location"))
		}
	}
	if w := ask(h, "OPTIONS", "/page.html"); w.Code != 204 {
		t.Errorf("OPTIONS: %d", w.Code)
	}
}

// Each redirect leads to what was asked for, in one step.
func TestCleanURLsLeadThere(t *testing.T) {
	o := usual()
	o.CleanURLs = true
	o.IndexFiles = []string{"main.html", "index.html"}
	_, h := siteWith(t, o, map[string]string{"index.html": "1", "a/main.html": "2", "a/index.html": "3", "b/index.html/x": "", "b/main.html": "4", "c.html": "5", "index.html.html": "6"})
	for target, want := range map[string]string{"/index.html": "1", "/a/main.html": "2", "/a/index.html": "3", "/b/main.html": "4", "/c.html": "5", "/index.html.html": "6"} {
		w := ask(h, "GET", target)
		if w.Code == 308 {
			w = ask(h, "GET", w.Header().Get("Location"))
		}
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
	}
}

func TestNoSlashRedirect(t *testing.T) {
	_, h := siteWith(t, Options{IndexFiles: []string{"index.html"}}, map[string]string{"assets/index.html": "index", "empty/": "", "a.txt": "a"})
	for target, want := range map[string]int{"/assets": 200, "/assets/": 200, "/empty": 404, "/empty/": 404, "/a.txt/": 404} {
		w := ask(h, "GET", target)
		if w.Code != want || want == 200 && w.Body.String() != "index" {
			t.Errorf("%s: %d %q, want %d", target, w.Code, w.Body, want)
		}
	}
}

func TestLinksForbidden(t *testing.T) {
	dir := folder(t, map[string]string{"a.txt": "a"})
	symlink(t, "a.txt", dir+"/link.txt")
	for rules, want := range map[tree.Options]int{{}: http.StatusForbidden, {Follow: true}: http.StatusOK} {
		if w := ask(serving(t, dir, rules, usual()), "GET", "/link.txt"); w.Code != want {
			t.Errorf("%+v: %d, want %d", rules, w.Code, want)
		}
	}
}
