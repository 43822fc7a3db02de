package activation

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests; it is reached only when something is broken.
const patience = 20 * time.Second

// passed returns the number of a duplicate of the socket, blocking and without close-on-exec, as activators pass it. What
// is still open under that number at the end of the test is closed.
func passed(t testing.TB, socket syscall.Conn) int {
	t.Helper()
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if controlled := raw.Control(func(original uintptr) { fd, err = unix.FcntlInt(original, unix.F_DUPFD, 3) }); controlled != nil || err != nil {
		t.Fatal(controlled, err)
	}
	return given(t, fd)
}

// given makes a descriptor what a test is given: without close-on-exec, and closed at the end if nothing else has done so.
func given(t testing.TB, fd int) int {
	t.Helper()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	var before unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var now unix.Stat_t
		if unix.Fstat(fd, &now) == nil && now.Ino == before.Ino && now.Dev == before.Dev {
			unix.Close(fd)
		}
	})
	return fd
}

// raw returns a new socket that nothing was done with.
func raw(t testing.TB, domain, kind, protocol int) int {
	t.Helper()
	fd, err := unix.Socket(domain, kind, protocol)
	if err != nil {
		t.Skipf("socket(%d, %d, %d): %v", domain, kind, protocol, err)
	}
	return given(t, fd)
}

// listen returns a listener that is closed at the end of the test.
func listen(t testing.TB, network, where string) net.Listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), network, where)
	if err != nil {
		t.Skipf("cannot listen on %s %s: %v", network, where, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// ends returns both ends of a new connection to the listener; the client's is closed at the end of the test.
func ends(t testing.TB, l net.Listener) (server, client net.Conn) {
	t.Helper()
	client, err := net.DialTimeout(l.Addr().Network(), l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetDeadline(time.Now().Add(patience))
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// connection returns the server's end of a connection to the listener as a passed descriptor, and the client's.
func connection(t testing.TB, l net.Listener) (int, net.Conn) {
	t.Helper()
	server, client := ends(t, l)
	defer server.Close()
	return passed(t, server.(syscall.Conn)), client
}

// opener is one that was given nothing.
func opener() *Opener {
	return &Opener{
		Store:    &Store{kept: map[string]func(){}},
		launchd:  func(string) ([]int, error) { return nil, syscall.ESRCH },
		stdin:    -1,
		taken:    map[int]bool{},
		launched: map[string][]Descriptor{},
	}
}

// shortDir is a temporary folder whose path leaves room for a name: unix socket paths are short (unix(7)).
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// openSockets counts the sockets that this process holds.
func openSockets(t testing.TB) int {
	t.Helper()
	count := 0
	for fd := range 1024 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			count++
		}
	}
	return count
}

// closeOnExec tells whether a child process would not get the listener's or the connection's descriptor.
func closeOnExec(t testing.TB, socket any) bool {
	t.Helper()
	raw, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	raw.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.FD_CLOEXEC != 0
}

// talk sends a word over a connection to the listener and expects its echo.
func talk(t testing.TB, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := (&net.Dialer{}).DialContext(ctx, l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(patience))
	echoed := make(chan error, 1)
	go func() {
		server, err := l.Accept()
		if err == nil {
			_, err = io.CopyN(server, server, 5)
			server.Close()
		}
		echoed <- err
	}()
	fmt.Fprint(client, "knock")
	answer, err := io.ReadAll(client)
	if string(answer) != "knock" || err != nil {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	if err := <-echoed; err != nil {
		t.Error(err)
	}
}

// expectError checks that an error says what it must, on one line.
func expectError(t testing.TB, what string, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q does not say %q", what, err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error has several lines: %q", what, err)
	}
}
