package conformance

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// modified is the time of all files of the fixture.
func modified() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// Texts that points compare with.
const (
	indexPage    = "<!doctype html><title>index</title><h1>The index</h1>\n"
	aText        = "This is a.txt.\n"
	page404      = "<!doctype html><title>gone</title><h1>There is no such page on this site</h1>\n"
	page50x      = "<!doctype html><title>broken</title><h1>This site is out of order</h1>\n"
	assetsPage   = "<!doctype html><title>assets</title><h1>The assets</h1>\n"
	htmPage      = "<!doctype html><title>htm</title><h1>The other index</h1>\n"
	tinyScript   = "let tiny = 1;\n"
	oddFile      = "odd/sp\u00e9cial x/\u00f1 b~c.txt"
	oddPath      = "/odd/sp%C3%A9cial%20x/%C3%B1%20b~c.txt"
	payload      = `<script>alert(1)<x>&".txt`
	payloadPath  = "%3Cscript%3Ealert%281%29%3Cx%3E%26%22.txt"
	fallbackPage = "<!doctype html><title>application</title><h1>The application</h1>"
	markdownP    = "# p\n"
)

// words is n bytes of text that compresses well.
func words(n int) string { return strings.Repeat("static files, done right. ", n/26+1)[:n] }

// binary is n bytes that can be told apart.
func binary(n int) string {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i ^ i>>8*7)
	}
	return string(content)
}

// texts are the files of the fixture that hold text.
func texts() map[string]string {
	return map[string]string{
		"site/index.html": indexPage, "site/a.txt": aText, "site/page.html": htmPage, "site/empty.txt": "",
		"site/unknown.xyzzy": "?", "site/1000.bin": binary(1000), "site/epoch.txt": "from the epoch\n",
		"site/404.html": page404, "site/50x.html": page50x, "site/.dotfile": "secret\n", "site/.dir/file.txt": "secret\n",
		"site/.well-known/security.txt": "Contact: mailto:security@site.test\n",
		"site/assets/index.html":        assetsPage, "site/assets/main.css": words(900), "site/assets/main.js": words(1200),
		"site/assets/tiny.js": tinyScript, "site/assets/favicon.ico": "icon",
		"site/alt/index.htm": htmPage, "site/both/index.html": indexPage, "site/both/index.htm": htmPage,
		"site/plain/x.txt": "x\n", "site/deep/assets/x.txt": "deep\n",
		"site/" + oddFile: "odd\n",
		"site/199.txt":    words(199), "site/200.txt": words(200), "site/big.txt": words(5000), "site/picture.png": words(3000),
		"site/font.woff2": words(3000), "site/gz.txt": words(800), "site/folder.txt": words(700), "site/link.txt": words(600),
		"site/folder.txt.br/x": "x",
		"site/md/p.md":         markdownP, "site/md/q.html": htmPage, "site/md/q.html.md": "# q\n", "site/md/p.html": htmPage,
		"site/md/index.html": indexPage, "site/md/index.html.md": "# index\n", "site/md/only.html": assetsPage,
		"site/md/100% done.md": "# 100\n", "site/md/.hidden.md": "# hidden\n",
		"site/list/a.txt": words(2000), "site/list/b.txt": words(300), "site/list/c.txt": words(40), "site/list/sub/inner.txt": "inner\n",
		"site/list/.secret": "secret\n", "site/list/sub/.secret": "secret\n", "site/list/sp\u00e9cial x/y.txt": "y\n", "site/list/" + payload: "p\n",
		".hidden-root/file.txt": "in a hidden root\n", ".hidden-root/.secret": "secret\n",
		"outside/secret.txt": "outside\n", "outside/main.css": "outside\n",
		"pages/fallback.html": "\n  " + fallbackPage + "\n\n", "pages/maintenance.html": "<h1>Back at noon</h1>\n",
		"host-a/index.html": "host a\n", "host-b/index.html": "host b\n",
		"v1/v.txt": "version 1\n", "v2/v.txt": "version 2\n",
	}
}

// writeFixture fills dir: dir/site is what is served, the rest lies outside of it.
func writeFixture(t *testing.T, dir string) {
	t.Helper()
	files := texts()
	for extension := range maps.Keys(lifetimes()) {
		files["site/ext/file."+extension] = "x"
	}
	for _, name := range slices.Concat(compressible(), incompressible()) {
		files["site/types/"+name] = words(400)
	}
	maps.Copy(files, siblings(t, files))
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	must(t, os.MkdirAll(filepath.Join(dir, "site/none"), 0o755))
	for link, target := range map[string]string{
		"site/link": "assets", "site/link-file.txt": "a.txt", "site/out": "../outside", "site/broken": "nowhere",
		"site/list/link.txt": "a.txt", "site/list/out.txt": "../../outside/secret.txt", "site/list/sub/link.txt": "../a.txt",
		"site/link.txt.br": "../outside/main.css", "swap-on": "v1", "swap-off": "v1",
	} {
		path := filepath.Join(dir, link)
		_ = os.Remove(path)
		must(t, os.Symlink(target, path))
	}
	date(t, dir)
}

// siblings are the compressed files beside others.
func siblings(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	return map[string]string{
		"site/404.html.br":          encode(t, "br", page404),
		"site/alt/index.htm.br":     encode(t, "br", htmPage),
		"site/assets/main.css.zst":  encode(t, "zstd", files["site/assets/main.css"]),
		"site/assets/tiny.js.br":    stored(tinyScript + strings.Repeat("// longer\n", 40)),
		"site/gz.txt.gz":            encode(t, "gzip", files["site/gz.txt"]),
		"site/orphan/index.html.gz": encode(t, "gzip", indexPage),
	}
}

// stored stands for a variant that is larger than its original. Nobody decodes it: its bytes are what must arrive.
func stored(text string) string { return text }

// date gives all files one time; the file of the epoch has its own.
func date(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, modified(), modified())
	}))
	must(t, os.Chtimes(filepath.Join(dir, "site/epoch.txt"), time.Unix(0, 0), time.Unix(0, 0)))
}

func encode(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	switch coding {
	case "br":
		w := brotli.NewWriter(&b)
		_, err := w.Write([]byte(text))
		must(t, err)
		must(t, w.Close())
	case "gzip":
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		must(t, err)
		must(t, w.Close())
	case "zstd":
		w, err := zstd.NewWriter(&b)
		must(t, err)
		_, err = w.Write([]byte(text))
		must(t, err)
		must(t, w.Close())
	}
	return b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
