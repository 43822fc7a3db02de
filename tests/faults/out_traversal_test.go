package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outWays are targets that mean to reach the canaries of outSite in dir, or to confuse whoever maps them to names.
func outWays(dir string) []string {
	dots := []string{".", "%2e", "%2E", "%252e", "%25252e", "%c0%ae", "%e0%80%ae", "%f0%80%80%ae", "%u002e", "%ef%bc%8e", "%e2%80%a4", "%e2%80%8c.", "\xef\xbc\x8e", "\xc0\xae", ".%00", "%00."}
	slashes := []string{"/", "%2f", "%2F", "\\", "%5c", "%5C", "%252f", "%255c", "%c0%af", "%c1%9c", "%e0%80%af", "%u2215", "%ef%bc%8f", "%e2%81%84", "%e2%88%95", "\xc0\xaf", "\xef\xbc\x8f", "//", "/./", ";/", "/;x=1/", "%3b/", "/%09", "%0a/"}
	if !isLong() {
		dots = []string{".", "%2e", "%252e", "%c0%ae", "%u002e", "%ef%bc%8e", "%e2%80%8c.", "\xc0\xae", "%00."}
		slashes = []string{"/", "%2F", "\\", "%5c", "%252f", "%c0%af", "%ef%bc%8f", "%e2%88%95", "\xc0\xaf", "//", ";/", "/;x=1/"}
	}
	var all []string
	for _, dot := range dots {
		for _, slash := range slashes {
			up := dot + dot + slash
			all = append(all, "/"+up+"outside.txt", "/sub"+slash+strings.Repeat(up, 2)+"outside.txt", slash+dot+"hidden", "/"+dot+"git"+slash+"config", "/sub"+slash+dot+"env")
			if isLong() {
				all = append(all, "/a.txt"+slash+up+up+"outside.txt", "/"+strings.Repeat(up, 12)+"etc"+slash+"passwd", slash+slash+up+"outside"+slash, "/sub"+slash+up+up+"outside"+slash+"x.txt", up+"outside.txt", "/none"+slash+up+up+"outside.txt")
			}
		}
	}
	outside := filepath.Join(dir, "outside.txt")
	all = append(all, outside, "/"+outside, "//"+outside, "/"+strings.ReplaceAll(outside, "/", "%2f"), "file://"+outside, "http://site.test"+outside, "http://site.test/../outside.txt", "http://site.test/%2e%2e/outside.txt", "https://site.test/.hidden",
		"/.hidden/", "/.hidden%20", "/.hidden.", "/.hidden%2e", "/.hidden%00.html", "/.hidden::$DATA", "/.hidden:$DATA", "/.hidden?x", "/.hidden;x", "/.hidden;.html", "/.HIDDEN", "/.hidden~", "/.hidden.gz", "/.git", "/.git/", "/.git/config", "/.git/./config", "/.git//config", "/sub/../.git/config", "/%2egit/config", "/.%67it/config", "/.well-known/../.git/config", "/.well-known/%2e%2e/.git/config", "/.well-known/.git/config", "/sub/.well-known/../.env",
		"/..", "/../", "/.", "/./", "/...", "/..../outside.txt", "/.../outside.txt", "/..%00/outside.txt", "/..%0d/outside.txt", "/..%09/outside.txt", "/..%20/outside.txt", "/%20../outside.txt", "/..;/outside.txt", "/..;x/outside.txt", "/..:/outside.txt", "/..namedfork/rsrc", "/a.txt/..namedfork/data", "/a.txt/..namedfork/rsrc",
		"..", "../outside.txt", ".hidden", "/~/outside.txt", "/~root/", "/$HOME/outside.txt", "/%HOME%/x", "/{.,}./outside.txt", "/*", "/?../outside.txt", "/#../outside.txt", "/%", "/%2", "/%zz", "/%%32%65%%32%65/outside.txt", "/%25%32%65%25%32%65/outside.txt", "/proc/self/root"+outside, "/proc/self/environ", "/dev/stdin", "/dev/fd/0",
		"/"+strings.Repeat("../", 3000)+"outside.txt", "/"+strings.Repeat("sub/../", 600)+"../outside.txt", "/"+strings.Repeat("%2e%2e%2f", 500)+"outside.txt", "/"+strings.Repeat("a", 300), "/"+strings.Repeat("a/", 2500), "/"+strings.Repeat("a", 60<<10))
	return append(all, outWindows()...)
}

// outWindows are names that another system would take for a.txt, or for a device.
func outWindows() []string {
	return []string{
		"/a.txt::$DATA", "/a.txt:$DATA", "/a.txt:x", "/a.txt%3a%3a$DATA", "/a.txt.", "/a.txt..", "/a.txt%20", "/a.txt%20.", "/a.txt%2e", "/A.TXT", "/a~1.txt", "/A~1.TXT", "/SUB~1/b.txt", "/sub\\b.txt", "/sub%5cb.txt", "\\a.txt", "/%5ca.txt", "/CON", "/con.txt", "/NUL", "/aux", "/COM1", "/LPT1.html", "/PRN.gz", "/CONIN$",
		"/C:/Windows/win.ini", "/c:\\windows\\win.ini", "/%5c%5c?%5cC:%5cx", "//./C:/x", "/\\\\site.test\\share\\x", "/%5c%5c127.0.0.1%5cc$%5cx", "/a.txt%00", "/a.txt%00.html", "/a.txt%0a", "/a.txt/", "/a.txt/.", "/a.txt/x", "/a.txt%ff",
	}
}

