package inetd

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// starts tells which processes an activator started, and how they ended, from what was written about them.
type starts struct {
	text  func() string
	start *regexp.Regexp // its first group is the pid; where it is recordScript that writes, the second is that of its shell
	end   *regexp.Regexp // the pid and the exit status
}

// recordScript runs its arguments behind the file name and writes "start PID OWN-PID" and "end PID STATUS" to that file, the
// first before the command can do anything. The command gets the script's descriptors; the script lets go of them, so that
// a socket closes when the command closes it. (Standard input of an asynchronous command would be /dev/null otherwise:
// POSIX sh, 2.9.3.1.)
const recordScript = `log=$1; shift
exec 9<&0
sh -c 'echo "start $$ $PPID" >>"$0"; exec "$@"' "$log" "$@" <&9 9<&- &
exec </dev/null >/dev/null 2>&1 9<&-
wait $!
echo "end $! $?" >>"$log"
`

// record returns the words that stand before a command to record its starts. At the end of the test it ends what still
// runs: some inetds start their services in sessions of their own, out of reach of program.Start.
func record(t testing.TB) (words []string, s starts) {
	t.Helper()
	dir := t.TempDir()
	script, log := filepath.Join(dir, "record.sh"), filepath.Join(dir, "starts")
	if err := os.WriteFile(script, []byte(recordScript), 0o644); err != nil {
		t.Fatal(err)
	}
	s = starts{
		text:  func() string { text, _ := os.ReadFile(log); return string(text) },
		start: regexp.MustCompile(`start (\d+) (\d+)\n`),
		end:   regexp.MustCompile(`end (\d+) (\d+)\n`),
	}
	binary := program.Binary(t)
	t.Cleanup(func() { s.kill(binary) })
	return []string{"/bin/sh", script, log}, s
}

// kill ends the started processes that still run the binary, and waits for the scripts that still write about them.
func (s starts) kill(binary string) {
	executable := func(pid string) string { path, _ := os.Readlink("/proc/" + pid + "/exe"); return path }
	for _, match := range s.start.FindAllStringSubmatch(s.text(), -1) {
		if executable(match[1]) == binary {
			pid, _ := strconv.Atoi(match[1])
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for deadline := time.Now().Add(limit); executable(match[2]) != "" && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// pids returns the processes that were started so far.
func (s starts) pids() (pids []string) {
	for _, match := range s.start.FindAllStringSubmatch(s.text(), -1) {
		pids = append(pids, match[1])
	}
	return pids
}

// statuses returns the exit statuses of the processes that have ended so far.
func (s starts) statuses() (statuses []string) {
	for _, match := range s.end.FindAllStringSubmatch(s.text(), -1) {
		statuses = append(statuses, match[2])
	}
	return statuses
}

// awaitEnds waits until n processes have ended, and fails the test unless n different ones were started and all of them
// ended with the status.
func (s starts) awaitEnds(t testing.TB, n int, status string) {
	t.Helper()
	await(t, strconv.Itoa(n)+" processes have ended", func() bool { return len(s.statuses()) >= n })
	pids, statuses := s.pids(), s.statuses()
	if different := len(slices.Compact(slices.Sorted(slices.Values(pids)))); different != n || len(pids) != n {
		t.Fatalf("%d starts of %d processes, want %d:\n%s", len(pids), different, n, s.text())
	}
	if slices.ContainsFunc(statuses, func(one string) bool { return one != status }) {
		t.Fatalf("exit statuses %v, want %s for all", statuses, status)
	}
}
