package conformance

import (
	"fmt"
	"os"
	"strings"

	"github.com/rouse-server/rouse/tests/program"
)

func configuration() []point {
	hosts := file("[[advanced.virtual-hosts]]\nhost = 'a.test'\nroot = '{dir}/host-a'\n[[advanced.virtual-hosts]]\nhost = 'b.test'\nroot = '{dir}/host-b'\n")
	memory := file("[advanced.memory-cache]\ncapacity = 64\nttl = 1800\ntti = 300\nmax-file-size = 8192\n")
	return append([]point{
		{number: "C14.1", title: "an unknown key is a warning", server: programs(), do: unknownKey},
		{number: "C14.2", title: "virtual hosts", server: hosts, do: func(a *asker) {
			a.get("/", "Host: a.test").want(200, body("host a\n"))
			a.get("/", "Host: b.test:8443").want(200, body("host b\n"))
			a.get("/", "Host: A.Test").want(200, body("host a\n"))
			a.get("/").want(200, body(indexPage))
			a.get("/", "Host: www.site.test").want(200, body(indexPage))
			a.get("/a.txt", "Host: a.test").want(404)
		}},
		{number: "C14.2", title: "virtual host of an absolute-form target", server: hosts, over: h1, do: func(a *asker) {
			a.raw("GET http://a.test/ HTTP/1.1\nHost: b.test\nConnection: close").want(200, body("host a\n"))
		}},
		{number: "C14.3", title: "memory cache", server: memory, do: func(a *asker) {
			first := a.get("/assets/main.js").want(200, body(words(1200)))
			a.get("/assets/main.js").want(200, is("X-Cache", "HIT"), body(words(1200)), is("ETag", first.field("ETag")), is("Last-Modified", first.field("Last-Modified")), is("Content-Type", first.field("Content-Type")))
			a.get("/assets/main.js", "If-None-Match: "+first.field("ETag")).want(304, is("ETag", first.field("ETag")))
			a.get("/assets/main.js", "Range: bytes=0-9").want(206, body(words(10)))
			a.get("/link/main.js").want(403)
			a.get("/.dotfile").want(404)
		}},
		{number: "C14.4", title: "a changed file with the memory cache", server: setup{file: memory.file, changes: true}, do: func(a *asker) {
			name := a.unique(".txt")
			for _, content := range []string{"one\n", "another\n", "a third one\n"} {
				a.write("site/"+name, content)
				a.get("/"+name).want(200, body(content))
				a.get("/"+name).want(200, body(content))
			}
			must(a, os.Remove(a.servers.site()+"/"+name))
			a.get("/" + name).want(404)
		}},
		{number: "C14.6", title: "a path of more than 8 KiB skips the rules", server: redirecting(), do: func(a *asker) {
			a.get("/deep/"+strings.Repeat("a/", 4500)+"b").want(404, no("Location"))
		}},
	}, rules()...)
}

func unknownKey(a *asker) {
	path := a.TempDir() + "/sws.toml"
	must(a, os.WriteFile(path, []byte("[general]\nno-such-key = 1\nunknown = 'x'\n"), 0o644))
	listener, address := program.Listener(a)
	run := program.Run{Args: []string{"serve", "--root", a.servers.site(), "-w", path}, Files: []*os.File{listener}, Listen: true}
	a.starts(run, address).get("/a.txt").want(200, body(aText))
	a.says("no-such-key", "unknown")
}

// rule is one of the worked cases: a request for path, with host, is answered with a redirect to location, or not when
// location is empty.
type rule struct {
	kind                      int
	host, source, destination string
	asked                     [][3]string // path, host, location
}

func redirects() []rule {
	return []rule{
		{301, "127.0.0.1:1234", "/{*}", "http://new.example/$1", [][3]string{{"/a", "127.0.0.1:1234", "http://new.example/a"}, {"/a", "127.0.0.1:4321", ""}, {"/a", "", ""}}},
		{301, "", "/docs/{*}.html", "http://new.example/?d=$1", [][3]string{{"/docs/intro.html?q=x", "", "http://new.example/?d=intro&q=x"}}},
		{301, "", "**/site.{css}", "/new/theme.$2", [][3]string{{"/site.css", "", "/new/theme.css"}, {"/a/b/site.css", "", "/new/theme.css"}}},
		{301, "", "/{one,two}.css", "/new/$1.min.css", [][3]string{{"/two.css", "", "/new/two.min.css"}, {"/three.css", "", ""}}},
		{302, "", "/{red,green,b}-part.{x,yy,z}", "/new/$1.part.$2", [][3]string{{"/green-part.yy", "", "/new/green.part.yy"}}},
		{302, "", "/js/{*}.{js,mjs}", "/new/$1.$2", [][3]string{{"/js/app.mjs", "", "/new/app.mjs"}, {"/js/app.mjs?v=2", "", "/new/app.mjs?v=2"}}},
		{302, "", "**/{*}.{jpg,jpeg}", "/img/$2.$3", [][3]string{{"/a/b/c.jpeg", "", "/img/c.jpeg"}}},
		{302, "", "**/{*}.{ttf,otf,woff}", "/fonts/$2.woff", [][3]string{{"/x/f.otf", "", "/fonts/f.woff"}}},
		{301, "", "/[0-9]/[a-z]/{*}/", "/range/$1/", [][3]string{{"/7/q/name/", "", "/range/name/"}, {"/x/q/name/", "", ""}}},
		{301, "", "/cut-{[!0-9]}/{*}.{png,gif}", "/new/$1/$2.$3", [][3]string{{"/cut-x/logo.png", "", "/new/x/logo.png"}, {"/cut-1/logo.png", "", ""}}},
		{301, "", "/deep/{**}", "/new/$1", [][3]string{{"/deep/a/b/page", "", "/new/a/b/page"}}},
		{301, "", "/flat/**-page", "/new/", [][3]string{{"/flat/some-page", "", "/new/"}, {"/flat/a/some-page", "", ""}}},
		{301, "", "/{*}/{*}/", "/archive/$1/$2/", [][3]string{{"/2024/11/", "", "/archive/2024/11/"}, {"/2024/11/05/", "", ""}}},
	}
}

