package conformance

import (
	"os"
	"path/filepath"
)

func rootAndLinks() []point {
	follow := func(a *asker) {
		a.get("/link/main.js").want(200, body(words(1200)))
		a.get("/link-file.txt").want(200, body(aText))
		a.get("/out/secret.txt").want(404)
		a.get("/broken").want(404)
	}
	return []point{
		{number: "C13.1", title: "a hidden root", server: with("--root={dir}/.hidden-root"), do: func(a *asker) {
			a.get("/file.txt").want(200, body("in a hidden root\n"))
			a.get("/.secret").want(404)
		}},
		{number: "C13.2", title: "links are not followed", do: func(a *asker) {
			for _, path := range []string{"/link/main.js", "/link-file.txt", "/link/", "/link"} {
				a.get(path).want(403)
			}
		}},
		{number: "C13.3", title: "links are followed inside the root", server: with("--disable-symlinks=false"), do: follow},
		{number: "C13.3", title: "the same by version 3's name", server: with("--follow-symlinks"), do: follow},
		{number: "C13.4", title: "a swapped root is seen", server: with("--use-relative-root --root={dir}/swap-on").changing(), over: h1, do: func(a *asker) {
			a.get("/v.txt").want(200, body("version 1\n"))
			a.swap("swap-on")
			a.get("/v.txt").want(200, body("version 2\n"))
			a.get("/../v1/v.txt").want(404)
			a.get("/%2e%2e/outside/secret.txt").want(404)
		}},
		{number: "C13.4", title: "a swapped root is not seen when off", server: with("--root={dir}/swap-off").changing(), over: h1, do: func(a *asker) {
			a.get("/v.txt").want(200, body("version 1\n"))
			a.swap("swap-off")
			a.get("/v.txt").want(200, body("version 1\n"))
		}},
		{number: "C13.5", title: "names that begin with a dot", do: func(a *asker) {
			a.get("/.dotfile").want(404)
			a.get("/.dir/file.txt").want(404)
			a.get("/%2edotfile").want(404)
			a.get("/.well-known/security.txt").want(200, kind("text/plain"))
		}},
		{number: "C13.5", title: "hidden files when wanted", server: with("--ignore-hidden-files=false"), do: func(a *asker) { a.get("/.dotfile").want(200, body("secret\n")) }},
		{number: "C13.5", title: "the same by version 3's name", server: with("--include-hidden"), do: func(a *asker) { a.get("/.dir/file.txt").want(200, body("secret\n")) }},
	}
}

// swap turns a link in the fixture to v2, in one step.
func (a *asker) swap(name string) {
	a.Helper()
	path := filepath.Join(a.servers.dir, name)
	must(a, os.Symlink("v2", path+".new"))
	must(a, os.Rename(path+".new", path))
}
