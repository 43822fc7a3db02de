package files

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

// asNobody runs f on a thread of its own whose file system user has no rights, as root too; the
// thread ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0) // drops the capabilities on files, see capabilities(7)
		f()
	}()
	<-done
}

func TestUnreadable(t *testing.T) {
	dir, h := site(t, map[string]string{"secret.txt": "x", "closed/index.html": "x", "index.html": "x", "dir/index.html": "x", "dir/index.htm": "y"})
	for name, mode := range map[string]os.FileMode{"secret.txt": 0, "closed": 0, "dir/index.html": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	asNobody(t, func() {
		for target, want := range map[string]int{"/secret.txt": 403, "/closed/": 403, "/closed/index.html": 403, "/closed": 403, "/dir/": 403, "/": 200} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				w := ask(h, method, target)
				if want == 200 && method == "OPTIONS" {
					continue
				}
				if w.Code != want {
					t.Errorf("%s %s: %d, want %d", method, target, w.Code, want)
				}
			}
		}
	})
}

// Without this, nobody would know why their file is answered with 403. One line is enough for many requests.
func TestUnreadableIsTold(t *testing.T) {
	dir, _ := site(t, map[string]string{"secret.txt": "x"})
	if err := os.Chmod(filepath.Join(dir, "secret.txt"), 0); err != nil {
		t.Fatal(err)
	}
	opened, err := tree.Open(dir, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var log strings.Builder
	h := New(opened, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	asNobody(t, func() {
		for range 3 {
			ask(h, "GET", "/secret.txt")
		}
	})
	if n := strings.Count(log.String(), "path=/secret.txt"); n != 1 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

func TestDevice(t *testing.T) {
	dir, h := site(t, nil)
	if err := syscall.Mknod(filepath.Join(dir, "zero.html"), syscall.S_IFCHR|0o644, 1<<8|5); err != nil {
		t.Skip("making a device needs privileges: ", err)
	}
	if file, err := os.Open(filepath.Join(dir, "zero.html")); errors.Is(err, syscall.EACCES) {
		t.Skip("devices cannot be opened on the file system of ", dir)
	} else if err == nil {
		file.Close()
	}
	if w := ask(h, "GET", "/zero.html"); w.Code != 404 {
		t.Errorf("status is %d", w.Code)
	}
}

func TestNoMoreDescriptors(t *testing.T) {
	var log strings.Builder
	_, h := siteWith(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, map[string]string{"a.txt": "x"})
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	w := ask(h, "GET", "/a.txt")
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("status is %d, log %q", w.Code, log.String())
	}
	wantHeader(t, w, "Retry-After", "1")
	if w := ask(h, "GET", "/a.txt"); w.Code != 200 {
		t.Errorf("afterwards the status is %d", w.Code)
	}
}

// A lease for writing (Samba's oplocks are leases) must not make the request wait: see O_NONBLOCK in open(2).
func TestLeasedFile(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "x"})
	file, err := os.OpenFile(filepath.Join(dir, "a.txt"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const setLease = 1024 // F_SETLEASE
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), setLease, syscall.F_WRLCK); errno != 0 {
		t.Skip("leases cannot be had here: ", errno)
	}
	within(t, 10*time.Second, "a leased file", func() {
		w := ask(h, "GET", "/a.txt")
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status is %d", w.Code)
		}
		wantHeader(t, w, "Retry-After", "1")
	})
}

func TestDescriptorsAreClosed(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "x", "d/index.html": "x"})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", os.Getpid()))
		if err != nil {
			t.Skip("/proc cannot be read: ", err)
		}
		return len(entries)
	}
	before := count()
	within(t, 10*time.Second, "one of the files", func() {
		for _, target := range []string{"/a.txt", "/d", "/d/", "/fifo", "/missing", "/a.txt/x"} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
				ask(h, method, target)
			}
		}
	})
	if after := count(); after != before {
		t.Errorf("%d descriptors were open, now %d", before, after)
	}
}
