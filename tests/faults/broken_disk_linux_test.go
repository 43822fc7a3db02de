package faults

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// sicken has system calls of a process fail on these paths, which strace(1) does (-e inject), until heal is called.
func sicken(t *testing.T, pid int, injection string, paths ...string) (heal func()) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace to break system calls with: apt-get install strace")
	}
	args := []string{"-f", "-o", "/dev/null", "-e", "inject=" + injection, "-p", fmt.Sprint(pid)}
	for _, path := range paths {
		args = append(args, "-P", path)
	}
	p := program.Start(t, program.Run{Binary: strace, Args: args})
	p.Stderr.WaitFor("attached", limit)
	return func() {
		p.Signal(syscall.SIGTERM)
		p.Wait(limit)
	}
}

// answer is what came for a request.
type answer struct {
	status int
	body   string
	cut    bool // it ended early
}

// answerTo asks for a path over a protocol: http, https or h2. An empty reply is one without status.
func (v *victim) answerTo(protocol, path string) answer {
	v.t.Helper()
	url := "http://" + v.http + path
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: v.pool}}
	if protocol != "http" {
		url, transport.ForceAttemptHTTP2 = "https://"+v.https+path, protocol == "h2"
	}
	client := &http.Client{Transport: transport, Timeout: limit}
	defer client.CloseIdleConnections()
	r, err := client.Get(url)
	if err != nil {
		return answer{cut: true}
	}
	defer r.Body.Close()
	if protocol == "h2" && r.ProtoMajor != 2 {
		v.t.Fatalf("%s came over %s", path, r.Proto)
	}
	body, err := io.ReadAll(r.Body)
	return answer{r.StatusCode, string(body), err != nil}
}

// A disk that fails gives 500, or a reply that ends early where its head is out: nothing else, and nothing that is kept; the log says so
// now and then; and all is right once the disk is.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	const middle, cut = 100 << 10, -1
	paths := []string{"/", "/small.txt", "/middle.txt", "/large.bin", "/folder/", "/missing"}
	for what, test := range map[string]struct {
		injection string
		status    []int // of the paths
		told      string
	}{
		"open":     {"openat,openat2:error=EIO", []int{500, 500, 500, 500, 500, 500}, "answered 500"},
		"fstat":    {"fstat,newfstatat,statx:error=EIO", []int{500, 500, 500, 500, 500, 404}, "answered 500"},
		"read":     {"read,pread64,sendfile,splice,copy_file_range:error=EIO", []int{500, 500, 500, 500, 200, 404}, "answered 500"},
		"later":    {"read,sendfile,splice,copy_file_range:error=EIO", []int{cut, cut, cut, cut, 200, 404}, "broke a reply off"},
		"getdents": {"getdents64:error=EIO", []int{200, 200, 200, 200, 500, 404}, "answered 500"},
		"stale":    {"openat,openat2:error=ESTALE", []int{500, 500, 500, 500, 500, 500}, "answered 500"},
		"memory":   {"openat,openat2:error=ENOMEM", []int{503, 503, 503, 503, 503, 503}, "answered 503"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, "--directory-listing", "--compression=false")
			bodies := map[string]string{"/": page, "/small.txt": strings.Repeat("s", 100), "/middle.txt": strings.Repeat("m", middle), "/large.bin": strings.Repeat("\x00", largeSize)}
			sick := []string{h.root, filepath.Join(h.root, "folder"), filepath.Join(h.root, "folder/a"), filepath.Join(h.root, "index.html"), filepath.Join(h.root, "large.bin")}
			if err := os.Mkdir(filepath.Join(h.root, "folder"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, body := range map[string]string{"small.txt": bodies["/small.txt"], "middle.txt": bodies["/middle.txt"], "folder/a": "a"} {
				if err := os.WriteFile(filepath.Join(h.root, name), []byte(body), 0o644); err != nil {
					t.Fatal(err)
				}
				sick = append(sick, filepath.Join(h.root, name))
			}
			h.answerTo("http", "/missing")
			before, begun := h.state(), time.Now()
			heal := sicken(t, h.Pid, test.injection, sick...)
			for _, protocol := range []string{"http", "https", "h2"} {
				for i, path := range paths {
					for range 2 { // the second one would be kept
						got, want := h.answerTo(protocol, path), test.status[i]
						if want == cut && !got.cut || want != cut && (got.status != want || got.cut) || got.status == 200 && !strings.HasPrefix(bodies[path], got.body) && path != "/folder/" {
							t.Errorf("%s over %s: %d, %d bytes, cut %t; want %d", path, protocol, got.status, len(got.body), got.cut, want)
						}
					}
				}
			}
			heal()
			if n := h.lines(test.told); n == 0 || n > 1+int(time.Since(begun)/(10*time.Second)) {
				t.Errorf("told %d times in %s", n, time.Since(begun))
			}
			for _, protocol := range []string{"http", "https", "h2"} {
				for path, body := range bodies {
					if got := h.answerTo(protocol, path); got.status != 200 || got.body != body || got.cut {
						t.Errorf("the disk is well again: %s over %s: %d, %d bytes, cut %t", path, protocol, got.status, len(got.body), got.cut)
					}
				}
			}
			if got := h.answerTo("http", "/folder/"); got.status != 200 || !strings.Contains(got.body, `href="a"`) {
				t.Errorf("the disk is well again: %d, %q", got.status, got.body)
			}
			h.leavesNothing(t, before)
			peer := map[string]string{"open": "500", "fstat": "500", "read": "200 and an empty body that ends early", "later": "the reply ends early", "getdents": "an empty reply without status"}[what]
			if peer != "" {
				peer = "nginx 1.22.1: " + peer + ", a line for each"
			}
			outcome := map[string]string{"later": "the reply ends early", "memory": "503"}[what]
			tell(t, row{"fault", "disk: " + what, "strace " + test.injection + ", 3 protocols, 6 paths twice", peer,
				cmp.Or(outcome, "500, never 404") + "; one line; right at once when the disk is"})
		})
	}
}

// leavesNothing waits until as much is in use as before: descriptors, goroutines (but for a few of clients that have just gone) and memory.
func (h *house) leavesNothing(t *testing.T, before state) {
	t.Helper()
	var now state
	eventually(t, fmt.Sprintf("as much is in use as before (%+v)", before), func() bool {
		now = h.state()
		return now.descriptors <= before.descriptors+1 && now.goroutines <= before.goroutines+3 && now.clients <= before.clients
	})
	if now.memory > 2*before.memory+32<<10 {
		t.Errorf("%d KiB, before %d", now.memory, before.memory)
	}
}

// Certificates that cannot be read at a reload stay as they were, told once for each reload.
func TestDiskErrorsOfCertificates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file, address := program.Listener(t)
	p := program.Start(t, program.Run{
		Args:  []string{"serve", "--root", s.root, "--tls-cert", s.cert, "--tls-key", s.key, "--log-level", "warn", "--log-format", "logfmt"},
		Files: []*os.File{file}, Listen: true, Names: []string{"https"},
	})
	h := &house{&victim{t: t, https: address, pool: s.pool, pids: func() []int { return []int{p.Pid} }}, p}
	if got := h.answerTo("h2", "/"); got.body != page {
		t.Fatal(got)
	}
	for what, injection := range map[string]string{"read": "read,pread64:error=EIO", "open": "openat:error=EIO"} {
		before := h.state()
		told := h.lines("input/output error")
		heal := sicken(t, p.Pid, injection, s.cert, s.key)
		h.Signal(syscall.SIGHUP)
		eventually(t, "it is told", func() bool { return h.lines("input/output error") > told })
		for range 3 {
			if got := h.answerTo("https", "/"); got.body != page {
				t.Errorf("%s: %v", what, got)
			}
		}
		heal()
		if n := h.lines("input/output error") - told; n != 1 {
			t.Errorf("%s: told %d times", what, n)
		}
		reloads := h.lines("reloaded; serving")
		h.Signal(syscall.SIGHUP)
		eventually(t, "it is reloaded", func() bool { return h.lines("reloaded; serving") > reloads })
		if got := h.answerTo("h2", "/"); got.body != page {
			t.Errorf("%s, and the disk is well again: %v", what, got)
		}
		h.leavesNothing(t, before)
	}
	tell(t, row{"fault", "disk: certificates", "EIO at open and read of chain and key, at a reload", "", "the old ones stay in use; one line"})
}

