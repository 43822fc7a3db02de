package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// memoryUse is the tool of the workloads about memory, which bench measures by itself.
const memoryUse = "memory"

// idleConnections is how many connections the memory of a server is measured with.
const idleConnections = 10_000

// Memory is settled when it has not fallen for a time: garbage is collected and given back some time after there was work. A
// server that goes on falling is taken as it is after the longer time.
const (
	settledFor = 6 * time.Second
	settleTime = 25 * time.Second
	settleStep = 250 * time.Millisecond
	settleFall = 64 << 10 // bytes; less is no fall
)

// memory is what the processes of a server hold, in bytes.
type memory struct {
	idle        int64 // after the start and one request
	full        int64 // with the connections beside
	connections int
	falling     bool // one of the two was still falling when it was taken
}

func memoryWorkloads() []workload {
	kind := func(name, title, role string) workload {
		return workload{
			name: name, tool: memoryUse, field: servers, role: role, path: page1k, clients: idleConnections,
			title: fmt.Sprintf("memory (PSS) with %d idle connections over %s, each after one request", idleConnections, title),
		}
	}
	return []workload{
		kind("memory-plain", "plain HTTP/1.1", "http"),
		kind("memory-tls", "TLS 1.3 and HTTP/1.1", "https"),
	}
}

// measureMemory starts every contestant anew for each workload, with no other beside it, and once: sizes hardly vary.
func (b *bench) measureMemory(ctx context.Context, workloads []workload, out io.Writer) ([]row, error) {
	var rows []row
	for _, w := range workloads {
		contestants := b.taking(w)
		fmt.Fprintf(b.notes, "measuring %s: servers %d\n", w.name, len(contestants))
		r := newRow(w, contestants)
		err := r.interleave(ctx, 1, func(i int) sample { return b.memoryOnce(ctx, contestants[i], w) })
		if err != nil {
			return rows, err
		}
		printRow(out, r, "measured by bench")
		rows = append(rows, r)
	}
	return rows, nil
}

// memoryOnce starts a server on this workload's socket alone, and lets clients connect to it that stay.
func (b *bench) memoryOnce(ctx context.Context, p peer, w workload) sample {
	p.roles = []string{w.role}
	s, err := b.startServing(ctx, p)
	if err != nil {
		return sample{fault: err.Error()}
	}
	defer s.end()
	held := memory{connections: w.clients}
	failed := func(err error) sample { return sample{fault: err.Error() + s.lastWords()} }
	if held.idle, err = held.settle(ctx, s); err != nil {
		return failed(err)
	}
	clients, err := connectIdle(ctx, s.socket(w.role), w, len(b.site.pages[w.path]))
	defer clients.close()
	if err != nil {
		return failed(err)
	}
	if held.full, err = held.settle(ctx, s); err != nil {
		return failed(err)
	}
	gone, err := clients.gone()
	if err == nil && gone > 0 {
		err = fmt.Errorf("it closed %d of %d idle connections", gone, w.clients)
	}
	if err != nil {
		return failed(err)
	}
	return sample{memory: held}
}

// settle waits until a server's memory is settled, and returns it.
func (m *memory) settle(ctx context.Context, s *server) (int64, error) {
	began := time.Now()
	least, fell := int64(0), began
	step := time.NewTicker(settleStep)
	defer step.Stop()
	for {
		now, err := s.memory()
		if err != nil {
			return 0, err
		}
		if least == 0 || now < least-settleFall {
			least, fell = now, time.Now()
		}
		switch {
		case time.Since(fell) >= settledFor:
			return now, nil
		case time.Since(began) >= settleTime:
			m.falling = true
			return now, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-step.C:
		}
	}
}

// memory is what all processes hold that a request passes through.
func (s *server) memory() (int64, error) {
	tree, err := processTree(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, p := range tree {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil || len(rollup) == 0 {
			continue // it has ended since, or is no more than its number
		}
		size, err := parseRollup(rollup)
		if err != nil {
			return 0, fmt.Errorf("reading the memory of process %d: %w", p.pid, err)
		}
		total += size
	}
	if total == 0 {
		return 0, fmt.Errorf("process %d has ended, or its memory cannot be read", s.cmd.Process.Pid)
	}
	for _, other := range s.others() {
		more, err := other.memory()
		if err != nil {
			return 0, err
		}
		total += more
	}
	return total, nil
}

// parseRollup reads the PSS in /proc/PID/smaps_rollup (proc_pid_smaps(5)), in bytes: what several processes share is counted in
// equal parts for each.
func parseRollup(rollup []byte) (int64, error) {
	for line := range bytes.Lines(rollup) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "Pss:" {
			kibibytes, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("no Pss in it")
}

// memoryFigures are what a contestant held in MB when it was idle and with the connections, and KiB for each of those.
func memoryFigures(r row, contestant int) (idle, full, each float64) {
	var idles, fulls, eaches []float64
	for _, s := range r.samples[contestant] {
		if s.fault == "" && s.memory.connections > 0 {
			idles = append(idles, float64(s.memory.idle)/1e6)
			fulls = append(fulls, float64(s.memory.full)/1e6)
			eaches = append(eaches, float64(s.memory.full-s.memory.idle)/1024/float64(s.memory.connections))
		}
	}
	return median(idles), median(fulls), median(eaches)
}

// memoryCells is the table of memory; its first line is the heading.
func memoryCells(r row) [][]string {
	against := "against " + r.names[reference]
	table := [][]string{{"server", "idle MB", against, "", "with connections MB", "KiB/connection", against}}
	idleBase, _, eachBase := memoryFigures(r, reference)
	for i, name := range r.names {
		idle, full, each := memoryFigures(r, i)
		falling := ""
		for _, s := range r.samples[i] {
			if s.memory.falling {
				falling = fmt.Sprintf("still falling after %s", settleTime)
			}
		}
		table = append(table, []string{
			name, number(idle, 1), number(idle/idleBase, 2), falling, number(full, 1), number(each, 2), number(each/eachBase, 2),
		})
	}
	return table
}
