package wake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// assignment is what a re-executed test binary shall become.
type assignment struct {
	Adapter, Path string
	Command       []string
	Sockets       int  // they are descriptors 4 and up, in reverse order; 3 is something else
	Copies        int  // of the last socket, so that their numbers reach those of the Go runtime
	Crowded       bool // the Go runtime has the low numbers, and the sockets high ones
	Shell         bool // as if a thread could have no descriptors of its own
}

const assigned = "WAKE_TEST_ASSIGNMENT"

// TestBecome is no test: it is the process that becomes another program.
func TestBecome(t *testing.T) {
	text, ok := os.LookupEnv(assigned)
	if !ok {
		return // runs re-executed by the tests of translate
	}
	var a assignment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	c := Config{Command: a.Command, Path: a.Path, Env: os.Environ(), Log: slog.New(slog.DiscardHandler)}
	for i := range a.Sockets {
		number := 3 + a.Sockets - i
		if a.Crowded {
			high, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, 50)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(number)
			number = high
		}
		info, err := platform.Describe(number)
		if err != nil {
			t.Fatal(err)
		}
		name := string(rune('a' + i))
		c.Sockets = append(c.Sockets, activation.Held{Name: name, Source: "systemd:" + name, Number: number, Kind: activation.Listener, Info: info, Passed: true})
	}
	for range a.Copies {
		c.Sockets = append(c.Sockets, c.Sockets[a.Sockets-1])
	}
	if a.Crowded {
		unix.Close(3)
		busy(t)
	}
	become := c.translate
	if a.Shell {
		become = c.becomeByShell
	}
	err := become(decision{mode: Translate, adapter: a.Adapter})
	fmt.Fprintln(os.Stderr, err)
	var failure NotStarted
	if errors.As(err, &failure) {
		os.Exit(failure.Status)
	}
	os.Exit(1)
}

// busy makes the runtime open what it waits by, and wait by it.
func busy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go l.Accept()
	for range 4 {
		go func() {
			for {
				time.Sleep(10 * time.Microsecond)
			}
		}()
	}
	time.Sleep(time.Millisecond)
}

func (c Config) becomeByShell(way decision) error {
	l, err := c.layout(way.adapter, identity{os.Getpid(), os.Getppid(), ""})
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	return c.become(l, func() error { return errors.ErrUnsupported })
}

// sight is what a program sees of what it was given.
type sight struct {
	PID         int
	Arguments   []string
	Environment []string       // what tells of sockets, and of the manager
	Sockets     map[int]string // their addresses
	Nonblocking []int
	Stray       bool // it inherited a pipe beyond standard error
}

// TestLook is no test: it is the program, and says on standard error what it sees.
func TestLook(t *testing.T) {
	if _, ok := os.LookupEnv(assigned); !ok {
		return // runs re-executed by the tests of translate
	}
	s := sight{PID: os.Getpid(), Arguments: os.Args, Sockets: map[int]string{}}
	for _, entry := range os.Environ() {
		if schemes := []string{"LISTEN_", "NGINX", "EINHORN_", "SERVER_STARTER_", "NOTIFY_"}; slices.ContainsFunc(schemes, func(scheme string) bool { return strings.HasPrefix(entry, scheme) }) {
			s.Environment = append(s.Environment, entry)
		}
	}
	for fd := range 100 {
		if info, err := platform.Describe(fd); err == nil {
			s.Sockets[fd] = info.Local
			if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
				s.Nonblocking = append(s.Nonblocking, fd)
			}
		}
		var st unix.Stat_t
		if fd > 2 && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			s.Stray = true
		}
	}
	json.NewEncoder(os.Stderr).Encode(s)
	os.Exit(0)
}

// passedListeners returns sockets on ports that the kernel chose, and their addresses.
func passedListeners(t *testing.T, count int) (files []*os.File, addresses []string) {
	t.Helper()
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		addresses = append(addresses, l.Addr().String())
	}
	return files, addresses
}

