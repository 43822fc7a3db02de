package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/rouse-server/rouse/server/forwarded"
	"github.com/rouse-server/rouse/server/reply"
)

// enabled tells whether lines of requests are written at all.
func (l *requestLog) enabled() bool { return l.to.Enabled(context.Background(), slog.LevelInfo) }

// entry begins the log's line of a plain request, as requestLog.begin does for others.
func (l *lane) entry(site *serving, r *reply.Request, begun time.Time) *AccessEntry {
	e := &AccessEntry{}
	l.fill(e, site, r, begun)
	return e
}

// fill is the same for an entry that is there.
func (l *lane) fill(e *AccessEntry, site *serving, r *reply.Request, begun time.Time) {
	name := l.name.Load()
	if name == nil { // streams may ask at once
		text := client(l.RemoteAddr())
		name = &text
		l.name.Store(name)
	}
	site.log.fill(e, *name, l.RemoteAddr(), r, begun)
	e.begun = l.server.dates.At(begun).Log
	if e.TLS = l.tls != nil; l.http2 != nil {
		e.Protocol = "HTTP/2.0"
	}
}

// plainEntry begins the line of a client that has no connection of ours.
func (s *Server) plainEntry(site *serving, from net.Addr, r *reply.Request, begun time.Time) *AccessEntry {
	e := &AccessEntry{}
	site.log.fill(e, client(from), from, r, begun)
	e.begun = s.dates.At(begun).Log
	return e
}

func (l *requestLog) fill(e *AccessEntry, name string, peer net.Addr, r *reply.Request, begun time.Time) {
	e.Begun, e.Client, e.Method, e.Protocol = begun, name, method(r.Head), "HTTP/1.1"
	room := make([]byte, 0, 512) // on the stack, as a rule: all texts are parts of one
	text := string(append(append(append(append(room, r.Target...), r.Host...), r.UserAgent...), r.Referer...))
	for _, part := range [...]struct {
		to     *string
		length int
	}{{&e.URI, len(r.Target)}, {&e.Host, len(r.Host)}, {&e.UserAgent, len(r.UserAgent)}, {&e.Referer, len(r.Referer)}} {
		*part.to, text = text[:part.length], text[part.length:]
	}
	if l.realIP || l.forwardedFor || len(l.proxies) > 0 {
		l.claims(e, addressOf(peer), claimed(r))
	}
}

// claims notes what a request says of its client.
func (l *requestLog) claims(e *AccessEntry, peer netip.Addr, header http.Header) {
	if found := l.proxies.Client(peer, header); len(l.proxies) > 0 && found.IsValid() && found != peer {
		e.Client, e.Proxy = found.String(), e.Client
	}
	if l.realIP && (len(l.proxies) == 0 || l.proxies.Trusts(peer)) {
		e.RealIP = addressText(forwarded.RealIP(header))
	}
	if l.forwardedFor {
		e.RealRemoteIP = addressText(l.proxies.Claimed(peer, header))
	}
}

// claimed are the fields of a request in which proxies tell of their clients.
func claimed(r *reply.Request) http.Header {
	header := http.Header{}
	for name, value := range map[string][]byte{"Forwarded": r.Forwarded, "X-Forwarded-For": r.XForwardedFor, "X-Real-Ip": r.XRealIP} {
		if value != nil {
			header[name] = []string{string(value)}
		}
	}
	return header
}

func method(head bool) string {
	if head {
		return http.MethodHead
	}
	return http.MethodGet
}

// count counts a request that was answered, and ends its line; entry is nil where nothing is logged.
func (s *Server) count(site *serving, head bool, status int, host string, bytes int64, took time.Duration, entry *AccessEntry, aborted bool) {
	s.vitals.metrics.Observe(method(head), status, host, bytes, took)
	if entry != nil {
		entry.Duration, entry.Status, entry.Bytes, entry.Aborted = took, status, bytes, aborted
		site.log.write(slog.LevelInfo, entry)
	}
}

// remarked counts and logs what the chain answered, as it wishes: whole, or to the stream.
func (s *Server) remarked(l *lane, site *serving, w *recorder, r *reply.Request, whole *reply.Reply, begun time.Time, aborted bool) {
	took, status, bytes := time.Since(begun), w.statusSent(!aborted), w.bytes
	if whole != nil {
		status, bytes = whole.Status, int64(len(whole.Body))
	}
	if r.Head {
		bytes = 0
	}
	if !w.uncounted {
		s.vitals.metrics.Observe(method(r.Head), status, string(r.Host), bytes, took)
	}
	if !site.log.enabled() {
		return
	}
	entry := l.entry(site, r, begun)
	level := slog.LevelInfo
	if w.quiet {
		level = slog.LevelDebug
	}
	entry.Duration, entry.Status, entry.Bytes, entry.User, entry.Aborted = took, status, bytes, w.user, aborted || w.err != nil
	site.log.write(level, entry)
}
