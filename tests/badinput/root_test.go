package badinput

import (
	"os"
	"path/filepath"
	"testing"
)

// A mistyped folder must not end in a server of something else, or in a message that leaves one guessing which folder was
// meant.
func TestRoot(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	const another = ", or name another"
	cannotOpen := func(root, cause string) string {
		return root + ": this user cannot open it (" + cause + "): change that" + another
	}
	port := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0"}
	refused(t, []refusal{
		{name: "missing", args: []string{"--root", missing}, env: port, code: config, want: "--root " + missing + ": there is no such folder: make it" + another},
		{name: "missing, by variable", env: append(port, "SERVER_ROOT="+missing), code: config, want: "SERVER_ROOT " + missing + ": there is no such folder: make it" + another},
		{name: "missing, relative", env: port, code: config, pattern: `root \./public: there is no such folder in /\S+: make it` + another + " with --root or SERVER_ROOT"},
		{name: "missing, as argument", args: []string{"serve", missing}, env: port, code: config, want: "the folder " + missing + ": there is no such folder: make it" + another},
		{name: "a file", args: []string{"-d", file}, env: port, code: config, want: "--root " + file + ": not a folder, and only folders can be served: name one"},
		{name: "below a file", args: []string{"-d", file + "/x"}, env: port, code: config, want: "--root " + cannotOpen(file+"/x", "not a directory")},
		{name: "unreadable", args: []string{"-d", closed}, env: port, through: withoutCapabilities(t), code: config, want: "--root " + cannotOpen(closed, "permission denied")},
		{name: "below an unreadable one", args: []string{"-d", closed + "/x"}, env: port, through: withoutCapabilities(t), code: config, want: "--root " + cannotOpen(closed+"/x", "permission denied")},
		{name: "below an unreadable one, as argument", args: []string{closed + "/x"}, env: port, through: withoutCapabilities(t), code: config, want: "the folder " + cannotOpen(closed+"/x", "permission denied")},
		{name: "empty", args: []string{"--root", ""}, code: usage, want: "--root needs a value"},
		{name: "empty argument", args: []string{"serve", ""}, code: usage, want: "the folder to serve has an empty name: name it, or leave it out"},
		{name: "two folders", args: []string{dir, "/"}, code: usage, want: "one folder can be served, not 2: " + dir + " /"},
		{name: "two folders behind serve", args: []string{"serve", dir, "/"}, code: usage, want: "one folder can be served, not 2: " + dir + " /"},
		{name: "folder and --root", args: []string{dir, "--root", "/"}, code: usage, want: "the folder is given twice: as --root / and as " + dir},
	})
}

// A mistyped command must not be taken for anything else.
func TestNeitherFolderNorCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const commands = "; commands are serve, run, dispatch, inetd, install, uninstall, status, renew, health, check, precompress, sockets, version, help"
	refused(t, []refusal{
		{name: "nothing like it", args: []string{"publish"}, code: usage, want: `"publish" is neither a folder nor a command` + commands},
		{name: "nearly serve", args: []string{"srve"}, code: usage, want: `"srve" is neither a folder nor a command (did you mean serve?)` + commands},
		{name: "nearly sockets", args: []string{"socket", "--json"}, code: usage, want: `"socket" is neither a folder nor a command (did you mean sockets?)` + commands},
		{name: "a file", args: []string{file}, code: usage, want: `"` + file + `" is neither a folder nor a command` + commands},
		{name: "empty", args: []string{""}, code: usage, want: `"" is neither a folder nor a command` + commands},
	})
}
