package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// read reads a chart that was written, and sees that it is well formed.
func readChart(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(text))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Inf") {
		t.Errorf("%s: a figure is none\n%s", path, text)
	}
	return string(text)
}

func TestCharts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "charts")
	b := bench{contestants: map[string][]peer{servers: {
		{name: "rouse", version: "rouse v1"}, {name: "rouse (A/A twin)", version: "twin"},
		{name: "nginx", version: "nginx version: nginx/1.22.1 & more, built with OpenSSL"},
	}}}
	load, failed, cold := testRow("wrk"), testRow("wrk"), testRow(coldStart)
	failed.workload.name, cold.workload.name = "plain-10k", "cold-plain"
	for i := range failed.samples[2] {
		failed.samples[2][i].fault = "it has ended"
	}
	rows := []row{load, failed, cold, memoryRow()}
	for _, w := range connectionGrowth() {
		if strings.HasPrefix(w.name, "files-") {
			continue
		}
		r := testRow(w.tool)
		r.workload = w
		rows = append(rows, r)
	}
	for i := range rows {
		rows[i].workload.field = servers
	}
	twice, again := testRow(newConnections), testRow(newConnections)
	twice.workload.name, twice.workload.clients = "dispatch-new", 1
	again.workload.name, again.workload.clients = "dispatch-new", 8
	if err := writeSVG(dir, b, append(rows, twice, again)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*")) // the pattern is well formed
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
		readChart(t, file)
	}
	if got := strings.Join(names, " "); got !=
		"cold-plain.svg connections.svg dispatch-new-1.svg dispatch-new-8.svg memory-plain.svg plain-10k.svg plain-1k.svg" {
		t.Error(got)
	}
	for name, wants := range map[string][]string{
		"plain-1k": {"plain-1k: 1 KiB", "server CPU µs per request", `class="bar own"`, ">22.5 (1.50)<",
			"Two copies of rouse differed by up to 7.5 %.", "rouse v1; nginx/1.22.1 &amp; more", "prefers-color-scheme"},
		"cold-plain":   {"ms to the first byte"},
		"memory-plain": {"8.0 + 10.2 (1.00 KiB each)"},
		"connections":  {"number of connections", ">10000<", "<polyline"},
	} {
		text := readChart(t, filepath.Join(dir, name+".svg"))
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "A/A twin") {
			t.Errorf("%s shows the twin", name)
		}
	}
	if strings.Contains(readChart(t, filepath.Join(dir, "plain-10k.svg")), ">nginx<") {
		t.Error("a server without valid rounds has a bar")
	}
}

func TestTicks(t *testing.T) {
	for most, want := range map[float64][]float64{
		0: {0, 1}, math.NaN(): {0, 1}, 4.2: {0, 1, 2, 3, 4, 5}, 10: {0, 2, 4, 6, 8, 10}, 23: {0, 5, 10, 15, 20, 25},
		600: {0, 200, 400, 600},
	} {
		if got := ticks(most); !slices.Equal(got, want) {
			t.Errorf("%g: %v", most, got)
		}
	}
}

func TestWrap(t *testing.T) {
	if got := wrap("all work and averyverylongword no rest", 9); !slices.Equal(got, []string{"all work", "and", "averyverylongword", "no rest"}) {
		t.Errorf("%q", got)
	}
}

func TestRounded(t *testing.T) {
	for value, want := range map[float64]string{1.234: "1.23", 12.34: "12.3", 123.4: "123", 1234: "1234"} {
		if got := rounded(value); got != want {
			t.Errorf("%g: %s", value, got)
		}
	}
}
