package server

import (
	"log/slog"
	"net/http"

	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/rules"
)

// redirecting answers with the first redirect that matches.
func redirecting(redirects *rules.Redirects) link {
	return func(next http.Handler) http.Handler {
		if redirects == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if location, status, ok := redirects.Find(r.Host, r.URL.EscapedPath(), r.URL.RawQuery); ok {
				redirect(w, location, status)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// rewriting goes on with what the first rewrite that matches makes of a request.
func rewriting(rewrites *rules.Rewrites, rewrite rewriter) link {
	return func(next http.Handler) http.Handler {
		if rewrites == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			destination, status, ok := rewrites.Find(r.URL.EscapedPath())
			switch {
			case !ok:
				next.ServeHTTP(w, r)
			case status != 0:
				redirect(w, destination, status)
			default:
				rewrite(w, r, next, destination)
			}
		})
	}
}

// rewriter goes on with what a destination makes of a request.
type rewriter func(w http.ResponseWriter, r *http.Request, next http.Handler, destination string)

// newRewriter returns one that answers with fail, and writes to the log, where a destination is neither a path nor a URL.
func newRewriter(fail refusal, log *slog.Logger) rewriter {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, destination string) {
		rewritten, err := rules.Rewritten(r, destination)
		if err != nil {
			log.Error("a rewrite leads nowhere", "uri", atMost(r.RequestURI, longestURI), "reason", err)
			fail(w, r, http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, rewritten)
	}
}

func redirect(w http.ResponseWriter, location string, status int) {
	header := w.Header()
	header.Set("Location", location)
	header.Set("Content-Length", "0")
	reply.Mark(w, nil)
	w.WriteHeader(status)
}

// siteRules does what _redirects in the root says.
func (h *host) siteRules(next http.Handler) http.Handler {
	if h.site == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		match, ok := h.site.Find(r, func() bool { return h.exists(r.URL.Path) })
		switch {
		case !ok:
			next.ServeHTTP(w, r)
		case match.Status >= 300 && match.Status < 400:
			redirect(w, match.Target, match.Status)
		default:
			if match.Status != http.StatusOK {
				w, r = &restatused{w, match.Status}, unconditional(r)
			}
			h.rewrite(w, r, next, match.Target)
		}
	})
}

// restatused sends what is found with another status.
type restatused struct {
	http.ResponseWriter
	status int
}

func (w *restatused) WriteHeader(status int) {
	if status == http.StatusOK {
		status = w.status
		header := w.Header() // it stands in for something else, as pages for errors do
		header.Set("Cache-Control", "no-cache")
		header.Del("Etag")
		header.Del("Last-Modified")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *restatused) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unconditional is the request without what would make its answer a part or a 304.
func unconditional(r *http.Request) *http.Request {
	plain := *r
	plain.Header = r.Header.Clone()
	for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		plain.Header.Del(name)
	}
	return &plain
}
