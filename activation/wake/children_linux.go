package wake

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes orphaned descendants children of this process, so that daemons stay in sight, and readable where
// Yama allows that to ancestors only.
func becomeSubreaper() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// ownChildren returns the children of the first thread (proc(5), /proc/PID/task/TID/children), which are those that this
// process had when it was executed.
func ownChildren() map[int]bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err != nil {
		return nil // a kernel without CONFIG_PROC_CHILDREN
	}
	pids := map[int]bool{}
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids[pid] = true
		}
	}
	return pids
}

// childless tells whether this process has no children, also none that ended and was not reaped (waitid(2)).
func childless() bool {
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD
}
