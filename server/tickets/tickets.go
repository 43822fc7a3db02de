// Package tickets keeps the keys of TLS session tickets as crypto/tls does by itself, a new one each day and old ones for a week,
// in a form that can be handed to the next process: clients then resume with the tickets of the process before.
package tickets

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"
)

const (
	// Daily is how long a key encrypts new tickets.
	Daily = 24 * time.Hour
	// lifetime is how long a key decrypts them; RFC 8446 §4.6.1 allows no ticket more.
	lifetime = 7 * 24 * time.Hour
	// most is how many keys there can be.
	most = int(lifetime/Daily) + 1

	secretSize = 32
	recordSize = 8 + secretSize
	head       = "rouse ticket keys 1\n"

	// Size is the longest that Bytes can be.
	Size = len(head) + most*recordSize
)

// Keys are the keys in use, the newest first. They are secret: never print them.
type Keys struct {
	keys []key
}

type key struct {
	made   int64 // Unix seconds
	secret [secretSize]byte
}

// String keeps the keys out of every log.
func (Keys) String() string { return "ticket keys" }

// GoString is for %#v.
func (Keys) GoString() string { return "ticket keys" }

// Parse reads what Bytes wrote.
func Parse(text []byte) (Keys, error) {
	records, ok := bytes.CutPrefix(text, []byte(head))
	if !ok || len(records) == 0 || len(records)%recordSize != 0 || len(text) > Size {
		return Keys{}, errors.New("no ticket keys of this version")
	}
	var k Keys
	for ; len(records) > 0; records = records[recordSize:] {
		one := key{made: int64(binary.BigEndian.Uint64(records))}
		copy(one.secret[:], records[8:])
		k.keys = append(k.keys, one)
	}
	return k, nil
}

// Bytes is what another process is given.
func (k Keys) Bytes() []byte {
	text := []byte(head)
	for _, one := range k.keys {
		text = binary.BigEndian.AppendUint64(text, uint64(one.made))
		text = append(text, one.secret[:]...)
	}
	return text
}

// Secrets is what tls.Config.SetSessionTicketKeys takes.
func (k Keys) Secrets() [][32]byte {
	all := make([][32]byte, len(k.keys))
	for i, one := range k.keys {
		all[i] = one.secret
	}
	return all
}

// Due is when a new key is needed: at once without any, or where the clock went back behind the newest.
func (k Keys) Due(now time.Time) time.Time {
	if len(k.keys) == 0 || k.keys[0].made > now.Unix() {
		return now
	}
	return time.Unix(k.keys[0].made, 0).Add(Daily)
}

// Newest is when the newest key was made, in Unix seconds; 0 without any.
func (k Keys) Newest() int64 {
	if len(k.keys) == 0 {
		return 0
	}
	return k.keys[0].made
}

// Renewed is the keys with a new one in front, and without those that are too old.
func (k Keys) Renewed(now time.Time) Keys {
	fresh := key{made: now.Unix()}
	rand.Read(fresh.secret[:])
	renewed := Keys{[]key{fresh}}
	for _, one := range k.keys {
		if now.Sub(time.Unix(one.made, 0)) < lifetime && len(renewed.keys) < most {
			renewed.keys = append(renewed.keys, one)
		}
	}
	return renewed
}
