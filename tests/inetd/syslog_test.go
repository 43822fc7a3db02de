package inetd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Where inetd's socket is standard error too, syslog is where an administrator reads why a site does not work.
func TestLogGoesToSyslog(t *testing.T) {
	t.Parallel()
	through, log := ownSyslog(t)
	for _, c := range []struct{ root, want string }{ // priorities are facility*8+level; daemon is 3 (RFC 5424 §6.2.1)
		{site(t), `^<30>.* rouse\[\d+\]: GET 200 / `},
		{filepath.Join(t.TempDir(), "missing"), `^<27>.* rouse\[\d+\]: .*root .*missing: there is no such folder`},
	} {
		server, client := program.ConnectionPair(t)
		args := []string{"serve", "--log-level=info", "--root=" + c.root}
		p := program.Start(t, program.Run{Through: through, Args: args, Stdin: server, Stdout: server, Stderr: server})
		server.Close()
		if _, err := client.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		p.Wait(limit)
		line := make([]byte, 4096)
		log.SetReadDeadline(time.Now().Add(limit))
		n, err := log.Read(line)
		if err != nil || !regexp.MustCompile(c.want).Match(line[:n]) {
			t.Errorf("syslog got %q, %v; want %s", line[:n], err, c.want)
		}
	}
}

// ownSyslog returns a socket that takes the place of syslog's for a command behind the words: in a mount namespace of its
// own, over the real one, or as /run/log, which is looked for next.
func ownSyslog(t testing.TB) (through []string, log *net.UnixConn) {
	t.Helper()
	dir := program.ShortDir(t)
	path, place := filepath.Join(dir, "log"), "/dev/log"
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if _, err := os.Stat(place); err != nil {
		path, place = dir, "/run"
	}
	through = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" "$1" && shift && exec "$@"`, path, place}
	if out, err := exec.Command(through[0], append(through[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of our own here: %v %s", err, out)
	}
	return through, socket
}
