package server

import (
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/reply"
)

// link is one step of the handler chain.
type link func(http.Handler) http.Handler

// serving is a site in use.
type serving struct {
	stranger func(*http.Request) bool // as Site.untrusted
	chain    http.Handler             // everything that happens to a request
	counted  http.Handler             // the same without the log and the counts, for the lane, which has its own
	log      *requestLog              //
	replies  *reply.Cache             // what was answered, with this chain and no other; nil: every request is answered anew
}

// untrusted tells of a connection that browsers do not know the certificate.
func (v *serving) untrusted(c *connection) bool {
	return v.stranger != nil && v.stranger(&http.Request{TLS: c.tls})
}

// serve makes the chain, outermost link first: what concerns the connection here, what concerns the site in
// [Server.NewSite], what concerns the host in hostMaker.make.
func (s *Server) serve(site *Site) *serving {
	v := &serving{stranger: site.untrusted, log: newRequestLog(s.access, site.config)}
	inner := []link{
		s.recovered(site.fail), // inside the log and the counts, which tell of the 500
		s.leaving,              // before anything answers
		s.bounded,              // before a body is read or written
		securityHeaders(site.config, site.untrusted), // on everything
		s.redirected,
		s.administered,
	}
	v.counted = join(append(inner, site.links...), site.content)
	v.chain = join([]link{
		s.secured,                              // the log names the protocol
		identified(site.config.TrustedProxies), // the log names the client
		logged(v.log),                          // what is logged is what was sent
		s.vitals.measured,                      // and so is what is counted
	}, v.counted)
	if c := site.config; s.config.Lane != "off" && c.ReplyCache > 0 && c.BasicAuth == "" && c.BasicAuthFile == "" {
		limits := reply.Limits{Bytes: int64(c.ReplyCache), Body: longestKept, Life: time.Duration(c.ReplyTTL), Trust: 60}
		if c.SiteRules {
			limits.Trust = 10 // files that have nothing to do with the reply's own may change it
		}
		v.replies = reply.NewCache(limits)
	}
	return v
}

// longestKept is the longest body of a reply that is kept, in bytes: longer ones cost more to send than to find.
const longestKept = 64 << 10

// join makes one handler of links and what is behind them.
func join(links []link, handler http.Handler) http.Handler {
	for _, one := range slices.Backward(links) {
		handler = one(handler)
	}
	return handler
}

// administered answers on sockets that are for administration.
func (s *Server) administered(next http.Handler) http.Handler {
	admin := sync.OnceValue(s.vitals.admin)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connectionOf(r); c != nil && c.administers() {
			admin().ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secured sets Request.TLS on HTTP/2 connections, where net/http cannot know of it.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connectionOf(r); c != nil && r.TLS == nil {
			r.TLS = c.tls
		}
		next.ServeHTTP(w, r)
	})
}

// recovered answers 500 when a handler panics, and writes down where. http.ErrAbortHandler goes on to net/http, which then
// breaks the connection off so that a short reply is not taken for a whole one; so it goes when a part was sent already.
func (s *Server) recovered(fail refusal) link {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reply, ok := w.(*recorder)
			if !ok {
				reply = &recorder{ResponseWriter: w}
			}
			defer func() {
				reason := recover()
				if reason == nil {
					return
				}
				if reason == http.ErrAbortHandler {
					panic(reason)
				}
				s.log.Error("handler failed; please report this", "method", r.Method, "uri", atMost(r.RequestURI, longestURI), "reason", reason, "stack", string(debug.Stack()))
				if reply.begun() {
					panic(http.ErrAbortHandler)
				}
				fail(reply, r, http.StatusInternalServerError)
			}()
			next.ServeHTTP(reply, r)
		})
	}
}

// leaving tells HTTP/1.1 clients of a server that drains to come back on another connection. So are those told that send
// Transfer-Encoding: with Content-Length beside it, which net/http has removed by now, the connection must not be used any
// more (RFC 9112 §6.1), since a proxy may see another request's beginning in it; and no honest client of a site sends either.
func (s *Server) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (s.draining.Load() || len(r.TransferEncoding) > 0) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// bounded limits how many requests are answered at once, how long a target is, and the time for a body. On HTTP/2 it also limits each write: there a client that grants no window
// holds a stream without holding the connection, which the transport's limit is for. (In the lane HTTP/2 does so itself.)
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := s.limits
		defer l.answering.Add(-1)
		if s.isBusy(l.answering.Add(1), connectionOf(r)) {
			w.Header().Set("Retry-After", "1")
			errorpage.Write(w, r, http.StatusServiceUnavailable)
			return
		}
		if l.target > 0 && len(r.RequestURI) > l.target {
			l.longTarget.note(s, "a target is longer than may be: it gets 414; see --max-target-size", "limit", l.target)
			errorpage.Write(w, r, http.StatusRequestURITooLong)
			return
		}
		if head := int(s.config.MaxHeaderSize); head > 0 && headSize(r) > head { // net/http lets some more through
			s.refusedHead()
			errorpage.Write(w, r, http.StatusRequestHeaderFieldsTooLarge)
			return
		}
		if r.ContentLength != 0 {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.config.ClientBodyTimeout.limit()))
		}
		if c := connectionOf(r); r.ProtoMajor == 2 && (c == nil || c.http2engine() == nil) {
			w = &patientWriter{w, http.NewResponseController(w), s.config.SendTimeout.limit()}
		}
		next.ServeHTTP(w, r)
	})
}

// isBusy tells, also in the log, whether a request of a connection is one too many, with which so many are being answered.
func (s *Server) isBusy(requests int64, c *connection) bool {
	l := s.limits
	switch {
	case c == nil || c.administers():
		return false
	case l.requests > 0 && requests > l.requests:
		l.busy.note(s, "as many requests are being answered as may be: others get 503; see --max-requests", "limit", l.requests)
	case s.isShortOfFiles(requests):
		l.busy.note(s, "as many connections and files are open as may be: further requests get 503; see --max-open-files", "limit", l.files)
	default:
		return false
	}
	return true
}

// patientWriter gives every write to an HTTP/2 stream its own time.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w *patientWriter) Write(b []byte) (int, error) {
	w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	return w.ResponseWriter.Write(b)
}

func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
