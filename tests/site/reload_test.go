package site

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this, each change of the options would need a restart.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{
		"second/index.html": "second",
		"rouse.toml":        "[general]\nroot = \"@/public\"\n",
	})
	s.is(s.get("/"), 200, "general")

	s.write("rouse.toml", "[general]\nroot = \"@/second\"\ncors-allow-origins = [\"https://a.example\"]\nport = 9999\n")
	s.Signal(syscall.SIGHUP)
	s.Stderr.WaitFor("reloaded; serving .*second", limit)
	s.is(s.get("/"), 200, "second")
	s.is(s.get("/", "Origin", "https://b.example"), 403, "")
	s.Stderr.WaitFor("port.*restart", limit)

	// A broken file changes nothing, and says where it is broken.
	s.write("rouse.toml", "[general]\nroot = \"@/public\"\nlog-level = \"loud\"\n")
	s.Signal(syscall.SIGHUP)
	s.Stderr.WaitFor("not loaded again, the old ones are kept.*rouse.toml:3.*loud", limit)
	s.is(s.get("/"), 200, "second")
	s.write("rouse.toml", "[general]\nroot = \"@/missing\"\n")
	s.Signal(syscall.SIGHUP)
	s.Stderr.WaitFor("the old ones are kept.*missing", limit)
	s.is(s.get("/"), 200, "second")
}

// Without this, a reload under load would fail requests.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"rouse.toml": "[general]\nroot = \"@/public\"\n"})
	s.get("/")
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := s.ask("/")
				asked.Add(1)
				if err != nil || r.StatusCode != 200 || r.body != "general" {
					failed.Add(1)
					t.Errorf("%v %v", r.Response, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		s.Signal(syscall.SIGHUP)
		until(t, "a reload", func() bool { return strings.Count(s.Stderr.String(), "reloaded; serving") > i })
	}
	close(stop)
	clients.Wait()
	if failed.Load() > 0 || asked.Load() == 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
}

// Without this, logs could not be rotated.
func TestLogFilesAreOpenedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "--root", "public", "--access-log", "logs/access.log", "--access-log-format", "combined", "--log-file", "logs/all.log")
	s.get("/?first")
	read := func(name string) string {
		text, _ := os.ReadFile(s.dir + "/logs/" + name)
		return string(text)
	}
	until(t, "the first line", func() bool {
		return strings.Contains(read("access.log"), `"GET /?first HTTP/1.1" 200 7 "-" "Go-http-client/1.1"`)
	})
	for _, name := range []string{"access.log", "all.log"} {
		if err := os.Rename(s.dir+"/logs/"+name, s.dir+"/logs/"+name+".1"); err != nil {
			t.Fatal(err)
		}
	}
	s.Signal(syscall.SIGUSR1)
	until(t, "new files", func() bool {
		_, err := os.Stat(s.dir + "/logs/access.log")
		_, other := os.Stat(s.dir + "/logs/all.log")
		return err == nil && other == nil
	})
	s.get("/?second")
	until(t, "the second line", func() bool { return strings.Contains(read("access.log"), "/?second") })
	if strings.Contains(read("access.log"), "first") || strings.Contains(read("access.log.1"), "second") {
		t.Error("lines went to the wrong file")
	}
}

// Without this, a site under repair could only be closed by a restart.
func TestMaintenanceIsSwitched(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"sorry.html": "back at noon"},
		"--root", "public", "--maintenance-mode-file", "sorry.html", "--maintenance-mode-switch", "closed", "--health", "--ready")
	s.is(s.get("/"), 200, "general")
	s.Signal(syscall.SIGUSR2)
	until(t, "maintenance on", func() bool { return s.get("/").StatusCode == 503 })
	s.is(s.get("/"), 503, "back at noon")
	s.is(s.get("/health"), 200, "OK")
	s.is(s.get("/ready"), 503, "")
	s.Signal(syscall.SIGUSR2)
	until(t, "maintenance off", func() bool { return s.get("/").StatusCode == 200 })
	s.is(s.get("/ready"), 200, "")

	s.write("closed", "")
	until(t, "maintenance on by the file", func() bool { return s.get("/").StatusCode == 503 })
	if err := os.Remove(s.dir + "/closed"); err != nil {
		t.Fatal(err)
	}
	until(t, "maintenance off by the file", func() bool { return s.get("/").StatusCode == 200 })
}

// Without this, metrics would have to be shown to the world, or not at all.
func TestAdminSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "--root", "public", "--listen", "systemd:", "--listen", "admin=unix:admin.sock")
	s.is(s.get("/"), 200, "general")
	s.is(s.get("/metrics"), 404, "")
	admin := adminOf(t, s)
	s.is(admin.get("/metrics"), 200, `sws_http_requests_total{method="GET",status="2xx"`)
	s.is(admin.get("/health"), 200, "OK")
	s.is(admin.get("/ready"), 200, "")
	s.is(admin.get("/index.html"), 404, "")
	if c, err := net.Dial("unix", s.dir+"/admin.sock"); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

// Without this, another certificate file would need a restart.
func TestReloadTakesOtherCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // whose files may be read once the server is confined
	for _, name := range []string{"second", "own"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cert, key, pool := program.KeyPair(t, dir, "first.example")
	other, otherKey, otherPool := program.KeyPair(t, filepath.Join(dir, "second"), "second.example")
	own, ownKey, ownPool := program.KeyPair(t, filepath.Join(dir, "own"), "own.example")
	s := newSite(t, map[string]string{"rouse.toml": "[general]\nroot = \"@/public\"\ntls-cert = \"" + cert + "\"\ntls-key = \"" + key + "\"\n"})
	s.shows("first.example", pool)
	s.write("rouse.toml", "[general]\nroot = \"@/public\"\ntls-cert = \""+other+"\"\ntls-key = \""+otherKey+"\"\n"+
		"[[advanced.virtual-hosts]]\nhost = \"own.example\"\ntls-cert = \""+own+"\"\ntls-key = \""+ownKey+"\"\n")
	s.Signal(syscall.SIGHUP)
	s.Stderr.WaitFor("reloaded; serving", limit)
	s.shows("second.example", otherPool)
	s.shows("own.example", ownPool)

	s.write("rouse.toml", "[general]\nroot = \"@/public\"\ntls-cert = \"@/missing\"\ntls-key = \""+key+"\"\n")
	s.Signal(syscall.SIGHUP)
	s.Stderr.WaitFor("the certificate was not loaded again, the old one is kept.*missing", limit)
	s.shows("second.example", otherPool)
}
