package conformance

import (
	"encoding/json"
	"strings"
)

func logs() []point {
	points := []point{
		{number: "C17.1", title: "one line for each request, with everything", do: requestLine},
		{number: "C17.2", title: "/health is not in the log at info", do: healthUnlogged},
		{number: "C17.3", title: "only trusted proxies are believed", do: trustedProxies},
	}
	for i := range points {
		points[i].server = programs()
	}
	return points
}

// logging starts rouse with a log in JSON, which it writes to a file too.
func (a *asker) logging(args ...string) *asker {
	run, address := a.serving(append([]string{"--log-level=info", "--log-format=json"}, args...)...)
	return a.starts(run, address)
}

// lines ends the program and returns its log lines of requests.
func (a *asker) lines() (all []map[string]any) {
	for line := range strings.Lines(a.ended()) {
		fields := map[string]any{}
		if json.Unmarshal([]byte(line), &fields) == nil && fields["uri"] != nil {
			all = append(all, fields)
		}
	}
	return all
}

func requestLine(a *asker) {
	a.logging("--log-remote-address")
	a.get("/a.txt?q=1", "User-Agent: browser/1.0", "Referer: http://site.test/from").want(200)
	a.get("/missing").want(404)
	lines := a.lines()
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	a.compare("two requests", "two lines", text(lines), len(lines) == 2)
	if len(lines) != 2 {
		return
	}
	line := lines[0]
	for name, expected := range map[string]any{"method": "GET", "uri": "/a.txt?q=1", "status": 200.0, "bytes": float64(len(aText)), "remote_addr": "127.0.0.1",
		"user_agent": "browser/1.0", "referer": "http://site.test/from"} {
		a.compare("GET /a.txt?q=1", name+"="+text(expected), text(line), line[name] == expected)
	}
	a.compare("GET /a.txt?q=1", "a duration", text(line), line["duration"] != nil)
	a.compare("GET /missing", "status=404", text(lines[1]), lines[1]["status"] == 404.0)
}

func healthUnlogged(a *asker) {
	a.logging("--health")
	a.get("/health").want(200)
	a.get("/a.txt").want(200)
	var uris []string
	for _, line := range a.lines() {
		uris = append(uris, line["uri"].(string))
	}
	a.compare("GET /health, GET /a.txt", "a line for /a.txt alone", strings.Join(uris, " "), len(uris) == 1 && uris[0] == "/a.txt")
}

// trustedProxies asks twice with the same fields: once as a proxy that is trusted, once as one that is not.
func trustedProxies(a *asker) {
	for _, c := range []struct {
		trusted string
		known   bool
	}{{"127.0.0.1", true}, {"127.0.0.0/8", true}, {"192.0.2.1", false}} {
		a.logging("--log-x-real-ip", "--log-forwarded-for", "--trusted-proxies="+c.trusted)
		a.get("/a.txt", "X-Real-IP: 203.0.113.7", "X-Forwarded-For: 203.0.113.8").want(200)
		for _, line := range a.lines() {
			text, _ := json.Marshal(line)
			asked, got := "X-Real-IP and X-Forwarded-For from 127.0.0.1, trusted: "+c.trusted, string(text)
			if c.known {
				a.compare(asked, "x_real_ip and real_remote_ip", got, line["x_real_ip"] == "203.0.113.7" && line["real_remote_ip"] == "203.0.113.8")
			} else {
				a.compare(asked, "neither", got, !strings.Contains(got, "203.0.113"))
			}
		}
	}
	a.invalidForwarded()
}

// invalidForwarded is no address and must not get into the log.
func (a *asker) invalidForwarded() {
	a.logging("--log-x-real-ip", "--log-forwarded-for")
	a.get("/a.txt", "X-Real-IP: <iframe>", "X-Forwarded-For: <iframe src=//x>").want(200)
	output := a.ended()
	a.compare("an X-Forwarded-For that is no address", "not logged", output, !strings.Contains(output, "iframe"))
}
