package seccomp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// roleVariable makes the test binary one of the programs below.
const roleVariable = "ROUSE_TEST_SECCOMP"

// environment makes the test binary play a role. The race detector would have it sleep for a second at its end.
func environment(role string) []string {
	return []string{roleVariable + "=" + role, "GORACE=atexit_sleep_ms=0"}
}

// TestMain plays a role where the tests started this binary for it.
func TestMain(m *testing.M) {
	play, ok := map[string]func(){"bind": bindRole, "probe": probeRole, "daemon": daemonRole, "linger": lingerRole, "refused": refusedRole, "accept": acceptRole, "accept many": acceptManyRole}[os.Getenv(roleVariable)]
	if ok {
		play()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bindRole binds a socket to a port that it may not have, listens, and greets one client.
func bindRole() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		fmt.Println("socket:", err)
		return
	}
	fmt.Println("socket", fd)
	err = unix.Bind(fd, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}})
	fmt.Println("bind:", err)
	if err != nil {
		return
	}
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	fmt.Println("close-on-exec", flags&unix.FD_CLOEXEC != 0)
	if unix.Listen(fd, 10) != nil {
		return
	}
	connection, _, err := unix.Accept(fd)
	if err == nil {
		unix.Write(connection, []byte("hello"))
	}
}

// probeRole tells what this process may have.
func probeRole() {
	for _, p := range []Privileges{Kept, Auto, None} {
		given, err := Probe(p)
		fmt.Println(p, given, errors.Is(err, ErrTaken), errors.Is(err, ErrDenied), err)
	}
}

// daemonRole leaves another process behind.
func daemonRole() {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"linger"}, &syscall.ProcAttr{
		Env: environment("linger"), Files: []uintptr{0, 1, 2},
	})
	fmt.Println(pid, err)
}

// lingerRole binds when a byte comes, and ends with its standard input.
func lingerRole() {
	var b [1]byte
	if _, err := os.Stdin.Read(b[:]); err == nil {
		bindRole()
	}
	os.Stdin.Read(b[:])
}

func refusedRole() {
	_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
	fmt.Println(errno == unix.ENOSYS)
}

// acceptRole calls accept4(2) with a number that is open nowhere, and says something to what it gets.
func acceptRole() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, 99, 0, 0, unix.SOCK_CLOEXEC, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		var err error
		if errno != 0 {
			err = errno
		}
		flags, _ := unix.FcntlInt(fd, unix.F_GETFD, 0)
		fmt.Println("accepted", flags&unix.FD_CLOEXEC != 0, err)
		unix.Write(int(fd), []byte("hello"))
		return
	}
}

// acceptedMany is how many descriptors acceptManyRole takes.
const acceptedMany = 3000

// acceptManyRole calls accept4(2) again and again, and tells whether it ever got what no accept gives.
func acceptManyRole() {
	for i := range acceptedMany {
		fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, 99, 0, 0, unix.SOCK_CLOEXEC, 0, 0)
		if errno != 0 || fd == 0 || unix.Close(int(fd)) != nil {
			fmt.Println("call", i, "returned", fd, errno)
			return
		}
	}
	fmt.Println("none is wrong")
}

// program is a process that was started under a filter.
type program struct {
	*Thread
	pid    int
	input  *os.File
	read   *os.File
	output *bufio.Reader // of read
}

// under starts the test binary in a role, with calls of bind(2) notified and io_uring_setup(2) refused.
func under(t *testing.T, role string) *program {
	t.Helper()
	return underFilter(t, role, Filter{Notify: []int{unix.SYS_BIND}, Refuse: []int{unix.SYS_IO_URING_SETUP}})
}

// underFilter starts the test binary in a role.
func underFilter(t *testing.T, role string, f Filter) *program {
	t.Helper()
	input, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{input: feed, read: read, output: bufio.NewReader(read)}
	p.Thread, err = Under(f, Auto, func() error {
		var err error
		p.pid, err = syscall.ForkExec("/proc/self/exe", []string{role}, &syscall.ProcAttr{
			Env: environment(role), Files: []uintptr{input.Fd(), output.Fd(), 2},
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
		return err
	})
	skip(t, err)
	input.Close()
	output.Close()
	t.Cleanup(func() {
		feed.Close()
		read.Close()
		p.kill()
		p.End()
		p.Notifier.Close()
	})
	return p
}

// skip ends the test where this system has no such thing.
func skip(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrTaken) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrDenied) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *program) line(t *testing.T) string {
	t.Helper()
	p.read.SetReadDeadline(time.Now().Add(patience))
	line, err := p.output.ReadString('\n')
	if err != nil {
		t.Fatalf("the program's output: %q, %v", line, err)
	}
	return line[:len(line)-1]
}

// kill ends the program, unless it was reaped already.
func (p *program) kill() {
	if p.pid != 0 {
		syscall.Kill(p.pid, syscall.SIGKILL)
		p.wait()
	}
}

// wait reaps the program.
func (p *program) wait() {
	if p.pid != 0 {
		syscall.Wait4(p.pid, nil, 0, nil)
		p.pid = 0
	}
}

// receive is Receive, but not for ever.
func (p *program) receive(t *testing.T) (Call, error) {
	t.Helper()
	late := time.AfterFunc(patience, func() { p.Notifier.Close() })
	defer late.Stop()
	return p.Notifier.Receive()
}

// call is the next call.
func (p *program) call(t *testing.T) Call {
	t.Helper()
	c, err := p.receive(t)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// expectEnd checks that no task is under the filter any more.
func (p *program) expectEnd(t *testing.T) {
	t.Helper()
	if c, err := p.receive(t); err != io.EOF {
		t.Errorf("%+v, %v in place of the end", c, err)
	}
}
