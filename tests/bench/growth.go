package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// The growths show how the cost of a request grows with connections, and with files. They say little of one server against
// another: rouse and one other are enough.

func connectionGrowth() []workload {
	var all []workload
	for _, clients := range []int{1, 64, 1000, 10_000} {
		all = append(all, workload{name: fmt.Sprintf("connections-%d", clients), clients: clients, tool: keptOpen, role: "http", path: page1k,
			title: fmt.Sprintf("1 KiB over plain HTTP/1.1, kept-alive connections: %d", clients), field: servers, peers: grown()})
	}
	return all
}

func fileGrowth() []workload {
	var all []workload
	for _, files := range []int{10, 1000, 100_000} {
		all = append(all, workload{name: fmt.Sprintf("files-%d", files), files: files, tool: "wrk", role: "http", arguments: []string{"-t1", "-c64"},
			title: fmt.Sprintf("files of 1-10 KiB, few of them often, over plain HTTP/1.1, 64 kept-alive connections; files: %d", files),
			field: servers, peers: grown()})
	}
	return all
}

func grown() []string { return []string{"rouse", "nginx"} }

// A growth is a group of rows, and the one that the others are compared with.
type growth struct {
	prefix, from string
}

func growths() []growth {
	return []growth{{"connections-", "connections-64"}, {"files-", "files-10"}}
}

// rows are those of the growth, without those that only sound like it.
func (g growth) rows(rows []row) []row {
	names := append(connectionGrowth(), fileGrowth()...)
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		return !strings.HasPrefix(r.workload.name, g.prefix) ||
			!slices.ContainsFunc(names, func(w workload) bool { return w.name == r.workload.name })
	})
}

// printGrowth prints the cost of each server in each row of a growth as a multiple of its own in the row they start from.
func printGrowth(out io.Writer, rows []row) {
	for _, g := range growths() {
		measured := g.rows(rows)
		from := slices.IndexFunc(measured, func(r row) bool { return r.workload.name == g.from })
		if from < 0 || len(measured) < 2 {
			continue
		}
		fmt.Fprintf(out, "\ngrowth: CPU of a request against %s, each server against itself\n", g.from)
		table := [][]string{{"server"}}
		for _, r := range measured {
			table[0] = append(table[0], r.workload.name)
		}
		for _, name := range measured[from].names {
			line := []string{name}
			for _, r := range measured {
				line = append(line, number(costOf(r, name)/costOf(measured[from], name), 2))
			}
			table = append(table, line)
		}
		printTable(out, table, 0)
	}
}
