package server

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/metrics"
)

// vitals answers for the program itself: health, readiness, metrics. It outlives reloads.
type vitals struct {
	metrics     *metrics.Metrics
	draining    func() bool
	maintenance *maintenanceMode
	values      func() []metrics.Value // beside what the metrics count; may be nil
}

// ready tells whether requests should come here, and if not, why.
func (v *vitals) ready() (ready bool, state string) {
	switch {
	case v.draining():
		return false, "ending"
	case v.maintenance.On():
		return false, "in maintenance"
	}
	return true, "OK"
}

func (v *vitals) serveHealth(w http.ResponseWriter, r *http.Request) {
	say(w, r, http.StatusOK, "OK")
}

func (v *vitals) serveReady(w http.ResponseWriter, r *http.Request) {
	ready, state := v.ready()
	if ready {
		say(w, r, http.StatusOK, state)
		return
	}
	say(w, r, http.StatusServiceUnavailable, state)
}

// serveMetrics writes the metrics, which do not count it.
func (v *vitals) serveMetrics(w http.ResponseWriter, r *http.Request) {
	remark(w, func(m *remarks) { m.quiet, m.uncounted = true, true })
	w.Header().Set("Content-Type", metrics.ContentType)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodHead {
		return
	}
	var values []metrics.Value
	if v.values != nil {
		values = v.values()
	}
	v.metrics.Write(w, values...) // a client that went away needs no answer
}

// say answers with a word, and keeps out of the log.
func say(w http.ResponseWriter, r *http.Request, status int, word string) {
	quietly(w)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(word)))
	header.Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, word)
	}
}

// healthy answers /health and /ready where they are configured. It stands before CORS, passwords and maintenance.
func (v *vitals) healthy(c Config) link {
	return func(next http.Handler) http.Handler {
		if !c.Health && !c.Ready {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case c.Health && r.URL.Path == "/health" && reads(r):
				v.serveHealth(w, r)
			case c.Ready && r.URL.Path == "/ready" && reads(r):
				v.serveReady(w, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// measurable answers /metrics where it is configured. It stands behind CORS and passwords.
func (v *vitals) measurable(c Config) link {
	return func(next http.Handler) http.Handler {
		if !c.Metrics {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" && reads(r) {
				v.serveMetrics(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

const adminPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rouse</title>
</head>
<body>
<h1>Rouse</h1>
<p>This socket is for administration. The site is served on others. It is %s.</p>
<ul>
<li><a href="/health">health</a>: the program runs</li>
<li><a href="/ready">ready</a>: requests should come here</li>
<li><a href="/metrics">metrics</a>, in Prometheus’ format</li>
</ul>
</body>
</html>
`

// admin is all that is answered on sockets whose role is admin, whatever the options say: they are for administration alone,
// and who may reach them is the socket's matter.
func (v *vitals) admin() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("/health", v.serveHealth)
	pages.HandleFunc("/ready", v.serveReady)
	pages.HandleFunc("/metrics", v.serveMetrics)
	pages.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		ready, state := v.ready()
		if ready {
			state = "ready"
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		fmt.Fprintf(w, adminPage, state)
	})
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { errorpage.Write(w, r, http.StatusNotFound) })
	return checkMethod(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			w.Header().Set("Allow", allowed)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		pages.ServeHTTP(w, r)
	}))
}
