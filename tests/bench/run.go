package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// run prepares everything, measures the chosen workloads and prints one table for each.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if err := supported(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rouse-bench-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := bench{dir: dir, notes: stderr}
	if b.site, err = newSite(dir); err != nil {
		return err
	}
	var missing []absent
	if missing, err = b.find(ctx, o); err != nil {
		return err
	}
	if b.cpus, err = chooseProcessors(); err != nil {
		return err
	}
	if err := prepareProcess(b.cpus.client); err != nil {
		return err
	}
	printFacts(stdout, b, missing)

	var rows []row
	for _, field := range fields() {
		more, err := b.measure(ctx, o, field, stdout)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	printLegend(stdout)
	lost := printTargets(stdout, rows)
	if slices.ContainsFunc(rows, row.invalid) {
		return errors.New("some rows are invalid; see the faults below their tables")
	}
	if lost {
		return errors.New("rouse lost connections; see below their tables")
	}
	return nil
}

// measure measures the chosen workloads of a field.
func (b *bench) measure(ctx context.Context, o options, field string, stdout io.Writer) (rows []row, err error) {
	load, cold := splitWorkloads(b.runnable(o.workloads), field)
	loads := func() (err error) {
		rows, err = b.measureLoads(ctx, load, o.loadRounds(), stdout)
		return err
	}
	if len(load) > 0 && load[0].tool == newConnections {
		err = isolated(loads)
	} else {
		err = loads()
	}
	if err != nil {
		return rows, err
	}
	coldRows, err := b.measureColdStarts(ctx, cold, o.coldRounds(), stdout)
	return append(rows, coldRows...), err
}

// bench holds what all measurements share.
type bench struct {
	dir         string // temporary; everything written goes below it
	site        site
	cpus        processors
	tools       map[string]loadTool // those that were found
	contestants map[string][]peer   // by their field: the reference, its A/A twin, then the others
	bound       int                 // addresses that were given to peers which bind them
	notes       io.Writer           // progress for whoever waits
}

// Where those stand among the contestants whom the others are compared with: the first of each field.
const (
	reference = 0
	twin      = 1
)

// withTwin puts the same program beside it a second time.
func withTwin(p peer) []peer {
	second := p
	second.name += " (A/A twin)"
	return []peer{p, second}
}

// absent is a program that could not be had, and why.
type absent struct {
	name string
	why  error
}

// find builds or takes rouse and looks for the load tools and the peers. Only rouse must be there.
func (b *bench) find(ctx context.Context, o options) ([]absent, error) {
	us, err := findRouse(ctx, o.rouse, b.dir, b.notes)
	if err != nil {
		return nil, err
	}
	f, err := newFinder(b.notes)
	if err != nil {
		return nil, err
	}
	b.contestants = map[string][]peer{}
	var missing []absent
	if slices.ContainsFunc(o.workloads, func(w workload) bool { return w.field == servers }) {
		b.contestants[servers] = withTwin(us)
		for _, name := range o.peers {
			p, err := peerFinders()[name](ctx, f)
			if err != nil {
				missing = append(missing, absent{name, err})
				continue
			}
			b.contestants[servers] = append(b.contestants[servers], p)
		}
	}
	if slices.ContainsFunc(o.workloads, func(w workload) bool { return w.field == activators }) {
		b.contestants[activators], missing = findActivators(ctx, f, us, missing)
	}
	if slices.ContainsFunc(o.workloads, func(w workload) bool { return w.field == dispatchers }) {
		b.contestants[dispatchers], missing = findDispatchers(ctx, f, us, missing)
	}
	if slices.ContainsFunc(o.workloads, func(w workload) bool { return w.field == superservers }) {
		b.contestants[superservers], missing = findSuperservers(ctx, f, us, b.dir, missing)
	}
	b.tools = map[string]loadTool{}
	for _, tool := range loadTools() {
		if !slices.ContainsFunc(o.workloads, func(w workload) bool { return w.tool == tool.name }) {
			continue
		}
		if err := tool.find(ctx, f, b.site); err != nil {
			missing = append(missing, absent{tool.name, err})
			continue
		}
		b.tools[tool.name] = tool
	}
	return missing, nil
}

// runnable leaves out the workloads whose tool is absent, or the server that others are compared with.
func (b *bench) runnable(all []workload) []workload {
	return slices.DeleteFunc(slices.Clone(all), func(w workload) bool {
		_, found := b.tools[w.tool]
		return w.tool != coldStart && w.tool != newConnections && !found || len(b.contestants[w.field]) == 0
	})
}
