package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
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
	b := bench{dir: dir, notes: stderr, options: o}
	if b.site, err = newSite(dir); err != nil {
		return err
	}
	if b.cpus, err = chooseProcessors(); err != nil {
		return err
	}
	missing, err := b.find(ctx)
	if err != nil {
		return err
	}
	if err := prepareProcess(b.cpus.client); err != nil {
		return err
	}
	if b.quota, err = newQuota(); err != nil {
		missing = append(missing, absent{"limit of the servers' CPU time", err})
	}
	defer b.quota.remove()
	b.rounds = b.chooseRounds()
	printFacts(stdout, b, missing)

	var rows []row
	for _, field := range fields() {
		more, err := b.measure(ctx, field, stdout)
		rows = append(rows, more...)
		if err != nil {
			return err
		}
	}
	return b.conclude(rows, stdout)
}

// conclude prints what is seen in all rows together.
func (b *bench) conclude(rows []row, stdout io.Writer) error {
	printLegend(stdout)
	printGrowth(stdout, rows)
	lost := printConnectionTargets(stdout, rows)
	printServerTargets(stdout, rows)
	if b.options.svg != "" {
		if err := writeSVG(b.options.svg, *b, rows); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(rows, row.invalid) {
		return errors.New("some rows are invalid; see the faults below their tables")
	}
	if lost {
		return errors.New("rouse lost connections; see below their tables")
	}
	return nil
}

// measure measures the chosen workloads of a field. Servers are started once for all that load them; the others start their own.
func (b *bench) measure(ctx context.Context, field string, stdout io.Writer) (rows []row, err error) {
	own := []string{coldStart, firstTime, memoryUse}
	chosen := b.runnable(b.options.workloads)
	load := measuredIn(chosen, field, false, own...)
	loads := func() (err error) {
		rows, err = b.measureLoads(ctx, load, stdout)
		return err
	}
	if len(load) > 0 && load[0].tool == newConnections {
		err = isolated(loads)
	} else {
		err = loads()
	}
	for _, next := range []struct {
		tool    string
		measure func(context.Context, []workload, io.Writer) ([]row, error)
	}{
		{firstTime, b.measureFirstRequests}, {memoryUse, b.measureMemory}, {coldStart, b.measureColdStarts},
	} {
		if err != nil {
			break
		}
		var more []row
		more, err = next.measure(ctx, measuredIn(chosen, field, true, next.tool), stdout)
		rows = append(rows, more...)
	}
	return rows, err
}

// bench holds what all measurements share.
type bench struct {
	options     options
	dir         string // temporary; everything written goes below it
	site        site
	cpus        processors
	quota       quota               // of web servers under load
	tools       map[string]loadTool // those that were found
	contestants map[string][]peer   // by their field: the reference, its A/A twin, then the others
	bound       int                 // addresses that were given to peers which bind them
	rounds      int                 // how often each server is loaded
	notes       io.Writer           // progress for whoever waits
}

// roundLength is the time of one round under load: short, so that many servers meet the same state of the machine.
func (b *bench) roundLength() time.Duration {
	if b.options.quick {
		return 300 * time.Millisecond
	}
	return 400 * time.Millisecond
}

// Where those stand among the contestants whom the others are compared with: the first of each field.
const (
	reference = 0
	twin      = 1
)

const twinSuffix = " (A/A twin)"

// withTwin puts the same program beside it a second time.
func withTwin(p peer) []peer {
	second := p
	second.name += twinSuffix
	return []peer{p, second}
}

// absent is a program that could not be had, and why.
type absent struct {
	name string
	why  error
}

// find builds or takes rouse and looks for the load tools and the peers. Only rouse must be there.
func (b *bench) find(ctx context.Context) ([]absent, error) {
	us, err := findRouse(ctx, b.options.rouse, b.dir, b.notes)
	if err != nil {
		return nil, err
	}
	f, err := newFinder(b.notes)
	if err != nil {
		return nil, err
	}
	wanted := func(field string) bool {
		return slices.ContainsFunc(b.options.workloads, func(w workload) bool { return w.field == field })
	}
	b.contestants = map[string][]peer{}
	var missing []absent
	if wanted(servers) {
		b.contestants[servers], missing = b.findServers(ctx, search{finder: f, rouse: us, dir: b.dir})
	}
	if wanted(activators) {
		b.contestants[activators], missing = findActivators(ctx, f, us, missing)
	}
	if wanted(dispatchers) {
		b.contestants[dispatchers], missing = findDispatchers(ctx, f, us, missing)
	}
	if wanted(superservers) {
		b.contestants[superservers], missing = findSuperservers(ctx, f, us, b.dir, missing)
	}
	b.tools = map[string]loadTool{}
	for _, tool := range loadTools() {
		if !slices.ContainsFunc(b.options.workloads, func(w workload) bool { return w.tool == tool.name }) {
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

// findServers returns rouse, its twin and the web servers that were asked for.
func (b *bench) findServers(ctx context.Context, s search) (all []peer, missing []absent) {
	all = withTwin(s.rouse)
	for _, f := range slices.Concat(b.options.peers, b.options.others) {
		p, err := f.find(ctx, s)
		if err != nil {
			missing = append(missing, absent{f.name, err})
			continue
		}
		all = append(all, p)
	}
	return all, missing
}

// runnable leaves out the workloads whose tool is absent, or the server that others are compared with.
func (b *bench) runnable(all []workload) []workload {
	return slices.DeleteFunc(slices.Clone(all), func(w workload) bool {
		_, found := b.tools[w.tool]
		return !found && !slices.Contains(ownTools(), w.tool) || len(b.contestants[w.field]) == 0
	})
}
