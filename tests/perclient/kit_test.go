// Package perclient tests `rouse inetd` from outside: one process for each client, what it gets, and within which limits. Real
// servers of this kind serve real clients.
package perclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// patience is how long a test waits for what should take no time.
const patience = 20 * time.Second

// childVariable makes this test binary a program that rouse starts.
const childVariable = "PERCLIENT_TEST_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case "accept":
		err = acceptTwo(os.Stdin)
	case "datagram":
		err = answerDatagram(os.Stdin)
	}
	if err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
}

// acceptTwo serves two clients of a listener, which is blocking, and ends.
func acceptTwo(listener *os.File) error {
	for range 2 {
		fd, _, err := syscall.Accept(int(listener.Fd()))
		if err != nil {
			return err
		}
		_, err = syscall.Write(fd, fmt.Appendf(nil, "process %d\n", os.Getpid()))
		syscall.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// answerDatagram answers one datagram and ends.
func answerDatagram(socket *os.File) error {
	c, err := net.FilePacketConn(socket)
	if err != nil {
		return err
	}
	b := make([]byte, 1500)
	n, from, err := c.ReadFrom(b)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(append([]byte("got "), b[:n]...), from)
	return err
}

// inetd runs `rouse inetd` with sockets that a service manager passes.
func inetd(t *testing.T, files []*os.File, args ...string) *program.Process {
	t.Helper()
	return program.Start(t, program.Run{Args: append([]string{"inetd", "--log-level=debug", "--log-format=logfmt"}, args...), Files: files, Listen: true})
}

// service runs a script for each client of a listener, and returns the listener's address.
func service(t *testing.T, script string, options ...string) (address string, p *program.Process) {
	t.Helper()
	file, address := program.Listener(t)
	return address, inetd(t, []*os.File{file}, append(options, "--", "/bin/sh", "-c", script)...)
}

// dial connects, to a path by unix.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// ask returns all that a client gets that says this.
func ask(t *testing.T, address, text string) string {
	t.Helper()
	c := dial(t, address)
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return rest(t, c)
}

// rest reads to the end.
func rest(t *testing.T, c net.Conn) string {
	t.Helper()
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	return string(answer)
}

// expect reads exactly this.
func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("got %q, %v; want %q", b[:n], err, want)
	}
}

// resets holds that a client is turned away at once, and told so.
func resets(t *testing.T, address string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

// tool looks for a program that a test needs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	return path
}

// self is this test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
