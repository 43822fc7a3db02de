package serve

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// must is for what only fails when the machine has no randomness.
func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Without this a key that works in nginx or Apache would have to be converted first.
func TestKeyForms(t *testing.T) {
	t.Parallel()
	rsaKey := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte { return must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key)) }
	sec1 := must[[]byte](t)(x509.MarshalECPrivateKey(ecKey))
	// What openssl ecparam -genkey writes in front: the object identifier of prime256v1.
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")})

	for _, c := range []struct {
		name, kind string
		key        crypto.Signer
		der        []byte
	}{
		{"PKCS#1", "RSA PRIVATE KEY", rsaKey, x509.MarshalPKCS1PrivateKey(rsaKey)},
		{"PKCS#8 RSA", "PRIVATE KEY", rsaKey, pkcs8(rsaKey)},
		{"PKCS#8 ECDSA", "PRIVATE KEY", ecKey, pkcs8(ecKey)},
		{"PKCS#8 Ed25519", "PRIVATE KEY", edKey, pkcs8(edKey)},
		{"SEC 1", "EC PRIVATE KEY", ecKey, sec1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newActivator(t)
			template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
			der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key))
			text := pem.EncodeToMemory(&pem.Block{Type: c.kind, Bytes: c.der})
			if c.name == "SEC 1" {
				text = append(parameters, text...)
			}
			dir := t.TempDir()
			a.cert, a.key = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "private.pem")
			replace(t, a.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
			replace(t, a.key, text)
			a.pool = x509.NewCertPool()
			a.pool.AddCert(must[*x509.Certificate](t)(x509.ParseCertificate(der)))
			a.start()
			reply, body := fetch(t, program.Client(t, a.pool).HTTP2, "https://"+strings.Replace(a.https, "127.0.0.1", "localhost", 1))
			if reply.StatusCode != http.StatusOK || body != content {
				t.Errorf("%s %q", reply.Status, body)
			}
		})
	}
}

// replace puts a file into place by rename, so that nobody reads half of it.
func replace(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
