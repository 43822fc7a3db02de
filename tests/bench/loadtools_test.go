package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const wrkReport = `Running 1s test @ http://127.0.0.1:28580/1k.html
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    13.19ms   16.73ms  89.22ms   87.78%
    Req/Sec     7.10k     2.18k    9.91k    70.00%
  Latency Distribution
     50%  730.00us
     75%   15.35ms
     90%   35.39ms
     99%    1.07s
  7450 requests in 1.06s, 8.97MB read
`

func TestParseWrk(t *testing.T) {
	const end = "Requests/sec:   7056.35\nTransfer/sec:      8.50MB\n"
	want := loadResult{requests: 7450, bytes: 9405726, rate: 7056.35, p50: 730 * time.Microsecond, p99: 1070 * time.Millisecond}
	if got, err := parseWrk(wrkReport + end); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	const complaints = "  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 17\n"
	want.faults = "Socket errors: connect 0, read 3, write 0, timeout 1; Non-2xx or 3xx responses: 17"
	if got, err := parseWrk(wrkReport + complaints + end); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseWrk("unable to connect to 127.0.0.1:1 Connection refused\n"); err == nil {
		t.Error("a report without totals was accepted")
	}
}

const h2loadReport = `starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: h2
finished in 1.02s, 19703.00 req/s, 21.61MB/s
requests: 19703 total, 20727 started, 19703 done, 19703 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 19703 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 21.61MB (22660018) total, 2.03MB (2127924) headers (space savings 39.33%), 19.24MB (20175872) data
                     min         max         mean         sd        +/- sd
time for request:     5.13ms    209.09ms     44.01ms     30.22ms    85.18%
`

func TestParseH2load(t *testing.T) {
	want := loadResult{requests: 19703, bytes: 20175872, rate: 19703}
	if got, err := parseH2load(h2loadReport); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for from, to := range map[string]string{
		"0 failed, 0 errored":   "2 failed, 5 errored",
		"0 4xx, 0 5xx":          "4 4xx, 0 5xx",
		"19703 2xx, 0 3xx, 0 4": "0 2xx, 19703 3xx, 0 4",
		"protocol: h2":          "protocol: http/1.1",
	} {
		got, err := parseH2load(strings.Replace(h2loadReport, from, to, 1))
		if err != nil || got.faults == "" {
			t.Errorf("with %q: faults %q, error %v", to, got.faults, err)
		}
	}
	if _, err := parseH2load("could not resolve 127.0.0.1\n"); err == nil {
		t.Error("a report without totals was accepted")
	}
}

func TestH2loadIsGivenANumber(t *testing.T) {
	if got := h2loadArguments(time.Second, 0); !slices.Equal(got, []string{"-n", "1024"}) {
		t.Errorf("in the warm-up %q", got)
	}
	if got := h2loadArguments(2*time.Second, 1234.5); !slices.Equal(got, []string{"-n", "2469"}) {
		t.Errorf("after it %q", got)
	}
}

func TestLoadSample(t *testing.T) {
	good := loadResult{requests: 1000, bytes: 1_200_000, rate: 990, p50: 1, p99: 2, server: 20 * time.Millisecond}
	want := sample{cost: 20 * time.Microsecond, rate: 990, p50: 1, p99: 2}
	if got := loadSample(good, workload{}, 1024); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, bad := range map[string]struct {
		result   loadResult
		workload workload
	}{
		"none answered":  {},
		"too short":      {result: loadResult{requests: 1000, bytes: 300_000}},
		"errors":         {result: loadResult{requests: 1000, bytes: 1_200_000, faults: "Socket errors"}},
		"not a 304":      {loadResult{requests: 1000, bytes: 1_200_000}, workload{notModified: true}},
		"not compressed": {loadResult{requests: 1000, bytes: 1_200_000}, workload{packed: true}},
	} {
		if got := loadSample(bad.result, bad.workload, 1024); got.fault == "" {
			t.Errorf("%s: no fault", name)
		}
	}
}
