// Package faults does to rouse what must not harm it, hostile clients and broken surroundings, and says how it held: each test adds
// rows to a table that is printed at the end.
//
//	go test ./tests/faults        a few hundred clients at once, in a minute or two
//	tests/all.sh --long faults    the whole: thousands of them, and what peers do
package faults

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// row is one line of the table: what was done, and what came of it.
type row struct {
	Kind  string // attack, or the kind of fault
	What  string
	Tried string // with which numbers
	Peer  string // what another server does; empty: not known
	Rouse string
}

// table collects the rows of all tests.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
}

// String is the table in Markdown, sorted by kind and by what was done.
func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.What, b.What))
	})
	var text strings.Builder
	text.WriteString("| kind | what | tried | a peer | rouse |\n|---|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", cell(r.Kind), cell(r.What), cell(r.Tried), cell(r.Peer), cell(r.Rouse))
	}
	return text.String()
}

// cell keeps a text within its cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

// told is shared by all tests of the package, which each run once.
var told table

// tell adds a row to the table.
func tell(t *testing.T, r row) {
	t.Helper()
	told.add(r)
}

// TestMain lets more tests run at once than there are processors, since most of them wait for a time limit of the program, and prints the
// table in the end.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen && !isLong() {
		flag.Set("test.parallel", "6")
	}
	code := m.Run()
	if len(told.rows) > 0 {
		fmt.Print(&told)
	}
	os.Exit(code)
}

// isLong tells whether the long drills were asked for.
func isLong() bool { return os.Getenv("ROUSE_LONG") == "faults" }

func TestTableIsSorted(t *testing.T) {
	var some table
	for _, r := range []row{{Kind: "b", What: "z"}, {Kind: "b", What: "a|a"}, {Kind: "a", What: "y\ny"}} {
		some.add(r)
	}
	const want = "| kind | what | tried | a peer | rouse |\n|---|---|---|---|---|\n" +
		"| a | y y |  |  |  |\n" + `| b | a\|a |  |  |  |` + "\n| b | z |  |  |  |\n"
	if got := some.String(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}
