package badinput

import (
	"os"
	"testing"
)

// A file of options that cannot be read stops a start, with its name, line and column; one that was named and is not there
// does not, as in static-web-server.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	large := write(t, dir, "large.toml", "", 0o600)
	if err := os.Truncate(large, 100<<20); err != nil {
		t.Fatal(err)
	}
	folder := dir + "/folder.toml"
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	zero := dir + "/zero.toml"
	if err := os.Symlink("/dev/zero", zero); err != nil {
		t.Fatal(err)
	}
	closed := write(t, dir, "closed.toml", "", 0)
	const none = ": not a regular file: name one"
	refusals := []refusal{
		{name: "ending", args: []string{"-w", "options.conf"}, checked: true, code: usage, want: "--config-file options.conf: the name of a file of options ends in .toml"},
		{name: "ending, by variable", env: []string{"SERVER_CONFIG_FILE=options.conf"}, checked: true, code: config, want: "SERVER_CONFIG_FILE options.conf: the name of a file of options ends in .toml"},
		{name: "folder", args: []string{"-w", folder}, checked: true, code: config, want: "--config-file " + folder + none},
		{name: "device", env: []string{"SERVER_CONFIG_FILE=" + zero}, checked: true, code: config, want: "SERVER_CONFIG_FILE " + zero + none},
		{name: "large", args: []string{"-w", large}, checked: true, code: config, want: large + ": larger than 16 MiB, so hardly a file of options: name another"},
		{name: "unreadable", args: []string{"-w", closed}, through: withoutCapabilities(t), checked: true, code: config,
			want: "--config-file " + closed + ": this user cannot open it (permission denied): change that, or name another"},
	}
	for _, c := range []struct{ name, text, says string }{
		{"open table", "[general\n", "1: not TOML at column 9: "},
		{"open string", "[general]\nroot = \"a\n", "2: not TOML at column 10: "},
		{"no value", "[general]\r\nport =\r\n", "2: not TOML at column 7: "},
		{"twice", "[general]\nport = 1\nport = 2\n", "3: not TOML at column 1: "},
		{"NUL", "[general]\n\x00\n", "2: not TOML at column 1: "},
		{"binary", "\x7fELF\x02\x01\x01\n", "1: not TOML at column 1: "},
		{"not UTF-8", "[general]\nroot = 'a\xff'\n", "2: not TOML at column 10: "},
		{"no table", "general = 1\n", "1: general: not a table: write [general] on a line of its own, and its keys below"},
	} {
		refusals = append(refusals, refusal{name: c.name, file: c.text, checked: true, code: config, pattern: `sws\.toml:` + replaced(replaced(c.says, "[", `\[`), "]", `\]`) + `.*`})
	}
	refused(t, refusals)
	windows := write(t, dir, "windows.toml", "\ufeff[general]\r\nfd = 3\r\nhealht = true\r\n", 0o600)
	served(t, []start{
		{name: "of Windows", args: []string{"-w", windows}, scheme: "http", notices: []string{windows + ":3: healht is not a key of Rouse and is ignored (did you mean health?)"}},
		{name: "missing", args: []string{"-w", dir + "/no.toml", "--fd", "3"}, scheme: "http", notices: []string{"--config-file " + dir + "/no.toml: there is no such file, so it is left out"}},
		{name: "missing, by variable", args: []string{"--fd", "3"}, env: []string{"SERVER_CONFIG_FILE=" + dir + "/no.toml"}, scheme: "http",
			notices: []string{"SERVER_CONFIG_FILE " + dir + "/no.toml: there is no such file, so it is left out"}},
	})
}
