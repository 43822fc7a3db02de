package tree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// folder makes a folder named site with files in it. A name that ends in a slash is a folder; one with " -> " is a link.
func folder(t testing.TB, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		add(t, dir, name)
	}
	return dir
}

func add(t testing.TB, dir, name string) {
	t.Helper()
	name, to, isLink := strings.Cut(name, " -> ")
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil:
	case isLink:
		err = os.Symlink(to, path)
	case strings.HasSuffix(name, "/"):
		err = os.MkdirAll(path, 0o755)
	default:
		err = os.WriteFile(path, []byte(filepath.Base(name)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string, o Options) *Tree {
	t.Helper()
	tree, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// ways is the tree as the kernel helps here, and as it is without help.
func ways(t *testing.T, dir string, o Options) map[string]*Tree {
	return map[string]*Tree{"kernel": open(t, dir, o), "walk": walking(open(t, dir, o))}
}

func walking(tree *Tree) *Tree {
	tree.kernel = kernel{}
	return tree
}

// look is what Open finds: a file's content, "folder", or its error in a word.
func look(t testing.TB, tree *Tree, name string) string {
	t.Helper()
	file, info, err := tree.Open(name)
	switch {
	case errors.Is(err, ErrLink):
		return "link"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	case err != nil:
		return err.Error()
	}
	defer file.Close()
	if info.IsDir() {
		return "folder"
	}
	content, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func check(t *testing.T, dir string, o Options, want map[string]string) {
	t.Helper()
	for way, tree := range ways(t, dir, o) {
		for name, want := range want {
			if got := look(t, tree, name); got != want {
				t.Errorf("%s, %+v: %.60q is %q, want %q", way, o, name, got, want)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	dir := folder(t, "a.txt", "deep/er/b.txt", "empty/", "\xff\xfe.txt")
	add(t, filepath.Dir(dir), "secret.txt")
	check(t, dir, Options{}, map[string]string{
		"a.txt": "a.txt", "deep/er/b.txt": "b.txt", ".": "folder", "deep": "folder", "deep/er": "folder", "empty": "folder", "\xff\xfe.txt": "\xff\xfe.txt",
		"b.txt": "missing", "deep/b.txt": "missing", "a.txt/b": "missing", "no/b.txt": "missing", strings.Repeat("a", 300): "missing",
		"": "missing", "/": "missing", "/etc/passwd": "missing", "..": "missing", "../secret.txt": "missing", "deep/../a.txt": "missing", "deep/": "missing",
		"deep//er": "missing", "./a.txt": "missing", "deep/.": "missing", "a.txt\x00": "missing", "deep\\er": "missing", "deep/../../secret.txt": "missing",
	})
}

func TestHidden(t *testing.T) {
	dir := folder(t, ".env", "a/.git/config", ".well-known/x", ".well-known/.env", "a/.well-known/x", "\u200c.git", "\u200cx", "...", " .a")
	check(t, dir, Options{}, map[string]string{
		".env": "missing", "a/.git": "missing", "a/.git/config": "missing", ".well-known": "folder", ".well-known/x": "x", ".well-known/.env": "missing",
		"a/.well-known/x": "missing", "\u200c.git": "missing", "\u200cx": "\u200cx", "...": "missing", " .a": " .a", ".Well-Known/x": "missing",
	})
	check(t, dir, Options{Hidden: true}, map[string]string{
		".env": ".env", "a/.git/config": "config", ".well-known/.env": ".env", "\u200c.git": "\u200c.git", "...": "...", "..": "missing", "a/..": "missing",
	})
}

// The root may be hidden itself, and a link.
func TestHiddenRoot(t *testing.T) {
	dir := folder(t, ".root/a.txt", ".root/.b", "link -> .root")
	for _, name := range []string{".root", "link"} {
		for _, follow := range []bool{false, true} {
			check(t, filepath.Join(dir, name), Options{Follow: follow}, map[string]string{"a.txt": "a.txt", ".b": "missing", ".": "folder"})
		}
	}
}

func links(t *testing.T) string {
	dir := folder(t, "a.txt", "deep/er/b.txt", "in.txt -> a.txt", "in -> deep", "deep/er/up.txt -> ../../a.txt", "chain.txt -> in.txt", "to-root -> .",
		"out.txt -> ../outside/secret.txt", "out -> ../outside", "deep/out -> ../../outside", "back.txt -> ../site/a.txt", "to-absolute -> /", "broken -> nothing",
		"loop -> loop", "ping -> pong", "pong -> ping", "file-as-dir -> a.txt/", "under-file -> a.txt/b", "proc -> /proc/self/cwd")
	add(t, filepath.Dir(dir), "outside/secret.txt")
	add(t, filepath.Dir(dir), "site-2/secret.txt")
	for name, to := range map[string]string{
		"absolute-out.txt": filepath.Dir(dir) + "/outside/secret.txt", "absolute.txt": dir + "/a.txt", "absolute": dir + "/deep",
		"absolute-root": dir, "absolute-chain": dir + "/absolute", "beside.txt": filepath.Dir(dir) + "/site-2/secret.txt",
	} {
		add(t, dir, name+" -> "+to)
	}
	return dir
}

func TestLinksNotFollowed(t *testing.T) {
	check(t, links(t), Options{}, map[string]string{
		"in.txt": "link", "in": "link", "in/er/b.txt": "link", "in/missing": "link", "deep/er/up.txt": "link", "chain.txt": "link", "to-root/a.txt": "link",
		"out": "link", "out/secret.txt": "link", "absolute.txt": "link", "broken": "link", "loop": "link", "loop/x": "link", "a.txt": "a.txt", "a.txt/in": "missing",
		"missing/in.txt": "missing",
	})
}

func TestLinksFollowed(t *testing.T) {
	check(t, links(t), Options{Follow: true}, map[string]string{
		"in.txt": "a.txt", "in": "folder", "in/er/b.txt": "b.txt", "in/missing": "missing", "deep/er/up.txt": "a.txt", "chain.txt": "a.txt",
		"to-root": "folder", "to-root/to-root/a.txt": "a.txt", "back.txt": "a.txt",
		"absolute.txt": "a.txt", "absolute/er/b.txt": "b.txt", "absolute-root/in/er/b.txt": "b.txt", "absolute-chain/er/up.txt": "a.txt",
		"out.txt": "missing", "out": "missing", "out/secret.txt": "missing", "deep/out/secret.txt": "missing", "in/out/secret.txt": "missing",
		"absolute-out.txt": "missing", "beside.txt": "missing", "to-absolute": "missing", "to-absolute/etc/passwd": "missing", "proc": "missing",
		"broken": "missing", "loop": "missing", "ping/x": "missing", "file-as-dir": "missing", "under-file": "missing",
		strings.Repeat("to-root/", 300) + "a.txt": "missing",
	})
}

// A folder that becomes a link to the outside at any moment gives away nothing.
func TestLinkSwappedMeanwhile(t *testing.T) {
	dir := folder(t, "real/x.txt", "link -> ../outside")
	add(t, filepath.Dir(dir), "outside/x.txt -> secret")
	add(t, filepath.Dir(dir), "outside/secret")
	trees := []*Tree{}
	for _, follow := range []bool{false, true} {
		for _, tree := range ways(t, dir, Options{Follow: follow}) {
			trees = append(trees, tree)
		}
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
			name := filepath.Join(dir, []string{"real", "link"}[i%2])
			os.Rename(name, current)
			os.Rename(current, name)
		}
	})
	for range 1000 {
		for _, tree := range trees {
			if got := look(t, tree, "current/x.txt"); got != "x.txt" && got != "link" && got != "missing" {
				t.Errorf("opened %q", got)
			}
		}
	}
	close(stop)
	swapping.Wait()
}

func TestSpecialFiles(t *testing.T) {
	dir := folder(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, dir, Options{}, map[string]string{"fifo": "missing", "fifo/x": "missing"})
}

func TestRootSwapped(t *testing.T) {
	dir := folder(t, "blue/a.txt", "blue/blue", "green/a.txt", "green/green", "current -> blue")
	path := filepath.Join(dir, "current")
	pinned, reopened := open(t, path, Options{}), open(t, path, Options{Reopen: true, Follow: true})
	held, _, err := reopened.Open("blue")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	swap := func(to string) {
		t.Helper()
		add(t, dir, "next -> "+to)
		if err := os.Rename(filepath.Join(dir, "next"), path); err != nil {
			t.Fatal(err)
		}
	}
	swap("green")
	if got := look(t, pinned, "blue"); got != "blue" {
		t.Errorf("without Reopen: %s", got)
	}
	if got := look(t, reopened, "green") + " " + look(t, reopened, "blue"); got != "green missing" {
		t.Errorf("with Reopen: %s", got)
	}
	if content, err := io.ReadAll(held); string(content) != "blue" || err != nil {
		t.Errorf("a file opened before reads %q, %v", content, err)
	}
	if err := os.Remove(path); err != nil { // between the steps of ln -sf
		t.Fatal(err)
	}
	if got := look(t, reopened, "green"); got != "green" {
		t.Errorf("while the link is missing: %s", got)
	}
	add(t, dir, "current -> blue")
	if got := look(t, reopened, "blue"); got != "blue" {
		t.Errorf("once it is there again: %s", got)
	}
}

// However often the root changes, every file of it is found.
func TestRootSwappedWhileUsed(t *testing.T) {
	dir := folder(t, "blue/a.txt", "green/a.txt", "current -> blue")
	tree := open(t, filepath.Join(dir, "current"), Options{Reopen: true})
	stop := make(chan struct{})
	var users, swapping sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if os.Symlink([]string{"green", "blue"}[i%2], filepath.Join(dir, "next")) != nil ||
				os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")) != nil {
				return
			}
		}
	})
	for range 4 {
		users.Go(func() {
			for range 500 {
				if got := look(t, tree, "a.txt"); got != "a.txt" {
					t.Errorf("a.txt is %q", got)
				}
			}
		})
	}
	users.Wait()
	close(stop)
	swapping.Wait()
}

func TestOpenRefuses(t *testing.T) {
	dir := folder(t, "a.txt")
	for _, path := range []string{filepath.Join(dir, "missing"), filepath.Join(dir, "a.txt")} {
		if tree, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v", path, tree, err)
		}
	}
	tree := open(t, dir, Options{})
	tree.Close()
	if _, _, err := tree.Open("a.txt"); !errors.Is(err, os.ErrClosed) || Status(err) != 500 {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := folder(b, "assets/css/site.css")
	for name, tree := range map[string]*Tree{"kernel": open(b, dir, Options{}), "walk": walking(open(b, dir, Options{}))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				file, _, err := tree.Open("assets/css/site.css")
				if err != nil {
					b.Fatal(err)
				}
				file.Close()
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"", ".", "a", "a/b", "..", "../a", "/etc/passwd", ".git", "a/./b", "a//b", "\u200c.git", ".well-known/x", "a\x00", "..namedfork"} {
		f.Add(seed)
	}
	tree, strict := &Tree{options: Options{Hidden: true}}, &Tree{}
	f.Fuzz(func(t *testing.T, name string) {
		if strict.allowed(name) && !tree.allowed(name) {
			t.Fatalf("%q is allowed only where hidden names are not", name)
		}
		if !tree.allowed(name) {
			return
		}
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsAny(name, "\x00\\\n") {
			t.Fatalf("%q is allowed", name)
		}
		if strict.allowed(name) && name != "." && strings.Contains("/"+strings.TrimPrefix("/"+name, "/.well-known"), "/.") {
			t.Fatalf("%q is hidden", name)
		}
	})
}
