package main

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func testSocket(port int) socket {
	return socket{role: "http", addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}}
}

func TestHAProxyConfiguration(t *testing.T) {
	got := haproxyConfig([]socket{testSocket(1)}, testSocket(8080), 2)
	for _, want := range []string{"nbthread 2\n", "mode tcp\n", "bind fd@3\n", "server behind 127.0.0.1:8080\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// Under rouse nginx has to be as it is by itself: told of no sockets, and to bind the address.
func TestNginxUnderRouseBindsByItself(t *testing.T) {
	dir := t.TempDir()
	for _, lazy := range []bool{false, true} {
		option := map[bool]string{false: "--lazy=false", true: "--lazy=true"}[lazy]
		what, err := invokeRouseRun("rouse", program{path: "nginx"}, option)(order{sockets: []socket{testSocket(8080)}, workers: 1, dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile(dir + "/nginx.conf")
		if err != nil || !strings.Contains(string(config), "listen 127.0.0.1:8080;") {
			t.Errorf("%v\n%s", err, config)
		}
		if !slices.Equal(what.env, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=http"}) || what.notify != lazy ||
			!slices.Contains(what.args, option) || !slices.Contains(what.args, "nginx") {
			t.Errorf("%+v", what)
		}
	}
}

func TestFieldsHaveWorkloadsOfTheirOwn(t *testing.T) {
	load := measuredIn(workloads(), activators, false, coldStart)
	cold := measuredIn(workloads(), activators, true, coldStart)
	for _, w := range slices.Concat(load, cold) {
		if !strings.HasPrefix(w.name, "run-") || w.role != "http" {
			t.Errorf("%+v", w)
		}
	}
	if len(load) != 2 || len(cold) != 2 {
		t.Errorf("under load %v, cold %v", load, cold)
	}
}
