package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server"
)

// Which file is read: the one that is named, else rouse.toml, sws.toml, and config.toml where it is one of ours.
func TestFindFile(t *testing.T) {
	const content = "[general]\nport = 4711\n"
	for _, c := range []struct {
		files, env, args string
		port             server.Port // 4711 where a file was read
		notice, refused  string
		code             int
	}{
		{"", "", "", 80, "", "", 0},
		{"sws.toml", "", "", 4711, "", "", 0},
		{"rouse.toml", "", "", 4711, "", "", 0},
		{"rouse.toml sws.toml", "", "", 4711, "sws.toml is not read", "", 0},
		{"config.toml", "", "", 4711, "config.toml is an old name", "", 0},
		{"config.toml sws.toml", "", "", 4711, "", "", 0},
		{"foreign", "", "", 80, "", "", 0},
		{"x.toml", "", "--config-file x.toml", 4711, "", "", 0},
		{"x.toml", "", "-w x.toml", 4711, "", "", 0},
		{"x.toml", "SERVER_CONFIG_FILE=x.toml", "", 4711, "", "", 0},
		{"x.toml", "SERVER_CONFIG_FILE=y.toml", "-wx.toml", 4711, "", "", 0},
		{"sws.toml", "", "-w y.toml", 80, "--config-file y.toml: there is no such file", "", 0},
		{"", "SERVER_CONFIG_FILE=y.toml", "", 80, "SERVER_CONFIG_FILE y.toml: there is no such file", "", 0},
		{"", "", "-w y.conf", 0, "", "--config-file y.conf: ", exitUsage},
		{"", "SERVER_CONFIG_FILE=y.conf", "", 0, "", "SERVER_CONFIG_FILE y.conf: ", exitConfig},
		{"dir.toml", "", "-w dir.toml", 0, "", "--config-file dir.toml: not a regular file", exitConfig},
		{"", "", "-w", 0, "", "--config-file needs a value", exitUsage},
		{"", "", "--config-file=", 0, "", "--config-file needs a value", exitUsage},
	} {
		t.Run(c.files+" "+c.env+" "+c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name := range strings.FieldsSeq(c.files) {
				var err error
				switch name {
				case "foreign":
					err = os.WriteFile("config.toml", []byte("title = 'another program'\n[params]\nnot = TOML\n"), 0o600)
				case "dir.toml":
					err = os.Mkdir(name, 0o700)
				default:
					err = os.WriteFile(name, []byte(content), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			set(t, strings.Fields(c.env)...)
			s, _, notices, err := load(console{args: strings.Fields(c.args)})
			if c.code != 0 {
				if f, ok := err.(failure); !ok || f.code != c.code || !strings.HasPrefix(err.Error(), c.refused) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := strings.Join(notices, "|"); err != nil || s.Port != c.port || !strings.HasPrefix(got, c.notice) || (got == "") != (c.notice == "") {
				t.Errorf("%v, port %v, %q", err, s.Port, got)
			}
		})
	}
	if os.Getuid() != 0 {
		writeFile(t, "sws.toml", "")
		os.Chmod("sws.toml", 0)
		_, _, _, err := load(console{})
		refused(t, err, exitConfig, "the file of options sws.toml: this user cannot open it", "--config-file")
	}
}

// What cannot be parsed is named with its line.
func TestBrokenFile(t *testing.T) {
	for text, want := range map[string]string{
		"[general]\nport = \n":                             "sws.toml:2: not TOML",
		"[general]\nport = 1\nport = 2\n":                  "sws.toml:3: not TOML",
		"[general]\n[general]\n":                           "sws.toml:2: not TOML",
		"[general\n":                                       "sws.toml:1: not TOML",
		"general = 1\n":                                    "sws.toml:1: general: not a table",
		"\n[[general]]\nport = 1\n":                        "sws.toml:2: general: not a table",
		"[general]\nroot = '\xff'\n":                       "sws.toml:2: not TOML",
		"[general]\nport = 99999999999999999999\n":         "sws.toml:2: not TOML",
		"[advanced]\nredirects = 1\n":                      "sws.toml:2: advanced.redirects = 1: not an array of tables: write [[advanced.redirects]]",
		"[advanced.redirects]\nkind = 1\n":                 "sws.toml:1: advanced.redirects: not an array of tables",
		"[advanced]\nmemory-cache = true\n":                "sws.toml:2: advanced.memory-cache = true: not a table",
		"[[advanced.headers]]\nheaders = {A = 1}\n":        "sws.toml:2: advanced.headers[0].headers.A = 1: not a string",
		"[[advanced.headers]]\nheaders = 'A: b'\n":         "sws.toml:2: advanced.headers[0].headers = 'A: b': not a table",
		"[[advanced.rewrites]]\nsource = 1\n":              "sws.toml:2: advanced.rewrites[0].source = 1: not a string",
		"[[advanced.virtual-hosts]]\nspa = 'true'\n":       "sws.toml:2: advanced.virtual-hosts[0].spa = 'true': not true or false",
		"[[advanced.virtual-hosts]]\nhosts = 1\n":          "sws.toml:2: advanced.virtual-hosts[0].hosts = 1: not an array of strings",
		"[[advanced.virtual-hosts]]\nhosts = ['a',\n 1]\n": "sws.toml:3: advanced.virtual-hosts[0].hosts[1]: not a string",
		"[[advanced.redirects]]\n[[advanced.redirects]]\n[[advanced.redirects]]\nsource = 'a'\nkind = '301'\n": "sws.toml:5: advanced.redirects[2].kind = '301': not a whole number",
		"[[advanced.virtual-hosts]]\n[[advanced.virtual-hosts.redirects]]\nkind = true":                        "sws.toml:3: advanced.virtual-hosts[0].redirects[0].kind = true: not a whole number",
		"[advanced]\nredirects = [\n {kind = 1},\n {kind = 1.5},\n]":                                           "sws.toml:4: advanced.redirects[1].kind = 1.5: not a whole number",
	} {
		writeFile(t, "sws.toml", text)
		_, _, _, err := load(console{})
		refused(t, err, exitConfig, want, "")
	}
}

// Keys that mean nothing are told of with their place, and the start goes on.
func TestUnknownKeys(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"[general]\n":                         "",
		"[general]\nmemory-cache = true\n":    "",
		"[advanced]\n":                        "",
		"[general]\nprot = 1\n":               "sws.toml:2: prot is not a key of Rouse and is ignored (did you mean port?)",
		"[general]\nconfig-file = 'x'\n":      "sws.toml:2: config-file is not a key",
		"\nport = 1\n":                        "sws.toml:2: port stands in no table and is ignored: write [general] above it",
		"[genral]\nport = 1\n":                "sws.toml:1: genral is not a key of Rouse and is ignored (did you mean general?)",
		"[[advanced.redirect]]\nkind = 301\n": "sws.toml:1: advanced.redirect is not a key of Rouse and is ignored (did you mean redirects?)",
		"[[advanced.redirects]]\n[[advanced.redirects]]\nknd = 301\n":            "sws.toml:3: advanced.redirects[1].knd is not a key of Rouse and is ignored (did you mean kind?)",
		"[[advanced.virtual-hosts]]\nhost = 'a'\n\"a.b\" = 1\n":                  "sws.toml:3: advanced.virtual-hosts[0].\"a.b\" is not a key",
		"[[advanced.virtual-hosts]]\n[advanced.virtual-hosts.header]\n'x' = 1\n": "sws.toml:2: advanced.virtual-hosts[0].header is not a key of Rouse and is ignored (did you mean headers?)",
	} {
		writeFile(t, "sws.toml", text)
		_, _, notices, err := load(console{})
		if got := strings.Join(notices, "|"); err != nil || !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// The forms in which values may be written beside those that TestPrecedence writes.
func TestKeyForms(t *testing.T) {
	for line, want := range map[string]string{
		"index-files = 'a.html, b.html'":       "a.html,b.html",
		"index-files = ['a.html', 'b,c.html']": "a.html,b,c.html",
		"index-files = []":                     "",
		"index-files = ''":                     "index.html",
		"directory-listing-download = 'targz'": "targz",
		"trusted-proxies = []":                 "",
		"text-charset = 'utf-8'":               "true",
		"text-charset = false":                 "false",
		"etag = true":                          "true",
		"etag = 'content'":                     "content",
		"port = '8080'":                        "8080",
		"port = 0x50":                          "80",
		"port = 8_080":                         "8080",
		"idle-exit = 90":                       "1m30s",
		"idle-exit = '5m'":                     "5m",
		"compression-cache = 1024":             "1K",
		"lane = 'off'":                         "off",
		"reply-ttl = '100ms'":                  "100ms",
		"unix-socket-mode = 0o660":             "0660",
		"unix-socket-mode = '660'":             "0660",
		"mime-types = { \".glb\" = 'model/gltf-binary', x = 'text/x' }": ".glb=model/gltf-binary,.x=text/x",
		"mime-types.glb = 'model/gltf-binary'":                          ".glb=model/gltf-binary",
		"http2 = false":                                                 "false",
		"\"port\" = 7":                                                  "7",
	} {
		name := strings.Trim(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '.' })[0], `"`)
		writeFile(t, "sws.toml", "\ufeff[general]\r\n"+line+"\r\n")
		s, _, notices, err := load(console{})
		if err != nil || len(notices) > 0 || s.find(t, name).written() != want {
			t.Errorf("%s: %v, %q, %+v", line, err, notices, s)
		}
	}
	writeFile(t, "sws.toml", "general.port = 7\n")
	if s, _, _, err := load(console{}); err != nil || s.given["port"] != "sws.toml:1: port" {
		t.Errorf("a dotted key: %v, %+v", err, s)
	}
}

// 660 without quotation marks is decimal in TOML; static-web-server makes 01224 of it.
func TestUnixSocketModeInFile(t *testing.T) {
	for literal, want := range map[string]string{
		"660":    `sws.toml:2: unix-socket-mode = 660: a decimal number, in octal 1224: write "660" or 0o660`,
		"777":    `sws.toml:2: unix-socket-mode = 777: a decimal number, in octal 1411: write "777" or 0o777`,
		"999":    "sws.toml:2: unix-socket-mode = 999: not permissions in octal",
		"0o1777": "sws.toml:2: unix-socket-mode = 0o1777: not permissions in octal",
		"-1":     "sws.toml:2: unix-socket-mode = -1: not permissions in octal",
	} {
		writeFile(t, "sws.toml", "[general]\nunix-socket-mode = "+literal+"\n")
		_, _, _, err := load(console{})
		refused(t, err, exitConfig, want, "")
	}
	writeFile(t, "sws.toml", "[general]\nunix-socket-mode = 440\n")
	s, _, notices, err := load(console{})
	if err != nil || s.UnixSocketMode != 0o670 || len(notices) != 1 {
		t.Fatalf("%v, %v, %q", err, s, notices)
	}
	expectWords(t, "the notice", notices[0], "sws.toml:2: unix-socket-mode = 440", `in octal 0670`, `"440"`)
}

// [advanced] reaches the server's configuration, and every part of it can be named with its place.
func TestAdvanced(t *testing.T) {
	writeFile(t, "sws.toml", `
[general]
[[advanced.redirects]]
source = "/a"
destination = "/b"
kind = 301

[[advanced.redirects]]
source = "/c"
kind = 302
[advanced.memory-cache]
ttl = 5

[[advanced.virtual-hosts]]
hosts = "a.example, b.example"
spa = false
[[advanced.virtual-hosts.headers]]
source = "/**"
[advanced.virtual-hosts.headers.headers]
X-A = "b"
[[advanced.virtual-hosts]]
host = "c.example"
`)
	s, _, notices, err := load(console{})
	if err != nil || len(notices) > 0 {
		t.Fatal(err, notices)
	}
	a := s.Advanced
	if len(a.Redirects) != 2 || a.Redirects[0].Destination != "/b" || a.Redirects[1].Kind != 302 || a.MemoryCache == nil || a.MemoryCache.TTL != 5 ||
		len(a.VirtualHosts) != 2 || !reflect.DeepEqual(a.VirtualHosts[0].Hosts, []string{"a.example", "b.example"}) || a.VirtualHosts[0].SPA == nil ||
		*a.VirtualHosts[0].SPA || a.VirtualHosts[0].Headers[0].Headers["X-A"] != "b" || a.VirtualHosts[1].Host != "c.example" {
		t.Errorf("%+v", a)
	}
	for path, want := range map[string]string{
		"advanced.redirects":                               "sws.toml:3",
		"advanced.redirects[0]":                            "sws.toml:3",
		"advanced.redirects[0].kind":                       "sws.toml:6",
		"advanced.redirects[1]":                            "sws.toml:8",
		"advanced.redirects[1].destination":                "sws.toml:8", // is not there
		"advanced.memory-cache.ttl":                        "sws.toml:12",
		"advanced.virtual-hosts[0].headers[0].source":      "sws.toml:18",
		"advanced.virtual-hosts[0].headers[0].headers.X-A": "sws.toml:20",
		"advanced.virtual-hosts[1].host":                   "sws.toml:22",
		"advanced.rewrites[0].source":                      "sws.toml:3", // advanced begins there
	} {
		if got := s.position(path); got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
	if err := s.wrong("advanced.redirects[1].source", os.ErrInvalid); err.Error() != "sws.toml:9: advanced.redirects[1].source: invalid argument" {
		t.Error(err)
	}
	if got := defaults().position("advanced.headers"); got != "" {
		t.Errorf("without a file: %q", got)
	}
}

// Several mistakes: the first one is told, and how to see the others.
func TestSeveralProblems(t *testing.T) {
	writeFile(t, "sws.toml", "[general]\nport = 'x'\nhost = 'a b'\n")
	set(t, "SERVER_FD=1", "SERVER_LISTEN_FD=x")
	_, _, _, err := load(console{args: []string{"--port=y"}})
	refused(t, err, exitUsage, "--port y: ", "and 3 more: rouse check")
}
