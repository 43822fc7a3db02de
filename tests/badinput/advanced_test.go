package badinput

import (
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

func replaced(text, from, to string) string { return strings.ReplaceAll(text, from, to) }

// What is wrong in [advanced] is told with the file, the line and the key; and rouse check tells the same.
func TestAdvanced(t *testing.T) {
	cert, key, _ := program.KeyPair(t, t.TempDir())
	env := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0", "SERVER_ROOT=/"}
	const redirects, headers, hosts = "[[advanced.redirects]]\n", "[[advanced.headers]]\nsource = '**'\n", "[[advanced.virtual-hosts]]\n"
	const folder = ": there is no such folder: make it, or name another"
	const noHost = "is neither a host name nor an IP address (without a port)"
	var refusals []refusal
	for _, c := range []struct {
		name, file, want string
		notices          []string
	}{
		{"no kind", redirects + "source = '/a'\ndestination = '/b'", "1: advanced.redirects[0].kind: missing; one of 301, 302, 303, 307 and 308 is wanted", nil},
		{"kind", redirects + "source = '/a'\ndestination = '/b'\nkind = 200", "4: advanced.redirects[0].kind: 200 is not one of 301, 302, 303, 307 and 308", nil},
		{"kind of another type", redirects + "source = '/a'\ndestination = '/b'\nkind = '301'", "4: advanced.redirects[0].kind = '301': not a whole number without quotation marks", nil},
		{"no source", redirects + "destination = '/b'\nkind = 301", "1: advanced.redirects[0].source: missing; a pattern such as /docs/* or **/*.html is wanted", nil},
		{"source", redirects + "kind = 301\nsource = '/{a'", `3: advanced.redirects[0].source: "/{a": { at character 2 is not closed; \{ is the character`, nil},
		{"no destination", redirects + "source = '/a'\nkind = 301", "1: advanced.redirects[0].destination: missing; a path or URL is wanted", nil},
		{"misspelled destination", redirects + "source = '/a'\ndestinaton = '/b'\nkind = 301", "1: advanced.redirects[0].destination: missing; a path or URL is wanted",
			[]string{"sws.toml:3: advanced.redirects[0].destinaton is not a key of Rouse and is ignored (did you mean destination?)"}},
		{"the second", redirects + "source = '/a'\ndestination = '/b'\nkind = 301\n" + redirects + "source = '/[a'\ndestination = '/b'\nkind = 301", `6: advanced.redirects[1].source: "/[a": [ at character 2 is not closed; \[ is the character`, nil},
		{"one table", "[advanced.redirects]\nsource = '/a'", "1: advanced.redirects: not an array of tables: write [[advanced.redirects]]", nil},
		{"rewrite", "[[advanced.rewrites]]\nsource = '/a'\ndestination = '/b'\nredirect = 200", "4: advanced.rewrites[0].redirect: 200 is not one of 301, 302, 303, 307 and 308", nil},
		{"no headers", headers, `1: advanced.headers[0].headers: missing; a table such as { X-Frame-Options = "DENY" } is wanted`, nil},
		{"name", headers + "headers = { 'X Y' = 'z' }", `3: advanced.headers[0].headers: "X Y" is not the name of a header: letters, digits and - are accepted`, nil},
		{"value", headers + `headers = { X-Y = "a\nb" }`, `3: advanced.headers[0].headers: the value of "X-Y" has a control character, which no header can hold: "a\nb"`, nil},
		{"value of another type", headers + "[advanced.headers.headers]\nX-Y = 1", "4: advanced.headers[0].headers.X-Y = 1: not a string: put it in quotation marks", nil},
		{"the server's own", headers + "headers = { content-length = '1' }", `3: advanced.headers[0].headers: "content-length" is a header that only the server can set: leave it out`, nil},
		{"no links", "[[advanced.early-hints]]\nsource = '/'", "1: advanced.early-hints[0].links: missing; links such as </style.css>; rel=preload; as=style are wanted", nil},
		{"link", "[[advanced.early-hints]]\nsource = '/'\nlinks = ['/style.css']", `3: advanced.early-hints[0].links: "/style.css" is not a link such as </style.css>; rel=preload; as=style`, nil},
		{"no host", hosts + "root = '/'", `1: advanced.virtual-hosts[0]: names no host: add host = "www.example.com", or hosts`, nil},
		{"host", hosts + "host = 'a:80'", `2: advanced.virtual-hosts[0].host: "a:80" ` + noHost, nil},
		{"host twice", hosts + "host = 'a'\n" + hosts + "hosts = ['b', 'A']", `4: advanced.virtual-hosts[1].hosts[1]: "A" stands there twice`, nil},
		{"host's root", hosts + "host = 'a'\nroot = '/nowhere'", "3: advanced.virtual-hosts[0].root /nowhere" + folder, nil},
		{"host's rules", hosts + "host = 'a'\n[[advanced.virtual-hosts.redirects]]\nsource = '/a'\nkind = 301", "3: advanced.virtual-hosts[0].redirects[0].destination: missing; a path or URL is wanted", nil},
		{"half a certificate", hosts + "host = 'a'\ntls-cert = '" + cert + "'", "3: advanced.virtual-hosts[0].tls-cert: given without tls-key: TLS needs both", nil},
		{"half a key", hosts + "host = 'a'\ntls-key = '" + key + "'", "3: advanced.virtual-hosts[0].tls-key: given without tls-cert: TLS needs both", nil},
		{"no such certificate", hosts + "host = 'a'\ntls-cert = '/nowhere'\ntls-key = '" + key + "'", `3: advanced.virtual-hosts[0].tls-cert: read certificate "/nowhere": no such file or directory; check the path, or put the file there`, nil},
		{"a key that is none", hosts + "host = 'a'\ntls-cert = '" + cert + "'\ntls-key = '" + cert + "'", `4: advanced.virtual-hosts[0].tls-key: read key "` + cert + `": no PRIVATE KEY block in it, only ["CERTIFICATE"]; name the PEM file with the private key`, nil},
		{"memory", "[advanced.memory-cache]\nttl = -1", "2: advanced.memory-cache.ttl = -1: not a number from 0 on", nil},
		{"memory of another type", "[advanced.memory-cache]\ncapacity = '9'", "2: advanced.memory-cache.capacity = '9': not a whole number without quotation marks", nil},
		{"no table", "advanced = 1", "1: advanced: not a table: write [advanced] on a line of its own, and its keys below", nil},
	} {
		// The notices of a check are no log lines.
		checked := len(c.notices) == 0
		refusals = append(refusals, refusal{name: c.name, file: c.file + "\n", env: env, checked: checked, code: config, want: "sws.toml:" + c.want, notices: c.notices})
	}
	refused(t, refusals)
}
