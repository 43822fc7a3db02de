package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/metrics"
	"github.com/rouse-server/rouse/server/password"
)

// vital is vitals of a server that ends, or is in maintenance.
func vital(ending, maintenance bool) *vitals {
	c := Default()
	c.MaintenanceMode = maintenance
	return &vitals{
		metrics:     metrics.New("1.2.3"),
		draining:    func() bool { return ending },
		maintenance: newMaintenance(c, slog.New(slog.DiscardHandler)),
		values:      func() []metrics.Value { return measurements(7, password.NewGuard()) },
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	on := Config{Health: true, Ready: true}
	for _, c := range []struct {
		config              Config
		method, target      string
		ending, maintenance bool
		want                int
		body                string
	}{
		{on, "GET", "/health", false, false, 200, "OK"},
		{on, "HEAD", "/health", false, false, 200, ""},
		{on, "GET", "/health", true, true, 200, "OK"},
		{on, "GET", "/health?x", false, false, 200, "OK"},
		{on, "OPTIONS", "/health", false, false, 418, "next"},
		{on, "POST", "/health", false, false, 418, "next"},
		{on, "GET", "/health/", false, false, 418, "next"},
		{on, "GET", "/ready", false, false, 200, "OK"},
		{on, "GET", "/ready", true, false, 503, "ending"},
		{on, "GET", "/ready", false, true, 503, "in maintenance"},
		{on, "HEAD", "/ready", false, true, 503, ""},
		{Config{}, "GET", "/health", false, false, 418, "next"},
		{Config{}, "GET", "/ready", false, false, 418, "next"},
	} {
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418); w.Write([]byte("next")) })
		reply := httptest.NewRecorder()
		recorded := &recorder{ResponseWriter: reply}
		vital(c.ending, c.maintenance).healthy(c.config)(next).ServeHTTP(recorded, asking(c.method, c.target))
		if reply.Code != c.want || reply.Body.String() != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.target, reply.Code, reply.Body)
		}
		if c.want != 418 && (!recorded.quiet || recorded.uncounted || !strings.HasPrefix(reply.Header().Get("Content-Type"), "text/plain")) {
			t.Errorf("%s %s: quiet %v, %v", c.method, c.target, recorded.quiet, reply.Header())
		}
	}
}

// measuring is a chain that counts requests for content and shows the counts at /metrics.
func measuring(v *vitals, content http.Handler) func(method, target string) *httptest.ResponseRecorder {
	handler := v.measured(v.measurable(Config{Metrics: true})(content))
	return func(method, target string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), asking(method, target)
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, &connection{})))
		return w
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	v := vital(false, false)
	if err := v.metrics.SetHosts([]string{"example.com"}); err != nil {
		t.Fatal(err)
	}
	ask := measuring(v, saying("hello"))
	ask("GET", "/metrics")
	ask("GET", "/x")
	ask("HEAD", "http://a.example/x")
	ask("GET", "/metrics")
	w := ask("GET", "/metrics")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, line := range []string{
		`sws_http_requests_total{method="GET",status="2xx",host="example.com"} 1`,
		`sws_http_requests_total{method="HEAD",status="2xx",host="other"} 1`,
		`sws_http_response_bytes_total{method="GET",status="2xx",host="example.com"} 5`,
		`sws_http_response_bytes_total{method="HEAD",status="2xx",host="other"} 0`,
		`sws_http_requests_inflight 1`, `sws_http_connections_active 7`, `rouse_passwords_wrong_total 0`, `rouse_passwords_limited_total 0`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("%s is missing in:\n%s", line, w.Body)
		}
	}
	if strings.Count(w.Body.String(), "\nsws_http_requests_total{") != 2 {
		t.Errorf("more was counted:\n%s", w.Body)
	}
	if w := ask("HEAD", "/metrics"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %q", w.Code, w.Body)
	}
	if w := ask("OPTIONS", "/metrics"); w.Body.String() != "hello" {
		t.Errorf("OPTIONS: %q", w.Body)
	}
	if w := sent(v.measurable(Config{}), saying("hello"), asking("GET", "/metrics")); w.Body.String() != "hello" {
		t.Errorf("not configured: %q", w.Body)
	}
}

// A request that is broken off is counted all the same, and does not stay in flight.
func TestMeasuredAbort(t *testing.T) {
	t.Parallel()
	v := vital(false, false)
	ask := measuring(v, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	func() {
		defer func() { recover() }()
		ask("GET", "/x")
	}()
	text := ask("GET", "/metrics").Body.String()
	for _, line := range []string{`sws_http_requests_total{method="GET",status="other",host="other"} 1`, `sws_http_requests_inflight 1`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing in:\n%s", line, text)
		}
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		want           int
		body           string
	}{
		{"GET", "/", 200, `<a href="/metrics">`}, {"GET", "/health", 200, "OK"}, {"GET", "/ready", 503, "in maintenance"}, {"GET", "/metrics", 200, "go_goroutines"},
		{"GET", "/x", 404, "404"}, {"GET", "/health/x", 404, "404"}, {"POST", "/health", 405, "405"}, {"OPTIONS", "/metrics", 204, ""}, {"HEAD", "/metrics", 200, ""},
	} {
		w := httptest.NewRecorder()
		vital(false, true).admin().ServeHTTP(w, asking(c.method, c.target))
		if w.Code != c.want || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
}
