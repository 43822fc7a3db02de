package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
)

// `rouse sockets` shows what was inherited and what serve would do with it, under the same options, for people and programs.
func TestSockets(t *testing.T) {
	for _, c := range []struct{ name, args, would string }{
		{"http", "", "speak http"},
		{"web", "", "speak http"},
		{"web", "--listen https=systemd:web", "not start"}, // no certificate
		{"web", "--listen http=systemd:web", "speak http"},
		{"https", "", "not start"},
		{"h3", "", "not start"},
		{"http", "--https-redirect", "speak http"},
	} {
		a := activate(t, c.name)
		set(t, a.env...)
		code, stdout, stderr := rouse(t, nil, append([]string{"sockets", "--json"}, strings.Fields(c.args)...)...)
		var told struct {
			Sockets []row
			Notices []string
		}
		if err := json.Unmarshal([]byte(stdout), &told); err != nil || code != exitOK || stderr != "" || len(told.Sockets) != 1 {
			t.Fatalf("%+v: %d, %q, %q, %v", c, code, stdout, stderr, err)
		}
		r := told.Sockets[0]
		if r.Name != c.name || r.Source != "systemd:"+c.name || r.Address != a.Addr().String() || r.State != "listening" || r.Family != "ipv4" || !strings.HasPrefix(r.Serve, c.would) {
			t.Errorf("%+v: %+v", c, r)
		}
		set(t, a.env...)
		code, stdout, _ = rouse(t, nil, append([]string{"sockets"}, strings.Fields(c.args)...)...)
		if code != exitOK {
			t.Errorf("%+v: %d", c, code)
		}
		expectWords(t, "the table", stdout, "NUMBER", "systemd:"+c.name, a.Addr().String(), "listening", c.would)
		syscall.Close(r.Number)
	}
	for args, want := range map[string]string{"": "https://localhost:8443", "--port 81": "[::]:81", "--tls --host 127.0.0.1": "speak https", "--listen tcp:127.0.0.1:0": "tcp:127.0.0.1:0"} {
		code, stdout, _ := rouse(t, nil, append([]string{"sockets"}, strings.Fields(args)...)...)
		if code != exitOK {
			t.Errorf("%q: %d", args, code)
		}
		expectWords(t, args, stdout, "no sockets were inherited", "serve would bind", want)
	}
}
