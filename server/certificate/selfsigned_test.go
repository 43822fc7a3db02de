package certificate

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMakeSelfSigned(t *testing.T) {
	now := time.Now()
	chain, key, leaf, err := MakeSelfSigned([]string{"Www.Example.com.", "*.example.com", "my_box-1", "192.0.2.1", "[::1]", "::ffff:192.0.2.1", "www.example.com"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(leaf.DNSNames, []string{"www.example.com", "*.example.com", "my_box-1"}) || len(leaf.IPAddresses) != 2 || leaf.Subject.CommonName != "www.example.com" {
		t.Errorf("names %q, addresses %v, common name %q", leaf.DNSNames, leaf.IPAddresses, leaf.Subject.CommonName)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 398*24*time.Hour || now.Before(leaf.NotBefore) {
		t.Errorf("good from %v for %v", leaf.NotBefore, life)
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || public.Params().BitSize != 256 || leaf.IsCA {
		t.Errorf("key %T, CA %t", leaf.PublicKey, leaf.IsCA)
	}
	store := pair{string(chain), string(key)}.open(t)
	if !store.Leaf().Equal(leaf) || !SelfSigned(leaf) || store.Warnings(now) != nil {
		t.Errorf("self-signed %t, warnings %q", SelfSigned(leaf), store.Warnings(now))
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(leaf)
	for _, name := range []string{"www.example.com", "a.example.com", "192.0.2.1", "::1"} {
		conn, err := tls.Dial("tcp", echo(t, store), &tls.Config{RootCAs: trusted, ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
}

func TestMakeSelfSignedForAddressesOrLongNamesOnly(t *testing.T) {
	long := strings.Repeat("a", 63) + ".example.com"
	for host, want := range map[string]string{"2001:db8::1": "2001:db8::1", long: ""} {
		_, _, leaf, err := MakeSelfSigned([]string{host}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Subject.CommonName != want || leaf.VerifyHostname(host) != nil {
			t.Errorf("%s: common name %q, %v", host, leaf.Subject.CommonName, leaf.VerifyHostname(host))
		}
	}
}

func TestMakeSelfSignedRefuses(t *testing.T) {
	for host, want := range map[string]string{
		"":                              "neither a DNS name nor an IP address",
		"exa mple.com":                  "neither",
		"a..example.com":                "neither",
		"-a.example.com":                "neither",
		"a.*.example.com":               "neither",
		"*":                             "neither",
		"https://example.com":           "neither",
		"example.com:443":               "neither",
		"bücher.example":                "neither",
		"192.0.2":                       "neither",
		"192.0.2.256":                   "neither",
		"a\nb":                          `"a\nb"`,
		strings.Repeat("a", 64):         "neither",
		strings.Repeat("a.", 127) + "a": "neither",
		"fe80::1%eth0":                  "leave out %eth0",
	} {
		_, _, _, err := MakeSelfSigned([]string{"localhost", host}, time.Now())
		checkError(t, err, "", "make a certificate for", want)
	}
	_, _, _, err := MakeSelfSigned(nil, time.Now())
	checkError(t, err, "", "no host was named")
}

// Only what Rouse made and signed counts as its own.
func TestSelfSigned(t *testing.T) {
	_, _, ours, err := MakeSelfSigned([]string{"x.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged := *ours
	forged.Signature = append([]byte{0}, ours.Signature...)
	foreign := newPair(t, "x.example").open(t).Leaf()
	development := develop(t, t.TempDir(), time.Now()).Store.Leaf()
	if !SelfSigned(ours) || SelfSigned(&forged) || SelfSigned(foreign) || SelfSigned(development) {
		t.Errorf("ours %t, forged %t, foreign %t, development %t", SelfSigned(ours), SelfSigned(&forged), SelfSigned(foreign), SelfSigned(development))
	}
}

func TestLocalHosts(t *testing.T) {
	local := []string{"localhost", "127.0.0.1", "::1"}
	for machine, want := range map[string][]string{
		"Box.example.com": append([]string{"box.example.com"}, local...),
		"localhost":       local,
		"":                local,
		"büro":            local,
		"12345":           local,
	} {
		if got := LocalHosts(machine); !slices.Equal(got, want) {
			t.Errorf("%q: %q", machine, got)
		}
		if _, _, _, err := MakeSelfSigned(LocalHosts(machine), time.Now()); err != nil {
			t.Error(err)
		}
	}
}
