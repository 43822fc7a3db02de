package metrics

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Type is the type of a metric.
type Type string

const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	histogram Type = "histogram"
)

// Value is a metric without labels whose value somebody else knows.
type Value struct {
	Name  string
	Help  string
	Type  Type
	Value float64
}

// Write writes everything that was counted, the process, and more values. It returns w's error.
func (m *Metrics) Write(w io.Writer, more ...Value) error {
	p := &page{}
	all := m.all.Load().collect()
	p.head("sws_http_requests_total", Counter, "HTTP requests.")
	for _, s := range all {
		p.sample("sws_http_requests_total", s.labels, strconv.FormatUint(s.count, 10))
	}
	p.head("sws_http_request_duration_seconds", histogram, "Time from a request's head to the end of its reply.")
	for _, s := range all {
		p.histogram("sws_http_request_duration_seconds", s)
	}
	p.head("sws_http_response_bytes_total", Counter, "Bytes of replies, without their heads.")
	for _, s := range all {
		p.sample("sws_http_response_bytes_total", s.labels, strconv.FormatUint(s.bytes, 10))
	}
	p.value(Value{"sws_http_requests_inflight", "HTTP requests that are being answered.", Gauge, float64(m.inflight.Load())})
	for _, v := range more {
		p.value(v)
	}
	p.head("rouse_build_info", Gauge, "Always 1; its labels tell which Rouse this is.")
	p.sample("rouse_build_info", `{version="`+escape(m.version)+`",goversion="`+escape(runtime.Version())+`"}`, "1")
	for _, v := range process() {
		p.value(v)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// counted is a series as it was at one moment.
type counted struct {
	labels     string // in braces
	cumulative [len(buckets) + 1]uint64
	count      uint64
	sum        time.Duration
	bytes      uint64
}

// collect reads all series, so that what is written of one agrees with itself.
func (h *hosts) collect() []counted {
	var all []counted
	for i, name := range h.names {
		for method := range h.counts[i] {
			for class := range classes {
				s := h.counts[i][method][class].Load()
				if s == nil {
					continue
				}
				one := counted{sum: time.Duration(s.sum.Load()), bytes: s.bytes.Load()}
				one.labels = fmt.Sprintf(`{method="%s",status="%s",host="%s"}`, methodName(method), className(class), escape(name))
				for b := range s.durations {
					one.count += s.durations[b].Load()
					one.cumulative[b] = one.count
				}
				if one.count > 0 {
					all = append(all, one)
				}
			}
		}
	}
	return all
}

func methodName(i int) string {
	if i == len(methods) {
		return other
	}
	return methods[i]
}

func className(class int) string {
	if class == 0 {
		return other
	}
	return strconv.Itoa(class) + "xx"
}

// escape writes a label's value.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text)
}

// page is the text that is being written.
type page struct{ bytes.Buffer }

func (p *page) head(name string, kind Type, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) sample(name, labels, value string) {
	fmt.Fprintf(p, "%s%s %s\n", name, labels, value)
}

func (p *page) value(v Value) {
	p.head(v.Name, v.Type, v.Help)
	p.sample(v.Name, "", number(v.Value))
}

func (p *page) histogram(name string, s counted) {
	labels := strings.TrimSuffix(s.labels, "}")
	for i, bound := range buckets {
		p.sample(name+"_bucket", labels+`,le="`+number(bound.Seconds())+`"}`, strconv.FormatUint(s.cumulative[i], 10))
	}
	p.sample(name+"_bucket", labels+`,le="+Inf"}`, strconv.FormatUint(s.count, 10))
	p.sample(name+"_sum", s.labels, number(s.sum.Seconds()))
	p.sample(name+"_count", s.labels, strconv.FormatUint(s.count, 10))
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }
