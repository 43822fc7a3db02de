package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A process is what /proc/PID/stat tells of one (proc_pid_stat(5)).
type process struct {
	pid, parent, group, session int
	zombie                      bool
	reaped                      time.Duration // CPU of its children that have ended and were waited for
}

// processTree returns the process root and all others of its group, its session or its descent, with zombies.
func processTree(root int) ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var others, tree []process
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		p, err := parseStat(line)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		others = append(others, p)
	}
	member := map[int]bool{}
	for found := true; found; {
		found = false
		for _, p := range others {
			if !member[p.pid] && (p.pid == root || p.group == root || p.session == root || member[p.parent]) {
				member[p.pid], found = true, true
				tree = append(tree, p)
			}
		}
	}
	return tree, nil
}

// treeCPU is the CPU time that all processes of root's tree have used so far, with every thread, also those that ended.
// It reads the processes' CPU clocks, which are exact to the nanosecond: the ticks of /proc/PID/stat are 10 ms, and
// /proc/PID/task/*/schedstat forgets threads that ended.
func treeCPU(root int) (time.Duration, error) {
	tree, err := processTree(root)
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, p := range tree {
		total += p.reaped
		var used unix.Timespec
		// The clock of another process, as clock_getcpuclockid(3) makes it: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
		err := unix.ClockGettime(int32(^p.pid<<3|2), &used)
		if err == nil {
			total += time.Duration(used.Nano())
		} else if p.pid == root {
			return 0, fmt.Errorf("reading the CPU clock of process %d: %w", root, err)
		}
	}
	if len(tree) == 0 {
		return 0, fmt.Errorf("process %d has ended", root)
	}
	return total, nil
}

// parseStat reads one /proc/PID/stat; the name in it is in brackets and may hold anything.
func parseStat(line []byte) (process, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < 0 {
		return process{}, fmt.Errorf("no name in %q", line)
	}
	fields := bytes.Fields(line[end+1:]) // from the third field on: state
	if len(fields) < 15 {
		return process{}, fmt.Errorf("too few fields in %q", line)
	}
	var numbers [6]int
	for i, text := range [][]byte{bytes.TrimSpace(line[:open]), fields[1], fields[2], fields[3], fields[13], fields[14]} {
		var err error
		if numbers[i], err = strconv.Atoi(string(text)); err != nil {
			return process{}, err
		}
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go runs on
	return process{
		pid: numbers[0], parent: numbers[1], group: numbers[2], session: numbers[3],
		zombie: fields[0][0] == 'Z',
		reaped: time.Duration(numbers[4]+numbers[5]) * tick,
	}, nil
}
