package servers

import (
	"strings"

	"github.com/rouse-server/rouse/tests/servers/booted"
)

// proxies are servers with another one behind them: the test's own.
func proxies() []server {
	return []server{
		{
			name:     "HAProxy -W",
			packages: []string{"haproxy"},
			version:  "haproxy -v",
			always:   true,
			files:    haproxyConf(),
			command:  []string{"/usr/sbin/haproxy", "-W", "-f", "@dir@/haproxy.cfg"},
			sockets:  web(),
			client:   truthful("web"),
			peer:     `from @ip@:@port@`,
			reload:   "USR2",
		},
		{
			name:     "HAProxy -db",
			packages: []string{"haproxy"},
			version:  "haproxy -v",
			files:    haproxyConf(),
			command:  []string{"/usr/sbin/haproxy", "-db", "-f", "@dir@/haproxy.cfg"},
			sockets:  samePort(),
			client:   truthful("web"),
			peer:     `from @ip@:@port@`,
			reload:   "overlap",
		},
		{
			name:    "Traefik",
			version: booted.Traefik + " version",
			files: map[string]string{"dynamic.yml": `
http:
  routers: {all: {rule: "PathPrefix(` + "`/`" + `)", service: back, middlewares: [word]}}
  middlewares: {word: {replacePath: {path: "/@word@"}}}
  services: {back: {loadBalancer: {servers: [{url: "http://@backend@"}]}}}
`},
			command: []string{booted.Traefik, "--entrypoints.web.address=127.0.0.1:@web@", "--providers.file.filename=@dir@/dynamic.yml",
				"--accesslog=true", "--accesslog.format=json", "--global.checknewversion=false", "--global.sendanonymoususage=false"},
			sockets: web(),
			client:  page,
			early:   "404 Not Found", // it has not read its routes yet
			abrupt:  true,
			peer:    `"ClientAddr":"@ip@:@port@"`,
			reload:  "restart",
		},
		{
			name:     "Squid",
			packages: []string{"squid"},
			version:  "squid -v",
			files: map[string]string{"squid.conf": `
http_port 127.0.0.1:@web@
http_access allow all
cache deny all
pid_filename none
logformat drill from %>a %>p
access_log stdio:@dir@/log/access.log drill
cache_log /dev/stderr
shutdown_lifetime 1 seconds
visible_hostname drill-@word@
coredump_dir @dir@
pinger_enable off
`},
			prepare:  "mkdir log && chown proxy log",
			command:  []string{"/usr/sbin/squid", "-N", "-f", "@dir@/squid.conf"},
			sockets:  web(),
			client:   throughProxy,
			logFile:  "@dir@/log/access.log",
			peer:     `from @ip@ @port@`,
			reload:   "HUP",
			reloaded: `Reconfiguring Squid[\s\S]*Accepting HTTP Socket connections`,
		},
		{
			name:    "systemd-socket-proxyd",
			version: "systemctl --version",
			command: []string{"/lib/systemd/systemd-socket-proxyd", "--exit-idle-time=1s", "@backend@"},
			sockets: samePort(),
			mode:    "translate",
			noBare:  true,
			status:  -1, // SIGTERM itself ends it
			client: func(d *drill) error {
				body, _, err := d.get("web", "/"+d.word)
				if err != nil {
					return err
				}
				return d.check(body)
			},
		},
	}
}

func haproxyConf() map[string]string {
	return map[string]string{"haproxy.cfg": strings.ReplaceAll(`
global
	log stderr format raw local0
	maxconn 100
defaults
	mode http
	timeout client 10s
	timeout connect 10s
	timeout server 10s
frontend web
	bind 127.0.0.1:@web@
	log global
	log-format "from %ci:%cp"
	http-request return status 200 content-type text/plain lf-string "@word@ peer=%[src] %[src_port] server=%[dst] %[dst_port]"
`, "\t", "  ")}
}

// throughProxy has the proxy fetch a page from the test's own server.
func throughProxy(d *drill) error {
	body, _, err := d.get("web", "http://"+d.backend+"/one/two")
	if err != nil {
		return err
	}
	return d.check(body)
}
