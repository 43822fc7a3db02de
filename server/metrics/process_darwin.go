package metrics

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is what sysctl(3) tells of this process. How many descriptors are open it does not.
func kernel() []Value {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", os.Getpid())
	if err != nil {
		return nil
	}
	begun := time.Duration(info.Proc.P_starttime.Nano())
	return []Value{{"process_start_time_seconds", "When the process began, in seconds since 1970.", Gauge, begun.Seconds()}}
}
