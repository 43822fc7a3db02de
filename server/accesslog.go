package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/rouse-server/rouse/server/forwarded"
)

// requestLog says what is logged of requests, and where.
type requestLog struct {
	to           *slog.Logger
	realIP       bool // also what X-Real-IP says
	forwardedFor bool // also what X-Forwarded-For or Forwarded says
	proxies      forwarded.Trusted
}

func newRequestLog(to *slog.Logger, c Config) *requestLog {
	return &requestLog{to, c.LogXRealIP, c.LogForwardedFor, forwarded.Trusted(c.TrustedProxies)}
}

// logged writes one line for each request after it was answered, by the log's own level: at info, or at debug for a request
// that is marked as quiet.
func logged(l *requestLog) link {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if connectionOf(r) == nil || !l.to.Enabled(r.Context(), slog.LevelInfo) {
				next.ServeHTTP(w, r)
				return
			}
			entry := l.begin(r)
			reply, complete := &recorder{ResponseWriter: w}, false
			defer func() {
				entry.end(reply, complete)
				level := slog.LevelInfo
				if entry.User = reply.user; reply.quiet {
					level = slog.LevelDebug
				}
				l.write(level, entry)
			}()
			next.ServeHTTP(reply, r)
			complete = true
		})
	}
}

// write writes the line of an entry, if the log takes its level; whether it takes lines at info was asked before. The record is
// made by hand: slog.Logger would look for its caller and ask for the time again.
func (l *requestLog) write(level slog.Level, e *AccessEntry) {
	ctx, handler := context.Background(), l.to.Handler()
	if level < slog.LevelInfo && !handler.Enabled(ctx, level) {
		return
	}
	r := slog.NewRecord(e.Begun.Add(e.Duration), level, "request", 0)
	r.AddAttrs(slog.Any("", e))
	handler.Handle(ctx, r)
}

// begin notes what handlers may change.
func (l *requestLog) begin(r *http.Request) *AccessEntry {
	remote, peer := connectionOf(r).RemoteAddr(), peerOf(r)
	e := &AccessEntry{
		Begun: time.Now(), Client: client(remote), Method: r.Method, URI: r.RequestURI, Protocol: r.Proto, TLS: r.TLS != nil,
		Host: r.Host, UserAgent: r.UserAgent(), Referer: r.Referer(),
	}
	if found := clientOf(r); found.IsValid() && found != peer {
		e.Client, e.Proxy = found.String(), e.Client
	}
	if l.realIP && (len(l.proxies) == 0 || l.proxies.Trusts(peer)) {
		e.RealIP = addressText(forwarded.RealIP(r.Header))
	}
	if l.forwardedFor {
		e.RealRemoteIP = addressText(l.proxies.Claimed(peer, r.Header))
	}
	return e
}

// end notes what was sent. Handlers write for HEAD too, and net/http throws it away.
func (e *AccessEntry) end(reply *recorder, complete bool) {
	e.Duration, e.Status = time.Since(e.Begun), reply.statusSent(complete)
	if e.Method != http.MethodHead {
		e.Bytes = reply.bytes
	}
	e.Aborted = !complete || reply.err != nil
}

// addressText is the address, empty for an invalid one.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// client is the peer's address without its port; a unix socket's peer has none.
func client(a net.Addr) string {
	if a == nil {
		return "unknown"
	}
	if address := addressOf(a); address.IsValid() {
		return address.String()
	}
	return a.Network()
}

// recorder remembers what was sent. It leaves sendfile(2) within reach.
type recorder struct {
	http.ResponseWriter
	remarks
	status int
	bytes  int64
	err    error
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) { // not the interim ones
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.note(int64(n), err)
	return n, err
}

func (w *recorder) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r)
	w.note(n, err)
	return n, err
}

func (w *recorder) note(n int64, err error) {
	w.bytes += n
	if err != nil && w.err == nil {
		w.err = err
	}
}

// begun tells whether anything of the reply was sent.
func (w *recorder) begun() bool { return w.status != 0 || w.bytes > 0 }

// statusSent is the status of the reply; 0 when a handler was broken off before it said one.
func (w *recorder) statusSent(complete bool) int {
	if w.status == 0 && (complete || w.bytes > 0) {
		return http.StatusOK
	}
	return w.status
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
