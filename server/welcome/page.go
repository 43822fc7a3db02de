package welcome

import (
	"html"
	"runtime"
	"strings"
)

// A Page is what the welcome page tells. All of it is text; none of it is trusted to be HTML.
type Page struct {
	Version     string   // of the program, as "rouse version" prints it
	Folder      string   // absolute path of the folder in which ./public was looked for
	Sockets     []Socket // what is being served from
	URLs        []string // where a browser finds the page, such as "https://localhost:8443/"
	Certificate string   // one line on the certificate, such as "development certificate, SHA-256 AB:CD…, until 2027-12-24"; empty: none
}

// A Socket is one row of the page's table.
type Socket struct {
	Name    string // the activator's name for it; empty where it has none
	Address string // such as "127.0.0.1:8443" or "/run/rouse.sock"
	Role    string // https or http
	Source  string // who opened it, such as "bound by Rouse"
}

// render fills p into the page. html/template would do it too, but makes the program larger and its
// cold start slower for a few placeholders. The replacer reads its input once, so a value that looks
// like a placeholder stays as it is.
func render(p Page) []byte {
	return []byte(strings.NewReplacer(
		"{{version}}", html.EscapeString(p.Version),
		"{{folder}}", html.EscapeString(p.Folder),
		"{{urls}}", links(p.URLs),
		"{{certificate}}", certificate(p.Certificate),
		"{{sockets}}", rows(p.Sockets),
		"{{activation}}", activation(runtime.GOOS),
	).Replace(pageHTML))
}

func links(urls []string) string {
	var b strings.Builder
	for _, u := range urls {
		u = html.EscapeString(u)
		b.WriteString(`<a href="` + u + `">` + u + `</a>`)
	}
	return b.String()
}

func certificate(line string) string {
	if line == "" {
		return ""
	}
	// Each part of the line stays whole where there is room; the fingerprint may break after a colon.
	parts := strings.NewReplacer(", ", ",</span> <span>", ":", ":<wbr>").Replace(html.EscapeString(line))
	return `<dt>Certificate</dt>
<dd class="parts"><span>` + parts + `</span></dd>
<dd class="note">Rouse made it on this computer, so the browser does not know it and warns once. That is expected.</dd>`
}

func rows(sockets []Socket) string {
	var b strings.Builder
	for _, s := range sockets {
		b.WriteString("<tr><td><code>" + html.EscapeString(s.Address) + "</code></td><td class=\"role\">" +
			html.EscapeString(s.Role) + "</td><td>" + html.EscapeString(s.Source))
		if s.Name != "" {
			b.WriteString(` as <code>` + html.EscapeString(s.Name) + `</code>`)
		}
		b.WriteString("</td></tr>\n")
	}
	return b.String()
}

// activation is the command that shows what Rouse is for, as far as one line can on this system:
// systemd-socket-activate(1) holds the socket and starts Rouse on the first connection. launchd has
// no such command (it wants a property list), so elsewhere the page shows how to look at sockets.
func activation(system string) string {
	if system == "linux" {
		return `<h3>Let it sleep until someone knocks</h3>
<pre><code>systemd-socket-activate -l 127.0.0.1:8888 <span>--fdname=http</span> rouse serve <span>--root ~/my-site</span></code></pre>
<p>Rouse does not run until the first request to <code>http://127.0.0.1:8888/</code> arrives. That request starts it, on the socket that systemd’s tool holds. For TLS, name the socket <code>https</code> and add <code>--tls-cert</code> and <code>--tls-key</code>.</p>`
	}
	return `<h3>See which sockets a service manager passes</h3>
<pre><code>rouse sockets</code></pre>
<p>Run it from launchd, inetd or any supervisor: it lists each inherited socket and what <code>rouse serve</code> would do with it.</p>`
}
