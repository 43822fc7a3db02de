package servers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// log is what the server and rouse have logged, in the server's own file too.
func (d *drill) log() string {
	return d.earlier + d.process.Stdout.String() + d.process.Stderr.String() + d.ownLog()
}

// ownLog is what is in the server's log file, for those that have one.
func (d *drill) ownLog() string {
	if d.logFile == "" {
		return ""
	}
	text, _ := os.ReadFile(d.fill(d.logFile))
	return string(text)
}

// waitLog waits until the log matches.
func (d *drill) waitLog(pattern string) error {
	expression := regexp.MustCompile(pattern)
	return d.wait(fmt.Sprintf("the log has no %q", pattern), 10*time.Second, func() bool { return expression.MatchString(d.log()) })
}

// wait waits until something holds; what is the error otherwise.
func (d *drill) wait(what string, limit time.Duration, holds func() bool) error {
	for end := time.Now().Add(limit); !holds(); {
		if time.Now().After(end) {
			return fmt.Errorf("%s, after %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// processes returns the processes of the drill without rouse itself.
func (d *drill) processes() []int {
	text, _ := os.ReadFile(filepath.Join(d.cgroup, "cgroup.procs"))
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		if pid, _ := strconv.Atoi(field); pid != d.process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// names returns the drill's processes with their command lines.
func (d *drill) names() []string {
	var names []string
	for _, pid := range d.processes() {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		names = append(names, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '})))
	}
	return names
}

// descriptors returns what a process has open.
func descriptors(pid int) []string {
	var open []string
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			open = append(open, filepath.Base(file)+" "+target)
		}
	}
	return open
}

// bound returns how many sockets of a network are bound to a port, and listen if they are streams (proc_net_tcp(5)).
func bound(network string, port int) int {
	count := 0
	kind := network[:3]
	for _, file := range []string{"/proc/net/" + kind, "/proc/net/" + kind + "6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			field := strings.Fields(line)
			if len(field) < 4 || kind == "tcp" && field[3] != "0A" {
				continue
			}
			if strings.HasSuffix(field[1], fmt.Sprintf(":%04X", port)) {
				count++
			}
		}
	}
	return count
}
