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

// What came back from the manager's store was not passed to be served, and is shown as what it is.
func TestSocketsShowsWhatWasKept(t *testing.T) {
	a := activate(t, "rouse-store/bound/tcp%3A127.0.0.1%3A80")
	set(t, a.env...)
	code, stdout, _ := rouse(t, nil, "sockets", "--json")
	var told struct {
		Sockets []row
		Notices []string
	}
	if err := json.Unmarshal([]byte(stdout), &told); err != nil || code != exitOK || len(told.Sockets) != 1 {
		t.Fatalf("%d, %q, %v", code, stdout, err)
	}
	if r := told.Sockets[0]; r.Address != a.Addr().String() || !strings.HasPrefix(r.Serve, "take it where it would bind tcp:127.0.0.1:80, else close it") {
		t.Errorf("%+v", r)
	}
	syscall.Close(told.Sockets[0].Number)
}
