package seccomp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A program gets the answer that is given here, and the notifier ends with it.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(*Notifier, Call) error
		want   string
	}{
		{"fail", func(n *Notifier, c Call) error { return n.Fail(c, unix.EADDRNOTAVAIL) }, "bind: cannot assign requested address"},
		{"return", func(n *Notifier, c Call) error { return n.Return(c, 0) }, "bind: <nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := under(t, "bind")
			call := p.call(t)
			if call.Number != unix.SYS_BIND || call.TID == 0 || fmt.Sprintf("socket %d", call.Args[0]) != p.line(t) || !p.Notifier.Valid(call) {
				t.Errorf("received %+v", call)
			}
			if err := c.answer(p.Notifier, call); err != nil {
				t.Fatal(err)
			}
			if p.Notifier.Valid(call) {
				t.Error("an answered call still waits")
			}
			if got := p.line(t); got != c.want {
				t.Errorf("the program says %q", got)
			}
			p.kill()
			p.End()
			p.End()
			p.expectEnd(t)
			if err := p.Notifier.Return(call, 0); err != nil {
				t.Errorf("an answer to nobody: %v", err)
			}
		})
	}
}

// A call that is let through is made.
func TestContinue(t *testing.T) {
	p := under(t, "bind")
	taken, err := net.Listen("tcp", "127.0.0.1:1")
	if err != nil && !errors.Is(err, unix.EACCES) {
		t.Skip(err) // somebody has the port; without privileges nobody can
	}
	if err == nil {
		defer taken.Close()
	}
	p.line(t)
	if err := p.Notifier.Continue(p.call(t)); err != nil {
		t.Fatal(err)
	}
	if got := p.line(t); got != "bind: address already in use" && got != "bind: permission denied" {
		t.Errorf("the program says %q", got)
	}
}

// Our listener takes the place of the program's socket, and the program serves its clients.
func TestPut(t *testing.T) {
	for _, closeOnExec := range []bool{true, false} {
		p := under(t, "bind")
		p.line(t)
		l := listener(t)
		call := p.call(t)
		if err := p.Notifier.Put(call, l.fd, int(call.Args[0]), closeOnExec); err != nil {
			t.Fatal(err)
		}
		if err := p.Notifier.Put(call, 987654, int(call.Args[0]), false); !errors.Is(err, unix.EBADF) {
			t.Errorf("put what is not there: %v", err)
		}
		if err := p.Notifier.Return(call, 0); err != nil {
			t.Fatal(err)
		}
		client, err := net.DialTimeout("tcp", l.address, patience)
		if err != nil {
			t.Fatal(err)
		}
		client.SetDeadline(time.Now().Add(patience))
		if greeting, err := io.ReadAll(client); string(greeting) != "hello" {
			t.Errorf("greeted with %q, %v", greeting, err)
		}
		client.Close()
		if a, b := p.line(t), p.line(t); a != "bind: <nil>" || b != fmt.Sprint("close-on-exec ", closeOnExec) {
			t.Errorf("the program says %q, %q", a, b)
		}
	}
}

// A call returns the descriptor that is put as its answer; where that cannot be put, it still waits for one.
func TestPutAnswer(t *testing.T) {
	skip(t, ProbeAnswer(Auto))
	p := underFilter(t, "accept", Filter{Notify: []int{unix.SYS_ACCEPT4}, Interruptible: true})
	call := p.call(t)
	if err := p.Notifier.PutAnswer(call, 987654, true); !errors.Is(err, unix.EBADF) || !p.Notifier.Valid(call) {
		t.Errorf("put what is not there: %v", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if err := p.Notifier.PutAnswer(call, int(write.Fd()), true); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if got := p.line(t); got != "accepted true <nil>" {
		t.Errorf("the program says %q", got)
	}
	if said, err := io.ReadAll(read); string(said) != "hello" {
		t.Errorf("what it was given says %q, %v", said, err)
	}
	if err := p.Notifier.PutAnswer(call, 0, true); !errors.Is(err, unix.ENOENT) {
		t.Errorf("put a second answer: %v", err)
	}
}

// Signals to this process, however many, never cost an answer.
func TestPutAnswerUnderSignals(t *testing.T) {
	skip(t, ProbeAnswer(Auto))
	p := underFilter(t, "accept many", Filter{Notify: []int{unix.SYS_ACCEPT4}, Interruptible: true})
	received := make(chan os.Signal, 1)
	signal.Notify(received, unix.SIGUSR2)
	defer signal.Stop(received)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				unix.Kill(os.Getpid(), unix.SIGUSR2)
			}
		}
	}()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for answered := 0; answered < acceptedMany; {
		switch err := p.Notifier.PutAnswer(p.call(t), int(null.Fd()), true); {
		case err == nil:
			answered++
		case !errors.Is(err, unix.ENOENT): // that one a signal of the program's own interrupted: its runtime sends some, and makes the call again
			t.Fatal(err)
		}
	}
	if got := p.line(t); got != "none is wrong" {
		t.Errorf("the program says %q", got)
	}
}

// A signal that the program handles interrupts a call that waits for its answer, where that was asked for.
func TestInterruptible(t *testing.T) {
	p := underFilter(t, "accept", Filter{Notify: []int{unix.SYS_ACCEPT4}, Interruptible: true})
	call := p.call(t)
	unix.Tgkill(p.pid, call.TID, unix.SIGUSR1) // the thread that waits: another one would not notice
	if again := p.call(t); again.ID == call.ID || p.Notifier.Valid(call) {
		t.Errorf("%+v, after %+v", again, call)
	}
}

