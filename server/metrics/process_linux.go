package metrics

import (
	"bytes"
	"os"
	"strconv"
)

// ticks is what /proc counts seconds by: USER_HZ is 100 wherever Linux runs Go.
const ticks = 100

// kernel is what /proc tells of this process (proc_pid_stat(5), proc_stat(5), proc_pid_fd(5)). Where /proc is not mounted
// it is nothing.
func kernel() []Value {
	var values []Value
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		values = append(values, Value{"process_open_fds", "Descriptors that are open.", Gauge, float64(len(fds) - 1)}) // but for this folder's
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return values
	}
	_, after, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // a program's name may hold anything
	fields := bytes.Fields(after)                                                  // the first one is the third of the manual page
	if len(fields) < 22 {
		return values
	}
	if pages, err := strconv.ParseUint(string(fields[24-3]), 10, 64); err == nil {
		values = append(values, Value{"process_resident_memory_bytes", "Memory that is in use.", Gauge, float64(pages) * float64(os.Getpagesize())})
	}
	begun, err := strconv.ParseUint(string(fields[22-3]), 10, 64)
	boot := bootTime()
	if err == nil && boot > 0 {
		values = append(values, Value{"process_start_time_seconds", "When the process began, in seconds since 1970.", Gauge, boot + float64(begun)/ticks})
	}
	return values
}

// bootTime is when the system began, in seconds since 1970; 0 where it is not told.
func bootTime() float64 {
	text, _ := os.ReadFile("/proc/stat")
	for line := range bytes.Lines(text) {
		if after, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			at, _ := strconv.ParseFloat(string(bytes.TrimSpace(after)), 64)
			return at
		}
	}
	return 0
}
