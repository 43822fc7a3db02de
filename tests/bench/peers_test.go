package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWhoTakesPart(t *testing.T) {
	plain := workload{name: "plain-1k", role: "http", tool: "wrk", field: servers}
	secure := workload{name: "tls-1k", role: "https", tool: "wrk", field: servers}
	growing := workload{name: "connections-1", role: "http", tool: keptOpen, field: servers, peers: grown()}
	cold := workload{name: "cold-plain", role: "http", tool: coldStart, field: servers}
	for _, test := range []struct {
		who  peer
		what workload
		want bool
	}{
		{peer{name: "h2o", roles: webRoles()}, plain, true},
		{peer{name: "floor", roles: []string{"http"}}, secure, false},
		{peer{name: "floor", roles: []string{"http"}, workloads: []string{"plain-10k"}}, plain, false},
		{peer{name: "h2o", roles: webRoles()}, growing, false},
		{peer{name: "rouse" + twinSuffix, roles: webRoles()}, growing, true},
		{peer{name: "apache", roles: webRoles(), binds: true}, cold, false},
		{peer{name: "apache", roles: webRoles(), binds: true}, plain, true},
	} {
		if got := test.who.takesPart(test.what); got != test.want {
			t.Errorf("%s in %s: %v", test.who.name, test.what.name, got)
		}
	}
}

func testOrder(t *testing.T, roles ...string) order {
	o := order{site: site{root: "/site", cert: "/tls.crt", key: "/tls.key"}, workers: 1, connections: many, dir: t.TempDir()}
	for i, role := range roles {
		s := testSocket(8080 + i)
		s.role = role
		o.sockets = append(o.sockets, s)
	}
	return o
}

// What each server is told of its sockets, and of logs only where they are wanted.
func TestConfigurationsOfPeers(t *testing.T) {
	unpacked := program{path: "/cache/x/usr/sbin/program", unpacked: true}
	for name, test := range map[string]struct {
		invoke     invoker
		file       string
		wants, log []string
	}{
		"nginx":    {invokeNginx(unpacked), "nginx.conf", []string{"listen 127.0.0.1:8080;", "8081 ssl http2;", "8082 deferred;"}, []string{"access.log combined"}},
		"lighttpd": {invokeLighttpd(unpacked), "lighttpd.conf", []string{"server.port = 8080", `"127.0.0.1:8081" {` + "\n\tssl.engine"}, []string{"accesslog.filename", "mod_accesslog"}},
		"apache":   {invokeApache(unpacked), "apache.conf", []string{"Listen 127.0.0.1:8081 https", "8082 deferred", "/cache/x/usr/lib/apache2/modules/mod_ssl.so"}, []string{"CustomLog"}},
		"h2o":      {invokeH2O(unpacked), "h2o.yaml", []string{"port: 8082", "certificate-file: /tls.crt"}, []string{"access-log"}},
		"caddy":    {invokeCaddy(unpacked), "Caddyfile", []string{"bind fd/4\n\ttls /tls.crt", "http://:8082"}, []string{"access-8081.log"}},
	} {
		for _, logs := range []bool{false, true} {
			o := testOrder(t, webRoles()...)
			o.logs = logs
			if _, err := test.invoke(o); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(o.dir + "/" + test.file)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.wants {
				if !strings.Contains(string(text), want) {
					t.Errorf("%s: %q is missing in\n%s", name, want, text)
				}
			}
			for _, want := range test.log {
				if strings.Contains(string(text), want) != logs {
					t.Errorf("%s: logs %v, but %q\n%s", name, logs, want, text)
				}
			}
		}
	}
}

func TestSocketsAreHandedOver(t *testing.T) {
	for name, test := range map[string]struct {
		invoke invoker
		want   string
	}{
		"nginx":    {invokeNginx(program{path: "x"}), "NGINX=3;4;"},
		"lighttpd": {invokeLighttpd(program{path: "x"}), "LISTEN_FDS=2"},
		"h2o":      {invokeH2O(program{path: "x"}), "SERVER_STARTER_PORT=127.0.0.1:8080=3;127.0.0.1:8081=4"},
		"rouse":    {invokeRouse("x"), "LISTEN_FDNAMES=http:https"},
	} {
		what, err := test.invoke(testOrder(t, "http", "https"))
		if err != nil || !slices.Contains(what.env, test.want) {
			t.Errorf("%s: %v, %v", name, what.env, err)
		}
	}
}

func TestStaticWebServerCommandLine(t *testing.T) {
	for _, test := range []struct {
		role     string
		second   bool
		with, no string
	}{
		{"https", false, "--tls true --tls-cert /tls.crt", "--http2"},
		{onlyHTTP2, false, "--tls-key /tls.key --http2 true", "--http2-tls-cert"},
		{"https", true, "--http2 true --http2-tls-cert /tls.crt", "--tls "},
		{"http", false, "--fd 0 --root /site", "--tls"},
	} {
		o := testOrder(t, test.role)
		what, err := invokeStaticWebServer(program{path: "sws"}, test.second, true)(o)
		line := strings.Join(what.args, " ")
		if err != nil || !strings.Contains(line, test.with) || strings.Contains(line, test.no) {
			t.Errorf("%s, version 2 %v: %s, %v", test.role, test.second, line, err)
		}
		if text, err := os.ReadFile(o.dir + "/sws.toml"); err != nil || !strings.Contains(string(text), "[advanced.memory-cache]") {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestServerGivenByItsName(t *testing.T) {
	f, err := parseServer("nginx-new=/nonexistent/nginx")
	if err != nil || f.name != "nginx-new" {
		t.Fatal(f.name, err)
	}
	if _, err := f.find(t.Context(), search{}); err == nil {
		t.Error("a program that is not there was found")
	}
}
