package dispatch

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// answering is a backend inside the test.
type answering struct {
	*registrant
	served atomic.Int64
}

// answer registers a backend that takes connections, and serves each.
func (s *scene) answer(name string, credit uint32, serve func(f received, c net.Conn)) *answering {
	s.t.Helper()
	return answerAt(s.t, s.desk, name, credit, serve)
}

func answerAt(t *testing.T, desk, name string, credit uint32, serve func(f received, c net.Conn)) *answering {
	t.Helper()
	r, err := register(desk, name, connections, credit)
	if err != nil {
		t.Fatal(err)
	}
	a := &answering{registrant: r}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			f, err := r.next()
			if err != nil {
				return
			}
			if f.kind != connectionFrame {
				continue
			}
			if err := r.accepted(1, f.id); err != nil {
				unix.Close(f.fd)
				return
			}
			all.Go(func() {
				c := connOf(f.fd)
				defer c.Close()
				c.SetDeadline(time.Now().Add(limit))
				serve(f, c)
				a.served.Add(1)
			})
		}
	})
	t.Cleanup(func() {
		unix.Shutdown(r.fd, unix.SHUT_RDWR)
		all.Wait()
		r.close()
	})
	return a
}

// answers registers backends that greet each client, as those of backend_linux_test.go do.
func (s *scene) answers(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.answer(name, 64, func(f received, c net.Conn) { greet(name, c) })
	}
}

// greet greets a client, and waits until it has closed: what it has sent and nobody read would reset it.
func greet(name string, c net.Conn) {
	fmt.Fprintf(c, "%s %s %s\n", name, c.RemoteAddr(), c.LocalAddr())
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, c)
}

// connOf makes a connection of a descriptor, which it closes.
func connOf(fd int) net.Conn {
	file := os.NewFile(uintptr(fd), "connection")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		panic(err) // it is no socket
	}
	return c
}

// fileOf is a duplicate as a file.
func fileOf(fd int) *os.File {
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(other), "socket")
}

// heldListener is a listening socket that stays in the test, as a service manager holds it, and its port.
func heldListener(t *testing.T) ([]*os.File, int) {
	t.Helper()
	file, address := program.ListenerAt(t, "tcp", "0.0.0.0:0")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return []*os.File{file}, number
}

// startServe starts `rouse serve` as a backend, in a network namespace of its own.
func startServe(t *testing.T, desk, name, folder string) *program.Process {
	t.Helper()
	return program.Start(t, program.Run{Through: []string{"unshare", "-n"}, Args: []string{"serve", "--listen", "http=dispatch:" + desk + "#" + name, folder}})
}
