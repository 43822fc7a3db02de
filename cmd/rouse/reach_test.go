package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What is left out here the kernel refuses while the site is served; what is too much lies open.
func TestReach(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, folder := range []string{"public", "releases/1", "pages", "log", "tls/data1", "etc"} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"live": "releases/1", "tls/data": "data1", "tls/tls.crt": "data/tls.crt", "page.html": "pages/page.html"} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"tls/data1/tls.crt", "pages/page.html", "etc/rouse.toml"} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name          string
		args          []string
		reads, writes []string
		clears        []string
	}{
		{"a root", []string{"--root=public"}, []string{"public"}, nil, nil},
		{"a root that is a link", []string{"--root=live"}, []string{"releases"}, nil, nil},
		{"a root that is looked up anew", []string{"--root=releases/1", "--use-relative-root"}, []string{"releases"}, nil, nil},
		{"a root that is not there yet", []string{"--root=releases/2/site"}, []string{"releases"}, nil, nil},
		{"a link to a page", []string{"--root=public", "--page-fallback=page.html"}, []string{""}, nil, nil}, // where the link lies
		{"a page", []string{"--root=public", "--page-fallback=pages/page.html"}, []string{"pages", "public"}, nil, nil},
		{"a device", []string{"--root=public", "--page-fallback=/dev/null"}, []string{"/dev/null", "public"}, nil, nil},
		{"a file at the top", []string{"--root=public", "--page-fallback=/no-such-page.html"}, []string{"public"}, nil, nil},
		{"logs", []string{"--root=public", "--log-file=log/a", "--access-log=/dev/stderr"}, []string{"public"}, []string{"log"}, nil},
		{"a log in a folder that is made", []string{"--root=public", "--log-file=log/b/c/d"}, []string{"public"}, []string{"log"}, nil},
		{"the file of options", []string{"--root=public", "--config-file=etc/rouse.toml"}, []string{"etc", "public"}, nil, nil},
		{"own sockets", []string{"--root=public", "--listen=unix:etc/s.sock", "--listen=unix:@abstract"}, []string{"public"}, nil, []string{"etc"}},
		{"everything", []string{"--root=/"}, []string{"/"}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, _, err := load(console{args: c.args})
			if err != nil {
				t.Fatal(err)
			}
			got := s.reach(credential{})
			for what, pair := range map[string][2][]string{"reads": {got.reads, c.reads}, "writes": {got.writes, c.writes}, "clears": {got.clears, c.clears}} {
				var want []string
				for _, path := range pair[1] {
					if !filepath.IsAbs(path) {
						path = filepath.Join(dir, path)
					}
					want = append(want, path)
				}
				if !slices.Equal(pair[0], want) {
					t.Errorf("%s %q, want %q", what, pair[0], want)
				}
			}
		})
	}
}

func TestReachCovers(t *testing.T) {
	r := reach{reads: []string{"/srv/site"}}
	for path, want := range map[string]bool{"/srv/site": true, "/srv/site/a": true, "/srv/sites": false, "/srv": false, "/srv/site/../x": false} {
		if got := r.covers(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
