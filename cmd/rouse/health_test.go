package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is asked without a URL is where `rouse serve` would listen with the same variables.
func TestHealthOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(filepath.Join(dir, "o.toml"), []byte("[general]\nport = 81\nhealth = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env    string
		url    string
		places string
	}{
		{"", "https://127.0.0.1:8443/", "127.0.0.1:8443"},
		{"SERVER_HEALTH=true", "https://127.0.0.1:8443/health", "127.0.0.1:8443"},
		{"SERVER_HOST=:: SERVER_PORT=8080 SERVER_HEALTH=true", "http://127.0.0.1:8080/health", "127.0.0.1:8080 [::1]:8080"},
		{"SERVER_HOST=0.0.0.0 SERVER_PORT=81", "http://127.0.0.1:81/", "127.0.0.1:81"},
		{"SERVER_HOST=2001:db8::1 SERVER_PORT=81", "http://[2001:db8::1]:81/", "[2001:db8::1]:81"},
		{"SERVER_HOST=0.0.0.0", "http://127.0.0.1:80/", "127.0.0.1:80 127.0.0.1:8080"},
		{"SERVER_PORT=443 SERVER_TLS_CERT=c SERVER_TLS_KEY=k", "https://127.0.0.1:443/", "127.0.0.1:443 [::1]:443"},
		{"SERVER_CONFIG_FILE=o.toml", "http://127.0.0.1:81/health", "127.0.0.1:81 [::1]:81"},
		{"SERVER_UNIX_SOCKET=/run/s", "http://localhost/", "/run/s"},
		{"SERVER_LISTEN=tcp:8080", "http://127.0.0.1:8080/", "127.0.0.1:8080 [::1]:8080"},
		{"SERVER_LISTEN=systemd:web,unix:/run/s", "http://localhost/", "/run/s"},
		{"SERVER_LISTEN=tcp:127.0.0.2:81?proxy=v2,https=tcp:[::]:444,admin=tcp:[::1]:9000", "http://[::1]:9000/health", "[::1]:9000"},
		{"SERVER_LISTEN=https=tcp:[::]:444,http=tcp:81", "https://127.0.0.1:444/", "127.0.0.1:444 [::1]:444"},
	} {
		t.Run(c.env, func(t *testing.T) {
			q, err := ownQuestion(console{env: set(t, strings.Fields(c.env)...)})
			if err != nil {
				t.Fatal(err)
			}
			if q.url.String() != c.url || !slices.Equal(q.places, strings.Fields(c.places)) || !q.insecure {
				t.Errorf("%s at %q", q.url, q.places)
			}
		})
	}
}

func TestHealthRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		env, args string
		code      int
		want      string
	}{
		{"", "http://a http://b", exitUsage, "leave http://b out"},
		{"", "localhost:8080", exitUsage, "write one such as http://127.0.0.1:8080/health"},
		{"", "ftp://localhost/", exitUsage, "not a URL"},
		{"", "http:///health", exitUsage, "not a URL"},
		{"", "http://me:secret@[::1/", exitUsage, "\"http://…@[::1/\" is not a URL"},
		{"", "me:se/c@ret@host", exitUsage, "\"…@host\" is not a URL"},
		{"", "--timeout 0 http://a", exitUsage, "--timeout"},
		{"", "--timout 1s", exitUsage, "did you mean --timeout?"},
		{"SERVER_PORT=x", "", exitConfig, "SERVER_PORT=x"},
		{"SERVER_LISTEN=fd:3", "", exitConfig, "give the URL"},
		{"SERVER_LISTEN=tcp:80?proxy=v1", "", exitConfig, "without proxy="},
		{"SERVER_LISTEN_FD=3", "", exitConfig, "give the URL"},
	} {
		var env []string
		if c.env != "" {
			env = []string{c.env}
		}
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			code, out, errs := rouse(t, env, append([]string{"health"}, strings.Fields(c.args)...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d, %s%s", code, out, errs)
			}
		})
	}
}

func TestHealthOfAURL(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/gone", http.StatusFound)
		case "/gone":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/slow":
			<-r.Context().Done()
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/private":
			if _, password, _ := r.BasicAuth(); password != "secret" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	})
	plain, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer encrypted.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	withPassword, err := url.Parse(plain.URL + "/private")
	if err != nil {
		t.Fatal(err)
	}
	withPassword.User = url.UserPassword("me", "wrong")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{plain.URL, exitOK, plain.URL + " answers 200 OK"},
		{plain.URL + "/moved", exitOK, "/moved answers 302 Found"},
		{plain.URL + "/gone", exitFailed, "/gone answers 503 Service Unavailable"},
		{plain.URL + "/slow --timeout 50ms", exitFailed, "/slow has not answered within"},
		{plain.URL + "/cut", exitFailed, "closed without an answer"},
		{withPassword.String(), exitFailed, "me:xxxxx@"},
		{strings.Replace(withPassword.String(), "wrong", "secret", 1), exitOK, "200 OK"},
		{encrypted.URL, exitFailed, "--insecure takes any certificate"},
		{"-k " + encrypted.URL, exitOK, "200 OK"},
		{strings.Replace(plain.URL, "http:", "https:", 1), exitFailed, "does not speak TLS"},
		{"http://" + closed.Addr().String(), exitFailed, "nobody listens there: connection refused"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, out, errs := rouse(t, nil, append([]string{"health"}, strings.Fields(c.args)...)...)
			if code != c.code || !strings.Contains(out+errs, c.want) || strings.Count(out+errs, "\n") != 1 || (errs == "") != (code == exitOK) {
				t.Errorf("%d, %s%s", code, out, errs)
			}
		})
	}
}
