package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// logged writes one line for each request after it was answered.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connectionOf(r)
		if c == nil || !s.log.Enabled(r.Context(), slog.LevelInfo) {
			next.ServeHTTP(w, r)
			return
		}
		begun := time.Now()
		method, target := r.Method, r.RequestURI // handlers may change the request
		reply := &recorder{ResponseWriter: w}
		complete := false
		defer func() {
			attributes := []slog.Attr{
				slog.String("remote_addr", client(c.RemoteAddr())),
				slog.String("method", method),
				slog.String("uri", target),
				slog.Int("status", reply.statusSent(complete)),
				slog.Int64("bytes", reply.bytes),
				slog.Duration("duration", time.Since(begun)),
				slog.String("protocol", protocol(r)),
			}
			if !complete || reply.err != nil {
				attributes = append(attributes, slog.Bool("aborted", true))
			}
			s.log.LogAttrs(context.Background(), slog.LevelInfo, "request", attributes...)
		}()
		next.ServeHTTP(reply, r)
		complete = true
	})
}

// protocol names what was spoken: HTTP/1.1 or HTTP/2.0, with +TLS where it was.
func protocol(r *http.Request) string {
	if r.TLS == nil {
		return r.Proto
	}
	return r.Proto + "+TLS"
}

// client is the peer's address without its port; a unix socket's peer has none.
func client(a net.Addr) string {
	if a == nil {
		return "unknown"
	}
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return a.Network()
}

// recorder remembers what was sent. It leaves sendfile(2) within reach.
type recorder struct {
	http.ResponseWriter
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
