package install

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// selfSigned is the organization in the certificates that Rouse makes, by which it knows them again when they were renewed.
const selfSigned = "Rouse self-signed certificate"

// leafOf reads the first certificate of a chain; nil: there is none.
func leafOf(chain []byte) *x509.Certificate {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}

// madeByRouse tells whether a pair is one that Rouse made or renewed, not one that somebody put in its place.
func madeByRouse(chain, key []byte) bool {
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return false
	}
	leaf := leafOf(chain)
	return bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && slices.Equal(leaf.Subject.Organization, []string{selfSigned}) &&
		leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
}

// servesFor tells whether a chain is for the same names and addresses as another one, and has not expired.
func servesFor(chain, other []byte, now time.Time) bool {
	one, two := leafOf(chain), leafOf(other)
	if one == nil || two == nil || !now.Before(one.NotAfter) {
		return false
	}
	return slices.Equal(names(one), names(two))
}

// names are what a certificate is for, in order.
func names(leaf *x509.Certificate) []string {
	all := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	slices.Sort(all)
	return all
}
