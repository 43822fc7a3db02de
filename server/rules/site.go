package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rouse-server/rouse/server/hostname"
)

// Site is what the files _headers and _redirects in a site's root say, as Netlify and Cloudflare Pages read them. Where the
// two differ, Netlify's reading holds:
//
//   - A redirect without status is 301 (Cloudflare: 302).
//   - A rule applies only where there is no file, unless ! follows its status (Cloudflare: redirects come first).
//   - A slash at the end of a path does not matter, and /blog/* matches /blog, too.
//
// Not supported, reported and skipped: proxying to other servers, conditions on country, language, role or cookie, and
// Basic-Auth. The files are read anew when they change. A Site may be used by many goroutines at a time.
type Site struct {
	open   func(name string) (*os.File, os.FileInfo, error)
	report func(*LineError)
	clock  func() time.Time
	begun  time.Time // what is counted from: the time of day may jump

	redirects atomic.Pointer[siteRedirects]
	headers   atomic.Pointer[siteHeaders]

	next    atomic.Int64 // when the files are looked at again, in nanoseconds since begun
	looking sync.Mutex   // guards what follows
	files   [2]siteFile
}

// How often the files are looked at.
const lookEvery = time.Second

// siteFile is what was read of a file last.
type siteFile struct {
	name    string
	info    os.FileInfo // nil where there was none
	fresh   bool        // it had changed so recently that it may have changed once more unnoticed
	content string
	trouble string // why it could not be read
}

// ReadSite reads the two files. open opens a file in the root, as tree.Tree.Open does; report is called for each line that
// is skipped, once, and not by two goroutines at a time.
func ReadSite(open func(name string) (*os.File, os.FileInfo, error), report func(*LineError)) *Site {
	s := &Site{open: open, report: report, clock: time.Now, begun: time.Now()}
	s.next.Store(math.MinInt64)
	s.files[0].name, s.files[1].name = "_redirects", "_headers"
	s.redirects.Store(&siteRedirects{})
	s.headers.Store(&siteHeaders{})
	s.look()
	return s
}

// siteRequest is a request as rules see it.
type siteRequest struct {
	subject subject
	host    string // without port, in lower case
	query   string
	scheme  string
}

// Find returns what _redirects does with a request. exists tells whether there is a file at the request's path; it is asked
// at most once, and only when a line matches that gives way to files.
func (s *Site) Find(r *http.Request, exists func() bool) (Match, bool) {
	if s == nil {
		return Match{}, false
	}
	s.look()
	rules := s.redirects.Load()
	if len(rules.entries) == 0 {
		return Match{}, false
	}
	subject, ok := newSubject(r.URL.EscapedPath())
	if !ok {
		return Match{}, false
	}
	q := siteRequest{subject, hostname.Canonical(r.Host), r.URL.RawQuery, "http"}
	if r.TLS != nil {
		q.scheme = "https"
	}
	return rules.find(q, exists)
}

// Apply sets the headers that _headers has for a host and a path as it was sent (url.URL.EscapedPath).
func (s *Site) Apply(h http.Header, host, path string) {
	if s == nil {
		return
	}
	s.look()
	rules := s.headers.Load()
	if len(rules.blocks) == 0 {
		return
	}
	if subject, ok := newSubject(path); ok {
		rules.apply(h, siteRequest{subject: subject, host: hostname.Canonical(host)})
	}
}

// Hints returns the Link fields that _headers has for a host and a path as it was sent, as far as they are worth an early
// hint: those whose relation is preload, modulepreload or preconnect, as with Cloudflare Pages.
func (s *Site) Hints(host, path string) []string {
	if s == nil {
		return nil
	}
	h := http.Header{}
	s.Apply(h, host, path)
	var links []string
	for _, link := range h["Link"] {
		_, parameters, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(link, `"`, "")), ">")
		for parameter := range strings.SplitSeq(parameters, ";") {
			switch strings.ReplaceAll(parameter, " ", "") {
			case "rel=preload", "rel=modulepreload", "rel=preconnect":
				links = append(links, link)
			}
		}
	}
	return links
}

// look reads the files that have changed, when it is time. Who comes meanwhile takes what was read before.
func (s *Site) look() {
	now := s.clock()
	if int64(now.Sub(s.begun)) < s.next.Load() || !s.looking.TryLock() {
		return
	}
	defer s.looking.Unlock()
	if int64(now.Sub(s.begun)) < s.next.Load() {
		return
	}
	defer func() { s.next.Store(int64(s.clock().Sub(s.begun) + lookEvery)) }()
	if s.files[0].reread(s.open, now, s.report) {
		rules, errs := parseRedirects(s.files[0].content)
		s.redirects.Store(rules)
		s.complain(errs)
	}
	if s.files[1].reread(s.open, now, s.report) {
		rules, errs := parseHeaders(s.files[1].content)
		s.headers.Store(rules)
		s.complain(errs)
	}
}

// complain reports the first errors one by one, and how many there are.
func (s *Site) complain(errs []*LineError) {
	for i, err := range errs {
		if i == maxNamed {
			s.report(&LineError{File: err.File, Err: fmt.Errorf("%d more lines were skipped", len(errs)-i)})
			return
		}
		s.report(err)
	}
}

// reread reads the file and tells whether it has other content. One that cannot be read counts as it was.
func (f *siteFile) reread(open func(string) (*os.File, os.FileInfo, error), now time.Time, report func(*LineError)) bool {
	file, info, err := open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		changed := f.content != ""
		*f = siteFile{name: f.name}
		return changed
	}
	content := ""
	if err == nil {
		defer file.Close()
		if f.same(info) {
			return false
		}
		content, err = readAll(file, info)
	}
	if err != nil {
		if f.trouble != err.Error() {
			f.trouble = err.Error()
			report(&LineError{File: f.name, Err: fmt.Errorf("cannot be read: %w", err)})
		}
		return false
	}
	changed := content != f.content
	*f = siteFile{name: f.name, info: info, content: content, fresh: now.Sub(info.ModTime()) < 2*time.Second}
	return changed
}

// same tells whether the file is the one that was read, unchanged.
func (f *siteFile) same(info os.FileInfo) bool {
	return f.info != nil && !f.fresh && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

func readAll(file *os.File, info os.FileInfo) (string, error) {
	if info.IsDir() {
		return "", errors.New("it is a folder")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return string(content), err
}
