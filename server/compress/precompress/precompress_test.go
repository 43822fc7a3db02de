package precompress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/rouse-server/rouse/server/compress"
)

// run is one run and what it said.
type run struct {
	Options
	totals Totals
	err    error

	mu    sync.Mutex
	notes []string
	fails []string
	scale int64
	done  int64
}

// precompress runs on a folder, with small levels and the options that change sets.
func precompress(t testing.TB, dir string, change func(*Options)) *run {
	t.Helper()
	return precompressContext(t.Context(), dir, change)
}

func precompressContext(ctx context.Context, dir string, change func(*Options)) *run {
	r := &run{}
	r.Options = Options{
		Codings: []compress.Coding{compress.Zstd, compress.Brotli, compress.Gzip}, Level: 3, MinSize: compress.MinSize, Jobs: 3,
		Compressible: func(name string) bool { return slices.Contains([]string{".html", ".css", ".txt"}, filepath.Ext(name)) },
		Note:         func(text string) { r.locked(func() { r.notes = append(r.notes, text) }) },
		Fail:         func(err error) { r.locked(func() { r.fails = append(r.fails, err.Error()) }) },
		Scaled:       func(n int64) { r.scale = n },
		Done:         func(n int64) { r.locked(func() { r.done += n }) },
	}
	if change != nil {
		change(&r.Options)
	}
	r.totals, r.err = Run(ctx, dir, r.Options)
	slices.Sort(r.notes)
	return r
}

func (r *run) locked(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

// expect checks the totals.
func (r *run) expect(t testing.TB, files, made, upToDate, useless, removed, failed int) {
	t.Helper()
	if r.err != nil {
		t.Error(r.err)
	}
	sum := 0
	for _, m := range r.totals.Made {
		sum += m.Files
	}
	got := [...]int{r.totals.Files, sum, r.totals.UpToDate, r.totals.Useless, r.totals.Removed, r.totals.Failed}
	if want := [...]int{files, made, upToDate, useless, removed, failed}; got != want {
		t.Errorf("files, made, up to date, useless, removed, failed: %v, want %v (%q, %q)", got, want, r.notes, r.fails)
	}
	if len(r.fails) != failed {
		t.Errorf("%d failed, told: %q", failed, r.fails)
	}
}

var old = time.Date(2020, 2, 3, 4, 5, 6, 123456789, time.UTC)

func write(t testing.TB, dir, name string, text []byte, modified time.Time) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644), os.Chtimes(path, modified, modified)); err != nil {
		t.Fatal(err)
	}
	return path
}

func text(size int) []byte {
	return bytes.Repeat([]byte("<p>somebody else's sockets</p>\n"), size/31+1)[:size]
}

// files lists what is below a folder, hidden names too.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			t.Error(err)
		} else if !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return nil
	})
	return names
}

func expectFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	got := files(t, dir)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

// decoded undoes a sibling's coding, with the library and, where it is installed, with the program of that name.
func decoded(t testing.TB, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(body)
	program := ""
	switch filepath.Ext(path) {
	case ".zst":
		program = "zstd"
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	case ".br":
		program = "brotli"
		r = brotli.NewReader(r)
	case ".gz":
		program = "gzip"
		r, err = gzip.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if _, err := exec.LookPath(program); err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		command := exec.CommandContext(ctx, program, "-d", "-c")
		command.Stdin = bytes.NewReader(body)
		if out, err := command.Output(); err != nil || !bytes.Equal(out, plain) {
			t.Errorf("%s: %s: %d bytes, %v", path, program, len(out), err)
		}
	}
	return plain
}

func TestWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	originals := map[string][]byte{"a.html": text(5000), "sub/deep/b.css": text(300_000), ".well-known/c.txt": text(200), "é.txt": text(1000)}
	if runtime.GOOS == "linux" { // APFS refuses what is not UTF-8
		originals["\xff.txt"] = text(1000)
	}
	want := []string{"small.txt", "photo.png", ".hidden.html", ".git/config.txt", "sub/.well-known/d.txt", "link.html", "folder.html"}
	for name, body := range originals {
		path := write(t, dir, name, body, old)
		os.Chmod(path, 0o640)
		want = append(want, name, name+".zst", name+".br", name+".gz")
	}
	for name, body := range map[string][]byte{"small.txt": text(199), "photo.png": text(5000), ".hidden.html": text(5000), ".git/config.txt": text(5000), "sub/.well-known/d.txt": text(5000)} {
		write(t, dir, name, body, old)
	}
	os.Symlink("a.html", filepath.Join(dir, "link.html"))
	os.Symlink("sub", filepath.Join(dir, "folder.html"))

	r := precompress(t, dir, nil)
	r.expect(t, len(originals), 3*len(originals), 0, 0, 0, 0)
	expectFiles(t, dir, want...)
	if r.scale == 0 || r.done != r.scale {
		t.Errorf("%d of %d is done", r.done, r.scale)
	}
	for name, body := range originals {
		for _, c := range r.Codings {
			path := filepath.Join(dir, name+compress.Extension(c))
			if !bytes.Equal(decoded(t, path), body) {
				t.Errorf("%s came back different", path)
			}
			info, _ := os.Stat(path)
			if !info.ModTime().Equal(old) || info.Mode() != 0o640 || info.Size() >= int64(len(body)) {
				t.Errorf("%s: %s, %s, %d bytes", path, info.ModTime(), info.Mode(), info.Size())
			}
		}
	}
	made := r.totals.Made[compress.Gzip]
	if made.Files != len(originals) || made.Before < 306_200 || made.After <= 0 || made.After >= made.Before {
		t.Errorf("%+v", made)
	}
	precompress(t, dir, nil).expect(t, len(originals), 0, 3*len(originals), 0, 0, 0)
}

func TestCodings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	precompress(t, dir, func(o *Options) { o.Codings = []compress.Coding{compress.Gzip} }).expect(t, 1, 1, 0, 0, 0, 0)
	expectFiles(t, dir, "a.html", "a.html.gz")
}

func TestOutOfDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	write(t, dir, "a.html.gz", []byte("older"), old.Add(-1))
	write(t, dir, "a.html.br", []byte("newer"), old.Add(time.Hour))
	write(t, dir, "a.html.zst", text(1000), old) // no smaller
	r := precompress(t, dir, nil)
	r.expect(t, 1, 2, 1, 0, 0, 0)
	for _, name := range []string{"a.html.gz", "a.html.zst"} {
		if !bytes.Equal(decoded(t, filepath.Join(dir, name)), text(1000)) {
			t.Errorf("%s is another one", name)
		}
	}
}

func TestUseless(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var body []byte // that no coding makes smaller
	for i := range 256 {
		body = append(body, byte(i*167))
	}
	write(t, dir, "noise.txt", body, old)
	r := precompress(t, dir, nil)
	r.expect(t, 1, 0, 0, 3, 0, 0)
	expectFiles(t, dir, "noise.txt")
	// Siblings that are out of date or larger go; one that is up to date and smaller stays.
	write(t, dir, "noise.txt.gz", []byte("out of date"), old.Add(-time.Hour))
	write(t, dir, "noise.txt.br", text(300), old)
	write(t, dir, "noise.txt.zst", []byte("small"), old)
	r = precompress(t, dir, nil)
	r.expect(t, 1, 0, 1, 2, 2, 0)
	expectFiles(t, dir, "noise.txt", "noise.txt.zst")
	if len(r.notes) != 2 || !strings.HasPrefix(r.notes[0], "removed noise.txt.br: ") {
		t.Errorf("%q", r.notes)
	}
}

// A file that became too small does not keep a sibling with its old content.
func TestTooSmallByNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.txt", []byte("short"), old)
	write(t, dir, "a.txt.gz", text(100), old.Add(-time.Hour))
	write(t, dir, "b.txt", []byte("short"), old)
	write(t, dir, "b.txt.gz", text(100), old)
	precompress(t, dir, nil).expect(t, 0, 0, 1, 0, 1, 0)
	expectFiles(t, dir, "a.txt", "b.txt", "b.txt.gz")
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "gone.html.gz", text(10), old)
	write(t, dir, "sub/gone.css.br", text(10), old)
	write(t, dir, "release.tar.gz", text(10), old) // a download: .tar is nothing that is compressed beside itself
	write(t, dir, "gone.txt.zst", text(10), old)
	write(t, dir, ".gz", text(10), old)
	write(t, dir, ".hidden.html.gz", text(10), old)
	write(t, dir, "here.html", text(10), old)
	write(t, dir, "here.html.gz", text(10), old)
	all := files(t, dir)
	precompress(t, dir, nil)
	expectFiles(t, dir, all...)
	r := precompress(t, dir, func(o *Options) { o.Remove, o.DryRun = true, true })
	r.expect(t, 0, 0, 1, 0, 3, 0)
	expectFiles(t, dir, all...)
	if want := "would remove gone.html.gz: its original is gone"; !slices.Contains(r.notes, want) {
		t.Errorf("%q", r.notes)
	}
	r = precompress(t, dir, func(o *Options) {
		o.Remove, o.Codings = true, []compress.Coding{compress.Gzip, compress.Brotli}
	})
	r.expect(t, 0, 0, 1, 0, 2, 0)
	expectFiles(t, dir, "release.tar.gz", "gone.txt.zst", ".gz", ".hidden.html.gz", "here.html", "here.html.gz")
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	r := precompress(t, dir, func(o *Options) { o.DryRun = true })
	r.expect(t, 1, 3, 0, 0, 0, 0)
	if len(r.notes) != 3 || !strings.HasPrefix(r.notes[0], "would write a.html.br") {
		t.Errorf("%q", r.notes)
	}
	expectFiles(t, dir, "a.html")
}

