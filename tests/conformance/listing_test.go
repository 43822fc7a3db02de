package conformance

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// outcome is how a comparison ended.
type outcome string

const (
	pass outcome = "PASS"
	fail outcome = "FAIL"
	left outcome = "LEFT OUT"
)

// row is one comparison: what was asked, what had to come, what came.
type row struct {
	number, title, over  string
	asked, expected, got string
	outcome              outcome
}

// listing collects rows, from all subtests at once.
type listing struct {
	mu   sync.Mutex
	rows []row
}

// newListing returns a listing that is printed when t and its subtests have ended.
func newListing(t *testing.T, name string) *listing {
	l := &listing{}
	t.Cleanup(func() { fmt.Print(l.text(name, testing.Verbose() || os.Getenv("ROUSE_CONFORMANCE_LISTING") != "")) })
	return l
}

func (l *listing) add(r row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
}

// text is a line for each comparison of a point and each result, with the transports that had it; what passed only if all.
func (l *listing) text(name string, all bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "\n=== %s: case, transports, asked, expected, got\n", name)
	numbers := map[outcome]map[string]bool{pass: {}, fail: {}, left: {}}
	for _, r := range merge(l.rows) {
		numbers[r.outcome][r.number] = true
		if all || r.outcome == fail {
			fmt.Fprintf(&b, "%-8s %-7s %s [%s]\n", r.outcome, r.number, r.title, r.over)
			for _, line := range [][2]string{{"asked", r.asked}, {"expected", r.expected}, {"got", r.got}} {
				if line[1] != "" && !(r.outcome == left && line[0] != "expected") {
					fmt.Fprintf(&b, "         %-9s %s\n", line[0], clip(line[1]))
				}
			}
		}
	}
	if all {
		for _, n := range notApplicable() {
			fmt.Fprintf(&b, "%-8s %-7s %s\n", "NO CASE", n.number, n.reason)
		}
	}
	for number := range numbers[fail] {
		delete(numbers[pass], number)
	}
	fmt.Fprintf(&b, "=== %s: %d passed, %d failed, %d left out%s\n", name, len(numbers[pass]), len(numbers[fail]), len(numbers[left]), failures(numbers[fail]))
	return b.String()
}

// failures names what failed.
func failures(numbers map[string]bool) string {
	if len(numbers) == 0 {
		return ""
	}
	var names []string
	for number := range numbers {
		names = append(names, number)
	}
	slices.SortFunc(names, byNumber)
	return "; failed: " + strings.Join(names, " ")
}

// merge puts what is the same over several transports into one row, in the order of the numbers.
func merge(rows []row) []row {
	var merged []row
	for _, r := range rows {
		i := slices.IndexFunc(merged, func(m row) bool {
			return m.number == r.number && m.asked == r.asked && m.expected == r.expected && m.got == r.got && m.outcome == r.outcome
		})
		switch {
		case i < 0:
			merged = append(merged, r)
		case !slices.Contains(strings.Fields(merged[i].over), r.over):
			merged[i].over += " " + r.over
		}
	}
	slices.SortStableFunc(merged, func(a, b row) int { return byNumber(a.number, b.number) })
	return merged
}

// byNumber orders C2.10 behind C2.9.
func byNumber(a, b string) int {
	return cmp.Or(slices.Compare(parts(a), parts(b)), cmp.Compare(a, b))
}

func parts(number string) []int {
	var all []int
	for part := range strings.SplitSeq(strings.TrimLeft(number, "CDE"), ".") {
		n, _ := strconv.Atoi(strings.TrimRight(part, "abc"))
		all = append(all, n)
	}
	return all
}

func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text
}

// none is a point that has no case, and why.
type none struct{ number, reason string }

// notApplicable lists what cannot be seen from outside or is only about the inside of static-web-server 3.
func notApplicable() []none {
	return []none{
		{"C7.4", "that no warning is logged for a served fallback page: the log's wording is ours (that it is 200 is asked)"},
		{"C14.3", "which files the memory cache admits and when it forgets them: its inside"},
		{"C16.6", "that static-web-server sends a TLS alert to plain HTTP: the explanation in its place is asked"},
		{"C18.5", "port 443 and a real service manager: tests/systemd boots one; here the same variables and descriptors are passed"},
	}
}
