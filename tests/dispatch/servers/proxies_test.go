package servers

import "github.com/rouse-server/rouse/tests/servers/booted"

// proxies are servers with another one behind them: the test's own, in the same namespace.
func proxies() []server {
	return []server{
		haproxy(server{name: "HAProxy", way: byRun, peer: `from @ip@:@port@`}, "127.0.0.1:@web@"),
		haproxy(server{
			name:    "HAProxy, sockpair@",
			way:     byHandoff,
			engines: []string{handOver},
			noPeer:  "its sockpair@ knows none",
		}, "sockpair@3"),
		{
			name:     "Squid",
			packages: []string{"squid"},
			version:  "squid -v",
			way:      byRun,
			inside:   true,
			files: map[string]string{"squid.conf": `
http_port 127.0.0.1:@web@
http_access allow all
cache deny all
pid_filename none
logformat drill from %>a %>p
access_log stdio:@dir@/log/access.log drill
cache_log /dev/stderr
shutdown_lifetime 1 seconds
visible_hostname drill
coredump_dir @dir@
pinger_enable off
`},
			prepare: "mkdir log && chown proxy log",
			command: []string{"/usr/sbin/squid", "-N", "-f", "@dir@/squid.conf"},
			sockets: web(),
			client:  pageAt("http://" + insidePages + "/@word@"),
			logFile: "@dir@/log/access.log",
			peer:    `from @ip@ @port@`,
			abrupt:  true,
		},
		{
			name:    "Traefik",
			version: booted.Traefik + " version",
			way:     byRun,
			inside:  true,
			files: map[string]string{"dynamic.yml": `
http:
  routers: {all: {rule: "PathPrefix(` + "`/`" + `)", service: back, middlewares: [word]}}
  middlewares: {word: {replacePath: {path: "/@word@"}}}
  services: {back: {loadBalancer: {servers: [{url: "http://` + insidePages + `"}]}}}
`},
			command: []string{booted.Traefik, "--entrypoints.web.address=127.0.0.1:@web@", "--providers.file.filename=@dir@/dynamic.yml",
				"--accesslog=true", "--accesslog.format=json", "--global.checknewversion=false", "--global.sendanonymoususage=false"},
			sockets: web(),
			client:  page,
			early:   "404", // it has not read its routes yet
			peer:    `"ClientAddr":"@ip@:@port@"`,
			abrupt:  true,
		},
		{
			name:    "systemd-socket-proxyd",
			version: "systemctl --version",
			way:     byRun,
			options: []string{"--as=systemd"},
			whole:   true,
			inside:  true,
			command: []string{"/lib/systemd/systemd-socket-proxyd", insidePages},
			sockets: web(),
			client:  pageAt("/@word@"),
			noPeer:  "it logs none",
			abrupt:  true,
		},
	}
}

// haproxy is a row whose server binds an address.
func haproxy(s server, bind string) server {
	s.packages, s.version, s.sockets, s.client = []string{"haproxy"}, "haproxy -v", web(), page
	s.files = map[string]string{"haproxy.cfg": `
global
  log stderr format raw local0
  maxconn 100
defaults
  mode http
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend web
  bind ` + bind + `
  log global
  log-format "from %ci:%cp"
  http-request return status 200 content-type text/plain string "@word@"
`}
	s.command = []string{"/usr/sbin/haproxy", "-db", "-f", "@dir@/haproxy.cfg"}
	s.options = []string{"--stop-signal=USR1"} // the soft one
	return s
}
