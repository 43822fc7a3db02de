package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server"
)

// sample is a value that may be written for an option and that is no option's default, and another one.
func sample(t testing.TB, o option) (one, other string) {
	t.Helper()
	switch o.field.Interface().(type) {
	case bool:
		return "true", "false"
	case string:
		return "x.pem", "y.pem"
	case server.Port:
		return "4711", "65535"
	case server.Addresses:
		return "https=fd:9", "fd:8"
	case server.Number:
		return "7", "0"
	case server.Duration:
		return "77s", "1h"
	case server.Seconds:
		return "9", "255"
	case server.List:
		return "a.html,b.html", "c.html"
	case server.Host:
		return "h.example", "::1"
	case server.Hosts:
		return "a.example,b.example", "c.example"
	case server.LogLevel:
		return "debug", "warn"
	case server.LogFormat:
		return "json", "logfmt"
	case server.AccessLogFormat:
		return "combined", "json"
	case server.Charset, server.Automatic:
		return "false", "true"
	case server.Lane, server.Landlock:
		return "off", "off"
	case server.ETag:
		return "content", "false"
	case server.MimeTypes:
		return ".glb=model/gltf-binary", ".a=text/a,.b=text/b"
	case server.Status:
		return "500", "404"
	case server.Mode:
		return "660", "0o600"
	case server.Level:
		return "best", "fastest"
	case server.Size:
		return "1M", "4711"
	case server.Order:
		return "2", "0"
	case server.Format:
		return "json", "AUTO"
	case server.Archives:
		return "targz,zip", "tarzst"
	case server.Networks:
		return "10.0.0.0/8,::1", "192.0.2.1"
	}
	t.Fatalf("%s is a %s: a new kind of option: say here what may be written for it", o.name(), o.field.Type())
	return "", ""
}

// normal is how a text for the option is written back.
func (o option) normal(t testing.TB, text string) string {
	t.Helper()
	fresh := option{field: reflect.New(o.field.Type()).Elem()}
	if s, ok := fresh.field.Addr().Interface().(interface{ Set(string) error }); ok {
		if err := s.Set(text); err != nil {
			t.Fatalf("%s: sample %q: %v", o.name(), text, err)
		}
		return fresh.written()
	}
	return text
}

// defaults is settings that nothing was read into.
func defaults() *settings { return newSettings() }

// find returns the settings' option of that name.
func (s *settings) find(t testing.TB, name string) option {
	t.Helper()
	for _, o := range s.options() {
		if o.name() == name {
			return o
		}
	}
	t.Fatalf("there is no option %s", name)
	return option{}
}

// Every option can be given as a flag, as a variable and as a key of the file, and is explained.
func TestOptionsAreComplete(t *testing.T) {
	exceptions := map[string]string{
		"flag of SERVER_HTTP2_TLS":   "static-web-server 2 calls the flag --http2",
		"key of SERVER_HTTP2_TLS":    "and the key http2",
		"key of SERVER_CONFIG_FILE":  "a file is not told where it is",
		"variable of --check-config": "what the program is to do is said when it is started",
		"key of --check-config":      "likewise",
	}
	used := map[string]bool{}
	excepted := func(what string) bool {
		used[what] = true
		return exceptions[what] != ""
	}
	seen := map[string]bool{}
	unique := func(kind, name string) {
		if seen[kind+name] && name != "" {
			t.Errorf("%s %s is there twice", kind, name)
		}
		seen[kind+name] = true
	}
	names := map[string]bool{}
	for _, o := range defaults().options() {
		name := o.variable
		if o.flag != "" && o.means == "" && o.flag != "config-file" {
			name = "--" + o.flag
		}
		for kind, spelled := range map[string]string{"flag": o.flag, "variable": o.variable, "key": o.key} {
			unique(kind, spelled)
			if spelled == "" && !excepted(kind+" of "+name) {
				t.Errorf("%s has no %s", name, kind)
			}
		}
		unique("short flag", o.short)
		if len(o.short) > 1 {
			t.Errorf("--%s: %q is no letter", o.flag, o.short)
		}
		if o.key != "" && o.key != o.flag {
			t.Errorf("--%s is the key %s", o.flag, o.key)
		}
		if o.help == "" && o.means == "" {
			t.Errorf("--%s has no help", o.flag)
		}
		if !o.optional() && o.arg == "" {
			t.Errorf("--%s takes a value, and the help does not say so", o.flag)
		}
		names[o.name()] = true
		text, _ := sample(t, o)
		if err := o.accepts(text); err != nil {
			t.Errorf("--%s %s: %v", o.flag, text, err)
		}
	}
	for _, o := range defaults().options() {
		if o.means != "" && !names[strings.TrimPrefix(o.means, "!")] {
			t.Errorf("%s means --%s, which is not there", o.name(), o.means)
		}
	}
	for what := range exceptions {
		if !used[what] {
			t.Errorf("the exception %q is none", what)
		}
	}
}

