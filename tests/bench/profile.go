package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// profileTime is how long a profile takes at least: perf needs a while to begin.
const profileTime = 3 * time.Second

// profile lets perf record a server during more rounds of a workload. Without perf there is nothing to look at, which is said.
func (b *bench) profile(ctx context.Context, s *server, w workload, rate float64) error {
	path := filepath.Join(b.options.profile, w.name+".perf")
	perf := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "2000", "-g", "-p", strconv.Itoa(s.cmd.Process.Pid), "-o", path)
	perf.SysProcAttr = ownSession()
	if err := perf.Start(); err != nil {
		fmt.Fprintf(b.notes, "absent  perf: %v\n", err)
		return nil
	}
	for began := time.Now(); time.Since(began) < profileTime && ctx.Err() == nil; {
		b.loadOnce(ctx, s, w, rate)
	}
	if err := perf.Process.Signal(syscall.SIGINT); err != nil { // on which it writes what it has
		return fmt.Errorf("ending perf: %w", err)
	}
	_ = perf.Wait() // that it was interrupted
	fmt.Fprintf(b.notes, "profile of %s in %s\n", w.name, path)
	return ctx.Err()
}
