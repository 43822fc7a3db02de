package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests; it is reached only when something is broken.
const patience = 20 * time.Second

// The tests' own environment is no part of them.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SERVER_") || strings.HasPrefix(name, "LISTEN_") || strings.HasPrefix(name, "WATCHDOG_") ||
			slices.Contains([]string{"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM", "NO_COLOR"}, name) {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// set puts NAME=value entries into the environment until the end of the test, and returns them.
func set(t testing.TB, entries ...string) []string {
	t.Helper()
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	return entries
}

// output is what a command writes, readable while it does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// rouse runs a command that ends by itself.
func rouse(t testing.TB, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	set(t, env...)
	var out, errs output
	ended := make(chan int, 1)
	go func() { ended <- run(console{args, env, &out, &errs, false}) }()
	select {
	case code = <-ended:
	case <-time.After(patience):
		t.Fatalf("rouse %q does not end: %s", args, errs.String())
	}
	return code, out.String(), errs.String()
}

// expectWords checks that a text says what it must.
func expectWords(t testing.TB, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q does not say %q", what, text, want)
		}
	}
}

// A manager that sees the exit code knows whether a restart can help; a user who reads the line knows what to do.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const free = "--listen=tcp:127.0.0.1:0"
	for _, c := range []struct {
		name  string
		env   []string
		args  string
		code  int
		wants []string
	}{
		{"unknown option", nil, "serve --prot 80", exitUsage, []string{"--prot", "--port"}},
		{"unknown short option", nil, "serve -k", exitUsage, []string{"-k"}},
		{"unknown command", nil, "sockts", exitUsage, []string{`"sockts"`, "did you mean sockets?", "serve"}},
		{"a file instead of a folder", nil, "file", exitUsage, []string{`"file"`}},
		{"two folders", nil, "serve a b", exitUsage, []string{"one folder", "a b"}},
		{"folder twice", nil, "serve --root a b", exitUsage, []string{"--root a", "b"}},
		{"missing value", nil, "serve --port", exitUsage, []string{"--port"}},
		{"bad value by flag", nil, "serve --port x", exitUsage, []string{"--port", "x", "65535"}},
		{"bad value by variable", []string{"SERVER_PORT=x"}, "serve", exitConfig, []string{"SERVER_PORT=x", "65535"}},
		{"bad span by flag", nil, "serve --idle-exit soon", exitUsage, []string{"--idle-exit", "soon", "5m"}},
		{"bad span by variable", []string{"SERVER_IDLE_EXIT=soon"}, "serve", exitConfig, []string{"SERVER_IDLE_EXIT=soon", "5m"}},
		{"bad address by flag", nil, "serve --listen tpc:80", exitUsage, []string{"--listen", "tpc", "systemd"}},
		{"bad address by variable", []string{"SERVER_LISTEN=tpc:80"}, "serve", exitConfig, []string{"SERVER_LISTEN", "tpc"}},
		{"unknown role", nil, "serve --listen htps=tcp:80", exitUsage, []string{`"htps"`, "did you mean https?"}},
		{"HTTP/3", nil, "serve --listen h3=tcp:80", exitUsage, []string{"HTTP/3"}},
		{"no address", []string{"SERVER_LISTEN= ,"}, "serve", exitConfig, []string{"SERVER_LISTEN", "SOURCE:DETAIL"}},
		{"two ways to say it", nil, "serve --fd 3 --port 80", exitUsage, []string{"--fd", "--port"}},
		{"nothing passed", nil, "serve --listen systemd:web", exitConfig, []string{"systemd:web", "LISTEN_FDS"}},
		{"closed descriptor", nil, "serve --fd 999", exitConfig, []string{"fd:999", "not open"}},
		{"port in use", nil, "serve --listen tcp:" + taken.Addr().String(), exitFailed, []string{"port", "address already in use"}},
		{"no such root", nil, "serve " + free + " --root nowhere", exitConfig, []string{"root nowhere", "no such folder", "--root"}},
		{"root is a file", nil, "serve " + free + " --root file", exitConfig, []string{"root file", "not a folder"}},
		{"no certificate", nil, "serve --listen https=tcp:0.0.0.0:0 --root .", exitConfig, []string{"--tls-cert", "SERVER_TLS_CERT", "LoadCredential="}},
		{"certificate without key", nil, "serve " + free + " --tls-cert c.pem", exitUsage, []string{"--tls-cert", "--tls-key"}},
		{"certificate without key, by variable", []string{"SERVER_TLS_CERT=c.pem"}, "serve " + free, exitConfig, []string{"SERVER_TLS_CERT", "SERVER_TLS_KEY"}},
		{"no such certificate", nil, "serve " + free + " --tls-cert c.pem --tls-key k.pem", exitConfig, []string{"c.pem"}},
		{"redirect without TLS", nil, "serve --https-redirect", exitUsage, []string{"--https-redirect", "TLS"}},
		{"redirect without TLS, by variable", []string{"SERVER_HTTPS_REDIRECT=true"}, "serve", exitConfig, []string{"SERVER_HTTPS_REDIRECT", "TLS"}},
		{"http2 without certificate", nil, "serve --http2 " + free, exitUsage, []string{"--http2", "--tls-cert"}},
		{"sockets with a wrong option", nil, "sockets --prot", exitUsage, []string{"--prot"}},
		{"sockets with a closed descriptor", nil, "sockets --listen systemd:web", exitConfig, []string{"systemd:web"}},
		{"help", nil, "help", exitOK, nil},
		{"--help", nil, "--help", exitOK, nil},
		{"-h", nil, "-h", exitOK, nil},
		{"help of serve", nil, "serve --help", exitOK, nil},
		{"help of sockets", nil, "sockets -h", exitOK, nil},
		{"help beside options", nil, "serve --port 80 --help", exitOK, nil},
		{"version", nil, "version", exitOK, nil},
		{"--version", nil, "--version", exitOK, nil},
		{"-V", nil, "-V", exitOK, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := rouse(t, c.env, strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr)
			}
			if c.code == exitOK {
				if stderr != "" || stdout == "" {
					t.Errorf("wrote %q and, as an error, %q", stdout, stderr)
				}
				return
			}
			last := stderr[strings.LastIndex(strings.TrimSuffix(stderr, "\n"), "\n")+1:]
			if !strings.HasPrefix(last, "rouse: ") || !strings.HasSuffix(last, "\n") || stdout != "" {
				t.Errorf("wrote %q, and as an error %q", stdout, stderr)
			}
			expectWords(t, c.name, last, c.wants...)
		})
	}
}

