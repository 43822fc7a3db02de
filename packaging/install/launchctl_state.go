package install

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// State tells of a site's service. launchd does not say when a job started that ended since, so Knocked is that of one that
// runs.
func (l *launchd) State(ctx context.Context, u Units) (State, error) {
	told, loaded, err := l.print(ctx, l.target(u.Service))
	if err != nil {
		return State{}, err
	}
	listen, err := listedSockets(u.Service, true)
	if err != nil {
		return State{Sockets: "closed", Trouble: err.Error()}, nil
	}
	if !loaded {
		return State{Sockets: "closed", Trouble: fmt.Sprintf("launchd does not have it: launchctl bootstrap %s %s", l.domain(), shellWord(u.Service))}, nil
	}
	job := parsePrint(told)
	state := State{Awake: job.pid != 0, PID: job.pid, Listen: listen, Trouble: job.trouble(u.Service)}
	if len(listen) > 0 {
		state.Sockets = "open"
	}
	if state.Awake {
		state.Knocked = startedAt(ctx, job.pid)
	}
	return state, nil
}

// printed is what "launchctl print" tells of a job.
type printed struct {
	path     string // of its property list
	state    string // running, not running, waiting, spawn scheduled …
	pid      int    // 0: it does not run
	lastExit string // "0", "78: EX_CONFIG", "(never exited)"
	signal   string // "Killed: 9"
}

// parsePrint reads the lines of the job itself, which have one tab before them; deeper ones are of its coalitions and
// sockets, and have some of the same names.
func parsePrint(text string) printed {
	var p printed
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(line, "\t")
		if !ok || strings.HasPrefix(line, "\t") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "path":
			p.path = value
		case "state":
			p.state = value
		case "pid":
			p.pid, _ = strconv.Atoi(value)
		case "last exit code":
			p.lastExit = value
		case "last terminating signal":
			p.signal = value
		}
	}
	return p
}

// trouble tells, in one line, what is wrong with a job, where something is.
func (p printed) trouble(file string) string {
	switch code, _, _ := strings.Cut(p.lastExit, ":"); {
	case p.path != "" && p.path != file:
		return fmt.Sprintf("launchd has another job of that name, from %s", p.path)
	case p.pid != 0:
		return ""
	case p.signal != "":
		return fmt.Sprintf("it was ended by a signal the last time (%s): see its log", p.signal)
	case code == "" || code == "0" || code == "(never exited)":
		return ""
	case code == "78":
		return "it ended the last time over a mistake in its options (exit status 78), or could not be started at all: see its log, and that program and log's folder are there"
	default:
		return fmt.Sprintf("it failed the last time (exit status %s): see its log", code)
	}
}

// startedAt asks ps(1) when a process started; zero where it does not say.
func startedAt(ctx context.Context, pid int) time.Time {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ps := exec.CommandContext(ctx, "ps", "-o", "lstart=", "-p", strconv.Itoa(pid))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC0")
	output, err := ps.Output()
	if err != nil {
		return time.Time{}
	}
	started, err := time.Parse("Mon Jan _2 15:04:05 2006", string(bytes.TrimSpace(output)))
	if err != nil {
		return time.Time{}
	}
	return started
}

// Shipped are the jobs of Homebrew, which copies a property list there at "brew services start", and of somebody who copied
// the shipped one.
func (l *launchd) Shipped(ctx context.Context) ([]Units, error) {
	var all []Units
	for _, name := range []string{"homebrew.mxcl.rouse", shippedLabel()} {
		file := filepath.Join(l.folders[0], name+".plist")
		_, loaded, err := l.print(ctx, l.target(file))
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(file); err == nil && loaded {
			all = append(all, Units{Service: file})
		}
	}
	return all, nil
}
