package lane

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// modified is the time of all files at first.
func modified() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// words is n bytes of text that compresses well.
func words(n int) string {
	return strings.Repeat("servers that sleep until someone knocks. ", n/41+1)[:n]
}

// noise is n bytes that can be told apart.
func noise(n int) string {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i ^ i>>8*7)
	}
	return string(content)
}

// site is the files that all setups serve. What stands beside main.css is no real encoding: nobody decodes it.
func site() map[string]string {
	return map[string]string{
		"index.html": "<!doctype html><title>index</title><h1>The index</h1>\n", "page.html": words(900), "a.txt": "This is a.txt.\n", "empty.txt": "",
		"1k.bin": noise(1000), "100k.bin": noise(100 << 10), "300k.txt": words(300 << 10), "big.txt": words(5000), "10k.js": words(10 << 10), "picture.png": words(3000), "unknown.xyzzy": "?",
		"404.html": "<!doctype html><title>gone</title><h1>There is no such page on this site</h1>\n", "50x.html": words(300),
		".hidden": "secret\n", ".dir/file.txt": "secret\n", ".well-known/security.txt": "Contact: mailto:security@site.test\n",
		"assets/index.html": words(400), "assets/main.css": words(900), "assets/main.css.gz": "gz " + words(100), "assets/main.css.br": "br " + words(90), "assets/main.css.zst": "zst " + words(80),
		"assets/main.js": words(1200), "assets/favicon.ico": "icon", "plain/x.txt": "x\n", "plain/y/z.txt": "z\n", "orphan/index.html.gz": "gz " + words(300),
		"md/p.md": "# p\n", "md/p.html": words(500), "md/q.html": words(300), "md/q.html.md": "# q\n", "md/index.html.md": "# index\n", "md/index.html": words(250),
		"odd/sp\u00e9cial x/\u00f1 b~c.txt": "odd\n", "old.html": "old\n", "blog/post.html": words(700), "api.json": `{"a": 1}`, "changing/a.txt": words(2000), "changing/b.html": words(600),
	}
}

func writeSite(t *testing.T, dir string) {
	t.Helper()
	for name, text := range site() {
		write(t, dir, "site/"+name, text)
	}
	must(t, os.Symlink("assets", filepath.Join(dir, "site/link")))
	must(t, os.Symlink("a.txt", filepath.Join(dir, "site/link.txt")))
	must(t, os.Mkdir(filepath.Join(dir, "site/none"), 0o755))
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, modified(), modified())
	}))
}

// write replaces a file as a whole. {dir} in its text stands for the folder.
func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path+"~", []byte(strings.ReplaceAll(text, "{dir}", dir)), 0o644))
	must(t, os.Rename(path+"~", path))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
