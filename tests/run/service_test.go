// Package run shows from outside what `rouse run` promises: the built program, on sockets that the test holds as systemd
// would, and little servers (child, foreign) with the habits of real ones.
package run

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// folder holds the programs of this package, where every user may execute them.
var folder string

// TestMain lets more tests run at once than there are processors: most of them wait for something.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		flag.Set("test.parallel", "6")
	}
	var err error
	if folder, err = os.MkdirTemp("", "rouse-run-"); err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// long tells whether the longer drills were asked for.
func long() bool { return os.Getenv("ROUSE_LONG") == "run" }

// build builds a program of this package in the user's cache folder, so that the go command links it again only after a
// change, and returns its path in folder.
func build(name string, env ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "rouse-tests", fmt.Sprintf("run-%s-%x", name, sha256.Sum256([]byte(here)))[:24])
	command := exec.Command("go", "build", "-trimpath", "-o", path, "./"+name)
	command.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./%s: %w\n%s", name, err, out)
	}
	return public(path, name)
}

// public copies a program into folder. Another process does it: what starts meanwhile would inherit the open file for a
// moment, and nobody could execute it (ETXTBSY of execve(2)).
func public(from, name string) (string, error) {
	to := filepath.Join(folder, name)
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy %s: %w\n%s", from, err, out)
	}
	return to, os.Chmod(to, 0o755)
}

var (
	buildChild   = sync.OnceValues(func() (string, error) { return build("child") })
	copyRouse    = sync.OnceValues(func() (string, error) { return public(os.Getenv("ROUSE_BINARY"), "rouse") })
	buildForeign = sync.OnceValues(func() (string, error) { return build("foreign", "GOARCH=386") })
)

// child is the path of the server with habits.
func child(t testing.TB) string { return must(t)(buildChild()) }

// foreign is the path of a server for 32-bit processors.
func foreign(t testing.TB) string {
	t.Helper()
	if out, err := exec.Command("go", "env", "GOOS", "GOARCH").Output(); err != nil || string(out) != "linux\namd64\n" {
		t.Skip("32-bit programs beside 64-bit ones are looked at on linux/amd64")
	}
	return must(t)(buildForeign())
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// service is sockets that are held for a server, as a manager holds them, and how rouse is started on them.
type service struct {
	t       testing.TB
	files   []*os.File
	names   []string
	address string // of the first socket
	other   string // where nobody listens: what the server is told to bind
	port    string // of other
	env     []string
	through []string // a command that starts rouse
	dir     string
	stdin   *os.File
}

// newService returns a service with one TCP socket, named web.
func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t}
	s.address = s.hold("web", "127.0.0.1:0")
	s.other = unused(t)
	_, s.port, _ = net.SplitHostPort(s.other)
	return s
}

// hold adds a TCP socket.
func (s *service) hold(name, address string) string {
	s.t.Helper()
	file, at := program.ListenerAt(s.t, "tcp", address)
	s.files, s.names = append(s.files, file), append(s.names, name)
	return at
}

// holdPackets adds a UDP socket.
func (s *service) holdPackets(name string) string {
	s.t.Helper()
	file, at := program.PacketConn(s.t)
	s.files, s.names = append(s.files, file), append(s.names, name)
	return at
}

