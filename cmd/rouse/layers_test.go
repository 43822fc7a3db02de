package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server"
)

// writeFile writes a file of options into a new working directory.
func writeFile(t testing.TB, name, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	switch tt := t.(type) {
	case *testing.T:
		tt.Chdir(dir)
	default:
		t.Fatal("no working directory of its own")
	}
}

// inTOML is a value as one would write it in a file.
func (o option) inTOML(text string) string {
	switch o.field.Interface().(type) {
	case server.Port, server.Number, server.Seconds, server.Order, server.Status:
		return text
	case server.List, server.Hosts, server.Archives, server.Networks, server.Addresses:
		return `["` + strings.Join(strings.Split(text, ","), `", "`) + `"]`
	}
	if o.optional() && (text == "true" || text == "false") {
		return text
	}
	return strconv.Quote(text)
}

// A flag wins over its variable, that over the file, and the file over the default, for every option alike.
func TestPrecedence(t *testing.T) {
	for _, o := range defaults().options() {
		if o.key == "" {
			continue
		}
		t.Run(o.flag, func(t *testing.T) {
			one, other := sample(t, o)
			writeFile(t, "sws.toml", "[general]\n"+o.key+" = "+o.inTOML(one)+"\n")
			expect := func(want, as string, args ...string) {
				t.Helper()
				s, rest, notices, err := load(console{args: args})
				if err != nil || len(rest) > 0 || len(notices) > 0 {
					t.Fatalf("%q: %q, %q, %v", args, rest, notices, err)
				}
				if got := s.find(t, o.flag).written(); got != o.normal(t, want) || s.given[o.flag] != as {
					t.Errorf("%q: it is %s, given as %s; want %s, %s", args, got, s.given[o.flag], want, as)
				}
				overridden := s.overridden()
				if differs := o.normal(t, want) != o.normal(t, one); differs != (len(overridden) == 1) || differs && !strings.Contains(overridden[0], " is used instead of "+o.key+" ") {
					t.Errorf("%q: %q", args, overridden)
				}
			}
			expect(one, "sws.toml:2: "+o.key)
			set(t, o.variable+"="+other)
			expect(other, o.variable)
			set(t, o.variable+"="+one)
			expect(one, o.variable)
			for _, args := range [][]string{{"--" + o.flag + "=" + other}, {"--" + o.flag, other}, {"-" + o.short, other}, {"-" + o.short + other}} {
				if args[0] == "-" || o.short == "" && !strings.HasPrefix(args[0], "--") || o.optional() && args[0] == "-"+o.short+other {
					continue
				}
				expect(other, "--"+o.flag, args...)
			}
		})
	}
}

// wrongValues are texts that an option must refuse.
func wrongValues(o option) []string {
	switch o.field.Interface().(type) {
	case bool:
		return []string{"yes", "1", "True", "on"}
	case string, server.List:
		return nil
	case server.Port:
		return []string{"-1", "65536", "http", "80.0", "0x50"}
	case server.Duration:
		return []string{"-1s", "1d", "soon"}
	case server.Number:
		return []string{"-1", "x", "99999999999"}
	case server.Seconds:
		return []string{"-1", "256", "1s"}
	case server.Host, server.Hosts:
		return []string{"a b", "http://x"}
	case server.Mode:
		return []string{"999", "1777", "rw-r--r--"}
	case server.Status:
		return []string{"99", "600", "OK"}
	case server.Size:
		return []string{"-1", "1T", "big"}
	case server.Order:
		return []string{"-1", "256", "name"}
	case server.MimeTypes:
		return []string{".a", "=text/a", ".a=text"}
	case server.Networks:
		return []string{"10.0.0.0/33", "proxy"}
	case server.Addresses:
		return nil // their own tests
	}
	return []string{"loud", "1"}
}

