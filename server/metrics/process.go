package metrics

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// process is this process, under the names that Prometheus' own clients use. What a system does not tell is left out.
func process() []Value {
	values := []Value{
		{"go_goroutines", "Goroutines.", Gauge, float64(runtime.NumGoroutine())},
	}
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		busy := time.Duration(used.Utime.Nano() + used.Stime.Nano())
		values = append(values, Value{"process_cpu_seconds_total", "Processor time that was used.", Counter, busy.Seconds()})
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		values = append(values, Value{"process_max_fds", "Descriptors that may be open.", Gauge, float64(limit.Cur)})
	}
	return append(values, kernel()...)
}