// unused is an address of 127.0.0.1 where nobody listens. Until the test ends it is not given to anybody else who wants
// some port, and whoever asks for it with SO_REUSEADDR can have it.
func unused(t testing.TB) string {
	t.Helper()
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	)
	name, nameError := syscall.Getsockname(fd)
	at, ok := name.(*syscall.SockaddrInet4)
	if err = errors.Join(err, nameError); err != nil || !ok {
		t.Fatalf("an unused port: %v", err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String()
}

// run starts rouse run with these options (words in one string) on child with these arguments.
func (s *service) run(options string, arguments ...string) *program.Process {
	s.t.Helper()
	return s.runProgram(options, append([]string{child(s.t)}, arguments...)...)
}

// runProgram is run with another program.
func (s *service) runProgram(options string, command ...string) *program.Process {
	s.t.Helper()
	arguments := append(append([]string{"run"}, strings.Fields(options)...), "--")
	return program.Start(s.t, program.Run{
		Args: append(arguments, command...), Env: s.env, Through: s.through, Dir: s.dir, Stdin: s.stdin,
		Binary: binary(s.t), Files: s.files, Listen: len(s.files) > 0, Names: s.names,
	})
}

// ask sends a request to the first socket, on a connection of its own, and returns the reply.
func (s *service) ask(path string) string {
	s.t.Helper()
	return ask(s.t, s.address, path)
}

func ask(t testing.TB, address, path string) string {
	t.Helper()
	return dial(t, address).send(path).reply()
}

// conn is a connection to a server.
type conn struct {
	net.Conn
	t testing.TB
}

func dial(t testing.TB, address string) conn {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, address, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return conn{c, t}
}

// send sends a request after which the server closes the connection.
func (c conn) send(path string) conn {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// reply returns the body, and closes the connection.
func (c conn) reply() string {
	c.t.Helper()
	defer c.Close()
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		c.t.Fatalf("no reply: %v", err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		c.t.Errorf("%s: %q, %v", reply.Status, text, err)
	}
	return string(text)
}

// end waits until the server has closed the connection, and closes it too.
func (c conn) end() {
	io.Copy(io.Discard, c)
	c.Close()
}

// pid asks which process answers.
func (s *service) pid() int {
	s.t.Helper()
	return field(s.t, s.ask("/"), "pid")
}

// field is the number behind NAME= in a reply of child.
func field(t testing.TB, text, name string) int {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Errorf("%s in %q: %v", name, text, err)
			}
			return n
		}
	}
	t.Errorf("no %s in %q", name, text)
	return 0
}

// nobodyAt fails the test when somebody listens at a TCP address.
func nobodyAt(t testing.TB, address string) {
	t.Helper()
	if c, err := net.DialTimeout("tcp", address, limit); err == nil {
		c.Close()
		t.Errorf("somebody listens on %s", address)
	}
}

// runs tells whether a process is there, and no zombie without threads: as long as one is left its files are open.
func runs(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(threads) > 1 || !strings.Contains(string(state), ") Z ")
}

// gone waits until a process has ended.
func gone(t testing.TB, pid int) {
	t.Helper()
	until(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !runs(pid) })
}

// until waits until condition holds, and fails the test when it does not within the limit.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// exit waits until the program has ended and checks its exit code.
func exit(t testing.TB, p *program.Process, want int) {
	t.Helper()
	if got := p.Wait(limit).ExitCode(); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

// stop ends rouse as a manager does, and expects it to end well, and before --stop-timeout.
func stop(t testing.TB, p *program.Process) {
	t.Helper()
	begun := time.Now()
	if state := p.Stop(); state.ExitCode() != 0 {
		t.Errorf("ended with %v after SIGTERM", state)
	}
	if took := time.Since(begun); took > 9*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// says fails the test when text lacks one of the words.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("no %q in\n%s", word, text)
		}
	}
}

// silent fails the test when text has one of the words.
func silent(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("%q in\n%s", word, text)
		}
	}
}

// manager is the receiving end of sd_notify(3), as systemd has it.
type manager struct {
	t      testing.TB
	socket *net.UnixConn
}

// notified gives the service a manager that is told of its state.
func (s *service) notified() *manager {
	s.t.Helper()
	path := filepath.Join(program.ShortDir(s.t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { socket.Close() })
	s.env = append(s.env, "NOTIFY_SOCKET="+path)
	return &manager{s.t, socket}
}

// next returns the next message; ok is false when none comes within the time.
func (m *manager) next(within time.Duration) (message string, ok bool) {
	m.t.Helper()
	m.socket.SetReadDeadline(time.Now().Add(within))
	buffer := make([]byte, 8192)
	n, err := m.socket.Read(buffer)
	return string(buffer[:n]), err == nil
}

// wait returns the first message from now on that matches.
func (m *manager) wait(pattern string) string {
	m.t.Helper()
	expression := regexp.MustCompile(pattern)
	var seen []string
	for deadline := time.Now().Add(limit); ; {
		message, ok := m.next(time.Until(deadline))
		switch {
		case !ok:
			m.t.Fatalf("no message %q within %v, only %q", pattern, limit, seen)
		case expression.MatchString(message):
			return message
		}
		seen = append(seen, message)
	}
}

// oneLine fails the test when the program has not said one line, which begins with its name and has these words.
func oneLine(t testing.TB, p *program.Process, words ...string) {
	t.Helper()
	text := p.Stderr.String()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "rouse: ") {
		t.Errorf("not one line of rouse:\n%s", text)
	}
	says(t, text, words...)
}

// portOf is the port of host:port.
func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	return must(t)(port, err)
}
