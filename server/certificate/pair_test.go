package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is a self-signed certificate with its key, as PEM.
type pair struct{ cert, key string }

// newPair makes a pair for name with a new P-256 key.
func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert: certPEM(t, template(name), key), key: block("PRIVATE KEY", der)}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		DNSNames:  []string{name},
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(time.Hour),
	}
}

func certPEM(t *testing.T, template *x509.Certificate, key crypto.Signer) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// write puts text into a file, in place where it exists.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files writes a pair into a new folder and returns the two paths.
func (p pair) files(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	// Not t.TempDir: it has the test's name in it, so that errors would seem to say what they only quote.
	dir, err := os.MkdirTemp("", "tls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for unprivileged
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, certFile, p.cert)
	write(t, keyFile, p.key)
	return certFile, keyFile
}

// open returns a Store on a pair written into a new folder.
func (p pair) open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(p.files(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkError holds what every error of this package has to be: one line, with all of wants in it, and nothing of a key.
func checkError(t *testing.T, err error, key string, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", wants)
	}
	text := err.Error()
	if strings.Contains(text, "\n") {
		t.Errorf("error of several lines: %q", text)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("error %q lacks %q", text, want)
		}
	}
	for line := range strings.Lines(key) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
			t.Errorf("error shows key material: %q", text)
		}
	}
}
