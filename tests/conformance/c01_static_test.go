package conformance

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/rouse-server/rouse/tests/program"
)

func staticFiles() []point {
	lastModified := modified().Format(http.TimeFormat)
	return []point{
		{number: "C1.1", title: "an existing file", do: func(a *asker) {
			a.get("/a.txt").want(200, length(len(aText)), is("Accept-Ranges", "bytes"), is("Last-Modified", lastModified), kind("text/plain"), body(aText))
			a.get("/page.html").want(200, is("Content-Type", "text/html; charset=utf-8"), length(len(htmPage)), body(htmPage))
			a.get(oddPath).want(200, body("odd\n"))
		}},
		{number: "C1.2", title: "HEAD: the fields of GET and no body", do: func(a *asker) {
			get := a.get("/a.txt")
			a.head("/a.txt").want(200, length(len(aText)), is("Accept-Ranges", "bytes"), is("Last-Modified", lastModified),
				is("Content-Type", get.field("Content-Type")), is("ETag", get.field("ETag")), is("Cache-Control", get.field("Cache-Control")), body(""))
		}},
		{number: "C1.3", title: "a missing file", do: func(a *asker) { a.get("/missing").want(404) }},
		{number: "C1.4", title: "methods that change something", do: func(a *asker) {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE"} {
				a.ask(method, "/a.txt").want(405, kind("text/html"), list("Allow", "GET", "HEAD", "OPTIONS"), contains("405"))
			}
			if a.over&(h1|h1tls) != 0 {
				a.raw("CONNECT example.com:80 HTTP/1.1\nHost: example.com:80").want(405, list("Allow", "GET", "HEAD", "OPTIONS"))
			}
		}},
		{number: "C1.5", title: "OPTIONS of an existing file", do: func(a *asker) {
			a.ask("OPTIONS", "/a.txt").want(204, list("Allow", "OPTIONS", "HEAD", "GET"), is("Accept-Ranges", "bytes"), body(""))
		}},
		{number: "C1.6", title: "OPTIONS of a missing file", do: func(a *asker) { a.ask("OPTIONS", "/missing").want(404) }},
		{number: "C1.7", title: "percent-encoded name", do: func(a *asker) { a.get("/assets/index%2ehtml").want(200, body(assetsPage)) }},
		{number: "C1.8", title: "name that begins with two dots", do: func(a *asker) { a.get("/%2E%2e.html").want(404) }},
		{number: "C1.9", title: "/page where only page.html exists", do: func(a *asker) { a.get("/page").want(200, kind("text/html"), body(htmPage)) }},
		{number: "C1.10", title: "a file has no children", do: func(a *asker) {
			a.get("/a.txt/").want(404)
			a.get("/a.txt/b").want(404)
		}},
		{number: "C1.11", title: "encoded dot segment", do: func(a *asker) { a.get("/%2e%2e/a.txt").want(200, body(aText)) }},
		{number: "C1.12", title: "dot segments as they are", do: func(a *asker) {
			a.get("/plain/../a.txt").want(200, body(aText))
			a.get("/plain/%2E./a.txt").want(200, body(aText))
			a.get("/./a.txt").want(200, body(aText))
		}},
		{number: "C1.13", title: "never outside the root", do: func(a *asker) {
			for _, path := range []string{"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/../outside/secret.txt", "/..%5coutside%5csecret.txt"} {
				a.get(path).want(404)
			}
		}},
		{number: "C1.14", title: "NUL in the path", do: func(a *asker) { a.get("/a.txt%00").want(404); a.get("/%00").want(404) }},
		{number: "C1.15", title: "unknown extension", do: func(a *asker) { a.get("/unknown.xyzzy").want(200, is("Content-Type", "application/octet-stream")) }},
		{number: "C1.16", title: "empty file", do: func(a *asker) { a.get("/empty.txt").want(200, length(0), body("")) }},
		{number: "C1.17", title: "unreadable file", server: programs(), do: unreadable},
		{number: "C1.18", title: "file of the epoch", do: func(a *asker) { a.get("/epoch.txt").want(200, no("Last-Modified"), some("ETag")) }},
		{number: "C1.19", title: "several leading slashes", do: func(a *asker) { a.get("//a.txt").want(200, body(aText)); a.get("///a.txt").want(200, body(aText)) }},
		{number: "C1.19a", title: "request target in absolute form (RFC 9112 §3.2.2)", over: h1 | h1tls, do: func(a *asker) {
			a.raw("GET "+a.over.scheme()+"://"+a.server.host+"/a.txt HTTP/1.1\nHost: elsewhere.test\nConnection: close").want(200, body(aText), length(len(aText)))
		}},
	}
}

// unreadable needs a program without root's right to read everything.
func unreadable(a *asker) {
	root := a.TempDir()
	must(a, os.WriteFile(filepath.Join(root, "locked.txt"), []byte("x"), 0))
	listener, address := program.Listener(a)
	run := program.Run{Args: []string{"serve", "--root", root}, Files: []*os.File{listener}, Listen: true}
	if os.Getuid() == 0 {
		if _, err := exec.LookPath("setpriv"); err != nil {
			a.Skip("as root this needs setpriv, of util-linux")
		}
		run.Through = []string{"setpriv", "--bounding-set=-all", "--inh-caps=-all"}
	}
	a.starts(run, address).get("/locked.txt").want(403, kind("text/html"))
}

// number writes an int for a header field.
func number(n int) string { return strconv.Itoa(n) }
