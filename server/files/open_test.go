package files

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

// within runs f and fails the test if it takes longer than a file without a writer may.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s still blocks after %v", what, limit)
	}
}

func TestSpecialFiles(t *testing.T) {
	dir, h := site(t, map[string]string{"with-fifo/index.htm": "next"})
	for _, name := range []string{"fifo.html", "with-fifo/index.html"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A socket's path is limited to about 100 bytes, which t.TempDir may exceed.
	short, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	listener, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Rename(filepath.Join(short, "s"), filepath.Join(dir, "socket.html")); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/fifo.html": 404, "/socket.html": 404, "/fifo.html/": 404, "/with-fifo/": 200} {
		within(t, 10*time.Second, target, func() {
			if w := ask(h, "GET", target); w.Code != want {
				t.Errorf("%s: %d, want %d", target, w.Code, want)
			}
		})
	}
}

func TestSymbolicLinks(t *testing.T) {
	dir := folder(t, map[string]string{"a.txt": "inside", "deep/er/b.txt": "inside", "deep/index.html": "inside"})
	outside := filepath.Join(filepath.Dir(dir), "outside")
	write(t, filepath.Join(outside, "secret.txt"), "SECRET")
	for name, to := range map[string]string{
		"in.txt": "a.txt", "in": "deep", "deep/er/up.txt": "../../a.txt", "chain.txt": "in.txt", "to-root": ".",
		"out.txt": "../outside/secret.txt", "out": "../outside", "absolute.txt": filepath.Join(outside, "secret.txt"), "deep/out": "../../outside",
		"back.txt": "../site/a.txt", "to-absolute": "/", "broken.txt": "nothing", "loop.txt": "loop.txt", "ping": "pong", "pong": "ping",
		"file-as-dir.txt": "a.txt/", "under-file.txt": "a.txt/b",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h := serving(t, dir, tree.Options{Follow: true}, usual())
	for target, want := range map[string]int{
		"/in.txt": 200, "/in/er/b.txt": 200, "/in/": 200, "/in": 308, "/deep/er/up.txt": 200, "/chain.txt": 200, "/to-root/to-root/a.txt": 200,
		"/out.txt": 404, "/out/secret.txt": 404, "/out": 404, "/out/": 404, "/absolute.txt": 404, "/deep/out/secret.txt": 404, "/in/out/secret.txt": 404,
		"/back.txt": 200, "/to-absolute/etc/passwd": 404, "/broken.txt": 404, "/broken.txt/": 404, "/loop.txt": 404, "/ping/": 404,
		"/file-as-dir.txt": 404, "/under-file.txt": 404, "/" + strings.Repeat("to-root/", 100) + "a.txt": 404,
	} {
		w := ask(h, "GET", target)
		if w.Code != want || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%.60s: %d, want %d", target, w.Code, want)
		}
	}
}

// A folder that becomes a link to the outside at any moment gives away nothing.
func TestLinkSwappedDuringLookup(t *testing.T) {
	dir := folder(t, map[string]string{"real/x.txt": "inside"})
	h := serving(t, dir, tree.Options{Follow: true}, usual())
	write(t, filepath.Join(filepath.Dir(dir), "outside", "x.txt"), "SECRET")
	if err := os.Symlink("../outside", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		current := filepath.Join(dir, "current")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				os.Rename(filepath.Join(dir, "real"), current)
				os.Rename(current, filepath.Join(dir, "real"))
			} else {
				os.Rename(filepath.Join(dir, "link"), current)
				os.Rename(current, filepath.Join(dir, "link"))
			}
		}
	})
	for range 3000 {
		if w := ask(h, "GET", "/current/x.txt"); strings.Contains(w.Body.String(), "SECRET") {
			t.Error("a file from outside was served")
			break
		}
	}
	close(stop)
	swapping.Wait()
}

// Whatever moment a file is replaced at by rename, a reply is wholly the old or wholly the new one.
func TestFileReplacedWhileServed(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": strings.Repeat("0", 10000)})
	server := httptest.NewServer(h)
	defer server.Close()
	stop := make(chan struct{})
	var replacing sync.WaitGroup
	replacing.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := strings.Repeat(fmt.Sprint(i%10), 10000+i%7)
			if os.WriteFile(filepath.Join(dir, "next"), []byte(next), 0o644) != nil ||
				os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "a.txt")) != nil {
				return
			}
		}
	})
	seen := map[string]string{}
	for range 500 {
		response, err := server.Client().Get(server.URL + "/a.txt")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || int64(len(body)) != response.ContentLength {
			t.Fatalf("%d: %d of %d bytes, %v", response.StatusCode, len(body), response.ContentLength, err)
		}
		if string(body) != strings.Repeat(string(body[:1]), len(body)) {
			t.Fatal("a reply is a mixture of two files")
		}
		tag := response.Header.Get("ETag")
		if before, ok := seen[tag]; ok && before != string(body) {
			t.Fatal("two contents had one ETag")
		}
		seen[tag] = string(body)
	}
	close(stop)
	replacing.Wait()
}

func TestRootClosed(t *testing.T) {
	root, err := tree.Open(folder(t, map[string]string{"a.txt": "x"}), tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := New(root, Options{})
	root.Close()
	if w := ask(h, "GET", "/a.txt"); w.Code != http.StatusInternalServerError {
		t.Errorf("status is %d", w.Code)
	}
}
