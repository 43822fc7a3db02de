package server

import (
	"net/http"
	"time"

	"github.com/rouse-server/rouse/server/metrics"
	"github.com/rouse-server/rouse/server/password"
)

// measured counts requests, but for the server's own. It stands outside of what answers when a handler fails.
func (v *vitals) measured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if connectionOf(r) == nil {
			next.ServeHTTP(w, r)
			return
		}
		begun, method, host := time.Now(), r.Method, r.Host // handlers may change the request
		reply, ok := w.(*recorder)
		if !ok {
			reply = &recorder{ResponseWriter: w}
		}
		complete := false
		v.metrics.Begin()
		defer func() {
			v.metrics.End()
			sent := reply.bytes
			if method == http.MethodHead { // handlers write all the same, and net/http throws it away
				sent = 0
			}
			if !reply.uncounted {
				v.metrics.Observe(method, reply.statusSent(complete), host, sent, time.Since(begun))
			}
		}()
		next.ServeHTTP(reply, r)
		complete = true
	})
}

// measurements is what the metrics do not count by themselves. guard may be nil.
func measurements(connections int, guard *password.Guard) []metrics.Value {
	values := []metrics.Value{
		{Name: "sws_http_connections_active", Help: "Open connections, but for those on sockets for administration.", Type: metrics.Gauge, Value: float64(connections)},
	}
	if guard == nil {
		return values
	}
	wrong, limited := guard.Counts()
	return append(values,
		metrics.Value{Name: "rouse_passwords_wrong_total", Help: "Passwords that were checked and were wrong.", Type: metrics.Counter, Value: float64(wrong)},
		metrics.Value{Name: "rouse_passwords_limited_total", Help: "Requests that were refused with 429, unchecked, after too many wrong passwords.", Type: metrics.Counter, Value: float64(limited)})
}
