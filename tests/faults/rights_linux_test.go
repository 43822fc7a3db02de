package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// rightsLimit is for what takes milliseconds where nothing else runs.
const rightsLimit = 20 * time.Second

// rightsSite is a folder with a site, options in a folder of their own, and a server.
type rightsSite struct {
	*program.Process
	t      *testing.T
	dir    string // site, etc, log and outside lie below
	client *http.Client
	base   string
}

// prepareRightsSite makes the files.
func prepareRightsSite(t *testing.T) *rightsSite {
	t.Helper()
	s := &rightsSite{t: t, dir: t.TempDir(), client: program.Client(t, nil).HTTP1}
	s.openFolder()
	s.write("site/index.html", "the site")
	s.write("outside/index.html", "outside")
	s.write("log/here", "")
	return s
}

// newRightsSite starts a server. @ in the options stands for the folder.
func newRightsSite(t *testing.T, options string, run program.Run, args ...string) *rightsSite {
	t.Helper()
	s := prepareRightsSite(t)
	s.options(options)
	s.start(run, args...)
	return s
}

// start starts the server on a socket of its own.
func (s *rightsSite) start(run program.Run, args ...string) {
	s.t.Helper()
	listener, address := program.Listener(s.t)
	s.base = "http://" + address
	run.Args = append([]string{"serve", "--config-file", s.dir + "/etc/rouse.toml"}, args...)
	run.Dir, run.Files, run.Listen = s.dir, []*os.File{listener}, true
	s.Process = program.Start(s.t, run)
}

// openFolder lets other users into the test's own folders.
func (s *rightsSite) openFolder() {
	for _, folder := range []string{s.dir, filepath.Dir(s.dir)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *rightsSite) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// options writes the file of options, with the level of log at which rights are told of.
func (s *rightsSite) options(lines string) {
	s.write("etc/rouse.toml", strings.ReplaceAll("[general]\nlog-level = \"info\"\nmetrics = true\n"+lines+"\n", "@", s.dir))
}

// reload has the server read other options, and returns what it said of them.
func (s *rightsSite) reload(options string) string {
	s.t.Helper()
	before := len(s.Stderr.String())
	s.options(options)
	s.Signal(syscall.SIGHUP)
	return s.later(before, "reloaded; serving", "the old ones are kept")
}

// later waits until one of the texts stands in the log behind a place, and returns what stands there by then.
func (s *rightsSite) later(from int, texts ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), rightsLimit)
	defer cancel()
	for ctx.Err() == nil {
		said := s.Stderr.String()[from:]
		for _, text := range texts {
			if at := strings.Index(said, text); at >= 0 && strings.Contains(said[at:], "\n") {
				return said
			}
		}
		time.Sleep(time.Millisecond)
	}
	s.t.Fatalf("none of %q was said: %s", texts, s.Stderr.String())
	return ""
}

// get asks for a path.
func (s *rightsSite) get(path string) (status int, body string) {
	s.t.Helper()
	r, err := s.client.Get(s.base + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text)
}

// is fails the test unless the path is answered with this status and text.
func (s *rightsSite) is(path string, status int, text string) {
	s.t.Helper()
	if got, body := s.get(path); got != status || !strings.Contains(body, text) {
		s.t.Errorf("%s: %d %.100q, want %d %q", path, got, body, status, text)
	}
}

// threads is what /proc/PID/task/TID/status says on all threads: one value for each field, or the test fails.
func (s *rightsSite) threads(fields ...string) map[string]string {
	s.t.Helper()
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.Pid))
	if len(all) < 2 {
		s.t.Fatalf("%d threads", len(all))
	}
	found := map[string]string{}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that ended
		}
		for _, field := range fields {
			_, after, ok := strings.Cut(string(text), "\n"+field+":\t")
			value, _, _ := strings.Cut(after, "\n")
			if before, seen := found[field]; !ok || seen && before != value {
				s.t.Errorf("%s: %s is %q, on another thread %q", path, field, value, before)
			}
			found[field] = value
		}
	}
	return found
}

// needsLandlock skips where the kernel has none; the first line says so.
func (s *rightsSite) needsLandlock() {
	s.t.Helper()
	if said := s.Stderr.WaitFor("(?:not )?confined by Landlock.*", rightsLimit)[0]; strings.HasPrefix(said, "not") {
		s.t.Skip(said)
	}
}

