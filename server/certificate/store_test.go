package certificate

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestReload(t *testing.T) {
	first, second := newPair(t, "first.example"), newPair(t, "second.example")
	s := first.open(t)
	steps := []struct {
		name      string
		cert, key string
		changed   bool
		leaf, err string
	}{
		{"the same", first.cert, first.key, false, "first.example", ""},
		{"torn", second.cert, first.key, false, "first.example", "does not belong"},
		{"new", second.cert, second.key, true, "second.example", ""},
		{"empty", "", second.key, false, "second.example", "empty"},
		{"back", first.cert, first.key, true, "first.example", ""},
		{"longer chain", first.cert + second.cert, first.key, true, "first.example", ""},
	}
	for _, step := range steps {
		write(t, s.CertFile(), step.cert)
		write(t, s.KeyFile(), step.key)
		changed, err := s.Reload()
		if step.err != "" {
			checkError(t, err, step.key, step.err)
		} else if err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if changed != step.changed || s.Leaf().Subject.CommonName != step.leaf {
			t.Errorf("%s: changed %t, leaf %s", step.name, changed, s.Leaf().Subject)
		}
	}
}

// Handshakes after a reload get the new certificate, while a connection that was open before goes on.
func TestReloadUnderOpenConnection(t *testing.T) {
	first, second := newPair(t, "first.example"), newPair(t, "second.example")
	s := first.open(t)
	address := echo(t, s)

	before := dial(t, address)
	sameBytes(t, before)
	write(t, s.CertFile(), second.cert)
	write(t, s.KeyFile(), second.key)
	if changed, err := s.Reload(); !changed || err != nil {
		t.Fatalf("changed %t, %v", changed, err)
	}
	after := dial(t, address)
	sameBytes(t, after)
	sameBytes(t, before)
	if got := peer(before); got != "first.example" {
		t.Errorf("the open connection has %s", got)
	}
	if got := peer(after); got != "second.example" {
		t.Errorf("the new connection has %s", got)
	}
}

// Handshakes and reloads at the same time; the race detector is the judge.
func TestReloadDuringHandshakes(t *testing.T) {
	first, second := newPair(t, "first.example"), newPair(t, "second.example")
	s := first.open(t)
	address := echo(t, s)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 5 {
				sameBytes(t, dial(t, address))
			}
		})
	}
	for i := range 20 {
		p := []pair{second, first}[i%2]
		write(t, s.CertFile(), p.cert)
		write(t, s.KeyFile(), p.key)
		if _, err := s.Reload(); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}

// echo serves TLS with the certificates of s and sends back what it gets.
func echo(t *testing.T, s *Store) (address string) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := tls.NewListener(plain, &tls.Config{GetCertificate: s.Get})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(30 * time.Second))
				io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return plain.Addr().String()
}

func dial(t *testing.T, address string) *tls.Conn {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Error(err)
		return nil
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func peer(conn *tls.Conn) string {
	if conn == nil {
		return "no connection"
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func sameBytes(t *testing.T, conn *tls.Conn) {
	if conn == nil {
		return
	}
	got := make([]byte, 5)
	if _, err := io.WriteString(conn, "knock"); err != nil {
		t.Error(err)
	} else if _, err := io.ReadFull(conn, got); err != nil || string(got) != "knock" {
		t.Errorf("sent knock, got %q, %v", got, err)
	}
}

// A key that all may read is told of; one for a group is not, since distributions keep keys so.
func TestKeyThatAllMayRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := makeDevelopment(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pair.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, path)
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1, 0o604: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got := s.Warnings(time.Now()); len(got) != want || want > 0 && !strings.Contains(got[0], "can be read by every user") {
			t.Errorf("%o: %q", mode, got)
		}
	}
}
