package servers

// javaServers bind through java.nio, which registers a socket with epoll before it is bound.
func javaServers() []server {
	return []server{{
		name:     "Tomcat",
		packages: []string{"tomcat10"},
		version:  "java -cp /usr/share/tomcat10/lib/catalina.jar org.apache.catalina.util.ServerInfo | grep number",
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
		client:  truthful("web"),
		logFile: "@dir@/logs/access.log",
		peer:    `from @ip@ @port@`,
		reload:  "restart",
	}}
}