// static-web-server's users find its names: flags, letters and variables, those of both its majors.
func TestOptionNames(t *testing.T) {
	letters, variables := map[string]string{}, map[string]string{}
	for _, o := range defaults().options() {
		letters[o.flag], variables[o.flag] = o.short, o.variable
	}
	for flag, want := range map[string]string{
		"": "SERVER_HTTP2_TLS", "accept-markdown": "", "access-log": "", "access-log-format": "", "basic-auth": "", "basic-auth-file": "",
		"cache-control-headers": "-e", "check-config": "none", "clean-urls": "", "client-body-timeout": "", "client-header-timeout": "", "compression": "-x",
		"compression-cache": "", "compression-level": "", "compression-static": "", "config-file": "-w", "cors-allow-headers": "-j", "cors-allow-origins": "-c",
		"cors-expose-headers": "", "directory-listing": "-z", "directory-listing-download": "", "directory-listing-format": "",
		"directory-listing-order": "", "disable-symlinks": "", "drain-timeout": "", "etag": "", "fd": "-f SERVER_LISTEN_FD", "follow-symlinks": "",
		"grace-period": "-q", "health": "", "host": "-a", "http2": "", "http2-tls-cert": "", "http2-tls-key": "", "https-redirect": "",
		"https-redirect-from-hosts": "", "https-redirect-from-port": "", "https-redirect-host": "", "idle-exit": "", "ignore-hidden-files": "",
		"include-hidden": "", "index-files": "", "keepalive-timeout": "", "landlock": "", "lane": "", "listen": "", "log-file": "", "log-format": "", "log-forwarded-for": "",
		"log-level": "-g", "log-remote-address": "", "log-with-ansi": "", "log-x-real-ip": "", "maintenance-mode": "", "maintenance-mode-file": "",
		"maintenance-mode-status": "", "maintenance-mode-switch": "", "max-blocking-threads": "-b", "max-connections": "", "max-connections-per-client": "",
		"max-handshakes": "", "max-header-size": "", "max-open-files": "", "max-requests": "", "max-target-size": "", "metrics": "", "mime-types": "",
		"page-fallback": "SERVER_FALLBACK_PAGE", "page404": "SERVER_ERROR_PAGE_404", "page50x": "SERVER_ERROR_PAGE_50X", "port": "-p", "ready": "",
		"redirect-trailing-slash": "", "reply-cache": "", "reply-ttl": "", "repr-digest": "", "root": "-d", "security-headers": "", "send-timeout": "", "site-rules": "", "spa": "",
		"text-charset": "", "threads-multiplier": "-n", "tls": "-t", "tls-cert": "", "tls-handshake-timeout": "", "tls-key": "",
		"trusted-proxies": "", "unix-socket": "", "unix-socket-force": "", "unix-socket-mode": "", "use-relative-root": "", "windows-service": "-s",
	} {
		c := struct{ flag, short, variable string }{flag, "", "SERVER_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")}
		for word := range strings.FieldsSeq(want) {
			if short, ok := strings.CutPrefix(word, "-"); ok {
				c.short = short
			} else {
				c.variable = strings.TrimPrefix(word, "none")
			}
		}
		if variables[c.flag] != c.variable || letters[c.flag] != c.short {
			t.Errorf("--%s: -%s, %s; want -%s, %s", c.flag, letters[c.flag], variables[c.flag], c.short, c.variable)
		}
		delete(variables, c.flag)
	}
	for flag, variable := range variables {
		t.Errorf("--%s (%s) is new: add it to this table when its name is meant to stay", flag, variable)
	}
}

// What takes a tag apart for options finds what package reflect finds.
func TestTags(t *testing.T) {
	t.Parallel()
	for _, tag := range []reflect.StructTag{`flag:"a" help:"say \"b: c\" or ‘d’"  key:"-"`, ``, `flag:""`, `help:"unclosed`} {
		found := map[string]string{}
		for name, value := range tags(tag) {
			found[name] = value
		}
		for _, name := range []string{"flag", "help", "key"} {
			if got, want := found[name], tag.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", tag, name, got, want)
			}
		}
	}
}