// A disk that takes no lines of the log holds nobody up, and says so once.
func TestDiskErrorsOfLogs(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "access.log")
	h := openHouse(t, "--access-log", log, "--access-log-format", "json")
	h.ask()
	eventually(t, "there is a log", func() bool { text, _ := os.ReadFile(log); return len(text) > 0 })
	before := h.state()
	heal := sicken(t, h.Pid, "write:error=EIO", log)
	for range 300 {
		h.ask()
	}
	eventually(t, "it is told", func() bool { h.ask(); return h.lines("lines of the log file are lost") > 0 })
	heal()
	eventually(t, "lines are taken again", func() bool { h.ask(); return h.lines("takes lines again") > 0 })
	if n := h.lines("lines of the log file are lost"); n != 1 {
		t.Errorf("told %d times", n)
	}
	wholeLines(t, log)
	h.leavesNothing(t, before)
	tell(t, row{"fault", "disk: access log", "strace write:error=EIO, 300 requests", "", "all answered; one line when lines are lost, one with their number when they are taken again"})
}

// onSmallDisk are words that start a program in a mount namespace of its own, where a file system of 64 KiB is mounted on a folder.
func onSmallDisk(t *testing.T, folder string) []string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a file system")
	}
	return []string{"unshare", "-m", "--propagation", "private", "sh", "-c", `mount -t tmpfs -o size=64k none "$0" && exec "$@"`, folder}
}

// A disk that is full, or fails, takes no lines of the log and holds nobody up; when it takes some again they begin on a line of their own,
// and the loss is told.
func TestLogsOnFullDisk(t *testing.T) {
	t.Parallel()
	s, disk := newSite(t), t.TempDir()
	plain, address := program.Listener(t)
	p := program.Start(t, program.Run{
		Through: onSmallDisk(t, disk),
		Args: []string{"serve", "--root", s.root, "--log-level", "info", "--log-format", "json", "--log-file", disk + "/error.log",
			"--access-log", disk + "/access.log", "--access-log-format", "json"},
		Files: []*os.File{plain}, Listen: true, Names: []string{"http"},
	})
	p.Stderr.WaitFor("serving", limit)
	h := &house{&victim{t: t, http: address, pids: func() []int { return []int{p.Pid} }}, p}
	h.ask()
	before := h.state()
	seen := fmt.Sprintf("/proc/%d/root%s", p.Pid, disk) // the disk, as the program has it
	ballast := filepath.Join(seen, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 0; h.lines("lines of the log file are lost") == 0; i++ {
		if h.ask(); i > 3000 {
			t.Fatal("it is told nowhere that the disk is full")
		}
	}
	for range 200 {
		h.ask()
	}
	if n := h.lines("lines of the log file are lost"); n > 2 {
		t.Errorf("told %d times of two files", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lines are taken again", func() bool {
		h.ask()
		if h.lines("takes lines again") > 0 {
			return true
		}
		if info, err := os.Stat(filepath.Join(seen, "access.log")); err == nil && info.Size() > 50<<10 { // what had waited has filled it again
			wholeLines(t, filepath.Join(seen, "access.log"))
			os.Truncate(filepath.Join(seen, "access.log"), 0)
		}
		return false
	})
	wholeLines(t, filepath.Join(seen, "access.log"))
	wholeLines(t, filepath.Join(seen, "error.log"))
	h.leavesNothing(t, before)
	begun := time.Now()
	h.Signal(syscall.SIGTERM)
	if state := h.Wait(limit); state.ExitCode() != 0 || time.Since(begun) > 5*time.Second {
		t.Errorf("it ended with %s after %s", state, time.Since(begun))
	}
	tell(t, row{"fault", "disk full: log files", "access and error log on 64 KiB that fill up", "", "all requests answered; one line on standard error, one when there is space again; no line joined to another"})
}

// wholeLines fails where a line of a log is neither an entry nor the beginning of one.
func wholeLines(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasSuffix(line, "}") {
			broken++
		}
		if strings.Count(line, `{"time"`) > 1 {
			t.Errorf("%s: joined lines: %q", filepath.Base(path), line)
		}
	}
	if broken > 2 { // one where the disk was full, one that is being written
		t.Errorf("%s: %d broken lines", filepath.Base(path), broken)
	}
}

