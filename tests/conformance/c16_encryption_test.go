package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

func encryption() []point {
	redirect := with("--https-redirect --https-redirect-host=site.test --https-redirect-from-hosts=site.test,www.site.test")
	anyHost := with("--https-redirect")
	return []point{
		{number: "C16.1", title: "forms of keys", server: programs(), do: keyForms},
		{number: "C16.1", title: "keys and certificates that do not do", server: programs(), do: wrongKeys},
		{number: "C16.2", title: "TLS 1.2 and 1.3, nothing older", over: h1tls, do: func(a *asker) {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				a.handshake(&tls.Config{MinVersion: version, MaxVersion: version}, tls.VersionName(version), true)
			}
			a.handshake(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "TLS 1.1", false)
		}},
		{number: "C16.3", title: "version 2's options: both protocols by ALPN", server: programs(), do: func(a *asker) {
			both(a, append([]string{"--http2"}, a.pair("--http2-tls-cert", "--http2-tls-key")...))
			both(a, append([]string{"-t"}, a.pair("--http2-tls-cert", "--http2-tls-key")...))
		}},
		{number: "C16.4", title: "redirect to https", server: redirect, over: h1, do: func(a *asker) {
			location := "https://site.test:" + portOf(a.server.tls)
			for _, host := range []string{"site.test", "www.site.test", "www.site.test:8080"} {
				a.get("/path?q=1", "Host: "+host).want(301, is("Location", location+"/path?q=1"))
			}
			a.head("/path", "Host: site.test").want(301, is("Location", location+"/path"))
			a.ask("POST", "/path", "Host: site.test").want(308, is("Location", location+"/path"))
			a.raw("GET http://site.test/path?q HTTP/1.1\nHost: other.test").want(301, is("Location", location+"/path?q"))
		}},
		{number: "C16.4", title: "redirect from and to any host by default", server: anyHost, over: h1, do: func(a *asker) {
			a.get("/x", "Host: blog.site.test").want(301, is("Location", "https://blog.site.test:"+portOf(a.server.tls)+"/x"))
		}},
		{number: "C16.5", title: "host that is not listed, or none", server: redirect, over: h1, do: func(a *asker) {
			a.get("/", "Host: other.test").want(400, no("Location"), page("400 Bad Request"))
			a.raw("GET / HTTP/1.1").want(400, no("Location"))
			a.raw("GET / HTTP/1.0").want(400, no("Location"))
		}},
		{number: "C16.6", title: "plain HTTP on the TLS port", over: h1tls, do: plainOnTLS},
		{number: "C16.7", title: "version 3's --http2: HTTP/1.1 too", server: programs(), do: func(a *asker) {
			both(a, append([]string{"--tls", "--http2"}, a.pair("--tls-cert", "--tls-key")...))
		}},
		{number: "C16.8", title: "version 3's --tls: HTTP/2 too", server: programs(), do: func(a *asker) {
			both(a, append([]string{"--tls"}, a.pair("--tls-cert", "--tls-key")...))
		}},
		{number: "C16.9", title: "new certificate with SIGHUP", server: programs(), do: renewed},
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// handshake expects a TLS handshake with config to succeed or not.
func (a *asker) handshake(config *tls.Config, name string, succeeds bool) {
	a.Helper()
	config.RootCAs, config.InsecureSkipVerify, config.ServerName = a.server.trust.RootCAs, a.server.trust.InsecureSkipVerify, "localhost"
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", a.server.tls, config)
	got := "a connection"
	if err != nil {
		got = err.Error()
	} else {
		conn.Close()
	}
	a.compare("handshake with "+name, fmt.Sprintf("a connection: %v", succeeds), got, (err == nil) == succeeds)
}

// both expects HTTP/1.1 with and without ALPN, and HTTP/2, of one socket.
func both(a *asker, args []string) {
	a.Helper()
	run, address := a.serving(args...)
	protocol := func(name string) expectation {
		return func(r *reply) (string, string, bool) { return name, r.Proto, r.Proto == name }
	}
	a.startsOver(h1tls, run, address, a.trust()).get("/a.txt").want(200, protocol("HTTP/1.1"), body(aText))
	a.raw("GET /a.txt HTTP/1.1\nHost: localhost\nConnection: close").want(200, protocol("HTTP/1.1"), body(aText)) // without ALPN
	a.meets(h2, a.server.process, address, a.trust())
	a.get("/a.txt").want(200, protocol("HTTP/2.0"), body(aText))
}

// keyForms serves with one key in three forms of PEM.
func keyForms(a *asker) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(a, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a, err)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	must(a, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ecKey)
	must(a, err)
	for _, form := range []struct {
		name, block string
		public, key any
		bytes       []byte
	}{
		{"PKCS#1", "RSA PRIVATE KEY", &rsaKey.PublicKey, rsaKey, x509.MarshalPKCS1PrivateKey(rsaKey)},
		{"PKCS#8", "PRIVATE KEY", &ecKey.PublicKey, ecKey, pkcs8},
		{"SEC 1", "EC PRIVATE KEY", &ecKey.PublicKey, ecKey, sec1},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, form.public, form.key)
		must(a, err)
		dir := a.TempDir()
		must(a, os.WriteFile(dir+"/c.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
		must(a, os.WriteFile(dir+"/k.pem", pem.EncodeToMemory(&pem.Block{Type: form.block, Bytes: form.bytes}), 0o600))
		run, address := a.serving("--tls", "--tls-cert", dir+"/c.pem", "--tls-key", dir+"/k.pem")
		a.startsOver(h1tls, run, address, &tls.Config{InsecureSkipVerify: true})
		r := a.get("/a.txt")
		r.asked = "GET /a.txt with a key in " + form.name
		r.want(200, body(aText))
	}
}

func wrongKeys(a *asker) {
	other := a.TempDir()
	program.KeyPair(a, other)
	must(a, os.WriteFile(other+"/empty.key", nil, 0o600))
	cert := filepath.Join(a.servers.certs, "tls.crt")
	for _, key := range []string{"tls.key", "empty.key", "missing.key"} {
		path := filepath.Join(other, key)
		a.refuses([]int{78}, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "--tls", "--tls-cert", cert, "--tls-key", path}}, path)
	}
}

