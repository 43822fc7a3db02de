package faults

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// outSmuggled is what a second request that was smuggled would be answered with, and its target.
const outSmuggled, outSmuggledText = "/smuggled.txt", "this was smuggled"

// outSmuggling are requests whose length, or end, two readers may see differently. Each carries a second one.
func outSmuggling() map[string]string {
	second := "GET " + outSmuggled + " HTTP/1.1\nHost: site.test\n\n"
	n := len(strings.ReplaceAll(second, "\n", "\r\n"))
	all := map[string]string{}
	length := fmt.Sprintf("Content-Length: %d", n)
	for name, fields := range map[string]string{
		"two lengths": length + "\nContent-Length: 0", "two lengths, the other way": "Content-Length: 0\n" + length, "the same length twice": length + "\n" + length, "a list of lengths": fmt.Sprintf("Content-Length: %d, %d", n, n), "a list of two": fmt.Sprintf("Content-Length: 0, %d", n),
		"length with plus": fmt.Sprintf("Content-Length: +%d", n), "length with a space within": "Content-Length: 1 0", "length with underscore": "Content-Length: 1_0", "hexadecimal length": "Content-Length: 0x10", "octal length": "Content-Length: 0o10", "negative length": "Content-Length: -1", "no length": "Content-Length:", "a fraction": "Content-Length: 1.5", "length overflows": "Content-Length: 18446744073709551616", "length overflows to the right one": fmt.Sprintf("Content-Length: %d%018d", 18, n), "Arabic digits": "Content-Length: \u0661", "length with NUL": "Content-Length: 0\x00", "length with tab": "Content-Length:\t" + fmt.Sprint(n) + "\t",
		"both": "Transfer-Encoding: chunked\n" + length, "both, length first": length + "\nTransfer-Encoding: chunked",
		"chunked twice": "Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "chunked, chunked": "Transfer-Encoding: chunked, chunked", "xchunked": length + "\nTransfer-Encoding: xchunked", "chunked of old": length + "\nTransfer-Encoding: chunked, identity", "identity": length + "\nTransfer-Encoding: identity", "gzip": length + "\nTransfer-Encoding: gzip", "gzip, chunked": length + "\nTransfer-Encoding: gzip, chunked", "quoted": length + "\nTransfer-Encoding: \"chunked\"", "with parameter": length + "\nTransfer-Encoding: chunked;q=1", "empty": length + "\nTransfer-Encoding:", "comma": length + "\nTransfer-Encoding: ,chunked",
		"vertical tab": length + "\nTransfer-Encoding: \vchunked", "form feed": length + "\nTransfer-Encoding: chunked\f", "no-break space": length + "\nTransfer-Encoding:\xa0chunked", "NUL in the value": length + "\nTransfer-Encoding: chunked\x00", "tab": length + "\nTransfer-Encoding:\tchunked", "upper case": length + "\nTRANSFER-ENCODING: CHUNKED",
		"space before the colon": length + "\nTransfer-Encoding : chunked", "tab before the colon": length + "\nTransfer-Encoding\t: chunked", "length with a space before the colon": length + "\nContent-Length : 0", "space before the name": length + "\n Transfer-Encoding: chunked", "folded": length + "\nTransfer-Encoding:\n chunked", "folded length": "Content-Length:\n " + fmt.Sprint(n), "folded elsewhere": "X: a\n " + length, "NUL in a name": length + "\nTransfer\x00-Encoding: chunked", "underscore": length + "\nTransfer_Encoding: chunked", "bare CR": length + "\nX: a\rTransfer-Encoding: chunked", "bare CR in front": length + "\nX: a\r\rTransfer-Encoding: chunked", "no colon": length + "\nTransfer-Encoding chunked", "no name": length + "\n: chunked", "8-bit name": length + "\nTransfer-Encod\xefng: chunked",
		"upgrade": length + "\nConnection: Upgrade\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__", "expects": length + "\nExpect: 100-continue", "expects something": length + "\nExpect: 200-ok", "Connection names it": length + "\nConnection: Content-Length", "in quotes": "Content-Length: \"" + fmt.Sprint(n) + "\"",
	} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			all[method+", "+name] = method + " /a.txt HTTP/1.1\nHost: site.test\n" + fields + "\n\n" + map[bool]string{true: "0\n\n"}[strings.Contains(strings.ToLower(fields), "chunked")] + second
		}
	}
	for name, body := range map[string]string{
		"extension": "0;x=y\n\n", "extension with a quoted end": "0;x=\"\n\"\n\n", "extension with bare LF": "0;x\x00\n\n", "size overflows": "10000000000000000\nx\n0\n\n", "size wraps": "ffffffffffffffff\n", "negative size": "-1\n\n0\n\n", "size with plus": "+0\n\n", "0x0": "0x0\n\n", "size with underscore": "0_0\n\n", "empty size": "\n0\n\n", "no size": ";x\n0\n\n", "no end of the chunk": "1\nx0\n\n", "longer than it says": "1\nxxx\n0\n\n", "many zeros": strings.Repeat("0", 40) + "\n\n", "space before the size": " 0\n\n", "space behind": "0 \n\n", "trailer": "0\nX: y\n\n", "trailer of a length": "0\nContent-Length: 5\n\n", "trailer without end": "0\nX\n\n", "long extension": "0;" + strings.Repeat("x", 9000) + "\n\n", "end without LF": "0\n\r", "bare CR": "0\r\r",
	} {
		all["chunks, "+name] = "POST /a.txt HTTP/1.1\nHost: site.test\nTransfer-Encoding: chunked\n\n" + body + second
	}
	for name, text := range map[string]string{
		"HTTP/0.9": "GET /a.txt\n" + second, "HTTP/0.9 with body": "GET /a.txt\n\n" + second, "HTTP/1.0 chunked": "POST /a.txt HTTP/1.0\nHost: site.test\nTransfer-Encoding: chunked\nConnection: keep-alive\n\n0\n\n" + second, "HTTP/1.0 chunked GET": "GET /a.txt HTTP/1.0\nTransfer-Encoding: chunked\n\n0\n\n" + second, "HTTP/1.2": "GET /a.txt HTTP/1.2\nHost: site.test\nContent-Length: 5\n\n" + second, "version in small letters": "GET /a.txt http/1.1\nHost: site.test\n\n" + second, "HTTP/01.1": "GET /a.txt HTTP/01.1\nHost: site.test\n\n" + second, "two Hosts": "GET /a.txt HTTP/1.1\nHost: site.test\nHost: b.test\n\n" + second, "no Host": "GET /a.txt HTTP/1.1\n\n" + second, "space in the target": "GET /a.txt HTTP/1.1\tx HTTP/1.1\nHost: site.test\n\n" + second, "CR in the target": "GET /a.txt\rx HTTP/1.1\nHost: site.test\n\n" + second, "NUL in the target": "GET /a.txt\x00 HTTP/1.1\nHost: site.test\n\n" + second, "bare LF, a length": strings.Replace("GET /a.txt HTTP/1.1\nHost: site.test\n"+length+"\n\n", "\n", "\v", 1) + second,
	} {
		all[name] = text
	}
	for name, text := range all {
		all[name] = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return all
}

