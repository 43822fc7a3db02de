package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/server"
	"github.com/rouse-server/rouse/server/welcome"
)

// serve is `rouse serve`, and `rouse` with a folder or nothing.
func serve(c console) error {
	if wantsCheck(c.args) {
		return check(c)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, os.Interrupt)
	opener := activation.NewOpener() // before anything else could see LISTEN_FDS
	s, notices, err := loadServe(c)
	if err != nil {
		return err
	}
	s.setThreads()
	s.setCollector()
	scarce, err := s.setOpenFiles()
	if err != nil {
		return err
	}
	notices = append(notices, scarce...)
	logs, unwritable := openLogs(s, c)
	defer logs.Close()
	opener.Log = logs.main
	opened, err := s.open(opener)
	keys := takeTicketKeys(opener.Store)
	if err == nil {
		opened.notices = append(opened.notices, opener.Store.Settle()...)
	}
	if errors.Is(err, activation.ErrGone) {
		return nil // inetd's client left before we looked; there is nobody to serve or to tell
	}
	defer activation.Close(opened.sockets)
	if opened.bare {
		s.suitPeople(true)
		unwritable = logs.Reload(s)
	}
	for _, text := range append(notices, opened.notices...) {
		notice(logs.main, text)
	}
	s.tellOverridden(logs.main)
	if err := cmp.Or(err, unwritable); err != nil {
		return err
	}
	site, err := s.newSite(opened, logs, c)
	if err != nil {
		return err
	}
	for _, text := range s.substitutes() {
		notice(logs.main, text)
	}
	if err := site.confine(); err != nil {
		return err
	}
	site.announce()
	site.tickets = keys
	return site.live(signals)
}

// suitPeople sets what bare mode has otherwise than a service: it serves somebody at a terminal, and nobody else.
func (s *settings) suitPeople(bare bool) {
	if bare && s.given["log-level"] == "" {
		s.LogLevel = "info"
	}
	if bare && s.given["directory-listing"] == "" {
		s.DirectoryListing = true
	}
}

// tellOverridden tells which values of the file do not hold, at the level info.
func (s *settings) tellOverridden(log *slog.Logger) {
	for _, text := range s.overridden() {
		log.Info(text)
	}
}

// substitutes tells of pages that were asked for and are not there.
func (s *settings) substitutes() (notices []string) {
	for _, err := range s.lackingPages() {
		notices = append(notices, err.Error()+"; until then Rouse does without it")
	}
	return notices
}

// loadServe reads the options and the folder that may stand behind them.
func loadServe(c console) (*settings, []string, error) {
	s, rest, notices, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	if err := s.takeFolder(rest); err != nil {
		return nil, nil, err
	}
	return s, notices, nil
}

// site is everything that is served, and what it is served with.
type site struct {
	settings    *settings
	console     console // what a reload reads again
	logs        *logs
	log         *slog.Logger
	opened      opened
	sockets     []served
	certificate credential
	handshakes  atomic.Pointer[credential] // the same, for new connections
	tickets     *ticketKeys                // in the manager's store
	unwatch     func()                     // ends the looking after its files
	showing     string                     // what is served, for people
	server      *server.Server
	confinement confinement
	idle        time.Duration // exit after so long without a connection; 0: never
}

// newSite decides what every socket is for and prepares it. Nothing is accepted yet.
func (s *settings) newSite(o opened, l *logs, c console) (*site, error) {
	site := &site{settings: s, console: c, logs: l, log: l.main, opened: o}
	var err error
	if site.sockets, err = s.assign(o.sockets); err != nil {
		return nil, err
	}
	if err := checkSite(site.sockets); err != nil {
		return nil, err
	}
	if site.certificate, err = s.certificateFor(site.sockets); err != nil {
		return nil, err
	}
	site.handshakes.Store(&site.certificate)
	site.server = server.New(server.Parts{Config: s.Config, Version: versionNumber(), Certificate: site.certificateOf, Log: l.main, AccessLog: l.access})
	made, err := s.makeContent(site)
	if err != nil {
		return nil, err
	}
	site.showing = made.showing
	site.server.Use(made.site)
	site.idle = site.idleSpan()
	return site, nil
}

// certificateOf is what the server asks at each handshake.
func (s *site) certificateOf(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.handshakes.Load().get(hello)
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
	if s.forOneConnection() {
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
		if socket.role == "admin" {
			line += ", for health, readiness and metrics"
		}
		urls = appendNew(urls, line)
	}
	for _, line := range urls {
		notice(s.log, "at "+line)
	}
	if s.settings.HTTPSRedirect && !slices.ContainsFunc(s.sockets, func(one served) bool { return one.role == "https" }) {
		notice(s.log, s.settings.given["https-redirect"]+" does nothing here: no socket speaks https, so the site is served in clear")
	}
	for _, one := range s.certificate.all() {
		line := one.describe()
		if one.origin == "development" {
			line += "; browsers do not know it and warn once"
		}
		notice(s.log, line)
		for _, warning := range one.store.Warnings(time.Now()) {
			notice(s.log, warning)
		}
		if err := one.notKept; err != nil {
			notice(s.log, err.Error())
		}
	}
}

func (s *site) forOneConnection() bool {
	return len(s.sockets) == 1 && s.sockets[0].Kind == activation.Connection
}

func appendNew(words []string, word string) []string {
	if slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}
