package badinput

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A page that was asked for and is not there is told of at the start, and does not stop it; rouse check refuses it.
func TestPages(t *testing.T) {
	const missing = ": there is no such file: make it, or name another"
	const goesOn = "; until then Rouse does without it"
	var starts []start
	var refusals []refusal
	for _, option := range []string{"page404", "page50x", "page-fallback", "maintenance-mode-file"} {
		const path = "/nowhere/page.html"
		name := variable(option)
		starts = append(starts,
			start{name: "--" + option, args: []string{"--fd", "3", "--" + option, path}, scheme: "http", notices: []string{"--" + option + " " + path + missing + goesOn}},
			start{name: name, args: []string{"--fd", "3"}, env: []string{name + "=" + path}, scheme: "http", notices: []string{name + " " + path + missing + goesOn}})
		refusals = append(refusals,
			refusal{name: "--" + option, args: []string{"check", "--root", "/", "--" + option, path}, code: config, want: "--" + option + " " + path + missing},
			refusal{name: name, args: []string{"check", "--root", "/"}, env: []string{name + "=" + path}, code: config, want: name + " " + path + missing},
			refusal{name: option, args: []string{"check", "--root", "/"}, file: "[general]\n" + option + " = '" + path + "'\n", code: config, want: "sws.toml:2: " + option + " " + path + missing})
	}
	served(t, starts)
	refused(t, refusals)
}

// Pipes and folders in the place of files are refused and not waited for.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	fifo := dir + "/fifo.toml"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"SERVER_HOST=127.0.0.1", "SERVER_PORT=0", "SERVER_ROOT=" + dir}
	const none = ": not a regular file: name one"
	var refusals []refusal
	for _, option := range []string{"page404", "page50x", "basic-auth-file", "config-file"} {
		name := variable(option)
		for _, path := range []string{fifo, strings.TrimSuffix(fifo, "/fifo.toml"), "/dev/zero"} {
			if option == "config-file" && path != fifo {
				continue // its name is wrong before that
			}
			refusals = append(refusals,
				refusal{name: "--" + option + " " + path, args: []string{"--" + option, path}, env: env, checked: true, code: config, want: "--" + option + " " + path + none},
				refusal{name: name + "=" + path, env: append(env, name+"="+path), checked: true, code: config, want: name + " " + path + none})
		}
	}
	refused(t, refusals)
	served(t, []start{
		{name: "fallback", args: []string{"--fd", "3", "--page-fallback", fifo}, scheme: "http", notices: []string{"--page-fallback " + fifo + none + "; until then Rouse does without it"}},
		{name: "maintenance", args: []string{"--fd", "3", "--maintenance-mode", "--maintenance-mode-file", fifo}, scheme: "http",
			notices: []string{"--maintenance-mode-file " + fifo + none + "; until then Rouse does without it"}},
	})
}