// The error of a failed start is also what `systemctl status` shows, and one line whatever stands in it.
func TestFailureIsReported(t *testing.T) {
	path := filepath.Join(shortDir(t), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetReadDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", path)
	_, _, stderr := rouse(t, nil, "serve", "--port", "a\nb\x1b[31m")
	if strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "\x1b") {
		t.Errorf("the error is %q", stderr)
	}
	message := make([]byte, 1000)
	n, err := l.Read(message)
	if want := "STATUS=" + strings.TrimSuffix(strings.TrimPrefix(stderr, "rouse: "), "\n"); string(message[:n]) != want || err != nil {
		t.Errorf("the manager got %q, %v, want %q", message[:n], err, want)
	}
}

// inetd: is seen before the options are read, since their errors are lines that must not go to the client.
func TestWantsInetd(t *testing.T) {
	for _, c := range []struct {
		args     []string
		variable string
		want     bool
	}{
		{nil, "", false},
		{[]string{"serve", "--listen", "inetd:"}, "", true},
		{[]string{"--listen=https=inetd:"}, "", true},
		{nil, "fd:3,http=inetd:", true},
		{[]string{"--listen", "fd:0"}, "systemd:", false},
	} {
		if got := wantsInetd(c.args, c.variable); got != c.want {
			t.Errorf("%q, %q: %t", c.args, c.variable, got)
		}
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
