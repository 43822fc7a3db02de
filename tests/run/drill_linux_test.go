package run

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRestartDrill is the promise as a whole: eight clients, and a server that is stopped and started again and again, by
// restarts of rouse and by itself when idle; not one request is lost.
func TestRestartDrill(t *testing.T) {
	needsListener(t)
	requests, cycles := int64(3000), 3
	if long() {
		requests, cycles = 50_000, 12
	}
	t.Run("go", func(t *testing.T) {
		s := newService(t)
		s.restartDrill(requests, cycles, child(t), "-tcp", s.other)
	})
	t.Run("nginx", func(t *testing.T) {
		s := newService(t)
		s.restartDrill(requests, cycles, append(nginx(t, s.other), "-g", "daemon off;")...)
	})
}

// restartDrill restarts rouse in every second cycle, and lets the server sleep and be woken in the others.
func (s *service) restartDrill(requests int64, cycles int, command ...string) {
	t := s.t
	t.Helper()
	const options = "--idle-stop=150ms"
	p := s.runProgram(options, command...)
	total, begun := int64(0), time.Now()
	for cycle := range cycles {
		crowd := s.crowd(8)
		half := requests / int64(cycles) / 2
		crowd.Await(t, half, 5*time.Minute)
		if cycle%2 == 0 {
			p.Signal(syscall.SIGTERM)
			exit(t, p, 0)
			p = s.runProgram(options, command...)
		}
		crowd.Await(t, half+1, 5*time.Minute)
		total += none(t, crowd)
		if cycle%2 == 1 {
			until(t, "idle", func() bool { return len(descendants(t, p.Pid)) == 0 })
		}
	}
	t.Logf("%d requests in %v", total, time.Since(begun).Round(time.Millisecond))
	if total < requests {
		t.Errorf("%d requests, want %d", total, requests)
	}
	stop(t, p)
}

// descendants are the processes below one, from /proc.
func descendants(t testing.TB, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		one, parent := parentOf(string(text))
		children[parent] = append(children[parent], one)
	}
	var all []int
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return all
}

// parentOf reads the pid and the parent's from a line of proc_pid_stat(5), where a name in parentheses stands between them.
func parentOf(stat string) (pid, parent int) {
	head, tail, _ := strings.Cut(stat, " (")
	pid, _ = strconv.Atoi(head)
	if i := strings.LastIndex(tail, ") "); i >= 0 {
		if fields := strings.Fields(tail[i+2:]); len(fields) > 1 {
			parent, _ = strconv.Atoi(fields[1])
		}
	}
	return pid, parent
}
