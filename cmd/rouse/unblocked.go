package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// unblocked writes lines where that does not wait: a reader that stands still loses them, and holds up nobody. Requests would
// wait for it otherwise, and the system calls of a program that `rouse run` answers.
type unblocked struct {
	to *os.File

	mu   sync.Mutex
	lost int  // lines
	half bool // of the last one the rest is missing
}

// withoutWaiting returns what lines are written to in place of a pipe, a socket or a terminal. From then on a reader that goes
// away does not end the program: the Go runtime lets SIGPIPE do that for standard output and error unless somebody listens to it
// (os/signal). It is not ignored, which programs that are started would inherit.
func withoutWaiting(to io.Writer) io.Writer {
	file, ok := to.(*os.File)
	if !ok {
		return to
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return &unblocked{to: file}
}

// atOnce is how much there is room for in a pipe that can be written to: PIPE_BUF of Linux (pipe(7), poll(2)); macOS has 512 at
// the least.
const atOnce = 4096

// Write writes a line, or counts it.
func (u *unblocked) Write(line []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.takes() {
		u.lost++
		return len(line), nil
	}
	if u.half {
		u.half = false
		fmt.Fprintln(u.to)
	}
	if u.lost > 0 {
		fmt.Fprintf(u.to, "rouse: %d lines of the log were lost: nobody read standard error\n", u.lost)
		u.lost = 0
	}
	for written := 0; written < len(line); {
		if written > 0 && !u.takes() {
			u.lost, u.half = u.lost+1, true
			break
		}
		n, err := u.to.Write(line[written:min(len(line), written+atOnce)])
		if written += n; err != nil {
			return written, err
		}
	}
	return len(line), nil
}

// takes tells whether atOnce bytes can be written now.
func (u *unblocked) takes() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(u.to.Fd()), Events: unix.POLLOUT}}, 0)
	return err != nil || n > 0
}
