package inetd

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a process that was started here. It leads a session and a process group of its own.
type child struct {
	pid   int
	pidfd int // -1 where the kernel has none
	began time.Time
	limit *time.Timer // of Service.Time, or nil

	mu     sync.Mutex
	reaped bool // its number may be another's by now
	status syscall.WaitStatus
}

// start starts a process with the descriptor as its standard input and output. who stands before the lines that it writes to
// standard error. ended is called when the process has ended, and must not wait. The error is the cause; see passing for those
// that pass.
func (s *service) start(fd int, env []string, who string, ended func(*child)) (*child, error) {
	standardError, reading, writing := s.house.null, -1, -1
	switch s.Stderr {
	case Client:
		standardError = fd
	case Log:
		var err error
		if reading, writing, err = stderrPipe(); err != nil {
			return nil, err
		}
		defer unix.Close(writing)
		standardError = writing
	}
	c := &child{pidfd: -1, began: time.Now()}
	s.house.births.RLock()
	defer s.house.births.RUnlock()
	err := s.fork(c, &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   env,
		Files: []uintptr{uintptr(fd), uintptr(fd), uintptr(standardError)},
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: s.identity},
	})
	if err != nil {
		if reading >= 0 {
			unix.Close(reading)
		}
		return nil, err
	}
	s.mu.Lock()
	s.running[c] = true
	s.mu.Unlock()
	s.children.Add(1)
	s.served.Add(1)
	if reading >= 0 {
		s.listen(reading, c.pid, who)
	}
	s.attend(c, ended)
	return c, nil
}

// attend sees to it that ended is called when the process has ended, and makes it end when it takes too long.
func (s *service) attend(c *child, ended func(*child)) {
	if s.Time > 0 {
		c.limit = time.AfterFunc(s.Time, func() {
			c.signal(unix.SIGTERM)
			time.AfterFunc(killAfter, func() { c.signal(unix.SIGKILL) }) // which does nothing to one that has ended
		})
	}
	after := func() {
		if c.limit != nil {
			c.limit.Stop()
		}
		s.mu.Lock()
		delete(s.running, c)
		s.mu.Unlock()
		ended(c)
		select {
		case s.house.freed <- struct{}{}:
		default:
		}
		s.children.Done()
	}
	reap := func() {
		c.reap(unix.WNOHANG)
		unix.Close(c.pidfd)
		after()
	}
	if c.pidfd >= 0 && s.house.watcher.watch(c.pidfd, reap) == nil {
		return
	}
	go func() { // before Linux 5.3, and elsewhere
		c.await()
		if c.pidfd >= 0 {
			unix.Close(c.pidfd)
		}
		after()
	}()
}

// reap takes the status, and tells whether the process has ended. With WNOHANG it does not wait, and nobody signals a process
// that is no longer ours meanwhile.
func (c *child) reap(options int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reaped {
		pid, err := syscall.Wait4(c.pid, &c.status, options, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // somebody else has reaped it
			c.reaped = true
		case pid == 0:
			return false
		default:
			c.reaped = c.status.Exited() || c.status.Signaled()
		}
	}
	return true
}

// signal sends a signal to the process and its group, unless it has ended.
func (c *child) signal(number syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.pid, number)
	}
}

// has tells whether a process is one of this service.
func (s *service) has(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.running {
		if c.pid == pid {
			return true
		}
	}
	return false
}

// signalAll signals all that run.
func (s *service) signalAll(number syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.running {
		c.signal(number)
	}
}

// finish returns when all processes have ended, which it makes them.
func finish(services []*service, o Options) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, s := range services {
			s.children.Wait()
		}
	}()
	for _, step := range []struct {
		pause  time.Duration
		signal syscall.Signal
	}{{o.Grace, unix.SIGTERM}, {killAfter, unix.SIGKILL}} {
		select {
		case <-ended:
		case <-o.AtOnce:
		case <-time.After(step.pause):
		}
		for _, s := range services {
			s.signalAll(step.signal)
		}
	}
	<-ended
	read := make(chan struct{})
	go func() {
		defer close(read)
		for _, s := range services {
			s.errors.Wait()
		}
	}()
	select {
	case <-read:
	case <-time.After(time.Second): // what they left behind may keep it open for ever
	}
	for _, s := range services {
		s.log.Info("stopped", "served", s.served.Load(), "reset", s.reset.Load())
	}
}

// stderrPipe makes a pipe whose reading end the runtime waits for, and whose writing end blocks, as programs expect.
func stderrPipe() (reading, writing int, err error) {
	var ends [2]int
	if err := pipe(ends[:]); err != nil {
		return -1, -1, err
	}
	if err := fcntlNonblock(ends[0]); err != nil {
		unix.Close(ends[0])
		unix.Close(ends[1])
		return -1, -1, err
	}
	return ends[0], ends[1], nil
}

// fcntlNonblock makes a new descriptor one that the runtime's poller takes.
func fcntlNonblock(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK)
	return err
}

// passing tells whether an error says that something is wanting now that may be there again later. EBADF is what dup3(2) says of a
// number above the limit: syscall.ForkExec takes the one behind the highest that it is given.
func passing(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EAGAIN, unix.EBADF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