// What stands where a sibling should is left when it is no file.
func TestOddSiblings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	write(t, dir, "a.html.gz/inside.png", text(1000), old)
	os.Symlink("elsewhere", filepath.Join(dir, "a.html.br"))
	r := precompress(t, dir, nil)
	r.expect(t, 1, 1, 0, 0, 0, 0)
	expectFiles(t, dir, "a.html", "a.html.gz/inside.png", "a.html.br", "a.html.zst")
	if len(r.notes) != 2 {
		t.Errorf("%q", r.notes)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	long := strings.Repeat("n", 250) + ".txt" // has room for itself in NAME_MAX, and for .br and .gz not
	write(t, dir, long, text(1000), old)
	r := precompress(t, dir, nil)
	r.expect(t, 2, 3, 0, 0, 0, 3)
	if !strings.HasSuffix(r.fails[0], ": file name too long") {
		t.Errorf("%q", r.fails)
	}
	expectFiles(t, dir, "a.html", "a.html.gz", "a.html.br", "a.html.zst", long)

	if r := precompress(t, filepath.Join(dir, "nowhere"), nil); !errors.Is(r.err, fs.ErrNotExist) {
		t.Error(r.err)
	}
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	if byAnOrdinaryUser(t) {
		return
	}
	dir := t.TempDir()
	write(t, dir, "a.html", text(1000), old)
	os.Chmod(write(t, dir, "b.html", text(1000), old), 0)
	write(t, dir, "closed/c.html", text(1000), old)
	os.Chmod(filepath.Join(dir, "closed"), 0)
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	r := precompress(t, dir, nil)
	r.expect(t, 2, 3, 0, 0, 0, 4)
}

// A file that is written to all the time is reported, one that changed once is done.
func TestChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ times, made, failed int }{{1, 1, 0}, {100, 0, 1}} {
		dir := t.TempDir()
		path := write(t, dir, "a.html", text(100_000), old)
		changes := 0
		var change func(*Options)
		change = func(o *Options) {
			o.Codings = []compress.Coding{compress.Gzip}
			done := o.Done
			o.Done = func(n int64) {
				done(n)
				if n > 0 && changes < c.times {
					changes++
					write(t, dir, "a.html", text(100_000+changes), old.Add(time.Duration(changes)*time.Second))
				}
			}
		}
		r := precompress(t, dir, change)
		r.expect(t, 1, c.made, 0, 0, 0, c.failed)
		want := []string{"a.html"}
		if c.made > 0 {
			want = append(want, "a.html.gz")
			body, _ := os.ReadFile(path)
			if !bytes.Equal(decoded(t, path+".gz"), body) {
				t.Error("the sibling is of an older state")
			}
		} else if !strings.Contains(r.fails[0], "changes while it is compressed") {
			t.Errorf("%q", r.fails)
		}
		expectFiles(t, dir, want...)
	}
}

// Ended in the middle, what is there is whole, and nothing else is.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 20 {
		write(t, dir, fmt.Sprintf("%d.html", i), text(100_000), old)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := precompressContext(ctx, dir, func(o *Options) {
		done := o.Done
		sum := int64(0)
		var mu sync.Mutex
		o.Done = func(n int64) {
			done(n)
			mu.Lock()
			defer mu.Unlock()
			if sum += n; sum > 1_000_000 {
				cancel()
			}
		}
	})
	if !errors.Is(r.err, context.Canceled) || r.totals.Failed != 0 {
		t.Errorf("%v, %+v", r.err, r.totals)
	}
	siblings := 0
	for _, name := range files(t, dir) {
		if filepath.Ext(name) == ".html" {
			continue
		}
		siblings++
		if !bytes.Equal(decoded(t, filepath.Join(dir, name)), text(100_000)) {
			t.Errorf("%s is not whole", name)
		}
	}
	if siblings == 0 || siblings > 30 {
		t.Errorf("%d siblings after about 10", siblings)
	}
	precompress(t, dir, nil).expect(t, 20, 60-siblings, siblings, 0, 0, 0)
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
