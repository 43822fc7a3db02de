package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the key pair that new handshakes get. A reload swaps it whole; connections that are open keep theirs.
// All methods may be called from several goroutines. A Store comes from [Open] or [OpenDevelopment].
type Store struct {
	certFile, keyFile string // empty when the pair lives in memory only
	opened            watch  // what the files were when Open read them

	reload  sync.Mutex // one reload at a time, so that an older reading never replaces a newer one
	current atomic.Pointer[tls.Certificate]
}

// Open loads a key pair, by the rules and with the errors of [Load], and remembers its files for [Store.Reload].
func Open(certFile, keyFile string) (*Store, error) {
	opened := opening(certFile, keyFile, time.Now())
	pair, err := Load(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	s := &Store{certFile: certFile, keyFile: keyFile, opened: opened}
	s.current.Store(pair)
	return s, nil
}

// Get returns the pair of the moment. It is meant for [crypto/tls.Config.GetCertificate] and takes no lock.
func (s *Store) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.current.Load(), nil }

// Leaf returns the server's own certificate of the moment, not to be changed.
func (s *Store) Leaf() *x509.Certificate { return s.current.Load().Leaf }

// CertFile returns the path of the chain; empty when the pair lives in memory only.
func (s *Store) CertFile() string { return s.certFile }

// KeyFile returns the path of the key, which may be that of the chain; empty when the pair lives in memory only.
func (s *Store) KeyFile() string { return s.keyFile }

// Reload reads the files again. It tells whether new handshakes get another certificate (or chain) than before. When
// the new pair cannot be used the old one is kept and the error is [Load]'s.
func (s *Store) Reload() (changed bool, err error) {
	if s.certFile == "" {
		return false, nil
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	pair, err := Load(s.certFile, s.keyFile)
	if err != nil {
		return false, err
	}
	// Equal chains have equal keys: Load has compared each with its certificate.
	if slices.EqualFunc(pair.Certificate, s.current.Load().Certificate, bytes.Equal) {
		return false, nil
	}
	s.current.Store(pair)
	return true, nil
}

// Warnings returns one line for each reason why clients will refuse the certificate of the moment at the time now, and one
// where every user of the machine may read the key. It is served all the same: a site whose certificate has expired can be
// mended while it runs, one that is down cannot.
func (s *Store) Warnings(now time.Time) []string {
	lines := warnings(s.certFile, s.Leaf(), now)
	if info, err := os.Stat(s.keyFile); s.keyFile != "" && err == nil && info.Mode().Perm()&0o004 != 0 {
		lines = append(lines, fmt.Sprintf("key %q can be read by every user of this machine; take that away with chmod o=", s.keyFile))
	}
	return lines
}