// redirecting has all redirects but the one that comes last and would catch what the others do not.
func redirecting() setup {
	var text strings.Builder
	for _, r := range redirects() {
		fmt.Fprintf(&text, "[[advanced.redirects]]\nsource = '%s'\ndestination = '%s'\nkind = %d\n", r.source, r.destination, r.kind)
		if r.host != "" {
			fmt.Fprintf(&text, "host = '%s'\n", r.host)
		}
	}
	return file(text.String())
}

// rules are the worked cases of redirects and rewrites (C14.5), each a point.
func rules() []point {
	var all []point
	for _, r := range redirects() {
		all = append(all, point{number: "C14.5", title: fmt.Sprintf("redirect %s → %s", r.source, r.destination), server: redirecting(), do: func(a *asker) {
			for _, c := range r.asked {
				header := []string{"X-None: 1"}
				if c[1] != "" {
					header[0] = "Host: " + c[1]
				}
				if c[2] == "" {
					a.get(c[0], header...).want(404, no("Location"))
				} else {
					a.get(c[0], header...).want(r.kind, is("Location", c[2]))
				}
			}
		}})
	}
	generic := file("[[advanced.redirects]]\nsource = '/js/{*}.{js,mjs}'\ndestination = '/new/$1.$2'\nkind = 302\n[[advanced.redirects]]\nsource = '**/{*}.{*}'\ndestination = '/generic/$2.$3'\nkind = 301\n")
	all = append(all, point{number: "C14.5", title: "redirect **/{*}.{*} comes last", server: generic, do: func(a *asker) {
		a.get("/q/r.s").want(301, is("Location", "/generic/r.s"))
		a.get("/js/app.js").want(302, is("Location", "/new/app.js"))
	}})
	numbered := file("[[advanced.redirects]]\nsource = '/cap/{a,b}/**/x'\ndestination = '/new/$0/$1/$2/$3/$10'\nkind = 301\n")
	all = append(all, point{number: "C14.5a", title: "placeholders beyond the last capture stay, $10 is $1 and 0, $0 is the path, /**/ takes its slashes", server: numbered, do: func(a *asker) {
		a.get("/cap/b/c/d/x").want(301, is("Location", "/new//cap/b/c/d/x/b//c/d//$3/b0"))
	}})
	return append(all, rewrites()...)
}

func rewrites() []point {
	rewriting := file("[[advanced.rewrites]]\nsource = '**/oops.{html}'\ndestination = '/404.$2'\n" +
		"[[advanced.rewrites]]\nsource = '/err/{404,50x}.html'\ndestination = '/$1.html'\n" +
		"[[advanced.rewrites]]\nsource = '/errs/{50}x.html'\ndestination = '/$1x.html'\n" +
		"[[advanced.rewrites]]\nsource = '/scripts/{*}.{js,mjs}'\ndestination = '/assets/$1.$2'\n" +
		"[[advanced.rewrites]]\nsource = '/deep/{**}'\ndestination = '/$1'\n" +
		"[[advanced.rewrites]]\nsource = '**/{*}.{ico}'\ndestination = '/assets/favicon.$3'\nredirect = 302\n" +
		"[[advanced.rewrites]]\nsource = '/host-b'\ndestination = 'http://b.test/'\n" +
		"[[advanced.virtual-hosts]]\nhost = 'b.test'\nroot = '{dir}/host-b'\n")
	one := func(title string, do func(*asker)) point {
		return point{number: "C14.5", title: "rewrite " + title, server: rewriting, do: do}
	}
	return []point{
		one("**/oops.{html}", func(a *asker) {
			a.get("/x/oops.html").want(200, body(page404))
			a.get("/oops.html").want(200, body(page404))
		}),
		one("/err/{404,50x}.html", func(a *asker) {
			a.get("/err/404.html").want(200, body(page404))
			a.get("/err/50x.html").want(200, body(page50x))
		}),
		one("/errs/{50}x.html", func(a *asker) { a.get("/errs/50x.html").want(200, body(page50x)) }),
		one("/scripts/{*}.{js,mjs}", func(a *asker) { a.get("/scripts/main.js").want(200, kind("text/javascript"), body(words(1200))) }),
		one("/deep/{**}", func(a *asker) { a.get("/deep/assets/main.js").want(200, body(words(1200))) }),
		one("**/{*}.{ico} with redirect", func(a *asker) { a.get("/x/y.ico?q").want(302, is("Location", "/assets/favicon.ico")) }),
		one("to an absolute URL chooses the host", func(a *asker) { a.get("/host-b").want(200, body("host b\n")) }),
	}
}
