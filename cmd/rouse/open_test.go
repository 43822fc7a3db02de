package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// Every option about sockets or TLS, in every spelling, ends bare mode: nobody who configured something gets a development
// server. The others only modify it.
func TestSaysNothing(t *testing.T) {
	modify := []string{"root", "index-files", "log-level", "log-format", "grace-period", "drain-timeout", "idle-exit", "tls-handshake-timeout",
		"client-header-timeout", "client-body-timeout", "keepalive-timeout", "send-timeout"}
	isModifier := map[string]bool{}
	for _, name := range modify {
		isModifier[name] = true
	}
	for _, o := range defaults().options() {
		text, _ := sample(t, o)
		t.Run(o.name(), func(t *testing.T) {
			set(t, o.variable+"="+text)
			if s := loaded(t, "", ""); s.saysNothing() != isModifier[o.name()] {
				t.Errorf("%s=%s: bare mode is %t", o.variable, text, s.saysNothing())
			}
			if o.flag == "" {
				return
			}
			set(t, o.variable+"=")
			if s := loaded(t, "", "--"+o.flag+"="+text); s.saysNothing() != isModifier[o.name()] {
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
