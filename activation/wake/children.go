package wake

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children starts processes and reaps all that end: on Linux also those whose own parents ended before them, which become
// ours (PR_SET_CHILD_SUBREAPER, prctl(2)). A process has one of it at most: it would steal the status of what os/exec or
// another one waits for.
type children struct {
	mu        sync.Mutex // held from fork to entry, so that no status comes before its process is known
	running   map[int]*child
	changed   chan struct{}       // closed and replaced whenever a process ended
	stopped   chan syscall.Signal // the signal that stopped a child of the terminal's (job control); the newest only
	strangers map[int]bool        // children that this process had before, from a shell that executed it in its place
	signals   chan os.Signal
	listening chan struct{} // closed when signals come in
	closed    chan struct{}
}

// child is a process that was started here.
type child struct {
	pid    int
	ended  chan struct{}      // closed when it was reaped
	status syscall.WaitStatus // valid then
}

// newChildren begins to reap. close ends that.
func newChildren() *children {
	c := &children{
		running:   map[int]*child{},
		changed:   make(chan struct{}),
		stopped:   make(chan syscall.Signal, 1),
		strangers: ownChildren(),
		signals:   make(chan os.Signal, 1),
		listening: make(chan struct{}),
		closed:    make(chan struct{}),
	}
	becomeSubreaper()
	go func() { // the runtime takes its time for it, and the first start need not wait
		defer close(c.closed)
		signal.Notify(c.signals, syscall.SIGCHLD)
		close(c.listening)
		c.reap()
		for range c.signals {
			c.reap()
		}
	}()
	return c
}

// close ends the reaping. What has ended and is on its way is reaped before, for at most the time given.
func (c *children) close(limit time.Duration) {
	<-c.listening
	bye, stop := timer(limit)
	defer stop()
	for over := len(c.strangers) > 0; !over && !childless(); {
		select {
		case <-c.change():
		case <-bye:
			over = true
		case <-time.After(time.Millisecond): // it may have ended before change was asked
		}
	}
	signal.Stop(c.signals)
	close(c.signals)
	<-c.closed
}

// start forks and executes. It may be called on a thread of its own, whose state the process then inherits.
func (c *children) start(path string, argv []string, attributes *syscall.ProcAttr) (*child, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attributes)
	if err != nil {
		return nil, err
	}
	one := &child{pid: pid, ended: make(chan struct{})}
	c.running[pid] = one
	return one, nil
}

// signal sends a signal, unless the process has ended: its number could be another's by now. It tells whether it did.
func (c *children) signal(one *child, s syscall.Signal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !over(one.ended) && syscall.Kill(one.pid, s) == nil
}

func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		c.note(pid, status)
	}
}

func (c *children) note(pid int, status syscall.WaitStatus) {
	one, known := c.running[pid]
	if status.Stopped() {
		if known {
			select {
			case <-c.stopped:
			default:
			}
			c.stopped <- status.StopSignal()
		}
		return
	}
	if known {
		one.status = status
		delete(c.running, pid)
		close(one.ended)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// change returns a channel that is closed when the next process ends.
func (c *children) change() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
