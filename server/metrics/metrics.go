// Package metrics counts requests, and writes the counts in Prometheus' text format
// (prometheus.io/docs/instrumenting/exposition_formats). Its labels take few values whatever clients send: methods that
// HTTP knows, the class of the status, and host names that are configured; all else is "other".
package metrics

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rouse-server/rouse/server/hostname"
)

// ContentType is the media type of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

const other = "other"

// methods are the values of the label method, but for other.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}

const classes = 6 // 1xx to 5xx, and other in place 0

// buckets are upper bounds of durations, those of static-web-server.
var buckets = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Metrics counts. It is safe for concurrent use, and takes no lock but where labels meet for the first time.
type Metrics struct {
	version  string
	inflight atomic.Int64
	all      atomic.Pointer[hosts]
}

// hosts is the counts of one set of configured hosts.
type hosts struct {
	names  []string // the last one is other
	index  hostname.Table[int]
	counts []*host // one for each name
}

// host is the counts of one host: a series for each method (the last one is other) and class.
type host [len(methods) + 1][classes]atomic.Pointer[series]

// series is the counts of requests with the same labels.
type series struct {
	durations [len(buckets) + 1]atomic.Uint64 // how many lasted up to each bound and longer than the one before; the last: longer than all
	sum       atomic.Int64                    // of the durations, in nanoseconds
	bytes     atomic.Uint64
}

// New returns metrics without configured hosts. version is Rouse's.
func New(version string) *Metrics {
	m := &Metrics{version: version}
	m.all.Store(&hosts{names: []string{other}, counts: []*host{{}}})
	return m
}

// SetHosts says which names the label host may take: host names, and patterns such as *.example.com. What was counted for
// names that stay is kept. It may run beside everything but itself. The error is for what is neither.
func (m *Metrics) SetHosts(names []string) error {
	before := m.all.Load()
	after := &hosts{}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == other })
	for i, name := range append(names, other) {
		counts := &host{}
		if at := slices.Index(before.names, name); at >= 0 {
			counts = before.counts[at]
		}
		if i < len(names) {
			if err := after.index.Add(name, i); err != nil {
				return fmt.Errorf("metrics for the host %w", err)
			}
		}
		after.names = append(after.names, name)
		after.counts = append(after.counts, counts)
	}
	m.all.Store(after)
	return nil
}

// Begin is called when a request begins, End when it has ended.
func (m *Metrics) Begin() { m.inflight.Add(1) }

func (m *Metrics) End() { m.inflight.Add(-1) }

// Observe counts a request that was answered: its method, the status, the Host header, the bytes of the reply's body and
// the time that it took.
func (m *Metrics) Observe(method string, status int, host string, bytes int64, took time.Duration) {
	s := m.all.Load().find(method, status, host)
	bucket := 0
	for bucket < len(buckets) && took > buckets[bucket] {
		bucket++
	}
	s.durations[bucket].Add(1)
	s.sum.Add(int64(max(took, 0)))
	s.bytes.Add(uint64(max(bytes, 0)))
}

// find returns the series of these labels, which is made when it is needed: most never are.
func (h *hosts) find(method string, status int, host string) *series {
	name, ok := h.index.Find(host)
	if !ok {
		name = len(h.names) - 1
	}
	class := status / 100
	if class < 1 || class >= classes {
		class = 0
	}
	at := &h.counts[name][methodIndex(method)][class]
	if s := at.Load(); s != nil {
		return s
	}
	at.CompareAndSwap(nil, &series{})
	return at.Load()
}

func methodIndex(method string) int {
	for i, known := range methods {
		if method == known {
			return i
		}
	}
	return len(methods)
}
