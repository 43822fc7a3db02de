package errorpage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// PageOptions say which files are the pages of a site. A name that is relative is below Root, also behind links: what they
// lead to outside is not read. A name with ".." that leaves Root is taken as it is, since nobody but the operator writes it.
type PageOptions struct {
	Root        string       // folder
	NotFound    string       // file for 404; "" has none
	ServerError string       // file for 500 to 504; "" has none
	Charset     bool         // say that the files are in UTF-8
	Log         *slog.Logger // told of files that cannot be read any more; nil discards
}

// Pages are the error pages of a site. They are read anew when the files change. A nil *Pages has the generic ones alone.
type Pages struct {
	notFound, serverError page
	contentType           string
	log                   *slog.Logger
}

// No page is longer than this, in bytes.
const maxPage = 8 << 20

// Open reads the pages. A file that does not exist is no error: the generic page stands in until it does.
func Open(o PageOptions) (*Pages, error) {
	p := &Pages{contentType: "text/html", log: o.Log}
	if o.Charset {
		p.contentType = "text/html; charset=utf-8"
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.notFound = page{root: o.Root, name: o.NotFound}
	p.serverError = page{root: o.Root, name: o.ServerError}
	for _, page := range []*page{&p.notFound, &p.serverError} {
		if _, err := page.read(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the error page %s: %w", page.name, err)
		}
	}
	return p, nil
}

// Write answers r as the function Write does, with the site's page for status if it has one.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int) {
	file := p.file(status)
	if file == nil {
		Write(w, r, status)
		return
	}
	body, err := file.read()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.log.WarnContext(r.Context(), "cannot read an error page, sending the generic one", "file", file.name, "error", err)
		}
		Write(w, r, status)
		return
	}
	write(w, r, status, p.contentType, body)
}

func (p *Pages) file(status int) *page {
	switch {
	case p == nil:
	case status == http.StatusNotFound && p.notFound.name != "":
		return &p.notFound
	case status >= 500 && status <= 504 && p.serverError.name != "":
		return &p.serverError
	}
	return nil
}

// page is one file and what it contained when it was last read.
type page struct {
	root, name string

	mu   sync.Mutex
	seen os.FileInfo
	body string
}

// read returns what the file contains now.
func (p *page) read() (string, error) {
	if p.name == "" {
		return "", fs.ErrNotExist
	}
	file, err := p.open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	if info.Size() > maxPage {
		return "", fmt.Errorf("it has %d bytes, more than the %d that are allowed", info.Size(), maxPage)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen != nil && same(p.seen, info) {
		return p.body, nil
	}
	body, err := io.ReadAll(io.LimitReader(file, maxPage))
	if err != nil {
		return "", err
	}
	p.seen, p.body = info, string(body)
	if time.Since(info.ModTime()) < time.Second { // it may yet change within one tick of the file system's clock
		p.seen = nil
	}
	return p.body, nil
}

// open opens the file; O_NONBLOCK keeps a FIFO from holding the request.
func (p *page) open() (*os.File, error) {
	if filepath.IsAbs(p.name) || !filepath.IsLocal(p.name) {
		path := p.name
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.root, path)
		}
		return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(p.name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