// Refused calls do not exist for the program.
func TestRefuse(t *testing.T) {
	if got := under(t, "refused").line(t); got != "true" {
		t.Errorf("ENOSYS: %s", got)
	}
}

// Answers to a program that was killed while it waited are no errors, and nothing can be put into it.
func TestCallerGone(t *testing.T) {
	p := under(t, "bind")
	p.line(t)
	call := p.call(t)
	p.kill()
	if p.Notifier.Valid(call) {
		t.Error("the call still waits")
	}
	if err := p.Notifier.Fail(call, unix.EPERM); err != nil {
		t.Error(err)
	}
	if err := p.Notifier.Put(call, 0, int(call.Args[0]), true); !errors.Is(err, unix.ENOENT) {
		t.Errorf("put: %v", err)
	}
	p.End()
	p.expectEnd(t)
}

// A process that its parent left behind is still under the filter, and the end comes with its end.
func TestDaemon(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := under(t, "daemon")
	var left int
	if _, err := fmt.Sscanf(p.line(t), "%d <nil>", &left); err != nil {
		t.Fatal(err)
	}
	p.wait()
	p.End()
	if _, err := p.input.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if call := p.call(t); call.TID == 0 || p.Notifier.Fail(call, unix.EACCES) != nil {
		t.Errorf("%+v cannot be answered", call)
	}
	p.input.Close()
	syscall.Wait4(left, nil, 0, nil)
	p.expectEnd(t)
}

// The kernel allows one notifier above a process; the error says so.
func TestTaken(t *testing.T) {
	p := under(t, "probe")
	for _, privileges := range []Privileges{Kept, Auto, None} {
		if got := p.line(t); !strings.HasPrefix(got, string(privileges)+" false true false") {
			if privileges == Kept && strings.HasPrefix(got, "no false false true") {
				continue // without CAP_SYS_ADMIN the privileges are asked for first
			}
			t.Errorf("nested: %q", got)
		}
	}
}

// An error of what is run comes back as it is, and nothing is left.
func TestUnderError(t *testing.T) {
	_, err := Under(Filter{Notify: []int{unix.SYS_BIND}}, Auto, func() error { return io.ErrNoProgress })
	if err != io.ErrNoProgress {
		skip(t, err)
		t.Errorf("err = %v", err)
	}
}

// Receive gives up when the notifier is closed.
func TestClose(t *testing.T) {
	thread, err := Under(Filter{}, Auto, func() error { return nil })
	skip(t, err)
	defer thread.End()
	got := make(chan error)
	go func() {
		_, err := thread.Notifier.Receive()
		got <- err
	}()
	thread.Notifier.Close()
	if err := <-got; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// Of this process nothing stays under a filter: threads end, and no other one ever was.
func TestNoThreadLeaks(t *testing.T) {
	if _, err := Probe(Auto); err != nil {
		skip(t, err)
	}
	expectFiltered(t, 0)
	before := len(tasks(t))
	for range 100 {
		thread, err := Under(Filter{Notify: []int{unix.SYS_BIND}}, Auto, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		expectFiltered(t, 1)
		thread.End()
		if _, err := thread.Notifier.Receive(); err != io.EOF {
			t.Fatal(err)
		}
		thread.Notifier.Close()
	}
	expectFiltered(t, 0)
	if after := len(tasks(t)); after > before+8 { // the runtime starts some as it likes
		t.Errorf("%d threads, %d before", after, before)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("our own bind: %v", err)
	}
	l.Close()
}

// Without CAP_SYS_ADMIN a program gets a notifier at the price of no_new_privs, and only then.
func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		if given, err := Probe(Auto); err != nil || !given {
			skip(t, err)
			t.Errorf("no_new_privs %t, %v", given, err)
		}
		return
	}
	if given, err := Probe(Kept); err != nil || given {
		skip(t, err)
		t.Errorf("root: no_new_privs %t, %v", given, err)
	}
	read, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := syscall.ForkExec(binary(t), []string{"probe"}, &syscall.ProcAttr{
		Env: environment("probe"), Files: []uintptr{0, output.Fd(), 2}, Dir: "/",
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL},
	})
	output.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Wait4(pid, nil, 0, nil)
	read.SetReadDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^no false false true .*CAP_SYS_ADMIN.*\nauto true false false <nil>\nyes true false false <nil>\n$`)
	if !want.Match(got) {
		t.Errorf("as another user: %s", got)
	}
}

// socket is a listener without a runtime that watches it.
type socket struct {
	fd      int
	address string
}

func listener(t *testing.T) socket {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return socket{fd, fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port)}
}

func tasks(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// expectFiltered checks how many of this process's threads have more filters than its first one. Those that end are in sight
// for a moment longer than the kernel counts them.
func expectFiltered(t *testing.T, want int) {
	t.Helper()
	pattern := regexp.MustCompile(`(?m)^Seccomp_filters:.*$`)
	filters := func(task string) string {
		b, _ := os.ReadFile(task + "/status") // it may have ended
		return pattern.FindString(string(b))
	}
	own, got := filters("/proc/self"), -1
	for limit := time.Now().Add(patience); got != want && time.Now().Before(limit); {
		got = 0
		for _, task := range tasks(t) {
			if f := filters(task); f != "" && f != own {
				got++
			}
		}
	}
	if got != want {
		t.Fatalf("%d threads are under a filter, want %d", got, want)
	}
}

// binary is a copy of the test binary that every user can execute.
func binary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile("/proc/self/exe")
	path := filepath.Join(dir, "test")
	if err := errors.Join(err, os.WriteFile(path, b, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}
