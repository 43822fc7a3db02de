package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A wish is what is wanted of rouse in a workload: that a request costs a server at least so many times what it costs rouse.
type wish struct {
	workloads string // names, with spaces between
	peer      string // everyone: of each web server that was measured
	least     float64
}

const everyone = "every peer"

// wishes are the targets against other servers.
func wishes() []wish {
	return []wish{
		{"plain-1k plain-10k", "nginx", 1.25},
		{"plain-1k plain-10k", "lighttpd", 1.05},
		{"plain-1k plain-10k", "h2o", 1.05},
		{"plain-1k plain-10k", "caddy", 8},
		{"plain-1k plain-10k", "static-web-server", 2.2},
		{"plain-1k plain-10k", "static-web-server-cache", 1.1},
		{"plain-1k", "floor", 0.7}, // at least 70 % of the least that a server can do
		{"tls-1k tls-10k", "nginx", 1.3},
		{"tls-1k tls-10k", "lighttpd", 1.3},
		{"tls-1k tls-10k", "h2o", 1.1},
		{"tls-1k tls-10k", "static-web-server", 2},
		{"h2-1k h2-10k", "nginx", 4},
		{"h2-1k h2-10k", "h2o", 1.3},
		{"h2-1k h2-10k", "static-web-server", 8},
		{"h2-1k h2-10k", "caddy", 50},
		{"handshake-full", "nginx", 1.4},
		{"handshake-full", "h2o", 1.1},
		{"handshake-resumed", "nginx", 1.4},
		{"plain-new", everyone, 1.1},
		{"large-plain", everyone, 0.95},
		{"large-tls", "nginx", 1.2},
		{"files-warm", "nginx", 1.1},
		{"files-cold", "nginx", 1},
		{"304", everyone, 1},
		{"compressed", "nginx", 20},
		{"cold-plain", "nginx", 1 / 0.7},
		{"cold-plain", "lighttpd", 1 / 1.4},
		{"cold-tls", "nginx", 1},
	}
}

// What is wanted of rouse by itself.
const (
	mostIdle   = 8.0 // MB of memory
	mostPlain  = 1.2 // KiB for each idle connection
	mostTLS    = 5.5
	mostGrowth = 1.2 // times the cost that growth starts from
)

// printServerTargets prints the table of what was wanted and what came, for all workloads that were measured.
func printServerTargets(out io.Writer, rows []row) {
	table := [][]string{{"workload", "against", "wanted", "measured", "noise", ""}}
	for _, r := range rows {
		table = append(table, wishedOf(r)...)
		table = append(table, memoryWanted(r)...)
	}
	table = append(table, growthWanted(rows)...)
	if len(table) == 1 {
		return
	}
	fmt.Fprintln(out, "\ntargets: how many times the cost of rouse, if nothing else is said")
	printTable(out, table, 0, 1, 5)
}

// wishedOf are the lines of a row of web servers.
func wishedOf(r row) (lines [][]string) {
	if r.workload.field != servers {
		return nil
	}
	for _, w := range wishes() {
		if !slices.Contains(strings.Fields(w.workloads), r.workload.name) {
			continue
		}
		found := false
		for i, name := range r.names {
			if i <= twin || w.peer != kindOf(name) && (w.peer != everyone || !comparable(name)) {
				continue
			}
			found = true
			own := against(r.samples[i], r.samples[reference])
			n := noise(against(r.samples[twin], r.samples[reference]))
			lines = append(lines, []string{r.workload.name, name, "at least " + number(w.least, 2), number(own.median, 2),
				number(n, 2), atLeast(own.median, w.least, n)})
		}
		if !found {
			lines = append(lines, []string{r.workload.name, w.peer, "at least " + number(w.least, 2), "-", "-", "not measured"})
		}
	}
	return lines
}

// kindOf is the peer that a name given with --server is one of.
func kindOf(name string) string {
	known := name
	longest := 0
	for _, other := range commandLineNames() {
		if (name == other || strings.HasPrefix(name, other+"-")) && len(other) > longest {
			known, longest = other, len(other)
		}
	}
	return known
}

// comparable says whether a server is one that rouse wants to be ahead of.
func comparable(name string) bool {
	return kindOf(name) != "rouse" && name != laneOff && name != floorName
}

// atLeast is the verdict on a ratio where two copies of one program differ by noise.
func atLeast(measured, wanted, noise float64) string {
	tie := ""
	if measured > wanted/noise && measured < wanted*noise {
		tie = ", a tie within the noise"
	}
	switch {
	case math.IsNaN(measured):
		return "not measured"
	case measured >= wanted:
		return "held" + tie
	}
	return "MISSED" + tie
}
