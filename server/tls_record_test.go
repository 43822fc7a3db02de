package server

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// recordWriter writes records of TLS 1.3 in the client's stead (RFC 8446 §5.2), which in Go changes no keys.
type recordWriter struct {
	secret   []byte
	keyed    func(key []byte) (cipher.AEAD, error)
	size     int
	sequence uint64
}

// writer takes the client's secret, who has said nothing yet.
func (c *cutTLS) writer(t testing.TB) *recordWriter {
	t.Helper()
	w := &recordWriter{}
	switch suite := c.client.ConnectionState().CipherSuite; suite {
	case tls.TLS_AES_128_GCM_SHA256:
		w.size, w.keyed = 16, func(key []byte) (cipher.AEAD, error) {
			block, err := aes.NewCipher(key)
			if err != nil {
				return nil, err
			}
			return cipher.NewGCM(block)
		}
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		w.size, w.keyed = 32, chacha20poly1305.New
	default:
		t.Fatalf("crypto/tls has chosen %s, which the test does not know", tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(c.secrets.String()) {
		if word := strings.Fields(line); word[0] == "CLIENT_TRAFFIC_SECRET_0" {
			w.secret, _ = hex.DecodeString(word[2])
		}
	}
	return w
}

// expand is HKDF-Expand-Label without context (RFC 8446 §7.1).
func (w *recordWriter) expand(label string, size int) []byte {
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(size)), byte(len(label)))
	key, err := hkdf.Expand(sha256.New, w.secret, string(append(append(info, label...), 0)), size)
	if err != nil {
		panic(err)
	}
	return key
}

// seal makes a record of the kind.
func (w *recordWriter) seal(kind byte, text []byte) []byte {
	aead, err := w.keyed(w.expand("key", w.size))
	if err != nil {
		panic(err)
	}
	nonce := w.expand("iv", aead.NonceSize())
	last := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^w.sequence)
	w.sequence++
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(text)+1+aead.Overhead()))
	return aead.Seal(head, nonce, append(bytes.Clone(text), kind), head)
}

// next begins with the next keys.
func (w *recordWriter) next() {
	w.secret, w.sequence = w.expand("traffic upd", sha256.Size), 0
}
