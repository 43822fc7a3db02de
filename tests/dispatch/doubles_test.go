// Package dispatch tests `rouse dispatch` and `rouse inetd` from outside: with doubles of the programs that they have to get
// along with, with real servers behind them, and with clients that count what is lost.
package dispatch

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// limit bounds every wait of these tests; it is reached only when something is broken.
const limit = 30 * time.Second

// The doubles of socketbox's programs are written from the description of its protocols, and complain of every byte that is
// not as the original has it.
const (
	theirs  = "testdata/socketbox.py"
	dgrams  = "../../activation/handoff/testdata" // receiver.py and sender.py, which the package's own tests use too
	doubled = 128                                 // clients at once; the original loses nearly all above 12
)

// double starts a double of the original.
func double(t *testing.T, files []*os.File, script string, arguments ...string) *program.Process {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the double of the original needs python3: ", err)
	}
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	return program.Start(t, program.Run{Binary: python, Args: append([]string{"-u", path}, arguments...), Files: files})
}

// noComplaints fails the test if a double has said other than these lines. Its clients may be served before what it said of
// itself has come through the pipe.
func noComplaints(t *testing.T, p *program.Process, lines ...string) {
	t.Helper()
	want := ""
	for _, line := range lines {
		want += line + "\n"
		p.Stdout.WaitFor("(?m)^"+regexp.QuoteMeta(line)+"$", limit)
	}
	if said := p.Stdout.String(); said != want || p.Stderr.String() != "" {
		t.Errorf("the double says %q, %q", said, p.Stderr)
	}
}

// dispatcher starts `rouse dispatch` with one listener, which the double of a client connects to, and one backend.
func dispatcher(t *testing.T, dir, backend string, more ...*os.File) (address string, p *program.Process) {
	t.Helper()
	front, address := program.Listener(t)
	rules := filepath.Join(dir, "rules.toml")
	text := fmt.Sprintf("socket = %q\nfallback = \"old\"\n[listeners.web]\naddress = \"fd:3\"\n[backends.old]\n%s\n", filepath.Join(dir, "desk"), backend)
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return address, program.Start(t, program.Run{
		Args:  []string{"dispatch", "--config", rules, "--engine=hand-over", "--pin=no"},
		Files: append([]*os.File{front}, more...),
	})
}

// inetd starts `rouse inetd` on the address, with a program that answers one byte.
func inetd(t *testing.T, address string, files ...*os.File) *program.Process {
	t.Helper()
	return program.Start(t, program.Run{Args: []string{"inetd", "--max-instances=8", "--listen", address, "--", "/bin/sh", "-c", "printf x"}, Files: files})
}

// crowd connects many clients at once, and returns what waits until each has got its answer, and checks it.
func crowd(t *testing.T, address string, count int, want func(c net.Conn) string) (served func()) {
	t.Helper()
	var group sync.WaitGroup
	for range count {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(limit))
		group.Go(func() {
			if b, err := io.ReadAll(c); err != nil || string(b) != want(c) {
				t.Errorf("a client read %q, %v", b, err)
			}
		})
	}
	return group.Wait
}

func oneByte(net.Conn) string { return "x" }

func bothAddresses(c net.Conn) string {
	return fmt.Sprintf("peer=%s local=%s\n", c.LocalAddr(), c.RemoteAddr())
}

// awaitPath waits until the socket is there, and may be sent to.
func awaitPath(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if info, err := os.Lstat(path); err == nil && info.Mode() == fs.ModeSocket|0o660 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody binds %s", path)
		}
	}
}

