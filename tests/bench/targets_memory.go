package main

import "math"

// memoryWanted are the lines of a row of memory, about rouse alone.
func memoryWanted(r row) [][]string {
	most, known := map[string]float64{"memory-plain": mostPlain, "memory-tls": mostTLS}[r.workload.name]
	if !known {
		return nil
	}
	idle, _, each := memoryFigures(r, reference)
	return [][]string{
		{r.workload.name, "rouse idle", "at most " + number(mostIdle, 1) + " MB", number(idle, 1), "", atMost(idle, mostIdle)},
		{r.workload.name, "rouse, each connection", "at most " + number(most, 1) + " KiB", number(each, 1), "", atMost(each, most)},
	}
}

// growthWanted are the lines of the growths, about rouse alone.
func growthWanted(rows []row) (lines [][]string) {
	for _, g := range growths() {
		measured := g.rows(rows)
		for _, from := range measured {
			if from.workload.name != g.from {
				continue
			}
			for _, r := range measured {
				if r.workload.name == g.from {
					continue
				}
				times := costOf(r, r.names[reference]) / costOf(from, from.names[reference])
				lines = append(lines, []string{r.workload.name, "rouse in " + g.from, "at most " + number(mostGrowth, 1),
					number(times, 2), "", atMost(times, mostGrowth)})
			}
		}
	}
	return lines
}

// costOf is the median cost of a server in a row, in nanoseconds.
func costOf(r row, name string) float64 {
	var costs []float64
	for i := range r.names {
		for _, s := range r.samples[i] {
			if r.names[i] == name && s.fault == "" {
				costs = append(costs, float64(s.cost))
			}
		}
	}
	return median(costs)
}

func atMost(measured, wanted float64) string {
	switch {
	case math.IsNaN(measured):
		return "not measured"
	case measured <= wanted:
		return "held"
	}
	return "MISSED"
}
