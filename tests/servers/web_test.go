package servers

// webServers are those that serve web pages themselves.
func webServers() []server {
	rows := []server{
		{
			name:     "BusyBox httpd, static",
			packages: []string{"busybox-static"},
			version:  "/bin/busybox",
			always:   true,
			files:    map[string]string{"www/index.html": "@word@\n"},
			command:  []string{"/bin/busybox", "httpd", "-f", "-vv", "-p", "127.0.0.1:@web@", "-h", "@dir@/www"},
			sockets:  samePort(),
			client:   page,
			peer:     `@ip@:@port@`,
			reload:   "restart",
			abrupt:   true,
		},
		{
			name:     "lighttpd",
			packages: []string{"lighttpd"},
			version:  "lighttpd -v",
			files: map[string]string{"www/index.html": "@word@\n", "lighttpd.conf": `
server.modules = ("mod_accesslog", "mod_setenv")
server.document-root = "@dir@/www"
server.bind = "127.0.0.1"
server.port = @web@
server.errorlog = "/dev/stderr"
accesslog.filename = "@dir@/access.log"
accesslog.format = "from %h %{remote}p"
accesslog.flush-interval = 1
index-file.names = ("index.html")
`},
			command: []string{"/usr/sbin/lighttpd", "-D", "-f", "@dir@/lighttpd.conf"},
			sockets: web(),
			client:  page,
			logFile: "@dir@/access.log",
			peer:    `from @ip@`,
			reload:  "USR1",
		},
		{
			name:     "Caddy",
			packages: []string{"caddy"},
			version:  "caddy version",
			files: map[string]string{"Caddyfile": `
{
	admin off
	auto_https off
}
http://127.0.0.1:@web@, http://:@web@ {
	bind 127.0.0.1
	log
	respond "@word@ peer={http.request.remote.host} {http.request.remote.port}"
}
`},
			command: []string{"/usr/bin/caddy", "run", "--config", "@dir@/Caddyfile", "--adapter", "caddyfile"},
			sockets: web(),
			client:  truthful("web"),
			peer:    `"remote_ip":"@ip@","remote_port":"@port@"`,
			reload:  "overlap",
		},
	}
	rows = append(rows, nginx()...)
	return append(rows, apache()...)
}

// nginxConf is a configuration; listen is its own part.
func nginxConf(daemon, listen string) map[string]string {
	return map[string]string{"nginx.conf": `
daemon ` + daemon + `;
worker_processes 2;
user www-data;
pid @dir@/nginx.pid;
events {}
http {
  log_format drill "from $remote_addr $remote_port to $server_addr $server_port";
  access_log @dir@/access.log drill;
  server {
` + listen + `
    default_type text/plain;
    return 200 "@word@ peer=$remote_addr $remote_port server=$server_addr $server_port\n";
  }
}
`}
}

func nginx() []server {
	row := func(s server) server {
		s.packages, s.version = []string{"nginx"}, "nginx -v"
		s.command = []string{"/usr/sbin/nginx", "-p", "@dir@", "-e", "stderr", "-c", "@dir@/nginx.conf"}
		s.logFile, s.peer, s.reload = "@dir@/access.log", `from @ip@ @port@ to \S+ `, "HUP"
		if s.client == nil {
			s.client = truthful("web")
		}
		return s
	}
	return []server{
		row(server{
			name:    "nginx, IPv4 and IPv6",
			always:  true,
			files:   nginxConf("off", "listen @web@; listen [::]:@web6@;"),
			sockets: []socket{{name: "web", network: "tcp4", port: 8080}, {name: "web6", given: "web", network: "tcp6", port: 8080}},
			client:  truthful("web", "web6"),
		}),
		row(server{
			name:    "nginx, reuseport",
			files:   nginxConf("off", "listen @web@ reuseport;"),
			sockets: web(),
		}),
		row(server{
			name:    "nginx, daemon on",
			files:   nginxConf("on", "listen 127.0.0.1:@web@;"),
			sockets: samePort(),
			daemon:  "yes",
		}),
	}
}

func apache() []server {
	row := func(mpm string) server {
		return server{
			name:     "Apache, " + mpm,
			packages: []string{"apache2-bin"},
			version:  "/usr/sbin/apache2 -v",
			files: map[string]string{"www/index.html": "static\n", "www/@word@": "", "apache.conf": `
ServerRoot @dir@
ServerName drill
Listen 127.0.0.1:@web@
PidFile @dir@/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_` + mpm + `_module /usr/lib/apache2/modules/mod_mpm_` + mpm + `.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
User www-data
Group www-data
LogFormat "from %a %{remote}p" drill
CustomLog @dir@/access.log drill
ErrorDocument 404 "@word@"
DocumentRoot @dir@/www
<Directory @dir@/www>
Require all granted
</Directory>
`},
			command: []string{"/usr/sbin/apache2", "-d", "@dir@", "-f", "@dir@/apache.conf", "-DFOREGROUND"},
			sockets: web(),
			client: func(d *drill) error {
				body, _, err := d.get("web", "/absent") // its page for what is absent tells the word
				if body == "" {
					return err
				}
				return d.check(body)
			},
			logFile: "@dir@/access.log",
			peer:    `from @ip@ @port@`,
			reload:  "USR1",
		}
	}
	return []server{row("event"), row("prefork")}
}
