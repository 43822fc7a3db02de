package conformance

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asker carries out one point over one transport.
type asker struct {
	*testing.T
	point
	servers *servers
	server  *server
	over    transport
	list    *listing
	failed  bool
}

// reply is what came, with the whole body, and what it was the answer to.
type reply struct {
	*http.Response
	body  []byte
	err   error
	asked string
	a     *asker
}

func (a *asker) get(path string, header ...string) *reply  { return a.ask("GET", path, header...) }
func (a *asker) head(path string, header ...string) *reply { return a.ask("HEAD", path, header...) }

// ask sends a request. The path goes out as it stands here; header are lines as "Name: value", one of them may be Host.
func (a *asker) ask(method, path string, header ...string) *reply {
	a.Helper()
	r := &reply{asked: strings.TrimSpace(method + " " + path + "  " + strings.Join(header, "  ")), a: a}
	request, err := a.request(method, path, header)
	if err != nil {
		a.Fatal(err)
	}
	if r.Response, r.err = a.server.clients[a.over].Do(request); r.err != nil {
		return r
	}
	defer r.Body.Close()
	r.body, r.err = io.ReadAll(r.Body)
	return r
}

// request leaves the path as it is: RawPath is sent when it is an encoding of Path.
func (a *asker) request(method, target string, header []string) (*http.Request, error) {
	path, query, has := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: a.over.scheme(), Host: a.server.host, Path: decoded, RawPath: path, RawQuery: query, ForceQuery: has && query == ""}
	r := &http.Request{Method: method, URL: u, Header: http.Header{}, Host: u.Host}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if name == "Host" {
			r.Host, u.Host = value, value
			continue
		}
		r.Header.Add(name, value)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "conformance")
	}
	return r.WithContext(a.Context()), nil
}

// raw sends these bytes, with \n as CRLF and the end of the head added, and reads one reply. It is for requests that no
// client sends.
func (a *asker) raw(text string) *reply {
	a.Helper()
	r := &reply{asked: strings.ReplaceAll(text, "\n", "  "), a: a}
	address := a.server.plain
	if a.over == h1tls {
		address = a.server.tls
	}
	conn, err := net.DialTimeout(network(address), address, limit)
	if err != nil {
		r.err = err
		return r
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	if a.over == h1tls {
		trust := a.server.trust.Clone()
		trust.ServerName = a.server.host
		conn = tls.Client(conn, trust)
	}
	return r.exchange(conn, text)
}

func (r *reply) exchange(conn net.Conn, text string) *reply {
	if _, r.err = io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n\r\n"); r.err != nil {
		return r
	}
	method, _, _ := strings.Cut(text, " ")
	if r.Response, r.err = http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method}); r.err == nil {
		r.body, r.err = io.ReadAll(r.Body)
	}
	return r
}

// field returns a header field's lines as one.
func (r *reply) field(name string) string {
	if r.Response == nil {
		return ""
	}
	return strings.Join(r.Header.Values(name), ", ")
}

// compare notes a comparison and fails the test when it does not hold.
func (a *asker) compare(asked, expected, got string, holds bool) {
	a.Helper()
	result := pass
	if !holds {
		result, a.failed = fail, true
		a.Errorf("%s %s\n    asked    %s\n    expected %s\n    got      %s", a.number, a.title, asked, clip(expected), clip(got))
	}
	a.list.add(row{a.number, a.title, a.over.String(), asked, expected, got, result})
}

// write puts a file into the fixture.
func (a *asker) write(name, text string) {
	a.Helper()
	path := filepath.Join(a.servers.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.Fatal(err)
	}
}

// read returns a file of the site.
func (a *asker) read(name string) string {
	a.Helper()
	text, err := os.ReadFile(filepath.Join(a.servers.site(), name))
	if err != nil {
		a.Fatal(err)
	}
	return string(text)
}

// unique is a name that no other transport of the point has.
func (a *asker) unique(extension string) string {
	return fmt.Sprintf("%s-%s%s", strings.ReplaceAll(a.number, ".", "-"), strings.ReplaceAll(a.over.String(), "+", ""), extension)
}
