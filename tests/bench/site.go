package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// page1k is the page of 1 KiB that the workloads ask for.
const page1k = "/1k.html"

//go:embed openssl.cnf
var clientOpenSSL []byte

// site is what all servers serve: the same files and the same key pair, at paths below the temporary folder.
type site struct {
	root      string
	pages     map[string][]byte // request path to content
	cert, key string            // PEM, ECDSA P-256
	openssl   string            // configuration of the clients' OpenSSL
}

func newSite(dir string) (site, error) {
	s := site{
		root:    filepath.Join(dir, "site"),
		pages:   map[string][]byte{page1k: page(1024)},
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

// writeKeyPair writes a self-signed certificate for localhost that is good for a day.
func writeKeyPair(cert, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
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
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
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
