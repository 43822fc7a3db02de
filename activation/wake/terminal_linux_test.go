package wake

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLifeAtATerminal is no test but what the tests below run at a terminal of their own.
func TestLifeAtATerminal(t *testing.T) {
	program := os.Getenv("WAKE_TEST_TERMINAL")
	if program == "" {
		return // it is started by other tests
	}
	c := shell(program, "PATH="+os.Getenv("PATH"))
	c.Terminal, c.Stderr = true, os.Stderr
	c.Log = slog.New(slog.DiscardHandler)
	family := newFamily(t)
	l := &life{Config: c, engine: &script{c: c, family: family}, family: family, signals: make(chan os.Signal), pace: usualPace()}
	status, err := l.live()
	fmt.Printf("status %d, %v, foreground %v\n", status, err, inForeground())
}

// atTerminal runs TestLifeAtATerminal under a shell with job control, which comes back when the job is stopped, and lets it go on.
func atTerminal(t *testing.T, program string) *terminal {
	t.Helper()
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	slave, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	defer unix.Close(slave)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	job := "'" + self + "' -test.run='^TestLifeAtATerminal$'"
	family := newFamily(t)
	one, err := family.start("/bin/sh", []string{"sh", "-mc", job + "; [ $? -eq 148 ] && { echo the job is stopped; fg; }; echo the shell ends"}, &syscall.ProcAttr{
		Env:   append(os.Environ(), "WAKE_TEST_TERMINAL="+program, "LC_ALL=C"),
		Files: []uintptr{uintptr(slave), uintptr(slave), uintptr(slave)},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	screen := &buffer{}
	keys := os.NewFile(uintptr(master), "terminal")
	shown := newTail()
	go shown.follow(keys, screen)
	t.Cleanup(func() {
		family.signal(one, syscall.SIGKILL)
		await(t, one.ended, "the end of the shell")
		keys.Close() // what is left gets SIGHUP
		if t.Failed() {
			t.Logf("on the screen: %s", screen)
		}
	})
	return &terminal{t, keys, screen}
}

type terminal struct {
	t      *testing.T
	keys   *os.File
	screen *buffer
}

func (t *terminal) shows(text string) {
	t.t.Helper()
	eventually(t.t, "the screen shows "+text, func() bool { return strings.Contains(t.screen.String(), text) })
}

func (t *terminal) types(keys string) {
	t.t.Helper()
	t.keys.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := t.keys.WriteString(keys); err != nil {
		t.t.Fatal(err)
	}
}

func TestProgramReadsFromTheTerminal(t *testing.T) {
	at := atTerminal(t, `[ -t 2 ] && echo ready; read line; echo "got $line"; exit 4`)
	at.shows("ready")
	at.types("hello\n")
	at.shows("got hello")
	at.shows("status 4, <nil>, foreground true")
	at.shows("the shell ends")
}

func TestInterruptKeyEndsTheProgram(t *testing.T) {
	at := atTerminal(t, `echo ready; exec sleep 60`)
	at.shows("ready")
	at.types("\x03")
	at.shows("status 130, <nil>, foreground true")
}

func TestSuspendKeyStopsTheJob(t *testing.T) {
	at := atTerminal(t, `echo ready; read line; echo "got $line"`)
	at.shows("ready")
	at.types("\x1a")
	at.shows("the job is stopped")
	at.types("hello\n")
	at.shows("got hello")
	at.shows("status 0, <nil>, foreground true")
	at.shows("the shell ends")
}
