package conformance

import (
	"encoding/base64"
	"regexp"
	"strings"
)

const password = "open sesame"

// credentials are those of a user, with the bcrypt hash (of the least cost) of password.
func credentials() string { return "user:$2a$04$7/WS.OVy7P60kJmg8J4wB.84TIN5dnJhdYdl8ENaOiR8ehsD7Q/D2" }

// authorization is the header line of RFC 7617.
func authorization(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func endpoints() []point {
	locked, maintenance := with("--basic-auth="+credentials()), with("--maintenance-mode")
	const challenge = `Basic realm="Static Web Server", charset="UTF-8"`
	right := authorization("user", password)
	health := with("--health --maintenance-mode --metrics --cors-allow-origins=http://a.test --basic-auth=" + credentials())
	return append(wrongPasswords(challenge), []point{
		{number: "C12.2", title: "the right password", server: locked, do: func(a *asker) {
			a.get("/a.txt", right).want(200, body(aText))
			a.get("/a.txt", right).want(200, body(aText)) // from the cache of what was verified
			a.get("/a.txt", strings.Replace(right, "Basic", "basic", 1)).want(200)
			a.ask("OPTIONS", "/a.txt").want(204)
		}},
		{number: "C12.3", title: "/health with password and in maintenance", server: health, do: func(a *asker) {
			a.get("/health").want(200, kind("text/plain"), body("OK"))
			a.head("/health").want(200, body(""))
			a.ask("POST", "/health").want(405)
			a.get("/health", "Origin: http://evil.test").want(200, body("OK"))
			a.get("/healthy").want(401)
		}},
		{number: "C12.3a", title: "CORS before password before metrics before maintenance", server: health, do: func(a *asker) {
			a.get("/a.txt", "Origin: http://evil.test").want(403)
			a.get("/metrics").want(401)
			a.get("/metrics", right).want(200, kind("text/plain"))
			a.get("/a.txt", right).want(503)
		}},
		{number: "C12.3", title: "no /health when off", do: func(a *asker) { a.get("/health").want(404) }},
		{number: "C12.4", title: "/metrics asks for the password", server: with("--metrics --basic-auth=" + credentials()), do: func(a *asker) {
			a.get("/metrics").want(401, is("WWW-Authenticate", challenge))
			a.get("/metrics", right).want(200, kind("text/plain"), contains("# TYPE "))
		}},
		{number: "C12.5", title: "maintenance", server: maintenance, do: func(a *asker) {
			a.get("/a.txt").want(503, kind("text/html"), contains("The server is in maintenance mode."))
			a.head("/a.txt").want(503, body(""), kind("text/html"))
			a.get("/missing").want(503)
		}},
		{number: "C12.5", title: "another status and page", server: with("--maintenance-mode --maintenance-mode-status=418 --maintenance-mode-file={dir}/pages/maintenance.html"), do: func(a *asker) {
			a.get("/a.txt").want(418, kind("text/html"), body("<h1>Back at noon</h1>\n"))
		}},
		{number: "C12.6", title: "the metrics", server: with("--metrics"), do: metered},
		{number: "C12.7", title: "no label from the client", server: with("--metrics"), do: func(a *asker) {
			a.get("/a.txt", "Host: a.test").want(200)
			a.get("/metrics").want(200, lacks(`host="a.test"`), contains(`host="other"`))
		}},
		{number: "C12.7", title: "configured hosts are labels", server: file("[general]\nmetrics = true\n[[advanced.virtual-hosts]]\nhost = 'a.test'\nroot = '{dir}/host-a'\n"), do: func(a *asker) {
			a.get("/", "Host: a.test").want(200)
			a.get("/metrics").want(200, contains(`host="a.test"`))
		}},
	}...)
}

// wrongPasswords asks a server for each transport, since nobody may try many passwords on one.
func wrongPasswords(challenge string) (points []point) {
	for i, over := range transports() {
		alone := with("--basic-auth=" + credentials() + " --grace-period=" + number(i))
		points = append(points, point{number: "C12.1", title: "missing or wrong password", server: alone, over: over, do: func(a *asker) {
			for _, header := range []string{"X-None: 1", authorization("user", "wrong"), authorization("other", password), authorization("user", ""),
				"Authorization: Bearer x", "Authorization: Basic !", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user"))} {
				a.get("/a.txt", header).want(401, is("WWW-Authenticate", challenge))
			}
			a.get("/missing").want(401)
		}})
	}
	return points
}

// metered asks for something and looks for it in the metrics; asking for them does not count.
func metered(a *asker) {
	a.get("/a.txt").want(200)
	a.get("/missing").want(404)
	sample := func(pattern string) expectation {
		expression := regexp.MustCompile("(?m)^" + pattern + "$")
		return func(r *reply) (string, string, bool) {
			return "a line like " + pattern, string(expression.Find(r.body)), expression.Match(r.body)
		}
	}
	const labels = `\{(?:[^}]*,)?`
	first := a.get("/metrics").want(200,
		sample(`# TYPE sws_http_requests_total counter`), sample(`# TYPE sws_http_request_duration_seconds histogram`), sample(`# TYPE sws_http_response_bytes_total counter`),
		sample(`# TYPE sws_http_requests_inflight gauge`), sample(`# TYPE sws_http_connections_active gauge`),
		sample(`sws_http_requests_total`+labels+`status="2xx"[^}]*\} [1-9]\d*`), sample(`sws_http_requests_total`+labels+`status="4xx"[^}]*\} [1-9]\d*`),
		sample(`sws_http_requests_total`+labels+`method="GET"[^}]*\} [1-9]\d*`), sample(`sws_http_requests_total`+labels+`host="[^"]*"[^}]*\} [1-9]\d*`),
		sample(`sws_http_request_duration_seconds_bucket`+labels+`le="(?:0\.00005|5e-05)"[^}]*\} \d+`), sample(`sws_http_request_duration_seconds_bucket`+labels+`le="10(?:\.0)?"[^}]*\} \d+`),
		sample(`sws_http_request_duration_seconds_bucket`+labels+`le="\+Inf"[^}]*\} [1-9]\d*`),
		sample(`sws_http_response_bytes_total`+labels+`status="2xx"[^}]*\} [1-9]\d*`), sample(`sws_http_connections_active [1-9]\d*`))
	count := func(r *reply) string {
		return strings.Join(regexp.MustCompile(`(?m)^sws_http_requests_total\{.*$`).FindAllString(string(r.body), -1), " ")
	}
	second := a.get("/metrics")
	a.compare(second.asked, "as many as before: "+count(first), count(second), count(first) == count(second))
}
