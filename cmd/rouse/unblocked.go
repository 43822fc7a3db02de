package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// unblocked writes lines where that does not wait: a reader that stands still loses them, and holds up nobody. `rouse run`
// answers a program's system calls, which would wait for the reader otherwise.
type unblocked struct {
	to *os.File

	mu   sync.Mutex
	lost int // lines
}

// withoutWaiting returns what lines are written to in place of a pipe, a socket or a terminal.
func withoutWaiting(to io.Writer) io.Writer {
	if file, ok := to.(*os.File); ok {
		return &unblocked{to: file}
	}
	return to
}

// Write writes a line, or counts it. A pipe that can be written to has room for PIPE_BUF bytes (pipe(7), poll(2)).
func (u *unblocked) Write(line []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	polled := []unix.PollFd{{Fd: int32(u.to.Fd()), Events: unix.POLLOUT}}
	if n, err := unix.Poll(polled, 0); err == nil && n == 0 {
		u.lost++
		return len(line), nil
	}
	if u.lost > 0 {
		fmt.Fprintf(u.to, "rouse: %d lines of the log were lost: nobody read standard error\n", u.lost)
		u.lost = 0
	}
	return u.to.Write(line)
}
