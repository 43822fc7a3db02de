package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLoadKeyForms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key crypto.Signer) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PRIVATE KEY", der)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key  crypto.Signer
		text string
	}{
		"rsa pkcs1":                {rsaKey, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		"rsa pkcs8":                {rsaKey, pkcs8(rsaKey)},
		"ec sec1":                  {ecKey, block("EC PRIVATE KEY", sec1)},
		"ec sec1 after parameters": {ecKey, block("EC PARAMETERS", []byte{6, 1, 0}) + block("EC PRIVATE KEY", sec1)},
		"ec pkcs8":                 {ecKey, pkcs8(ecKey)},
		"ed25519 pkcs8":            {edKey, pkcs8(edKey)},
	} {
		t.Run(name, func(t *testing.T) {
			chain := "subject=forms.example\r\n" + certPEM(t, template("forms.example"), test.key) + newPair(t, "issuer").cert
			certFile, keyFile := pair{chain, test.text}.files(t)
			got, err := Load(certFile, keyFile)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Certificate) != 2 || got.Leaf == nil || got.Leaf.Subject.CommonName != "forms.example" {
				t.Errorf("chain of %d, leaf %v", len(got.Certificate), got.Leaf)
			}
			both := filepath.Join(t.TempDir(), "both.pem")
			write(t, both, test.text+chain)
			if _, err := Load(both, both); err != nil {
				t.Errorf("in one file: %v", err)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	good, other := newPair(t, "good.example"), newPair(t, "other.example")
	edKey := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	edDER, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	legacy := "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
	cut := func(text string) string { return text[:len(text)-60] }
	for name, test := range map[string]struct {
		cert, key string
		wants     []string
	}{
		"certificate empty":            {"", good.key, []string{"certificate", "tls.crt", "empty"}},
		"key empty":                    {good.cert, "", []string{"key", "tls.key", "empty"}},
		"certificate not PEM":          {"0\x82\x01", good.key, []string{"tls.crt", "not a PEM file", "convert"}},
		"key not PEM":                  {good.cert, "0\x82\x01", []string{"tls.key", "not a PEM file", "convert"}},
		"no CERTIFICATE block":         {good.key, good.key, []string{"tls.crt", "no CERTIFICATE block", `"PRIVATE KEY"`}},
		"no key block":                 {good.cert, good.cert, []string{"tls.key", "no PRIVATE KEY block", `"CERTIFICATE"`}},
		"certificate cut short":        {cut(good.cert), good.key, []string{"tls.crt", "cut short"}},
		"issuer cut short":             {good.cert + cut(other.cert), good.key, []string{"tls.crt", "1 of its 2", "cut short"}},
		"leaf cut short":               {cut(good.cert) + "\n" + other.cert, other.key, []string{"tls.crt", "cut short"}},
		"key cut short":                {good.cert, cut(good.key), []string{"tls.key", "cut short"}},
		"certificate damaged":          {block("CERTIFICATE", []byte("nonsense")), good.key, []string{"tls.crt", "damaged"}},
		"key damaged":                  {good.cert, block("PRIVATE KEY", []byte("nonsense")), []string{"tls.key", "tls.crt", "RSA, ECDSA or Ed25519"}},
		"key encrypted":                {good.cert, block("ENCRYPTED PRIVATE KEY", []byte("secret")), []string{"tls.key", "encrypted", "openssl pkey"}},
		"key encrypted, older form":    {good.cert, legacy, []string{"tls.key", "encrypted", "openssl pkey"}},
		"key of another certificate":   {good.cert, other.key, []string{"tls.key", "tls.crt", "does not belong"}},
		"key of another kind":          {good.cert, block("PRIVATE KEY", edDER), []string{"tls.key", "tls.crt", "does not belong"}},
		"chain in the wrong order":     {other.cert + good.cert, good.key, []string{"tls.key", "tls.crt", "before its issuers"}},
		"certificate larger than 1MiB": {good.cert + strings.Repeat("\n", 1<<20), good.key, []string{"tls.crt", "larger than 1 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			certFile, keyFile := pair{test.cert, test.key}.files(t)
			_, err := Load(certFile, keyFile)
			checkError(t, err, test.key, test.wants...)
		})
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	for name, test := range map[string]struct {
		make  func(file string) error
		wants []string
		is    error
	}{
		"missing":   {func(string) error { return nil }, []string{"no such file", "check the path"}, fs.ErrNotExist},
		"dangling":  {func(file string) error { return os.Symlink("nowhere", file) }, []string{"no such file"}, fs.ErrNotExist},
		"directory": {func(file string) error { return os.Mkdir(file, 0o700) }, []string{"directory"}, nil},
		"fifo":      {func(file string) error { return unix.Mkfifo(file, 0o600) }, []string{"pipe"}, nil},
		"device":    {func(file string) error { return os.Symlink("/dev/null", file) }, []string{"device"}, nil},
		"below a file": {func(file string) error {
			return os.Symlink("tls.crt/none", file)
		}, []string{"not a directory", "check the path"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			good := newPair(t, "good.example")
			certFile, keyFile := good.files(t)
			if err := os.Remove(keyFile); err != nil {
				t.Fatal(err)
			}
			if err := test.make(keyFile); err != nil {
				t.Fatal(err)
			}
			_, err := Load(certFile, keyFile)
			checkError(t, err, good.key, append(test.wants, "key", keyFile)...)
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			_, err = Load(keyFile, keyFile)
			checkError(t, err, good.key, append(test.wants, "certificate", keyFile)...)
		})
	}
	_, err := Load("", "")
	checkError(t, err, "", "no file was named")
}

func TestLoadUnreadable(t *testing.T) {
	good := newPair(t, "good.example")
	certFile, keyFile := good.files(t)
	for file, mode := range map[string]os.FileMode{certFile: 0o644, keyFile: 0} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	unprivileged(t, func() {
		_, err := Load(certFile, keyFile)
		checkError(t, err, good.key, keyFile, "permission denied", "uid", "LoadCredential")
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v is not fs.ErrPermission", err)
		}
	})
}

func TestLoadExpired(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	old := template("old.example")
	old.DNSNames = nil
	s := pair{certPEM(t, old, key), block("PRIVATE KEY", der)}.open(t)
	for name, test := range map[string]struct {
		at   time.Time
		want string
	}{
		"now":    {time.Now(), ""},
		"later":  {old.NotAfter.Add(time.Minute), "expired at"},
		"before": {old.NotBefore.Add(-time.Minute), "not valid before"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(s.Warnings(test.at), "\n")
			if !strings.Contains(got, test.want) || !strings.Contains(got, "names no host") || !strings.Contains(got, s.CertFile()) {
				t.Errorf("warnings %q, want %q in them", got, test.want)
			}
		})
	}
	if got := newPair(t, "good.example").open(t).Warnings(time.Now()); got != nil {
		t.Errorf("warnings on a good certificate: %q", got)
	}
}
