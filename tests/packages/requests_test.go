package packages

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	httpsURL = "https://localhost:8443/"
	httpURL  = "http://localhost:8080/"
	patience = 20 * time.Second // for what systemd does by itself, on a loaded machine
)

// client makes a new connection for each request, and trusts the certificate that the installation made, by name.
func client(t *testing.T) *http.Client {
	t.Helper()
	text, err := os.ReadFile("/etc/rouse/tls.crt")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", text)
	}
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks once and returns the page.
func get(c *http.Client, url string) (string, error) {
	reply, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	page, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", url, reply.Status)
	}
	return string(page), err
}

// under does something while clients go on asking without a pause, and returns how many were answered. None may fail.
func under(t *testing.T, something func()) int {
	t.Helper()
	c := client(t)
	var answered atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for _, url := range []string{httpsURL, httpURL, httpsURL} {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := get(c, url); err != nil {
					t.Errorf("after %d answers: %v", answered.Load(), err)
					return
				}
				answered.Add(1)
			}
		})
	}
	something()
	// What came with it, such as a restart, is over when some more were answered.
	enough := answered.Load() + 20
	waitFor(t, "answers afterwards", func() bool { return answered.Load() >= enough || t.Failed() })
	close(stop)
	clients.Wait()
	return int(answered.Load())
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not after %s: %s", patience, what)
		}
	}
}

// property is what systemd says of a unit.
func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "systemctl", "show", "-P", name, unit))
}
