package servers

// standardInput are servers that serve one connection on their standard input and output.
func standardInput() []server {
	return []server{
		{
			name:     "OpenSSH, sshd -i",
			packages: []string{"openssh-server"},
			version:  "/usr/sbin/sshd -V",
			way:      byInetd,
			always:   true,
			files: map[string]string{"banner": "@word@\n", "sshd_config": `
HostKey @dir@/host
AuthorizedKeysFile @dir@/authorized
StrictModes no
PidFile none
UsePAM no
Banner @dir@/banner
`},
			prepare: "id drill 2>/dev/null || useradd --create-home --shell /bin/sh --password '*' drill; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f key; cp key.pub authorized",
			command: []string{"/usr/sbin/sshd", "-i", "-e", "-f", "@dir@/sshd_config"},
			sockets: web(),
			client:  logInSSH,
			peer:    `Accepted publickey for drill from @ip@ port @port@`,
		},
		{
			name:     "BusyBox httpd -i",
			packages: []string{"busybox-static"},
			version:  "/bin/busybox",
			way:      byInetd,
			files:    map[string]string{"www/index.html": "@word@\n"},
			command:  []string{"/bin/busybox", "httpd", "-i", "-vv", "-h", "@dir@/www"},
			sockets:  web(),
			client:   page,
			peer:     `@ip@:@port@`,
		},
		exim(),
	}
}

func webServers() []server {
	return []server{
		{
			name:     "Apache",
			packages: []string{"apache2-bin"},
			version:  "/usr/sbin/apache2 -v",
			way:      byRun,
			options:  []string{"--stop-signal=WINCH"}, // the graceful one
			files: map[string]string{"www/index.html": "@word@\n", "apache.conf": `
ServerRoot @dir@
ServerName drill
Listen 127.0.0.1:@web@
PidFile @dir@/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
User www-data
Group www-data
LogFormat "from %a %{remote}p" drill
CustomLog @dir@/access.log drill
DocumentRoot @dir@/www
<Directory @dir@/www>
Require all granted
</Directory>
`},
			command: []string{"/usr/sbin/apache2", "-d", "@dir@", "-f", "@dir@/apache.conf", "-DFOREGROUND"},
			sockets: web(),
			client:  page,
			logFile: "@dir@/access.log",
			peer:    `from @ip@ @port@`,
		},
		{
			name:     "nginx",
			packages: []string{"nginx"},
			version:  "nginx -v",
			way:      byRun,
			always:   true,
			files: map[string]string{"nginx.conf": `
daemon off;
worker_processes 2;
user www-data;
pid @dir@/nginx.pid;
events {}
http {
  log_format drill "from $remote_addr $remote_port to $server_addr $server_port";
  access_log @dir@/access.log drill;
  server {
    listen @web@;
    default_type text/plain;
    return 200 "@word@ peer=$remote_addr $remote_port server=$server_addr $server_port\n";
  }
}
`},
			command: []string{"/usr/sbin/nginx", "-p", "@dir@", "-e", "stderr", "-c", "@dir@/nginx.conf"},
			sockets: web(),
			client:  truthful,
			logFile: "@dir@/access.log",
			peer:    `from @ip@ @port@ to 198\.51\.100\.`,
		},
		{
			name:     "Caddy",
			packages: []string{"caddy"},
			version:  "caddy version",
			way:      byRun,
			files: map[string]string{"Caddyfile": `
{
	admin off
	auto_https off
}
http://:@web@ {
	bind 127.0.0.1
	log
	respond "@word@ peer={http.request.remote.host} {http.request.remote.port}"
}
`},
			command: []string{"/usr/bin/caddy", "run", "--config", "@dir@/Caddyfile", "--adapter", "caddyfile"},
			sockets: web(),
			client:  truthful,
			peer:    `"remote_ip":"@ip@","remote_port":"@port@"`,
		},
	}
}
