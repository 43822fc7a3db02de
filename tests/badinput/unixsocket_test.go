package badinput

import (
	"os"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// What cannot be bound, or stands in the way and is not Rouse's to remove, is named with the option that asks for it.
func TestUnixSocket(t *testing.T) {
	dir := program.ShortDir(t)
	file := write(t, dir, "file", "x", 0o600)
	long := "/" + strings.Repeat("x", 120)
	root := []string{"SERVER_ROOT=" + dir}
	const inTheWay = ": there is a file of that name that is no socket: remove it, or choose another path"
	const tooLong = `: the path has 121 bytes, a unix socket's path at most 10\d: choose a shorter one`
	variable := func(path string) []string { return append(root, "SERVER_UNIX_SOCKET="+path) }
	key := func(path string) string { return "[general]\nunix-socket = '" + path + "'\n" }
	refused(t, []refusal{
		{name: "too long", args: []string{"--unix-socket", long}, env: root, checked: true, code: usage, pattern: "--unix-socket: unix:" + long + tooLong},
		{name: "too long, by variable", env: variable(long), checked: true, code: config, pattern: "SERVER_UNIX_SOCKET: unix:" + long + tooLong},
		{name: "too long, by key", file: key(long), env: root, checked: true, code: config, pattern: "sws.toml:2: unix-socket: unix:" + long + tooLong},
		{name: "a file", args: []string{"--unix-socket", file}, env: root, checked: true, code: config, want: "--unix-socket: unix:" + file + inTheWay},
		{name: "a file, by force", args: []string{"--unix-socket", file, "--unix-socket-force"}, env: root, checked: true, code: config, want: "--unix-socket: unix:" + file + inTheWay},
		{name: "a file, by variable", env: variable(file), checked: true, code: config, want: "SERVER_UNIX_SOCKET: unix:" + file + inTheWay},
		{name: "a file, by key", file: key(file), env: root, checked: true, code: config, want: "sws.toml:2: unix-socket: unix:" + file + inTheWay},
		{name: "no folder", args: []string{"--unix-socket", dir + "/no/s"}, env: root, code: config,
			want: "--unix-socket: unix:" + dir + "/no/s: the folder " + dir + "/no has to exist and this user to have write access to it: no such file or directory"},
		{name: "with a port", args: []string{"--unix-socket", dir + "/s", "--port", "80"}, env: root, checked: true, code: usage,
			want: "--unix-socket and --port exclude each other, leave one out: --unix-socket says what to bind"},
		{name: "mode alone", args: []string{"--unix-socket-mode", "660"}, env: root, checked: true, code: usage, want: "--unix-socket-mode needs --unix-socket, the path to bind"},
	})
	if text, err := os.ReadFile(file); err != nil || string(text) != "x" {
		t.Errorf("the file in the way was touched: %q, %v", text, err)
	}
}
