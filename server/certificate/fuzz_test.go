package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

// FuzzParse reads files that people and programs put together: what is taken can be served, what is refused is told of in a line
// that names the file, and that never has a line of the key in it.
func FuzzParse(f *testing.F) {
	chain, key := fuzzPair(f)
	f.Add(chain, key)
	f.Add(key, chain)
	f.Add(chain[:len(chain)/2], key)
	f.Add("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", key)
	f.Add(chain, "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END EC PRIVATE KEY-----\n")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, chain, key string) {
		pair, err := parse("c.pem", []byte(chain), "k.pem", []byte(key))
		if err == nil {
			if pair.Leaf == nil || pair.PrivateKey == nil || len(pair.Certificate) == 0 {
				t.Errorf("%+v", pair.Leaf)
			}
			return
		}
		said := err.Error()
		if !strings.Contains(said, "c.pem") && !strings.Contains(said, "k.pem") {
			t.Errorf("%q names no file", said)
		}
		for line := range strings.Lines(key) {
			if line = strings.TrimSpace(line); len(line) >= 32 && !strings.HasPrefix(line, "-----") && strings.Contains(said, line) {
				t.Errorf("%q shows %q", said, line)
			}
		}
	})
}

// fuzzPair is a certificate and its key in PEM.
func fuzzPair(f *testing.F) (chain, key string) {
	f.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		f.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		f.Fatal(err)
	}
	inPEM := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return inPEM("CERTIFICATE", der), inPEM("PRIVATE KEY", secret)
}
