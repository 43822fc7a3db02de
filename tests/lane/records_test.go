package lane

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// compareRecords holds against each other what both have logged and counted. Lines may come some time after the reply.
func (p *pair) compareRecords() {
	p.t.Helper()
	for what, read := range map[string]func(*testing.T, *server) []string{"log": logged, "metrics": counted} {
		with, off := read(p.t, p.with), read(p.t, p.off)
		for begun := time.Now(); !slices.Equal(with, off) && time.Since(begun) < limit/4; time.Sleep(limit / 200) {
			with, off = read(p.t, p.with), read(p.t, p.off)
		}
		for _, missing := range []struct {
			where string
			lines []string
		}{{"with the lane alone", without(with, off)}, {"without the lane alone", without(off, with)}} {
			if n := len(missing.lines); n > 0 {
				p.t.Errorf("%s: %d lines %s, such as\n%s", what, n, missing.where, strings.Join(missing.lines[:min(n, 10)], "\n"))
			}
		}
	}
}

// without are the lines of a that are not in b as often. Both are sorted.
func without(a, b []string) []string {
	var more []string
	for _, line := range a {
		for len(b) > 0 && b[0] < line {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == line {
			b = b[1:]
			continue
		}
		more = append(more, line)
	}
	return more
}

// logged is the lines of the log, sorted, without the time and those that tell where the program listens.
func logged(t *testing.T, s *server) []string {
	text, err := os.ReadFile(s.log)
	must(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		var entry map[string]any
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &entry) != nil || entry["level"] == "NOTICE" {
			continue
		}
		delete(entry, "time")
		delete(entry, "duration")
		text, err := json.Marshal(entry) // with its keys in order
		must(t, err)
		lines = append(lines, string(text))
	}
	slices.Sort(lines)
	return lines
}

// counted is the counters, sorted.
func counted(t *testing.T, s *server) []string {
	response, err := http.Get("http://" + s.admin + "/metrics")
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	lines := regexp.MustCompile(`(?m)^(sws_http_requests_total|sws_http_response_bytes_total|sws_http_request_duration_seconds_count|rouse_passwords_).*`).FindAllString(string(text), -1)
	slices.Sort(lines)
	return lines
}
