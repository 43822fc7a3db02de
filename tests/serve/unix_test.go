package serve

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this, a site behind a unix socket that systemd holds (another server in front, a container, ssh -L) could not
// have TLS up to the program itself, nor HTTP/2.
func TestActivationOverUnixSocketWithTLS(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	secure, securePath := program.UnixListener(t)
	plain, plainPath := program.UnixListener(t)
	a.files = []*os.File{secure, plain}
	p := a.start("--log-level", "info")
	p.Stderr.WaitFor("https on "+securePath+" from systemd:https", limit)
	for _, c := range []struct {
		socket, url, want string
		options           []string
	}{
		{securePath, "https://localhost/", "2 200\n", []string{"--http2"}},
		{securePath, "https://localhost/", "1.1 200\n", []string{"--http1.1"}},
		{plainPath, "http://localhost/", "2 200\n", []string{"--http2-prior-knowledge"}},
		{plainPath, "http://localhost/", "1.1 200\n", []string{"--http1.1"}},
	} {
		if got := curl(t, a, append(c.options, "--unix-socket", c.socket, c.url)...); got != content+c.want {
			t.Errorf("%s %s: %q", c.options, c.url, got)
		}
	}
	p.Stderr.WaitFor(` GET 200 / \S+ \S+ unix HTTP/`, limit)
	exit(t, endOf(p), 0)
	if _, err := os.Lstat(securePath); err != nil {
		t.Errorf("the activator's socket file is gone: %v", err)
	}
}

// bindsUnix starts rouse so that it binds the path itself, with umask 0 so that only Rouse's own care keeps others out.
func bindsUnix(t testing.TB, path, options string) *program.Process {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return program.Start(t, program.Run{
		Through: []string{"sh", "-c", `umask 0; exec "$@"`, "sh"},
		Args:    []string{"serve", "--root", root, "--listen", "unix:" + path + options},
	})
}

// served checks that a page comes over the unix socket.
func served(t testing.TB, path string) {
	t.Helper()
	if reply, body := fetch(t, program.ClientTo(t, nil, program.DialUnix(path)).HTTP1, "http://localhost/"); reply.StatusCode != http.StatusOK || body != content {
		t.Errorf("%s: %s %q", path, reply.Status, body)
	}
}

// Without this, whoever shares the machine could talk to a server that was meant for one user or group.
func TestUnixSocketHasTheModeAskedFor(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]os.FileMode{"": 0o666, "?mode=0600": 0o600, "?mode=0660": 0o660} {
		for range 3 {
			path := filepath.Join(program.ShortDir(t), "s")
			stop := make(chan struct{})
			widest := watchMode(path, stop)
			p := bindsUnix(t, path, options)
			p.Stderr.WaitFor("http on "+path, limit)
			served(t, path)
			close(stop)
			if got := mode(path); got != want {
				t.Errorf("unix:%s has mode %v, want %v", options, got, want)
			}
			if got := <-widest; got&^want != 0 {
				t.Errorf("unix:%s had mode %v for a moment, more than %v", options, got, want)
			}
		}
	}
}

// watchMode looks at the file again and again and returns all permission bits that were ever set.
func watchMode(path string, stop <-chan struct{}) <-chan os.FileMode {
	widest := make(chan os.FileMode, 1)
	go func() {
		var seen os.FileMode
		for {
			select {
			case <-stop:
				widest <- seen
				return
			default:
				seen |= mode(path)
			}
		}
	}()
	return widest
}

// mode returns the file's permission bits, none when there is no file.
func mode(path string) os.FileMode {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Mode().Perm()
}

// Without this a web server that runs as another user could not be let in, or all users would have to be.
func TestUnixSocketHasTheOwnerAskedFor(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: only root may give files away")
	}
	path := filepath.Join(program.ShortDir(t), "s")
	p := bindsUnix(t, path, "?mode=0660&owner=daemon&group=65533")
	p.Stderr.WaitFor("http on "+path, limit)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 1 || st.Gid != 65533 {
		t.Errorf("owner %d, group %d", st.Uid, st.Gid)
	}
}

// Without this a path with a comma or a blank could not be named in SERVER_LISTEN, and names without a file not at all.
func TestUnixSocketNames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "a,b c")
	p := bindsUnix(t, strings.NewReplacer(",", "%2C", " ", "%20").Replace(path), "")
	p.Stderr.WaitFor("http on "+path, limit)
	served(t, path)

	name := fmt.Sprintf("@rouse-test-%d", os.Getpid())
	if _, err := os.Stat("/proc/net/unix"); err != nil {
		return // abstract names are Linux's
	}
	p = bindsUnix(t, name, "")
	p.Stderr.WaitFor("http on "+name, limit)
	served(t, name)
}
