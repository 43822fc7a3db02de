// Package certificate holds the TLS key pair that new handshakes get: it loads the pair from PEM files, keeps it
// current while the files change, and makes and renews self-signed certificates, that of development among them.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Load reads a chain (the server's own certificate first) from certFile and its private key from keyFile, both PEM; the
// two may be the same file. The key may be PKCS#1 (RFC 8017), PKCS#8 (RFC 5958) or SEC 1 (RFC 5915), unencrypted. The
// result has its Leaf set. An expired certificate is not an error: see [Store.Warnings].
//
// Errors are one line that names the file, the cause and the cure, and never show what is in a key file. A missing file
// is [io/fs.ErrNotExist], an unreadable one [io/fs.ErrPermission].
func Load(certFile, keyFile string) (*tls.Certificate, error) {
	chain, err := readFile("certificate", certFile)
	if err != nil {
		return nil, err
	}
	key := chain
	if keyFile != certFile { // a single file is read once, so that its pair cannot be torn
		if key, err = readFile("key", keyFile); err != nil {
			return nil, &KeyError{err}
		}
	}
	return parse(certFile, chain, keyFile, key)
}

// KeyError is an error about the key and not about the chain.
type KeyError struct{ error }

func (e *KeyError) Unwrap() error { return e.error }

// parse makes a pair of what was read from the two files.
func parse(certFile string, chain []byte, keyFile string, key []byte) (*tls.Certificate, error) {
	leaf, err := parseLeaf(certFile, chain)
	if err != nil {
		return nil, err
	}
	if err := checkKey(keyFile, key); err != nil {
		return nil, &KeyError{err}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, &KeyError{explainPair(err, certFile, keyFile)}
	}
	pair.Leaf = leaf // also under GODEBUG=x509keypairleaf=0
	return &pair, nil
}

// parseLeaf returns the first certificate of a PEM chain: the one that the key has to go with.
func parseLeaf(file string, text []byte) (*x509.Certificate, error) {
	blocks, err := decode("certificate", file, text)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read certificate %q: its first CERTIFICATE block is damaged (%w); install the file again", file, err)
		}
		return leaf, nil
	}
	return nil, fmt.Errorf("read certificate %q: no CERTIFICATE block in it, only %q; name the PEM file with the certificate chain", file, types(blocks))
}

// checkKey finds out whether a PEM file has a private key, in clear. What the key is worth, crypto/tls says.
func checkKey(file string, text []byte) error {
	blocks, err := decode("key", file, text)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // "EC PARAMETERS", which openssl ecparam writes in front
		}
		// PKCS#8 says it in the type (RFC 7468 §11), the older forms in a header (RFC 1421 §4.6.1.1).
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("read key %q: it is encrypted with a passphrase, and nobody is there to type it; decrypt it with: openssl pkey -in OLD -out NEW", file)
		}
		return nil
	}
	return fmt.Errorf("read key %q: no PRIVATE KEY block in it, only %q; name the PEM file with the private key", file, types(blocks))
}

// decode splits a PEM file into its blocks. A block that begins and cannot be decoded is an error, since pem.Decode
// would step over it: a chain still being written would pass for a shorter one.
func decode(kind, file string, text []byte) ([]*pem.Block, error) {
	begun := bytes.Count(append([]byte("\n"), text...), []byte("\n-----BEGIN "))
	var blocks []*pem.Block
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		blocks = append(blocks, block)
	}
	switch {
	case begun > len(blocks):
		return nil, fmt.Errorf("read %s %q: %d of its %d PEM blocks are damaged or cut short; install the file again", kind, file, begun-len(blocks), begun)
	case len(blocks) == 0:
		return nil, fmt.Errorf("read %s %q: it is not a PEM file; convert DER and PKCS#12 files with openssl first", kind, file)
	}
	return blocks, nil
}

func types(blocks []*pem.Block) []string {
	var names []string
	for _, block := range blocks {
		names = append(names, block.Type)
	}
	return names
}

// explainPair adds names and cure to what crypto/tls says of a pair whose certificate was parsed already. It has no
// error values to compare with, so its words decide (a test holds them).
func explainPair(err error, certFile, keyFile string) error {
	if strings.Contains(err.Error(), "does not match") {
		return fmt.Errorf("key %q does not belong to the first certificate in %q; use the key that the certificate was requested with, and put the server's own certificate before its issuers", keyFile, certFile)
	}
	return fmt.Errorf("key %q for certificate %q cannot be used: %w; it has to be an RSA, ECDSA or Ed25519 key in PEM", keyFile, certFile, err)
}
