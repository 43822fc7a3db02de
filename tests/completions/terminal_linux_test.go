package completions

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ready is the prompt of the shells: once it is seen, their line editors take keys.
const ready = "ready> "

// Keys that the tests bind.
const (
	killLine  = "\x15"   // C-u
	complete  = "\x18\t" // C-x TAB: insert all that fits
	writeLine = "\x14"   // C-t: write the line into the file "line"
)

// terminal is an interactive shell in a pseudo-terminal (pty(7)).
type terminal struct {
	t      *testing.T
	master *os.File
	lines  *os.File // the fifo that writeLine writes to
	mu     sync.Mutex
	shown  bytes.Buffer
}

// startTerminal starts a shell in a folder of files, where the fifo "line" is, and waits until it takes keys.
func startTerminal(t *testing.T, dir string, shell ...string) *terminal {
	t.Helper()
	fifo := filepath.Join(dir, "line")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0) // also a writer, so that no end of file comes between two lines
	if err != nil {
		t.Fatal(err)
	}
	master, slave := openTerminal(t)
	defer slave.Close()
	command := exec.Command(shell[0], shell[1:]...)
	command.Dir, command.Env = dir, environment(dir)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, master: master, lines: lines}
	seen := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { x.read(seen) })
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		master.Close()
		lines.Close()
		reading.Wait()
		if t.Failed() {
			t.Logf("the terminal shows:\n%s", x.shown.String())
		}
	})
	select {
	case <-seen:
	case <-time.After(limit):
		t.Fatalf("%s shows no prompt within %v", shell[0], limit)
	}
	return x
}

// openTerminal opens a pseudo-terminal (ptmx(4)).
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	fd := int(master.Fd())
	unix.SetNonblock(fd, true) // Fd has made it blocking, and Close would wait for Read
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 500})); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// read keeps what the shell shows, and closes seen at the first prompt.
func (x *terminal) read(seen chan<- struct{}) {
	buffer := make([]byte, 4096)
	for {
		n, err := x.master.Read(buffer)
		if err != nil {
			return // EIO once the shell has ended
		}
		x.mu.Lock()
		x.shown.Write(buffer[:n])
		prompted := bytes.Contains(x.shown.Bytes(), []byte(ready))
		x.mu.Unlock()
		if prompted && seen != nil {
			close(seen)
			seen = nil
		}
	}
}

// ask types the start of a line, has the shell insert all candidates for its last word, and returns them.
func (x *terminal) ask(typed string) []string {
	x.t.Helper()
	if _, err := x.master.WriteString(killLine + typed + complete + writeLine); err != nil {
		x.t.Fatal(err)
	}
	before := typed[:strings.LastIndex(typed, " ")+1]
	line := x.line()
	if !strings.HasPrefix(line, before) {
		x.t.Fatalf("%q became %q", typed, line)
	}
	return strings.Fields(line[len(before):])
}

// line is what writeLine wrote.
func (x *terminal) line() string {
	x.t.Helper()
	x.lines.SetReadDeadline(time.Now().Add(limit))
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := x.lines.Read(one); err != nil {
			x.t.Fatalf("the shell does not answer: %v", err)
		}
		if one[0] == '\n' {
			return string(line)
		}
		line = append(line, one[0])
	}
}
