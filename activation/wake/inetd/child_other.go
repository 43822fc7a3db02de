//go:build !linux

package inetd

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe: there is no pipe2(2) on macOS.
func pipe(ends []int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	err := unix.Pipe(ends)
	if err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	return err
}

// fork starts the process.
func (s *service) fork(c *child, a *syscall.ProcAttr) (err error) {
	c.pid, err = syscall.ForkExec(s.path, s.Command, a)
	return err
}

// await waits on a thread.
func (c *child) await() {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.pid, &status, 0, nil)
		if err != syscall.EINTR {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaped, c.status = true, status
}

// masked: a mask of signals that this process was started with is passed on.
func masked() bool { return false }

// defaultSignals makes signals that this process was told to ignore be caught and dropped: what is ignored stays so through
// exec(2), what is caught is at its default then.
func defaultSignals() {
	for n := syscall.Signal(1); n < 32; n++ {
		if signal.Ignored(n) {
			signal.Notify(make(chan os.Signal, 1), n)
		}
	}
}

// closeOnExec keeps what this process inherited without knowing from those that it starts.
func closeOnExec() {
	entries, _ := os.ReadDir("/dev/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// reapStrangers: the first process of a container exists on Linux only.
func reapStrangers(*house, []*service) (stop func()) { return func() {} }
