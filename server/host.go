package server

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/rouse-server/rouse/server/cache"
	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/files"
	"github.com/rouse-server/rouse/server/listing"
	"github.com/rouse-server/rouse/server/rules"
	"github.com/rouse-server/rouse/server/tree"
)

// compressedShare is how much of the memory for compressed files one of them may take.
const compressedShare = 8

// memoryBytes bounds what small files take together, whatever their number.
const memoryBytes = 256 << 20

// hostMaker makes hosts, which share what is in memory.
type hostMaker struct {
	server     *Server
	config     Config
	general    ruleSet
	encoders   *files.Encoders
	compressed *cache.Cache[files.Variant]
	memory     *cache.Cache[files.Identity]
	small      int64
}

func newHostMaker(s *Server, c Config, general ruleSet) *hostMaker {
	m := &hostMaker{server: s, config: c, general: general, encoders: files.NewEncoders(runtime.GOMAXPROCS(0))}
	if c.Compression && c.CompressionCache > 0 {
		m.compressed = cache.New[files.Variant](cache.Limits{Bytes: int64(c.CompressionCache), EntryBytes: int64(c.CompressionCache) / compressedShare})
	}
	if wanted := c.Advanced.MemoryCache; wanted != nil {
		m.small = int64(cmp.Or(wanted.MaxFileSize, 8192)) << 10
		m.memory = cache.New[files.Identity](cache.Limits{
			Bytes: memoryBytes, EntryBytes: m.small, Entries: cmp.Or(wanted.Capacity, 256),
			Life: time.Duration(cmp.Or(wanted.TTL, 3600)) * time.Second, Idle: time.Duration(cmp.Or(wanted.TTI, 300)) * time.Second,
		})
	}
	return m
}

// host is what answers requests for a host.
type host struct {
	handler      http.Handler     // all of it
	pages        *errorpage.Pages // for errors
	general, own ruleSet
	rewrite      rewriter
	site         *rules.Site // _headers and _redirects; nil: they mean nothing
	cacheControl bool
	exists       func(path string) bool // tells whether there is a file
}

// make makes a host of what the general options say and the virtual host says otherwise. at is its key in the file.
func (m *hostMaker) make(at string, v VirtualHost, own ruleSet) (*host, error) {
	c := m.config
	root := cmp.Or(v.Root, c.Root)
	opened, err := tree.Open(root, tree.Options{Hidden: !c.IgnoreHiddenFiles, Follow: !c.DisableSymlinks, Reopen: c.UseRelativeRoot})
	if err != nil {
		return nil, &OptionError{ownKey(at, "root", v.Root), err}
	}
	pages, err := m.pages(at, root, v)
	if err != nil {
		return nil, err
	}
	h := &host{pages: pages, general: m.general, own: own, cacheControl: c.CacheControlHeaders}
	options := m.options(v, pages)
	options.Finish = h.finish
	if c.SiteRules {
		options.Withheld = []string{"_headers", "_redirects"}
		h.site = rules.ReadSite(opened.Open, m.skippedLine(root))
	}
	if c.DirectoryListing {
		options.List = listing.New(opened, listing.Options{Order: uint8(c.DirectoryListingOrder), Format: string(c.DirectoryListingFormat),
			Archives: c.DirectoryListingDownload, Withheld: options.Withheld, Codings: options.Codings, Level: options.Level,
			Error: pages.Write, Log: m.server.log}).Serve
	}
	h.exists = func(path string) bool { return files.Exists(opened, options, path) }
	h.rewrite = newRewriter(pages.Write, m.server.log)
	h.handler = join([]link{
		redirecting(own.redirects),
		rewriting(own.rewrites, h.rewrite),
		h.siteRules,
		h.hinting, // no redirect is preceded by a hint
	}, files.New(opened, options))
	return h, nil
}

// ownKey is the key of an option in the table at if the host has a value of its own there, and the general one otherwise.
func ownKey(at, key, value string) string {
	if value == "" {
		return key
	}
	return at + "." + key
}

// pages opens the host's pages for errors, first one and then both: so the error is that of one option.
func (m *hostMaker) pages(at, root string, v VirtualHost) (*errorpage.Pages, error) {
	o := errorpage.PageOptions{Root: root, NotFound: cmp.Or(v.Page404, m.config.ErrorPage_404), Charset: bool(m.config.TextCharset), Log: m.server.log}
	if _, err := errorpage.Open(o); err != nil {
		return nil, &OptionError{ownKey(at, "page404", v.Page404), err}
	}
	o.ServerError = cmp.Or(v.Page50x, m.config.ErrorPage_50x)
	pages, err := errorpage.Open(o)
	if err != nil {
		return nil, &OptionError{ownKey(at, "page50x", v.Page50x), err}
	}
	return pages, nil
}

// options are those of the files that a host serves.
func (m *hostMaker) options(v VirtualHost, pages *errorpage.Pages) files.Options {
	c := m.config
	o := files.Options{
		IndexFiles: c.IndexFiles, SlashRedirect: c.RedirectTrailingSlash, CleanURLs: c.CleanUrls, Markdown: c.AcceptMarkdown,
		Charset: bool(c.TextCharset), MimeTypes: c.MimeTypes, Pages: pages, Fallback: cmp.Or(v.PageFallback, c.FallbackPage), SPA: c.SPA,
		Level: compress.Level(c.CompressionLevel), Static: c.CompressionStatic, Encoders: m.encoders, Cache: m.compressed, Memory: m.memory, Small: m.small,
		Tag: map[ETag]files.Tag{"true": files.State, "content": files.Content, "false": files.None}[c.Etag], Digest: c.ReprDigest, Log: m.server.log,
	}
	if len(v.IndexFiles) > 0 {
		o.IndexFiles = v.IndexFiles
	}
	if v.SPA != nil {
		o.SPA = *v.SPA
	}
	if c.Compression {
		o.Codings = compress.Codings()
	}
	return o
}

// skippedLine tells of lines of _headers and _redirects that mean nothing.
func (m *hostMaker) skippedLine(root string) func(*rules.LineError) {
	return func(err *rules.LineError) {
		m.server.log.Log(context.Background(), LevelNotice, "the site's rules", "file", filepath.Join(root, err.File), "line", err.Line, "reason", err.Err)
	}
}

// hinting sends early hints, if there are any for some page.
func (h *host) hinting(next http.Handler) http.Handler {
	if h.general.hints == nil && h.own.hints == nil && h.site == nil {
		return next
	}
	return earlyHints(h.links)(next)
}

// links are the Link fields that precede a page. The options speak of what is served, _headers of what was asked for.
func (h *host) links(r *http.Request) []string {
	path := r.URL.EscapedPath()
	links := slices.Concat(h.general.hints.Find(path), h.own.hints.Find(path))
	return append(links, h.site.Hints(r.Host, rules.Asked(r))...)
}

// finish sets the headers that depend on what was found.
func (h *host) finish(header http.Header, r *http.Request, o files.Outcome) {
	if h.cacheControl && o.File {
		header.Set("Cache-Control", cacheControl(r.URL.Path))
	}
	h.site.Apply(header, r.Host, rules.Asked(r))
	links := header["Link"]
	h.general.headers.Apply(header, o.Path)
	h.own.headers.Apply(header, o.Path)
	for _, link := range links { // a configured Link is one more: it does not take the hints away
		if !slices.Contains(header["Link"], link) {
			header["Link"] = append(slices.Clip(header["Link"]), link)
		}
	}
}
