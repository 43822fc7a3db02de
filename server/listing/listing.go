// Package listing shows what is in a folder, as a page or as JSON, and sends folders as archives.
//
// A request becomes a reply in few steps, one file each: the query and Accept say what is asked for (query.go, accept.go),
// the entries are chosen and ordered (order.go), and written piece by piece (body.go) as a page (view.go, page.go, table.go) or
// JSON (json.go).
// Archives (archive.go) are made while they are sent (walk.go, tarball.go, zip.go).
package listing

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/rouse-server/rouse/server/accept"
	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/tree"
)

// Options are the choices that New takes. The zero value makes pages and offers no archives.
type Options struct {
	// Order is static-web-server's number: 0 and 1 by name, 2 and 3 by time, 4 and 5 by size, the odd ones descending. Any
	// other is the order in which people look for things: folders first, then by name. ?sort=N overrides it.
	Order uint8
	// Format is "html", also when empty; "json"; or "auto", which goes by Accept and is html when that leaves it open.
	Format string
	// Archives are the formats in which folders can be downloaded: "targz", "tarzst", "zip". None: no downloads.
	Archives []string

	Withheld []string // names, as for tree.Tree.Open, of files that are there and not served

	Codings []compress.Coding // content codings that may be made on the fly for pages and JSON; nil: none
	Level   compress.Level    // how hard they and archives are compressed; empty is compress.Default

	Error func(w http.ResponseWriter, r *http.Request, status int) // answers when a folder cannot be read; nil: errorpage.Write
	Log   *slog.Logger                                             // told of what cannot be read though it should; nil discards
}

// Listing lists the folders of a tree. It may be used by many goroutines at a time.
type Listing struct {
	tree       *tree.Tree
	options    Options
	complaints tree.Complaints
	assets     assets
	buffers    sync.Pool // of *[]byte, for body
}

// New returns listings of the folders of t. What t does not open is in no listing and no archive.
func New(t *tree.Tree, o Options) *Listing {
	if o.Level == "" {
		o.Level = compress.Default
	}
	if o.Error == nil {
		o.Error = errorpage.Write
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Listing{tree: t, options: o, assets: newAssets(), complaints: tree.Complaints{Log: o.Log}}
}

// Serve answers a GET or HEAD with the folder dir, a name for tree.Tree.Open, that the client knows by urlPath, the decoded
// path of its request. Links are relative to that, whether it ends in a slash or not.
//
// Once a part is sent, an error is told by the panic http.ErrAbortHandler, which breaks the reply off.
func (l *Listing) Serve(w http.ResponseWriter, r *http.Request, dir, urlPath string) {
	reply.Decline(w)
	q := parse(r.URL.Query(), l.options)
	if q.archive != "" {
		l.sendArchive(w, r, dir, q.archive)
		return
	}
	json := l.options.Format == "json"
	if l.options.Format == "auto" {
		json = prefersJSON(r.Header.Values("Accept"))
		accept.AddVary(w.Header(), "accept")
	}
	if r.Method == http.MethodHead {
		if err := l.check(dir); err != nil {
			l.fail(w, r, err)
			return
		}
		l.setHeader(w.Header(), json)
		w.WriteHeader(http.StatusOK)
		return
	}
	entries, err := l.entries(r.Context(), dir)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	l.setHeader(w.Header(), json)
	b := l.newBody(w, r)
	if json {
		writeJSON(b, choose(entries, q))
	} else {
		l.writePage(b, newView(urlPath, entries, q))
	}
	if err := b.end(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// entries are those in a folder that clients may know of.
func (l *Listing) entries(ctx context.Context, dir string) ([]tree.Entry, error) {
	entries, err := l.tree.Entries(ctx, dir)
	for _, name := range l.options.Withheld {
		if path.Dir(name) == dir { // in any case, as some file systems have it
			entries = slices.DeleteFunc(entries, func(e tree.Entry) bool { return strings.EqualFold(e.Name, path.Base(name)) })
		}
	}
	return entries, err
}

// check tells why a folder cannot be listed.
func (l *Listing) check(dir string) error {
	folder, info, err := l.tree.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	return nil
}

// setHeader sets what all listings have in common. A policy of caching that is set already stays.
func (l *Listing) setHeader(h http.Header, json bool) {
	if json {
		h.Set("Content-Type", "application/json")
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", join(l.assets.policy, h.Get("Content-Security-Policy")))
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	if len(l.options.Codings) > 0 {
		accept.AddVary(h, "accept-encoding")
	}
}

// join makes one policy of ours and what another part of the server has set, frame-ancestors for one. Of a directive that is
// in both, the first counts (CSP3 §2.2.1): the page needs its own.
func join(ours, theirs string) string {
	if theirs == "" {
		return ours
	}
	return ours + "; " + theirs
}

// fail answers for a folder that cannot be read. What is no fault of the request is logged.
func (l *Listing) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // nobody waits for the answer
		panic(http.ErrAbortHandler)
	}
	status := tree.Status(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	l.complaints.Answered(r.Context(), r.URL.Path, err)
	l.options.Error(w, r, status)
}
