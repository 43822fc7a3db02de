package platform

import (
	"fmt"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Arrivals tells whether a client arrived on a listening socket that another process accepts from, also one that was accepted
// and left at once. This process is woken once per look, not per client: the kernel sends it SIGIO for the first (O_ASYNC and
// F_SETOWN, fcntl(2)), and is then told to be quiet until the next look.
type Arrivals struct {
	mu      sync.Mutex
	fds     []int // empty after Close
	arrived bool
	signals chan os.Signal
}

// NewArrivals starts to watch the sockets, which have to stay open until Close. It replaces who is told of them (F_SETOWN). An
// arrival may be reported wrongly, as when another Arrivals sees one; none is missed, except where a program that sets the
// flags of the socket (F_SETFL) cleared O_ASYNC since the last look.
func NewArrivals(fds ...int) (*Arrivals, error) {
	a := &Arrivals{fds: fds, signals: make(chan os.Signal, 1)}
	signal.Notify(a.signals, unix.SIGIO)
	for _, fd := range fds {
		if err := watch(fd); err != nil {
			a.Close()
			return nil, fmt.Errorf("arrivals at descriptor %d: %w", fd, err)
		}
	}
	go func(signals <-chan os.Signal) {
		for range signals {
			a.mark()
		}
	}(a.signals)
	return a, nil
}

// mark notes an arrival, and asks for no further signal.
func (a *Arrivals) mark() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arrived = true
	for _, fd := range a.fds {
		_ = setAsync(fd, false)
	}
}

// Since tells whether a client arrived since it was called last, or since NewArrivals.
func (a *Arrivals) Since() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	arrived := a.arrived
	a.arrived = false
	for _, fd := range a.fds { // those that come before this count as seen: O_ASYNC is off only after an arrival
		_ = watch(fd)
	}
	return arrived
}

// Close ends the watch: nobody is told of the sockets any more.
func (a *Arrivals) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.signals == nil {
		return
	}
	for _, fd := range a.fds {
		_ = setAsync(fd, false)
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETOWN, 0)
	}
	signal.Stop(a.signals)
	close(a.signals)
	a.fds, a.signals = nil, nil
}

func watch(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETOWN, os.Getpid()); err != nil {
		return err
	}
	return setAsync(fd, true)
}

// fioasync is FIOASYNC of asm-generic/ioctls.h. It changes O_ASYNC alone: F_SETFL would undo what a program that shares the
// socket sets meanwhile.
const fioasync = 0x5452

func setAsync(fd int, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return unix.IoctlSetPointerInt(fd, fioasync, value)
}
