package wake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// launch starts one instance on the calling thread, whose filters and privileges the program inherits. Standard input and
// output are ours; standard error goes through a pipe to c.Stderr, so that its last lines are known, or is ours where
// c.Stderr is a terminal. All other descriptors that are not closed on exec are inherited. The engine closes
// the channels of the instance. The error is a NotStarted.
func launch(c Config, family *children) (*instance, error) {
	one := &instance{ready: make(chan struct{}), gone: make(chan struct{}), errors: newTail()}
	standardError, direct := onTerminal(c.Stderr)
	var reading *os.File
	if !direct {
		r, w, err := stderrPipe()
		if err != nil {
			return nil, NotStarted{126, fmt.Errorf("%s was not started: pipe for its standard error: %w", c.Command[0], err)}
		}
		defer syscall.Close(w)
		reading, standardError = os.NewFile(uintptr(r), "standard error"), w
	}
	attributes := &syscall.ProcAttr{
		Env:   c.environment(!direct),
		Files: []uintptr{0, 1, uintptr(standardError)},
		Sys:   c.processAttributes(),
	}
	one.started = time.Now()
	main, err := family.start(c.Path, c.Command, attributes)
	if err != nil {
		if reading != nil {
			reading.Close()
		}
		return nil, notExecuted(c.Path, err)
	}
	one.main = main
	if direct {
		close(one.errors.ended)
	} else {
		go one.errors.follow(reading, c.Stderr)
	}
	return one, nil
}

// stderrPipe makes a pipe whose reading end does not block the thread, and whose writing end blocks, as programs expect.
func stderrPipe() (reading, writing int, err error) {
	var ends [2]int
	syscall.ForkLock.RLock() // there is no pipe2(2) on macOS
	err = unix.Pipe(ends[:])
	if err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = unix.SetNonblock(ends[0], true)
	}
	return ends[0], ends[1], err
}

// onTerminal returns the descriptor behind w when that is a terminal: programs write there as they would to a person.
func onTerminal(w any) (fd int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return -1, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}

// environment is what the program gets: nothing that was meant for this process. piped says that its standard error is no
// longer the stream that JOURNAL_STREAM tells of (systemd.exec(5)).
func (c Config) environment(piped bool) []string {
	ours := []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"} // WATCHDOG_PID is ours in any case
	if !c.PassNotify {
		ours = append(ours, "NOTIFY_SOCKET", "WATCHDOG_USEC")
	}
	if piped {
		ours = append(ours, "JOURNAL_STREAM")
	}
	var env []string
	for _, variable := range c.Env {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.Contains(ours, name) {
			env = append(env, variable)
		}
	}
	return env
}

// Resolve returns the file that a command is, looked for in PATH as execvp(3) does: a file that is there but cannot be
// executed is passed over. The error is a NotStarted.
func Resolve(command string) (path string, err error) {
	if strings.Contains(command, "/") {
		return command, executable(command)
	}
	if command == "" {
		return "", NotStarted{127, errors.New("the name of the program is empty")}
	}
	var refusal error
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if folder == "" {
			folder = "." // as shells read it
		}
		path := folder + "/" + command
		err := executable(path)
		if err == nil {
			return path, nil
		}
		var unusable NotStarted
		_, unseen := os.Stat(path) // a folder that may not be searched has nothing for us, as shells see it
		if unseen == nil && errors.As(err, &unusable) && unusable.Status == 126 && refusal == nil {
			refusal = err
		}
	}
	if refusal != nil {
		return "", refusal
	}
	return "", NotStarted{127, fmt.Errorf("%s is not in PATH (%s): install it, or give its path", command, os.Getenv("PATH"))}
}

// executable is the reason why a file cannot be executed, or nil.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return notExecuted(path, errors.Unwrap(err))
	case info.IsDir():
		return NotStarted{126, fmt.Errorf("%s is a folder, no program", path)}
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return notExecuted(path, err)
	}
	return nil
}

// notExecuted puts the error of execve(2) into words and the exit status that shells give for it.
func notExecuted(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		if _, missing := os.Stat(path); missing == nil {
			return NotStarted{127, fmt.Errorf("%s cannot be executed: the interpreter or loader that it names is not there", path)}
		}
		return NotStarted{127, fmt.Errorf("%s is not there: no such file", path)}
	case errors.Is(err, unix.ENOTDIR):
		return NotStarted{127, fmt.Errorf("%s is not there: %w", path, err)}
	case errors.Is(err, unix.ENOEXEC):
		return NotStarted{126, fmt.Errorf("%s is no program for this machine; a script needs #!INTERPRETER in its first line", path)}
	case errors.Is(err, unix.EACCES):
		return NotStarted{126, fmt.Errorf("%s cannot be executed: permission denied (chmod +x, or a file system mounted noexec)", path)}
	}
	return NotStarted{126, fmt.Errorf("%s cannot be executed: %w", path, err)}
}
