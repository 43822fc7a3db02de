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
			if *bare && s.noBare {
				t.Skip("it cannot run without rouse")
			}
			d := newDrill(t, s)
			failed := d.run()
			row := d.row(failed)
			t.Log(row)
			record(t, row)
			if failed != nil {
				journal, _ := exec.Command("journalctl", "-q", "--no-pager", "-n", "10").CombinedOutput()
				t.Logf("processes: %q\njournal: %s\nits own log: %s", d.names(), journal, tail(d.ownLog()))
			}
			judge(t, s.name, failed)
		})
	}
}

// judge fails the test unless the row ended as the list of known failures says.
func judge(t *testing.T, name string, failed *failure) {
	t.Helper()
	for _, k := range knownFailures() {
		if k.server != name || *bare {
			continue
		}
		if failed == nil {
			t.Errorf("works, though the list of known failures says that it cannot (%s): take it off", k.cause)
		} else if failed.step != k.step {
			t.Errorf("%s: %v; known is that it fails at %s: %s", failed.step, failed.err, k.step, k.cause)
		} else {
			t.Logf("%s: %v; known: %s", failed.step, failed.err, k.cause)
		}
		return
	}
	if failed != nil {
		t.Errorf("%s: %v", failed.step, failed.err)
	}
}

// tail returns the end of a text.
func tail(text string) string { return text[max(0, len(text)-2000):] }

// row is the row of the table in README.md.
func (d *drill) row(failed *failure) string {
	result := "yes"
	if d.early != "" {
		result = "yes; while it starts it tells clients `" + d.early + "` itself"
	}
	if failed != nil {
		result = "no: " + failed.step
		for _, k := range knownFailures() {
			if k.server == d.name {
				result += " (" + k.cause + ")"
			}
		}
	}
	var kinds []string
	for _, s := range d.sockets {
		kinds = append(kinds, map[string]string{"tcp4": "TCP", "tcp6": "TCP over IPv6", "udp4": "UDP"}[s.network])
	}
	port := "--map"
	switch {
	case d.mode == "translate":
		port = "told of its sockets"
	case d.guess:
		port = "another, guessed"
	case d.sockets[0].port == d.sockets[0].real:
		port = "the same"
	}
	reload := map[string]string{"restart": "`--reload=restart`", "overlap": "`--reload=overlap`", "": "–"}[d.reload]
	if reload == "" {
		reload = "SIG" + d.reload
	}
	idle := "–"
	if d.idles() || d.mode == "translate" {
		idle = "yes"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", d.name, d.versionNumber(), strings.Join(kinds, ", "), port, reload, idle, result)
}

func (d *drill) versionNumber() string {
	if d.version == "" {
		return "–"
	}
	out, _ := exec.Command("sh", "-c", d.version).CombinedOutput()
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
	tableBegin = "<!-- servers: written by go test ./tests/servers -update -->\n"
	tableEnd   = "<!-- end of servers -->"
	tableHead  = "| server | version | sockets | configured port | reload | idle stop | works |\n|---|---|---|---|---|---|---|\n"
)

// writeTable writes the rows of this run into README.md.
func writeTable(dir string) error {
	rows, err := os.ReadFile(filepath.Join(dir, "table"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return fmt.Errorf("README.md has no place for the table: give it the lines %q and %q", strings.TrimSpace(tableBegin), tableEnd)
	}
	if n := strings.Count(string(rows), "\n"); *bare || n != len(table()) {
		return fmt.Errorf("README.md stays as it is: %d of %d servers ran under rouse; run all with ROUSE_LONG=servers", n, len(table()))
	}
	return os.WriteFile("../../README.md", []byte(before+tableBegin+tableHead+string(rows)+tableEnd+after), 0o644)
}

// README.md has a row for each server, and for no other.
func TestREADME(t *testing.T) {
	if os.Getenv(overlayVariable) != "" || *update {
		return // the table is looked at once, and not before it is written
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), tableBegin)
	rows, _, _ := strings.Cut(rest, tableEnd)
	for _, s := range table() {
		if !strings.Contains(rows, "\n| "+s.name+" |") {
			t.Errorf("README.md has no row for %s: write them with ROUSE_LONG=servers go test ./tests/servers -update", s.name)
		}
	}
	if n := strings.Count(rows, "\n") - strings.Count(tableHead, "\n"); n != len(table()) {
		t.Errorf("README.md has %d rows, and the table %d servers", n, len(table()))
	}
}