// plainOnTLS sends what a browser does that was given http:// and the https port.
func plainOnTLS(a *asker) {
	conn, err := net.DialTimeout("tcp", a.server.tls, limit)
	must(a, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	text := "GET / HTTP/1.1\nHost: localhost"
	r := (&reply{asked: text + " without TLS", a: a}).exchange(conn, text)
	r.want(400, func(r *reply) (string, string, bool) {
		line := strings.TrimSpace(string(r.body))
		return "one line that names https", line, strings.Count(line, "\n") == 0 && strings.Contains(strings.ToLower(line), "https")
	})
}

// renewed replaces the certificate's files, as an ACME client does, while a connection is open.
func renewed(a *asker) {
	dir := a.TempDir()
	_, _, old := program.KeyPair(a, dir)
	run, address := a.serving("--tls", "--tls-cert", dir+"/tls.crt", "--tls-key", dir+"/tls.key")
	a.startsOver(h2, run, address, &tls.Config{RootCAs: old}).get("/a.txt").want(200, body(aText))
	_, _, pool := program.KeyPair(a, dir)
	a.server.process.Signal(syscall.SIGHUP)
	trust := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var conn *tls.Conn
		if conn, err = tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", address, trust); err == nil {
			conn.Close()
			break
		}
	}
	a.compare("new handshake after SIGHUP", "the new certificate", fmt.Sprintf("error: %v", err), err == nil)
	a.get("/a.txt").want(200, body(aText)) // over the open connection: the client does not trust the new certificate
}
