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
	to   *os.File
	name string // what people call it

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
	name := "standard error"
	if file == os.Stdout {
		name = "standard output"
	}
	return &unblocked{to: file, name: name}
}

// atOnce is how much there is room for in a pipe that can be written to: PIPE_BUF of Linux (pipe(7), poll(2)); macOS has 512 at
// the least.
const atOnce = 4096

// Write writes a line, or counts it.
func (u *unblocked) Write(line []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.takes() || u.mend() != nil {
		u.lost++
		return len(line), nil
	}
	for written := 0; written < len(line); {
		if written > 0 && !u.takes() {
			u.lost, u.half = u.lost+1, true
			break
		}
		n, err := u.to.Write(line[written:min(len(line), written+atOnce)])
		if written += n; err != nil {
			u.lost, u.half = u.lost+1, written > 0
			return written, err
		}
	}
	return len(line), nil
}

// mend ends a line whose rest is missing, and tells how many are.
func (u *unblocked) mend() error {
	text := ""
	if u.half {
		text = "\n"
	}
	if u.lost > 0 {
		text += fmt.Sprintf("rouse: %d lines of the log were lost: nobody read %s, or its disk was full\n", u.lost, u.name)
	}
	if text == "" {
		return nil
	}
	n, err := u.to.WriteString(text)
	if n > 0 {
		u.half = text[n-1] != '\n'
	}
	if err == nil {
		u.lost = 0
	}
	return err
}

// takes tells whether atOnce bytes can be written now.
func (u *unblocked) takes() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(u.to.Fd()), Events: unix.POLLOUT}}, 0)
	return err != nil || n > 0
}