// begin starts a process with the assignment. It closes the files.
func begin(t *testing.T, a assignment, files []*os.File) (command *exec.Cmd, stderr io.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if a.Path == "" {
		a.Path = self
		a.Command = append([]string{"looker", "-test.run=^TestLook$"}, a.Command...)
	}
	a.Sockets = len(files)
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	stray, writing, err := os.Pipe() // a descriptor that nobody should inherit
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	slices.Reverse(files)
	command = exec.Command(self, "-test.run=^TestBecome$")
	command.Env = append(os.Environ(), assigned+"="+string(text), "NOTIFY_SOCKET=/run/n", "GORACE=atexit_sleep_ms=0")
	command.ExtraFiles = append([]*os.File{stray}, files...)
	pipe, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range command.ExtraFiles {
		f.Close()
	}
	limit := time.AfterFunc(time.Minute, func() { command.Process.Kill() })
	t.Cleanup(func() { limit.Stop() })
	return command, pipe
}

// look starts a process that becomes TestLook, and returns what that saw.
func look(t *testing.T, a assignment, sockets int) (s sight, pid int, addresses []string) {
	t.Helper()
	files, addresses := passedListeners(t, sockets)
	command, stderr := begin(t, a, files)
	output, _ := io.ReadAll(stderr)
	if err := command.Wait(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if err := json.Unmarshal(output, &s); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return s, command.Process.Pid, addresses
}

func (s sight) variable(name string) string {
	for _, entry := range s.Environment {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func TestTranslate(t *testing.T) {
	for _, way := range []string{"as it is", "crowded", "by shell"} {
		for _, adapter := range Adapters() {
			t.Run(way+"/"+adapter, func(t *testing.T) {
				a, sockets := assignment{Adapter: adapter, Crowded: way != "as it is", Shell: way == "by shell"}, 2
				numbers := []int{3, 4}
				switch adapter {
				case "argv":
					a.Command = []string{"{fd:b}", "{fd:a}", "{x}"}
				case "inetd":
					sockets, numbers = 1, []int{0, 1}
				}
				s, pid, addresses := look(t, a, sockets)
				if s.PID != pid {
					t.Errorf("pid %d, was %d", s.PID, pid)
				}
				if adapter == "inetd" {
					addresses = append(addresses, addresses[0])
				}
				if len(s.Sockets) != 2 || s.Sockets[numbers[0]] != addresses[0] || s.Sockets[numbers[1]] != addresses[1] {
					t.Errorf("sockets %v, want %v at %v", s.Sockets, addresses, numbers)
				}
				s.check(t, a, addresses)
			})
		}
	}
}

func (s sight) check(t *testing.T, a assignment, addresses []string) {
	t.Helper()
	if s.Stray {
		t.Error("a descriptor was inherited that is none of the sockets")
	}
	shell := a.Shell && a.Adapter != "inetd" // which overwrites nothing of the runtime's
	if name := s.Arguments[0]; name != "looker" && !shell || shell && !filepath.IsAbs(name) {
		t.Errorf("argv[0] is %q", name)
	}
	if s.variable("NOTIFY_SOCKET") != "/run/n" {
		t.Error("NOTIFY_SOCKET is gone")
	}
	variable, value := "", ""
	switch a.Adapter {
	case "systemd":
		variable, value = "LISTEN_PID", fmt.Sprint(s.PID)
	case "nginx":
		variable, value = "NGINX", "3;4;"
		if len(s.Nonblocking) != 2 {
			t.Errorf("nginx has to have its sockets non-blocking: %v", s.Nonblocking)
		}
	case "einhorn":
		variable, value = "EINHORN_MASTER_PID", fmt.Sprint(os.Getpid())
	case "server-starter":
		variable, value = "SERVER_STARTER_PORT", addresses[0]+"=3;"+addresses[1]+"=4"
	case "argv":
		if got := s.Arguments[2:]; !slices.Equal(got, []string{"4", "3", "{x}"}) {
			t.Errorf("arguments %q", got)
		}
	case "inetd":
		if len(s.Nonblocking) != 0 {
			t.Errorf("inetd's socket has to block: %v", s.Nonblocking)
		}
	}
	if variable != "" && s.variable(variable) != value {
		t.Errorf("%s is %q, want %q", variable, s.variable(variable), value)
	}
}

// The runtime's other threads must not see that the descriptors by which they wait are overwritten.
func TestTranslateOftenWhileBusy(t *testing.T) {
	for range 20 {
		s, pid, _ := look(t, assignment{Adapter: "systemd", Crowded: true, Copies: 10}, 2)
		if s.PID != pid || s.variable("LISTEN_FDS") != "12" || len(s.Sockets) != 12 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestTranslateNotStarted(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	files, _ := passedListeners(t, 1)
	command, stderr := begin(t, assignment{Adapter: "systemd", Crowded: true, Path: script, Command: []string{"script"}}, files)
	output, _ := io.ReadAll(stderr)
	command.Wait()
	if !strings.Contains(string(output), script+" is no program for this machine") || command.ProcessState.ExitCode() != 126 {
		t.Errorf("%s, %s", output, command.ProcessState)
	}
}

func TestTranslateNginx(t *testing.T) {
	nginx := installed(t, "nginx")
	folder := t.TempDir()
	files, addresses := passedListeners(t, 2)
	configuration := fmt.Sprintf(`worker_processes 1; pid %[1]s/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
server { listen %[2]s; listen %[3]s; location / { return 200 "$server_addr:$server_port $remote_addr"; } } }`, folder, addresses[0], addresses[1])
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	command, stderr := begin(t, assignment{Adapter: "nginx", Crowded: true, Path: nginx, Command: []string{"nginx", "-e", "stderr", "-c", file}}, files)
	go io.Copy(io.Discard, stderr)
	for _, address := range addresses {
		if got := askOnce(t, address); got != address+" 127.0.0.1" {
			t.Errorf("nginx at %s says %q", address, got)
		}
	}
	endWith(t, command, syscall.SIGQUIT)
}

func TestTranslatePython(t *testing.T) {
	python := installed(t, "python3")
	script := `import socket, sys
s = socket.socket(fileno=int(sys.argv[1]))
c, peer = s.accept()
c.recv(1000)
c.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + s.getsockname()[0].encode())
c.close()`
	files, addresses := passedListeners(t, 2)
	command, stderr := begin(t, assignment{Adapter: "argv", Path: python, Command: []string{"python3", "-c", script, "{fd:a}"}}, files)
	go io.Copy(os.Stderr, stderr)
	if got := askOnce(t, addresses[0]); got != "127.0.0.1" {
		t.Errorf("python says %q", got)
	}
	endWith(t, command, 0)
}

func TestTranslateSocketProxyd(t *testing.T) {
	const proxyd = "/lib/systemd/systemd-socket-proxyd"
	if _, err := os.Stat(proxyd); err != nil {
		t.Skip("no systemd-socket-proxyd here")
	}
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	go http.Serve(behind, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "behind") }))
	files, addresses := passedListeners(t, 2)
	command, stderr := begin(t, assignment{Adapter: "systemd", Crowded: true, Path: proxyd, Command: []string{"systemd-socket-proxyd", behind.Addr().String()}}, files)
	go io.Copy(os.Stderr, stderr)
	for _, address := range addresses {
		if got := askOnce(t, address); got != "behind" {
			t.Errorf("proxyd at %s says %q", address, got)
		}
	}
	endWith(t, command, syscall.SIGTERM)
}

func installed(t *testing.T, name string) string {
	t.Helper()
	if unpacked := filepath.Join(os.Getenv("ROUSE_TEST_SERVERS"), "usr/sbin", name); filepath.IsAbs(unpacked) {
		if _, err := os.Stat(unpacked); err == nil {
			return unpacked
		}
	}
	path, err := Resolve(name)
	if err != nil {
		t.Skip("no ", name, " here")
	}
	return path
}

// askOnce asks once: the listener is there already, so a client waits until the program answers.
func askOnce(t *testing.T, address string) string {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func endWith(t *testing.T, command *exec.Cmd, stop syscall.Signal) {
	t.Helper()
	if stop != 0 {
		command.Process.Signal(stop)
	}
	err := command.Wait()
	if status := command.ProcessState.Sys().(syscall.WaitStatus); err != nil && (!status.Signaled() || status.Signal() != stop) {
		t.Error(err)
	}
}
