package listing

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rouse-server/rouse/server/tree"
)

var all = []string{targz, tarzst, zipped}

// unpacked are the names in an archive, in order, and what is in them.
func unpacked(t *testing.T, format string, data []byte) (names []string, content map[string]string) {
	t.Helper()
	content = map[string]string{}
	if format == zipped {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range z.File {
			r, err := file.Open()
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, file.Name)
			content[file.Name] = readAll(t, r)
			if !strings.HasSuffix(file.Name, "/") && !file.Modified.Equal(then) {
				t.Errorf("%s is of %v", file.Name, file.Modified)
			}
		}
		return names, content
	}
	var r io.Reader
	var err error
	if format == targz {
		r, err = gzip.NewReader(bytes.NewReader(data))
	} else {
		r, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		content[h.Name] = readAll(t, in)
		if h.Typeflag == tar.TypeReg && !h.ModTime.Equal(then) || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%+v", h)
		}
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{
		"docs/b.txt": "bee", "docs/a/spécial x.txt": strings.Repeat("x", 100000), "docs/empty/": "", "docs/.hidden/x": "", "docs/.env": "secret",
		"docs/link -> b.txt": "", "docs/out -> /etc": "", "docs/" + strings.Repeat("long", 60): "", "other": "",
	})
	l := New(open(t, root, tree.Options{}), Options{Archives: all})
	want := []string{"docs/", "docs/a/", "docs/a/spécial x.txt", "docs/b.txt", "docs/empty/", "docs/" + strings.Repeat("long", 60)}
	for format, mediaType := range map[string]string{"": "application/gzip", targz: "application/gzip", tarzst: "application/zstd", zipped: "application/zip"} {
		query := "?download"
		if format != "" {
			query += "=" + format
		} else {
			format = targz
		}
		w := request(l, "GET", "/docs/"+query)
		if got := w.Header().Get("Content-Type"); got != mediaType {
			t.Errorf("%s is %s", query, got)
		}
		if got, want := w.Header().Get("Content-Disposition"), `attachment; filename="docs.`+extension(format)+`"; filename*=UTF-8''docs.`+extension(format); got != want {
			t.Errorf("Content-Disposition is %s, want %s", got, want)
		}
		names, content := unpacked(t, format, w.Body.Bytes())
		if !slices.Equal(names, want) {
			t.Errorf("%s has %q, want %q", query, names, want)
		}
		if content["docs/b.txt"] != "bee" || len(content["docs/a/spécial x.txt"]) != 100000 {
			t.Errorf("%s has other content", query)
		}
	}
}

func TestWhatIsNotOfferedIsAListing(t *testing.T) {
	t.Parallel()
	opened := open(t, folder(t, map[string]string{"a": ""}), tree.Options{})
	hasNot(t, get(New(opened, Options{}), "/?download"), "download</", "tar.gz")
	has(t, get(New(opened, Options{}), "/?download=zip"), "<h1>Index of /</h1>")
	l := New(opened, Options{Archives: []string{tarzst, zipped}})
	has(t, get(l, "/?download=targz"), "<h1>Index of /</h1>")
	has(t, get(l, "/"), `href="?download=tarzst" rel="nofollow">download tar.zst</a>`, `href="?download=zip" rel="nofollow">download zip</a>`)
	if got := request(l, "GET", "/?download").Header().Get("Content-Type"); got != "application/zstd" {
		t.Errorf("without targz, ?download is %s", got)
	}
	has(t, get(New(opened, Options{Archives: all}), "/"), `<a class="download" href="?download" rel="nofollow">download tar.gz</a>`)
}

func TestFollowedLinksInArchives(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{
		"site/real/x": "x", "site/file -> real/x": "", "site/dir -> real": "", "site/loop -> ..": "", "site/out -> /etc/passwd": "", "site/gone -> nowhere": "",
	})
	l := New(open(t, root, tree.Options{Follow: true}), Options{Archives: all})
	names, content := unpacked(t, targz, request(l, "GET", "/site/?download").Body.Bytes())
	want := []string{"site/", "site/dir/", "site/dir/x", "site/file", "site/loop/", "site/loop/site/", "site/real/", "site/real/x"}
	if !slices.Equal(names, want) || content["site/file"] != "x" {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestNamesOfArchives(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		".":           `attachment; filename="archive.zip"; filename*=UTF-8''archive.zip`,
		"a/b c":       `attachment; filename="b c.zip"; filename*=UTF-8''b%20c.zip`,
		`a/x"y'z`:     `attachment; filename="x_y'z.zip"; filename*=UTF-8''x_y%27z.zip`,
		"été 100%":    `attachment; filename="_t_ 100_.zip"; filename*=UTF-8''%C3%A9t%C3%A9%20100%25.zip`,
		"C:\r\nx\xff": `attachment; filename="C___x_.zip"; filename*=UTF-8''C___x_.zip`,
	} {
		if got := disposition(archiveName(dir) + ".zip"); got != want {
			t.Errorf("%q is saved by\n%s, want\n%s", dir, got, want)
		}
	}
}

