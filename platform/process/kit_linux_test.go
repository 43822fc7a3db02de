package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// roleVariable makes the test binary one of the programs below.
const roleVariable = "ROUSE_TEST_PROCESS"

// environment makes the test binary play a role. The race detector would have it sleep for a second at its end.
func environment(role string) []string {
	return []string{roleVariable + "=" + role, "GORACE=atexit_sleep_ms=0"}
}

// TestMain plays a role where the tests started this binary for it.
func TestMain(m *testing.M) {
	play, ok := map[string]func(){"sit": sitRole, "parent": parentRole, "accept": acceptRole, "epoll": epollRole}[os.Getenv(roleVariable)]
	if ok {
		play()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// sitRole ends with its standard input.
func sitRole() { io.Copy(io.Discard, os.Stdin) }

// again starts the test binary in a role, with our standard streams and further descriptors from 3 on.
func again(role string, more ...uintptr) (pid int, err error) {
	return syscall.ForkExec("/proc/self/exe", []string{role}, &syscall.ProcAttr{
		Env: environment(role), Files: append([]uintptr{0, 1, 2}, more...),
	})
}

// parentRole has a child that has a child.
func parentRole() {
	role := "parent"
	if os.Args[0] == "parent" { // the second one
		role = "sit"
	}
	pid, err := again(role)
	fmt.Println(pid, err)
	sitRole()
	if err == nil {
		syscall.Wait4(pid, nil, 0, nil)
	}
}

// acceptRole accepts from descriptor 3. What the connection says first is done: "k" keeps it, "q" closes it, "s" gives it to
// another process as well.
func acceptRole() {
	go func() {
		sitRole()
		os.Exit(0)
	}()
	for {
		fd, _, err := unix.Accept4(3, unix.SOCK_CLOEXEC)
		if err != nil {
			fmt.Println("accept:", err)
			return
		}
		var b [1]byte
		unix.Read(fd, b[:])
		pid := 0
		switch b[0] {
		case 'q':
			unix.Close(fd)
		case 's':
			pid, _ = again("sit", uintptr(fd))
		}
		fmt.Println("done", pid)
	}
}

// epollRole asks epoll(7) about a socket before it binds it, as programs on the JVM do, and serves one client twice. Before, it
// asked about another one that had the same number.
func epollRole() {
	must := func(what string, err error) {
		if err != nil {
			fmt.Println(what+":", err)
			os.Exit(1)
		}
	}
	set, err := unix.EpollCreate1(0)
	must("epoll_create", err)
	older, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must("socket", err)
	must("add", unix.EpollCtl(set, unix.EPOLL_CTL_ADD, older, &unix.EpollEvent{Events: unix.EPOLLIN}))
	_, err = unix.Dup(older)
	must("dup", err)
	must("close", unix.Close(older))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	must("socket", err)
	if fd != older {
		must("socket", fmt.Errorf("number %d, not %d", fd, older))
	}
	asked := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff, Fd: 0x55667788, Pad: 0x11223344}
	must("add", unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &asked))
	must("bind", unix.Bind(fd, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}))
	must("listen", unix.Listen(fd, 10))
	for range 2 {
		events := make([]unix.EpollEvent, 1)
		n, err := unix.EpollWait(set, events, int(patience/time.Millisecond))
		must("wait", err)
		if n != 1 || events[0].Fd != asked.Fd || events[0].Pad != asked.Pad {
			must("event", fmt.Errorf("%d %+v", n, events))
		}
		connection, _, err := unix.Accept(fd)
		must("accept", err)
		must("close", unix.Close(connection))
		must("modify", unix.EpollCtl(set, unix.EPOLL_CTL_MOD, fd, &asked))
		fmt.Println("served")
	}
	must("delete", unix.EpollCtl(set, unix.EPOLL_CTL_DEL, fd, nil))
	fmt.Println("deleted")
}

// program is a process that plays a role until the test ends.
type program struct {
	pid    int
	read   *os.File
	output *bufio.Reader // of read
}

// start starts a role with further descriptors from 3 on. fork is what starts it.
func start(t *testing.T, role string, fork func(func() error) error, more ...uintptr) *program {
	t.Helper()
	input, feed, err := os.Pipe()
	read, output, err2 := os.Pipe()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	p := &program{read: read, output: bufio.NewReader(read)}
	err = fork(func() (err error) {
		p.pid, err = syscall.ForkExec("/proc/self/exe", []string{"role " + role}, &syscall.ProcAttr{
			Env: environment(role), Files: append([]uintptr{input.Fd(), output.Fd(), 2}, more...),
		})
		return err
	})
	input.Close()
	output.Close()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		feed.Close()
		read.Close()
		late := time.AfterFunc(patience, func() { syscall.Kill(p.pid, syscall.SIGKILL) })
		defer late.Stop()
		syscall.Wait4(p.pid, nil, 0, nil)
	})
	return p
}

func plainly(fork func() error) error { return fork() }

func (p *program) line(t *testing.T) string {
	t.Helper()
	p.read.SetReadDeadline(time.Now().Add(patience))
	line, err := p.output.ReadString('\n')
	if err != nil {
		t.Fatalf("the program's output: %q, %v", line, err)
	}
	return line[:len(line)-1]
}

// number reads a line with a number in it.
func (p *program) number(t *testing.T, format string) int {
	t.Helper()
	var n int
	line := p.line(t)
	if _, err := fmt.Sscanf(line, format, &n); err != nil {
		t.Fatalf("the program says %q", line)
	}
	return n
}
