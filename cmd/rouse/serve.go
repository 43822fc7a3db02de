package main

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/files"
	"github.com/rouse-server/rouse/server/welcome"
)

// serve is `rouse serve`, and `rouse` with a folder or nothing.
func serve(c console) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	opener := activation.NewOpener() // before anything else could see LISTEN_FDS
	s, notices, err := loadServe(c)
	if err != nil {
		return err
	}
	opened, err := s.open(opener)
	if errors.Is(err, activation.ErrGone) {
		return nil // inetd's client left before we looked; there is nobody to serve or to tell
	}
	defer activation.Close(opened.sockets)
	if opened.bare && s.given["log-level"] == "" {
		s.LogLevel = "info"
	}
	log := newLog(c.stderr, s.LogFormat, s.LogLevel.Level())
	for _, text := range append(notices, opened.notices...) {
		notice(log, text)
	}
	if err != nil {
		return err
	}
	site, err := s.newSite(opened, log)
	if err != nil {
		return err
	}
	site.announce()
	return site.live(signals)
}

// loadServe reads the options and the folder that may stand behind them.
func loadServe(c console) (*settings, []string, error) {
	s, rest, notices, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case len(rest) > 1:
		return nil, nil, usage("one folder can be served, not %d: %s", len(rest), strings.Join(rest, " "))
	case len(rest) == 1 && strings.HasPrefix(s.given["root"], "-"):
		return nil, nil, usage("the folder is given twice: as --root %s and as %s", s.Root, rest[0])
	case len(rest) == 1 && rest[0] == "":
		return nil, nil, usage("the folder to serve has an empty name: name it, or leave it out")
	case len(rest) == 1:
		s.Root, s.given["root"] = rest[0], rest[0]
	}
	return s, notices, nil
}

// site is everything that is served, and what it is served with.
type site struct {
	settings    *settings
	log         *slog.Logger
	opened      opened
	sockets     []served
	certificate credential
	content     http.Handler
	showing     string // what is served, for people
	server      *server.Server
	idle        time.Duration // exit after so long without a connection; 0: never
}

// newSite decides what every socket is for and prepares it. Nothing is accepted yet.
func (s *settings) newSite(o opened, log *slog.Logger) (*site, error) {
	site := &site{settings: s, log: log, opened: o}
	var err error
	if site.sockets, err = s.assign(o.sockets); err != nil {
		return nil, err
	}
	if site.certificate, err = s.certificateFor(site.sockets); err != nil {
		return nil, err
	}
	if err := site.openContent(); err != nil {
		return nil, err
	}
	parts := server.Parts{Config: s.Config, Content: site.content, Log: log}
	if store := site.certificate.store; store != nil {
		parts.Certificate = store.Get
	}
	site.server = server.New(parts)
	site.idle = site.idleSpan()
	return site, nil
}

// openContent opens the root, or takes the welcome site where bare mode finds no folder.
func (s *site) openContent() error {
	root := s.settings.Root
	if _, err := os.Stat(root); s.opened.bare && s.settings.given["root"] == "" && errors.Is(err, os.ErrNotExist) {
		s.content, s.showing = welcome.Handler(s.welcomePage()), "the welcome page (there is no folder ./public here)"
		return nil
	}
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return config("root %s: there is no such folder%s: make it, or name another with --root or SERVER_ROOT", root, beneath(root))
	case err != nil:
		return config("root %s: this user cannot open it (%w): change that, or name another with --root or SERVER_ROOT", root, withoutPath(err))
	case !info.IsDir():
		return config("root %s: not a folder, and only folders can be served: name one with --root or SERVER_ROOT", root)
	}
	opened, err := os.OpenRoot(root)
	if err != nil {
		return config("root %s: this user cannot open it (%w): change that, or name another with --root or SERVER_ROOT", root, withoutPath(err))
	}
	s.content = files.New(opened, files.Options{IndexFiles: s.settings.IndexFiles, Log: s.log})
	if s.showing, err = filepath.Abs(root); err != nil {
		s.showing = root
	}
	return nil
}

// beneath says in which folder a relative path was looked for.
func beneath(path string) string {
	here, err := os.Getwd()
	if err != nil || filepath.IsAbs(path) {
		return ""
	}
	return " in " + here
}

// withoutPath is the cause alone, for a message that names the path already.
func withoutPath(err error) error {
	if wrapped, ok := errors.AsType[*os.PathError](err); ok {
		return wrapped.Err
	}
	return err
}

func (s *site) welcomePage() welcome.Page {
	page := welcome.Page{Version: versionNumber(), Certificate: s.certificate.describe()}
	page.Folder, _ = os.Getwd()
	for _, socket := range s.sockets {
		page.Sockets = append(page.Sockets, welcome.Socket{Name: socket.Socket.Name, Address: socket.Info.Local, Role: socket.role, Source: "bound by Rouse"})
		page.URLs = appendNew(page.URLs, socket.url(true)+"/")
	}
	return page
}

// announce says what is served, where, and with which certificate.
func (s *site) announce() {
	if len(s.sockets) == 1 && s.sockets[0].Kind == activation.Connection {
		return // one process for each connection: the request's own line is enough
	}
	notice(s.log, "serving "+s.showing)
	var urls []string
	for _, socket := range s.sockets {
		line := socket.url(s.opened.bare)
		if !s.opened.bare {
			line += " from " + socket.Socket.String()
		}
		if socket.redirect {
			line += ", redirecting to https"
		}
		urls = appendNew(urls, line)
	}
	for _, line := range urls {
		notice(s.log, "at "+line)
	}
	if s.settings.HTTPSRedirect && !slices.ContainsFunc(s.sockets, func(one served) bool { return one.role == "https" }) {
		notice(s.log, s.settings.given["https-redirect"]+" does nothing here: no socket speaks https, so the site is served in clear")
	}
	if s.certificate.store != nil {
		line := s.certificate.describe()
		if s.certificate.origin == "development" {
			line += "; browsers do not know it and warn once"
		}
		notice(s.log, line)
		for _, warning := range s.certificate.store.Warnings(time.Now()) {
			s.log.Warn(warning)
		}
		if err := s.certificate.notKept; err != nil {
			notice(s.log, err.Error())
		}
	}
}

func appendNew(words []string, word string) []string {
	if slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}