// These are what the options could be made to name by whoever gets to write them, and what a hole in path handling would reach.
func TestOutsideIsRefusedByTheKernel(t *testing.T) {
	for _, c := range []struct{ what, option string }{
		{"a password file", `basic-auth-file = "/etc/passwd"`},
		{"a fallback page", `page-fallback = "/etc/passwd"`},
		{"a maintenance page", `maintenance-mode-file = "/etc/passwd"`},
		{"an error page", `page404 = "/etc/passwd"`},
		{"an access log", `access-log = "@/outside/access.log"`},
		{"a link out of the options' folder", `page-fallback = "@/etc/link"`},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			root := "root = \"@/site\"\n"
			s := newRightsSite(t, root, program.Run{})
			if err := os.Symlink("/etc/passwd", s.dir+"/etc/link"); err != nil {
				t.Fatal(err)
			}
			s.needsLandlock()
			said := s.reload(root + c.option)
			if !strings.Contains(said, "permission denied") || !strings.Contains(said, "restart it") || !strings.Contains(said, "the old ones are kept") {
				t.Errorf("with Landlock: %s", said)
			}
			s.is("/", 200, "the site")
			if said := s.reload(root + "cors-allow-origins = [\"https://a.example\"]"); !strings.Contains(said, "reloaded; serving") {
				t.Errorf("what is allowed was refused: %s", said)
			}

			off := newRightsSite(t, root, program.Run{}, "--landlock=off")
			if err := os.Symlink("/etc/passwd", off.dir+"/etc/link"); err != nil {
				t.Fatal(err)
			}
			off.Stderr.WaitFor("not confined by Landlock: --landlock", rightsLimit)
			if said := off.reload(root + c.option); strings.Contains(said, "permission denied") {
				t.Errorf("without Landlock: %s", said)
			}
		})
	}
	tell(t, row{Kind: "rights", What: "a reload that names a file outside", Tried: "password file, pages, a link, a log", Rouse: "EACCES by Landlock; the old options stay"})
}

// A page's path is opened anew when the page changes: between two looks it can be made a link.
func TestSwappedForALinkIsRefusedByTheKernel(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{{nil, ""}, {[]string{"--landlock=off"}, "root:"}} {
		s := newRightsSite(t, "root = \"@/site\"\npage-fallback = \"@/pages/page.html\"", program.Run{}, append(c.args, "--reply-ttl=0")...)
		s.Stderr.WaitFor("confined by Landlock", rightsLimit)
		if c.args == nil {
			s.needsLandlock()
		}
		s.write("pages/page.html", "the page")
		s.is("/missing", 200, "the page")
		if err := os.Remove(s.dir + "/pages/page.html"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/etc/passwd", s.dir+"/pages/page.html"); err != nil {
			t.Fatal(err)
		}
		_, body := s.get("/missing2")
		if got := strings.Contains(body, "root:"); got != (c.want != "") {
			t.Errorf("%v: /etc/passwd was sent: %v", c.args, got)
		}
	}
	tell(t, row{Kind: "rights", What: "a page becomes a link to /etc/passwd", Tried: "while it is served", Rouse: "the kernel refuses to open it (with --landlock=off it is sent)"})
}

// Without this, another site would be served after a reload whose files the kernel refuses, each with 403.
func TestAnotherRootNeedsARestart(t *testing.T) {
	s := newRightsSite(t, `root = "@/site"`, program.Run{})
	s.needsLandlock()
	if said := s.reload(`root = "@/outside"`); !strings.Contains(said, "outside: ") || !strings.Contains(said, "restart it") {
		t.Error(said)
	}
	s.is("/", 200, "the site")
}

// What has to go on working while confined.
func TestConfinedServerKeepsWhatItNeeds(t *testing.T) {
	s := newRightsSite(t, "root = \"@/site\"\nlog-file = \"@/log/rouse.log\"\ndisable-symlinks = false", program.Run{Env: []string{"TZ=Europe/Berlin"}})
	s.Stderr.WaitFor("at http", rightsLimit)
	s.write("site/below/page.html", "below")
	if err := os.Symlink(s.dir+"/site/below/page.html", s.dir+"/site/link.html"); err != nil {
		t.Fatal(err)
	}
	s.is("/link.html", 200, "below")
	for _, line := range []string{"process_open_fds ", "process_resident_memory_bytes ", "process_start_time_seconds "} {
		s.is("/metrics", 200, "\n"+line)
	}
	if err := os.Rename(s.dir+"/log/rouse.log", s.dir+"/log/rouse.log.1"); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGUSR1)
	s.Stderr.WaitFor("opened again", rightsLimit)
	s.is("/below/page.html", 200, "below")
	s.Stop()
	if text, err := os.ReadFile(s.dir + "/log/rouse.log"); err != nil || !strings.Contains(string(text), "/below/page.html") {
		t.Errorf("the log after a rotation: %q, %v", text, err)
	}
	if strings.Contains(s.Stderr.String(), "cannot be opened again") {
		t.Error(s.Stderr.String())
	}
}

// Without this, a deployment that swaps a link would need a restart.
func TestConfinedRelativeRoot(t *testing.T) {
	s := prepareRightsSite(t)
	for _, name := range []string{"one", "two"} {
		s.write("releases/"+name+"/index.html", name)
	}
	if err := os.Symlink(s.dir+"/releases/one", s.dir+"/live"); err != nil {
		t.Fatal(err)
	}
	s.options("root = \"@/live\"\nuse-relative-root = true")
	s.start(program.Run{}, "--reply-ttl=0")
	s.is("/", 200, "one")
	if err := os.Symlink(s.dir+"/releases/two", s.dir+"/next"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.dir+"/next", s.dir+"/live"); err != nil {
		t.Fatal(err)
	}
	s.is("/", 200, "two")
}

