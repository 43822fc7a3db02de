package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// A loadTool is a load generator that bench starts and whose report it reads.
type loadTool struct {
	name     string
	packages []string // Debian packages that hold it
	version  string   // the option that prints its version; once found, the version
	// arguments asks for a round of this length. rate is what the server did in the warm-up, 0 in the warm-up itself.
	arguments func(length time.Duration, rate float64) []string
	parse     func(report string) (loadResult, error)
	interrupt bool // it reports at once when it is interrupted, and would not end in time by itself

	program program
	openssl string // configuration for OPENSSL_CONF
}

// loadResult is what a load generator reports of one round.
type loadResult struct {
	requests int64         // complete replies
	bytes    int64         // received, without less than the bodies
	rate     float64       // requests per second
	p50, p99 time.Duration // 0 where the tool does not tell
	faults   string        // errors and statuses other than 2xx; empty if there were none

	// Of new connections alone: how many were begun, how many of those were not answered and why, and the client's CPU time.
	attempts, lost int64
	reasons        string
	client         time.Duration

	server time.Duration // CPU of the server meanwhile
}

func loadTools() []loadTool {
	return []loadTool{wrk(), h2load()}
}

func (t *loadTool) find(ctx context.Context, f finder, s site) error {
	var err error
	if t.program, err = f.find(ctx, t.name, t.packages...); err != nil {
		return err
	}
	if t.version, err = firstLines(ctx, t.program, 1, t.version); err != nil {
		return err
	}
	t.version += t.program.origin()
	t.openssl = s.openssl
	return nil
}

// run lets the tool load url for one round, on the CPUs of bench itself, and reads its report.
func (t loadTool) run(ctx context.Context, w workload, url string, length time.Duration, rate float64) (loadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, length+20*time.Second)
	defer cancel()
	args := append(t.arguments(length, rate), w.arguments...)
	cmd := exec.CommandContext(ctx, t.program.path, append(args, url)...)
	cmd.Env = append(append(os.Environ(), "OPENSSL_CONF="+t.openssl), t.program.env...)
	cmd.SysProcAttr = ownSession()
	cmd.WaitDelay = time.Second
	out, err := t.output(cmd, length+scriptTime(w))
	if ctx.Err() != nil {
		return loadResult{}, fmt.Errorf("%s did not end in time: %w", t.name, ctx.Err())
	}
	if t.interrupt && err != nil && len(out) == 0 {
		return loadResult{}, nil // it was told to end before it could even begin
	}
	if err != nil {
		return loadResult{}, fmt.Errorf("%s: %w: %s", t.name, err, lastLine(out))
	}
	result, err := t.parse(string(out))
	if err != nil {
		return loadResult{}, fmt.Errorf("reading the report of %s: %w: %s", t.name, err, lastLine(out))
	}
	return result, nil
}

// output runs the tool and returns what it prints; one that must be told to end is told so after length.
func (t loadTool) output(cmd *exec.Cmd, length time.Duration) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if t.interrupt {
		end := time.AfterFunc(length, func() { _ = cmd.Process.Signal(os.Interrupt) }) // it may have ended already
		defer end.Stop()
	}
	err := cmd.Wait()
	return out.Bytes(), err
}

// scriptTime is about how long wrk needs to read its script.
func scriptTime(w workload) time.Duration {
	if w.files > 0 {
		return 300 * time.Millisecond
	}
	return 0
}
