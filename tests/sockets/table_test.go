package sockets

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// compareTable reads the table as an eye does, by the columns that begin under their titles, and compares it with the facts
// of the JSON. Before it stand the notices, behind it the reasons that are too long for a column.
func compareTable(t *testing.T, text string, rows []row, notices []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	wanted := slices.Clone(notices)
	var reasons []string
	if len(rows) > 0 {
		wanted = append(wanted, "NUMBER|NAME|SOURCE|KIND|FAMILY|PROTOCOL|ADDRESS|STATE|SERVE WOULD")
	}
	for _, r := range rows {
		state, does := r.State, r.Serve
		if r.Peer != "" {
			state += " to " + r.Peer
		}
		if reason, ok := strings.CutPrefix(does, notStart); ok {
			does = "not start, see below"
			if reason = "serve would " + notStart + reason; !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
		cells := []string{strconv.Itoa(r.Number), r.Name, r.Source, r.Kind, r.Family, r.Protocol, r.Address, state, does}
		for i, cell := range cells {
			cells[i] = strings.NewReplacer("\t", `\t`, "\x1b", `\x1b`).Replace(cmp.Or(cell, "-"))
		}
		wanted = append(wanted, strings.Join(cells, "|"))
	}
	if first := len(notices); len(rows) > 0 && len(lines) > first+len(rows) {
		titles := lines[first]
		for i := range len(rows) + 1 {
			lines[first+i] = strings.Join(columns(titles, lines[first+i]), "|")
		}
	}
	wanted = append(wanted, reasons...)
	if got, want := strings.Join(lines, "\n"), strings.Join(wanted, "\n"); got != want {
		t.Errorf("the table says\n%s\nthe JSON\n%s\nprinted as\n%s", got, want, text)
	}
}

// columns cuts a line where the titles begin.
func columns(titles, line string) []string {
	var cells []string
	from := 0
	for _, title := range []string{"NAME", "SOURCE", "KIND", "FAMILY", "PROTOCOL", "ADDRESS", "STATE", "SERVE WOULD"} {
		to := min(strings.Index(titles, "  "+title)+2, len(line))
		cells = append(cells, strings.TrimSpace(line[min(from, to):to]))
		from = to
	}
	return append(cells, strings.TrimSpace(line[from:]))
}