// unixPair returns both ends of a pair.
func unixPair(t *testing.T, kind int) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
	if err != nil {
		t.Skip("no such pair of unix sockets here: ", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	a, b = os.NewFile(uintptr(fds[0]), "pair"), os.NewFile(uintptr(fds[1]), "pair")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Without this socketbox-inetd behind `rouse dispatch` would lose what it loses behind the original.
func TestOriginalInetd(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	path := filepath.Join(dir, "old")
	address, p := dispatcher(t, dir, fmt.Sprintf("handoff = %q", path))
	served := crowd(t, address, doubled, oneByte) // they wait for it
	d := double(t, nil, dgrams+"/receiver.py", path, "2")
	served()
	noComplaints(t, d, "ready")
	stopped(t, p)
}

// Without this a server under the preload library would get other connections, or see other addresses.
func TestOriginalPreload(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	path := filepath.Join(dir, "old")
	d := double(t, nil, theirs, "preload", path)
	d.Stdout.WaitFor("ready", limit)
	address, p := dispatcher(t, dir, fmt.Sprintf("handoff = %q", path))
	crowd(t, address, doubled, bothAddresses)()
	noComplaints(t, d, "ready")
	stopped(t, p)
}

// Without this what socketbox-relay is in front of would not be reached.
func TestOriginalRelay(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	path := filepath.Join(dir, "old")
	behind, target := program.Listener(t)
	server, err := net.FileListener(behind)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for c, err := server.Accept(); err == nil; c, err = server.Accept() {
			c.Write([]byte("x"))
			c.Close()
		}
	}()
	d := double(t, nil, theirs, "relay", path, target[strings.LastIndex(target, ":")+1:])
	d.Stdout.WaitFor("ready", limit)
	address, p := dispatcher(t, dir, fmt.Sprintf("handoff = %q", path))
	crowd(t, address, 20, oneByte)()
	noComplaints(t, d, "ready")
	stopped(t, p)
}

// Without this socketbox-inetd-p, and `socketbox -P`, could not register.
func TestOriginalRegisters(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	address, p := dispatcher(t, dir, "slot = 16909060") // 01 02 03 04: any other order of bytes is another slot
	served := crowd(t, address, doubled, bothAddresses)
	desk := filepath.Join(dir, "desk")
	awaitSocket(t, desk)
	d := double(t, nil, theirs, "inetd-p", desk, "16909060")
	d.Stdout.WaitFor("registered", limit)
	served()
	wrong := double(t, nil, theirs, "inetd-p", desk, "67305985")
	wrong.Stdout.WaitFor("refused: b''", limit)
	crowd(t, address, 10, bothAddresses)()
	d.Signal(unix.SIGKILL)
	d.Wait(limit)
	served = crowd(t, address, 10, bothAddresses) // they wait for the next one
	after := double(t, nil, theirs, "inetd-p", desk, "16909060")
	served()
	noComplaints(t, d, "registered")
	noComplaints(t, after, "registered")
	stopped(t, p)
}

// awaitSocket waits until a socket of any mode is there.
func awaitSocket(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket && info.Mode().Perm() != 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody binds %s", path)
		}
	}
}

// Without this rules that jump to an inherited descriptor would reach nobody.
func TestOriginalCarried(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]int{"seqpacket": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, other := unixPair(t, kind)
			d := double(t, []*os.File{other}, theirs, "carried")
			other.Close()
			address, p := dispatcher(t, program.ShortDir(t), `handoff = "fd:4"`, ours)
			ours.Close()
			crowd(t, address, doubled, bothAddresses)()
			stopped(t, p)
			d.Stdout.WaitFor("end\n", limit)
			noComplaints(t, d, "ready", "end")
		})
	}
}

// Without this `rouse inetd` behind socketbox would lose connections, as socketbox does not wait for it.
func TestInetdBehindOriginal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "s")
	p := inetd(t, "handoff:"+path)
	awaitPath(t, path)
	front, address := program.Listener(t)
	served := crowd(t, address, doubled, oneByte)
	d := double(t, []*os.File{front}, dgrams+"/sender.py", path, fmt.Sprint(doubled))
	d.Stdout.WaitFor("lost 0\n", limit)
	served()
	stopped(t, p)
}

// Without this `rouse serve` behind socketbox would not be the server that it is elsewhere.
func TestServeBehindOriginal(t *testing.T) {
	t.Parallel()
	dir, path := t.TempDir(), filepath.Join(program.ShortDir(t), "s")
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{Args: []string{"serve", "--listen", "handoff:" + path, dir}})
	awaitPath(t, path)
	front, address := program.Listener(t)
	double(t, []*os.File{front}, dgrams+"/sender.py", path, "20")
	for range 20 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(limit))
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "\r\n\r\nhello") {
			t.Fatalf("%q, %v", b, err)
		}
	}
	stopped(t, p)
}

// Without this `rouse inetd` could not be registered at python-socketbox.
func TestInetdBehindOriginalDesk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "desk")
	front, address := program.Listener(t)
	d := double(t, []*os.File{front}, theirs, "desk", path, "16909060")
	p := inetd(t, "dispatch:"+path+"#16909060?protocol=socketbox")
	d.Stdout.WaitFor("registered", limit)
	crowd(t, address, doubled, oneByte)()
	stopped(t, p)
	d.Stdout.WaitFor("gone\n", limit)
	noComplaints(t, d, "ready", "registered", "gone")
}

// Without this `socketbox -i` could not feed `rouse inetd`.
func TestInetdBehindOriginalCarrier(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]int{"seqpacket": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM, "datagram": unix.SOCK_DGRAM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, other := unixPair(t, kind)
			p := inetd(t, "fd:3?channel", ours)
			ours.Close()
			front, address := program.Listener(t)
			served := crowd(t, address, doubled, oneByte)
			d := double(t, []*os.File{front, other}, theirs, "carrier")
			served()
			noComplaints(t, d)
			stopped(t, p)
		})
	}
}

// stopped ends a program, which has to end well.
func stopped(t *testing.T, p *program.Process) {
	t.Helper()
	if state := p.Stop(); state != nil && !state.Success() {
		t.Errorf("it ended with %v", state)
	}
}
