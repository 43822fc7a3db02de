package program

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const limit = 10 * time.Second

// shell runs a script in place of rouse.
func shell(script string) Run { return Run{Binary: "/bin/sh", Args: []string{"-c", script}} }

func TestStartPassesExactlyWhatIsNamed(t *testing.T) {
	t.Setenv("LISTEN_FDS", "7") // what the test itself was started with stays outside
	run := shell(`env; pwd; read line; echo "read $line" >&2; exit 3`)
	run.Env, run.Dir = []string{"SERVER_ROOT=/srv"}, t.TempDir()
	stdin, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	run.Stdin = stdin
	p := Start(t, run)
	stdin.Close()
	fmt.Fprintln(input, "hello")
	input.Close()

	if code := p.Wait(limit).ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if got := p.Stderr.String(); got != "read hello\n" {
		t.Errorf("stderr %q", got)
	}
	out := p.Stdout.String()
	for _, want := range []string{"SERVER_ROOT=/srv\n", "PATH=", "HOME=", run.Dir + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "LISTEN_") {
		t.Errorf("LISTEN_ variables leaked into\n%s", out)
	}
}

func TestListenSetsWhatSystemdSets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/PID/fd")
	}
	tcp, _ := Listener(t)
	unix, path := UnixListener(t)
	run := shell(`echo "$LISTEN_PID=$$ $LISTEN_FDS $LISTEN_FDNAMES"; readlink /proc/$$/fd/3 /proc/$$/fd/4; echo end; exec sleep 60`)
	run.Files, run.Listen, run.Names = []*os.File{tcp, unix}, true, []string{"web", "local"}
	p := Start(t, run)
	match := p.Stdout.WaitFor(`(\d+)=(\d+) 2 web:local\nsocket:\S+\nsocket:\S+\nend\n`, limit)
	if match[1] != match[2] || match[1] != fmt.Sprint(p.Pid) {
		t.Errorf("LISTEN_PID %s, process %s, Pid %d", match[1], match[2], p.Pid)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the listener is gone with the test's own copy: %v", err)
	}
	conn.Close()
}

func TestStopAndWait(t *testing.T) {
	p := Start(t, shell(`trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done`))
	p.Stdout.WaitFor("ready", limit)
	if code := p.Stop().ExitCode(); code != 5 {
		t.Errorf("exit code %d, want the trap's 5", code)
	}
	<-p.Ended()
	if code := p.Stop().ExitCode(); code != 5 {
		t.Errorf("a second Stop returns %d", code)
	}

	p = Start(t, shell("exec sleep 60"))
	p.Signal(syscall.SIGINT)
	if got := p.Wait(limit).Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGINT {
		t.Errorf("ended by %v", got)
	}
}

func TestCleanupEndsWhatAWrapperStarted(t *testing.T) {
	var child int
	t.Run("inner", func(t *testing.T) {
		run := shell(`sleep 60 & echo "child $!"; wait`)
		run.Through = []string{"env", "A=b"}
		match := Start(t, run).Stdout.WaitFor(`child (\d+)`, limit)
		fmt.Sscan(match[1], &child)
	})
	// The child was killed with its group; as an orphan it stays a zombie until init reaps it.
	for deadline := time.Now().Add(limit); ; {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("child %d still runs: %s", child, status)
		}
		runtime.Gosched()
	}
}

// failing records Fatalf and ends the goroutine as the real one does.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWaitForSaysWhyItFailed(t *testing.T) {
	wait := func(ended chan struct{}, limit time.Duration) string {
		f := &failing{TB: t}
		output := newOutput(f, ended)
		fmt.Fprint(output, "one")
		done := make(chan struct{})
		go func() {
			defer close(done)
			output.WaitFor("two", limit)
		}()
		<-done
		return f.message
	}
	if got := wait(make(chan struct{}), time.Millisecond); !strings.Contains(got, "within 1ms") {
		t.Errorf("at the limit: %q", got)
	}
	ended := make(chan struct{})
	close(ended)
	if got := wait(ended, limit); !strings.Contains(got, "ended without") {
		t.Errorf("after the end: %q", got)
	}
}

func TestClientsSpeakOneProtocolEach(t *testing.T) {
	certFile, keyFile, pool := KeyPair(t, t.TempDir())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	tcp, address := Listener(t)
	secure, err := net.FileListener(tcp)
	if err != nil {
		t.Fatal(err)
	}
	file, path := UnixListener(t)
	local, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	go server.Config.ServeTLS(secure, certFile, keyFile)
	go server.Config.Serve(local)
	t.Cleanup(func() { server.Config.Close() })

	remote, near := Client(t, pool), ClientTo(t, pool, DialUnix(path))
	for _, c := range []struct {
		client *http.Client
		url    string
		want   string
	}{
		{remote.HTTP1, "https://" + address, "HTTP/1.1"},
		{remote.HTTP2, "https://" + address, "HTTP/2.0"},
		{near.HTTP1, "http://localhost", "HTTP/1.1"},
		{near.H2C, "http://localhost", "HTTP/2.0"},
	} {
		response, err := c.client.Get(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		response.Body.Close()
		if response.Proto != c.want {
			t.Errorf("%s: %s, want %s", c.url, response.Proto, c.want)
		}
	}
}

func TestSocketsAreWhatTheySay(t *testing.T) {
	server, client := ConnectionPair(t)
	fmt.Fprintln(client, "ping")
	buffer := make([]byte, 5)
	if _, err := server.Read(buffer); err != nil || string(buffer) != "ping\n" {
		t.Errorf("read %q, %v", buffer, err)
	}
	packet, address := PacketConn(t)
	if kind, err := syscall.GetsockoptInt(int(packet.Fd()), syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil || kind != syscall.SOCK_DGRAM {
		t.Errorf("socket type of %s: %d, %v", address, kind, err)
	}
	if dir := ShortDir(t); len(filepath.Join(dir, "socket")) > 100 {
		t.Errorf("long: %s", dir)
	}
}
