package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const month = 30 * 24 * time.Hour

// renewedHosts are those of madeIn.
func renewedHosts() []string { return []string{"www.example.com", "192.0.2.1"} }

// madeIn makes a pair in a folder, at the time now.
func madeIn(t *testing.T, dir string, now time.Time) *x509.Certificate {
	t.Helper()
	renewed, leaf, err := RenewSelfSigned(dir, renewedHosts(), month, now)
	if err != nil || !renewed {
		t.Fatalf("renewed %t, %v", renewed, err)
	}
	return leaf
}

// kept is what the files of a folder hold, with their modes.
func kept(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = info.Mode().String() + "\n" + string(text)
	}
	return all
}

func TestRenewMakesWhatIsMissing(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	leaf := madeIn(t, dir, now)
	files := kept(t, dir)
	if len(files) != 2 || !strings.HasPrefix(files["tls.crt"], "-rw-------\n") || !strings.HasPrefix(files["tls.key"], "-rw-------\n") {
		t.Errorf("%q", files)
	}
	read, err := Load(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil || !read.Leaf.Equal(leaf) || !slices.Equal(leaf.DNSNames, renewedHosts()[:1]) || len(leaf.IPAddresses) != 1 || !SelfSigned(leaf) {
		t.Errorf("%v, %q, %v", err, leaf.DNSNames, leaf.IPAddresses)
	}
	_, _, err = RenewSelfSigned(t.TempDir(), nil, month, now)
	checkError(t, err, "", "tls.crt", "does not exist", "give the hosts")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestRenewInTime(t *testing.T) {
	now := time.Now()
	end := now.Add(selfSignedLife - time.Hour)
	for name, test := range map[string]struct {
		at     time.Time
		within time.Duration
		want   bool
	}{
		"at once":             {now, month, false},
		"31 days before":      {end.Add(-31 * 24 * time.Hour), month, false},
		"29 days before":      {end.Add(-29 * 24 * time.Hour), month, true},
		"on the last day":     {end.Add(-time.Minute), 0, false},
		"after":               {end.Add(time.Minute), 0, true},
		"clock back by a day": {now.Add(-24 * time.Hour), month, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := madeIn(t, dir, now)
			before := kept(t, dir)
			renewed, second, err := RenewSelfSigned(dir, []string{"other.example"}, test.within, test.at)
			if err != nil || renewed != test.want {
				t.Fatalf("renewed %t, %v", renewed, err)
			}
			after := kept(t, dir)
			if after["tls.key"] != before["tls.key"] || (after["tls.crt"] == before["tls.crt"]) == test.want || len(after) != 2 {
				t.Error("files are not as they should be")
			}
			if !slices.Equal(second.DNSNames, first.DNSNames) || len(second.IPAddresses) != 1 || !second.IPAddresses[0].Equal(first.IPAddresses[0]) {
				t.Errorf("other names: %q, %v", second.DNSNames, second.IPAddresses)
			}
			if test.want && (second.NotAfter.Sub(test.at) < 12*month || second.SerialNumber.Cmp(first.SerialNumber) == 0 || !SelfSigned(second)) {
				t.Errorf("%v until %v", second.SerialNumber, second.NotAfter)
			}
			if again, _, err := RenewSelfSigned(dir, nil, test.within, test.at); again || err != nil {
				t.Errorf("renewed again: %t, %v", again, err)
			}
		})
	}
	_, _, err := RenewSelfSigned(t.TempDir(), renewedHosts(), selfSignedLife, now)
	checkError(t, err, "", "shorter time")
}

// ownerOf is the user that a file belongs to.
func ownerOf(t *testing.T, path string) int {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return int(st.Uid)
}

// Mode and owner belong to whoever is to read the files.
func TestRenewKeepsModeAndOwner(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	madeIn(t, dir, now)
	path := filepath.Join(dir, "tls.crt")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	uid := os.Geteuid()
	if uid == 0 {
		uid = 65534
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	before := identityOf(path)
	if renewed, _, err := RenewSelfSigned(dir, nil, month, now.Add(selfSignedLife)); !renewed || err != nil {
		t.Fatal(renewed, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 || ownerOf(t, path) != uid || identityOf(path) == before {
		t.Errorf("%v, owner %d, %v", info, ownerOf(t, path), err)
	}
}

func TestRenewLeavesOthersAlone(t *testing.T) {
	now := time.Now()
	foreign := newPair(t, "foreign.example")
	ours := t.TempDir()
	madeIn(t, ours, now)
	chain, err := os.ReadFile(filepath.Join(ours, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(ours, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		files map[string]string
		wants []string // of the error; none: no error
	}{
		"foreign":             {map[string]string{"tls.crt": foreign.cert, "tls.key": foreign.key}, nil},
		"ours with an issuer": {map[string]string{"tls.crt": string(chain) + foreign.cert, "tls.key": string(key)}, nil},
		"key of another":      {map[string]string{"tls.crt": string(chain), "tls.key": foreign.key}, []string{"does not belong"}},
		"no key":              {map[string]string{"tls.crt": string(chain)}, []string{"tls.key", "no such file"}},
		"damaged":             {map[string]string{"tls.crt": string(chain[:200]), "tls.key": string(key)}, []string{"tls.crt", "cut short"}},
		"an empty key alone":  {map[string]string{"tls.key": ""}, []string{"tls.key", "empty"}},
		"a foreign key alone": {map[string]string{"tls.key": block("EC PRIVATE KEY", sec1)}, []string{"tls.key", "no certificate beside it"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range test.files {
				write(t, filepath.Join(dir, file), text)
			}
			before := kept(t, dir)
			renewed, leaf, err := RenewSelfSigned(dir, renewedHosts(), month, now.Add(2*selfSignedLife))
			if test.wants == nil && (err != nil || leaf == nil) {
				t.Errorf("%v, %v", leaf, err)
			} else if test.wants != nil {
				checkError(t, err, string(key), test.wants...)
			}
			after := kept(t, dir)
			if renewed || len(after) != len(before) || after["tls.crt"] != before["tls.crt"] || after["tls.key"] != before["tls.key"] {
				t.Errorf("renewed %t, files changed", renewed)
			}
		})
	}
}

// What a process left that was killed while it made the pair is taken up by the next one, wherever it was cut short. A key whose
// certificate does not lie ready is somebody's own.
func TestRenewAfterAnInterruption(t *testing.T) {
	now, whole := time.Now(), t.TempDir()
	madeIn(t, whole, now)
	text := func(name string) string {
		text, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	cert, key, foreign := text("tls.crt"), text("tls.key"), newPair(t, "foreign.example")
	for name, test := range map[string]struct {
		files map[string]string
		at    time.Time
		want  string // of the key; empty: a new one; "error"
	}{
		"in the certificate":            {map[string]string{"tls.crt.new": "-----BEGIN"}, now, ""},
		"before the key":                {map[string]string{"tls.crt.new": cert}, now, ""},
		"in the key":                    {map[string]string{"tls.crt.new": cert, "tls.key.new": key[:50]}, now, ""},
		"before the key's new name":     {map[string]string{"tls.crt.new": cert, "tls.key.new": key}, now, ""},
		"between the names":             {map[string]string{"tls.crt.new": cert, "tls.key": key}, now, key},
		"between the names, a year ago": {map[string]string{"tls.crt.new": cert, "tls.key": key}, now.Add(selfSignedLife), key},
		"somebody's key":                {map[string]string{"tls.key": foreign.key}, now, "error"},
		"somebody's key by then":        {map[string]string{"tls.crt.new": cert, "tls.key": foreign.key}, now, "error"},
		"somebody's pair on the way":    {map[string]string{"tls.crt.new": foreign.cert, "tls.key": foreign.key}, now, "error"},
		"half a renewal":                {map[string]string{"tls.crt.new": cert[:100], "tls.key": key}, now, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				write(t, filepath.Join(dir, file), text)
			}
			before := kept(t, dir)
			renewed, leaf, err := RenewSelfSigned(dir, renewedHosts(), month, test.at)
			after := kept(t, dir)
			if test.want == "error" {
				checkError(t, err, key, "tls.key", "no certificate beside it", "put the certificate there")
				if !maps.Equal(before, after) {
					t.Error("files changed")
				}
				return
			}
			if err != nil || !renewed || test.at.After(leaf.NotAfter) {
				t.Fatalf("renewed %t, %v", renewed, err)
			}
			if _, there := after["tls.crt.new"]; there || test.want != "" && !strings.HasSuffix(after["tls.key"], test.want) {
				t.Errorf("%q", after)
			}
			if again, _, err := RenewSelfSigned(dir, nil, month, test.at); again || err != nil {
				t.Errorf("renewed again: %t, %v", again, err)
			}
		})
	}
}

func TestRenewFails(t *testing.T) {
	_, _, err := RenewSelfSigned("/no/such/folder", renewedHosts(), month, time.Now())
	checkError(t, err, "", "/no/such/folder", "no such file or directory")
	_, _, err = RenewSelfSigned(t.TempDir(), []string{"a b"}, month, time.Now())
	checkError(t, err, "", "neither a DNS name nor an IP address")

	dir := t.TempDir()
	madeIn(t, dir, time.Now())
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, filepath.Join(dir, "tls.crt"): 0o644, filepath.Join(dir, "tls.key"): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	before := kept(t, dir)
	if os.Geteuid() == 0 { // else the folder is this user's own
		unprivileged(t, func() {
			_, _, err := RenewSelfSigned(dir, renewedHosts(), month, time.Now().Add(selfSignedLife))
			checkError(t, err, "", "write certificate", "tls.crt", "permission denied", "uid")
		})
	}
	if after := kept(t, dir); len(after) != 2 || after["tls.crt"] != before["tls.crt"] {
		t.Errorf("%q", after)
	}

	unlock, err := lock(dir, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = lock(dir, 20*time.Millisecond)
	checkError(t, err, "", "another process", "try again")
}

// Many at once make one pair; and while it is renewed over and over, who reads it finds certificate and key that fit.
func TestRenewAtOnce(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	leaves := make([][]byte, 4)
	var all sync.WaitGroup
	for i := range leaves {
		all.Go(func() {
			_, leaf, err := RenewSelfSigned(dir, renewedHosts(), month, now)
			if err != nil {
				t.Error(err)
				return
			}
			leaves[i] = leaf.Raw
		})
	}
	all.Wait()
	for _, leaf := range leaves[1:] {
		if !bytes.Equal(leaf, leaves[0]) {
			t.Error("different certificates")
		}
	}
	all.Go(func() {
		for i := range 50 {
			at := now.Add(time.Duration(i+1) * selfSignedLife)
			if renewed, _, err := RenewSelfSigned(dir, nil, month, at); !renewed || err != nil {
				t.Error(renewed, err)
				return
			}
		}
	})
	for range 100 {
		if _, err := Load(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
}