// Standard error that is a file on a full disk is the same: lines are lost and told, none is joined to another.
func TestStandardErrorOnFullDisk(t *testing.T) {
	t.Parallel()
	s, disk := newSite(t), t.TempDir()
	plain, address := program.Listener(t)
	through := onSmallDisk(t, disk)
	through[6] = `mount -t tmpfs -o size=64k none "$0" && exec "$@" 2>> "$0/stderr"`
	p := program.Start(t, program.Run{
		Through: through, Args: []string{"serve", "--root", s.root, "--log-level", "info", "--log-format", "json", "--lane", "off"},
		Files: []*os.File{plain}, Listen: true, Names: []string{"http"},
	})
	h := &house{&victim{t: t, http: address, pids: func() []int { return []int{p.Pid} }}, p}
	h.ask()
	seen := fmt.Sprintf("/proc/%d/root%s/", p.Pid, disk)
	if err := os.WriteFile(seen+"ballast", make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		h.ask()
	}
	if err := os.Remove(seen + "ballast"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is told", func() bool {
		h.ask()
		text, err := os.ReadFile(seen + "stderr")
		if errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return strings.HasPrefix(line, "rouse: ") && strings.HasSuffix(line, "its disk was full")
		})
	})
	tell(t, row{"fault", "disk full: standard error", "a file on 64 KiB that fill up", "", "all requests answered; the loss is told on a line of its own when there is space again"})
}

// What else writes files tells of a full disk in one line for each, and leaves none half-written: rouse precompress, rouse renew, and the
// development certificate, without which is served all the same.
func TestOtherFilesOnFullDisk(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		script string
		code   int
		told   string
	}{
		"precompress": {`"$1" precompress --quiet site`, 1, "rouse: precompress page.txt.gz: no space left on device\n"},
		"renew":       {`"$1" renew --directory kept`, 1, "rouse: write certificate "},
		"development": {`XDG_STATE_HOME="$PWD/kept" exec "$1" serve --root site --listen https=tcp:127.0.0.1:0`, 0, "keep the development certificate: write "},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			disk := t.TempDir()
			through := onSmallDisk(t, disk)
			through[6] = `mount -t tmpfs -o size=64k none "$0" && cd "$0" && mkdir site kept && seq 2000 > site/page.txt && dd if=/dev/zero of=ballast bs=4k count=99 2> ballast.log; exec "$@"`
			p := program.Start(t, program.Run{Through: append(through, "sh", "-c", test.script+`; code=$?; find . -type f; exit $code`, "sh")})
			if what == "development" {
				address := p.Stderr.WaitFor(`at https://(127\.0\.0\.1:\d+)`, limit)[1]
				p.Stderr.WaitFor(test.told, limit)
				client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
				r, err := client.Get("https://" + address + "/page.txt")
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				left, err := filepath.Glob(fmt.Sprintf("/proc/%d/root%s/kept/*/*", p.Pid, disk))
				if r.StatusCode != 200 || len(left) > 0 || err != nil {
					t.Errorf("%s; left are %v, %v", r.Status, left, err)
				}
				p.Signal(syscall.SIGTERM)
			}
			if state := p.Wait(limit); state.ExitCode() != test.code || !strings.Contains(p.Stderr.String(), test.told) || !strings.Contains(p.Stderr.String(), "no space left on device") {
				t.Errorf("%s: %s", state, p.Stderr)
			}
			for line := range strings.Lines(p.Stdout.String()) {
				if file := strings.TrimSpace(line); file != "./site/page.txt" && !strings.HasPrefix(file, "./ballast") && strings.HasPrefix(file, "./") {
					t.Errorf("%s is left", file)
				}
			}
			tell(t, row{"fault", "disk full: " + what, "64 KiB that are full", "", fmt.Sprintf("told in a line for each file; exit %d; nothing half-written", test.code)})
		})
	}
}
