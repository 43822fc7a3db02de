package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzOption gives a text to an option, as a flag or a variable does: what is accepted is written back in a form that means the
// same, and what is refused changes nothing.
func FuzzOption(f *testing.F) {
	all := newSettings().options()
	for i, o := range all {
		f.Add(uint16(i), o.written())
	}
	for i, text := range []string{"1h30m", "5min", "16M", "0443", "[::1]:80", "tcp:[::]:443?proxy=v2", ".a=b/c,.d=e", "10.0.0.0/8, ::1", "660", "true", "targz,zip", "-1", "1e9", "\xff", "a\nb", "９"} {
		f.Add(uint16(i*7), text)
	}
	f.Fuzz(func(t *testing.T, which uint16, text string) {
		o := newSettings().options()[int(which)%len(all)]
		before := o.written()
		if err := o.accepts(text); err != nil {
			if err.Error() == "" || o.written() != before {
				t.Errorf("%s %q: %q, and is %q", o.name(), text, err, o.written())
			}
			return
		}
		if err := o.set(text); err != nil {
			t.Fatalf("%s %q is accepted and not set: %v", o.name(), text, err)
		}
		written := o.written()
		again := newSettings().options()[int(which)%len(all)]
		if err := again.set(written); err != nil || again.written() != written {
			t.Errorf("%s %q is %q, which is %q, %v", o.name(), text, written, again.written(), err)
		}
	})
}

// FuzzFile reads a file of options, which people write: what is wrong with it is told, each time with the file's name, and what
// is kept of it are values that options take.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "[general]\nport = 4711\nroot = 'x'\n", "[general]\nport = '4711'\nlog-level = 7\ncompression = \"yes\"\n", "[advanced]\n[[advanced.redirects]]\nsource = '/a/{*}'\ndestination = '/b/$1'\nkind = 302\n",
		"[[advanced.headers]]\nsource = '**'\nheaders = { X = 'y', Z = 1 }\n", "[[advanced.virtual-hosts]]\nhost = 'a'\nroot = 'b'\n", "general = 1\nadvanced = []\n", "[general]\nindex-files = ['a', 1, [], {}]\n", "a = 1\na = 2\n", "[general]\nport = 99999999999999999999\n", "\ufeff[general]\nmime-types = { '.a' = 'b/c' }\n", "[advanced.memory-cache]\ncapacity = -1\n",
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "rouse.toml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, _, problems := read(console{args: []string{"--config-file", path}})
		for _, problem := range problems {
			if said := problem.Error(); !strings.Contains(said, "rouse.toml") {
				t.Errorf("%q: %q names no file", text, said)
			}
		}
		if s == nil {
			t.Fatal("no settings")
		}
		for _, o := range s.options() {
			if err := o.accepts(o.written()); err != nil && o.written() != newSettings().byName(o.name()) {
				t.Errorf("%q: %s is %q, which it does not take: %v", text, o.name(), o.written(), err)
			}
		}
	})
}

// byName is an option's value as one would write it.
func (s *settings) byName(name string) string {
	for _, o := range s.options() {
		if o.name() == name {
			return o.written()
		}
	}
	return ""
}
