package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	selfSignedBy = "Rouse self-signed certificate"

	// Chrome refuses more than 398 days from public issuers, Apple more than 825 from anybody (support.apple.com/103769).
	selfSignedLife = 397 * 24 * time.Hour
)

// MakeSelfSigned makes a key and a self-signed certificate for hosts: DNS names, with a wildcard in front or not, and IP
// addresses. It is good from an hour before now, for 397 days. chain and key are PEM, the key PKCS#8 (RFC 5958) and new: an
// ECDSA key on P-256. [RenewSelfSigned] renews what lies in files.
func MakeSelfSigned(hosts []string, now time.Time) (chain, key []byte, leaf *x509.Certificate, err error) {
	names, err := parseHosts(hosts)
	if err != nil {
		return nil, nil, nil, err
	}
	signer, key, err := newKey()
	if err != nil {
		return nil, nil, nil, err
	}
	chain, leaf, err = names.sign(selfSignedBy, signer, now)
	return chain, key, leaf, err
}

// SelfSigned tells whether [MakeSelfSigned] or [RenewSelfSigned] made a certificate, so that it may be renewed. The
// development certificate is none of those.
func SelfSigned(leaf *x509.Certificate) bool {
	return slices.Equal(leaf.Subject.Organization, []string{selfSignedBy}) && SelfMade(leaf) &&
		leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
}

// LocalHosts lists the names and addresses that a machine has for itself. machine is its name, which is left out where no
// certificate can hold it.
func LocalHosts(machine string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name := strings.TrimSuffix(strings.ToLower(machine), "."); isName(name) && name != "localhost" {
		hosts = slices.Insert(hosts, 0, name)
	}
	return hosts
}

// subject is whom a certificate is for.
type subject struct {
	names     []string
	addresses []net.IP
}

// parseHosts parts names from addresses. What stands there twice is taken once.
func parseHosts(hosts []string) (subject, error) {
	var s subject
	for _, host := range hosts {
		name := strings.TrimSuffix(strings.ToLower(host), ".")
		address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
		ip := net.IP(address.Unmap().AsSlice())
		switch {
		case err == nil && address.Zone() != "":
			return s, fmt.Errorf("make a certificate for %q: clients look for the address without its zone; leave out %%%s", host, address.Zone())
		case err == nil && !slices.ContainsFunc(s.addresses, ip.Equal):
			s.addresses = append(s.addresses, ip)
		case err != nil && !isName(name):
			return s, fmt.Errorf("make a certificate for %q: that is neither a DNS name nor an IP address; write one such as www.example.com, *.example.com, 192.0.2.1 or ::1", host)
		case err != nil && !slices.Contains(s.names, name):
			s.names = append(s.names, name)
		}
	}
	if len(s.names)+len(s.addresses) == 0 {
		return s, errors.New("make a certificate: no host was named; give the names and addresses that clients ask for")
	}
	return s, nil
}

// isName tells whether clients can find a host in a certificate under that name: labels of letters, digits, hyphens and
// (as Windows and Docker name machines) underscores, a wildcard only as the first one (RFC 9525 §6.3). The last label is no
// number: that would be an address that was cut short.
func isName(host string) bool {
	labels := strings.Split(strings.TrimPrefix(host, "*."), ".")
	if _, err := strconv.Atoi(labels[len(labels)-1]); err == nil || len(host) > 253 {
		return false
	}
	return !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || strings.ContainsFunc(label, foreign) || label[0] == '-' || label[len(label)-1] == '-'
	})
}

// foreign tells of characters that names in a certificate do not have; other scripts stand there in their xn-- form.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// newKey makes a key, which is returned in PEM as well.
func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// sign makes a certificate that key signs for itself, in PEM and parsed.
func (s subject) sign(organization string, key crypto.Signer, now time.Time) ([]byte, *x509.Certificate, error) {
	start := now.Add(-time.Hour) // for a clock that is set back a little
	template := &x509.Certificate{
		// No serial number here: CreateCertificate draws one, and Firefox refuses a second certificate with the same
		// (SEC_ERROR_REUSED_ISSUER_AND_SERIAL).
		Subject:     pkix.Name{Organization: []string{organization}, CommonName: s.commonName()},
		NotBefore:   start,
		NotAfter:    start.Add(selfSignedLife),
		DNSNames:    s.names,
		IPAddresses: s.addresses,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, // asked for by Apple (support.apple.com/103769)
		// Not a CA: whoever trusts it trusts these names only, and Firefox takes no CA for a server
		// (MOZILLA_PKIX_ERROR_CA_CERT_USED_AS_END_ENTITY).
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), leaf, err
}

// commonName is what people see in lists of certificates: the first name or else address, as far as X.509 has room for it
// (64 characters, RFC 5280 appendix A.1).
func (s subject) commonName() string {
	switch {
	case len(s.names) == 0:
		return s.addresses[0].String()
	case len(s.names[0]) > 64:
		return ""
	}
	return s.names[0]
}
