package certificate

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	developmentFile = "development.pem"
	renewBefore     = 30 * 24 * time.Hour
)

// Development is the certificate of bare mode: self-signed, for localhost, *.localhost, 127.0.0.1 and [::1].
type Development struct {
	Store   *Store
	Path    string // the PEM file with certificate and key; empty when it could not be kept
	Created bool   // made just now, so that no browser knows it yet
	NotKept error  // why it lives in memory only and the next start makes another; nil when it is kept
}

// OpenDevelopment returns the development certificate kept in the folder dir (see [StateDir]). It is made when there is
// none, and made anew when it is damaged, readable by others, or has less than 30 days to live at the time now. Folders
// that are missing are created with mode 0700; the file has 0600. Where nothing can be kept, or dir is empty, the
// certificate is made in memory and NotKept says why. The error is for a certificate that cannot be made at all.
func OpenDevelopment(dir string, now time.Time) (Development, error) {
	path := filepath.Join(dir, developmentFile)
	if dir != "" {
		if s := usable(path, now); s != nil {
			return Development{Store: s, Path: path}, nil
		}
	}
	text, err := makeDevelopment(now)
	if err != nil {
		return Development{}, fmt.Errorf("make the development certificate: %w; give --tls-cert and --tls-key instead", err)
	}
	s, created, err := keep(dir, text, now)
	if err == nil {
		return Development{Store: s, Path: path, Created: created}, nil
	}
	notKept := fmt.Errorf("keep the development certificate: %w; set XDG_STATE_HOME to a folder that uid %d can write to", err, os.Geteuid())
	pair, err := parse(developmentFile, text, developmentFile, text)
	if err != nil {
		return Development{}, err
	}
	s = &Store{}
	s.current.Store(pair)
	return Development{Store: s, Created: true, NotKept: notKept}, nil
}

// usable returns the development certificate in path, or nil when a new one has to be made.
func usable(path string, now time.Time) *Store {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 { // others may have copied the key
		return nil
	}
	s, err := Open(path, path)
	if err != nil {
		return nil
	}
	leaf := s.Leaf()
	if now.Before(leaf.NotBefore) || now.Add(renewBefore).After(leaf.NotAfter) {
		return nil
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if leaf.VerifyHostname(host) != nil {
			return nil
		}
	}
	return s
}

// keep writes a new development certificate into dir, unless another process has done so since the caller looked.
func keep(dir string, text []byte, now time.Time) (s *Store, created bool, err error) {
	if dir == "" {
		return nil, false, errors.New("there is no folder for it")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	// Without a turn each process serves a pair of its own that is whole, and Watch brings them together.
	if unlock, err := lock(dir, time.Second); err == nil {
		defer unlock()
	}
	path := filepath.Join(dir, developmentFile)
	if s := usable(path, now); s != nil {
		return s, false, nil
	}
	if err := replaceFile(path, text); err != nil {
		return nil, false, err
	}
	s, err = Open(path, path)
	return s, true, err
}

// lock makes processes that start at once take turns; it returns what ends the turn. After limit it gives up. Where the file
// system knows no locks, the turn begins at once.
func lock(dir string, limit time.Duration) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for range limit / (10 * time.Millisecond) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != unix.EWOULDBLOCK {
			return func() { f.Close() }, nil // which gives the lock back
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.Close()
	return nil, fmt.Errorf("another process has had the folder locked for %v; try again later", limit)
}

// replaceFile puts text into the file path with mode 0600, so that a reader, and the file system after a power cut, has
// either the old file or the new one whole.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*.pem") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = cmp.Or(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // what went wrong before is what matters
	}
	return err
}

// makeDevelopment returns a new development certificate and its key, one PEM text: a pair in one file cannot be torn.
func makeDevelopment(now time.Time) ([]byte, error) {
	signer, key, err := newKey()
	if err != nil {
		return nil, err
	}
	// The wildcard comes last, as Firefox was seen to stop at it (github.com/davewasmer/devcert/pull/42). Go takes it;
	// OpenSSL, curl, Node and browsers take none right below a top-level name and ask again.
	local := subject{[]string{"localhost", "*.localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	chain, _, err := local.sign("Rouse development certificate", signer, now)
	return append(chain, key...), err
}
