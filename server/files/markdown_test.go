package files

import "testing"

func TestWantsMarkdown(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/markdown": true, "Text/Markdown": true, "text/markdown;q=0.5": true, "text/markdown, text/html, */*": true, "text/markdown;charset=utf-8": true,
		"text/html;q=0.9, text/markdown": true, "text/html": false, "*/*": false, "text/*": false, "": false, "text/markdown;q=0": false,
		"text/html, text/markdown;q=0.9": false, "text/plain, */*": false, "text/markdown;q=x": false, "text/markdownish": false,
	} {
		if got := wantsMarkdown([]string{accept}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
	if wantsMarkdown(nil) || !wantsMarkdown([]string{"text/plain", "text/markdown"}) {
		t.Error("lines are not joined")
	}
}

func TestMarkdown(t *testing.T) {
	o := usual()
	o.Markdown = true
	_, h := siteWith(t, o, map[string]string{
		"p.html": "html", "p.md": "markdown", "q.html": "html", "q.html.md": "markdown", "dir/index.html": "html", "dir/index.html.md": "markdown",
		"plain.html": "html", ".secret.md": "SECRET", "100%.md": "percent", "index.html": "html", "index.html.md": "markdown",
	})
	for target, want := range map[string]string{
		"/p": "markdown", "/q": "markdown", "/q.html": "markdown", "/dir/": "markdown", "/dir": "markdown", "/plain": "html", "/plain.html": "html",
		"/100%25": "percent", "/": "markdown", "/p.md": "markdown",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, target, "Accept", "text/markdown")
			body, mediaType := want, "text/markdown; charset=utf-8"
			if method == "HEAD" {
				body = ""
			}
			if want == "html" {
				mediaType = "text/html; charset=utf-8"
			}
			if w.Code != 200 || w.Body.String() != body {
				t.Errorf("%s %s: %d %q", method, target, w.Code, w.Body)
			}
			wantHeader(t, w, "Content-Type", mediaType, "Vary", "accept")
		}
	}
	for _, accept := range []string{"", "*/*", "text/html"} {
		w := ask(h, "GET", "/p", "Accept", accept)
		if w.Body.String() != "html" {
			t.Errorf("Accept %q: %d %q", accept, w.Code, w.Body)
		}
		wantHeader(t, w, "Vary", "accept")
	}
	for target, want := range map[string]int{"/../p2": 404, "/%2e%2e/%2e%2e/etc/passwd": 404, "/.secret": 404, "/missing": 404} {
		w := ask(h, "GET", target, "Accept", "text/markdown")
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
		wantHeader(t, w, "Vary", "accept")
	}
	if w := ask(h, "POST", "/p", "Accept", "text/markdown"); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	_, off := site(t, map[string]string{"p.html": "html", "p.md": "markdown"})
	w := ask(off, "GET", "/p", "Accept", "text/markdown")
	if w.Body.String() != "html" {
		t.Errorf("off: %q", w.Body)
	}
	wantHeader(t, w, "Vary", "")
}
