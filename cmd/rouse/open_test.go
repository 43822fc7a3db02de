package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// Every option about sockets or TLS, in every spelling, ends bare mode: nobody who configured something gets a development
// server. The others only modify it.
func TestSaysNothing(t *testing.T) {
	configure := []string{"host", "port", "fd", "listen", "unix-socket", "unix-socket-mode", "unix-socket-force", "tls", "server_http2_tls", "http2", "tls-cert",
		"tls-key", "http2-tls-cert", "http2-tls-key", "https-redirect", "https-redirect-host", "https-redirect-from-port", "https-redirect-from-hosts"}
	for _, o := range defaults().options() {
		if o.name() == "config-file" {
			continue // what it says counts
		}
		text, _ := sample(t, o)
		modifies := !slices.Contains(configure, o.name())
		t.Run(o.name(), func(t *testing.T) {
			if o.variable != "" {
				set(t, o.variable+"="+text)
				if s := loaded(t, "", ""); s.saysNothing() != modifies {
					t.Errorf("%s=%s: bare mode is %t", o.variable, text, s.saysNothing())
				}
				set(t, o.variable+"=")
			}
			if o.flag == "" {
				return
			}
			if s := loaded(t, "", "--"+o.flag+"="+text); s.saysNothing() != modifies {
				t.Errorf("--%s=%s: bare mode is %t", o.flag, text, s.saysNothing())
			}
		})
	}
	if s := loaded(t, "", ""); !s.saysNothing() {
		t.Error("nothing was said, and something is understood")
	}
}

// Two flags that say different things about where sockets come from are refused; where a variable is involved the more exact
// one wins, and the user reads which.
func TestCheckSocketOptions(t *testing.T) {
	for _, c := range []struct{ env, args, notice, refused string }{
		{"", "--listen fd:3", "", ""},
		{"", "--host ::1 --port 80", "", ""},
		{"", "--listen fd:3 --fd 3", "", "--listen and --fd"},
		{"", "--listen fd:3 --host ::1", "", "--listen and --host"},
		{"", "--listen fd:3 --port 80", "", "--listen and --port"},
		{"", "--fd 3 --host ::1", "", "--fd and --host"},
		{"", "--fd 3 --port 80", "", "--fd and --port"},
		{"", "--fd 3 --https-redirect", "", "--fd and --https-redirect"},
		{"SERVER_LISTEN=fd:3", "--fd 4", "SERVER_LISTEN is not used: --fd", ""},
		{"SERVER_LISTEN_FD=4", "--listen fd:3", "SERVER_LISTEN_FD is not used: --listen", ""},
		{"SERVER_LISTEN_FD=4 SERVER_LISTEN=fd:3", "", "SERVER_LISTEN_FD is not used: SERVER_LISTEN", ""},
		{"SERVER_HOST=::1", "--listen fd:3", "SERVER_HOST is not used: --listen", ""},
		{"SERVER_LISTEN=fd:3", "--port 80", "--port is not used: SERVER_LISTEN", ""},
		{"", "--unix-socket /x", "", ""},
		{"", "--unix-socket /x --unix-socket-mode 660 --unix-socket-force", "", ""},
		{"", "--unix-socket /x --host ::1", "", "--unix-socket and --host"},
		{"", "--unix-socket /x --port 80", "", "--unix-socket and --port"},
		{"", "--unix-socket /x --fd 3", "", "--fd and --unix-socket"},
		{"", "--unix-socket /x --listen fd:3", "", "--listen and --unix-socket"},
		{"", "--unix-socket /x --https-redirect", "", "--unix-socket and --https-redirect"},
		{"", "--unix-socket-mode 660", "", "--unix-socket-mode needs --unix-socket"},
		{"", "--unix-socket-force", "", "--unix-socket-force needs --unix-socket"},
		{"SERVER_UNIX_SOCKET_MODE=660", "", "SERVER_UNIX_SOCKET_MODE is not used: it is for --unix-socket", ""},
		{"SERVER_PORT=80", "--unix-socket /x", "SERVER_PORT is not used: --unix-socket says", ""},
		{"SERVER_UNIX_SOCKET=/x", "--port 80", "--port is not used: SERVER_UNIX_SOCKET", ""},
		{"SERVER_UNIX_SOCKET=/x", "--fd 3", "SERVER_UNIX_SOCKET is not used: --fd", ""},
		{"SERVER_UNIX_SOCKET=/x SERVER_LISTEN=fd:3", "", "SERVER_UNIX_SOCKET is not used: SERVER_LISTEN", ""},
		{"SERVER_LISTEN=fd:3", "--unix-socket /x", "SERVER_LISTEN is not used: --unix-socket", ""},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			notices, err := loaded(t, c.env, c.args).checkSocketOptions()
			if c.refused != "" {
				if f, ok := err.(failure); !ok || f.code != exitUsage || !strings.HasPrefix(err.Error(), c.refused) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := strings.Join(notices, "|"); err != nil || !strings.HasPrefix(got, c.notice) || (got == "") != (c.notice == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A port that is taken may be free at the next start; everything else about sockets needs the administrator.
func TestSocketFailure(t *testing.T) {
	for err, code := range map[error]int{
		syscall.EADDRINUSE:                            exitFailed,
		fmt.Errorf("tcp:80: %w", syscall.EADDRINUSE):  exitFailed,
		syscall.EACCES:                                exitConfig,
		fmt.Errorf("fd:3: %w", platform.ErrNotSocket): exitConfig,
		usage("x"): exitUsage,
	} {
		if f, ok := socketFailure(err).(failure); !ok || f.code != code || !strings.Contains(f.Error(), err.Error()) {
			t.Errorf("%v: %+v, want %d", err, f, code)
		}
	}
	for _, err := range []error{nil, activation.ErrGone} {
		if got := socketFailure(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// --unix-socket binds its path, whatever stands in it, with the mode that was asked for; with force also where a socket is in
// the way, but never where something else is.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "a b,c?d%e=f")
	open := func(args ...string) (opened, error) {
		s, _, _, err := load(console{args: append([]string{"--unix-socket", path}, args...)})
		if err != nil {
			t.Fatal(err)
		}
		return s.open(activation.NewOpener())
	}
	first, err := open("--unix-socket-mode", "640")
	if err != nil {
		t.Fatal(err)
	}
	defer activation.Close(first.sockets)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o640 || len(first.sockets) != 1 || first.bare || first.sockets[0].Info.Local != path {
		t.Errorf("%v, %v, %+v", err, info, first)
	}
	expectWords(t, "the notice", strings.Join(first.notices, "|"), path+" has the mode 0640")
	if _, err := open(); err == nil {
		t.Error("the path was taken from a server that answers on it")
	}
	second, err := open("--unix-socket-force")
	if err != nil {
		t.Fatal(err)
	}
	activation.Close(second.sockets)
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("keep"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := open("--unix-socket-force"); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, _ := os.ReadFile(path); string(text) != "keep" {
		t.Error("a file that is no socket was removed")
	}
}
