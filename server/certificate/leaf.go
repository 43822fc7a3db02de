package certificate

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// warnings returns one line for each reason why clients will refuse a certificate at the time now.
func warnings(file string, leaf *x509.Certificate, now time.Time) []string {
	var lines []string
	warn := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("certificate %q "+format, append([]any{file}, args...)...))
	}
	if now.After(leaf.NotAfter) {
		warn("expired at %s, so clients refuse it; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		warn("is not valid before %s, so clients refuse it; check the clock", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	// RFC 9525 §2: the common name no longer counts.
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		warn("names no host (it has no subjectAltName), so clients refuse it everywhere; have it issued anew")
	}
	return lines
}

// SelfMade tells whether a certificate was issued by itself, so that clients know it by its fingerprint at best. Such a
// site must never send Strict-Transport-Security: a browser then takes away the button that lets the user go on
// (RFC 6797 §12.1). Names decide, not the signature: a doubtful case is better off without the header.
func SelfMade(leaf *x509.Certificate) bool { return bytes.Equal(leaf.RawIssuer, leaf.RawSubject) }

// Fingerprint returns the SHA-256 of a certificate as openssl x509 -fingerprint -sha256 and Firefox write it: 32 pairs
// of upper-case hexadecimal digits, separated by colons.
func Fingerprint(leaf *x509.Certificate) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(leaf.Raw)), " ", ":")
}
