package certificate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// startedIn names the folder of a test binary that is to open the development certificate and nothing else.
const startedIn = "ROUSE_TEST_DEVELOPMENT_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(startedIn)
	if dir == "" {
		os.Exit(m.Run())
	}
	d, err := OpenDevelopment(dir, time.Now())
	if err != nil || d.NotKept != nil {
		fmt.Println(err, d.NotKept)
		os.Exit(1)
	}
	fmt.Print(Fingerprint(d.Store.Leaf()), d.Created)
}

func develop(t *testing.T, dir string, now time.Time) Development {
	t.Helper()
	d, err := OpenDevelopment(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevelopmentIsFitForBrowsers(t *testing.T) {
	now := time.Now()
	d := develop(t, t.TempDir(), now)
	leaf := d.Store.Leaf()
	for _, host := range []string{"localhost", "blog.localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if leaf.VerifyHostname("example.com") == nil {
		t.Error("it is good for example.com")
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("it lives for %s", life)
	}
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Params().BitSize != 256 {
		t.Errorf("key %T", leaf.PublicKey)
	}
	if leaf.IsCA || !SelfMade(leaf) || d.Store.Warnings(now) != nil {
		t.Errorf("CA %t, self-made %t, warnings %q", leaf.IsCA, SelfMade(leaf), d.Store.Warnings(now))
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(leaf)
	conn, err := tls.Dial("tcp", echo(t, d.Store), &tls.Config{RootCAs: trusted, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestDevelopmentIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "rouse")
	now := time.Now()
	first := develop(t, dir, now)
	if !first.Created || first.NotKept != nil || filepath.Dir(first.Path) != dir || first.Store.CertFile() != first.Path {
		t.Fatalf("%+v", first)
	}
	for path, want := range map[string]os.FileMode{filepath.Dir(dir): 0o700, dir: 0o700, first.Path: 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	end := first.Store.Leaf().NotAfter
	for name, test := range map[string]struct {
		at      time.Time
		created bool
	}{
		"again":               {now, false},
		"31 days before":      {end.Add(-31 * 24 * time.Hour), false},
		"29 days before":      {end.Add(-29 * 24 * time.Hour), true},
		"after":               {end.Add(time.Hour), true},
		"clock back by a day": {now.Add(-24 * time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := develop(t, dir, now)
			second := develop(t, dir, test.at)
			same := bytes.Equal(first.Store.Leaf().Raw, second.Store.Leaf().Raw)
			if second.Created != test.created || same == test.created || second.NotKept != nil {
				t.Errorf("created %t, same %t, %v", second.Created, same, second.NotKept)
			}
			if third := develop(t, dir, test.at); third.Created {
				t.Error("what was made is not kept")
			}
		})
	}
}

func TestDevelopmentIsMended(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"empty":              func(path string) error { return os.Truncate(path, 0) },
		"cut short":          func(path string) error { return os.Truncate(path, 700) },
		"readable by others": func(path string) error { return os.Chmod(path, 0o644) },
		"of another name": func(path string) error {
			p := newPair(t, "x.example")
			return os.WriteFile(path, []byte(p.cert+p.key), 0o600)
		},
		"a link into nothing": func(path string) error { os.Remove(path); return os.Symlink("nowhere", path) },
		"removed":             os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := develop(t, dir, time.Now())
			if err := damage(first.Path); err != nil {
				t.Fatal(err)
			}
			second := develop(t, dir, time.Now())
			if !second.Created || second.NotKept != nil {
				t.Errorf("%+v", second)
			}
			if info, err := os.Lstat(second.Path); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if third := develop(t, dir, time.Now()); third.Created {
				t.Error("what was mended is not kept")
			}
		})
	}
}

func TestDevelopmentInMemory(t *testing.T) {
	check := func(t *testing.T, dir string, wants ...string) {
		d := develop(t, dir, time.Now())
		checkError(t, d.NotKept, "", append(wants, "XDG_STATE_HOME")...)
		if !d.Created || d.Path != "" || d.Store.CertFile() != "" || d.Store.Leaf().VerifyHostname("localhost") != nil {
			t.Errorf("%+v", d)
		}
	}
	t.Run("no folder", func(t *testing.T) { check(t, "", "no folder") })
	t.Run("a file in the way", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "state")
		write(t, file, "")
		check(t, filepath.Join(file, "rouse"), file, "not a directory")
	})
	t.Run("a folder in the way", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, developmentFile, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		check(t, dir, dir)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("left in the folder: %v, %v", entries, err)
		}
	})
	t.Run("a folder that is read-only", func(t *testing.T) {
		dir := t.TempDir()
		for folder, mode := range map[string]os.FileMode{dir: 0o555, filepath.Dir(dir): 0o755} {
			if err := os.Chmod(folder, mode); err != nil {
				t.Fatal(err)
			}
		}
		unprivileged(t, func() { check(t, dir, ".new-", "permission denied") })
	})
}

// Processes that start at once all end with the one certificate that is on disk, made by one of them.
func TestDevelopmentInSeveralProcesses(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "rouse")
	outputs := make([]string, 4)
	var all sync.WaitGroup
	for i := range outputs {
		all.Go(func() {
			command := exec.CommandContext(ctx, program)
			command.Env = append(os.Environ(), startedIn+"="+dir)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, output)
			}
			outputs[i] = string(output)
		})
	}
	all.Wait()
	kept := Fingerprint(develop(t, dir, time.Now()).Store.Leaf())
	makers := 0
	for _, output := range outputs {
		switch output {
		case kept + "true":
			makers++
		case kept + "false":
		default:
			t.Errorf("%s is kept, a process had %s", kept, output)
		}
	}
	if makers != 1 {
		t.Errorf("%d processes say that they made it", makers)
	}
}

// The same in one process, many times: each OpenDevelopment has a lock of its own.
func TestDevelopmentAtOnce(t *testing.T) {
	dir := t.TempDir()
	start := make(chan struct{})
	leaves := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range leaves {
		all.Go(func() {
			<-start
			d, err := OpenDevelopment(dir, time.Now())
			if err != nil || d.NotKept != nil {
				t.Error(err, d.NotKept)
				return
			}
			leaves[i] = d.Store.Leaf().Raw
		})
	}
	close(start)
	all.Wait()
	for _, leaf := range leaves[1:] {
		if !bytes.Equal(leaf, leaves[0]) {
			t.Error("different certificates")
		}
	}
}
