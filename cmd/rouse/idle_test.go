package main

import (
	"strings"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/server"
)

// Exiting for idleness is for sockets that somebody holds meanwhile, and on launchd not so soon that the next client waits.
func TestIdleSpan(t *testing.T) {
	listed := activation.Socket{Source: "systemd:web", Number: 3}
	waits := activation.Socket{Source: "inetd:", Number: 0, Wait: true}
	launched := activation.Socket{Source: "launchd:Listeners", Number: 3}
	own := activation.Socket{Source: "tcp:80", Number: -1}
	for _, c := range []struct {
		args    string
		sockets []activation.Socket
		want    string
		said    bool
	}{
		{"", []activation.Socket{listed}, "0s", false},
		{"--idle-exit 5m", []activation.Socket{listed}, "5m0s", false},
		{"--idle-exit 1", []activation.Socket{listed}, "1s", false},
		{"", []activation.Socket{waits}, "1m0s", false},
		{"--idle-exit 5s", []activation.Socket{waits}, "5s", false},
		{"--idle-exit 0", []activation.Socket{waits}, "0s", false},
		{"--idle-exit 1s", []activation.Socket{launched}, "10s", false},
		{"--idle-exit 5m", []activation.Socket{launched}, "5m0s", false},
		{"", []activation.Socket{launched}, "0s", false},
		{"--idle-exit 5m", []activation.Socket{own}, "0s", true},
		{"--idle-exit 5m", []activation.Socket{listed, own}, "0s", true},
	} {
		var said output
		s := &site{settings: loaded(t, "", c.args), log: newLog(&said, "auto", server.LevelTrace)}
		for _, socket := range c.sockets {
			s.sockets = append(s.sockets, served{Socket: socket})
		}
		if got := s.idleSpan().String(); got != c.want || strings.Contains(said.String(), "--idle-exit is not used") != c.said {
			t.Errorf("%q, %v: %s, want %s; said %q", c.args, c.sockets, got, c.want, said.String())
		}
	}
}
