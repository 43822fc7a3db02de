package compress

import (
	"slices"
	"strings"

	"github.com/rouse-server/rouse/server/accept"
)

// Accepted returns those of the offered codings that a client likes at least as well as no coding at all, the best first: by
// weight, then in the order offered. fields are the lines of its Accept-Encoding field (RFC 9110 §12.5.3).
//
// A coding that is listed twice has the lower weight. An element that is not spelled as the RFC says counts as absent. When
// nothing is accepted, not even identity, the result is empty like any other refusal: identity is what is left to send.
func Accepted(fields []string, offered []Coding) []Coding {
	if len(fields) == 0 || len(offered) == 0 {
		return nil
	}
	var w weights
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			w.add(element)
		}
	}
	floor := max(1, w.of("identity")) // a weight of 0 is a refusal
	accepted := make([]Coding, 0, len(offered))
	for _, c := range offered {
		if w.of(c) >= floor {
			accepted = append(accepted, c)
		}
	}
	slices.SortStableFunc(accepted, func(a, b Coding) int { return w.of(b) - w.of(a) })
	return accepted
}

// weights are the q-values in thousandths, plus one, by coding: 0 is not listed.
type weights struct{ zstd, brotli, gzip, deflate, identity, others int }

// slot is where a coding's weight is kept; nil for a coding that is not made here. Names are compared in any case, and x-gzip
// is gzip (RFC 9110 §8.4.1.3).
func (w *weights) slot(name string) *int {
	switch {
	case strings.EqualFold(name, string(Gzip)), strings.EqualFold(name, "x-gzip"):
		return &w.gzip
	case strings.EqualFold(name, string(Brotli)):
		return &w.brotli
	case strings.EqualFold(name, string(Zstd)):
		return &w.zstd
	case strings.EqualFold(name, string(Deflate)):
		return &w.deflate
	case strings.EqualFold(name, "identity"):
		return &w.identity
	case name == "*":
		return &w.others
	}
	return nil
}

// add takes one element of the list: a coding, and perhaps its weight.
func (w *weights) add(element string) {
	name, weight, weighted := strings.Cut(element, ";")
	slot := w.slot(trim(name))
	if slot == nil {
		return
	}
	q := 1000
	if weighted {
		var ok bool
		if q, ok = accept.Weight(trim(weight)); !ok {
			return
		}
	}
	if *slot == 0 || q+1 < *slot {
		*slot = q + 1
	}
}

// of is the weight in thousandths of a coding or of identity: its own, else that of "*", else 0.
func (w *weights) of(c Coding) int {
	slot := w.slot(string(c))
	switch {
	case slot != nil && *slot > 0:
		return *slot - 1
	case w.others > 0:
		return w.others - 1
	}
	return 0
}

// trim takes optional whitespace off both ends (OWS, RFC 9110 §5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }
