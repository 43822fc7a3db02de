// Package files serves the files below a root over HTTP.
//
// A request becomes a reply in these steps: the path is cleaned (path.go), what it stands for is found (lookup.go, clean.go,
// markdown.go), the representation that the client wants is chosen (choose.go: a precompressed file, one made on the fly, or
// the file as it is) and described (etag.go, digest.go, types.go), and net/http sends it with what If-* and Range ask for
// (send.go, ranges.go).
package files

import (
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rouse-server/rouse/server/accept"
	"github.com/rouse-server/rouse/server/cache"
	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/rules"
	"github.com/rouse-server/rouse/server/tree"
)

// Options are the choices that New takes. The zero value serves files as they are, and no index pages.
type Options struct {
	IndexFiles    []string          // names tried in this order for a folder
	SlashRedirect bool              // send /folder to /folder/; otherwise both are answered alike
	CleanURLs     bool              // send /page.html to /page and /index.html to /; that /page is page.html is always so
	Markdown      bool              // serve page.md for page to clients that ask for text/markdown
	Charset       bool              // say that text is in UTF-8
	MimeTypes     map[string]string // media types by extension (lower case, with the dot), over the built-in ones
	Withheld      []string          // names at the root that are not served, in any case

	Pages    *errorpage.Pages // the site's own error pages
	Fallback string           // file, not relative to the root, for a GET that would be 404; "" is none
	SPA      bool             // only navigations get the fallback, which is otherwise the root's first index file

	Codings  []compress.Coding                         // made on the fly, in order of preference; nil makes none
	Level    compress.Level                            // how hard that tries; "" is compress.Default
	Static   bool                                      // serve the .zst, .br and .gz files beside a file
	Encoders *Encoders                                 // how many are made at once; nil: any number
	Cache    *cache.Cache[Variant]                     // what was made on the fly; nil makes it each time
	Memory   *cache.Cache[Identity]                    // small files; a reply from there has X-Cache: HIT. nil keeps none
	Small    int64                                     // bytes up to which a file goes into Memory
	Tag      Tag                                       // how ETags are made
	Digest   bool                                      // send Repr-Digest (RFC 9530), which takes one reading of each file
	List     Lister                                    // answers for a folder without index file; nil: 404
	Finish   func(http.Header, *http.Request, Outcome) // called once for each reply, just before its header goes out
	Log      *slog.Logger                              // told of files that exist and cannot be read; nil discards
}

// Lister answers for the folder dir (its name in the tree), which the client knows as urlPath.
type Lister func(w http.ResponseWriter, r *http.Request, dir, urlPath string)

// Outcome is what a request came to.
type Outcome struct {
	Status int
	Path   string // of the URL, without dot segments; for a folder with the index file's name
	File   bool   // a file of the site was found: 200, 206 and 304. Pages for errors and the fallback are none
}

// The methods that are understood, as Allow lists them (RFC 9110 §10.2.1).
const allow = "GET, HEAD, OPTIONS"

type handler struct {
	Options
	tree     *tree.Tree
	sums     *sums
	fallback fallback
	// buffers holds *[copiedSize]byte for bodies that are copied.
	buffers    sync.Pool
	complaints tree.Complaints
}

// New returns a handler for GET, HEAD and OPTIONS on the files of a tree, which the caller opened and keeps open as long as
// the handler is used.
//
// Nothing outside the tree's root is served, nor what its rules hide. A file is opened once per request and described from
// its descriptor, so a file that is replaced while it is sent goes on as it was. When a file turns out shorter than
// announced, the handler panics with http.ErrAbortHandler, the one way to tell a client on any protocol that its copy is not
// whole.
func New(t *tree.Tree, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Level == "" {
		o.Level = compress.Default
	}
	return &handler{Options: o, tree: t, sums: newSums(), complaints: tree.Complaints{Log: o.Log}}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &response{ResponseWriter: w, request: r, finish: h.Finish, outcome: Outcome{Path: r.URL.Path}}
	h.serve(p, r)
	p.begin()
}

func (h *handler) serve(p *response, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		if r.URL.Path == "*" { // the server as a whole (RFC 9110 §9.3.7)
			writeOptions(p)
			return
		}
	default:
		p.Header().Set("Allow", allow)
		h.Pages.Write(p, r, http.StatusMethodNotAllowed)
		return
	}
	if h.Markdown {
		accept.AddVary(p.Header(), "accept")
	}
	target, ok := resolve(r.URL.Path)
	if !ok || h.withheld(target) {
		h.fail(p, r, fs.ErrNotExist)
		return
	}
	p.outcome.Path = target.pathOf(r.URL.Path)
	p.sought = time.Now()
	found, err := h.find(target, h.Markdown && r.Method != http.MethodOptions && wantsMarkdown(r.Header["Accept"]))
	if err != nil {
		h.fail(p, r, err)
		return
	}
	defer found.close()
	h.answer(p, r, target, found)
}

func (h *handler) answer(p *response, r *http.Request, t target, f found) {
	switch {
	case r.Method == http.MethodOptions:
		writeOptions(p)
	case f.location != "" && (f.file == nil || rules.Asked(r) == r.URL.EscapedPath()): // what a rewrite chose is served, however it is called
		p.Header().Set("Location", withQuery(f.location, r.URL.RawQuery))
		reply.Mark(p, nil)
		p.WriteHeader(http.StatusPermanentRedirect)
	case f.file == nil:
		h.List(p, r, t.name, t.path())
	default:
		if f.index != "" {
			p.outcome.Path = strings.TrimSuffix(p.outcome.Path, "/") + "/" + f.index
		}
		h.send(p, r, f)
	}
}

func writeOptions(w http.ResponseWriter) {
	w.Header().Set("Allow", allow)
	w.Header().Set("Accept-Ranges", "bytes")
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) withheld(t target) bool {
	return slices.ContainsFunc(h.Withheld, func(name string) bool { return strings.EqualFold(name, t.name) })
}

// fail answers with the page for an error of find. What is no fault of the request is logged.
func (h *handler) fail(p *response, r *http.Request, err error) {
	status := tree.Status(err)
	switch status {
	case http.StatusNotFound:
		if h.fallBack(p, r) {
			return
		}
		reply.Mark(p, nil)
	case http.StatusServiceUnavailable:
		p.Header().Set("Retry-After", "1")
	}
	h.complaints.Answered(r.Context(), r.URL.Path, err)
	h.Pages.Write(p, r, status)
}
