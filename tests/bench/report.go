package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// printRow prints a workload's table: one line per server, then the noise, then what went wrong.
func printRow(out io.Writer, r row, tool string) {
	rounds := len(r.samples[reference])
	fmt.Fprintf(out, "\n%s: %s (%s, rounds: %d)\n", r.workload.name, r.workload.title, tool, rounds)
	cells := loadCells
	switch r.workload.tool {
	case coldStart:
		cells = coldCells
	case newConnections:
		cells = connectionCells
	case memoryUse:
		cells = memoryCells
	}
	printTable(out, cells(r), 0, 3) // names and verdicts
	n := noise(against(r.samples[twin], r.samples[reference]))
	if !math.IsNaN(n) {
		fmt.Fprintf(out, "  A/A: in the middle half of the rounds two copies of the same %s differed by up to %.1f %%: "+
			"such differences are ties.\n", r.names[reference], (n-1)*100)
	}
	printKeyExchanges(out, r)
	printLosses(out, r)
	printFaults(out, r)
}

// loadCells is the table under load; its first line is the heading.
func loadCells(r row) [][]string {
	unit := r.workload.unit()
	table := [][]string{{"server", "CPU µs/" + unit, "against " + r.names[reference], "", unit + "s/s", "busy", "p50 ms", "p99 ms"}}
	for i, name := range r.names {
		var cost, rate, busy, p50, p99 []float64
		for _, s := range r.samples[i] {
			if s.fault != "" {
				continue
			}
			cost = append(cost, float64(s.cost)/float64(time.Microsecond))
			rate = append(rate, s.rate)
			busy = append(busy, s.cost.Seconds()*s.rate*100)
			if s.p99 > 0 {
				p50 = append(p50, milliseconds(s.p50))
				p99 = append(p99, milliseconds(s.p99))
			}
		}
		table = append(table, append([]string{name, number(median(cost), 2)}, append(compared(r, i),
			number(median(rate), 0), number(median(busy), 0)+" %", number(median(p50), 2), number(median(p99), 2))...))
	}
	return table
}

// coldCells is the table of cold starts.
func coldCells(r row) [][]string {
	table := [][]string{{"server", "median ms", "against " + r.names[reference], "", "min ms", "added ms"}}
	for i, name := range r.names {
		var took []float64
		for _, s := range r.samples[i] {
			if s.fault == "" {
				took = append(took, milliseconds(s.cost))
			}
		}
		table = append(table, append([]string{name, number(median(took), 2)}, append(compared(r, i),
			number(quantile(took, 0), 2), number(median(added(r.samples[i], r.samples[reference])), 2))...))
	}
	return table
}

// compared is a server's ratio to the reference and its verdict; the reference itself and its twin need none.
func compared(r row, i int) []string {
	if i == reference {
		return []string{"1", ""}
	}
	own := against(r.samples[i], r.samples[reference])
	if math.IsNaN(own.median) {
		return []string{"-", ""}
	}
	text := fmt.Sprintf("%s (%s-%s)", number(own.median, 2), number(own.low, 2), number(own.high, 2))
	if i == twin {
		return []string{text, "the noise"}
	}
	return []string{text, verdict(own, noise(against(r.samples[twin], r.samples[reference])), r.names[reference])}
}

// printFaults marks a row as invalid and says which rounds were at fault.
func printFaults(out io.Writer, r row) {
	if !r.invalid() {
		return
	}
	fmt.Fprintln(out, "  INVALID: not every request was answered as it should be")
	for i, name := range r.names {
		for round, s := range r.samples[i] {
			if s.fault != "" {
				fmt.Fprintf(out, "    %s, round %d: %s\n", name, round+1, s.fault)
			}
		}
	}
}

func printLegend(out io.Writer) {
	fmt.Fprint(out, `
Figures are medians over rounds. "CPU" is that of all the server's processes, and of what stands in front of it. "against
rouse" divides a server's cost by rouse's in the same round, in brackets the middle half of the rounds: above 1 rouse is
ahead; likewise "against nginx", and "added" is the difference to it. "busy" is the share of its CPU that the server used:
well below what it may use, the client or other programs were the limit and requests/s say little. Clients ask again as soon as
they are answered, and web servers are held to a share of their CPU: "requests/s", "p50" and "p99" compare servers, and are not
what the machine could do; its core does a million divided by the cost.
Of new connections, "p50" and "p99" are from connecting to the byte, "added" is the difference to the first line in the same
rounds, "a core does" is what the CPU of the path allows, and "lost" counts all that were begun and not answered.
`)
}

// printTable aligns the columns of words, by their numbers, to the left, and those of figures to the right; the first line is the
// heading.
func printTable(out io.Writer, table [][]string, words ...int) {
	width := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range table {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if slices.Contains(words, i) {
				text.WriteString("  " + cell + pad)
			} else {
				text.WriteString("  " + pad + cell)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(text.String(), " "))
	}
}

// number formats a figure; what is not known is a dash.
func number(value float64, digits int) string {
	if math.IsNaN(value) {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, value)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