// Nobody comes out of the root, or to what is hidden in it.
func TestOutTraversal(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	ways := outWays(dir)
	asked := 0
	for _, s := range outPair(t, "--root", filepath.Join(dir, "site"), "--directory-listing", "--directory-listing-download", "targz,zip") {
		for _, asker := range outAskers(t, s) {
			for _, target := range ways {
				asked++
				got := asker.ask(target)
				if strings.Contains(got.raw, canary) || strings.Contains(got.raw, "root:x:") {
					t.Errorf("%v: %.200q shows what is outside or hidden:\n%.500s", asker, target, got.raw)
				}
				if got.status >= 500 {
					t.Errorf("%v: %.200q is answered with %d", asker, target, got.status)
				}
			}
			for _, target := range outWindows() {
				if got := asker.ask(target); got.status == 200 {
					t.Errorf("%v: %q is answered with 200", asker, target)
				}
			}
			if got := asker.ask("/a.txt"); got.status != 200 || got.body != "a\n" {
				t.Errorf("%v: afterwards /a.txt is %d", asker, got.status)
			}
		}
	}
	// That a canary would be seen.
	open := outStart(t, "open", "--root", dir, "--ignore-hidden-files=false")
	for _, asker := range outAskers(t, open) {
		for _, target := range []string{"/outside.txt", "/site/.hidden", "/site/sub/../.git/config"} {
			if got := asker.ask(target); !strings.Contains(got.raw, canary) {
				t.Errorf("%v: %s has no canary: %.200s", asker, target, got.raw)
			}
		}
	}
	tell(t, row{Kind: "out", What: "path traversal", Tried: fmt.Sprintf("%d targets over h1, TLS, h2, with the lane and without: %d requests", len(ways), asked), Rouse: "nothing from outside or hidden, no 5xx"})
}

// outLinks adds symbolic links to a site.
func outLinks(t testing.TB, dir string) {
	t.Helper()
	outWrite(t, filepath.Join(dir, "site"), map[string]string{
		"inside.txt -> a.txt": "", "insidedir -> sub": "", "out.txt -> ../outside.txt": "", "outdir -> ../outside": "", "absolute.txt -> " + dir + "/outside.txt": "",
		"chain1 -> chain2": "", "chain2 -> chain3": "", "chain3 -> outdir/x.txt": "", ".linked/config": "linked\n", "hiddendir -> .linked": "", "dangling -> none": "", "loop -> loop": "",
		"back.txt -> ../site/a.txt": "", "self -> .": "", "absoluteinside.txt -> " + dir + "/site/a.txt": "", "proc -> /proc/self": "", "pre.txt": "pre\n", "pre.txt.gz -> ../outside.txt": "", "pre.txt.br -> ../outside.txt": "", "pre.txt.zst -> ../outside.txt": "",
		"indexed/index.html -> ../../outside.txt": "", "orphan.txt.gz -> ../outside.txt": "", "clean.html -> ../outside.txt": "", "md.md -> ../outside.txt": "", "md.html": "md\n",
	})
}

// Links lead nowhere out; those to what is inside are followed or not, as asked.
func TestOutLinks(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	outLinks(t, dir)
	page := filepath.Join(dir, "site/page404.html")
	targets := []string{"/out.txt", "/outdir", "/outdir/", "/outdir/x.txt", "/absolute.txt", "/chain1", "/chain2", "/chain3", "/dangling", "/loop", "/loop/x", "/self/self/out.txt", "/self/.hidden", "/proc/environ", "/proc/root" + dir + "/outside.txt", "/pre.txt", "/orphan.txt", "/orphan.txt.gz", "/indexed/", "/indexed/index.html", "/clean", "/clean.html", "/md", "/md.html", "/md.md", "/none", "/outdir/none", "/inside.txt/../out.txt", "/insidedir/../../outside.txt", "/", "/self/", "/?download=zip", "/?download=targz", "/hiddendir/"}
	options := []string{"--root", filepath.Join(dir, "site"), "--directory-listing", "--directory-listing-format=auto", "--directory-listing-download=targz,zip", "--compression-static", "--accept-markdown", "--page404=page404.html", "--index-files=none.html"}
	for _, follow := range []bool{false, true} {
		os.Remove(page)
		outWrite(t, dir, map[string]string{"site/page404.html": "none\n"})
		pair := outPair(t, append(options, fmt.Sprintf("--disable-symlinks=%v", !follow))...)
		for _, s := range pair { // a page that leads out at the start ends it
			s.Stderr.WaitFor("serving", outLimit)
		}
		outMust(t, os.Remove(page))
		outMust(t, os.Symlink("../outside.txt", page))
		for _, s := range pair {
			for _, asker := range outAskers(t, s) {
				for _, target := range targets {
					for _, accept := range []string{"*/*", "application/json", "text/markdown"} {
						got := asker.ask(target, "Accept: "+accept, "Accept-Encoding: gzip, br, zstd")
						if outArchived(got, canary) || got.status >= 500 {
							t.Errorf("%v, followed: %v: %s with %s is %d: %.300q", asker, follow, target, accept, got.status, got.raw)
						}
					}
				}
				for target, ok := range map[string]bool{"/a.txt": true, "/inside.txt": follow, "/self/a.txt": follow, "/insidedir/b.txt": follow, "/hiddendir/config": follow /* Kubernetes mounts files so */} {
					if got := asker.ask(target); (got.status == 200) != ok {
						t.Errorf("%v, followed: %v: %s is %d", asker, follow, target, got.status)
					}
				}
			}
		}
	}
	tell(t, row{Kind: "out", What: "symbolic links", Tried: fmt.Sprintf("%d targets: to files, folders, pages, siblings, archives; followed or not; h1, TLS, h2", len(targets)), Rouse: "none leads out of the root"})
}