// A wrong value is named in one line with its option as it was given, and what may stand there.
func TestWrongValues(t *testing.T) {
	for _, o := range defaults().options() {
		values := wrongValues(o)
		if _, isText := o.field.Interface().(string); len(values) == 0 && !isText && o.field.Kind() != reflect.Slice {
			t.Errorf("--%s has no wrong value: say one", o.flag)
		}
		for _, value := range values {
			if o.variable != "" {
				os.Setenv(o.variable, value)
				_, _, _, err := load(console{})
				os.Unsetenv(o.variable)
				refused(t, err, exitConfig, o.variable+"="+value+": ", "")
			}
			if o.flag != "" {
				_, _, _, err := load(console{args: []string{"--" + o.flag + "=" + value}})
				refused(t, err, exitUsage, "--"+o.flag+" "+value+": ", "")
			}
		}
		if o.key == "" {
			continue
		}
		literals := []string{"1.5", "1979-05-27"}
		for _, value := range values {
			literals = append(literals, strconv.Quote(value))
		}
		switch {
		case o.field.Kind() == reflect.String && !o.optional():
			literals = append(literals, "true", "1", `["a"]`, "{ a = 1 }")
		case o.field.Kind() == reflect.Slice:
			literals = append(literals, "true", "1", "[1]", `["a", true]`, "{ a = 1 }")
		case o.field.Kind() == reflect.Bool:
			literals = append(literals, "1", `["true"]`, `{ a = "b" }`, `"yes"`)
		}
		for _, literal := range literals {
			writeFile(t, "sws.toml", "[general]\n\n"+o.key+" = "+literal+" # why not\n")
			_, _, _, err := load(console{})
			refused(t, err, exitConfig, "sws.toml:3: "+o.key+" = "+literal+": ", "")
		}
	}
}

func refused(t *testing.T, err error, code int, begins, says string) {
	t.Helper()
	if f, ok := err.(failure); !ok || f.code != code || !strings.HasPrefix(err.Error(), begins) || !strings.Contains(err.Error(), says) ||
		strings.HasSuffix(begins, ": ") && len(err.Error()) < len(begins)+8 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want %s… %s, exit code %d", err, begins, says, code)
	}
}

// Spellings of one option in opposite senses are one option: within a layer they must agree, and the higher layer wins.
func TestInverseSpellings(t *testing.T) {
	for _, pair := range [][2]string{{"ignore-hidden-files", "include-hidden"}, {"disable-symlinks", "follow-symlinks"}} {
		plain, inverse := pair[0], pair[1]
		variable := func(name string) string { return "SERVER_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_") }
		for _, c := range []struct {
			file, env, args string
			want            string // value of the plain option; or the error
			code            int
		}{
			{"", "", "--P", "true", 0}, {"", "", "--I", "false", 0}, {"", "", "--I=false", "true", 0},
			{"", "EI=true", "", "false", 0}, {"", "EI=false", "", "true", 0}, {"I = true", "", "", "false", 0},
			{"I = true", "EP=true", "", "true", 0}, {"P = false", "EI=false", "", "true", 0}, {"P = true", "", "--I", "false", 0},
			{"I = true", "", "--P", "true", 0}, {"", "EI=true", "--P", "true", 0}, {"", "EP=true", "--I", "false", 0},
			{"", "", "--P --I=false", "true", 0}, {"P = false\nI = true", "", "", "false", 0},
			{"", "", "--P --I", "--I and --P are one option in opposite senses", exitUsage},
			{"", "", "--I=false --P=false", "--I and --P", exitUsage},
			{"", "EI=true EP=true", "", "EI and EP", exitConfig},
			{"P = true\nI = true", "", "", "sws.toml:3: I and sws.toml:2: P", exitConfig},
			{"P = true\nI = true", "", "--I", "sws.toml:3: I and sws.toml:2: P", exitConfig},
		} {
			replace := strings.NewReplacer("EP", variable(plain), "EI", variable(inverse), "P", plain, "I", inverse)
			t.Run(replace.Replace(fmt.Sprintf("%q %s %s", c.file, c.env, c.args)), func(t *testing.T) {
				writeFile(t, "sws.toml", "[general]\n"+replace.Replace(c.file)+"\n")
				set(t, strings.Fields(replace.Replace(c.env))...)
				s, _, _, err := load(console{args: strings.Fields(replace.Replace(c.args))})
				if c.code != 0 {
					refused(t, err, c.code, replace.Replace(c.want), "leave one out")
				} else if err != nil || s.find(t, plain).written() != c.want {
					t.Errorf("%v, %s", err, s.find(t, plain).written())
				}
			})
		}
	}
}

