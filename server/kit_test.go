package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/errorpage"
)

// bound is the time within which things have to happen that take a moment; it is reached only when something is broken.
const bound = 20 * time.Second

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// entries returns the lines with this message.
func (l *lines) entries(t testing.TB, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// world is a server with its log.
type world struct {
	*Server
	log   *lines
	ended chan error // what Serve returned
}

// build makes a server of defaults that change may change.
func build(t testing.TB, content http.Handler, change func(*Config)) *world {
	t.Helper()
	config := Default()
	if change != nil {
		change(&config)
	}
	w := &world{log: &lines{}, ended: make(chan error, 1)}
	w.Server = New(Parts{
		Config: config,
		Log:    slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return selfSigned()
		},
	})
	w.Use(bare(config, content))
	return w
}

// bare is a site of nothing but content.
func bare(c Config, content http.Handler) *Site {
	return &Site{config: c, content: content, fail: errorpage.Write}
}

// serve serves on the sockets until the end of the test, and waits for Serve to return.
func (w *world) serve(t testing.TB, sockets ...Socket) *world {
	t.Helper()
	go func() { w.ended <- w.Serve(sockets) }()
	t.Cleanup(func() {
		w.Close()
		w.end(t)
	})
	eventually(t, "the accept loops turn", func() bool { return len(w.loops()) == len(sockets) })
	return w
}

// end waits until Serve has returned; it may be called again.
func (w *world) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return err
	case <-time.After(bound):
		t.Fatal("Serve does not return")
		return nil
	}
}

// selfSigned makes the certificate of the tests, once.
var selfSigned = sync.OnceValues(func() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

// listen returns a listener on loopback.
func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// dial opens a connection whose reads and writes are bounded.
func dial(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", l.Addr().String(), bound)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(bound))
	return c
}

// dialTLS is dial, and a handshake that offers the protocols.
func dialTLS(t testing.TB, l net.Listener, protocols ...string) *tls.Conn {
	t.Helper()
	c := tls.Client(dial(t, l), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// browser is a client with one protocol: "h1", "h2" or "h2c".
func browser(t testing.TB, protocol string) *http.Client {
	t.Helper()
	var protocols http.Protocols
	switch protocol {
	case "h1":
		protocols.SetHTTP1(true)
	case "h2":
		protocols.SetHTTP2(true)
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       bound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in %s it did not happen that %s", bound, what)
		}
	}
}

// noLeaks checks at the end of the test that no goroutine is left that was started meanwhile. Call it first.
func noLeaks(t testing.TB) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(bound)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// saying answers every request with a word.
func saying(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(word)) })
}

// within is a context that ends with the test, or with the time that tests have.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

// quietLog is a log at static-web-server's level: errors only.
func quietLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
}

// shortDir is a temporary folder whose path leaves room for a name: unix socket paths are short (unix(7)).
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rouse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
