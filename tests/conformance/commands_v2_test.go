package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// matching returns the first line that matches.
func matching(text, pattern string) string {
	for line := range strings.Lines(text) {
		if regexp.MustCompile(pattern).MatchString(line) {
			return line
		}
	}
	return ""
}

// hashed is user:hash as the documentation's commands quote it.
func hashed() string { return "'" + credentials() + "'" }

// commands are those of version 2.
func commands() []command {
	const public, mine = "-p 8787 -d ./public ", "--port 8787 --root ./my-public-dir "
	const tls2 = "--http2-tls-cert ./my-tls.cert --http2-tls-key ./my-tls.key"
	right := authorization("user", password)
	return []command{
		{page: "getting started", words: mine, do: site},
		{page: "getting started", words: "--port {port} --root ./my-public-dir", do: site},
		{page: "README", words: public, do: site},
		{page: "README", words: "-p={port} -d=./public -g=trace", do: site},
		{page: "docker", words: "-g info", do: logged("/a.txt", "GET .*/a.txt")},
		{page: "HTTP/1", words: "--host 127.0.0.1 " + mine, do: site},
		{page: "HTTP/1", words: "-a 127.0.0.1 -p {port} -d ./public", do: site},
		{page: "HTTP/1", words: "-a :: -p {port} -d ./public", do: site},
		{page: "HTTP/2 and TLS", words: "--host 127.0.0.1 " + mine + "--http2 true " + tls2, over: h2, do: site},
		{page: "HTTP/2 and TLS", words: mine + "--http2 " + tls2, over: h1tls, do: asksWith("Host: www.site.test", "/a.txt", 200, some("Strict-Transport-Security"), body(aText))},
		{page: "HTTP/2 and TLS", words: mine + "-t " + tls2, over: h2, do: site},
		{page: "HTTPS redirect", words: "-p 4433 -d public/ -g trace --http2=true --http2-tls-cert=tests/tls/local.dev_cert.ecc.pem --http2-tls-key=tests/tls/local.dev_key.ecc.pem --https-redirect=true --https-redirect-host=\"localhost\" --https-redirect-from-port=80 --https-redirect-from-hosts=\"localhost,127.0.0.1\"", over: h2, do: site},
		{page: "logging", words: mine + "--log-level \"trace\"", do: site},
		{page: "logging", words: "-p 8788 -d ./public/ -g trace -z --log-with-ansi", do: asks("/list/", 200, hrefs("a.txt"))},
		{page: "logging", words: "-a \"0.0.0.0\" -p 8080 -d docker/public/ -g info --log-remote-address=true", do: logged("/a.txt", "/a.txt .*127.0.0.1")},
		{page: "logging", words: "-a \"::\" --log-forwarded-for=true --trusted-proxies=\"127.0.0.1\" -p 8080 -d docker/public/ -g info", do: logged("/a.txt", "203.0.113.195", "X-Forwarded-For: 203.0.113.195")},
		{page: "logging", words: "--log-x-real-ip --log-level info " + mine, do: logged("/a.txt", "203.0.113.195", "X-Real-IP: 203.0.113.195")},
		{page: "compression", words: mine + "--compression true", do: asksWith("Accept-Encoding: gzip", "/big.txt", 200, encoded("gzip", words(5000)))},
		{page: "compression", words: mine + "--compression false", do: asksWith("Accept-Encoding: gzip", "/big.txt", 200, encoded("", words(5000)))},
		{page: "compression", words: public + "-x false", do: asksWith("Accept-Encoding: gzip", "/big.txt", 200, encoded("", words(5000)))},
		{page: "compression", words: public + "--compression-level fastest", do: asksWith("Accept-Encoding: br", "/big.txt", 200, encoded("br", words(5000)))},
		{page: "compression", words: public + "--compression-level=best", do: asksWith("Accept-Encoding: gzip", "/big.txt", 200, encoded("gzip", words(5000)))},
		{page: "pre-compressed files", words: "-p=8787 -d=./public --compression-static=true -g=trace", do: precompressedOne},
		{page: "directory listing", words: mine + "--directory-listing true", do: asks("/list/", 200, hrefs("a.txt"))},
		{page: "directory listing", words: public + "-z", do: asks("/list/", 200, hrefs("a.txt"))},
		{page: "directory listing", words: mine + "--directory-listing true --directory-listing-order 1", do: asks("/list/", 200, ordered("c.txt", "b.txt", "a.txt"))},
		{page: "directory listing", words: "-p=8787 -d=tests/fixtures/public -g=trace --directory-listing=true --directory-listing-format=\"json\"", do: asks("/list/?sort=0", 200, entries())},
		{page: "directory listing", words: public + "--directory-listing=true --directory-listing-download=targz", do: asks("/list/?download", 200, archive())},
		{page: "security headers", words: mine + "--security-headers true", do: asks("/a.txt", 200, secured()...)},
		{page: "Cache-Control", words: mine + "--cache-control-headers true", do: asks("/assets/main.css", 200, is("Cache-Control", "max-age=31536000"))},
		{page: "Cache-Control", words: public + "-e false", do: asks("/assets/main.css", 200, no("Cache-Control"))},
		{page: "CORS", words: mine + "--cors-allow-origins \"https://domain.com\"", do: asksWith("Origin: https://domain.com", "/a.txt", 200, is("Access-Control-Allow-Origin", "https://domain.com"))},
		{page: "CORS", words: mine + "-c \"*\"", do: asksWith("Origin: https://any.test", "/a.txt", 200, is("Access-Control-Allow-Origin", "https://any.test"))},
		{page: "CORS", words: mine + "--cors-allow-origins \"https://domain.com\" --cors-allow-headers \"origin, content-type, x-requested-with\"", do: preflight("x-requested-with")},
		{page: "CORS", words: mine + "-c https://domain.com -j \"x-requested-with\"", do: preflight("x-requested-with")},
		{page: "CORS", words: mine + "--cors-allow-origins \"https://domain.com\" --cors-expose-headers \"origin, content-type, x-requested-with\"", do: asksWith("Origin: https://domain.com", "/a.txt", 200, list("Access-Control-Expose-Headers", "origin", "content-type", "x-requested-with"))},
		{page: "basic authentication", words: mine + "--basic-auth " + hashed(), do: asksWith(right, "/a.txt", 200, body(aText))},
		{page: "basic authentication", words: mine + "--basic-auth " + hashed(), do: asks("/a.txt", 401)},
		{page: "error pages", words: mine + "--page404 ./my-page-404.html --page50x ./my-page-50x.html", do: asks("/missing", 404, body("<h1>my 404</h1>"))},
		{page: "fallback page", words: mine + "--page-fallback ./my-public-dir/index.html", do: asks("/some/route", 200, body(strings.TrimSpace(indexPage)))},
		{page: "index files", words: public + "--index-files=\"index.html, index.htm, default.html\"", do: asks("/alt/", 200, body(htmPage))},
		{page: "hidden files", words: "-p=8787 -d=./public -g=trace --directory-listing --ignore-hidden-files=false", do: asks("/.dotfile", 200)},
		{page: "hidden files", words: public + "--ignore-hidden-files", do: asks("/.dotfile", 404)},
		{page: "symbolic links", words: "-p=8787 -d=./public -g=trace --directory-listing --disable-symlinks", do: asks("/link/main.js", 403)},
		{page: "symbolic links", words: public + "--disable-symlinks=false", do: asks("/link/main.js", 200)},
		{page: "trailing slash", words: mine + "--redirect-trailing-slash true", do: asks("/assets", 308, is("Location", "/assets/"))},
		{page: "trailing slash", words: mine + "--redirect-trailing-slash=false", do: asks("/assets", 200, body(assetsPage))},
		{page: "graceful shutdown", words: "-p 8787 -d ./public/ -g trace --grace-period 1", do: graceful},
		{page: "worker threads", words: mine + "--threads-multiplier 8", do: site},
		{page: "worker threads", words: public + "-n 1", do: site},
		{page: "blocking threads", words: mine + "--max-blocking-threads 20", do: site},
		{page: "health", words: "--root=./public --log-level=info --health", do: asks("/health", 200, body("OK"))},
		{page: "metrics", words: "--root ./public --metrics", do: asks("/metrics", 200, contains("sws_http_requests_total"))},
		{page: "maintenance mode", words: public + "--maintenance-mode --maintenance-mode-status=503 --maintenance-mode-file=\"./maintenance.html\"", do: asks("/a.txt", 503, body("<h1>Back soon</h1>"))},
		{page: "markdown", words: "--root ./public --accept-markdown", do: asksWith("Accept: text/markdown", "/md/p", 200, body(markdownP))},
		{page: "charset", words: "--root ./public --text-charset=false", do: asks("/a.txt", 200, is("Content-Type", "text/plain"))},
		{page: "relative root", words: public + "--use-relative-root", do: site},
		{page: "configuration file", words: "-w sws.conf.toml", do: asks("/list/", 200, hrefs("a.txt"))},
		{page: "configuration file", words: "--config-file=./sws.conf.toml", do: asks("/list/", 200, hrefs("a.txt"))},
		{page: "file descriptor", words: "--fd 0", do: site},
		{page: "file descriptor", words: "-f 0 -d ./public", do: site},
	}
}

