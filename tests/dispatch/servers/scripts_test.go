package servers

// scripts are programs of a few lines, in languages whose libraries bind in their own ways.
func scripts() []server {
	node := server{
		packages: []string{"nodejs"},
		version:  "node --version",
		way:      byRun,
		command:  []string{"/usr/bin/node", "app.js"},
		sockets:  web(),
		client:   truthful,
		peer:     `from @ip@:@port@`,
		abrupt:   true,
	}
	answer := `(q, r) => {
  console.log("from " + q.socket.remoteAddress + ":" + q.socket.remotePort)
  r.end("@word@ peer=" + q.socket.remoteAddress + " " + q.socket.remotePort + "\n")
}`
	one, cluster := node, node
	one.name, one.always = "Node http", true
	one.files = map[string]string{"app.js": `require("http").createServer(` + answer + `).listen(@web@, "127.0.0.1")`}
	cluster.name = "Node cluster"
	cluster.files = map[string]string{"app.js": `
const cluster = require("cluster")
if (cluster.isPrimary) {
  cluster.fork()
  cluster.fork()
} else {
  require("http").createServer(` + answer + `).listen(@web@, "127.0.0.1")
}
`}
	return []server{
		{
			name:     "Python http.server",
			packages: []string{"python3"},
			version:  "python3 -V",
			way:      byRun,
			files:    map[string]string{"www/index.html": "@word@\n"},
			command:  []string{"/usr/bin/python3", "-u", "-m", "http.server", "@web@", "--bind", "127.0.0.1", "--directory", "@dir@/www"},
			sockets:  web(),
			client:   page,
			peer:     `@ip@ - - .* "GET / `,
			abrupt:   true,
		},
		one,
		cluster,
	}
}

// java binds through java.nio, which registers a socket with epoll before it is bound.
func java() []server {
	return []server{{
		name:     "Tomcat",
		packages: []string{"tomcat10"},
		version:  "java -cp /usr/share/tomcat10/lib/catalina.jar org.apache.catalina.util.ServerInfo | grep number",
		way:      byRun,
		files: map[string]string{
			"webapps/ROOT/index.jsp":       `<%= "@word@ peer=" + request.getRemoteAddr() + " " + request.getRemotePort() %>`,
			"webapps/ROOT/WEB-INF/web.xml": `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0"/>`,
			"logs/empty":                   "",
			"temp/empty":                   "",
			"work/empty":                   "",
			"conf/logging.properties":      "handlers = java.util.logging.ConsoleHandler\n",
			"conf/server.xml": `
<Server port="-1">
  <Service name="Catalina" gracefulStopAwaitMillis="3000">
    <Connector bindOnInit="false" port="@web@" address="127.0.0.1" protocol="org.apache.coyote.http11.Http11NioProtocol"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps">
        <Valve className="org.apache.catalina.valves.AccessLogValve" directory="logs" prefix="access" suffix=".log" rotatable="false"
          buffered="false" pattern="from %a %{remote}p"/>
      </Host>
    </Engine>
  </Service>
</Server>
`},
		prepare: "cp /usr/share/tomcat10/etc/web.xml conf/",
		command: []string{"/usr/bin/java", "-Xshare:auto", "-XX:TieredStopAtLevel=1",
			"-cp", "/usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar",
			"-Dcatalina.home=/usr/share/tomcat10", "-Dcatalina.base=@dir@", "-Djava.io.tmpdir=@dir@/temp",
			"-Djava.util.logging.config.file=@dir@/conf/logging.properties", "org.apache.catalina.startup.Bootstrap", "start"},
		sockets: web(),
		client:  truthful,
		logFile: "@dir@/logs/access.log",
		peer:    `from @ip@ @port@`,
		abrupt:  true,
	}}
}
