package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Freeze stops all threads of a process, so that it accepts nothing more: SIGSTOP alone returns before it has an effect.
func Freeze(t testing.TB, pid int) {
	t.Helper()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skipf("whether a program stands still is read from /proc: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatalf("stop process %d: %v", pid, err)
	}
	for end := time.Now().Add(20 * time.Second); runs(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d does not stand still", pid)
		}
	}
}

// runs tells whether a thread of the process is not stopped (state T of proc_pid_stat(5)).
func runs(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if text, err := os.ReadFile(path); err == nil && !strings.Contains(string(text), ") T ") {
			return true
		}
	}
	return false
}
