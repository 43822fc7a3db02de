package main

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"
)

// What rouse check prints is a file of options that gives the same ones again, with their origins beside them.
func TestCheckPrintsWhatHolds(t *testing.T) {
	writeFile(t, "sws.toml", `[general]
root = "."
include-hidden = true
index-files = ["a.html", "b,c.html"]
mime-types = { x = "text/x" }
unix-socket-mode = "660"
text-charset = false
unknown = 1
idle-exit = 90
basic-auth = "user:$2y$04$abcdefghijklmnopqrstuubAecMWGbmQxiv.1AEZk7PUTbAqyEGMO"
[[advanced.redirects]]
source = "/a'b\"c"
destination = "/b"
kind = 301
[[advanced.virtual-hosts]]
host = "a.example"
root = "."
[[advanced.virtual-hosts.headers]]
source = "**"
headers = { "X.A" = "line\tb" }
[advanced.memory-cache]
ttl = 5
`)
	const args = "--port 81 --etag=content --trusted-proxies 10.0.0.0/8,::1 --cors-allow-origins=*"
	set(t, "SERVER_HEALTH=true", "SERVER_INDEX_FILES=", "SERVER_UNIX_SOCKET=/run/a b")
	code, text, stderr := rouse(t, nil, append([]string{"check"}, strings.Fields(args)...)...)
	if code != exitOK {
		t.Fatal(code, stderr)
	}
	expectWords(t, "the notices", stderr, "rouse: sws.toml:8: unknown is not a key", "rouse: --port is not used: SERVER_UNIX_SOCKET")
	flat := strings.Join(strings.Fields(text), " ")
	expectWords(t, "the configuration", flat, "port = 81 # --port", "health = true # SERVER_HEALTH", "root = '.' # sws.toml:2", "ignore-hidden-files = false # sws.toml:3: include-hidden",
		"# log-level = 'error' # default", "# fd = # not set", "idle-exit = '1m30s' # sws.toml:9", "# basic-auth = (not shown) # sws.toml:10",
		"[[advanced.redirects]] # sws.toml:11", "[advanced.memory-cache] # sws.toml:21", "[[advanced.virtual-hosts]] # sws.toml:15")
	if strings.Contains(text, "unknown") || strings.Contains(text, "$2y$") {
		t.Errorf("it prints what it should not: %s", text)
	}
	before, _, _, err := load(console{args: strings.Fields(args)})
	if err != nil {
		t.Fatal(err)
	}
	os.Unsetenv("SERVER_HEALTH")
	os.Unsetenv("SERVER_UNIX_SOCKET")
	writeFile(t, "again.toml", text)
	again, _, notices, err := load(console{args: []string{"--config-file", "again.toml"}})
	if err != nil || len(notices) > 0 {
		t.Fatalf("read again: %v, %q: %s", err, notices, text)
	}
	before.BasicAuth = ""
	if !reflect.DeepEqual(before.Config, again.Config) {
		t.Errorf("read again: %+v, was %+v", again.Config, before.Config)
	}
	for name := range before.given {
		if again.given[name] == "" && !slices.Contains([]string{"basic-auth", "include-hidden"}, name) {
			t.Errorf("%s is not given any more", name)
		}
	}
}

// Whatever an option may hold is written as valid TOML and read back.
func TestEveryOptionIsWritten(t *testing.T) {
	for _, o := range defaults().options() {
		if o.key == "" || o.means != "" || o.secret() {
			continue
		}
		one, _ := sample(t, o)
		writeFile(t, "x.toml", "")
		s, _, _, err := load(console{args: []string{"--" + o.flag + "=" + one}})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := s.writeEffective(&b); err != nil {
			t.Fatal(err)
		}
		if err := toml.Unmarshal([]byte(b.String()), &map[string]any{}); err != nil {
			t.Errorf("--%s: %v: %s", o.flag, err, b.String())
		}
		writeFile(t, "again.toml", b.String())
		again, _, _, err := load(console{args: []string{"-w", "again.toml"}})
		if err != nil || again.find(t, o.name()).written() != s.find(t, o.name()).written() {
			t.Errorf("--%s=%s: %v: %s", o.flag, one, err, b.String())
		}
	}
}

