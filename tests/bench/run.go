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

	load, cold := splitWorkloads(b.runnable(o.workloads))
	rows, err := b.measureLoads(ctx, load, o.loadRounds(), stdout)
	if err != nil {
		return err
	}
	coldRows, err := b.measureColdStarts(ctx, cold, o.coldRounds(), stdout)
	if err != nil {
		return err
	}
	rows = append(rows, coldRows...)
	printLegend(stdout)
	if slices.ContainsFunc(rows, row.invalid) {
		return errors.New("some rows are invalid; see the faults below their tables")
	}
	return nil
}

// bench holds what all measurements share.
type bench struct {
	dir         string // temporary; everything written goes below it
	site        site
	cpus        processors
	tools       map[string]loadTool // those that were found
	contestants []peer              // rouse, its A/A twin, then the peers
	notes       io.Writer           // progress for whoever waits
}

// Where rouse and its twin stand among the contestants.
const (
	rouse = 0
	twin  = 1
)

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
	second := us
	second.name += " (A/A twin)"
	b.contestants = []peer{us, second}

	f, err := newFinder(b.notes)
	if err != nil {
		return nil, err
	}
	var missing []absent
	for _, name := range o.peers {
		p, err := peerFinders()[name](ctx, f)
		if err != nil {
			missing = append(missing, absent{name, err})
			continue
		}
		b.contestants = append(b.contestants, p)
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

// runnable leaves out the workloads whose tool is absent.
func (b *bench) runnable(all []workload) []workload {
	return slices.DeleteFunc(slices.Clone(all), func(w workload) bool {
		_, found := b.tools[w.tool]
		return w.tool != coldStart && !found
	})
}
