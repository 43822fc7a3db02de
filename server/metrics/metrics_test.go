package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

// written is what Write writes, read strictly.
func written(t testing.TB, m *Metrics, more ...Value) map[string]family {
	t.Helper()
	var out bytes.Buffer
	if err := m.Write(&out, more...); err != nil {
		t.Fatal(err)
	}
	families, err := parse(out.String())
	if err != nil {
		t.Fatalf("%v in:\n%s", err, &out)
	}
	return families
}

func TestWrite(t *testing.T) {
	t.Parallel()
	m := New(`1.0 "\` + "\n")
	if err := m.SetHosts([]string{"example.com", "*.example.com", "other"}); err != nil {
		t.Fatal(err)
	}
	m.Begin()
	m.Begin()
	m.End()
	m.Observe("GET", 200, "example.com", 100, 50*time.Microsecond)
	m.Observe("GET", 206, "EXAMPLE.com:8443", 10, time.Minute)
	m.Observe("GET", 404, "a.example.com", 5, 2*time.Millisecond)
	m.Observe("BREW", 0, "evil\"host\n", -1, -1)
	m.Observe("HEAD", 700, "", 1, 0)
	families := written(t, m, Value{"sws_http_connections_active", "Open connections.", Gauge, 3})
	for name, kind := range map[string]string{
		"sws_http_requests_total": "counter", "sws_http_request_duration_seconds": "histogram", "sws_http_response_bytes_total": "counter",
		"sws_http_requests_inflight": "gauge", "sws_http_connections_active": "gauge", "rouse_build_info": "gauge",
		"process_start_time_seconds": "gauge", "go_goroutines": "gauge", "process_cpu_seconds_total": "counter",
	} {
		if families[name].kind != kind {
			t.Errorf("%s is a %q", name, families[name].kind)
		}
	}
	for series, want := range map[string]float64{
		`sws_http_requests_total{host="example.com",method="GET",status="2xx"}`:                                2,
		`sws_http_requests_total{host="*.example.com",method="GET",status="4xx"}`:                              1,
		`sws_http_requests_total{host="other",method="other",status="other"}`:                                  1,
		`sws_http_requests_total{host="other",method="HEAD",status="other"}`:                                   1,
		`sws_http_response_bytes_total{host="example.com",method="GET",status="2xx"}`:                          110,
		`sws_http_request_duration_seconds_bucket{host="example.com",le="5e-05",method="GET",status="2xx"}`:    1,
		`sws_http_request_duration_seconds_bucket{host="example.com",le="10",method="GET",status="2xx"}`:       1,
		`sws_http_request_duration_seconds_bucket{host="example.com",le="+Inf",method="GET",status="2xx"}`:     2,
		`sws_http_request_duration_seconds_sum{host="example.com",method="GET",status="2xx"}`:                  60.00005,
		`sws_http_request_duration_seconds_bucket{host="*.example.com",le="0.001",method="GET",status="4xx"}`:  0,
		`sws_http_request_duration_seconds_bucket{host="*.example.com",le="0.0025",method="GET",status="4xx"}`: 1,
		`sws_http_requests_inflight`:  1,
		`sws_http_connections_active`: 3,
	} {
		name, _, _ := strings.Cut(series, "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		if got, ok := families[name].samples[series]; !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, %v; want %v", series, got, ok, want)
		}
	}
	if n := len(families["sws_http_requests_total"].samples); n != 4 {
		t.Errorf("%d series", n)
	}
	if start := families["process_start_time_seconds"].samples["process_start_time_seconds"]; math.Abs(start-float64(time.Now().Unix())) > 600 {
		t.Errorf("the process began at %v", start)
	}
}

// Nothing that clients send makes more series.
func TestBounded(t *testing.T) {
	t.Parallel()
	m := New("1")
	for i := range 2000 {
		m.Observe(fmt.Sprint("M", i), i, fmt.Sprint("host", i), 1, time.Duration(i)*time.Millisecond)
	}
	if n := len(written(t, m)["sws_http_requests_total"].samples); n > classes {
		t.Errorf("%d series", n)
	}
}

// A reload keeps the counts of the hosts that stay.
func TestSetHosts(t *testing.T) {
	t.Parallel()
	m := New("1")
	set := func(hosts ...string) {
		t.Helper()
		if err := m.SetHosts(hosts); err != nil {
			t.Fatal(err)
		}
	}
	m.Observe("GET", 200, "x", 0, 0)
	set("a", "b")
	m.Observe("GET", 200, "a", 0, 0)
	m.Observe("GET", 200, "b", 0, 0)
	set("b", "c")
	m.Observe("GET", 200, "b", 0, 0)
	m.Observe("GET", 200, "a", 0, 0)
	got := written(t, m)["sws_http_requests_total"].samples
	for host, want := range map[string]float64{"b": 2, "other": 2} {
		if n := got[`sws_http_requests_total{host="`+host+`",method="GET",status="2xx"}`]; n != want {
			t.Errorf("%s: %v, want %v", host, n, want)
		}
	}
	if len(got) != 2 {
		t.Error(got)
	}
	if err := m.SetHosts([]string{"not a host"}); err == nil {
		t.Error("accepted")
	}
}

func TestConcurrently(t *testing.T) {
	t.Parallel()
	m := New("1")
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 1000 {
				m.Begin()
				m.Observe("GET", 200+i%2*200, "x", 1, time.Duration(i)*time.Microsecond)
				m.End()
				if i%250 == 0 {
					written(t, m)
					if worker == 0 {
						m.SetHosts([]string{"x"})
					}
				}
			}
		})
	}
	all.Wait()
	total := 0.0
	for _, n := range written(t, m)["sws_http_requests_total"].samples {
		total += n
	}
	if total != 8000 { // those before x was a host are other's
		t.Errorf("%v requests", total)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestWriteError(t *testing.T) {
	t.Parallel()
	if New("1").Write(broken{}) == nil {
		t.Error("no error")
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct {
		name, host string
		hosts      []string
	}{{"no hosts", "localhost", nil}, {"host and port", "b.example:8443", []string{"a.example", "b.example"}}, {"host", "b.example", []string{"a.example", "b.example"}}} {
		b.Run(c.name, func(b *testing.B) {
			m := New("1")
			m.SetHosts(c.hosts)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					m.Observe("GET", 200, c.host, 1000, time.Millisecond)
				}
			})
		})
	}
}
