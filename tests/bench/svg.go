package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// writeSVG writes a chart of each row into dir, and one of each growth. The A/A twin is in none; what it shows is said below.
func writeSVG(dir string, b bench, rows []row) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a folder for the charts: %w", err)
	}
	charts := map[string]string{} // by file name
	var grown []string
	for _, g := range growths() {
		if measured := g.rows(rows); len(measured) > 1 {
			charts[strings.TrimSuffix(g.prefix, "-")] = drawLines(growthChart(g, measured, b))
			for _, r := range measured {
				grown = append(grown, r.workload.name)
			}
		}
	}
	for i, r := range rows {
		if slices.Contains(grown, r.workload.name) {
			continue
		}
		name := r.workload.name
		if slices.ContainsFunc(slices.Concat(rows[:i], rows[i+1:]), func(other row) bool { return other.workload.name == name }) {
			name += "-" + strconv.Itoa(r.workload.clients)
		}
		if c := rowChart(r, b); len(c.bars) > 0 {
			charts[name] = drawBars(c)
		}
	}
	for name, text := range charts {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing a chart: %w", err)
		}
	}
	return nil
}

// A barChart compares servers in one row.
type barChart struct {
	title, unit string
	bars        []bar
	notes       []string
}

// A bar is one server: the median, and the middle half of the rounds.
type bar struct {
	name, label      string
	value, low, high float64
	base             float64 // the part of value that is drawn apart; 0: none
	own              bool    // it is what the others are compared with
}

func rowChart(r row, b bench) barChart {
	c := barChart{title: r.workload.name + ": " + r.workload.title, unit: unitOf(r.workload), notes: notesOf(r, b)}
	for i, name := range r.names {
		if i == twin {
			continue
		}
		values := figuresOf(r, i)
		one := bar{name: name, own: i == reference, value: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75)}
		one.label = rounded(one.value)
		if ratio := against(r.samples[i], r.samples[reference]).median; i != reference && !math.IsNaN(ratio) {
			one.label += " (" + number(ratio, 2) + ")"
		}
		if r.workload.tool == memoryUse {
			idle, full, each := memoryFigures(r, i)
			one.base = idle
			one.label = fmt.Sprintf("%s + %s (%s KiB each)", number(idle, 1), number(full-idle, 1), number(each, 2))
		}
		if !math.IsNaN(one.value) {
			c.bars = append(c.bars, one)
		}
	}
	return c
}

// figuresOf are what a chart shows of one contestant, a figure for each valid round, in the unit of unitOf.
func figuresOf(r row, contestant int) []float64 {
	var values []float64
	for _, s := range r.samples[contestant] {
		switch {
		case s.fault != "":
		case r.workload.tool == memoryUse:
			values = append(values, float64(s.memory.full)/1e6)
		case r.workload.tool == coldStart:
			values = append(values, milliseconds(s.cost))
		default:
			values = append(values, microseconds(s.cost))
		}
	}
	return values
}

func unitOf(w workload) string {
	switch {
	case w.tool == memoryUse:
		return "MB when idle + MB for the connections"
	case w.tool == coldStart:
		return "ms to the first byte"
	case w.tool == newConnections:
		return "CPU µs per connection"
	}
	return "server CPU µs per " + w.unit()
}

// notesOf are the lines below a chart of bars.
func notesOf(r row, b bench) []string {
	lines := []string{"Lower is better."}
	if r.workload.tool != memoryUse {
		lines[0] += fmt.Sprintf(" Medians of %d rounds, the middle half, and in brackets the ratio to %s in the same rounds.",
			len(r.samples[reference]), r.names[reference])
		if n := noise(against(r.samples[twin], r.samples[reference])); !math.IsNaN(n) {
			lines = append(lines, fmt.Sprintf("Two copies of %s differed by up to %.1f %%.", r.names[reference], (n-1)*100))
		}
	}
	return append(lines, madeOn(), versionsOf(r, b))
}

func madeOn() string {
	return processorModel() + ", Linux " + firstLine("/proc/sys/kernel/osrelease") + ", one CPU for the server"
}

// versionsOf names the programs that were measured, each by the first part of what it says of itself.
func versionsOf(r row, b bench) string {
	var versions []string
	for _, p := range b.contestants[r.workload.field] {
		i := slices.Index(r.names, p.name)
		if i < 0 || i == twin || p.name == floorName {
			continue
		}
		version, _, _ := strings.Cut(p.version, ",")
		if _, after, found := strings.Cut(version, "version: "); found { // nginx and Apache
			version = after
		}
		version = strings.TrimSuffix(version, program{unpacked: true}.origin())
		first, _, _ := strings.Cut(p.name, " ")
		if !strings.HasPrefix(strings.ToLower(version), first) {
			version = p.name + " " + version
		}
		if !slices.Contains(versions, version) { // the same one may stand there with another option
			versions = append(versions, version)
		}
	}
	return strings.Join(versions, "; ")
}

// rounded has three digits or all before the point.
func rounded(value float64) string {
	digits := 0
	for limit := 100.0; digits < 2 && value < limit; limit /= 10 {
		digits++
	}
	return number(value, digits)
}
