package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// tlsServer serves one page of 1 KiB over TLS.
func tlsServer(t *testing.T, config *tls.Config) socket {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page(1024)) }))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the client knows
	s.StartTLS()
	t.Cleanup(s.Close)
	return socket{role: "https", addr: s.Listener.Addr()}
}

func shake(t *testing.T, config *tls.Config, name string) loadResult {
	all := handshakeWorkloads()
	w := all[slices.IndexFunc(all, func(w workload) bool { return w.name == name })]
	w.clients = 2
	r, err := connectSecurely(t.Context(), tlsServer(t, config), w, 1024, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHandshakes(t *testing.T) {
	for name, group := range map[string]string{
		"handshake-full": "X25519", "handshake-resumed": "X25519", "handshake-hybrid": "X25519MLKEM768",
	} {
		r := shake(t, nil, name)
		if r.requests == 0 || r.faults != "" || r.reasons != group || r.rate <= 0 || r.p50 <= 0 || r.p99 < r.p50 || r.bytes != r.requests*1024 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestServerWithoutTheHybridKeyExchangeIsNamedWithItsOwn(t *testing.T) {
	r := shake(t, &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}, "handshake-hybrid")
	if r.faults != "" || r.reasons != "X25519" {
		t.Errorf("%+v", r)
	}
}

func TestHandshakesThatAreNotResumedAreFaults(t *testing.T) {
	r := shake(t, &tls.Config{SessionTicketsDisabled: true}, "handshake-resumed")
	if !strings.HasSuffix(r.faults, " connections: resumed: false") {
		t.Errorf("%+v", r)
	}
}

func TestHandshakesThatFailAreFaults(t *testing.T) {
	r := shake(t, &tls.Config{MaxVersion: tls.VersionTLS12}, "handshake-full")
	if r.requests != 0 || !strings.Contains(r.faults, "protocol version") {
		t.Errorf("%+v", r)
	}
}

func TestWholeReply(t *testing.T) {
	for reply, whole := range map[string]bool{
		"":                                 false,
		"HTTP/1.1 200 OK\r\nA: b\r\n":      false,
		"HTTP/1.1 200 OK\r\n\r\nfou":       false,
		"HTTP/1.1 200 OK\r\n\r\nfour":      true,
		"HTTP/1.1 404 Not\r\n\r\nfour":     false,
		"HTTP/1.1 200 OK\r\n\r\nfour more": true,
	} {
		if wholeReply([]byte(reply), 4) != whole {
			t.Errorf("%q: not %t", reply, whole)
		}
	}
}

func TestPrintKeyExchanges(t *testing.T) {
	r := testRow(handshakes)
	for i := range r.samples {
		r.samples[i][0].fault, r.samples[i][1].reasons = "some", "X25519"
	}
	var out strings.Builder
	printKeyExchanges(&out, r)
	printKeyExchanges(&out, testRow("wrk"))
	if want := "  key exchange: rouse X25519, rouse (A/A twin) X25519, nginx X25519\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
