// Package files serves the files below a directory over HTTP.
//
// A request becomes a reply in four steps, one file each: the path is cleaned (path.go), the file
// is opened inside the root (open.go), its validators are made (etag.go), and net/http sends it
// with what If-* and Range ask for (send.go, ranges.go).
package files

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"syscall"

	"github.com/rouse-server/rouse/server/errorpage"
)

// Options are the choices that New takes. The zero value serves files and no index pages.
type Options struct {
	IndexFiles []string     // names tried in this order for a path that ends in a slash
	Log        *slog.Logger // told of files that exist and cannot be read; nil discards
}

// The methods that are understood, as Allow lists them (RFC 9110 §10.2.1).
const allow = "GET, HEAD, OPTIONS"

type handler struct {
	root  *os.Root
	index []string
	log   *slog.Logger
	tags  *contentTags
	// buffers holds *[copiedSize]byte for bodies that are copied.
	buffers sync.Pool
}

// New returns a handler for GET, HEAD and OPTIONS on the files below root, which the caller opened
// and keeps open as long as the handler is used.
//
// Nothing outside root is served, whatever the path or a symbolic link says; nor are names that
// begin with a dot (but for /.well-known, RFC 8615), devices, sockets and FIFOs. A file is opened
// once per request and described from its descriptor, so a file that is replaced while it is sent
// goes on as it was. When a file turns out shorter than announced, the handler panics with
// http.ErrAbortHandler, the one way to tell a client on any protocol that its copy is not whole.
func New(root *os.Root, o Options) http.Handler {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &handler{root: root, index: o.IndexFiles, log: log, tags: newContentTags()}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		if r.URL.Path == "*" { // the server as a whole (RFC 9110 §9.3.7)
			writeOptions(w)
			return
		}
	default:
		w.Header().Set("Allow", allow)
		errorpage.Write(w, r, http.StatusMethodNotAllowed)
		return
	}
	target, ok := resolve(r.URL.Path)
	if !ok {
		errorpage.Write(w, r, http.StatusNotFound)
		return
	}
	file, info, err := h.lookup(target)
	isDirectory := errors.Is(err, syscall.EISDIR)
	if err != nil && !isDirectory {
		h.fail(w, r, err)
		return
	}
	if file != nil {
		defer file.Close()
	}
	switch {
	case r.Method == http.MethodOptions:
		writeOptions(w)
	case isDirectory:
		w.Header().Set("Location", target.location(r.URL.RawQuery))
		w.WriteHeader(http.StatusPermanentRedirect)
	default:
		h.send(w, r, file, info)
	}
}

func writeOptions(w http.ResponseWriter) {
	w.Header().Set("Allow", allow)
	w.Header().Set("Accept-Ranges", "bytes")
	w.WriteHeader(http.StatusNoContent)
}

// fail answers with the page for an error of lookup. What is no fault of the request is logged.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	switch status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
		h.log.WarnContext(r.Context(), "cannot open a file for now", "path", r.URL.Path, "error", err)
	case http.StatusInternalServerError:
		h.log.ErrorContext(r.Context(), "cannot open a file", "path", r.URL.Path, "error", err)
	}
	errorpage.Write(w, r, status)
}
