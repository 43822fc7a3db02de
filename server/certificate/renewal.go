package certificate

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// turnLimit is how long a renewal waits for another one in the same folder.
const turnLimit = 10 * time.Second

// RenewSelfSigned sees to it that the pair tls.crt and tls.key in the folder dir, made by Rouse, is good for a time of within
// from now on. It tells whether tls.crt is new, and returns the certificate that lies there afterwards.
//
// A certificate that ends earlier is made anew for the hosts that it names, whatever hosts says, with the key that it has:
// only tls.crt is replaced, in one step, so that no reader finds a pair that does not fit. It keeps its owner and mode. The
// same goes for one whose time has not come, because the clock was wrong when it was made.
//
// Where both files are missing and hosts are given, the pair is made as by [MakeSelfSigned], with mode 0600. Both are written
// under other names and renamed, the key first, so that no reader finds a certificate whose key is not there. A making that was
// interrupted in between is completed by the certificate that lies ready as tls.crt.new. Any other key alone is somebody's who
// waits for a certificate: it gets none here, which is an error.
//
// A pair that others made is never touched: renewed is false, and [SelfSigned] is false for leaf. One that cannot be read
// or does not fit is an error, as in [Load]. Where there is no pair and no hosts, the error is [io/fs.ErrNotExist].
func RenewSelfSigned(dir string, hosts []string, within time.Duration, now time.Time) (renewed bool, leaf *x509.Certificate, err error) {
	if within < 0 || within >= selfSignedLife {
		return false, nil, fmt.Errorf("renew a certificate within %v of its end: it lives for %v; say a shorter time, such as 720h", within, selfSignedLife)
	}
	unlock, err := lock(dir, turnLimit)
	if err != nil {
		return false, nil, fmt.Errorf("renew the certificate in %q: %w", dir, err)
	}
	defer unlock()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	switch {
	case exists(certFile):
		return renew(certFile, keyFile, within, now)
	case len(hosts) == 0:
		return false, nil, fmt.Errorf("renew the certificate %q: %w; give the hosts that a new one is for", certFile, fs.ErrNotExist)
	}
	if exists(keyFile) {
		return complete(certFile, keyFile, within, now)
	}
	return create(certFile, keyFile, hosts, now)
}

// exists is also true for what cannot be looked at, and for a link to nothing: reading it tells the rest.
func exists(file string) bool {
	_, err := os.Lstat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// renew replaces a certificate of ours that ends soon.
func renew(certFile, keyFile string, within time.Duration, now time.Time) (bool, *x509.Certificate, error) {
	pair, err := Load(certFile, keyFile)
	if err != nil {
		return false, nil, err
	}
	leaf := pair.Leaf
	good := !now.Before(leaf.NotBefore) && !now.Add(within).After(leaf.NotAfter)
	if good || len(pair.Certificate) > 1 || !SelfSigned(leaf) {
		return false, leaf, nil
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return false, nil, fmt.Errorf("renew the certificate %q: its key %q cannot sign", certFile, keyFile)
	}
	return certify(certFile, subject{leaf.DNSNames, leaf.IPAddresses}, key, now)
}

// create makes the pair. When it is cut short, either no key is there, or the certificate that belongs to it lies ready.
func create(certFile, keyFile string, hosts []string, now time.Time) (bool, *x509.Certificate, error) {
	chain, key, leaf, err := MakeSelfSigned(hosts, now)
	if err != nil {
		return false, nil, err
	}
	if err := explain("certificate", certFile, writeBeside(certFile, chain)); err != nil {
		return false, nil, err
	}
	if err := put("key", keyFile, key); err != nil {
		os.Remove(beside(certFile)) // what went wrong before is what matters
		return false, nil, err
	}
	if err := explain("certificate", certFile, os.Rename(beside(certFile), certFile)); err != nil {
		return false, nil, err
	}
	return true, leaf, nil
}

// complete puts the certificate to a key that create could not put there any more, and renews it where that has become due.
func complete(certFile, keyFile string, within time.Duration, now time.Time) (bool, *x509.Certificate, error) {
	text, err := readFile("key", keyFile)
	if err != nil {
		return false, nil, err
	}
	if err := checkKey(keyFile, text); err != nil {
		return false, nil, err
	}
	ready, err := Load(beside(certFile), keyFile)
	if err != nil || len(ready.Certificate) > 1 || !SelfSigned(ready.Leaf) {
		return false, nil, fmt.Errorf("key %q has no certificate beside it, and Rouse did not make it: put the certificate there, or remove the key to have a new pair made", keyFile)
	}
	if err := explain("certificate", certFile, os.Rename(beside(certFile), certFile)); err != nil {
		return false, nil, err
	}
	_, leaf, err := renew(certFile, keyFile, within, now)
	return err == nil, leaf, err
}

// certify makes the certificate for names that belongs to key, and puts it into its file.
func certify(file string, names subject, key crypto.Signer, now time.Time) (bool, *x509.Certificate, error) {
	chain, leaf, err := names.sign(selfSignedBy, key, now)
	if err != nil {
		return false, nil, fmt.Errorf("make the certificate %q: %w", file, err)
	}
	if err := put("certificate", file, chain); err != nil {
		return false, nil, err
	}
	return true, leaf, nil
}

// put writes a file in one step, and explains what goes wrong.
func put(kind, file string, text []byte) error {
	err := writeBeside(file, text)
	if err == nil {
		err = os.Rename(beside(file), file)
	}
	if err != nil {
		os.Remove(beside(file)) // what went wrong before is what matters
	}
	return explain(kind, file, err)
}

// explain says which file could not be written, and why.
func explain(kind, file string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return fmt.Errorf("write %s %q: %w; uid %d has to be able to write to its folder", kind, file, cause(err), os.Geteuid())
	}
	return fmt.Errorf("write %s %q: %w", kind, file, err)
}

// beside is where a file is written before it takes its place. A process that is killed leaves it behind.
func beside(file string) string { return file + ".new" }

// writeBeside writes what is to take the place of a file.
func writeBeside(file string, text []byte) error {
	os.Remove(beside(file))
	f, err := os.OpenFile(beside(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = cmp.Or(err, takeAfter(f, file), f.Sync(), f.Close()); err != nil {
		os.Remove(beside(file)) // what went wrong before is what matters
	}
	return err
}

// takeAfter gives f the owner and mode of the regular file that it is to replace, where there is one: a LaunchDaemon's
// files belong to the user that it runs as.
func takeAfter(f *os.File, file string) error {
	var old unix.Stat_t
	if err := unix.Lstat(file, &old); err != nil || old.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	if int(old.Uid) != os.Geteuid() || int(old.Gid) != os.Getegid() {
		if err := f.Chown(int(old.Uid), int(old.Gid)); err != nil {
			return fmt.Errorf("its owner, uid %d, cannot be kept: %v; make uid %d its owner", old.Uid, cause(err), os.Geteuid())
		}
	}
	return f.Chmod(os.FileMode(old.Mode).Perm())
}
