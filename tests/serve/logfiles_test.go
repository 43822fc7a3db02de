package serve

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Without this fail2ban, GoAccess and their like could not read who asked for what, or a client could write lines of its own.
func TestAccessLogFile(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	file := filepath.Join(t.TempDir(), "new", "access.log")
	p := a.start("--access-log", file, "--access-log-format", "combined")
	get := func(path string) {
		c := dial(t, a.http)
		c.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curious \"x\\\r\nReferer: http://\xff/\r\n\r\n")
		c.reply()
		c.Close()
	}
	get("/?q=1")
	get("/a%0a\"b")
	const one = `127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET `
	const two = ` "http://\\xff/" "curious \\"x\\\\"\n`
	await(t, file, `^`+one+`/\?q=1 HTTP/1\.1" 200 44`+two+one+`/a%0a\\"b HTTP/1\.1" 404 [1-9]\d*`+two+`$`)

	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGUSR1)
	await(t, file, `^$`)
	get("/?q=2")
	await(t, file, `^`+one+`/\?q=2 `)
	exit(t, endOf(p), 0)
	if n := strings.Count(string(must[[]byte](t)(os.ReadFile(file+".1"))), "\n"); n != 2 {
		t.Errorf("%d lines in the file that was moved away", n)
	}
	if strings.Contains(p.Stderr.String(), "GET") {
		t.Errorf("requests elsewhere too:\n%s", p.Stderr.String())
	}
}

// await waits until the file matches the pattern.
func await(t testing.TB, file, pattern string) {
	t.Helper()
	var text []byte
	until(t, file+" says "+pattern, func() bool {
		var err error
		text, err = os.ReadFile(file)
		return err == nil && regexp.MustCompile(pattern).Match(text)
	})
}

// Without this a service without journal would keep no log, or one that cannot be rotated.
func TestLogFile(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	file := filepath.Join(t.TempDir(), "log")
	p := a.start("--log-file", file, "--log-level", "info", "--log-format", "json")
	dial(t, a.http).get("/")
	await(t, file, `"msg":"serving (?s:.*)"msg":"request".*"status":200`)
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	await(t, file, `"msg":"reloaded`)
	dial(t, a.http).get("/absent")
	await(t, file, `"status":404`)
	exit(t, endOf(p), 0)
	files := string(must[[]byte](t)(os.ReadFile(file+".1"))) + string(must[[]byte](t)(os.ReadFile(file)))
	if files != p.Stderr.String() {
		t.Errorf("the files:\n%s\nstandard error:\n%s", files, p.Stderr.String())
	}
}

// Without this a wrong path would be noticed when the log is needed.
func TestUnusableLogFile(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	for _, option := range []string{"--log-file", "--access-log"} {
		p := a.start(option, a.root)
		exit(t, p, 78)
		if want := "rouse: " + option + " " + a.root + ": this file cannot be written to (is a directory): change that, or name another\n"; p.Stderr.String() != want {
			t.Errorf("%q, want %q", p.Stderr.String(), want)
		}
	}
}

// Without this a full disk would take the site down with it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	a := newActivator(t)
	p := a.start("--access-log", "/dev/full")
	for range 3 {
		if reply, _ := dial(t, a.http).get("/"); reply.StatusCode != 200 {
			t.Errorf("%s", reply.Status)
		}
	}
	p.Stderr.WaitFor(`lines of the log file are lost; requests go on file=/dev/full err="no space left on device"\n`, limit)
	exit(t, endOf(p), 0)
	if n := strings.Count(p.Stderr.String(), "are lost"); n != 1 {
		t.Errorf("told %d times:\n%s", n, p.Stderr.String())
	}
}

// Without this the log would name the proxy for all clients, or whoever a client claims to be.
func TestClientsBehindProxies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trusted, want string
	}{
		{"127.0.0.0/8", `remote_addr=203\.0\.113\.9 proxy=127\.0\.0\.1 method=GET .* real_remote_ip=203\.0\.113\.9\n`},
		{"10.0.0.0/8,::1", `remote_addr=127\.0\.0\.1 method=GET uri=/ status=200 bytes=44 duration=\S+ protocol=HTTP/1\.1 host=localhost\n`},
		{"", `remote_addr=127\.0\.0\.1 method=GET .* x_real_ip=198\.51\.100\.2 real_remote_ip=198\.51\.100\.1\n`},
	} {
		a := newActivator(t)
		a.env = []string{"SERVER_TRUSTED_PROXIES=" + c.trusted, "SERVER_LOG_FORWARDED_FOR=true", "SERVER_LOG_X_REAL_IP=true"}
		p := a.start("--log-level", "info", "--log-format", "logfmt")
		conn := dial(t, a.http)
		conn.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.9\r\nX-Real-IP: 198.51.100.2\r\n\r\n")
		conn.reply()
		p.Stderr.WaitFor(`msg=request `+c.want, limit)
	}
}
