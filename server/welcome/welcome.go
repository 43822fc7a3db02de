// Package welcome is the site that Rouse serves when there is nothing to serve: one page that says
// what is being served, from which sockets, and what to type next.
package welcome

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/rouse-server/rouse/server/errorpage"
)

var (
	//go:embed welcome.html
	pageHTML string
	//go:embed welcome.css
	styleCSS []byte
	//go:embed mark.svg
	markSVG []byte
)

// contentPolicy lets the page load its own style sheet and mark and nothing else. It needs no scripts.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// A file is one of the site's files, complete in memory.
type file struct {
	contentType string
	etag        string
	body        []byte
}

func newFile(contentType string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{contentType, `"` + hex.EncodeToString(sum[:12]) + `"`, body}
}

// Handler answers GET and HEAD with the welcome site for p: the page at /, /welcome.css and /mark.svg.
// /index.html redirects to / (308), any other path is 404 and any other method 405. The page is
// rendered once, here; conditional and range requests are answered by [http.ServeContent].
func Handler(p Page) http.Handler {
	files := map[string]file{
		"/":            newFile("text/html; charset=utf-8", render(p)),
		"/welcome.css": newFile("text/css; charset=utf-8", styleCSS),
		"/mark.svg":    newFile("image/svg+xml", markSVG),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			errorpage.Write(w, r, http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/index.html" {
			http.Redirect(w, r, "/", http.StatusPermanentRedirect)
			return
		}
		f, ok := files[r.URL.Path]
		if !ok {
			errorpage.Write(w, r, http.StatusNotFound)
			return
		}
		f.serve(w, r)
	})
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // the same address shows the user's own site next time
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