// What static-web-server 2 calls http2 is TLS; a layer above may turn off what one beneath turned on.
func TestHTTP2AcrossLayers(t *testing.T) {
	for _, c := range []struct {
		file, env, args string
		tls             bool
		refused         string
	}{
		{"http2 = true\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "", "", true, ""},
		{"http2 = false\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "", "", false, ""},
		{"http2 = false\nhttp2-tls-cert = ''\nhttp2-tls-key = ''", "", "", false, ""}, // static-web-server's sample
		{"http2 = false\ntls-cert = 'c'\ntls-key = 'k'", "", "", true, ""},
		{"tls = true\ntls-cert = 'c'\ntls-key = 'k'", "", "", true, ""},
		{"tls = true\ntls-cert = 'c'\ntls-key = 'k'", "", "--tls=false", false, ""},
		{"http2 = true\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "SERVER_HTTP2_TLS=false", "", false, ""},
		{"http2 = true\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "", "-t false", false, ""},
		{"http2 = true\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "", "--http2=false", false, ""},
		{"http2 = false\nhttp2-tls-cert = 'c'\nhttp2-tls-key = 'k'", "SERVER_HTTP2_TLS=true", "", true, ""},
		{"", "SERVER_HTTP2_TLS=true SERVER_HTTP2_TLS_CERT=c SERVER_HTTP2_TLS_KEY=k", "--http2=false", false, ""},
		{"http2-tls-cert = 'c'\ntls-cert = 'd'", "", "", false, "sws.toml:2: http2-tls-cert and sws.toml:3: tls-cert are two spellings"},
		{"http2-tls-cert = 'c'", "", "", false, "sws.toml:2: http2-tls-cert is given without http2-tls-key"},
		{"http2 = true", "", "", false, "sws.toml:2: http2 needs TLS, and there is no certificate"},
		{"http2 = true\ntls = false", "", "", false, "sws.toml:2: http2 needs TLS, and sws.toml:3: tls turns it off"},
	} {
		t.Run(c.file+" "+c.env+" "+c.args, func(t *testing.T) {
			writeFile(t, "sws.toml", "[general]\n"+c.file+"\n")
			set(t, strings.Fields(c.env)...)
			s, _, _, err := load(console{args: strings.Fields(c.args)})
			if err == nil {
				err = s.checkTLS()
			}
			if c.refused != "" {
				refused(t, err, exitConfig, c.refused, "")
			} else if err != nil || s.tlsOn() != c.tls {
				t.Errorf("TLS is %t, %v", s != nil && s.tlsOn(), err)
			}
		})
	}
}

// The same arguments and variables give the same options again, as a reload needs them; only the file may have changed.
func TestLoadAgain(t *testing.T) {
	writeFile(t, "sws.toml", "[general]\nport = 4711\nlisten = ['fd:3']\n")
	c := console{args: []string{"--listen", "fd:4", "--listen", "fd:5"}, env: set(t, "SERVER_INDEX_FILES=a,b", "SERVER_ROOT=")}
	before, _, _, err := load(c)
	if err != nil {
		t.Fatal(err)
	}
	again, _, _, err := load(c)
	if err != nil || !reflect.DeepEqual(before.Config, again.Config) || !reflect.DeepEqual(before.given, again.given) || again.Listen.String() != "fd:4 fd:5" {
		t.Errorf("%v: %+v, then %+v", err, before, again)
	}
	if err := os.WriteFile("sws.toml", []byte("[general]\nport = 4712\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, _, _, err = load(c); err != nil || again.Port != 4712 {
		t.Errorf("%v: %+v", err, again)
	}
}
