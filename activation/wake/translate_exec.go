package wake

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
)

// become executes the program on the calling thread, which cannot be used for anything else afterwards. ownTable gives
// the thread descriptors of its own, or an error.
func (c Config) become(l layout, ownTable func() error) error {
	for _, s := range l.sockets {
		if err := l.blocking.apply(s.Held); err != nil {
			return NotStarted{126, fmt.Errorf("%s: set its mode: %w", s, err)}
		}
	}
	closeOnExec()
	signal.Reset(notified()...) // what comes from now on ends this process, as it would end the program before it is ready for signals
	if err := giveUpPrivileges(c.Privileges); err != nil {
		return NotStarted{126, fmt.Errorf("no_new_privs: %w", err)}
	}
	path, argv := c.Path, l.argv
	sources, err := l.aside()
	switch {
	case err != nil:
	case ownTable() == nil || l.vacant(sources):
		err = l.place(sources)
	default:
		path, argv, err = l.byShell(c.Path, sources)
	}
	if err != nil {
		return NotStarted{126, fmt.Errorf("give %s its sockets: %w", c.name(), err)}
	}
	return notExecuted(c.Path, syscall.Exec(path, argv, l.env))
}

// notified lists the signals that are caught here. To reset all that there are costs milliseconds.
func notified() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGIO}
}

func (w want) apply(h activation.Held) error {
	if w == asPassed && !h.Bound {
		return nil
	}
	return unix.SetNonblock(h.Number, w == mustNotBlock)
}

// closeOnExec marks every descriptor from 3 on. Those that are opened here are so already.
func closeOnExec() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		for fd := 3; fd < 1024; fd++ {
			unix.CloseOnExec(fd)
		}
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// aside returns, for each socket, a duplicate above all targets, so that none is overwritten before it was moved. They are
// close-on-exec.
func (l *layout) aside() ([]int, error) {
	var sources []int
	for _, s := range l.sockets {
		fd, err := unix.FcntlInt(uintptr(s.Number), unix.F_DUPFD_CLOEXEC, 3+len(l.sockets))
		if err != nil {
			return nil, fmt.Errorf("duplicate descriptor %d: %w", s.Number, err)
		}
		sources = append(sources, fd)
	}
	return sources, nil
}

// vacant tells whether nothing but the sockets themselves is at the targets. What may be there from 3 on is the Go runtime's
// own, by which it waits, and another thread of it dies when that is suddenly a socket.
func (l *layout) vacant(sources []int) bool {
	ours := slices.Clone(sources)
	for _, s := range l.sockets {
		ours = append(ours, s.Number)
	}
	for _, s := range l.sockets {
		_, err := unix.FcntlInt(uintptr(s.target), unix.F_GETFD, 0)
		if s.target > 2 && err == nil && !slices.Contains(ours, s.target) {
			return false
		}
	}
	return true
}

// place puts the sockets at their targets, not close-on-exec.
func (l *layout) place(sources []int) error {
	for i, s := range l.sockets {
		if err := duplicate(sources[i], s.target); err != nil {
			return fmt.Errorf("put descriptor %d at %d: %w", sources[i], s.target, err)
		}
	}
	return nil
}

// byShell lets a shell move the descriptors and execute the program, as it has no threads. A shell need not know numbers above
// 9, but bash does.
func (l *layout) byShell(path string, sources []int) (shell string, argv []string, err error) {
	shell = "/bin/sh"
	script := `exec "$@"`
	for i, s := range l.sockets {
		script += fmt.Sprintf(" %d<&%d", s.target, sources[i])
	}
	for i, fd := range sources {
		script += fmt.Sprintf(" %d<&-", fd)
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return "", nil, err
		}
		if max(fd, l.sockets[i].target) > 9 {
			shell = "/bin/bash"
		}
	}
	if _, err := os.Stat(shell); err != nil {
		return "", nil, fmt.Errorf("the numbers from 3 on are taken, and without %s they cannot be freed: pass the sockets to rouse under those numbers", shell)
	}
	if !filepath.IsAbs(path) {
		path = "./" + path
	}
	return shell, append([]string{"sh", "-c", script, "sh", path}, l.argv[1:]...), nil
}