// The certificate is swapped as certbot (a link), Kubernetes (a link to a folder) and cp (a rename) do it.
func TestConfinedCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		program.KeyPair(t, filepath.Join(dir, name), name+".example")
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := names(t, filepath.Join(dir, "one"))
	link("one", "data")
	link("data/"+cert, "tls.crt")
	link("data/"+key, "tls.key")
	s := newRightsSite(t, "root = \"@/site\"\ntls-cert = \""+dir+"/tls.crt\"\ntls-key = \""+dir+"/tls.key\"", program.Run{})
	s.Stderr.WaitFor("at https", rightsLimit)
	link("two", "data")
	s.Stderr.WaitFor("certificate files changed", rightsLimit)
}

// names finds the files of program.KeyPair.
func names(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	files, _ := os.ReadDir(dir)
	for _, file := range files {
		text, _ := os.ReadFile(filepath.Join(dir, file.Name()))
		if strings.Contains(string(text), "PRIVATE KEY") {
			key = file.Name()
		} else {
			cert = file.Name()
		}
	}
	if cert == "" || key == "" {
		t.Fatalf("%s: %v", dir, files)
	}
	return cert, key
}

// Started as root, nothing of root is left on any thread, and nothing can be gained.
func TestRootKeepsNoRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, whose rights are given up")
	}
	for _, args := range [][]string{nil, {"--landlock=off"}} {
		s := newRightsSite(t, `root = "@/site"`, program.Run{}, args...)
		s.Stderr.WaitFor("at http", rightsLimit)
		s.is("/", 200, "the site") // more threads
		got := s.threads("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Uid")
		for _, field := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
			if got[field] != "0000000000000000" {
				t.Errorf("%v: %s is %s", args, field, got[field])
			}
		}
		if got["NoNewPrivs"] != "1" {
			t.Errorf("%v: no_new_privs is %s", args, got["NoNewPrivs"])
		}
	}
	tell(t, row{Kind: "rights", What: "started as root", Tried: "/proc/PID/task/*/status of all threads", Rouse: "no capabilities, no_new_privs"})
}

// What root may no longer read without its capabilities is told, with the reason.
func TestRootWithoutItsRightsTellsWhatItCannotRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, whose rights are given up")
	}
	s := newRightsSite(t, `root = "@/site"`, program.Run{})
	s.Stderr.WaitFor("at http", rightsLimit)
	s.write("site/private.html", "private")
	if err := os.Chown(s.dir+"/site/private.html", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.dir+"/site/private.html", 0o600); err != nil {
		t.Fatal(err)
	}
	s.is("/private.html", 403, "")
	s.Stderr.WaitFor("ERR.*root without its capabilities.*private.html", rightsLimit)

	if err := os.Chown(s.dir+"/outside", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.dir+"/outside", 0o700); err != nil {
		t.Fatal(err)
	}
	listener, _ := program.Listener(t)
	refused := program.Start(t, program.Run{Args: []string{"serve", "--root", s.dir + "/outside"}, Files: []*os.File{listener}, Listen: true})
	if code := refused.Wait(rightsLimit).ExitCode(); code != 78 || !strings.Contains(refused.Stderr.String(), "given up root's capabilities") {
		t.Errorf("a root of another user: exit code %d, %s", code, refused.Stderr.String())
	}
}

// With a private key in memory nobody of the same user may look into it, and the server still measures itself.
func TestPrivateKeyIsHidden(t *testing.T) {
	for _, c := range []struct {
		tls  bool
		user uint32
	}{{false, 0}, {true, 0}, {true, 65534}} {
		if c.user != 0 && os.Geteuid() != 0 {
			continue
		}
		dir := t.TempDir()
		options := `root = "@/site"`
		run := program.Run{}
		if c.tls {
			cert, key, _ := program.KeyPair(t, dir)
			for _, path := range []string{dir, filepath.Dir(dir), cert, key} {
				if err := os.Chmod(path, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			options += "\ntls-cert = \"" + cert + "\"\ntls-key = \"" + key + "\""
		}
		if c.user != 0 {
			run.Through = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
		}
		s := newRightsSite(t, options, run)
		s.Stderr.WaitFor("at http", rightsLimit)
		memory, err := os.Stat(fmt.Sprintf("/proc/%d/mem", s.Pid))
		if err != nil {
			t.Fatal(err)
		}
		owner := memory.Sys().(*syscall.Stat_t).Uid // root's when the process is not dumpable (proc_pid(5))
		if c.user != 0 && owner != 0 {
			t.Errorf("TLS %v, user %d: /proc/PID/mem is of user %d", c.tls, c.user, owner)
		}
		if c.user != 0 {
			s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: rightsLimit}
			s.base = strings.Replace(s.base, "http:", "https:", 1)
			s.is("/metrics", 200, "\nprocess_open_fds ")
		}
	}
}
