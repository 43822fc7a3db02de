package lane

import (
	"os"
	"path/filepath"
	"slices"
	"time"
)

// compareChanges changes files, waits until what was kept of them is no longer sent, and compares.
func (p *pair) compareChanges() {
	p.t.Helper()
	file, page := filepath.Join(p.dir, "site/changing/a.txt"), filepath.Join(p.dir, "site/changing/b.html")
	for _, change := range []struct {
		what string
		do   func()
	}{
		{"as at first", func() {}},
		{"another length", func() { write(p.t, p.dir, "site/changing/a.txt", words(1500)) }},
		{"the same length", func() { write(p.t, p.dir, "site/changing/a.txt", noise(1500)) }},
		{"another time", func() { must(p.t, os.Chtimes(file, modified(), modified())) }},
		{"gone", func() { must(p.t, os.Remove(file)) }},
		{"back", func() { write(p.t, p.dir, "site/changing/a.txt", words(2000)) }},
		{"a folder in its place", func() { must(p.t, os.Remove(file)); must(p.t, os.Mkdir(file, 0o755)) }},
		{"variants beside it", func() {
			write(p.t, p.dir, "site/changing/b.html.gz", "gz "+words(100))
			write(p.t, p.dir, "site/changing/b.html.md", "# b\n")
		}},
		{"an index file", func() { write(p.t, p.dir, "site/changing/index.html", words(300)) }},
		{"a link", func() { must(p.t, os.Remove(page)); must(p.t, os.Symlink("../page.html", page)) }},
	} {
		change.do()
		for _, over := range []transport{h1, h2} {
			c := conversation{name: "changed files: " + change.what}
			for _, target := range []string{"/changing/a.txt", "/changing/b.html", "/changing/b", "/changing/", "/changing/missing"} {
				c.requests = append(c.requests, get(target), get(target, "Accept-Encoding: gzip"), get(target, "Accept: text/markdown"))
			}
			c.requests = slices.Concat(c.requests, c.requests)
			p.settle(over, c)
			p.compare(over, c)
		}
	}
}

// settle waits until both answer the same.
func (p *pair) settle(over transport, c conversation) {
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(life / 10) {
		if with, off, _ := p.both(over, c); slices.Equal(with, off) {
			return
		}
	}
}