// rouse check tells of everything that is wrong, and that the command line alone is where it is.
func TestCheckTellsAll(t *testing.T) {
	for _, c := range []struct {
		file, args string
		code       int
		wants      []string
	}{
		{"", "", exitOK, nil},
		{"", ".", exitOK, nil},
		{"", "--port 80 --root .", exitOK, nil},
		{"", "--port 80", exitConfig, []string{"root ./public: there is no such folder"}},
		{"", "nowhere", exitConfig, []string{"the folder nowhere: there is no such folder"}},
		{"", "--root sws.toml", exitConfig, []string{"--root sws.toml: not a folder"}},
		{"root = 'x'", "", exitConfig, []string{"sws.toml:2: root x: there is no such folder"}},
		{"", "--prot 80", exitUsage, []string{"--prot"}},
		{"", "--port x --host a_b!", exitUsage, []string{"rouse: --port x: ", "rouse: --host a_b!: ", "2 problems"}},
		{"root = '.'\nlisten = ['x']", "--health 1", exitConfig, []string{"1: there is no such folder", "sws.toml:3: listen", "2 problems"}},
		{"port = 'y'", "--port x", exitConfig, []string{"rouse: --port x: ", `rouse: sws.toml:2: port = 'y': `, "2 problems"}},
		{"root = '.'\ntls-cert = 'no.pem'\ntls-key = 'no.key'", "", exitConfig, []string{"sws.toml:3: tls-cert: ", "no.pem"}},
		{"root = '.'\ntls-cert = 'no.pem'", "", exitConfig, []string{"sws.toml:3: tls-cert is given without tls-key"}},
		{"root = '.'\ntls = true\nhost = '127.0.0.1'", "", exitOK, nil},
		{"root = '.'\ntls = true", "", exitConfig, []string{"sws.toml:3: tls needs a certificate"}},
		{"", "--tls .", exitUsage, []string{"--tls needs a certificate"}},
		{"root = '.'\nhttps-redirect = true", "", exitConfig, []string{"sws.toml:3: https-redirect needs TLS"}},
		{"", "--listen nothing .", exitUsage, []string{"--listen", `"nothing"`}},
		{"", "--unix-socket @x --unix-socket-mode 660 .", exitUsage, []string{"--unix-socket", "abstract"}},
		{"", "--fd 3 --port 80 .", exitUsage, []string{"--fd and --port"}},
		{"root='.'\npage-fallback = 'no.html'\nbasic-auth-file = 'no'\npage404 = 'no404'\nlog-file = '.'", "", exitConfig,
			[]string{"sws.toml:3: page-fallback no.html", "sws.toml:4: basic-auth-file no", "sws.toml:5: page404 no404", "sws.toml:6: log-file .: this file cannot be written to (is a directory)", "4 problems"}},
		{"root='.'\npage404 = './404.html'", "", exitOK, nil}, // the default, written down
		{"root='.'\n[[advanced.virtual-hosts]]\nroot = 'x'\n[[advanced.virtual-hosts]]\nhost = 'a'\ntls-key = 'k'\npage-fallback='f'\n[advanced.memory-cache]\nttl = -1", "", exitConfig,
			[]string{"sws.toml:3: advanced.virtual-hosts[0]: names no host", "sws.toml:4: advanced.virtual-hosts[0].root x: there is no such folder",
				"sws.toml:7: advanced.virtual-hosts[1].tls-key: given without tls-cert", "sws.toml:8: advanced.virtual-hosts[1].page-fallback f", "sws.toml:10: advanced.memory-cache.ttl = -1", "5 problems"}},
	} {
		for _, command := range [][]string{{"check"}, {"serve", "--check-config"}, {"--check-config"}} {
			writeFile(t, "sws.toml", "[general]\n"+c.file+"\n")
			code, stdout, stderr := rouse(t, nil, append(slices.Clone(command), strings.Fields(c.args)...)...)
			if code != c.code || (stdout == "") != (code != exitOK) || (stderr == "") != (len(c.wants) == 0) {
				t.Errorf("%q %s: %d, %q, %q", c.file, c.args, code, stdout, stderr)
			}
			expectWords(t, c.file+" "+c.args, stderr, c.wants...)
		}
	}
}

// A check opens nothing: not the socket's path, not the log's file, not what would be replaced.
func TestCheckOpensNothing(t *testing.T) {
	dir := shortDir(t)
	code, _, stderr := rouse(t, nil, "check", "--root", dir, "--unix-socket", filepath.Join(dir, "s"), "--log-file", filepath.Join(dir, "l"), "--access-log", filepath.Join(dir, "a"))
	if left, err := os.ReadDir(dir); code != exitOK || len(left) > 0 || err != nil {
		t.Errorf("%d, %s, %v, %v", code, stderr, left, err)
	}
}

// One wrong value does not hide what the others say.
func TestCheckWithWrongVariable(t *testing.T) {
	t.Chdir(t.TempDir())
	set(t, "SERVER_PORT=x", "SERVER_ROOT=nowhere", "SERVER_INCLUDE_HIDDEN=true")
	code, _, stderr := rouse(t, nil, "check", "--ignore-hidden-files")
	if code != exitConfig {
		t.Error(code)
	}
	expectWords(t, "the problems", stderr, "SERVER_PORT=x: not a number", "SERVER_ROOT nowhere: there is no such folder", "2 problems")
}

// --check-config is a boolean like any other, and only among the options.
func TestWantsCheck(t *testing.T) {
	for args, want := range map[string]bool{
		"": false, "--check-config": true, "--check-config=true": true, "--check-config true": true, "--check-config=false": false, "--check-config false": false,
		"--port 80 --check-config dir": true, "-- --check-config": false, "--log-file --check-config": false, "--check-config --prot": false,
	} {
		if got := wantsCheck(strings.Fields(args)); got != want {
			t.Errorf("%q: %t", args, got)
		}
	}
}

// A start reads all options; that must not be felt (go test -bench Load).
func BenchmarkLoad(b *testing.B) {
	c := console{args: []string{"--port", "81", "--tls=false", "--include-hidden"}}
	for b.Loop() {
		if _, _, _, err := load(c); err != nil {
			b.Fatal(err)
		}
	}
}

// How many files may be open is a matter of who asks: more than that is told, and too few are an error everywhere.
func TestCheckTellsOfOpenFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max > math.MaxInt32-1 {
		t.Skip("this process may have any number of open files")
	}
	wanted := strconv.FormatUint(limit.Max+1, 10)
	code, _, stderr := rouse(t, nil, "check", "--root", t.TempDir(), "--max-open-files", wanted)
	if code != exitOK {
		t.Error(code)
	}
	expectWords(t, "the notice", stderr, "--max-open-files: the system lets this process have "+strconv.FormatUint(limit.Max, 10)+" open files, not "+wanted, "LimitNOFILE="+wanted)
	if code, _, stderr = rouse(t, nil, "check", "--root", t.TempDir(), "--max-open-files", "5"); code != exitConfig || !strings.Contains(stderr, "64 is the least") {
		t.Error(code, stderr)
	}
}
