package server

import (
	"crypto/tls"
	"io"
	"testing"
	"time"
)

// Parts of TLS records that never become a request do not keep a connection open: its time is that of the head.
func TestLaneSlowRecord(t *testing.T) {
	t.Parallel()
	secure := listen(t)
	build(t, saying("here"), func(c *Config) { c.ClientHeaderTimeout = Duration(200 * time.Millisecond) }).serve(t, Socket{Listener: secure, TLS: true})
	raw := dial(t, secure)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Write([]byte{23, 3, 3, 1, 0}); err != nil { // the head of a record of application data
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, raw)
		ended <- err
	}()
	slow := time.NewTicker(20 * time.Millisecond)
	defer slow.Stop()
	for begun := time.Now(); time.Since(begun) < bound; {
		select {
		case <-ended:
			return
		case <-slow.C:
			raw.Write([]byte{0})
		}
	}
	t.Error("the connection stays open")
}