func precompressedOne(a *asker) {
	a.typed(a.get("/404.html", "Accept-Encoding: br")).want(200, is("Content-Encoding", "br"), body(a.read("404.html.br")))
}

func preflight(header string) func(*asker) {
	return func(a *asker) {
		a.typed(a.ask("OPTIONS", "/a.txt", "Origin: https://domain.com", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: "+header)).want(204, is("Access-Control-Allow-Origin", "https://domain.com"))
	}
}

// ordered expects these links one after the other.
func ordered(links ...string) expectation {
	return func(r *reply) (string, string, bool) {
		at, holds := -1, true
		for _, link := range links {
			next := strings.Index(string(r.body), `href="`+link+`"`)
			holds, at = holds && next > at, next
		}
		return "in this order: " + strings.Join(links, " "), show(r.body), holds
	}
}

// graceful expects answers after SIGTERM, for as long as the grace period lasts.
func graceful(a *asker) {
	a.get("/a.txt")
	a.server.process.Signal(syscall.SIGTERM)
	a.server.clients[h1].CloseIdleConnections()
	a.typed(a.get("/a.txt")).want(200, body(aText))
	a.server.clients[h1].CloseIdleConnections() // a drain waits for them
	code := a.server.process.Wait(limit).ExitCode()
	a.compare(a.title, "exit 0", "exit "+number(code), code == 0)
}

// What only prints or writes.
func TestOtherCommands(t *testing.T) {
	needsRouse(t)
	for _, c := range []struct {
		args  []string
		files []string // patterns below the folder that stands for DIR
	}{
		{[]string{"generate", "--completions", "DIR"}, []string{"completions/*"}},
		{[]string{"generate", "--man-pages", "DIR"}, []string{"man/*"}},
		{[]string{"generate", "DIR"}, []string{"completions/*", "man/*"}},
		{[]string{"--version"}, nil}, {[]string{"-V"}, nil}, {[]string{"--help"}, nil}, {[]string{"-h"}, nil},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			dir := t.TempDir()
			args := strings.Fields(strings.ReplaceAll(strings.Join(c.args, " "), "DIR", dir))
			p := program.Start(t, program.Run{Args: args})
			if code := p.Wait(limit).ExitCode(); code != 0 {
				t.Fatalf("exit %d", code)
			}
			if c.files == nil && !strings.Contains(strings.ToLower(p.Stdout.String()), "rouse") {
				t.Errorf("it printed %q", p.Stdout)
			}
			for _, pattern := range c.files {
				found, _ := filepath.Glob(filepath.Join(dir, pattern))
				if len(found) == 0 {
					t.Errorf("it wrote no %s", pattern)
				}
			}
			if all, _ := os.ReadDir(dir); len(c.args) == 3 && len(all) != 1 {
				t.Errorf("it wrote %v", all)
			}
		})
	}
}
