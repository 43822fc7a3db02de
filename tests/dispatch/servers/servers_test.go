package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/servers/booted"
)

func TestServers(t *testing.T) {
	if reason := booted.Reason(); reason != "" {
		t.Skip(reason)
	}
	for _, s := range selected() {
		if s.overlay != os.Getenv(overlayVariable) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var results []result
			for _, engine := range s.runs() {
				t.Run(engine, func(t *testing.T) {
					d := newDrill(t, s, engine)
					if err := d.run(); err != nil {
						t.Error(err)
						d.explain()
					}
					results = append(results, d.result)
				})
			}
			row := s.row(results)
			t.Log(row)
			record(t, row)
		})
	}
}

// explain shows what helps to find why a drill failed.
func (d *drill) explain() {
	exec.Command("true").Run()

	for _, i := range d.instances {
		if i.process == nil {
			continue
		}
		text := i.log()
		d.t.Logf("instance %s has processes %v; its log ends: %s", i.name, i.all(), text[max(0, len(text)-1500):])
	}
}

// row is the row of the table in README.md.
func (s server) row(results []result) string {
	all := func(of func(result) string) string {
		var texts []string
		for _, r := range results {
			if text := of(r); len(texts) == 0 || texts[len(texts)-1] != text {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, " / ")
	}
	yes := func(of func(result) bool) string {
		return all(func(r result) string {
			if of(r) {
				return "yes"
			}
			return "no"
		})
	}
	address := yes(func(r result) bool { return r.peer })
	if s.noPeer != "" {
		address = s.noPeer
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s |", s.name, s.versionNumber(), all(func(r result) string { return r.gets }),
		yes(func(r result) bool { return r.apart }), address, all(s.restarted),
		all(func(r result) string { return fmt.Sprintf("%d of %d", r.killed, r.held) }), yes(func(r result) bool { return r.works }))
}

// restarted tells what a restart cost: of whom a server drops that ends at once, each had been accepted by it.
func (s server) restarted(r result) string {
	if s.abrupt && r.restart > 0 {
		return fmt.Sprintf("0, and %d that it dropped itself", r.restart)
	}
	return fmt.Sprint(r.restart)
}

func (s server) versionNumber() string {
	if s.version == "" {
		return "–"
	}
	out, _ := exec.Command("sh", "-c", s.version).CombinedOutput()
	return regexp.MustCompile(`\d+(\.\d+)+(p\d+)?|$`).FindString(string(out))
}

// record keeps a row for writeTable.
func record(t *testing.T, row string) {
	file, err := os.OpenFile(filepath.Join(booted.Dir(), "table"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := fmt.Fprintln(file, row); err != nil {
		t.Fatal(err)
	}
}

// The table stands in README.md between these lines.
const (
	readme     = "../../../README.md"
	tableBegin = "<!-- dispatched: written by go test ./tests/dispatch/servers -update -->\n"
	tableEnd   = "<!-- end of dispatched -->"
	tableHead  = "| server | version | gets (kernel / hand-over) | two instances | client's address in its log | restart under load: lost | killed: lost, of those in its hands | works |\n|---|---|---|---|---|---|---|---|\n"
)

// writeTable writes the rows of this run into README.md.
func writeTable(dir string) error {
	rows, err := os.ReadFile(filepath.Join(dir, "table"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return fmt.Errorf("README.md has no place for the table: give it the lines %q and %q", strings.TrimSpace(tableBegin), tableEnd)
	}
	if n := strings.Count(string(rows), "\n"); n != len(table()) {
		return fmt.Errorf("README.md stays as it is: %d of %d servers ran; run all with ROUSE_LONG=dispatch", n, len(table()))
	}
	return os.WriteFile(readme, []byte(before+tableBegin+tableHead+string(rows)+tableEnd+after), 0o644)
}

// README.md has a row for each server, and for no other.
func TestREADME(t *testing.T) {
	if booted.Dir() != "" || *update {
		return // the table is looked at once, and not before it is written
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), tableBegin)
	rows, _, _ := strings.Cut(rest, tableEnd)
	for _, s := range table() {
		if !strings.Contains(rows, "\n| "+s.name+" |") {
			t.Errorf("README.md has no row for %s: write them with ROUSE_LONG=dispatch go test ./tests/dispatch/servers -update", s.name)
		}
	}
	if n := strings.Count(rows, "\n") - strings.Count(tableHead, "\n"); n != len(table()) {
		t.Errorf("README.md has %d rows, and the table %d servers", n, len(table()))
	}
}
