package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

func TestSelfMade(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, issuer := template("leaf.example"), template("issuer.example")
	issuer.Subject = pkix.Name{CommonName: "issuer"}
	for name, test := range map[string]struct {
		issuer *x509.Certificate
		want   bool
	}{"own": {leaf, true}, "issued": {issuer, false}} {
		der, err := x509.CreateCertificate(rand.Reader, leaf, test.issuer, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got := SelfMade(parsed); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestFingerprint(t *testing.T) {
	// SHA-256 of "abc" (FIPS 180-4, appendix B.1 of its first edition).
	got := Fingerprint(&x509.Certificate{Raw: []byte("abc")})
	want := "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
	if got != want {
		t.Errorf("got %s", got)
	}
}
