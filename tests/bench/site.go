package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What the workloads ask for, beside small files.
const (
	page1k     = "/1k.html"
	page10k    = "/10k.html"
	script100k = "/100k.js"
	large100m  = "/100m.bin"
)

//go:embed openssl.cnf
var clientOpenSSL []byte

// site is what all servers serve: the same files and the same key pair, at paths below the temporary folder.
type site struct {
	root      string
	pages     map[string][]byte // request path to content
	cert, key string            // PEM, ECDSA P-256
	openssl   string            // configuration of the clients' OpenSSL
	small     int               // how many small files there are
}

func newSite(dir string) (site, error) {
	s := site{
		root:    filepath.Join(dir, "site"),
		pages:   map[string][]byte{page1k: page(1024), page10k: page(10 << 10), script100k: script(100 << 10)},
		cert:    filepath.Join(dir, "tls.crt"),
		key:     filepath.Join(dir, "tls.key"),
		openssl: filepath.Join(dir, "openssl.cnf"),
	}
	if err := os.Mkdir(s.root, 0o755); err != nil {
		return s, fmt.Errorf("making the site: %w", err)
	}
	for path, content := range s.pages {
		if err := os.WriteFile(filepath.Join(s.root, path), content, 0o644); err != nil {
			return s, fmt.Errorf("making the site: %w", err)
		}
	}
	if err := os.WriteFile(s.openssl, clientOpenSSL, 0o644); err != nil {
		return s, fmt.Errorf("writing the clients' OpenSSL configuration: %w", err)
	}
	if err := writeKeyPair(s.cert, s.key); err != nil {
		return s, fmt.Errorf("making a certificate: %w", err)
	}
	return s, nil
}

// page makes an HTML page of exactly size bytes.
func page(size int) []byte {
	const head = "<!doctype html>\n<title>page</title>\n"
	return []byte((head + strings.Repeat("All work and no rest makes a server warm.\n", size/40+1))[:size])
}

// script makes a JavaScript file of exactly size bytes that is as hard to compress as those of the web: to about a third.
func script(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 900)
	for i := range words {
		var name strings.Builder
		for range 2 + random.IntN(7) {
			name.WriteByte(byte('a' + random.IntN(26)))
		}
		words[i] = name.String()
	}
	forms := []string{"function %s(%s,%s){return %s.%s(%s)}", "var %s=%s.%s||%s[%s+%s];", "if(%s.%s!==%s){%s(%s);%s=null}", "%s.%s=%s=>%s(%s,%s);"}
	var text strings.Builder
	for text.Len() < size {
		var chosen [6]any
		for i := range chosen {
			chosen[i] = words[int(float64(len(words))*random.Float64()*random.Float64())] // some words are dearer to authors than others
		}
		fmt.Fprintf(&text, forms[random.IntN(len(forms))], chosen[:]...)
	}
	return []byte(text.String()[:size])
}

// largeFile sees that the site has the file of 100 MiB.
func (s *site) largeFile() error {
	if _, done := s.pages[large100m]; done {
		return nil
	}
	content := make([]byte, 100<<20)
	for i := 0; i < len(content); i += 8 {
		binary.LittleEndian.PutUint64(content[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
	if err := os.WriteFile(filepath.Join(s.root, large100m), content, 0o644); err != nil {
		return fmt.Errorf("making the site: %w", err)
	}
	s.pages[large100m] = content
	return nil
}

// writeKeyPair writes a self-signed certificate for localhost that is good for a day.
func writeKeyPair(cert, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	public, err := x509.CreateCertificate(cryptorand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
}