// meddler does something when a file is about to be read.
type meddler struct {
	archive
	meddle func(name string)
}

func (m meddler) file(name string, info fs.FileInfo) (io.Writer, error) {
	w, err := m.archive.file(name, info)
	m.meddle(name)
	return w, err
}

func TestFilesThatChangeEndTheArchive(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"shorter": func(path string) error { return os.Truncate(path, 1) },
		"longer":  func(path string) error { return os.Truncate(path, 10) },
		"rewritten": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("other"), 0o644), os.Chtimes(path, then.AddDate(1, 0, 0), then.AddDate(1, 0, 0)))
		},
	} {
		for _, format := range all {
			root := folder(t, map[string]string{"a": "first"})
			l := New(open(t, root, tree.Options{}), Options{})
			to, err := l.newArchive(io.Discard, format)
			if err != nil {
				t.Fatal(err)
			}
			k := &walk{Listing: l, ctx: t.Context(), buffer: make([]byte, 10), to: meddler{to, func(string) {
				if err := change(filepath.Join(root, "a")); err != nil {
					t.Error(err)
				}
			}}}
			if err := k.folder(".", "x"); err == nil || !strings.Contains(err.Error(), "changed") {
				t.Errorf("%s, %s: %v", name, format, err)
			}
		}
	}
}

func TestNobodyWaitsForTheArchive(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	l := New(open(t, root, tree.Options{}), Options{})
	to, err := l.newArchive(io.Discard, targz)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var read []string
	k := &walk{Listing: l, ctx: ctx, buffer: make([]byte, 10), to: meddler{to, func(name string) {
		read = append(read, name)
		cancel()
	}}}
	if err := k.folder(".", "x"); !errors.Is(err, context.Canceled) || len(read) != 1 {
		t.Errorf("%v after %q", err, read)
	}
}

// A client that takes a part for the whole loses data.
func TestBrokenArchiveIsNoWholeReply(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{"a": ""})
	noise := make([]byte, 32<<20) // more than the kernel keeps on the way
	rand.NewChaCha8([32]byte{}).Read(noise)
	path := filepath.Join(root, "a")
	if err := os.WriteFile(path, noise, 0o644); err != nil {
		t.Fatal(err)
	}
	server := serve(t, New(open(t, root, tree.Options{}), Options{Archives: all}))
	for _, format := range all {
		if err := os.WriteFile(path, noise, 0o644); err != nil {
			t.Fatal(err)
		}
		response, err := http.Get(server.URL + "/?download=" + format)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d bytes, then %v", format, n, err)
		}
		response.Body.Close()
	}
}

func TestFilesThatCannotBeReadAreLeftOut(t *testing.T) {
	t.Parallel()
	if byAnOrdinaryUser(t) {
		return
	}
	root := folder(t, map[string]string{"a": "1", "b/x": "2", "c": "3"})
	os.Chmod(root+"/a", 0)
	os.Chmod(root+"/b", 0)
	t.Cleanup(func() { os.Chmod(root+"/b", 0o755) })
	l := New(open(t, root, tree.Options{}), Options{Archives: all})
	names, _ := unpacked(t, zipped, request(l, "GET", "/?download=zip").Body.Bytes())
	if !slices.Equal(names, []string{"archive/", "archive/c"}) {
		t.Errorf("%q", names)
	}
}

func TestWithheldFiles(t *testing.T) {
	t.Parallel()
	root := folder(t, map[string]string{"_headers": "", "a/_headers": "", "a/b": "", "c": ""})
	l := New(open(t, root, tree.Options{}), Options{Archives: all, Withheld: []string{"_headers", "a/b"}})
	hasNot(t, get(l, "/"), "_headers")
	has(t, get(l, "/a/"), "_headers", "directories: 0, files: 1")
	if names, _ := unpacked(t, zipped, request(l, "GET", "/?download=zip").Body.Bytes()); !slices.Equal(names, []string{"archive/", "archive/a/", "archive/a/_headers", "archive/c"}) {
		t.Errorf("%q", names)
	}
}
