package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maintenanceLook  = time.Second // between two looks at a file
	maintenanceRetry = 60          // seconds after which clients may come back
	maintenanceMost  = 1 << 20     // bytes of a page
)

const maintenancePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Maintenance</title>
</head>
<body>
<h1>The server is in maintenance mode.</h1>
<p>It is being worked on: please come back in a while.</p>
</body>
</html>
`

// maintenanceMode says whether the site is in maintenance mode, and what is shown then. It outlives reloads.
type maintenanceMode struct {
	log  *slog.Logger
	on   atomic.Bool
	next atomic.Int64 // when to look for the switch file, in nanoseconds since begun; never without one

	begun time.Time // what is counted from: the time of day may jump

	mu         sync.Mutex
	configured bool
	toggled    bool // since it was configured
	switched   bool // the switch file is there
	switchFile string
	status     int
	page       watchedFile
}

// newMaintenance returns one that is configured as c says. log takes what goes on with its files.
func newMaintenance(c Config, log *slog.Logger) *maintenanceMode {
	m := &maintenanceMode{log: log, begun: time.Now()}
	m.Configure(c)
	return m
}

// Configure takes the options over. What Toggle did stays, unless the configured mode is another one than before.
func (m *maintenanceMode) Configure(c Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.configured != c.MaintenanceMode {
		m.configured, m.toggled = c.MaintenanceMode, false
	}
	m.status = int(c.MaintenanceModeStatus)
	if m.page.path != c.MaintenanceModeFile {
		m.page = watchedFile{path: c.MaintenanceModeFile}
	}
	m.switchFile = c.MaintenanceModeSwitch
	m.next.Store(0)
	if m.switchFile == "" {
		m.switched = false
		m.next.Store(math.MaxInt64)
	}
	m.decide()
}

// Toggle switches the mode, and returns whether it is on now: the switch file keeps it on.
func (m *maintenanceMode) Toggle() (on bool) {
	m.mu.Lock()
	m.toggled = !m.toggled
	m.decide()
	m.mu.Unlock()
	return m.On()
}

func (m *maintenanceMode) decide() { m.on.Store(m.switched || m.configured != m.toggled) }

// On tells whether the site is in maintenance mode: configured and not switched off, or switched on, or the switch file
// exists. It looks for that no more than once a second.
func (m *maintenanceMode) On() bool {
	if next := m.next.Load(); next != math.MaxInt64 {
		if now := int64(time.Since(m.begun)); now >= next && m.next.CompareAndSwap(next, now+int64(maintenanceLook)) {
			m.look()
		}
	}
	return m.on.Load()
}

func (m *maintenanceMode) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.switchFile == "" {
		return
	}
	_, err := os.Stat(m.switchFile)
	exists := err == nil
	if exists == m.switched || !exists && !errors.Is(err, fs.ErrNotExist) { // as before, or it cannot be known
		return
	}
	m.switched = exists
	m.decide()
	m.log.Log(context.Background(), LevelNotice, "maintenance mode follows its switch file", "file", m.switchFile, "exists", exists, "on", m.on.Load())
}

// shown is the page and its status.
func (m *maintenanceMode) shown() (page []byte, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.page.read(m.log), m.status
}

// answer is the link: in maintenance mode everything gets the page.
func (m *maintenanceMode) answer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !m.On() {
			next.ServeHTTP(w, r)
			return
		}
		page, status := m.shown()
		header := w.Header()
		header.Set("Cache-Control", "no-cache")
		if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
			header.Set("Retry-After", strconv.Itoa(maintenanceRetry))
		}
		if status == http.StatusNoContent || status == http.StatusNotModified { // which have no body
			w.WriteHeader(status)
			return
		}
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Length", strconv.Itoa(len(page)))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			w.Write(page)
		}
	})
}

// watchedFile is a page that is read anew when it has changed.
type watchedFile struct {
	path   string // empty: there is none
	looked time.Time
	seen   os.FileInfo
	text   []byte // nil: it could not be read
}

// read returns the page; the default one where there is none, or none that can be read.
func (f *watchedFile) read(log *slog.Logger) []byte {
	if f.path != "" && time.Since(f.looked) >= maintenanceLook {
		first := f.looked.IsZero()
		f.looked = time.Now()
		if err := f.reread(); err != nil && (first || f.text != nil) { // once
			f.text = nil
			log.Warn("the maintenance page cannot be read: the default one is shown", "file", f.path, "reason", err)
		}
	}
	if f.text == nil {
		return []byte(maintenancePage)
	}
	return f.text
}

func (f *watchedFile) reread() error {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular(): // opening a pipe would wait
		return errors.New("not a file")
	case info.Size() > maintenanceMost:
		return errors.New("larger than 1 MiB")
	case f.text != nil && os.SameFile(info, f.seen) && info.Size() == f.seen.Size() && info.ModTime().Equal(f.seen.ModTime()):
		return nil
	}
	text, err := os.ReadFile(f.path)
	if err == nil {
		f.seen, f.text = info, append([]byte{}, text...) // not nil when it is empty
	}
	return err
}
