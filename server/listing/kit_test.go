package listing

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

// then is when the files of folders in tests were written.
var then = time.Date(2026, 11, 22, 0, 33, 58, 0, time.UTC)

// folder makes a folder; a name that ends in a slash is a folder in it, and "a -> b" a link.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		if strings.Contains(name, " -> ") {
			continue
		}
		path := filepath.Join(root, name)
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			t.Fatal(err)
		}
		if parent == path {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Skipf("this file system cannot hold the name %q: %v", name, err)
		}
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	for name := range files {
		if from, to, ok := strings.Cut(name, " -> "); ok {
			if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func open(t testing.TB, root string, o tree.Options) *tree.Tree {
	t.Helper()
	opened, err := tree.Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// handler lists the folder that the path names.
func handler(l *Listing) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(r.URL.Path, "/")
		if name == "" {
			name = "."
		}
		l.Serve(w, r, name, r.URL.Path)
	})
}

// request asks a listing for a target; headers are names and values in turn.
func request(l *Listing, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler(l).ServeHTTP(w, r)
	return w
}

func get(l *Listing, target string, headers ...string) string {
	return request(l, "GET", target, headers...).Body.String()
}

// serve serves a listing over TCP.
func serve(t *testing.T, l *Listing) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler(l))
	t.Cleanup(server.Close)
	return server
}

// has fails the test for each of the texts that is missing.
func has(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("it lacks %q; it is:\n%s", text, withoutAssets(page))
		}
	}
}

func hasNot(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("it has %q; it is:\n%s", text, withoutAssets(page))
		}
	}
}

func withoutAssets(page string) string {
	return strings.ReplaceAll(strings.ReplaceAll(page, styleSheet, ""), script, "")
}

// listed are the names in a page, in order.
func listed(page string) []string {
	var names []string
	for _, row := range strings.Split(page, `<tr><th scope="row">`)[1:] {
		_, rest, _ := strings.Cut(row, `">`)
		name, _, _ := strings.Cut(rest, "</a>")
		names = append(names, name)
	}
	return names
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// byAnOrdinaryUser runs the test in a process of its own as an ordinary user, when root runs it, who may read everything. It
// tells whether it did.
func byAnOrdinaryUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	command := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	command.Dir, command.Env = "/", []string{"TMPDIR=/tmp"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := command.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}