// outSeparate tells of those that have no body, whatever they say: the second request stands behind the first, and is to be answered.
func outSeparate(name string) bool { return strings.HasSuffix(name, "folded elsewhere") }

// No request hides another, and the lane reads as net/http does.
func TestOutSmuggling(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	outWrite(t, dir, map[string]string{"site" + outSmuggled: outSmuggledText})
	pair := outPair(t, "--root", filepath.Join(dir, "site"))
	cases := outSmuggling()
	var refused atomic.Int64
	var all sync.WaitGroup
	turns := make(chan struct{}, 32) // net/http waits before it closes
	for name, text := range cases {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			with, off := outSay(t, pair[0].plain, text), outSay(t, pair[1].plain, text)
			if with != off {
				t.Errorf("%s: with the lane\n%.800s\nwithout\n%.800s", name, with, off)
			}
			if strings.HasPrefix(with, "HTTP/1.1 400") {
				refused.Add(1)
			}
			if strings.Contains(with, outSmuggledText) != outSeparate(name) {
				t.Errorf("%s is answered:\n%.2000s\nto\n%.600s", name, with, text)
			}
		})
	}
	all.Wait()
	tell(t, row{Kind: "out", What: "request smuggling", Tried: fmt.Sprintf("%d requests with a second one in them", len(cases)), Rouse: fmt.Sprintf("%d are refused with 400; none shows the second; the lane replies as net/http, byte for byte", refused.Load())})
}
