package certificate

import (
	"crypto/tls"

	"github.com/rouse-server/rouse/server/hostname"
)

// ByName chooses among certificates by the host that a client names in its handshake (SNI, RFC 6066 §3).
type ByName struct {
	General *Store                 // for clients that name no host, or none of Named
	Named   hostname.Table[*Store] // by host
}

// Get is meant for [crypto/tls.Config.GetCertificate].
func (b *ByName) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if store, ok := b.Named.Find(hello.ServerName); ok {
		return store.Get(hello)
	}
	return b.General.Get(hello)
}
