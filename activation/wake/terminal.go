package wake

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// inForeground tells whether the terminal on standard input listens to our process group (tcgetpgrp(3)).
func inForeground() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// giveTerminal makes a process group the terminal's foreground group (tcsetpgrp(3)).
func giveTerminal(group int) error {
	signal.Ignore(syscall.SIGTTOU) // or a background process would be stopped by it
	defer signal.Reset(syscall.SIGTTOU)
	return unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, group)
}

// takeTerminal takes the terminal back from an instance whose main process ended, for the shell and for Ctrl-C.
func (l *life) takeTerminal(one *instance) {
	if !l.Terminal {
		return
	}
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	if err == nil && group == one.main.pid {
		giveTerminal(unix.Getpgrp())
	}
}

// meant is what a signal says: HUP of a terminal that was closed is no wish to reload.
func (l *life) meant(s os.Signal) os.Signal {
	if s != syscall.SIGHUP || !l.Terminal {
		return s
	}
	polled := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
	if _, err := unix.Poll(polled, 0); err == nil && polled[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
		return syscall.SIGTERM
	}
	return s
}

// suspended does for the shell's job control what it would do for the program alone: when a key stops the program, this
// process and the others of its job stop as well, until the shell lets the job go on.
func (l *life) suspended(by syscall.Signal) {
	if !l.Terminal || l.current == nil || by == syscall.SIGSTOP {
		return
	}
	program := l.current.main.pid
	if wanted := by == syscall.SIGTTIN || by == syscall.SIGTTOU; !wanted || !inForeground() {
		goesOn := make(chan os.Signal, 1)
		signal.Notify(goesOn, syscall.SIGCONT)
		defer signal.Stop(goesOn)
		giveTerminal(unix.Getpgrp())
		syscall.Kill(0, syscall.SIGTSTP)
		// In an orphaned process group nothing stops: no shell would let it go on.
		limit, stop := timer(l.pace.farewell)
		defer stop()
		select {
		case <-goesOn:
		case <-limit:
		}
	}
	if inForeground() {
		giveTerminal(program)
	}
	syscall.Kill(-program, syscall.SIGCONT)
}
