package platform

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// acceptWay names, in the environment of a child, how it waits for clients: "block", "poll", or "clear", which clears all
// flags of the socket first.
const acceptWay = "ROUSE_TEST_ACCEPT"

// acceptAll accepts from descriptor 3, and closes at once.
func acceptAll() {
	way := os.Getenv(acceptWay)
	if way == "clear" {
		unix.FcntlInt(3, unix.F_SETFL, 0)
	}
	os.Stdout.WriteString("x")
	for {
		if way == "poll" {
			unix.Poll([]unix.PollFd{{Fd: 3, Events: unix.POLLIN}}, -1)
		}
		fd, _, err := unix.Accept(3)
		if err != nil {
			os.Exit(1)
		}
		unix.Close(fd)
	}
}

// accepting starts a process that accepts from the listener. It does so when accepting returns.
func accepting(t *testing.T, fd int, way string) {
	t.Helper()
	read, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{way}, &syscall.ProcAttr{
		Env: []string{asChild + "=accept", acceptWay + "=" + way, "GOCOVERDIR=" + t.TempDir()}, Files: []uintptr{0, output.Fd(), 2, uintptr(fd)},
	})
	output.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
	})
	read.SetReadDeadline(time.Now().Add(patience))
	if _, err := read.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// visit is a client that comes and goes; the server closed when it returns.
func visit(t *testing.T, network, address string) {
	t.Helper()
	client, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(patience))
	client.Read(make([]byte, 1))
}

// bare is a listener without a runtime that watches it.
func bare(t *testing.T, network string) (fd int, address string) {
	t.Helper()
	name, domain, sa := "", unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if network == "unix" {
		name = filepath.Join(shortDir(t), "s")
		domain, sa = unix.AF_UNIX, &unix.SockaddrUnix{Name: name}
	}
	fd = open(t, domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
	if err := errors.Join(unix.Bind(fd, sa), unix.Listen(fd, 100)); err != nil {
		t.Fatal(err)
	}
	if sa, err := unix.Getsockname(fd); err != nil {
		t.Fatal(err)
	} else if sa, ok := sa.(*unix.SockaddrInet4); ok {
		return fd, fmt.Sprint("127.0.0.1:", sa.Port)
	}
	return fd, name
}

// seen asks until an arrival is seen, for a second at most: the signal takes its time.
func seen(a *Arrivals) bool {
	for limit := time.Now().Add(time.Second); time.Now().Before(limit); time.Sleep(100 * time.Microsecond) {
		if a.Since() {
			return true
		}
	}
	return false
}

func isAsync(t *testing.T, fd int) bool {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_ASYNC != 0
}

// Every client is noticed that comes and goes at once, though another process accepts it before anybody can look.
func TestArrivals(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, way := range []string{"block", "poll"} {
			t.Run(network+" "+way, func(t *testing.T) {
				idle, _ := bare(t, "tcp")
				fd, address := bare(t, network)
				a, err := NewArrivals(idle, fd)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				accepting(t, fd, way)
				if a.Since() {
					t.Error("somebody was seen before anybody came")
				}
				missed := 0
				for range 300 {
					visit(t, network, address)
					if !seen(a) {
						missed++
					}
				}
				if missed > 0 {
					t.Errorf("%d of 300 clients were missed", missed)
				}
			})
		}
	}
}

// After the first client nobody is told of others until the next look, which reports them all as one.
func TestArrivalsQuiet(t *testing.T) {
	fd, address := bare(t, "tcp")
	a, err := NewArrivals(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	accepting(t, fd, "block")
	if !isAsync(t, fd) {
		t.Fatal("O_ASYNC is off")
	}
	visit(t, "tcp", address)
	for limit := time.Now().Add(patience); isAsync(t, fd); {
		if time.Now().After(limit) {
			t.Fatal("O_ASYNC stays on after an arrival")
		}
	}
	visit(t, "tcp", address)
	if isAsync(t, fd) {
		t.Error("O_ASYNC came back by itself")
	}
	if !a.Since() || a.Since() || !isAsync(t, fd) {
		t.Error("two clients are not one arrival, or nobody is told of the next one")
	}
	visit(t, "tcp", address)
	if !seen(a) {
		t.Error("the third client was missed")
	}
}

// A program that sets its own flags blinds the watch until the next look only. The end of the watch leaves no trace.
func TestArrivalsAfterSetFlags(t *testing.T) {
	fd, address := bare(t, "tcp")
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	a, err := NewArrivals(fd)
	if err != nil {
		t.Fatal(err)
	}
	accepting(t, fd, "clear")
	if isAsync(t, fd) {
		t.Error("the program did not clear O_ASYNC")
	}
	a.Since()
	visit(t, "tcp", address)
	if !seen(a) {
		t.Error("a client was missed after the look")
	}
	a.Close()
	a.Close()
	owner, err := unix.FcntlInt(uintptr(fd), unix.F_GETOWN, 0)
	if isAsync(t, fd) || owner != 0 || err != nil || a.Since() {
		t.Errorf("after the end: O_ASYNC %t, owner %d, %v", isAsync(t, fd), owner, err)
	}
	if _, err := NewArrivals(fd, 987654); !errors.Is(err, unix.EBADF) || isAsync(t, fd) {
		t.Errorf("a socket that is none: %v, O_ASYNC %t", err, isAsync(t, fd))
	}
}
