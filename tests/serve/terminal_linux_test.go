package serve

import (
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without this each start would make the browser warn anew; and a key that others can read is no key.
func TestDevelopmentCertificateIsKept(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	d := newDeveloper(t)
	var seen []string
	for range 2 {
		p := ready(d.rouse())
		seen = append(seen, shows(t, "localhost:8443").SerialNumber.String())
		p.Signal(syscall.SIGINT)
		exit(t, p, 0)
	}
	if seen[0] != seen[1] {
		t.Errorf("serial numbers %s: the second start made another certificate", seen)
	}
	filepath.WalkDir(d.state, func(path string, entry fs.DirEntry, err error) error {
		info := must[fs.FileInfo](t)(entry.Info())
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return err
	})
	d.state = "/proc/1/absent"
	p := ready(d.rouse())
	p.Stderr.WaitFor(`keep the development certificate: .*XDG_STATE_HOME`, limit)
	shows(t, "localhost:8443")
}

// Without this message one has to find out with other tools what is in the way, and what to type.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	d := newDeveloper(t)
	first := ready(d.rouse())
	second := d.rouse()
	exit(t, second, 1)
	says(t, second.Stderr.String(), "127.0.0.1:8443", "port 8443 is taken by rouse", "(pid "+strconv.Itoa(first.Pid)+")", "stop that, or choose another port", "--port PORT")
	if strings.Count(second.Stderr.String(), "\n") != 1 {
		t.Errorf("more than one line: %q", second.Stderr.String())
	}
	first.Signal(syscall.SIGINT)
	exit(t, first, 0)

	held := must[net.Listener](t)(net.Listen("tcp", "[::1]:8080"))
	defer held.Close()
	third := d.rouse()
	exit(t, third, 1)
	says(t, third.Stderr.String(), "[::1]:8080", "port 8080 is taken by", "(pid "+strconv.Itoa(os.Getpid())+")")
}

// Without this a developer waits at each Ctrl-C, and learns to use kill -9.
func TestCtrlCEndsAtOnce(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	d := newDeveloper(t)
	d.folder("public")
	if err := os.Truncate(filepath.Join(d.dir, "public", "index.html"), 64<<20); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		within time.Duration // drain would wait 1 s for idle connections, 10 s for the download
		hold   func(a *activator)
	}{
		{"nobody", 900 * time.Millisecond, func(*activator) {}},
		{"idle connections", 900 * time.Millisecond, func(a *activator) {
			dial(t, a.http).reply404()
			dialTLS(t, a.https, a.pool).reply404()
			h2 := dialHTTP2(t, a.https, a.pool, 1<<20)
			h2.get(1, "/absent")
			h2.wait(frameHeaders)
		}},
		{"a download that stands still", 4 * time.Second, func(a *activator) {
			loading := dial(t, a.http)
			loading.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			loading.head()
		}},
	} {
		fastest := time.Hour
		for range 3 { // one of three: others use the machine too
			p := ready(d.rouse())
			c.hold(&activator{https: "127.0.0.1:8443", http: "127.0.0.1:8080", pool: d.pool()})
			begun := time.Now()
			p.Signal(syscall.SIGINT)
			exit(t, p, 0)
			fastest = min(fastest, time.Since(begun))
		}
		if fastest > c.within {
			t.Errorf("%s: it took %v", c.name, fastest)
		}
	}
}

func (c *http1Conn) reply404() {
	c.t.Helper()
	if reply, _ := c.get("/absent"); reply.StatusCode != http.StatusNotFound {
		c.t.Errorf("%s", reply.Status)
	}
}
