package main

import (
	"math"
	"slices"
)

// quantile returns the value below which the fraction q of values lies, interpolated; NaN if there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	position := q * float64(len(sorted)-1)
	below := int(position)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (position-float64(below))*(sorted[above]-sorted[below])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// A ratio compares a server's cost with that of the reference, round by round: the median, and the middle half of the rounds.
type ratio struct {
	median, low, high float64
}

// against divides the costs of a server by those of the reference in the same rounds, without rounds that have a fault.
func against(server, reference []sample) ratio {
	var each []float64
	for i := range min(len(server), len(reference)) {
		if server[i].fault == "" && reference[i].fault == "" && reference[i].cost > 0 {
			each = append(each, float64(server[i].cost)/float64(reference[i].cost))
		}
	}
	return ratio{median(each), quantile(each, 0.25), quantile(each, 0.75)}
}

// added subtracts them instead, and returns milliseconds.
func added(server, reference []sample) []float64 {
	var each []float64
	for i := range min(len(server), len(reference)) {
		if server[i].fault == "" && reference[i].fault == "" {
			each = append(each, milliseconds(server[i].cost-reference[i].cost))
		}
	}
	return each
}

// noise is the largest factor by which the A/A twin, the same program, differed from the reference in the middle half of the
// rounds, upwards or downwards.
func noise(twin ratio) float64 { return max(twin.high, 1/twin.low) }

// verdict says what a ratio to the reference means where two copies of the same program differ by noise.
func verdict(r ratio, noise float64, reference string) string {
	switch {
	case math.IsNaN(r.median) || math.IsNaN(noise):
		return ""
	case r.median > noise:
		return reference + " ahead"
	case r.median < 1/noise:
		return reference + " behind"
	}
	return "tie"
}
