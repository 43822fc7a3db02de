package servers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// wrongAnswer is an answer that came, with another word than the configuration has now.
type wrongAnswer struct{ want, got string }

func (e wrongAnswer) Error() string {
	return fmt.Sprintf("the answer is %q, want %q in it", e.got, e.want)
}

// check holds that an answer has the word of the server's configuration.
func (d *drill) check(answer string) error {
	if strings.Contains(answer, d.word) {
		return nil
	}
	if d.word == "two" && strings.Contains(answer, "one") {
		answer = "one"
	}
	return wrongAnswer{d.word, answer}
}

// dial connects to a socket as a client that is nobody else. The connection ends after 20 s at the latest.
func (d *drill) dial(name string) (net.Conn, error) {
	var s socket
	for _, one := range d.sockets {
		if one.name == name {
			s = one
		}
	}
	local := net.ParseIP(clientV4)
	if strings.HasSuffix(s.network, "6") {
		local = net.ParseIP(clientV6)
	}
	dialer := net.Dialer{Timeout: 20 * time.Second}
	if s.stream() {
		dialer.LocalAddr = &net.TCPAddr{IP: local}
	} else {
		dialer.LocalAddr = &net.UDPAddr{IP: local}
	}
	c, err := dialer.Dial(s.network, d.address[name])
	if err != nil {
		return nil, err
	}
	d.clients[name] = c.LocalAddr()
	return c, c.SetDeadline(time.Now().Add(20 * time.Second))
}

// get asks for target over HTTP and returns the body.
func (d *drill) get(name, target string) (body string, c net.Conn, err error) {
	c, err = d.dial(name)
	if err != nil {
		return "", nil, err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: drill\r\nConnection: close\r\n\r\n", target); err != nil {
		return "", c, err
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", c, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", response.Status, text)
	}
	return string(text), c, err
}

// page is the client of a web server that answers with the word.
func page(d *drill) error { return pageAt("/")(d) }

func pageAt(target string) func(*drill) error {
	return func(d *drill) error {
		body, _, err := d.get("web", target)
		if err != nil {
			return err
		}
		return d.check(body)
	}
}

// truthful is the client of web servers that also answer with the address that they see a client come from, and, at
// those that know it, the one that it came to.
func truthful(names ...string) func(*drill) error {
	return func(d *drill) error {
		for _, name := range names {
			body, c, err := d.get(name, "/")
			if err != nil {
				return err
			}
			if err := d.check(body); err != nil {
				return err
			}
			for label, address := range map[string]net.Addr{"peer=": c.LocalAddr(), "server=": c.RemoteAddr()} {
				host, port, _ := net.SplitHostPort(address.String())
				if strings.Contains(body, label) && !strings.Contains(body, label+host+" "+port) {
					return fmt.Errorf("the server says %q, but %s%s %s is true", body, label, host, port)
				}
			}
		}
		return nil
	}
}

// startBackend starts an HTTP server for servers that need one behind them. It says whom it is asked for.
func startBackend(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "path=%s", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// serveGo is a server of Go's own library: this test binary, when it is started as one.
func serveGo(address string) {
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(os.Stderr, "from %s\n", r.RemoteAddr)
		fmt.Fprintf(w, "%s peer=%s %s\n", os.Getenv("WORD"), host, port)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
